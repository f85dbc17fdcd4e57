/* QoS 2 between the client and a gateway, explored exhaustively: what a gateway has to bring.
 *
 * The client publishes QOS2_MESSAGES messages to the predefined topic QOS2_UP, payload one octet,
 * their number from 0; the gateway has as many for it on QOS2_DOWN. Time is the explorer's.
 *
 * Its session is one that is kept, which the gateway has with its subscription, or a clean one,
 * for which it subscribes itself.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_MQTTSN_QOS2_H
#define TEST_MQTTSN_QOS2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QOS2_MESSAGES 2u
#define QOS2_UP       1u
#define QOS2_DOWN     2u

struct qos2_peer {
    const char *name;
    bool clean;           /* the session */
    void *(*begin)(void); /* a gateway that has never seen a client, with its messages ready */
    void (*end)(void *peer);
    /* It stops and starts: what it keeps on disk stays. */
    void (*restart)(void *peer, uint64_t now_ms);
    void (*feed)(void *peer, const uint8_t *bytes, size_t len, uint64_t now_ms);
    int (*poll)(void *peer, uint8_t *out, size_t size,
                uint64_t now_ms); /* the next datagram; 0: none */
    uint64_t (*deadline)(void *peer);
    unsigned (*delivered)(void *peer,
                          unsigned n); /* times that message n was given to the broker */
    bool (*done)(void *peer);          /* all its messages are acknowledged */
    /* Of a clean session: its client was told that it is subscribed, so its messages may come. */
    void (*subscribed)(void *peer);
};

/* Every combination of up to `faults` faults (loss, duplication, two kinds of delay, restarts of
 * either side) at every datagram. Prints what it tried; 0, or 1 after printing the first run that
 * broke a rule, with the id that repeats it. */
int qos2_explore(const struct qos2_peer *peer, unsigned faults);

/* Run one again, telling each step. */
int qos2_replay(const struct qos2_peer *peer, const char *id);

extern const struct qos2_peer qos2_model, qos2_model_clean;

#endif
