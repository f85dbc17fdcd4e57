/* The bad network, the story and the count (lossy.h). The seed decides which datagrams suffer, not
 * when.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "lossy.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "field.h"

#define DATAGRAM     256u
#define UNDER_WAY    4096u
#define LOST_PERCENT 10u
#define TWICE        5u
#define LATE_MS      40u
#define DRAIN_MS     12000u

/* A datagram on its way. */
struct letter {
    uint64_t due_ms;
    unsigned node;
    uint8_t gateway;
    bool up, used;
    size_t len;
    uint8_t bytes[DATAGRAM];
};

static const struct kind *kind;
static struct field field;
static struct gateway gateways[GATEWAYS];
static struct listener listener;
static int sockets[NODES];
static struct message messages[NODES][MESSAGES];
static struct letter letters[UNDER_WAY];
static bool netem; /* the network is good, as far as we are concerned */
static uint32_t luck = 1;
static uint64_t run_ms = 3600;      /* and two moments on the way: */
#define RESTART_MS (run_ms / 4)     /* gateway 2 is killed, and started again */
#define KILL_MS    (run_ms * 5 / 9) /* gateway 1 is killed */
static unsigned long sent, lost, doubled;

uint64_t lossy_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

unsigned lossy_chance(unsigned of)
{
    luck = luck * 1664525u + 1013904223u;
    return (luck >> 8) % of;
}

struct message *lossy_message(unsigned node, unsigned number)
{
    return &messages[node][number];
}

/* ---- The network ----------------------------------------------------------------------------- */

static void post_one(unsigned node, uint8_t gateway, bool up, const uint8_t *bytes, size_t len)
{
    for (unsigned i = 0; i < UNDER_WAY; i++) {
        struct letter *l = &letters[i];
        if (l->used)
            continue;
        *l = (struct letter){lossy_now_ms() + (netem ? 0 : lossy_chance(LATE_MS)),
                             node,
                             gateway,
                             up,
                             true,
                             len,
                             {0}};
        memcpy(l->bytes, bytes, len);
        return;
    }
    lost++;
}

static void post(unsigned node, uint8_t gateway, bool up, const uint8_t *bytes, size_t len)
{
    sent++;
    if (!netem && lossy_chance(100) < LOST_PERCENT) {
        lost++;
        return;
    }
    post_one(node, gateway, up, bytes, len);
    if (!netem && lossy_chance(100) < TWICE) {
        doubled++;
        post_one(node, gateway, up, bytes, len);
    }
}

void lossy_send(unsigned node, uint8_t gateway, const uint8_t *bytes, size_t len)
{
    assert_in_range(len, 1, DATAGRAM);
    post(node, gateway, true, bytes, len);
}

static void arrive(struct letter *l, uint64_t now)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)gateways[l->gateway].port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    l->used = false;
    if (l->up)
        sendto(sockets[l->node], l->bytes, l->len, 0, (struct sockaddr *)&to, sizeof to);
    else
        kind->feed(l->node, l->gateway, l->bytes, l->len, now);
}

static void carry(uint64_t now)
{
    for (unsigned i = 0; i < UNDER_WAY; i++)
        if (letters[i].used && letters[i].due_ms <= now)
            arrive(&letters[i], now);
}

/* From the gateways into the network. */
static void collect(void)
{
    uint8_t bytes[DATAGRAM];
    for (unsigned i = 0; i < NODES; i++) {
        struct sockaddr_in from;
        socklen_t size = sizeof from;
        ssize_t n;
        while ((n = recvfrom(sockets[i], bytes, sizeof bytes, MSG_DONTWAIT,
                             (struct sockaddr *)&from, &size)) > 0)
            post(i, ntohs(from.sin_port) == gateways[1].port, false, bytes, (size_t)n);
    }
}

static void open_socket(unsigned i)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    sockets[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(sockets[i], (struct sockaddr *)&any, sizeof any), 0);
}

/* ---- What arrived ---------------------------------------------------------------------------- */

static void hear(void)
{
    unsigned node, number;
    char topic[TEXT], text[16];
    while (listener_next(&listener, 0)) {
        snprintf(topic, sizeof topic, "%.*s", (int)listener.p.topic_len,
                 (const char *)listener.p.topic);
        snprintf(text, sizeof text, "%.*s", (int)listener.p.len, (const char *)listener.p.data);
        if (kind->find(topic, text, &node, &number) && node < NODES && number < MESSAGES &&
            messages[node][number].arrived < 255)
            messages[node][number].arrived++;
    }
}

struct sums {
    unsigned long acknowledged, missing, twice, moved, moved_twice;
};

static bool missing(unsigned node, unsigned number)
{
    const struct message *m = &messages[node][number];
    return m->acknowledged && !m->arrived;
}

static struct sums add_up(uint8_t qos)
{
    struct sums s = {0};
    for (unsigned i = 0; i < NODES; i++) {
        for (unsigned k = 0; k < MESSAGES; k++) {
            const struct message *m = &messages[i][k];
            if (m->qos != qos)
                continue;
            s.acknowledged += m->acknowledged;
            s.missing += missing(i, k);
            s.moved += m->moved;
            if (m->arrived > 1)
                *(m->moved ? &s.moved_twice : &s.twice) += 1;
        }
    }
    return s;
}

static void tell(void)
{
    unsigned long down = 0;
    for (unsigned i = 0; i < NODES; i++)
        down += kind->told(i);
    printf("%u %s, %u gateways; %lu datagrams", NODES, kind->name, GATEWAYS, sent);
    if (netem)
        printf(", which the kernel carried\n");
    else
        printf(", %lu of them lost, %lu doubled, each up to %u ms late\n", lost, doubled, LATE_MS);
    for (uint8_t qos = 1; qos <= 2; qos++) {
        struct sums s = add_up(qos);
        printf("QoS %u: %lu acknowledged, %lu of these missing at the broker; %lu arrived more "
               "than once, and %lu of the %lu whose senders changed the gateway meanwhile\n",
               qos, s.acknowledged, s.missing, s.twice, s.moved_twice, s.moved);
    }
    for (unsigned i = 0; i < NODES; i++)
        for (unsigned k = 0; k < MESSAGES; k++)
            if (missing(i, k))
                printf("missing: message %u of %u, begun with gateway %u%s\n", k, i,
                       messages[i][k].started_at, messages[i][k].moved ? ", moved" : "");
    printf("messages that reached the %s: %lu\n", kind->name, down);
}

/* ---- The story ------------------------------------------------------------------------------- */

static void happen(uint64_t since)
{
    static int chapter;
    if (chapter == 0 && since >= RESTART_MS) {
        chapter++;
        printf("after %u ms gateway 2 is killed, and started again\n", (unsigned)RESTART_MS);
        gateway_stop(&gateways[1], SIGKILL);
        gateway_again(&gateways[1]);
    } else if (chapter == 1 && since >= KILL_MS) {
        chapter++;
        printf("after %u ms gateway 1 is killed, and stays so\n", (unsigned)KILL_MS);
        gateway_stop(&gateways[0], SIGKILL);
    }
}

static void command(void)
{
    static uint64_t told;
    char topic[TEXT];
    uint64_t now = lossy_now_ms();
    if (now - told < kind->command_ms)
        return;
    told = now;
    kind->command(topic);
    listener_publish(&listener, topic, "command", 0, false);
}

/* Everybody once; whether nobody has anything under way. */
static bool live(uint64_t now, bool over)
{
    bool idle = true;
    for (unsigned i = 0; i < NODES; i++)
        idle &= kind->step(i, now, over);
    return idle;
}

static void no_acknowledged_message_is_missing_and_qos_2_is_once(void **state)
{
    uint64_t start = lossy_now_ms(), now = start;
    bool idle = false;
    (void)state;
    for (unsigned i = 0; i < NODES; i++) {
        open_socket(i);
        kind->open(i);
    }
    while (now - start < run_ms + DRAIN_MS && !(now - start > run_ms && idle)) {
        now = lossy_now_ms();
        happen(now - start);
        carry(now);
        idle = live(now, now - start > run_ms);
        collect();
        hear();
        command();
        usleep(1000);
    }
    for (int i = 0; i < 250 && (i < 20 || add_up(1).missing || add_up(2).missing); i++) {
        hear();
        usleep(20000);
    }
    tell();
    struct sums one = add_up(1), two = add_up(2);
    assert_true(one.acknowledged > NODES / 2 && two.acknowledged > NODES / 2);
    assert_int_equal(one.missing, 0);
    assert_int_equal(two.missing, 0);
    assert_int_equal(two.twice, 0);
}

static int setup(void **state)
{
    (void)state;
    if (!field_setup(&field))
        return -1;
    gateway_start(&gateways[0], &field, "gateway1", NULL);
    gateway_start(&gateways[1], &field, "gateway2", NULL);
    listener_open(&listener, &field, "listener");
    listener_subscribe(&listener, kind->filter, 2);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    listener_close(&listener);
    if (gateways[0].pid)
        gateway_stop(&gateways[0], SIGKILL);
    int status = gateway_stop(&gateways[1], SIGTERM);
    field_teardown(&field);
    assert_int_equal(status, 0);
    return 0;
}

int lossy_main(const struct kind *who, int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_acknowledged_message_is_missing_and_qos_2_is_once)};
    kind = who;
    if (argc > 1)
        run_ms = strtoul(argv[1], NULL, 10);
    if (argc > 2)
        luck = (uint32_t)strtoul(argv[2], NULL, 10);
    netem = argc > 3 && strcmp(argv[3], "netem") == 0;
    return cmocka_run_group_tests(tests, setup, teardown);
}
