/* The store on simulated flash: layout, records, power cuts at every point, rot, failing flash.
 *
 * SANDMOTE_TEST_FULL=1 tries every point on every geometry; without it each geometry tries every
 * stride-th, beginning at another residue in every step.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sandmote/store.h>
#include "flash_sim.h"

struct geometry {
    uint32_t sector, sectors, unit;
    uint8_t erased;
    uint16_t log_records;
    unsigned stride; /* of points tried in the short run; prime to 5 and 7, the kinds of points */
};

static const struct geometry geometries[] = {
    {256, 128, 1, 0xff, 1, 197},   {4096, 20, 1, 0x00, 0, 137}, {512, 80, 2, 0xff, 2, 83},
    {1024, 48, 4, 0x00, 3, 47},    {2048, 24, 8, 0xff, 1, 37},  {4096, 20, 8, 0x00, 0, 23},
    {4096, 20, 16, 0xff, 5, 17},   {64, 400, 16, 0x00, 1, 27},  {8192, 16, 32, 0xff, 0, 8},
    {16384, 16, 32, 0x00, 12, 11}, {192, 160, 32, 0xff, 1, 11}, {65536, 14, 16, 0xff, 2, 27},
};
#define GEOMETRIES (sizeof geometries / sizeof *geometries)

static struct sm_store_cfg cfg_of(const struct geometry *g)
{
    return (struct sm_store_cfg){.applications = 1,
                                 .plugins = 1,
                                 .slot_size = 2000,
                                 .plugin_size = 900,
                                 .log_records = g->log_records};
}

static unsigned stride_of(const struct geometry *g)
{
    const char *full = getenv("SANDMOTE_TEST_FULL");

    return full && *full == '1' ? 1 : g->stride;
}

/* ---- A device's life, as the store sees it --------------------------------------------------- */

enum { MODULES = 2, STEPS = 14, OPEN = 64 };

struct life {
    struct flash_sim sim;
    struct sm_store_cfg cfg;
    struct sm_store store;
    struct sm_record records[MODULES];
    struct sm_record kept[MODULES]; /* as of the last successful put, or as seen since */
    unsigned open[MODULES][OPEN];   /* steps whose put did not end, since any put did */
    unsigned nopen[MODULES];
};

static void life_init(struct life *life, const struct geometry *g)
{
    memset(life, 0, sizeof *life);
    sim_init(&life->sim, g->sector, g->sectors, g->unit, g->erased);
    life->cfg = cfg_of(g);
    for (unsigned i = 0; i < MODULES; i++)
        life->kept[i].active = SM_STORE_NO_SLOT;
}

static int boot(struct life *life)
{
    memset(&life->store, 0xa5, sizeof life->store);
    memset(life->records, 0xa5, sizeof life->records);
    return sm_store_mount(&life->store, &life->sim.flash, &life->cfg, life->records);
}

/* Equal in all that a caller writes. */
static bool same(const struct sm_record *a, const struct sm_record *b)
{
    struct sm_record x = *a, y = *b;

    x.seq = y.seq = 0;
    x.copies = y.copies = 0;
    return memcmp(&x, &y, sizeof x) == 0;
}

static void fill(struct sm_record *r, unsigned step)
{
    memset(r, 0, sizeof *r);
    r->active = SM_STORE_NO_SLOT;
    r->floor = step;
    r->time_s = 10 * step;
    snprintf(r->fleet, sizeof r->fleet, "plant-7");
    snprintf(r->name, sizeof r->name, "thermostat");
    for (unsigned i = 0; i < 2; i++) {
        struct sm_slot *s = &r->slot[i];
        s->state = i == (step & 1) ? SM_SLOT_COMMITTED : SM_SLOT_FAILED;
        s->sequence = 1000 + step;
        s->module_len = 700;
        s->error = -(int)(step % 19);
        memset(s->module_sha, (int)(step * 7 + i), 32);
        snprintf(s->version, sizeof s->version, "1.%u.0", step);
        snprintf(s->detail, sizeof s->detail, "step %u of slot %u", step, i);
    }
    r->active = step & 1;
}

/* One step: now and then bytes in a slot, then a record that speaks of them. */
static int step(struct life *life, unsigned i)
{
    int index = (int)(i % MODULES);
    uint8_t bytes[700];

    if (i % 4 == 2) {
        struct sm_slot_writer w;
        memset(bytes, (int)i, sizeof bytes);
        sm_slot_writer_init(&w, &life->store, (uint16_t)index, i & 1, 0, true);
        int err = sm_slot_write(&w, bytes, sizeof bytes);
        if (!err)
            err = sm_slot_flush(&w);
        if (err)
            return err;
    }
    struct sm_record r;
    fill(&r, i);
    assert_true(life->nopen[index] < OPEN);
    life->open[index][life->nopen[index]++] = i;
    int err = sm_store_put(&life->store, (uint16_t)index, &r);
    if (!err) {
        life->kept[index] = r;
        memset(life->nopen, 0, sizeof life->nopen);
    }
    return err;
}

static bool is_open(const struct life *life, unsigned module, const struct sm_record *r)
{
    struct sm_record tried;

    for (unsigned i = 0; i < life->nopen[module]; i++) {
        fill(&tried, life->open[module][i]);
        if (same(r, &tried))
            return true;
    }
    return false;
}

/* Every module's record is the last one kept, or one whose put was cut off after that; what has
 * been seen once stays. */
static void check(struct life *life)
{
    for (unsigned i = 0; i < MODULES; i++) {
        if (same(&life->records[i], &life->kept[i]))
            continue;
        assert_true(is_open(life, i, &life->records[i]));
        life->kept[i] = life->records[i];
        life->nopen[i] = 0;
    }
}

/* ---- Layout and codec ------------------------------------------------------------------------ */

static void regions_are_whole_sectors_that_do_not_overlap(void **state)
{
    (void)state;
    for (unsigned g = 0; g < GEOMETRIES; g++) {
        struct flash_sim sim;
        struct sm_layout l;
        struct sm_store_cfg cfg = cfg_of(&geometries[g]);
        uint64_t need;
        cfg.golden_size = 500;
        cfg.keys_size = 300;
        sim_init(&sim, geometries[g].sector, geometries[g].sectors, geometries[g].unit, 0xff);
        assert_int_equal(sm_store_layout(&l, &sim.flash, &cfg, &need), 0);
        const struct sm_region in_order[] = {l.log[0], l.log[1], l.keys[0], l.keys[1],
                                             l.golden, l.slots,  l.plugins};
        uint32_t at = 0;
        for (unsigned i = 0; i < 7; i++) {
            assert_int_equal(in_order[i].off, at);
            assert_int_equal(in_order[i].size % sim.flash.sector_size, 0);
            assert_true(in_order[i].size > 0);
            at += in_order[i].size;
        }
        assert_int_equal(need, at);
        assert_true(at <= sim.size);
        assert_true(l.places * SM_RECORD_SIZE <= l.log[0].size);
        sim_free(&sim);
    }
}

static void a_flash_that_is_too_small_is_told_what_it_lacks(void **state)
{
    struct flash_sim sim;
    struct sm_layout l;
    uint64_t need;
    struct sm_store_cfg cfg = {.applications = 3, .slot_size = 0x40000000};

    (void)state;
    sim_init(&sim, 4096, 16, 8, 0xff);
    assert_int_equal(sm_store_layout(&l, &sim.flash, &cfg, &need), SM_ERR_FULL);
    assert_true(need > 6ull * 0x40000000);
    cfg.applications = 0;
    assert_int_equal(sm_store_layout(&l, &sim.flash, &cfg, NULL), SM_ERR_ARG);
    cfg.applications = 1;
    sim.flash.program_size = 3;
    assert_int_equal(sm_store_layout(&l, &sim.flash, &cfg, NULL), SM_ERR_ARG);
    sim_free(&sim);
}

static void crc32c_has_its_published_check_value(void **state)
{
    (void)state;
    /* "123456789" -> e3069283: RFC 3720 (iSCSI), appendix B.4 uses the same polynomial. */
    assert_int_equal(sm_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(sm_crc32c(sm_crc32c(0, "12345", 5), "6789", 4), 0xe3069283);
}

static void a_record_comes_back_as_it_was_and_any_flipped_bit_is_noticed(void **state)
{
    struct sm_record in, out;
    struct sm_record_tag tag = {0x12345678, 9, 2, 1}, got;
    uint8_t bytes[SM_RECORD_SIZE];

    (void)state;
    fill(&in, 5);
    in.seq = 77;
    sm_record_encode(&in, &tag, bytes);
    assert_int_equal(sm_record_decode(bytes, &out, &got), 0);
    assert_memory_equal(&in, &out, sizeof in);
    assert_memory_equal(&tag, &got, sizeof tag);
    for (uint32_t bit = 0; bit < 8 * SM_RECORD_SIZE; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(sm_record_decode(bytes, &out, &got), SM_ERR_CORRUPT);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void seal(uint8_t bytes[SM_RECORD_SIZE])
{
    uint32_t crc = sm_crc32c(0, bytes, SM_RECORD_SIZE - 4);

    for (unsigned i = 0; i < 4; i++)
        bytes[SM_RECORD_SIZE - 4 + i] = (uint8_t)(crc >> 8 * i);
}

static void a_record_with_a_right_checksum_and_a_wrong_field_is_malformed(void **state)
{
    static const struct {
        uint32_t at;
        uint8_t value;
        int err;
    } cases[] = {
        {4, 2, SM_ERR_UNSUPPORTED},        /* format */
        {5, 1, SM_ERR_MALFORMED},          /* reserved */
        {14, 1, SM_ERR_MALFORMED},         /* number too high */
        {32, 2, SM_ERR_MALFORMED},         /* active slot */
        {32, 0, SM_ERR_MALFORMED},         /* a failed slot cannot be active */
        {34, 4, SM_ERR_MALFORMED},         /* trap count */
        {96, 0x1f, SM_ERR_MALFORMED},      /* a control character in the fleet */
        {128 + 11, 'x', SM_ERR_MALFORMED}, /* text after the end of the name */
        {160, 6, SM_ERR_MALFORMED},        /* slot state */
        {160 + 6, 1, SM_ERR_MALFORMED},    /* an unknown event */
        {160 + 38, 1, SM_ERR_MALFORMED},   /* received more than there is */
        {160 + 63, 0, SM_ERR_MALFORMED},   /* a positive error */
        {695, 1, SM_ERR_MALFORMED},        /* reserved */
    };
    struct sm_record in, out;
    struct sm_record_tag tag = {1, 1, 0, 0}, got;
    uint8_t bytes[SM_RECORD_SIZE];

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        fill(&in, 5);
        in.seq = 1;
        sm_record_encode(&in, &tag, bytes);
        bytes[cases[i].at] = cases[i].value;
        seal(bytes);
        assert_int_equal(sm_record_decode(bytes, &out, &got), cases[i].err);
    }
}

/* ---- Put and mount --------------------------------------------------------------------------- */

static void the_last_put_is_found_again_and_both_areas_wear_alike(void **state)
{
    (void)state;
    for (unsigned g = 0; g < GEOMETRIES; g++) {
        struct life life;
        life_init(&life, &geometries[g]);
        assert_int_equal(boot(&life), 0);
        check(&life);
        for (unsigned i = 0; i < 200; i++) {
            if (i % 7 == 0) {
                assert_int_equal(boot(&life), 0);
                assert_int_equal(life.store.health.damaged, 0);
                assert_int_equal(life.store.health.repaired, 0);
                check(&life);
            }
            assert_int_equal(step(&life, i), 0);
        }
        uint32_t first = life.sim.wear[0];
        uint32_t second = life.sim.wear[life.store.layout.log[1].off / geometries[g].sector];
        assert_true(first <= second + 1 && second <= first + 1);
        assert_true(first > 0 && first < 110);
        assert_int_equal(sm_store_record_erases(&life.store), first > second ? first : second);
        sim_free(&life.sim);
    }
}

static void a_session_that_writes_nothing_erases_and_programs_nothing(void **state)
{
    struct life life;

    (void)state;
    life_init(&life, &geometries[6]);
    assert_int_equal(boot(&life), 0);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(step(&life, i), 0);
    for (unsigned i = 0; i < 3; i++) {
        sim_power(&life.sim, UINT64_MAX);
        assert_int_equal(boot(&life), 0);
        assert_int_equal(life.sim.ops, 0);
    }
    sim_free(&life.sim);
}

static void a_flash_of_another_layout_or_a_newer_format_is_left_alone(void **state)
{
    struct life life;
    uint8_t *bytes;

    (void)state;
    life_init(&life, &geometries[5]);
    assert_int_equal(boot(&life), 0);
    assert_int_equal(step(&life, 0), 0);
    sim_power(&life.sim, UINT64_MAX);
    life.cfg.golden_size = 1;
    assert_int_equal(boot(&life), SM_ERR_INVALID);
    life.cfg.golden_size = 0;
    bytes = life.sim.bytes;
    bytes[4] = 2;
    seal(bytes);
    assert_int_equal(boot(&life), SM_ERR_UNSUPPORTED);
    assert_int_equal(life.sim.ops, 0);
    sim_free(&life.sim);
}

/* ---- Power cuts ------------------------------------------------------------------------------ */

/* Boot with the power failing at point `cut` of the boot itself, if it lasts that long. */
static void cut_boot(struct life *life, uint64_t cut)
{
    sim_power(&life->sim, cut);
    if (setjmp(life->sim.power) == 0)
        assert_int_equal(boot(life), 0);
    sim_power(&life->sim, UINT64_MAX);
}

/* After a cut: boots, some of them cut too, end in a state that was promised, and stay there. */
static void recover(struct life *life)
{
    for (unsigned i = 0; i < 2; i++)
        cut_boot(life, sim_random(&life->sim) % 4000);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(boot(life), 0);
        check(life);
    }
}

/* Do a step with the power failing at `cut`; whether it did. */
static bool step_is_cut(struct life *life, unsigned i, uint64_t cut)
{
    sim_power(&life->sim, cut);
    if (setjmp(life->sim.power) != 0)
        return true;
    assert_int_equal(step(life, i), 0);
    return false;
}

/* Put *life back to *start; what tears now depends on seed alone. */
static void restore(struct life *life, const struct life *start, uint32_t seed)
{
    struct flash_sim sim = life->sim;

    *life = *start;
    life->sim = sim;
    sim_copy(&life->sim, &start->sim);
    life->sim.rng = seed | 1;
    life->store.flash = &life->sim.flash;
    life->store.records = life->records;
}

/* From the state in *start, do step i once with every cut. Returns how many. */
static uint64_t cut_step(const struct life *start, struct life *life, unsigned i, unsigned stride)
{
    uint64_t tried = 0;

    for (uint64_t cut = i % stride;; cut += stride, tried++) {
        restore(life, start, (uint32_t)(cut * 2654435761u));
        if (!step_is_cut(life, i, cut))
            return tried;
        sim_power(&life->sim, UINT64_MAX);
        recover(life);
        assert_int_equal(step(life, i), 0);
        assert_int_equal(boot(life), 0);
        check(life);
    }
}

static void a_cut_at_any_point_loses_no_record(void **state)
{
    uint64_t all = 0;

    (void)state;
    for (unsigned g = 0; g < GEOMETRIES; g++) {
        struct life start, life;
        uint64_t tried = 0;
        life_init(&start, &geometries[g]);
        life_init(&life, &geometries[g]);
        assert_int_equal(boot(&start), 0);
        for (unsigned i = 0; i < STEPS; i++) {
            if (i % 5 == 4)
                assert_int_equal(boot(&start), 0);
            tried += cut_step(&start, &life, i, stride_of(&geometries[g]));
            assert_int_equal(step(&start, i), 0);
        }
        printf("  sector %5u, unit %2u, erased %02x: %llu power cuts\n", geometries[g].sector,
               geometries[g].unit, geometries[g].erased, (unsigned long long)tried);
        all += tried;
        sim_free(&start.sim);
        sim_free(&life.sim);
    }
    printf("  %llu power cuts in all, each followed by up to two more\n", (unsigned long long)all);
}

/* Boot and do six steps with the power failing at `cut`; whether it did. */
static bool session_is_cut(struct life *life, unsigned first, uint64_t cut)
{
    sim_power(&life->sim, cut);
    if (setjmp(life->sim.power) != 0)
        return true;
    assert_int_equal(boot(life), 0);
    check(life);
    for (unsigned n = 0; n < 6; n++)
        assert_int_equal(step(life, first + n), 0);
    return false;
}

static bool boot_and_step_is_cut(struct life *life, unsigned i, uint64_t cut)
{
    sim_power(&life->sim, cut);
    if (setjmp(life->sim.power) != 0)
        return true;
    assert_int_equal(boot(life), 0);
    check(life);
    assert_int_equal(step(life, i), 0);
    return false;
}

/* After the cut that led to *once, another one at every stride-th point of the next boot and put.
 */
static uint64_t second_cuts(const struct life *once, struct life *life, unsigned i, uint64_t first,
                            unsigned stride)
{
    uint64_t tried = 0;
    bool cut = true;

    for (uint64_t second = first % stride; cut; second += stride, tried++) {
        restore(life, once, (uint32_t)((first << 16 ^ second) * 2654435761u));
        cut = boot_and_step_is_cut(life, i, second);
        sim_power(&life->sim, UINT64_MAX);
        for (unsigned n = 0; n < 2; n++) {
            assert_int_equal(boot(life), 0);
            check(life);
        }
    }
    return tried;
}

/* After one cut at any point of a put, another at any point of the next boot and put. The short run
 * looks closer at first cuts that leave bits unstable: they are what a second one can go wrong on.
 */
static void two_cuts_at_any_two_points_lose_no_record(void **state)
{
    const struct geometry *g = &geometries[10];
    struct life start, once, life;
    uint64_t tried = 0;
    bool all = stride_of(g) == 1;

    (void)state;
    life_init(&start, g);
    life_init(&once, g);
    life_init(&life, g);
    assert_int_equal(boot(&start), 0);
    for (unsigned i = 0; i < 6; i++) {
        if (i % 3 == 1) /* every other put finds its area fresh */
            assert_int_equal(boot(&start), 0);
        for (uint64_t first = 0;; first++) {
            restore(&once, &start, (uint32_t)(first * 2654435761u));
            if (!step_is_cut(&once, i, first))
                break;
            if (all || first % stride_of(g) == 0)
                tried += second_cuts(&once, &life, i + 1, first, all ? 1 : 97);
            else if (once.sim.any_unstable && first % 3 == 0)
                tried += second_cuts(&once, &life, i + 1, first, 31);
        }
        assert_int_equal(step(&start, i), 0);
    }
    printf("  %llu pairs of power cuts\n", (unsigned long long)tried);
    sim_free(&start.sim);
    sim_free(&once.sim);
    sim_free(&life.sim);
}

static void many_random_cuts_in_a_row_lose_no_record(void **state)
{
    uint64_t cuts = 0;

    (void)state;
    for (unsigned g = 0; g < GEOMETRIES; g++) {
        struct life life;
        uint32_t span = 15 * SM_RECORD_SIZE / geometries[g].unit * SIM_UNIT_POINTS;
        life_init(&life, &geometries[g]);
        life.sim.rng = 0xc0ffee + g;
        for (unsigned i = 0; i < 400; i++)
            cuts += session_is_cut(&life, i, sim_random(&life.sim) % span);
        sim_power(&life.sim, UINT64_MAX);
        assert_int_equal(boot(&life), 0);
        check(&life);
        sim_free(&life.sim);
    }
    printf("  %llu power cuts\n", (unsigned long long)cuts);
}

/* ---- Bad flash ------------------------------------------------------------------------------- */

static void a_bit_that_rots_in_any_byte_of_the_records_changes_nothing(void **state)
{
    uint64_t tried = 0, repaired = 0;

    (void)state;
    for (unsigned g = 0; g < GEOMETRIES; g += 3) {
        struct life start, life;
        life_init(&start, &geometries[g]);
        life_init(&life, &geometries[g]);
        assert_int_equal(boot(&start), 0);
        for (unsigned i = 0; i < 5; i++)
            assert_int_equal(step(&start, i), 0);
        const struct sm_region *log = start.store.layout.log;
        for (uint32_t off = log[0].off; off < log[1].off + log[1].size;
             off += stride_of(&geometries[g])) {
            struct flash_sim sim = life.sim;
            life = start;
            life.sim = sim;
            sim_copy(&life.sim, &start.sim);
            sim_rot(&life.sim, off, off % 8);
            assert_int_equal(boot(&life), 0);
            check(&life);
            repaired += life.store.health.repaired;
            assert_int_equal(boot(&life), 0);
            assert_int_equal(life.store.health.repaired, 0);
            tried++;
        }
        sim_free(&start.sim);
        sim_free(&life.sim);
    }
    assert_true(repaired > 0);
    printf("  %llu rotten bytes, %llu repairs\n", (unsigned long long)tried,
           (unsigned long long)repaired);
}

/* Operation `op` of a life fails; the put says so or has worked; nothing kept is lost. */
static bool fail_at(const struct geometry *g, uint64_t op, bool silently, bool always)
{
    struct life life;
    bool reached;

    life_init(&life, g);
    life.sim.fail_op = op;
    life.sim.fail_silently = silently;
    life.sim.fail_always = always;
    assert_int_equal(boot(&life), 0);
    for (unsigned i = 0; i < STEPS; i++) {
        int err = step(&life, i);
        assert_true(err == 0 || err == SM_ERR_IO);
        assert_true(err == 0 || life.store.health.fault == SM_ERR_IO);
        if (!always && err)
            assert_true(i % 4 == 2); /* only the slot's writer gives up at once */
        if (err && life.nopen[i % MODULES] > 0) {
            sim_power(&life.sim, UINT64_MAX);
            life.sim.fail_op = always ? 0 : UINT64_MAX;
            assert_int_equal(boot(&life), 0);
            check(&life);
        }
    }
    reached = life.sim.ops > op || always;
    life.sim.fail_op = UINT64_MAX;
    life.sim.fail_always = false;
    assert_int_equal(boot(&life), 0);
    check(&life);
    assert_int_equal(step(&life, 0), 0);
    sim_free(&life.sim);
    return reached;
}

static void a_program_or_erase_that_fails_is_noticed_and_loses_nothing(void **state)
{
    unsigned tried = 0;

    (void)state;
    for (unsigned g = 0; g < GEOMETRIES; g++)
        for (unsigned how = 0; how < 4; how++)
            for (uint64_t op = 0; op < 150; op++, tried++)
                if (!fail_at(&geometries[g], op, how & 1, how & 2))
                    break;
    printf("  %u failures\n", tried);
}

/* ---- Slots ----------------------------------------------------------------------------------- */

static void a_slot_holds_what_was_written_in_any_pieces(void **state)
{
    uint8_t bytes[1900];

    (void)state;
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 31 + i / 256);
    for (unsigned g = 0; g < GEOMETRIES; g++) {
        struct life life;
        life_init(&life, &geometries[g]);
        assert_int_equal(boot(&life), 0);
        for (unsigned piece = 1; piece < 300; piece = piece * 3 + 1) {
            struct sm_slot_writer w;
            sm_slot_writer_init(&w, &life.store, 0, 1, 0, true);
            for (uint32_t at = 0; at < sizeof bytes; at += piece) {
                uint32_t n = sizeof bytes - at < piece ? (uint32_t)sizeof bytes - at : piece;
                assert_int_equal(sm_slot_write(&w, bytes + at, n), 0);
            }
            assert_int_equal(sm_slot_flush(&w), 0);
            assert_memory_equal(sm_store_map(&life.store, 0, 1, 0, sizeof bytes), bytes,
                                sizeof bytes);
        }
        sim_free(&life.sim);
    }
}

static void a_slot_whose_flash_ignores_a_program_or_erase_is_not_taken_for_written(void **state)
{
    uint8_t bytes[600];
    unsigned tried = 0;

    (void)state;
    for (unsigned g = 0; g < GEOMETRIES; g++) {
        struct life life;
        int err = SM_ERR_IO;
        life_init(&life, &geometries[g]);
        assert_int_equal(boot(&life), 0);
        for (uint64_t op = 0; err != 0; op++, tried++) {
            struct sm_slot_writer w;
            memset(bytes, (int)(0x11 + op % 7), sizeof bytes);
            sim_power(&life.sim, UINT64_MAX);
            life.sim.fail_op = op;
            life.sim.fail_silently = true;
            sm_slot_writer_init(&w, &life.store, 0, 0, 0, true);
            err = sm_slot_write(&w, bytes, sizeof bytes);
            if (!err)
                err = sm_slot_flush(&w);
            if (op == 0) /* a blank sector that is not erased is as good */
                err = SM_ERR_IO;
            assert_true(err == 0 ? life.sim.ops <= op : err == SM_ERR_IO);
        }
        sim_free(&life.sim);
    }
    printf("  %u failures\n", tried);
}

static void a_slot_is_not_written_past_its_end_nor_beside_it(void **state)
{
    (void)state;
    for (unsigned g = 0; g < GEOMETRIES; g++) {
        struct life life;
        static const uint8_t byte[2 * 65536];
        struct sm_slot_writer w;
        life_init(&life, &geometries[g]);
        assert_int_equal(boot(&life), 0);
        struct sm_region r = sm_store_slot(&life.store, 0, 0);
        uint8_t *before = malloc(life.sim.size);
        memcpy(before, life.sim.bytes, life.sim.size);
        sm_slot_writer_init(&w, &life.store, 0, 0, 32, true);
        assert_int_equal(sm_slot_write(&w, byte, r.size - 32 + 1), SM_ERR_FULL);
        assert_int_equal(sm_slot_write(&w, byte, r.size - 32), 0);
        assert_int_equal(sm_slot_write(&w, byte, 1), SM_ERR_FULL);
        assert_int_equal(sm_slot_flush(&w), 0);
        assert_memory_equal(before, life.sim.bytes, r.off);
        assert_memory_equal(before + r.off + r.size, life.sim.bytes + r.off + r.size,
                            life.sim.size - r.off - r.size);
        assert_null(sm_store_map(&life.store, 0, 0, 1, r.size));
        free(before);
        sim_free(&life.sim);
    }
}

static void an_image_begins_in_a_sector_of_its_own(void **state)
{
    struct life life;

    (void)state;
    life_init(&life, &geometries[0]);
    assert_int_equal(boot(&life), 0);
    assert_int_equal(sm_store_image_off(&life.store, 192), 256);
    assert_int_equal(sm_store_image_off(&life.store, 193), 512);
    assert_int_equal(sm_store_checkpoint(&life.store, 191), 0);
    assert_int_equal(sm_store_checkpoint(&life.store, 192), 192);
    assert_int_equal(sm_store_checkpoint(&life.store, 500), 448);
    sim_free(&life.sim);
}

/* ---- The simulated flash itself -------------------------------------------------------------- */

static void cut_the_erase_that_weakens_a_bit(struct flash_sim *sim)
{
    sim_power(sim, SIM_ERASE_POINTS - 2);
    if (setjmp(sim->power) == 0)
        (void)sim->flash.erase(sim->flash.ctx, 0);
}

/* Else what becomes of an equal flash would hang on luck: doc/fault.md compares that. */
static void a_cut_that_weakens_a_bit_takes_another_one_each_time(void **state)
{
    struct flash_sim sim;

    (void)state;
    for (uint32_t seed = 1; seed <= 32; seed++) {
        sim_init(&sim, 64, 1, 32, 0xff);
        sim.rng = seed;
        sim.bytes[0] = 0xfc; /* two bits programmed */
        cut_the_erase_that_weakens_a_bit(&sim);
        assert_int_equal(__builtin_popcount(sim.unstable[0]), 1);
        cut_the_erase_that_weakens_a_bit(&sim);
        assert_int_equal(__builtin_popcount(sim.unstable[0]), 2);
        sim_free(&sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(regions_are_whole_sectors_that_do_not_overlap),
        cmocka_unit_test(a_flash_that_is_too_small_is_told_what_it_lacks),
        cmocka_unit_test(crc32c_has_its_published_check_value),
        cmocka_unit_test(a_record_comes_back_as_it_was_and_any_flipped_bit_is_noticed),
        cmocka_unit_test(a_record_with_a_right_checksum_and_a_wrong_field_is_malformed),
        cmocka_unit_test(the_last_put_is_found_again_and_both_areas_wear_alike),
        cmocka_unit_test(a_session_that_writes_nothing_erases_and_programs_nothing),
        cmocka_unit_test(a_flash_of_another_layout_or_a_newer_format_is_left_alone),
        cmocka_unit_test(a_cut_at_any_point_loses_no_record),
        cmocka_unit_test(two_cuts_at_any_two_points_lose_no_record),
        cmocka_unit_test(many_random_cuts_in_a_row_lose_no_record),
        cmocka_unit_test(a_bit_that_rots_in_any_byte_of_the_records_changes_nothing),
        cmocka_unit_test(a_program_or_erase_that_fails_is_noticed_and_loses_nothing),
        cmocka_unit_test(a_slot_holds_what_was_written_in_any_pieces),
        cmocka_unit_test(a_slot_whose_flash_ignores_a_program_or_erase_is_not_taken_for_written),
        cmocka_unit_test(a_slot_is_not_written_past_its_end_nor_beside_it),
        cmocka_unit_test(an_image_begins_in_a_sector_of_its_own),
        cmocka_unit_test(a_cut_that_weakens_a_bit_takes_another_one_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
