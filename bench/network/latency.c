/* How long network calls take a module and native code, with a delay between a message and its
 * answer: 1, 2, 4 ... 20 calls in a row, in turns.
 *
 * latency ROUNDS MILLISECONDS prints lines of "what TAB calls TAB native TAB module", microseconds,
 * the least of the rounds: others on the machine only add to it. Built with -DMODULE="stem"
 * (embed.h). Exit status 1 when a call does not end well.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include "embed.h"
#include "field.h"

EMBED_MODULE(module, MODULE);

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void wait_ns(uint64_t until)
{
    struct timespec t = {(time_t)(until / 1000000000u), (long)(until % 1000000000u)};

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* New sessions, with topics to publish to. */
static int begin(struct field *f, const char *name, uint32_t n)
{
    uint32_t delay_ns = f->delay_ns;
    bool good;

    f->delay_ns = 0;
    good = field_module(f, "restart", 0) == 1 && field_native(f, "restart", 0) == 1;
    if (good && name[0] == 'p')
        good = field_module(f, "register", n) == (int)n && field_native(f, "register", n) == (int)n;
    f->delay_ns = delay_ns;
    return good ? 0 : 1;
}

static int measure(struct field *f, const char *name, uint32_t n, unsigned rounds)
{
    uint64_t native = UINT64_MAX, module = UINT64_MAX;

    for (unsigned i = 0; i < rounds; i++) {
        if (begin(f, name, n) != 0)
            return 1;
        uint64_t start = now_ns();
        if (field_native(f, name, n) != (int)n)
            return 1;
        native = least(native, now_ns() - start);
        start = now_ns();
        if (field_module(f, name, n) != (int)n)
            return 1;
        module = least(module, now_ns() - start);
    }
    printf("%s\t%u\t%.1f\t%.1f\n", name, (unsigned)n, (double)native / 1000, (double)module / 1000);
    fflush(stdout);
    return 0;
}

int main(int argc, char **argv)
{
    static struct field f = {
        .now_ns = now_ns, .wait_ns = wait_ns, .engine = {EMBEDDED_MODULE(module)}};
    static const uint32_t calls[] = {1, 2, 4, 8, 12, 16, 20};
    static const char *const names[] = {"register", "publish 1", "publish 2"};
    unsigned rounds = argc == 3 ? (unsigned)atoi(argv[1]) : 0;

    if (rounds == 0) {
        fprintf(stderr, "usage: latency ROUNDS MILLISECONDS\n");
        return 64;
    }
    prctl(PR_SET_TIMERSLACK, 1);
    if (field_start(&f) != 0) {
        fprintf(stderr, "latency: cannot start\n");
        return 1;
    }
    f.delay_ns = (uint32_t)(atof(argv[2]) * 1e6);
    for (unsigned k = 0; k < 3; k++)
        for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++)
            if (measure(&f, names[k], calls[i], rounds) != 0) {
                fprintf(stderr, "latency: a call of %s did not end well\n", names[k]);
                return 1;
            }
    return 0;
}
