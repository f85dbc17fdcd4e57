/* ChaCha20-Poly1305 (RFC 8439), small and for 32-bit registers. Owns nothing.
 *
 * Neither branches nor looks anything up by a secret: ChaCha20 is additions, rotations and xor, and
 * Poly1305 multiplies 26-bit limbs with 32 x 32 -> 64 multiplications, which take one time on the
 * cores this is for (Cortex-M4 and above).
 *
 * Bounds in Poly1305: limbs of r are below 2^26; those of h below 2^26 but for the second, which
 * may be a little above (below 2^26 + 2^6 after a carry) and each gains a limb of the block, below
 * 2^26. So h's limbs stay below 2^27 + 2^7, products of them with 5 r below 2^56.4, and sums of
 * five of these below 2^58.8: no 64-bit word overflows.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/crypto.h>
#include <string.h>
#include "crypto_internal.h"

/* ---- ChaCha20 (section 2.3, 2.4) ------------------------------------------------------------- */

static inline void store_le32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}

static inline uint32_t rotl(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

static void quarter_round(uint32_t x[16], unsigned a, unsigned b, unsigned c, unsigned d)
{
    uint32_t p = x[a], q = x[b], r = x[c], s = x[d];
    p += q;
    s = rotl(s ^ p, 16);
    r += s;
    q = rotl(q ^ r, 12);
    p += q;
    s = rotl(s ^ p, 8);
    r += s;
    q = rotl(q ^ r, 7);
    x[a] = p;
    x[b] = q;
    x[c] = r;
    x[d] = s;
}

static void chacha_init(uint32_t state[16], const uint8_t key[32], const uint8_t nonce[12])
{
    static const uint32_t constant[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    memcpy(state, constant, sizeof constant);
    for (unsigned i = 0; i < 8; i++)
        state[4 + i] = sm_load_le32(key + 4 * i);
    state[12] = 0;
    for (unsigned i = 0; i < 3; i++)
        state[13 + i] = sm_load_le32(nonce + 4 * i);
}

/* The block of the state's counter, which goes up by one. */
static void chacha_block(uint32_t state[16], uint8_t out[64])
{
    uint32_t x[16];
    memcpy(x, state, sizeof x);
    for (unsigned i = 0; i < 10; i++) {
        for (unsigned c = 0; c < 4; c++)
            quarter_round(x, c, 4 + c, 8 + c, 12 + c);
        for (unsigned c = 0; c < 4; c++)
            quarter_round(x, c, 4 + (c + 1) % 4, 8 + (c + 2) % 4, 12 + (c + 3) % 4);
    }
    for (unsigned i = 0; i < 16; i++)
        store_le32(out + 4 * i, x[i] + state[i]);
    state[12]++;
    sm_wipe(x, sizeof x);
}

static void chacha_xor(uint32_t state[16], uint8_t *out, const uint8_t *in, size_t len)
{
    uint8_t block[64];
    while (len > 0) {
        size_t take = len < sizeof block ? len : sizeof block;
        chacha_block(state, block);
        for (size_t i = 0; i < take; i++)
            out[i] = in[i] ^ block[i];
        in += take;
        out += take;
        len -= take;
    }
    sm_wipe(block, sizeof block);
}

/* ---- Poly1305 (section 2.5) ------------------------------------------------------------------ */

struct poly {
    uint32_t r[5], h[5], pad[4];
};

static void poly_init(struct poly *p, const uint8_t key[32])
{
    p->r[0] = sm_load_le32(key) & 0x3ffffff;
    p->r[1] = sm_load_le32(key + 3) >> 2 & 0x3ffff03;
    p->r[2] = sm_load_le32(key + 6) >> 4 & 0x3ffc0ff;
    p->r[3] = sm_load_le32(key + 9) >> 6 & 0x3f03fff;
    p->r[4] = sm_load_le32(key + 12) >> 8 & 0x00fffff;
    memset(p->h, 0, sizeof p->h);
    for (unsigned i = 0; i < 4; i++)
        p->pad[i] = sm_load_le32(key + 16 + 4 * i);
}

/* One block of 16 bytes, and the bit above them. */
static void poly_block(struct poly *p, const uint8_t *b)
{
    uint32_t *h = p->h;
    const uint32_t *r = p->r;
    h[0] += sm_load_le32(b) & 0x3ffffff;
    h[1] += sm_load_le32(b + 3) >> 2 & 0x3ffffff;
    h[2] += sm_load_le32(b + 6) >> 4 & 0x3ffffff;
    h[3] += sm_load_le32(b + 9) >> 6;
    h[4] += sm_load_le32(b + 12) >> 8 | 1u << 24;
    uint64_t d[5];
    for (unsigned i = 0; i < 5; i++) {
        d[i] = 0;
        for (unsigned j = 0; j < 5; j++) /* 2^130 is 5: limbs that go round count five times */
            d[i] += (uint64_t)h[j] * (j <= i ? r[i - j] : 5 * r[5 + i - j]);
    }
    uint64_t carry = 0;
    for (unsigned i = 0; i < 5; i++) {
        d[i] += carry;
        carry = d[i] >> 26;
        h[i] = (uint32_t)d[i] & 0x3ffffff;
    }
    carry = h[0] + carry * 5;
    h[0] = (uint32_t)carry & 0x3ffffff;
    h[1] += (uint32_t)(carry >> 26);
}

/* Bytes, with zeros up to the next 16 (section 2.8). */
static void poly_padded(struct poly *p, const uint8_t *bytes, size_t len)
{
    for (; len >= 16; bytes += 16, len -= 16)
        poly_block(p, bytes);
    if (len > 0) {
        uint8_t last[16] = {0};
        memcpy(last, bytes, len);
        poly_block(p, last);
    }
}

static void poly_final(struct poly *p, uint8_t tag[16])
{
    uint32_t *h = p->h, g[5], carry = 0;
    for (unsigned round = 0; round < 2; round++) { /* h below 2^130 */
        for (unsigned i = 1; i < 5; i++) {
            h[i] += carry;
            carry = h[i] >> 26;
            h[i] &= 0x3ffffff;
        }
        h[0] += carry * 5;
        carry = h[0] >> 26;
        h[0] &= 0x3ffffff;
    }
    h[1] += carry;
    carry = 5; /* g = h + 5: 2^130 or more when h is p = 2^130 - 5 or more */
    for (unsigned i = 0; i < 5; i++) {
        g[i] = h[i] + carry;
        carry = g[i] >> 26;
        g[i] &= 0x3ffffff;
    }
    uint32_t above = 0u - carry;
    for (unsigned i = 0; i < 5; i++)
        h[i] = (h[i] & ~above) | (g[i] & above);
    const uint32_t word[4] = {h[0] | h[1] << 26, h[1] >> 6 | h[2] << 20, h[2] >> 12 | h[3] << 14,
                              h[3] >> 18 | h[4] << 8};
    uint64_t sum = 0;
    for (unsigned i = 0; i < 4; i++) {
        sum += (uint64_t)word[i] + p->pad[i];
        store_le32(tag + 4 * i, (uint32_t)sum);
        sum >>= 32;
    }
}

/* ---- The AEAD (section 2.8) ------------------------------------------------------------------ */

/* The tag of what is sealed; the state is at block 0 before and at block 1 after. */
static void make_tag(uint32_t state[16], const uint8_t *aad, size_t aad_len, const uint8_t *sealed,
                     size_t len, uint8_t tag[16])
{
    struct poly p;
    uint8_t block[64], lengths[16];
    chacha_block(state, block);
    poly_init(&p, block);
    poly_padded(&p, aad, aad_len);
    poly_padded(&p, sealed, len);
    const uint64_t wide[2] = {aad_len, len};
    for (unsigned i = 0; i < 2; i++) {
        store_le32(lengths + 8 * i, (uint32_t)wide[i]);
        store_le32(lengths + 8 * i + 4, (uint32_t)(wide[i] >> 32));
    }
    poly_block(&p, lengths);
    poly_final(&p, tag);
    sm_wipe(&p, sizeof p);
    sm_wipe(block, sizeof block);
}

void sm_compact_aead_seal(uint8_t *out, const uint8_t key[32], const uint8_t nonce[12],
                          const void *aad, size_t aad_len, const void *msg, size_t len)
{
    uint32_t state[16];
    chacha_init(state, key, nonce);
    state[12] = 1;
    chacha_xor(state, out, msg, len);
    state[12] = 0;
    make_tag(state, aad, aad_len, out, len, out + len);
    sm_wipe(state, sizeof state);
}

int sm_compact_aead_open(uint8_t *out, const uint8_t key[32], const uint8_t nonce[12],
                         const void *aad, size_t aad_len, const void *sealed, size_t len)
{
    uint32_t state[16];
    uint8_t tag[16];
    const uint8_t *in = sealed;
    chacha_init(state, key, nonce);
    make_tag(state, aad, aad_len, in, len, tag);
    int result = sm_ct_equal(tag, in + len, sizeof tag) ? 0 : SM_ERR_SIGNATURE;
    if (!result)
        chacha_xor(state, out, in, len);
    sm_wipe(state, sizeof state);
    sm_wipe(tag, sizeof tag);
    return result;
}
