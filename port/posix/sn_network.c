/* Links for the sessions of modules. SPDX-License-Identifier: Apache-2.0 */
#include <posix/sn_network.h>

#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <posix/system.h>

/* A number, with an interface or without: of anything else a resolver would ask the world. */
static bool is_number(const char *text)
{
    char address[SM_NETWORK_ADDRESS_MAX + 1];
    struct in6_addr ip;
    size_t len = strcspn(text, "%");

    if (len > SM_NETWORK_ADDRESS_MAX)
        return false;
    memcpy(address, text, len);
    address[len] = 0;
    return inet_pton(AF_INET6, address, &ip) == 1 ||
           (text[len] == 0 && inet_pton(AF_INET, address, &ip) == 1);
}

static int address(void *ctx, const char *text, uint16_t port, struct sm_mqttsn_address *out)
{
    struct sm_file_why why;

    (void)ctx;
    return is_number(text) && sm_sn_address(text, port, out, &why) == 0 ? 0 : SM_ERR_INVALID;
}

static int text(void *ctx, const struct sm_mqttsn_address *a, char out[SM_NETWORK_ADDRESS_MAX + 1],
                uint16_t *port)
{
    struct sm_network_place place;
    char both[SM_SN_ADDRESS_TEXT];

    (void)ctx;
    sm_sn_address_text(a, both);
    if (!sm_sn_network_place(both, &place) || strlen(place.address) > SM_NETWORK_ADDRESS_MAX)
        return SM_ERR_INVALID;
    strcpy(out, place.address);
    *port = place.port;
    return 0;
}

bool sm_sn_network_place(char *text, struct sm_network_place *out)
{
    char *colon = strrchr(text, ':'), *end;
    bool bracket = *text == '[';

    if (!colon || colon == text || (bracket && colon[-1] != ']'))
        return false;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (end == colon + 1 || *end || port == 0 || port > UINT16_MAX)
        return false;
    colon[bracket ? -1 : 0] = 0;
    *out = (struct sm_network_place){text + bracket, (uint16_t)port};
    return is_number(out->address);
}

static int open_udp(const struct sm_sn_network *n, uint16_t wish, struct sm_sn_link **out)
{
    const struct sm_sn_network_cfg *how = n->how;
    const struct sm_sn_udp udp = {.port = wish,
                                  .group = how->search.address,
                                  .group_port = how->search.port,
                                  .interface = how->interface,
                                  .hops = how->hops};
    struct sm_file_why why;

    return sm_sn_link_udp(&udp, out, &why);
}

/* The port that is wished, or else any. */
static int open_link(void *ctx, uint16_t wish, uint16_t *port)
{
    struct sm_sn_network *n = ctx;
    struct sm_file_why why;
    int at = 0, err;

    while (at < (int)SM_SN_NETWORK_SESSIONS && n->link[at])
        at++;
    if (at == (int)SM_SN_NETWORK_SESSIONS)
        return SM_ERR_LIMIT;
    if (n->how->dtls) { /* a socket for each gateway: no one port */
        *port = wish ? wish : 1;
        return sm_sn_link_dtls(n->how->dtls, &n->link[at], &why) == 0 ? at : SM_ERR_IO;
    }
    err = open_udp(n, wish, &n->link[at]);
    if (err && wish)
        err = open_udp(n, 0, &n->link[at]);
    if (err) {
        n->link[at] = NULL;
        return SM_ERR_IO;
    }
    *port = sm_sn_udp_port(n->link[at]);
    return at;
}

static void close_link(void *ctx, int link)
{
    struct sm_sn_network *n = ctx;

    sm_sn_close(n->link[link]);
    n->link[link] = NULL;
}

/* The link knows its group by an address of no length. How far a search goes it reads there. */
static void send_datagram(void *ctx, int link, const struct sm_mqttsn_address *to,
                          const uint8_t *bytes, size_t len, unsigned hops)
{
    static const struct sm_mqttsn_address all = {0};
    const struct sm_sn_network *n = ctx;
    bool group = n->search.len > 0 && sm_mqttsn_address_same(to, &n->search);

    (void)hops;
    sm_sn_send(n->link[link], bytes, len, group ? &all : to);
}

static size_t receive(void *ctx, int link, struct sm_mqttsn_address *from, uint8_t *buf,
                      size_t size)
{
    const struct sm_sn_network *n = ctx;

    return sm_sn_receive(n->link[link], buf, size, from, sm_posix_clock.now_ms(sm_posix_clock.ctx));
}

static void configure(struct sm_sn_network *n)
{
    const struct sm_sn_network_cfg *how = n->how;

    n->port =
        (struct sm_network_port){n, open_link, close_link, address, text, send_datagram, receive};
    n->cfg = (struct sm_network_cfg){.port = &n->port,
                                     .clock = sm_posix_clock,
                                     .entropy = sm_posix_entropy,
                                     .prefix = how->prefix,
                                     .gateways = how->gateways,
                                     .ngateways = how->ngateways,
                                     .search = how->search,
                                     .hops = how->hops ? how->hops : 1,
                                     .retry_ms = how->retry_ms,
                                     .retries = how->retries,
                                     .datagram = n->datagram,
                                     .datagram_size = sizeof n->datagram};
}

static int check_places(struct sm_sn_network *n, struct sm_file_why *why)
{
    const struct sm_sn_network_cfg *how = n->how;
    struct sm_mqttsn_address a;
    const char *wrong = NULL;

    for (unsigned i = 0; i < how->ngateways && !wrong; i++)
        if (address(n, how->gateways[i].address, how->gateways[i].port, &a) != 0)
            wrong = how->gateways[i].address;
    if (!wrong && how->search.address &&
        address(n, how->search.address, how->search.port, &n->search) != 0)
        wrong = how->search.address;
    if (!wrong)
        return 0;
    snprintf(why->text, sizeof why->text, "%.60s: is no address in numbers", wrong);
    return SM_ERR_INVALID;
}

int sm_sn_network_init(struct sm_sn_network *n, const struct sm_sn_network_cfg *how,
                       unsigned sessions, struct sm_file_why *why)
{
    const struct sm_network_room *r = &how->room;
    size_t bytes =
        (SM_NETWORK_MEMORY(r->topics, r->gateways, (size_t)r->queue, r->payload) + 7) / 8 * 8;

    memset(n, 0, sizeof *n);
    n->how = how;
    configure(n);
    if (check_places(n, why) < 0)
        return SM_ERR_INVALID;
    n->memory = calloc(sessions, bytes);
    if (!n->memory || sessions > SM_SN_NETWORK_SESSIONS) {
        snprintf(why->text, sizeof why->text, "no memory for %u sessions", sessions);
        free(n->memory);
        n->memory = NULL;
        return SM_ERR_MEMORY;
    }
    sm_network_init(&n->network, &n->cfg);
    for (n->sessions = 0; n->sessions < sessions; n->sessions++)
        sm_network_session_init(&n->session[n->sessions], &n->network, r,
                                n->memory + n->sessions * bytes);
    return 0;
}

void sm_sn_network_free(struct sm_sn_network *n)
{
    sm_network_stop(&n->network);
    free(n->memory);
    memset(n, 0, sizeof *n);
}

unsigned sm_sn_network_fds(const struct sm_sn_network *n, struct pollfd *fds, int *timeout_ms)
{
    unsigned count = 0;
    uint32_t due = n->sessions ? sm_network_due(&n->network) : UINT32_MAX;

    for (unsigned i = 0; i < SM_SN_NETWORK_SESSIONS; i++)
        if (n->link[i])
            count += sm_sn_fds(n->link[i], fds + count, timeout_ms);
    if (due != UINT32_MAX && (*timeout_ms < 0 || due < (uint32_t)*timeout_ms))
        *timeout_ms = due > INT_MAX ? INT_MAX : (int)due;
    return count;
}
