/* Where the broker is. A path is a local socket, an address is one; a name is looked up in a
 * thread, because resolvers may wait for half a minute and clients must not.
 *
 * The thread owns its question until it writes the question's address into the pipe; from then on
 * the loop owns it. When the gateway ends meanwhile nobody reads, and the thread frees it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <unistd.h>
#include <posix/log.h>

#include "server.h"

#define GOOD_MS 30000u /* before a name is looked up once more */
#define BAD_MS  2000u
#define SAY_MS  60000u

struct question {
    struct addrinfo *found;
    int err;    /* of getaddrinfo() */
    int answer; /* write end of the pipe */
    char port[8];
    char host[];
};

struct lookup {
    struct source source; /* read end of the pipe */
    int answer;
    bool asking, asked;
    uint64_t next_ms, said_ms;
};

static int ask_resolver(const char *host, const char *port, int flags, struct addrinfo **out)
{
    struct addrinfo want = {.ai_socktype = SOCK_STREAM, .ai_flags = flags};
    return getaddrinfo(host, port, &want, out);
}

static void *in_thread(void *arg)
{
    struct question *q = arg;
    int answer = q->answer;
    q->err = ask_resolver(q->host, q->port, 0, &q->found);
    if (write(answer, &q, sizeof q) != sizeof q) {
        if (!q->err)
            freeaddrinfo(q->found);
        free(q);
    }
    close(answer);
    return NULL;
}

/* The address that was good stays the first to be tried. */
static void take(struct server *s, const struct addrinfo *found)
{
    struct address good = {0};
    if (s->address_count)
        good = s->addresses[s->address_good];
    s->address_count = s->address_good = 0;
    for (; found && s->address_count < ADDRESSES_MAX; found = found->ai_next) {
        struct address *a = &s->addresses[s->address_count];
        memset(a, 0, sizeof *a);
        memcpy(&a->at, found->ai_addr, found->ai_addrlen);
        a->len = found->ai_addrlen;
        if (!memcmp(a, &good, sizeof good))
            s->address_good = s->address_count;
        s->address_count++;
    }
}

/* The path of a local socket is its address. config.c has seen to its length. */
static void take_path(struct server *s)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct addrinfo path = {.ai_addr = (struct sockaddr *)&at, .ai_addrlen = sizeof at};
    strcpy(at.sun_path, s->cfg.broker_host);
    take(s, &path);
}

static void failed(struct server *s, int err)
{
    struct lookup *l = s->lookup;
    l->next_ms = s->now_ms + BAD_MS;
    if (l->said_ms && s->now_ms - l->said_ms < SAY_MS)
        return;
    l->said_ms = s->now_ms;
    sm_log(SM_LOG_WARN, "%s: %s", s->cfg.broker_host, gai_strerror(err));
}

static void on_answer(struct server *s, struct source *self, uint32_t events)
{
    struct question *q;
    (void)events;
    if (read(self->fd, &q, sizeof q) != sizeof q)
        return;
    s->lookup->asking = false;
    if (q->err) {
        failed(s, q->err);
    } else {
        s->lookup->said_ms = 0;
        s->lookup->next_ms = s->now_ms + GOOD_MS;
        take(s, q->found);
        freeaddrinfo(q->found);
    }
    free(q);
}

static bool begin(struct server *s, const char *port)
{
    size_t size = strlen(s->cfg.broker_host) + 1;
    struct question *q = calloc(1, sizeof *q + size);
    pthread_t thread;
    if (!q)
        return false;
    memcpy(q->host, s->cfg.broker_host, size);
    memcpy(q->port, port, sizeof q->port);
    q->answer = fcntl(s->lookup->answer, F_DUPFD_CLOEXEC, 0);
    if (q->answer >= 0 && pthread_create(&thread, NULL, in_thread, q) == 0) {
        pthread_detach(thread);
        return true;
    }
    if (q->answer >= 0)
        close(q->answer);
    free(q);
    return false;
}

void lookup_ask(struct server *s)
{
    struct lookup *l = s->lookup;
    struct addrinfo *found;
    char port[8];
    if (l->asking || (l->asked && s->now_ms < l->next_ms))
        return;
    l->asked = true;
    if (config_local(&s->cfg)) {
        take_path(s);
        l->next_ms = UINT64_MAX;
        return;
    }
    snprintf(port, sizeof port, "%u", (unsigned)s->cfg.broker_port);
    if (ask_resolver(s->cfg.broker_host, port, AI_NUMERICHOST, &found) == 0) {
        take(s, found);
        freeaddrinfo(found);
        l->next_ms = UINT64_MAX;
    } else if (begin(s, port)) {
        l->asking = true;
    } else {
        failed(s, EAI_MEMORY);
    }
}

bool lookup_open(struct server *s)
{
    int ends[2];
    s->lookup = calloc(1, sizeof *s->lookup);
    if (!s->lookup || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return false;
    s->lookup->source = (struct source){on_answer, ends[0]};
    s->lookup->answer = ends[1];
    return server_watch(s, &s->lookup->source, EPOLLIN);
}

void lookup_close(struct server *s)
{
    if (!s->lookup)
        return;
    close(s->lookup->source.fd);
    close(s->lookup->answer);
    free(s->lookup);
    s->lookup = NULL;
}
