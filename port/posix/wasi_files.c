/* Directories of a POSIX host for WASI.
 *
 * Names come one at a time (wasi.h), so each call here is one system call relative to an open
 * directory, told not to follow a link: there is no path that the kernel could walk out by, and
 * nothing to race against. Opening never waits (O_NONBLOCK), for the name may be a pipe's, and what
 * is no file or directory is closed again.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* getdents64, O_PATH */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "wasi_files.h"

static int failed(void)
{
    static const struct {
        int host, wasi;
    } numbers[] = {
        {E2BIG, SM_WASI_2BIG},         {EACCES, SM_WASI_ACCES},
        {EBADF, SM_WASI_BADF},         {EBUSY, SM_WASI_BUSY},
        {EDQUOT, SM_WASI_DQUOT},       {EEXIST, SM_WASI_EXIST},
        {EFBIG, SM_WASI_FBIG},         {EILSEQ, SM_WASI_ILSEQ},
        {EINVAL, SM_WASI_INVAL},       {EISDIR, SM_WASI_ISDIR},
        {ELOOP, SM_WASI_LOOP},         {EMFILE, SM_WASI_NFILE},
        {EMLINK, SM_WASI_MLINK},       {ENAMETOOLONG, SM_WASI_NAMETOOLONG},
        {ENFILE, SM_WASI_NFILE},       {ENOENT, SM_WASI_NOENT},
        {ENOMEM, SM_WASI_NOMEM},       {ENOSPC, SM_WASI_NOSPC},
        {ENOTDIR, SM_WASI_NOTDIR},     {ENOTEMPTY, SM_WASI_NOTEMPTY},
        {EOPNOTSUPP, SM_WASI_NOTSUP},  {ENXIO, SM_WASI_NOTSUP},
        {EOVERFLOW, SM_WASI_OVERFLOW}, {EPERM, SM_WASI_PERM},
        {EROFS, SM_WASI_ROFS},         {ETXTBSY, SM_WASI_TXTBSY},
        {EXDEV, SM_WASI_XDEV},
    };

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].host == errno)
            return -numbers[i].wasi;
    return -SM_WASI_IO;
}

static int result(int n)
{
    return n < 0 ? failed() : n;
}

static int root(void *ctx, const char *name, bool write)
{
    const struct sm_wasi_dirs *dirs = ctx;

    for (size_t i = 0; i < dirs->n; i++)
        if (strcmp(dirs->dir[i].name, name) == 0)
            return write && dirs->dir[i].read_only
                       ? -SM_WASI_NOTCAPABLE
                       : result(open(dirs->dir[i].path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return -SM_WASI_NOENT;
}

static int dir(void *ctx, int from, const char *name)
{
    (void)ctx;
    return result(openat(from, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

static void close_handle(void *ctx, int handle)
{
    (void)ctx;
    close(handle);
}

static int link_text(void *ctx, int from, const char *name, char *text, size_t size)
{
    (void)ctx;
    return result((int)readlinkat(from, name, text, size));
}

static uint8_t type_of(mode_t mode)
{
    return S_ISREG(mode)   ? SM_WASI_REGULAR_FILE
           : S_ISDIR(mode) ? SM_WASI_DIRECTORY
           : S_ISLNK(mode) ? SM_WASI_SYMBOLIC_LINK
           : S_ISCHR(mode) ? SM_WASI_CHARACTER_DEVICE
                           : SM_WASI_UNKNOWN;
}

static int open_file(void *ctx, int from, const char *name, unsigned how, uint8_t *type)
{
    int flags = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    struct stat s;

    (void)ctx;
    flags |= !(how & SM_WASI_WRITE) ? O_RDONLY : how & SM_WASI_READ ? O_RDWR : O_WRONLY;
    flags |= how & SM_WASI_CREATE ? O_CREAT : 0;
    flags |= how & SM_WASI_EXCLUSIVE ? O_EXCL : 0;
    flags |= how & SM_WASI_TRUNCATE ? O_TRUNC : 0;
    flags |= how & SM_WASI_ONLY_DIRECTORY ? O_DIRECTORY : 0;
    int fd = openat(from, name, flags, 0666);
    if (fd < 0)
        return failed();
    if (fstat(fd, &s) != 0 || (!S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode))) {
        close(fd);
        return -SM_WASI_NOTSUP;
    }
    *type = type_of(s.st_mode);
    return fd;
}

static uint64_t nanoseconds(const struct timespec *t)
{
    return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_nsec;
}

static int put_stat(int err, const struct stat *s, struct sm_wasi_stat *out)
{
    if (err < 0)
        return failed();
    *out = (struct sm_wasi_stat){.dev = s->st_dev,
                                 .ino = s->st_ino,
                                 .nlink = s->st_nlink,
                                 .size = (uint64_t)s->st_size,
                                 .atim = nanoseconds(&s->st_atim),
                                 .mtim = nanoseconds(&s->st_mtim),
                                 .ctim = nanoseconds(&s->st_ctim),
                                 .type = type_of(s->st_mode)};
    return 0;
}

static int stat_handle(void *ctx, int handle, struct sm_wasi_stat *out)
{
    struct stat s;

    (void)ctx;
    return put_stat(fstat(handle, &s), &s, out);
}

static int stat_at(void *ctx, int from, const char *name, struct sm_wasi_stat *out)
{
    struct stat s;

    (void)ctx;
    return put_stat(fstatat(from, name, &s, AT_SYMLINK_NOFOLLOW), &s, out);
}

static struct timespec time_of(uint64_t ns, bool set, bool now)
{
    struct timespec t = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};

    if (!set)
        t.tv_nsec = now ? UTIME_NOW : UTIME_OMIT;
    return t;
}

static int set_times(void *ctx, int handle, const char *name, uint64_t atim, uint64_t mtim,
                     unsigned which)
{
    const struct timespec t[2] = {time_of(atim, which & SM_WASI_ATIM, which & SM_WASI_ATIM_NOW),
                                  time_of(mtim, which & SM_WASI_MTIM, which & SM_WASI_MTIM_NOW)};

    (void)ctx;
    return result(name != NULL ? utimensat(handle, name, t, AT_SYMLINK_NOFOLLOW)
                               : futimens(handle, t));
}

static int set_size(void *ctx, int handle, uint64_t size)
{
    (void)ctx;
    return size >> 63 ? -SM_WASI_FBIG : result(ftruncate(handle, (off_t)size));
}

static int read_at(void *ctx, int handle, void *buf, uint32_t len, uint64_t off)
{
    (void)ctx;
    return result((int)pread(handle, buf, len, (off_t)off));
}

static int write_at(void *ctx, int handle, const void *buf, uint32_t len, uint64_t off)
{
    const struct iovec iov = {(void *)(uintptr_t)buf, len};

    (void)ctx;
    return result((int)(off == SM_WASI_END ? pwritev2(handle, &iov, 1, 0, RWF_APPEND)
                                           : pwrite(handle, buf, len, (off_t)off)));
}

static int sync_handle(void *ctx, int handle, bool data_only)
{
    (void)ctx;
    return result(data_only ? fdatasync(handle) : fsync(handle));
}

/* What a directory's cookie is, the file system knows: it is where to read on. */
static int entry(void *ctx, int from, uint64_t cookie, struct sm_wasi_entry *out)
{
    union {
        struct dirent64 first;
        char room[sizeof(struct dirent64) + 8];
    } read;
    static const struct {
        unsigned char host, wasi;
    } types[] = {{DT_REG, SM_WASI_REGULAR_FILE},
                 {DT_DIR, SM_WASI_DIRECTORY},
                 {DT_LNK, SM_WASI_SYMBOLIC_LINK},
                 {DT_CHR, SM_WASI_CHARACTER_DEVICE}};

    (void)ctx;
    if (lseek(from, (off_t)cookie, SEEK_SET) < 0)
        return failed();
    ssize_t n = getdents64(from, &read, sizeof read);
    if (n <= 0)
        return result((int)n);
    size_t len = strlen(read.first.d_name);
    *out = (struct sm_wasi_entry){.next = (uint64_t)read.first.d_off,
                                  .ino = read.first.d_ino,
                                  .type = SM_WASI_UNKNOWN,
                                  .len = (uint8_t)len};
    memcpy(out->name, read.first.d_name, len + 1);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].host == read.first.d_type)
            out->type = types[i].wasi;
    return 1;
}

static int make_dir(void *ctx, int from, const char *name)
{
    (void)ctx;
    return result(mkdirat(from, name, 0777));
}

static int remove_name(void *ctx, int from, const char *name, bool directory)
{
    (void)ctx;
    return result(unlinkat(from, name, directory ? AT_REMOVEDIR : 0));
}

static int rename_name(void *ctx, int from, const char *name, int to, const char *to_name)
{
    (void)ctx;
    return result(renameat(from, name, to, to_name));
}

static int link_name(void *ctx, int from, const char *name, int to, const char *to_name)
{
    (void)ctx;
    return result(linkat(from, name, to, to_name, 0));
}

static int symlink_name(void *ctx, const char *text, int from, const char *name)
{
    (void)ctx;
    return result(symlinkat(text, from, name));
}

struct sm_wasi_files sm_wasi_posix_files(const struct sm_wasi_dirs *dirs)
{
    return (struct sm_wasi_files){.ctx = (void *)(uintptr_t)dirs,
                                  .root = root,
                                  .dir = dir,
                                  .close = close_handle,
                                  .link_text = link_text,
                                  .open = open_file,
                                  .stat = stat_handle,
                                  .stat_at = stat_at,
                                  .set_times = set_times,
                                  .set_size = set_size,
                                  .read = read_at,
                                  .write = write_at,
                                  .sync = sync_handle,
                                  .entry = entry,
                                  .make_dir = make_dir,
                                  .remove = remove_name,
                                  .rename = rename_name,
                                  .link = link_name,
                                  .symlink = symlink_name};
}

int sm_wasi_posix_clock(void *ctx, enum sm_wasi_clock id, uint64_t *ns)
{
    struct timespec t;

    (void)ctx;
    if (clock_gettime(id == SM_WASI_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC, &t) != 0)
        return SM_ERR_IO;
    *ns = nanoseconds(&t);
    return 0;
}
