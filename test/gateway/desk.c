/* A gateway on the desk. SPDX-License-Identifier: Apache-2.0 */
#include "desk.h"

#include <stdlib.h>
#include <string.h>

#define STEP_MS 250u
#define PACKETS 65536u

static const char *const everything[] = {"#", "$SYS/#"};

/* ---- What the gateway asks for --------------------------------------------------------------- */

static void take_datagram(void *ctx, const struct gw_addr *to, const uint8_t *bytes, size_t len)
{
    struct desk *d = ctx;
    for (unsigned i = 0; i < DESK_PEERS; i++) {
        struct desk_peer *p = &d->peer[i];
        if (memcmp(p->addr.ip, to->ip, 16) != 0 || p->addr.port != to->port)
            continue;
        p->out += len;
        if (len <= sizeof p->kept[0].bytes) {
            memcpy(p->kept[p->count % DESK_KEPT].bytes, bytes, len);
            p->kept[p->count % DESK_KEPT].len = len;
            p->count++;
        }
    }
}

static void give_random(void *ctx, void *out, size_t len)
{
    struct desk *d = ctx;
    for (uint8_t *at = out; len--; at++) {
        d->random = d->random * 1664525u + 1013904223u;
        *at = (uint8_t)(d->random >> 24);
    }
}

/* ---- The broker ------------------------------------------------------------------------------ */

static void say(struct desk *d, struct gw_link *l, const uint8_t *bytes, size_t len)
{
    if (gw_link_bytes(d->g, l, bytes, len, d->now_ms) < 0)
        gw_link_down(d->g, l, d->now_ms);
}

static void say_id(struct desk *d, struct gw_link *l, unsigned type, const uint8_t id[2])
{
    say(d, l, (uint8_t[]){(uint8_t)(type << 4 | (type == MQTT_PUBREL ? 2 : 0)), 2, id[0], id[1]},
        4);
}

/* One packet of the gateway's, whose body is at. */
static void answer(struct desk *d, struct gw_link *l, uint8_t first, const uint8_t *at, size_t len)
{
    unsigned type = first >> 4, qos = first >> 1 & 3;
    size_t topic;
    switch (type) {
    case MQTT_CONNECT: say(d, l, (const uint8_t[]){MQTT_CONNACK << 4, 2, 0, 0}, 4); break;
    case MQTT_PUBLISH:
        topic = (size_t)at[0] << 8 | at[1];
        d->published++;
        memset(d->topic, 0, sizeof d->topic);
        memcpy(d->topic, at + 2, topic < sizeof d->topic ? topic : sizeof d->topic - 1);
        if (qos)
            say_id(d, l, qos == 1 ? MQTT_PUBACK : MQTT_PUBREC, at + 2 + topic);
        break;
    case MQTT_PUBREC: say_id(d, l, MQTT_PUBREL, at); break;
    case MQTT_PUBREL:
        if (!d->holds) {
            say_id(d, l, MQTT_PUBCOMP, at);
        } else if (d->held < DESK_HELD) {
            d->held_link[d->held] = l;
            memcpy(d->held_id[d->held++], at, 2);
        }
        break;
    case MQTT_SUBSCRIBE:
        say(d, l, (uint8_t[]){MQTT_SUBACK << 4, 3, at[0], at[1], at[len - 1]}, 5);
        break;
    case MQTT_UNSUBSCRIBE: say_id(d, l, MQTT_UNSUBACK, at); break;
    case MQTT_PINGREQ: say(d, l, (const uint8_t[]){MQTT_PINGRESP << 4, 0}, 2); break;
    }
}

/* All whole packets of what a link has to write. They are copied: an answer may make it write more.
 */
static void read_link(struct desk *d, struct gw_link *l)
{
    static uint8_t copy[PACKETS];
    size_t len, at = 0;
    const uint8_t *bytes = gw_link_output(l, &len);
    if (len > sizeof copy)
        len = sizeof copy;
    if (len)
        memcpy(copy, bytes, len);
    while (len - at >= 2) {
        size_t head = 1, body = 0, shift = 0;
        do
            body |= (size_t)(copy[at + head] & 0x7f) << shift, shift += 7;
        while (copy[at + head++] & 0x80 && at + head < len);
        if (len - at < head + body)
            break;
        at += head + body;
    }
    gw_link_wrote(l, at);
    for (size_t i = 0; i < at && !d->silent;) {
        size_t head = 1, body = 0, shift = 0;
        do
            body |= (size_t)(copy[i + head] & 0x7f) << shift, shift += 7;
        while (copy[i + head++] & 0x80);
        answer(d, l, copy[i], copy + i + head, body);
        i += head + body;
    }
}

static struct gw_link *links[4096];

static void forget_held(struct desk *d, const struct gw_link *l)
{
    unsigned n = 0;
    for (unsigned i = 0; i < d->held; i++) {
        if (d->held_link[i] == l)
            continue;
        d->held_link[n] = d->held_link[i];
        memcpy(d->held_id[n++], d->held_id[i], 2);
    }
    d->held = n;
}

static void serve(struct desk *d)
{
    enum gw_link_wish wish;
    struct gw_link *l;
    while ((l = gw_link_next(d->g, &wish))) {
        int fd = gw_link_fd(l);
        if (wish == GW_LINK_OPEN) {
            for (fd = 0; links[fd]; fd++)
                ;
            links[fd] = l;
            gw_link_set_fd(l, fd);
            gw_link_up(d->g, l, d->now_ms);
        } else if (wish == GW_LINK_CLOSE) {
            forget_held(d, l);
            if (fd >= 0)
                links[fd] = NULL;
            gw_link_closed(d->g, l);
        } else if (fd >= 0) {
            read_link(d, l);
        }
    }
}

void desk_publish(struct desk *d, const char *topic, size_t len, uint8_t qos, bool retain)
{
    uint8_t payload[4096] = {0}, bytes[8192];
    struct mqtt_packet p = {.type = MQTT_PUBLISH,
                            .qos = qos,
                            .retain = retain,
                            .id = qos ? (uint16_t)(1 + d->random % 60000) : 0,
                            .topic = (const uint8_t *)topic,
                            .topic_len = (uint16_t)strlen(topic),
                            .data = payload,
                            .len = (uint32_t)len};
    d->random = d->random * 1664525u + 1013904223u;
    int n = mqtt_encode(&p, bytes);
    for (unsigned i = 0; i < 8; i++) /* of the shared connections one has a filter that fits */
        if (links[i])
            say(d, links[i], bytes, (size_t)n);
    serve(d);
}

void desk_broker_bytes(struct desk *d, const uint8_t *bytes, size_t len)
{
    struct gw_link *l = links[0];
    if (l && gw_link_bytes(d->g, l, bytes, len, d->now_ms) < 0) {
        links[0] = NULL;
        gw_link_down(d->g, l, d->now_ms);
    }
    serve(d);
}

void desk_release(struct desk *d)
{
    unsigned n = d->held;
    d->holds = false;
    d->held = 0;
    for (unsigned i = 0; i < n; i++)
        say_id(d, d->held_link[i], MQTT_PUBCOMP, d->held_id[i]);
    serve(d);
}

void desk_break(struct desk *d)
{
    d->held = 0;
    for (unsigned i = 0; i < sizeof links / sizeof *links; i++) {
        struct gw_link *l = links[i];
        links[i] = NULL;
        if (l)
            gw_link_down(d->g, l, d->now_ms);
    }
    serve(d);
}

/* ---- Peers ----------------------------------------------------------------------------------- */

void desk_bytes(struct desk *d, unsigned peer, const void *bytes, size_t len)
{
    struct desk_peer *p = &d->peer[peer];
    p->in += len;
    gw_input(d->g, &p->addr, p->identity, bytes, len, d->now_ms);
    gw_tick(d->g, d->now_ms);
    serve(d);
}

void desk_send(struct desk *d, unsigned peer, const struct sm_mqttsn_packet *p)
{
    uint8_t bytes[2048];
    int n = sm_mqttsn_encode(p, bytes, sizeof bytes);
    if (n > 0)
        desk_bytes(d, peer, bytes, (size_t)n);
}

void desk_connect(struct desk *d, unsigned peer, const char *id, bool clean, uint16_t keepalive_s)
{
    desk_send(d, peer,
              &(struct sm_mqttsn_packet){.type = SM_MQTTSN_CONNECT,
                                         .protocol = SM_MQTTSN_PROTOCOL_ID,
                                         .clean = clean,
                                         .duration_s = keepalive_s,
                                         .data = (const uint8_t *)id,
                                         .len = (uint16_t)strlen(id)});
}

void desk_subscribe(struct desk *d, unsigned peer, const char *filter, int8_t qos)
{
    desk_send(d, peer,
              &(struct sm_mqttsn_packet){.type = SM_MQTTSN_SUBSCRIBE,
                                         .qos = qos,
                                         .msg_id = (uint16_t)(1 + d->peer[peer].in % 65534),
                                         .data = (const uint8_t *)filter,
                                         .len = (uint16_t)strlen(filter)});
}

int desk_take(struct desk *d, unsigned peer, struct sm_mqttsn_packet *p)
{
    struct desk_peer *from = &d->peer[peer];
    if (from->taken == from->count)
        return -1;
    unsigned i = from->taken++ % DESK_KEPT;
    return sm_mqttsn_decode(p, from->kept[i].bytes, from->kept[i].len) < 0 ? -2 : p->type;
}

void desk_pass(struct desk *d, uint64_t ms)
{
    for (uint64_t end = d->now_ms + ms; d->now_ms < end;) {
        d->now_ms += end - d->now_ms < STEP_MS ? end - d->now_ms : STEP_MS;
        gw_tick(d->g, d->now_ms);
        serve(d);
    }
}

/* ---- Life ------------------------------------------------------------------------------------ */

void desk_config(struct desk *d)
{
    memset(d, 0, sizeof *d);
    gw_config_init(&d->cfg);
    d->rule = (struct gw_rule){.client = "*",
                               .publish = everything,
                               .publish_count = 2,
                               .subscribe = everything,
                               .subscribe_count = 2};
    d->cfg.rules = &d->rule;
    d->cfg.rule_count = 1;
    d->now_ms = 1000000;
    d->random = 1;
    for (unsigned i = 0; i < DESK_PEERS; i++) {
        struct gw_addr *a = &d->peer[i].addr;
        memcpy(a->ip, (const uint8_t[]){0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0}, 15);
        a->ip[15] = (uint8_t)(i + 1);
        a->port = 1000;
    }
}

void desk_begin(struct desk *d)
{
    struct gw_io io = {d, take_datagram, give_random, NULL};
    struct gw_store functions = memory_store_functions(&d->store);
    memset(links, 0, sizeof links);
    d->g = gw_new(&d->cfg, &io, d->stores ? &functions : NULL, d->now_ms);
    if (d->stores)
        memory_store_restore(&d->store, d->g, d->now_ms);
    gw_tick(d->g, d->now_ms);
    serve(d);
}

void desk_restart(struct desk *d)
{
    d->held = 0;
    gw_free(d->g);
    desk_begin(d);
}

void desk_end(struct desk *d)
{
    gw_stop(d->g);
    serve(d);
    gw_free(d->g);
}
