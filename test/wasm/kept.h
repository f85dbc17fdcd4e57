/* Answers that are kept ready (sandmote/kept.h), looked for as often and where they should be: on
 * any machine, with kept.wat interpreted or as native code.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_WASM_KEPT_H
#define TEST_WASM_KEPT_H

#include <sandmote/wasm.h>

/* What the module's imports are bound to, and what is said about each case. Zero it. */
struct kept {
    struct sm_kept table[SM_KEPT];
    uint64_t clock;
    unsigned calls;   /* of the host function */
    uint32_t args[3]; /* of the last one */
    unsigned on_tick; /* what else happens then, by the case */
    struct sm_wasm_exec *exec;
    struct sm_wasm_inst *inst;
    volatile uint32_t *epoch;
    uint32_t memory; /* bytes of the instance */
    void *scratch;
    size_t scratch_len;
    void (*ready)(void *ctx); /* before each call; may be NULL */
    void *ctx;
    void (*say)(const char *what, bool holds);
};

/* For struct sm_wasm_linker, with a struct kept. */
int kept_resolve(void *kept, const struct sm_wasm_import *import, struct sm_wasm_extern *out);

/* All cases: how many do not hold. */
unsigned kept_run(struct kept *k);

#endif
