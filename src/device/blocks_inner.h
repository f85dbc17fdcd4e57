/* What the files of updates in blocks share (blocks.c). SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_DEVICE_BLOCKS_INNER_H
#define SANDMOTE_DEVICE_BLOCKS_INNER_H

#include <sandmote/blocks.h>
#include <sandmote/offer.h>

static inline uint32_t or_else(uint32_t value, uint32_t otherwise)
{
    return value != 0 ? value : otherwise;
}

static inline uint32_t sm_blk_retry_ms(const struct sm_blocks *b)
{
    return or_else(b->cfg->retry_ms, 4000);
}

/* ---- Questions (blocks.c) -------------------------------------------------------------------- */

/* From now until an unanswered question is sent again. */
uint64_t sm_blk_retry_pause(const struct sm_blocks *b);
/* A new question. True, for callers that say whether there is one. */
bool sm_blk_ask(struct sm_blocks *b, enum sm_blocks_kind kind);
bool sm_blk_ask_for(struct sm_blocks *b, enum sm_blocks_what what, uint32_t number);
void sm_blk_answered(struct sm_blocks *b);

/* ---- What is fetched (blocks_fetch.c) -------------------------------------------------------- */

/* Of a block's content. */
uint32_t sm_blk_block_size(const struct sm_blocks *b);
/* Bytes that may go over the way for something of this length. */
uint64_t sm_blk_most_bytes(const struct sm_blocks *b, uint32_t len);
/* From now on time and bytes count for what is being fetched; they go on counting for what they
 * counted for last. */
void sm_blk_set_bound(struct sm_blocks *b);
void sm_blk_keep_bound(struct sm_blocks *b);
void sm_blk_watch_deadline(struct sm_blocks *b);
/* The key set to ask for, or 0. */
uint32_t sm_blk_next_keys(const struct sm_blocks *b);
bool sm_blk_fetch_current(struct sm_blocks *b);
void sm_blk_do_without(struct sm_blocks *b);
void sm_blk_describe_want(struct sm_blocks *b, struct sm_blocks_msg *m);
int sm_blk_take_block(struct sm_blocks *b, const struct sm_blocks_msg *m);

/* ---- A native image (blocks_native.c) -------------------------------------------------------- */

enum sm_blk_native { SM_BLK_NATIVE_UNASKED, SM_BLK_NATIVE_COMES, SM_BLK_NATIVE_SETTLED };

/* Whether a native image is what is being fetched. */
static inline bool sm_blk_native_comes(const struct sm_blocks *b)
{
    return b->fetching && !b->small && b->native == SM_BLK_NATIVE_COMES;
}

/* The module is all there, and its native image, if one was coming: the question for its claim;
 * false when there is none (any more). */
bool sm_blk_ask_for_native(struct sm_blocks *b);
/* All of the claim is in buf. */
void sm_blk_take_claim(struct sm_blocks *b);
/* The image's next bytes. False when they could not be written: it is done without. */
bool sm_blk_native_bytes(struct sm_blocks *b, const uint8_t *bytes, uint32_t len);
/* It does not come, for this reason; NULL: there is none. */
void sm_blk_do_without_native(struct sm_blocks *b, const char *why);

/* ---- The deployment (blocks_deploy.c) -------------------------------------------------------- */

/* What is under way is left as it is; the slot's record knows how far it came. */
void sm_blk_stop_fetching(struct sm_blocks *b);
void sm_blk_drop_deployment(struct sm_blocks *b);
void sm_blk_take_offered_module(struct sm_blocks *b, const struct sm_blocks_msg *m);
/* The module that is offered comes to nothing. */
void sm_blk_give_up(struct sm_blocks *b, int error, const char *why);
/* The flash, or something else of ours, failed: try again later. */
void sm_blk_hold(struct sm_blocks *b);
/* The next question for the deployment; false when there is none now. */
bool sm_blk_deploy(struct sm_blocks *b);
void sm_blk_describe_result(const struct sm_blocks *b, struct sm_blocks_msg *m);

/* ---- What is told (blocks_tell.c) ------------------------------------------------------------ */

/* The describers return false when there is nothing to tell any more. */
bool sm_blk_describe_event(struct sm_blocks *b, struct sm_blocks_msg *m);
bool sm_blk_state_waits(struct sm_blocks *b);
void sm_blk_describe_state(struct sm_blocks *b, struct sm_blocks_msg *m);
void sm_blk_take_state_ack(struct sm_blocks *b);
/* Whether a post-mortem waits that this server takes: a note; at last, when there is nothing else
 * to ask, also a core dump, and one that the server did not answer. */
bool sm_blk_note_waits(struct sm_blocks *b, bool last);
bool sm_blk_describe_note(struct sm_blocks *b, struct sm_blocks_msg *m);
/* The server has these bytes of it. */
void sm_blk_note_is_there(struct sm_blocks *b, uint32_t up_to);

#endif
