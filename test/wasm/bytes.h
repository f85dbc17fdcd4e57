/* Modules written byte by byte, for tests of what no text format says.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_WASM_BYTES_H
#define TEST_WASM_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* Bytes in the making. The caller frees `at`. */
struct bytes {
    uint8_t *at;
    size_t len, room;
};

void put(struct bytes *b, const void *from, size_t n);
#define PUT(b, ...)                                                                                \
    do {                                                                                           \
        const uint8_t list[] = {__VA_ARGS__};                                                      \
        put((b), list, sizeof(list));                                                              \
    } while (0)

/* An unsigned number in LEB128. */
void number(struct bytes *b, uint32_t v);

/* A section or body: room for its length, which close_part() fills in. */
size_t open_part(struct bytes *b);
size_t open_section(struct bytes *b, uint8_t id);
void close_part(struct bytes *b, size_t start);

#endif
