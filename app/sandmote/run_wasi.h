/* What `sandmote run` gives to modules of WASI: directories, arguments, environment, stdio.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_RUN_WASI_H
#define SANDMOTE_RUN_WASI_H

#include <posix/wasi_files.h>
#include <sandmote/manifest.h>

#include "cli.h"

/* Stays at one address. Fields are private but wasi.more. */
struct run_wasi {
    struct sm_wasi wasi;
    struct sm_wasi_port port;
    struct sm_wasi_files files;
    struct sm_wasi_dirs dirs;
    struct sm_wasi_dir dir[CLI_VALUES_MAX];
    char name[CLI_VALUES_MAX][SM_WASI_DIR_MAX + 1];
    const char *const *args, *const *env;
    uint32_t nargs, nenv;
};

/* From --dir and --env, which are borrowed; NULL behind the last. NULL, or what is wrong with them.
 */
const char *run_wasi_init(struct run_wasi *r, const char *const dirs[CLI_VALUES_MAX],
                          const char *const env[CLI_VALUES_MAX]);

/* What a module without a manifest may do: WASI, and all directories, to be changed too. */
void run_wasi_grant(const struct run_wasi *r, struct sm_manifest *m);

bool run_wasi_import(const struct sm_wasm_import *import);
bool run_wasi_used(const struct sm_wasm_module *module);

/* The program's arguments; its name, argv[-1], stands before them. */
void run_wasi_arguments(struct run_wasi *r, int argc, char **argv);

/* sm_host_begin(); false after saying which directory is not there. */
bool run_wasi_begin(struct run_wasi *r, struct sm_host *host);

#endif
