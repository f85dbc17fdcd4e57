/* The wrapped system calls (disk.h). SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "disk.h"

struct piece {
    uint64_t at;
    uint32_t len;
    uint8_t *bytes; /* NULL: the file's length becomes `at` */
};

static struct {
    bool watching;
    char path[128], part[136];
    int fd, folder;         /* of the watched file and its folder while they are open, or -1 */
    bool named, sure_named; /* the file has its name: now, and for certain */
    uint8_t *sure;
    uint64_t sure_len;
    struct piece piece[DISK_PIECES];
    unsigned npieces;
    void (*at_sync)(void);

    unsigned calls, fail_at;
    enum disk_fault fault;
    char failed[80];
} k = {.fd = -1, .folder = -1};

/* The calls as they are; those of this file too would else be taken for the product's. */
int __real_open(const char *path, int flags, ...);
int __real_close(int fd);
int __real_fstat(int fd, struct stat *st);
int __real_flock(int fd, int what);
ssize_t __real_read(int fd, void *buf, size_t len);
ssize_t __real_write(int fd, const void *buf, size_t len);
ssize_t __real_pread(int fd, void *buf, size_t len, off_t at);
ssize_t __real_pwrite(int fd, const void *buf, size_t len, off_t at);
int __real_fsync(int fd);
int __real_fdatasync(int fd);
int __real_ftruncate(int fd, off_t len);
int __real_posix_fallocate(int fd, off_t at, off_t len);
void *__real_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
int __real_munmap(void *at, size_t len);
int __real_unlink(const char *path);
int __real_rename(const char *from, const char *to);

static void need(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "disk: %s\n", what);
    abort();
}

/* ---- What is certain ------------------------------------------------------------------------- */

static void forget_pieces(void)
{
    for (unsigned i = 0; i < k.npieces; i++)
        free(k.piece[i].bytes);
    k.npieces = 0;
}

static void set_length(uint8_t **bytes, uint64_t *len, uint64_t want)
{
    *bytes = realloc(*bytes, want + 1);
    need(*bytes != NULL, "no memory");
    if (want > *len)
        memset(*bytes + *len, 0, want - *len);
    *len = want;
}

static uint32_t next(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void garble(uint8_t **bytes, uint64_t *len, const struct piece *p, bool whole_sector,
                   uint32_t *seed)
{
    uint64_t from = p->at, to = p->at + p->len;

    if (whole_sector) {
        from = from / DISK_SECTOR * DISK_SECTOR;
        to = (to + DISK_SECTOR - 1) / DISK_SECTOR * DISK_SECTOR;
    }
    if (to > *len)
        set_length(bytes, len, to);
    for (uint64_t i = from; i < to; i++)
        (*bytes)[i] = (uint8_t)(next(seed) >> 11);
}

static void apply(uint8_t **bytes, uint64_t *len, const struct piece *p)
{
    if (p->bytes == NULL || p->at + p->len > *len)
        set_length(bytes, len, p->at + p->len);
    if (p->bytes != NULL)
        memcpy(*bytes + p->at, p->bytes, p->len);
}

static void settle_pieces(void)
{
    for (unsigned i = 0; i < k.npieces; i++)
        apply(&k.sure, &k.sure_len, &k.piece[i]);
    forget_pieces();
}

static void add_piece(uint64_t at, uint32_t len, const uint8_t *bytes)
{
    need(k.npieces < DISK_PIECES, "more changes than there is room for without a sync");
    struct piece *p = &k.piece[k.npieces++];
    *p = (struct piece){at, len, bytes ? malloc(len + 1) : NULL};
    if (bytes)
        memcpy(p->bytes, bytes, len);
}

static void written(uint64_t at, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        uint32_t room = DISK_PAGE - (uint32_t)(at % DISK_PAGE);
        uint32_t n = len < room ? (uint32_t)len : room;
        add_piece(at, n, bytes);
        at += n;
        bytes += n;
        len -= n;
    }
}

static void load_sure(const char *path)
{
    struct stat st;
    int fd = __real_open(path, O_RDONLY);

    k.sure_len = 0;
    if (fd < 0)
        return;
    need(__real_fstat(fd, &st) == 0, "cannot read the watched file");
    set_length(&k.sure, &k.sure_len, (uint64_t)st.st_size);
    need(__real_pread(fd, k.sure, k.sure_len, 0) == st.st_size, "cannot read the watched file");
    __real_close(fd);
}

void disk_watch(const char *path, void (*at_sync)(void))
{
    forget_pieces();
    snprintf(k.path, sizeof k.path, "%s", path);
    snprintf(k.part, sizeof k.part, "%s.part", path);
    k.named = k.sure_named = access(path, F_OK) == 0;
    load_sure(k.named ? k.path : k.part);
    k.at_sync = at_sync;
    k.fd = k.folder = -1;
    k.watching = true;
    disk_fail(UINT32_MAX, DISK_EIO);
}

void disk_stop(void)
{
    k.watching = false;
}

void disk_adopt(int fd)
{
    k.fd = fd;
}

unsigned disk_pending(void)
{
    return k.npieces;
}

bool disk_rename_pending(void)
{
    return k.named != k.sure_named;
}

void disk_crash(const struct disk_outcome *o, const char *path)
{
    char part[160];
    uint64_t len = k.sure_len;
    uint8_t *bytes = malloc(len + 1);
    uint32_t seed = o ? o->seed | 1 : 1;

    snprintf(part, sizeof part, "%s.part", path);
    need(bytes != NULL, "no memory");
    if (len > 0)
        memcpy(bytes, k.sure, len);
    for (unsigned i = 0; o != NULL && i < k.npieces; i++) {
        const struct piece *p = &k.piece[i];
        if (o->fate[i] == DISK_KEPT)
            apply(&bytes, &len, p);
        else if (o->fate[i] == DISK_GARBAGE && p->bytes != NULL)
            garble(&bytes, &len, p, o->whole_sector, &seed);
    }
    bool named = k.sure_named || (o != NULL && o->renamed && k.named);
    __real_unlink(path);
    __real_unlink(part);
    int fd = __real_open(named ? path : part, O_WRONLY | O_CREAT, 0600);
    need(fd >= 0 && __real_write(fd, bytes, len) == (ssize_t)len, "cannot make a crashed file");
    __real_close(fd);
    free(bytes);
}

/* ---- Calls that fail ------------------------------------------------------------------------- */

static const int errnos[DISK_FAULTS] = {EIO, ENOSPC, EINTR, 0, EIO};
static const char *const names[DISK_FAULTS] = {"EIO", "ENOSPC", "EINTR", "half of it",
                                               "EIO from then on"};

void disk_fail(unsigned call, enum disk_fault fault)
{
    k.calls = 0;
    k.fail_at = call;
    k.fault = fault;
    k.failed[0] = 0;
}

unsigned disk_calls(void)
{
    return k.calls;
}

const char *disk_fault_text(void)
{
    return k.failed[0] ? k.failed : NULL;
}

/* What a signal never interrupts. */
static bool goes_through(const char *name)
{
    static const char *const all[] = {"fstat", "mmap", "munmap", "unlink", "rename"};

    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(name, all[i]) == 0)
            return true;
    return false;
}

/* Whether this call fails, and then errno; a short one does not fail. */
static bool fails(const char *name)
{
    if (!k.watching)
        return false;
    unsigned n = k.calls++;
    if (k.fault == DISK_SHORT || (k.fault == DISK_EINTR && goes_through(name)) || n < k.fail_at ||
        (n > k.fail_at && k.fault != DISK_DEAD))
        return false;
    if (n == k.fail_at)
        snprintf(k.failed, sizeof k.failed, "call %u, %s: %s", n, name, names[k.fault]);
    errno = errnos[k.fault];
    return true;
}

/* How much of it a read or write that comes after fails() does. */
static size_t part_of(const char *name, size_t len)
{
    if (!k.watching || k.fault != DISK_SHORT || k.calls - 1 != k.fail_at || len < 2)
        return len;
    snprintf(k.failed, sizeof k.failed, "call %u, %s: %s", k.fail_at, name, names[k.fault]);
    return len / 2;
}

/* ---- The calls ------------------------------------------------------------------------------- */

int __wrap_open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int mode = flags & O_CREAT ? va_arg(args, int) : 0;
    va_end(args);
    if (fails("open"))
        return -1;
    int fd = __real_open(path, flags, mode);
    if (fd < 0 || !k.watching)
        return fd;
    if (flags & O_DIRECTORY)
        k.folder = fd;
    else if (strcmp(path, k.path) == 0 || strcmp(path, k.part) == 0)
        k.fd = fd;
    return fd;
}

int __wrap_close(int fd)
{
    bool failed = fails("close");
    if (k.watching && fd == k.fd)
        k.fd = -1;
    if (k.watching && fd == k.folder)
        k.folder = -1;
    int r = __real_close(fd);
    if (failed)
        errno = errnos[k.fault];
    return failed ? -1 : r;
}

int __wrap_fstat(int fd, struct stat *st)
{
    return fails("fstat") ? -1 : __real_fstat(fd, st);
}

int __wrap_flock(int fd, int what)
{
    return fails("flock") ? -1 : __real_flock(fd, what);
}

ssize_t __wrap_read(int fd, void *buf, size_t len)
{
    return fails("read") ? -1 : __real_read(fd, buf, part_of("read", len));
}

ssize_t __wrap_pread(int fd, void *buf, size_t len, off_t at)
{
    return fails("pread") ? -1 : __real_pread(fd, buf, part_of("pread", len), at);
}

static void note_write(int fd, uint64_t at, const void *buf, ssize_t n)
{
    if (k.watching && fd == k.fd && n > 0)
        written(at, buf, (size_t)n);
}

ssize_t __wrap_pwrite(int fd, const void *buf, size_t len, off_t at)
{
    if (fails("pwrite"))
        return -1;
    ssize_t n = __real_pwrite(fd, buf, part_of("pwrite", len), at);
    note_write(fd, (uint64_t)at, buf, n);
    return n;
}

ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
    if (fails("write"))
        return -1;
    off_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t n = __real_write(fd, buf, part_of("write", len));
    note_write(fd, (uint64_t)at, buf, n);
    return n;
}

static int sync_call(const char *name, int fd, int (*real)(int))
{
    bool file = k.watching && fd == k.fd && k.npieces > 0;
    bool folder = k.watching && fd == k.folder && disk_rename_pending();

    if ((file || folder) && k.at_sync)
        k.at_sync();
    if (fails(name)) {
        if (file && k.fault != DISK_EINTR)
            forget_pieces();
        return -1;
    }
    if (file)
        settle_pieces();
    if (folder)
        k.sure_named = k.named;
    return real(fd);
}

int __wrap_fsync(int fd)
{
    return sync_call("fsync", fd, __real_fsync);
}

int __wrap_fdatasync(int fd)
{
    return sync_call("fdatasync", fd, __real_fdatasync);
}

int __wrap_ftruncate(int fd, off_t len)
{
    if (fails("ftruncate"))
        return -1;
    if (k.watching && fd == k.fd)
        add_piece((uint64_t)len, 0, NULL);
    return __real_ftruncate(fd, len);
}

int __wrap_posix_fallocate(int fd, off_t at, off_t len)
{
    if (fails("posix_fallocate"))
        return errnos[k.fault];
    int err = __real_posix_fallocate(fd, at, len);
    if (!err && k.watching && fd == k.fd)
        add_piece((uint64_t)(at + len), 0, NULL);
    return err;
}

void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off)
{
    return fails("mmap") ? MAP_FAILED : __real_mmap(at, len, prot, flags, fd, off);
}

int __wrap_munmap(void *at, size_t len)
{
    bool failed = fails("munmap");
    int r = __real_munmap(at, len);
    return failed ? -1 : r;
}

int __wrap_unlink(const char *path)
{
    if (fails("unlink"))
        return -1;
    int r = __real_unlink(path);
    if (r == 0 && k.watching && strcmp(path, k.part) == 0) {
        forget_pieces();
        k.sure_len = 0;
    }
    return r;
}

int __wrap_rename(const char *from, const char *to)
{
    if (fails("rename"))
        return -1;
    int r = __real_rename(from, to);
    if (r == 0 && k.watching && strcmp(to, k.path) == 0)
        k.named = true;
    return r;
}
