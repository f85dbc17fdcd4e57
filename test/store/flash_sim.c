/* The flash of the tests (flash_sim.h says what it does).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sandmote/error.h>
#include "flash_sim.h"

static void wrong(const char *what, uint32_t off)
{
    fprintf(stderr, "flash_sim: %s at %u\n", what, (unsigned)off);
    abort();
}

uint32_t sim_random(struct flash_sim *sim)
{
    sim->rng ^= sim->rng << 13;
    sim->rng ^= sim->rng >> 17;
    sim->rng ^= sim->rng << 5;
    return sim->rng;
}

/* What the unstable bits of this read are: 0 old, 1 erased, 2 random. */
static unsigned choose(struct flash_sim *sim)
{
    unsigned odd = sim->met++ & 1;

    switch (sim->luck) {
    case SIM_LUCK_OLD: return 0;
    case SIM_LUCK_ERASED: return 1;
    case SIM_LUCK_OLD_FIRST: return odd;
    case SIM_LUCK_ERASED_FIRST: return !odd;
    case SIM_LUCK_EITHER: return sim_random(sim) >> 7 & 1;
    default: return 2;
    }
}

/* The first unstable byte from `off` on, or `end`. */
static uint32_t next_unstable(const struct flash_sim *sim, uint32_t off, uint32_t end)
{
    uint64_t word;

    while (off < end && sim->unstable[off] == 0) {
        off++;
        for (; off % 8 == 0 && off + 8 <= end; off += 8) {
            memcpy(&word, sim->unstable + off, sizeof word);
            if (word != 0)
                break;
        }
    }
    return off < end ? off : end;
}

static void settle(struct flash_sim *sim, uint32_t off, uint32_t len)
{
    const uint32_t end = off + len;
    unsigned choice = 3;

    if (!sim->any_unstable)
        return;
    for (uint32_t i = next_unstable(sim, off, end); i < end; i = next_unstable(sim, i + 1, end)) {
        uint8_t mask = sim->unstable[i];
        if (choice == 3)
            choice = choose(sim);
        uint8_t value = choice == 0   ? sim->old[i]
                        : choice == 1 ? sim->flash.erased
                                      : (uint8_t)sim_random(sim);
        sim->bytes[i] = (uint8_t)((sim->bytes[i] & ~mask) | (value & mask));
    }
}

static void inside(struct flash_sim *sim, uint32_t off, uint32_t len)
{
    if (off > sim->size || len > sim->size - off)
        wrong("access outside", off);
}

static int sim_read(void *ctx, uint32_t off, void *buf, uint32_t len)
{
    struct flash_sim *sim = ctx;

    inside(sim, off, len);
    settle(sim, off, len);
    memcpy(buf, sim->bytes + off, len);
    return 0;
}

static const uint8_t *sim_map(void *ctx, uint32_t off, uint32_t len)
{
    struct flash_sim *sim = ctx;

    inside(sim, off, len);
    settle(sim, off, len);
    return sim->bytes + off;
}

/* 1: this operation fails, 2: it does nothing and says nothing. */
static int fails(struct flash_sim *sim)
{
    uint64_t op = sim->ops++;

    if (op != sim->fail_op && !(sim->fail_always && op > sim->fail_op))
        return 0;
    return sim->fail_silently ? 2 : 1;
}

/* A byte with its unstable bits as they were. */
static uint8_t old_value(const struct flash_sim *sim, uint32_t off)
{
    uint8_t mask = sim->unstable[off];

    return (uint8_t)((sim->bytes[off] & ~mask) | (sim->old[off] & mask));
}

static void make_unstable(struct flash_sim *sim, uint32_t off, uint8_t mask)
{
    sim->old[off] = old_value(sim, off);
    sim->unstable[off] |= mask;
    sim->any_unstable = true;
}

/* Bits of a unit that a torn program reached: random ones of those that change, but not all. */
static void program_random(struct flash_sim *sim, uint32_t off, const uint8_t *p, uint32_t len)
{
    uint8_t *last = NULL;
    uint8_t was = 0;
    bool whole = true;

    for (uint32_t i = 0; i < len; i++) {
        uint8_t *byte = &sim->bytes[off + i];
        if (*byte == p[i])
            continue;
        last = byte;
        was = *byte;
        *byte ^= (*byte ^ p[i]) & (uint8_t)sim_random(sim);
        whole = whole && *byte == p[i];
    }
    if (last && whole)
        *last = was;
}

/* Bits of a byte that are programmed and keep their value. */
static uint8_t firm_bits(const struct flash_sim *sim, uint32_t off)
{
    return (uint8_t)((sim->bytes[off] ^ sim->flash.erased) & ~sim->unstable[off]);
}

/* The first byte from `off` on that has such bits, or `end`. */
static uint32_t next_firm(const struct flash_sim *sim, uint32_t off, uint32_t end)
{
    const uint64_t blank = sim->flash.erased * 0x0101010101010101u;
    uint64_t word;

    while (off < end && firm_bits(sim, off) == 0) {
        off++;
        for (; off % 8 == 0 && off + 8 <= end; off += 8) {
            memcpy(&word, sim->bytes + off, sizeof word);
            if (word != blank)
                break;
        }
    }
    return off;
}

/* One bit more, of those that change if there are any, keeps changing its mind: of all torn states
 * the one that is most like a whole. */
static void weaken_one_bit(struct flash_sim *sim, uint32_t off, uint32_t len)
{
    uint32_t from = off + sim_random(sim) % len, bit = sim_random(sim) % 8, end = off + len;
    uint32_t at = next_firm(sim, from, end);

    if (at == end)
        at = next_firm(sim, off, from);
    if (firm_bits(sim, at) == 0)
        return; /* nothing in it to become weak */
    for (uint32_t i = 0; i < 8 && !(firm_bits(sim, at) >> bit & 1); i++)
        bit = (bit + 1) % 8;
    make_unstable(sim, at, (uint8_t)(1u << bit));
}

static void erase_range(struct flash_sim *sim, uint32_t off, uint32_t len)
{
    memset(sim->bytes + off, sim->flash.erased, len);
    memset(sim->unstable + off, 0, len);
}

static void erase_unstable(struct flash_sim *sim, uint32_t off, uint32_t len)
{
    for (uint32_t i = off; i < off + len; i++)
        sim->old[i] = old_value(sim, i);
    memset(sim->unstable + off, 0xff, len);
    sim->any_unstable = true;
}

/* Four bytes at a time: sectors are multiples of them. */
static void erase_random(struct flash_sim *sim, uint32_t off, uint32_t len)
{
    const uint32_t erased = sim->flash.erased * 0x01010101u;
    uint32_t word, weak, old;

    for (uint32_t i = off; i < off + len; i += 4) {
        memcpy(&word, sim->bytes + i, sizeof word);
        memcpy(&weak, sim->unstable + i, sizeof weak);
        memcpy(&old, sim->old + i, sizeof old);
        word = (word & ~weak) | (old & weak);
        word ^= (word ^ erased) & sim_random(sim);
        memcpy(sim->bytes + i, &word, sizeof word);
    }
    memset(sim->unstable + off, 0, len);
}

/* An operation on [off, off + len) that power leaves at this point: a program of p, or an erase
 * when p is NULL. The last point is the operation done. */
static void tear(struct flash_sim *sim, uint32_t off, uint32_t len, const uint8_t *p,
                 unsigned point)
{
    uint32_t unit = sim->flash.program_size;

    if (point == 0)
        return;
    memset(sim->programmed + off / unit, p || point < SIM_ERASE_POINTS - 1, len / unit);
    if (p) {
        if (point == 2)
            program_random(sim, off, p, len);
        else
            memcpy(sim->bytes + off, p, point == 1 ? len / 2 : len);
        if (point == 3)
            weaken_one_bit(sim, off, len);
        return;
    }
    switch (point) {
    case 1: erase_range(sim, off, len / 2); break;
    case 2: erase_range(sim, off + len / 2, len / 2); break;
    case 3: erase_random(sim, off, len); break;
    case 4: erase_unstable(sim, off, len); break;
    case 5: weaken_one_bit(sim, off, len); break;
    default: erase_range(sim, off, len);
    }
}

/* Copies what an operation on [off, off + len) may change to `undo`, or back. */
static void keep(struct flash_sim *sim, uint32_t off, uint32_t len, bool back)
{
    uint32_t unit = sim->flash.program_size;
    uint8_t *const parts[] = {sim->bytes + off, sim->unstable + off, sim->old + off,
                              sim->programmed + off / unit};
    uint8_t *at = sim->undo;

    for (unsigned i = 0; i < 4; i++) {
        uint32_t n = i < 3 ? len : len / unit;
        memcpy(back ? parts[i] : at, back ? at : parts[i], n);
        at += n;
    }
}

/* The flash as a cut at this point leaves it, shown to the probe. What is random about it hangs on
 * the point's number and what was read before, so that a cut at the same point makes it again. */
static void show(struct flash_sim *sim, uint32_t off, uint32_t len, const uint8_t *p,
                 unsigned point)
{
    bool any_unstable = sim->any_unstable;

    sim->by_chance = p ? point == 2 || point == 3 : point == 3 || point == 5;
    keep(sim, off, len, false);
    tear(sim, off, len, p, point);
    sim->probe(sim->probe_ctx, off, len);
    sim->by_chance = false;
    keep(sim, off, len, true);
    sim->any_unstable = any_unstable;
}

/* All points of an operation, and then the operation. */
static void operate(struct flash_sim *sim, uint32_t off, uint32_t len, const uint8_t *p)
{
    unsigned points = p ? SIM_UNIT_POINTS : SIM_ERASE_POINTS;
    uint32_t rng = sim->rng;

    if (sim->probe && sim->passes && sim->passes(sim->probe_ctx, off, len, p == NULL)) {
        sim->points += points;
        tear(sim, off, len, p, points - 1);
        return;
    }
    for (unsigned point = 0; point < points; point++) {
        sim->rng = (rng ^ (uint32_t)(sim->points * 2654435761u)) | 1;
        if (sim->probe)
            show(sim, off, len, p, point);
        else if (sim->points == sim->cut_at) {
            tear(sim, off, len, p, point);
            longjmp(sim->power, 1);
        }
        sim->points++;
    }
    sim->rng = rng;
    tear(sim, off, len, p, points - 1);
}

static void program_unit(struct flash_sim *sim, uint32_t off, const uint8_t *p)
{
    if (sim->programmed[off / sim->flash.program_size])
        wrong("a unit is programmed twice", off);
    operate(sim, off, sim->flash.program_size, p);
}

static int sim_program(void *ctx, uint32_t off, const void *buf, uint32_t len)
{
    struct flash_sim *sim = ctx;
    uint32_t unit = sim->flash.program_size;
    int fail = fails(sim);

    inside(sim, off, len);
    if (off % unit || len % unit)
        wrong("an unaligned program", off);
    if (fail == 2)
        return 0;
    for (uint32_t i = 0; i < len; i += unit) {
        if (fail && i >= len / 2) {
            sim->programmed[(off + i) / unit] = 1;
            program_random(sim, off + i, (const uint8_t *)buf + i, unit);
            return SM_ERR_IO;
        }
        program_unit(sim, off + i, (const uint8_t *)buf + i);
    }
    return 0;
}

static int sim_erase(void *ctx, uint32_t off)
{
    struct flash_sim *sim = ctx;
    uint32_t len = sim->flash.sector_size, unit = sim->flash.program_size;
    int fail = fails(sim);

    inside(sim, off, len);
    if (off % len)
        wrong("an unaligned erase", off);
    if (fail == 2)
        return 0;
    sim->wear[off / len]++;
    if (fail) {
        memset(sim->programmed + off / unit, 1, len / unit);
        erase_random(sim, off, len);
        return SM_ERR_IO;
    }
    operate(sim, off, len, NULL);
    return 0;
}

static int sim_sync(void *ctx)
{
    (void)ctx;
    return 0;
}

static void *need(void *p)
{
    if (p == NULL)
        abort();
    return p;
}

void sim_init(struct flash_sim *sim, uint32_t sector, uint32_t sectors, uint32_t unit,
              uint8_t erased)
{
    memset(sim, 0, sizeof *sim);
    sim->size = sector * sectors;
    sim->flash = (struct sm_flash){sim,      sector,      sectors,   unit,     erased,
                                   sim_read, sim_program, sim_erase, sim_sync, sim_map};
    sim->bytes = need(aligned_alloc(64, (sim->size + 63) / 64 * 64));
    sim->unstable = need(calloc(sim->size, 1));
    sim->old = need(calloc(sim->size, 1));
    sim->undo = need(calloc(4, sector));
    sim->programmed = need(calloc(sim->size / unit, 1));
    sim->wear = need(calloc(sectors, sizeof *sim->wear));
    sim->rng = 0x5eed1234;
    memset(sim->bytes, erased, sim->size);
    sim->fail_op = UINT64_MAX;
    sim_power(sim, UINT64_MAX);
}

void sim_free(struct flash_sim *sim)
{
    free(sim->bytes);
    free(sim->unstable);
    free(sim->old);
    free(sim->undo);
    free(sim->programmed);
    free(sim->wear);
}

void sim_power(struct flash_sim *sim, uint64_t cut_at)
{
    sim->points = 0;
    sim->ops = 0;
    sim->met = 0;
    sim->cut_at = cut_at;
    for (uint32_t i = sim->any_unstable ? next_unstable(sim, 0, sim->size) : sim->size;
         i < sim->size; i = next_unstable(sim, i + 1, sim->size))
        sim->bytes[i] = old_value(sim, i);
}

void sim_copy(struct flash_sim *to, const struct flash_sim *from)
{
    memcpy(to->bytes, from->bytes, from->size);
    memcpy(to->unstable, from->unstable, from->size);
    memcpy(to->old, from->old, from->size);
    memcpy(to->programmed, from->programmed, from->size / from->flash.program_size);
    memcpy(to->wear, from->wear, from->flash.sector_count * sizeof *from->wear);
    to->rng = from->rng;
    to->any_unstable = from->any_unstable;
}

void sim_rot(struct flash_sim *sim, uint32_t off, unsigned bit)
{
    sim->bytes[off] ^= (uint8_t)(1u << bit);
}
