/* Cuts a stream of bytes into blocks and pads the last one (FIPS 180-4 section 5). Owns nothing.
 *
 * Invariant between calls: the first *len % block_size bytes of block are the tail that has not
 * been compressed yet; a full block never waits.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "crypto_internal.h"

void sm_md_update(const struct sm_md *md, const void *data, size_t len)
{
    const uint8_t *in = data;
    size_t held = (size_t)(*md->len % md->block_size);
    *md->len += len;
    if (held > 0) {
        size_t take = md->block_size - held;
        if (take > len)
            take = len;
        if (take > 0) /* in may be NULL when there is nothing to take */
            memcpy(md->block + held, in, take);
        if (held + take < md->block_size)
            return;
        md->compress(md->h, md->block, 1);
        in += take;
        len -= take;
    }
    size_t whole = len / md->block_size;
    if (whole > 0) {
        md->compress(md->h, in, whole);
        in += whole * md->block_size;
        len -= whole * md->block_size;
    }
    if (len > 0)
        memcpy(md->block, in, len);
}

void sm_md_pad(const struct sm_md *md)
{
    size_t held = (size_t)(*md->len % md->block_size);
    md->block[held++] = 0x80;
    if (held > md->block_size - md->block_size / 8) {
        memset(md->block + held, 0, md->block_size - held);
        md->compress(md->h, md->block, 1);
        held = 0;
    }
    memset(md->block + held, 0, md->block_size - 8 - held);
    uint64_t bits = *md->len * 8;
    sm_store_be32(md->block + md->block_size - 8, (uint32_t)(bits >> 32));
    sm_store_be32(md->block + md->block_size - 4, (uint32_t)bits);
    md->compress(md->h, md->block, 1);
}
