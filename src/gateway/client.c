/* Sessions: found by client id and by address, their states, their timers, what is stored of them.
 *
 * Stored are the sessions that are not clean, and a clean one once it has slept or has to do with
 * QoS 2 (c->kept): a message is exactly once only for gateways that remember. Such a session ends
 * as clean ones do, with DISCONNECT or a clean CONNECT, but not with the gateway, and when its
 * client is lost it waits for it as long again: clients go on with what they have under way when
 * they come back to where they were.
 *
 * g->clients[index] is the session; both tables have the index of the first in each bucket, and the
 * chains run through next_id and next_addr. One timer a client, in a wheel of GW_WHEEL slots: it is
 * only ever put earlier; when it comes and nothing is due, it goes to where the next thing is.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#define FIRST_TABLE  1024u
#define CONNECTING_S 30u

/* ---- Tables ---------------------------------------------------------------------------------- */

static uint32_t id_bucket(const struct gw *g, const void *id, size_t len)
{
    return gw_hash(g->seed, id, len) & g->table_mask;
}

static uint32_t addr_bucket(const struct gw *g, const struct gw_addr *a)
{
    return gw_hash(g->seed, a, sizeof *a) & g->table_mask;
}

static void link_tables(struct gw *g, struct gw_client *c)
{
    uint32_t i = id_bucket(g, c->id, c->id_len), a = addr_bucket(g, &c->addr);
    c->next_id = g->by_id[i];
    g->by_id[i] = c->index;
    c->next_addr = g->by_addr[a];
    g->by_addr[a] = c->index;
}

static void grow_tables(struct gw *g)
{
    uint32_t size = g->by_id ? 2 * (g->table_mask + 1) : FIRST_TABLE;
    g->by_id = gw_resize(g->by_id, size * sizeof *g->by_id);
    g->by_addr = gw_resize(g->by_addr, size * sizeof *g->by_addr);
    memset(g->by_id, 0xff, size * sizeof *g->by_id);
    memset(g->by_addr, 0xff, size * sizeof *g->by_addr);
    g->table_mask = size - 1;
    for (uint32_t i = 0; i < g->clients_used; i++)
        if (g->clients[i])
            link_tables(g, g->clients[i]);
}

struct gw_client *gw_client_by_addr(struct gw *g, const struct gw_addr *a)
{
    if (!g->by_addr)
        return NULL;
    uint32_t i = g->by_addr[addr_bucket(g, a)];
    while (i != GW_NONE && memcmp(&g->clients[i]->addr, a, sizeof *a) != 0)
        i = g->clients[i]->next_addr;
    return i == GW_NONE ? NULL : g->clients[i];
}

struct gw_client *gw_client_by_id(struct gw *g, const void *id, size_t len)
{
    if (!g->by_id)
        return NULL;
    uint32_t i = g->by_id[id_bucket(g, id, len)];
    while (i != GW_NONE &&
           (g->clients[i]->id_len != len || memcmp(g->clients[i]->id, id, len) != 0))
        i = g->clients[i]->next_id;
    return i == GW_NONE ? NULL : g->clients[i];
}

static void unlink_addr(struct gw *g, struct gw_client *c)
{
    uint32_t *at = &g->by_addr[addr_bucket(g, &c->addr)];
    while (*at != c->index)
        at = &g->clients[*at]->next_addr;
    *at = c->next_addr;
}

static void unlink_id(struct gw *g, struct gw_client *c)
{
    uint32_t *at = &g->by_id[id_bucket(g, c->id, c->id_len)];
    while (*at != c->index)
        at = &g->clients[*at]->next_id;
    *at = c->next_id;
}

void gw_client_moved(struct gw *g, struct gw_client *c, const struct gw_addr *to)
{
    if (!memcmp(&c->addr, to, sizeof *to))
        return;
    unlink_addr(g, c);
    c->addr = *to;
    uint32_t a = addr_bucket(g, &c->addr);
    c->next_addr = g->by_addr[a];
    g->by_addr[a] = c->index;
    c->proven = false;
    c->received = c->sent = 0;
}

static uint32_t free_index(struct gw *g)
{
    if (g->free_count)
        return g->free_clients[--g->free_count];
    if (g->clients_used == g->clients_room) {
        g->clients_room = g->clients_room ? 2 * g->clients_room : 256;
        g->clients = gw_resize(g->clients, g->clients_room * sizeof(struct gw_client *));
        g->free_clients = gw_resize(g->free_clients, g->clients_room * sizeof *g->free_clients);
    }
    return g->clients_used++;
}

struct gw_client *gw_client_new(struct gw *g, const struct gw_addr *addr, const void *id,
                                size_t len)
{
    struct gw_client *c = gw_alloc(sizeof *c + len + 1);
    c->addr = *addr;
    c->serial = ++g->serial;
    c->id_len = (uint8_t)len;
    memcpy(c->id, id, len);
    c->index = free_index(g);
    g->clients[c->index] = c;
    g->figures.clients++;
    if (!g->by_id || g->figures.clients > g->table_mask)
        grow_tables(g); /* links it too */
    else
        link_tables(g, c);
    c->heard_ms = c->since_ms = g->now_ms;
    return c;
}

/* ---- States ---------------------------------------------------------------------------------- */

static void count_state(struct gw *g, const struct gw_client *c, int by)
{
    if (c->state == GW_ACTIVE || c->state == GW_AWAKE)
        g->figures.active += (uint64_t)(int64_t)by;
    else if (c->state == GW_ASLEEP)
        g->figures.asleep += (uint64_t)(int64_t)by;
}

void gw_client_state(struct gw *g, struct gw_client *c, enum gw_state state)
{
    count_state(g, c, -1);
    c->state = (uint8_t)state;
    count_state(g, c, 1);
    c->since_ms = g->now_ms;
    c->moving = false;
    gw_client_due(g, c, g->now_ms + GW_SLOT_MS);
}

bool gw_client_durable(const struct gw_client *c)
{
    return !c->clean || c->kept;
}

/* A clean session with a connection of its own is clean at the broker too, which forgets what was
 * under way: what it had released would be taken for lost, and the other way round. */
void gw_client_keep(struct gw *g, struct gw_client *c)
{
    if (gw_client_durable(c) || c->link)
        return;
    c->kept = true;
    gw_client_save(g, c);
    gw_queue_store(g, c);
}

bool gw_client_reachable(const struct gw_client *c)
{
    return (c->state == GW_ACTIVE || c->state == GW_AWAKE) && !c->asked;
}

void gw_client_wipe(struct gw *g, struct gw_client *c)
{
    gw_queue_clear(g, c);
    gw_unsubscribe_all(g, c);
    gw_flows_clear(g, c);
    for (unsigned i = 0; i < c->ntopics; i++)
        gw_name_drop(g, c->topics[i].name);
    free(c->topics);
    c->topics = NULL;
    c->ntopics = c->topics_room = 0;
    c->reg_msg = c->up_msg = c->sub_msg = 0;
    if (c->row && g->store.client_drop)
        g->store.client_drop(g->store.ctx, c->row);
    c->row = 0;
    c->kept = false;
}

static void wheel_remove(struct gw *g, struct gw_client *c)
{
    if (!c->in_wheel)
        return;
    if (c->wheel_prev != GW_NONE)
        g->clients[c->wheel_prev]->wheel_next = c->wheel_next;
    else
        g->wheel[c->due_ms / GW_SLOT_MS % GW_WHEEL] = c->wheel_next;
    if (c->wheel_next != GW_NONE)
        g->clients[c->wheel_next]->wheel_prev = c->wheel_prev;
    c->in_wheel = false;
}

void gw_client_forget_will(struct gw *g, struct gw_client *c)
{
    if (!c->will)
        return;
    gw_name_drop(g, c->will->topic);
    free(c->will->data);
    free(c->will);
    c->will = NULL;
}

void gw_client_free(struct gw *g, struct gw_client *c)
{
    count_state(g, c, -1);
    c->state = GW_DISCONNECTED;
    gw_client_wipe(g, c);
    gw_client_forget_will(g, c);
    if (c->link)
        gw_link_end(g, c->link);
    wheel_remove(g, c);
    unlink_addr(g, c);
    unlink_id(g, c);
    g->clients[c->index] = NULL;
    g->free_clients[g->free_count++] = c->index;
    g->figures.clients--;
    free(c->identity);
    free(c);
}

/* The connection is over, the session is kept unless it was a clean one. What was stored in time
 * need not come from the broker again, so that is first. The will is the broker's to publish: of a
 * lost client, its own connection ends without DISCONNECT. */
void gw_client_parted(struct gw *g, struct gw_client *c, enum gw_state state)
{
    bool over = c->clean && !(c->kept && state == GW_LOST && !c->link);
    gw_queue_rewind(g, c);
    if (!over)
        gw_queue_store(g, c);
    if (c->link)
        gw_link_park(g, c->link, state != GW_LOST);
    if (over) {
        gw_client_free(g, c);
        return;
    }
    gw_client_state(g, c, state);
    gw_client_save(g, c);
}

void gw_client_lost(struct gw *g, struct gw_client *c)
{
    g->figures.lost++;
    gw_client_parted(g, c, GW_LOST);
}

/* ---- Timers ---------------------------------------------------------------------------------- */

void gw_client_due(struct gw *g, struct gw_client *c, uint64_t at_ms)
{
    uint64_t first = g->now_ms + GW_SLOT_MS, last = g->now_ms + (GW_WHEEL - 2) * GW_SLOT_MS;
    at_ms = at_ms < first ? first : at_ms > last ? last : at_ms;
    if (c->in_wheel && c->due_ms <= at_ms)
        return;
    wheel_remove(g, c);
    c->due_ms = at_ms;
    uint32_t *head = &g->wheel[at_ms / GW_SLOT_MS % GW_WHEEL];
    c->wheel_prev = GW_NONE;
    c->wheel_next = *head;
    if (*head != GW_NONE)
        g->clients[*head]->wheel_prev = c->index;
    *head = c->index;
    c->in_wheel = true;
}

/* With the tolerance of 7.2 of the specification: a tenth above a minute, else half. */
static uint64_t tolerant_ms(uint32_t seconds)
{
    return seconds * (seconds > 60 ? 1100ull : 1500ull);
}

/* How long a client that is awake may say nothing. */
static uint64_t silence_ms(const struct gw *g, const struct gw_client *c)
{
    return c->keepalive_s ? tolerant_ms(c->keepalive_s) : g->cfg.keepalive_max_s * 1000ull;
}

/* And how long it is waited for when it is gone. */
static uint64_t absence_ms(const struct gw *g, const struct gw_client *c)
{
    uint64_t silence = silence_ms(g, c), sleep = tolerant_ms(c->sleep_s);
    return !c->clean ? g->cfg.session_s * 1000ull : silence > sleep ? silence : sleep;
}

/* When the state itself ends. */
static uint64_t state_end(const struct gw *g, const struct gw_client *c)
{
    switch (c->state) {
    case GW_CONNECTING: return c->since_ms + CONNECTING_S * 1000ull;
    case GW_ASLEEP: return c->since_ms + tolerant_ms(c->sleep_s);
    case GW_ACTIVE:
    case GW_AWAKE: return c->heard_ms + silence_ms(g, c);
    default: return c->since_ms + absence_ms(g, c);
    }
}

static bool in_flight(const struct gw_client *c)
{
    return c->reg_msg || c->flying;
}

bool gw_client_empty(const struct gw_client *c)
{
    return !c->ntopics && !c->nsubs && !c->first && !c->flows;
}

/* A client that did not go on with its will may have left a session before. */
static void state_over(struct gw *g, struct gw_client *c)
{
    if (c->state == GW_CONNECTING && !c->clean && !gw_client_empty(c))
        gw_client_lost(g, c);
    else if (c->state == GW_DISCONNECTED || c->state == GW_LOST || c->state == GW_CONNECTING)
        gw_client_free(g, c);
    else
        gw_client_lost(g, c);
}

static bool gone(const struct gw_client *c)
{
    return c->state == GW_DISCONNECTED || c->state == GW_LOST;
}

void gw_client_timer(struct gw *g, struct gw_client *c)
{
    uint64_t end = state_end(g, c), retry = c->sent_ms + g->cfg.retry_ms;
    uint64_t missed = c->since_ms + silence_ms(g, c); /* of one that is gone */
    uint32_t index = c->index;
    wheel_remove(g, c);
    if (end <= g->now_ms) {
        state_over(g, c);
        return;
    }
    if (gone(c) && c->flows && missed <= g->now_ms)
        gw_flows_release(g, c);
    if (c->moving && c->sent_ms + GW_PROBE_MS <= g->now_ms)
        gw_probe_over(g, c);
    if (!g->clients[index])
        return;
    if (in_flight(c) && (c->state == GW_ACTIVE || c->state == GW_AWAKE) && retry <= g->now_ms)
        gw_resend(g, c);
    if (!g->clients[index])
        return;
    gw_client_due(g, c, end);
    if (gone(c) && c->flows && missed > g->now_ms)
        gw_client_due(g, c, missed);
    if (in_flight(c))
        gw_client_due(g, c, c->sent_ms + g->cfg.retry_ms);
    if (c->moving)
        gw_client_due(g, c, c->sent_ms + GW_PROBE_MS);
}

/* ---- Storing --------------------------------------------------------------------------------- */

void gw_client_save(struct gw *g, struct gw_client *c)
{
    if (!g->store.client_put || !gw_client_durable(c))
        return;
    bool first = !c->row;
    c->row =
        g->store.client_put(g->store.ctx, &(struct gw_stored_client){.row = c->row,
                                                                     .id = c->id,
                                                                     .identity = c->identity,
                                                                     .addr = c->addr,
                                                                     .state = c->state,
                                                                     .clean = c->clean,
                                                                     .own = c->link != NULL,
                                                                     .proven = c->proven,
                                                                     .keepalive_s = c->keepalive_s,
                                                                     .sleep_s = c->sleep_s});
    if (!first)
        return;
    for (unsigned i = 0; i < c->ntopics; i++)
        g->store.topic_put(g->store.ctx, c->row, c->topics[i].id,
                           (struct gw_text){c->topics[i].name->text, c->topics[i].name->len});
    for (unsigned i = 0; i < c->nsubs; i++)
        g->store.filter_put(
            g->store.ctx, c->row,
            (struct gw_text){c->subs[i].filter->name->text, c->subs[i].filter->name->len},
            c->subs[i].qos);
    for (unsigned i = 0; c->flows && i < GW_FLOWS; i++)
        if (c->flows->flow[i].phase)
            gw_flow_save(g, c, &c->flows->flow[i]);
}

void gw_client_proven(struct gw *g, struct gw_client *c)
{
    if (c->proven)
        return;
    c->proven = true;
    if (c->row)
        gw_client_save(g, c);
}
