/* A bad radio for the demo and for tests: carries the datagrams of one client to a UDP port on this
 * machine and back, and loses, doubles and delays some of them.
 *
 *   air PORT LOST DOUBLED LATE     percent of the datagrams, each way; prints the port it takes,
 *                                  then carries until it is killed
 *
 * A datagram that is late goes behind the next one. The same ones are hit in each run.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 2048 };

struct air {
    int client, server;      /* sockets */
    struct sockaddr_in peer; /* the client */
    unsigned lost, doubled, late;
    uint32_t luck;
    struct {
        uint8_t bytes[ROOM];
        ssize_t len; /* 0: none is late */
    } held[2];
};

static int die(const char *what)
{
    fprintf(stderr, "air: %s: %s\n", what, strerror(errno));
    exit(1);
}

static struct sockaddr_in loopback(unsigned port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static bool happens(struct air *a, unsigned percent)
{
    a->luck = a->luck * 1664525u + 1013904223u;
    return a->luck / 4096 % 100 < percent;
}

/* What cannot be sent is lost, as on the way. */
static void put(struct air *a, bool up, const void *bytes, ssize_t len)
{
    if (up)
        (void)!send(a->server, bytes, (size_t)len, 0);
    else
        (void)!sendto(a->client, bytes, (size_t)len, 0, (struct sockaddr *)&a->peer,
                      sizeof a->peer);
}

static void pass(struct air *a, bool up, const void *bytes, ssize_t len)
{
    if (len < 0 || happens(a, a->lost))
        return;
    if (a->held[up].len == 0 && happens(a, a->late)) {
        memcpy(a->held[up].bytes, bytes, (size_t)len);
        a->held[up].len = len;
        return;
    }
    put(a, up, bytes, len);
    if (happens(a, a->doubled))
        put(a, up, bytes, len);
    if (a->held[up].len > 0)
        put(a, up, a->held[up].bytes, a->held[up].len);
    a->held[up].len = 0;
}

static void carry(struct air *a)
{
    uint8_t bytes[ROOM];
    socklen_t n = sizeof a->peer;
    struct pollfd fds[] = {{a->client, POLLIN, 0}, {a->server, POLLIN, 0}};
    poll(fds, 2, -1);
    if (fds[0].revents)
        pass(a, true, bytes,
             recvfrom(a->client, bytes, sizeof bytes, 0, (struct sockaddr *)&a->peer, &n));
    if (fds[1].revents)
        pass(a, false, bytes, recv(a->server, bytes, sizeof bytes, 0));
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: air PORT LOST DOUBLED LATE\n");
        return 64;
    }
    static struct air a = {.luck = 1};
    struct sockaddr_in here = loopback(0), there = loopback((unsigned)atoi(argv[1]));
    socklen_t n = sizeof here;
    a.lost = (unsigned)atoi(argv[2]);
    a.doubled = (unsigned)atoi(argv[3]);
    a.late = (unsigned)atoi(argv[4]);
    a.client = socket(AF_INET, SOCK_DGRAM, 0);
    a.server = socket(AF_INET, SOCK_DGRAM, 0);
    if (bind(a.client, (struct sockaddr *)&here, sizeof here) < 0 ||
        getsockname(a.client, (struct sockaddr *)&here, &n) < 0 ||
        connect(a.server, (struct sockaddr *)&there, sizeof there) < 0)
        return die("no sockets");
    printf("%u\n", ntohs(here.sin_port));
    fflush(stdout);
    for (;;)
        carry(&a);
}
