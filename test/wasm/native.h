/* Native images for tests: made of a module, kept by its hash, bound to its instances.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_WASM_NATIVE_H
#define TEST_WASM_NATIVE_H

#include <posix/guard.h>

/* How a test's modules run: "none" (interpreted), "checks" or "guard". false for another word. */
bool native_mode(const char *word);
bool native_wanted(void);
bool native_guarded(void);

struct native_bound {
    struct sm_native native;
    struct sm_guard guard;
    void *map, *state;
    size_t map_len;
};

/* Make or find the image of a module; cache is a folder that outlives the run, or NULL for one
 * that does not. Ends the
 * program when the module cannot be compiled. */
void native_make(struct native_bound *b, const struct sm_wasm_module *m, const char *cache);
/* As native_make(), for the side effect of filling the cache alone. */
void native_cache(const struct sm_wasm_module *m, const char *cache);
/* 0 or sm_native_bind()'s error. */
int native_bind(struct native_bound *b, struct sm_wasm_inst *inst);
/* Before a call: test frames take the signals' handlers away. */
void native_ready(struct native_bound *b, struct sm_wasm_inst *inst);
void native_free(struct native_bound *b);

#endif
