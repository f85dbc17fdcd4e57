/* Fuzz target: the client of MQTT-SN, told a whole story.
 *
 * The input is a list of steps: a request, a datagram (as it is, or a message with chosen fields
 * and the ids that the client used last, so that it gets past the first check), or time. Whatever
 * comes, the client sends only messages, to somebody, never without end at one moment; its deadline
 * never lies behind it; results come once; and messages in the inbox are whole.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sandmote/mqttsn_client.h>

#define TOPICS    4u
#define REQUESTS  3u
#define NAME_SIZE 12u
#define PAYLOAD   24u
#define TOKENS    8u

struct story {
    struct sm_mqttsn sn;
    struct sm_mqttsn_gateway gateways[2];
    struct sm_mqttsn_topic topics[TOPICS];
    char names[TOPICS * NAME_SIZE];
    struct sm_mqttsn_request requests[REQUESTS];
    uint8_t payloads[REQUESTS * PAYLOAD], inbox[80];
    uint64_t now_ms;
    int token[TOKENS];
    unsigned ntokens;
    uint16_t msg_id, topic_id; /* of the client's last message */
    const uint8_t *at, *end;
};

static void require(bool fact)
{
    if (!fact)
        abort();
}

static unsigned take(struct story *s)
{
    return s->at < s->end ? *s->at++ : 0;
}

static void poll_all(struct story *s)
{
    uint8_t out[64];
    struct sm_mqttsn_address to;
    struct sm_mqttsn_packet p;
    for (unsigned i = 0;; i++) {
        int n = sm_mqttsn_poll(&s->sn, s->now_ms, out, sizeof out, &to);
        if (n == 0 && sm_mqttsn_deadline(&s->sn) > s->now_ms)
            return;
        require(i < 100);
        if (n <= 0) {
            require(n == 0 || n == SM_ERR_MEMORY);
            continue;
        }
        require(sm_mqttsn_decode(&p, out, (size_t)n) == 0);
        require((to.len == 0) == (p.type == SM_MQTTSN_SEARCHGW || p.type == SM_MQTTSN_GWINFO));
        s->msg_id = p.msg_id;
        s->topic_id = p.topic_id;
    }
}

static void keep(struct story *s, int token)
{
    require(token > 0 || (token >= SM_ERR_LIMIT && token <= SM_ERR_ARG) || token == SM_ERR_BUSY);
    if (token <= 0)
        return;
    sm_mqttsn_forget(&s->sn, s->token[s->ntokens % TOKENS]);
    s->token[s->ntokens++ % TOKENS] = token;
}

static void request(struct story *s)
{
    static const char *const names[] = {"a", "a/b", "a/#", "+", "field/12/hum", "", "b+"};
    static const struct sm_mqttsn_will will = {
        (const uint8_t *)"w", (const uint8_t *)"gone", 1, 4, 1, true};
    static const uint8_t payload[PAYLOAD + 1] = "0123456789";
    const char *name = names[take(s) % 7];
    unsigned v = take(s);
    enum sm_mqttsn_topic_type type = (enum sm_mqttsn_topic_type)(v % 3);
    switch (take(s) % 12) {
    case 0:
        keep(s, sm_mqttsn_connect(&s->sn,
                                  &(struct sm_mqttsn_connect){.clean = v & 1,
                                                              .keepalive_s = (uint16_t)(v * 7),
                                                              .will = v & 2 ? &will : NULL},
                                  s->now_ms));
        break;
    case 1: keep(s, sm_mqttsn_search(&s->sn, 0, s->now_ms)); break;
    case 2: keep(s, sm_mqttsn_disconnect(&s->sn, s->now_ms)); break;
    case 3: keep(s, sm_mqttsn_sleep(&s->sn, (uint16_t)(v * v), s->now_ms)); break;
    case 4: keep(s, sm_mqttsn_awake(&s->sn, s->now_ms)); break;
    case 5: keep(s, sm_mqttsn_register(&s->sn, name, strlen(name))); break;
    case 6:
        keep(s, sm_mqttsn_publish(&s->sn, type, (uint16_t)(v / 16), (int)(v / 4 % 4) - 1, false,
                                  payload, v % (PAYLOAD + 2)));
        break;
    case 7: keep(s, sm_mqttsn_subscribe(&s->sn, name, strlen(name), (uint8_t)(v % 3))); break;
    case 8:
        keep(s, sm_mqttsn_subscribe_topic(&s->sn, type, (uint16_t)(v / 16), (uint8_t)(v % 3)));
        break;
    case 9: keep(s, sm_mqttsn_unsubscribe(&s->sn, type, (uint16_t)(v / 16))); break;
    case 10: keep(s, sm_mqttsn_update_will(&s->sn, v & 1 ? &will : NULL)); break;
    default: {
        struct sm_mqttsn_result r;
        int err = sm_mqttsn_take(&s->sn, s->token[v % TOKENS], &r);
        require(err == 0 || err == SM_ERR_BUSY || err == SM_ERR_ARG);
        if (err == 0)
            require(sm_mqttsn_take(&s->sn, s->token[v % TOKENS], &r) == SM_ERR_ARG);
    }
    }
}

static void fetch(struct story *s)
{
    struct sm_mqttsn_message m;
    unsigned v = take(s);
    if (sm_mqttsn_peek(&s->sn, (enum sm_mqttsn_topic_type)(v % 3), (uint16_t)(v / 8), &m) != 0)
        return;
    require(m.len <= sizeof s->inbox &&
            (m.name == NULL) == (m.topic_type != SM_MQTTSN_TOPIC_NORMAL));
    uint8_t sum = 0;
    for (size_t i = 0; i < m.len; i++)
        sum ^= m.data[i];
    for (size_t i = 0; i < m.name_len; i++)
        sum ^= (uint8_t)m.name[i];
    if (sum || v & 1)
        sm_mqttsn_consume(&s->sn, &m);
}

static struct sm_mqttsn_address someone(unsigned v)
{
    return (struct sm_mqttsn_address){1, {(uint8_t)('A' + (v % 8 == 0))}};
}

static void message(struct story *s)
{
    static const uint8_t types[] = {0x00, 0x02, 0x01, 0x05, 0x05, 0x05, 0x06, 0x08, 0x0a,
                                    0x0b, 0x0b, 0x0c, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x13,
                                    0x13, 0x15, 0x16, 0x17, 0x18, 0x1b, 0x1d};
    uint8_t out[64];
    unsigned v = take(s);
    struct sm_mqttsn_packet p = {.type = types[take(s) % sizeof types]};
    struct sm_mqttsn_address from = someone(v);
    p.code = take(s) % 8 ? 0 : (uint8_t)(v % 4);
    p.qos = (int8_t)(take(s) % 3);
    p.topic_type = (uint8_t)(v / 8 % 3);
    p.msg_id = v & 64 ? s->msg_id : (uint16_t)take(s);
    p.topic_id = v & 128 ? s->topic_id : (uint16_t)(take(s) % 8);
    p.duration_s = (uint16_t)v;
    p.data = s->at;
    p.len = (uint16_t)(s->end - s->at < 8 ? s->end - s->at : v % 8);
    if (p.type == SM_MQTTSN_GWINFO)
        p.len = 0;
    int n = sm_mqttsn_encode(&p, out, sizeof out);
    if (n > 0)
        sm_mqttsn_feed(&s->sn, out, (size_t)n, &from, s->now_ms);
}

static void datagram(struct story *s)
{
    unsigned v = take(s);
    struct sm_mqttsn_address from = someone(v);
    size_t len = v % 32u;
    if ((size_t)(s->end - s->at) < len)
        len = (size_t)(s->end - s->at);
    sm_mqttsn_feed(&s->sn, s->at, len, &from, s->now_ms);
    s->at += len;
}

static void time_passes(struct story *s)
{
    unsigned v = take(s);
    uint64_t until = s->now_ms + (uint64_t)v * v * 10, due;
    while ((due = sm_mqttsn_deadline(&s->sn)) <= until) {
        require(due > s->now_ms);
        s->now_ms = due;
        poll_all(s);
    }
    s->now_ms = until;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct story s;
    memset(&s, 0, sizeof s);
    s.at = data;
    s.end = data + len;
    s.now_ms = 1000;
    const struct sm_mqttsn_config cfg = {.client_id = "pot",
                                         .seed = 1,
                                         .answer_searches = true,
                                         .gateways = s.gateways,
                                         .ngateways = 2,
                                         .topics = s.topics,
                                         .ntopics = TOPICS,
                                         .names = s.names,
                                         .name_size = NAME_SIZE,
                                         .requests = s.requests,
                                         .nrequests = REQUESTS,
                                         .payloads = s.payloads,
                                         .payload_size = PAYLOAD,
                                         .inbox = s.inbox,
                                         .inbox_size = sizeof s.inbox};
    require(sm_mqttsn_init(&s.sn, &cfg) == 0);
    if (take(&s) & 1)
        require(sm_mqttsn_add_gateway(&s.sn, &(struct sm_mqttsn_address){1, {'A'}}) == 0);
    while (s.at < s.end) {
        switch (take(&s) % 8) {
        case 0:
        case 1: request(&s); break;
        case 2:
        case 3:
        case 4: message(&s); break;
        case 5: datagram(&s); break;
        case 6: fetch(&s); break;
        default: time_passes(&s);
        }
        poll_all(&s);
    }
    return 0;
}
