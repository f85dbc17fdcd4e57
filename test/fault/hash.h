/* A hash of 128 bits for contents that nobody chooses with intent. SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef SM_FAULT_HASH_H
#define SM_FAULT_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct hash {
    uint64_t a, b;
};

static inline uint64_t hash_mix(uint64_t x, uint64_t y)
{
    unsigned __int128 p = (unsigned __int128)(x ^ 0x9e3779b97f4a7c15u) * (y ^ 0xd6e8feb86659fd93u);

    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static inline struct hash hash_word(struct hash h, uint64_t word)
{
    return (struct hash){hash_mix(h.a + 1, word), hash_mix(word + h.b, h.a ^ 0xa0761d6478bd642fu)};
}

static inline struct hash hash_bytes(struct hash h, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    uint64_t word;

    h = hash_word(h, len);
    for (; len >= 8; p += 8, len -= 8) {
        memcpy(&word, p, 8);
        h = hash_word(h, word);
    }
    word = 0;
    memcpy(&word, p, len);
    return hash_word(h, word);
}

static inline bool hash_equal(struct hash x, struct hash y)
{
    return x.a == y.a && x.b == y.b;
}

#endif
