/* Answers that are kept ready: the engine gives them in a host function's place, where calling it
 * would take longer than what it does.
 *
 * A table of them may stand beside a host function of type "iii:i" (key, address, length): see
 * struct sm_wasm_extern. When a call has the length 4, the entry at the place of its key is of that
 * key and not over, and the four bytes at the address are in the caller's memory, then the value
 * goes there, low byte first, and the result is 4. Every other call goes to the function. All of
 * them may: an engine without SM_FUSED never looks, and the interpreter does only where the length
 * is a constant.
 *
 * So a table changes how long a call takes, never what it does, provided that an entry stands only
 * for what the function itself would give at that moment: whoever owns the table sees to that. It
 * changes only while no module is at work that it belongs to, or in a host function that is called.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_KEPT_H
#define SANDMOTE_KEPT_H

#include <stddef.h>
#include <stdint.h>

/* One answer; all zero is none. */
struct sm_kept {
    uint32_t key;
    int32_t value;
    uint64_t until; /* it is one while the clock is below that */
};

/* A table has so many. A key has its place, where one takes another's: keys that are used together
 * should differ in their low three bits, or in the three above. */
#define SM_KEPT            8u
#define SM_KEPT_PLACE(key) (((key) ^ (key) >> 3) & (SM_KEPT - 1))

/* The answer to that key by that clock, or NULL. In place, since a call is little more than this.
 */
static inline __attribute__((always_inline)) const struct sm_kept *
sm_kept_find(const struct sm_kept *table, uint32_t key, const volatile uint64_t *clock)
{
    const struct sm_kept *k = &table[SM_KEPT_PLACE(key)];

    return k->key == key && *clock < k->until ? k : NULL;
}

#endif
