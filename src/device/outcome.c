/* What becomes of modules: changes of their records, and the events that tell of them.
 *
 * An event that matters is a bit in the record that makes the change, so one put does both. It
 * waits there until the server has it. Its id is made from the installation's number, which no
 * other installation has, and for traps from their count modulo 1,024: the same event has the same
 * id however often it is told, and no other event has it, but a trap 1,024 traps later. A server
 * that keeps ids so long takes that one for told.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "internal.h"
#include "text.h"

const char *sm_event_name(enum sm_event_kind kind)
{
    switch (kind) {
#define X(name, value)                                                                             \
    case SM_EVENT_##name: return #name;
        SM_STORE_EVENTS(X)
#undef X
    default: return "?";
    }
}

int sm_dev_say(struct sm_device *d, int err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    sm_text_args(d->reason, sizeof d->reason, format, args);
    va_end(args);
    return err;
}

uint32_t sm_device_record_erases(const struct sm_device *d)
{
    return sm_store_record_erases(&d->store);
}

uint32_t sm_dev_time_s(const struct sm_device *d)
{
    return d->base_s + (uint32_t)((d->now_ms - d->start_ms) / 1000);
}

/* ---- Changes --------------------------------------------------------------------------------- */

/* Events of an application, or of the key set behind the last module, that the server has. */
static uint32_t acked(const struct sm_device *d, uint16_t index, unsigned slot)
{
    return index == d->store.layout.modules ? d->keys_acked[slot] : d->apps[index].acked[slot];
}

void sm_dev_change(const struct sm_device *d, uint16_t index, struct sm_record *next)
{
    *next = *sm_store_record(&d->store, index);
    for (unsigned i = 0; i < 2; i++)
        next->slot[i].unreported &= ~acked(d, index, i);
}

int sm_dev_put(struct sm_device *d, uint16_t index, struct sm_record *next)
{
    next->time_s = sm_dev_time_s(d);
    int err = sm_store_put(&d->store, index, next);
    if (err)
        return sm_dev_say(d, err, "the flash cannot be written: %s", sm_strerror(err));
    memset(index == d->store.layout.modules ? d->keys_acked : d->apps[index].acked, 0,
           sizeof d->keys_acked);
    return 0;
}

bool sm_dev_usable(const struct sm_record *r, unsigned slot)
{
    return slot < 2 && r->slot[slot].state == SM_SLOT_COMMITTED &&
           r->slot[slot].sequence >= r->floor;
}

static uint32_t action_crc(const char *action)
{
    return sm_crc32c(0, action, strlen(action));
}

static bool is_of(const struct sm_failed *f, const uint8_t *sha)
{
    static const uint8_t none[sizeof f->sha];

    return memcmp(f->sha, none, sizeof none) != 0 && memcmp(f->sha, sha, sizeof none) == 0;
}

bool sm_dev_failed_before(const struct sm_record *r, const uint8_t *sha, const char *action)
{
    for (unsigned i = 0; i < SM_STORE_FAILED; i++)
        if (is_of(&r->failed[i], sha) && r->failed[i].action == action_crc(action))
            return true;
    return false;
}

unsigned sm_dev_failures(const struct sm_record *r, const uint8_t *sha)
{
    unsigned n = 0;

    for (unsigned i = 0; i < SM_STORE_FAILED; i++)
        n += is_of(&r->failed[i], sha);
    return n;
}

void sm_dev_remember_failure(struct sm_record *next, unsigned slot)
{
    const struct sm_slot *s = &next->slot[slot];

    if (sm_dev_failed_before(next, s->module_sha, s->action))
        return;
    memmove(next->failed + 1, next->failed, (SM_STORE_FAILED - 1) * sizeof next->failed[0]);
    memcpy(next->failed[0].sha, s->module_sha, sizeof next->failed[0].sha);
    next->failed[0].action = action_crc(s->action);
}

void sm_dev_condemn(struct sm_record *next, unsigned slot)
{
    next->slot[slot].state = SM_SLOT_FAILED;
    next->boots_left = 0;
    next->trap_count = 0;
    next->set = 0;
    memset(next->trap_time_s, 0, sizeof next->trap_time_s);
    sm_dev_remember_failure(next, slot);
    if (next->active == slot)
        next->active = sm_dev_usable(next, !slot) ? !slot : SM_STORE_NO_SLOT;
    sm_dev_note(next, slot, SM_EVENT_ROLLED_BACK);
}

void sm_dev_commit_slot(struct sm_record *next, unsigned slot)
{
    struct sm_slot *s = &next->slot[slot];

    s->state = SM_SLOT_COMMITTED;
    next->active = (uint8_t)slot;
    next->boots_left = 0;
    next->trap_count = 0;
    if (s->floor > next->floor)
        next->floor = s->floor;
    sm_dev_note(next, slot, SM_EVENT_COMMITTED);
}

void sm_dev_committed(struct sm_device *d, uint16_t index, unsigned slot)
{
    d->apps[index].installs = 0;
    sm_dev_emit(d, index, slot, SM_EVENT_COMMITTED);
}

static int give_up_one(struct sm_device *d, uint16_t index, unsigned slot, enum sm_event_kind kind,
                       int error, const char *why)
{
    struct sm_record next;

    sm_dev_change(d, index, &next);
    next.slot[slot].error = error;
    sm_text(next.slot[slot].detail, sizeof next.slot[slot].detail, "%s", why);
    sm_dev_note(&next, slot, kind);
    sm_dev_condemn(&next, slot);
    int err = sm_dev_put(d, index, &next);
    if (err) {
        /* It cannot be written down, so it is heeded for this session only. */
        d->apps[index].avoid |= (uint8_t)(1u << slot);
        return err;
    }
    if (kind != SM_EVENT_ROLLED_BACK)
        sm_dev_emit(d, index, slot, kind);
    sm_dev_emit(d, index, slot, SM_EVENT_ROLLED_BACK);
    return 0;
}

/* The leader first: with that record the whole set is off trial, whatever happens to the others. */
int sm_dev_give_up(struct sm_device *d, uint16_t index, unsigned slot, enum sm_event_kind kind,
                   int error, const char *why)
{
    bool trial = sm_dev_trial_slot(d, index) == slot;
    uint16_t leader = trial ? sm_dev_trial_leader(d, index) : index;
    uint32_t set = trial ? d->store.records[leader].set : 0;
    char of_set[SM_STORE_DETAIL];
    int err = 0;

    sm_text(of_set, sizeof of_set, "%s of its set: %s", d->store.records[index].name, why);
    if (leader != index) {
        err = give_up_one(d, leader, sm_dev_trial_slot(d, leader), SM_EVENT_ROLLED_BACK, error,
                          of_set);
        if (err)
            d->apps[index].avoid |= (uint8_t)(1u << slot);
    }
    if (!err)
        err = give_up_one(d, index, slot, kind, error, why);
    for (uint16_t i = 0; !err && set != 0 && i < d->store.layout.modules; i++) {
        const struct sm_record *r = &d->store.records[i];
        if (r->set == set && sm_dev_staged_slot(r) != SM_STORE_NO_SLOT)
            err = give_up_one(d, i, sm_dev_staged_slot(r), SM_EVENT_ROLLED_BACK, error, of_set);
    }
    return err;
}

/* ---- Events ---------------------------------------------------------------------------------- */

void sm_dev_note(struct sm_record *next, unsigned slot, enum sm_event_kind kind)
{
    next->slot[slot].unreported |= 1u << kind;
}

static uint64_t event_id(const struct sm_slot *s, enum sm_event_kind kind)
{
    bool counted = kind == SM_EVENT_TRAP || kind == SM_EVENT_EPOCH;

    return s->install << 14 | (uint64_t)(counted ? s->traps & 0x3ff : 0) << 4 | (unsigned)kind;
}

static void describe(const struct sm_device *d, uint16_t index, unsigned slot,
                     enum sm_event_kind kind, struct sm_event *out)
{
    const struct sm_record *r = sm_store_record(&d->store, index);
    const struct sm_slot *s = &r->slot[slot];
    bool bad = (kind >= SM_EVENT_TRAP && kind <= SM_EVENT_DOWNLOAD_FAILED) ||
               kind == SM_EVENT_NATIVE_REFUSED || kind == SM_EVENT_STALE;

    *out = (struct sm_event){.kind = kind,
                             .id = event_id(s, kind),
                             .index = index,
                             .name = r->name,
                             .version = s->version,
                             .action = s->action,
                             .detail = bad ? s->detail : "",
                             .sequence = s->sequence,
                             .sha = s->module_sha,
                             .error = bad ? s->error : 0};
}

void sm_dev_emit(const struct sm_device *d, uint16_t index, unsigned slot, enum sm_event_kind kind)
{
    struct sm_event e;

    if (d->cfg->event == NULL)
        return;
    describe(d, index, slot, kind, &e);
    d->cfg->event(d->cfg->event_ctx, &e);
}

void sm_dev_emit_passing(const struct sm_device *d, uint16_t index, unsigned slot,
                         enum sm_event_kind kind, const char *detail)
{
    struct sm_event e;

    if (d->cfg->event == NULL)
        return;
    describe(d, index, slot, kind, &e);
    e.id = 0;
    e.detail = detail;
    d->cfg->event(d->cfg->event_ctx, &e);
}

/* Count down *i over the events of a slot; true with *out when it reaches the one asked for. */
static bool event_of_slot(const struct sm_device *d, uint16_t index, unsigned slot, uint32_t *i,
                          struct sm_event *out)
{
    uint32_t waiting =
        sm_store_record(&d->store, index)->slot[slot].unreported & ~acked(d, index, slot);

    for (unsigned kind = 0; kind < SM_EVENTS; kind++) {
        if (!(waiting >> kind & 1) || (*i)-- > 0)
            continue;
        describe(d, index, slot, (enum sm_event_kind)kind, out);
        return true;
    }
    return false;
}

int sm_device_event_at(const struct sm_device *d, uint32_t i, struct sm_event *out)
{
    for (uint16_t index = 0; index <= d->store.layout.modules; index++) {
        const struct sm_record *r = sm_store_record(&d->store, index);
        unsigned older = r->slot[1].install < r->slot[0].install;
        if (event_of_slot(d, index, older, &i, out) || event_of_slot(d, index, !older, &i, out))
            return 0;
    }
    return SM_ERR_NOT_FOUND;
}

int sm_device_event_done(struct sm_device *d, uint64_t id)
{
    struct sm_event e;

    for (uint32_t i = 0; sm_device_event_at(d, i, &e) == 0; i++) {
        if (e.id != id)
            continue;
        unsigned slot = sm_store_record(&d->store, e.index)->slot[1].install == id >> 14;
        uint32_t *acks =
            e.index == d->store.layout.modules ? d->keys_acked : d->apps[e.index].acked;
        acks[slot] |= 1u << e.kind;
        return 0;
    }
    return sm_dev_say(d, SM_ERR_NOT_FOUND, "no such event waits");
}
