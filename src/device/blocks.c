/* Updates in blocks, the device's side (include/sandmote/blocks.h).
 *
 * One question is under way at a time (`asking`). It is sent again, later and later, until its
 * answer comes or it is of no interest any more; then choose() looks for the most urgent next one,
 * in the order of the update client over HTTPS: poll, events, post-mortems, state, key sets, the
 * statement of what is current, the deployment, what became of it.
 *
 * Fetching: blocks are asked for by number, a window at a time, with one bit for each. The first
 * missing one goes straight to the flash; those behind it wait in buf until it comes, so each is
 * sent once even when some are lost. Rejected: going back to the first one lost, which needs no
 * buffer and at a tenth of loss sends a window of eight again for most of the windows; on a radio
 * that is the battery. With a buffer of one block this is what is left of it.
 *
 * When the last block that was asked for has come, what is missing of the others is lost, or later
 * than it: it is asked for at once, without waiting for the time of an answer to be over.
 *
 * Resuming: nothing is kept here over a restart. The record of the slot says from which byte on the
 * module is wanted, which may be in the middle of a block; of that block the rest is taken.
 *
 * A server that lies: lengths and block numbers are checked against the offer, which is bound to
 * the slot's record; an offer is taken only as the answer to a question, so unasked ones cost
 * nothing; time and received bytes of one module are bounded.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sandmote/blocks.h>
#include <sandmote/offer.h>
#include "text.h"

enum {
    RETRY_MS = 4000,
    RETRY_MOST_MS = 300000,
    POLL_LEAST_S = 10,
    DEADLINE_S = 86400,
    BYTES_PER_BYTE = 4,
    BYTES_SPARE = 4096, /* for small modules */
    WINDOW = 8,
    WAIT_MOST_MS = 60000
};

static uint32_t or_else(uint32_t value, uint32_t otherwise)
{
    return value != 0 ? value : otherwise;
}

/* ---- Questions ------------------------------------------------------------------------------- */

/* A time between ms and a quarter more, so that a fleet does not ask all at once. */
static uint64_t jitter(const struct sm_blocks *b, uint64_t ms)
{
    uint8_t random = 0;

    if (b->cfg->entropy->fill(b->cfg->entropy->ctx, &random, sizeof random) < 0)
        return ms;
    return ms + ms * random / 1024;
}

static uint64_t retry_pause(const struct sm_blocks *b)
{
    uint64_t pause = or_else(b->cfg->retry_ms, RETRY_MS);
    uint64_t most = or_else(b->cfg->retry_most_ms, RETRY_MOST_MS);

    pause <<= b->tries < 20 ? b->tries : 20;
    return jitter(b, pause < most ? pause : most);
}

static bool ask(struct sm_blocks *b, enum sm_blocks_kind kind)
{
    b->asking = (uint8_t)kind;
    b->sent = false;
    b->tries = 0;
    b->token++;
    return true;
}

static bool ask_for(struct sm_blocks *b, enum sm_blocks_what what, uint32_t number)
{
    b->what = (uint8_t)what;
    b->number = number;
    return ask(b, SM_BLOCKS_ASK);
}

static void answered(struct sm_blocks *b)
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

/* ---- The deployment -------------------------------------------------------------------------- */

/* What is under way is left as it is; the slot's record knows how far it came. */
static void stop_fetching(struct sm_blocks *b)
{
    if (b->fetching && !b->small)
        sm_device_install_suspend(b->cfg->device);
    b->fetching = false;
    b->offered = false;
    b->waiting = 0;
    if (b->asking == SM_BLOCKS_WANT)
        answered(b);
}

static void drop_deployment(struct sm_blocks *b)
{
    stop_fetching(b);
    b->action[0] = b->why[0] = 0;
    b->set = b->closed = b->broken = false;
    b->count = 0;
    b->hold_ms = 0;
    memset(b->chunk, 0, sizeof b->chunk);
    memset(&b->bound[0], 0, sizeof b->bound[0]);
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

static void give_up(struct sm_blocks *b, int error, const char *why)
{
    sm_offer_give_up(b->cfg->device, &b->offer, error, why);
    settle(b, SM_BLOCKS_BAD, why);
}

/* The flash, or something else of ours, failed: try again later. */
static void hold(struct sm_blocks *b)
{
    stop_fetching(b);
    b->hold_ms = b->now_ms + or_else(b->cfg->retry_ms, RETRY_MS);
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
        hold(b);
    else
        settle(b, SM_BLOCKS_BAD, sm_device_reason(b->cfg->device));
}

/* From now on time and bytes count for what is being fetched. */
static void set_bound(struct sm_blocks *b)
{
    struct sm_blocks_bound *bound = &b->bound[b->small];

    bound->deadline_ms = b->now_ms + or_else(b->cfg->deadline_s, DEADLINE_S) * 1000ull;
    bound->bytes_left =
        (uint64_t)b->length * or_else(b->cfg->bytes_per_byte, BYTES_PER_BYTE) + BYTES_SPARE;
    memcpy(bound->sha, b->sha, sizeof bound->sha);
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
    if (b->bound[0].deadline_ms == 0 ||
        memcmp(b->bound[0].sha, b->sha, sizeof b->bound[0].sha) != 0)
        set_bound(b);
}

/* What sm_device_install_begin() said of a module that is wanted. True when it is to be waited for:
 * those behind it are not looked at before. */
static bool take_begin(struct sm_blocks *b, int64_t from)
{
    const struct sm_slot *s;

    switch (from) {
    case SM_ERR_STATE: settle(b, SM_BLOCKS_GOOD, ""); return false;
    case SM_ERR_BUSY: return true;
    case SM_ERR_IO: hold(b); return true;
    case SM_ERR_DENIED:
        s = sm_offer_failed(b->cfg->device, &b->offer);
        settle(b, SM_BLOCKS_BAD,
               s != NULL && s->detail[0] != 0 ? s->detail : sm_device_reason(b->cfg->device));
        return false;
    default: settle(b, SM_BLOCKS_BAD, sm_device_reason(b->cfg->device)); return false;
    }
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
            give_up(b, SM_ERR_SIGNATURE, "unsigned: the server has no signature of it");
            return SETTLED;
        }
        int64_t from = sm_device_install_begin(d, &b->offer);
        if (from < 0)
            return take_begin(b, from) ? WAITS : SETTLED;
        begin_module(b, (uint32_t)from);
    }
    if (b->have < b->length) {
        ask(b, SM_BLOCKS_WANT);
        return ASKED;
    }
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
    stop_fetching(b);
    ask_for(b, SM_BLOCKS_MODULE, i);
    return ASKED;
}

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
        b->hold_ms = b->now_ms + or_else(b->cfg->retry_ms, RETRY_MS);
    if (err == 0 || err == SM_ERR_IO || err == SM_ERR_NOT_FOUND)
        return true;
    sm_text(b->why, sizeof b->why, "%s", sm_device_reason(b->cfg->device));
    drop_set(b);
    return false;
}

/* The next question for the deployment; false when there is none now. */
static bool go_on_with_deployment(struct sm_blocks *b)
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
    return ask(b, SM_BLOCKS_RESULT);
}

/* ---- The device's state ---------------------------------------------------------------------- */

/* The application from `from` on that has something to tell, or the number of them. */
static uint16_t state_at(const struct sm_blocks *b, uint16_t from, struct sm_blocks_msg *m)
{
    const struct sm_device *d = b->cfg->device;
    uint16_t modules = d->store.layout.modules;
    struct sm_app_info info;

    for (uint16_t i = from; i < modules; i++) {
        if (sm_device_app(d, i, &info) < 0)
            continue;
        bool runs = info.slot < 2;
        const struct sm_slot *s =
            runs ? &info.record->slot[info.slot] : sm_offer_removal(info.record);
        if (s == NULL)
            continue;
        m->flags |= runs ? SM_BLOCKS_RUNS : SM_BLOCKS_REMOVED;
        m->name = sm_blocks_text(info.record->name);
        m->version = sm_blocks_text(s->version);
        m->sequence = s->sequence;
        m->sha = s->module_sha;
        return i;
    }
    return modules;
}

/* The STATE message about the next application; what is true of the device stands in each. */
static void describe_state(struct sm_blocks *b, struct sm_blocks_msg *m)
{
    const struct sm_keyset *set = sm_device_keys(b->cfg->device);

    m->keys = set != NULL ? set->version : 0;
    m->seconds = sm_device_notes_lost(b->cfg->device);
    m->cls = sm_blocks_text(b->cfg->cls);
    m->flags = b->state_next == 0 ? SM_BLOCKS_FIRST : 0;
    if (sm_device_golden_runs(b->cfg->device))
        m->flags |= SM_BLOCKS_GOLDEN;
    b->state_next = state_at(b, b->state_next, m);
}

static uint32_t state_crc(const struct sm_blocks *b)
{
    const struct sm_keyset *set = sm_device_keys(b->cfg->device);
    uint16_t modules = b->cfg->device->store.layout.modules;
    uint32_t facts[3] = {set != NULL ? set->version : 0, sm_device_notes_lost(b->cfg->device),
                         sm_device_golden_runs(b->cfg->device)};
    uint32_t crc = sm_crc32c(0, facts, sizeof facts);

    for (uint16_t i = 0; i < modules; i++) {
        struct sm_blocks_msg m = {0};
        i = state_at(b, i, &m);
        if (i == modules)
            break;
        crc = sm_crc32c(crc, &m.flags, 1);
        crc = sm_crc32c(crc, m.name.at, m.name.len);
        crc = sm_crc32c(crc, m.sha, SM_SHA256_SIZE);
    }
    return crc;
}

/* Whether something of the state is still to be told; begins anew when it has changed. */
static bool state_waits(struct sm_blocks *b)
{
    uint32_t crc = state_crc(b);

    if (crc != b->state_telling) {
        b->state_telling = crc;
        b->stated = false;
        b->state_next = 0;
    }
    return !b->stated;
}

static void take_state_ack(struct sm_blocks *b)
{
    struct sm_blocks_msg unused = {0};

    b->state_next++;
    b->stated = state_at(b, b->state_next, &unused) >= b->cfg->device->store.layout.modules;
}

/* ---- Post-mortems ---------------------------------------------------------------------------- */

#define NOTE_HEAD 17u /* bytes of a NOTE before its content */

/* Whether a post-mortem waits that this server takes. */
static bool note_waits(const struct sm_blocks *b, struct sm_journal_note *note)
{
    return b->notes && sm_device_note_at(b->cfg->device, b->note_told, note) == 0;
}

/* The next part of the oldest one; false when there is none any more. Should another one be the
 * oldest now, it is told from its begin, and no answer about the one before counts. */
static bool describe_note(struct sm_blocks *b, struct sm_blocks_msg *m)
{
    struct sm_journal_note note;
    uint32_t room = b->cfg->message_most - NOTE_HEAD;

    if (!note_waits(b, &note))
        return false;
    if (note.number != b->note || b->note_at >= note.len) {
        b->note = note.number;
        b->note_at = 0;
        m->token = ++b->token;
    }
    b->note_part = note.len - b->note_at < room ? note.len - b->note_at : room;
    m->number = note.number;
    m->length = note.len;
    m->first = b->note_at;
    m->bytes = note.bytes + b->note_at;
    m->bytes_len = (uint16_t)b->note_part;
    return true;
}

/* A part has arrived; with the last one the server has the post-mortem. Said in memory too, for a
 * flash that cannot be written. */
static void take_note_ack(struct sm_blocks *b)
{
    struct sm_journal_note note;

    b->note_at += b->note_part;
    if (!note_waits(b, &note) || note.number != b->note || b->note_at < note.len)
        return;
    b->note_told = b->note;
    b->note_at = 0;
    (void)sm_device_note_done(b->cfg->device, b->note);
}

/* ---- What is small --------------------------------------------------------------------------- */

static uint32_t next_keys(const struct sm_blocks *b)
{
    uint32_t next = sm_offer_next_keys(b->cfg->device);

    return next <= b->keys_latest && next != b->keys_refused ? next : 0;
}

static bool fetch_current(struct sm_blocks *b)
{
    if (b->asked_current || !b->states || !sm_device_statement_wanted(b->cfg->device))
        return false;
    b->asked_current = true;
    if (b->cfg->entropy->fill(b->cfg->entropy->ctx, b->nonce, sizeof b->nonce) < 0)
        return false; /* without luck a replay could not be told */
    return ask_for(b, SM_BLOCKS_CURRENT, 0);
}

/* It is not to be had before the next poll. */
static void do_without(struct sm_blocks *b)
{
    if (b->what == SM_BLOCKS_KEYS)
        b->keys_refused = b->number;
    b->fetching = false;
}

/* All of it is in buf. What is wrong with it the device reports. */
static void take_small(struct sm_blocks *b)
{
    struct sm_device *d = b->cfg->device;

    b->fetching = false;
    if (b->what == SM_BLOCKS_CURRENT)
        (void)sm_device_statement(d, b->cfg->buf, b->length, b->nonce);
    else if (sm_device_keys_offer(d, b->cfg->buf, b->length) != 0)
        b->keys_refused = b->number;
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

static uint32_t block_size(const struct sm_blocks *b)
{
    return b->cfg->message_most - SM_BLOCKS_HEAD;
}

/* Blocks that may be under way at once. */
static uint32_t window(const struct sm_blocks *b)
{
    uint32_t want = or_else(b->cfg->window, WINDOW), fit = b->cfg->buf_len / block_size(b);

    want = want < SM_BLOCKS_WINDOW ? want : SM_BLOCKS_WINDOW;
    return b->small || fit >= want ? want : fit > 0 ? fit : 1;
}

/* Where a block waits: something small is put together in buf, a window of a module turns there. */
static uint8_t *place_of(const struct sm_blocks *b, uint32_t n)
{
    return b->cfg->buf + (b->small ? n : n % window(b)) * block_size(b);
}

static uint32_t bytes_of(const struct sm_blocks *b, uint32_t n)
{
    uint64_t left = b->length - (uint64_t)n * block_size(b);

    return left < block_size(b) ? (uint32_t)left : block_size(b);
}

/* The blocks to ask for, from the first that is missing. */
static void describe_want(struct sm_blocks *b, struct sm_blocks_msg *m)
{
    b->base = b->have / block_size(b);
    b->wanted = 0;
    for (uint32_t i = 0; i < window(b); i++)
        if ((b->base + (uint64_t)i) * block_size(b) < b->length && !(b->waiting >> i & 1)) {
            b->wanted |= 1u << i;
            b->last = b->base + i;
        }
    m->tag = sm_blocks_tag(b->sha);
    m->size = (uint16_t)block_size(b);
    m->first = b->base;
    m->mask = b->wanted;
}

/* The next bytes in order. False when the fetch is over. */
static bool append(struct sm_blocks *b, uint32_t n, const uint8_t *bytes)
{
    uint32_t skip = b->have - n * block_size(b), len = bytes_of(b, n) - skip;

    if (b->small)
        memmove(place_of(b, n), bytes, len);
    else if (sm_device_install_write(b->cfg->device, bytes + skip, len) < 0) {
        hold(b);
        return false;
    }
    b->have += len;
    b->waiting >>= 1;
    return true;
}

/* A block of what is fetched, in order or ahead of it. */
static int take_in_order(struct sm_blocks *b, const struct sm_blocks_msg *m)
{
    uint32_t first = b->have / block_size(b), ahead = m->number - first;

    if (m->number < first || (ahead > 0 && ahead < window(b) && (b->waiting >> ahead & 1))) {
        b->counts.duplicates++;
        return SM_ERR_STATE;
    }
    if (ahead >= window(b) || (uint64_t)m->number * block_size(b) >= b->length ||
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

/* More came than a module of this length is worth: somebody sends it again and again. */
static bool overdrawn(struct sm_blocks *b, size_t len)
{
    uint64_t *left = &b->bound[b->small].bytes_left;

    *left -= *left < len ? *left : len;
    if (*left > 0)
        return false;
    answered(b);
    if (b->small)
        do_without(b);
    else
        give_up(b, 0, "more bytes came than may for one module");
    return true;
}

static int take_block(struct sm_blocks *b, const struct sm_blocks_msg *m)
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
    b->due_ms = b->now_ms + retry_pause(b);
    if (b->asking == SM_BLOCKS_WANT && (b->wanted == 0 || m->number == b->last))
        answered(b);
    if (b->small && b->have == b->length)
        take_small(b);
    return 0;
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
    drop_deployment(b);
    memcpy(b->action, action, sizeof action);
    b->set = set;
    b->count = m->count;
    b->broken = m->count > SM_BLOCKS_MODULES;
    if (b->broken)
        sm_text(b->why, sizeof b->why, "%u modules, and this device takes %u at once",
                (unsigned)m->count, SM_BLOCKS_MODULES);
}

static void take_offered_module(struct sm_blocks *b, const struct sm_blocks_msg *m)
{
    b->offered = true;
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

static void take_offer(struct sm_blocks *b, const struct sm_blocks_msg *m)
{
    if (b->what == SM_BLOCKS_MODULE) {
        take_offered_module(b, m);
        return;
    }
    b->fetching = b->small = true;
    b->length = m->length;
    b->have = b->waiting = 0;
    memcpy(b->sha, m->sha, sizeof b->sha);
    set_bound(b);
    if (m->length > b->cfg->buf_len)
        do_without(b);
}

/* The server does not have it, or no longer. */
static void take_none(struct sm_blocks *b)
{
    bool module = b->fetching ? !b->small : b->what == SM_BLOCKS_MODULE;

    if (!module) {
        do_without(b);
        return;
    }
    stop_fetching(b);
    b->hold_ms = b->now_ms + or_else(b->cfg->poll_least_s, POLL_LEAST_S) * 1000ull;
    poll_soon(b);
}

static void take_ack(struct sm_blocks *b, uint8_t asked)
{
    if (asked == SM_BLOCKS_REPORT)
        (void)sm_device_event_done(b->cfg->device, b->event_id);
    else if (asked == SM_BLOCKS_STATE)
        take_state_ack(b);
    else if (asked == SM_BLOCKS_NOTE)
        take_note_ack(b);
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
        return (m->kind == SM_BLOCKS_ACK || m->kind == SM_BLOCKS_NONE) && m->token == b->token;
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
    answered(b);
    switch (m->kind) {
    case SM_BLOCKS_STATUS: take_status(b, m); break;
    case SM_BLOCKS_OFFER: take_offer(b, m); break;
    case SM_BLOCKS_NONE:
        if (asked == SM_BLOCKS_NOTE)
            b->note_at = 0;
        else
            take_none(b);
        break;
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
        return take_block(b, &m);
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
    struct sm_journal_note note;
    struct sm_event event;

    if (b->now_ms >= b->poll_ms)
        return ask(b, SM_BLOCKS_POLL);
    if (!b->polled)
        return false;
    if (sm_device_event_at(d, 0, &event) == 0)
        return ask(b, SM_BLOCKS_REPORT);
    if (note_waits(b, &note))
        return ask(b, SM_BLOCKS_NOTE);
    if (state_waits(b))
        return ask(b, SM_BLOCKS_STATE);
    if (b->fetching && b->small)
        return ask(b, SM_BLOCKS_WANT);
    if (next_keys(b) != 0) {
        stop_fetching(b); /* buf is needed */
        return ask_for(b, SM_BLOCKS_KEYS, next_keys(b));
    }
    if (fetch_current(b)) {
        stop_fetching(b);
        return ask_for(b, SM_BLOCKS_CURRENT, 0);
    }
    return !sm_device_statement_lacking(d) && go_on_with_deployment(b);
}

/* False when there is none any more. Asked again, another event may be the first: the answer to the
 * question about the one before must not count for it. */
static bool describe_event(struct sm_blocks *b, struct sm_blocks_msg *m)
{
    struct sm_event e;

    if (sm_device_event_at(b->cfg->device, 0, &e) < 0)
        return false;
    if (b->tries > 0 && e.id != b->event_id)
        m->token = ++b->token;
    b->event_id = m->id = e.id;
    m->event = (uint8_t)e.kind;
    m->error = (uint32_t)-e.error;
    m->uptime_ms = b->now_ms - b->start_ms;
    m->sequence = e.sequence;
    m->sha = e.sha;
    m->name = sm_blocks_text(e.name);
    m->version = sm_blocks_text(e.version);
    m->detail = sm_blocks_text(e.detail);
    return true;
}

static void describe_result(const struct sm_blocks *b, struct sm_blocks_msg *m)
{
    bool bad = b->broken;

    for (size_t i = 0; !bad && i < b->count; i++)
        bad = b->chunk[i].fate == SM_BLOCKS_BAD;
    m->outcome = bad ? 2 : 1;
    m->action = sm_blocks_text(b->action);
    m->detail = sm_blocks_text(b->why);
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
    case SM_BLOCKS_WANT: describe_want(b, &m); break;
    case SM_BLOCKS_REPORT:
        if (!describe_event(b, &m)) {
            answered(b);
            return 0;
        }
        break;
    case SM_BLOCKS_NOTE:
        if (!describe_note(b, &m)) {
            answered(b);
            return 0;
        }
        break;
    case SM_BLOCKS_STATE: describe_state(b, &m); break;
    default: describe_result(b, &m); break;
    }
    int len = sm_blocks_encode(&m, out, size);
    return len > 0 ? (size_t)len : 0;
}

/* The time is over for what is being fetched. */
static void watch_deadline(struct sm_blocks *b)
{
    if (!b->fetching || b->now_ms < b->bound[b->small].deadline_ms)
        return;
    answered(b);
    if (b->small)
        do_without(b);
    else
        give_up(b, 0, "did not come in time");
}

size_t sm_blocks_step(struct sm_blocks *b, uint64_t now_ms, uint8_t *out, size_t size,
                      uint32_t *wait_ms)
{
    size_t len = 0;

    b->now_ms = now_ms;
    watch_deadline(b);
    if (b->asking != 0 && b->sent && now_ms >= b->due_ms) {
        b->sent = false;
        b->tries++;
        b->counts.retries++;
    }
    if (b->asking == 0)
        (void)choose(b);
    if (b->asking != 0 && !b->sent) {
        len = write_question(b, out, size);
        b->sent = b->asking != 0;
        b->due_ms = now_ms + retry_pause(b);
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
        cfg->message_most > SM_BLOCKS_MOST || cfg->buf_len < block_size(b) ||
        cfg->window > SM_BLOCKS_WINDOW)
        return SM_ERR_ARG;
    b->now_ms = b->start_ms = b->poll_ms = now_ms;
    if (cfg->entropy->fill(cfg->entropy->ctx, &b->token, sizeof b->token) < 0)
        b->token = (uint32_t)now_ms; /* so that answers to what another session asked are told */
    return 0;
}
