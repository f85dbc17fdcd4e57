/* The MQTT-SN gateway without I/O: datagrams and streams in, datagrams and streams out, time as an
 * argument.
 *
 * Runs on hosts only, so it allocates; a process that gets no memory ends. One thread.
 *
 * What comes in: gw_input() a datagram, gw_link_up/bytes/down() what happens to a connection to the
 * broker, gw_tick() the time. What goes out: datagrams through io->send, streams through each
 * link's buffer (gw_link_next()), and everything that must survive a restart through the store. The
 * rule that makes restarts safe is the caller's to keep: what was stored is committed before
 * datagrams and streams of the same round leave.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_GATEWAY_H
#define SM_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sandmote/error.h>

#define GW_NODE_MAX 8u /* octets of a wireless node's id behind a forwarder */

/* Where a client is. All octets count when two are compared, so zero it first. */
struct gw_addr {
    uint8_t ip[16];   /* IPv4 as ::ffff:a.b.c.d */
    uint32_t scope;   /* of a link-local address */
    uint16_t port;    /* in host order */
    uint8_t socket;   /* the caller's number for the socket */
    uint8_t node_len; /* behind a forwarder: of its node's id; else 0 */
    uint8_t node[GW_NODE_MAX];
};

/* ---- Configuration --------------------------------------------------------------------------- */

struct gw_prefix {
    uint8_t ip[16];
    uint8_t bits; /* of 128 */
};

struct gw_prefixes {
    const struct gw_prefix *list;
    size_t count;
};

struct gw_predefined {
    uint16_t id; /* neither 0 nor 0xffff */
    const char *topic;
};

/* What some clients may do. The first rule that fits a client is its rule; a client that none fits
 * is refused. Patterns of names end in `*` or are exact; in filters `%c` stands for the client id
 * and `%u` for the identity. */
struct gw_rule {
    const char *identity; /* pattern of what DTLS proved; NULL: needs none, and has none */
    const char *client;   /* pattern of client ids; `%u` for exactly the identity; NULL: any */
    const char *const *publish, *const *subscribe; /* filters */
    size_t publish_count, subscribe_count;
    bool own_connection;          /* the broker sees the client itself */
    const char *user, *password;  /* of that connection; NULL: none */
    unsigned messages_per_second; /* from the client, 0: as many as it likes */
};

struct gw_config {
    uint8_t gateway_id;
    const char *name; /* client id at the broker; connections after the first add "-2" and so on */
    const char *user, *password;
    uint16_t broker_keepalive_s;
    unsigned max_clients, max_topics, max_filters; /* the latter two of one client */
    unsigned buffer_messages;                      /* kept for one client */
    size_t buffer_bytes;                           /* payloads and topics of these */
    size_t max_datagram;                           /* sent */
    size_t max_pending;                            /* octets waiting to go to the broker */
    unsigned qos2_window; /* QoS 2 messages in flight to the broker on one connection, below its
                             max_inflight_messages: with so many Mosquitto acknowledges messages
                             of QoS 1 that it drops, and those of QoS 2 that come then are lost */
    unsigned retry_ms, retries;
    unsigned keepalive_max_s; /* how long a client without keep-alive may be silent */
    unsigned session_s;       /* how long a session outlives its connection */
    unsigned connects_per_second, connects_burst; /* of one address, or IPv6 /64 */
    unsigned duplicate_ms; /* a finished QoS 2 message that comes once more is a duplicate */
    unsigned settle_ms;    /* how long a message may wait for its clients before it is stored */
    struct gw_prefixes search, forwarders, without_connection; /* SEARCHGW, 0xFE, QoS -1 */
    struct gw_prefixes moves; /* within one of these a client asleep may move, on plain UDP */
    const struct gw_predefined *predefined;
    size_t predefined_count;
    const struct gw_rule *rules;
    size_t rule_count;
};

/* Fills in the defaults: no list has anything, so nobody may do anything. */
void gw_config_init(struct gw_config *cfg);

/* ---- What the caller brings ------------------------------------------------------------------ */

struct gw_link;

struct gw_io {
    void *ctx;
    /* Queue a datagram; bytes are borrowed until return. */
    void (*send)(void *ctx, const struct gw_addr *to, const uint8_t *bytes, size_t len);
    void (*random)(void *ctx, void *out, size_t len);
    /* One line for people; seldom called. */
    void (*note)(void *ctx, const char *line);
};

/* What survives a restart. Rows are numbers above 0 that the store gives. A store that cannot write
 * must not let the round's output leave. All pointers are borrowed until return. */
struct gw_stored_client {
    int64_t row; /* 0: not stored yet */
    const char *id, *identity;
    struct gw_addr addr;
    uint8_t state;
    bool clean, own, proven; /* proven: what stands in addr is this client's */
    uint16_t keepalive_s, sleep_s;
};

/* Shared links have numbers below this; a client's own one has this and the client's row.
 * client_drop drops what was received on it too. */
#define GW_OWN_LINK 1000

/* Of client 0: its client is gone, and the broker may still hold the message. It has no slot, and
 * ends with flow_drop. */
struct gw_stored_flow {
    int64_t client;
    uint8_t slot, phase;
    uint16_t msg_id, packet_id;
    uint32_t hash;
};

struct gw_stored_delivery {
    int64_t row, client, message;
    uint16_t msg_id;
    uint8_t qos, state;
};

struct gw_text {
    const uint8_t *bytes;
    size_t len;
};

struct gw_store {
    void *ctx;
    int64_t (*client_put)(void *ctx, const struct gw_stored_client *c);
    void (*client_drop)(void *ctx, int64_t client); /* and all that is its */
    void (*topic_put)(void *ctx, int64_t client, uint16_t id, struct gw_text name);
    void (*filter_put)(void *ctx, int64_t client, struct gw_text filter, uint8_t qos);
    void (*filter_drop)(void *ctx, int64_t client, struct gw_text filter);
    void (*flow_put)(void *ctx, const struct gw_stored_flow *f); /* replaces that slot's */
    void (*flow_drop)(void *ctx, uint16_t packet_id);            /* of client 0 */
    int64_t (*message_put)(void *ctx, struct gw_text topic, struct gw_text payload, bool retain);
    void (*message_drop)(void *ctx, int64_t message);
    int64_t (*delivery_put)(void *ctx, const struct gw_stored_delivery *d); /* row 0: a new one */
    void (*delivery_drop)(void *ctx, int64_t delivery);
    void (*received_put)(void *ctx, int64_t link, uint16_t packet_id); /* see GW_OWN_LINK */
    void (*received_drop)(void *ctx, int64_t link, uint16_t packet_id);
    void (*placed_put)(void *ctx, unsigned link, struct gw_text filter);
    void (*placed_drop)(void *ctx, struct gw_text filter);
};

/* ---- Life ------------------------------------------------------------------------------------ */

struct gw;

/* cfg, io, store and what they point to must outlive the result. store may be NULL: then nothing
 * survives. Never NULL. */
struct gw *gw_new(const struct gw_config *cfg, const struct gw_io *io, const struct gw_store *store,
                  uint64_t now_ms);
/* Before the end: the broker is told that the connections end, and publishes no wills. */
void gw_stop(struct gw *g);
void gw_free(struct gw *g);

/* After gw_new() and before anything else, what the store has, in this order: filters' places,
 * packet ids received, clients, then what is theirs, messages before deliveries. SM_ERR_INVALID for
 * what does not fit together, and then it is left out. */
int gw_restore_placed(struct gw *g, unsigned link, struct gw_text filter);
int gw_restore_client(struct gw *g, const struct gw_stored_client *c, uint64_t now_ms);
int gw_restore_received(struct gw *g, int64_t link, uint16_t packet_id);
int gw_restore_topic(struct gw *g, int64_t client, uint16_t id, struct gw_text name);
int gw_restore_filter(struct gw *g, int64_t client, struct gw_text filter, uint8_t qos);
int gw_restore_flow(struct gw *g, const struct gw_stored_flow *f); /* oldest first */
int gw_restore_message(struct gw *g, int64_t row, struct gw_text topic, struct gw_text payload,
                       bool retain);
int gw_restore_delivery(struct gw *g, const struct gw_stored_delivery *d);
/* When all is restored: drops what nothing refers to. */
void gw_restored(struct gw *g, uint64_t now_ms);

/* ---- Datagrams and time ---------------------------------------------------------------------- */

/* A datagram came. identity: what DTLS proved about its sender; NULL on plain UDP. Borrowed. */
void gw_input(struct gw *g, const struct gw_addr *from, const char *identity, const uint8_t *bytes,
              size_t len, uint64_t now_ms);

/* Whether a sender may begin a handshake that costs something; it counts as a CONNECT does. */
bool gw_admit(struct gw *g, const struct gw_addr *from, uint64_t now_ms);

/* Whether a client there is connected, about to be, or asleep. */
bool gw_client_at(struct gw *g, const struct gw_addr *at);

/* Time passed: timers. Call at least four times a second, and after each batch of input. */
void gw_tick(struct gw *g, uint64_t now_ms);

/* An ADVERTISE datagram. The number of octets; 0 when size is too small. */
size_t gw_advertise(const struct gw *g, uint16_t duration_s, uint8_t *out, size_t size);

/* ---- Connections to the broker --------------------------------------------------------------- */

enum gw_link_wish {
    GW_LINK_NONE,
    GW_LINK_OPEN,  /* wants a connection; answer with gw_link_up() or gw_link_down() */
    GW_LINK_WRITE, /* has bytes to write */
    GW_LINK_CLOSE /* write what there is, close, forget the link: it is freed by gw_link_closed() */
};

/* The next link that wants something; NULL when none does. A link is given once for each wish. */
struct gw_link *gw_link_next(struct gw *g, enum gw_link_wish *wish);

/* The caller's number for the connection, -1 at first. */
int gw_link_fd(const struct gw_link *l);
void gw_link_set_fd(struct gw_link *l, int fd);

/* The stream is open; came; broke or could not be opened (a new wish to open comes by itself, later
 * each time). gw_link_bytes() returns SM_ERR_MALFORMED when the broker sent nonsense: close the
 * connection and call gw_link_down(). */
void gw_link_up(struct gw *g, struct gw_link *l, uint64_t now_ms);
int gw_link_bytes(struct gw *g, struct gw_link *l, const uint8_t *bytes, size_t len,
                  uint64_t now_ms);
void gw_link_down(struct gw *g, struct gw_link *l, uint64_t now_ms);
void gw_link_closed(struct gw *g, struct gw_link *l);

/* What is to be written, and how much of it was. */
const uint8_t *gw_link_output(const struct gw_link *l, size_t *len);
void gw_link_wrote(struct gw_link *l, size_t len);

/* ---- Figures --------------------------------------------------------------------------------- */

/* Counters since the start, then what is so now. Name, help. */
#define GW_COUNTERS(X)                                                                             \
    X(datagrams_in, "datagrams received")                                                          \
    X(datagrams_out, "datagrams sent")                                                             \
    X(malformed, "datagrams that are no MQTT-SN message")                                          \
    X(unexpected, "messages that no state expects")                                                \
    X(strangers, "messages of unknown addresses")                                                  \
    X(connects, "connections accepted")                                                            \
    X(refused, "connections refused by rules or limits")                                           \
    X(throttled, "messages above a rate limit")                                                    \
    X(takeovers, "sessions that moved to another address")                                         \
    X(challenged, "sleeping clients asked at another address")                                     \
    X(lost, "clients lost")                                                                        \
    X(published_qos0, "messages of clients, QoS 0 and -1")                                         \
    X(published_qos1, "messages of clients, QoS 1")                                                \
    X(published_qos2, "messages of clients, QoS 2")                                                \
    X(duplicates, "messages of clients that were not passed on again")                             \
    X(denied, "topics that rules do not allow")                                                    \
    X(unsent, "messages of clients that the broker could not be given")                            \
    X(delivered_qos0, "messages to clients, QoS 0")                                                \
    X(delivered_qos1, "messages to clients, QoS 1, acknowledged")                                  \
    X(delivered_qos2, "messages to clients, QoS 2, acknowledged")                                  \
    X(dropped, "messages to clients dropped at a limit")                                           \
    X(retransmitted, "messages sent to clients again")                                             \
    X(withheld, "datagrams not sent to addresses that have not proven themselves")                 \
    X(stored, "messages stored for clients")                                                       \
    X(broker_losses, "connections to the broker lost")

#define GW_GAUGES(X)                                                                               \
    X(clients, "sessions")                                                                         \
    X(active, "clients connected and awake")                                                       \
    X(asleep, "clients asleep")                                                                    \
    X(waiting, "messages that wait for clients")                                                   \
    X(waiting_bytes, "octets of these")                                                            \
    X(links, "connections to the broker")                                                          \
    X(filters, "different filters subscribed to")

struct gw_figures {
#define X(name, help) uint64_t name;
    GW_COUNTERS(X)
    GW_GAUGES(X)
#undef X
};

const struct gw_figures *gw_figures(const struct gw *g);

/* Whether the first connection to the broker is usable. */
bool gw_ready(const struct gw *g);

#endif
