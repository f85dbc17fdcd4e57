/* native.h for a test program that only interprets. SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include "native.h"

bool native_mode(const char *word)
{
    return strcmp(word, "none") == 0;
}

bool native_wanted(void)
{
    return false;
}

bool native_guarded(void)
{
    return false;
}

void native_make(struct native_bound *b, const struct sm_wasm_module *m, const char *cache)
{
    (void)b;
    (void)m;
    (void)cache;
    abort(); /* nobody wants it */
}

void native_cache(const struct sm_wasm_module *m, const char *cache)
{
    (void)m;
    (void)cache;
    abort();
}

int native_bind(struct native_bound *b, struct sm_wasm_inst *inst)
{
    (void)b;
    (void)inst;
    return SM_ERR_UNSUPPORTED;
}

void native_free(struct native_bound *b)
{
    (void)b;
}
