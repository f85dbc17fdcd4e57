/* Connections to the broker: the state of each, its buffers, and the table of what waits for an
 * answer on it.
 *
 *   IDLE --wish to open--> OPENING --gw_link_up, CONNECT--> GREETING --CONNACK--> READY
 *   any --lost--> IDLE; a shared one tries again, an own one is its client's end
 *   any --gw_link_end--> GONE, freed when the caller has closed it
 *
 * Sessions at the broker are kept (clean session 0), but for clean clients' own ones, so that it
 * holds messages while the gateway is away.
 *
 * The table of what waits has a power of two places; an entry stands at its packet id modulo the
 * size. Ids go round through all 65535 before one is used again, so that a stale one of before a
 * restart meets nothing new.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "core.h"

#define SHARED_ROOM   1024u
#define OWN_ROOM      8u
#define PENDING_MAX   60000u
#define FIRST_WAIT_MS 100u
#define LAST_WAIT_MS  5000u
#define PACKET_MAX                                                                                 \
    268435460u /* all that MQTT allows: a message refused would come again and again */
#define BUFFER_KEPT (1u << 20) /* what was larger than that once need not stay so */
#define CHECK_MS    1000u

/* ---- Buffers --------------------------------------------------------------------------------- */

static uint8_t *buffer_room(struct gw_buffer *b, size_t len)
{
    if (b->at == b->len)
        b->at = b->len = 0;
    if (b->len + len > b->room && b->at) {
        memmove(b->bytes, b->bytes + b->at, b->len - b->at);
        b->len -= b->at;
        b->at = 0;
    }
    if (b->len + len > b->room) {
        b->room = 2 * (b->len + len);
        b->bytes = gw_resize(b->bytes, b->room);
    }
    b->len += len;
    return b->bytes + b->len - len;
}

static void buffer_free(struct gw_buffer *b)
{
    free(b->bytes);
    *b = (struct gw_buffer){0};
}

/* ---- Wishes ---------------------------------------------------------------------------------- */

static void wish(struct gw *g, struct gw_link *l)
{
    if (l->listed)
        return;
    l->listed = true;
    l->next_wish = g->wishes;
    g->wishes = l;
}

struct gw_link *gw_link_next(struct gw *g, enum gw_link_wish *what)
{
    while (g->wishes) {
        struct gw_link *l = g->wishes;
        g->wishes = l->next_wish;
        l->listed = false;
        *what = l->close   ? GW_LINK_CLOSE
                : l->open  ? GW_LINK_OPEN
                : l->write ? GW_LINK_WRITE
                           : GW_LINK_NONE;
        l->close = l->open = l->write = false;
        if (*what != GW_LINK_NONE)
            return l;
    }
    return NULL;
}

int gw_link_fd(const struct gw_link *l)
{
    return l->fd;
}

void gw_link_set_fd(struct gw_link *l, int fd)
{
    l->fd = fd;
}

const uint8_t *gw_link_output(const struct gw_link *l, size_t *len)
{
    *len = l->out.len - l->out.at;
    return *len ? l->out.bytes + l->out.at : NULL;
}

void gw_link_wrote(struct gw_link *l, size_t len)
{
    l->out.at += len;
    if (l->out.at == l->out.len && (l->client != GW_NONE || l->out.room > BUFFER_KEPT))
        buffer_free(&l->out); /* own links: thousands, mostly silent */
}

/* ---- What waits for an answer ---------------------------------------------------------------- */

struct gw_pending *gw_link_find(struct gw_link *l, uint16_t packet_id)
{
    if (!l->room || !packet_id)
        return NULL;
    struct gw_pending *w = &l->pending[packet_id & (l->room - 1)];
    return w->kind != GW_FREE && w->packet_id == packet_id ? w : NULL;
}

static void grow_pending(struct gw_link *l)
{
    uint32_t room = l->room ? 2 * l->room : l->client == GW_NONE ? SHARED_ROOM : OWN_ROOM;
    struct gw_pending *table = gw_alloc(room * sizeof *table);
    for (uint32_t i = 0; i < l->room; i++)
        if (l->pending[i].kind != GW_FREE)
            table[l->pending[i].packet_id & (room - 1)] = l->pending[i];
    free(l->pending);
    l->pending = table;
    l->room = room;
}

struct gw_pending *gw_link_reserve(struct gw *g, struct gw_link *l, uint16_t packet_id)
{
    (void)g;
    if (!packet_id || gw_link_find(l, packet_id))
        return NULL;
    while (!l->room || l->pending[packet_id & (l->room - 1)].kind != GW_FREE)
        grow_pending(l);
    struct gw_pending *w = &l->pending[packet_id & (l->room - 1)];
    *w = (struct gw_pending){.packet_id = packet_id, .client = GW_NONE, .kind = GW_REL};
    l->used++;
    l->qos2++;
    return w;
}

struct gw_pending *gw_link_wait(struct gw *g, struct gw_link *l, struct gw_client *c, uint8_t kind)
{
    if (l->used >= PENDING_MAX || (kind == GW_PUB2 && l->qos2 >= g->cfg.qos2_window))
        return NULL;
    if (2 * l->used >= l->room && l->room < 65536)
        grow_pending(l);
    do
        l->last_id++;
    while (!l->last_id || l->pending[l->last_id & (l->room - 1)].kind != GW_FREE);
    struct gw_pending *w = &l->pending[l->last_id & (l->room - 1)];
    *w = (struct gw_pending){.client = c ? c->index : GW_NONE,
                             .serial = c ? c->serial : 0,
                             .packet_id = l->last_id,
                             .kind = kind};
    l->used++;
    l->qos2 += kind == GW_PUB2;
    return w;
}

void gw_link_forget(struct gw *g, struct gw_link *l, struct gw_pending *w)
{
    l->used--;
    l->qos2 -= w->kind == GW_PUB2 || w->kind == GW_REL;
    gw_name_drop(g, w->filter);
    w->filter = NULL;
    w->kind = GW_FREE;
}

struct gw_client *gw_pending_client(struct gw *g, const struct gw_pending *w)
{
    struct gw_client *c = w->client == GW_NONE ? NULL : g->clients[w->client];
    return c && c->serial == w->serial ? c : NULL;
}

void gw_link_received(struct gw_link *l, uint16_t packet_id, bool yes)
{
    if (!l->received && yes)
        l->received = gw_alloc(8192);
    if (l->received && yes)
        l->received[packet_id / 8] |= (uint8_t)(1u << packet_id % 8);
    else if (l->received)
        l->received[packet_id / 8] &= (uint8_t) ~(1u << packet_id % 8);
}

bool gw_link_has_received(const struct gw_link *l, uint16_t packet_id)
{
    return l->received && l->received[packet_id / 8] >> packet_id % 8 & 1;
}

/* ---- Life ------------------------------------------------------------------------------------ */

struct gw_link *gw_link_new(struct gw *g, uint32_t client, uint8_t number)
{
    struct gw_link *l = gw_alloc(sizeof *l);
    l->client = client;
    l->number = number;
    l->fd = -1;
    l->since_ms = g->now_ms;
    l->wait_ms = FIRST_WAIT_MS;
    l->next = g->links;
    if (g->links)
        g->links->before = l;
    g->links = l;
    g->figures.links++;
    l->state = GW_LINK_OPENING;
    l->open = true;
    wish(g, l);
    return l;
}

struct gw_link *gw_link_of(struct gw *g, struct gw_client *c)
{
    return c->link ? c->link : g->shared[0];
}

bool gw_link_ready(const struct gw *g, const struct gw_link *l)
{
    return l->state == GW_LINK_READY && l->out.len - l->out.at < g->cfg.max_pending;
}

void gw_link_put(struct gw *g, struct gw_link *l, const struct mqtt_packet *p)
{
    int size = mqtt_size(p);
    if (size < 0 || l->state != GW_LINK_READY)
        return;
    mqtt_encode(p, buffer_room(&l->out, (size_t)size));
    l->sent_ms = g->now_ms;
    l->write = true;
    wish(g, l);
}

/* The stream is to end. What the table knows stays: the session goes on. */
static void hang_up(struct gw *g, struct gw_link *l, bool politely)
{
    if (politely)
        gw_link_put(g, l, &(struct mqtt_packet){.type = MQTT_DISCONNECT});
    l->state = GW_LINK_IDLE;
    l->since_ms = g->now_ms;
    if (l->fd < 0 && !l->open)
        return;
    l->open = false;
    l->close = true;
    wish(g, l);
}

void gw_link_end(struct gw *g, struct gw_link *l)
{
    gw_link_unsettled(g, l);
    hang_up(g, l, true);
    l->client = GW_NONE;
    l->state = GW_LINK_GONE;
    l->close = true;
    wish(g, l);
}

void gw_link_park(struct gw *g, struct gw_link *l, bool politely)
{
    l->parked = true;
    l->reopen = false;
    gw_link_unsettled(g, l);
    hang_up(g, l, politely);
}

void gw_link_again(struct gw *g, struct gw_link *l)
{
    l->parked = false;
    hang_up(g, l, true);
    if (l->close) {
        l->reopen = true; /* when it is closed */
        return;
    }
    l->state = GW_LINK_OPENING;
    l->open = true;
    wish(g, l);
}

static void free_link(struct gw *g, struct gw_link *l)
{
    if (l->listed) { /* it broke before its wish was heard */
        struct gw_link **at = &g->wishes;
        while (*at != l)
            at = &(*at)->next_wish;
        *at = l->next_wish;
    }
    if (l->before)
        l->before->next = l->next;
    else
        g->links = l->next;
    if (l->next)
        l->next->before = l->before;
    for (uint32_t i = 0; i < l->room; i++)
        gw_name_drop(g, l->pending[i].kind == GW_FREE ? NULL : l->pending[i].filter);
    while (l->filters)
        gw_filter_forget(g, l->filters);
    gw_turns_drop(g, l, NULL);
    buffer_free(&l->in);
    buffer_free(&l->out);
    free(l->pending);
    free(l->received);
    free(l);
    g->figures.links--;
}

/* What of the table outlives the connection: QoS 2, and subscriptions that clients wait for. */
static void interrupted(struct gw *g, struct gw_link *l)
{
    l->in.at = l->in.len = l->out.at = l->out.len = 0;
    gw_turns_drop(g, l, NULL);
    for (uint32_t i = 0; i < l->room; i++) {
        struct gw_pending *w = &l->pending[i];
        w->stale = true;
        if (w->kind == GW_PUB2 && w->client == GW_NONE) /* nobody will send it again */
            w->kind = GW_REL;
        if (w->kind == GW_PUB1 || w->kind == GW_UNSUB ||
            (w->kind == GW_SUB && w->client == GW_NONE))
            gw_link_forget(g, l, w);
    }
    gw_link_unsettled(g, l);
}

void gw_link_closed(struct gw *g, struct gw_link *l)
{
    l->fd = -1;
    if (l->state == GW_LINK_GONE) {
        free_link(g, l);
        return;
    }
    if (l->state != GW_LINK_IDLE) {
        gw_link_down(g, l, g->now_ms);
        return;
    }
    interrupted(g, l);
    if (l->reopen || (l->client == GW_NONE && !l->parked)) {
        l->reopen = false;
        l->state = GW_LINK_OPENING;
        l->open = true;
        wish(g, l);
    }
}

void gw_link_down(struct gw *g, struct gw_link *l, uint64_t now_ms)
{
    bool was_ready = l->state == GW_LINK_READY, tried = l->state != GW_LINK_IDLE;
    g->now_ms = now_ms;
    l->fd = -1;
    if (l->state == GW_LINK_GONE) {
        free_link(g, l);
        return;
    }
    if (was_ready) {
        g->figures.broker_losses++;
        l->since_ms = now_ms;
        l->wait_ms = FIRST_WAIT_MS;
        if (l->client == GW_NONE)
            gw_notef(g, "connection %u to the broker is lost", l->number + 1u);
    }
    l->state = GW_LINK_IDLE;
    interrupted(g, l);
    struct gw_client *c = l->client == GW_NONE ? NULL : g->clients[l->client];
    if (!c) {
        l->retry_ms = now_ms + l->wait_ms;
        l->wait_ms = l->wait_ms * 2 > LAST_WAIT_MS ? LAST_WAIT_MS : l->wait_ms * 2;
    } else if (l->reopen) {
        gw_link_closed(g, l);
    } else if (c->state == GW_CONNECTING) {
        gw_connected(g, c, SM_MQTTSN_CONGESTION);
    } else if (tried && !l->parked) {
        /* Perhaps another gateway speaks for it now; to come again is for the client to decide. */
        gw_send_simple(g, c, SM_MQTTSN_DISCONNECT, 0);
        gw_client_parted(g, c, GW_DISCONNECTED);
    }
}

/* ---- Its conversation ------------------------------------------------------------------------ */

static struct mqtt_connect greeting(struct gw *g, const struct gw_link *l, char name[80])
{
    struct gw_client *c = l->client == GW_NONE ? NULL : g->clients[l->client];
    struct mqtt_connect m = {.client_id = name, .keepalive_s = g->cfg.broker_keepalive_s};
    if (!c) {
        snprintf(name, 80, l->number ? "%.64s-%u" : "%.64s", g->cfg.name, l->number + 1u);
        m.user = g->cfg.user;
        m.password = g->cfg.password;
        return m;
    }
    m.client_id = c->id;
    m.user = c->rule->user;
    m.password = c->rule->password;
    m.clean = c->clean;
    if (c->will && c->will->topic) {
        m.will_topic = c->will->topic->text;
        m.will_topic_len = c->will->topic->len;
        m.will_data = c->will->data;
        m.will_len = c->will->len;
        m.will_qos = c->will->qos;
        m.will_retain = c->will->retain;
    }
    return m;
}

void gw_link_up(struct gw *g, struct gw_link *l, uint64_t now_ms)
{
    char name[80];
    g->now_ms = now_ms;
    if (l->state != GW_LINK_OPENING)
        return;
    struct mqtt_connect m = greeting(g, l, name);
    int size = mqtt_connect_size(&m);
    if (size > 0)
        mqtt_connect_encode(&m, buffer_room(&l->out, (size_t)size));
    l->state = GW_LINK_GREETING;
    l->heard_ms = l->sent_ms = now_ms;
    l->write = true;
    wish(g, l);
}

/* What was interrupted goes on: releases, subscriptions; messages are their clients' to send again,
 * for they have them. */
static void go_on(struct gw *g, struct gw_link *l, bool session)
{
    for (uint32_t i = 0; i < l->room; i++) {
        struct gw_pending *w = &l->pending[i];
        if (w->kind == GW_REL)
            gw_link_put(g, l, &(struct mqtt_packet){.type = MQTT_PUBREL, .id = w->packet_id});
        else if (w->kind == GW_SUB && w->filter)
            gw_link_put(g, l,
                        &(struct mqtt_packet){.type = MQTT_SUBSCRIBE,
                                              .id = w->packet_id,
                                              .qos = w->qos,
                                              .topic = w->filter->text,
                                              .topic_len = w->filter->len});
    }
    if (!session && l->received)
        memset(l->received, 0, 8192);
    if (!session || !l->started)
        gw_resubscribe(g, l);
    l->started = true;
}

static int on_connack(struct gw *g, struct gw_link *l, const struct mqtt_packet *p)
{
    struct gw_client *c = l->client == GW_NONE ? NULL : g->clients[l->client];
    if (l->state != GW_LINK_GREETING)
        return SM_ERR_MALFORMED;
    if (p->code && c) {
        gw_connected(g, c, p->code == 3 ? SM_MQTTSN_CONGESTION : SM_MQTTSN_NOT_SUPPORTED);
        return 0;
    }
    if (p->code) {
        gw_notef(g, "the broker refuses the gateway: code %u", p->code);
        return SM_ERR_DENIED;
    }
    l->state = GW_LINK_READY;
    l->since_ms = g->now_ms;
    l->wait_ms = FIRST_WAIT_MS;
    if (!c)
        gw_notef(g, "connection %u to the broker is up%s", l->number + 1u,
                 p->session ? ", its session goes on" : "");
    go_on(g, l, p->session);
    if (c && c->state == GW_CONNECTING)
        gw_connected(g, c, SM_MQTTSN_ACCEPTED);
    return 0;
}

static int on_packet(struct gw *g, struct gw_link *l, const struct mqtt_packet *p)
{
    struct gw_pending *w;
    if (p->type == MQTT_CONNACK)
        return on_connack(g, l, p);
    if (l->state == GW_LINK_GREETING)
        return SM_ERR_MALFORMED;
    switch (p->type) {
    case MQTT_PUBLISH: gw_on_message(g, l, p); break;
    case MQTT_PUBREL: gw_on_released(g, l, p->id); break;
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBCOMP:
        if ((w = gw_link_find(l, p->id)))
            gw_up_answer(g, l, w, p);
        break;
    case MQTT_SUBACK:
        if ((w = gw_link_find(l, p->id)) && w->kind == GW_SUB)
            gw_subscribed(g, l, w, p);
        break;
    case MQTT_UNSUBACK:
        if ((w = gw_link_find(l, p->id)) && w->kind == GW_UNSUB)
            gw_link_forget(g, l, w);
        break;
    }
    return 0;
}

/* As long as packets are whole; then what is left over. A link that is over takes no more. */
static int consume(struct gw *g, struct gw_link *l, const uint8_t *bytes, size_t len)
{
    struct mqtt_packet p;
    size_t at = 0;
    int n = 0;
    while ((l->state == GW_LINK_READY || l->state == GW_LINK_GREETING) &&
           (n = mqtt_decode(&p, bytes + at, len - at, PACKET_MAX)) > 0) {
        int err = on_packet(g, l, &p);
        if (err < 0)
            return err;
        at += (size_t)n;
    }
    return n < 0                                                       ? n
           : l->state == GW_LINK_READY || l->state == GW_LINK_GREETING ? (int)at
                                                                       : (int)len;
}

int gw_link_bytes(struct gw *g, struct gw_link *l, const uint8_t *bytes, size_t len,
                  uint64_t now_ms)
{
    g->now_ms = now_ms;
    l->heard_ms = now_ms;
    if (l->in.len != l->in.at) { /* a packet began earlier */
        memcpy(buffer_room(&l->in, len), bytes, len);
        int n = consume(g, l, l->in.bytes + l->in.at, l->in.len - l->in.at);
        if (n < 0)
            return n;
        l->in.at += (size_t)n;
    } else {
        int n = consume(g, l, bytes, len);
        if (n < 0)
            return n;
        if ((size_t)n < len)
            memcpy(buffer_room(&l->in, len - (size_t)n), bytes + n, len - (size_t)n);
    }
    if (l->in.at == l->in.len && (l->client != GW_NONE || l->in.room > BUFFER_KEPT))
        buffer_free(&l->in);
    return 0;
}

/* ---- Time ------------------------------------------------------------------------------------ */

static void check(struct gw *g, struct gw_link *l)
{
    uint64_t keepalive = g->cfg.broker_keepalive_s * 1000ull;
    bool open = l->state == GW_LINK_READY || l->state == GW_LINK_GREETING;
    gw_turns_unblock(g, l);
    if (open && keepalive && g->now_ms - l->heard_ms >= keepalive + keepalive / 2) {
        l->close = true; /* silent for too long: its loss is handled when it is closed */
        wish(g, l);
    } else if (l->state == GW_LINK_READY && keepalive && g->now_ms - l->sent_ms >= keepalive / 2) {
        gw_link_put(g, l, &(struct mqtt_packet){.type = MQTT_PINGREQ});
    }
}

static void retry(struct gw *g, struct gw_link *l)
{
    if (l->state != GW_LINK_IDLE || l->client != GW_NONE || l->fd >= 0 || g->now_ms < l->retry_ms)
        return;
    l->state = GW_LINK_OPENING;
    l->open = true;
    wish(g, l);
}

void gw_links_tick(struct gw *g)
{
    for (unsigned i = 0; i < g->shared_count; i++)
        retry(g, g->shared[i]);
    if (g->now_ms - g->links_at_ms < CHECK_MS)
        return;
    g->links_at_ms = g->now_ms;
    for (struct gw_link *l = g->links; l; l = l->next)
        check(g, l);
}
