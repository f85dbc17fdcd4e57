/* Ways that lose things (bridge.h). SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "bridge.h"

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
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <cmocka.h>

static uint32_t luck = 1;

static bool happens(unsigned of_10000)
{
    luck = luck * 1664525u + 1013904223u;
    return luck / 4096 % 10000 < of_10000;
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

/* `sandmote sn forward`, which ends with this process. */
static void forward(const char *line, unsigned gateway_port)
{
    char gateway[32];
    snprintf(gateway, sizeof gateway, "127.0.0.1:%u", gateway_port);
    if (fork() != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execl(SANDMOTE, "sandmote", "sn", "forward", "--serial", line, "--gateway", gateway,
          (char *)NULL);
    _exit(127);
}

void bridge_serial(struct bridge *b, unsigned gateway_port, unsigned wrong)
{
    char far[64];
    int near_end = open_pty(b->device), far_end = open_pty(far);
    if (is_child(b)) {
        forward(far, gateway_port);
        for (;;) {
            struct pollfd fds[2] = {{near_end, POLLIN, 0}, {far_end, POLLIN, 0}};
            poll(fds, 2, -1);
            if (fds[0].revents & POLLIN)
                carry_bytes(near_end, far_end, wrong);
            if (fds[1].revents & POLLIN)
                carry_bytes(far_end, near_end, wrong);
        }
    }
    close(near_end);
    close(far_end);
}
