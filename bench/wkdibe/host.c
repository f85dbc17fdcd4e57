/* host: prints the operations' names. host N: runs operation N inside measured(), for callgrind.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include "operations.h"

__attribute__((noinline)) void measured(const struct operation *operation)
{
    operation->run(NULL);
    __asm__ volatile(""); /* what is measured ends in here */
}

int main(int argc, char **argv)
{
    if (argc == 1) {
        for (int i = 0; operations[i].name; i++)
            puts(operations[i].name);
        return 0;
    }
    prepare();
    measured(&operations[atoi(argv[1])]);
    return 0;
}
