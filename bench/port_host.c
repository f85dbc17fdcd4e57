/* Counting on x86-64 Linux: the processor's trap flag raises a signal after every instruction.
 *
 * A signal handler has no argument to find its state by, hence `step`.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "port.h"

#ifndef __x86_64__
#error "counts by the trap flag of x86-64"
#endif

const uint32_t port_moments = 6; /* a signal an instruction is slow */

static struct {
    uint32_t count, at; /* at: when the alarm goes off */
    void (*alarm)(void *ctx);
    void *ctx;
} step;

static void on_step(int signal)
{
    (void)signal;
    if (++step.count == step.at)
        step.alarm(step.ctx);
}

/* Instructions from set to cleared flag. */
static uint32_t steps(void (*fn)(void *ctx), void *ctx)
{
    struct sigaction action = {.sa_handler = on_step, .sa_flags = SA_ONSTACK}, before;

    sigaction(SIGTRAP, &action, &before);
    step.count = 0;
    __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
    fn(ctx);
    __asm__ volatile("pushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
    sigaction(SIGTRAP, &before, NULL);
    return step.count;
}

static void nothing(void *ctx)
{
    (void)ctx;
}

uint32_t port_count(void (*fn)(void *ctx), void *ctx)
{
    step.at = 0;
    return steps(fn, ctx) - steps(nothing, NULL);
}

uint32_t port_count_after(void (*fn)(void *ctx), void (*alarm)(void *ctx), void *ctx,
                          uint32_t delay)
{
    uint32_t all;

    step.at = delay;
    step.alarm = alarm;
    step.ctx = ctx;
    all = steps(fn, ctx);
    step.at = 0;
    return all > delay ? all - delay : 0;
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
    static uint8_t handlers[65536]; /* native images have stacks without room for a handler */
    stack_t stack = {.ss_sp = handlers, .ss_size = sizeof handlers};

    sigaltstack(&stack, NULL);
    return bench_main();
}
