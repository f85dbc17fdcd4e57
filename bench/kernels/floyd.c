/* Shortest paths between all pairs of 64 nodes after Floyd and Warshall, in integers.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

#define N 64

static int32_t weight[N][N], path[N][N];

static void shorten(void)
{
    for (int k = 0; k < N; k++)
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                int32_t via = path[i][k] + path[k][j];

                if (via < path[i][j])
                    path[i][j] = via;
            }
}

int run(int n)
{
    uint32_t seed = 1, sum = 0;

    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            weight[i][j] = i == j ? 0 : (int32_t)(next_random(&seed) % 1000) + 1;
    for (int round = 0; round < n; round++) {
        weight[round % N][round / N % N] += round;
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++)
                path[i][j] = weight[i][j];
        shorten();
        for (int i = 0; i < N; i++)
            sum = mix(sum, (uint32_t)path[i][N - 1 - i]);
    }
    return (int)sum;
}
