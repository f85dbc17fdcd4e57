/* The gateway's connections to the broker, over TCP, TLS or a local socket.
 *
 * With TLS the broker is always authenticated, by the configured authority and its name; the
 * gateway too when it has a certificate.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <posix/log.h>

#include "server.h"

#define READ_ROOM      (256u << 10)
#define UNREACHABLE_MS 60000u
#define THROUGH_MS     10000u /* in which TCP and TLS have to be; then the next address is tried */
#define CHECK_MS       1000u
#define READS          8 /* of one connection in one round */

struct connection {
    struct source source;
    struct gw_link *link;
    SSL *ssl;                /* NULL: plain TCP */
    uint64_t since_ms;       /* this address is tried */
    unsigned at, tried;      /* its place in s->addresses; how many were, it included */
    struct connection *next; /* of those read from in this round, s->heard */
    bool connecting;         /* TCP or TLS are not through */
    bool waiting;            /* for room to write */
    bool heard;              /* listed in s->heard */
    bool silent;             /* nothing was written since */
};

static struct connection *of(struct server *s, const struct gw_link *l)
{
    int fd = gw_link_fd(l);
    return fd < 0 ? NULL : (struct connection *)s->connections[fd];
}

static void unlist(struct server *s, struct connection *c)
{
    struct connection **at = &s->heard;
    while (c->heard && *at != c)
        at = &(*at)->next;
    if (c->heard)
        *at = c->next;
    c->heard = false;
}

static void hang_up(struct server *s, struct connection *c)
{
    s->connections[c->source.fd] = NULL;
    unlist(s, c);
    SSL_free(c->ssl);
    c->ssl = NULL;
    close(c->source.fd); /* epoll forgets it with that */
}

static void forget(struct server *s, struct connection *c)
{
    s->opening -= c->connecting;
    hang_up(s, c);
    free(c);
}

static void lost(struct server *s, struct connection *c)
{
    struct gw_link *l = c->link;
    forget(s, c);
    gw_link_down(s->gw, l, s->now_ms);
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

static void wait_to_write(struct server *s, struct connection *c, bool waiting)
{
    struct epoll_event e = {.events = EPOLLIN | (waiting ? EPOLLOUT : 0), .data.ptr = c};
    if (waiting != c->waiting)
        epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->source.fd, &e);
    c->waiting = waiting;
}

/* What a call of TLS said: octets, 0 for later, -1 for the end. */
static ssize_t tls_result(struct connection *c, int n)
{
    if (n > 0)
        return n;
    int why = SSL_get_error(c->ssl, n);
    ERR_clear_error();
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static ssize_t put(struct connection *c, const uint8_t *bytes, size_t len)
{
    if (c->ssl)
        return tls_result(c, SSL_write(c->ssl, bytes, len > INT_MAX ? INT_MAX : (int)len));
    ssize_t n = send(c->source.fd, bytes, len, MSG_NOSIGNAL);
    return n >= 0 ? n : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static ssize_t get(struct connection *c, uint8_t *bytes, size_t size)
{
    if (c->ssl)
        return tls_result(c, SSL_read(c->ssl, bytes, (int)size));
    ssize_t n = recv(c->source.fd, bytes, size, 0);
    return n > 0 ? n : n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

/* False when the connection broke. */
static bool write_out(struct server *s, struct connection *c)
{
    size_t len;
    const uint8_t *bytes = gw_link_output(c->link, &len);
    if (c->connecting || !len)
        return true;
    store_commit(s->store); /* the rule of server.h: this may be the middle of a round */
    ssize_t n = put(c, bytes, len);
    if (n < 0)
        return false;
    gw_link_wrote(c->link, (size_t)n);
    c->silent = false;
    wait_to_write(s, c, (size_t)n < len);
    return true;
}

/* Brokers leave Nagle's algorithm on (Mosquitto does), so their next small packet waits for our
 * acknowledgement of the one before it; the kernel would delay that by 40 ms, and forgets the
 * option again and again. What was written since has carried it already, for a third of the price.
 */
void broker_acknowledge(struct server *s)
{
    int yes = 1;
    struct connection *c;
    while ((c = s->heard)) {
        if (c->silent)
            setsockopt(c->source.fd, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof yes);
        s->heard = c->next;
        c->heard = false;
    }
}

static void hear(struct server *s, struct connection *c)
{
    c->silent = true;
    if (c->heard)
        return;
    c->heard = true;
    c->next = s->heard;
    s->heard = c;
}

/* TLS may keep what it has read, and epoll does not know of it: so it is asked until it has no
 * more. */
static bool read_in(struct server *s, struct connection *c)
{
    static uint8_t bytes[READ_ROOM];
    for (int i = 0; i < READS || c->ssl; i++) {
        ssize_t n = get(c, bytes, sizeof bytes);
        if (n <= 0)
            return n == 0;
        if (gw_link_bytes(s->gw, c->link, bytes, (size_t)n, s->now_ms) < 0)
            return false;
        hear(s, c);
        if (n < (ssize_t)sizeof bytes && !c->ssl)
            return true;
    }
    return true;
}

/* TLS begins when TCP is there. False: the broker is not who it should be, or not there. */
static bool shake_hands(struct server *s, struct connection *c)
{
    if (!c->ssl) {
        c->ssl = SSL_new(s->tls);
        if (!c->ssl || SSL_set_fd(c->ssl, c->source.fd) != 1)
            return false;
        const char *name = s->cfg.broker_name;
        struct in6_addr any;
        bool address = inet_pton(AF_INET, name, &any) == 1 || inet_pton(AF_INET6, name, &any) == 1;
        if (address
                ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(c->ssl), name) != 1
                : SSL_set1_host(c->ssl, name) != 1 || SSL_set_tlsext_host_name(c->ssl, name) != 1)
            return false;
        SSL_set_connect_state(c->ssl);
    }
    int n = SSL_do_handshake(c->ssl);
    if (n == 1) {
        c->connecting = false;
        return true;
    }
    int why = SSL_get_error(c->ssl, n);
    long verdict = SSL_get_verify_result(c->ssl);
    ERR_clear_error();
    if (verdict != X509_V_OK)
        sm_log(SM_LOG_WARN, "the broker's certificate: %s", X509_verify_cert_error_string(verdict));
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

/* Once a minute, or when the reason is another one. */
static void unreachable(struct server *s, int err)
{
    if (err == s->broker_err && s->now_ms - s->broker_err_ms < UNREACHABLE_MS)
        return;
    s->broker_err = err;
    s->broker_err_ms = s->now_ms;
    if (config_local(&s->cfg))
        sm_log(SM_LOG_WARN, "the broker at %s: %s", s->cfg.broker_host, strerror(err));
    else
        sm_log(SM_LOG_WARN, "the broker at %s, port %u: %s", s->cfg.broker_host,
               (unsigned)s->cfg.broker_port, strerror(err));
}

/* 0 as long as it goes well, an errno, or SM_ERR_DENIED when TLS does not want this broker. */
static int connected(struct server *s, struct connection *c)
{
    int err = 0;
    socklen_t len = sizeof err;
    if (getsockopt(c->source.fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 || err)
        return err ? err : errno;
    c->waiting = true; /* EPOLLOUT is what brought us here */
    wait_to_write(s, c, false);
    if (!s->tls)
        c->connecting = false;
    else if (!shake_hands(s, c))
        return SM_ERR_DENIED;
    if (c->connecting)
        return 0;
    s->opening--;
    s->broker_err = 0;
    s->address_good = c->at < s->address_count ? c->at : 0;
    gw_link_up(s->gw, c->link, s->now_ms);
    return 0;
}

/* ---- Opening and closing --------------------------------------------------------------------- */

static bool room_for(struct server *s, int fd)
{
    if ((size_t)fd < s->connections_room)
        return true;
    size_t room = (size_t)fd * 2 + 64;
    struct source **more = realloc(s->connections, room * sizeof *more);
    if (!more)
        return false;
    memset(more + s->connections_room, 0, (room - s->connections_room) * sizeof *more);
    s->connections = more;
    s->connections_room = room;
    return true;
}

/* A socket on its way to an address, or -1. TCP_NODELAY: a message alone must not wait for the
 * acknowledgement of the one before it; a local socket has no such option and no such wait. */
static int begin(struct server *s, const struct address *a)
{
    int yes = 1, fd = socket(a->at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    bool begun = connect(fd, (const struct sockaddr *)&a->at, a->len) == 0 || errno == EINPROGRESS;
    if (begun && room_for(s, fd))
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

static void on_ready(struct server *s, struct source *self, uint32_t events);

/* The next address that can be begun with. False: there is none, and errno says why the last one
 * was not it; 0: nothing to say. */
static bool dial(struct server *s, struct connection *c)
{
    int fd = -1;
    while (fd < 0 && c->tried < s->address_count) {
        c->at = (s->address_good + c->tried++) % s->address_count;
        fd = begin(s, &s->addresses[c->at]);
    }
    if (fd < 0)
        return false;
    c->source = (struct source){on_ready, fd};
    c->since_ms = s->now_ms;
    c->waiting = true;
    s->connections[fd] = &c->source;
    gw_link_set_fd(c->link, fd);
    if (server_watch(s, &c->source, EPOLLIN | EPOLLOUT))
        return true;
    hang_up(s, c);
    return false;
}

static void give_up(struct server *s, struct connection *c, int why)
{
    struct gw_link *l = c->link;
    if (why)
        unreachable(s, why);
    s->opening--;
    free(c);
    gw_link_down(s->gw, l, s->now_ms);
}

/* This address is none of a broker's; why: an errno, or 0 when that was said. */
static void elsewhere(struct server *s, struct connection *c, int why)
{
    hang_up(s, c);
    errno = why;
    if (!dial(s, c))
        give_up(s, c, errno);
}

static void open_link(struct server *s, struct gw_link *l)
{
    struct connection *c = calloc(1, sizeof *c);
    lookup_ask(s);
    if (!c) {
        gw_link_down(s->gw, l, s->now_ms);
        return;
    }
    *c = (struct connection){.link = l, .connecting = true};
    s->opening++;
    errno = 0;
    if (!dial(s, c))
        give_up(s, c, errno);
}

void broker_tick(struct server *s)
{
    if (!s->opening || s->now_ms - s->opening_ms < CHECK_MS)
        return;
    s->opening_ms = s->now_ms;
    for (size_t fd = 0; fd < s->connections_room; fd++) {
        struct connection *c = (struct connection *)s->connections[fd];
        if (c && c->connecting && s->now_ms - c->since_ms >= THROUGH_MS)
            elsewhere(s, c, ETIMEDOUT);
    }
}

static void on_ready(struct server *s, struct source *self, uint32_t events)
{
    struct connection *c = (struct connection *)self;
    bool good = true;
    if (c->connecting) {
        int why = connected(s, c);
        if (why) {
            elsewhere(s, c, why < 0 ? 0 : why);
            return;
        }
    } else if (events & EPOLLOUT) {
        good = write_out(s, c);
    }
    if (good && !c->connecting && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        good = read_in(s, c);
    if (!good)
        lost(s, c);
}

static void close_link(struct server *s, struct gw_link *l)
{
    struct connection *c = of(s, l);
    if (c) {
        write_out(s, c);
        forget(s, c);
    }
    gw_link_closed(s->gw, l);
}

void broker_serve(struct server *s)
{
    enum gw_link_wish wish;
    struct gw_link *l;
    while ((l = gw_link_next(s->gw, &wish))) {
        struct connection *c = of(s, l);
        if (wish == GW_LINK_OPEN)
            open_link(s, l);
        else if (wish == GW_LINK_CLOSE)
            close_link(s, l);
        else if (c && !write_out(s, c))
            lost(s, c);
    }
}

static bool no_tls(const char *what)
{
    char text[256];
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    sm_log(SM_LOG_ERROR, "broker: %s: %s", what, text);
    ERR_clear_error();
    return false;
}

bool broker_open(struct server *s)
{
    const struct config *cfg = &s->cfg;
    if (!cfg->broker_ca[0])
        return true;
    s->tls = SSL_CTX_new(TLS_client_method());
    if (!s->tls || SSL_CTX_set_min_proto_version(s->tls, TLS1_2_VERSION) != 1)
        return no_tls("broker");
    if (SSL_CTX_load_verify_locations(s->tls, cfg->broker_ca, NULL) != 1)
        return no_tls(cfg->broker_ca);
    if (cfg->broker_certificate[0] &&
        SSL_CTX_use_certificate_chain_file(s->tls, cfg->broker_certificate) != 1)
        return no_tls(cfg->broker_certificate);
    if (cfg->broker_certificate[0] &&
        SSL_CTX_use_PrivateKey_file(s->tls, cfg->broker_key, SSL_FILETYPE_PEM) != 1)
        return no_tls(cfg->broker_key);
    SSL_CTX_set_verify(s->tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(s->tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
    return true;
}

void broker_close(struct server *s)
{
    SSL_CTX_free(s->tls);
    s->tls = NULL;
    for (size_t fd = 0; fd < s->connections_room; fd++)
        if (s->connections[fd])
            forget(s, (struct connection *)s->connections[fd]);
    free(s->connections);
    s->connections = NULL;
    s->connections_room = 0;
}
