/* What clients subscribed to, and which connection to the broker it is subscribed on.
 *
 * A broker may send one copy of a message for each filter of a connection that fits, and MQTT 3.1.1
 * does not say which copy is for which. So no two filters on one shared connection overlap: one
 * that would goes to the next connection, and each copy goes to the subscribers of the one filter
 * that fits.
 *
 * Wildcard filters are found by their shapes (how many levels, which of them are `+`, whether `#`
 * ends it): for each shape in use that fits a topic, the one filter of that shape that could match
 * it is looked up in the table. There are few shapes where there are many filters, and no more than
 * GW_SHAPES.
 *
 * Retained messages come whenever a filter is subscribed to, and only for the client that did so: a
 * client is "fresh" for some seconds after its SUBSCRIBE, and gets each topic's once.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#define LEVELS_MAX   64u
#define FIRST_TABLE  1024u
#define FRESH_TOPICS 10000u

/* ---- Shapes ---------------------------------------------------------------------------------- */

struct levels {
    uint32_t at[LEVELS_MAX + 1]; /* where each begins; one more for the end, and its slash */
    unsigned count;
};

static bool split(const uint8_t *text, size_t len, struct levels *out)
{
    out->count = 0;
    out->at[0] = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i < len && text[i] != '/')
            continue;
        if (++out->count > LEVELS_MAX - 1)
            return false;
        out->at[out->count] = (uint32_t)i + 1;
    }
    return true;
}

static bool level_is(const uint8_t *text, const struct levels *l, unsigned i, char what)
{
    return l->at[i + 1] - l->at[i] == 2 && text[l->at[i]] == what;
}

static bool shape_of(const struct gw_name *n, struct gw_shape *s)
{
    struct levels l;
    *s = (struct gw_shape){0};
    if (!split(n->text, n->len, &l))
        return false;
    s->rest = level_is(n->text, &l, l.count - 1, '#');
    s->levels = (uint8_t)(l.count - s->rest);
    for (unsigned i = 0; i < s->levels; i++)
        if (level_is(n->text, &l, i, '+'))
            s->plus |= 1ull << i;
    return true;
}

/* The shape's counter; NULL when there are too many shapes. */
static struct gw_shape *shape_entry(struct gw *g, const struct gw_shape *s)
{
    for (unsigned i = 0; i < g->shape_count; i++)
        if (g->shapes[i].plus == s->plus && g->shapes[i].levels == s->levels &&
            g->shapes[i].rest == s->rest)
            return &g->shapes[i];
    if (g->shape_count == GW_SHAPES)
        return NULL;
    g->shapes[g->shape_count] = *s;
    return &g->shapes[g->shape_count++];
}

static void shape_drop(struct gw *g, const struct gw_name *n)
{
    struct gw_shape s, *e;
    if (!shape_of(n, &s) || !(e = shape_entry(g, &s)) || --e->count)
        return;
    *e = g->shapes[--g->shape_count];
}

/* ---- The table ------------------------------------------------------------------------------- */

static struct gw_filter *find(struct gw *g, const struct gw_link *own, const struct gw_name *name)
{
    if (!g->filter_table || !name)
        return NULL;
    struct gw_filter *f = g->filter_table[name->hash & g->filter_mask];
    while (f && (f->name != name || (own ? f->link != own : f->link->client != GW_NONE)))
        f = f->next_hash;
    return f;
}

struct gw_filter *gw_filter_find(struct gw *g, struct gw_link *own, const void *text, size_t len)
{
    return find(g, own, gw_name_find(g, text, len));
}

static void grow(struct gw *g)
{
    uint32_t size = g->filter_table ? 2 * (g->filter_mask + 1) : FIRST_TABLE;
    struct gw_filter **table = gw_alloc(size * sizeof(struct gw_filter *));
    for (uint32_t i = 0; g->filter_table && i <= g->filter_mask; i++) {
        for (struct gw_filter *f = g->filter_table[i], *next; f; f = next) {
            next = f->next_hash;
            f->next_hash = table[f->name->hash & (size - 1)];
            table[f->name->hash & (size - 1)] = f;
        }
    }
    free(g->filter_table);
    g->filter_table = table;
    g->filter_mask = size - 1;
}

static void insert(struct gw *g, struct gw_filter *f)
{
    if (!g->filter_table || g->filter_count > g->filter_mask)
        grow(g);
    struct gw_filter **at = &g->filter_table[f->name->hash & g->filter_mask];
    f->next_hash = *at;
    *at = f;
    f->next = f->link->filters;
    if (f->next)
        f->next->before = f;
    f->link->filters = f;
    g->filter_count++;
    g->figures.filters++;
}

static void note_overlap(struct gw *g, struct gw_filter *f, void *found)
{
    (void)g, (void)f;
    *(bool *)found = true;
}

static bool overlaps_any(struct gw *g, struct gw_link *l, const struct gw_name *n, bool wild)
{
    bool found = false;
    if (!wild) {
        gw_filters_matching(g, l, n->text, n->len, note_overlap, &found);
        return found;
    }
    for (struct gw_filter *f = l->filters; f && !found; f = f->next)
        found = gw_filters_overlap(f->name->text, f->name->len, n->text, n->len);
    return found;
}

/* The first shared connection where it overlaps nothing; when there is none left, the last one. */
static struct gw_link *placed(struct gw *g, const struct gw_name *n, bool wild)
{
    for (unsigned i = 0; i < g->shared_count; i++)
        if (!overlaps_any(g, g->shared[i], n, wild))
            return g->shared[i];
    if (g->shared_count == GW_LINKS_MAX)
        return g->shared[GW_LINKS_MAX - 1];
    g->shared[g->shared_count] = gw_link_new(g, GW_NONE, (uint8_t)g->shared_count);
    return g->shared[g->shared_count++];
}

struct gw_filter *gw_filter_place(struct gw *g, struct gw_link *l, struct gw_name *name)
{
    bool wild = sm_mqttsn_filter_wild(name->text, name->len);
    struct gw_shape shape, *entry;
    if (wild && l->client == GW_NONE) {
        if (!shape_of(name, &shape) || !(entry = shape_entry(g, &shape)))
            return NULL;
        entry->count++;
    }
    struct gw_filter *f = gw_alloc(sizeof *f);
    f->name = gw_name_ref(name);
    f->link = l;
    f->wild = wild;
    insert(g, f);
    return f;
}

struct gw_filter *gw_filter_add(struct gw *g, struct gw_link *own, struct gw_name *name)
{
    struct gw_filter *f = find(g, own, name);
    if (f || own)
        return f ? f : gw_filter_place(g, own, name);
    f = gw_filter_place(g, placed(g, name, sm_mqttsn_filter_wild(name->text, name->len)), name);
    if (f && g->store.placed_put)
        g->store.placed_put(g->store.ctx, f->link->number, (struct gw_text){name->text, name->len});
    return f;
}

static void free_fresh(struct gw_fresh **at)
{
    struct gw_fresh *f = *at;
    *at = f->next;
    free(f->seen);
    free(f);
}

void gw_filter_forget(struct gw *g, struct gw_filter *f)
{
    struct gw_filter **at = &g->filter_table[f->name->hash & g->filter_mask];
    while (*at != f)
        at = &(*at)->next_hash;
    *at = f->next_hash;
    if (f->before)
        f->before->next = f->next;
    else
        f->link->filters = f->next;
    if (f->next)
        f->next->before = f->before;
    if (f->wild && f->link->client == GW_NONE)
        shape_drop(g, f->name);
    while (f->fresh)
        free_fresh(&f->fresh);
    gw_name_drop(g, f->name);
    free(f->subscribers);
    free(f);
    g->filter_count--;
    g->figures.filters--;
}

void gw_filter_release(struct gw *g, struct gw_filter *f)
{
    struct gw_link *l = f->link;
    if (f->count)
        return;
    if (l->state == GW_LINK_READY) {
        struct gw_pending *w = gw_link_wait(g, l, NULL, GW_UNSUB);
        if (w)
            gw_link_put(g, l,
                        &(struct mqtt_packet){.type = MQTT_UNSUBSCRIBE,
                                              .id = w->packet_id,
                                              .topic = f->name->text,
                                              .topic_len = f->name->len});
    } else if (l->started && l->client == GW_NONE) {
        return; /* the broker's session has it: said when the connection is back */
    }
    if (l->client == GW_NONE && g->store.placed_drop)
        g->store.placed_drop(g->store.ctx, (struct gw_text){f->name->text, f->name->len});
    gw_filter_forget(g, f);
}

void gw_resubscribe(struct gw *g, struct gw_link *l)
{
    for (struct gw_filter *f = l->filters, *next; f; f = next) {
        next = f->next;
        if (!f->count) {
            gw_filter_release(g, f);
            continue;
        }
        struct gw_pending *w = gw_link_wait(g, l, NULL, GW_SUB);
        if (w)
            gw_link_put(g, l,
                        &(struct mqtt_packet){.type = MQTT_SUBSCRIBE,
                                              .id = w->packet_id,
                                              .qos = f->qos,
                                              .topic = f->name->text,
                                              .topic_len = f->name->len});
    }
}

void gw_filters_matching(struct gw *g, struct gw_link *l, const uint8_t *topic, size_t len,
                         void (*found)(struct gw *, struct gw_filter *, void *), void *ctx)
{
    struct levels levels;
    uint8_t text[UINT16_MAX + 3];
    struct gw_filter *f = gw_filter_find(g, NULL, topic, len);
    if (f && f->link == l)
        found(g, f, ctx);
    if (!g->shape_count || !split(topic, len, &levels))
        return;
    for (unsigned i = 0; i < g->shape_count; i++) {
        const struct gw_shape *s = &g->shapes[i];
        if ((s->rest ? levels.count < s->levels : levels.count != s->levels) ||
            (topic[0] == '$' && (s->plus & 1 || !s->levels)))
            continue;
        size_t n = 0;
        for (unsigned k = 0; k < s->levels; k++) {
            size_t size = levels.at[k + 1] - levels.at[k] - 1u;
            if (k)
                text[n++] = '/';
            if (s->plus >> k & 1)
                text[n++] = '+';
            else
                memcpy(text + n, topic + levels.at[k], size), n += size;
        }
        if (s->rest) {
            if (n || s->levels)
                text[n++] = '/';
            text[n++] = '#';
        }
        f = gw_filter_find(g, NULL, text, n);
        if (f && f->link == l)
            found(g, f, ctx);
    }
}

/* ---- Subscribers ----------------------------------------------------------------------------- */

static struct gw_subscription *sub_of(struct gw_client *c, const struct gw_filter *f)
{
    for (unsigned i = 0; i < c->nsubs; i++)
        if (c->subs[i].filter == f)
            return &c->subs[i];
    return NULL;
}

void gw_filter_join(struct gw *g, struct gw_filter *f, struct gw_client *c, uint8_t qos)
{
    struct gw_subscription *s = sub_of(c, f);
    (void)g;
    if (s) {
        s->qos = qos;
        return;
    }
    if (c->nsubs == c->subs_room) {
        c->subs_room = c->subs_room ? 2 * c->subs_room : 1;
        c->subs = gw_resize(c->subs, c->subs_room * sizeof *c->subs);
    }
    c->subs[c->nsubs++] = (struct gw_subscription){f, qos};
    if (f->count == f->room) {
        f->room = f->room ? 2 * f->room : 1;
        f->subscribers = gw_resize(f->subscribers, f->room * sizeof *f->subscribers);
    }
    f->subscribers[f->count++] = c->index;
}

/* The filter may be gone afterwards. */
static void leave(struct gw *g, struct gw_client *c, unsigned i)
{
    struct gw_filter *f = c->subs[i].filter;
    c->subs[i] = c->subs[--c->nsubs];
    for (uint32_t k = 0; k < f->count; k++) {
        if (f->subscribers[k] == c->index) {
            f->subscribers[k] = f->subscribers[--f->count];
            break;
        }
    }
    for (struct gw_fresh **at = &f->fresh; *at;) {
        if ((*at)->client == c->index)
            free_fresh(at);
        else
            at = &(*at)->next;
    }
    if (c->row && g->store.filter_drop)
        g->store.filter_drop(g->store.ctx, c->row, (struct gw_text){f->name->text, f->name->len});
    gw_filter_release(g, f);
}

void gw_unsubscribe_all(struct gw *g, struct gw_client *c)
{
    while (c->nsubs)
        leave(g, c, c->nsubs - 1u);
    free(c->subs);
    c->subs = NULL;
    c->subs_room = 0;
}

void gw_subscriptions_move(struct gw *g, struct gw_client *c)
{
    for (unsigned i = 0, n = c->nsubs; i < n; i++) {
        uint8_t qos = c->subs[0].qos;
        struct gw_name *name = gw_name_ref(c->subs[0].filter->name);
        leave(g, c, 0);
        struct gw_filter *f = gw_filter_add(g, c->link, name);
        f->qos = qos;
        gw_filter_join(g, f, c, qos);
        gw_name_drop(g, name);
    }
}

static void make_fresh(struct gw *g, struct gw_filter *f, struct gw_client *c)
{
    struct gw_fresh **at = &f->fresh;
    while (*at && (*at)->client != c->index)
        at = &(*at)->next;
    if (*at)
        free_fresh(at);
    struct gw_fresh *n = gw_alloc(sizeof *n);
    n->client = c->index;
    n->until_ms = g->now_ms + GW_FRESH_MS;
    n->next = f->fresh;
    f->fresh = n;
}

void gw_fresh_expire(struct gw *g, struct gw_filter *f)
{
    for (struct gw_fresh **at = &f->fresh; *at;) {
        if ((*at)->until_ms <= g->now_ms)
            free_fresh(at);
        else
            at = &(*at)->next;
    }
}

bool gw_fresh_takes(struct gw *g, struct gw_fresh *n, uint32_t topic_hash)
{
    for (uint32_t i = 0; i < n->count; i++)
        if (n->seen[i] == topic_hash)
            return false;
    if (n->count == FRESH_TOPICS)
        return false;
    if (n->count == n->room) {
        n->room = n->room ? 2 * n->room : 8;
        n->seen = gw_resize(n->seen, n->room * sizeof *n->seen);
    }
    n->seen[n->count++] = topic_hash;
    n->until_ms = g->now_ms + GW_FRESH_MS;
    return true;
}

/* ---- SUBSCRIBE and UNSUBSCRIBE --------------------------------------------------------------- */

/* The filter that is meant. False: none, or no valid one. */
static bool named(struct gw *g, const struct sm_mqttsn_packet *p, uint8_t name[2],
                  struct gw_text *out)
{
    const char *predefined;
    switch (p->topic_type) {
    case SM_MQTTSN_TOPIC_PREDEFINED:
        predefined = gw_predefined(g, p->topic_id);
        *out = (struct gw_text){(const uint8_t *)predefined, predefined ? strlen(predefined) : 0};
        return predefined != NULL;
    case SM_MQTTSN_TOPIC_SHORT:
        name[0] = (uint8_t)(p->topic_id >> 8);
        name[1] = (uint8_t)p->topic_id;
        *out = (struct gw_text){name, 2};
        break;
    default: *out = (struct gw_text){p->data, p->len};
    }
    return sm_mqttsn_filter_valid(out->bytes, out->len);
}

static void answer(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p,
                   uint8_t code)
{
    gw_send(
        g, c,
        &(struct sm_mqttsn_packet){
            .type = SM_MQTTSN_SUBACK, .topic_id = p->topic_id, .msg_id = p->msg_id, .code = code});
}

/* Asks the broker, each time: a filter that is there already is asked for again for its retained
 * messages. */
static void ask_broker(struct gw *g, struct gw_client *c, struct gw_filter *f,
                       const struct sm_mqttsn_packet *p)
{
    uint8_t qos = (uint8_t)(p->qos < 0 ? 0 : p->qos);
    struct gw_pending *w = gw_link_wait(g, f->link, c, GW_SUB);
    if (!w) {
        g->figures.unsent++;
        gw_filter_release(g, f);
        return;
    }
    if (f->qos < qos)
        f->qos = qos;
    gw_filter_join(g, f, c, qos);
    make_fresh(g, f, c);
    w->filter = gw_name_ref(f->name);
    w->msg_id = c->sub_msg = p->msg_id;
    w->topic_id = p->topic_id;
    w->topic_type = p->topic_type;
    w->qos = f->qos;
    gw_link_put(g, f->link, /* or when the connection is up */
                &(struct mqtt_packet){.type = MQTT_SUBSCRIBE,
                                      .id = w->packet_id,
                                      .qos = f->qos,
                                      .topic = f->name->text,
                                      .topic_len = f->name->len});
}

void gw_on_subscribe(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p)
{
    uint8_t short_name[2];
    struct gw_text text;
    if (!gw_client_token(g, c) || (c->sub_msg && c->sub_msg == p->msg_id) ||
        !gw_link_ready(g, gw_link_of(g, c)))
        return;
    if (!named(g, p, short_name, &text)) {
        answer(g, c, p,
               p->topic_type == SM_MQTTSN_TOPIC_NORMAL ? SM_MQTTSN_NOT_SUPPORTED
                                                       : SM_MQTTSN_INVALID_TOPIC);
        return;
    }
    if (!gw_may_subscribe(c, text.bytes, text.len)) {
        g->figures.denied++;
        answer(g, c, p, SM_MQTTSN_NOT_SUPPORTED);
        return;
    }
    struct gw_name *name = gw_name(g, text.bytes, text.len);
    struct gw_filter *f = find(g, c->link, name);
    if (c->nsubs >= g->cfg.max_filters && (!f || !sub_of(c, f)))
        f = NULL;
    else if (!f)
        f = gw_filter_add(g, c->link, name);
    gw_name_drop(g, name);
    if (f)
        ask_broker(g, c, f, p);
    else
        answer(g, c, p, SM_MQTTSN_CONGESTION);
}

/* The id that a SUBACK carries: the topic's, when it is one topic. */
static uint16_t granted_id(struct gw *g, struct gw_client *c, struct gw_filter *f,
                           const struct gw_pending *w)
{
    if (w->topic_type != SM_MQTTSN_TOPIC_NORMAL)
        return w->topic_id;
    if (f->wild)
        return 0;
    struct gw_topic *t = gw_topic_by_name(c, f->name);
    if (!t)
        t = gw_topic_add(g, c, f->name, gw_topic_free_id(g, c));
    if (!t)
        return 0; /* comes with a REGISTER, when there is room again */
    t->known = true;
    return t->id;
}

void gw_subscribed(struct gw *g, struct gw_link *l, struct gw_pending *w,
                   const struct mqtt_packet *p)
{
    struct gw_client *c = gw_pending_client(g, w);
    struct gw_filter *f = w->filter ? find(g, l->client == GW_NONE ? NULL : l, w->filter) : NULL;
    struct gw_subscription *s = c && f ? sub_of(c, f) : NULL;
    if (c && c->sub_msg == w->msg_id)
        c->sub_msg = 0;
    if (s && p->code == MQTT_REFUSED) {
        leave(g, c, (unsigned)(s - c->subs));
        g->figures.denied++;
        gw_send(g, c,
                &(struct sm_mqttsn_packet){.type = SM_MQTTSN_SUBACK,
                                           .msg_id = w->msg_id,
                                           .code = SM_MQTTSN_NOT_SUPPORTED});
    } else if (s) {
        if (s->qos > p->code)
            s->qos = p->code;
        if (s->qos == 2)
            gw_client_keep(g, c);
        if (c->row && g->store.filter_put)
            g->store.filter_put(g->store.ctx, c->row, (struct gw_text){f->name->text, f->name->len},
                                s->qos);
        gw_send(g, c,
                &(struct sm_mqttsn_packet){.type = SM_MQTTSN_SUBACK,
                                           .qos = (int8_t)s->qos,
                                           .topic_id = granted_id(g, c, f, w),
                                           .msg_id = w->msg_id});
    }
    gw_link_forget(g, l, w);
}

void gw_on_unsubscribe(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p)
{
    uint8_t short_name[2];
    struct gw_text text;
    struct gw_filter *f =
        named(g, p, short_name, &text) ? gw_filter_find(g, c->link, text.bytes, text.len) : NULL;
    struct gw_subscription *s = f ? sub_of(c, f) : NULL;
    if (s)
        leave(g, c, (unsigned)(s - c->subs));
    gw_send_simple(g, c, SM_MQTTSN_UNSUBACK, p->msg_id);
}
