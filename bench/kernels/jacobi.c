/* Jacobi's iteration on a plane: each point becomes the mean of itself and its four neighbours,
 * there and back, 56 by 56 in double precision.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

#define N 56

static double here[N][N], there[N][N];

static void relax(double to[N][N], double from[N][N])
{
    for (int i = 1; i < N - 1; i++)
        for (int j = 1; j < N - 1; j++)
            to[i][j] = 0.2 * (from[i][j] + from[i][j - 1] + from[i][j + 1] + from[i - 1][j] +
                              from[i + 1][j]);
}

int run(int n)
{
    uint32_t seed = 1, sum = 0;

    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            here[i][j] = there[i][j] = next_double(&seed);
    for (int round = 0; round < n; round++) {
        relax(there, here);
        relax(here, there);
    }
    for (int i = 0; i < N; i++)
        sum = mix_double(sum, here[i][N - 1 - i]);
    return (int)sum;
}
