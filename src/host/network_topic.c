/* The network calls of modules: topics and messages (network.c).
 *
 * What a module calls a topic's id is the client's number of that topic, which is the same for the
 * client's life. The client has numbers that no module was given, those of topics that a filter
 * brings: so whenever an id is used, its name is looked for among the grants.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "network_inner.h"

_Static_assert(SM_NETWORK_NAME_MAX < SM_CAPABILITY_MAX, "a topic fits a capability");

enum { RIGHT_PUBLISH = 1, RIGHT_SUBSCRIBE = 2 };
enum { PEEK_BYTES = 8 };

/* ---- Topics ---------------------------------------------------------------------------------- */

/* The rights that the grants give to a name or filter. */
static uint8_t rights_to(const struct sm_network_session *s, const char *filter, size_t len)
{
    uint8_t rights = 0;

    for (const struct sm_topic_grant *g = s->grant; g < s->grant + s->grants; g++)
        if (sm_mqttsn_filter_covers(g->filter, g->len, (const uint8_t *)filter, len))
            rights |= (g->publish ? RIGHT_PUBLISH : 0) | (g->subscribe ? RIGHT_SUBSCRIBE : 0);
    return rights;
}

/* Whether a name or filter may be used so. */
static int check_topic(struct sm_network_session *s, const struct sm_host_text *topic,
                       uint8_t wanted)
{
    if (rights_to(s, topic->bytes, topic->len) & wanted)
        return SM_HOST_OK;
    return sm_net_deny(s->host, "topic/", topic, wanted == RIGHT_SUBSCRIBE ? ":s" : ":p");
}

/* A name, or a filter where it is for a subscription. */
static int find_topic(struct sm_network_session *s, const struct sm_host_text *topic,
                      uint8_t wanted)
{
    const uint8_t *bytes = (const uint8_t *)topic->bytes;
    bool valid = wanted == RIGHT_SUBSCRIBE ? sm_mqttsn_filter_valid(bytes, topic->len)
                                           : sm_mqttsn_name_valid(bytes, topic->len);

    return valid && topic->len <= SM_NETWORK_NAME_MAX ? check_topic(s, topic, wanted)
                                                      : SM_HOST_RANGE;
}

/* What an id stands for. */
static int find_id(struct sm_network_session *s, uint32_t id, uint8_t wanted)
{
    struct sm_host_text name = {NULL, 0};

    if (id <= s->room.topics)
        name.bytes = sm_mqttsn_topic_name(&s->client, (uint16_t)id, &name.len);
    return name.bytes != NULL ? check_topic(s, &name, wanted) : SM_HOST_INVALID;
}

/* ---- Topics and messages --------------------------------------------------------------------- */

/* register(topic) */
int sm_net_register(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    struct sm_host_text topic;

    if (!sm_host_take_text(caller, args[0], SM_NETWORK_NAME_MAX, &topic))
        return SM_ERR_ARG;
    int code = sm_net_begin_call(s);
    if (code == SM_HOST_OK)
        code = find_topic(s, &topic, RIGHT_PUBLISH | RIGHT_SUBSCRIBE);
    if (code == SM_HOST_OK)
        code = sm_net_pay(s);
    if (code != SM_HOST_OK)
        return sm_net_give(s, args, code);
    return sm_net_asked(s, caller, KIND_TOPIC,
                        sm_mqttsn_register(&s->client, topic.bytes, topic.len), args);
}

/* publish(topic, qos, data, len) */
int sm_net_publish(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    uint32_t topic = args[0], qos = args[1], len = args[3];
    const uint8_t *data = sm_wasm_mem(caller, args[2], len);

    if (data == NULL)
        return SM_ERR_ARG;
    int code = sm_net_begin_call(s);
    if (code == SM_HOST_OK)
        code = find_id(s, topic, RIGHT_PUBLISH);
    if (code == SM_HOST_OK && (qos > 2 || len > s->room.payload))
        code = SM_HOST_RANGE;
    if (code == SM_HOST_OK)
        code = sm_net_pay(s);
    if (code != SM_HOST_OK)
        return sm_host_give_done(s->host, args, code);
    return sm_net_asked(s, caller, KIND_PUBLISHED,
                        sm_mqttsn_publish(&s->client, SM_MQTTSN_TOPIC_NORMAL, (uint16_t)topic,
                                          (int)qos, false, data, len),
                        args);
}

/* subscribe(topic, qos) */
int sm_net_subscribe(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    uint32_t topic = args[0], qos = args[1];
    int code = sm_net_begin_call(s);

    if (code == SM_HOST_OK)
        code = find_id(s, topic, RIGHT_SUBSCRIBE);
    if (code == SM_HOST_OK && qos > 2)
        code = SM_HOST_RANGE;
    if (code == SM_HOST_OK)
        code = sm_net_pay(s);
    if (code != SM_HOST_OK)
        return sm_host_give_done(s->host, args, code);
    return sm_net_asked(s, caller, KIND_DONE,
                        sm_mqttsn_subscribe_topic(&s->client, SM_MQTTSN_TOPIC_NORMAL,
                                                  (uint16_t)topic, (uint8_t)qos),
                        args);
}

/* subscribeTo(filter, qos) */
int sm_net_subscribe_to(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    struct sm_host_text filter;
    uint32_t qos = args[1];

    if (!sm_host_take_text(caller, args[0], SM_NETWORK_NAME_MAX, &filter))
        return SM_ERR_ARG;
    int code = sm_net_begin_call(s);
    if (code == SM_HOST_OK)
        code = find_topic(s, &filter, RIGHT_SUBSCRIBE);
    if (code == SM_HOST_OK && qos > 2)
        code = SM_HOST_RANGE;
    if (code == SM_HOST_OK)
        code = sm_net_pay(s);
    if (code != SM_HOST_OK)
        return sm_net_give(s, args, code);
    return sm_net_asked(s, caller, KIND_TOPIC,
                        sm_mqttsn_subscribe(&s->client, filter.bytes, filter.len, (uint8_t)qos),
                        args);
}

/* unsubscribe(topic) */
int sm_net_unsubscribe(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    uint32_t topic = args[0];
    int code = sm_net_begin_call(s);

    if (code == SM_HOST_OK)
        code = find_id(s, topic, RIGHT_SUBSCRIBE);
    if (code == SM_HOST_OK)
        code = sm_net_pay(s);
    if (code != SM_HOST_OK)
        return sm_host_give_done(s->host, args, code);
    return sm_net_asked(s, caller, KIND_DONE,
                        sm_mqttsn_unsubscribe(&s->client, SM_MQTTSN_TOPIC_NORMAL, (uint16_t)topic),
                        args);
}

/* The oldest message for an id, or with 0 for any. What a gateway sends unasked is thrown away: a
 * filter covers all that it matches, so an id needs no second look. */
static int find_message(struct sm_network_session *s, uint32_t topic, struct sm_mqttsn_message *m)
{
    int code = sm_net_begin_call(s);

    if (code == SM_HOST_OK && topic != 0)
        code = find_id(s, topic, RIGHT_SUBSCRIBE);
    if (code != SM_HOST_OK)
        return code;
    while (sm_mqttsn_peek(&s->client, SM_MQTTSN_TOPIC_NORMAL, (uint16_t)topic, m) == 0) {
        if (topic != 0 ||
            (m->name != NULL && (rights_to(s, m->name, m->name_len) & RIGHT_SUBSCRIBE)))
            return SM_HOST_OK;
        sm_mqttsn_consume(&s->client, m);
        s->strange++;
    }
    return SM_HOST_NOT_FOUND;
}

/* hasMessage(topic) */
int sm_net_has_message(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    struct sm_mqttsn_message m;

    (void)caller;
    return sm_host_give_done(s->host, args, find_message(s, args[0], &m));
}

/* getMessage(topic, buf, len) */
int sm_net_get_message(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    struct sm_mqttsn_message m;
    uint32_t len = args[2];
    uint8_t *buf = sm_wasm_mem(caller, args[1], len);

    if (buf == NULL)
        return SM_ERR_ARG;
    int code = find_message(s, args[0], &m);
    if (code == SM_HOST_OK && m.len > len)
        code = SM_HOST_SPACE;
    if (code != SM_HOST_OK)
        return sm_net_give(s, args, code);
    memcpy(buf, m.data, m.len);
    sm_mqttsn_consume(&s->client, &m);
    s->received++;
    return sm_net_give(s, args, (int)m.len);
}

/* peekMessage(topic, buf, len) */
int sm_net_peek_message(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    struct sm_mqttsn_message m;
    uint32_t len = args[2];
    uint8_t *buf = sm_wasm_mem(caller, args[1], len);

    if (buf == NULL)
        return SM_ERR_ARG;
    int code = find_message(s, args[0], &m);
    if (code == SM_HOST_OK && len < PEEK_BYTES)
        code = SM_HOST_SPACE;
    if (code != SM_HOST_OK)
        return sm_net_give(s, args, code);
    size_t name_len = m.name != NULL ? m.name_len : 0;
    sm_host_put16(buf, (unsigned)m.len);
    buf[2] = m.qos;
    buf[3] = m.retain;
    sm_host_put32(buf + 4, (uint32_t)name_len);
    if (name_len > 0)
        memcpy(buf + PEEK_BYTES, m.name, name_len < len - PEEK_BYTES ? name_len : len - PEEK_BYTES);
    return sm_net_give(s, args, (int)name_len);
}
