/* Datagrams of clients, in batches. SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <posix/log.h>

#include "server.h"

#define RECEIVE_BUFFER (4 << 20)
#define ROUNDS         4 /* batches of one socket in one round */

/* ---- Addresses ------------------------------------------------------------------------------- */

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void to_gw(const struct sockaddr_in6 *from, uint8_t number, struct gw_addr *out)
{
    memset(out, 0, sizeof *out);
    out->socket = number;
    if (from->sin6_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
        memcpy(out->ip, mapped, sizeof mapped);
        memcpy(out->ip + 12, &v4->sin_addr, 4);
        out->port = ntohs(v4->sin_port);
        return;
    }
    memcpy(out->ip, &from->sin6_addr, 16);
    out->port = ntohs(from->sin6_port);
    out->scope = IN6_IS_ADDR_LINKLOCAL(&from->sin6_addr) ? from->sin6_scope_id : 0;
}

/* ---- Opening --------------------------------------------------------------------------------- */

static bool fail(const struct udp *u, const char *what)
{
    sm_log(SM_LOG_ERROR, "%s, port %llu: %s: %s", u->listen->address,
           (unsigned long long)u->listen->port, what, strerror(errno));
    return false;
}

static bool join_group(struct udp *u)
{
    const struct listen *l = u->listen;
    unsigned interface = l->interface ? if_nametoindex(l->interface) : 0;
    struct in_addr v4;
    if (!l->multicast)
        return true;
    if (l->interface && !interface)
        return fail(u, l->interface);
    u->group.sin6_family = AF_INET6;
    u->group.sin6_scope_id = interface;
    if (inet_pton(AF_INET, l->multicast, &v4) == 1) {
        struct ip_mreqn m = {v4, {INADDR_ANY}, (int)interface};
        memcpy(u->group.sin6_addr.s6_addr, mapped, sizeof mapped);
        memcpy(u->group.sin6_addr.s6_addr + 12, &v4, 4);
        if (setsockopt(u->source.fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m) < 0 ||
            setsockopt(u->source.fd, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof m) < 0)
            return fail(u, "multicast");
    } else {
        struct ipv6_mreq m = {.ipv6mr_interface = interface};
        if (inet_pton(AF_INET6, l->multicast, &m.ipv6mr_multiaddr) != 1) {
            errno = EINVAL;
            return fail(u, "multicast");
        }
        u->group.sin6_addr = m.ipv6mr_multiaddr;
        if (setsockopt(u->source.fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m, sizeof m) < 0)
            return fail(u, "multicast");
    }
    return true;
}

static bool bind_to(struct udp *u)
{
    const struct listen *l = u->listen;
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)l->port)};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)l->port)};
    int yes = 1, no = 0, size = RECEIVE_BUFFER;
    u->v4 = inet_pton(AF_INET, l->address, &v4.sin_addr) == 1;
    if (!u->v4 && inet_pton(AF_INET6, l->address, &v6.sin6_addr) != 1) {
        errno = EINVAL;
        return fail(u, "address");
    }
    u->source.fd = socket(u->v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (u->source.fd < 0)
        return fail(u, "socket");
    if (!u->v4)
        setsockopt(u->source.fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
    if (l->multicast) /* several gateways on one host may listen to one group */
        setsockopt(u->source.fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    setsockopt(u->source.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(u->source.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if (bind(u->source.fd, u->v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
             u->v4 ? sizeof v4 : sizeof v6) < 0)
        return fail(u, "bind");
    return true;
}

static unsigned bound_port(const struct udp *u)
{
    struct sockaddr_in6 at;
    socklen_t len = sizeof at;
    return getsockname(u->source.fd, (struct sockaddr *)&at, &len) < 0 ? 0 : ntohs(at.sin6_port);
}

/* ---- In -------------------------------------------------------------------------------------- */

static void take(struct server *s, struct udp *u, unsigned i)
{
    const struct msghdr *m = &s->in.messages[i].msg_hdr;
    struct gw_addr from;
    if (m->msg_flags & MSG_TRUNC) {
        s->too_large++;
        return;
    }
    to_gw(&s->in.addresses[i], u->number, &from);
    if (u->dtls)
        dtls_input(s->dtls, &from, s->in.bytes[i], s->in.messages[i].msg_len);
    else
        gw_input(s->gw, &from, NULL, s->in.bytes[i], s->in.messages[i].msg_len, s->now_ms);
}

void udp_init(struct server *s)
{
    for (unsigned i = 0; i < IN_BATCH; i++) {
        s->in.vectors[i] = (struct iovec){s->in.bytes[i], IN_ROOM};
        s->in.messages[i].msg_hdr = (struct msghdr){.msg_name = &s->in.addresses[i],
                                                    .msg_namelen = sizeof s->in.addresses[i],
                                                    .msg_iov = &s->in.vectors[i],
                                                    .msg_iovlen = 1};
    }
}

static void on_datagrams(struct server *s, struct source *self, uint32_t events)
{
    struct udp *u = (struct udp *)self;
    (void)events;
    for (int round = 0; round < ROUNDS; round++) {
        int n = recvmmsg(self->fd, s->in.messages, IN_BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < n; i++) {
            take(s, u, (unsigned)i);
            s->in.messages[i].msg_hdr.msg_namelen = sizeof s->in.addresses[i];
        }
        if (n < (int)IN_BATCH)
            return;
    }
}

bool udp_open(struct server *s, struct udp *u)
{
    u->source.ready = on_datagrams;
    if (!bind_to(u) || !join_group(u) || !server_watch(s, &u->source, EPOLLIN))
        return false;
    u->group.sin6_port = u->listen->multicast ? htons((uint16_t)bound_port(u)) : 0;
    sm_log(SM_LOG_INFO, "listening on %s, port %u, %s", u->listen->address, bound_port(u),
           u->dtls ? "DTLS" : "plain UDP");
    return true;
}

/* ---- Out ------------------------------------------------------------------------------------- */

void udp_send(struct server *s, const struct gw_addr *to, const uint8_t *bytes, size_t len)
{
    struct out *o = &s->out;
    if (len > OUT_ROOM)
        return;
    if (o->count == OUT_BATCH || o->used + len > OUT_ROOM) {
        store_commit(s->store); /* the rule of server.h */
        udp_flush(s);
    }
    unsigned i = o->count++;
    struct msghdr *m = &o->messages[i].msg_hdr;
    *m = (struct msghdr){.msg_name = &o->addresses[i], .msg_iov = &o->vectors[i], .msg_iovlen = 1};
    if (s->udp[to->socket].v4) {
        o->addresses[i].v4 =
            (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(to->port)};
        memcpy(&o->addresses[i].v4.sin_addr, to->ip + 12, 4);
        m->msg_namelen = sizeof o->addresses[i].v4;
    } else {
        o->addresses[i].v6 = (struct sockaddr_in6){
            .sin6_family = AF_INET6, .sin6_port = htons(to->port), .sin6_scope_id = to->scope};
        memcpy(&o->addresses[i].v6.sin6_addr, to->ip, 16);
        m->msg_namelen = sizeof o->addresses[i].v6;
    }
    memcpy(o->bytes + o->used, bytes, len);
    o->vectors[i] = (struct iovec){o->bytes + o->used, len};
    o->socket[i] = to->socket;
    o->used += len;
}

/* What the kernel does not take is lost, as datagrams may be. */
void udp_flush(struct server *s)
{
    struct out *o = &s->out;
    for (unsigned i = 0; i < o->count;) {
        unsigned end = i + 1;
        while (end < o->count && o->socket[end] == o->socket[i])
            end++;
        int n = sendmmsg(s->udp[o->socket[i]].source.fd, o->messages + i, end - i, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            s->unsent++;
            n = 1;
        }
        i += (unsigned)n;
    }
    o->count = 0;
    o->used = 0;
}

void udp_advertise(struct server *s)
{
    uint8_t bytes[8];
    size_t len = gw_advertise(s->gw, (uint16_t)s->cfg.advertise_s, bytes, sizeof bytes);
    for (size_t i = 0; i < s->cfg.listen_count; i++) {
        struct gw_addr to;
        if (!s->udp[i].group.sin6_port)
            continue;
        to_gw(&s->udp[i].group, (uint8_t)i, &to);
        to.scope = s->udp[i].group.sin6_scope_id;
        udp_send(s, &to, bytes, len);
    }
}
