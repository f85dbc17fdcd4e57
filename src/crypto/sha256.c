/* SHA-256 as a stream, for both libraries. Owns nothing: the state is the caller's.
 *
 * Only the compression of whole blocks is exchanged between the libraries (sm_sha256_blocks). The
 * stream is ours in both, because libcrypto's own stream object lives on the heap: it would have
 * to be freed, could fail, and could not be a plain struct in the caller's memory.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/crypto.h>
#include <string.h>
#include "crypto_internal.h"

static void compress(void *h, const uint8_t *blocks, size_t count)
{
    sm_sha256_blocks(h, blocks, count);
}

void sm_sha256_init(struct sm_sha256 *s)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(s->h, start, sizeof s->h);
    s->len_bytes = 0;
}

void sm_sha256_update(struct sm_sha256 *s, const void *data, size_t len)
{
    const struct sm_md md = {s->h, s->block, sizeof s->block, &s->len_bytes, compress};
    sm_md_update(&md, data, len);
}

void sm_sha256_final(struct sm_sha256 *s, uint8_t out[SM_SHA256_SIZE])
{
    const struct sm_md md = {s->h, s->block, sizeof s->block, &s->len_bytes, compress};
    sm_md_pad(&md);
    for (int i = 0; i < 8; i++)
        sm_store_be32(out + 4 * i, s->h[i]);
}

void sm_sha256(const void *data, size_t len, uint8_t out[SM_SHA256_SIZE])
{
    struct sm_sha256 s;
    sm_sha256_init(&s);
    sm_sha256_update(&s, data, len);
    sm_sha256_final(&s, out);
}
