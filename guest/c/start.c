/* Runs a program's main() as a module's entry: built beside a source that has main() and no C
 * library, with "entry": "main" in the manifest.
 *
 * main() is one tick: it is called once a period, variables keep their values between the calls,
 * and returning ends the tick. A result other than 0 traps, which the device counts as any trap.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "sandmote.h"

/* What clang calls a main() without parameters on wasm32. */
int __main_void(void);

SM_EXPORT("main") void sm_start(void)
{
    if (__main_void() != 0)
        __builtin_trap();
}
