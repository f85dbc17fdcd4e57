/* The kernel and the disk under one file, as the code that is linked with --wrap sees them.
 *
 * The real file has what any process reads (the page cache). Beside it is kept what is certain to
 * be on the disk, and every change since the last sync in pieces that no page border divides. When
 * power fails, each piece is kept, dropped or garbage, each for itself (SQLite's method), and a
 * rename is done or not. A sync that fails loses its pieces for ever, though every process goes on
 * reading them: Linux marks such pages clean.
 *
 * Calls can also be made to fail: the n-th one, or all from the n-th on.
 *
 * File-scope state, one file at a time: system calls take no context.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_TEST_DISK_H
#define SM_TEST_DISK_H

#include <stdbool.h>
#include <stdint.h>

enum { DISK_PIECES = 4096, DISK_PAGE = 4096, DISK_SECTOR = 512 };

enum disk_fate { DISK_KEPT, DISK_DROPPED, DISK_GARBAGE, DISK_FATES };

/* What a power cut leaves of the pieces. */
struct disk_outcome {
    uint8_t fate[DISK_PIECES];
    bool renamed;      /* a rename that is not certain yet is done */
    bool whole_sector; /* garbage takes the sectors of 512 bytes that its piece touches */
    uint32_t seed;     /* of the garbage */
};

enum disk_fault {
    DISK_EIO,
    DISK_ENOSPC,
    DISK_EINTR, /* a signal came: nothing was done, nothing is wrong */
    DISK_SHORT, /* reads and writes: half of it is done, nothing is wrong */
    DISK_DEAD,  /* EIO from then on */
    DISK_FAULTS
};

/* Watch the file of this path, there or not; all it has now is certain. at_sync is called before
 * each sync that has something to make certain, and may be NULL. */
void disk_watch(const char *path, void (*at_sync)(void));
void disk_stop(void);
/* A descriptor of that file which was opened before. */
void disk_adopt(int fd);

/* Pieces that a power cut now would decide about, and whether a rename. */
unsigned disk_pending(void);
bool disk_rename_pending(void);

/* Make the file that a power cut now would leave, under another path. NULL: all pieces are dropped
 * and the rename is not done. A file that was not renamed yet lies at PATH.part. */
void disk_crash(const struct disk_outcome *o, const char *path);

/* The calls from now on, counted from 0, and the one that fails. disk_fault_text() names it; NULL
 * when it was not reached, or when this fault cannot be of that call. */
void disk_fail(unsigned call, enum disk_fault fault);
unsigned disk_calls(void);
const char *disk_fault_text(void);

#endif
