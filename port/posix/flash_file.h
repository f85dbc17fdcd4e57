/* Flash in a file: struct sm_flash for Linux and other POSIX hosts.
 *
 * The file is a header of 4096 bytes (doc/SPEC-store.md, "Flash file") and the flash's bytes. They
 * are mapped read-only for execution in place and written with pwrite; NOR rules are enforced. A
 * lock keeps a second process away; it ends with the process, however that ends.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_POSIX_FLASH_FILE_H
#define SM_POSIX_FLASH_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sandmote/error.h>
#include <sandmote/port.h>

#define SM_FLASH_FILE_HEADER 4096u

struct sm_flash_file_cfg {
    uint32_t sector_size; /* a multiple of program_size */
    uint32_t sector_count;
    uint32_t program_size; /* a power of two, 1 to 32 */
    uint8_t erased;        /* 0xff or 0x00 */
    bool executable;       /* map it so that machine code in it can run */
};

/* Hand out &f->flash; the rest is private. */
struct sm_flash_file {
    struct sm_flash flash;
    int fd;
    uint8_t *map; /* header and flash */
    size_t map_len;
    uint32_t since_from, since_to; /* what was changed since the last good sync */
    bool unsure;                   /* the last sync failed */
};

struct sm_flash_file_why {
    char text[512]; /* one sentence: which file, what is wrong */
};

/* Open a flash file, or make it, with all its blocks on the disk, when there is none or an empty
 * one. The file's geometry must be cfg's. It is made as PATH.part and renamed; what can be read
 * when this returns is on the disk.
 *
 * 0, or, with nothing held and why->text filled,
 *   SM_ERR_BUSY       another process has it open, or is making it
 *   SM_ERR_FULL       the disk has no room for it; nothing is left behind
 *   SM_ERR_INVALID    another geometry, or a file that is no flash file: unchanged
 *   SM_ERR_ARG        cfg is out of range
 *   SM_ERR_IO         it cannot be read and written */
int sm_flash_file_open(struct sm_flash_file *f, const char *path,
                       const struct sm_flash_file_cfg *cfg, struct sm_flash_file_why *why);

void sm_flash_file_close(struct sm_flash_file *f);

#endif
