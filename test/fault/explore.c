/* Breadth-first search over the states of a flash (explore.h).
 *
 * A state is kept as one flash that has its key, sector by sector, equal sectors once. From it each
 * input is lived through, to the end; the simulated flash shows on the way what a cut at each
 * point of each operation would leave, and what has a key that was not seen yet is a new state. So
 * a cut costs its key and not a session: up to it, both are the same.
 *
 * From a flash with unstable bits each input is lived through once for each way in which they may
 * read (flash_sim.h).
 *
 * Most flashes were cut in the middle of a change; the mount of the next session ends it, and many
 * of them are one then. What a session does after its mount hangs on the flash as it is then, on
 * what the store has in memory and on the input: lived through once, it is not again. Nor is an
 * input in which modules are bad, where with good ones nobody would have noticed. That this loses
 * nothing is checked as the keys are, by pairs of sessions that are one after their mounts.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "canon.h"
#include "explore.h"

/* Each program unit with both erased values. */
const struct geometry geometries[] = {
    {1024, 32, 0x00}, {512, 32, 0xff},  {16384, 16, 0x00}, {64, 16, 0xff},
    {2048, 8, 0x00},  {4096, 8, 0xff},  {1024, 4, 0x00},   {512, 4, 0xff},
    {512, 2, 0x00},   {1024, 2, 0xff},  {512, 1, 0x00},    {256, 1, 0xff},
    {192, 32, 0xff},  {8192, 32, 0x00}, {4096, 16, 0x00},  {512, 8, 0xff},
};
const unsigned ngeometries = sizeof geometries / sizeof *geometries;

enum {
    END = UINT32_MAX,
    SEED = 0x5eed0001,
    ROW_MAX = 20000,
    SHOWN_EVERY = 64,
    ERASES_SHOWN = 8,
    INPUTS_MAX = 64
};

struct step {       /* one session of a path */
    uint32_t point; /* of the cut, or END */
    uint8_t input, luck;
};

struct state {
    uint32_t sectors; /* where its list begins in `lists` */
    uint32_t parent;
    struct known known;
    struct step step; /* that led here from the parent */
    uint32_t depth;
    uint8_t lucks; /* the last of the ways in which its unstable bits may read */
};

struct blob { /* a sector's bytes, which units are programmed, and unstable bits if there are any */
    struct hash hash;
    uint8_t *data;
    bool weak;
};

/* Of a hash: the state that has it; or the session that lived what comes after a mount. */
struct entry {
    struct hash hash;
    uint32_t state; /* number + 1 of the state, or of that where the session began; 0: unused */
    uint8_t luck;
    uint16_t differs; /* world.differs at its end */
};
_Static_assert(HEALTHS <= 16, "they are bits of differs");

struct table { /* at most half full */
    struct entry *at;
    uint32_t n, mask;
};

struct join { /* two sessions with an input that are one after their mounts */
    uint32_t state[2];
    uint8_t luck[2], input[2];
};

struct pair {
    uint32_t state, sectors;
    struct known known;
    uint32_t from; /* a state, and the session that led from it here */
    struct step step;
};

static struct {
    unsigned geometry;
    enum setting setting;
    struct state *states;
    uint32_t nstates, room_states;
    uint32_t *lists;
    size_t nlists, room_lists;
    struct blob *blobs;
    uint32_t nblobs, room_blobs;
    uint32_t *blob_table; /* number + 1; twice as many as blobs at least */
    uint32_t blob_mask;
    struct table seen, lived;

    struct pair *pairs;
    unsigned npairs, room_pairs;
    uint64_t next_pair, pair_gap; /* in edges */
    uint64_t erases, erase_gap;   /* that seem to change nothing */

    struct join *joins;
    unsigned njoins;
    uint64_t joined;

    uint64_t inputs;
    uint8_t well[INPUTS_MAX]; /* of each input, the one that differs in that all modules are good */

    /* The session under way. */
    uint32_t from;
    struct step step;
    bool same;        /* the operation under way seems to change nothing */
    struct hash last; /* key that was arrived at last, and the state that has it */
    uint32_t last_state;
    bool recording; /* states; else only which keys come up */
    bool adding;    /* but those that are new */
    struct row {
        struct hash *keys; /* each once, in their order */
        unsigned len;
        struct hash sum; /* the same whatever the order */
    } row, chances;      /* those that hang on which bits a cut hit */
    bool unstable;       /* so do all, as unstable bits count in the flash */
    bool from_mount;     /* only of what comes after the mount */
    unsigned way;        /* in which boots without a cut are to end well */
    struct {
        bool known;
        struct hash hash;
    } mount[2]; /* of this state, read in this way; with new firmware */
    struct explore_result *out;
} x;

static void *grow(void *p, size_t count, size_t size)
{
    p = realloc(p, count * size);
    if (p == NULL) {
        fprintf(stderr, "explore: no memory\n");
        abort();
    }
    return p;
}

/* ---- Sectors --------------------------------------------------------------------------------- */

static uint32_t units_of(const struct flash_sim *sim)
{
    return sim->flash.sector_size / sim->flash.program_size;
}

static void rehash_blobs(void)
{
    x.blob_mask = x.blob_mask ? 2 * x.blob_mask + 1 : 4095;
    free(x.blob_table);
    x.blob_table = calloc((size_t)x.blob_mask + 1, sizeof *x.blob_table);
    if (x.blob_table == NULL)
        abort();
    for (uint32_t i = 0; i < x.nblobs; i++) {
        uint32_t at = (uint32_t)x.blobs[i].hash.a & x.blob_mask;
        while (x.blob_table[at])
            at = (at + 1) & x.blob_mask;
        x.blob_table[at] = i + 1;
    }
}

static uint32_t add_blob(const uint8_t *data, size_t len, bool weak, struct hash h)
{
    if (x.nblobs == x.room_blobs)
        x.blobs =
            grow(x.blobs, x.room_blobs = x.room_blobs ? 2 * x.room_blobs : 1024, sizeof *x.blobs);
    if (2 * (x.nblobs + 1) > x.blob_mask)
        rehash_blobs();
    struct blob *b = &x.blobs[x.nblobs];
    *b = (struct blob){h, grow(NULL, len, 1), weak};
    memcpy(b->data, data, len);
    uint32_t at = (uint32_t)h.a & x.blob_mask;
    while (x.blob_table[at])
        at = (at + 1) & x.blob_mask;
    x.blob_table[at] = ++x.nblobs;
    return x.nblobs - 1;
}

/* A sector as it is, unstable bits at their old value. */
static uint32_t keep_sector(uint32_t n)
{
    const struct flash_sim *sim = &world->sim;
    static uint8_t data[3 * 65536];
    uint32_t size = sim->flash.sector_size, off = n * size, units = units_of(sim);
    bool weak = false;

    memcpy(data, sim->bytes + off, size);
    memcpy(data + size, sim->programmed + off / sim->flash.program_size, units);
    for (uint32_t i = 0; i < size && sim->any_unstable; i++) {
        uint8_t mask = sim->unstable[off + i];
        weak |= mask != 0;
        data[i] = (uint8_t)((data[i] & ~mask) | (sim->old[off + i] & mask));
    }
    size_t len = size + units;
    if (weak) {
        memcpy(data + len, sim->unstable + off, size);
        len += size;
    }
    struct hash h = hash_bytes((struct hash){0, 0}, data, len);
    for (uint32_t at = (uint32_t)h.a & x.blob_mask; x.blob_table && x.blob_table[at];
         at = (at + 1) & x.blob_mask)
        if (hash_equal(x.blobs[x.blob_table[at] - 1].hash, h))
            return x.blob_table[at] - 1;
    return add_blob(data, len, weak, h);
}

/* The whole flash. Where its list of sectors begins. */
static uint32_t keep_flash(void)
{
    uint32_t n = world->sim.flash.sector_count, list = (uint32_t)x.nlists;

    if (x.nlists + n > x.room_lists)
        x.lists = grow(x.lists, x.room_lists = 2 * (x.room_lists + n), sizeof *x.lists);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t blob = keep_sector(i);
        x.lists[x.nlists++] = blob;
    }
    return list;
}

static void restore_flash(uint32_t list)
{
    struct flash_sim *sim = &world->sim;
    uint32_t size = sim->flash.sector_size, units = units_of(sim);

    sim->any_unstable = false;
    for (uint32_t i = 0; i < sim->flash.sector_count; i++) {
        const struct blob *b = &x.blobs[x.lists[list + i]];
        memcpy(sim->bytes + i * size, b->data, size);
        memcpy(sim->programmed + i * units, b->data + size, units);
        if (!b->weak) {
            memset(sim->unstable + i * size, 0, size);
            continue;
        }
        memcpy(sim->unstable + i * size, b->data + size + units, size);
        memcpy(sim->old + i * size, b->data, size);
        sim->any_unstable = true;
    }
}

/* ---- States ---------------------------------------------------------------------------------- */

/* Where a hash is in a table, or would be. Until the next one is added. */
static struct entry *entry_of(const struct table *t, struct hash h)
{
    uint32_t at = (uint32_t)h.b & t->mask;

    while (t->at[at].state && !hash_equal(t->at[at].hash, h))
        at = (at + 1) & t->mask;
    return &t->at[at];
}

static void grow_table(struct table *t)
{
    struct table old = *t;

    t->mask = old.mask ? 4 * old.mask + 3 : 65535;
    t->at = calloc((size_t)t->mask + 1, sizeof *t->at);
    if (t->at == NULL)
        abort();
    for (uint32_t i = 0; old.at && i <= old.mask; i++)
        if (old.at[i].state != 0)
            *entry_of(t, old.at[i].hash) = old.at[i];
    free(old.at);
}

static void add_entry(struct table *t, struct entry e)
{
    *entry_of(t, e.hash) = e;
    if (2 * (++t->n + 1) > t->mask)
        grow_table(t);
}

static bool is_state(struct hash key)
{
    return entry_of(&x.seen, key)->state != 0;
}

static void add_state(struct hash key)
{
    if (x.nstates == x.room_states)
        x.states = grow(x.states, x.room_states = x.room_states ? 2 * x.room_states : 1024,
                        sizeof *x.states);
    struct state *s = &x.states[x.nstates];
    *s = (struct state){.parent = x.from,
                        .known = world->known,
                        .step = x.step,
                        .depth = x.nstates ? x.states[x.from].depth + 1 : 0};
    s->sectors = keep_flash();
    s->lucks = canon_weak()              ? SIM_LUCK_ERASED_FIRST
               : world->sim.any_unstable ? SIM_LUCK_ERASED
                                         : SIM_LUCK_OLD;
    add_entry(&x.seen, (struct entry){.hash = key, .state = ++x.nstates});
    if (s->depth > x.out->depth)
        x.out->depth = s->depth;
}

/* Another flash of a key that is known: now and then one is kept, to be compared. */
static void sample_pair(uint32_t state)
{
    struct pair p = {.state = state, .known = world->known, .from = x.from, .step = x.step};

    if (x.out->edges < x.next_pair || x.room_pairs == 0)
        return;
    if (x.npairs == x.room_pairs) { /* every other one makes room, and half as many come */
        for (unsigned i = 0; i < x.npairs; i += 2)
            x.pairs[i / 2] = x.pairs[i];
        x.npairs /= 2;
        x.pair_gap *= 2;
        x.erase_gap *= 2;
    }
    size_t before = x.nlists;
    p.sectors = keep_flash();
    if (memcmp(x.lists + p.sectors, x.lists + x.states[state].sectors,
               world->sim.flash.sector_count * sizeof *x.lists) == 0) {
        x.nlists = before;
        x.next_pair = x.out->edges + x.pair_gap / 8;
        return;
    }
    x.pairs[x.npairs++] = p;
    x.next_pair = x.out->edges + x.pair_gap;
}

static bool has_key(const struct row *r, struct hash key)
{
    for (unsigned i = r->len; i-- > 0;)
        if (hash_equal(r->keys[i], key))
            return true;
    return false;
}

/* Which keys a session can end in. Not at which point each: where the last bytes of a record are
 * blank anyway, a torn one is whole some units earlier, and that hangs on its checksum. */
static void note_key(struct row *r, struct hash key)
{
    if (has_key(r, key))
        return;
    if (r->len == ROW_MAX)
        abort();
    r->keys[r->len++] = key;
    r->sum.a += key.a;
    r->sum.b += key.b;
}

static void begin_row(void)
{
    x.row.len = x.chances.len = 0;
    x.row.sum = x.last = (struct hash){0, 0};
}

static void arrive(void)
{
    struct hash key = canon_key();

    bool again = hash_equal(key, x.last);
    x.out->edges++;
    x.last = key;
    if (!x.recording) {
        if (x.adding && !is_state(key))
            add_state(key);
        note_key(world->sim.by_chance || x.unstable ? &x.chances : &x.row, key);
        return;
    }
    if (again) {
        sample_pair(x.last_state);
        return;
    }
    uint32_t found = entry_of(&x.seen, key)->state;
    if (found) {
        x.last_state = found - 1;
        sample_pair(x.last_state);
        return;
    }
    x.last_state = x.nstates;
    add_state(key);
}

static void at_point(void *ctx, uint32_t off, uint32_t len)
{
    (void)ctx;
    canon_touch(off, len);
    x.step.point = (uint32_t)world->sim.points;
    if (x.same && !hash_equal(canon_key(), x.last)) {
        snprintf(world->broken, sizeof world->broken,
                 "a cut at point %u, which seemed to change nothing, does", (unsigned)x.step.point);
        longjmp(world->end, 2);
    }
    arrive();
}

/* Whether one of the points to come is to be kept for a pair. Of erases, which have few, one in so
 * many at first: what a torn one leaves in a sector that means nothing is where a form could be
 * wrong. */
static bool pair_due(unsigned points, bool erase)
{
    if (!x.recording || x.room_pairs == 0)
        return false;
    if (erase && ++x.erases % x.erase_gap == 0)
        x.next_pair = x.out->edges + x.erases / x.erase_gap % points;
    return x.out->edges + points > x.next_pair;
}

/* Most operations change nothing of the form, wherever they are cut: they are not shown, but where
 * a pair is due, and in each session of so many, which sees that it is so. */
static bool passes(void *ctx, uint32_t off, uint32_t len, bool erase)
{
    unsigned points = erase ? SIM_ERASE_POINTS : SIM_UNIT_POINTS;

    (void)ctx;
    x.same = hash_equal(canon_key(), x.last) && canon_same(off, len, erase);
    if (!x.same || x.out->boots % SHOWN_EVERY == 0 || pair_due(points, erase))
        return false;
    x.out->edges += points;
    x.out->passed += points;
    return true;
}

/* ---- Mounts ---------------------------------------------------------------------------------- */

/* Of very many, some that are kept: each as likely as any other. */
static void sample_join(const struct entry *first, unsigned input)
{
    struct join j = {
        {first->state - 1, x.from}, {first->luck, x.step.luck}, {(uint8_t)input, x.step.input}};
    uint64_t at = x.joined++;

    if (at >= x.room_pairs)
        at = hash_word((struct hash){SEED, 0}, at).a % x.joined;
    else
        x.njoins++;
    if (at < x.room_pairs)
        x.joins[at] = j;
}

/* Where what comes after a mount in this way was lived, or would be. */
static struct entry *lived_at(struct hash mount, unsigned way)
{
    return entry_of(&x.lived, hash_word(mount, way));
}

/* It will have been, by this session. Until it has, it is as if each health made a difference. */
static void live_here(struct hash mount, unsigned way)
{
    add_entry(&x.lived, (struct entry){hash_word(mount, way), x.from + 1, x.step.luck, UINT16_MAX});
}

/* Whether what comes after this mount with this input was lived before: with it, or while all were
 * well and nobody noticed. */
static bool was_lived(struct hash mount, unsigned input)
{
    const struct entry *first = lived_at(mount, input);

    if (first->state != 0) {
        sample_join(first, input);
        return true;
    }
    if (x.well[input] == input)
        return false;
    first = lived_at(mount, x.well[input]);
    if (first->state == 0 || first->differs >> inputs[input].health & 1)
        return false;
    sample_join(first, x.well[input]);
    return true;
}

/* What a session that is mounted goes on from: the flash, and in memory whether the area in force
 * may be gone on with, and from where; before the first record, which area that will be. All else
 * there is on flash, or makes no difference. Unstable bits that count go on being read so. */
static struct hash mount_hash(void)
{
    const struct sm_store *s = &world->dev.store;
    struct hash h = hash_word(canon_key(), s->fresh ? 1 + s->next : 0);

    if (s->fresh && s->next == 0)
        h = hash_word(h, s->area);
    return canon_weak() ? hash_word(h, 1u + 2u * (unsigned)world->sim.luck + world->sim.met % 2)
                        : h;
}

static void at_mount(void)
{
    unsigned input = x.step.input, aged = inputs[input].new_engine;

    if (!x.recording) {
        if (x.from_mount) {
            begin_row();
            x.unstable = canon_weak();
        }
        return;
    }
    if (x.mount[aged].known) {
        canon_reset();
        world->sim.probe = at_point;
        live_here(x.mount[aged].hash, input);
        return;
    }
    x.mount[aged].known = true;
    x.mount[aged].hash = mount_hash();
    if (was_lived(x.mount[aged].hash, input))
        longjmp(world->end, 3);
    live_here(x.mount[aged].hash, input);
}

/* ---- Paths ----------------------------------------------------------------------------------- */

/* What stands behind the geometry in an id. */
static const char *const settings[] = {[ONE_APPLICATION] = "",
                                       [WITH_KEY_SETS] = "k",
                                       [WITH_STATEMENTS] = "s",
                                       [WITH_DRIVER] = "p",
                                       [JOURNAL_ALONE] = "j"};

/* The id: geometry, setting, then the sessions; each input.luck.cut, the cut a point or "e" for
 * none. */
static void path_id(uint32_t state, const struct step *last, char *out, size_t size)
{
    struct step steps[256];
    unsigned n = 0;

    if (last)
        steps[n++] = *last;
    for (; state != 0 && n < 256; state = x.states[state].parent)
        steps[n++] = x.states[state].step;
    size_t len = (size_t)snprintf(out, size, "%u%s", x.geometry, settings[x.setting]);
    while (n-- > 0 && len < size - 40) {
        len += (size_t)snprintf(out + len, size - len, "-%u.%u.", steps[n].input, steps[n].luck);
        if (steps[n].point == END)
            len += (size_t)snprintf(out + len, size - len, "e");
        else
            len += (size_t)snprintf(out + len, size - len, "%u", (unsigned)steps[n].point);
    }
}

static void fail(uint32_t state, const struct step *last, const char *what)
{
    x.out->failed = true;
    path_id(state, last, x.out->id, sizeof x.out->id);
    snprintf(x.out->what, sizeof x.out->what, "%s", what);
}

/* ---- Sessions -------------------------------------------------------------------------------- */

static void restore(uint32_t sectors, struct known known, unsigned luck)
{
    restore_flash(sectors);
    sim_power(&world->sim, UINT64_MAX);
    world->sim.luck = (enum sim_luck)luck;
    world->sim.rng = SEED + luck;
    world->known = known;
}

/* One session from a flash, with everything that it can end in. As world_session(). */
static int live_once(uint32_t from, uint32_t sectors, struct known known, unsigned input,
                     unsigned luck)
{
    restore(sectors, known, luck);
    x.from = from;
    x.step = (struct step){END, (uint8_t)input, (uint8_t)luck};
    x.last = (struct hash){0, 0};
    world_before(&inputs[input]);
    canon_reset();
    x.unstable = !x.recording && canon_weak();
    x.out->boots++;
    bool mounted = x.recording && x.mount[inputs[input].new_engine].known;
    world->sim.probe = mounted ? NULL : at_point; /* at_mount() goes on */
    world->sim.passes = passes;
    world->mounted = x.setting == JOURNAL_ALONE ? NULL : at_mount;
    int how = world_session(&inputs[input]);
    world->sim.probe = NULL;
    world->sim.passes = NULL;
    world->mounted = NULL;
    x.same = false;
    x.step.point = END;
    if (how != 2 && how != 3)
        arrive();
    if (how < 2 && x.recording && x.setting != JOURNAL_ALONE)
        lived_at(x.mount[inputs[input].new_engine].hash, input)->differs = (uint16_t)world->differs;
    return how;
}

static int live_all(uint32_t state)
{
    for (unsigned luck = SIM_LUCK_OLD; luck <= x.states[state].lucks; luck++) {
        memset(x.mount, 0, sizeof x.mount);
        for (unsigned input = 0; input < ninputs; input++) {
            unsigned aged = inputs[input].new_engine;
            if (!(x.inputs >> input & 1))
                continue;
            x.from = state;
            x.step = (struct step){END, (uint8_t)input, (uint8_t)luck};
            if (x.mount[aged].known && was_lived(x.mount[aged].hash, input))
                continue;
            if (live_once(state, x.states[state].sectors, x.states[state].known, input, luck) ==
                2) {
                fail(state, &x.step, world->broken);
                return 2;
            }
        }
    }
    return 0;
}

/* Boots without a cut end well or not from their first mount on. */
static void at_settling(void)
{
    canon_reset();
    if (canon_weak())
        return;
    struct hash mount = mount_hash();
    if (lived_at(mount, INPUTS_MAX + x.way)->state != 0)
        longjmp(world->end, 3);
    live_here(mount, INPUTS_MAX + x.way);
}

/* Boots without a cut, the first of which that can takes a new module or set, until the device is
 * where it should be; then how many. */
static int settle(uint32_t state, struct input in, unsigned most, unsigned *took)
{
    bool set = in.offer == SET_NEWER;
    uint32_t target = 0;
    char text[160];

    restore(x.states[state].sectors, x.states[state].known, state % SIM_LUCKS);
    for (unsigned boots = 1; boots <= most; boots++) {
        x.out->boots++;
        world->mounted = boots == 1 ? at_settling : NULL;
        int how = world_session(&in);
        world->mounted = NULL;
        if (how >= 2)
            return how == 2 ? 2 : 0;
        if (world->offered) {
            target = world->offered;
            in.offer = NOTHING;
        }
        if (how == 0 && target && world_settled(target, set)) {
            *took = boots > *took ? boots : *took;
            return 0;
        }
        sim_power(&world->sim, UINT64_MAX);
    }
    input_text(&in, text, sizeof text);
    snprintf(world->broken, sizeof world->broken, "%u clean boots do not end well: %s", most, text);
    return 2;
}

static int settle_all(uint32_t state)
{
    static const struct {
        struct input in;
        unsigned most;
    } ways[2][SETTLED] = {{{{ALL_GOOD, NEWER, 0, 0, 0}, 2},
                           {{TRIAL_TRAPS, NEWER, 0, 0, 0}, 2},
                           {{TRIAL_HANGS, NEWER, 0, 0, 0}, 8}},
                          {{{ALL_GOOD, SET_NEWER, 0, 0, 0}, 2},
                           {{TRIAL_TRAPS, SET_NEWER, 0, 0, 0}, 2},
                           {{DRIVER_TRAPS, SET_NEWER, 0, 0, 0}, 2}}};
    bool driver = x.setting == WITH_DRIVER;

    x.from = state;
    for (unsigned i = 0; i < SETTLED && x.setting != JOURNAL_ALONE; i++) {
        x.way = i;
        if (settle(state, ways[driver][i].in, ways[driver][i].most, &x.out->clean[i]) == 2) {
            fail(state, NULL, world->broken);
            return 2;
        }
    }
    return 0;
}

/* ---- Pairs ----------------------------------------------------------------------------------- */

/* The keys of everything that a session from a state can end in, or another flash of its key, into
 * x.row; of what comes after its mount, if x.from_mount. Which come up by chance differs with the
 * bytes, and with those that were hit before: such a key must be a state, and when all seem to be
 * known is one from then on, to be explored too. NULL, or the rule that is broken. */
static const char *row_of(uint32_t from, uint32_t sectors, struct known known, unsigned input,
                          unsigned luck)
{
    uint32_t before = x.nstates;

    x.recording = false;
    begin_row();
    int how = live_once(from, sectors, known, input, luck);
    for (unsigned i = 0; i < x.chances.len && x.out->closed && how != 2; i++)
        x.adding |= !is_state(x.chances.keys[i]);
    if (x.adding) {
        begin_row();
        how = live_once(from, sectors, known, input, luck);
    }
    x.adding = false;
    x.recording = true;
    x.out->by_chance += x.nstates - before;
    return how == 2 ? world->broken : NULL;
}

/* Sessions that are one after their mounts, by the flash and the few words that mount_hash() takes,
 * end in the same keys. */
static int compare_joins(void)
{
    x.from_mount = true;
    for (unsigned i = 0; i < x.njoins; i++) {
        const struct join *j = &x.joins[i];
        const char *wrong = NULL;
        struct hash sum[2];
        bool loose = false;
        for (unsigned k = 0; k < 2 && !wrong; k++) {
            const struct state s = x.states[j->state[k]];
            wrong = row_of(j->state[k], s.sectors, s.known, j->input[k], j->luck[k]);
            sum[k] = x.row.sum;
            loose |= x.unstable;
        }
        x.out->joins++;
        if (!wrong && !loose && !hash_equal(sum[0], sum[1]))
            wrong = "two sessions of one mount have successors of different keys";
        if (!wrong)
            continue;
        struct step step[2] = {{END, j->input[0], j->luck[0]}, {END, j->input[1], j->luck[1]}};
        path_id(j->state[1], &step[1], x.out->other, sizeof x.out->other);
        fail(j->state[0], &step[0], wrong);
        return 2;
    }
    x.from_mount = false;
    return 0;
}

/* Flashes of equal keys have successors of equal keys: the canonical form leaves nothing out. */
static int compare_pairs(void)
{
    for (unsigned i = 0; i < x.npairs; i++) {
        const struct pair *p = &x.pairs[i];
        const struct state s = x.states[p->state];
        unsigned input = (i * 7 + (unsigned)p->state) % ninputs;
        while (!(x.inputs >> input & 1))
            input = (input + 1) % ninputs;
        unsigned luck = SIM_LUCK_OLD + i % 2; /* others hang on which bits are read first */
        const char *wrong = row_of(p->state, s.sectors, s.known, input, luck);
        struct hash sum = x.row.sum;
        bool loose = x.unstable;
        if (!wrong)
            wrong = row_of(p->state, p->sectors, p->known, input, luck);
        x.out->pairs++;
        if (!wrong && !loose && !x.unstable && !hash_equal(sum, x.row.sum))
            wrong = "two flashes of one key have successors of different keys";
        if (!wrong)
            continue;
        struct step step = {END, (uint8_t)input, (uint8_t)luck};
        path_id(p->from, &p->step, x.out->other, sizeof x.out->other);
        fail(p->state, &step, wrong);
        return 2;
    }
    return 0;
}

/* ---- The whole ------------------------------------------------------------------------------- */

static void open_world(unsigned geometry, enum setting setting)
{
    const struct geometry *g = &geometries[geometry];

    world_init(setting, g->sector, g->unit, g->erased);
    x.geometry = geometry;
    x.setting = setting;
}

static void find_well(void)
{
    for (unsigned i = 0; i < ninputs; i++) {
        x.well[i] = (uint8_t)i;
        for (unsigned k = 0; k < ninputs; k++) {
            struct input other = inputs[i];
            other.health = ALL_GOOD;
            if ((x.inputs >> k & 1) && inputs[k].health == other.health &&
                inputs[k].offer == other.offer && inputs[k].rollback == other.rollback &&
                inputs[k].new_engine == other.new_engine &&
                inputs[k].long_uptime == other.long_uptime)
                x.well[i] = (uint8_t)k;
        }
    }
}

static void begin(unsigned geometry, const struct explore_limits *limits,
                  struct explore_result *out)
{
    if (ninputs > INPUTS_MAX)
        abort();
    memset(out, 0, sizeof *out);
    x.out = out;
    out->setting = limits->setting;
    open_world(geometry, limits->setting);
    rehash_blobs();
    grow_table(&x.seen);
    grow_table(&x.lived);
    x.inputs = limits->inputs;
    canon_inputs(limits->inputs);
    find_well();
    x.room_pairs = limits->pairs;
    x.row.keys = grow(NULL, ROW_MAX, sizeof *x.row.keys);
    x.chances.keys = grow(NULL, ROW_MAX, sizeof *x.chances.keys);
    x.pairs = limits->pairs ? grow(NULL, limits->pairs, sizeof *x.pairs) : NULL;
    x.joins = limits->pairs ? grow(NULL, limits->pairs, sizeof *x.joins) : NULL;
    x.pair_gap = 100;
    x.erase_gap = ERASES_SHOWN;
    x.recording = true;
    canon_reset();
    arrive(); /* blank flash is state 0 */
}

static int explore_state(uint32_t s, const struct explore_limits *limits)
{
    if (live_all(s) != 0 || settle_all(s) != 0)
        return 2;
    if (limits->progress && s % 1000 == 999)
        fprintf(stderr, "  geometry %u: %u of %u states, depth %u, %.1f million edges\n",
                x.geometry, s + 1, x.nstates, x.states[s].depth, (double)x.out->edges / 1e6);
    return 0;
}

void explore(unsigned geometry, const struct explore_limits *limits, struct explore_result *out)
{
    uint32_t s = 0;

    begin(geometry, limits, out);
    do {
        while (s < x.nstates && (limits->states == 0 || s < limits->states) &&
               explore_state(s, limits) == 0)
            s++;
        out->explored = s;
        out->closed = s == x.nstates;
        out->pairs = out->joins = 0;
        if (!out->failed && compare_pairs() == 0)
            (void)compare_joins();
    } while (out->closed && !out->failed && s < x.nstates);
    out->states = x.nstates;
}

/* ---- Replay ---------------------------------------------------------------------------------- */

static int replay_step(const struct step *step, struct known *known)
{
    const struct input *in = &inputs[step->input];

    world->sim.luck = (enum sim_luck)step->luck;
    sim_power(&world->sim, step->point == END ? UINT64_MAX : step->point);
    world->sim.rng = SEED + step->luck;
    world->known = *known;
    world_before(in);
    if (setjmp(world->sim.power) != 0) {
        printf("  power fails at point %u\n", (unsigned)step->point);
        *known = world->known;
        return 0;
    }
    int how = world_session(in);
    *known = world->known;
    if (how == 2)
        printf("  BROKEN: %s\n", world->broken);
    else
        printf("  the session ends; %u runs\n", how == 0 ? world_runs(0) : 0);
    return how;
}

int explore_replay(const char *id)
{
    unsigned geometry, input, luck, point;
    struct known known = {.seq = {0}};
    int n = 0, how = 0;

    if (sscanf(id, "%u%n", &geometry, &n) != 1 || geometry >= ngeometries)
        return 2;
    enum setting setting = id[n] == 'k'   ? WITH_KEY_SETS
                           : id[n] == 's' ? WITH_STATEMENTS
                           : id[n] == 'p' ? WITH_DRIVER
                           : id[n] == 'j' ? JOURNAL_ALONE
                                          : ONE_APPLICATION;
    n += setting != ONE_APPLICATION;
    open_world(geometry, setting);
    world->trace = true;
    for (id += n; *id == '-'; id += n) {
        struct step step;
        if (sscanf(id, "-%u.%u.%u%n", &input, &luck, &point, &n) == 3)
            step = (struct step){point, (uint8_t)input, (uint8_t)luck};
        else if (sscanf(id, "-%u.%u.e%n", &input, &luck, &n) == 2)
            step = (struct step){END, (uint8_t)input, (uint8_t)luck};
        else
            return 2;
        if (input >= ninputs || luck >= SIM_LUCKS)
            return 2;
        how = replay_step(&step, &known);
    }
    return *id ? 2 : how == 2;
}
