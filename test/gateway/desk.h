/* A gateway on the desk: no sockets, a clock set by hand, a broker that answers at once.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_GATEWAY_DESK_H
#define TEST_GATEWAY_DESK_H

#include <gateway/gateway.h>
#include <gateway/mqtt.h>
#include <sandmote/mqttsn.h>

#include "memory_store.h"

#define DESK_PEERS 8u
#define DESK_KEPT  64u
#define DESK_HELD  16u

/* What one address sent and was sent. */
struct desk_peer {
    struct gw_addr addr;
    const char *identity;
    uint64_t in, out; /* octets */
    unsigned count;   /* datagrams to it */
    struct {
        uint8_t bytes[256];
        size_t len;
    } kept[DESK_KEPT]; /* the last of these */
    unsigned taken;
};

struct desk {
    struct gw *g;
    struct gw_config cfg;
    struct gw_rule rule;
    struct desk_peer peer[DESK_PEERS];
    uint64_t now_ms;
    uint32_t random;
    bool silent; /* the broker says nothing */
    bool holds;  /* it gets no PUBREL yet; these wait: */
    unsigned held;
    struct gw_link *held_link[DESK_HELD];
    uint8_t held_id[DESK_HELD][2];
    unsigned published; /* messages that the broker got */
    char topic[64];     /* of the last one */
    bool stores;        /* what must survive a restart, within a memory_store's limits */
    struct memory_store store;
};

/* Set d->cfg before it if something else than the defaults is wanted; rules allow everything unless
 * the configuration has some. */
void desk_config(struct desk *d);
void desk_begin(struct desk *d);
void desk_end(struct desk *d);

/* The gateway is killed and comes back. */
void desk_restart(struct desk *d);

/* Peers have addresses 10.0.0.1, 10.0.0.2 and so on, port 1000. */
void desk_bytes(struct desk *d, unsigned peer, const void *bytes, size_t len);
void desk_send(struct desk *d, unsigned peer, const struct sm_mqttsn_packet *p);
void desk_connect(struct desk *d, unsigned peer, const char *id, bool clean, uint16_t keepalive_s);
void desk_subscribe(struct desk *d, unsigned peer, const char *filter, int8_t qos);
/* The next message to this peer that was not taken yet: its type, or -1. p points into d. */
int desk_take(struct desk *d, unsigned peer, struct sm_mqttsn_packet *p);

/* The broker sends a message to the gateway. */
void desk_publish(struct desk *d, const char *topic, size_t len, uint8_t qos, bool retain);
/* Bytes as they are on the first connection. */
void desk_broker_bytes(struct desk *d, const uint8_t *bytes, size_t len);
/* The broker gets the PUBRELs that it has not got. */
void desk_release(struct desk *d);
/* All connections to the broker break. */
void desk_break(struct desk *d);
void desk_pass(struct desk *d, uint64_t ms);

#endif
