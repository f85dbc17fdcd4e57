/* Time in the place of instructions, for programs that were written to count them: what
 * port_count() gives is nanoseconds of this thread's processor time. Whoever wants the best of
 * several runs the program several times.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <stdio.h>
#include <time.h>
#include "port.h"

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint32_t port_count(void (*fn)(void *ctx), void *ctx)
{
    uint64_t start = now_ns();

    fn(ctx);
    return (uint32_t)(now_ns() - start);
}

void port_print(const char *text)
{
    fputs(text, stdout);
}

void port_print_u32(uint32_t value)
{
    printf("%u", (unsigned)value);
}

int main(void)
{
    return bench_main();
}
