/* NOR flash in RAM that breaks the way flash breaks.
 *
 * It is strict: a program of a unit that was programmed since its sector's erase, an unaligned or
 * outside access, is a fault of the code under test and ends the process with a message.
 *
 * Power can fail at any point of any operation. Points are numbered from 0: every program unit has
 * five (untouched, its first half, random bits, all bits but one unstable, done), every erase seven
 * (untouched, first half, second half, random bits, every bit unstable, as before but for one
 * unstable bit, done). When the point
 * `cut_at` is reached, what it says is left in the flash and control goes to `power` by longjmp.
 * Unstable bits get new values at every read and map, as `luck` says.
 *
 * Instead of dying at one point, the simulator can be asked to show all of them: with `probe` set,
 * it is called at each point with the flash as a cut there would leave it, and goes on. Of a unit
 * or sector `passes` may say first that its points need not be shown.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_TEST_FLASH_SIM_H
#define SM_TEST_FLASH_SIM_H

#include <setjmp.h>
#include <stdbool.h>
#include <sandmote/port.h>

enum { SIM_UNIT_POINTS = 5, SIM_ERASE_POINTS = 7 };

/* What unstable bits read as: their old value is the one that they had, or were to get, when power
 * failed. */
enum sim_luck {
    SIM_LUCK_RANDOM,       /* any bit anything, at each read anew */
    SIM_LUCK_OLD,          /* all bits old, always */
    SIM_LUCK_ERASED,       /* all bits erased, always */
    SIM_LUCK_OLD_FIRST,    /* old and erased in turn, read by read that meets such bits */
    SIM_LUCK_ERASED_FIRST, /* the same the other way round */
    SIM_LUCK_EITHER,       /* all bits of a read old, or all erased */
    SIM_LUCKS
};

struct flash_sim {
    struct sm_flash flash;
    uint8_t *bytes;
    uint8_t *unstable;   /* a mask a byte */
    uint8_t *old;        /* a byte: what its unstable bits were */
    uint8_t *programmed; /* a flag a unit */
    uint32_t *wear;      /* erases a sector */
    uint32_t size;
    uint32_t rng;
    bool any_unstable;

    uint64_t points; /* passed since sim_power() */
    uint64_t cut_at; /* UINT64_MAX: never */
    uint64_t ops;    /* programs and erases since sim_power() */
    jmp_buf power;   /* set it before the flash is used with a cut */

    enum sim_luck luck;
    uint32_t met; /* reads that met unstable bits since sim_power() */
    uint8_t *undo;
    void *probe_ctx;
    void (*probe)(void *ctx, uint32_t off, uint32_t len); /* off, len: what the operation touches */
    bool by_chance; /* while the probe is called: which bits it is hangs on rng */
    bool (*passes)(void *ctx, uint32_t off, uint32_t len, bool erase); /* or NULL */

    uint64_t fail_op;   /* the operation with this number fails; UINT64_MAX: none */
    bool fail_silently; /* it returns 0 but has done nothing */
    bool fail_always;   /* and so do all after it */
};

void sim_init(struct flash_sim *sim, uint32_t sector, uint32_t sectors, uint32_t unit,
              uint8_t erased);
void sim_free(struct flash_sim *sim);

/* Power on: count points, operations and reads from 0, cut at point `cut_at`. */
void sim_power(struct flash_sim *sim, uint64_t cut_at);

/* The same flash content and history in another simulator of the same geometry. */
void sim_copy(struct flash_sim *to, const struct flash_sim *from);

/* Flip a bit that rotted. */
void sim_rot(struct flash_sim *sim, uint32_t off, unsigned bit);

uint32_t sim_random(struct flash_sim *sim);

#endif
