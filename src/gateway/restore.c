/* A gateway takes up where the one before it stopped: what the store has becomes sessions again.
 *
 * Clients whose connections were the gateway's go on as if nothing had happened. Those with a
 * connection of their own at the broker have lost it with the gateway, so they are disconnected and
 * told so when they next say something.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

static struct gw_client *by_row(struct gw *g, int64_t row)
{
    uint32_t low = 0, high = g->clients_used; /* they come in the order of their rows */
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (g->clients[middle]->row < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low < g->clients_used && g->clients[low]->row == row ? g->clients[low] : NULL;
}

static struct gw_link *shared(struct gw *g, unsigned number)
{
    if (number >= GW_LINKS_MAX)
        return NULL;
    while (g->shared_count <= number) {
        g->shared[g->shared_count] = gw_link_new(g, GW_NONE, (uint8_t)g->shared_count);
        g->shared_count++;
    }
    return g->shared[number];
}

int gw_restore_placed(struct gw *g, unsigned link, struct gw_text filter)
{
    struct gw_link *l = shared(g, link);
    if (!l || !sm_mqttsn_filter_valid(filter.bytes, filter.len) ||
        gw_filter_find(g, NULL, filter.bytes, filter.len))
        return SM_ERR_INVALID;
    struct gw_name *name = gw_name(g, filter.bytes, filter.len);
    struct gw_filter *f = gw_filter_place(g, l, name);
    gw_name_drop(g, name);
    return f ? 0 : SM_ERR_INVALID;
}

int gw_restore_received(struct gw *g, int64_t link, uint16_t packet_id)
{
    struct gw_client *c = link > GW_OWN_LINK ? by_row(g, link - GW_OWN_LINK) : NULL;
    struct gw_link *l = c ? c->link : link < GW_OWN_LINK ? shared(g, (unsigned)link) : NULL;
    if (!l || link < 0 || !packet_id)
        return SM_ERR_INVALID;
    gw_link_received(l, packet_id, true);
    return 0;
}

int gw_restore_client(struct gw *g, const struct gw_stored_client *s, uint64_t now_ms)
{
    size_t len = strlen(s->id);
    const struct gw_rule *rule = gw_rule_for(g, s->identity, s->id, len);
    g->now_ms = now_ms;
    if (!len || len > SM_MQTTSN_CLIENT_ID_MAX || !rule || s->row <= 0 || s->state > GW_LOST ||
        gw_client_by_id(g, s->id, len) ||
        (g->clients_used && g->clients[g->clients_used - 1]->row >= s->row))
        return SM_ERR_INVALID;
    struct gw_client *c = gw_client_new(g, &s->addr, s->id, len);
    c->row = s->row;
    c->rule = rule;
    c->clean = c->kept = s->clean;
    c->proven = s->proven;
    c->keepalive_s = s->keepalive_s;
    c->sleep_s = s->sleep_s;
    if (s->identity) {
        c->identity = gw_alloc(strlen(s->identity) + 1);
        strcpy(c->identity, s->identity);
    }
    enum gw_state state = s->state == GW_AWAKE ? GW_ASLEEP : (enum gw_state)s->state;
    if (s->own || s->identity || state == GW_CONNECTING)
        state = state == GW_ASLEEP && !s->own ? GW_ASLEEP : GW_DISCONNECTED;
    gw_client_state(g, c, state);
    if (s->own) { /* the broker's session is the client's own, and waits for it */
        c->link = gw_link_new(g, c->index, 0);
        gw_link_park(g, c->link, false);
    }
    return 0;
}

int gw_restore_topic(struct gw *g, int64_t client, uint16_t id, struct gw_text name)
{
    struct gw_client *c = by_row(g, client);
    if (!c || !sm_mqttsn_name_valid(name.bytes, name.len) || gw_topic_by_id(c, id))
        return SM_ERR_INVALID;
    struct gw_name *n = gw_name(g, name.bytes, name.len);
    struct gw_topic *t = gw_topic_add(g, c, n, id);
    gw_name_drop(g, n);
    return t ? 0 : SM_ERR_INVALID;
}

int gw_restore_filter(struct gw *g, int64_t client, struct gw_text filter, uint8_t qos)
{
    struct gw_client *c = by_row(g, client);
    if (!c || qos > 2 || !sm_mqttsn_filter_valid(filter.bytes, filter.len) ||
        !gw_may_subscribe(c, filter.bytes, filter.len))
        return SM_ERR_INVALID;
    struct gw_name *name = gw_name(g, filter.bytes, filter.len);
    struct gw_filter *f = gw_filter_add(g, c->link, name);
    gw_name_drop(g, name);
    if (!f)
        return SM_ERR_INVALID;
    if (f->qos < qos)
        f->qos = qos;
    gw_filter_join(g, f, c, qos);
    return 0;
}

/* A packet id belongs to the newest that has it; the others are over. */
static void release_older(struct gw *g, struct gw_link *l, uint16_t packet_id)
{
    struct gw_pending *w = gw_link_find(l, packet_id);
    if (w)
        gw_link_forget(g, l, w);
}

int gw_restore_flow(struct gw *g, const struct gw_stored_flow *s)
{
    struct gw_client *c = by_row(g, s->client);
    if (!s->client)
        return gw_link_reserve(g, g->shared[0], s->packet_id) ? 0 : SM_ERR_INVALID;
    if (s->phase == GW_FLOW_FREE) /* given up */
        return 0;
    if (!c || s->slot >= GW_FLOWS || s->phase > GW_FLOW_DONE)
        return SM_ERR_INVALID;
    if (!c->flows)
        c->flows = gw_alloc(sizeof *c->flows);
    c->flows->flow[s->slot] = (struct gw_flow){.done_ms = g->now_ms,
                                               .hash = s->hash,
                                               .msg_id = s->msg_id,
                                               .packet_id = s->packet_id,
                                               .phase = s->phase};
    c->flows->next = (uint8_t)(s->slot + 1);
    struct gw_link *l = gw_link_of(g, c);
    release_older(g, l, s->packet_id);
    struct gw_pending *w = gw_link_reserve(g, l, s->packet_id);
    if (!w)
        return SM_ERR_INVALID;
    w->client = c->index;
    w->serial = c->serial;
    w->msg_id = s->msg_id;
    w->stale = true;
    w->kind = s->phase == GW_FLOW_SENT ? GW_PUB2 : GW_REL;
    l->last_id = s->packet_id;
    return 0;
}

int gw_restore_message(struct gw *g, int64_t row, struct gw_text topic, struct gw_text payload,
                       bool retain)
{
    struct gw_restoring *r = &g->restoring;
    if (row <= 0 || !sm_mqttsn_name_valid(topic.bytes, topic.len) || payload.len > UINT16_MAX ||
        (r->count && r->msgs[r->count - 1]->row >= row))
        return SM_ERR_INVALID;
    struct gw_msg *m = gw_alloc(sizeof *m + payload.len);
    m->topic = gw_name(g, topic.bytes, topic.len);
    m->row = row;
    m->retain = retain;
    m->qos = 2;
    m->len = (uint32_t)payload.len;
    if (payload.len)
        memcpy(m->data, payload.bytes, payload.len);
    if (r->count == r->room) {
        r->room = r->room ? 2 * r->room : 64;
        r->msgs = gw_resize(r->msgs, r->room * sizeof(struct gw_msg *));
    }
    r->msgs[r->count++] = m;
    return 0;
}

int gw_restore_delivery(struct gw *g, const struct gw_stored_delivery *s)
{
    struct gw_restoring *r = &g->restoring;
    struct gw_client *c = by_row(g, s->client);
    size_t low = 0, high = r->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (r->msgs[middle]->row < s->message)
            low = middle + 1;
        else
            high = middle;
    }
    if (!c || low == r->count || r->msgs[low]->row != s->message || s->qos > 2 ||
        s->state > GW_RELEASED || s->row <= 0)
        return SM_ERR_INVALID;
    gw_queue_restore(g, c, r->msgs[low], s);
    return 0;
}

void gw_restored(struct gw *g, uint64_t now_ms)
{
    g->now_ms = now_ms;
    for (size_t i = 0; i < g->restoring.count; i++)
        gw_msg_unused(g, g->restoring.msgs[i]);
    free(g->restoring.msgs);
    g->restoring = (struct gw_restoring){0};
}
