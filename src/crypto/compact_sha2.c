/* SHA-256's compression and SHA-512 (FIPS 180-4), small and for 32-bit registers. Owns the round
 * constants.
 *
 * Both hashes take their round constants from the cube roots of the same primes, SHA-256 the first
 * 32 bits and SHA-512 the first 64, so one table serves both.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "crypto_internal.h"

static const uint64_t round_constant[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
    0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
    0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
    0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
    0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
    0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
    0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

/* ---- SHA-256 --------------------------------------------------------------------------------- */

static inline uint32_t ror32(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

/* One round on named words: instead of moving the eight words down by one, the callers rename
 * them, so that they stay in registers. */
#define ROUND256(a, b, c, d, e, f, g, h, k, w)                                                     \
    do {                                                                                           \
        h += (ror32(e, 6) ^ ror32(e, 11) ^ ror32(e, 25)) + ((e & (f ^ g)) ^ g);                    \
        h += (uint32_t)((k) >> 32) + (w);                                                          \
        d += h;                                                                                    \
        h += (ror32(a, 2) ^ ror32(a, 13) ^ ror32(a, 22)) + ((a & b) | (c & (a | b)));              \
    } while (0)

/* The whole message schedule stands in memory: a ring of 16 words would spend a quarter of the time
 * on its indices. */
static void schedule256(uint32_t w[64], const uint8_t *block)
{
    for (unsigned i = 0; i < 16; i++)
        w[i] = sm_load_be32(block + 4 * i);
    for (uint32_t *v = w; v < w + 48; v++) {
        uint32_t x = v[1], y = v[14];
        v[16] = v[0] + v[9] + (ror32(x, 7) ^ ror32(x, 18) ^ x >> 3) +
                (ror32(y, 17) ^ ror32(y, 19) ^ y >> 10);
    }
}

static void block256(uint32_t state[8], const uint8_t *block)
{
    uint32_t w[64];
    schedule256(w, block);
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (unsigned t = 0; t < 64; t += 8) {
        const uint64_t *k = round_constant + t;
        const uint32_t *v = w + t;
        ROUND256(a, b, c, d, e, f, g, h, k[0], v[0]);
        ROUND256(h, a, b, c, d, e, f, g, k[1], v[1]);
        ROUND256(g, h, a, b, c, d, e, f, k[2], v[2]);
        ROUND256(f, g, h, a, b, c, d, e, k[3], v[3]);
        ROUND256(e, f, g, h, a, b, c, d, k[4], v[4]);
        ROUND256(d, e, f, g, h, a, b, c, k[5], v[5]);
        ROUND256(c, d, e, f, g, h, a, b, k[6], v[6]);
        ROUND256(b, c, d, e, f, g, h, a, k[7], v[7]);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

void sm_compact_sha256_blocks(uint32_t h[8], const uint8_t *blocks, size_t count)
{
    for (; count > 0; count--, blocks += 64)
        block256(h, blocks);
}

/* ---- SHA-512 --------------------------------------------------------------------------------- */

static inline uint64_t ror64(uint64_t x, unsigned n)
{
    return x >> n | x << (64 - n);
}

/* The message schedule, downwards: word t goes to v[-t]. */
static void schedule512(uint64_t *v, const uint8_t *block)
{
    for (int i = 0; i < 16; i++)
        v[-i] = (uint64_t)sm_load_be32(block + 8 * i) << 32 | sm_load_be32(block + 8 * i + 4);
    for (int t = 16; t < 80; t++, v--) {
        uint64_t x = v[-1], y = v[-14];
        v[-16] = v[0] + v[-9] + (ror64(x, 1) ^ ror64(x, 8) ^ x >> 7) +
                 (ror64(y, 19) ^ ror64(y, 61) ^ y >> 6);
    }
}

/* The eight words a..h stand at s, and each round stores its new a one place below, which moves all
 * the names at once: sixteen 32-bit halves do not fit a 32-bit core's registers, so they may as
 * well stand in memory. The place below holds the round's word of the schedule until then. */
static void block512(uint64_t h[8], const uint8_t *block)
{
    uint64_t v[88], *s = v + 80;
    schedule512(s - 1, block);
    memcpy(s, h, 8 * sizeof v[0]);
    for (unsigned t = 0; t < 80; t++, s--) {
        uint64_t e = s[4], a = s[0];
        uint64_t sum = s[7] + (ror64(e, 14) ^ ror64(e, 18) ^ ror64(e, 41)) +
                       ((e & (s[5] ^ s[6])) ^ s[6]) + round_constant[t] + s[-1];
        s[3] += sum;
        s[-1] =
            sum + (ror64(a, 28) ^ ror64(a, 34) ^ ror64(a, 39)) + ((a & s[1]) | (s[2] & (a | s[1])));
    }
    for (unsigned i = 0; i < 8; i++)
        h[i] += s[i];
}

static void blocks512(void *h, const uint8_t *blocks, size_t count)
{
    for (; count > 0; count--, blocks += 128)
        block512(h, blocks);
}

void sm_compact_sha512_init(struct sm_compact_sha512 *s)
{
    static const uint64_t start[8] = {
        0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
        0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
    };
    memcpy(s->h, start, sizeof s->h);
    s->len_bytes = 0;
}

void sm_compact_sha512_update(struct sm_compact_sha512 *s, const void *data, size_t len)
{
    const struct sm_md md = {s->h, s->block, sizeof s->block, &s->len_bytes, blocks512};
    sm_md_update(&md, data, len);
}

void sm_compact_sha512_final(struct sm_compact_sha512 *s, uint8_t out[64])
{
    const struct sm_md md = {s->h, s->block, sizeof s->block, &s->len_bytes, blocks512};
    sm_md_pad(&md);
    for (unsigned i = 0; i < 8; i++) {
        sm_store_be32(out + 8 * i, (uint32_t)(s->h[i] >> 32));
        sm_store_be32(out + 8 * i + 4, (uint32_t)s->h[i]);
    }
}
