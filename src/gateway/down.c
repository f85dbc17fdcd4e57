/* From the broker to clients: queues, REGISTER before an unknown topic, acknowledgements,
 * repetition.
 *
 * One message at a time goes to a client (c->flying: the first of its queue, or a REGISTER for it),
 * in the order that they came. A message is one gw_msg, and a gw_delivery in each client's queue.
 *
 * When the broker hears of it. QoS 1: when each of its clients has acknowledged it or it is stored
 * for those that have not, which happens after cfg.settle_ms at the latest; until then a gateway
 * that dies gets it again. QoS 2: at once, because it is stored for its clients at once. Of clean
 * sessions only those are stored for that outlive the gateway (client.c).
 *
 * An address that has not proven itself gets no QoS 0: a REGISTER with random ids goes first, whose
 * answer proves it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

/* ---- Messages and deliveries ----------------------------------------------------------------- */

static size_t weight(const struct gw_msg *m)
{
    return m->len + m->topic->len;
}

static void settled(struct gw *g, struct gw_msg *m)
{
    if (!m->link)
        return;
    if (m->qos == 1)
        gw_link_put(g, m->link, &(struct mqtt_packet){.type = MQTT_PUBACK, .id = m->packet_id});
    m->link = NULL;
    if (m->prev)
        m->prev->next = m->next;
    else if (g->oldest == m)
        g->oldest = m->next;
    if (m->next)
        m->next->prev = m->prev;
    else if (g->newest == m)
        g->newest = m->prev;
    m->next = m->prev = NULL;
}

static void unhold(struct gw *g, struct gw_delivery *d)
{
    if (!d->held)
        return;
    d->held = false;
    if (--d->msg->held == 0 && !d->msg->busy)
        settled(g, d->msg);
}

static void free_msg(struct gw *g, struct gw_msg *m)
{
    settled(g, m);
    if (m->row && g->store.message_drop)
        g->store.message_drop(g->store.ctx, m->row);
    gw_name_drop(g, m->topic);
    free(m);
}

static void store_delivery(struct gw *g, struct gw_client *c, struct gw_delivery *d)
{
    struct gw_msg *m = d->msg;
    if (!g->store.delivery_put || !c->row)
        return;
    if (!m->row)
        m->row = g->store.message_put(g->store.ctx, (struct gw_text){m->topic->text, m->topic->len},
                                      (struct gw_text){m->data, m->len}, m->retain);
    if (!d->row)
        g->figures.stored++;
    d->row = g->store.delivery_put(
        g->store.ctx,
        &(struct gw_stored_delivery){d->row, c->row, m->row, d->msg_id, d->qos, d->state});
    unhold(g, d);
}

static struct gw_delivery *add(struct gw *g, struct gw_client *c, struct gw_msg *m, uint8_t qos)
{
    struct gw_delivery *d = gw_alloc(sizeof *d);
    d->msg = m;
    d->client = c->index;
    d->qos = qos;
    d->peer = m->deliveries;
    if (d->peer)
        d->peer->peer_before = d;
    m->deliveries = d;
    if (c->last)
        c->last->next = d;
    else
        c->first = d;
    c->last = d;
    c->queued++;
    c->queued_bytes += (uint32_t)weight(m);
    g->figures.waiting++;
    g->figures.waiting_bytes += weight(m);
    return d;
}

/* The first of the client's queue: delivered, or given up. */
static void remove_first(struct gw *g, struct gw_client *c)
{
    struct gw_delivery *d = c->first;
    struct gw_msg *m = d->msg;
    c->first = d->next;
    if (!c->first)
        c->last = NULL;
    c->queued--;
    c->queued_bytes -= (uint32_t)weight(m);
    c->flying = false;
    g->figures.waiting--;
    g->figures.waiting_bytes -= weight(m);
    if (d->row && g->store.delivery_drop)
        g->store.delivery_drop(g->store.ctx, d->row);
    unhold(g, d);
    if (d->peer_before)
        d->peer_before->peer = d->peer;
    else
        m->deliveries = d->peer;
    if (d->peer)
        d->peer->peer_before = d->peer_before;
    free(d);
    if (!m->deliveries && !m->busy)
        free_msg(g, m);
}

void gw_queue_clear(struct gw *g, struct gw_client *c)
{
    while (c->first)
        remove_first(g, c);
}

void gw_queue_store(struct gw *g, struct gw_client *c)
{
    if (gw_client_durable(c) && !c->row)
        gw_client_save(g, c);
    for (struct gw_delivery *d = c->first; d && gw_client_durable(c); d = d->next)
        if (!d->row)
            store_delivery(g, c, d);
}

void gw_queue_restore(struct gw *g, struct gw_client *c, struct gw_msg *m,
                      const struct gw_stored_delivery *s)
{
    struct gw_delivery *d = add(g, c, m, s->qos);
    d->row = s->row;
    d->msg_id = s->msg_id;
    d->again = s->state == GW_SENT;
    d->state = s->state == GW_SENT ? GW_QUEUED : s->state;
}

void gw_msg_unused(struct gw *g, struct gw_msg *m)
{
    if (!m->deliveries)
        free_msg(g, m);
}

void gw_queue_rewind(struct gw *g, struct gw_client *c)
{
    (void)g;
    if (c->flying && c->first && c->first->state == GW_SENT) {
        c->first->state = GW_QUEUED;
        c->first->again = true;
    }
    c->flying = false;
    c->reg_msg = 0;
    c->tries = 0;
}

void gw_settle(struct gw *g)
{
    while (g->oldest && g->now_ms - g->oldest->came_ms >= g->cfg.settle_ms) {
        struct gw_msg *m = g->oldest;
        m->busy = true;
        for (struct gw_delivery *d = m->deliveries; d; d = d->peer) {
            struct gw_client *c = g->clients[d->client];
            if (d->held && gw_client_durable(c))
                store_delivery(g, c, d);
            unhold(g, d);
        }
        m->busy = false;
        settled(g, m);
    }
}

void gw_link_unsettled(struct gw *g, struct gw_link *l)
{
    for (struct gw_msg *m = g->oldest, *next; m; m = next) {
        next = m->next;
        if (m->link != l)
            continue;
        m->qos = 0; /* the broker will send it again; there is nobody to tell */
        settled(g, m);
    }
}

/* ---- Sending --------------------------------------------------------------------------------- */

enum way { WAY_READY, WAY_REGISTER, WAY_NONE };

/* How the topic is named to this client. */
static enum way topic_way(struct gw *g, struct gw_client *c, struct gw_name *name,
                          struct sm_mqttsn_packet *p)
{
    if (name->len == 2) {
        p->topic_type = SM_MQTTSN_TOPIC_SHORT;
        p->topic_id = (uint16_t)(name->text[0] << 8 | name->text[1]);
        return WAY_READY;
    }
    for (size_t i = 0; i < g->cfg.predefined_count; i++) {
        const struct gw_predefined *d = &g->cfg.predefined[i];
        if (strlen(d->topic) == name->len && !memcmp(d->topic, name->text, name->len)) {
            p->topic_type = SM_MQTTSN_TOPIC_PREDEFINED;
            p->topic_id = d->id;
            return WAY_READY;
        }
    }
    struct gw_topic *t = gw_topic_by_name(c, name);
    if (!t)
        t = gw_topic_add(g, c, name, gw_topic_free_id(g, c));
    if (!t)
        return WAY_NONE;
    p->topic_id = t->id;
    return t->known ? WAY_READY : WAY_REGISTER;
}

static bool send_register(struct gw *g, struct gw_client *c, const uint8_t *name, size_t len,
                          uint16_t id)
{
    uint16_t msg_id = gw_random16(g);
    if (!gw_send(g, c,
                 &(struct sm_mqttsn_packet){.type = SM_MQTTSN_REGISTER,
                                            .topic_id = id,
                                            .msg_id = msg_id,
                                            .data = name,
                                            .len = (uint16_t)len}))
        return false;
    c->reg_msg = msg_id;
    c->reg_topic = id;
    c->sent_ms = g->now_ms;
    gw_client_due(g, c, g->now_ms + g->cfg.retry_ms);
    return true;
}

/* Something that only the address's owner can answer: the topic that goes to it anyway, or when
 * that is too long for what it may be sent, a name of one character. */
static void prove(struct gw *g, struct gw_client *c, const struct gw_name *name, uint16_t id)
{
    if (!id || !send_register(g, c, name->text, name->len, id))
        send_register(g, c, (const uint8_t *)"$", 1, gw_topic_free_id(g, c));
}

static bool send_publish(struct gw *g, struct gw_client *c, struct gw_delivery *d,
                         struct sm_mqttsn_packet *p)
{
    if (d->qos && !d->msg_id)
        d->msg_id = gw_random16(g);
    p->type = SM_MQTTSN_PUBLISH;
    p->qos = (int8_t)d->qos;
    p->dup = d->again;
    p->retain = d->msg->retain;
    p->msg_id = d->msg_id;
    p->data = d->msg->data;
    p->len = (uint16_t)d->msg->len;
    return gw_send(g, c, p);
}

static void fly(struct gw *g, struct gw_client *c)
{
    c->flying = true;
    c->sent_ms = g->now_ms;
    gw_client_due(g, c, g->now_ms + g->cfg.retry_ms);
}

/* A client that takes and takes and says nothing is asked whether it is there. */
static bool must_ask(struct gw *g, struct gw_client *c)
{
    if (c->silent < GW_SILENT)
        return false;
    if (gw_send_simple(g, c, SM_MQTTSN_PINGREQ, 0))
        c->asked = true;
    return true;
}

static void drop_first(struct gw *g, struct gw_client *c)
{
    g->figures.dropped++;
    remove_first(g, c);
}

/* One step for the first of the queue; whether another may follow at once. */
static bool step(struct gw *g, struct gw_client *c)
{
    struct gw_delivery *d = c->first;
    struct sm_mqttsn_packet p = {0};
    if (d->state == GW_RELEASED) {
        if (gw_send_simple(g, c, SM_MQTTSN_PUBREL, d->msg_id))
            fly(g, c);
        return false;
    }
    if (d->msg->len + 9 > g->cfg.max_datagram || must_ask(g, c)) {
        if (c->asked)
            return false;
        drop_first(g, c);
        return true;
    }
    enum way way = topic_way(g, c, d->msg->topic, &p);
    bool long_name = d->msg->topic->len + 9u > g->cfg.max_datagram;
    if (way == WAY_NONE || (way == WAY_REGISTER && long_name)) {
        drop_first(g, c);
        return true;
    }
    if (way == WAY_REGISTER || (!c->proven && d->qos == 0)) {
        prove(g, c, d->msg->topic, p.topic_type == SM_MQTTSN_TOPIC_NORMAL ? p.topic_id : 0);
        return false;
    }
    if (!send_publish(g, c, d, &p)) {
        prove(g, c, d->msg->topic, 0);
        return false;
    }
    if (!d->qos) {
        g->figures.delivered_qos0++;
        remove_first(g, c);
        return true;
    }
    d->state = GW_SENT;
    if (d->row)
        store_delivery(g, c, d);
    fly(g, c);
    return false;
}

void gw_pump(struct gw *g, struct gw_client *c)
{
    while (gw_client_reachable(c) && !c->flying && !c->reg_msg && c->first)
        if (!step(g, c))
            return;
    if (c->state == GW_AWAKE && !c->first && !c->reg_msg) {
        gw_send_simple(g, c, SM_MQTTSN_PINGRESP, 0);
        gw_client_state(g, c, GW_ASLEEP);
    }
}

/* ---- From the broker ------------------------------------------------------------------------- */

struct incoming {
    struct gw_link *link;
    const struct mqtt_packet *p;
    struct gw_name *name; /* NULL: no client ever heard of this topic */
    struct gw_msg *msg;   /* made for the first that needs it */
    bool stored_for;      /* somebody whose session outlives the gateway */
};

static struct gw_msg *msg_of(struct gw *g, struct incoming *in)
{
    const struct mqtt_packet *p = in->p;
    if (in->msg)
        return in->msg;
    struct gw_msg *m = gw_alloc(sizeof *m + p->len);
    m->topic = gw_name(g, p->topic, p->topic_len);
    m->came_ms = g->now_ms;
    m->packet_id = p->id;
    m->qos = p->qos;
    m->retain = p->retain;
    m->len = p->len;
    m->busy = true;
    memcpy(m->data, p->data, p->len);
    if (p->qos == 1) {
        m->link = in->link;
        m->prev = g->newest;
        if (g->newest)
            g->newest->next = m;
        else
            g->oldest = m;
        g->newest = m;
    }
    in->msg = m;
    return m;
}

/* Nothing waits and nothing needs to: most of QoS 0, without a copy. */
static bool send_at_once(struct gw *g, struct gw_client *c, const struct incoming *in)
{
    struct sm_mqttsn_packet p = {0};
    if (c->first || c->reg_msg || !c->proven || !in->name || c->silent >= GW_SILENT ||
        c->state != GW_ACTIVE || c->asked || in->p->len + 9 > g->cfg.max_datagram ||
        topic_way(g, c, in->name, &p) != WAY_READY)
        return false;
    p.type = SM_MQTTSN_PUBLISH;
    p.retain = in->p->retain;
    p.data = in->p->data;
    p.len = (uint16_t)in->p->len;
    gw_send(g, c, &p);
    g->figures.delivered_qos0++;
    return true;
}

static bool full(const struct gw *g, const struct gw_client *c, const struct mqtt_packet *p)
{
    return c->queued >= g->cfg.buffer_messages ||
           c->queued_bytes + p->len + p->topic_len > g->cfg.buffer_bytes;
}

static void deliver(struct gw *g, struct gw_client *c, struct incoming *in, uint8_t qos)
{
    bool there = c->state == GW_ACTIVE || c->state == GW_AWAKE;
    qos = qos < in->p->qos ? qos : in->p->qos;
    if (!qos && send_at_once(g, c, in))
        return;
    if (!there && c->state != GW_ASLEEP && (!gw_client_durable(c) || !qos))
        return;
    if (full(g, c, in->p) || in->p->len > UINT16_MAX) {
        g->figures.dropped++;
        return;
    }
    struct gw_msg *m = msg_of(g, in);
    struct gw_delivery *d = add(g, c, m, qos);
    if (qos && m->link) {
        d->held = true;
        m->held++;
    }
    if (gw_client_durable(c) && (!there || m->qos == 2)) {
        in->stored_for = true;
        if (!c->row)
            gw_client_save(g, c);
        store_delivery(g, c, d);
    }
    if (there)
        gw_pump(g, c);
}

static uint8_t granted(const struct gw_client *c, const struct gw_filter *f)
{
    for (unsigned i = 0; i < c->nsubs; i++)
        if (c->subs[i].filter == f)
            return c->subs[i].qos;
    return 0;
}

/* A retained message is for those who have just subscribed. */
static void to_subscribers(struct gw *g, struct gw_filter *f, void *ctx)
{
    struct incoming *in = ctx;
    if (!in->p->retain) {
        for (uint32_t i = f->count; i-- > 0;) {
            struct gw_client *c = g->clients[f->subscribers[i]];
            deliver(g, c, in, granted(c, f));
        }
        return;
    }
    uint32_t hash = gw_hash(g->seed, in->p->topic, in->p->topic_len);
    gw_fresh_expire(g, f);
    for (struct gw_fresh *n = f->fresh; n; n = n->next)
        if (gw_fresh_takes(g, n, hash))
            deliver(g, g->clients[n->client], in, granted(g->clients[n->client], f));
}

/* What the store calls a link: a shared one by its number, an own one by its client's row. */
static int64_t stored_number(const struct gw *g, const struct gw_link *l)
{
    return l->client == GW_NONE ? l->number : GW_OWN_LINK + g->clients[l->client]->row;
}

void gw_on_message(struct gw *g, struct gw_link *l, const struct mqtt_packet *p)
{
    struct incoming in = {.link = l, .p = p, .name = gw_name_find(g, p->topic, p->topic_len)};
    struct gw_client *own = l->client == GW_NONE ? NULL : g->clients[l->client];
    if (!sm_mqttsn_name_valid(p->topic, p->topic_len))
        return;
    if (p->qos == 2 && gw_link_has_received(l, p->id)) {
        gw_link_put(g, l, &(struct mqtt_packet){.type = MQTT_PUBREC, .id = p->id});
        return;
    }
    if (own)
        deliver(g, own, &in, 2);
    else
        gw_filters_matching(g, l, p->topic, p->topic_len, to_subscribers, &in);
    if (p->qos == 2) {
        gw_link_received(l, p->id, true);
        if (in.stored_for && g->store.received_put)
            g->store.received_put(g->store.ctx, stored_number(g, l), p->id);
        gw_link_put(g, l, &(struct mqtt_packet){.type = MQTT_PUBREC, .id = p->id});
    } else if (p->qos == 1 && !in.msg) {
        gw_link_put(g, l, &(struct mqtt_packet){.type = MQTT_PUBACK, .id = p->id});
    }
    if (!in.msg)
        return;
    in.msg->busy = false;
    if (!in.msg->held)
        settled(g, in.msg);
    if (!in.msg->deliveries)
        free_msg(g, in.msg);
}

void gw_on_released(struct gw *g, struct gw_link *l, uint16_t packet_id)
{
    if (gw_link_has_received(l, packet_id)) {
        gw_link_received(l, packet_id, false);
        if (g->store.received_drop)
            g->store.received_drop(g->store.ctx, stored_number(g, l), packet_id);
    }
    gw_link_put(g, l, &(struct mqtt_packet){.type = MQTT_PUBCOMP, .id = packet_id});
}

/* ---- From the client ------------------------------------------------------------------------- */

void gw_on_regack(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p)
{
    if (!c->reg_msg || p->msg_id != c->reg_msg || p->topic_id != c->reg_topic) {
        g->figures.unexpected++;
        return;
    }
    struct gw_topic *t = gw_topic_by_id(c, c->reg_topic);
    c->reg_msg = 0;
    c->tries = 0;
    gw_client_proven(g, c);
    if (t && p->code == SM_MQTTSN_ACCEPTED)
        t->known = true;
    else if (t && !t->known && c->first && c->first->msg->topic == t->name)
        drop_first(g, c); /* it does not want this topic */
    gw_pump(g, c);
}

/* The delivery that an acknowledgement is for: the first one, whether it flies or waits to be sent
 * once more. After a restart or a sleep, what was sent before is still on its way. */
static struct gw_delivery *acknowledged(struct gw_client *c, uint16_t msg_id)
{
    struct gw_delivery *d = c->first;
    return d && d->msg_id == msg_id && msg_id && (c->flying || d->again || d->state == GW_RELEASED)
               ? d
               : NULL;
}

static void delivered(struct gw *g, struct gw_client *c)
{
    if (c->first->qos == 1)
        g->figures.delivered_qos1++;
    else
        g->figures.delivered_qos2++;
    c->tries = 0;
    remove_first(g, c);
    gw_pump(g, c);
}

/* The id of a PUBLISH that it could not place: told anew before the next one. */
static void unknown_topic(struct gw *g, struct gw_client *c, uint16_t id)
{
    struct gw_topic *t = gw_topic_by_id(c, id);
    if (t)
        t->known = false;
    if (!c->flying || c->first->state != GW_SENT)
        return;
    c->first->state = GW_QUEUED;
    c->flying = false;
    if (++c->tries > g->cfg.retries) {
        c->tries = 0;
        drop_first(g, c);
    }
    gw_pump(g, c);
}

void gw_on_puback(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p)
{
    struct gw_delivery *d = acknowledged(c, p->msg_id);
    bool fits = d && d->state != GW_RELEASED;
    if (fits)
        gw_client_proven(g, c);
    if (p->code == SM_MQTTSN_INVALID_TOPIC && (fits || !p->msg_id))
        unknown_topic(g, c, p->topic_id);
    else if (!fits || (d->qos != 1 && p->code == SM_MQTTSN_ACCEPTED))
        g->figures.unexpected++;
    else if (p->code == SM_MQTTSN_ACCEPTED)
        delivered(g, c);
    else if (p->code != SM_MQTTSN_CONGESTION) { /* that one is sent again later */
        drop_first(g, c);
        gw_pump(g, c);
    }
}

void gw_on_pubrec(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p)
{
    struct gw_delivery *d = acknowledged(c, p->msg_id);
    if (d && d->qos == 2) {
        gw_client_proven(g, c);
        if (d->state != GW_RELEASED) {
            d->state = GW_RELEASED;
            if (d->row)
                store_delivery(g, c, d);
        }
        c->tries = 0;
        fly(g, c);
    }
    gw_send_simple(g, c, SM_MQTTSN_PUBREL, p->msg_id);
}

void gw_on_pubcomp(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p)
{
    struct gw_delivery *d = acknowledged(c, p->msg_id);
    if (d && d->state == GW_RELEASED)
        delivered(g, c);
}

void gw_resend(struct gw *g, struct gw_client *c)
{
    struct gw_delivery *d = c->first;
    struct sm_mqttsn_packet p = {0};
    if (++c->tries > g->cfg.retries) {
        bool awake = c->state == GW_AWAKE;
        gw_queue_rewind(g, c);
        if (awake)
            gw_client_state(g, c, GW_ASLEEP);
        else
            gw_client_lost(g, c);
        return;
    }
    g->figures.retransmitted++;
    c->sent_ms = g->now_ms;
    if (c->reg_msg) {
        c->reg_msg = 0;
        gw_pump(g, c);
    } else if (d->state == GW_RELEASED) {
        gw_send_simple(g, c, SM_MQTTSN_PUBREL, d->msg_id);
    } else if (topic_way(g, c, d->msg->topic, &p) == WAY_READY) {
        d->again = true;
        send_publish(g, c, d, &p);
    }
}
