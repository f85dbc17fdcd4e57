/* A store in memory. SPDX-License-Identifier: Apache-2.0 */
#include "memory_store.h"

#include <stdlib.h>
#include <string.h>

static struct memory_text copy(const struct memory_store *m, struct gw_text from)
{
    struct memory_text t = {.len = from.len};
    if (from.len > MEMORY_TEXT && !m->cuts)
        abort();
    if (t.len > MEMORY_TEXT)
        t.len = MEMORY_TEXT;
    if (t.len)
        memcpy(t.bytes, from.bytes, t.len);
    return t;
}

static struct gw_text view(const struct memory_text *t)
{
    return (struct gw_text){t->bytes, t->len};
}

static bool same(const struct memory_text *a, struct gw_text b)
{
    size_t len = b.len < MEMORY_TEXT ? b.len : MEMORY_TEXT;
    return a->len == len && !memcmp(a->bytes, b.bytes, len);
}

static int64_t client_put(void *ctx, const struct gw_stored_client *c)
{
    struct memory_store *m = ctx;
    for (size_t i = 0; i < MEMORY_CLIENTS; i++) {
        if (m->client[i].c.row != c->row)
            continue;
        m->client[i].c = *c;
        m->client[i].c.row = c->row ? c->row : ++m->last;
        strncpy(m->client[i].id, c->id, MEMORY_TEXT - 1);
        return m->client[i].c.row;
    }
    abort();
}

static void client_drop(void *ctx, int64_t client)
{
    struct memory_store *m = ctx;
    for (size_t i = 0; i < MEMORY_CLIENTS; i++)
        if (m->client[i].c.row == client)
            m->client[i].c.row = 0;
    for (size_t i = 0; i < MEMORY_NAMES; i++)
        if (m->filter[i].row == client)
            m->filter[i].row = 0;
    for (size_t i = 0; i < MEMORY_NAMES; i++)
        if (m->topic[i].row == client)
            m->topic[i].row = 0;
    for (size_t i = 0; i < MEMORY_ROWS; i++)
        if (m->received[i].link == GW_OWN_LINK + client)
            m->received[i].packet_id = 0;
    for (size_t i = 0; i < MEMORY_ROWS; i++) {
        if (m->flow[i].f.client == client)
            m->flow[i].number = 0;
        if (m->delivery[i].client == client)
            m->delivery[i].row = 0;
    }
}

static void topic_put(void *ctx, int64_t client, uint16_t id, struct gw_text name)
{
    struct memory_store *m = ctx;
    for (size_t i = 0; i < MEMORY_NAMES; i++) {
        if (m->topic[i].row && (m->topic[i].row != client || m->topic[i].id != id))
            continue;
        m->topic[i].row = client;
        m->topic[i].id = id;
        m->topic[i].text = copy(m, name);
        return;
    }
    abort();
}

static void filter_put(void *ctx, int64_t client, struct gw_text filter, uint8_t qos)
{
    struct memory_store *m = ctx;
    size_t room = MEMORY_NAMES, at = 0;
    for (; at < MEMORY_NAMES; at++) {
        if (m->filter[at].row == client && same(&m->filter[at].text, filter))
            break;
        if (!m->filter[at].row)
            room = at;
    }
    at = at < MEMORY_NAMES ? at : room;
    if (at == MEMORY_NAMES)
        abort();
    m->filter[at].row = client;
    m->filter[at].qos = qos;
    m->filter[at].text = copy(m, filter);
}

static void filter_drop(void *ctx, int64_t client, struct gw_text filter)
{
    struct memory_store *m = ctx;
    for (size_t i = 0; i < MEMORY_NAMES; i++)
        if (m->filter[i].row == client && same(&m->filter[i].text, filter))
            m->filter[i].row = 0;
}

static void flow_put(void *ctx, const struct gw_stored_flow *f)
{
    struct memory_store *m = ctx;
    size_t room = MEMORY_ROWS, at = 0;
    for (; at < MEMORY_ROWS; at++) {
        if (m->flow[at].number && f->client && m->flow[at].f.client == f->client &&
            m->flow[at].f.slot == f->slot)
            break;
        if (!m->flow[at].number)
            room = at;
    }
    at = at < MEMORY_ROWS ? at : room;
    if (at == MEMORY_ROWS && m->cuts)
        return;
    if (at == MEMORY_ROWS)
        abort();
    m->flow[at].f = *f;
    m->flow[at].number = (uint64_t)++m->last;
}

static void flow_drop(void *ctx, uint16_t packet_id)
{
    struct memory_store *m = ctx;
    for (size_t i = 0; i < MEMORY_ROWS; i++)
        if (!m->flow[i].f.client && m->flow[i].f.packet_id == packet_id)
            m->flow[i].number = 0;
}

static int64_t message_put(void *ctx, struct gw_text topic, struct gw_text payload, bool retain)
{
    struct memory_store *m = ctx;
    for (size_t i = 0; i < MEMORY_ROWS; i++) {
        if (m->message[i].row)
            continue;
        m->message[i].row = ++m->last;
        m->message[i].topic = copy(m, topic);
        m->message[i].payload = copy(m, payload);
        m->message[i].retain = retain;
        return m->last;
    }
    abort();
}

static void message_drop(void *ctx, int64_t message)
{
    struct memory_store *m = ctx;
    for (size_t i = 0; i < MEMORY_ROWS; i++)
        if (m->message[i].row == message)
            m->message[i].row = 0;
}

static int64_t delivery_put(void *ctx, const struct gw_stored_delivery *d)
{
    struct memory_store *m = ctx;
    for (size_t i = 0; i < MEMORY_ROWS; i++) {
        if (m->delivery[i].row != d->row)
            continue;
        m->delivery[i] = *d;
        m->delivery[i].row = d->row ? d->row : ++m->last;
        return m->delivery[i].row;
    }
    abort();
}

static void delivery_drop(void *ctx, int64_t delivery)
{
    struct memory_store *m = ctx;
    for (size_t i = 0; i < MEMORY_ROWS; i++)
        if (m->delivery[i].row == delivery)
            m->delivery[i].row = 0;
}

static void received_put(void *ctx, int64_t link, uint16_t packet_id)
{
    struct memory_store *m = ctx;
    for (size_t i = 0; i < MEMORY_ROWS; i++) {
        if (m->received[i].packet_id &&
            (m->received[i].packet_id != packet_id || m->received[i].link != link))
            continue;
        m->received[i].link = link;
        m->received[i].packet_id = packet_id;
        return;
    }
    if (!m->cuts)
        abort();
}

static void received_drop(void *ctx, int64_t link, uint16_t packet_id)
{
    struct memory_store *m = ctx;
    for (size_t i = 0; i < MEMORY_ROWS; i++)
        if (m->received[i].packet_id == packet_id && m->received[i].link == link)
            m->received[i].packet_id = 0;
}

static void placed_put(void *ctx, unsigned link, struct gw_text filter)
{
    (void)ctx, (void)link, (void)filter; /* one filter, and so one place */
}

static void placed_drop(void *ctx, struct gw_text filter)
{
    (void)ctx, (void)filter;
}

struct gw_store memory_store_functions(struct memory_store *m)
{
    return (struct gw_store){.ctx = m,
                             .client_put = client_put,
                             .client_drop = client_drop,
                             .topic_put = topic_put,
                             .filter_put = filter_put,
                             .filter_drop = filter_drop,
                             .flow_put = flow_put,
                             .flow_drop = flow_drop,
                             .message_put = message_put,
                             .message_drop = message_drop,
                             .delivery_put = delivery_put,
                             .delivery_drop = delivery_drop,
                             .received_put = received_put,
                             .received_drop = received_drop,
                             .placed_put = placed_put,
                             .placed_drop = placed_drop};
}

/* Rows come in the order of their numbers, whatever their places. */
static int64_t next_row(const int64_t *rows, size_t step, int64_t after, size_t *at)
{
    int64_t best = 0;
    for (size_t i = 0; i < MEMORY_ROWS; i++) {
        int64_t row = *(const int64_t *)((const char *)rows + i * step);
        if (row > after && (!best || row < best)) {
            best = row;
            *at = i;
        }
    }
    return best;
}

void memory_store_restore(const struct memory_store *m, struct gw *g, uint64_t now_ms)
{
    size_t at = 0;
    for (size_t i = 0; i < MEMORY_CLIENTS; i++) {
        struct gw_stored_client c = m->client[i].c;
        c.id = m->client[i].id;
        if (c.row)
            gw_restore_client(g, &c, now_ms);
    }
    for (size_t i = 0; i < MEMORY_ROWS; i++)
        if (m->received[i].packet_id)
            gw_restore_received(g, m->received[i].link, m->received[i].packet_id);
    for (size_t i = 0; i < MEMORY_NAMES; i++)
        if (m->topic[i].row)
            gw_restore_topic(g, m->topic[i].row, m->topic[i].id, view(&m->topic[i].text));
    for (size_t i = 0; i < MEMORY_NAMES; i++)
        if (m->filter[i].row)
            gw_restore_filter(g, m->filter[i].row, view(&m->filter[i].text), m->filter[i].qos);
    for (int64_t row = 0;
         (row = next_row((const int64_t *)&m->flow[0].number, sizeof m->flow[0], row, &at));)
        gw_restore_flow(g, &m->flow[at].f);
    for (int64_t row = 0; (row = next_row(&m->message[0].row, sizeof m->message[0], row, &at));)
        gw_restore_message(g, row, view(&m->message[at].topic), view(&m->message[at].payload),
                           m->message[at].retain);
    for (int64_t row = 0; (row = next_row(&m->delivery[0].row, sizeof m->delivery[0], row, &at));)
        gw_restore_delivery(g, &m->delivery[at]);
    gw_restored(g, now_ms);
}
