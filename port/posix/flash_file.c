/* Flash in a file (flash_file.h says what it promises).
 *
 * A file under construction has zeros where the header will be; the header is written last, after
 * everything else is on the disk, so a making that was cut short is simply begun again.
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

static int file_program(void *ctx, uint32_t off, const void *buf, uint32_t len)
{
    const struct sm_flash_file *f = ctx;
    uint32_t unit = f->flash.program_size;

    if (!inside(f, off, len) || off % unit != 0 || len % unit != 0)
        return SM_ERR_IO;
    for (uint32_t i = 0; i < len; i++)
        if (flash_bytes(f)[off + i] != f->flash.erased)
            return SM_ERR_IO; /* real flash would not take it either */
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
    const struct sm_flash_file *f = ctx;
    uint32_t sector = f->flash.sector_size;

    if (!inside(f, off, sector) || off % sector != 0)
        return SM_ERR_IO;
    return fill(f->fd, f->flash.erased, sector, (off_t)SM_FLASH_FILE_HEADER + off);
}

static int file_sync(void *ctx)
{
    const struct sm_flash_file *f = ctx;

    return fdatasync(f->fd) == 0 ? 0 : SM_ERR_IO;
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
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return SM_ERR_IO;
    int err = fsync(fd) == 0 ? 0 : SM_ERR_IO;
    close(fd);
    return err;
}

/* Give the file its size and blocks, so that the disk cannot be full later. */
static int make(int fd, const char *path, const struct sm_flash_file_cfg *cfg,
                struct sm_flash_file_why *why)
{
    uint64_t size = (uint64_t)cfg->sector_size * cfg->sector_count;
    uint8_t header[28];
    int no = posix_fallocate(fd, 0, (off_t)(SM_FLASH_FILE_HEADER + size));

    if (no != 0) {
        if (ftruncate(fd, 0) == 0 && no == ENOSPC)
            (void)unlink(path);
        return fail(why, no == ENOSPC ? SM_ERR_FULL : SM_ERR_IO, "%s: no room for %llu bytes: %s",
                    path, (unsigned long long)size, strerror(no));
    }
    header_bytes(cfg, header);
    if (fill(fd, cfg->erased, size, SM_FLASH_FILE_HEADER) != 0 || fsync(fd) != 0 ||
        write_all(fd, header, sizeof header, 0) != 0 || fsync(fd) != 0 || sync_folder(path) != 0)
        return fail(why, SM_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
    return 0;
}

/* What the file is: 1 a flash file of this geometry, 0 to be made, or an error. */
static int examine(int fd, const char *path, const struct sm_flash_file_cfg *cfg,
                   struct sm_flash_file_why *why)
{
    static const uint8_t zeros[28];
    uint8_t want[28], have[28] = {0};
    struct stat st;
    uint64_t size = (uint64_t)cfg->sector_size * cfg->sector_count + SM_FLASH_FILE_HEADER;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return fail(why, SM_ERR_IO, "%s: not a regular file", path);
    if (pread(fd, have, sizeof have, 0) < 0)
        return fail(why, SM_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
    if (st.st_size == 0 || (memcmp(have, zeros, sizeof zeros) == 0 && (uint64_t)st.st_size == size))
        return 0;
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
    return 1;
}

static int open_locked(struct sm_flash_file *f, const char *path,
                       const struct sm_flash_file_cfg *cfg, struct sm_flash_file_why *why)
{
    if (flock(f->fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK
                   ? fail(why, SM_ERR_BUSY, "%s: another process uses this flash file", path)
                   : fail(why, SM_ERR_IO, "%s: cannot be locked: %s", path, strerror(errno));
    int err = examine(f->fd, path, cfg, why);
    if (err == 0)
        err = make(f->fd, path, cfg, why);
    if (err < 0)
        return err;
    f->map_len = SM_FLASH_FILE_HEADER + (size_t)cfg->sector_size * cfg->sector_count;
    int prot = PROT_READ | (cfg->executable ? PROT_EXEC : 0);
    f->map = mmap(NULL, f->map_len, prot, MAP_SHARED, f->fd, 0);
    if (f->map == MAP_FAILED)
        return fail(why, SM_ERR_IO, "%s: cannot be mapped: %s", path, strerror(errno));
    return 0;
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
    f->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (f->fd < 0)
        return fail(why, SM_ERR_IO, "%s: cannot be opened for writing: %s", path, strerror(errno));
    int err = open_locked(f, path, cfg, why);
    if (err) {
        close(f->fd);
        f->fd = -1;
        return err;
    }
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
