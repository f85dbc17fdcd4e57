/* An ordinary C program with wasi-libc: what guest.sh runs, by its first argument.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void tell(int argc, char **argv)
{
    const char *who = getenv("WHO");

    for (int i = 2; i < argc; i++)
        printf("%s ", argv[i]);
    printf("%s\n", who ? who : "nobody");
    fprintf(stderr, "to stderr\n");
}

static void write_and_read(void)
{
    char line[32];
    FILE *f = fopen("/data/note.txt", "w+");

    assert(f && fprintf(f, "%d lines\n", 1) == 8);
    rewind(f);
    assert(fgets(line, sizeof line, f) && strcmp(line, "1 lines\n") == 0);
    assert(fclose(f) == 0);
    assert(rename("/data/note.txt", "/data/kept.txt") == 0);
    assert(mkdir("/data/folder", 0755) == 0);
    assert(rmdir("/data/folder") == 0);
    assert(symlink("kept.txt", "/data/link") == 0);
    struct stat s;
    assert(stat("/data/link", &s) == 0 && S_ISREG(s.st_mode) && s.st_size == 8);
    assert(lstat("/data/link", &s) == 0 && S_ISLNK(s.st_mode));
    assert(unlink("/data/link") == 0);
}

static void list(void)
{
    DIR *d = opendir("/data");
    int n = 0;

    assert(d);
    for (struct dirent *e; (e = readdir(d));)
        n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    printf("%d files\n", n);
}

/* Only what was granted, and not what lies beside it. */
static void reach_out(void)
{
    assert(open("/etc/passwd", O_RDONLY) < 0);
    assert(open("/data/../secret", O_RDONLY) < 0);
    assert(open("/data/out/secret", O_RDONLY) < 0);
    assert(open("secret", O_RDONLY) < 0);
    assert(open("/data/kept.txt", O_RDONLY) >= 0);
}

static void change(void)
{
    int fd = open("/data/kept.txt", O_WRONLY); /* libc asks for no more than it may have */
    assert(fd < 0 || write(fd, "x", 1) < 0);
    assert(open("/data/new", O_CREAT | O_WRONLY, 0644) < 0 && errno == ENOTCAPABLE);
    assert(unlink("/data/kept.txt") < 0 && errno == ENOTCAPABLE);
    assert(truncate("/data/kept.txt", 0) < 0);
}

static void wait_a_little(void)
{
    struct timespec before, after, wait = {.tv_nsec = 30000000};
    unsigned char random[16];

    assert(clock_gettime(CLOCK_MONOTONIC, &before) == 0);
    assert(nanosleep(&wait, NULL) == 0);
    assert(clock_gettime(CLOCK_MONOTONIC, &after) == 0);
    long long passed =
        (after.tv_sec - before.tv_sec) * 1000000000ll + after.tv_nsec - before.tv_nsec;
    assert(passed >= 30000000);
    assert(time(NULL) > 1600000000);
    assert(getentropy(random, sizeof random) == 0);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "tell") == 0)
        tell(argc, argv);
    else if (strcmp(what, "write") == 0)
        write_and_read();
    else if (strcmp(what, "list") == 0)
        list();
    else if (strcmp(what, "reach") == 0)
        reach_out();
    else if (strcmp(what, "change") == 0)
        change();
    else if (strcmp(what, "wait") == 0)
        wait_a_little();
    else if (strcmp(what, "exit") == 0)
        exit(atoi(argv[2]));
    else
        return 99;
    return 0;
}
