/* MQTT-SN over UDP, with a multicast group for searches.
 *
 * Two sockets: ours, from which everything is sent, and one that is bound to the group and
 * hears what gateways and other clients say to all. Both are IPv6 and take IPv4 as well.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "sn_socket.h"

struct udp {
    struct sm_sn_link link;
    int fd, heard; /* ours; the group's, -1: none */
    struct sockaddr_in6 group;
    bool has_group, v4;
    uint32_t interface;
    uint8_t hops;
};

/* SEARCHGW says how far it shall go; whatever else is for all goes as far as the caller said. */
static void set_hops(const struct udp *u, bool v4, const uint8_t *bytes, size_t len)
{
    struct sm_mqttsn_packet p;
    int hops = u->hops;
    if (sm_mqttsn_decode(&p, bytes, len) == 0 && p.type == SM_MQTTSN_SEARCHGW && p.radius)
        hops = p.radius;
    if (v4)
        setsockopt(u->fd, IPPROTO_IP, IP_MULTICAST_TTL, &hops, sizeof hops);
    else
        setsockopt(u->fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops);
}

static void send_udp(struct sm_sn_link *l, const uint8_t *bytes, size_t len,
                     const struct sm_mqttsn_address *to)
{
    struct udp *u = (struct udp *)l;
    struct sockaddr_in6 at = u->group;
    if (to->len == 0 ? !u->has_group : !sm_sn_to_socket(to, u->interface, &at))
        return;
    bool v4 = IN6_IS_ADDR_V4MAPPED(&at.sin6_addr);
    if (v4 ? (at.sin6_addr.s6_addr[12] & 0xf0) == 0xe0 : IN6_IS_ADDR_MULTICAST(&at.sin6_addr))
        set_hops(u, v4, bytes, len);
    (void)!sendto(u->fd, bytes, len, 0, (const struct sockaddr *)&at, sizeof at);
}

static size_t receive_from(int fd, uint8_t *bytes, size_t size, struct sm_mqttsn_address *from)
{
    struct sockaddr_storage at;
    socklen_t at_len = sizeof at;
    ssize_t n = -1;
    /* Errors are of datagrams sent before (nobody listens there), one each. */
    for (unsigned tries = 0; n < 0 && tries < 8; tries++) {
        at_len = sizeof at;
        n = recvfrom(fd, bytes, size, 0, (struct sockaddr *)&at, &at_len);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
    }
    if (n <= 0)
        return 0;
    sm_sn_from_socket(&at, from);
    return (size_t)n;
}

static size_t receive_udp(struct sm_sn_link *l, uint8_t *bytes, size_t size,
                          struct sm_mqttsn_address *from, uint64_t now_ms)
{
    (void)now_ms;
    struct udp *u = (struct udp *)l;
    size_t n = receive_from(u->fd, bytes, size, from);
    return n || u->heard < 0 ? n : receive_from(u->heard, bytes, size, from);
}

static unsigned fds_udp(const struct sm_sn_link *l, struct pollfd *fds)
{
    const struct udp *u = (const struct udp *)l;
    fds[0] = (struct pollfd){.fd = u->fd, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = u->heard, .events = POLLIN};
    return u->heard < 0 ? 1 : 2;
}

static void close_udp(struct sm_sn_link *l)
{
    struct udp *u = (struct udp *)l;
    if (u->fd >= 0)
        close(u->fd);
    if (u->heard >= 0)
        close(u->heard);
    free(u);
}

static const struct sm_sn_link_kind kind = {
    .send = send_udp, .receive = receive_udp, .fds = fds_udp, .close = close_udp};

static int open_socket(const struct sockaddr_in6 *at, bool shared)
{
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), no = 0, yes = 1;
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
    setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &yes, sizeof yes); /* a search may go there */
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, (const struct sockaddr *)at, sizeof *at) < 0) {
        int was = errno;
        close(fd);
        errno = was;
        return -1;
    }
    return fd;
}

static bool join(struct udp *u)
{
    if (u->v4) {
        struct ip_mreqn group = {.imr_ifindex = (int)u->interface};
        memcpy(&group.imr_multiaddr, u->group.sin6_addr.s6_addr + 12, 4);
        return setsockopt(u->heard, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group) == 0 &&
               (!u->interface ||
                setsockopt(u->fd, IPPROTO_IP, IP_MULTICAST_IF, &group, sizeof group) == 0);
    }
    struct ipv6_mreq group = {.ipv6mr_multiaddr = u->group.sin6_addr,
                              .ipv6mr_interface = u->interface};
    return setsockopt(u->heard, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof group) == 0 &&
           (!u->interface || setsockopt(u->fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &u->interface,
                                        sizeof u->interface) == 0);
}

static int fail(struct udp *u, int err, struct sm_file_why *why, const char *what)
{
    snprintf(why->text, sizeof why->text, "%s: %s", what, strerror(errno));
    close_udp(&u->link);
    return err;
}

static int open_group(struct udp *u, const struct sm_sn_udp *how, struct sm_file_why *why)
{
    struct sm_mqttsn_address at;
    int err = sm_sn_address(how->group, how->group_port, &at, why);
    if (err) {
        close_udp(&u->link);
        return err;
    }
    sm_sn_to_socket(&at, 0, &u->group);
    u->v4 = at.len == 6;
    u->group.sin6_scope_id = u->v4 ? 0 : u->interface;
    /* To the group's address: what is for a gateway's own on this host must not come here. */
    u->heard = open_socket(&u->group, true);
    if (u->heard < 0)
        return fail(u, errno == EADDRINUSE ? SM_ERR_BUSY : SM_ERR_IO, why, "the group's port");
    if (!join(u))
        return fail(u, SM_ERR_IO, why, how->group);
    u->has_group = true;
    return 0;
}

int sm_sn_link_udp(const struct sm_sn_udp *how, struct sm_sn_link **out, struct sm_file_why *why)
{
    struct udp *u = calloc(1, sizeof *u);
    if (!u) {
        snprintf(why->text, sizeof why->text, "no memory");
        return SM_ERR_IO;
    }
    *u = (struct udp){.link = {&kind}, .fd = -1, .heard = -1, .hops = how->hops ? how->hops : 1};
    if (how->interface && (u->interface = if_nametoindex(how->interface)) == 0)
        return fail(u, SM_ERR_NOT_FOUND, why, how->interface);
    const struct sockaddr_in6 own = {.sin6_family = AF_INET6, .sin6_port = htons(how->port)};
    u->fd = open_socket(&own, false);
    if (u->fd < 0)
        return fail(u, errno == EADDRINUSE ? SM_ERR_BUSY : SM_ERR_IO, why, "a UDP socket");
    if (how->group) {
        int err = open_group(u, how, why);
        if (err)
            return err;
    }
    *out = &u->link;
    return 0;
}

uint16_t sm_sn_udp_port(const struct sm_sn_link *l)
{
    struct sockaddr_in6 at = {0};
    socklen_t len = sizeof at;
    getsockname(((const struct udp *)l)->fd, (struct sockaddr *)&at, &len);
    return ntohs(at.sin6_port);
}
