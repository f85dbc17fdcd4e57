/* LU decomposition without pivoting of a diagonally dominant matrix, 48 by 48 in double precision.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

#define N 48

static double original[N][N], a[N][N];

static void decompose(void)
{
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < i; j++) {
            for (int k = 0; k < j; k++)
                a[i][j] -= a[i][k] * a[k][j];
            a[i][j] /= a[j][j];
        }
        for (int j = i; j < N; j++)
            for (int k = 0; k < i; k++)
                a[i][j] -= a[i][k] * a[k][j];
    }
}

int run(int n)
{
    uint32_t seed = 1, sum = 0;

    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            original[i][j] = next_double(&seed) + (i == j ? N : 0);
    for (int round = 0; round < n; round++) {
        original[round % N][0] += 0.5;
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++)
                a[i][j] = original[i][j];
        decompose();
        sum = mix_double(sum, a[N - 1][N - 1]);
    }
    return (int)sum;
}
