/* A module of WASI that is no command: its files are there once _initialize has run.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

__attribute__((export_name("tick"))) void tick(void)
{
    int fd = open("/data/ticks", O_WRONLY | O_CREAT | O_APPEND, 0644);

    if (fd < 0 || write(fd, "tick\n", 5) != 5)
        __builtin_trap();
    close(fd);
    puts("ticked");
}
