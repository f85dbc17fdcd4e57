/* What is measured of wildcard encryption: operations by name. host.c runs one, for callgrind; m4.c
 * counts all on the emulated Cortex-M4.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_OPERATIONS_H
#define BENCH_OPERATIONS_H

struct operation {
    const char *name;
    void (*run)(void *ctx); /* ctx is not used */
};
/* Of the curve, and of the scheme with eight slots; the last of each has no name. */
extern const struct operation operations[], scheme_operations[];

/* Makes what they take. */
void prepare(void);
void scheme_prepare(void);

#endif
