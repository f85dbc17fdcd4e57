/* From an instruction to its line of source, where a module carries DWARF.
 *
 * Only the line tables are read (.debug_line, versions 2 to 5, and the texts they point to). What
 * they say is the author's compiler's word and trusted no further than being printed.
 *
 * Source: DWARF 5, 6.2; "DWARF for WebAssembly": addresses count from the start of the code
 * section's content.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_POSIX_DEBUG_LINE_H
#define SM_POSIX_DEBUG_LINE_H

#include <stddef.h>
#include <stdint.h>

#define SM_DEBUG_PATH 512u

struct sm_debug_line {
    char path[SM_DEBUG_PATH]; /* printable ASCII, cut at its front when it is too long */
    uint32_t line, column;    /* 0: unknown */
};

/* The line of the instruction at an offset of the module's file. 0; SM_ERR_NOT_FOUND when nothing
 * is said of it; SM_ERR_MALFORMED when the tables are broken before it is found. */
int sm_debug_line(const uint8_t *wasm, size_t len, uint32_t offset, struct sm_debug_line *out);

#endif
