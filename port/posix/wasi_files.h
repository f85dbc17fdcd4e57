/* Directories of a POSIX host for WASI, and its clocks.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_POSIX_WASI_FILES_H
#define SM_POSIX_WASI_FILES_H

#include <sandmote/wasi.h>

/* What the host gives under a name; path may be any path of the host. */
struct sm_wasi_dir {
    const char *name, *path;
    bool read_only; /* nobody is given more */
};

/* Borrowed for as long as the files are used. */
struct sm_wasi_dirs {
    const struct sm_wasi_dir *dir;
    size_t n;
};

/* Handles are file descriptors of the process, closed on exec. Nothing but regular files and
 * directories is opened; a file that is made gets 0666 less the umask. */
struct sm_wasi_files sm_wasi_posix_files(const struct sm_wasi_dirs *dirs);

/* For struct sm_wasi_port: CLOCK_REALTIME and CLOCK_MONOTONIC. */
int sm_wasi_posix_clock(void *ctx, enum sm_wasi_clock id, uint64_t *ns);
#define SM_WASI_POSIX_RESOLUTION_NS 1u

#endif
