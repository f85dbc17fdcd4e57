/* Who may do what: rules for clients, prefixes of addresses, rates.
 *
 * Rates are token buckets in thousandths of a token. Those of addresses stand in a table of fixed
 * size by a seeded hash: two addresses that share a bucket share a rate, and nobody can make it
 * grow.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#define FILTER_ROOM 512u

/* ---- Patterns -------------------------------------------------------------------------------- */

/* A `*` at the end stands for anything. */
static bool name_fits(const char *pattern, const void *name, size_t len)
{
    size_t n = strlen(pattern);
    if (n && pattern[n - 1] == '*')
        return len >= n - 1 && !memcmp(pattern, name, n - 1);
    return len == n && !memcmp(pattern, name, n);
}

static bool rule_fits(const struct gw_rule *r, const char *identity, const void *id, size_t len)
{
    if (!r->identity != !identity)
        return false;
    if (identity && !name_fits(r->identity, identity, strlen(identity)))
        return false;
    if (!r->client)
        return true;
    if (!strcmp(r->client, "%u"))
        return identity && strlen(identity) == len && !memcmp(identity, id, len);
    return name_fits(r->client, id, len);
}

const struct gw_rule *gw_rule_for(const struct gw *g, const char *identity, const void *id,
                                  size_t len)
{
    for (size_t i = 0; i < g->cfg.rule_count; i++)
        if (rule_fits(&g->cfg.rules[i], identity, id, len))
            return &g->cfg.rules[i];
    return NULL;
}

/* A rule's filter for this client: the length, or 0 when it has none. A name that would change the
 * filter's levels or bring wildcards into it gets nothing. */
static size_t expand(const struct gw_client *c, const char *filter, char out[FILTER_ROOM])
{
    size_t n = 0;
    for (const char *at = filter; *at; at++) {
        bool id = at[0] == '%' && at[1] == 'c', identity = at[0] == '%' && at[1] == 'u';
        const char *text = id ? c->id : identity ? c->identity : NULL;
        if ((id || identity) && (!text || !*text || strpbrk(text, "/+#")))
            return 0;
        size_t len = text ? strlen(text) : 1;
        if (n + len > FILTER_ROOM)
            return 0;
        memcpy(out + n, text ? text : at, len);
        n += len;
        at += text ? 1 : 0;
    }
    return n;
}

typedef bool compare(const uint8_t *, size_t, const uint8_t *, size_t);

static bool any(const struct gw_client *c, const char *const *filters, size_t count, compare *fits,
                const void *text, size_t len)
{
    char filter[FILTER_ROOM];
    for (size_t i = 0; i < count; i++) {
        size_t n = expand(c, filters[i], filter);
        if (n && fits((const uint8_t *)filter, n, text, len))
            return true;
    }
    return false;
}

bool gw_may_publish(const struct gw_client *c, const void *topic, size_t len)
{
    return any(c, c->rule->publish, c->rule->publish_count, sm_mqttsn_filter_matches, topic, len);
}

bool gw_may_subscribe(const struct gw_client *c, const void *filter, size_t len)
{
    return any(c, c->rule->subscribe, c->rule->subscribe_count, gw_filter_covers, filter, len);
}

/* ---- Filters with each other ----------------------------------------------------------------- */

/* A level of a filter; at is behind its slash afterwards, beyond the end after the last one. */
struct level {
    const uint8_t *text;
    size_t len;
};

static bool next_level(const uint8_t *filter, size_t len, size_t *at, struct level *out)
{
    if (*at > len)
        return false;
    const uint8_t *slash = *at < len ? memchr(filter + *at, '/', len - *at) : NULL;
    out->text = filter + *at;
    out->len = slash ? (size_t)(slash - out->text) : len - *at;
    *at += out->len + 1;
    return true;
}

static bool is(const struct level *l, char wildcard)
{
    return l->len == 1 && l->text[0] == wildcard;
}

static bool same(const struct level *a, const struct level *b)
{
    return a->len == b->len && !memcmp(a->text, b->text, a->len);
}

static bool wild_start(const uint8_t *f)
{
    return f[0] == '+' || f[0] == '#';
}

bool gw_filter_covers(const uint8_t *wide, size_t wide_len, const uint8_t *narrow,
                      size_t narrow_len)
{
    size_t at = 0, by = 0;
    struct level w, n;
    if (wild_start(wide) && narrow[0] == '$')
        return false;
    while (next_level(wide, wide_len, &at, &w)) {
        if (is(&w, '#'))
            return true;
        if (!next_level(narrow, narrow_len, &by, &n) || is(&n, '#'))
            return false;
        if (!is(&w, '+') && !same(&w, &n))
            return false;
    }
    return by > narrow_len;
}

bool gw_filters_overlap(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    size_t at = 0, by = 0;
    struct level x, y;
    if ((wild_start(a) && b[0] == '$') || (wild_start(b) && a[0] == '$'))
        return false;
    for (;;) {
        bool more_x = next_level(a, a_len, &at, &x), more_y = next_level(b, b_len, &by, &y);
        if ((more_x && is(&x, '#')) || (more_y && is(&y, '#')))
            return true;
        if (!more_x || !more_y)
            return more_x == more_y;
        if (!is(&x, '+') && !is(&y, '+') && !same(&x, &y))
            return false;
    }
}

/* ---- Addresses and rates --------------------------------------------------------------------- */

bool gw_in_prefixes(const struct gw_prefixes *list, const struct gw_addr *a)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct gw_prefix *p = &list->list[i];
        unsigned whole = p->bits / 8, rest = p->bits % 8;
        if (!memcmp(p->ip, a->ip, whole) &&
            (!rest || !((p->ip[whole] ^ a->ip[whole]) >> (8 - rest))))
            return true;
    }
    return false;
}

static bool is_v4(const struct gw_addr *a)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return !memcmp(a->ip, mapped, sizeof mapped);
}

bool gw_take_token(struct gw *g, const struct gw_addr *a)
{
    uint64_t full = g->cfg.connects_burst * 1000ull;
    struct gw_bucket *b = &g->buckets[gw_hash(g->seed, a->ip, is_v4(a) ? 16 : 8) % GW_BUCKETS];
    uint64_t passed = g->now_ms - b->at_ms;
    uint64_t tokens = b->at_ms ? b->tokens + passed * g->cfg.connects_per_second : full;
    tokens = tokens > full ? full : tokens;
    bool good = tokens >= 1000;
    b->tokens = (uint32_t)(good ? tokens - 1000 : tokens);
    b->at_ms = g->now_ms ? g->now_ms : 1;
    if (!good)
        g->figures.throttled++;
    return good;
}

bool gw_client_token(struct gw *g, struct gw_client *c)
{
    unsigned rate = c->rule->messages_per_second;
    uint32_t now_s = (uint32_t)(g->now_ms / 1000);
    if (!rate)
        return true;
    if (c->token_s != now_s) { /* one second's worth at a time, two at most */
        c->tokens =
            c->token_s && now_s - c->token_s < 2 && c->tokens < rate ? c->tokens + rate : rate;
        c->token_s = now_s;
    }
    if (!c->tokens) {
        g->figures.throttled++;
        return false;
    }
    c->tokens--;
    return true;
}
