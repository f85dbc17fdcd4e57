/* The gateway's connections to the broker, over TCP. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <posix/log.h>

#include "server.h"

#define READ_ROOM   (256u << 10)
#define RESOLVED_MS 30000u
#define READS       8 /* of one connection in one round */

struct connection {
    struct source source;
    struct gw_link *link;
    bool connecting, waiting; /* for room to write */
};

static struct connection *of(struct server *s, const struct gw_link *l)
{
    int fd = gw_link_fd(l);
    return fd < 0 ? NULL : (struct connection *)s->connections[fd];
}

static void forget(struct server *s, struct connection *c)
{
    s->connections[c->source.fd] = NULL;
    close(c->source.fd); /* epoll forgets it with that */
    free(c);
}

static void lost(struct server *s, struct connection *c)
{
    struct gw_link *l = c->link;
    forget(s, c);
    gw_link_down(s->gw, l, s->now_ms);
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

/* False when the connection broke. */
static bool write_out(struct server *s, struct connection *c)
{
    size_t len;
    const uint8_t *bytes = gw_link_output(c->link, &len);
    ssize_t n = 0;
    if (c->connecting || !len)
        return true;
    n = send(c->source.fd, bytes, len, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return false;
    if (n > 0)
        gw_link_wrote(c->link, (size_t)n);
    bool waiting = n < (ssize_t)len;
    if (waiting != c->waiting) {
        struct epoll_event e = {.events = EPOLLIN | (waiting ? EPOLLOUT : 0), .data.ptr = c};
        epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->source.fd, &e);
        c->waiting = waiting;
    }
    return true;
}

/* Brokers leave Nagle's algorithm on (Mosquitto does), so their next small packet waits for our
 * acknowledgement of the one before it; the kernel would delay that by 40 ms. It forgets the option
 * again and again. */
static void acknowledge_at_once(int fd)
{
    int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof yes);
}

static bool read_in(struct server *s, struct connection *c)
{
    static uint8_t bytes[READ_ROOM];
    for (int i = 0; i < READS; i++) {
        ssize_t n = recv(c->source.fd, bytes, sizeof bytes, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        if (n <= 0 || gw_link_bytes(s->gw, c->link, bytes, (size_t)n, s->now_ms) < 0)
            return false;
        acknowledge_at_once(c->source.fd);
        if (n < (ssize_t)sizeof bytes)
            return true;
    }
    return true;
}

static bool connected(struct server *s, struct connection *c)
{
    int err = 0;
    socklen_t len = sizeof err;
    if (getsockopt(c->source.fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 || err)
        return false;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->source.fd, &e);
    c->connecting = false;
    gw_link_up(s->gw, c->link, s->now_ms);
    return true;
}

static void on_ready(struct server *s, struct source *self, uint32_t events)
{
    struct connection *c = (struct connection *)self;
    bool good = true;
    if (c->connecting)
        good = connected(s, c);
    else if (events & EPOLLOUT)
        good = write_out(s, c);
    if (good && !c->connecting && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        good = read_in(s, c);
    if (!good)
        lost(s, c);
}

/* ---- Opening and closing --------------------------------------------------------------------- */

/* A name is looked up now and then; this waits for the resolver. */
static bool resolve(struct server *s)
{
    struct addrinfo want = {.ai_socktype = SOCK_STREAM}, *found;
    char port[8];
    if (s->broker_len && s->now_ms - s->resolved_ms < RESOLVED_MS)
        return true;
    snprintf(port, sizeof port, "%u", (unsigned)s->cfg.broker_port);
    s->resolved_ms = s->now_ms;
    int err = getaddrinfo(s->cfg.broker_host, port, &want, &found);
    if (err) {
        sm_log(SM_LOG_WARN, "%s: %s", s->cfg.broker_host, gai_strerror(err));
        return s->broker_len != 0;
    }
    memcpy(&s->broker, found->ai_addr, found->ai_addrlen);
    s->broker_len = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

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

/* The socket, or -1. TCP_NODELAY: a message alone must not wait for the acknowledgement of the one
 * before it. */
static int begin(struct server *s)
{
    int yes = 1;
    int fd = resolve(s) ? socket(s->broker.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
                        : -1;
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if ((connect(fd, (struct sockaddr *)&s->broker, s->broker_len) < 0 && errno != EINPROGRESS) ||
        !room_for(s, fd)) {
        close(fd);
        return -1;
    }
    return fd;
}

static void open_link(struct server *s, struct gw_link *l)
{
    struct connection *c = calloc(1, sizeof *c);
    int fd = c ? begin(s) : -1;
    if (fd < 0) {
        free(c);
        gw_link_down(s->gw, l, s->now_ms);
        return;
    }
    *c = (struct connection){{on_ready, fd}, l, true, false};
    s->connections[fd] = &c->source;
    gw_link_set_fd(l, fd);
    if (!server_watch(s, &c->source, EPOLLIN | EPOLLOUT))
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

void broker_close(struct server *s)
{
    for (size_t fd = 0; fd < s->connections_room; fd++)
        if (s->connections[fd])
            forget(s, (struct connection *)s->connections[fd]);
    free(s->connections);
    s->connections = NULL;
    s->connections_room = 0;
}
