/* A C program with files on the emulated board: newlib's system calls by semihosting, a heap in
 * what the program leaves of the board's PSRAM, and main() with the words of the command line.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "board.h"

#define HEAP_END ((char *)0x22000000)
#define WORDS    256

extern char sm_board_bss_end[];

enum { SYS_OPEN = 1, SYS_CLOSE, SYS_WRITE = 5, SYS_READ, SYS_SEEK = 10, SYS_FLEN = 12 };
enum { SYS_GET_CMDLINE = 0x15 };

int main(int argc, char **argv);
int _open(const char *path, int flags, int mode);
int _close(int fd);
int _read(int fd, char *bytes, int len);
int _write(int fd, const char *bytes, int len);
int _lseek(int fd, int offset, int whence);
int _fstat(int fd, struct stat *st);
int _isatty(int fd);
void *_sbrk(ptrdiff_t more);
_Noreturn void _exit(int status);
int _kill(int pid, int sig);
int _getpid(void);

static int32_t semihost(uint32_t call, const uint32_t *block)
{
    register uint32_t r0 __asm__("r0") = call;
    register const uint32_t *r1 __asm__("r1") = block;

    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
}

static uint32_t word(const void *p)
{
    return (uint32_t)(uintptr_t)p;
}

/* The handles of standard input, output and error: ":tt" opened for reading, writing, appending. */
static int32_t standard[3];

static int32_t handle_of(int fd)
{
    return fd <= 2 ? standard[fd] : fd - 3;
}

static int32_t open_mode(const char *path, uint32_t mode)
{
    const uint32_t block[] = {word(path), mode, (uint32_t)strlen(path)};

    return semihost(SYS_OPEN, block);
}

int _open(const char *path, int flags, int mode)
{
    int32_t handle = open_mode(path, (flags & 3) == 0 ? 1 : 5); /* "rb" or "wb" */

    (void)mode;
    errno = handle < 0 ? ENOENT : 0;
    return handle < 0 ? -1 : (int)handle + 3;
}

int _close(int fd)
{
    const uint32_t block[] = {(uint32_t)handle_of(fd)};

    return semihost(SYS_CLOSE, block);
}

int _read(int fd, char *bytes, int len)
{
    const uint32_t block[] = {(uint32_t)handle_of(fd), word(bytes), (uint32_t)len};

    return len - semihost(SYS_READ, block);
}

/* All of it: QEMU's own standard output does not wait for who reads it. */
int _write(int fd, const char *bytes, int len)
{
    int left = len;

    while (left > 0) {
        const uint32_t block[] = {(uint32_t)handle_of(fd), word(bytes + (len - left)),
                                  (uint32_t)left};

        left = semihost(SYS_WRITE, block);
    }
    return len;
}

/* No file is sought in relative to where it is. */
int _lseek(int fd, int offset, int whence)
{
    const uint32_t which[] = {(uint32_t)handle_of(fd)};
    int at = whence == SEEK_END ? semihost(SYS_FLEN, which) + offset : offset;
    const uint32_t block[] = {which[0], (uint32_t)at};

    if (whence == SEEK_CUR || semihost(SYS_SEEK, block) != 0) {
        errno = ESPIPE;
        return -1;
    }
    return at;
}

int _fstat(int fd, struct stat *st)
{
    *st = (struct stat){.st_mode = fd <= 2 ? S_IFCHR : S_IFREG, .st_blksize = 4096};
    return 0;
}

int _isatty(int fd)
{
    (void)fd;
    return 0;
}

void *_sbrk(ptrdiff_t more)
{
    static char *end = sm_board_bss_end;
    char *was = end;

    if (more > HEAP_END - end) {
        errno = ENOMEM;
        return (void *)-1;
    }
    end += more;
    return was;
}

_Noreturn void _exit(int status)
{
    sm_board_exit(status);
}

int _kill(int pid, int sig)
{
    (void)pid;
    sm_board_exit(128 + sig); /* abort() */
}

int _getpid(void)
{
    return 1;
}

int sm_board_main(void)
{
    static char line[4096];
    static char *words[WORDS + 1];
    const uint32_t block[] = {word(line), sizeof(line)};
    int n = 0;

    standard[0] = open_mode(":tt", 0);
    standard[1] = open_mode(":tt", 4);
    standard[2] = open_mode(":tt", 8);
    if (semihost(SYS_GET_CMDLINE, block) != 0) {
        return 64;
    }
    for (char *w = strtok(line, " "); w != NULL && n < WORDS; w = strtok(NULL, " ")) {
        words[n++] = w;
    }
    n = main(n, words);
    fflush(NULL);
    return n;
}
