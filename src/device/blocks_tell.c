/* Updates in blocks, the device's side: what it tells (include/sandmote/blocks.h): events, its
 * state, post-mortems. All of it waits in the device; here is how far the server has it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "blocks_inner.h"

/* ---- Events ---------------------------------------------------------------------------------- */

/* False when there is none any more. Asked again, another event may be the first: the answer to the
 * question about the one before must not count for it. */
bool sm_blk_describe_event(struct sm_blocks *b, struct sm_blocks_msg *m)
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
void sm_blk_describe_state(struct sm_blocks *b, struct sm_blocks_msg *m)
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
bool sm_blk_state_waits(struct sm_blocks *b)
{
    uint32_t crc = state_crc(b);

    if (crc != b->state_telling) {
        b->state_telling = crc;
        b->stated = false;
        b->state_next = 0;
    }
    return !b->stated;
}

void sm_blk_take_state_ack(struct sm_blocks *b)
{
    struct sm_blocks_msg unused = {0};

    b->state_next++;
    b->stated = state_at(b, b->state_next, &unused) >= b->cfg->device->store.layout.modules;
}

/* ---- Post-mortems ---------------------------------------------------------------------------- */

#define NOTE_HEAD 21u /* bytes of a NOTE before its content */

static bool oldest_note(const struct sm_blocks *b, struct sm_journal_note *note)
{
    return b->notes && sm_device_note_at(b->cfg->device, b->note_told, note) == 0;
}

/* From its first byte on; with more than the note, if there is more and it is wanted. */
static void begin_note(struct sm_blocks *b, const struct sm_journal_note *note, bool core)
{
    const uint8_t *bytes = NULL;
    uint32_t len = 0;

    if (!core || b->cfg->core == NULL || b->cfg->core(b->cfg->core_ctx, note, &bytes, &len) != 0 ||
        len == 0 || len > SM_BLOCKS_NOTES_MOST)
        bytes = NULL;
    b->note = note->number;
    b->note_core = bytes;
    b->note_len = bytes != NULL ? len : note->len;
    b->note_crc = sm_crc32c(0, bytes != NULL ? bytes : note->bytes, b->note_len);
    b->note_at = 0;
    b->note_left = sm_blk_most_bytes(b, b->note_len);
}

static void release_core(struct sm_blocks *b)
{
    if (b->note_core != NULL)
        (void)b->cfg->core(b->cfg->core_ctx, NULL, NULL, NULL);
    b->note_core = NULL;
}

static void end_note(struct sm_blocks *b)
{
    release_core(b);
    b->note_told = b->note;
}

bool sm_blk_note_waits(struct sm_blocks *b, bool last)
{
    struct sm_journal_note note;

    if (!oldest_note(b, &note))
        return false;
    if (note.number != b->note)
        begin_note(b, &note, true);
    return last || (b->note_core == NULL && !b->note_unheard);
}

/* The next part of the oldest one; false when there is none any more. Should it be another one than
 * when it was asked last, it is told from its begin, and no answer about the one before counts.
 * What was sent too often is given up: a core dump for its note, a note until the next start. */
bool sm_blk_describe_note(struct sm_blocks *b, struct sm_blocks_msg *m)
{
    struct sm_journal_note note;
    uint32_t room = b->cfg->message_most - NOTE_HEAD, before = b->note;
    const uint8_t *core = b->note_core;

    if (!sm_blk_note_waits(b, true) || !oldest_note(b, &note))
        return false;
    if (b->note_left < room && b->note_core != NULL) {
        release_core(b);
        begin_note(b, &note, false);
    }
    if (b->note_left < room) {
        end_note(b);
        return false;
    }
    if (b->note != before || b->note_core != core)
        m->token = ++b->token;
    b->note_part = b->note_len - b->note_at < room ? b->note_len - b->note_at : room;
    m->number = b->note;
    m->length = b->note_len;
    m->tag = b->note_crc;
    m->first = b->note_at;
    m->bytes = (b->note_core != NULL ? b->note_core : note.bytes) + b->note_at;
    m->bytes_len = (uint16_t)b->note_part;
    return true;
}

/* With the last part the server has the post-mortem. Said in memory too, for a flash that cannot be
 * written. */
void sm_blk_note_is_there(struct sm_blocks *b, uint32_t up_to)
{
    struct sm_journal_note note;

    b->note_unheard = false;
    b->note_left -= b->note_part < b->note_left ? b->note_part : b->note_left;
    b->note_at = up_to <= b->note_len ? up_to : 0;
    if (b->note_at < b->note_len || !oldest_note(b, &note) || note.number != b->note)
        return;
    end_note(b);
    (void)sm_device_note_done(b->cfg->device, b->note);
}
