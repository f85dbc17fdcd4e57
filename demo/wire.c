/* A bad wire for the demo: carries TCP connections to a port on this machine, as slowly as it is
 * told, and breaks one when it is told.
 *
 *   wire PORT CONTROL     prints the port it listens on, then carries until it is killed
 *
 * CONTROL is a file of two numbers: bytes a second towards the client (0: no limit), and after how
 * many such bytes a connection is cut (0: never). A cut happens once for each change of the file.
 * What runs through it is TLS, so it can do no more than be slow and break.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PAIRS   32
#define TICK_MS 10
#define CHUNK   16384

struct pair {
    int client, server; /* -1: unused */
    unsigned long long carried;
};

struct wire {
    struct pair pairs[PAIRS];
    const char *control;
    char text[64]; /* of the control file */
    unsigned long long rate, cut;
    unsigned long long allowance; /* bytes that may still go to clients in this tick */
};

static int die(const char *what)
{
    fprintf(stderr, "wire: %s: %s\n", what, strerror(errno));
    exit(1);
}

static struct sockaddr_in loopback(unsigned port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static int listen_anywhere(void)
{
    struct sockaddr_in a = loopback(0);
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, PAIRS) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) < 0)
        die("listen");
    printf("%u\n", ntohs(a.sin_port));
    fflush(stdout);
    return fd;
}

static void read_control(struct wire *w)
{
    char text[sizeof w->text] = "";
    FILE *f = fopen(w->control, "r");
    if (!f)
        return;
    if (fgets(text, sizeof text, f) && strcmp(text, w->text) != 0 &&
        sscanf(text, "%llu %llu", &w->rate, &w->cut) == 2)
        strcpy(w->text, text);
    fclose(f);
}

static void accept_one(struct wire *w, int listener, unsigned port)
{
    struct sockaddr_in a = loopback(port);
    int client = accept(listener, NULL, NULL);
    int server = socket(AF_INET, SOCK_STREAM, 0);
    for (int i = 0; i < PAIRS && client >= 0 && server >= 0; i++) {
        if (w->pairs[i].client >= 0)
            continue;
        if (connect(server, (struct sockaddr *)&a, sizeof a) < 0)
            break;
        w->pairs[i] = (struct pair){client, server, 0};
        return;
    }
    close(client);
    close(server);
}

static void drop(struct pair *p)
{
    close(p->client);
    close(p->server);
    p->client = p->server = -1;
}

/* Carry at most max bytes; false when the connection is over. */
static bool carry(int from, int to, unsigned long long max, unsigned long long *carried)
{
    char buf[CHUNK];
    ssize_t n = read(from, buf, max < sizeof buf ? (size_t)max : sizeof buf);
    if (n <= 0)
        return false;
    for (ssize_t done = 0; done < n;) {
        ssize_t m = write(to, buf + done, (size_t)(n - done));
        if (m <= 0)
            return false;
        done += m;
    }
    *carried += (unsigned long long)n;
    return true;
}

static void serve(struct wire *w, struct pair *p, short client_events, short server_events)
{
    unsigned long long up = 0, before = p->carried;
    bool alive = true;
    if (client_events)
        alive = carry(p->client, p->server, CHUNK, &up);
    if (alive && server_events && w->allowance)
        alive = carry(p->server, p->client, w->allowance, &p->carried);
    if (w->rate)
        w->allowance -= p->carried - before;
    if (alive && w->cut && p->carried >= w->cut) {
        w->cut = 0;
        alive = false;
    }
    if (!alive)
        drop(p);
}

static void run(struct wire *w, int listener, unsigned port)
{
    for (;;) {
        struct pollfd fds[1 + 2 * PAIRS] = {{listener, POLLIN, 0}};
        read_control(w);
        w->allowance = w->rate ? w->rate * TICK_MS / 1000 : ~0ull;
        for (int i = 0; i < PAIRS; i++) {
            fds[1 + 2 * i] = (struct pollfd){w->pairs[i].client, POLLIN, 0};
            fds[2 + 2 * i] = (struct pollfd){w->pairs[i].server, POLLIN, 0};
        }
        if (poll(fds, 1 + 2 * PAIRS, TICK_MS) < 0)
            die("poll");
        for (int i = 0; i < PAIRS; i++)
            if (w->pairs[i].client >= 0)
                serve(w, &w->pairs[i], fds[1 + 2 * i].revents, fds[2 + 2 * i].revents);
        if (fds[0].revents)
            accept_one(w, listener, port);
        if (w->rate) { /* one tick's allowance a tick */
            struct timespec tick = {0, TICK_MS * 1000000L};
            nanosleep(&tick, NULL);
        }
    }
}

int main(int argc, char **argv)
{
    static struct wire w;
    if (argc != 3)
        return fprintf(stderr, "usage: wire PORT CONTROL\n"), 64;
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < PAIRS; i++)
        w.pairs[i].client = w.pairs[i].server = -1;
    w.control = argv[2];
    run(&w, listen_anywhere(), (unsigned)atoi(argv[1]));
}
