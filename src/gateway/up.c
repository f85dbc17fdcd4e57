/* From clients to the broker: topic ids, and messages with their acknowledgements.
 *
 * Nothing is acknowledged to a client before the broker has acknowledged it. QoS 1 is kept in the
 * link's table alone: after a loss the client sends it again, which at-least-once allows.
 *
 * QoS 2 is exactly once over losses of either connection and restarts of the gateway, so whoever
 * publishes with it has a session that is kept. What is under way stands in c->flows and in the
 * store, committed before anything of the round leaves; m is the client's id, p the one on the link
 * to the broker:
 *
 *  - PUBLISH(m), new: a packet id p; SENT is stored; PUBLISH(p).
 *  - PUBLISH(m), known: SENT and the connection is another one, PUBLISH(p) again, marked as a
 *    duplicate; HELD or DONE, PUBREC(m).
 *  - PUBREC(p): HELD is stored; PUBREL(p) to the broker, PUBREC(m) to the client.
 *  - PUBREL(m) and PUBCOMP(p), whichever comes first: DONE with the other one, and then PUBCOMP(m).
 *    Before the broker's PUBCOMP it may not have our PUBREL, and would keep the message for itself
 *    if this gateway never came back.
 *
 * With SENT after a restart, the broker knows p or has never heard of it, and PUBLISH(p) is right
 * for both. With HELD, PUBREL(p) is.
 *
 * PUBREL does not wait for the client's, because the broker takes only so many messages at once
 * (cfg.qos2_window), and clients that vanish in the middle would use them up. What is more waits
 * for its turn; nothing of that is stored, for the client has heard nothing of it.
 *
 * Datagrams come late and twice: a message that is DONE and comes again within cfg.duplicate_ms,
 * same id and same content, is the same message.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

/* ---- Topics ---------------------------------------------------------------------------------- */

/* Sorted by id. The place of an id, or where it would be. */
static unsigned place_of(const struct gw_client *c, uint16_t id)
{
    unsigned low = 0, high = c->ntopics;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (c->topics[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct gw_topic *gw_topic_by_id(struct gw_client *c, uint16_t id)
{
    unsigned i = place_of(c, id);
    return i < c->ntopics && c->topics[i].id == id ? &c->topics[i] : NULL;
}

struct gw_topic *gw_topic_by_name(struct gw_client *c, const struct gw_name *name)
{
    for (unsigned i = 0; name && i < c->ntopics; i++)
        if (c->topics[i].name == name)
            return &c->topics[i];
    return NULL;
}

/* At random: who speaks in another's name does not know the ids that it got. */
uint16_t gw_topic_free_id(struct gw *g, struct gw_client *c)
{
    uint16_t id;
    do
        id = gw_random16(g);
    while (gw_topic_by_id(c, id) || gw_predefined(g, id));
    return id;
}

struct gw_topic *gw_topic_add(struct gw *g, struct gw_client *c, struct gw_name *name, uint16_t id)
{
    unsigned i = place_of(c, id);
    if (c->ntopics >= g->cfg.max_topics)
        return NULL;
    if (c->ntopics == c->topics_room) {
        c->topics_room = c->topics_room ? 2 * c->topics_room : 1;
        c->topics = gw_resize(c->topics, c->topics_room * sizeof *c->topics);
    }
    memmove(&c->topics[i + 1], &c->topics[i], (c->ntopics - i) * sizeof *c->topics);
    c->ntopics++;
    c->topics[i] = (struct gw_topic){
        .name = gw_name_ref(name), .id = id, .publish = gw_may_publish(c, name->text, name->len)};
    if (c->row && g->store.topic_put)
        g->store.topic_put(g->store.ctx, c->row, id, (struct gw_text){name->text, name->len});
    return &c->topics[i];
}

const char *gw_predefined(const struct gw *g, uint16_t id)
{
    for (size_t i = 0; i < g->cfg.predefined_count; i++)
        if (g->cfg.predefined[i].id == id)
            return g->cfg.predefined[i].topic;
    return NULL;
}

/* 0 and *id, or a return code. */
static uint8_t register_topic(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p,
                              uint16_t *id)
{
    if (!sm_mqttsn_name_valid(p->data, p->len))
        return SM_MQTTSN_NOT_SUPPORTED;
    if (!gw_may_publish(c, p->data, p->len)) {
        g->figures.denied++;
        return SM_MQTTSN_NOT_SUPPORTED;
    }
    struct gw_name *name = gw_name(g, p->data, p->len);
    struct gw_topic *t = gw_topic_by_name(c, name);
    if (!t)
        t = gw_topic_add(g, c, name, gw_topic_free_id(g, c));
    gw_name_drop(g, name);
    if (!t)
        return SM_MQTTSN_CONGESTION;
    t->known = true;
    *id = t->id;
    return SM_MQTTSN_ACCEPTED;
}

void gw_on_register(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p)
{
    struct sm_mqttsn_packet answer = {.type = SM_MQTTSN_REGACK, .msg_id = p->msg_id};
    if (!gw_client_token(g, c))
        return;
    answer.code = register_topic(g, c, p, &answer.topic_id);
    gw_send(g, c, &answer);
}

/* ---- QoS 2 ----------------------------------------------------------------------------------- */

static struct gw_flow *flow_of(const struct gw_client *c, uint16_t msg_id)
{
    for (unsigned i = 0; c->flows && i < GW_FLOWS; i++)
        if (c->flows->flow[i].phase != GW_FLOW_FREE && c->flows->flow[i].msg_id == msg_id)
            return &c->flows->flow[i];
    return NULL;
}

/* The next place that nothing SENT is in. One that is HELD is given up: its message is published,
 * and its client is four messages further. */
static struct gw_flow *flow_place(struct gw_client *c)
{
    if (!c->flows)
        c->flows = gw_alloc(sizeof *c->flows);
    for (unsigned i = 0; i < GW_FLOWS; i++) {
        struct gw_flow *f = &c->flows->flow[c->flows->next++ % GW_FLOWS];
        if (f->phase != GW_FLOW_SENT)
            return f;
    }
    return NULL;
}

void gw_flow_save(struct gw *g, struct gw_client *c, struct gw_flow *f)
{
    if (!c->row || !g->store.flow_put)
        return;
    g->store.flow_put(g->store.ctx,
                      &(struct gw_stored_flow){c->row, (uint8_t)(f - c->flows->flow), f->phase,
                                               f->msg_id, f->packet_id, f->hash});
}

/* No client will send it again, but the broker may hold it: then its packet id is taken, and with
 * twenty such Mosquitto would hold back all that comes. So it is released, by the next gateway at
 * the latest. */
static void abandon(struct gw *g, struct gw_link *l, struct gw_pending *w, bool stored)
{
    w->client = GW_NONE;
    if (stored && g->store.flow_put)
        g->store.flow_put(g->store.ctx, &(struct gw_stored_flow){.phase = GW_FLOW_HELD,
                                                                 .packet_id = w->packet_id});
    if (w->kind == GW_REL || !w->stale)
        return;
    w->kind = GW_REL;
    gw_link_put(g, l, &(struct mqtt_packet){.type = MQTT_PUBREL, .id = w->packet_id});
}

void gw_flows_release(struct gw *g, struct gw_client *c)
{
    struct gw_link *l = gw_link_of(g, c);
    for (unsigned i = 0; c->flows && i < GW_FLOWS; i++) {
        struct gw_flow *f = &c->flows->flow[i];
        struct gw_pending *w = f->phase == GW_FLOW_SENT ? gw_link_find(l, f->packet_id) : NULL;
        if (!w || w->kind != GW_PUB2 || !w->stale)
            continue;
        f->phase = GW_FLOW_FREE;
        gw_flow_save(g, c, f);
        abandon(g, l, w, c->row && !c->link);
    }
}

void gw_flows_clear(struct gw *g, struct gw_client *c)
{
    struct gw_link *l = gw_link_of(g, c);
    if (c->turns)
        gw_turns_drop(g, l, c);
    for (unsigned i = 0; c->flows && i < GW_FLOWS; i++) {
        struct gw_flow *f = &c->flows->flow[i];
        struct gw_pending *w = f->phase == GW_FLOW_FREE ? NULL : gw_link_find(l, f->packet_id);
        if (w && (w->kind == GW_PUB2 || w->kind == GW_REL) && gw_pending_client(g, w) == c)
            abandon(g, l, w, c->row && !c->link);
    }
    free(c->flows);
    c->flows = NULL;
}

/* ---- Messages -------------------------------------------------------------------------------- */

/* What is published: the topic's name and the rest of the packet. */
struct up {
    const struct sm_mqttsn_packet *p;
    const uint8_t *topic;
    size_t len;
};

static void put(struct gw *g, struct gw_link *l, const struct up *u, uint16_t packet_id, bool dup)
{
    gw_link_put(g, l,
                &(struct mqtt_packet){.type = MQTT_PUBLISH,
                                      .qos = (uint8_t)(u->p->qos < 0 ? 0 : u->p->qos),
                                      .dup = dup,
                                      .retain = u->p->retain,
                                      .id = packet_id,
                                      .topic = u->topic,
                                      .topic_len = (uint16_t)u->len,
                                      .data = u->p->data,
                                      .len = u->p->len});
}

static void answer(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p,
                   uint8_t code)
{
    gw_send(
        g, c,
        &(struct sm_mqttsn_packet){
            .type = SM_MQTTSN_PUBACK, .topic_id = p->topic_id, .msg_id = p->msg_id, .code = code});
}

static void publish_once(struct gw *g, struct gw_client *c, struct gw_link *l, const struct up *u)
{
    struct gw_pending *w = c->up_msg == u->p->msg_id ? gw_link_find(l, c->up_packet) : NULL;
    if (w && w->kind == GW_PUB1 && gw_pending_client(g, w) == c) {
        g->figures.duplicates++; /* the broker's answer will be its answer */
        return;
    }
    w = gw_link_wait(g, l, c, GW_PUB1);
    if (!w) {
        g->figures.unsent++;
        return;
    }
    w->msg_id = c->up_msg = u->p->msg_id;
    w->topic_id = u->p->topic_id;
    c->up_packet = w->packet_id;
    g->figures.published_qos1++;
    put(g, l, u, w->packet_id, false);
}

/* A QoS 2 message that is known already. False: it is not the same one. */
static bool known_flow(struct gw *g, struct gw_client *c, struct gw_link *l, const struct up *u,
                       struct gw_flow *f, uint32_t hash)
{
    struct gw_pending *w;
    if (f->hash != hash ||
        (f->phase == GW_FLOW_DONE && g->now_ms - f->done_ms > g->cfg.duplicate_ms))
        return false;
    g->figures.duplicates++;
    if (f->phase == GW_FLOW_SENT) {
        w = gw_link_find(l, f->packet_id);
        if (w && w->kind == GW_PUB2 && w->stale) {
            w->stale = false;
            put(g, l, u, w->packet_id, true);
        }
        return w != NULL;
    }
    gw_send_simple(g, c, SM_MQTTSN_PUBREC, u->p->msg_id);
    return true;
}

/* ---- Turns ----------------------------------------------------------------------------------- */

static struct gw_turn *turn_of(struct gw_link *l, const struct gw_client *c, uint16_t msg_id)
{
    struct gw_turn *t = c->turns ? l->turns : NULL;
    while (t && (t->client != c->index || t->serial != c->serial || t->msg_id != msg_id))
        t = t->next;
    return t;
}

static void wait_for_turn(struct gw *g, struct gw_client *c, struct gw_link *l, const struct up *u)
{
    if (turn_of(l, c, u->p->msg_id)) {
        g->figures.duplicates++;
        return;
    }
    if (c->turns == GW_FLOWS || l->turn_count == GW_TURNS ||
        l->turn_bytes + u->p->len > g->cfg.max_pending) {
        g->figures.unsent++;
        return;
    }
    struct gw_turn *t = gw_alloc(sizeof *t + u->p->len);
    *t = (struct gw_turn){.topic = gw_name(g, u->topic, u->len),
                          .client = c->index,
                          .serial = c->serial,
                          .msg_id = u->p->msg_id,
                          .len = u->p->len,
                          .retain = u->p->retain};
    if (t->len)
        memcpy(t->data, u->p->data, t->len);
    if (l->turns)
        l->last_turn->next = t;
    else
        l->turns = t;
    l->last_turn = t;
    l->turn_count++;
    l->turn_bytes += t->len;
    c->turns++;
}

static struct gw_client *turn_client(struct gw *g, const struct gw_turn *t)
{
    struct gw_client *c = g->clients[t->client];
    return c && c->serial == t->serial ? c : NULL;
}

static void free_turn(struct gw *g, struct gw_link *l, struct gw_turn *t)
{
    struct gw_client *c = turn_client(g, t);
    if (c)
        c->turns--;
    l->turn_count--;
    l->turn_bytes -= t->len;
    gw_name_drop(g, t->topic);
    free(t);
}

void gw_turns_drop(struct gw *g, struct gw_link *l, struct gw_client *c)
{
    struct gw_turn **at = &l->turns, *t;
    l->last_turn = NULL;
    while ((t = *at)) {
        if (c && turn_client(g, t) != c) {
            l->last_turn = t;
            at = &t->next;
            continue;
        }
        *at = t->next;
        free_turn(g, l, t);
    }
}

static void publish_exactly_once(struct gw *g, struct gw_client *c, struct gw_link *l,
                                 const struct up *u)
{
    uint32_t hash = gw_hash(gw_hash(1, u->topic, u->len), u->p->data, u->p->len);
    struct gw_flow *f = flow_of(c, u->p->msg_id);
    if (f && known_flow(g, c, l, u, f, hash))
        return;
    if (l->turns || l->qos2 >= g->cfg.qos2_window) {
        wait_for_turn(g, c, l, u);
        return;
    }
    struct gw_pending *w = gw_link_wait(g, l, c, GW_PUB2);
    if (!w) {
        g->figures.unsent++;
        return;
    }
    if (!f || f->phase == GW_FLOW_SENT)
        f = flow_place(c);
    if (!f) {
        gw_link_forget(g, l, w);
        answer(g, c, u->p, SM_MQTTSN_CONGESTION);
        return;
    }
    gw_client_keep(g, c);
    w->msg_id = u->p->msg_id;
    *f = (struct gw_flow){
        .hash = hash, .msg_id = u->p->msg_id, .packet_id = w->packet_id, .phase = GW_FLOW_SENT};
    gw_flow_save(g, c, f);
    g->figures.published_qos2++;
    put(g, l, u, w->packet_id, false);
}

/* Clients have had the time to send everything again since the connection is back. */
void gw_turns_unblock(struct gw *g, struct gw_link *l)
{
    uint64_t patience = (uint64_t)g->cfg.retry_ms * (g->cfg.retries + 1);
    if (!l->turns || !gw_link_ready(g, l) || g->now_ms - l->since_ms < patience)
        return;
    for (uint32_t i = 0; i < l->room; i++) {
        struct gw_pending *w = &l->pending[i];
        struct gw_client *c = w->kind == GW_PUB2 && w->stale ? gw_pending_client(g, w) : NULL;
        if (c)
            gw_flows_release(g, c);
    }
}

/* The broker has let go of one. */
static void next_turns(struct gw *g, struct gw_link *l)
{
    while (l->turns && l->qos2 < g->cfg.qos2_window && gw_link_ready(g, l)) {
        struct gw_turn *t = l->turns, *waiting = t->next;
        struct sm_mqttsn_packet p = {
            .qos = 2, .retain = t->retain, .msg_id = t->msg_id, .data = t->data, .len = t->len};
        struct up u = {&p, t->topic->text, t->topic->len};
        struct gw_client *c = turn_client(g, t);
        l->turns = NULL; /* it is nobody's turn but this one's */
        if (c)
            publish_exactly_once(g, c, l, &u);
        l->turns = waiting;
        free_turn(g, l, t);
    }
}

/* The name that a PUBLISH means; false when it means none. */
static bool resolve(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p,
                    uint8_t name[2], struct up *u, bool *allowed)
{
    const char *predefined;
    u->p = p;
    if (p->topic_type == SM_MQTTSN_TOPIC_NORMAL) {
        struct gw_topic *t = gw_topic_by_id(c, p->topic_id);
        if (!t)
            return false;
        u->topic = t->name->text;
        u->len = t->name->len;
        *allowed = t->publish;
        return true;
    }
    if (p->topic_type == SM_MQTTSN_TOPIC_PREDEFINED) {
        predefined = gw_predefined(g, p->topic_id);
        if (!predefined)
            return false;
        u->topic = (const uint8_t *)predefined;
        u->len = strlen(predefined);
    } else {
        name[0] = (uint8_t)(p->topic_id >> 8);
        name[1] = (uint8_t)p->topic_id;
        u->topic = name;
        u->len = 2;
        if (!sm_mqttsn_name_valid(name, 2))
            return false;
    }
    *allowed = !c || gw_may_publish(c, u->topic, u->len);
    return true;
}

void gw_on_publish(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p)
{
    struct gw_link *l = gw_link_of(g, c);
    uint8_t name[2];
    bool allowed;
    struct up u;
    if (!gw_client_token(g, c)) {
        if (p->qos > 0)
            answer(g, c, p, SM_MQTTSN_CONGESTION);
        return;
    }
    if (!resolve(g, c, p, name, &u, &allowed)) {
        answer(g, c, p, SM_MQTTSN_INVALID_TOPIC);
    } else if (!allowed) {
        g->figures.denied++;
        answer(g, c, p, SM_MQTTSN_NOT_SUPPORTED);
    } else if (p->qos && !p->msg_id) {
        g->figures.unexpected++;
    } else if (!gw_link_ready(g, l)) {
        g->figures.unsent++; /* with QoS 1 and 2 the client comes again */
    } else if (p->qos == 0) {
        g->figures.published_qos0++;
        put(g, l, &u, 0, false);
    } else if (p->qos == 1) {
        publish_once(g, c, l, &u);
    } else {
        publish_exactly_once(g, c, l, &u);
    }
}

/* Only predefined ids: whoever may send to the port may publish there. */
void gw_on_publish_without(struct gw *g, const struct gw_addr *from,
                           const struct sm_mqttsn_packet *p)
{
    uint8_t name[2];
    bool allowed;
    struct up u;
    if (p->topic_type != SM_MQTTSN_TOPIC_PREDEFINED ||
        !gw_in_prefixes(&g->cfg.without_connection, from) ||
        !resolve(g, NULL, p, name, &u, &allowed)) {
        g->figures.denied++;
        return;
    }
    if (!gw_take_token(g, from))
        return;
    if (!gw_link_ready(g, g->shared[0])) {
        g->figures.unsent++;
        return;
    }
    g->figures.published_qos0++;
    put(g, g->shared[0], &u, 0, false);
}

static void done(struct gw *g, struct gw_client *c, struct gw_flow *f)
{
    f->phase = GW_FLOW_DONE;
    f->done_ms = g->now_ms;
    gw_send_simple(g, c, SM_MQTTSN_PUBCOMP, f->msg_id);
}

/* Whether the broker has yet to acknowledge the release of what it holds. */
static bool releasing(struct gw *g, struct gw_client *c, const struct gw_flow *f)
{
    const struct gw_pending *w = gw_link_find(gw_link_of(g, c), f->packet_id);
    return w && w->kind == GW_REL && w->msg_id == f->msg_id && gw_pending_client(g, w) == c;
}

void gw_on_pubrel(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p)
{
    struct gw_flow *f = flow_of(c, p->msg_id);
    if (f && f->phase == GW_FLOW_SENT)
        g->figures.unexpected++; /* it was not told that the broker has it */
    else if (f && f->phase == GW_FLOW_HELD && releasing(g, c, f))
        f->released = true;
    else if (f && f->phase == GW_FLOW_HELD)
        done(g, c, f);
    else
        gw_send_simple(g, c, SM_MQTTSN_PUBCOMP, p->msg_id);
}

/* ---- The broker's answers -------------------------------------------------------------------- */

static void on_held(struct gw *g, struct gw_link *l, struct gw_pending *w, struct gw_client *c)
{
    struct gw_flow *f = c ? flow_of(c, w->msg_id) : NULL;
    w->kind = GW_REL;
    gw_link_put(g, l, &(struct mqtt_packet){.type = MQTT_PUBREL, .id = w->packet_id});
    if (!f || f->phase != GW_FLOW_SENT || f->packet_id != w->packet_id)
        return;
    f->phase = GW_FLOW_HELD;
    gw_flow_save(g, c, f);
    if (c->state == GW_ACTIVE || c->state == GW_AWAKE || c->state == GW_ASLEEP)
        gw_send_simple(g, c, SM_MQTTSN_PUBREC, w->msg_id);
}

void gw_up_answer(struct gw *g, struct gw_link *l, struct gw_pending *w,
                  const struct mqtt_packet *p)
{
    struct gw_client *c = gw_pending_client(g, w);
    if (p->type == MQTT_PUBACK && w->kind == GW_PUB1) {
        if (c && c->up_packet == w->packet_id)
            c->up_msg = c->up_packet = 0;
        if (c && (c->state == GW_ACTIVE || c->state == GW_AWAKE || c->state == GW_ASLEEP))
            gw_send(g, c,
                    &(struct sm_mqttsn_packet){
                        .type = SM_MQTTSN_PUBACK, .topic_id = w->topic_id, .msg_id = w->msg_id});
        gw_link_forget(g, l, w);
    } else if (p->type == MQTT_PUBREC && w->kind == GW_PUB2) {
        on_held(g, l, w, c);
    } else if (p->type == MQTT_PUBREC && w->kind == GW_REL) {
        gw_link_put(g, l, &(struct mqtt_packet){.type = MQTT_PUBREL, .id = w->packet_id});
    } else if (p->type == MQTT_PUBCOMP && w->kind == GW_REL) {
        struct gw_flow *f = c ? flow_of(c, w->msg_id) : NULL;
        if (f && f->phase == GW_FLOW_HELD && f->packet_id == w->packet_id && f->released)
            done(g, c, f);
        if (w->client == GW_NONE && l->client == GW_NONE && g->store.flow_drop)
            g->store.flow_drop(g->store.ctx, w->packet_id);
        gw_link_forget(g, l, w);
        next_turns(g, l);
    }
}
