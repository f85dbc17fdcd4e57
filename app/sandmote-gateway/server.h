/* The daemon around the gateway: one thread, one epoll, rounds.
 *
 * A round: what came in is given to the gateway, its timers run, the store commits, and only then
 * what it wants to say leaves (server_flush). Sockets of clients are read and written in batches.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_SERVER_H
#define GATEWAY_SERVER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <gateway/gateway.h>

#include "config.h"
#include "store.h"

#define IN_BATCH  64u
#define IN_ROOM   9216u /* a larger datagram is dropped */
#define OUT_BATCH 256u
#define OUT_ROOM  (512u << 10)

#define ADDRESSES_MAX 8u /* of the broker */

struct server;
struct connection;
struct dtls;
struct lookup;
struct request;
struct ssl_ctx_st;

/* Something that epoll watches; the first member of what it is. */
struct source {
    void (*ready)(struct server *s, struct source *self, uint32_t events);
    int fd;
};

struct udp {
    struct source source;
    uint8_t number; /* gw_addr.socket */
    bool dtls;
    const struct listen *listen;
    struct sockaddr_in6 group; /* sin6_port 0: none; always IPv6, maybe mapped */
    bool v4;
};

struct out {
    struct mmsghdr messages[OUT_BATCH];
    struct iovec vectors[OUT_BATCH];
    union {
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } addresses[OUT_BATCH];
    uint8_t socket[OUT_BATCH];
    uint8_t bytes[OUT_ROOM];
    unsigned count;
    size_t used;
};

struct in {
    struct mmsghdr messages[IN_BATCH];
    struct iovec vectors[IN_BATCH];
    struct sockaddr_in6 addresses[IN_BATCH];
    uint8_t bytes[IN_BATCH][IN_ROOM];
};

struct address {
    struct sockaddr_storage at;
    socklen_t len;
};

struct server {
    struct config cfg;
    struct gw *gw;
    struct store *store;
    struct dtls *dtls;
    struct udp udp[LISTEN_MAX];
    struct source http, signals;
    struct request *requests; /* for figures, under way */
    unsigned request_count;
    struct source **connections; /* to the broker, by descriptor */
    size_t connections_room;
    struct connection *heard; /* those of them whose acknowledgement may be due */
    struct ssl_ctx_st *tls;   /* to the broker; NULL: plain TCP */
    struct lookup *lookup;
    struct address addresses[ADDRESSES_MAX]; /* of the broker, as far as known */
    unsigned address_count, address_good;    /* good: tried first */
    size_t opening;                          /* connections that are not through */
    int broker_err; /* why it could not be reached, and when that was said */
    uint64_t broker_err_ms;
    uint64_t now_ms, advertised_ms, opening_ms;
    uint64_t unsent;    /* datagrams that the kernel did not take */
    uint64_t too_large; /* that came, and were not looked at */
    int epoll;
    bool over;
    struct in in;
    struct out out;
};

uint64_t server_clock_ms(void);
bool server_watch(struct server *s, struct source *source, uint32_t events);
void server_flush(struct server *s);

/* udp.c */
void udp_init(struct server *s); /* once, before sockets are opened */
bool udp_open(struct server *s, struct udp *u);
void udp_send(struct server *s, const struct gw_addr *to, const uint8_t *bytes, size_t len);
void udp_flush(struct server *s);
void udp_advertise(struct server *s);

/* broker.c. Opening: false after a line in the log. */
bool broker_open(struct server *s);
void broker_tick(struct server *s);        /* not while events are being gone through */
void broker_serve(struct server *s);       /* what the links want */
void broker_acknowledge(struct server *s); /* the end of a round */
void broker_close(struct server *s);

/* lookup.c: fills in s->addresses, at once when the host is an address, else later. */
bool lookup_open(struct server *s);
void lookup_ask(struct server *s); /* now and then, when addresses are needed */
void lookup_close(struct server *s);

/* metrics.c */
bool metrics_open(struct server *s);
void metrics_tick(struct server *s); /* not while events are being gone through */

/* dtls.c: sessions in front of the gateway. NULL after a line in the log. */
struct dtls *dtls_new(struct server *s);
void dtls_free(struct dtls *d);
void dtls_input(struct dtls *d, const struct gw_addr *from, const uint8_t *bytes, size_t len);
void dtls_send(struct dtls *d, const struct gw_addr *to, const uint8_t *bytes, size_t len);
void dtls_tick(struct dtls *d);
size_t dtls_sessions(const struct dtls *d);

#endif
