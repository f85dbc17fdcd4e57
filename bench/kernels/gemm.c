/* Matrix product in double precision: C = alpha A B + beta C, 48 by 48.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

#define N 48

static double a[N][N], b[N][N], c[N][N];

static void multiply(double alpha, double beta)
{
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++)
            c[i][j] *= beta;
        for (int k = 0; k < N; k++)
            for (int j = 0; j < N; j++)
                c[i][j] += alpha * a[i][k] * b[k][j];
    }
}

int run(int n)
{
    uint32_t seed = 1, sum = 0;

    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            a[i][j] = next_double(&seed);
            b[i][j] = next_double(&seed);
            c[i][j] = next_double(&seed);
        }
    }
    for (int i = 0; i < n; i++)
        multiply(0.75, 0.5);
    for (int i = 0; i < N; i++)
        sum = mix_double(sum, c[i][i]);
    return (int)sum;
}
