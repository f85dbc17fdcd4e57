/* Ways that lose things (bridge.h). SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "bridge.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <cmocka.h>
#include <posix/sn_link.h>

enum { ROOM = 2048 };

static uint32_t luck = 1;

static bool happens(unsigned of_10000)
{
    luck = luck * 1664525u + 1013904223u;
    return luck / 4096 % 10000 < of_10000;
}

static struct sockaddr_in loopback(unsigned port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static int udp_to(unsigned port)
{
    struct sockaddr_in a = loopback(port);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) < 0)
        fail_msg("no socket to port %u", port);
    return fd;
}

static bool is_child(struct bridge *b)
{
    b->pid = fork();
    if (b->pid != 0)
        return false;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    return true;
}

void bridge_stop(struct bridge *b)
{
    if (b->pid > 0) {
        kill(b->pid, SIGKILL);
        waitpid(b->pid, NULL, 0);
    }
    memset(b, 0, sizeof *b);
}

/* ---- Datagrams ------------------------------------------------------------------------------- */

void bridge_udp(struct bridge *b, unsigned gateway_port, unsigned lost, unsigned doubled,
                unsigned late)
{
    char text[4][12];
    const unsigned numbers[] = {gateway_port, lost, doubled, late};
    int out[2];
    for (unsigned i = 0; i < 4; i++)
        snprintf(text[i], sizeof text[i], "%u", numbers[i]);
    if (pipe(out) < 0)
        fail_msg("no pipe");
    if (is_child(b)) {
        dup2(out[1], STDOUT_FILENO);
        execl(AIR, "air", text[0], text[1], text[2], text[3], (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    FILE *f = fdopen(out[0], "r");
    if (!f || fscanf(f, "%u", &b->port) != 1)
        fail_msg("the bridge does not start");
    fclose(f);
}

/* ---- A serial line --------------------------------------------------------------------------- */

static int open_pty(char name[64])
{
    struct termios raw;
    int master, slave;
    memset(&raw, 0, sizeof raw);
    cfmakeraw(&raw);
    if (openpty(&master, &slave, name, &raw, NULL) < 0)
        fail_msg("no pseudo-terminal");
    return master; /* the slave stays open, so that the line does not hang up */
}

/* Bytes from one end of the line to the other, some of them wrong. */
static void carry_bytes(int from, int to, unsigned wrong)
{
    uint8_t bytes[256];
    ssize_t n = read(from, bytes, sizeof bytes);
    for (ssize_t i = 0; i < n; i++)
        if (happens(wrong))
            bytes[i] ^= (uint8_t)(1u << (luck >> 29));
    if (n > 0)
        (void)!write(to, bytes, (size_t)n);
}

static void forward(struct sm_sn_link *line, int gateway)
{
    uint8_t bytes[ROOM];
    struct sm_mqttsn_address at = {.len = 1};
    size_t n;
    ssize_t got;
    while ((n = sm_sn_receive(line, bytes, sizeof bytes, &at, 0)) > 0)
        (void)!send(gateway, bytes, n, 0);
    while ((got = recv(gateway, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        sm_sn_send(line, bytes, (size_t)got, &at);
}

void bridge_serial(struct bridge *b, unsigned gateway_port, unsigned wrong)
{
    char far[64];
    struct sm_file_why why;
    struct sm_sn_link *line;
    int near_end = open_pty(b->device), far_end = open_pty(far), gateway = udp_to(gateway_port);
    if (sm_sn_link_serial(far, 115200, false, &line, &why) < 0)
        fail_msg("%s", why.text);
    if (is_child(b)) {
        for (;;) {
            struct pollfd fds[3 + SM_SN_LINK_FDS] = {
                {near_end, POLLIN, 0}, {far_end, POLLIN, 0}, {gateway, POLLIN, 0}};
            int ms = 100;
            unsigned n = sm_sn_fds(line, fds + 3, &ms);
            poll(fds, 3 + n, ms);
            if (fds[0].revents & POLLIN)
                carry_bytes(near_end, far_end, wrong);
            if (fds[1].revents & POLLIN)
                carry_bytes(far_end, near_end, wrong);
            forward(line, gateway);
        }
    }
    sm_sn_close(line);
    close(gateway);
}
