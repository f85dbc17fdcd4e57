/* Recursive Fibonacci numbers: calls and hardly anything else. A round is fib(20), 21,891 calls, or
 * fib(21); which of them depends on the round before, so that no compiler does it once for all.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

__attribute__((noinline)) static uint32_t fib(uint32_t n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

int run(int n)
{
    uint32_t sum = 0;

    for (int i = 0; i < n; i++)
        sum = mix(sum, fib(20 + (sum & 1)));
    return (int)sum;
}
