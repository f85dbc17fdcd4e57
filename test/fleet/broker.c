/* A real broker for the tests. SPDX-License-Identifier: Apache-2.0 */
#include "broker.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define START_TRIES 400
#define TRY_MS      10

static int tcp(unsigned port, struct sockaddr_in *address)
{
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static unsigned free_port(void)
{
    struct sockaddr_in a;
    socklen_t len = sizeof a;
    int fd = tcp(0, &a);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) < 0)
        fail_msg("no port is free");
    close(fd);
    return ntohs(a.sin_port);
}

static bool listens(unsigned port)
{
    struct sockaddr_in a;
    int fd = tcp(port, &a);
    bool yes = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    close(fd);
    return yes;
}

void broker_start(struct broker *b, const struct fleet_fixture *fx)
{
    char text[128], config[256], log[256];
    if (b->port == 0)
        b->port = free_port();
    int n = snprintf(text, sizeof text,
                     "listener %u 127.0.0.1\nallow_anonymous true\nuser root\npersistence false\n",
                     b->port);
    fleet_write(fx, "mosquitto.conf", text, (size_t)n);
    snprintf(config, sizeof config, "%s/mosquitto.conf", fx->dir);
    snprintf(log, sizeof log, "%s/mosquitto.log", fx->dir);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    b->pid = fork();
    if (b->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(fd, STDERR_FILENO);
        execl("/usr/sbin/mosquitto", "mosquitto", "-c", config, (char *)NULL);
        _exit(127);
    }
    close(fd);
    for (int i = 0; i < START_TRIES; i++) {
        if (listens(b->port))
            return;
        usleep(TRY_MS * 1000);
    }
    fail_msg("mosquitto did not start on port %u", b->port);
}

void broker_stop(struct broker *b)
{
    if (b->pid) {
        kill(b->pid, SIGTERM);
        waitpid(b->pid, NULL, 0);
    }
    b->pid = 0;
}

void broker_configure(const struct broker *b, const struct fleet_fixture *fx, const char *more)
{
    char *text = fleet_file(fx, "fleet.json"), *end = strrchr(text, '}');
    snprintf(end, 256, ", \"mqtt\": {\"host\": \"127.0.0.1\", \"port\": %u%s}}", b->port, more);
    fleet_write(fx, "fleet.json", text, strlen(text));
    free(text);
}
