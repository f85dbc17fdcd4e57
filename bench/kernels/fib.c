/* Recursive Fibonacci numbers: calls and hardly anything else. A round is fib(20), 21,891 calls.
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
        sum = mix(sum, fib(20));
    return (int)sum;
}
