/* The gateway's front: its life, which message goes where, what may leave.
 *
 * No amplification. Until an address has proven itself, c->received and c->sent count its octets
 * and gw_send() withholds what would make it more than three times as much (RFC 9000, section 8.1,
 * has the rule). It is proven by an acknowledgement whose ids were random and sent to it alone:
 * REGACK, PUBACK, PUBREC. Whoever has no session is never sent more than came (gw_reply()), but for
 * those whose session is elsewhere, who are asked with ten octets for seven at most, or seven for
 * three (move.c).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "core.h"

#define UNPROVEN_FACTOR 3u

void gw_config_init(struct gw_config *cfg)
{
    memset(cfg, 0, sizeof *cfg);
    cfg->gateway_id = 1;
    cfg->name = "sandmote-gateway";
    cfg->broker_keepalive_s = 60;
    cfg->max_clients = 100000;
    cfg->max_topics = 256;
    cfg->max_filters = 64;
    cfg->buffer_messages = 100;
    cfg->buffer_bytes = 65536;
    cfg->max_datagram = 1400;
    cfg->max_pending = 4u << 20;
    cfg->qos2_window = 19;
    cfg->retry_ms = 10000;
    cfg->retries = 3;
    cfg->keepalive_max_s = 86400;
    cfg->session_s = 7 * 86400;
    cfg->connects_per_second = 100;
    cfg->connects_burst = 1000;
    cfg->duplicate_ms = 30000;
    cfg->settle_ms = 250;
}

struct gw *gw_new(const struct gw_config *cfg, const struct gw_io *io, const struct gw_store *store,
                  uint64_t now_ms)
{
    struct gw *g = gw_alloc(sizeof *g);
    g->now_ms = now_ms;
    g->cfg = *cfg;
    g->io = *io;
    if (store)
        g->store = *store;
    g->io.random(g->io.ctx, &g->seed, sizeof g->seed);
    for (unsigned i = 0; i < GW_WHEEL; i++)
        g->wheel[i] = GW_NONE;
    g->shared[0] = gw_link_new(g, GW_NONE, 0);
    g->shared_count = 1;
    return g;
}

void gw_stop(struct gw *g)
{
    for (struct gw_link *l = g->links; l; l = l->next)
        if (l->state != GW_LINK_GONE)
            gw_link_park(g, l, true);
}

void gw_free(struct gw *g)
{
    for (uint32_t i = 0; i < g->clients_used; i++) {
        if (g->clients[i]) {
            g->store = (struct gw_store){0}; /* what is stored stays */
            gw_client_free(g, g->clients[i]);
        }
    }
    while (g->links) {
        g->links->state = GW_LINK_GONE;
        gw_link_closed(g, g->links);
    }
    free(g->filter_table);
    free(g->names.bucket);
    free(g->clients);
    free(g->free_clients);
    free(g->by_id);
    free(g->by_addr);
    free(g);
}

const struct gw_figures *gw_figures(const struct gw *g)
{
    return &g->figures;
}

bool gw_ready(const struct gw *g)
{
    return g->shared[0]->state == GW_LINK_READY;
}

void gw_notef(struct gw *g, const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (g->io.note)
        g->io.note(g->io.ctx, line);
}

uint16_t gw_random16(struct gw *g)
{
    uint16_t value;
    do {
        if (g->pool_left < sizeof value) {
            g->io.random(g->io.ctx, g->pool, sizeof g->pool);
            g->pool_left = sizeof g->pool;
        }
        g->pool_left -= sizeof value;
        memcpy(&value, g->pool + g->pool_left, sizeof value);
    } while (value == 0 || value == 0xffff);
    return value;
}

/* ---- Out ------------------------------------------------------------------------------------- */

/* Largest head of a message and of a forwarder's frame around it. */
#define HEAD_ROOM (16u + GW_NODE_MAX)

/* Encodes for an address; the octets, or 0. out has room for HEAD_ROOM and the data. */
static size_t encode_for(const struct gw_addr *to, const struct sm_mqttsn_packet *p, uint8_t *out,
                         size_t size)
{
    size_t head = to->node_len ? 3u + to->node_len : 0;
    int n = sm_mqttsn_encode(p, out + head, size - head);
    if (n < 0)
        return 0;
    if (!head)
        return (size_t)n;
    struct sm_mqttsn_wrapped w = {0, to->node, to->node_len, out + head, (size_t)n};
    n = sm_mqttsn_wrap(&w, out, size);
    return n < 0 ? 0 : (size_t)n;
}

void gw_reply(struct gw *g, const struct gw_addr *to, const struct sm_mqttsn_packet *p)
{
    uint8_t out[64];
    size_t n = encode_for(to, p, out, sizeof out);
    if (!n)
        return;
    g->figures.datagrams_out++;
    g->io.send(g->io.ctx, to, out, n);
}

bool gw_send(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p)
{
    uint8_t small[512], *out = small;
    size_t room = HEAD_ROOM + p->len;
    if (room > sizeof small)
        out = gw_alloc(room);
    size_t n = encode_for(&c->addr, p, out, room);
    bool may = n && (c->proven || c->sent + n <= (uint64_t)UNPROVEN_FACTOR * c->received);
    if (may) {
        if (!c->proven)
            c->sent += (uint32_t)n;
        c->silent += (uint32_t)n;
        g->figures.datagrams_out++;
        g->io.send(g->io.ctx, &c->addr, out, n);
    } else {
        g->figures.withheld++;
    }
    if (out != small)
        free(out);
    return may;
}

bool gw_send_simple(struct gw *g, struct gw_client *c, uint8_t type, uint16_t msg_id)
{
    return gw_send(g, c, &(struct sm_mqttsn_packet){.type = type, .msg_id = msg_id});
}

void gw_send_code(struct gw *g, struct gw_client *c, uint8_t type, uint8_t code)
{
    gw_send(g, c, &(struct sm_mqttsn_packet){.type = type, .code = code});
}

size_t gw_advertise(const struct gw *g, uint16_t duration_s, uint8_t *out, size_t size)
{
    struct sm_mqttsn_packet p = {
        .type = SM_MQTTSN_ADVERTISE, .gateway_id = g->cfg.gateway_id, .duration_s = duration_s};
    int n = sm_mqttsn_encode(&p, out, size);
    return n < 0 ? 0 : (size_t)n;
}

/* ---- In -------------------------------------------------------------------------------------- */

/* Any message restarts the client's timers; the wheel finds out when it comes to the client. */
static void heard(struct gw *g, struct gw_client *c, size_t len)
{
    c->heard_ms = g->now_ms;
    c->silent = 0;
    c->asked = c->moving = false;
    if (!c->proven && c->received < UINT32_MAX / UNPROVEN_FACTOR - len)
        c->received += (uint32_t)len;
}

static void from_client(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p)
{
    c->untouched = false;
    switch (p->type) {
    case SM_MQTTSN_REGISTER: gw_on_register(g, c, p); break;
    case SM_MQTTSN_PUBLISH: gw_on_publish(g, c, p); break;
    case SM_MQTTSN_PUBREL: gw_on_pubrel(g, c, p); break;
    case SM_MQTTSN_SUBSCRIBE: gw_on_subscribe(g, c, p); break;
    case SM_MQTTSN_UNSUBSCRIBE: gw_on_unsubscribe(g, c, p); break;
    case SM_MQTTSN_REGACK: gw_on_regack(g, c, p); break;
    case SM_MQTTSN_PUBACK: gw_on_puback(g, c, p); break;
    case SM_MQTTSN_PUBREC: gw_on_pubrec(g, c, p); break;
    case SM_MQTTSN_PUBCOMP: gw_on_pubcomp(g, c, p); break;
    case SM_MQTTSN_WILLTOPICUPD:
    case SM_MQTTSN_WILLMSGUPD: gw_on_will_update(g, c, p); break;
    case SM_MQTTSN_DISCONNECT: gw_on_disconnect(g, c, p); break;
    case SM_MQTTSN_PINGRESP: gw_pump(g, c); break;
    default: g->figures.unexpected++;
    }
}

/* A client asleep should CONNECT before it publishes; one that does not is served as it lies. */
static bool takes(const struct gw_client *c, uint8_t type)
{
    switch (c->state) {
    case GW_ACTIVE:
    case GW_AWAKE: return true;
    case GW_ASLEEP:
        return type == SM_MQTTSN_PUBLISH || type == SM_MQTTSN_PUBREL ||
               type == SM_MQTTSN_DISCONNECT || type == SM_MQTTSN_REGISTER;
    case GW_CONNECTING: return type == SM_MQTTSN_DISCONNECT;
    default: return false;
    }
}

/* Two octets at most, for two or more. */
static void tell_stranger(struct gw *g, const struct gw_addr *from)
{
    g->figures.strangers++;
    if (gw_take_token(g, from))
        gw_reply(g, from, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_DISCONNECT});
}

static void on_search(struct gw *g, const struct gw_addr *from)
{
    if (!gw_in_prefixes(&g->cfg.search, from) || !gw_take_token(g, from))
        return;
    gw_reply(g, from,
             &(struct sm_mqttsn_packet){.type = SM_MQTTSN_GWINFO, .gateway_id = g->cfg.gateway_id});
}

static void on_message(struct gw *g, const struct gw_addr *from, const char *identity,
                       const struct sm_mqttsn_packet *p, size_t len)
{
    struct gw_client *c = gw_client_by_addr(g, from);
    if (c)
        heard(g, c, len);
    if (p->type == SM_MQTTSN_CONNECT) {
        gw_on_connect(g, from, identity, p, len);
    } else if (p->type == SM_MQTTSN_SEARCHGW) {
        on_search(g, from);
    } else if (p->type == SM_MQTTSN_PUBLISH && p->qos < 0) {
        gw_on_publish_without(g, from, p);
    } else if (p->type == SM_MQTTSN_PINGREQ) {
        gw_on_ping(g, c, from, identity, p, len);
    } else if (gw_visit_answered(g, c, from, p)) {
        return;
    } else if (p->type == SM_MQTTSN_ADVERTISE || p->type == SM_MQTTSN_GWINFO) {
        return; /* other gateways' */
    } else if (c && c->state == GW_CONNECTING &&
               (p->type == SM_MQTTSN_WILLTOPIC || p->type == SM_MQTTSN_WILLMSG)) {
        gw_on_will(g, c, p);
    } else if (c && takes(c, p->type)) {
        from_client(g, c, p);
    } else if (c && c->state == GW_CONNECTING) {
        g->figures.unexpected++;
    } else {
        tell_stranger(g, from);
    }
}

void gw_input(struct gw *g, const struct gw_addr *from, const char *identity, const uint8_t *bytes,
              size_t len, uint64_t now_ms)
{
    struct sm_mqttsn_packet p;
    struct sm_mqttsn_wrapped w;
    struct gw_addr behind;
    size_t came = len;
    g->now_ms = now_ms;
    g->figures.datagrams_in++;
    if (sm_mqttsn_is_wrapped(bytes, len)) {
        if (!gw_in_prefixes(&g->cfg.forwarders, from)) {
            g->figures.strangers++;
            return;
        }
        if (sm_mqttsn_unwrap(&w, bytes, len) < 0 || w.node_len > GW_NODE_MAX) {
            g->figures.malformed++;
            return;
        }
        behind = *from;
        behind.node_len = w.node_len;
        memcpy(behind.node, w.node, w.node_len);
        from = &behind;
        bytes = w.message;
        len = w.len;
    }
    if (sm_mqttsn_decode(&p, bytes, len) < 0) {
        g->figures.malformed++;
        return;
    }
    on_message(g, from, identity, &p, came);
}

bool gw_admit(struct gw *g, const struct gw_addr *from, uint64_t now_ms)
{
    g->now_ms = now_ms;
    return gw_take_token(g, from);
}

bool gw_client_at(struct gw *g, const struct gw_addr *at)
{
    const struct gw_client *c = gw_client_by_addr(g, at);
    return c && c->state != GW_DISCONNECTED && c->state != GW_LOST;
}

void gw_tick(struct gw *g, uint64_t now_ms)
{
    uint64_t slot = now_ms / GW_SLOT_MS;
    g->now_ms = now_ms;
    if (!g->wheel_at || slot - g->wheel_at >= GW_WHEEL)
        g->wheel_at = slot > GW_WHEEL ? slot - GW_WHEEL : 0;
    while (g->wheel_at < slot) {
        uint32_t i = g->wheel[g->wheel_at++ % GW_WHEEL];
        while (i != GW_NONE) { /* clients go elsewhere or vanish, but only the one looked at */
            struct gw_client *c = g->clients[i];
            i = c->wheel_next;
            gw_client_timer(g, c);
        }
    }
    gw_settle(g);
    gw_links_tick(g);
}
