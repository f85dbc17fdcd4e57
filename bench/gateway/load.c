/* Load for MQTT-SN gateways: load OPTION... ; `load help` lists them. Prints one "name value" a
 * line.
 *
 * One thread. Each client has a socket and so an address of its own, on 127.0.0.1 and, when that
 * has no ports left, on 127.0.0.2 and so on. A subscriber at the broker counts what arrives. What
 * the gateway costs is read from /proc: CPU time and memory of the processes given.
 *
 *   connections   all clients connect, 64 at a time, then register a topic each
 *   qos0          64 messages under way, counted where they arrive
 *   qos1, qos2    each active client has one message under way and waits for its acknowledgement
 *   down          the other way: an MQTT client publishes to all in turn, 64 messages under way,
 *                 with QoS 0 and then with QoS 1
 *   latency       one message at a time, from its first octet sent to its last octet at the
 *                 subscriber; for comparison the same from an MQTT client straight to the broker,
 *                 in turns
 *   hold          nothing more, until it is ended: clients that are only there
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <gateway/mqtt.h>
#include <sandmote/mqttsn.h>

#include "process.h"

#define WINDOW      64u
#define PER_ADDRESS 25000u
#define EVENTS      256
#define PAYLOAD     32u
#define RETRY_S     2.0
#define PIDS_MAX    8
#define KEEPALIVE_S 65000u
#define INTERVAL_MS 50 /* between the messages of "spaced" */
#define TURNS       10 /* of "latency" */
#define PUBLISHER   (UINT32_MAX - 1)

struct client {
    int fd;
    uint16_t topic, msg_id;
    uint8_t waiting; /* for this type of answer; 0: nothing */
    double sent_s;
};

struct subscriber {
    int fd;
    size_t len;
    unsigned long count;
    uint8_t bytes[1 << 18];
};

static struct client *clients;
static unsigned clients_count = 90, active_count, samples = 1000;
static unsigned sn_port = 1884, mqtt_port = 1883, net;
static double seconds = 3;
static const char *phases = "connections,qos0,qos1,qos2,latency", *prefix = "bench";
static int pids[PIDS_MAX], pid_count, epoll_fd;
static struct subscriber sub;
static uint8_t payload[PAYLOAD];
static unsigned long failed;
static bool kept; /* sessions are not clean */

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- What the gateway costs ------------------------------------------------------------------ */

static double cpu_us(void)
{
    double sum = 0;
    for (int i = 0; i < pid_count; i++)
        sum += process_cpu_us(pids[i]);
    return sum;
}

static double rss_bytes(void)
{
    double sum = 0;
    for (int i = 0; i < pid_count; i++)
        sum += process_rss_bytes(pids[i]);
    return sum;
}

/* ---- Clients --------------------------------------------------------------------------------- */

static void client_open(unsigned i)
{
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr =
                                   htonl(INADDR_LOOPBACK + net * 256 + i / PER_ADDRESS)};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)sn_port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct client *c = &clients[i];
    c->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0 || bind(c->fd, (struct sockaddr *)&from, sizeof from) < 0 ||
        connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0)
        die("a client's socket");
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e) < 0)
        die("epoll");
}

static void put(struct client *c, const struct sm_mqttsn_packet *p, uint8_t waiting)
{
    uint8_t bytes[256];
    int n = sm_mqttsn_encode(p, bytes, sizeof bytes);
    c->waiting = waiting;
    c->sent_s = now_s();
    if (n < 0 || send(c->fd, bytes, (size_t)n, 0) < 0)
        failed++;
}

static void send_connect(unsigned i)
{
    char id[32];
    int n = snprintf(id, sizeof id, "%s-%u", prefix, i);
    put(&clients[i],
        &(struct sm_mqttsn_packet){.type = SM_MQTTSN_CONNECT,
                                   .protocol = SM_MQTTSN_PROTOCOL_ID,
                                   .clean = !kept,
                                   .duration_s = KEEPALIVE_S,
                                   .data = (uint8_t *)id,
                                   .len = (uint16_t)n},
        SM_MQTTSN_CONNACK);
}

static void send_register(unsigned i)
{
    char topic[48];
    int n = snprintf(topic, sizeof topic, "%s/sensor/%u/up", prefix, i);
    put(&clients[i],
        &(struct sm_mqttsn_packet){
            .type = SM_MQTTSN_REGISTER, .msg_id = 1, .data = (uint8_t *)topic, .len = (uint16_t)n},
        SM_MQTTSN_REGACK);
}

static void send_publish(struct client *c, int8_t qos)
{
    static const uint8_t answers[] = {0, SM_MQTTSN_PUBACK, SM_MQTTSN_PUBREC};
    if (qos && ++c->msg_id == 0)
        c->msg_id = 1;
    put(c,
        &(struct sm_mqttsn_packet){.type = SM_MQTTSN_PUBLISH,
                                   .qos = qos,
                                   .topic_id = c->topic,
                                   .msg_id = qos ? c->msg_id : 0,
                                   .data = payload,
                                   .len = PAYLOAD},
        answers[qos]);
}

/* The answer that the client waited for: its type, or 0. */
static uint8_t take(struct client *c)
{
    uint8_t bytes[2048];
    struct sm_mqttsn_packet p;
    ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);
    if (n <= 0 || sm_mqttsn_decode(&p, bytes, (size_t)n) < 0 || p.type != c->waiting)
        return 0;
    if (p.code != SM_MQTTSN_ACCEPTED) {
        failed++;
        c->sent_s = now_s(); /* comes again later */
        return 0;
    }
    if (p.type == SM_MQTTSN_REGACK)
        c->topic = p.topic_id;
    if (p.type == SM_MQTTSN_PUBREC) {
        put(c, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_PUBREL, .msg_id = c->msg_id},
            SM_MQTTSN_PUBCOMP);
        return 0;
    }
    c->waiting = 0;
    return p.type;
}

static void send_subscribe(unsigned i)
{
    char topic[48];
    int n = snprintf(topic, sizeof topic, "%s/sensor/%u/down", prefix, i);
    put(&clients[i],
        &(struct sm_mqttsn_packet){.type = SM_MQTTSN_SUBSCRIBE,
                                   .qos = 1,
                                   .msg_id = 2,
                                   .data = (uint8_t *)topic,
                                   .len = (uint16_t)n},
        SM_MQTTSN_SUBACK);
}

/* Whether a message came down. */
static bool take_down(struct client *c)
{
    uint8_t bytes[2048];
    struct sm_mqttsn_packet p;
    ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);
    if (n <= 0 || sm_mqttsn_decode(&p, bytes, (size_t)n) < 0)
        return false;
    struct sm_mqttsn_packet answer = {.topic_id = p.topic_id, .msg_id = p.msg_id};
    if (p.type == SM_MQTTSN_REGISTER)
        answer.type = SM_MQTTSN_REGACK;
    else if (p.type == SM_MQTTSN_PINGREQ)
        answer.type = SM_MQTTSN_PINGRESP;
    else if (p.type == SM_MQTTSN_PUBLISH && p.qos == 1)
        answer.type = SM_MQTTSN_PUBACK;
    if (answer.type)
        put(c, &answer, 0);
    return p.type == SM_MQTTSN_PUBLISH;
}

/* ---- The subscriber -------------------------------------------------------------------------- */

static int tcp(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)mqtt_port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        die("the broker");
    return fd;
}

static int mqtt_open(const char *id)
{
    uint8_t bytes[128];
    struct mqtt_connect c = {.client_id = id, .clean = true, .keepalive_s = 0};
    int fd = tcp(), n = mqtt_connect_encode(&c, bytes);
    if (send(fd, bytes, (size_t)n, 0) != n || recv(fd, bytes, 4, MSG_WAITALL) != 4 || bytes[3])
        die("the broker refuses");
    return fd;
}

static void mqtt_put(int fd, const struct mqtt_packet *p)
{
    uint8_t bytes[256];
    int n = mqtt_encode(p, bytes);
    if (send(fd, bytes, (size_t)n, MSG_NOSIGNAL) != n)
        die("the broker is gone");
}

static void sub_open(uint8_t qos)
{
    char filter[64], id[32];
    uint8_t ack[5];
    snprintf(id, sizeof id, "%s-sub", prefix);
    memset(&sub, 0, sizeof sub);
    sub.fd = mqtt_open(id);
    int n = snprintf(filter, sizeof filter, "%s/#", prefix);
    mqtt_put(sub.fd, &(struct mqtt_packet){.type = MQTT_SUBSCRIBE,
                                           .id = 1,
                                           .qos = qos,
                                           .topic = (uint8_t *)filter,
                                           .topic_len = (uint16_t)n});
    if (recv(sub.fd, ack, 5, MSG_WAITALL) != 5 || ack[4] > 2)
        die("subscribe");
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = UINT32_MAX};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, sub.fd, &e);
}

static void sub_close(void)
{
    close(sub.fd);
}

static void sub_take(void)
{
    struct mqtt_packet p;
    ssize_t got = recv(sub.fd, sub.bytes + sub.len, sizeof sub.bytes - sub.len, MSG_DONTWAIT);
    size_t at = 0;
    int n;
    if (got == 0)
        die("the broker closed the subscriber");
    if (got < 0)
        return;
    sub.len += (size_t)got;
    while ((n = mqtt_decode(&p, sub.bytes + at, sub.len - at, sizeof sub.bytes)) > 0) {
        at += (size_t)n;
        sub.count += p.type == MQTT_PUBLISH;
        if (p.type == MQTT_PUBLISH && p.qos)
            mqtt_put(sub.fd, &(struct mqtt_packet){.type = p.qos == 1 ? MQTT_PUBACK : MQTT_PUBREC,
                                                   .id = p.id});
        else if (p.type == MQTT_PUBREL)
            mqtt_put(sub.fd, &(struct mqtt_packet){.type = MQTT_PUBCOMP, .id = p.id});
    }
    memmove(sub.bytes, sub.bytes + at, sub.len - at);
    sub.len -= at;
}

/* ---- Phases ---------------------------------------------------------------------------------- */

/* All clients through one exchange, WINDOW at a time; how many took part in it to its end. */
static unsigned all(void (*begin)(unsigned), uint8_t answer, double limit_s)
{
    struct epoll_event events[EVENTS];
    unsigned next = 0, done = 0, under_way = 0;
    double start = now_s(), checked = start;
    while (done < clients_count && now_s() - start < limit_s) {
        for (; next < clients_count && under_way < WINDOW; under_way++)
            begin(next++);
        int n = epoll_wait(epoll_fd, events, EVENTS, 100);
        for (int i = 0; i < n; i++) {
            if (events[i].data.u32 == UINT32_MAX) {
                sub_take();
            } else if (take(&clients[events[i].data.u32]) == answer) {
                done++;
                under_way--;
            }
        }
        if (now_s() - checked < RETRY_S / 4)
            continue;
        checked = now_s();
        for (unsigned i = 0; i < next; i++)
            if (clients[i].waiting && checked - clients[i].sent_s > RETRY_S)
                begin(i);
    }
    return done;
}

static void run_connections(void)
{
    double before = rss_bytes(), cpu = cpu_us(), start = now_s();
    unsigned done = all(send_connect, SM_MQTTSN_CONNACK, 120);
    double took = now_s() - start;
    printf("connected %u\nconnections_per_s %.0f\ncpu_us_per_connection %.2f\n", done, done / took,
           (cpu_us() - cpu) / (done ? done : 1));
    printf("registered %u\n", all(send_register, SM_MQTTSN_REGACK, 120));
    printf("bytes_per_client %.0f\nrss_mb %.1f\n", (rss_bytes() - before) / (done ? done : 1),
           rss_bytes() / 1e6);
}

static void report(const char *name, unsigned long count, double took, double cpu)
{
    printf("%s_per_s %.0f\n%s_cpu_us %.2f\n", name, (double)count / took, name,
           cpu / (double)(count ? count : 1));
}

static void run_acknowledged(const char *name, int8_t qos)
{
    struct epoll_event events[EVENTS];
    unsigned long count = 0;
    double start = now_s(), cpu = cpu_us(), checked = start;
    for (unsigned i = 0; i < active_count; i++)
        send_publish(&clients[i], qos);
    while (now_s() - start < seconds) {
        int n = epoll_wait(epoll_fd, events, EVENTS, 100);
        for (int i = 0; i < n; i++) {
            struct client *c = &clients[events[i].data.u32];
            if (take(c)) {
                count++;
                send_publish(c, qos);
            }
        }
        if (now_s() - checked < RETRY_S)
            continue;
        checked = now_s();
        for (unsigned i = 0; i < active_count; i++)
            if (clients[i].waiting && checked - clients[i].sent_s > RETRY_S)
                failed++, send_publish(&clients[i], qos);
    }
    report(name, count, now_s() - start, cpu_us() - cpu);
    for (double end = now_s() + 0.3; now_s() < end;) { /* what is under way ends */
        int n = epoll_wait(epoll_fd, events, EVENTS, 50);
        for (int i = 0; i < n; i++)
            take(&clients[events[i].data.u32]);
    }
}

static void run_counted(void)
{
    struct epoll_event events[EVENTS];
    unsigned long sent = 0;
    unsigned next = 0;
    sub_open(0);
    double start = now_s(), cpu = cpu_us(), heard = start;
    while (now_s() - start < seconds) {
        for (; sent - sub.count < WINDOW; sent++, next = (next + 1) % active_count)
            send_publish(&clients[next], 0);
        unsigned long before = sub.count;
        int n = epoll_wait(epoll_fd, events, EVENTS, 20);
        for (int i = 0; i < n; i++) {
            if (events[i].data.u32 == UINT32_MAX)
                sub_take();
            else
                take(&clients[events[i].data.u32]);
        }
        if (sub.count != before)
            heard = now_s();
        if (now_s() - heard > 0.2) { /* lost ones must not stop it */
            failed += sent - sub.count;
            sent = sub.count;
            heard = now_s();
        }
    }
    report("qos0", sub.count, now_s() - start, cpu_us() - cpu);
    sub_close();
}

static void publish_down(int mqtt, unsigned i, uint8_t qos)
{
    static uint16_t id;
    char topic[48];
    int n = snprintf(topic, sizeof topic, "%s/sensor/%u/down", prefix, i);
    id = id == UINT16_MAX ? 1 : id + 1;
    mqtt_put(mqtt, &(struct mqtt_packet){.type = MQTT_PUBLISH,
                                         .qos = qos,
                                         .id = qos ? id : 0,
                                         .topic = (uint8_t *)topic,
                                         .topic_len = (uint16_t)n,
                                         .data = payload,
                                         .len = PAYLOAD});
}

/* One round of events: messages that came down. */
static unsigned wait_down(int mqtt)
{
    static uint8_t answers[1 << 16];
    struct epoll_event events[EVENTS];
    unsigned came = 0;
    int n = epoll_wait(epoll_fd, events, EVENTS, 20);
    for (int i = 0; i < n; i++) {
        if (events[i].data.u32 != PUBLISHER)
            came += take_down(&clients[events[i].data.u32]);
        else if (recv(mqtt, answers, sizeof answers, MSG_DONTWAIT) == 0)
            die("the broker closed the publisher");
    }
    return came;
}

static void run_down(const char *name, uint8_t qos)
{
    unsigned long sent = 0, came = 0, lost = 0;
    unsigned next = 0, n;
    char id[32];
    snprintf(id, sizeof id, "%s-pub", prefix);
    int mqtt = mqtt_open(id);
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = PUBLISHER};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, mqtt, &e);
    double start = now_s(), cpu = cpu_us(), heard = start;
    while (now_s() - start < seconds) {
        for (; sent - came - lost < WINDOW; sent++, next = (next + 1) % active_count)
            publish_down(mqtt, next, qos);
        came += n = wait_down(mqtt);
        if (n)
            heard = now_s();
        if (now_s() - heard > 0.5) { /* lost ones must not stop it */
            lost = sent - came;
            heard = now_s();
        }
    }
    report(name, came, now_s() - start, cpu_us() - cpu);
    for (double end = now_s() + 0.3; now_s() < end;) /* what is under way ends */
        wait_down(mqtt);
    failed += lost;
    close(mqtt);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Publishes by one way, one message at a time; how long each took, in microseconds. */
static void sample(double *took, unsigned count, int8_t qos, int mqtt)
{
    struct pollfd p[2] = {{sub.fd, POLLIN, 0}, {mqtt < 0 ? clients[0].fd : mqtt, POLLIN, 0}};
    uint8_t bytes[256];
    char topic[32];
    int topic_len = snprintf(topic, sizeof topic, "%s/plain", prefix);
    for (unsigned i = 0; i < count; i++) {
        unsigned long want = sub.count + 1;
        double start = now_s();
        if (mqtt < 0)
            send_publish(&clients[0], qos);
        else
            mqtt_put(mqtt, &(struct mqtt_packet){.type = MQTT_PUBLISH,
                                                 .qos = (uint8_t)qos,
                                                 .id = qos ? (uint16_t)(i + 1) : 0,
                                                 .topic = (uint8_t *)topic,
                                                 .topic_len = (uint16_t)topic_len,
                                                 .data = payload,
                                                 .len = PAYLOAD});
        bool acked = qos == 0;
        while ((sub.count < want || !acked) && now_s() - start < 2) {
            poll(p, 2, 100);
            if (p[0].revents)
                sub_take();
            if (sub.count >= want && !took[i])
                took[i] = (now_s() - start) * 1e6;
            if (!p[1].revents)
                continue;
            if (mqtt < 0) {
                acked |= take(&clients[0]) != 0;
            } else if (recv(mqtt, bytes, 4, 0) == 4) {
                if (bytes[0] >> 4 == MQTT_PUBREC)
                    mqtt_put(mqtt,
                             &(struct mqtt_packet){.type = MQTT_PUBREL,
                                                   .id = (uint16_t)(bytes[2] << 8 | bytes[3])});
                else
                    acked = true;
            }
        }
        failed += sub.count < want;
    }
}

static void report_latency(const char *name, double *took, unsigned count)
{
    qsort(took, count, sizeof *took, by_value);
    printf("%s_us %.1f\n%s_least_us %.1f\n%s_worst_us %.1f\n", name, took[count / 2], name, took[0],
           name, took[count - 1]);
    free(took);
}

/* Three in quick succession, then a pause: what Nagle's algorithm would delay. */
static void spaced(void)
{
    double worst = 0;
    for (unsigned i = 0; i < 20; i++) {
        unsigned long want = sub.count + 3;
        double start = now_s();
        for (int k = 0; k < 3; k++)
            send_publish(&clients[0], 0);
        while (sub.count < want && now_s() - start < 1) {
            struct pollfd p = {sub.fd, POLLIN, 0};
            poll(&p, 1, 100);
            sub_take();
        }
        double took = (now_s() - start) * 1e6;
        worst = took > worst ? took : worst;
        usleep(INTERVAL_MS * 1000);
    }
    printf("three_at_once_worst_us %.1f\n", worst);
}

static void run_latency(void)
{
    static const char *const ours[] = {"latency_qos0", "latency_qos1", "latency_qos2"};
    static const char *const plain[] = {"plain_qos0", "plain_qos1", "plain_qos2"};
    char id[32];
    snprintf(id, sizeof id, "%s-plain", prefix);
    for (int8_t qos = 0; qos <= 2; qos++) {
        sub_open((uint8_t)qos);
        int mqtt = mqtt_open(id);
        unsigned each = samples / TURNS + 1;
        double *straight = calloc(TURNS * each, sizeof *straight);
        double *through = calloc(TURNS * each, sizeof *through);
        if (!straight || !through)
            die("memory");
        for (unsigned turn = 0; turn < TURNS; turn++) {
            sample(straight + turn * each, each, qos, mqtt);
            sample(through + turn * each, each, qos, -1);
        }
        report_latency(plain[qos], straight, TURNS * each);
        report_latency(ours[qos], through, TURNS * each);
        if (!qos)
            spaced();
        close(mqtt);
        sub_close();
    }
}

/* ---- Start ----------------------------------------------------------------------------------- */

static const char usage[] =
    "usage: load [sn=PORT] [mqtt=PORT] [clients=N] [active=N] [seconds=S] [samples=N] "
    "[pid=PID]...\n"
    "            [prefix=NAME] [kept=1] [net=N] "
    "[phases=connections,qos0,qos1,qos2,down,latency,hold]\n";

static void option(const char *text)
{
    const char *value = strchr(text, '=');
    if (!value++ || !strcmp(text, "help")) {
        fputs(usage, stderr);
        exit(64);
    }
    if (!strncmp(text, "sn=", 3))
        sn_port = (unsigned)atoi(value);
    else if (!strncmp(text, "mqtt=", 5))
        mqtt_port = (unsigned)atoi(value);
    else if (!strncmp(text, "clients=", 8))
        clients_count = (unsigned)atoi(value);
    else if (!strncmp(text, "active=", 7))
        active_count = (unsigned)atoi(value);
    else if (!strncmp(text, "seconds=", 8))
        seconds = atof(value);
    else if (!strncmp(text, "samples=", 8))
        samples = (unsigned)atoi(value);
    else if (!strncmp(text, "prefix=", 7))
        prefix = value;
    else if (!strncmp(text, "net=", 4))
        net = (unsigned)atoi(value);
    else if (!strncmp(text, "kept=", 5))
        kept = atoi(value);
    else if (!strncmp(text, "phases=", 7))
        phases = value;
    else if (!strncmp(text, "pid=", 4) && pid_count < PIDS_MAX)
        pids[pid_count++] = atoi(value);
    else {
        fputs(usage, stderr);
        exit(64);
    }
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        option(argv[i]);
    if (!active_count || active_count > clients_count)
        active_count = clients_count;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < clients_count + 64) /* for root only */
        limit.rlim_max = clients_count + 64;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    memset(payload, 'x', sizeof payload);
    epoll_fd = epoll_create1(0);
    clients = calloc(clients_count, sizeof *clients);
    if (!clients || epoll_fd < 0)
        die("memory");
    for (unsigned i = 0; i < clients_count; i++)
        client_open(i);
    run_connections(); /* what follows needs them, whether it is printed or not */
    fflush(stdout);
    if (strstr(phases, "qos0"))
        run_counted();
    if (strstr(phases, "qos1"))
        run_acknowledged("qos1", 1);
    if (strstr(phases, "qos2"))
        run_acknowledged("qos2", 2);
    if (strstr(phases, "down")) {
        printf("subscribed %u\n", all(send_subscribe, SM_MQTTSN_SUBACK, 20));
        run_down("down0", 0);
        run_down("down1", 1);
    }
    if (strstr(phases, "latency"))
        run_latency();
    printf("failed %lu\n", failed);
    fflush(stdout);
    if (strstr(phases, "hold")) /* its clients stay until it is ended */
        pause();
    return 0;
}
