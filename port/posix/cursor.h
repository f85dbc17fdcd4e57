/* A cursor over outside bytes with a sticky end: what is not there reads as 0 and sets `bad`.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_POSIX_CURSOR_H
#define SM_POSIX_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sm_cursor {
    const uint8_t *at, *end;
    bool bad;
};

static inline struct sm_cursor sm_cursor(const void *bytes, size_t len)
{
    return (struct sm_cursor){bytes, (const uint8_t *)bytes + len, false};
}

static inline size_t sm_cursor_left(const struct sm_cursor *c)
{
    return (size_t)(c->end - c->at);
}

/* n bytes, or NULL. */
static inline const uint8_t *sm_cursor_take(struct sm_cursor *c, uint64_t n)
{
    const uint8_t *p = c->at;
    if (c->bad || n > sm_cursor_left(c)) {
        c->bad = true;
        c->at = c->end;
        return NULL;
    }
    if (n > 0)
        c->at += n;
    return p;
}

/* The next n bytes as a cursor of their own. */
static inline struct sm_cursor sm_cursor_part(struct sm_cursor *c, uint64_t n)
{
    const uint8_t *p = sm_cursor_take(c, n);
    return p ? sm_cursor(p, (size_t)n) : (struct sm_cursor){c->end, c->end, c->bad};
}

/* A little-endian number of 1, 2, 4 or 8 bytes. */
static inline uint64_t sm_cursor_fixed(struct sm_cursor *c, unsigned bytes)
{
    const uint8_t *p = sm_cursor_take(c, bytes);
    uint64_t v = 0;
    for (unsigned i = 0; p && i < bytes; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

/* LEB128; bits above the 64th are lost. */
static inline uint64_t sm_cursor_leb(struct sm_cursor *c, bool is_signed)
{
    uint64_t v = 0;
    unsigned shift = 0;
    for (;;) {
        const uint8_t *p = sm_cursor_take(c, 1);
        if (!p)
            return 0;
        if (shift < 64)
            v |= (uint64_t)(*p & 0x7f) << shift;
        shift += 7;
        if (*p & 0x80)
            continue;
        if (is_signed && (*p & 0x40) && shift < 64)
            v |= ~0ull << shift;
        return v;
    }
}

/* A text that ends with a zero byte, or NULL. */
static inline const char *sm_cursor_text(struct sm_cursor *c)
{
    const uint8_t *zero = sm_cursor_left(c) ? memchr(c->at, 0, sm_cursor_left(c)) : NULL;
    return (const char *)sm_cursor_take(c, zero ? (uint64_t)(zero - c->at) + 1 : UINT64_MAX);
}

/* A section of a module: its id and content; a custom section's name is taken off. false at the end
 * or when what follows is none. The cursor begins behind the 8 bytes of the header. */
struct sm_section {
    uint8_t id;
    const uint8_t *name;
    size_t name_len;
    struct sm_cursor content;
};

static inline bool sm_cursor_section(struct sm_cursor *c, struct sm_section *s)
{
    if (sm_cursor_left(c) == 0)
        return false;
    *s = (struct sm_section){.id = (uint8_t)sm_cursor_fixed(c, 1)};
    uint64_t len = sm_cursor_leb(c, false);
    s->content = sm_cursor_part(c, len);
    if (s->id == 0) {
        s->name_len = (size_t)sm_cursor_leb(&s->content, false);
        s->name = sm_cursor_take(&s->content, s->name_len);
    }
    return !s->content.bad;
}

static inline bool sm_section_is(const struct sm_section *s, const char *name)
{
    return s->id == 0 && s->name_len == strlen(name) && memcmp(s->name, name, s->name_len) == 0;
}

#endif
