/* What a measuring program needs of where it runs: counting instructions and a line of text. Two
 * ports: port_host.c single-steps on x86-64, m4/port.c is the emulated Cortex-M4.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_BENCH_PORT_H
#define SANDMOTE_BENCH_PORT_H

#include <stdint.h>

/* The program. Its result is the exit status. */
int bench_main(void);

/* Instructions that fn(ctx) executes. */
uint32_t port_count(void (*fn)(void *ctx), void *ctx);

/* Calls alarm(ctx) in the middle of fn(ctx), once fn has executed about `delay` instructions, at
 * least 1: the instructions from there to the end of fn; 0 when fn ended before. */
uint32_t port_count_after(void (*fn)(void *ctx), void (*alarm)(void *ctx), void *ctx,
                          uint32_t delay);

/* How many times a measurement may be repeated at little cost of time. */
extern const uint32_t port_moments;

void port_print(const char *text);
void port_print_u32(uint32_t value);

#endif
