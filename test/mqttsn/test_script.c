/* Conversations with the client, one a file. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include "script.h"

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++)
        failed += script_run(argv[i]);
    printf("%d conversations, %d failed\n", argc - 1, failed);
    return failed != 0 || argc < 2;
}
