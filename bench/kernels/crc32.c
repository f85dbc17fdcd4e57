/* CRC-32 (the reflected polynomial of zip and Ethernet) of 16 KB, byte by byte with a table.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

#define SIZE 16384

static uint32_t table[256];
static uint8_t data[SIZE];

static void make_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;

        for (int bit = 0; bit < 8; bit++)
            c = (c >> 1) ^ (0xedb88320u & (0u - (c & 1)));
        table[i] = c;
    }
}

static uint32_t crc32(const uint8_t *p, uint32_t len)
{
    uint32_t c = 0xffffffffu;

    for (uint32_t i = 0; i < len; i++)
        c = (c >> 8) ^ table[(c ^ p[i]) & 0xff];
    return ~c;
}

int run(int n)
{
    uint32_t seed = 1, sum = 0;

    make_table();
    for (int i = 0; i < SIZE; i++)
        data[i] = (uint8_t)next_random(&seed);
    for (int i = 0; i < n; i++) {
        data[i % SIZE]++;
        sum = mix(sum, crc32(data, SIZE));
    }
    return (int)sum;
}
