/* Updates in blocks, the device's side: fetching, block after block, and what is small
 * (include/sandmote/blocks.h).
 *
 * Blocks are asked for by number, a window at a time, with one bit for each. The first missing one
 * goes straight to the flash; those behind it wait in buf until it comes, so each is sent once even
 * when some are lost. Rejected: going back to the first one lost, which needs no buffer and at a
 * tenth of loss sends a window of eight again for most of the windows; on a radio that is the
 * battery. With a buffer of one block this is what is left of it.
 *
 * When the last block that was asked for has come, what is missing of the others is lost, or later
 * than it: it is asked for at once, without waiting for the time of an answer to be over.
 *
 * Resuming: nothing is kept here over a restart. The record of the slot says from which byte on the
 * module is wanted, which may be in the middle of a block; of that block the rest is taken.
 *
 * A server that lies: lengths and block numbers are checked against the offer, which is bound to
 * the slot's record; time and received bytes of one module are bounded.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "blocks_inner.h"

enum {
    DEADLINE_S = 86400,
    BYTES_PER_BYTE = 4,
    BYTES_SPARE = 4096, /* for small modules */
    WINDOW = 8
};

/* ---- Bounds ---------------------------------------------------------------------------------- */

uint64_t sm_blk_most_bytes(const struct sm_blocks *b, uint32_t len)
{
    return (uint64_t)len * or_else(b->cfg->bytes_per_byte, BYTES_PER_BYTE) + BYTES_SPARE;
}

static struct sm_blocks_bound *bound_of(struct sm_blocks *b)
{
    return &b->bound[b->small ? 1 : b->native == SM_BLK_NATIVE_COMES ? 2 : 0];
}

void sm_blk_set_bound(struct sm_blocks *b)
{
    struct sm_blocks_bound *bound = bound_of(b);

    bound->deadline_ms = b->now_ms + or_else(b->cfg->deadline_s, DEADLINE_S) * 1000ull;
    bound->bytes_left = sm_blk_most_bytes(b, b->length);
    memcpy(bound->sha, b->sha, sizeof bound->sha);
}

void sm_blk_keep_bound(struct sm_blocks *b)
{
    const struct sm_blocks_bound *bound = bound_of(b);

    if (bound->deadline_ms == 0 || memcmp(bound->sha, b->sha, sizeof bound->sha) != 0)
        sm_blk_set_bound(b);
}

static void give_up(struct sm_blocks *b, const char *why)
{
    sm_blk_answered(b);
    if (b->small)
        sm_blk_do_without(b);
    else if (sm_blk_native_comes(b))
        sm_blk_do_without_native(b, why);
    else
        sm_blk_give_up(b, 0, why);
}

/* More came than something of this length is worth: somebody sends it again and again. */
static bool overdrawn(struct sm_blocks *b, size_t len)
{
    uint64_t *left = &bound_of(b)->bytes_left;

    *left -= *left < len ? *left : len;
    if (*left > 0)
        return false;
    give_up(b, "more bytes came than may for one module");
    return true;
}

/* The time is over for what is being fetched. */
void sm_blk_watch_deadline(struct sm_blocks *b)
{
    if (b->fetching && b->have < b->length && b->now_ms >= bound_of(b)->deadline_ms)
        give_up(b, "did not come in time");
}

/* ---- What is small --------------------------------------------------------------------------- */

uint32_t sm_blk_next_keys(const struct sm_blocks *b)
{
    uint32_t next = sm_offer_next_keys(b->cfg->device);

    return next <= b->keys_latest && next != b->keys_refused ? next : 0;
}

bool sm_blk_fetch_current(struct sm_blocks *b)
{
    if (b->asked_current || !b->states || !sm_device_statement_wanted(b->cfg->device))
        return false;
    b->asked_current = true;
    if (b->cfg->entropy->fill(b->cfg->entropy->ctx, b->nonce, sizeof b->nonce) < 0)
        return false; /* without luck a replay could not be told */
    return sm_blk_ask_for(b, SM_BLOCKS_CURRENT, 0);
}

/* It is not to be had before the next poll. */
void sm_blk_do_without(struct sm_blocks *b)
{
    if (b->what == SM_BLOCKS_KEYS)
        b->keys_refused = b->number;
    b->fetching = false;
    if (b->what == SM_BLOCKS_CLAIM)
        sm_blk_do_without_native(b, "its claim does not come");
}

/* All of it is in buf. What is wrong with it the device reports. */
static void take_small(struct sm_blocks *b)
{
    struct sm_device *d = b->cfg->device;

    b->fetching = false;
    if (b->what == SM_BLOCKS_CURRENT)
        (void)sm_device_statement(d, b->cfg->buf, b->length, b->nonce);
    else if (b->what == SM_BLOCKS_CLAIM)
        sm_blk_take_claim(b);
    else if (sm_device_keys_offer(d, b->cfg->buf, b->length) != 0)
        b->keys_refused = b->number;
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

uint32_t sm_blk_block_size(const struct sm_blocks *b)
{
    return b->cfg->message_most - SM_BLOCKS_HEAD;
}

/* Blocks that may be under way at once. */
static uint32_t window(const struct sm_blocks *b)
{
    uint32_t want = or_else(b->cfg->window, WINDOW), fit = b->cfg->buf_len / sm_blk_block_size(b);

    want = want < SM_BLOCKS_WINDOW ? want : SM_BLOCKS_WINDOW;
    return b->small || fit >= want ? want : fit > 0 ? fit : 1;
}

/* Where a block waits: something small is put together in buf, a window of a module turns there. */
static uint8_t *place_of(const struct sm_blocks *b, uint32_t n)
{
    return b->cfg->buf + (b->small ? n : n % window(b)) * sm_blk_block_size(b);
}

static uint32_t bytes_of(const struct sm_blocks *b, uint32_t n)
{
    uint64_t left = b->length - (uint64_t)n * sm_blk_block_size(b);

    return left < sm_blk_block_size(b) ? (uint32_t)left : sm_blk_block_size(b);
}

/* The blocks to ask for, from the first that is missing. */
void sm_blk_describe_want(struct sm_blocks *b, struct sm_blocks_msg *m)
{
    b->base = b->have / sm_blk_block_size(b);
    b->wanted = 0;
    for (uint32_t i = 0; i < window(b); i++)
        if ((b->base + (uint64_t)i) * sm_blk_block_size(b) < b->length && !(b->waiting >> i & 1)) {
            b->wanted |= 1u << i;
            b->last = b->base + i;
        }
    m->tag = sm_blocks_tag(b->sha);
    m->size = (uint16_t)sm_blk_block_size(b);
    m->first = b->base;
    m->mask = b->wanted;
}

/* The next bytes in order. False when the fetch is over. */
static bool append(struct sm_blocks *b, uint32_t n, const uint8_t *bytes)
{
    uint32_t skip = b->have - n * sm_blk_block_size(b), len = bytes_of(b, n) - skip;

    if (b->small)
        memmove(place_of(b, n), bytes, len);
    else if (sm_blk_native_comes(b)) {
        if (!sm_blk_native_bytes(b, bytes + skip, len))
            return false;
    } else if (sm_device_install_write(b->cfg->device, bytes + skip, len) < 0) {
        sm_blk_hold(b);
        return false;
    }
    b->have += len;
    b->waiting >>= 1;
    return true;
}

/* A block of what is fetched, in order or ahead of it. */
static int take_in_order(struct sm_blocks *b, const struct sm_blocks_msg *m)
{
    uint32_t first = b->have / sm_blk_block_size(b), ahead = m->number - first;

    if (b->have == b->length || m->number < first ||
        (ahead > 0 && ahead < window(b) && (b->waiting >> ahead & 1))) {
        b->counts.duplicates++;
        return SM_ERR_STATE;
    }
    if (ahead >= window(b) || (uint64_t)m->number * sm_blk_block_size(b) >= b->length ||
        m->bytes_len != bytes_of(b, m->number)) {
        b->counts.unasked++;
        return SM_ERR_STATE;
    }
    b->counts.blocks++;
    if (m->number - b->base < SM_BLOCKS_WINDOW)
        b->wanted &= ~(1u << (m->number - b->base));
    if (ahead > 0) {
        memcpy(place_of(b, m->number), m->bytes, m->bytes_len);
        b->waiting |= 1u << ahead;
        return 0;
    }
    bool good = append(b, m->number, m->bytes);
    for (uint32_t n = m->number + 1; good && (b->waiting & 1); n++)
        good = append(b, n, place_of(b, n));
    return 0;
}

int sm_blk_take_block(struct sm_blocks *b, const struct sm_blocks_msg *m)
{
    if (!b->fetching) {
        b->counts.unasked++;
        return SM_ERR_STATE;
    }
    if (overdrawn(b, SM_BLOCKS_HEAD + m->bytes_len))
        return SM_ERR_STATE;
    if (m->tag != sm_blocks_tag(b->sha)) {
        b->counts.unasked++;
        return SM_ERR_STATE;
    }
    int err = take_in_order(b, m);
    if (err != 0 || !b->fetching)
        return err;
    b->tries = 0;
    b->due_ms = b->now_ms + sm_blk_retry_pause(b);
    if (b->asking == SM_BLOCKS_WANT && (b->wanted == 0 || m->number == b->last))
        sm_blk_answered(b);
    if (b->small && b->have == b->length)
        take_small(b);
    return 0;
}
