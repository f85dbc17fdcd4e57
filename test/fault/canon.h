/* From the bytes of a flash to the state that they mean: states of the same key are the same to the
 * device, so one of them is explored for all.
 *
 * What goes into a key, and why nothing else needs to, is in doc/fault.md. That it holds is checked
 * on pairs of flashes with equal keys (explore.c).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_FAULT_CANON_H
#define SM_FAULT_CANON_H

#include "hash.h"
#include "world.h"

/* Which inputs there are (bits): what none of them looks at is in no key. First of all. */
void canon_inputs(uint64_t which);

/* The flash is another one: forget what was known of it. */
void canon_reset(void);

/* These bytes may have changed. */
void canon_touch(uint32_t off, uint32_t len);

/* Whether an operation on these bytes surely leaves the key as it is, wherever it is cut. Of the
 * key that canon_key() gave last. */
bool canon_same(uint32_t off, uint32_t len, bool erase);

/* The key of the world's flash and of what the device has promised of it (world.known). */
struct hash canon_key(void);

/* Whether unstable bits can change what that flash means. */
bool canon_weak(void);

#endif
