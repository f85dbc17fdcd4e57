/* Updates in blocks, the device's side (include/sandmote/blocks.h).
 *
 * One question is under way at a time (`asking`). It is sent again, later and later, until its
 * answer comes or it is of no interest any more; then choose() looks for the most urgent next one,
 * in the order of the update client over HTTPS: poll, events, post-mortems, state, key sets, the
 * statement of what is current, the deployment, what became of it. A core dump comes last: it may
 * take an hour, and what mends the device should not wait for it.
 *
 * blocks_fetch.c has what comes in blocks, blocks_deploy.c what is done with modules,
 * blocks_native.c native images beside them, blocks_tell.c what is told.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "blocks_inner.h"
#include "text.h"

enum { RETRY_MOST_MS = 300000, POLL_LEAST_S = 10, WAIT_MOST_MS = 60000, TRIES_FOR_MORE = 5 };

/* ---- Questions ------------------------------------------------------------------------------- */

/* A time between ms and a quarter more, so that a fleet does not ask all at once. */
static uint64_t jitter(const struct sm_blocks *b, uint64_t ms)
{
    uint8_t random = 0;

    if (b->cfg->entropy->fill(b->cfg->entropy->ctx, &random, sizeof random) < 0)
        return ms;
    return ms + ms * random / 1024;
}

uint64_t sm_blk_retry_pause(const struct sm_blocks *b)
{
    uint64_t pause = sm_blk_retry_ms(b);
    uint64_t most = or_else(b->cfg->retry_most_ms, RETRY_MOST_MS);

    pause <<= b->tries < 20 ? b->tries : 20;
    return jitter(b, pause < most ? pause : most);
}

bool sm_blk_ask(struct sm_blocks *b, enum sm_blocks_kind kind)
{
    b->asking = (uint8_t)kind;
    b->sent = false;
    b->tries = 0;
    b->token++;
    return true;
}

bool sm_blk_ask_for(struct sm_blocks *b, enum sm_blocks_what what, uint32_t number)
{
    b->what = (uint8_t)what;
    b->number = number;
    return sm_blk_ask(b, SM_BLOCKS_ASK);
}

void sm_blk_answered(struct sm_blocks *b)
{
    b->asking = 0;
    b->tries = 0;
}

/* The server does not have what it spoke of: what it has now says a poll. */
static void poll_soon(struct sm_blocks *b)
{
    uint64_t soon = b->now_ms + or_else(b->cfg->poll_least_s, POLL_LEAST_S) * 1000ull;

    if (soon < b->poll_ms)
        b->poll_ms = soon;
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void take_status(struct sm_blocks *b, const struct sm_blocks_msg *m)
{
    char action[SM_STORE_ACTION];
    uint32_t least = or_else(b->cfg->poll_least_s, POLL_LEAST_S);

    sm_blocks_copy(m->action, action, sizeof action);
    b->polled = true;
    b->polled_ms = b->now_ms;
    b->poll_ms = b->now_ms + jitter(b, (m->seconds > least ? m->seconds : least) * 1000ull);
    b->keys_latest = m->keys;
    b->keys_refused = 0;
    b->states = m->flags & SM_BLOCKS_STATES;
    b->notes = m->flags & SM_BLOCKS_NOTES;
    b->asked_current = false;
    bool set = m->flags & SM_BLOCKS_SET;
    (void)sm_offer_drop_strays(b->cfg->device, action);
    if (!b->closed && strcmp(action, b->action) == 0 && m->count == b->count && set == b->set)
        return;
    sm_blk_drop_deployment(b);
    memcpy(b->action, action, sizeof action);
    b->set = set;
    b->count = m->count;
    b->broken = m->count > SM_BLOCKS_MODULES;
    if (b->broken)
        sm_text(b->why, sizeof b->why, "%u modules, and this device takes %u at once",
                (unsigned)m->count, SM_BLOCKS_MODULES);
}

static void take_offer(struct sm_blocks *b, const struct sm_blocks_msg *m)
{
    if (b->what == SM_BLOCKS_MODULE) {
        sm_blk_take_offered_module(b, m);
        return;
    }
    b->fetching = b->small = true;
    b->length = m->length;
    b->have = b->waiting = 0;
    memcpy(b->sha, m->sha, sizeof b->sha);
    sm_blk_set_bound(b);
    if (m->length > b->cfg->buf_len)
        sm_blk_do_without(b);
}

/* The server does not have it, or no longer. */
static void take_none(struct sm_blocks *b, uint8_t asked)
{
    bool module = b->fetching ? !b->small : b->what == SM_BLOCKS_MODULE;

    if (asked == SM_BLOCKS_ASK && b->what == SM_BLOCKS_CLAIM) {
        sm_blk_do_without_native(b, NULL);
        return;
    }
    if (sm_blk_native_comes(b)) {
        sm_blk_do_without_native(b, "the server does not have it any more");
        return;
    }
    if (!module) {
        sm_blk_do_without(b);
        return;
    }
    sm_blk_stop_fetching(b);
    b->hold_ms = b->now_ms + or_else(b->cfg->poll_least_s, POLL_LEAST_S) * 1000ull;
    poll_soon(b);
}

static void take_ack(struct sm_blocks *b, uint8_t asked)
{
    if (asked == SM_BLOCKS_REPORT)
        (void)sm_device_event_done(b->cfg->device, b->event_id);
    else if (asked == SM_BLOCKS_STATE)
        sm_blk_take_state_ack(b);
    else if (asked == SM_BLOCKS_NOTE)
        sm_blk_note_is_there(b, b->note_at + b->note_part);
    else
        b->closed = true;
}

/* Whether a message is the answer to what is asked now. */
static bool is_answer(const struct sm_blocks *b, const struct sm_blocks_msg *m)
{
    if (!b->sent)
        return false;
    switch (b->asking) {
    case SM_BLOCKS_POLL: return m->kind == SM_BLOCKS_STATUS && m->token == b->token;
    case SM_BLOCKS_ASK:
        return m->token == b->token &&
               (m->kind == SM_BLOCKS_NONE ||
                (m->kind == SM_BLOCKS_OFFER && m->what == b->what && m->number == b->number));
    case SM_BLOCKS_WANT: return m->kind == SM_BLOCKS_NONE && m->token == sm_blocks_tag(b->sha);
    case SM_BLOCKS_NOTE:
        return (m->kind == SM_BLOCKS_ACK || m->kind == SM_BLOCKS_NONE ||
                m->kind == SM_BLOCKS_FROM) &&
               m->token == b->token;
    case SM_BLOCKS_REPORT:
    case SM_BLOCKS_STATE:
    case SM_BLOCKS_RESULT: return m->kind == SM_BLOCKS_ACK && m->token == b->token;
    default: return false;
    }
}

static int take_answer(struct sm_blocks *b, const struct sm_blocks_msg *m)
{
    uint8_t asked = b->asking;

    if (!is_answer(b, m)) {
        b->counts.unasked++;
        return SM_ERR_STATE;
    }
    sm_blk_answered(b);
    switch (m->kind) {
    case SM_BLOCKS_STATUS: take_status(b, m); break;
    case SM_BLOCKS_OFFER: take_offer(b, m); break;
    case SM_BLOCKS_NONE:
        if (asked == SM_BLOCKS_NOTE)
            sm_blk_note_is_there(b, 0);
        else
            take_none(b, asked);
        break;
    case SM_BLOCKS_FROM: sm_blk_note_is_there(b, m->first); break;
    default: take_ack(b, asked); break;
    }
    return 0;
}

int sm_blocks_input(struct sm_blocks *b, const uint8_t *bytes, size_t len, uint64_t now_ms)
{
    struct sm_blocks_msg m;
    int err = sm_blocks_decode(&m, bytes, len);

    b->now_ms = now_ms;
    if (err) {
        b->counts.malformed++;
        return err;
    }
    if (m.kind == SM_BLOCKS_BLOCK)
        return sm_blk_take_block(b, &m);
    if (m.kind != SM_BLOCKS_NEWS)
        return take_answer(b, &m);
    uint64_t soonest = b->polled_ms + or_else(b->cfg->poll_least_s, POLL_LEAST_S) * 1000ull;
    soonest = soonest > now_ms ? soonest : now_ms;
    if (b->poll_ms > soonest)
        b->poll_ms = soonest;
    return 0;
}

/* ---- The step -------------------------------------------------------------------------------- */

/* Ask the most urgent thing that can be asked now; false when there is none. */
static bool choose(struct sm_blocks *b)
{
    struct sm_device *d = b->cfg->device;
    struct sm_event event;

    if (b->now_ms >= b->poll_ms)
        return sm_blk_ask(b, SM_BLOCKS_POLL);
    if (!b->polled)
        return false;
    if (sm_device_event_at(d, 0, &event) == 0)
        return sm_blk_ask(b, SM_BLOCKS_REPORT);
    if (sm_blk_note_waits(b, false))
        return sm_blk_ask(b, SM_BLOCKS_NOTE);
    if (sm_blk_state_waits(b))
        return sm_blk_ask(b, SM_BLOCKS_STATE);
    if (b->fetching && b->small)
        return sm_blk_ask(b, SM_BLOCKS_WANT);
    if (sm_blk_next_keys(b) != 0) {
        sm_blk_stop_fetching(b); /* buf is needed */
        return sm_blk_ask_for(b, SM_BLOCKS_KEYS, sm_blk_next_keys(b));
    }
    if (sm_blk_fetch_current(b)) {
        sm_blk_stop_fetching(b);
        return sm_blk_ask_for(b, SM_BLOCKS_CURRENT, 0);
    }
    if (!sm_device_statement_lacking(d) && sm_blk_deploy(b))
        return true;
    return sm_blk_note_waits(b, true) && sm_blk_ask(b, SM_BLOCKS_NOTE);
}

static size_t write_question(struct sm_blocks *b, uint8_t *out, size_t size)
{
    struct sm_blocks_msg m = {.kind = b->asking, .token = b->token};

    switch (b->asking) {
    case SM_BLOCKS_POLL:
        m.format = SM_BLOCKS_FORMAT;
        m.size = b->cfg->message_most;
        m.keys = sm_offer_next_keys(b->cfg->device);
        m.fleet = sm_blocks_text(b->cfg->fleet);
        break;
    case SM_BLOCKS_ASK:
        m.what = b->what;
        m.number = b->number;
        m.nonce = b->nonce;
        m.action = sm_blocks_text(b->action);
        m.fleet = sm_blocks_text(b->cfg->fleet);
        break;
    case SM_BLOCKS_WANT: sm_blk_describe_want(b, &m); break;
    case SM_BLOCKS_REPORT:
        if (!sm_blk_describe_event(b, &m)) {
            sm_blk_answered(b);
            return 0;
        }
        break;
    case SM_BLOCKS_NOTE:
        if (!sm_blk_describe_note(b, &m)) {
            sm_blk_answered(b);
            return 0;
        }
        break;
    case SM_BLOCKS_STATE: sm_blk_describe_state(b, &m); break;
    default: sm_blk_describe_result(b, &m); break;
    }
    int len = sm_blocks_encode(&m, out, size);
    return len > 0 ? (size_t)len : 0;
}

/* What an update can do without does not keep it waiting for a server that does not answer: when it
 * takes post-mortems the next poll says. */
static void give_up_question(struct sm_blocks *b)
{
    if (b->asking == SM_BLOCKS_NOTE) {
        sm_blk_answered(b);
        b->notes = false;
        b->note_unheard = true;
    } else if (b->asking == SM_BLOCKS_ASK && b->what == SM_BLOCKS_CLAIM) {
        sm_blk_answered(b);
        sm_blk_do_without_native(b, "the server does not say whether there is one");
    }
}

size_t sm_blocks_step(struct sm_blocks *b, uint64_t now_ms, uint8_t *out, size_t size,
                      uint32_t *wait_ms)
{
    size_t len = 0;

    b->now_ms = now_ms;
    sm_blk_watch_deadline(b);
    if (b->asking != 0 && b->sent && now_ms >= b->due_ms) {
        b->sent = false;
        b->tries++;
        b->counts.retries++;
        if (b->tries == TRIES_FOR_MORE)
            give_up_question(b);
    }
    if (b->asking == 0)
        (void)choose(b);
    if (b->asking != 0 && !b->sent) {
        len = write_question(b, out, size);
        b->sent = b->asking != 0;
        b->due_ms = now_ms + sm_blk_retry_pause(b);
    }
    uint64_t due = b->asking != 0 ? b->due_ms : b->poll_ms;
    if (b->asking == 0 && b->hold_ms > now_ms && b->hold_ms < due)
        due = b->hold_ms;
    uint64_t wait = due > now_ms ? due - now_ms : 0;
    *wait_ms = wait < WAIT_MOST_MS ? (uint32_t)wait : WAIT_MOST_MS;
    return len;
}

bool sm_blocks_idle(const struct sm_blocks *b)
{
    return b->asking == 0;
}

void sm_blocks_wake(struct sm_blocks *b, uint64_t now_ms)
{
    b->now_ms = now_ms;
    b->tries = 0;
    if (b->asking != 0)
        b->due_ms = now_ms;
}

bool sm_blocks_progress(const struct sm_blocks *b, const char **name, uint32_t *have,
                        uint32_t *length)
{
    *name = b->name;
    *have = b->have;
    *length = b->length;
    return b->fetching && !b->small;
}

int sm_blocks_init(struct sm_blocks *b, const struct sm_blocks_cfg *cfg, uint64_t now_ms)
{
    memset(b, 0, sizeof *b);
    b->cfg = cfg;
    if (cfg->device == NULL || cfg->fleet == NULL || cfg->cls == NULL || cfg->entropy == NULL ||
        cfg->buf == NULL || cfg->message_most < SM_BLOCKS_LEAST ||
        cfg->message_most > SM_BLOCKS_MOST || cfg->buf_len < sm_blk_block_size(b) ||
        cfg->window > SM_BLOCKS_WINDOW)
        return SM_ERR_ARG;
    b->now_ms = b->start_ms = b->poll_ms = now_ms;
    if (cfg->entropy->fill(cfg->entropy->ctx, &b->token, sizeof b->token) < 0)
        b->token = (uint32_t)now_ms; /* so that answers to what another session asked are told */
    return 0;
}
