/* sandmote-gateway: MQTT-SN clients in front of an MQTT broker.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>
#include <posix/log.h>
#include <posix/system.h>

#include "server.h"

#define EVENTS  256
#define WAIT_MS 100

static const char usage[] =
    "usage: sandmote-gateway --config FILE\n"
    "       sandmote-gateway --check FILE     say what is wrong with a configuration, and end\n"
    "\n"
    "Runs until SIGTERM or SIGINT. Exit status: 0 asked to end, 1 could not go on, 64 wrong "
    "usage.\n";

enum { GOOD = 0, FAILED = 1, USAGE = 64 };

uint64_t server_clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

bool server_watch(struct server *s, struct source *source, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = source};
    return epoll_ctl(s->epoll, EPOLL_CTL_ADD, source->fd, &e) == 0;
}

/* ---- What the gateway asks for --------------------------------------------------------------- */

static void io_send(void *ctx, const struct gw_addr *to, const uint8_t *bytes, size_t len)
{
    struct server *s = ctx;
    if (s->udp[to->socket].dtls)
        dtls_send(s->dtls, to, bytes, len);
    else
        udp_send(s, to, bytes, len);
}

static void io_random(void *ctx, void *out, size_t len)
{
    (void)ctx;
    if (sm_posix_entropy.fill(sm_posix_entropy.ctx, out, len) < 0)
        abort(); /* ids that can be guessed protect nobody */
}

static void io_note(void *ctx, const char *line)
{
    (void)ctx;
    sm_log(SM_LOG_INFO, "%s", line);
}

/* ---- The loop -------------------------------------------------------------------------------- */

void server_flush(struct server *s)
{
    store_commit(s->store);
    broker_serve(s);
    store_commit(s->store); /* a connection that could not be opened is told to its client */
    udp_flush(s);
}

static void on_signal(struct server *s, struct source *self, uint32_t events)
{
    struct signalfd_siginfo info;
    (void)events;
    if (read(self->fd, &info, sizeof info) != sizeof info)
        return;
    sm_log(SM_LOG_INFO, "%s: stopping", info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT");
    s->over = true;
}

static void advertise(struct server *s)
{
    if (!s->cfg.advertise_s || s->now_ms - s->advertised_ms < s->cfg.advertise_s * 1000)
        return;
    s->advertised_ms = s->now_ms;
    udp_advertise(s);
}

static void loop(struct server *s)
{
    struct epoll_event events[EVENTS];
    while (!s->over) {
        int n = epoll_wait(s->epoll, events, EVENTS, WAIT_MS);
        s->now_ms = server_clock_ms();
        for (int i = 0; i < n; i++) {
            struct source *source = events[i].data.ptr;
            source->ready(s, source, events[i].events);
        }
        gw_tick(s->gw, s->now_ms);
        if (s->dtls)
            dtls_tick(s->dtls);
        metrics_tick(s);
        broker_tick(s);
        advertise(s);
        server_flush(s);
        broker_acknowledge(s);
    }
}

/* ---- Start and end --------------------------------------------------------------------------- */

/* A descriptor for each connection of its own, and some. */
static void allow_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static bool watch_signals(struct server *s)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    signal(SIGPIPE, SIG_IGN);
    s->signals = (struct source){on_signal, signalfd(-1, &ends, SFD_NONBLOCK | SFD_CLOEXEC)};
    return s->signals.fd >= 0 && server_watch(s, &s->signals, EPOLLIN);
}

static bool open_listeners(struct server *s)
{
    udp_init(s);
    for (size_t i = 0; i < s->cfg.listen_count; i++) {
        s->udp[i].listen = &s->cfg.listen[i];
        s->udp[i].number = (uint8_t)i;
        s->udp[i].dtls = s->cfg.listen[i].dtls;
        if (s->udp[i].dtls && !s->dtls && !(s->dtls = dtls_new(s)))
            return false;
        if (!udp_open(s, &s->udp[i]))
            return false;
    }
    return true;
}

static bool start(struct server *s)
{
    struct gw_io io = {s, io_send, io_random, io_note};
    struct gw_store functions = {0};
    s->now_ms = server_clock_ms();
    s->advertised_ms = s->now_ms - s->cfg.advertise_s * 1000;
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (s->epoll < 0 || !watch_signals(s))
        return false;
    allow_descriptors();
    if (s->cfg.state[0] && !(s->store = store_open(s->cfg.state, s->cfg.power)))
        return false;
    if (s->store)
        functions = store_functions(s->store);
    s->gw = gw_new(&s->cfg.gw, &io, s->store ? &functions : NULL, s->now_ms);
    if (s->store && store_restore(s->store, s->gw, s->now_ms) < 0)
        return false;
    return lookup_open(s) && broker_open(s) && (!s->cfg.metrics || metrics_open(s)) &&
           open_listeners(s);
}

static void stop(struct server *s)
{
    if (s->gw) {
        gw_stop(s->gw);
        server_flush(s);
        broker_close(s);
        gw_free(s->gw);
    }
    lookup_close(s);
    dtls_free(s->dtls);
    store_close(s->store);
}

static int serve(const char *path)
{
    static struct server server;
    struct sm_json_error why;
    if (config_load(path, &server.cfg, &why) < 0) {
        fprintf(stderr, "sandmote-gateway: %s\n", why.text);
        return FAILED;
    }
    bool good = start(&server);
    if (good)
        loop(&server);
    stop(&server);
    config_free(&server.cfg);
    return good ? GOOD : FAILED;
}

/* The files that it names are read as they would be at start; the log says what is wrong in them.
 */
static bool files_good(struct server *s)
{
    bool dtls = s->cfg.psk_file[0] || s->cfg.certificate[0];
    bool good = !dtls || (s->dtls = dtls_new(s));
    good &= broker_open(s);
    dtls_free(s->dtls);
    broker_close(s);
    return good;
}

static int check(const char *path)
{
    static struct server server;
    struct sm_json_error why;
    if (config_load(path, &server.cfg, &why) < 0) {
        fprintf(stderr, "sandmote-gateway: %s\n", why.text);
        return FAILED;
    }
    bool good = files_good(&server);
    if (good)
        printf("%s is good\n", path);
    config_free(&server.cfg);
    return good ? GOOD : FAILED;
}

int main(int argc, char **argv)
{
    if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))) {
        fputs(usage, stdout);
        return GOOD;
    }
    if (argc == 3 && !strcmp(argv[1], "--config"))
        return serve(argv[2]);
    if (argc == 3 && !strcmp(argv[1], "--check"))
        return check(argv[2]);
    fputs(usage, stderr);
    return USAGE;
}
