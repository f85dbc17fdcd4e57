/* Updates in blocks, the device's side: the deployment (include/sandmote/blocks.h).
 *
 * Its modules are looked at in their order, and each is open until it is known to be good or bad.
 * What a module is, is asked for anew whenever it is its turn: an offer is taken only as the answer
 * to a question, so unasked ones cost nothing. Once it is in a slot that record says what becomes
 * of it, and nothing is asked any more.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "blocks_inner.h"
#include "text.h"

/* ---- Its modules ----------------------------------------------------------------------------- */

void sm_blk_stop_fetching(struct sm_blocks *b)
{
    if (b->fetching && (!b->small || b->what == SM_BLOCKS_CLAIM))
        sm_device_install_suspend(b->cfg->device);
    b->fetching = false;
    b->offered = false;
    b->waiting = 0;
    if (b->asking == SM_BLOCKS_WANT)
        sm_blk_answered(b);
}

void sm_blk_drop_deployment(struct sm_blocks *b)
{
    sm_blk_stop_fetching(b);
    b->action[0] = b->why[0] = 0;
    b->set = b->closed = b->broken = false;
    b->count = 0;
    b->hold_ms = 0;
    memset(b->chunk, 0, sizeof b->chunk);
    memset(b->bound, 0, sizeof b->bound);
}

static void settle_at(struct sm_blocks *b, uint8_t i, enum sm_blocks_fate fate, const char *name,
                      const char *why)
{
    b->chunk[i].fate = (uint8_t)fate;
    if (fate == SM_BLOCKS_BAD && b->why[0] == 0)
        sm_text(b->why, sizeof b->why, "%s: %s", name, why);
}

/* The module whose offer is there. */
static void settle(struct sm_blocks *b, enum sm_blocks_fate fate, const char *why)
{
    settle_at(b, b->at, fate, b->name, why);
    b->fetching = b->offered = false;
}

void sm_blk_give_up(struct sm_blocks *b, int error, const char *why)
{
    sm_offer_give_up(b->cfg->device, &b->offer, error, why);
    settle(b, SM_BLOCKS_BAD, why);
}

void sm_blk_hold(struct sm_blocks *b)
{
    sm_blk_stop_fetching(b);
    b->hold_ms = b->now_ms + sm_blk_retry_ms(b);
}

/* It is in a slot: from now on its record says what becomes of it. */
static void remember(struct sm_blocks *b)
{
    struct sm_blocks_chunk *c = &b->chunk[b->at];

    c->known = sm_device_find(b->cfg->device, b->offer.name, &c->index) == 0;
    memcpy(c->sha, b->offer.sha, sizeof c->sha);
    b->fetching = b->offered = false;
}

/* A module that was remembered, as a request about it; false when its place has another name now.
 */
static bool recall(const struct sm_blocks *b, size_t i, struct sm_install_request *req)
{
    struct sm_app_info info;

    if (!b->chunk[i].known || sm_device_app(b->cfg->device, b->chunk[i].index, &info) < 0)
        return false;
    *req =
        (struct sm_install_request){.name = info.record->name, .set = b->set, .action = b->action};
    memcpy(req->sha, b->chunk[i].sha, sizeof req->sha);
    return true;
}

static bool staged(const struct sm_blocks *b, size_t i)
{
    struct sm_install_request req;

    return recall(b, i, &req) && sm_offer_state(b->cfg->device, &req) == SM_OFFER_STAGED;
}

static void finish_module(struct sm_blocks *b)
{
    int err = sm_device_install_finish(b->cfg->device);

    if (err == 0)
        remember(b);
    else if (err == SM_ERR_IO)
        sm_blk_hold(b);
    else
        settle(b, SM_BLOCKS_BAD, sm_device_reason(b->cfg->device));
}

/* The device wants the module from this byte on. The bounds hold for all tries of one session. */
static void begin_module(struct sm_blocks *b, uint32_t from)
{
    b->fetching = true;
    b->small = false;
    b->length = b->offer.len;
    b->have = from;
    b->waiting = 0;
    memcpy(b->sha, b->offer.sha, sizeof b->sha);
    sm_blk_keep_bound(b);
}

/* What sm_device_install_begin() said of a module that is wanted. True when it is to be waited for:
 * those behind it are not looked at before. */
static bool take_begin(struct sm_blocks *b, int64_t from)
{
    const struct sm_slot *s;

    switch (from) {
    case SM_ERR_STATE: settle(b, SM_BLOCKS_GOOD, ""); return false;
    case SM_ERR_BUSY: return true;
    case SM_ERR_IO: sm_blk_hold(b); return true;
    case SM_ERR_DENIED:
        s = sm_offer_failed(b->cfg->device, &b->offer);
        settle(b, SM_BLOCKS_BAD,
               s != NULL && s->detail[0] != 0 ? s->detail : sm_device_reason(b->cfg->device));
        return false;
    default: settle(b, SM_BLOCKS_BAD, sm_device_reason(b->cfg->device)); return false;
    }
}

void sm_blk_take_offered_module(struct sm_blocks *b, const struct sm_blocks_msg *m)
{
    b->offered = true;
    b->native = SM_BLK_NATIVE_UNASKED;
    b->at = (uint8_t)m->number;
    b->is_signed = !(m->flags & SM_BLOCKS_UNSIGNED);
    sm_blocks_copy(m->name, b->name, sizeof b->name);
    b->offer = (struct sm_install_request){.name = b->name,
                                           .plugin = m->flags & SM_BLOCKS_PLUGIN,
                                           .set = b->set,
                                           .len = m->length,
                                           .action = b->action};
    memcpy(b->offer.signature, m->signature, sizeof b->offer.signature);
    memcpy(b->offer.sha, m->sha, sizeof b->offer.sha);
}

enum next { SETTLED, WAITS, ASKED };

/* The module whose offer is there: do what the device wants. */
static enum next go_on_with_offer(struct sm_blocks *b)
{
    struct sm_device *d = b->cfg->device;

    if (!b->fetching) {
        switch (sm_offer_state(d, &b->offer)) {
        case SM_OFFER_COMMITTED:
        case SM_OFFER_REMOVED: settle(b, SM_BLOCKS_GOOD, ""); return SETTLED;
        case SM_OFFER_TRIAL:
        case SM_OFFER_STAGED: remember(b); return SETTLED;
        case SM_OFFER_WANTED: break;
        }
        if (!b->is_signed) {
            sm_blk_give_up(b, SM_ERR_SIGNATURE, "unsigned: the server has no signature of it");
            return SETTLED;
        }
        int64_t from = sm_device_install_begin(d, &b->offer);
        if (from < 0)
            return take_begin(b, from) ? WAITS : SETTLED;
        begin_module(b, (uint32_t)from);
    }
    if (b->have < b->length) {
        sm_blk_ask(b, SM_BLOCKS_WANT);
        return ASKED;
    }
    if (sm_blk_ask_for_native(b))
        return ASKED;
    finish_module(b);
    return b->hold_ms > b->now_ms ? WAITS : SETTLED;
}

/* A module that was in a slot: what became of it there. False when the slot no longer says. */
static bool look_at_known(struct sm_blocks *b, uint8_t i)
{
    struct sm_install_request req;
    const struct sm_slot *s;

    if (!recall(b, i, &req))
        return false;
    switch (sm_offer_state(b->cfg->device, &req)) {
    case SM_OFFER_COMMITTED:
    case SM_OFFER_REMOVED: settle_at(b, i, SM_BLOCKS_GOOD, req.name, ""); return true;
    case SM_OFFER_TRIAL:
    case SM_OFFER_STAGED: return true;
    case SM_OFFER_WANTED: break;
    }
    s = sm_offer_failed(b->cfg->device, &req);
    if (s != NULL && s->detail[0] != 0)
        settle_at(b, i, SM_BLOCKS_BAD, req.name, s->detail);
    b->chunk[i].known = false;
    return s != NULL && s->detail[0] != 0;
}

static enum next go_on_with(struct sm_blocks *b, uint8_t i)
{
    if (b->offered && b->at == i)
        return go_on_with_offer(b);
    if (look_at_known(b, i))
        return SETTLED;
    sm_blk_stop_fetching(b);
    sm_blk_ask_for(b, SM_BLOCKS_MODULE, i);
    return ASKED;
}

/* ---- All of it ------------------------------------------------------------------------------- */

/* The set comes to nothing: what of it is staged goes, and so do those that are open. */
static void drop_set(struct sm_blocks *b)
{
    (void)sm_device_set_drop(b->cfg->device, b->action, b->why);
    for (size_t i = 0; i < b->count; i++)
        if (b->chunk[i].fate == SM_BLOCKS_OPEN)
            b->chunk[i].fate = SM_BLOCKS_BAD;
}

static bool set_is_there(const struct sm_blocks *b)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->chunk[i].fate == SM_BLOCKS_OPEN && !staged(b, i))
            return false;
    return true;
}

/* All that are open are staged: on trial already (NOT_FOUND), or to be put there now. False when
 * the set comes to nothing. */
static bool start_set(struct sm_blocks *b)
{
    int err = sm_device_set_start(b->cfg->device, b->action);

    if (err == SM_ERR_IO)
        b->hold_ms = b->now_ms + sm_blk_retry_ms(b);
    if (err == 0 || err == SM_ERR_IO || err == SM_ERR_NOT_FOUND)
        return true;
    sm_text(b->why, sizeof b->why, "%s", sm_device_reason(b->cfg->device));
    drop_set(b);
    return false;
}

bool sm_blk_deploy(struct sm_blocks *b)
{
    bool open = false;

    if (b->closed || b->action[0] == 0 || b->now_ms < b->hold_ms)
        return false;
    for (uint8_t i = 0; !b->broken && i < b->count; i++) {
        if (b->chunk[i].fate == SM_BLOCKS_OPEN) {
            enum next next = go_on_with(b, i);
            if (next != SETTLED)
                return next == ASKED;
        }
        if (b->set && b->chunk[i].fate == SM_BLOCKS_BAD) {
            drop_set(b);
            open = false;
            break;
        }
        open = open || b->chunk[i].fate == SM_BLOCKS_OPEN;
    }
    if (open && (!b->set || !set_is_there(b) || start_set(b)))
        return false;
    return sm_blk_ask(b, SM_BLOCKS_RESULT);
}

void sm_blk_describe_result(const struct sm_blocks *b, struct sm_blocks_msg *m)
{
    bool bad = b->broken;

    for (size_t i = 0; !bad && i < b->count; i++)
        bad = b->chunk[i].fate == SM_BLOCKS_BAD;
    m->outcome = bad ? 2 : 1;
    m->action = sm_blocks_text(b->action);
    m->detail = sm_blocks_text(b->why);
}
