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

static void settle(struct flash_sim *sim, uint32_t off, uint32_t len)
{
    if (!sim->any_unstable)
        return;
    for (uint32_t i = off; i < off + len; i++)
        if (sim->unstable[i])
            sim->bytes[i] ^= sim->unstable[i] & (uint8_t)sim_random(sim);
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

static bool cut_here(struct flash_sim *sim)
{
    return sim->points++ == sim->cut_at;
}

static void power_off(struct flash_sim *sim)
{
    longjmp(sim->power, 1);
}

/* 1: this operation fails, 2: it does nothing and says nothing. */
static int fails(struct flash_sim *sim)
{
    uint64_t op = sim->ops++;

    if (op != sim->fail_op && !(sim->fail_always && op > sim->fail_op))
        return 0;
    return sim->fail_silently ? 2 : 1;
}

/* Bits of a unit that a torn program reached: random ones of those that change. */
static void program_random(struct flash_sim *sim, uint32_t off, const uint8_t *p, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        sim->bytes[off + i] ^= (sim->bytes[off + i] ^ p[i]) & (uint8_t)sim_random(sim);
}

/* One bit, of those that change if there are any, keeps changing its mind: of all torn states the
 * one that is most like a whole. */
static void weaken_one_bit(struct flash_sim *sim, uint32_t off, uint32_t len)
{
    uint32_t bit = sim_random(sim) % (8 * len);

    for (uint32_t i = 0; i < 8 * len; i++, bit = (bit + 1) % (8 * len))
        if ((sim->bytes[off + bit / 8] ^ sim->flash.erased) >> bit % 8 & 1)
            break;
    sim->unstable[off + bit / 8] |= (uint8_t)(1u << bit % 8);
    sim->any_unstable = true;
}

static void program_unit(struct flash_sim *sim, uint32_t off, const uint8_t *p)
{
    uint32_t len = sim->flash.program_size;
    uint8_t *flag = &sim->programmed[off / len];

    if (*flag)
        wrong("a unit is programmed twice", off);
    if (cut_here(sim))
        power_off(sim);
    *flag = 1;
    if (cut_here(sim)) {
        memcpy(sim->bytes + off, p, len / 2);
        power_off(sim);
    }
    if (cut_here(sim)) {
        program_random(sim, off, p, len);
        power_off(sim);
    }
    if (cut_here(sim)) {
        memcpy(sim->bytes + off, p, len);
        weaken_one_bit(sim, off, len);
        power_off(sim);
    }
    memcpy(sim->bytes + off, p, len);
    if (cut_here(sim))
        power_off(sim);
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

static void erase_range(struct flash_sim *sim, uint32_t off, uint32_t len)
{
    memset(sim->bytes + off, sim->flash.erased, len);
    memset(sim->unstable + off, 0, len);
}

static void erase_random(struct flash_sim *sim, uint32_t off, uint32_t len, bool keeps_changing)
{
    for (uint32_t i = off; i < off + len; i++) {
        if (keeps_changing)
            sim->unstable[i] = 0xff;
        else
            sim->bytes[i] ^= (sim->bytes[i] ^ sim->flash.erased) & (uint8_t)sim_random(sim);
    }
    sim->any_unstable |= keeps_changing;
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
    if (cut_here(sim))
        power_off(sim);
    sim->wear[off / len]++;
    memset(sim->programmed + off / unit, 1, len / unit); /* until it is through */
    if (cut_here(sim)) {
        erase_range(sim, off, len / 2);
        power_off(sim);
    }
    if (cut_here(sim)) {
        erase_range(sim, off + len / 2, len / 2);
        power_off(sim);
    }
    if (cut_here(sim) || fail) {
        erase_random(sim, off, len, false);
        if (fail)
            return SM_ERR_IO;
        power_off(sim);
    }
    if (cut_here(sim)) {
        erase_random(sim, off, len, true);
        power_off(sim);
    }
    if (cut_here(sim)) {
        weaken_one_bit(sim, off, len);
        power_off(sim);
    }
    erase_range(sim, off, len);
    memset(sim->programmed + off / unit, 0, len / unit);
    if (cut_here(sim))
        power_off(sim);
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
    free(sim->programmed);
    free(sim->wear);
}

void sim_power(struct flash_sim *sim, uint64_t cut_at)
{
    sim->points = 0;
    sim->ops = 0;
    sim->cut_at = cut_at;
}

void sim_copy(struct flash_sim *to, const struct flash_sim *from)
{
    memcpy(to->bytes, from->bytes, from->size);
    memcpy(to->unstable, from->unstable, from->size);
    memcpy(to->programmed, from->programmed, from->size / from->flash.program_size);
    memcpy(to->wear, from->wear, from->flash.sector_count * sizeof *from->wear);
    to->rng = from->rng;
    to->any_unstable = from->any_unstable;
}

void sim_rot(struct flash_sim *sim, uint32_t off, unsigned bit)
{
    sim->bytes[off] ^= (uint8_t)(1u << bit);
}
