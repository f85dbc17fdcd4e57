/* Clock and entropy of a POSIX host.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/random.h>
#include <time.h>
#include <sandmote/error.h>
#include "system.h"

static uint64_t now_ms(void *ctx)
{
    struct timespec t;

    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail for this clock */
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int fill(void *ctx, void *buf, size_t len)
{
    uint8_t *p = buf;

    (void)ctx;
    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return SM_ERR_IO;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

const struct sm_clock sm_posix_clock = {NULL, now_ms};
const struct sm_entropy sm_posix_entropy = {NULL, fill};
