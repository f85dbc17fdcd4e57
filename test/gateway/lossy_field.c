/* Fifty of the product's own clients on a bad network (lossy.h). Every second one sleeps between
 * its messages; QoS 1 and 2 alternate.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "lossy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <sandmote/mqttsn_client.h>

#define NAPS     4u /* messages between two */
#define NAP_MS   300u
#define DATAGRAM 256u

enum doing { CONNECT, REGISTER, SUBSCRIBE, PUBLISH, FALL_ASLEEP, NAP, WAKE, DONE };

struct node {
    struct sm_mqttsn sn;
    struct sm_mqttsn_gateway gateways[GATEWAYS];
    struct sm_mqttsn_topic topics[4];
    char names[4 * 32];
    struct sm_mqttsn_request requests[4];
    uint8_t payloads[4 * 32], inbox[512];
    char id[16];
    int token;
    enum doing doing;
    uint16_t topic;
    uint64_t nap_until_ms;
    unsigned count, received;
};

static struct node nodes[NODES];

static struct sm_mqttsn_address address_of(uint8_t gateway)
{
    return (struct sm_mqttsn_address){.len = 1, .bytes = {(uint8_t)(gateway + 1)}};
}

static uint8_t gateway_of(const struct node *n)
{
    const struct sm_mqttsn_address *a = sm_mqttsn_gateway(&n->sn);
    return a ? a->bytes[0] : 0;
}

static void open_client(unsigned i)
{
    struct node *n = &nodes[i];
    snprintf(n->id, sizeof n->id, "node-%02u", i);
    struct sm_mqttsn_config cfg = {.client_id = n->id,
                                   .seed = i + 1,
                                   .retry_ms = RETRY_MS,
                                   .retries = RETRIES,
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
    if (n->count == MESSAGES)
        return 0;
    struct message *m = lossy_message((unsigned)(n - nodes), n->count);
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
    char name[TEXT];
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
    struct message *m = lossy_message((unsigned)(n - nodes), n->count++);
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

static bool step(unsigned i, uint64_t now, bool over)
{
    uint8_t bytes[DATAGRAM];
    struct sm_mqttsn_address to;
    struct node *n = &nodes[i];
    int len;
    live(n, now, over);
    while ((len = sm_mqttsn_poll(&n->sn, now, bytes, sizeof bytes, &to)) > 0)
        lossy_send(i, (uint8_t)(to.bytes[0] - 1), bytes, (size_t)len);
    return n->doing == DONE;
}

static void feed(unsigned i, uint8_t gateway, const uint8_t *bytes, size_t len, uint64_t now)
{
    struct sm_mqttsn_address from = address_of(gateway);
    sm_mqttsn_feed(&nodes[i].sn, bytes, len, &from, now);
}

static bool find(const char *topic, const char *text, unsigned *node, unsigned *number)
{
    return sscanf(topic, "field/node-%u/up", node) == 1 && sscanf(text, "%u", number) == 1;
}

static void command(char topic[TEXT])
{
    snprintf(topic, TEXT, "field/node-%02u/down", lossy_chance(NODES));
}

static unsigned told(unsigned i)
{
    return nodes[i].received;
}

int main(int argc, char **argv)
{
    static const struct kind clients = {"clients", "field/+/up", 100,     open_client, step,
                                        feed,      find,         command, told};
    return lossy_main(&clients, argc, argv);
}
