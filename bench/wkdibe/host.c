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
    int curve = 0, wanted = argc > 1 ? atoi(argv[1]) : -1;
    for (; operations[curve].name; curve++)
        if (wanted < 0)
            puts(operations[curve].name);
    for (int i = 0; wanted < 0 && scheme_operations[i].name; i++)
        puts(scheme_operations[i].name);
    if (wanted < 0)
        return 0;
    prepare();
    scheme_prepare();
    measured(wanted < curve ? &operations[wanted] : &scheme_operations[wanted - curve]);
    return 0;
}
