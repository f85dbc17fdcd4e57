/* Figures for Prometheus over HTTP: GET /metrics, and nothing else. One request a connection, a few
 * connections at once, and none for longer than REQUEST_MS: descriptors are for the broker.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <posix/log.h>

#include "server.h"

#define REQUEST_MAX 4096u
#define TEXT_ROOM   16384u
#define REQUESTS    32u
#define REQUEST_MS  2000u

struct request {
    struct source source;
    struct request *next; /* of those that are open */
    uint64_t since_ms;
    size_t len;
    char bytes[REQUEST_MAX];
};

static size_t figure(char *out, size_t at, const char *name, const char *kind, const char *help,
                     uint64_t value)
{
    int n = snprintf(out + at, TEXT_ROOM - at,
                     "# HELP sandmote_gateway_%s %s\n# TYPE sandmote_gateway_%s %s\n"
                     "sandmote_gateway_%s %llu\n",
                     name, help, name, kind, name, (unsigned long long)value);
    return n < 0 || (size_t)n >= TEXT_ROOM - at ? at : at + (size_t)n;
}

static size_t figures(struct server *s, char *out)
{
    const struct gw_figures *f = gw_figures(s->gw);
    size_t at = 0;
#define X(name, help) at = figure(out, at, #name "_total", "counter", help, f->name);
    GW_COUNTERS(X)
#undef X
#define X(name, help) at = figure(out, at, #name, "gauge", help, f->name);
    GW_GAUGES(X)
#undef X
    at = figure(out, at, "datagrams_not_sent_total", "counter",
                "datagrams that the kernel did not take", s->unsent);
    at = figure(out, at, "datagrams_too_large_total", "counter",
                "datagrams of more than 9216 octets, which are dropped", s->too_large);
    at = figure(out, at, "broker_connected", "gauge", "whether the broker can be reached",
                gw_ready(s->gw));
    if (s->dtls)
        at = figure(out, at, "dtls_sessions", "gauge", "DTLS sessions", dtls_sessions(s->dtls));
    return at;
}

static void answer(struct server *s, struct request *r)
{
    static char text[TEXT_ROOM], head[160];
    bool good = !strncmp(r->bytes, "GET /metrics ", 13);
    size_t len = good ? figures(s, text) : 0;
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4\r\n"
                     "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                     good ? "200 OK" : "404 Not Found", len);
    /* Both fit a socket's buffer; a reader that does not read loses what is left. */
    if (send(r->source.fd, head, (size_t)n, MSG_NOSIGNAL | MSG_MORE) == n && len &&
        send(r->source.fd, text, len, MSG_NOSIGNAL) < 0)
        sm_log(SM_LOG_WARN, "metrics: %s", strerror(errno));
}

static void end(struct server *s, struct request *r)
{
    struct request **at = &s->requests;
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    s->request_count--;
    close(r->source.fd);
    free(r);
}

void metrics_tick(struct server *s)
{
    for (struct request *r = s->requests, *next; r; r = next) {
        next = r->next;
        if (s->now_ms - r->since_ms >= REQUEST_MS)
            end(s, r);
    }
}

static void on_request(struct server *s, struct source *self, uint32_t events)
{
    struct request *r = (struct request *)self;
    ssize_t n = recv(self->fd, r->bytes + r->len, REQUEST_MAX - 1 - r->len, 0);
    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    r->len += n > 0 ? (size_t)n : 0;
    r->bytes[r->len] = 0;
    bool whole = strstr(r->bytes, "\r\n\r\n") != NULL;
    if (n > 0 && !whole && r->len < REQUEST_MAX - 1)
        return;
    if (whole)
        answer(s, r);
    end(s, r);
}

static void on_connection(struct server *s, struct source *self, uint32_t events)
{
    (void)events;
    int fd = accept4(self->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct request *r = fd < 0 || s->request_count >= REQUESTS ? NULL : calloc(1, sizeof *r);
    if (r) {
        r->source = (struct source){on_request, fd};
        r->since_ms = s->now_ms;
        if (server_watch(s, &r->source, EPOLLIN)) {
            r->next = s->requests;
            s->requests = r;
            s->request_count++;
            return;
        }
    }
    free(r);
    if (fd >= 0)
        close(fd);
}

bool metrics_open(struct server *s)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                              .sin6_port = htons((uint16_t)s->cfg.metrics_port)};
    struct sockaddr_in v4 = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)s->cfg.metrics_port)};
    bool is_v4 = inet_pton(AF_INET, s->cfg.metrics_address, &v4.sin_addr) == 1;
    int yes = 1;
    struct sockaddr_in6 at;
    socklen_t len = sizeof at;
    bool good = is_v4 || inet_pton(AF_INET6, s->cfg.metrics_address, &v6.sin6_addr) == 1;
    s->http =
        (struct source){on_connection, good ? socket(is_v4 ? AF_INET : AF_INET6,
                                                     SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
                                            : -1};
    if (s->http.fd >= 0)
        setsockopt(s->http.fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (s->http.fd < 0 ||
        bind(s->http.fd, is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
             is_v4 ? sizeof v4 : sizeof v6) < 0 ||
        listen(s->http.fd, SOMAXCONN) < 0 || !server_watch(s, &s->http, EPOLLIN) ||
        getsockname(s->http.fd, (struct sockaddr *)&at, &len) < 0) {
        sm_log(SM_LOG_ERROR, "metrics: %s: %s", s->cfg.metrics_address,
               good ? strerror(errno) : "not an address");
        return false;
    }
    sm_log(SM_LOG_INFO, "metrics on http://%s:%u/metrics", s->cfg.metrics_address,
           ntohs(at.sin6_port));
    return true;
}
