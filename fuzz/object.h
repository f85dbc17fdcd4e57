/* What the fuzz targets of signed objects have in common: the input is an object, or changes some
 * bytes of a good one, by its first bit.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_FUZZ_OBJECT_H
#define SM_FUZZ_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef void fuzz_check(const uint8_t *bytes, size_t len);

/* The input is an object: check it. False when it is to change a good one. */
static inline bool fuzz_as_it_is(const uint8_t *data, size_t len, fuzz_check *check)
{
    if (len > 0 && (data[0] & 1))
        return false;
    uint8_t *copy = malloc(len ? len : 1); /* exact: the sanitizer sees a read beyond it */
    if (len > 0)
        memcpy(copy, data + 1, len - 1);
    check(copy, len ? len - 1 : 0);
    free(copy);
    return true;
}

/* Change bytes of a good object of at most 256 bytes: pairs of place and value. */
static inline void fuzz_change(uint8_t *bytes, unsigned n, const uint8_t *data, size_t len)
{
    for (size_t i = 1; i + 1 < len; i += 2)
        bytes[data[i] % n] = data[i + 1];
}

#endif
