/* What the core asks of a platform: flash, clock and entropy as structs of function pointers.
 *
 * A port is a const struct plus a context and must outlive everything it is handed to. Core code
 * calls nothing else of the platform, so tests own time, luck and power.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_PORT_H
#define SANDMOTE_PORT_H

#include <stddef.h>
#include <stdint.h>

/* NOR flash: sectors are erased whole to `erased` in every byte; a program changes bits only away
 * from the erased value and each program unit at most once after an erase.
 *
 * All functions return 0 or SM_ERR_IO; off and len stay inside sector_size * sector_count, and
 * program's off and len are multiples of program_size. A failed program or erase leaves the bytes
 * it touched undefined. */
struct sm_flash {
    void *ctx;
    uint32_t sector_size; /* bytes, a multiple of program_size */
    uint32_t sector_count;
    uint32_t program_size; /* bytes, a power of two, 1 to 32 */
    uint8_t erased;        /* 0xff or 0x00 */
    int (*read)(void *ctx, uint32_t off, void *buf, uint32_t len);
    int (*program)(void *ctx, uint32_t off, const void *buf, uint32_t len);
    int (*erase)(void *ctx, uint32_t off); /* the sector that starts at off */
    int (*sync)(void *ctx);                /* all before is durable when it returns 0 */
    /* The bytes at off in the address space, valid and current for the port's life; NULL on error.
     * Flash that is not memory mapped cannot hold modules (they execute in place). */
    const uint8_t *(*map)(void *ctx, uint32_t off, uint32_t len);
};

struct sm_clock {
    void *ctx;
    uint64_t (*now_ms)(void *ctx); /* monotonic milliseconds since any point before start */
};

struct sm_entropy {
    void *ctx;
    int (*fill)(void *ctx, void *buf, size_t len); /* 0 when every byte is random, or SM_ERR_IO */
};

#endif
