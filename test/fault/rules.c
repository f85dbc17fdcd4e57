/* The rules that a device must keep (doc/fault.md, "Rules"): at each record that is put, at each
 * mount, and at each call of a module.
 *
 * sm_store_put() and sm_store_mount() are stepped into at link time; the product's code itself is
 * not touched. What a set of modules is at is read from the records here as SPEC-store.md has it,
 * not by the product's functions.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "hash.h"
#include "internal.h"
#include "rules.h"
#include "subject.h"

enum { APP, DRIVER }; /* places of modules */

__attribute__((format(printf, 1, 2), noreturn)) static void broken(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(world->broken, sizeof world->broken, format, args);
    va_end(args);
    longjmp(world->end, 2);
}

void rule(bool kept, const char *what)
{
    if (!kept)
        broken("%s", what);
}

void trace(const char *format, ...)
{
    va_list args;

    if (!world->trace)
        return;
    va_start(args, format);
    printf("    %8llu ms  ", (unsigned long long)world->now_ms);
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

static bool unstable(uint32_t off, uint32_t len)
{
    for (uint32_t i = off; world->sim.any_unstable && i < off + len; i++)
        if (world->sim.unstable[i] != 0)
            return true;
    return false;
}

static const struct subject *in_slot(unsigned index, unsigned slot)
{
    return slot < 2 ? subject_of(world->records[index].slot[slot].module_sha) : NULL;
}

/* The bytes of a slot are those of a signed module, and keep their value. */
static bool holds(unsigned index, unsigned slot, const struct subject *s)
{
    uint32_t off = sm_store_slot(&world->dev.store, (uint16_t)index, slot).off + SM_SLOT_MODULE;

    return s != NULL && s->good && !unstable(off, s->len) &&
           memcmp(world->sim.bytes + off, s->bytes, s->len) == 0;
}

static bool noted(const struct sm_slot *s, enum sm_event_kind kind)
{
    return s->unreported >> kind & 1;
}

static unsigned slot_that_is(const struct sm_record *r, enum sm_slot_state state)
{
    return r->slot[0].state == state ? 0 : r->slot[1].state == state ? 1 : SM_STORE_NO_SLOT;
}

/* ---- Sets ------------------------------------------------------------------------------------ */

/* What the application's record says of a set with the driver: it waits, is on trial, committed. */
static enum sm_slot_state fate_of(uint32_t set)
{
    const struct sm_record *app = &world->records[APP];

    if (set == 0 || app->set != set || slot_that_is(app, SM_SLOT_STAGED) != SM_STORE_NO_SLOT)
        return SM_SLOT_STAGED;
    return slot_that_is(app, SM_SLOT_TRIAL) != SM_STORE_NO_SLOT ? SM_SLOT_TRIAL : SM_SLOT_COMMITTED;
}

/* The driver's slot that is on trial, or in force; else SM_STORE_NO_SLOT. */
static unsigned driver_slot(void)
{
    const struct sm_record *r = &world->records[DRIVER];
    unsigned staged = slot_that_is(r, SM_SLOT_STAGED), trial = slot_that_is(r, SM_SLOT_TRIAL);

    if (staged != SM_STORE_NO_SLOT && fate_of(r->set) != SM_SLOT_STAGED)
        return staged;
    return trial != SM_STORE_NO_SLOT ? trial : r->active;
}

const struct subject *rules_driver(void)
{
    return world_layout()->modules > DRIVER ? in_slot(DRIVER, driver_slot()) : NULL;
}

/* Whether a module is served: an application that needs a driver has it in that release or a later
 * one. */
static bool is_served(const struct subject *s)
{
    const struct subject *driver = rules_driver();

    return s == NULL || s->kind != SUBJECT_NEEDS ||
           (driver != NULL && driver->kind == DRIVER_PLAIN && driver->sequence >= s->sequence);
}

/* ---- Changes of a record --------------------------------------------------------------------- */

static bool was_acked(const struct sm_slot *s, unsigned kind)
{
    for (unsigned i = 0; i < world->nacked; i++)
        if (world->acked[i] >> 14 == s->install && (world->acked[i] & 15) == kind)
            return true;
    return false;
}

/* Events leave a record only when the server has them. */
static void check_events(const struct sm_slot *was, const struct sm_slot *is)
{
    uint32_t lost =
        was->install == is->install ? was->unreported & ~is->unreported : was->unreported;

    for (unsigned kind = 0; kind < SM_EVENTS; kind++)
        rule(!(lost >> kind & 1) || was_acked(was, kind), "an outcome is lost before its report");
}

/* Whether the module on trial at a place, or one of its set, is bad. */
static bool is_bad(enum health h, unsigned index, uint32_t set)
{
    bool driver = h == DRIVER_TRAPS, app = h >= TRIAL_TRAPS && h != LATE_TRAPS && !driver;

    return set ? app || driver : index == APP ? app : driver;
}

static bool trial_misbehaves(unsigned index, uint32_t set)
{
    bool bad = is_bad((enum health)world->in->health, index, set);

    for (unsigned h = 0; h < HEALTHS; h++)
        world->differs |= (uint32_t)(is_bad((enum health)h, index, set) != bad) << h;
    return bad;
}

static bool committed_misbehaves(void)
{
    return world->in->health >= LATE_TRAPS && world->in->health != DRIVER_TRAPS;
}

/* No record counts on bytes that are not there, or that do not keep their value. */
static void check_bytes(unsigned index)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct sm_slot *s = &world->records[index].slot[i];
        const struct subject *m = subject_of(s->module_sha);
        if (world->unreliable || (s->state != SM_SLOT_TRIAL && s->state != SM_SLOT_COMMITTED &&
                                  s->state != SM_SLOT_STAGED))
            continue;
        rule(holds(index, i, m), "a record counts on a module that is not there");
        uint32_t image = sm_store_slot(&world->dev.store, (uint16_t)index, i).off + s->image_off;
        rule(s->image_len == 0 || (!unstable(image, s->image_len) &&
                                   memcmp(world->sim.bytes + image, m->image, m->image_len) == 0),
             "a record counts on an image that is not there");
    }
}

/* A module that came in is on trial, or waits for its set. */
static void check_new(unsigned index, const struct sm_record *was, const struct sm_record *is,
                      unsigned i)
{
    const struct sm_slot *s = &is->slot[i];
    const struct subject *m = subject_of(s->module_sha);

    rule(was->slot[i].state == SM_SLOT_RECEIVING, "a trial of what was not received");
    rule(holds(index, i, m) && (index == DRIVER) == (m->kind == DRIVER_PLAIN),
         "a trial of unverified bytes");
    rule(m->sequence == s->sequence && s->sequence >= is->floor, "a trial below the floor");
    rule(is->active == SM_STORE_NO_SLOT || s->sequence > is->slot[is->active].sequence,
         "a trial of what is not newer");
    rule(is->boots_left == BOOTS, "a trial begins without its starts");
    world->starts_paid[index] = 0;
    world->ticks[index] = 0;
    rule(noted(s, SM_EVENT_INSTALLED), "an installation is not told");
}

/* The set that an application leads is on trial from now on: all of it is there. */
static void check_set_start(const struct sm_record *is, unsigned i)
{
    const struct sm_record *driver = &world->records[DRIVER];
    unsigned staged = slot_that_is(driver, SM_SLOT_STAGED);

    rule(is->set != 0 && is->boots_left == BOOTS, "a trial of no set");
    world->starts_paid[APP] = 0;
    world->ticks[APP] = world->ticks[DRIVER] = 0;
    rule(staged != SM_STORE_NO_SLOT && driver->set == is->set &&
             driver->slot[staged].sequence == is->slot[i].sequence &&
             holds(DRIVER, staged, in_slot(DRIVER, staged)),
         "a trial of half a set");
}

/* A module that the key set in force stops. */
static bool is_stopped(const struct subject *m)
{
    const struct sm_record *keys = &world->dev.store.keys;
    const struct key_set *set =
        keys->active < 2 ? key_set_of(keys->slot[keys->active].module_sha) : NULL;

    return set != NULL && set->stops != NULL && set->stops == m;
}

static void check_failed(unsigned index, const struct sm_record *was, const struct sm_record *is,
                         unsigned i)
{
    const struct subject *m = subject_of(was->slot[i].module_sha);

    rule(noted(&is->slot[i], SM_EVENT_ROLLED_BACK), "a module given up is not told");
    if (was->slot[i].state == SM_SLOT_STAGED)
        rule(fate_of(was->set) == SM_SLOT_STAGED, "half a set is given up");
    else if (was->slot[i].state == SM_SLOT_TRIAL)
        rule(was->boots_left == 0 || trial_misbehaves(index, was->set) || is_stopped(m),
             "a good module's trial is given up");
    else
        rule(committed_misbehaves() || world->operator_asked || !holds(index, i, m) ||
                 is_stopped(m),
             "a good module is given up");
}

static void check_commit(unsigned index, const struct sm_record *was, const struct sm_record *is,
                         unsigned i)
{
    const struct sm_record *app = &world->records[APP];
    bool staged = was->slot[i].state == SM_SLOT_STAGED;

    rule(was->slot[i].state == SM_SLOT_TRIAL || staged, "a commit of what was not on trial");
    rule(noted(&is->slot[i], SM_EVENT_COMMITTED) && is->active == i, "a commit is not whole");
    if (staged) { /* it follows the application's */
        rule(index == DRIVER && fate_of(was->set) == SM_SLOT_COMMITTED &&
                 app->slot[app->active].sequence == is->slot[i].sequence,
             "a commit of half a set");
        return;
    }
    rule(!trial_misbehaves(index, was->set), "a bad module is committed");
    rule(index == DRIVER || world->ticks[APP] > 0, "a module is committed untried");
    rule((index == APP && was->set == 0) || world->ticks[DRIVER] >= DRIVER_TICKS,
         "a driver is committed untried");
}

static bool is_removal(const struct sm_slot *was, const struct sm_slot *is)
{
    return was->state == SM_SLOT_RECEIVING && is->state == SM_SLOT_EMPTY &&
           noted(is, SM_EVENT_COMMITTED);
}

/* A driver goes as a whole, and only when nobody needs it. */
static void check_removal(unsigned index, const struct sm_record *is, unsigned i)
{
    const struct subject *m = subject_of(is->slot[i].module_sha);
    const struct subject *app = in_slot(APP, world->records[APP].active);

    rule(index == DRIVER && m && m->kind == DRIVER_GONE && holds(index, i, m),
         "a removal that nobody signed");
    rule(is->active == SM_STORE_NO_SLOT && is->slot[0].state != SM_SLOT_COMMITTED &&
             is->slot[1].state != SM_SLOT_COMMITTED,
         "a removal leaves a half");
    rule(is->floor >= m->sequence, "what was removed may come back");
    rule(app == NULL || app->kind != SUBJECT_NEEDS, "what is needed is removed");
}

static void check_slot(unsigned index, const struct sm_record *was, const struct sm_record *is,
                       unsigned i)
{
    const struct sm_slot *old = &was->slot[i], *s = &is->slot[i];

    check_events(old, s);
    if (s->state == old->state)
        return;
    if (old->state == SM_SLOT_STAGED &&
        (s->state == SM_SLOT_EMPTY || s->state == SM_SLOT_RECEIVING))
        rule(fate_of(was->set) == SM_SLOT_STAGED, "half of a set on trial is dropped");
    switch ((enum sm_slot_state)s->state) {
    case SM_SLOT_TRIAL:
        if (old->state == SM_SLOT_STAGED)
            check_set_start(is, i);
        else
            check_new(index, was, is, i);
        break;
    case SM_SLOT_STAGED: check_new(index, was, is, i); break;
    case SM_SLOT_COMMITTED: check_commit(index, was, is, i); break;
    case SM_SLOT_FAILED: check_failed(index, was, is, i); break;
    case SM_SLOT_RECEIVING:
        rule(old->state != SM_SLOT_TRIAL && was->active != i, "a download over what runs");
        break;
    default:
        if (is_removal(old, s))
            check_removal(index, is, i);
        else if (old->state == SM_SLOT_RECEIVING)
            rule(noted(s, SM_EVENT_REFUSED) || noted(s, SM_EVENT_DOWNLOAD_FAILED),
                 "a refusal is not told");
    }
}

/* Starts of a trial only ever become one fewer, and not twice in a session. */
static void check_starts(unsigned index, const struct sm_record *was, const struct sm_record *is)
{
    bool same = is->slot[0].state == was->slot[0].state && is->slot[1].state == was->slot[1].state;

    if (!same || is->boots_left == was->boots_left)
        return;
    rule(is->boots_left + 1 == was->boots_left, "starts of a trial come or go");
    rule(++world->starts_paid[index] == 1, "a session pays for two starts");
}

static void check_keys(const struct sm_record *was, const struct sm_record *is)
{
    const struct key_set *before =
        was->active < 2 ? key_set_of(was->slot[was->active].module_sha) : NULL;
    const struct key_set *set = is->active < 2 ? key_set_of(is->slot[is->active].module_sha) : NULL;

    for (unsigned i = 0; i < 2; i++)
        check_events(&was->slot[i], &is->slot[i]);
    rule(is->floor >= was->floor, "time goes back");
    rule(is->floor == was->floor || is->floor == world->stated_s || set != before,
         "a time is certain that nobody said");
    rule(before == NULL || set != NULL, "a key set is lost");
    if (set == NULL || set == before)
        return;
    uint32_t off = sm_store_slot(&world->dev.store, world_layout()->modules, is->active).off;
    rule(!set->bad, "a key set that nobody signed is in force");
    rule(before == NULL || set->version == before->version + 1, "a key set is not the next");
    rule(!unstable(off, set->len) && memcmp(world->sim.bytes + off, set->bytes, set->len) == 0,
         "a record counts on a key set that is not there");
    rule(set->stops == NULL || is->boots_left == 1, "a revocation is forgotten");
}

static void check_put(unsigned index, const struct sm_record *was, const struct sm_record *is)
{
    uint64_t floor = was->floor;

    rule(is->floor >= was->floor, "a floor goes back");
    for (unsigned i = 0; i < 2; i++) {
        const struct sm_slot *old = &was->slot[i], *s = &is->slot[i];
        check_slot(index, was, is, i);
        if (s->state == SM_SLOT_COMMITTED && old->state != SM_SLOT_COMMITTED && s->floor > floor)
            floor = s->floor;
        if (is_removal(old, s) && s->sequence > floor)
            floor = s->sequence;
    }
    rule(is->floor == floor, "a floor that is not that of a commit");
    rule(is->time_s >= was->time_s, "device time goes back");
    check_starts(index, was, is);
}

/* ---- Records that were put --------------------------------------------------------------------
 */

/* Hashes of all that any session put, or tried to: what a mount finds must be one of them. */
static struct {
    struct hash *list;
    uint32_t count, mask;
} attempts;

static struct hash hash_record(const struct sm_record *r)
{
    static const struct sm_record_tag tag = {0, 1, 0, 0};
    struct sm_record copy = *r;
    uint8_t bytes[SM_RECORD_SIZE];

    copy.seq = 1;
    sm_record_encode(&copy, &tag, bytes);
    struct hash h = hash_bytes((struct hash){0, 0}, bytes, sizeof bytes);
    h.a |= 1; /* never all zero */
    return h;
}

static bool was_put(struct hash h)
{
    for (uint32_t at = (uint32_t)h.b & attempts.mask; attempts.list && attempts.list[at].a != 0;
         at = (at + 1) & attempts.mask)
        if (hash_equal(attempts.list[at], h))
            return true;
    return false;
}

static void keep_hash(struct hash h)
{
    if (was_put(h))
        return;
    if (2 * (attempts.count + 1) > attempts.mask) {
        struct hash *old = attempts.list;
        uint32_t n = old ? attempts.mask + 1 : 0;
        attempts.mask = old ? 2 * attempts.mask + 1 : 4095;
        attempts.count = 0;
        attempts.list = calloc((size_t)attempts.mask + 1, sizeof *attempts.list);
        if (attempts.list == NULL)
            abort();
        for (uint32_t i = 0; i < n; i++)
            if (old[i].a != 0)
                keep_hash(old[i]);
        free(old);
    }
    uint32_t at = (uint32_t)h.b & attempts.mask;
    while (attempts.list[at].a != 0)
        at = (at + 1) & attempts.mask;
    attempts.list[at] = h;
    attempts.count++;
}

void rules_keep_put(const struct sm_record *r)
{
    keep_hash(hash_record(r));
}

int __real_sm_store_put(struct sm_store *s, uint16_t index, const struct sm_record *r);
int __wrap_sm_store_put(struct sm_store *s, uint16_t index, const struct sm_record *r);

static void trace_record(unsigned index, const struct sm_record *r)
{
    static const char *const states[] = {"empty",     "receiving", "trial",
                                         "committed", "failed",    "staged"};
    static const char *const names[] = {"A", "B"};

    for (unsigned i = 0; i < 2 && world->trace; i++) {
        const struct subject *m = subject_of(r->slot[i].module_sha);
        trace("  %sslot %s%s: %s %u, to report %x%s", index == DRIVER ? "driver's " : "", names[i],
              r->active == i ? " (active)" : "", states[r->slot[i].state], m ? m->sequence : 0,
              (unsigned)r->slot[i].unreported, r->slot[i].image_len ? "" : ", no image");
    }
    trace("  floor %llu, %u starts left, %u traps", (unsigned long long)r->floor, r->boots_left,
          r->trap_count);
}

int __wrap_sm_store_put(struct sm_store *s, uint16_t index, const struct sm_record *r)
{
    if (index < s->layout.modules) {
        check_put(index, &s->records[index], r);
        trace("puts a record");
        trace_record(index, r);
    } else {
        check_keys(&s->keys, r);
        trace("puts the key set's record: version %llu",
              r->active < 2 ? (unsigned long long)r->slot[r->active].sequence : 0);
    }
    keep_hash(hash_record(r));
    int err = __real_sm_store_put(s, index, r);
    if (err == 0) {
        uint64_t seq = sm_store_record(s, index)->seq;
        for (unsigned i = 0; i <= s->layout.modules; i++)
            rule(seq > world->known.seq[i], "a record's number is not new");
        world->known.seq[index] = seq;
    }
    return err;
}

/* What the watchdog left, of whatever session before: nothing of it is in a state, so it may be
 * said of any. */
static void leave_hanging(const struct sm_record *r)
{
    for (unsigned i = 0; i < 2; i++)
        if (r->slot[i].state == SM_SLOT_TRIAL || (r->active == i && world->called == 0))
            world->called = sm_dev_called(0, i);
}

int __real_sm_store_mount(struct sm_store *s, const struct sm_flash *flash,
                          const struct sm_store_cfg *cfg, struct sm_record *records);
int __wrap_sm_store_mount(struct sm_store *s, const struct sm_flash *flash,
                          const struct sm_store_cfg *cfg, struct sm_record *records);

int __wrap_sm_store_mount(struct sm_store *s, const struct sm_flash *flash,
                          const struct sm_store_cfg *cfg, struct sm_record *records)
{
    int err = __real_sm_store_mount(s, flash, cfg, records);

    if (err != 0)
        return err;
    trace("mounts record %llu", (unsigned long long)records[0].seq);
    for (uint16_t i = 0; i <= s->layout.modules; i++) {
        const struct sm_record *r = sm_store_record(s, i);
        if (i < s->layout.modules)
            trace_record(i, r);
        rule(r->seq >= world->known.seq[i], "a committed record is lost");
        rule(r->seq == 0 || was_put(hash_record(r)), "a record is found that was never put");
        world->known.seq[i] = r->seq;
    }
    for (uint16_t i = 0; i < s->layout.modules; i++)
        check_bytes(i);
    rule(is_served(in_slot(APP, records[APP].active)), "half of a set is in force");
    if (world->in->health == WAS_HUNG)
        leave_hanging(&records[APP]);
    if (world->mounted)
        world->mounted();
    return 0;
}

/* ---- What runs ------------------------------------------------------------------------------- */

static void check_golden(void)
{
    const struct sm_wasm_module *m = &world->apps[APP].module;
    const struct sm_record *r = &world->records[APP];
    const struct subject *s = subject_golden();

    rule(m->wasm_len == s->len && memcmp(m->wasm, s->bytes, s->len) == 0 &&
             memcmp(world->golden_image, s->image, s->image_len) == 0,
         "another module runs as the golden one");
    for (unsigned i = 0; i < 2; i++)
        rule(world->apps[APP].rest_ms > world->now_ms || world->apps[APP].avoid ||
                 (r->active != i && r->slot[i].state != SM_SLOT_TRIAL),
             "the golden module runs though another one may");
}

/* The slot that runs, by its place's record. */
static void check_may_run(unsigned index, unsigned slot)
{
    enum sm_slot_state state = (enum sm_slot_state)world->records[index].slot[slot].state;

    rule(state == SM_SLOT_TRIAL || state == SM_SLOT_COMMITTED ||
             (index == DRIVER && state == SM_SLOT_STAGED && driver_slot() == slot),
         "a module runs that may not");
    if (index == APP)
        rule(is_served(in_slot(APP, slot)), "an application runs without what it needs");
}

/* The module that is up is signed by who may sign it, whole, translated by the engine, at or above
 * the floor, and its record lets it run. */
void rules_check_running(unsigned index)
{
    const struct sm_wasm_module *m = &world->apps[index].module;
    unsigned slot = world->apps[index].slot;
    const struct sm_record *r = &world->records[index];
    uint8_t sha[32];

    if (index == APP && sm_device_golden_runs(&world->dev)) {
        check_golden();
        return;
    }
    sm_sha256(m->wasm, m->wasm_len, sha);
    const struct subject *s = subject_of(sha);
    rule(s != NULL && s->good && (index == DRIVER) == (s->kind == DRIVER_PLAIN),
         "an unverified module runs");
    rule(slot < 2 && holds(index, slot, s), "a module runs from elsewhere than its slot");
    uint32_t image =
        sm_store_slot(&world->dev.store, (uint16_t)index, slot).off + r->slot[slot].image_off;
    rule(r->slot[slot].image_len == s->image_len && !unstable(image, s->image_len) &&
             memcmp(world->sim.bytes + image, s->image, s->image_len) == 0,
         "an image runs that is not the engine's");
    rule(r->slot[slot].image_build == SM_WASM_BUILD, "an image of another engine runs");
    rule(s->sequence >= r->floor, "a module below the floor runs");
    rule(!is_stopped(s), "a revoked module runs");
    check_may_run(index, slot);
}

bool rules_is_up(unsigned index)
{
    return world->apps[index].state == SM_APP_WAITING || world->apps[index].state == SM_APP_PENDING;
}

static bool runs_soon(unsigned index)
{
    return rules_is_up(index) || world->apps[index].due_ms <= world->now_ms + PERIOD_MS;
}

/* A module runs, at worst the golden one; or it is between a trap and its next call. So does a
 * driver, if one is in force. */
void rules_check_service(void)
{
    rule(runs_soon(APP), "nothing runs");
    rule(rules_driver() == NULL || runs_soon(DRIVER), "a driver does not run");
}
