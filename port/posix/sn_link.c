/* What all links share, and addresses as text.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <limits.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include "sn_socket.h"

void sm_sn_send(struct sm_sn_link *l, const uint8_t *bytes, size_t len,
                const struct sm_mqttsn_address *to)
{
    l->kind->send(l, bytes, len, to);
}

size_t sm_sn_receive(struct sm_sn_link *l, uint8_t *bytes, size_t size,
                     struct sm_mqttsn_address *from, uint64_t now_ms)
{
    return l->kind->receive(l, bytes, size, from, now_ms);
}

unsigned sm_sn_fds(const struct sm_sn_link *l, struct pollfd *fds, int *timeout_ms)
{
    int own = l->kind->timeout_ms ? l->kind->timeout_ms(l) : -1;
    if (own >= 0 && (*timeout_ms < 0 || own < *timeout_ms))
        *timeout_ms = own;
    return l->kind->fds(l, fds);
}

void sm_sn_close(struct sm_sn_link *l)
{
    if (l)
        l->kind->close(l);
}

int sm_sn_step(struct sm_mqttsn *sn, struct sm_sn_link *l, uint64_t now_ms)
{
    return sm_sn_step_seen(sn, l, now_ms, NULL, NULL);
}

int sm_sn_step_seen(struct sm_mqttsn *sn, struct sm_sn_link *l, uint64_t now_ms, sm_sn_seen *seen,
                    void *ctx)
{
    uint8_t bytes[SM_SN_DATAGRAM];
    struct sm_mqttsn_address at;
    struct sm_mqttsn_packet p;
    size_t len;
    int n;
    for (;;) {
        while ((n = sm_mqttsn_poll(sn, now_ms, bytes, sizeof bytes, &at)) != 0)
            if (n > 0)
                sm_sn_send(l, bytes, (size_t)n, &at);
        if ((len = sm_sn_receive(l, bytes, sizeof bytes, &at, now_ms)) == 0)
            break;
        if (seen && sm_mqttsn_decode(&p, bytes, len) == 0)
            seen(ctx, &p);
        sm_mqttsn_feed(sn, bytes, len, &at, now_ms);
    }
    uint64_t due = sm_mqttsn_deadline(sn);
    if (due == UINT64_MAX)
        return -1;
    if (due <= now_ms)
        return 0;
    return due - now_ms > INT_MAX ? INT_MAX : (int)(due - now_ms);
}

void sm_sn_wait(const struct sm_sn_link *l, int timeout_ms)
{
    struct pollfd fds[SM_SN_LINK_FDS];
    unsigned n = sm_sn_fds(l, fds, &timeout_ms);
    poll(fds, n, timeout_ms);
}

/* ---- Addresses ---- */

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* ::ffff:0:0/96 */

void sm_sn_from_socket(const struct sockaddr_storage *in, struct sm_mqttsn_address *out)
{
    memset(out, 0, sizeof *out);
    if (in->ss_family == AF_INET) {
        const struct sockaddr_in *a = (const struct sockaddr_in *)in;
        memcpy(out->bytes, &a->sin_addr, 4);
        memcpy(out->bytes + 4, &a->sin_port, 2);
        out->len = 6;
        return;
    }
    const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)in;
    bool v4 = !memcmp(&a->sin6_addr, mapped, sizeof mapped);
    size_t ip = v4 ? 4 : 16;
    memcpy(out->bytes, a->sin6_addr.s6_addr + (v4 ? 12 : 0), ip);
    memcpy(out->bytes + ip, &a->sin6_port, 2);
    out->len = (uint8_t)(ip + 2);
    if (!v4 && IN6_IS_ADDR_LINKLOCAL(&a->sin6_addr)) {
        uint32_t scope = htonl(a->sin6_scope_id);
        memcpy(out->bytes + out->len, &scope, 4);
        out->len += 4;
    }
}

bool sm_sn_to_socket(const struct sm_mqttsn_address *in, uint32_t scope, struct sockaddr_in6 *out)
{
    memset(out, 0, sizeof *out);
    out->sin6_family = AF_INET6;
    if (in->len == 6) {
        memcpy(out->sin6_addr.s6_addr, mapped, sizeof mapped);
        memcpy(out->sin6_addr.s6_addr + 12, in->bytes, 4);
        memcpy(&out->sin6_port, in->bytes + 4, 2);
        return true;
    }
    if (in->len != 18 && in->len != 22)
        return false;
    memcpy(&out->sin6_addr, in->bytes, 16);
    memcpy(&out->sin6_port, in->bytes + 16, 2);
    if (in->len == 22) {
        memcpy(&scope, in->bytes + 18, 4);
        scope = ntohl(scope);
    }
    if (IN6_IS_ADDR_LINKLOCAL(&out->sin6_addr))
        out->sin6_scope_id = scope;
    return true;
}

int sm_sn_address(const char *host, uint16_t port, struct sm_mqttsn_address *out,
                  struct sm_file_why *why)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM}, *found = NULL;
    char text[8];
    snprintf(text, sizeof text, "%u", port);
    int err = getaddrinfo(host, text, &hints, &found);
    if (err) {
        snprintf(why->text, sizeof why->text, "%s: %s", host, gai_strerror(err));
        return SM_ERR_NOT_FOUND;
    }
    struct sockaddr_storage at = {0};
    memcpy(&at, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    sm_sn_from_socket(&at, out);
    return 0;
}

const char *sm_sn_address_text(const struct sm_mqttsn_address *a, char text[SM_SN_ADDRESS_TEXT])
{
    char ip[INET6_ADDRSTRLEN] = "";
    if (a->len == 6) {
        inet_ntop(AF_INET, a->bytes, ip, sizeof ip);
        snprintf(text, SM_SN_ADDRESS_TEXT, "%s:%u", ip, (unsigned)(a->bytes[4] << 8 | a->bytes[5]));
    } else if (a->len == 18 || a->len == 22) {
        inet_ntop(AF_INET6, a->bytes, ip, sizeof ip);
        snprintf(text, SM_SN_ADDRESS_TEXT, "[%s]:%u", ip,
                 (unsigned)(a->bytes[16] << 8 | a->bytes[17]));
    } else {
        snprintf(text, SM_SN_ADDRESS_TEXT, a->len == 1 ? "serial line" : "nowhere");
    }
    return text;
}
