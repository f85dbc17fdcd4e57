/* What this daemon gives to modules of WASI: its directories, and each program's texts.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTED_WASI_H
#define SANDMOTED_WASI_H

#include <posix/wasi_files.h>
#include <sandmote/store.h>

#include "config.h"

/* One for each application; `more` is for struct sm_device_cfg. Stays where it is. */
struct wasi {
    struct sm_wasi app[SM_STORE_MODULES_MAX];
    struct sm_host_more *more[SM_STORE_MODULES_MAX];
    struct sm_wasi_port port;
    struct sm_wasi_files files;
    struct sm_wasi_dirs dirs;
    struct sm_wasi_dir dir[CONFIG_DIRECTORIES_MAX];
};

/* The configuration is borrowed. */
void wasi_init(struct wasi *w, const struct config *c);

#endif
