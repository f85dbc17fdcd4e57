/* The network for modules: the MQTT-SN calls of "wasi_sn", host interface version 3, for C on
 * wasm32.
 *
 * Every name of a call begins with wasi_sn_ here; wasi_sn.h gives them the paper's plain names.
 * Texts end with a zero byte. A pointer that leaves the module's memory traps. The calls link when
 * the manifest asks for at least one capability "topic/<filter>:p", ":s" or ":ps"; what is refused
 * at a call is told, never trapped, and wasi_sn_lastError() says why (enum wasi_sn_code).
 *
 * Calls that talk with a gateway wait for it while other modules run; their time does not count.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_GUEST_NETWORK_H
#define SANDMOTE_GUEST_NETWORK_H

#include <stdbool.h>
#include <stdint.h>
#include "sandmote_code.h"

/* ---- The paper's calls: true when done ---------------------------------------------------------
 */

/* Begin, on this UDP port of the device; 0 for any. The port that it is, or a code. What has begun
 * already stays as it is. */
SM_IMPORT("wasi_sn", "start") int wasi_sn_start(int port);

/* End it all: topic ids, subscriptions and messages are gone. Does not wait. */
SM_IMPORT("wasi_sn", "stop") bool wasi_sn_stop(void);

/* Ask a multicast or broadcast address for gateways, at most max_hops away, 0 for the device's own
 * choice; address "" and port 0 for the device's. The address of the one that answered first is
 * written to buf as a text: how many bytes with its zero byte, or a code. */
SM_IMPORT("wasi_sn", "searchGW")
int wasi_sn_searchGW(const char *address, int port, int max_hops, char *buf, int len);

/* Connect to a gateway; address "" and port 0 for the one that was found, or else the device's.
 * client_id is a name of up to 23 letters, digits, '.', '_' and '-' ("" for the module's name), put
 * behind the device's own prefix. keep_alive in seconds, 1 to 65535; 0 is 30. */
SM_IMPORT("wasi_sn", "connect")
bool wasi_sn_connect(const char *client_id, int keep_alive, const char *address, int port);

SM_IMPORT("wasi_sn", "disconnect") bool wasi_sn_disconnect(void);

/* The id, above 0, of a topic to publish or subscribe to; or a code. An id is good until
 * wasi_sn_stop(), over any number of connections. */
SM_IMPORT("wasi_sn", "register") int wasi_sn_register(const char *topic);

/* qos 0: sent once; 1: until the gateway has it, perhaps twice; 2: exactly once. */
SM_IMPORT("wasi_sn", "publish")
bool wasi_sn_publish(int topic, int qos, const void *data, int len);

/* Receive what is published to a topic that has an id. */
SM_IMPORT("wasi_sn", "subscribe") bool wasi_sn_subscribe(int topic, int qos);

/* Whether a message is there for a topic, or for any with 0. */
SM_IMPORT("wasi_sn", "hasMessage") bool wasi_sn_hasMessage(int topic);

/* Take the oldest message for a topic, or for any with 0: its bytes, or a code. WASI_SN_SPACE: it
 * is longer than len, and stays. */
SM_IMPORT("wasi_sn", "getMessage") int wasi_sn_getMessage(int topic, void *buf, int len);

/* Sleep: the gateway keeps messages for so many seconds at most (0: the keep-alive's), which
 * wasi_sn_collect() fetches. Then the connection is lost. */
SM_IMPORT("wasi_sn", "sleep") bool wasi_sn_sleep(int seconds);

/* Be there again, with all topics and subscriptions. */
SM_IMPORT("wasi_sn", "awake") bool wasi_sn_awake(void);

/* ---- More --------------------------------------------------------------------------------------
 */

/* Receive what is published to any topic that a filter stands for ("hall/+/door", "hall/#"): an id
 * for hasMessage and getMessage, or a code. */
SM_IMPORT("wasi_sn", "subscribeTo") int wasi_sn_subscribeTo(const char *filter, int qos);

SM_IMPORT("wasi_sn", "unsubscribe") bool wasi_sn_unsubscribe(int topic);

/* While asleep: fetch what the gateway has kept, and sleep on. */
SM_IMPORT("wasi_sn", "collect") bool wasi_sn_collect(void);

struct wasi_sn_message {
    uint16_t len; /* bytes of the message */
    uint8_t qos;
    uint8_t retained; /* 1: it was published before the subscription */
    uint32_t topic_len;
};

/* The oldest message for a topic, or for any with 0, which stays: its record, then as much of its
 * topic's name as len has room for. 0 or a code. */
SM_IMPORT("wasi_sn", "peekMessage") int wasi_sn_peekMessage(int topic, void *buf, int len);

enum wasi_sn_link {
    WASI_SN_LINK_STOPPED,
    WASI_SN_LINK_STARTED,
    WASI_SN_LINK_CONNECTED,
    WASI_SN_LINK_ASLEEP,
    WASI_SN_LINK_LOST /* the gateway is gone; connect again */
};

struct wasi_sn_network {
    uint8_t link; /* enum wasi_sn_link */
    uint8_t zero[3];
    uint16_t queue;          /* messages of the longest kind that can wait */
    uint16_t topics;         /* how many ids there can be */
    uint32_t message_bytes;  /* the longest message */
    uint32_t dropped;        /* messages that came while the queue was full, or were too long */
    uint32_t refused;        /* calls that were not granted, of sensors too */
    uint32_t sent, received; /* messages */
};

SM_IMPORT("wasi_sn", "network") int wasi_sn_network(struct wasi_sn_network *out);

_Static_assert(sizeof(struct wasi_sn_message) == 8 && sizeof(struct wasi_sn_network) == 28,
               "the layout that the host writes");

#endif
