/* Clock and entropy of a POSIX host.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_POSIX_SYSTEM_H
#define SM_POSIX_SYSTEM_H

#include <sandmote/port.h>

/* CLOCK_MONOTONIC: stands still while the host sleeps, is never set. */
extern const struct sm_clock sm_posix_clock;

/* getrandom(2): waits for the kernel's pool once after boot, never after. */
extern const struct sm_entropy sm_posix_entropy;

#endif
