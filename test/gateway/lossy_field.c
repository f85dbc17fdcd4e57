/* Fifty clients, two gateways and a bad network, told with its figures: what `./dev demo --field`
 * runs.
 *
 * Each datagram between client and gateway, either way, may be lost, come twice, and come up to
 * some tens of milliseconds late, so also after a later one. Every second client sleeps between its
 * messages. One gateway is killed and comes back; the other is killed for good, and its clients go
 * to the first. At the end each message that was acknowledged must have arrived: QoS 1 at least
 * once, QoS 2 once, if its client was with one gateway from its first datagram to its last.
 *
 * The clients are the product's own, the transport between them is this file's. The seed decides
 * which datagrams suffer, not when.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <poll.h>
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
#include <sandmote/mqttsn_client.h>

#include "field.h"

#define NODES        50u
#define GATEWAYS     2u
#define MESSAGES     400u /* of one client, at most */
#define DATAGRAM     256u
#define UNDER_WAY    4096u
#define LOST_PERCENT 10u
#define TWICE        5u
#define LATE_MS      40u
#define RETRY_MS     400u
#define NAPS         4u /* messages between two */
#define NAP_MS       300u
#define DRAIN_MS     12000u

enum doing { CONNECT, REGISTER, SUBSCRIBE, PUBLISH, FALL_ASLEEP, NAP, WAKE, DONE };

struct message {
    uint8_t qos, arrived, started_at;
    bool acknowledged, moved; /* it began with one gateway and ended with another */
};

struct node {
    struct sm_mqttsn sn;
    struct sm_mqttsn_gateway gateways[GATEWAYS];
    struct sm_mqttsn_topic topics[4];
    char names[4 * 32];
    struct sm_mqttsn_request requests[4];
    uint8_t payloads[4 * 32], inbox[512];
    char id[16];
    int fd, token;
    enum doing doing;
    uint16_t topic;
    uint64_t nap_until_ms;
    unsigned count, received, moves;
    struct message message[MESSAGES];
};

/* A datagram on its way. */
struct letter {
    uint64_t due_ms;
    unsigned node;
    uint8_t gateway;
    bool up, used;
    size_t len;
    uint8_t bytes[DATAGRAM];
};

static struct field field;
static struct gateway gateways[GATEWAYS];
static struct listener listener;
static struct node nodes[NODES];
static struct letter letters[UNDER_WAY];
static uint32_t luck = 1;
static uint64_t run_ms = 3600;      /* and two moments on the way: */
#define RESTART_MS (run_ms / 4)     /* gateway 2 is killed, and started again */
#define KILL_MS    (run_ms * 5 / 9) /* gateway 1 is killed */
static unsigned long sent, lost, doubled;

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static unsigned chance(unsigned of)
{
    luck = luck * 1664525u + 1013904223u;
    return (luck >> 8) % of;
}

/* ---- The network ----------------------------------------------------------------------------- */

static void post_one(unsigned node, uint8_t gateway, bool up, const uint8_t *bytes, size_t len)
{
    for (unsigned i = 0; i < UNDER_WAY; i++) {
        struct letter *l = &letters[i];
        if (l->used)
            continue;
        *l = (struct letter){now_ms() + chance(LATE_MS), node, gateway, up, true, len, {0}};
        memcpy(l->bytes, bytes, len);
        return;
    }
    lost++;
}

static void post(unsigned node, uint8_t gateway, bool up, const uint8_t *bytes, size_t len)
{
    sent++;
    if (chance(100) < LOST_PERCENT) {
        lost++;
        return;
    }
    post_one(node, gateway, up, bytes, len);
    if (chance(100) < TWICE) {
        doubled++;
        post_one(node, gateway, up, bytes, len);
    }
}

static struct sm_mqttsn_address address_of(uint8_t gateway)
{
    return (struct sm_mqttsn_address){.len = 1, .bytes = {(uint8_t)(gateway + 1)}};
}

static void arrive(struct letter *l, uint64_t now)
{
    struct node *n = &nodes[l->node];
    struct sm_mqttsn_address from = address_of(l->gateway);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)gateways[l->gateway].port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    l->used = false;
    if (l->up)
        sendto(n->fd, l->bytes, l->len, 0, (struct sockaddr *)&to, sizeof to);
    else
        sm_mqttsn_feed(&n->sn, l->bytes, l->len, &from, now);
}

static void carry(uint64_t now)
{
    for (unsigned i = 0; i < UNDER_WAY; i++)
        if (letters[i].used && letters[i].due_ms <= now)
            arrive(&letters[i], now);
}

/* From the sockets into the network, and from the clients. */
static void collect(uint64_t now)
{
    uint8_t bytes[DATAGRAM];
    struct sm_mqttsn_address to;
    for (unsigned i = 0; i < NODES; i++) {
        struct sockaddr_in from;
        socklen_t size = sizeof from;
        ssize_t n;
        while ((n = recvfrom(nodes[i].fd, bytes, sizeof bytes, MSG_DONTWAIT,
                             (struct sockaddr *)&from, &size)) > 0)
            post(i, ntohs(from.sin_port) == gateways[1].port, false, bytes, (size_t)n);
        int len;
        while ((len = sm_mqttsn_poll(&nodes[i].sn, now, bytes, sizeof bytes, &to)) > 0)
            post(i, (uint8_t)(to.bytes[0] - 1), true, bytes, (size_t)len);
    }
}

/* ---- Clients --------------------------------------------------------------------------------- */

static uint8_t gateway_of(const struct node *n)
{
    const struct sm_mqttsn_address *a = sm_mqttsn_gateway(&n->sn);
    return a ? a->bytes[0] : 0;
}

static void open_node(unsigned i)
{
    struct node *n = &nodes[i];
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    snprintf(n->id, sizeof n->id, "node-%02u", i);
    n->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(n->fd, (struct sockaddr *)&any, sizeof any), 0);
    struct sm_mqttsn_config cfg = {.client_id = n->id,
                                   .seed = i + 1,
                                   .retry_ms = RETRY_MS,
                                   .retries = 6,
                                   .gateways = n->gateways,
                                   .ngateways = GATEWAYS,
                                   .topics = n->topics,
                                   .ntopics = 4,
                                   .names = n->names,
                                   .name_size = 32,
                                   .requests = n->requests,
                                   .nrequests = 4,
                                   .payloads = n->payloads,
                                   .payload_size = 32,
                                   .inbox = n->inbox,
                                   .inbox_size = sizeof n->inbox};
    assert_int_equal(sm_mqttsn_init(&n->sn, &cfg), 0);
    for (uint8_t k = 0; k < GATEWAYS; k++) {
        struct sm_mqttsn_address a = address_of((uint8_t)((i + k) % GATEWAYS));
        assert_int_equal(sm_mqttsn_add_gateway(&n->sn, &a), 0);
    }
}

static int publish(struct node *n)
{
    char text[32];
    struct message *m = &n->message[n->count];
    if (n->count == MESSAGES)
        return 0;
    m->qos = n->count % 2 ? 2 : 1;
    m->started_at = gateway_of(n);
    int len = snprintf(text, sizeof text, "%u", n->count);
    return sm_mqttsn_publish(&n->sn, SM_MQTTSN_TOPIC_NORMAL, n->topic, m->qos, false, text,
                             (size_t)len);
}

/* The request of what the node is at; 0 when it has to come later. */
static int request(struct node *n, uint64_t now)
{
    static const struct sm_mqttsn_connect how = {.clean = false, .keepalive_s = 5};
    char name[32];
    int len;
    switch (n->doing) {
    case CONNECT:
    case WAKE: return sm_mqttsn_connect(&n->sn, &how, now);
    case REGISTER:
        len = snprintf(name, sizeof name, "field/%s/up", n->id);
        return sm_mqttsn_register(&n->sn, name, (size_t)len);
    case SUBSCRIBE:
        len = snprintf(name, sizeof name, "field/%s/down", n->id);
        return sm_mqttsn_subscribe(&n->sn, name, (size_t)len, 1);
    case PUBLISH: return publish(n);
    case FALL_ASLEEP: return sm_mqttsn_sleep(&n->sn, 3, now);
    default: return 0;
    }
}

static void published(struct node *n, const struct sm_mqttsn_result *r)
{
    struct message *m = &n->message[n->count++];
    m->acknowledged = !r->err;
    m->moved = r->again || gateway_of(n) != m->started_at;
}

static void ended(struct node *n, const struct sm_mqttsn_result *r, uint64_t now, bool over)
{
    bool sleeper = (unsigned)(n - nodes) % 2;
    switch (n->doing) {
    case REGISTER: n->topic = r->topic; break;
    case PUBLISH: published(n, r); break;
    default: break;
    }
    if (r->err && n->doing != PUBLISH) {
        n->doing = n->doing == FALL_ASLEEP ? PUBLISH : n->doing; /* once more */
        return;
    }
    if (over && n->doing >= PUBLISH) {
        n->doing = DONE;
    } else if (n->doing == FALL_ASLEEP) {
        n->doing = NAP;
        n->nap_until_ms = now + NAP_MS;
    } else if (n->doing == WAKE) {
        n->doing = PUBLISH;
    } else if (n->doing != PUBLISH) {
        n->doing++;
    } else if (sleeper && n->count % NAPS == 0) {
        n->doing = FALL_ASLEEP;
    }
}

static void live(struct node *n, uint64_t now, bool over)
{
    struct sm_mqttsn_message in;
    struct sm_mqttsn_result r;
    while (!sm_mqttsn_peek(&n->sn, SM_MQTTSN_TOPIC_NORMAL, 0, &in)) {
        n->received++;
        sm_mqttsn_consume(&n->sn, &in);
    }
    if (n->token) {
        if (sm_mqttsn_take(&n->sn, n->token, &r) == 0) {
            n->token = 0;
            ended(n, &r, now, over);
        }
        return;
    }
    if (n->doing == NAP && now >= n->nap_until_ms)
        n->doing = WAKE;
    if (n->doing == DONE || (over && n->doing == PUBLISH)) {
        n->doing = DONE;
        return;
    }
    int token = request(n, now);
    n->token = token > 0 ? token : 0;
}

/* ---- What arrived ---------------------------------------------------------------------------- */

static void hear(void)
{
    unsigned node, number;
    char topic[32], text[16];
    while (listener_next(&listener, 0)) {
        snprintf(topic, sizeof topic, "%.*s", (int)listener.p.topic_len,
                 (const char *)listener.p.topic);
        snprintf(text, sizeof text, "%.*s", (int)listener.p.len, (const char *)listener.p.data);
        if (sscanf(topic, "field/node-%u/up", &node) == 1 && sscanf(text, "%u", &number) == 1 &&
            node < NODES && number < MESSAGES && nodes[node].message[number].arrived < 255)
            nodes[node].message[number].arrived++;
    }
}

struct sums {
    unsigned long acknowledged, missing, twice, moved, moved_twice;
};

static bool missing(unsigned node, unsigned number)
{
    const struct message *m = &nodes[node].message[number];
    return m->acknowledged && !m->arrived;
}

static struct sums add_up(uint8_t qos)
{
    struct sums s = {0};
    for (unsigned i = 0; i < NODES; i++) {
        for (unsigned k = 0; k < nodes[i].count; k++) {
            const struct message *m = &nodes[i].message[k];
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
        down += nodes[i].received;
    printf(
        "%u clients, %u gateways; %lu datagrams, %lu of them lost, %lu doubled, each up to %u ms "
        "late\n",
        NODES, GATEWAYS, sent, lost, doubled, LATE_MS);
    for (uint8_t qos = 1; qos <= 2; qos++) {
        struct sums s = add_up(qos);
        printf(
            "QoS %u: %lu acknowledged, %lu of these missing at the broker; %lu arrived more than "
            "once, and %lu of the %lu whose clients changed the gateway meanwhile\n",
            qos, s.acknowledged, s.missing, s.twice, s.moved_twice, s.moved);
    }
    for (unsigned i = 0; i < NODES; i++)
        for (unsigned k = 0; k < nodes[i].count; k++)
            if (missing(i, k))
                printf("missing: message %u of %s, begun with gateway %u%s\n", k, nodes[i].id,
                       nodes[i].message[k].started_at, nodes[i].message[k].moved ? ", moved" : "");
    printf("commands that reached the clients: %lu\n", down);
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

static bool all_done(void)
{
    for (unsigned i = 0; i < NODES; i++)
        if (nodes[i].doing != DONE)
            return false;
    return true;
}

static void no_acknowledged_message_is_missing_and_qos_2_is_once(void **state)
{
    uint64_t start = now_ms(), now = start, told = start;
    (void)state;
    for (unsigned i = 0; i < NODES; i++)
        open_node(i);
    while (now - start < run_ms + DRAIN_MS && !(now - start > run_ms && all_done())) {
        now = now_ms();
        happen(now - start);
        carry(now);
        for (unsigned i = 0; i < NODES; i++)
            live(&nodes[i], now, now - start > run_ms);
        collect(now);
        hear();
        if (now - told > 100) {
            char topic[32];
            told = now;
            snprintf(topic, sizeof topic, "field/node-%02u/down", chance(NODES));
            listener_publish(&listener, topic, "command", 0, false);
        }
        usleep(1000);
    }
    for (int i = 0; i < 250 && (i < 20 || add_up(1).missing || add_up(2).missing); i++) {
        hear();
        usleep(20000);
    }
    tell();
    struct sums one = add_up(1), two = add_up(2);
    assert_true(one.acknowledged > NODES && two.acknowledged > NODES);
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
    listener_subscribe(&listener, "field/+/up", 2);
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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_acknowledged_message_is_missing_and_qos_2_is_once)};
    if (argc > 1) /* lossy_field [MILLISECONDS [SEED]] */
        run_ms = strtoul(argv[1], NULL, 10);
    if (argc > 2)
        luck = (uint32_t)strtoul(argv[2], NULL, 10);
    return cmocka_run_group_tests(tests, setup, teardown);
}
