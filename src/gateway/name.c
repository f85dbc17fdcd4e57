/* Texts of topics and filters: each is there once and is counted, so that a thousand clients with
 * one topic have one text, and comparing two topics is comparing two pointers.
 *
 * The hash is seeded at random: strangers choose the texts.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "core.h"

#define FIRST_BUCKETS 1024u

void *gw_alloc(size_t size)
{
    void *p = calloc(1, size ? size : 1);
    if (!p)
        abort();
    return p;
}

void *gw_resize(void *old, size_t size)
{
    void *p = realloc(old, size ? size : 1);
    if (!p)
        abort();
    return p;
}

/* Murmur3's mixing over words; the tail in one more. */
uint32_t gw_hash(uint32_t seed, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    uint32_t h = seed ^ (uint32_t)len, k;
    for (; len >= 4; len -= 4, at += 4) {
        memcpy(&k, at, 4);
        k *= 0xcc9e2d51u;
        k = (k << 15 | k >> 17) * 0x1b873593u;
        h ^= k;
        h = (h << 13 | h >> 19) * 5 + 0xe6546b64u;
    }
    k = 0;
    for (size_t i = 0; i < len; i++)
        k |= (uint32_t)at[i] << (8 * i);
    k *= 0xcc9e2d51u;
    h ^= (k << 15 | k >> 17) * 0x1b873593u;
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}

static struct gw_name *find(struct gw *g, uint32_t hash, const void *text, size_t len)
{
    if (!g->names.bucket)
        return NULL;
    struct gw_name *n = g->names.bucket[hash & g->names.mask];
    while (n && (n->hash != hash || n->len != len || memcmp(n->text, text, len) != 0))
        n = n->next;
    return n;
}

static void grow(struct gw_names *t)
{
    uint32_t size = t->bucket ? 2 * (t->mask + 1) : FIRST_BUCKETS;
    struct gw_name **bucket = gw_alloc(size * sizeof(struct gw_name *));
    for (uint32_t i = 0; t->bucket && i <= t->mask; i++) {
        for (struct gw_name *n = t->bucket[i], *next; n; n = next) {
            next = n->next;
            n->next = bucket[n->hash & (size - 1)];
            bucket[n->hash & (size - 1)] = n;
        }
    }
    free(t->bucket);
    t->bucket = bucket;
    t->mask = size - 1;
}

struct gw_name *gw_name_find(struct gw *g, const void *text, size_t len)
{
    return find(g, gw_hash(g->seed, text, len), text, len);
}

struct gw_name *gw_name(struct gw *g, const void *text, size_t len)
{
    uint32_t hash = gw_hash(g->seed, text, len);
    struct gw_name *n = find(g, hash, text, len);
    if (n)
        return gw_name_ref(n);
    if (!g->names.bucket || g->names.count > g->names.mask)
        grow(&g->names);
    n = gw_alloc(sizeof *n + len);
    n->refs = 1;
    n->hash = hash;
    n->len = (uint16_t)len;
    memcpy(n->text, text, len);
    n->next = g->names.bucket[hash & g->names.mask];
    g->names.bucket[hash & g->names.mask] = n;
    g->names.count++;
    return n;
}

struct gw_name *gw_name_ref(struct gw_name *n)
{
    n->refs++;
    return n;
}

void gw_name_drop(struct gw *g, struct gw_name *n)
{
    if (!n || --n->refs)
        return;
    struct gw_name **at = &g->names.bucket[n->hash & g->names.mask];
    while (*at != n)
        at = &(*at)->next;
    *at = n->next;
    g->names.count--;
    free(n);
}
