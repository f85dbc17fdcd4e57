/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"
#include <stdlib.h>
#include <string.h>

void put(struct bytes *b, const void *from, size_t n)
{
    if (b->len + n > b->room) {
        b->room = 2 * (b->len + n);
        b->at = realloc(b->at, b->room);
    }
    memcpy(b->at + b->len, from, n);
    b->len += n;
}

void number(struct bytes *b, uint32_t v)
{
    for (; v >= 0x80; v >>= 7) {
        PUT(b, (uint8_t)(v | 0x80));
    }
    PUT(b, (uint8_t)v);
}

size_t open_part(struct bytes *b)
{
    PUT(b, 0x80, 0x80, 0x80, 0x80, 0);
    return b->len;
}

void close_part(struct bytes *b, size_t start)
{
    size_t n = b->len - start;

    for (int i = 0; i < 4; i++, n >>= 7) {
        b->at[start - 5 + (size_t)i] = (uint8_t)(n | 0x80);
    }
}

size_t open_section(struct bytes *b, uint8_t id)
{
    PUT(b, id);
    return open_part(b);
}
