/* A watchdog over the process (watchdog.h).
 *
 * The file holds the word and its complement, or is shorter: a write that was cut short is no
 * blame. File-scope state is what signals force on it: a handler takes no argument.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "watchdog.h"

static struct sm_watchdog *watched;

/* Only what a signal handler may do. Whatever it interrupts, the process ends. */
static void on_abort(int signal)
{
    uint32_t whom = watched->called, words[2] = {whom, ~whom};
    ssize_t written = words[0] ? pwrite(watched->file, words, sizeof words, 0) : 0;

    (void)written; /* then nobody is blamed */
    raise(signal); /* by now what it is by default */
}

static uint32_t left_in(int file)
{
    uint32_t words[2] = {0, 0};

    return pread(file, words, sizeof words, 0) == sizeof words && words[1] == ~words[0] ? words[0]
                                                                                        : 0;
}

/* The socket of whoever started this process and wants to hear of it, or -1. A name that begins
 * with
 * @ is not one of a file. */
static int connect_notify(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const char *name = getenv("NOTIFY_SOCKET");
    size_t len = name ? strlen(name) : 0;

    if (len < 2 || len >= sizeof to.sun_path || (name[0] != '/' && name[0] != '@'))
        return -1;
    memcpy(to.sun_path, name, len);
    if (name[0] == '@')
        to.sun_path[0] = 0;
    int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s >= 0 && connect(s, (const struct sockaddr *)&to,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) != 0) {
        close(s);
        s = -1;
    }
    return s;
}

/* Half of what is allowed, when this process is meant; 0 for none. */
static uint32_t interval_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    unsigned long long us = usec ? strtoull(usec, NULL, 10) : 0;

    if (us == 0 || (pid && strtoll(pid, NULL, 10) != getpid()))
        return 0;
    return us < 2000 ? 1 : us / 2000 < UINT32_MAX ? (uint32_t)(us / 2000) : UINT32_MAX - 1;
}

int sm_watchdog_open(struct sm_watchdog *w, const char *path)
{
    struct sigaction abort_action = {.sa_handler = on_abort, .sa_flags = SA_RESETHAND | SA_NODEFER};

    *w = (struct sm_watchdog){.file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (w->file < 0)
        return SM_ERR_IO;
    w->called = left_in(w->file);
    w->socket = connect_notify();
    w->every_ms = w->socket >= 0 ? interval_ms() : 0;
    watched = w;
    sigaction(SIGABRT, &abort_action, NULL);
    return 0;
}

void sm_watchdog_forget(struct sm_watchdog *w)
{
    int err = ftruncate(w->file, 0);

    (void)err; /* then it is blamed once more */
}

static void say(const struct sm_watchdog *w, const char *text)
{
    (void)send(w->socket, text, strlen(text), MSG_NOSIGNAL); /* nobody listens: nobody waits */
}

uint32_t sm_watchdog_feed(struct sm_watchdog *w, uint64_t now_ms)
{
    if (w->socket < 0)
        return UINT32_MAX;
    if (w->due_ms == 0)
        say(w, "READY=1");
    if (w->due_ms == 0 || (w->every_ms > 0 && now_ms >= w->due_ms)) {
        if (w->every_ms > 0)
            say(w, "WATCHDOG=1");
        w->due_ms = now_ms + (w->every_ms ? w->every_ms : 1);
    }
    if (w->every_ms == 0)
        return UINT32_MAX;
    return w->due_ms - now_ms < UINT32_MAX ? (uint32_t)(w->due_ms - now_ms) : UINT32_MAX - 1;
}

void sm_watchdog_close(struct sm_watchdog *w)
{
    signal(SIGABRT, SIG_DFL);
    watched = NULL;
    if (w->socket >= 0)
        close(w->socket);
    close(w->file);
}
