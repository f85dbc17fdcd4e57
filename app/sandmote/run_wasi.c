/* What `sandmote run` gives to modules of WASI.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "run_wasi.h"

#include <stdio.h>
#include <string.h>

#include <posix/system.h>

/* ---- Options ----------------------------------------------------------------------------------
 */

/* NAME=PATH, where a slash before the name, as the module writes it, may be left out unless it is
 * all there is. */
static bool add_dir(struct run_wasi *r, const char *text)
{
    const char *path = strchr(text, '=');
    char *name = r->name[r->dirs.n];
    size_t len;
    bool slash = *text == '/';
    text += slash;
    len = path && path >= text + !slash ? (size_t)(path - text) : SIZE_MAX;
    if (len > SM_WASI_DIR_MAX || path[1] == 0)
        return false;
    memcpy(name, text, len);
    name[len] = 0;
    r->dir[r->dirs.n++] = (struct sm_wasi_dir){.name = name, .path = path + 1};
    return len == 0 || sm_name_valid(name);
}

static void texts(void *ctx, const char *module, struct sm_wasi_texts *out)
{
    const struct run_wasi *r = ctx;
    (void)module;
    if (r->nargs) {
        out->args = r->args;
        out->nargs = r->nargs;
    }
    out->env = r->env;
    out->nenv = r->nenv;
}

static void stdio(void *ctx, int fd, const void *bytes, uint32_t len)
{
    FILE *out = fd == 1 ? stdout : stderr;
    (void)ctx;
    fwrite(bytes, 1, len, out);
    fflush(out); /* the two keep their order, whatever they lead to */
}

const char *run_wasi_init(struct run_wasi *r, const char *const dirs[CLI_VALUES_MAX],
                          const char *const env[CLI_VALUES_MAX])
{
    r->dirs.dir = r->dir;
    r->env = env;
    for (unsigned i = 0; i < CLI_VALUES_MAX && dirs[i]; i++)
        if (!add_dir(r, dirs[i]))
            return "--dir takes NAME=PATH; the name is / or 1 to 32 of a-z 0-9 . _ -";
    for (; r->nenv < CLI_VALUES_MAX && env[r->nenv]; r->nenv++)
        if (env[r->nenv][0] == '=' || !strchr(env[r->nenv], '='))
            return "--env takes NAME=VALUE";
    r->files = sm_wasi_posix_files(&r->dirs);
    r->port = (struct sm_wasi_port){.ctx = r,
                                    .clock = sm_wasi_posix_clock,
                                    .resolution_ns = SM_WASI_POSIX_RESOLUTION_NS,
                                    .entropy = sm_posix_entropy,
                                    .texts = texts,
                                    .stdio = stdio,
                                    .files = &r->files};
    sm_wasi_init(&r->wasi, &r->port);
    return NULL;
}

/* ---- The module -------------------------------------------------------------------------------
 */

void run_wasi_grant(const struct run_wasi *r, struct sm_manifest *m)
{
    memcpy(m->capability[m->capabilities++], "wasi", sizeof "wasi");
    for (size_t i = 0; i < r->dirs.n && m->capabilities < SM_CAPABILITIES_MAX; i++)
        snprintf(m->capability[m->capabilities++], sizeof m->capability[0], "file/%s:rw",
                 r->name[i]);
}

bool run_wasi_import(const struct sm_wasm_import *import)
{
    return sm_wasm_name_is(&import->module, "wasi_snapshot_preview1");
}

bool run_wasi_used(const struct sm_wasm_module *module)
{
    struct sm_wasm_import import;
    struct sm_wasm_cursor c;
    sm_wasm_imports(&c, module);
    while (sm_wasm_next_import(&c, &import) == 0)
        if (run_wasi_import(&import))
            return true;
    return false;
}

void run_wasi_arguments(struct run_wasi *r, int argc, char **argv)
{
    r->args = (const char *const *)(argv - 1);
    r->nargs = (uint32_t)argc + 1;
}

bool run_wasi_begin(struct run_wasi *r, struct sm_host *host)
{
    if (sm_host_begin(host) == 0)
        return true;
    int i = r->wasi.more.check(&r->wasi.more, host->grants);
    cli_say("%s: there is no such directory; --dir NAME=PATH says where it is",
            i >= 0 ? host->grants->capability[i] : "WASI");
    return false;
}
