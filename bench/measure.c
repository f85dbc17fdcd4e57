/* Times commands against each other: measure ROUNDS COMMAND...
 *
 * A command is one argument, split at spaces. Every round runs each command once, so that whatever
 * else the machine does meets all of them alike. Prints, for each command, the least processor time
 * of its rounds in milliseconds, a tab, and the last line it wrote. A command that fails ends the
 * measurement: what it wrote goes to stderr.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX  64
#define OUTPUT_MAX 4096

struct command {
    const char *text;
    double best_ms;
    char output[OUTPUT_MAX];
};

static void die(const char *what)
{
    fprintf(stderr, "measure: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void become(const char *text)
{
    char *copy = strdup(text), *words[WORDS_MAX + 1];
    int n = 0;

    for (char *word = strtok(copy, " "); word && n < WORDS_MAX; word = strtok(NULL, " "))
        words[n++] = word;
    words[n] = NULL;
    if (n)
        execvp(words[0], words);
    die(text);
}

/* Everything up to the end of the pipe; what does not fit the buffer is read and dropped. */
static void read_all(int fd, char *out)
{
    size_t len = 0;
    ssize_t n;
    char rest[512];

    while ((n = len < OUTPUT_MAX - 1 ? read(fd, out + len, OUTPUT_MAX - 1 - len)
                                     : read(fd, rest, sizeof rest)) > 0)
        len += len < OUTPUT_MAX - 1 ? (size_t)n : 0;
    out[len] = 0;
}

static double run_once(struct command *c)
{
    int ends[2], status;
    struct rusage used;
    pid_t pid;

    if (pipe(ends))
        die("pipe");
    pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        dup2(ends[1], 1);
        dup2(ends[1], 2); /* where wasm3 prints results */
        close(ends[0]);
        close(ends[1]);
        become(c->text);
    }
    close(ends[1]);
    read_all(ends[0], c->output);
    close(ends[0]);
    if (wait4(pid, &status, 0, &used) < 0)
        die("wait4");
    if (!WIFEXITED(status) || WEXITSTATUS(status)) {
        fprintf(stderr, "measure: failed: %s\n%s", c->text, c->output);
        exit(1);
    }
    return 1e3 * (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           1e-3 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static const char *last_line(char *output)
{
    size_t len = strlen(output);
    char *line;

    while (len && output[len - 1] == '\n')
        output[--len] = 0;
    line = strrchr(output, '\n');
    return line ? line + 1 : output;
}

int main(int argc, char **argv)
{
    int rounds = argc > 2 ? atoi(argv[1]) : 0, count = argc - 2;
    struct command *commands;

    if (rounds < 1) {
        fprintf(stderr, "usage: measure ROUNDS COMMAND...\n");
        return 64;
    }
    commands = calloc((size_t)count, sizeof *commands);
    if (!commands)
        die("calloc");
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < count; i++) {
            struct command *c = &commands[i];
            double ms;

            c->text = argv[i + 2];
            ms = run_once(c);
            if (round == 0 || ms < c->best_ms)
                c->best_ms = ms;
        }
    }
    for (int i = 0; i < count; i++)
        printf("%.3f\t%s\n", commands[i].best_ms, last_line(commands[i].output));
    free(commands);
    return 0;
}
