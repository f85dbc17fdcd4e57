/* What the files of the gateway share: its structs and who offers what to whom.
 *
 * Indexes instead of pointers where a thing may vanish while others speak of it: a client is named
 * by its place in g->clients, which is GW_NONE once it is gone.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_GATEWAY_CORE_H
#define SM_GATEWAY_CORE_H

#include <stdlib.h>
#include <string.h>
#include <sandmote/mqttsn.h>

#include "gateway.h"
#include "mqtt.h"

#define GW_NONE      UINT32_MAX
#define GW_FLOWS     8u     /* QoS 2 messages of one client that are remembered, and that wait */
#define GW_TURNS     10000u /* that wait for their turn on one connection */
#define GW_LINKS_MAX 8u     /* shared connections to the broker */
#define GW_SHAPES    256u   /* different forms of wildcard filters */
#define GW_BUCKETS   4096u  /* rate limits of addresses; two may share one */
#define GW_WHEEL     256u   /* slots of a quarter of a second */
#define GW_SLOT_MS   250u
#define GW_SILENT    8192u  /* octets sent to a client that says nothing, until it is asked */
#define GW_PROBE_MS  2000u  /* for the old address of a client that comes from a new one */
#define GW_VISITS    256u   /* sleepers that are asked at a new address at once */
#define GW_FRESH_MS  10000u /* after a SUBSCRIBE or a retained message, more of them may come */

/* Ends the process when there is none. Zeroed; resize does not zero. */
void *gw_alloc(size_t size);
void *gw_resize(void *old, size_t size);

/* ---- Names (name.c): each text is there once ------------------------------------------------- */

struct gw_name {
    struct gw_name *next; /* in its bucket */
    uint32_t refs, hash;
    uint16_t len;
    uint8_t text[];
};

struct gw_names {
    struct gw_name **bucket;
    uint32_t mask, count;
};

uint32_t gw_hash(uint32_t seed, const void *bytes, size_t len);
/* The caller gets one reference. */
struct gw_name *gw_name(struct gw *g, const void *text, size_t len);
struct gw_name *gw_name_find(struct gw *g, const void *text, size_t len); /* no reference */
struct gw_name *gw_name_ref(struct gw_name *n);
void gw_name_drop(struct gw *g, struct gw_name *n);

/* ---- Clients --------------------------------------------------------------------------------- */

enum gw_state {
    GW_DISCONNECTED, /* a session without a connection */
    GW_CONNECTING,   /* between CONNECT and CONNACK: will, connection of its own */
    GW_ACTIVE,
    GW_ASLEEP,
    GW_AWAKE,
    GW_LOST
};

struct gw_topic {
    struct gw_name *name;
    uint16_t id;
    bool known; /* the client knows the id; else a REGISTER has to go first */
    bool publish;
};

struct gw_subscription {
    struct gw_filter *filter;
    uint8_t qos;
};

enum gw_phase { GW_FLOW_FREE, GW_FLOW_SENT, GW_FLOW_HELD, GW_FLOW_DONE };

/* A QoS 2 message of a client: SENT to the broker; HELD by it, and the client has PUBREC; DONE:
 * released by both. */
struct gw_flow {
    uint64_t done_ms;
    uint32_t hash; /* of topic and payload */
    uint16_t msg_id, packet_id;
    uint8_t phase;
    bool released; /* by the client, which waits for the broker's PUBCOMP */
};

struct gw_flows {
    uint8_t next;
    struct gw_flow flow[GW_FLOWS];
};

/* A QoS 2 message of a client that the broker cannot be given yet. */
struct gw_turn {
    struct gw_turn *next;
    struct gw_name *topic;
    uint32_t client, serial;
    uint16_t msg_id, len;
    bool retain;
    uint8_t data[];
};

/* A message on its way to clients. */
struct gw_msg {
    struct gw_msg *next, *prev; /* those that the broker still has to be told about */
    struct gw_name *topic;
    struct gw_link *link; /* NULL: the broker needs to hear nothing */
    struct gw_delivery *deliveries;
    int64_t row;
    uint64_t came_ms;
    uint32_t held; /* deliveries that keep the broker waiting */
    uint32_t len;
    uint16_t packet_id;
    uint8_t qos;
    bool retain;
    bool busy; /* its deliveries are being gone through: it stays */
    uint8_t data[];
};

enum gw_delivery_state { GW_QUEUED, GW_SENT, GW_RELEASED };

struct gw_delivery {
    struct gw_delivery *next;               /* of the client */
    struct gw_delivery *peer, *peer_before; /* of the message */
    struct gw_msg *msg;
    int64_t row;
    uint32_t client;
    uint16_t msg_id;
    uint8_t qos, state;
    bool held, again;
};

/* A will, and what of it was asked for. */
struct gw_will {
    uint8_t *data;
    struct gw_name *topic;
    uint16_t len;
    uint8_t qos;
    bool retain;
};

struct gw_client {
    struct gw_addr addr;
    uint64_t heard_ms; /* last message */
    uint64_t since_ms; /* the state began; asleep: the sleep */
    uint64_t sent_ms;  /* what is in flight was sent */
    uint64_t due_ms;   /* in the wheel */
    int64_t row;
    const struct gw_rule *rule;
    struct gw_link *link; /* its own, or NULL */
    struct gw_topic *topics;
    struct gw_subscription *subs;
    struct gw_delivery *first, *last;
    struct gw_flows *flows;
    struct gw_will *will;
    char *identity;
    uint32_t index, next_id, next_addr, wheel_next, wheel_prev;
    uint32_t received, sent; /* octets, while the address is unproven */
    uint32_t silent;         /* octets sent since it last said something */
    uint32_t queued_bytes;
    uint32_t tokens, token_s; /* of its rate limit */
    uint16_t ntopics, topics_room, nsubs, subs_room;
    uint16_t queued;
    uint32_t serial;            /* no other session has or had it */
    uint16_t up_msg, up_packet; /* the last QoS 1 message that waits for the broker, 0: none */
    uint16_t sub_msg;           /* the last SUBSCRIBE that does */
    uint16_t keepalive_s, sleep_s;
    uint16_t reg_msg, reg_topic; /* REGISTER in flight, 0: none */
    uint8_t state, tries, turns; /* turns: QoS 2 messages that wait for theirs */
    uint8_t in_wheel : 1, proven : 1, clean : 1, wants_will : 1, asked : 1, moving : 1,
        untouched : 1, /* nothing came since CONNECT */
        woken : 1,     /* that CONNECT ended a sleep, and began nothing */
        told : 1,      /* it has its CONNACK already */
        kept : 1,      /* although it is clean: it sleeps, or has to do with QoS 2 */
        flying : 1;    /* the first delivery waits for the client */
    uint8_t will_step; /* 1: WILLTOPICREQ sent, 2: WILLMSGREQ sent */
    uint8_t id_len;
    char id[];
};

/* ---- Filters (filter.c): what clients subscribed to, and where at the broker ----------------- */

struct gw_fresh { /* a subscriber that may be sent retained messages */
    struct gw_fresh *next;
    uint64_t until_ms;
    uint32_t client;
    uint32_t count, room;
    uint32_t *seen; /* hashes of topics that it had */
};

struct gw_filter {
    struct gw_name *name;
    struct gw_link *link;
    struct gw_fresh *fresh;
    uint32_t *subscribers; /* indexes of clients */
    uint32_t count, room;
    struct gw_filter *next_hash, *next, *before; /* in its bucket; of its link */
    uint8_t qos;                                 /* at the broker */
    bool wild;
};

/* ---- Links (link.c): connections to the broker ----------------------------------------------- */

enum gw_pending_kind { GW_FREE, GW_PUB1, GW_PUB2, GW_REL, GW_SUB, GW_UNSUB };

/* Something that waits for the broker's answer; its packet id says where in the table. */
struct gw_pending {
    struct gw_name *filter;  /* SUB */
    uint32_t client, serial; /* both must fit, else the session is gone */
    uint16_t packet_id, msg_id, topic_id;
    uint8_t kind, qos;
    uint8_t topic_type;
    bool stale; /* sent over a connection that is gone */
};

struct gw_buffer {
    uint8_t *bytes;
    size_t at, len, room; /* [at, len) is there */
};

enum gw_link_state { GW_LINK_IDLE, GW_LINK_OPENING, GW_LINK_GREETING, GW_LINK_READY, GW_LINK_GONE };

struct gw_link {
    struct gw_link *next, *before; /* all of them */
    struct gw_link *next_wish;     /* those that want something */
    struct gw_buffer in, out;
    struct gw_pending *pending;
    struct gw_filter *filters;
    struct gw_turn *turns, *last_turn;
    size_t turn_bytes;
    uint32_t turn_count;
    uint8_t *received; /* bits: packet ids of QoS 2 from the broker not released yet; or NULL */
    uint64_t retry_ms, heard_ms, sent_ms, since_ms;
    uint32_t client;           /* whose own, or GW_NONE */
    uint32_t room, used, qos2; /* of pending; those of them with QoS 2 */
    uint32_t wait_ms;
    uint16_t last_id;
    uint8_t number; /* of a shared one, from 0 */
    uint8_t state;
    bool open, write, close; /* wishes */
    bool listed, started, parked, reopen;
    int fd;
};

/* ---- The gateway ----------------------------------------------------------------------------- */

struct gw_bucket {
    uint32_t tokens;
    uint64_t at_ms;
};

struct gw_shape { /* a form of wildcard filters: how many levels, which of them `+`, `#` at the end
                   */
    uint64_t plus;
    uint32_t count;
    uint8_t levels;
    bool rest;
};

/* A client asleep whose id was said at another address (move.c), and how. */
struct gw_visit {
    struct gw_addr addr;
    uint64_t until_ms; /* open before it */
    uint32_t client, serial;
    uint16_t topic_id, msg_id; /* of the REGISTER that went there */
    uint16_t keepalive_s;
    bool connects, clean, will; /* CONNECT, and its flags; else PINGREQ */
    bool spoiled;
};

/* Lines for people of which there may be many: one a second. */
struct gw_said {
    uint64_t at_ms;
    uint32_t unsaid;
};

struct gw_restoring {
    struct gw_msg **msgs;
    size_t count, room;
};

struct gw {
    struct gw_config cfg;
    struct gw_io io;
    struct gw_store store; /* functions are NULL without one */
    struct gw_figures figures;
    struct gw_names names;
    struct gw_client **clients;
    uint32_t *by_id, *by_addr, *free_clients;
    uint32_t clients_room, clients_used, free_count, table_mask;
    uint32_t wheel[GW_WHEEL];
    uint64_t wheel_at; /* the slot that was last looked at, in units of GW_SLOT_MS */
    struct gw_link *links, *wishes;
    struct gw_link *shared[GW_LINKS_MAX];
    unsigned shared_count;
    struct gw_filter **filter_table;
    uint32_t filter_mask, filter_count;
    struct gw_shape shapes[GW_SHAPES];
    unsigned shape_count;
    struct gw_msg *oldest, *newest; /* that the broker waits for */
    struct gw_bucket buckets[GW_BUCKETS];
    struct gw_restoring restoring;
    uint32_t seed, serial;
    uint64_t links_at_ms;
    uint8_t pool[256];
    size_t pool_left;
    struct gw_visit visits[GW_VISITS];
    uint64_t visits_until_ms; /* none is open after it */
    uint64_t now_ms;
    struct gw_said said_refused, said_moved;
};

/* gateway.c */
uint16_t gw_random16(struct gw *g); /* neither 0 nor 0xffff */
void gw_notef(struct gw *g, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* To an address that is no client's, or has asked only now: nothing larger than what came. */
void gw_reply(struct gw *g, const struct gw_addr *to, const struct sm_mqttsn_packet *p);
/* To a client, within what its address may be sent. False: withheld. */
bool gw_send(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p);
bool gw_send_simple(struct gw *g, struct gw_client *c, uint8_t type, uint16_t msg_id);
void gw_send_code(struct gw *g, struct gw_client *c, uint8_t type, uint8_t code);

/* client.c: sessions and their states */
struct gw_client *gw_client_new(struct gw *g, const struct gw_addr *addr, const void *id,
                                size_t len);
struct gw_client *gw_client_by_addr(struct gw *g, const struct gw_addr *a);
struct gw_client *gw_client_by_id(struct gw *g, const void *id, size_t len);
void gw_client_free(struct gw *g, struct gw_client *c);
void gw_client_moved(struct gw *g, struct gw_client *c, const struct gw_addr *to);
void gw_client_state(struct gw *g, struct gw_client *c, enum gw_state state);
/* state: GW_DISCONNECTED or GW_LOST. Frees the client when its session was a clean one. */
void gw_client_parted(struct gw *g, struct gw_client *c, enum gw_state state);
void gw_client_lost(struct gw *g, struct gw_client *c);
bool gw_client_durable(const struct gw_client *c); /* its session outlives the gateway */
/* From now on, for exactly once is not to be had otherwise. */
void gw_client_keep(struct gw *g, struct gw_client *c);
bool gw_client_empty(const struct gw_client *c);     /* its session holds nothing */
bool gw_client_reachable(const struct gw_client *c); /* may be sent something now */
void gw_client_save(struct gw *g, struct gw_client *c);
void gw_client_proven(struct gw *g, struct gw_client *c); /* it answered what only it could */
void gw_client_forget_will(struct gw *g, struct gw_client *c);
void gw_client_wipe(struct gw *g, struct gw_client *c); /* all of its session but itself */
void gw_client_due(struct gw *g, struct gw_client *c, uint64_t at_ms); /* not later than this */
void gw_client_timer(struct gw *g, struct gw_client *c);

/* connect.c: how they begin and end */
void gw_on_connect(struct gw *g, const struct gw_addr *from, const char *identity,
                   const struct sm_mqttsn_packet *p, size_t len);
void gw_on_will(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p);
void gw_on_will_update(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p);
void gw_on_disconnect(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p);
void gw_on_ping(struct gw *g, struct gw_client *c, const struct gw_addr *from, const char *identity,
                const struct sm_mqttsn_packet *p, size_t len);
void gw_connected(struct gw *g, struct gw_client *c, uint8_t code);
void gw_probe_over(struct gw *g, struct gw_client *c);
/* The visit's client is where it says: the session is there now, and goes on as it wished. */
void gw_visited(struct gw *g, struct gw_client *c, const struct gw_visit *v);

/* move.c: sleepers that come back from elsewhere */
/* CONNECT or PINGREQ with the client's id from an address that is not its own. False: nothing was
 * sent, and nothing changes. */
bool gw_visit(struct gw *g, struct gw_client *c, const struct gw_addr *from,
              const struct sm_mqttsn_packet *p);
/* Whether a message, neither CONNECT nor PINGREQ, was one of a visit. there: whose address it is,
 * or NULL. */
bool gw_visit_answered(struct gw *g, const struct gw_client *there, const struct gw_addr *from,
                       const struct sm_mqttsn_packet *p);

/* rule.c: who may do what, and how often */
const struct gw_rule *gw_rule_for(const struct gw *g, const char *identity, const void *id,
                                  size_t len);
bool gw_may_publish(const struct gw_client *c, const void *topic, size_t len);
bool gw_may_subscribe(const struct gw_client *c, const void *filter, size_t len);
bool gw_filter_covers(const uint8_t *wide, size_t wide_len, const uint8_t *narrow,
                      size_t narrow_len);
bool gw_filters_overlap(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len);
bool gw_in_prefixes(const struct gw_prefixes *list, const struct gw_addr *a);
bool gw_take_token(struct gw *g, const struct gw_addr *a);
bool gw_client_token(struct gw *g, struct gw_client *c);

/* up.c: from clients to the broker */
struct gw_topic *gw_topic_by_id(struct gw_client *c, uint16_t id);
struct gw_topic *gw_topic_by_name(struct gw_client *c, const struct gw_name *name);
struct gw_topic *gw_topic_add(struct gw *g, struct gw_client *c, struct gw_name *name, uint16_t id);
uint16_t gw_topic_free_id(struct gw *g, struct gw_client *c);
const char *gw_predefined(const struct gw *g, uint16_t id);
void gw_on_register(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p);
void gw_on_publish(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p);
void gw_on_publish_without(struct gw *g, const struct gw_addr *from,
                           const struct sm_mqttsn_packet *p);
void gw_on_pubrel(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p);
void gw_up_answer(struct gw *g, struct gw_link *l, struct gw_pending *w,
                  const struct mqtt_packet *p);
void gw_flows_clear(struct gw *g, struct gw_client *c);
/* Of a client that will not go on with them: their places at the broker are free again. */
void gw_flows_release(struct gw *g, struct gw_client *c);
/* When others wait for places that nobody comes back to. */
void gw_turns_unblock(struct gw *g, struct gw_link *l);
/* Those of one client, or all: it or the connection is gone, and the client has them. */
void gw_turns_drop(struct gw *g, struct gw_link *l, struct gw_client *c);
void gw_flow_save(struct gw *g, struct gw_client *c, struct gw_flow *f);

/* filter.c */
void gw_on_subscribe(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p);
void gw_on_unsubscribe(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p);
void gw_subscribed(struct gw *g, struct gw_link *l, struct gw_pending *w,
                   const struct mqtt_packet *p);
void gw_unsubscribe_all(struct gw *g, struct gw_client *c);
/* To the client's own connection, which is new. */
void gw_subscriptions_move(struct gw *g, struct gw_client *c);
void gw_resubscribe(struct gw *g, struct gw_link *l);
struct gw_filter *gw_filter_find(struct gw *g, struct gw_link *own, const void *text, size_t len);
struct gw_filter *gw_filter_add(struct gw *g, struct gw_link *own, struct gw_name *name);
struct gw_filter *gw_filter_place(struct gw *g, struct gw_link *l, struct gw_name *name);
void gw_filter_forget(struct gw *g, struct gw_filter *f);  /* at once, saying nothing */
void gw_filter_release(struct gw *g, struct gw_filter *f); /* when nobody is left */
void gw_filter_join(struct gw *g, struct gw_filter *f, struct gw_client *c, uint8_t qos);
/* Forgets who is fresh no more; then, of those that are left, whether one still lacks the retained
 * message of this topic, which it then has. */
void gw_fresh_expire(struct gw *g, struct gw_filter *f);
bool gw_fresh_takes(struct gw *g, struct gw_fresh *n, uint32_t topic_hash);
/* Calls each filter of the link that matches. */
void gw_filters_matching(struct gw *g, struct gw_link *l, const uint8_t *topic, size_t len,
                         void (*found)(struct gw *, struct gw_filter *, void *), void *ctx);

/* down.c: from the broker to clients */
void gw_on_message(struct gw *g, struct gw_link *l, const struct mqtt_packet *p);
void gw_on_released(struct gw *g, struct gw_link *l, uint16_t packet_id);
void gw_on_regack(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p);
void gw_on_puback(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p);
void gw_on_pubrec(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p);
void gw_on_pubcomp(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p);
void gw_pump(struct gw *g, struct gw_client *c); /* send what can be sent */
void gw_resend(struct gw *g, struct gw_client *c);
void gw_queue_store(struct gw *g, struct gw_client *c); /* all that waits */
void gw_queue_clear(struct gw *g, struct gw_client *c);
void gw_queue_rewind(struct gw *g,
                     struct gw_client *c); /* what was in flight is to be sent again */
void gw_queue_restore(struct gw *g, struct gw_client *c, struct gw_msg *m,
                      const struct gw_stored_delivery *s);
void gw_msg_unused(struct gw *g, struct gw_msg *m); /* frees it when nobody waits for it */
void gw_settle(struct gw *g); /* messages that made the broker wait for long enough */
void gw_link_unsettled(struct gw *g, struct gw_link *l); /* its messages: nobody is waiting now */

/* link.c */
struct gw_link *gw_link_new(struct gw *g, uint32_t client, uint8_t number);
struct gw_link *gw_link_of(struct gw *g, struct gw_client *c);
/* An own link lives as long as its session and is parked while the client is away; with an impolite
 * end the broker publishes the will. */
void gw_link_end(struct gw *g, struct gw_link *l);
void gw_link_park(struct gw *g, struct gw_link *l, bool politely);
void gw_link_again(struct gw *g,
                   struct gw_link *l); /* connect anew, with what the client has now */
bool gw_link_ready(const struct gw *g, const struct gw_link *l); /* and takes more */
void gw_link_put(struct gw *g, struct gw_link *l, const struct mqtt_packet *p);
/* A packet id for something that waits; NULL when all are taken. */
struct gw_pending *gw_link_wait(struct gw *g, struct gw_link *l, struct gw_client *c, uint8_t kind);
struct gw_pending *gw_link_reserve(struct gw *g, struct gw_link *l, uint16_t packet_id);
struct gw_pending *gw_link_find(struct gw_link *l, uint16_t packet_id);
void gw_link_forget(struct gw *g, struct gw_link *l, struct gw_pending *w);
struct gw_client *gw_pending_client(struct gw *g, const struct gw_pending *w);
void gw_link_received(struct gw_link *l, uint16_t packet_id, bool yes);
bool gw_link_has_received(const struct gw_link *l, uint16_t packet_id);
void gw_links_tick(struct gw *g);

#endif
