/* A gateway in memory, a module and native code. SPDX-License-Identifier: Apache-2.0 */
#include "field.h"

#include <string.h>

static uint64_t now_ns(const struct field *f)
{
    return f->now_ns != NULL ? f->now_ns() : 1000000000;
}

static uint64_t now_ms(void *ctx)
{
    return now_ns(ctx) / 1000000;
}

/* ---- The gateway ----------------------------------------------------------------------------- */

static void answer(struct field *f, uint8_t type, const struct sm_mqttsn_packet *p)
{
    struct sm_mqttsn_packet *r;

    if (f->waiting == FIELD_WAY)
        return;
    f->way[f->waiting].at_ns = now_ns(f) + f->delay_ns;
    r = &f->way[f->waiting++].packet;
    *r = (struct sm_mqttsn_packet){.type = type, .msg_id = p->msg_id, .topic_id = p->topic_id};
    if (type == SM_MQTTSN_REGACK)
        r->topic_id = ++f->next_id;
}

static void hear(struct field *f, const struct sm_mqttsn_packet *p)
{
    switch (p->type) {
    case SM_MQTTSN_CONNECT: answer(f, SM_MQTTSN_CONNACK, p); break;
    case SM_MQTTSN_REGISTER: answer(f, SM_MQTTSN_REGACK, p); break;
    case SM_MQTTSN_PUBREL: answer(f, SM_MQTTSN_PUBCOMP, p); break;
    case SM_MQTTSN_PUBLISH:
        f->taken++;
        if (p->qos > 0)
            answer(f, p->qos == 1 ? SM_MQTTSN_PUBACK : SM_MQTTSN_PUBREC, p);
        break;
    default: break;
    }
}

/* ---- The link -------------------------------------------------------------------------------- */

static int open_link(void *ctx, uint16_t wish, uint16_t *port)
{
    (void)ctx;
    *port = wish != 0 ? wish : 1;
    return 0;
}

static void close_link(void *ctx, int link)
{
    (void)link;
    ((struct field *)ctx)->waiting = 0;
}

static int address(void *ctx, const char *text, uint16_t port, struct sm_mqttsn_address *out)
{
    (void)ctx, (void)text, (void)port;
    *out = (struct sm_mqttsn_address){1, {1}};
    return 0;
}

static int text(void *ctx, const struct sm_mqttsn_address *a, char out[SM_NETWORK_ADDRESS_MAX + 1],
                uint16_t *port)
{
    (void)ctx, (void)a;
    out[0] = 0;
    *port = 1;
    return 0;
}

static void send_datagram(void *ctx, int link, const struct sm_mqttsn_address *to,
                          const uint8_t *bytes, size_t len, unsigned hops)
{
    struct sm_mqttsn_packet p;

    (void)link, (void)to, (void)hops;
    if (sm_mqttsn_decode(&p, bytes, len) == 0)
        hear(ctx, &p);
}

static size_t receive(void *ctx, int link, struct sm_mqttsn_address *from, uint8_t *buf,
                      size_t size)
{
    struct field *f = ctx;
    int len;

    (void)link;
    if (f->waiting == 0 || f->way[0].at_ns > now_ns(f))
        return 0;
    *from = (struct sm_mqttsn_address){1, {1}};
    len = sm_mqttsn_encode(&f->way[0].packet, buf, size);
    memmove(f->way, f->way + 1, --f->waiting * sizeof *f->way);
    return len > 0 ? (size_t)len : 0;
}

/* Until an answer arrives. False: there is none under way. */
static bool wait_for_answer(const struct field *f)
{
    if (f->waiting == 0)
        return false;
    if (f->wait_ns != NULL && f->way[0].at_ns > now_ns(f))
        f->wait_ns(f->way[0].at_ns);
    return true;
}

/* ---- Native code ----------------------------------------------------------------------------- */

static bool done(struct field *f, int token, struct sm_mqttsn_result *r)
{
    struct sm_mqttsn_address at;
    size_t len;
    int n;

    for (;;) {
        while ((n = sm_mqttsn_poll(&f->client, now_ms(f), f->datagram, sizeof f->datagram, &at)) >
               0)
            send_datagram(f, 0, &at, f->datagram, (size_t)n, 0);
        if (sm_mqttsn_take(&f->client, token, r) == 0)
            return r->err == 0;
        if (!wait_for_answer(f))
            return false;
        while ((len = receive(f, 0, &at, f->datagram, sizeof f->datagram)) > 0)
            sm_mqttsn_feed(&f->client, f->datagram, len, &at, now_ms(f));
    }
}

static int native_start(struct field *f)
{
    static const struct sm_mqttsn_address gateway = {1, {1}};
    const struct sm_mqttsn_connect how = {.clean = true, .keepalive_s = 30};
    const struct sm_mqttsn_config cfg = {.client_id = "native",
                                         .seed = 1,
                                         .gateways = f->gateways,
                                         .ngateways = 1,
                                         .topics = f->topics,
                                         .ntopics = FIELD_TOPICS,
                                         .names = f->names,
                                         .name_size = SM_NETWORK_NAME_MAX,
                                         .requests = f->requests,
                                         .nrequests = 1,
                                         .payloads = f->payloads,
                                         .payload_size = FIELD_PAYLOAD,
                                         .inbox = f->inbox,
                                         .inbox_size = sizeof f->inbox};
    struct sm_mqttsn_result r;

    f->waiting = 0;
    return sm_mqttsn_init(&f->client, &cfg) == 0 &&
           sm_mqttsn_add_gateway(&f->client, &gateway) == 0 &&
           done(f, sm_mqttsn_connect(&f->client, &how, now_ms(f)), &r);
}

static int native_register(struct field *f, uint32_t n)
{
    struct sm_mqttsn_result r;
    int good = 0;

    for (uint32_t i = 0; i < n; i++) {
        f->name[7] = (char)('0' + i / 10);
        f->name[8] = (char)('0' + i % 10);
        good += done(f, sm_mqttsn_register(&f->client, f->name, 9), &r);
        f->topic[i] = r.topic;
    }
    return good;
}

static int native_publish(struct field *f, uint32_t n, int qos)
{
    static const uint8_t payload[FIELD_PAYLOAD];
    struct sm_mqttsn_result r;
    int good = 0;

    for (uint32_t i = 0; i < n; i++)
        good += done(f,
                     sm_mqttsn_publish(&f->client, SM_MQTTSN_TOPIC_NORMAL, (uint16_t)f->topic[i],
                                       qos, false, payload, sizeof payload),
                     &r);
    return good;
}

int field_native(struct field *f, const char *name, uint32_t n)
{
    if (strcmp(name, "restart") == 0)
        return native_start(f);
    return strcmp(name, "register") == 0 ? native_register(f, n)
                                         : native_publish(f, n, name[strlen(name) - 1] - '0');
}

/* ---- The module ------------------------------------------------------------------------------ */

int field_prepare(struct field *f, const char *name, uint32_t n)
{
    return bench_prepare(&f->engine, name, n, 0);
}

int field_run(struct field *f)
{
    struct bench_engine *e = &f->engine;
    int err = sm_wasm_run(&e->exec);

    while (err == SM_WASM_PENDING) {
        if (!wait_for_answer(f))
            return -1;
        sm_network_step(&f->network);
        if (sm_host_wake_ms(&f->host) == 0 && sm_host_wake(&f->host, &e->exec, e->inst) == 0)
            err = sm_wasm_run(&e->exec);
    }
    return err == 0 ? (int)sm_wasm_results(&e->exec)[0] : -1;
}

int field_module(struct field *f, const char *name, uint32_t n)
{
    return field_prepare(f, name, n) == 0 ? field_run(f) : -1;
}

static int fill(void *ctx, void *buf, size_t len)
{
    (void)ctx;
    memset(buf, 1, len);
    return 0;
}

static void grant(struct field *f, const char *text)
{
    memcpy(f->grants.capability[f->grants.capabilities++], text, strlen(text) + 1);
}

static void configure(struct field *f)
{
    static const struct sm_network_room room = {FIELD_TOPICS, FIELD_GATEWAYS, FIELD_QUEUE,
                                                FIELD_PAYLOAD};

    f->port =
        (struct sm_network_port){f, open_link, close_link, address, text, send_datagram, receive};
    f->place = (struct sm_network_place){"gateway", 1};
    f->cfg = (struct sm_network_cfg){.port = &f->port,
                                     .clock = {f, now_ms},
                                     .entropy = {NULL, fill},
                                     .prefix = "",
                                     .gateways = &f->place,
                                     .ngateways = 1,
                                     .datagram = f->datagram,
                                     .datagram_size = sizeof f->datagram};
    sm_network_init(&f->network, &f->cfg);
    sm_network_session_init(&f->session, &f->network, &room, f->memory);
    sm_manifest_defaults(&f->grants);
    grant(f, "log");
    grant(f, "rate/1000");
    grant(f, "topic/bench/#:ps");
    f->host_port = (struct sm_host_port){.clock = {f, now_ms}};
    f->host.more = &f->session.more;
    sm_host_init(&f->host, &f->host_port, &f->grants, 0);
}

int field_start(struct field *f)
{
    memcpy(f->name, "bench/t00", 10);
    configure(f);
    f->linker = (struct sm_wasm_linker){&f->host, sm_host_resolve};
    f->engine.linker = &f->linker;
    f->engine.memory_bytes = 4096;
    f->engine.pool = (struct sm_wasm_pool){.base = f->pool, .size = sizeof f->pool};
    f->engine.stack = f->stack;
    f->engine.stack_words = 256;
    if (sm_host_begin(&f->host) != 0 || bench_start(&f->engine) != 0)
        return -1;
    return field_module(f, "setup", 0) == 1 && native_start(f) == 1 ? 0 : -1;
}
