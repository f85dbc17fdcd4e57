/* A walk through memory: 8,192 links in random order over 64 KB, each adding to what it passes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

#define LINKS 8192

static struct {
    uint32_t next, value;
} links[LINKS];

/* Sattolo's shuffle: one cycle through all. */
static void shuffle(void)
{
    uint32_t seed = 1;

    for (uint32_t i = 0; i < LINKS; i++)
        links[i].next = i;
    for (uint32_t i = LINKS - 1; i > 0; i--) {
        uint32_t j = next_random(&seed) % i, kept = links[i].next;

        links[i].next = links[j].next;
        links[j].next = kept;
    }
}

int run(int n)
{
    uint32_t at = 0, sum = 0;

    shuffle();
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < LINKS; k++) {
            links[at].value += sum;
            sum += links[at].value ^ at;
            at = links[at].next;
        }
    }
    return (int)sum;
}
