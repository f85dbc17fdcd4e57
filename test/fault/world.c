/* The world of the closure proof (world.h): what the device's surroundings do. The rules are in
 * rules.c.
 *
 * Three functions of the product are stepped into at link time: sm_ed25519_verify() and
 * sm_record_decode(), whose answers are kept by content, and sm_crc32c(), for which processors have
 * an instruction; that it is the same is seen at the start.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sandmote/wasm.h>
#include "hash.h"
#include "notes.h"
#include "rules.h"
#include "subject.h"

struct world *world;

enum { TRAP_WINDOW_S = 300, RUN_MS = 55, STEP_S = 4000 /* between statements */ };

/* ---- Inputs ---------------------------------------------------------------------------------- */

const struct input inputs[] = {
    {ALL_GOOD, NEWER, 0, 0, 0},
    {ALL_GOOD, NEWER_FLOOR, 0, 0, 0},
    {ALL_GOOD, UNREACHABLE, 0, 0, 0},
    {ALL_GOOD, NOTHING, 0, 0, 0},
    {ALL_GOOD, AGAIN, 0, 0, 0},
    {ALL_GOOD, AGAIN_FRESH, 0, 0, 0},
    {ALL_GOOD, OLDER, 0, 0, 0},
    {ALL_GOOD, EVIL, 0, 0, 0},
    {ALL_GOOD, TORN, 0, 0, 0},
    {ALL_GOOD, GARBLED, 0, 0, 0},
    {ALL_GOOD, NOTHING, 1, 0, 0},
    {ALL_GOOD, UNREACHABLE, 1, 0, 0},
    {ALL_GOOD, NOTHING, 0, 1, 0},
    {ALL_GOOD, UNREACHABLE, 0, 1, 0},
    {TRIAL_TRAPS, NEWER, 0, 0, 0},
    {TRIAL_TRAPS, NEWER_FLOOR, 0, 0, 0},
    {TRIAL_TRAPS, UNREACHABLE, 0, 0, 0},
    {TRIAL_TRAPS, NOTHING, 0, 1, 0},
    {TRIAL_TRAPS, AGAIN_FRESH, 0, 0, 0},
    {TRIAL_SPINS, NEWER, 0, 0, 0},
    {TRIAL_SPINS, UNREACHABLE, 0, 0, 0},
    {TRIAL_SICK, NEWER, 0, 0, 0},
    {TRIAL_SICK, UNREACHABLE, 0, 0, 0},
    {TRIAL_HANGS, NEWER, 0, 0, 0},
    {TRIAL_HANGS, UNREACHABLE, 0, 0, 0},
    {LATE_TRAPS, NEWER, 0, 0, 0},
    {LATE_TRAPS, UNREACHABLE, 0, 0, 0},
    {LATE_TRAPS, NOTHING, 0, 1, 0},
    {ALL_TRAP, NEWER, 0, 0, 0},
    {ALL_TRAP, UNREACHABLE, 0, 0, 0},
    {ALL_TRAP, NOTHING, 0, 0, 1},
    {ALL_GOOD, NOTHING, 0, 0, 1},
    {ALL_GOOD, DEAF, 0, 0, 0},
    {ALL_GOOD, KEYS_NEXT, 0, 0, 0},
    {ALL_GOOD, KEYS_STOP, 0, 0, 0},
    {ALL_GOOD, KEYS_OLD, 0, 0, 0},
    {ALL_GOOD, KEYS_BAD, 0, 0, 0},
    {WAS_HUNG, NOTHING, 0, 0, 0},
    {WAS_HUNG, UNREACHABLE, 0, 0, 0},
    {ALL_GOOD, DRIVER_NEWER, 0, 0, 0},
    {DRIVER_TRAPS, DRIVER_NEWER, 0, 0, 0},
    {ALL_GOOD, DRIVER_REMOVAL, 0, 0, 0},
    {ALL_GOOD, DRIVER_UNSIGNED, 0, 0, 0},
    {ALL_GOOD, SET_NEWER, 0, 0, 0},
    {TRIAL_TRAPS, SET_NEWER, 0, 0, 0},
    {DRIVER_TRAPS, SET_NEWER, 0, 0, 0},
    {ALL_GOOD, SET_AGAIN, 0, 0, 0},
    {ALL_GOOD, NOTE_COMES, 0, 0, 0},
    {ALL_GOOD, NOTE_TAKEN, 0, 0, 0},
    {ALL_GOOD, NOTES_TAKEN, 0, 0, 0},
    {ALL_GOOD, STATED_SAME, 0, 0, 0},
    {ALL_GOOD, STATED_LATER, 0, 0, 0},
    {ALL_GOOD, STATED_BEFORE, 0, 0, 0},
    {ALL_GOOD, UNSTATED, 0, 0, 0},
};
const unsigned ninputs = sizeof inputs / sizeof *inputs;

/* NEWER with modules that are good, UNREACHABLE, NEWER with one that traps. */
const uint64_t core_inputs = 1u << 0 | 1u << 2 | 1u << 14;
/* Those, and NEWER_FLOOR, EVIL, the operator's return, and hangs. */
const uint64_t main_inputs = 7u << 0 | 1u << 7 | 1u << 10 | 7u << 14 | 3u << 23;
/* With NEWER and UNREACHABLE: NOTHING, the operator's return, new firmware, modules that trap; or
 * NOTHING, AGAIN, OLDER, TORN, GARBLED; or hangs, and starts that know of one; or modules that spin
 * or are sick, and DEAF; or modules that trap late, or always, and the trap window's end; or
 * what failed or was there before in a deployment of its own. */
const uint64_t firmware_inputs = 1u << 0 | 1u << 2 | 1u << 3 | 31u << 10 | 1u << 17;
const uint64_t offer_inputs = 1u << 0 | 7u << 2 | 1u << 6 | 3u << 8;
const uint64_t hang_inputs = 1u << 0 | 1u << 2 | 3u << 23 | 3ull << 37;
const uint64_t sick_inputs = 1u << 0 | 1u << 2 | 15u << 19 | 1ull << 32;
const uint64_t late_inputs = 1u << 0 | 1u << 2 | 127u << 25;
const uint64_t again_inputs = 1u << 0 | 1u << 2 | 1u << 5 | 1u << 18;
/* Good updates, UNREACHABLE, and the four about key sets. */
const uint64_t keys_inputs = 1u << 0 | 1u << 2 | 15ull << 33;
/* UNREACHABLE, and drivers alone; the same, and sets; all with a driver, and good updates. */
const uint64_t driver_inputs = 1u << 2 | 15ull << 39;
const uint64_t set_inputs = 1u << 2 | 15ull << 43;
const uint64_t plugin_inputs = 1u << 0 | 1u << 2 | 255ull << 39;
/* UNREACHABLE, and what the journal is for. */
const uint64_t note_inputs = 1u << 2 | 7ull << 47;
/* Good updates, UNREACHABLE, the next key set, and the four about statements. */
const uint64_t stated_inputs = 1u << 0 | 1u << 2 | 1ull << 33 | 15ull << 50;
const uint64_t common_inputs = (1ull << 39) - 1;

void input_text(const struct input *in, char *out, size_t size)
{
    static const char *const healths[] = {
        "modules are good",        "a module on trial traps",
        "a module on trial spins", "a module on trial is sick",
        "a module on trial hangs", "the newest module traps later",
        "every module traps",      "the module to run was found hanging",
        "a driver on trial traps"};
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
                                         "server has a key set that nobody signed",
                                         "server offers a newer driver",
                                         "server removes the driver",
                                         "server offers an unsigned driver",
                                         "server offers a newer set",
                                         "server offers the set again",
                                         "a note",
                                         "a note, server takes all notes, another",
                                         "server takes all notes",
                                         "newer module, statement of before again",
                                         "newer module, a later one is current",
                                         "newer module, statement from before the last",
                                         "newer module, no statement"};

    snprintf(out, size, "%s, %s%s%s%s", healths[in->health], offers[in->offer],
             in->rollback ? ", operator returns" : "", in->new_engine ? ", new firmware" : "",
             in->long_uptime ? ", long uptime" : "");
}

/* ---- How modules behave ---------------------------------------------------------------------- */

/* How the module that asks is to behave: the codes of subject.wat. */
static uint64_t behaviour_of_application(enum health health)
{
    const struct sm_record *r = &world->records[0];
    unsigned slot = world->apps[0].slot;
    if (sm_device_golden_runs(&world->dev))
        return 0;
    bool trial = r->slot[slot].state == SM_SLOT_TRIAL;
    bool newest = r->slot[slot].install > r->slot[!slot].install;

    switch (health) {
    case TRIAL_TRAPS: return trial ? 1 : 0;
    case TRIAL_SPINS: return trial ? 2 : 0;
    case TRIAL_SICK: return trial ? 3 : 0;
    case TRIAL_HANGS: return trial ? 4 : 0;
    case LATE_TRAPS: return newest && !trial ? 1 : 0;
    case ALL_TRAP: return 1;
    default: return 0;
    }
}

/* A driver is on trial by itself, or in a set: its own record says so then only of the first, and
 * that it is staged of the second. */
static uint64_t behaviour_of_driver(enum health health)
{
    const struct sm_slot *s = &world->records[1].slot[world->apps[1].slot];

    return health == DRIVER_TRAPS && s->state != SM_SLOT_COMMITTED;
}

static uint64_t behaviour(unsigned index, enum health health)
{
    return index ? behaviour_of_driver(health) : behaviour_of_application(health);
}

static uint64_t clock_ms(void *ctx)
{
    unsigned index = world->apps[1].exec.state == SM_EXEC_RUNNING;

    (void)ctx;
    if (world->apps[index].exec.state != SM_EXEC_RUNNING)
        return world->now_ms;
    rules_check_running(index);
    world->ticks[index]++;
    uint64_t how = behaviour(index, (enum health)world->in->health);
    for (unsigned h = 0; h < HEALTHS; h++)
        world->differs |= (uint32_t)(behaviour(index, (enum health)h) != how) << h;
    if (how == 2)
        world->epoch += 1000000; /* its deadline is over */
    if (how == 4) {
        trace("the device hangs, the watchdog resets it");
        longjmp(world->end, 1);
    }
    return world->dev.start_ms + how;
}

uint32_t world_runs(unsigned index)
{
    if (!rules_is_up(index))
        return 0;
    rules_check_running(index);
    return index == 0 && sm_device_golden_runs(&world->dev)
               ? 1
               : (uint32_t)world->apps[index].manifest.sequence;
}

/* ---- Computed once, or faster ---------------------------------------------------------------- */

uint32_t __real_sm_crc32c(uint32_t crc, const void *data, size_t len);
uint32_t __wrap_sm_crc32c(uint32_t crc, const void *data, size_t len);

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_by_processor(uint64_t crc, const uint8_t *p,
                                                                   size_t len)
{
    uint64_t word;

    for (; len >= 8; p += 8, len -= 8) {
        memcpy(&word, p, 8);
        crc = __builtin_ia32_crc32di(crc, word);
    }
    for (; len > 0; p++, len--)
        crc = __builtin_ia32_crc32qi((uint32_t)crc, *p);
    return (uint32_t)crc;
}

uint32_t __wrap_sm_crc32c(uint32_t crc, const void *data, size_t len)
{
    return __builtin_cpu_supports("sse4.2") ? ~crc_by_processor(~crc, data, len)
                                            : __real_sm_crc32c(crc, data, len);
}
#else
uint32_t __wrap_sm_crc32c(uint32_t crc, const void *data, size_t len)
{
    return __real_sm_crc32c(crc, data, len);
}
#endif

/* What a record's bytes say, by their hash too: a mount looks at each place twice. */
int __real_sm_record_decode(const uint8_t in[SM_RECORD_SIZE], struct sm_record *r,
                            struct sm_record_tag *tag);
int __wrap_sm_record_decode(const uint8_t in[SM_RECORD_SIZE], struct sm_record *r,
                            struct sm_record_tag *tag);

int __wrap_sm_record_decode(const uint8_t in[SM_RECORD_SIZE], struct sm_record *r,
                            struct sm_record_tag *tag)
{
    static struct {
        struct hash key;
        struct sm_record r;
        struct sm_record_tag tag;
        int answer;
        bool used;
    } memo[1u << 12];
    struct hash h = hash_bytes((struct hash){0, 0}, in, SM_RECORD_SIZE);
    __typeof__(memo[0]) *m = &memo[h.a % (sizeof memo / sizeof *memo)];

    if (!m->used || !hash_equal(m->key, h)) {
        m->key = h;
        m->answer = __real_sm_record_decode(in, &m->r, &m->tag);
        m->used = true;
    }
    *r = m->r;
    *tag = m->tag;
    return m->answer;
}

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
static uint32_t newest_trace(void)
{
    const struct subject *s;
    uint32_t n = SEQUENCE_FIRST;

    for (unsigned index = 0; index < world_layout()->modules; index++) {
        const struct sm_record *r = &world->records[index];
        n = most(n, r->floor);
        for (unsigned i = 0; i < 2; i++)
            if ((s = subject_of(r->slot[i].module_sha)) != NULL)
                n = most(n, s->sequence);
        for (unsigned i = 0; i < SM_STORE_FAILED; i++)
            if ((s = subject_of(r->failed[i].sha)) != NULL)
                n = most(n, s->sequence);
    }
    return n;
}

/* It lies in a slot as failed. */
static bool has_failed(const struct subject *s)
{
    for (unsigned i = 0; i < 2; i++)
        if (world->records[0].slot[i].state == SM_SLOT_FAILED &&
            memcmp(world->records[0].slot[i].module_sha, s->sha, sizeof s->sha) == 0)
            return true;
    return false;
}

/* A module is offered, and the device has not been told that it is current. */
static bool is_not_current(void)
{
    return world->in->offer >= STATED_LATER && world->in->offer <= UNSTATED;
}

/* Whether the device may refuse a module that is signed and came in whole: one that is no newer, or
 * the removal of what is needed. */
static bool may_refuse(const struct subject *s)
{
    const struct sm_record *driver = &world->records[1];

    if (s->kind == DRIVER_PLAIN)
        return driver->active < 2 && driver->slot[driver->active].sequence >= s->sequence;
    return (world->in->offer >= AGAIN && world->in->offer < DRIVER_NEWER) || is_not_current() ||
           s->kind == DRIVER_GONE;
}

/* The deployment of a module, or of a set. */
static void action_of(const struct subject *s, char letter, char out[SM_STORE_ACTION])
{
    snprintf(out, SM_STORE_ACTION, "%c%u", letter, s->sequence);
}

static int64_t begin(const struct subject *s, char letter)
{
    bool driver = s->kind >= DRIVER_PLAIN;
    struct sm_install_request req = {.name = driver ? DRIVER_NAME : SUBJECT_NAME,
                                     .plugin = driver,
                                     .set = letter == 's',
                                     .len = s->len};
    char action[SM_STORE_ACTION];

    action_of(s, letter, action);
    req.action = action;
    memcpy(req.signature, s->sig, sizeof req.signature);
    memcpy(req.sha, s->sha, sizeof req.sha);
    trace("is offered %s%s %u, deployment %s", s->good ? "" : "unsigned ",
          driver ? "driver" : "module", s->sequence, action);
    return sm_device_install_begin(&world->dev, &req);
}

/* Hands over a module as a server and a line would; `bytes` of it come. 0 when the device has all
 * of it, and takes it; else its error. */
static int offer_part(const struct subject *s, char letter, uint32_t bytes, bool garble)
{
    uint8_t copy[1024];

    memcpy(copy, s->bytes, s->len);
    copy[s->len / 2] ^= garble;
    bool had_failed = has_failed(s);
    int64_t at = begin(s, letter);
    if (at < 0) {
        trace("refuses: %s", sm_device_reason(&world->dev));
        return (int)at;
    }
    rule(world->in->offer != AGAIN || !had_failed, "what failed is tried again");
    world->offered = s->sequence;
    if (at < bytes) {
        int err = sm_device_install_write(&world->dev, copy + at, bytes - (uint32_t)at);
        rule(err == 0 || world->unreliable, "a download cannot be written");
        if (err)
            return err;
    }
    if (bytes < s->len) {
        sm_device_install_suspend(&world->dev);
        return SM_ERR_STATE;
    }
    int err = sm_device_install_finish(&world->dev);
    trace("finishes: %s", err ? sm_device_reason(&world->dev) : "taken");
    rule(err == 0 || !s->good || garble || world->unreliable || may_refuse(s),
         "a good module is refused");
    rule(err != 0 || s->good, "an unsigned module is accepted");
    rule(err != 0 || !is_not_current(), "a module is accepted that is not said to be current");
    return err;
}

static int offer(const struct subject *s, char letter)
{
    return offer_part(s, letter, s->len, false);
}

/* ---- Sets ------------------------------------------------------------------------------------ */

static bool is_staged(const struct subject *s, unsigned index)
{
    for (unsigned i = 0; i < 2; i++)
        if (world->records[index].slot[i].state == SM_SLOT_STAGED &&
            subject_of(world->records[index].slot[i].module_sha) == s)
            return true;
    return false;
}

static int offer_member(const struct subject *s, unsigned index)
{
    return is_staged(s, index) ? 0 : offer(s, 's');
}

/* An application and the driver that it needs. What the device refuses for now comes again with the
 * next session; what it refuses for good ends the set. */
static void offer_set(uint32_t sequence)
{
    const struct subject *app = subject(sequence, SUBJECT_NEEDS);
    char action[SM_STORE_ACTION];
    int err = offer_member(app, 0);

    if (!err)
        err = offer_member(subject(sequence, DRIVER_PLAIN), 1);
    action_of(app, 's', action);
    if (err) {
        world->offered = 0;
        rule(err == SM_ERR_BUSY || sm_device_set_drop(&world->dev, action, "half a set") == 0,
             "a set cannot be dropped");
        return;
    }
    err = sm_device_set_start(&world->dev, action);
    trace("the set: %s", err ? sm_device_reason(&world->dev) : "on trial");
    rule(err == 0, "a good set is refused");
    world->offered = sequence;
}

/* The sequence of a set of which something is there, and no more than that; 0 for none. */
static uint32_t begun_set(void)
{
    for (unsigned index = 0; index < world_layout()->modules; index++) {
        for (unsigned i = 0; i < 2; i++) {
            const struct sm_slot *s = &world->records[index].slot[i];
            const struct subject *m = subject_of(s->module_sha);
            if (m && s->action[0] == 's' &&
                (s->state == SM_SLOT_STAGED || s->state == SM_SLOT_RECEIVING))
                return m->sequence;
        }
    }
    return 0;
}

/* A server that does not offer a set again has given it up, and hears so. One on trial is beyond
 * that. */
static void drop_strays(void)
{
    for (unsigned index = 0; index < world_layout()->modules; index++) {
        for (unsigned i = 0; i < 2; i++) {
            char action[SM_STORE_ACTION];
            if (world->records[index].slot[i].state != SM_SLOT_STAGED)
                continue;
            memcpy(action, world->records[index].slot[i].action, sizeof action);
            rule(sm_device_set_drop(&world->dev, action, "given up") == 0,
                 "a set cannot be dropped");
        }
    }
    report();
}

/* ---- Contact --------------------------------------------------------------------------------- */

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
    const struct sm_record *r = &world->records[0];
    const struct sm_record *keys = &world->dev.store.keys;

    if (keys->active == SM_STORE_NO_SLOT) {
        const struct key_set *first = key_set(KEY_SET_FIRST + 1, NULL, false);
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
    else if (world->in->offer == KEYS_OLD)
        offer_keys(key_set(now->version - 1, NULL, false));
}

/* What the server says is current: with each module that it offers, as the input has it. */
static void contact_statement(uint32_t next)
{
    enum offer o = (enum offer)world->in->offer;
    const struct key_set *now =
        key_set_of(world->dev.store.keys.slot[world->dev.store.keys.active].module_sha);
    uint64_t floor = world->dev.store.keys.floor;
    uint8_t bytes[SM_STATEMENT_MAX];

    if (o == UNSTATED || o == NOTHING || (o >= KEYS_NEXT && o <= KEYS_BAD))
        return;
    world->stated_s = o == STATED_BEFORE ? floor - 1 : o == STATED_SAME ? floor : floor + STEP_S;
    size_t len = subject_statement(world->stated_s, now->version,
                                   o == STATED_LATER ? next + 2 : next, bytes, sizeof bytes);
    int err = sm_device_statement(&world->dev, bytes, len, NULL);
    trace("is told what was current at %llu: %s", (unsigned long long)world->stated_s,
          err ? sm_device_reason(&world->dev) : "believed");
    rule(err != 0 || world->dev.store.keys.floor + 3600 > world->stated_s,
         "what is certain of the time is not written down");
    rule(err == (o == STATED_BEFORE ? SM_ERR_ROLLBACK : 0),
         "an old statement is believed, or a new "
         "one is not");
}

/* What the server has of applications alone. */
static void offer_application(uint32_t next)
{
    const struct sm_record *r = &world->records[0];
    unsigned other = r->active == SM_STORE_NO_SLOT ? 0 : !r->active;
    const struct subject *last = subject_of(r->slot[other].module_sha);
    const struct subject *plain = subject(next, SUBJECT_PLAIN);
    char letter = r->slot[other].action[0];

    switch ((enum offer)world->in->offer) {
    case DEAF:
    case STATED_SAME:
    case STATED_LATER:
    case STATED_BEFORE:
    case UNSTATED:
    case NEWER: offer(plain, 'd'); break;
    case NEWER_FLOOR: offer(subject(next, SUBJECT_FLOOR), 'd'); break;
    case AGAIN:
        if (last)
            offer(last, letter);
        break;
    case AGAIN_FRESH:
        if (last)
            offer(last, letter == 'd' ? 'e' : 'd');
        break;
    case OLDER:
        if (r->active != SM_STORE_NO_SLOT && r->slot[r->active].sequence % 2 == 0)
            offer(subject((uint32_t)r->slot[r->active].sequence - 1, SUBJECT_PLAIN), 'd');
        break;
    case EVIL: offer(subject(next, SUBJECT_EVIL), 'x'); break;
    case TORN: offer_part(plain, 'd', plain->len * 2 / 3, false); break;
    case GARBLED: offer_part(plain, 'd', plain->len, true); break;
    default: break;
    }
}

/* And with a driver. */
static void offer_driver(uint32_t next)
{
    switch ((enum offer)world->in->offer) {
    case DRIVER_NEWER: offer(subject(next, DRIVER_PLAIN), 'd'); break;
    case DRIVER_REMOVAL: offer(subject(next, DRIVER_GONE), 'd'); break;
    case DRIVER_UNSIGNED: offer(subject(next, DRIVER_EVIL), 'x'); break;
    case SET_NEWER: offer_set(next); break;
    case SET_AGAIN:
        if (begun_set())
            offer_set(begun_set());
        break;
    default: break;
    }
}

static void contact(void)
{
    if (world->in->offer == UNREACHABLE)
        return;
    if (world->in->offer != DEAF)
        report();
    if (world->cfg.keys)
        contact_keys();
    if (world->cfg.plugins && world->in->offer != SET_AGAIN)
        drop_strays();
    uint32_t next = (newest_trace() + 3) & ~1u; /* even: odd ones are those that are just older */
    if (world->cfg.statement)
        contact_statement(next);
    offer_application(next);
    if (world->cfg.plugins)
        offer_driver(next);
}

/* Somebody reads the driver's sensor: else nothing of a committed one would run. */
static void read_sensor(void)
{
    static const char grant[] = "sensor/L1/light:r";
    const struct sm_sensor_grants grants = {grant, sizeof grant, 1};
    struct sm_sensor_client client;
    struct sm_sensor_view view;

    if (!world->cfg.plugins)
        return;
    memset(&client, 0, sizeof client);
    sm_sensor_client_open(&client, &world->sensors, &grants, &view, SM_SENSOR_RATE_NS);
    int got = sm_sensor_client_request(&client, &view, SM_REQUEST_READ, 0, 0);
    for (unsigned i = 0; i < 10 && got == SM_SENSOR_PENDING && !sm_sensor_client_done(&client); i++)
        (void)sm_device_step(&world->dev, ++world->now_ms);
    if (got == SM_SENSOR_PENDING && sm_sensor_client_done(&client))
        got = sm_sensor_client_take(&client);
    trace("a reading: %d", got == 0 ? (int)view.value[0] : got);
    rule(got == 0 || rules_driver() == NULL || world->in->health == DRIVER_TRAPS,
         "a good driver cannot be read");
    sm_sensor_client_close(&client);
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
    for (unsigned i = 0; i < world_layout()->modules; i++)
        if (rules_is_up(i))
            rules_check_running(i);
}

static void forget(void)
{
    memset(&world->dev, 0xa5, sizeof world->dev);
    memset(world->records, 0xa5, sizeof world->records);
    memset(world->apps, 0xa5, sizeof world->apps);
    memset(&world->plugin, 0xa5, sizeof world->plugin);
    memset(world->scratch, 0xa5, sizeof world->scratch);
    memset(world->pool, 0xa5, sizeof world->pool);
    memset(world->golden_image, 0xa5, sizeof world->golden_image);
    memset(world->statement, 0xa5, sizeof world->statement);
}

static int start(void)
{
    forget();
    for (unsigned i = 0; i < MODULES_MAX; i++) {
        world->apps[i].pool = world->pool[i];
        world->apps[i].pool_size = sizeof world->pool[i];
        world->apps[i].exec.state = SM_EXEC_IDLE; /* of those that are none */
        world->starts_paid[i] = 0;
        world->ticks[i] = 0;
    }
    world->now_ms = 1000;
    world->epoch = 7;
    world->nacked = 0;
    world->operator_asked = false;
    world->emitted = 0;
    world->offered = 0;
    world->stated_s = 0;
    world->called = 0;
    sm_sensors_init(&world->sensors, &world->host.clock);
    return sm_device_start(&world->dev, &world->cfg, world->apps, world->records, world->now_ms);
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
        rules_keep_put(&r);
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

static void live(void)
{
    rule(start() == 0, "the device does not start");
    run(RUN_MS);
    rules_check_service();
    contact();
    run(RUN_MS);
    rules_check_service();
    if (world->in->long_uptime)
        world->now_ms += (TRAP_WINDOW_S + 100) * 1000;
    if (world->in->rollback) {
        world->operator_asked = true;
        if (sm_device_rollback(&world->dev, SUBJECT_NAME, "operator") == 0)
            trace("the operator returns to the previous module");
    }
    run(RUN_MS);
    world->operator_asked = false;
    rules_check_service();
    read_sensor();
    if (world->in->offer != UNREACHABLE && world->in->offer != DEAF)
        report();
    run(PERIOD_MS);
}

int world_session(const struct input *in)
{
    char text[160];

    world->in = in;
    world->differs = 1u << WAS_HUNG; /* that comes before any module is asked */
    world->broken[0] = 0;
    input_text(in, text, sizeof text);
    if (world->trace)
        printf("  power on: %s\n", text);
    int how = setjmp(world->end);
    if (how != 0)
        return how;
    if (world->cfg.store.journal_size)
        notes_session();
    else
        live();
    return 0;
}

/* ---- Once ------------------------------------------------------------------------------------ */

/* A place has nothing under way, and what is in force there runs. */
static bool is_at_rest(unsigned index)
{
    const struct sm_record *r = &world->records[index];
    uint32_t active = r->active == SM_STORE_NO_SLOT ? 1 : (uint32_t)r->slot[r->active].sequence;

    for (unsigned i = 0; i < 2; i++)
        if (r->slot[i].state == SM_SLOT_TRIAL || r->slot[i].state == SM_SLOT_STAGED)
            return false;
    return world_runs(index) == active || (index > 0 && r->active == SM_STORE_NO_SLOT);
}

bool world_settled(uint32_t sequence, bool set)
{
    struct sm_event e;

    if (sm_device_event_at(&world->dev, 0, &e) == 0)
        return false;
    for (unsigned i = 0; i < world_layout()->modules; i++)
        if (!is_at_rest(i) ||
            ((i == 0 || set) && (world_runs(i) == sequence) != (world->in->health == ALL_GOOD)))
            return false;
    return true;
}

static struct sm_layout layout;

const struct sm_layout *world_layout(void)
{
    return &layout;
}

static const struct sm_store_cfg store_cfg = {
    .keys_size = 500, .applications = 1, .slot_size = 900, .log_records = 1, .checkpoint_size = 64};

/* Sectors that such a store needs. */
static uint32_t sectors_of(const struct sm_store_cfg *cfg, uint32_t sector, uint32_t unit,
                           uint8_t erased)
{
    const struct sm_flash flash = {
        .sector_size = sector, .sector_count = 1, .program_size = unit, .erased = erased};
    uint64_t need = 0;

    if (sm_store_layout(&layout, &flash, cfg, &need) != SM_ERR_FULL)
        abort();
    return (uint32_t)(need / sector);
}

/* What a driver takes: a place, a bus, and a vendor who is trusted with it. */
static void make_room_for_driver(void)
{
    static const char *const capabilities[] = {"plugin/" DRIVER_BUS "/*"};
    static const struct sm_bus *buses[1];

    world->bus = (struct sm_bus){.name = DRIVER_BUS, .kind = SM_BUS_I2C};
    buses[0] = &world->bus;
    world->host.sensors = &world->sensors;
    world->plugins = (struct sm_device_plugins){&sm_device_plugin_ops, &world->plugin, buses, 1};
    world->cfg.store.plugins = 1;
    world->cfg.store.plugin_size = 900;
    world->cfg.plugins = &world->plugins;
    world->cfg.trust = subject_vendor_trust();
    world->cfg.capabilities = capabilities;
    world->cfg.ncapabilities = 1;
}

static void use_key_sets(void)
{
    world->cfg.trust = NULL;
    world->cfg.keys = world->keys;
    world->cfg.nkeys = sizeof world->keys / sizeof *world->keys;
}

static void make_room_for_notes(uint32_t sector)
{
    world->cfg.store.journal_size =
        NOTE_BLOCKS * ((64 + SM_JOURNAL_NOTE + sector - 1) / sector * sector);
}

static void check_crc(void)
{
    uint8_t bytes[64];

    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + 11);
    for (unsigned len = 0; len <= sizeof bytes; len++)
        if (__wrap_sm_crc32c(len, bytes, len) != __real_sm_crc32c(len, bytes, len))
            abort();
}

void world_init(enum setting setting, uint32_t sector, uint32_t unit, uint8_t erased)
{
    check_crc();
    if (world == NULL)
        world = aligned_alloc(64, (sizeof *world + 63) / 64 * 64);
    if (world == NULL)
        abort();
    memset(world, 0, sizeof *world);
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
    if (setting == WITH_KEY_SETS || setting == WITH_STATEMENTS)
        use_key_sets();
    if (setting == WITH_STATEMENTS) {
        world->cfg.statement = world->statement;
        world->cfg.statement_len = sizeof world->statement;
    }
    if (setting == WITH_DRIVER)
        make_room_for_driver();
    if (setting == JOURNAL_ALONE)
        make_room_for_notes(sector);
    sim_init(&world->sim, sector, sectors_of(&world->cfg.store, sector, unit, erased), unit,
             erased);
    if (sm_store_layout(&layout, &world->sim.flash, &world->cfg.store, NULL) != 0)
        abort();
}
