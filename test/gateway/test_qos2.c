/* QoS 2 between the real client and the real gateway: every combination of faults at every
 * datagram, restarts of the gateway among them, by the explorer of test/mqttsn.
 *
 *   test_gateway_qos2 [FAULTS | --replay NUMBER ID]
 *
 * The broker is a model that keeps its session, as brokers do, and answers a millisecond later: so
 * a gateway may stop with packets under way. Those that it had written then arrive, or, in every
 * other exploration, are lost; for a session that is kept and for a clean one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <gateway/core.h>

#include "../mqttsn/qos2.h"
#include "memory_store.h"

#define OUT    16u
#define PIPE   512u
#define HOP_MS 1u

static const char up_topic[] = "site/up", down_topic[] = "site/down";
static const char *const everything[] = {"#"};
static const struct gw_rule rule = {.client = "*",
                                    .publish = everything,
                                    .subscribe = everything,
                                    .publish_count = 1,
                                    .subscribe_count = 1};
static const struct gw_predefined predefined[] = {{QOS2_UP, up_topic}, {QOS2_DOWN, down_topic}};

struct peer {
    struct gw *g;
    struct gw_config cfg;
    struct memory_store store;
    struct gw_link *link;
    uint64_t pipe_ms; /* when the broker reads what is in the pipe */
    uint32_t random;
    bool arrives; /* what was written before a restart */
    bool greeted; /* by the broker */
    bool opened;  /* there are messages for the client */
    size_t pipe_len;
    uint8_t pipe[PIPE];
    struct {
        uint8_t bytes[64];
        size_t len;
    } out[OUT];
    unsigned out_count;
    /* The broker's session. */
    uint16_t held[OUT]; /* packet ids that wait for PUBREL */
    uint8_t held_number[OUT];
    unsigned delivered[QOS2_MESSAGES];
    uint8_t sent[QOS2_MESSAGES]; /* 0: to be sent, 1: sent, 2: PUBREC came, 3: done */
};

/* ---- The broker ------------------------------------------------------------------------------ */

static void to_gateway(struct peer *p, const uint8_t *bytes, size_t len)
{
    if (p->link && gw_link_bytes(p->g, p->link, bytes, len, p->g->now_ms) < 0)
        abort();
}

static void broker_id(struct peer *p, unsigned type, unsigned id)
{
    to_gateway(p,
               (uint8_t[]){(uint8_t)(type << 4 | (type == MQTT_PUBREL ? 2 : 0)), 2,
                           (uint8_t)(id >> 8), (uint8_t)id},
               4);
}

static void broker_publish(struct peer *p, unsigned number)
{
    uint8_t payload = (uint8_t)number, bytes[64];
    struct mqtt_packet m = {.type = MQTT_PUBLISH,
                            .qos = 2,
                            .dup = p->sent[number],
                            .id = (uint16_t)(500 + number),
                            .topic = (const uint8_t *)down_topic,
                            .topic_len = sizeof down_topic - 1,
                            .data = &payload,
                            .len = 1};
    p->sent[number] = 1;
    to_gateway(p, bytes, (size_t)mqtt_encode(&m, bytes));
}

/* After CONNACK: what of its session is not done. */
static void broker_goes_on(struct peer *p)
{
    if (!p->opened || !p->greeted)
        return;
    for (unsigned i = 0; i < QOS2_MESSAGES; i++) {
        if (p->sent[i] < 2)
            broker_publish(p, i);
        else if (p->sent[i] == 2)
            broker_id(p, MQTT_PUBREL, 500 + i);
    }
}

static unsigned held_at(const struct peer *p, unsigned id)
{
    for (unsigned i = 0; i < OUT; i++)
        if (p->held[i] == id)
            return i;
    return OUT;
}

static void broker_takes(struct peer *p, uint8_t first, const uint8_t *at, size_t len)
{
    unsigned id = len >= 2 ? (unsigned)at[0] << 8 | at[1] : 0, slot, topic;
    switch (first >> 4) {
    case MQTT_CONNECT:
        to_gateway(p, (const uint8_t[]){MQTT_CONNACK << 4, 2, 1, 0}, 4);
        p->greeted = true;
        broker_goes_on(p);
        break;
    case MQTT_PUBLISH:
        topic = id;
        id = (unsigned)at[2 + topic] << 8 | at[3 + topic];
        if (held_at(p, id) == OUT) {
            slot = held_at(p, 0);
            p->held[slot] = (uint16_t)id;
            p->held_number[slot] = at[4 + topic];
        }
        broker_id(p, MQTT_PUBREC, id);
        break;
    case MQTT_PUBREL:
        slot = held_at(p, id);
        if (slot < OUT) {
            p->delivered[p->held_number[slot]]++;
            p->held[slot] = 0;
        }
        broker_id(p, MQTT_PUBCOMP, id);
        break;
    case MQTT_PUBREC:
        if (p->sent[id - 500] == 1)
            p->sent[id - 500] = 2;
        broker_id(p, MQTT_PUBREL, id);
        break;
    case MQTT_PUBCOMP: p->sent[id - 500] = 3; break;
    case MQTT_SUBSCRIBE: to_gateway(p, (uint8_t[]){MQTT_SUBACK << 4, 3, at[0], at[1], 2}, 5); break;
    case MQTT_UNSUBSCRIBE: broker_id(p, MQTT_UNSUBACK, id); break;
    case MQTT_PINGREQ: to_gateway(p, (const uint8_t[]){MQTT_PINGRESP << 4, 0}, 2); break;
    }
}

/* All that is in the pipe; what comes of it goes into the pipe for the next time. */
static void broker_reads(struct peer *p)
{
    uint8_t bytes[PIPE];
    size_t len = p->pipe_len;
    memcpy(bytes, p->pipe, len);
    p->pipe_len = 0;
    for (size_t at = 0; at < len; at += 2u + bytes[at + 1]) /* none is longer than 127 octets */
        broker_takes(p, bytes[at], bytes + at + 2, bytes[at + 1]);
}

/* ---- The gateway ----------------------------------------------------------------------------- */

static void io_send(void *ctx, const struct gw_addr *to, const uint8_t *bytes, size_t len)
{
    struct peer *p = ctx;
    (void)to;
    if (p->out_count == OUT || len > sizeof p->out[0].bytes)
        abort();
    memcpy(p->out[p->out_count].bytes, bytes, len);
    p->out[p->out_count++].len = len;
}

static void io_random(void *ctx, void *out, size_t len)
{
    struct peer *p = ctx;
    for (uint8_t *at = out; len--; at++)
        *at = (uint8_t)((p->random = p->random * 1664525u + 1013904223u) >> 24);
}

static void serve(struct peer *p, uint64_t now_ms)
{
    enum gw_link_wish wish;
    struct gw_link *l;
    while ((l = gw_link_next(p->g, &wish))) {
        size_t len;
        if (wish == GW_LINK_OPEN) {
            p->link = l;
            gw_link_set_fd(l, 1);
            gw_link_up(p->g, l, now_ms);
        } else if (wish == GW_LINK_CLOSE) {
            gw_link_closed(p->g, l);
        } else {
            const uint8_t *bytes = gw_link_output(l, &len);
            if (p->pipe_len + len > PIPE)
                abort();
            if (!p->pipe_len)
                p->pipe_ms = now_ms + HOP_MS;
            if (len)
                memcpy(p->pipe + p->pipe_len, bytes, len);
            p->pipe_len += len;
            gw_link_wrote(l, len);
        }
    }
}

static void start(struct peer *p, uint64_t now_ms)
{
    struct gw_io io = {p, io_send, io_random, NULL};
    struct gw_store functions = memory_store_functions(&p->store);
    p->g = gw_new(&p->cfg, &io, &functions, now_ms);
    memory_store_restore(&p->store, p->g, now_ms);
    gw_tick(p->g, now_ms);
    serve(p, now_ms);
}

static struct peer *make(bool arrives)
{
    struct peer *p = calloc(1, sizeof *p);
    p->arrives = arrives;
    gw_config_init(&p->cfg);
    p->cfg.rules = &rule;
    p->cfg.rule_count = 1;
    p->cfg.predefined = predefined;
    p->cfg.predefined_count = 2;
    p->cfg.broker_keepalive_s = 0; /* time goes on by leaps */
    p->random = 1;
    return p;
}

static void *begin(bool arrives)
{
    struct peer *p = make(arrives);
    struct gw_stored_client pot = {.id = "pot", .state = GW_DISCONNECTED};
    struct gw_store store = memory_store_functions(&p->store);
    int64_t row = store.client_put(&p->store, &pot);
    store.filter_put(&p->store, row,
                     (struct gw_text){(const uint8_t *)down_topic, sizeof down_topic - 1}, 2);
    p->opened = true;
    start(p, 1);
    return p;
}

static void *begin_written(void)
{
    return begin(true);
}

static void *begin_lost(void)
{
    return begin(false);
}

static void *begin_clean(bool arrives)
{
    struct peer *p = make(arrives);
    start(p, 1);
    return p;
}

static void *begin_clean_written(void)
{
    return begin_clean(true);
}

static void *begin_clean_lost(void)
{
    return begin_clean(false);
}

static void subscribed(void *peer)
{
    struct peer *p = peer;
    bool news = !p->opened;
    p->opened = true;
    if (news)
        broker_goes_on(p);
}

static void end(void *peer)
{
    struct peer *p = peer;
    gw_free(p->g);
    free(p);
}

static void restart(void *peer, uint64_t now_ms)
{
    struct peer *p = peer;
    p->link = NULL; /* what the broker answers goes nowhere */
    if (p->arrives)
        broker_reads(p);
    p->greeted = false;
    p->pipe_len = 0;
    p->out_count = 0;
    gw_free(p->g);
    start(p, now_ms);
}

static void feed(void *peer, const uint8_t *bytes, size_t len, uint64_t now_ms)
{
    static const struct gw_addr from = {.ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1},
                                        .port = 1};
    struct peer *p = peer;
    gw_input(p->g, &from, NULL, bytes, len, now_ms);
    serve(p, now_ms);
}

static int poll(void *peer, uint8_t *out, size_t size, uint64_t now_ms)
{
    struct peer *p = peer;
    if (p->pipe_len && now_ms >= p->pipe_ms) {
        p->g->now_ms = now_ms;
        broker_reads(p);
    }
    gw_tick(p->g, now_ms);
    serve(p, now_ms);
    if (!p->out_count || p->out[0].len > size)
        return 0;
    int len = (int)p->out[0].len;
    memcpy(out, p->out[0].bytes, (size_t)len);
    memmove(&p->out[0], &p->out[1], --p->out_count * sizeof p->out[0]);
    return len;
}

static uint64_t deadline(void *peer)
{
    struct peer *p = peer;
    uint64_t at = p->pipe_len ? p->pipe_ms : UINT64_MAX;
    for (uint32_t i = 0; i < p->g->clients_used; i++) {
        struct gw_client *c = p->g->clients[i];
        uint64_t due = c && c->in_wheel ? (c->due_ms / GW_SLOT_MS + 1) * GW_SLOT_MS : UINT64_MAX;
        at = due < at ? due : at;
    }
    return at;
}

static unsigned delivered(void *peer, unsigned n)
{
    return ((struct peer *)peer)->delivered[n];
}

static bool done(void *peer)
{
    struct peer *p = peer;
    for (unsigned i = 0; i < QOS2_MESSAGES; i++)
        if (p->sent[i] != 3)
            return false;
    return gw_figures(p->g)->waiting == 0 && p->pipe_len == 0;
}

static const struct {
    const char *name;
    bool clean;
    void *(*begin)(void);
} kinds[] = {{"gateway, what it had written arrives", false, begin_written},
             {"gateway, what it had written is lost", false, begin_lost},
             {"gateway, clean session, what it had written arrives", true, begin_clean_written},
             {"gateway, clean session, what it had written is lost", true, begin_clean_lost}};

enum { KINDS = sizeof kinds / sizeof *kinds };

static struct qos2_peer kind(unsigned i)
{
    return (struct qos2_peer){.name = kinds[i].name,
                              .clean = kinds[i].clean,
                              .begin = kinds[i].begin,
                              .end = end,
                              .restart = restart,
                              .feed = feed,
                              .poll = poll,
                              .deadline = deadline,
                              .delivered = delivered,
                              .done = done,
                              .subscribed = subscribed};
}

int main(int argc, char **argv)
{
    struct qos2_peer peer;
    if (argc > 3 && !strcmp(argv[1], "--replay")) {
        peer = kind((unsigned)strtoul(argv[2], NULL, 10) % KINDS);
        return qos2_replay(&peer, argv[3]);
    }
    unsigned faults = argc > 1                       ? (unsigned)strtoul(argv[1], NULL, 10)
                      : getenv("SANDMOTE_TEST_FULL") ? 3
                                                     : 2;
    int failed = 0;
    for (unsigned i = 0; i < KINDS; i++) {
        peer = kind(i);
        failed |= qos2_explore(&peer, faults);
    }
    return failed;
}
