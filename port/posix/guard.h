/* Linear memory with guard pages: native code made for it compares no address with a bound.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_POSIX_GUARD_H
#define SM_POSIX_GUARD_H

#include <sandmote/native.h>

/* One linear memory. Fields are private but region, for struct sm_wasm_limits. */
struct sm_guard {
    struct sm_wasm_region region;
    struct sm_wasm_inst *inst;
    struct sm_guard *next;
};

/* Reserve address space for a memory that may grow to size bytes (at most 4 GiB), and 4 GiB and
 * more behind it. guard lives until sm_guard_free(). 0, SM_ERR_UNSUPPORTED on a 32-bit host, or
 * SM_ERR_MEMORY. */
int sm_guard_reserve(struct sm_guard *guard, uint64_t size);

/* Faults in the region, of native code bound to inst or to another instance of its store that
 * imports the memory, become traps from now on. A guard serves one inst: the latest. Makes itself
 * the process's handler of SIGSEGV and SIGBUS unless it is that; a fault anywhere else goes to the
 * handler that was there before. Call it, with sm_guard_stack(), before the first call of inst; not
 * from several threads at once. May be called again, after something else has taken the handler's
 * place. 0 or SM_ERR_IO. */
int sm_guard_watch(struct sm_guard *guard, struct sm_wasm_inst *inst);

/* Give the calling thread a stack for signal handlers (SA_ONSTACK). Native code's own stack has no
 * room for them: every thread that runs native code needs one, and every handler in the process
 * that may interrupt it needs SA_ONSTACK. 0 or SM_ERR_MEMORY. The stack stays until the process
 * ends. */
int sm_guard_stack(void);

void sm_guard_free(struct sm_guard *guard);

/* Map a file for execution, whole: what sm_native_open() takes. NULL when it cannot be, errno says
 * why (nothing new for an empty file). */
const void *sm_guard_map_code(const char *path, size_t *len);

#endif
