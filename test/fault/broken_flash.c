/* A flash that fails, lies or rots under a whole device (doc/fault.md): the rules of world.h hold,
 * the fault is noticed or changes nothing, and the right module runs.
 *
 * In stories with version 1004 committed and 1002 before it, each program and erase fails, once or
 * from then on, with an error or silently; a bit of each byte rots that anything counts on; and
 * updates go on until it can be told how the erases spread.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "world.h"

static const struct {
    uint32_t sector, unit;
    uint8_t erased;
} geometries[] = {{1024, 32, 0x00}, {64, 16, 0xff}, {2048, 8, 0xff}, {512, 1, 0xff}};

enum { BEFORE = 1002, ACTIVE = 1004, UPDATE = 1006, WEAR_UPDATES = 500 };

static const struct {
    const char *name;
    struct input in;
    uint32_t runs; /* at the end */
} stories[] = {
    {"an update", {.health = ALL_GOOD, .offer = NEWER}, UPDATE},
    {"a bad update", {.health = TRIAL_TRAPS, .offer = NEWER}, ACTIVE},
    {"the operator's return", {.health = ALL_GOOD, .offer = NOTHING, .rollback = true}, BEFORE},
    {"new firmware", {.health = ALL_GOOD, .offer = UNREACHABLE, .new_engine = true}, ACTIVE},
    {"an unsigned module", {.health = ALL_GOOD, .offer = EVIL}, ACTIVE},
};
enum { STORIES = sizeof stories / sizeof *stories };

static const struct input idle = {.health = ALL_GOOD, .offer = NOTHING};
static const struct input newer = {.health = ALL_GOOD, .offer = NEWER};

static struct flash_sim start;
static struct known start_known;
static unsigned failures;

__attribute__((format(printf, 1, 2))) static void wrong(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    printf("  WRONG: ");
    vprintf(format, args);
    printf("\n");
    va_end(args);
    if (++failures > 20)
        exit(1);
}

static int live(const struct input *in)
{
    sim_power(&world->sim, UINT64_MAX);
    world_before(in);
    return world_session(in);
}

static void heal(void)
{
    world->sim.fail_op = UINT64_MAX;
    world->sim.fail_always = world->sim.fail_silently = false;
}

static void make_start(unsigned g)
{
    world_init(ONE_APPLICATION, geometries[g].sector, geometries[g].unit, geometries[g].erased);
    if (live(&newer) != 0 || live(&newer) != 0 || live(&idle) != 0 || world_runs(0) != ACTIVE)
        wrong("the story does not begin: %s", world->broken);
    sim_init(&start, geometries[g].sector, world->sim.flash.sector_count, geometries[g].unit,
             geometries[g].erased);
    sim_copy(&start, &world->sim);
    start_known = world->known;
    world->unreliable = true;
}

static void back_to_start(void)
{
    heal();
    sim_copy(&world->sim, &start);
    world->known = start_known;
}

/* ---- Operations that fail -------------------------------------------------------------------- */

struct how {
    const char *name;
    bool silently, always;
};
static const struct how hows[] = {{"fails", false, false},
                                  {"is ignored", true, false},
                                  {"and all after it fail", false, true},
                                  {"and all after it are ignored", true, true}};

/* One story with operation `op` failing. False when the story has no such operation. */
static bool fail_at(unsigned story, const struct how *how, uint64_t op)
{
    const struct input *in = &stories[story].in;

    back_to_start();
    sim_power(&world->sim, UINT64_MAX);
    world->sim.fail_op = op;
    world->sim.fail_silently = how->silently;
    world->sim.fail_always = how->always;
    world_before(in);
    int err = world_session(in);
    bool met = world->sim.ops > op;
    bool noticed = world->dev.store.health.fault != 0;
    bool as_without = err == 0 && world_runs(0) == stories[story].runs;
    if (err == 2)
        wrong("%s, operation %llu %s: %s", stories[story].name, (unsigned long long)op, how->name,
              world->broken);
    else if (met && !noticed && !as_without)
        wrong("%s, operation %llu %s: not noticed", stories[story].name, (unsigned long long)op,
              how->name);
    /* The next start is on a flash that still does not work, or works again. */
    world->sim.fail_op = how->always ? 0 : UINT64_MAX;
    sim_power(&world->sim, UINT64_MAX);
    if (world_session(&idle) == 2)
        wrong("%s, operation %llu %s, next start: %s", stories[story].name, (unsigned long long)op,
              how->name, world->broken);
    heal();
    if (live(&newer) != 0 || !world_settled(world->offered, false))
        wrong("%s, operation %llu %s: no update after it: %s", stories[story].name,
              (unsigned long long)op, how->name, world->broken);
    return met;
}

static void failing_operations(void)
{
    for (unsigned h = 0; h < sizeof hows / sizeof *hows; h++) {
        uint64_t tried = 0;
        for (unsigned story = 0; story < STORIES; story++)
            for (uint64_t op = 0; fail_at(story, &hows[h], op); op++)
                tried++;
        printf("  an operation %s: %llu\n", hows[h].name, (unsigned long long)tried);
    }
}

/* ---- Bits that rot --------------------------------------------------------------------------- */

enum part { RECORDS, MODULE, IMAGE, OTHER };

/* What of the device's state a byte belongs to. */
static enum part part_of(uint32_t off)
{
    const struct sm_layout *l = world_layout();
    const struct sm_slot *s = &world->records[0].slot[world->records[0].active];
    struct sm_region slot = sm_store_slot(&world->dev.store, 0, world->records[0].active);

    if (off < l->log[1].off + l->log[1].size)
        return RECORDS;
    if (off >= slot.off + SM_SLOT_MODULE && off < slot.off + SM_SLOT_MODULE + s->module_len)
        return MODULE;
    if (off >= slot.off + s->image_off && off < slot.off + s->image_off + s->image_len)
        return IMAGE;
    return OTHER;
}

static void rot(uint32_t off, enum part part)
{
    back_to_start();
    sim_rot(&world->sim, off, off % 8);
    int err = live(&idle);
    uint32_t want = part == MODULE ? BEFORE : ACTIVE;
    if (err == 2)
        wrong("a bit at %u: %s", (unsigned)off, world->broken);
    else if (world_runs(0) != want)
        wrong("a bit at %u: %u runs", (unsigned)off, (unsigned)world_runs(0));
    if (part == MODULE && !(world->emitted >> SM_EVENT_CORRUPT_SLOT & 1))
        wrong("a bit at %u of the module: not told", (unsigned)off);
    if (part == IMAGE && !(world->emitted >> SM_EVENT_REPAIRED & 1))
        wrong("a bit at %u of the image: not told", (unsigned)off);
    if (live(&newer) != 0 || !world_settled(world->offered, false))
        wrong("a bit at %u: no update after it: %s", (unsigned)off, world->broken);
}

static void rotten_bits(void)
{
    unsigned tried[4] = {0};
    enum part *parts = calloc(world->sim.size, sizeof *parts);

    if (parts == NULL)
        abort();
    back_to_start();
    (void)live(&idle);
    for (uint32_t off = 0; off < world->sim.size; off++)
        parts[off] = part_of(off);
    /* Nothing counts on the others: now and then one. */
    for (uint32_t off = 0; off < world->sim.size; off += parts[off] == OTHER ? 17 : 1) {
        rot(off, parts[off]);
        tried[parts[off]]++;
    }
    free(parts);
    printf(
        "  rotten bytes: %u of records, %u of the module that runs, %u of its image, %u others\n",
        tried[RECORDS], tried[MODULE], tried[IMAGE], tried[OTHER]);
}

/* ---- Wear ------------------------------------------------------------------------------------ */

static uint32_t print_wear(const char *what, struct sm_region r)
{
    const struct flash_sim *sim = &world->sim;
    uint32_t first = r.off / sim->flash.sector_size, n = r.size / sim->flash.sector_size;
    uint32_t least = UINT32_MAX, most = 0;

    for (uint32_t i = first; i < first + n; i++) {
        least = sim->wear[i] < least ? sim->wear[i] : least;
        most = sim->wear[i] > most ? sim->wear[i] : most;
    }
    printf(" %s %u to %u", what, (unsigned)least, (unsigned)most);
    return most - least;
}

static void wear(void)
{
    const struct sm_layout *l = world_layout();
    struct sm_region records = {l->log[0].off, l->log[0].size + l->log[1].size};

    back_to_start();
    memset(world->sim.wear, 0, world->sim.flash.sector_count * sizeof *world->sim.wear);
    for (unsigned i = 0; i < WEAR_UPDATES; i++)
        if (live(&newer) != 0 || !world_settled(world->offered, false))
            wrong("update %u: %s", i, world->broken);
    printf("  %u updates erase each sector", WEAR_UPDATES);
    uint32_t spread = print_wear("of the records", records);
    (void)print_wear("and of the slots", (struct sm_region){l->slots.off, 2 * l->slot_size});
    printf(" times\n");
    if (spread > 2)
        wrong("the erases of the records are not spread");
}

int main(void)
{
    for (unsigned g = 0; g < sizeof geometries / sizeof *geometries; g++) {
        make_start(g);
        printf("sector %u, unit %u, erased %02x\n", (unsigned)geometries[g].sector,
               (unsigned)geometries[g].unit, geometries[g].erased);
        failing_operations();
        rotten_bits();
        wear();
        sim_free(&start);
        sim_free(&world->sim);
        fflush(stdout);
    }
    if (failures)
        printf("%u failures\n", failures);
    return failures != 0;
}
