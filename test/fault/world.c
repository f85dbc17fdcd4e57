/* The world of the closure proof (world.h): what the device's surroundings do, and the rules.
 *
 * Two functions of the product are stepped into at link time: sm_ed25519_verify(), whose answers
 * are kept by content, and sm_store_put() and sm_store_mount(), where the rules about records are
 * checked. The product's code itself is not touched.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sandmote/wasm.h>
#include "hash.h"
#include "internal.h"
#include "subject.h"
#include "world.h"

struct world *world;

enum { TRAP_WINDOW_S = 300, PERIOD_MS = 10, TIMEOUT_MS = 45, RUN_MS = 55, BOOTS = 3 };

static const char NAME[] = "subject";

/* ---- Inputs ---------------------------------------------------------------------------------- */

const struct input inputs[] = {
    {ALL_GOOD, NEWER, 0, 0, 0},          {ALL_GOOD, NEWER_FLOOR, 0, 0, 0},
    {ALL_GOOD, UNREACHABLE, 0, 0, 0},    {ALL_GOOD, NOTHING, 0, 0, 0},
    {ALL_GOOD, AGAIN, 0, 0, 0},          {ALL_GOOD, AGAIN_FRESH, 0, 0, 0},
    {ALL_GOOD, OLDER, 0, 0, 0},          {ALL_GOOD, EVIL, 0, 0, 0},
    {ALL_GOOD, TORN, 0, 0, 0},           {ALL_GOOD, GARBLED, 0, 0, 0},
    {ALL_GOOD, NOTHING, 1, 0, 0},        {ALL_GOOD, UNREACHABLE, 1, 0, 0},
    {ALL_GOOD, NOTHING, 0, 1, 0},        {ALL_GOOD, UNREACHABLE, 0, 1, 0},
    {TRIAL_TRAPS, NEWER, 0, 0, 0},       {TRIAL_TRAPS, NEWER_FLOOR, 0, 0, 0},
    {TRIAL_TRAPS, UNREACHABLE, 0, 0, 0}, {TRIAL_TRAPS, NOTHING, 0, 1, 0},
    {TRIAL_TRAPS, AGAIN_FRESH, 0, 0, 0}, {TRIAL_SPINS, NEWER, 0, 0, 0},
    {TRIAL_SPINS, UNREACHABLE, 0, 0, 0}, {TRIAL_SICK, NEWER, 0, 0, 0},
    {TRIAL_SICK, UNREACHABLE, 0, 0, 0},  {TRIAL_HANGS, NEWER, 0, 0, 0},
    {TRIAL_HANGS, UNREACHABLE, 0, 0, 0}, {LATE_TRAPS, NEWER, 0, 0, 0},
    {LATE_TRAPS, UNREACHABLE, 0, 0, 0},  {LATE_TRAPS, NOTHING, 0, 1, 0},
    {ALL_TRAP, NEWER, 0, 0, 0},          {ALL_TRAP, UNREACHABLE, 0, 0, 0},
    {ALL_TRAP, NOTHING, 0, 0, 1},        {ALL_GOOD, NOTHING, 0, 0, 1},
    {ALL_GOOD, DEAF, 0, 0, 0},           {ALL_GOOD, KEYS_NEXT, 0, 0, 0},
    {ALL_GOOD, KEYS_STOP, 0, 0, 0},      {ALL_GOOD, KEYS_OLD, 0, 0, 0},
    {ALL_GOOD, KEYS_BAD, 0, 0, 0},       {WAS_HUNG, NOTHING, 0, 0, 0},
    {WAS_HUNG, UNREACHABLE, 0, 0, 0},
};
const unsigned ninputs = sizeof inputs / sizeof *inputs;

/* NEWER with modules that are good, UNREACHABLE, NEWER with one that traps. */
const uint64_t core_inputs = 1u << 0 | 1u << 2 | 1u << 14;
/* Those, and NEWER_FLOOR, EVIL, the operator's return, and hangs. */
const uint64_t main_inputs =
    1u << 0 | 1u << 1 | 1u << 2 | 1u << 7 | 1u << 10 | 1u << 14 | 1u << 23 | 1u << 24;
/* Good updates, UNREACHABLE, and the four about key sets. */
const uint64_t keys_inputs = 1u << 0 | 1u << 2 | 15ull << 33;

void input_text(const struct input *in, char *out, size_t size)
{
    static const char *const healths[] = {
        "modules are good",        "a module on trial traps",
        "a module on trial spins", "a module on trial is sick",
        "a module on trial hangs", "the newest module traps later",
        "every module traps",      "the module to run was found hanging"};
    static const char *const offers[] = {"server out of reach",
                                         "server offers nothing",
                                         "server offers a newer module",
                                         "newer one with a floor",
                                         "server offers the last again",
                                         "last again, new deployment",
                                         "server offers an older module",
                                         "server offers an unsigned module",
                                         "connection breaks",
                                         "a byte changes on the way",
                                         "server offers a newer module and hears no report",
                                         "server has the next key set",
                                         "server has a key set that stops what runs",
                                         "server has the key set before",
                                         "server has a key set that nobody signed"};

    snprintf(out, size, "%s, %s%s%s%s", healths[in->health], offers[in->offer],
             in->rollback ? ", operator returns" : "", in->new_engine ? ", new firmware" : "",
             in->long_uptime ? ", long uptime" : "");
}

/* ---- Rules ----------------------------------------------------------------------------------- */

__attribute__((format(printf, 1, 2), noreturn)) static void broken(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(world->broken, sizeof world->broken, format, args);
    va_end(args);
    longjmp(world->end, 2);
}

static void rule(bool kept, const char *what)
{
    if (!kept)
        broken("%s", what);
}

__attribute__((format(printf, 1, 2))) static void trace(const char *format, ...)
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

/* The bytes of a slot are those of a signed module, and keep their value. */
static bool holds(unsigned slot, const struct subject *s)
{
    uint32_t off = sm_store_slot(&world->dev.store, 0, slot).off + SM_SLOT_MODULE;

    return s != NULL && s->kind != SUBJECT_EVIL && !unstable(off, s->len) &&
           memcmp(world->sim.bytes + off, s->bytes, s->len) == 0;
}

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

static bool trial_misbehaves(void)
{
    return world->in->health >= TRIAL_TRAPS && world->in->health != LATE_TRAPS;
}

static bool noted(const struct sm_slot *s, enum sm_event_kind kind)
{
    return s->unreported >> kind & 1;
}

/* No record counts on bytes that are not there, or that do not keep their value. */
static void check_bytes(const struct sm_record *r)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct sm_slot *s = &r->slot[i];
        const struct subject *m = subject_of(s->module_sha);
        if (world->unreliable || (s->state != SM_SLOT_TRIAL && s->state != SM_SLOT_COMMITTED))
            continue;
        rule(holds(i, m), "a record counts on a module that is not there");
        uint32_t image = sm_store_slot(&world->dev.store, 0, i).off + s->image_off;
        rule(s->image_len == 0 || (!unstable(image, s->image_len) &&
                                   memcmp(world->sim.bytes + image, m->image, m->image_len) == 0),
             "a record counts on an image that is not there");
    }
}

static void check_new_trial(const struct sm_record *was, const struct sm_record *is, unsigned i)
{
    const struct sm_slot *s = &is->slot[i];
    const struct subject *m = subject_of(s->module_sha);

    rule(was->slot[i].state == SM_SLOT_RECEIVING, "a trial of what was not received");
    rule(holds(i, m), "a trial of unverified bytes");
    rule(m->sequence == s->sequence && s->sequence >= is->floor, "a trial below the floor");
    rule(is->active == SM_STORE_NO_SLOT || s->sequence > is->slot[is->active].sequence,
         "a trial of what is not newer");
    rule(is->boots_left == BOOTS, "a trial begins without its starts");
    world->starts_paid = 0;
    rule(noted(s, SM_EVENT_INSTALLED), "an installation is not told");
}

/* A module that the key set in force stops. */
static bool is_stopped(const struct subject *m)
{
    const struct sm_record *keys = &world->dev.store.keys;
    const struct key_set *set =
        keys->active < 2 ? key_set_of(keys->slot[keys->active].module_sha) : NULL;

    return set != NULL && set->stops != NULL && set->stops == m;
}

static void check_failed(const struct sm_record *was, const struct sm_record *is, unsigned i)
{
    bool trial = was->slot[i].state == SM_SLOT_TRIAL;

    rule(noted(&is->slot[i], SM_EVENT_ROLLED_BACK), "a module given up is not told");
    if (trial)
        rule(was->boots_left == 0 || trial_misbehaves() ||
                 is_stopped(subject_of(was->slot[i].module_sha)),
             "a good module's trial is given up");
    else
        rule(world->in->health >= LATE_TRAPS || world->operator_asked ||
                 !holds(i, subject_of(was->slot[i].module_sha)) ||
                 is_stopped(subject_of(was->slot[i].module_sha)),
             "a good module is given up");
}

static void check_slot(const struct sm_record *was, const struct sm_record *is, unsigned i)
{
    const struct sm_slot *old = &was->slot[i], *s = &is->slot[i];

    check_events(old, s);
    if (s->state == SM_SLOT_TRIAL && old->state != SM_SLOT_TRIAL)
        check_new_trial(was, is, i);
    if (s->state == SM_SLOT_COMMITTED && old->state != SM_SLOT_COMMITTED) {
        rule(old->state == SM_SLOT_TRIAL, "a commit of what was not on trial");
        rule(!trial_misbehaves() && world->ticks > 0, "a bad module is committed");
        rule(noted(s, SM_EVENT_COMMITTED) && is->active == i, "a commit is not whole");
    }
    if (s->state == SM_SLOT_FAILED && old->state != SM_SLOT_FAILED)
        check_failed(was, is, i);
    if (s->state == SM_SLOT_RECEIVING && old->state != SM_SLOT_RECEIVING)
        rule(old->state != SM_SLOT_TRIAL && was->active != i, "a download over what runs");
    if (s->state == SM_SLOT_EMPTY && old->state == SM_SLOT_RECEIVING)
        rule(noted(s, SM_EVENT_REFUSED) || noted(s, SM_EVENT_DOWNLOAD_FAILED),
             "a refusal is not told");
}

/* Starts of a trial only ever become one fewer, and not twice in a session. */
static void check_starts(const struct sm_record *was, const struct sm_record *is)
{
    bool same = is->slot[0].state == was->slot[0].state && is->slot[1].state == was->slot[1].state;

    if (!same || is->boots_left == was->boots_left)
        return;
    rule(is->boots_left + 1 == was->boots_left, "starts of a trial come or go");
    rule(++world->starts_paid == 1, "a session pays for two starts");
}

static void check_keys(const struct sm_record *was, const struct sm_record *is)
{
    const struct key_set *before =
        was->active < 2 ? key_set_of(was->slot[was->active].module_sha) : NULL;
    const struct key_set *set = is->active < 2 ? key_set_of(is->slot[is->active].module_sha) : NULL;

    for (unsigned i = 0; i < 2; i++)
        check_events(&was->slot[i], &is->slot[i]);
    rule(is->floor >= was->floor, "time goes back");
    rule(before == NULL || set != NULL, "a key set is lost");
    if (set == NULL || set == before)
        return;
    uint32_t off = sm_store_slot(&world->dev.store, 1, is->active).off;
    rule(!set->bad, "a key set that nobody signed is in force");
    rule(before == NULL || set->version == before->version + 1, "a key set is not the next");
    rule(!unstable(off, set->len) && memcmp(world->sim.bytes + off, set->bytes, set->len) == 0,
         "a record counts on a key set that is not there");
    rule(set->stops == NULL || is->boots_left == 1, "a revocation is forgotten");
}

static void check_put(const struct sm_record *was, const struct sm_record *is)
{
    uint64_t floor = was->floor;

    rule(is->floor >= was->floor, "a floor goes back");
    for (unsigned i = 0; i < 2; i++) {
        check_slot(was, is, i);
        if (was->slot[i].state == SM_SLOT_TRIAL && is->slot[i].state == SM_SLOT_COMMITTED &&
            is->slot[i].floor > floor)
            floor = is->slot[i].floor;
    }
    rule(is->floor == floor, "a floor that is not that of a commit");
    rule(is->time_s >= was->time_s, "device time goes back");
    check_starts(was, is);
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

static void keep_put(struct hash h)
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
                keep_put(old[i]);
        free(old);
    }
    uint32_t at = (uint32_t)h.b & attempts.mask;
    while (attempts.list[at].a != 0)
        at = (at + 1) & attempts.mask;
    attempts.list[at] = h;
    attempts.count++;
}

int __real_sm_store_put(struct sm_store *s, uint16_t index, const struct sm_record *r);
int __wrap_sm_store_put(struct sm_store *s, uint16_t index, const struct sm_record *r);

static void trace_record(const struct sm_record *r)
{
    static const char *const states[] = {"empty", "receiving", "trial", "committed", "failed"};
    static const char *const names[] = {"A", "B"};

    for (unsigned i = 0; i < 2 && world->trace; i++) {
        const struct subject *m = subject_of(r->slot[i].module_sha);
        trace("  slot %s%s: %s %u, to report %x%s", names[i], r->active == i ? " (active)" : "",
              states[r->slot[i].state], m ? m->sequence : 0, (unsigned)r->slot[i].unreported,
              r->slot[i].image_len ? "" : ", no image");
    }
    trace("  floor %llu, %u starts left, %u traps", (unsigned long long)r->floor, r->boots_left,
          r->trap_count);
}

int __wrap_sm_store_put(struct sm_store *s, uint16_t index, const struct sm_record *r)
{
    if (index == 0)
        check_put(&s->records[0], r);
    else
        check_keys(&s->keys, r);
    keep_put(hash_record(r));
    if (index == 0) {
        trace("puts a record");
        trace_record(r);
    } else {
        trace("puts the key set's record: version %llu",
              r->active < 2 ? (unsigned long long)r->slot[r->active].sequence : 0);
    }
    int err = __real_sm_store_put(s, index, r);
    if (err == 0) {
        uint64_t seq = sm_store_record(s, index)->seq;
        rule(seq > world->known.seq[0] && seq > world->known.seq[1],
             "a record's number is not new");
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

    if (err == 0) {
        trace("mounts record %llu", (unsigned long long)records[0].seq);
        trace_record(&records[0]);
        for (uint16_t i = 0; i < 2; i++) {
            const struct sm_record *r = sm_store_record(s, i);
            rule(r->seq >= world->known.seq[i], "a committed record is lost");
            rule(r->seq == 0 || was_put(hash_record(r)), "a record is found that was never put");
            world->known.seq[i] = r->seq;
        }
        check_bytes(&records[0]);
        if (world->in->health == WAS_HUNG)
            leave_hanging(&records[0]);
    }
    return err;
}

/* ---- What runs ------------------------------------------------------------------------------- */

/* The module that is up is signed, whole, translated by the engine, at or above the floor, and its
 * record lets it run. */
static void check_golden(void)
{
    const struct sm_wasm_module *m = &world->app.module;
    const struct subject *s = subject_golden();

    rule(m->wasm_len == s->len && memcmp(m->wasm, s->bytes, s->len) == 0 &&
             memcmp(world->golden_image, s->image, s->image_len) == 0,
         "another module runs as the golden one");
    for (unsigned i = 0; i < 2; i++)
        rule(world->app.rest_ms > world->now_ms || world->app.avoid ||
                 (world->record.active != i && world->record.slot[i].state != SM_SLOT_TRIAL),
             "the golden module runs though another one may");
}

static void check_running(void)
{
    const struct sm_wasm_module *m = &world->app.module;
    unsigned slot = world->app.slot;
    const struct sm_record *r = &world->record;
    uint8_t sha[32];

    if (sm_device_golden_runs(&world->dev)) {
        check_golden();
        return;
    }
    sm_sha256(m->wasm, m->wasm_len, sha);
    const struct subject *s = subject_of(sha);
    rule(s != NULL && s->kind != SUBJECT_EVIL, "an unverified module runs");
    rule(slot < 2 && holds(slot, s), "a module runs from elsewhere than its slot");
    uint32_t image = sm_store_slot(&world->dev.store, 0, slot).off + r->slot[slot].image_off;
    rule(r->slot[slot].image_len == s->image_len && !unstable(image, s->image_len) &&
             memcmp(world->sim.bytes + image, s->image, s->image_len) == 0,
         "an image runs that is not the engine's");
    rule(r->slot[slot].image_build == SM_WASM_BUILD, "an image of another engine runs");
    rule(s->sequence >= r->floor, "a module below the floor runs");
    rule(!is_stopped(s), "a revoked module runs");
    rule(r->slot[slot].state == SM_SLOT_TRIAL || r->slot[slot].state == SM_SLOT_COMMITTED,
         "a module runs that may not");
}

static bool is_up(void)
{
    return world->app.state == SM_APP_WAITING || world->app.state == SM_APP_PENDING;
}

uint32_t world_runs(void)
{
    if (!is_up())
        return 0;
    check_running();
    return sm_device_golden_runs(&world->dev) ? 1 : (uint32_t)world->app.manifest.sequence;
}

/* How the module that asks is to behave: the codes of subject.wat. */
static uint64_t behaviour(void)
{
    const struct sm_record *r = &world->record;
    unsigned slot = world->app.slot;
    if (sm_device_golden_runs(&world->dev))
        return 0;
    bool trial = r->slot[slot].state == SM_SLOT_TRIAL;
    bool newest = r->slot[slot].install > r->slot[!slot].install;

    switch ((enum health)world->in->health) {
    case TRIAL_TRAPS: return trial ? 1 : 0;
    case TRIAL_SPINS: return trial ? 2 : 0;
    case TRIAL_SICK: return trial ? 3 : 0;
    case TRIAL_HANGS: return trial ? 4 : 0;
    case LATE_TRAPS: return newest && !trial ? 1 : 0;
    case ALL_TRAP: return 1;
    default: return 0;
    }
}

static uint64_t clock_ms(void *ctx)
{
    (void)ctx;
    if (world->app.exec.state != SM_EXEC_RUNNING)
        return world->now_ms;
    check_running();
    world->ticks++;
    uint64_t how = behaviour();
    if (how == 2)
        world->epoch += 1000000; /* its deadline is over */
    if (how == 4) {
        trace("the device hangs, the watchdog resets it");
        longjmp(world->end, 1);
    }
    return world->dev.start_ms + how;
}

/* ---- Signatures ------------------------------------------------------------------------------ */

int __real_sm_ed25519_verify(const uint8_t pub[32], const void *msg, size_t len,
                             const uint8_t sig[64]);
int __wrap_sm_ed25519_verify(const uint8_t pub[32], const void *msg, size_t len,
                             const uint8_t sig[64]);

int __wrap_sm_ed25519_verify(const uint8_t pub[32], const void *msg, size_t len,
                             const uint8_t sig[64])
{
    static struct {
        struct hash key;
        int answer;
        bool used;
    } memo[1u << 14];
    struct hash h =
        hash_bytes(hash_bytes(hash_bytes((struct hash){0, 0}, pub, 32), sig, 64), msg, len);
    unsigned at = h.a & ((1u << 14) - 1);

    if (!memo[at].used || !hash_equal(memo[at].key, h)) {
        memo[at].key = h;
        memo[at].answer = __real_sm_ed25519_verify(pub, msg, len, sig);
        memo[at].used = true;
    }
    return memo[at].answer;
}

/* ---- Server and operator --------------------------------------------------------------------- */

static void told(const struct sm_event *e)
{
    trace("reports %s of %llu: %s", sm_event_name(e->kind), (unsigned long long)e->sequence,
          e->detail);
    rule(world->nacked < WORLD_EVENTS, "more events than a session can have");
    world->acked[world->nacked++] = e->id;
}

static void report(void)
{
    struct sm_event e;

    while (sm_device_event_at(&world->dev, 0, &e) == 0) {
        told(&e);
        rule(sm_device_event_done(&world->dev, e.id) == 0, "an event cannot be acknowledged");
    }
}

static uint32_t most(uint32_t a, uint64_t b)
{
    return b > a ? (uint32_t)b : a;
}

/* The highest sequence that the flash has a trace of. */
static uint32_t newest_trace(const struct sm_record *r)
{
    const struct subject *s;
    uint32_t n = most(SEQUENCE_FIRST, r->floor);

    for (unsigned i = 0; i < 2; i++)
        if ((s = subject_of(r->slot[i].module_sha)) != NULL)
            n = most(n, s->sequence);
    for (unsigned i = 0; i < SM_STORE_FAILED; i++)
        if ((s = subject_of(r->failed[i].sha)) != NULL)
            n = most(n, s->sequence);
    return n;
}

/* It lies in a slot as failed. */
static bool has_failed(const struct subject *s)
{
    for (unsigned i = 0; i < 2; i++)
        if (world->record.slot[i].state == SM_SLOT_FAILED &&
            memcmp(world->record.slot[i].module_sha, s->sha, sizeof s->sha) == 0)
            return true;
    return false;
}

/* Hands over a module as a server and a line would; `bytes` of it come. */
static void offer(const struct subject *s, char letter, uint32_t bytes, bool garble)
{
    struct sm_install_request req = {.name = NAME, .len = s->len};
    char action[SM_STORE_ACTION];
    uint8_t copy[1024];

    snprintf(action, sizeof action, "%c%u", letter, s->sequence);
    req.action = action;
    memcpy(req.signature, s->sig, sizeof req.signature);
    memcpy(req.sha, s->sha, sizeof req.sha);
    memcpy(copy, s->bytes, s->len);
    copy[s->len / 2] ^= garble;
    trace("is offered %s %u, deployment %s", s->kind == SUBJECT_EVIL ? "unsigned" : "module",
          s->sequence, action);
    bool had_failed = has_failed(s);
    int64_t at = sm_device_install_begin(&world->dev, &req);
    if (at < 0) {
        trace("refuses: %s", sm_device_reason(&world->dev));
        return;
    }
    rule(world->in->offer != AGAIN || !had_failed, "what failed is tried again");
    world->offered = s->sequence;
    if (at < bytes) {
        int err = sm_device_install_write(&world->dev, copy + at, bytes - (uint32_t)at);
        rule(err == 0 || world->unreliable, "a download cannot be written");
        if (err)
            return;
    }
    if (bytes < s->len) {
        sm_device_install_suspend(&world->dev);
        return;
    }
    int err = sm_device_install_finish(&world->dev);
    trace("finishes: %s", err ? sm_device_reason(&world->dev) : "on trial");
    rule(err == 0 || s->kind == SUBJECT_EVIL || garble || world->unreliable ||
             world->in->offer >= AGAIN,
         "a good module is refused");
    rule(err != 0 || s->kind != SUBJECT_EVIL, "an unsigned module is accepted");
}

static void offer_keys(const struct key_set *set)
{
    int err = sm_device_keys_offer(&world->dev, set->bytes, set->len);

    trace("is offered key set %u%s%s: %s", set->version, set->stops ? ", which stops a module" : "",
          set->bad ? ", badly signed" : "", err ? sm_device_reason(&world->dev) : "in force");
    rule(err != 0 || !set->bad, "a key set that nobody signed is accepted");
}

/* Commissioned when it is not yet; then what the input says. */
static void contact_keys(void)
{
    const struct sm_record *r = &world->record;
    const struct sm_record *keys = &world->dev.store.keys;

    if (keys->active == SM_STORE_NO_SLOT) {
        const struct key_set *first = key_set(KEY_SET_FIRST, NULL, false);
        rule(sm_device_keys_commission(&world->dev, first->bytes, first->len) == 0,
             "it cannot be commissioned");
    }
    const struct key_set *now = key_set_of(keys->slot[keys->active].module_sha);
    rule(now != NULL && sm_device_keys(&world->dev) != NULL, "its key set is lost");
    const struct subject *active = r->active < 2 ? subject_of(r->slot[r->active].module_sha) : NULL;
    if (world->in->offer == KEYS_NEXT || world->in->offer == KEYS_STOP)
        offer_keys(key_set(now->version + 1, world->in->offer == KEYS_STOP ? active : NULL, false));
    else if (world->in->offer == KEYS_BAD)
        offer_keys(key_set(now->version + 1, NULL, true));
    else if (world->in->offer == KEYS_OLD && now->version > KEY_SET_FIRST)
        offer_keys(key_set(now->version - 1, NULL, false));
}

static void contact(void)
{
    const struct sm_record *r = &world->record;
    uint32_t next = (newest_trace(r) + 3) & ~1u; /* even: odd ones are those that are just older */
    unsigned other = r->active == SM_STORE_NO_SLOT ? 0 : !r->active;
    const struct subject *last = subject_of(r->slot[other].module_sha);
    char letter = r->slot[other].action[0];

    if (world->in->offer == UNREACHABLE)
        return;
    if (world->in->offer != DEAF)
        report();
    if (world->cfg.keys)
        contact_keys();
    switch ((enum offer)world->in->offer) {
    case DEAF:
    case NEWER:
        offer(subject(next, SUBJECT_PLAIN), 'd', subject(next, SUBJECT_PLAIN)->len, false);
        break;
    case NEWER_FLOOR:
        offer(subject(next, SUBJECT_FLOOR), 'd', subject(next, SUBJECT_FLOOR)->len, false);
        break;
    case AGAIN:
        if (last)
            offer(last, letter, last->len, false);
        break;
    case AGAIN_FRESH:
        if (last)
            offer(last, letter == 'd' ? 'e' : 'd', last->len, false);
        break;
    case OLDER:
        if (r->active != SM_STORE_NO_SLOT && r->slot[r->active].sequence % 2 == 0) {
            const struct subject *s =
                subject((uint32_t)r->slot[r->active].sequence - 1, SUBJECT_PLAIN);
            offer(s, 'd', s->len, false);
        }
        break;
    case EVIL:
        offer(subject(next, SUBJECT_EVIL), 'x', subject(next, SUBJECT_EVIL)->len, false);
        break;
    case TORN:
        offer(subject(next, SUBJECT_PLAIN), 'd', subject(next, SUBJECT_PLAIN)->len * 2 / 3, false);
        break;
    case GARBLED:
        offer(subject(next, SUBJECT_PLAIN), 'd', subject(next, SUBJECT_PLAIN)->len, true);
        break;
    default: break;
    }
}

static void emitted(void *ctx, const struct sm_event *e)
{
    (void)ctx;
    world->emitted |= 1u << e->kind;
}

/* ---- A session ------------------------------------------------------------------------------- */

static void run(uint32_t ms)
{
    uint64_t end = world->now_ms + ms;

    for (unsigned i = 0; i < 1000; i++) {
        uint32_t wait = sm_device_step(&world->dev, world->now_ms);
        if (world->now_ms + wait > end)
            break;
        world->now_ms += wait;
    }
    world->now_ms = end;
    if (is_up())
        check_running();
}

static int start(void)
{
    memset(&world->dev, 0xa5, sizeof world->dev);
    memset(&world->record, 0xa5, sizeof world->record);
    memset(&world->app, 0xa5, sizeof world->app);
    memset(world->scratch, 0xa5, sizeof world->scratch);
    memset(world->pool, 0xa5, sizeof world->pool);
    memset(world->golden_image, 0xa5, sizeof world->golden_image);
    world->app.pool = world->pool;
    world->app.pool_size = sizeof world->pool;
    world->now_ms = 1000;
    world->epoch = 7;
    world->nacked = 0;
    world->starts_paid = 0;
    world->ticks = 0;
    world->operator_asked = false;
    world->emitted = 0;
    world->offered = 0;
    world->called = 0;
    return sm_device_start(&world->dev, &world->cfg, &world->app, &world->record, world->now_ms);
}

/* The one unstable bit of a record is in another place when its bytes are others: in the last that
 * is programmed at all. */
static void move_weak_bit(uint32_t off)
{
    struct flash_sim *sim = &world->sim;
    unsigned bits = 0;
    uint32_t i = SM_RECORD_SIZE;

    for (uint32_t k = 0; k < SM_RECORD_SIZE; k++)
        bits += (unsigned)__builtin_popcount(sim->unstable[off + k]);
    if (bits != 1)
        return;
    memset(sim->unstable + off, 0, SM_RECORD_SIZE);
    while (sim->bytes[off + --i] == sim->flash.erased)
        ;
    unsigned set = sim->bytes[off + i] ^ sim->flash.erased;
    sim->unstable[off + i] = (uint8_t)(set & -set);
}

/* A flash whose images another engine made: its build in the records, of each the checksum. */
static void age_engine(void)
{
    const struct sm_layout *l = world_layout();
    struct sm_record r;
    struct sm_record_tag tag;

    for (unsigned place = 0; place < 2 * l->places; place++) {
        uint32_t off = l->log[place / l->places].off + place % l->places * SM_RECORD_SIZE;
        if (sm_record_decode(world->sim.bytes + off, &r, &tag) != 0)
            continue;
        for (unsigned i = 0; i < 2; i++)
            r.slot[i].image_build = SM_WASM_BUILD - 1;
        sm_record_encode(&r, &tag, world->sim.bytes + off);
        keep_put(hash_record(&r));
        memcpy(world->sim.old + off, world->sim.bytes + off, SM_RECORD_SIZE);
        if (world->sim.any_unstable)
            move_weak_bit(off);
    }
}

void world_before(const struct input *in)
{
    if (in->new_engine)
        age_engine();
}

/* A module runs, at worst the golden one; or it is between a trap and its next call. */
static void check_service(void)
{
    rule(is_up() || world->app.due_ms <= world->now_ms + PERIOD_MS, "nothing runs");
}

static void live(void)
{
    rule(start() == 0, "the device does not start");
    run(RUN_MS);
    check_service();
    contact();
    run(RUN_MS);
    check_service();
    if (world->in->long_uptime)
        world->now_ms += (TRAP_WINDOW_S + 100) * 1000;
    if (world->in->rollback) {
        world->operator_asked = true;
        if (sm_device_rollback(&world->dev, NAME, "operator") == 0)
            trace("the operator returns to the previous module");
    }
    run(RUN_MS);
    world->operator_asked = false;
    check_service();
    if (world->in->offer != UNREACHABLE && world->in->offer != DEAF)
        report();
    run(PERIOD_MS);
}

int world_session(const struct input *in)
{
    char text[160];

    world->in = in;
    world->broken[0] = 0;
    input_text(in, text, sizeof text);
    if (world->trace)
        printf("  power on: %s\n", text);
    int how = setjmp(world->end);
    if (how != 0)
        return how;
    live();
    return 0;
}

/* ---- Once ------------------------------------------------------------------------------------ */

bool world_settled(uint32_t sequence)
{
    const struct sm_record *r = &world->record;
    struct sm_event e;
    uint32_t active = r->active == SM_STORE_NO_SLOT ? 1 : (uint32_t)r->slot[r->active].sequence;

    if (sm_device_event_at(&world->dev, 0, &e) == 0 || r->slot[0].state == SM_SLOT_TRIAL ||
        r->slot[1].state == SM_SLOT_TRIAL)
        return false;
    return (active == sequence) == (world->in->health == ALL_GOOD) && world_runs() == active;
}

static struct sm_layout layout;

const struct sm_layout *world_layout(void)
{
    return &layout;
}

static const struct sm_store_cfg store_cfg = {
    .keys_size = 500, .applications = 1, .slot_size = 900, .log_records = 1, .checkpoint_size = 64};

/* Sectors that such a store needs. */
static uint32_t sectors_of(uint32_t sector, uint32_t unit, uint8_t erased)
{
    const struct sm_flash flash = {
        .sector_size = sector, .sector_count = 1, .program_size = unit, .erased = erased};
    uint64_t need = 0;

    if (sm_store_layout(&layout, &flash, &store_cfg, &need) != SM_ERR_FULL)
        abort();
    return (uint32_t)(need / sector);
}

void world_init(uint32_t sector, uint32_t unit, uint8_t erased)
{
    if (world == NULL)
        world = aligned_alloc(64, (sizeof *world + 63) / 64 * 64);
    if (world == NULL)
        abort();
    memset(world, 0, sizeof *world);
    sim_init(&world->sim, sector, sectors_of(sector, unit, erased), unit, erased);
    world->golden = (struct sm_device_golden){.wasm = subject_golden()->bytes,
                                              .len = subject_golden()->len,
                                              .signature = subject_golden()->sig,
                                              .key = subject_golden_key(),
                                              .image = world->golden_image,
                                              .image_size = sizeof world->golden_image};
    world->host = (struct sm_host_port){.ctx = world, .clock = {world, clock_ms}};
    world->cfg = (struct sm_device_cfg){.flash = &world->sim.flash,
                                        .store = store_cfg,
                                        .fleet = SUBJECT_FLEET,
                                        .cls = SM_CLASS_MCU,
                                        .trust = subject_trust(),
                                        .host = &world->host,
                                        .epoch = &world->epoch,
                                        .epoch_tick_ms = 1,
                                        .called = &world->called,
                                        .scratch = world->scratch,
                                        .scratch_len = sizeof world->scratch,
                                        .golden = &world->golden,
                                        .event = emitted,
                                        .boots = BOOTS,
                                        .trap_window_s = TRAP_WINDOW_S};
    if (sm_store_layout(&layout, &world->sim.flash, &world->cfg.store, NULL) != 0)
        abort();
}

void world_use_key_sets(void)
{
    world->cfg.trust = NULL;
    world->cfg.keys = world->keys;
    world->cfg.nkeys = sizeof world->keys / sizeof *world->keys;
}
