/* The little of ELF and DWARF that packing needs. SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_AOT_ELF_H
#define SM_AOT_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A linked file in memory, 32 or 64 bits, little-endian. */
struct elf {
    const uint8_t *bytes;
    size_t len;
    bool wide;
    uint64_t sections;
    uint32_t nsections, names;
};
struct elf_section {
    const uint8_t *bytes;
    uint64_t address, size, entry_size;
    uint32_t type, link;
    const char *name;
};

bool elf_open(struct elf *e, const uint8_t *bytes, size_t len);
bool elf_section(const struct elf *e, const char *name, struct elf_section *out);
/* The value of a symbol (with bit 0 set for Thumb code). */
bool elf_symbol(const struct elf *e, const char *name, uint32_t *value);

/* Rows of the line table (DWARF 4, .debug_line), in the order in which they stand. */
struct line_row {
    uint32_t address, line;
};
/* Their number; *rows is allocated. -1 when the table cannot be read. */
long elf_lines(const struct elf *e, struct line_row **rows);

#endif
