/* Little-endian numbers, blank bytes and erases, for the store's own files.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_STORE_CODEC_H
#define SANDMOTE_STORE_CODEC_H

#include <sandmote/store.h>

/* Erase a sector and count it; SM_ERR_IO when it does not read blank afterwards. */
int sm_store_erase(struct sm_store *s, uint32_t off);

/* Record numbers stay below 2^38 (8,700 years at a record a second): adding to one never wraps, and
 * the ids of events, which are made from them, stay exact in a double (JSON). */
#define SM_STORE_SEQ_MAX (1ull << 38)
/* The same for moves between record areas: no flash lives that long. */
#define SM_STORE_GENERATION_MAX (1u << 31)

static inline void put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void put_u32(uint8_t *p, uint32_t v)
{
    put_u16(p, (uint16_t)v);
    put_u16(p + 2, (uint16_t)(v >> 16));
}

static inline void put_u64(uint8_t *p, uint64_t v)
{
    put_u32(p, (uint32_t)v);
    put_u32(p + 4, (uint32_t)(v >> 32));
}

static inline uint16_t get_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t get_u32(const uint8_t *p)
{
    return get_u16(p) | (uint32_t)get_u16(p + 2) << 16;
}

static inline uint64_t get_u64(const uint8_t *p)
{
    return get_u32(p) | (uint64_t)get_u32(p + 4) << 32;
}

static inline bool sm_blank(const struct sm_flash *f, const uint8_t *p, uint32_t len)
{
    while (len > 0 && *p == f->erased)
        p++, len--;
    return len == 0;
}

#endif
