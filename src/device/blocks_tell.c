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

#define NOTE_HEAD 17u /* bytes of a NOTE before its content */

bool sm_blk_note_waits(const struct sm_blocks *b, struct sm_journal_note *note)
{
    return b->notes && sm_device_note_at(b->cfg->device, b->note_told, note) == 0;
}

/* The next part of the oldest one; false when there is none any more. Should another one be the
 * oldest now, it is told from its begin, and no answer about the one before counts. */
bool sm_blk_describe_note(struct sm_blocks *b, struct sm_blocks_msg *m)
{
    struct sm_journal_note note;
    uint32_t room = b->cfg->message_most - NOTE_HEAD;

    if (!sm_blk_note_waits(b, &note))
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
void sm_blk_take_note_ack(struct sm_blocks *b)
{
    struct sm_journal_note note;

    b->note_at += b->note_part;
    if (!sm_blk_note_waits(b, &note) || note.number != b->note || b->note_at < note.len)
        return;
    b->note_told = b->note;
    b->note_at = 0;
    (void)sm_device_note_done(b->cfg->device, b->note);
}
