/* Fifty devices, two gateways and a bad network, and what became of each message.
 *
 * Each datagram between device and gateway, either way, may be lost, come twice, and come up to
 * some tens of milliseconds late, so also after a later one. One gateway is killed and comes back;
 * the other is killed for good, and its devices go to the first. At the end each message that was
 * acknowledged must have arrived: QoS 1 at least once, QoS 2 once, if its device was with one
 * gateway from its first datagram to its last.
 *
 * What a device is, is the program's: lossy_field.c has clients, lossy_modules.c has modules.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_GATEWAY_LOSSY_H
#define TEST_GATEWAY_LOSSY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NODES    50u
#define GATEWAYS 2u
#define MESSAGES 400u /* of one device, at most */
#define TEXT     32u  /* bytes of a topic */
#define RETRY_MS 400u /* until a datagram is sent again */
#define RETRIES  6u

struct message {
    uint8_t qos, arrived;
    uint8_t started_at;       /* gateway, from 1 */
    bool acknowledged, moved; /* it began with one gateway and ended with another */
};

struct kind {
    const char *name;    /* of such devices, for people */
    const char *filter;  /* what they publish to */
    unsigned command_ms; /* between two messages to them */
    void (*open)(unsigned node);
    /* Go on. When it is over, begin nothing. True: nothing is under way. */
    bool (*step)(unsigned node, uint64_t now_ms, bool over);
    void (*feed)(unsigned node, uint8_t gateway, const uint8_t *bytes, size_t len, uint64_t now_ms);
    /* Whose message this is, and which. */
    bool (*find)(const char *topic, const char *text, unsigned *node, unsigned *number);
    void (*command)(char topic[TEXT]); /* to which a message is due */
    unsigned (*told)(unsigned node);   /* how many of these came */
};

/* The program: [MILLISECONDS [SEED [netem]]]. With netem the kernel spoils the datagrams. */
int lossy_main(const struct kind *kind, int argc, char **argv);

/* For devices: the time, some luck, a datagram to a gateway (from 0), and what they count. */
uint64_t lossy_now_ms(void);
unsigned lossy_chance(unsigned of);
void lossy_send(unsigned node, uint8_t gateway, const uint8_t *bytes, size_t len);
struct message *lossy_message(unsigned node, unsigned number);

#endif
