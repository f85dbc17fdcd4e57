/* Descriptors of WASI: a table of SM_WASI_FDS, each with the rights it was given.
 *
 * A right can only get lost: what is opened through a directory has at most what that directory
 * passes on, and what was granted for reading passes on nothing that changes a file. A call names
 * the rights that it needs before it does anything. Offsets are kept here; the port reads and
 * writes at places.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "wasi_calls.h"

/* ---- Rights ---------------------------------------------------------------------------------- */

#define FILE_READS                                                                                 \
    (SM_RIGHT_READ | SM_RIGHT_SEEK | SM_RIGHT_SET_FLAGS | SM_RIGHT_TELL | SM_RIGHT_ADVISE |        \
     SM_RIGHT_STAT | SM_RIGHT_POLL)
#define FILE_WRITES                                                                                \
    (SM_RIGHT_DATASYNC | SM_RIGHT_SYNC | SM_RIGHT_WRITE | SM_RIGHT_ALLOCATE | SM_RIGHT_SET_SIZE |  \
     SM_RIGHT_SET_TIMES)
#define DIR_READS                                                                                  \
    (SM_RIGHT_OPEN | SM_RIGHT_READDIR | SM_RIGHT_READLINK | SM_RIGHT_PATH_STAT | SM_RIGHT_STAT)
#define DIR_WRITES                                                                                 \
    (SM_RIGHT_MAKE_DIR | SM_RIGHT_CREATE | SM_RIGHT_LINK_SOURCE | SM_RIGHT_LINK_TARGET |           \
     SM_RIGHT_RENAME_SOURCE | SM_RIGHT_RENAME_TARGET | SM_RIGHT_PATH_SET_SIZE |                    \
     SM_RIGHT_PATH_SET_TIMES | SM_RIGHT_SET_TIMES | SM_RIGHT_SYMLINK | SM_RIGHT_REMOVE_DIR |       \
     SM_RIGHT_UNLINK | SM_RIGHT_SYNC | SM_RIGHT_DATASYNC)

uint64_t sm_wasi_rights_of(uint8_t kind)
{
    return kind == SM_FD_DIR ? DIR_READS | DIR_WRITES : FILE_READS | FILE_WRITES;
}

/* ---- The table ------------------------------------------------------------------------------- */

struct sm_wasi_fd *sm_wasi_fd(struct sm_wasi *w, uint32_t fd, uint64_t rights, int *err)
{
    if (fd >= SM_WASI_FDS || w->fd[fd].kind == SM_FD_FREE) {
        *err = SM_WASI_BADF;
        return NULL;
    }
    *err = (w->fd[fd].rights & rights) == rights ? 0 : SM_WASI_NOTCAPABLE;
    return *err ? NULL : &w->fd[fd];
}

/* The same for a regular file; anything else is `otherwise`. */
static struct sm_wasi_fd *file(struct sm_wasi *w, uint32_t fd, uint64_t rights, int otherwise,
                               int *err)
{
    struct sm_wasi_fd *f = sm_wasi_fd(w, fd, 0, err);

    if (f != NULL && f->kind != SM_FD_FILE) {
        *err = f->kind == SM_FD_DIR ? SM_WASI_ISDIR : otherwise;
        return NULL;
    }
    return f != NULL ? sm_wasi_fd(w, fd, rights, err) : NULL;
}

struct sm_wasi_fd *sm_wasi_free_fd(struct sm_wasi *w)
{
    for (unsigned i = 0; i < SM_WASI_FDS; i++)
        if (w->fd[i].kind == SM_FD_FREE)
            return &w->fd[i];
    return NULL;
}

static void close_fd(struct sm_wasi *w, struct sm_wasi_fd *f)
{
    if (f->kind == SM_FD_FILE || f->kind == SM_FD_DIR)
        w->port->files->close(w->port->files->ctx, f->handle);
    memset(f, 0, sizeof *f);
}

void sm_wasi_close_all(struct sm_wasi *w)
{
    for (unsigned i = 0; i < SM_WASI_FDS; i++)
        close_fd(w, &w->fd[i]);
}

static int open_granted(struct sm_wasi *w, uint32_t capability)
{
    const struct sm_wasi_files *files = w->port->files;
    char name[SM_WASI_DIR_MAX + 1];
    bool write;

    if (sm_wasi_directory(w->host->grants->capability[capability], name, &write) != 0)
        return strncmp(w->host->grants->capability[capability], "file/", 5) ? 0 : SM_ERR_INVALID;
    int handle = files != NULL ? files->root(files->ctx, name, write) : -SM_WASI_NOTSUP;
    if (handle < 0)
        return SM_ERR_NOT_FOUND;
    *sm_wasi_free_fd(w) = (struct sm_wasi_fd){.kind = SM_FD_DIR,
                                              .handle = handle,
                                              .preopen = (uint8_t)(capability + 1),
                                              .rights = DIR_READS | (write ? DIR_WRITES : 0),
                                              .inheriting = DIR_READS | FILE_READS |
                                                            (write ? DIR_WRITES | FILE_WRITES : 0)};
    return 0;
}

int sm_wasi_open_all(struct sm_wasi *w)
{
    _Static_assert(3 + SM_CAPABILITIES_MAX <= SM_WASI_FDS, "all that can be granted has room");
    int err = 0;

    for (unsigned i = 0; i < 3; i++)
        w->fd[i] = (struct sm_wasi_fd){.kind = (uint8_t)(SM_FD_STDIN + i),
                                       .rights = SM_RIGHT_POLL | SM_RIGHT_STAT |
                                                 (i ? SM_RIGHT_WRITE : SM_RIGHT_READ)};
    for (uint32_t i = 0; i < w->host->grants->capabilities && !err; i++)
        err = open_granted(w, i);
    return err;
}

int sm_wasi_fd_close(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    int err;
    struct sm_wasi_fd *f = sm_wasi_fd(ctx, args[0], 0, &err);

    (void)inst;
    if (f != NULL)
        close_fd(ctx, f);
    return sm_wasi_done(args, err);
}

int sm_wasi_fd_renumber(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    int err;
    struct sm_wasi_fd *from = sm_wasi_fd(ctx, args[0], 0, &err);
    struct sm_wasi_fd *to = from != NULL ? sm_wasi_fd(ctx, args[1], 0, &err) : NULL;

    (void)inst;
    if (to != NULL && to != from) {
        close_fd(ctx, to);
        *to = *from;
        memset(from, 0, sizeof *from);
    }
    return sm_wasi_done(args, err);
}

/* ---- Granted directories --------------------------------------------------------------------- */

/* The path of a preopened directory: '/' and the name in its capability. NULL with BADF for other
 * descriptors. */
static const char *preopened(struct sm_wasi *w, uint32_t fd, uint32_t *name_len, int *err)
{
    const struct sm_wasi_fd *f = sm_wasi_fd(w, fd, 0, err);

    if (f == NULL || f->preopen == 0) {
        *err = SM_WASI_BADF;
        return NULL;
    }
    const char *name = w->host->grants->capability[f->preopen - 1] + 5; /* behind "file/" */
    *name_len = (uint32_t)strcspn(name, ":");
    return name;
}

int sm_wasi_fd_prestat_get(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    uint32_t len;
    int err;

    if (preopened(ctx, args[0], &len, &err) != NULL)
        err = sm_wasi_store(inst, args[1], (uint64_t)(len + 1) << 32, 8); /* tag 0: a directory */
    return sm_wasi_done(args, err);
}

int sm_wasi_fd_prestat_dir_name(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    uint32_t len;
    int err;
    const char *name = preopened(ctx, args[0], &len, &err);

    if (name != NULL && args[2] < len + 1) {
        err = SM_WASI_NAMETOOLONG;
    } else if (name != NULL) {
        char *out = sm_wasm_mem(inst, args[1], len + 1);
        if (out == NULL)
            return SM_ERR_ARG;
        out[0] = '/';
        memcpy(out + 1, name, len);
    }
    return sm_wasi_done(args, err);
}

/* ---- What a descriptor is -------------------------------------------------------------------- */

static uint8_t filetype(const struct sm_wasi_fd *f)
{
    return f->kind == SM_FD_DIR    ? SM_WASI_DIRECTORY
           : f->kind == SM_FD_FILE ? SM_WASI_REGULAR_FILE
                                   : SM_WASI_CHARACTER_DEVICE;
}

int sm_wasi_fd_fdstat_get(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    int err;
    const struct sm_wasi_fd *f = sm_wasi_fd(ctx, args[0], 0, &err);

    if (f != NULL) {
        uint8_t *p = sm_wasm_mem(inst, args[1], 24);
        if (p == NULL)
            return SM_ERR_ARG;
        sm_wasi_put(p, filetype(f), 2);
        sm_wasi_put(p + 2, f->flags, 6);
        sm_wasi_put(p + 8, f->rights, 8);
        sm_wasi_put(p + 16, f->inheriting, 8);
    }
    return sm_wasi_done(args, err);
}

int sm_wasi_fd_fdstat_set_flags(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    int err;
    struct sm_wasi_fd *f = sm_wasi_fd(ctx, args[0], SM_RIGHT_SET_FLAGS, &err);

    (void)inst;
    if (f != NULL && args[1] > SM_FDFLAGS)
        err = SM_WASI_INVAL;
    else if (f != NULL)
        f->flags = (uint16_t)args[1];
    return sm_wasi_done(args, err);
}

int sm_wasi_fd_fdstat_set_rights(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    uint64_t rights = sm_wasi_u64(args + 1), inheriting = sm_wasi_u64(args + 3);
    int err;
    struct sm_wasi_fd *f = sm_wasi_fd(ctx, args[0], rights, &err);

    (void)inst;
    if (f != NULL && (inheriting & ~f->inheriting) != 0) {
        err = SM_WASI_NOTCAPABLE;
    } else if (f != NULL) {
        f->rights = rights;
        f->inheriting = inheriting;
    }
    return sm_wasi_done(args, err);
}

int sm_wasi_put_stat(struct sm_wasm_inst *inst, uint32_t addr, const struct sm_wasi_stat *s)
{
    const uint64_t fields[8] = {s->dev,  s->ino,  s->type, s->nlink,
                                s->size, s->atim, s->mtim, s->ctim};
    uint8_t *p = sm_wasm_mem(inst, addr, sizeof fields);

    if (p == NULL)
        return SM_ERR_ARG;
    for (unsigned i = 0; i < 8; i++)
        sm_wasi_put(p + 8 * i, fields[i], 8);
    return 0;
}

/* Of any descriptor. 0 or an enum sm_wasi_errno. */
static int stat_of(const struct sm_wasi *w, const struct sm_wasi_fd *f, struct sm_wasi_stat *s)
{
    const struct sm_wasi_files *files = w->port->files;

    memset(s, 0, sizeof *s);
    s->type = filetype(f);
    return f->kind == SM_FD_FILE || f->kind == SM_FD_DIR ? -files->stat(files->ctx, f->handle, s)
                                                         : 0;
}

int sm_wasi_fd_filestat_get(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    struct sm_wasi_stat s;
    int err;
    const struct sm_wasi_fd *f = sm_wasi_fd(ctx, args[0], SM_RIGHT_STAT, &err);

    if (f != NULL)
        err = stat_of(ctx, f, &s);
    if (!err)
        err = sm_wasi_put_stat(inst, args[1], &s);
    return sm_wasi_done(args, err);
}

bool sm_wasi_times_good(uint32_t which)
{
    const uint32_t atim = SM_WASI_ATIM | SM_WASI_ATIM_NOW, mtim = SM_WASI_MTIM | SM_WASI_MTIM_NOW;

    return (which & ~(atim | mtim)) == 0 && (which & atim) != atim && (which & mtim) != mtim;
}

int sm_wasi_fd_filestat_set_times(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    const struct sm_wasi *w = ctx;
    int err;
    const struct sm_wasi_fd *f = sm_wasi_fd(ctx, args[0], SM_RIGHT_SET_TIMES, &err);

    (void)inst;
    if (f != NULL && !sm_wasi_times_good(args[5]))
        err = SM_WASI_INVAL;
    else if (f != NULL)
        err = -w->port->files->set_times(w->port->files->ctx, f->handle, NULL,
                                         sm_wasi_u64(args + 1), sm_wasi_u64(args + 3), args[5]);
    return sm_wasi_done(args, err);
}

int sm_wasi_fd_filestat_set_size(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    const struct sm_wasi *w = ctx;
    uint64_t size = sm_wasi_u64(args + 1);
    int err;
    const struct sm_wasi_fd *f = file(ctx, args[0], SM_RIGHT_SET_SIZE, SM_WASI_INVAL, &err);

    (void)inst;
    if (f != NULL && w->port->file_max > 0 && size > w->port->file_max)
        err = SM_WASI_FBIG;
    else if (f != NULL)
        err = -w->port->files->set_size(w->port->files->ctx, f->handle, size);
    return sm_wasi_done(args, err);
}

/* Room on a disk cannot be promised by every file system; a larger size alone would be a lie. */
int sm_wasi_fd_allocate(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    int err;

    (void)inst;
    if (file(ctx, args[0], SM_RIGHT_ALLOCATE, SM_WASI_SPIPE, &err) != NULL)
        err = SM_WASI_NOTSUP;
    return sm_wasi_done(args, err);
}

int sm_wasi_fd_advise(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    int err;

    (void)inst;
    if (file(ctx, args[0], SM_RIGHT_ADVISE, SM_WASI_SPIPE, &err) != NULL && args[5] > 5)
        err = SM_WASI_INVAL;
    return sm_wasi_done(args, err);
}

static int sync_fd(struct sm_wasi *w, uint32_t fd, uint64_t right, bool data_only)
{
    int err;
    const struct sm_wasi_fd *f = sm_wasi_fd(w, fd, right, &err);

    return f != NULL ? -w->port->files->sync(w->port->files->ctx, f->handle, data_only) : err;
}

int sm_wasi_fd_sync(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    (void)inst;
    return sm_wasi_done(args, sync_fd(ctx, args[0], SM_RIGHT_SYNC, false));
}

int sm_wasi_fd_datasync(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    (void)inst;
    return sm_wasi_done(args, sync_fd(ctx, args[0], SM_RIGHT_DATASYNC, true));
}

/* ---- Offsets --------------------------------------------------------------------------------- */

int sm_wasi_fd_tell(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    int err;
    const struct sm_wasi_fd *f = file(ctx, args[0], SM_RIGHT_TELL, SM_WASI_SPIPE, &err);

    if (f != NULL)
        err = sm_wasi_store(inst, args[1], f->offset, 8);
    return sm_wasi_done(args, err);
}

/* Where from..delta leads: offsets stay below 2^63. 0, INVAL or OVERFLOW. */
static int move(uint64_t from, uint64_t delta, uint64_t *to)
{
    *to = from + delta; /* delta is signed, in two's complement: modulo 2^64 is what is meant */
    if ((delta >> 63) != 0)
        return *to > from ? SM_WASI_INVAL : 0;
    return *to >> 63 ? SM_WASI_OVERFLOW : 0;
}

int sm_wasi_fd_seek(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    uint64_t delta = sm_wasi_u64(args + 1), to = 0;
    uint32_t whence = args[3];
    uint64_t asking = delta == 0 && whence == 1 ? SM_RIGHT_TELL : 0;
    struct sm_wasi_stat s = {0};
    int err;
    struct sm_wasi_fd *f = file(ctx, args[0], 0, SM_WASI_SPIPE, &err);

    if (f != NULL && (f->rights & (SM_RIGHT_SEEK | asking)) == 0)
        err = SM_WASI_NOTCAPABLE;
    else if (f != NULL && whence > 2)
        err = SM_WASI_INVAL;
    else if (f != NULL && whence == 2)
        err = stat_of(ctx, f, &s);
    if (!err)
        err = move(whence == 0 ? 0 : whence == 1 ? f->offset : s.size, delta, &to);
    if (!err)
        err = sm_wasi_store(inst, args[4], to, 8);
    if (!err)
        f->offset = to;
    return sm_wasi_done(args, err);
}

/* ---- Reading and writing --------------------------------------------------------------------- */

/* One call: buffers in the module's memory, and how much of the bound is used up. */
struct transfer {
    struct sm_wasi *w;
    struct sm_wasm_inst *inst;
    struct sm_wasi_fd *f;
    uint64_t offset;              /* or SM_WASI_END */
    uint32_t iovs, n, done, room; /* room: how much it may be in all */
    bool write;
};

static int put_bytes(struct transfer *t, char *buf, uint32_t len)
{
    const struct sm_wasi_files *files = t->w->port->files;

    switch (t->f->kind) {
    case SM_FD_STDIN: return 0;
    case SM_FD_STDOUT:
    case SM_FD_STDERR: sm_wasi_print(t->w, t->f->kind - SM_FD_STDOUT, buf, len); return (int)len;
    default: break;
    }
    uint64_t at = t->offset == SM_WASI_END ? SM_WASI_END : t->offset + t->done;
    return t->write ? files->write(files->ctx, t->f->handle, buf, len, at)
                    : files->read(files->ctx, t->f->handle, buf, len, at);
}

/* Buffers are looked up one by one: a read may have changed the list of them. 0, an
 * enum sm_wasi_errno or SM_ERR_ARG; an error after the first byte is for the next call to find. */
static int transfer(struct transfer *t)
{
    if (t->n > SM_WASI_IOVS_MAX)
        return SM_WASI_INVAL;
    for (uint32_t i = 0; i < t->n && t->done < t->room; i++) {
        const uint8_t *iov =
            t->iovs <= UINT32_MAX - 8 * i ? sm_wasm_mem(t->inst, t->iovs + 8 * i, 8) : NULL;
        if (iov == NULL)
            return SM_ERR_ARG;
        uint32_t len = (uint32_t)sm_wasi_get(iov + 4, 4), room = t->room - t->done;
        char *buf = sm_wasm_mem(t->inst, (uint32_t)sm_wasi_get(iov, 4), len);
        if (buf == NULL)
            return SM_ERR_ARG;
        if (len == 0)
            continue;
        len = len < room ? len : room;
        int n = put_bytes(t, buf, len);
        if (n < 0)
            return t->done > 0 ? 0 : -n;
        t->done += (uint32_t)n;
        if ((uint32_t)n < len)
            break;
    }
    return 0;
}

/* What the flags and file_max say about a write: where it goes, and how much of it. */
static int place_write(struct transfer *t)
{
    uint64_t most = t->w->port->file_max, from = t->offset;
    struct sm_wasi_stat s;
    int err = 0;

    if (t->f->flags & SM_FDFLAG_APPEND)
        t->offset = SM_WASI_END;
    if (most == 0)
        return 0;
    if (t->offset == SM_WASI_END) {
        err = stat_of(t->w, t->f, &s);
        from = s.size;
    }
    if (from >= most)
        return err ? err : SM_WASI_FBIG;
    if (most - from < t->room)
        t->room = (uint32_t)(most - from);
    return err;
}

static int write_file(struct transfer *t)
{
    const struct sm_wasi_files *files = t->w->port->files;
    int err = place_write(t);

    if (!err)
        err = transfer(t);
    if (!err && t->done > 0 && (t->f->flags & (SM_FDFLAG_DSYNC | SM_FDFLAG_SYNC)))
        err = -files->sync(files->ctx, t->f->handle, !(t->f->flags & SM_FDFLAG_SYNC));
    return err;
}

/* args: fd, iovs, n, [offset,] where the count goes. */
static int read_or_write(struct sm_wasi *w, struct sm_wasm_inst *inst, uint32_t *args, bool write,
                         bool at)
{
    uint64_t rights = (write ? SM_RIGHT_WRITE : SM_RIGHT_READ) | (at ? SM_RIGHT_SEEK : 0);
    uint32_t result = args[at ? 5 : 3];
    struct sm_wasi_stat s;
    int err;
    struct sm_wasi_fd *f =
        at ? file(w, args[0], rights, SM_WASI_SPIPE, &err) : sm_wasi_fd(w, args[0], rights, &err);

    if (f == NULL)
        return sm_wasi_done(args, err);
    struct transfer t = {.w = w,
                         .inst = inst,
                         .f = f,
                         .offset = at ? sm_wasi_u64(args + 3) : f->offset,
                         .iovs = args[1],
                         .n = args[2],
                         .room = SM_WASI_IO_MAX,
                         .write = write};
    if (t.offset >> 63)
        return sm_wasi_done(args, SM_WASI_INVAL);
    if (sm_wasm_mem(inst, result, 4) == NULL)
        return SM_ERR_ARG;
    err = write && f->kind == SM_FD_FILE ? write_file(&t) : transfer(&t);
    if (err)
        return sm_wasi_done(args, err);
    if (!at && f->kind == SM_FD_FILE)
        f->offset = t.offset == SM_WASI_END ? (stat_of(w, f, &s) == 0 ? s.size : f->offset)
                                            : f->offset + t.done;
    return sm_wasi_done(args, sm_wasi_store(inst, result, t.done, 4));
}

int sm_wasi_fd_read(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    return read_or_write(ctx, inst, args, false, false);
}

int sm_wasi_fd_write(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    return read_or_write(ctx, inst, args, true, false);
}

int sm_wasi_fd_pread(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    return read_or_write(ctx, inst, args, false, true);
}

int sm_wasi_fd_pwrite(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    return read_or_write(ctx, inst, args, true, true);
}

/* ---- Directories ----------------------------------------------------------------------------- */

/* struct dirent and the name, cut off where the room ends; how many bytes that took. */
static uint32_t put_entry(uint8_t *out, uint32_t room, const struct sm_wasi_entry *e)
{
    uint8_t bytes[24 + SM_WASI_NAME_MAX + 1];
    uint32_t len = 24u + e->len;
    bool up = e->len == 2 && memcmp(e->name, "..", 2) == 0;

    sm_wasi_put(bytes, e->next, 8);
    sm_wasi_put(bytes + 8, up ? 0 : e->ino,
                8); /* what lies above a granted directory is not told */
    sm_wasi_put(bytes + 16, e->len, 4);
    sm_wasi_put(bytes + 20, e->type, 4);
    memcpy(bytes + 24, e->name, e->len);
    len = len < room ? len : room;
    memcpy(out, bytes, len);
    return len;
}

int sm_wasi_fd_readdir(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    const struct sm_wasi *w = ctx;
    uint32_t room = args[2], used = 0;
    uint8_t *out = sm_wasm_mem(inst, args[1], room);
    struct sm_wasi_entry e = {.next = sm_wasi_u64(args + 3)};
    int err, more = 1;
    const struct sm_wasi_fd *f = sm_wasi_fd(ctx, args[0], SM_RIGHT_READDIR, &err);

    if (f != NULL && (f->kind != SM_FD_DIR || room > SM_WASI_IO_MAX))
        err = f->kind != SM_FD_DIR ? SM_WASI_NOTDIR : SM_WASI_INVAL;
    if (err)
        return sm_wasi_done(args, err);
    if (out == NULL)
        return SM_ERR_ARG;
    while (used < room && more > 0) {
        more = w->port->files->entry(w->port->files->ctx, f->handle, e.next, &e);
        if (more > 0)
            used += put_entry(out + used, room - used, &e);
    }
    return sm_wasi_done(args, more < 0 ? -more : sm_wasi_store(inst, args[5], used, 4));
}

/* ---- Sockets --------------------------------------------------------------------------------- */

int sm_wasi_sock(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    int err;

    (void)inst;
    if (sm_wasi_fd(ctx, args[0], 0, &err) != NULL)
        err = SM_WASI_NOTSOCK;
    return sm_wasi_done(args, err);
}
