/* Flash in a file (flash_file.h says what it promises).
 *
 * A file is made under another name, PATH.part, and gets its own when all of it is on the disk: a
 * making that was cut short is simply begun again. Its lock goes along with it.
 *
 * What was written since the last good sync is remembered (since_from, since_to). A failed sync
 * leaves the kernel's pages as if they were clean, so that the next one would succeed without
 * having written them: before that one, all since the last good sync is written again.
 *
 * What a process before us wrote and did not live to sync can be read but is not on the disk yet;
 * opening makes it so, before anybody acts on it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "flash_file.h"

#define FORMAT 1u
static const char magic[8] = "SMFLASH";

static int fail(struct sm_flash_file_why *why, int err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
    return err;
}

/* ---- The flash functions --------------------------------------------------------------------- */

static const uint8_t *flash_bytes(const struct sm_flash_file *f)
{
    return f->map + SM_FLASH_FILE_HEADER;
}

static bool inside(const struct sm_flash_file *f, uint32_t off, uint32_t len)
{
    uint64_t size = (uint64_t)f->flash.sector_size * f->flash.sector_count;

    return off <= size && len <= size - off;
}

/* fsync and fdatasync, to the end. */
static int sync_fd(int fd, int (*sync)(int))
{
    int r;

    do
        r = sync(fd);
    while (r < 0 && errno == EINTR);
    return r == 0 ? 0 : SM_ERR_IO;
}

static int open_fd(const char *path, int flags)
{
    int fd;

    do
        fd = open(path, flags | O_CLOEXEC, 0600);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static int write_all(int fd, const uint8_t *p, size_t len, off_t at)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, p, len, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return SM_ERR_IO;
        p += n;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

static int file_read(void *ctx, uint32_t off, void *buf, uint32_t len)
{
    const struct sm_flash_file *f = ctx;

    if (!inside(f, off, len))
        return SM_ERR_IO;
    memcpy(buf, flash_bytes(f) + off, len);
    return 0;
}

static void note_change(struct sm_flash_file *f, uint32_t off, uint32_t len)
{
    if (f->since_to == 0 || off < f->since_from)
        f->since_from = off;
    if (off + len > f->since_to)
        f->since_to = off + len;
}

static int file_program(void *ctx, uint32_t off, const void *buf, uint32_t len)
{
    struct sm_flash_file *f = ctx;
    uint32_t unit = f->flash.program_size;

    if (!inside(f, off, len) || off % unit != 0 || len % unit != 0)
        return SM_ERR_IO;
    for (uint32_t i = 0; i < len; i++)
        if (flash_bytes(f)[off + i] != f->flash.erased)
            return SM_ERR_IO; /* real flash would not take it either */
    note_change(f, off, len);
    return write_all(f->fd, buf, len, (off_t)SM_FLASH_FILE_HEADER + off);
}

static int fill(int fd, uint8_t value, uint64_t len, off_t at)
{
    uint8_t piece[65536];
    int err = 0;

    memset(piece, value, sizeof piece);
    while (len > 0 && !err) {
        size_t n = len < sizeof piece ? (size_t)len : sizeof piece;
        err = write_all(fd, piece, n, at);
        at += (off_t)n;
        len -= n;
    }
    return err;
}

static int file_erase(void *ctx, uint32_t off)
{
    struct sm_flash_file *f = ctx;
    uint32_t sector = f->flash.sector_size;

    if (!inside(f, off, sector) || off % sector != 0)
        return SM_ERR_IO;
    note_change(f, off, sector);
    return fill(f->fd, f->flash.erased, sector, (off_t)SM_FLASH_FILE_HEADER + off);
}

/* Write again what is there already: the kernel has to take it for changed. */
static int write_again(const struct sm_flash_file *f)
{
    uint8_t piece[65536];
    uint32_t n;
    int err = 0;

    for (uint32_t off = f->since_from; off < f->since_to && !err; off += n) {
        n = f->since_to - off < sizeof piece ? f->since_to - off : sizeof piece;
        memcpy(piece, flash_bytes(f) + off, n);
        err = write_all(f->fd, piece, n, (off_t)SM_FLASH_FILE_HEADER + off);
    }
    return err;
}

static int file_sync(void *ctx)
{
    struct sm_flash_file *f = ctx;
    int err = f->unsure ? write_again(f) : 0;

    if (!err)
        err = sync_fd(f->fd, fdatasync);
    f->unsure = err != 0;
    if (!err)
        f->since_from = f->since_to = 0;
    return err;
}

static const uint8_t *file_map(void *ctx, uint32_t off, uint32_t len)
{
    const struct sm_flash_file *f = ctx;

    return inside(f, off, len) ? flash_bytes(f) + off : NULL;
}

/* ---- Open ------------------------------------------------------------------------------------ */

static void put_u32(uint8_t *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static uint32_t get_u32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void header_bytes(const struct sm_flash_file_cfg *cfg, uint8_t out[28])
{
    memcpy(out, magic, 8);
    put_u32(out + 8, FORMAT);
    put_u32(out + 12, cfg->sector_size);
    put_u32(out + 16, cfg->sector_count);
    put_u32(out + 20, cfg->program_size);
    put_u32(out + 24, cfg->erased);
}

static int sync_folder(const char *path)
{
    char copy[4096];

    if (strlen(path) >= sizeof copy)
        return SM_ERR_IO;
    strcpy(copy, path);
    int fd = open_fd(dirname(copy), O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return SM_ERR_IO;
    int err = sync_fd(fd, fsync);
    close(fd);
    return err;
}

static int lock(int fd, const char *path, struct sm_flash_file_why *why)
{
    int r;

    do
        r = flock(fd, LOCK_EX | LOCK_NB);
    while (r < 0 && errno == EINTR);
    if (r == 0)
        return 0;
    return errno == EWOULDBLOCK
               ? fail(why, SM_ERR_BUSY, "%s: another process uses this flash file", path)
               : fail(why, SM_ERR_IO, "%s: cannot be locked: %s", path, strerror(errno));
}

/* Give the file its size and blocks, so that the disk cannot be full later. */
static int allocate(int fd, const char *path, uint64_t size, struct sm_flash_file_why *why)
{
    int no;

    do
        no = ftruncate(fd, 0) == 0 ? 0 : errno;
    while (no == EINTR);
    while (no == 0 || no == EINTR) {
        no = posix_fallocate(fd, 0, (off_t)(SM_FLASH_FILE_HEADER + size));
        if (no == 0)
            return 0;
    }
    return fail(why, no == ENOSPC ? SM_ERR_FULL : SM_ERR_IO, "%s: no room for %llu bytes: %s", path,
                (unsigned long long)size, strerror(no));
}

static int make(int fd, const char *path, const struct sm_flash_file_cfg *cfg,
                struct sm_flash_file_why *why)
{
    uint64_t size = (uint64_t)cfg->sector_size * cfg->sector_count;
    uint8_t header[28];
    int err = allocate(fd, path, size, why);

    if (err)
        return err;
    header_bytes(cfg, header);
    if (fill(fd, cfg->erased, size, SM_FLASH_FILE_HEADER) != 0 ||
        write_all(fd, header, sizeof header, 0) != 0 || sync_fd(fd, fsync) != 0)
        return fail(why, SM_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
    return 0;
}

/* Whether the file that fd is of still has that name: whoever had the lock before us may have given
 * it its own. */
static bool has_name(int fd, const char *path)
{
    struct stat of_fd, of_path;

    return fstat(fd, &of_fd) == 0 && stat(path, &of_path) == 0 && of_fd.st_dev == of_path.st_dev &&
           of_fd.st_ino == of_path.st_ino;
}

/* Make the file under its name for the time being, then give it its own. The descriptor, which
 * holds the lock, or an error. */
static int make_and_name(const char *path, const struct sm_flash_file_cfg *cfg,
                         struct sm_flash_file_why *why)
{
    char part[4096];

    if ((size_t)snprintf(part, sizeof part, "%s.part", path) >= sizeof part)
        return fail(why, SM_ERR_IO, "%s: the path is too long", path);
    int fd = open_fd(part, O_RDWR | O_CREAT);
    if (fd < 0)
        return fail(why, SM_ERR_IO, "%s: cannot be opened for writing: %s", part, strerror(errno));
    int err = lock(fd, path, why);
    if (!err && !has_name(fd, part))
        err = fail(why, SM_ERR_BUSY, "%s: another process has just made this flash file", path);
    if (err) {
        close(fd);
        return err;
    }
    err = make(fd, path, cfg, why);
    if (!err && (rename(part, path) != 0 || sync_folder(path) != 0))
        err = fail(why, SM_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
    if (!err)
        return fd;
    (void)unlink(part);
    close(fd);
    return err;
}

/* As many bytes as there are, up to len; SM_ERR_IO when they cannot be read. */
static int read_start(int fd, uint8_t *buf, size_t len)
{
    size_t got = 0;

    while (got < len) {
        ssize_t n = pread(fd, buf + got, len - got, (off_t)got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return SM_ERR_IO;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    return 0;
}

/* Whether the file is empty, or a flash file of this geometry; else an error. */
static int examine(int fd, const char *path, const struct sm_flash_file_cfg *cfg, bool *empty,
                   struct sm_flash_file_why *why)
{
    uint8_t want[28], have[28] = {0};
    struct stat st;
    uint64_t size = (uint64_t)cfg->sector_size * cfg->sector_count + SM_FLASH_FILE_HEADER;

    if (fstat(fd, &st) != 0)
        return fail(why, SM_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return fail(why, SM_ERR_IO, "%s: not a regular file", path);
    *empty = st.st_size == 0;
    if (*empty)
        return 0;
    if (read_start(fd, have, sizeof have) != 0)
        return fail(why, SM_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
    header_bytes(cfg, want);
    if (memcmp(have, magic, 8) != 0 || get_u32(have + 8) != FORMAT)
        return fail(why, SM_ERR_INVALID, "%s: not a flash file of format %u", path, FORMAT);
    if (memcmp(have, want, sizeof want) != 0)
        return fail(why, SM_ERR_INVALID,
                    "%s: has %u sectors of %u bytes, program unit %u, erased 0x%02x; configured "
                    "are %u of %u, %u, 0x%02x",
                    path, get_u32(have + 16), get_u32(have + 12), get_u32(have + 20),
                    get_u32(have + 24), cfg->sector_count, cfg->sector_size, cfg->program_size,
                    cfg->erased);
    if ((uint64_t)st.st_size != size)
        return fail(why, SM_ERR_INVALID, "%s: is %lld bytes long, %llu are needed", path,
                    (long long)st.st_size, (unsigned long long)size);
    return 0;
}

/* The file that is there, locked, and all of it on the disk. */
static int take(int fd, const char *path, const struct sm_flash_file_cfg *cfg, bool *empty,
                struct sm_flash_file_why *why)
{
    int err = lock(fd, path, why);

    if (!err)
        err = examine(fd, path, cfg, empty, why);
    /* Its name too; a folder that may not be read was synced by whoever could make the file. */
    if (!err && (sync_fd(fd, fdatasync) != 0 || (sync_folder(path) != 0 && errno != EACCES)))
        err = fail(why, SM_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
    return err;
}

/* The descriptor of a flash file of this geometry, ours alone; or an error. */
static int open_or_make(const char *path, const struct sm_flash_file_cfg *cfg,
                        struct sm_flash_file_why *why)
{
    bool empty = false;
    int fd = open_fd(path, O_RDWR);

    if (fd < 0)
        return errno == ENOENT ? make_and_name(path, cfg, why)
                               : fail(why, SM_ERR_IO, "%s: cannot be opened for writing: %s", path,
                                      strerror(errno));
    int err = take(fd, path, cfg, &empty, why);
    int made = !err && empty ? make_and_name(path, cfg, why) : 0;
    if (!err && !empty)
        return fd;
    close(fd);
    return err ? err : made;
}

static bool cfg_fits(const struct sm_flash_file_cfg *c)
{
    return c->program_size >= 1 && c->program_size <= 32 &&
           (c->program_size & (c->program_size - 1)) == 0 && c->sector_size > 0 &&
           c->sector_size % c->program_size == 0 && c->sector_count > 0 &&
           (uint64_t)c->sector_size * c->sector_count <= UINT32_MAX &&
           (c->erased == 0xff || c->erased == 0x00);
}

int sm_flash_file_open(struct sm_flash_file *f, const char *path,
                       const struct sm_flash_file_cfg *cfg, struct sm_flash_file_why *why)
{
    memset(f, 0, sizeof *f);
    f->fd = -1;
    if (!cfg_fits(cfg))
        return fail(why, SM_ERR_ARG,
                    "%s: a flash of %u sectors of %u bytes, program unit %u, "
                    "cannot be",
                    path, cfg->sector_count, cfg->sector_size, cfg->program_size);
    int fd = open_or_make(path, cfg, why);
    if (fd < 0)
        return fd;
    f->map_len = SM_FLASH_FILE_HEADER + (size_t)cfg->sector_size * cfg->sector_count;
    f->map =
        mmap(NULL, f->map_len, PROT_READ | (cfg->executable ? PROT_EXEC : 0), MAP_SHARED, fd, 0);
    if (f->map == MAP_FAILED) {
        int err = fail(why, SM_ERR_IO, "%s: cannot be mapped: %s", path, strerror(errno));
        close(fd);
        return err;
    }
    f->fd = fd;
    f->flash = (struct sm_flash){
        f,         cfg->sector_size, cfg->sector_count, cfg->program_size, cfg->erased,
        file_read, file_program,     file_erase,        file_sync,         file_map};
    return 0;
}

void sm_flash_file_close(struct sm_flash_file *f)
{
    if (f->fd < 0)
        return;
    munmap(f->map, f->map_len);
    close(f->fd);
    f->fd = -1;
}
