/* Updates in blocks, the device's side: a native image beside its module
 * (include/sandmote/blocks.h).
 *
 * When the last byte of a module is there, a device that runs native images asks for the claim of
 * the one for its processor. The claim comes as what is small does and is checked before a byte of
 * the image is asked for; the image comes as the module did. Nothing about it fails the module:
 * whatever is wrong, the module is all there, and is finished without it.
 *
 *   UNASKED --- claim taken ---> COMES --- last byte, or it does not come ---> SETTLED
 *      \------------- there is none, or its claim is refused ---------------------^
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "blocks_inner.h"

/* Back to the module, which is all there. */
static void settle_native(struct sm_blocks *b)
{
    b->native = SM_BLK_NATIVE_SETTLED;
    b->fetching = true;
    b->small = false;
    b->length = b->have = b->offer.len;
    b->waiting = 0;
    memcpy(b->sha, b->offer.sha, sizeof b->sha);
    if (b->asking == SM_BLOCKS_WANT)
        sm_blk_answered(b);
}

void sm_blk_do_without_native(struct sm_blocks *b, const char *why)
{
    if (why != NULL)
        (void)sm_device_native_end(b->cfg->device, why);
    settle_native(b);
}

bool sm_blk_ask_for_native(struct sm_blocks *b)
{
    const struct sm_device_native *native = b->cfg->device->cfg->native;

    if (native == NULL || b->native == SM_BLK_NATIVE_SETTLED)
        return false;
    if (b->native == SM_BLK_NATIVE_UNASKED) {
        memcpy(b->nonce, b->offer.sha, sizeof b->nonce);
        return sm_blk_ask_for(b, SM_BLOCKS_CLAIM, native->target);
    }
    (void)sm_device_native_end(b->cfg->device, NULL);
    settle_native(b);
    return false;
}

void sm_blk_take_claim(struct sm_blocks *b)
{
    struct sm_device *d = b->cfg->device;
    int64_t from = sm_device_native_begin(d, b->cfg->buf, b->length);

    if (from < 0) {
        sm_blk_do_without_native(b, sm_device_reason(d));
        return;
    }
    b->native = SM_BLK_NATIVE_COMES;
    b->fetching = true;
    b->small = false;
    b->length = d->install.claim.image_len;
    b->have = (uint32_t)from;
    b->waiting = 0;
    memcpy(b->sha, d->install.claim.image_sha, sizeof b->sha);
    sm_blk_keep_bound(b);
}

bool sm_blk_native_bytes(struct sm_blocks *b, const uint8_t *bytes, uint32_t len)
{
    if (sm_device_native_write(b->cfg->device, bytes, len) == 0)
        return true;
    sm_blk_do_without_native(b, sm_device_reason(b->cfg->device));
    return false;
}
