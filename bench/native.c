/* A kernel as a program of its own: prints what `sandmote run` prints for its result.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

int run(int n);

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s ROUNDS\n", argv[0]);
        return 64;
    }
    printf("i32:%d\n", run(atoi(argv[1])));
    return 0;
}
