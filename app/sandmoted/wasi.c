/* What this daemon gives to modules of WASI. SPDX-License-Identifier: Apache-2.0 */
#include "wasi.h"

#include <string.h>
#include <posix/system.h>

static void texts(void *ctx, const char *module, struct sm_wasi_texts *out)
{
    const struct config *c = ctx;
    for (size_t i = 0; i < c->nprograms; i++) {
        const struct config_program *p = &c->programs[i];
        if (strcmp(p->module, module) == 0)
            *out = (struct sm_wasi_texts){p->args, p->env, p->nargs, p->nenv};
    }
}

void wasi_init(struct wasi *w, const struct config *c)
{
    for (size_t i = 0; i < c->ndirectories; i++)
        w->dir[i] = (struct sm_wasi_dir){.name = c->directories[i].name,
                                         .path = c->directories[i].path,
                                         .read_only = c->directories[i].read_only};
    w->dirs = (struct sm_wasi_dirs){w->dir, c->ndirectories};
    w->files = sm_wasi_posix_files(&w->dirs);
    w->port = (struct sm_wasi_port){.ctx = (void *)(uintptr_t)c,
                                    .clock = sm_wasi_posix_clock,
                                    .resolution_ns = SM_WASI_POSIX_RESOLUTION_NS,
                                    .entropy = sm_posix_entropy,
                                    .texts = texts,
                                    .files = &w->files,
                                    .file_max = c->file_bytes};
    for (unsigned i = 0; i < SM_STORE_MODULES_MAX; i++) {
        sm_wasi_init(&w->app[i], &w->port);
        w->more[i] = &w->app[i].more;
    }
}
