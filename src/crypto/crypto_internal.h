/* Inside src/crypto: what the two libraries share, and the compact code's own names.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_CRYPTO_INTERNAL_H
#define SM_CRYPTO_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

/* ---- Blocks: the buffering and padding of FIPS 180-4 section 5, the same for SHA-256 and -512 -
 */

/* A view of a hash under way; everything it points at is the caller's. */
struct sm_md {
    void *h;
    uint8_t *block;      /* block_size bytes; the first *len % block_size are waiting */
    uint32_t block_size; /* 64 or 128; the length field takes an eighth of it */
    uint64_t *len;       /* bytes so far */
    void (*compress)(void *h, const uint8_t *blocks, size_t count);
};

void sm_md_update(const struct sm_md *md, const void *data, size_t len);
/* Pads and compresses the last one or two blocks: h is the hash. */
void sm_md_pad(const struct sm_md *md);

static inline __attribute__((always_inline)) uint32_t sm_load_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline __attribute__((always_inline)) uint32_t sm_load_le32(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static inline void sm_store_be32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

#define SM_AEAD_MAX 0x7fffffffu /* bytes to seal: EVP takes an int */

/* What a library adds to the shared stream: h after count blocks of 64 bytes. */
void sm_sha256_blocks(uint32_t h[8], const uint8_t *blocks, size_t count);

/* ---- The compact code ------------------------------------------------------------------------ */

void sm_compact_sha256_blocks(uint32_t h[8], const uint8_t *blocks, size_t count);

struct sm_compact_sha512 {
    uint64_t h[8];
    uint64_t len_bytes;
    uint8_t block[128];
};
void sm_compact_sha512_init(struct sm_compact_sha512 *s);
void sm_compact_sha512_update(struct sm_compact_sha512 *s, const void *data, size_t len);
void sm_compact_sha512_final(struct sm_compact_sha512 *s, uint8_t out[64]);

/* Of ChaCha20-Poly1305, without the checks of lengths; len is that of the message. */
void sm_compact_aead_seal(uint8_t *out, const uint8_t key[32], const uint8_t nonce[12],
                          const void *aad, size_t aad_len, const void *msg, size_t len);
int sm_compact_aead_open(uint8_t *out, const uint8_t key[32], const uint8_t nonce[12],
                         const void *aad, size_t aad_len, const void *sealed, size_t len);
int sm_compact_ed25519_verify(const uint8_t pub[32], const void *msg, size_t len,
                              const uint8_t sig[64]);

#endif
