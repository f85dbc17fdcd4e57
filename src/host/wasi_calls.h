/* Between the files of WASI: descriptors, rights, and how a call reads and writes a module's
 * memory.
 *
 * A call is a host function (wasm.h) with a struct sm_wasi as context. What it does returns an
 * enum sm_wasi_errno or 0, which becomes the call's result, or a negative enum sm_err, which traps.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_WASI_CALLS_H
#define SM_WASI_CALLS_H

#include <sandmote/wasi.h>

/* ---- Numbers of the ABI ---------------------------------------------------------------------- */

#define SM_RIGHT(bit)           (1ull << (bit))
#define SM_RIGHT_DATASYNC       SM_RIGHT(0)
#define SM_RIGHT_READ           SM_RIGHT(1)
#define SM_RIGHT_SEEK           SM_RIGHT(2)
#define SM_RIGHT_SET_FLAGS      SM_RIGHT(3)
#define SM_RIGHT_SYNC           SM_RIGHT(4)
#define SM_RIGHT_TELL           SM_RIGHT(5)
#define SM_RIGHT_WRITE          SM_RIGHT(6)
#define SM_RIGHT_ADVISE         SM_RIGHT(7)
#define SM_RIGHT_ALLOCATE       SM_RIGHT(8)
#define SM_RIGHT_MAKE_DIR       SM_RIGHT(9)
#define SM_RIGHT_CREATE         SM_RIGHT(10)
#define SM_RIGHT_LINK_SOURCE    SM_RIGHT(11)
#define SM_RIGHT_LINK_TARGET    SM_RIGHT(12)
#define SM_RIGHT_OPEN           SM_RIGHT(13)
#define SM_RIGHT_READDIR        SM_RIGHT(14)
#define SM_RIGHT_READLINK       SM_RIGHT(15)
#define SM_RIGHT_RENAME_SOURCE  SM_RIGHT(16)
#define SM_RIGHT_RENAME_TARGET  SM_RIGHT(17)
#define SM_RIGHT_PATH_STAT      SM_RIGHT(18)
#define SM_RIGHT_PATH_SET_SIZE  SM_RIGHT(19)
#define SM_RIGHT_PATH_SET_TIMES SM_RIGHT(20)
#define SM_RIGHT_STAT           SM_RIGHT(21)
#define SM_RIGHT_SET_SIZE       SM_RIGHT(22)
#define SM_RIGHT_SET_TIMES      SM_RIGHT(23)
#define SM_RIGHT_SYMLINK        SM_RIGHT(24)
#define SM_RIGHT_REMOVE_DIR     SM_RIGHT(25)
#define SM_RIGHT_UNLINK         SM_RIGHT(26)
#define SM_RIGHT_POLL           SM_RIGHT(27)

enum { SM_FDFLAG_APPEND = 1, SM_FDFLAG_DSYNC = 2, SM_FDFLAG_RSYNC = 8, SM_FDFLAG_SYNC = 16 };
#define SM_FDFLAGS 31u

enum sm_wasi_kind {
    SM_FD_FREE,
    SM_FD_STDIN, /* always at its end */
    SM_FD_STDOUT,
    SM_FD_STDERR,
    SM_FD_FILE,
    SM_FD_DIR
};

/* ---- Memory of the module -------------------------------------------------------------------- */

static inline uint64_t sm_wasi_get(const uint8_t *p, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

static inline void sm_wasi_put(uint8_t *p, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

/* An i64 argument. */
static inline uint64_t sm_wasi_u64(const uint32_t *args)
{
    return args[0] | (uint64_t)args[1] << 32;
}

/* One number into the module's memory. 0 or SM_ERR_ARG. */
static inline int sm_wasi_store(struct sm_wasm_inst *inst, uint32_t addr, uint64_t v,
                                unsigned bytes)
{
    uint8_t *p = sm_wasm_mem(inst, addr, bytes);

    if (p == NULL)
        return SM_ERR_ARG;
    sm_wasi_put(p, v, bytes);
    return 0;
}

/* What a host function returns for err: see the head of this file. */
static inline int sm_wasi_done(uint32_t *args, int err)
{
    if (err < 0)
        return err;
    args[0] = (uint32_t)err;
    return 0;
}

/* ---- wasi_fd.c ------------------------------------------------------------------------------- */

/* Descriptors 0 to 2, and the granted directories from 3 on. 0, or an enum sm_err and some may be
 * open. */
int sm_wasi_open_all(struct sm_wasi *w);
void sm_wasi_close_all(struct sm_wasi *w);

/* The descriptor of that number: NULL with BADF or, when a right is missing, NOTCAPABLE. */
struct sm_wasi_fd *sm_wasi_fd(struct sm_wasi *w, uint32_t fd, uint64_t rights, int *err);

/* A free descriptor, or NULL. */
struct sm_wasi_fd *sm_wasi_free_fd(struct sm_wasi *w);

/* What a file or a directory that is opened can have of rights. */
uint64_t sm_wasi_rights_of(uint8_t kind);

/* struct filestat into the module's memory: 0 or SM_ERR_ARG. */
int sm_wasi_put_stat(struct sm_wasm_inst *inst, uint32_t addr, const struct sm_wasi_stat *s);

/* Whether fstflags make sense together. */
bool sm_wasi_times_good(uint32_t which);

sm_wasm_host_fn sm_wasi_fd_advise, sm_wasi_fd_allocate, sm_wasi_fd_close, sm_wasi_fd_datasync,
    sm_wasi_fd_fdstat_get, sm_wasi_fd_fdstat_set_flags, sm_wasi_fd_fdstat_set_rights,
    sm_wasi_fd_filestat_get, sm_wasi_fd_filestat_set_size, sm_wasi_fd_filestat_set_times,
    sm_wasi_fd_pread, sm_wasi_fd_prestat_get, sm_wasi_fd_prestat_dir_name, sm_wasi_fd_pwrite,
    sm_wasi_fd_read, sm_wasi_fd_readdir, sm_wasi_fd_renumber, sm_wasi_fd_seek, sm_wasi_fd_sync,
    sm_wasi_fd_tell, sm_wasi_fd_write, sm_wasi_sock;

/* ---- wasi_path.c ----------------------------------------------------------------------------- */

sm_wasm_host_fn sm_wasi_path_create_directory, sm_wasi_path_filestat_get,
    sm_wasi_path_filestat_set_times, sm_wasi_path_link, sm_wasi_path_open, sm_wasi_path_readlink,
    sm_wasi_path_remove_directory, sm_wasi_path_rename, sm_wasi_path_symlink,
    sm_wasi_path_unlink_file;

/* ---- wasi_poll.c ----------------------------------------------------------------------------- */

sm_wasm_host_fn sm_wasi_poll_oneoff;

/* Finish the poll_oneoff that waits: events of what is ready and of the first clock. */
int sm_wasi_wake(struct sm_host_more *more, struct sm_wasm_exec *exec, struct sm_wasm_inst *inst);

/* ---- wasi.c ---------------------------------------------------------------------------------- */

/* What was written to stdout (0) or stderr (1): to the platform, or in lines to the log. */
void sm_wasi_print(struct sm_wasi *w, unsigned which, const char *text, uint32_t len);

#endif
