/* Vectors are written in hex.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_TEST_TRUST_HEX_H
#define SM_TEST_TRUST_HEX_H

#include <stdint.h>
#include <stdlib.h>

/* The bytes, and how many there are. */
static inline size_t hex_decode(const char *hex, uint8_t *out)
{
    size_t n = 0;

    for (; *hex; hex += 2) {
        const char two[3] = {hex[0], hex[1], 0};
        out[n++] = (uint8_t)strtoul(two, NULL, 16);
    }
    return n;
}

#endif
