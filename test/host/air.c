/* Modules in the air (air.h). SPDX-License-Identifier: Apache-2.0 */
#include "air.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "network_bytes.h"

static void need(bool fact, const char *what)
{
    if (fact)
        return;
    fprintf(stderr, "air: %s\n", what);
    abort();
}

/* ---- Datagrams to modules -------------------------------------------------------------------- */

static void to_module(struct air *a, int gateway, int link, const struct sm_mqttsn_packet *p)
{
    struct air_datagram *d = &a->way[a->waiting];

    if (a->lose > 0) {
        a->lose--;
        return;
    }
    if (a->waiting == AIR_WAITING)
        return;
    *d = (struct air_datagram){.link = link, .gateway = gateway, .at_ms = a->now_ms + a->delay_ms};
    int len = sm_mqttsn_encode(p, d->bytes, sizeof d->bytes);
    need(len > 0, "a message");
    d->len = (size_t)len;
    a->waiting++;
}

void air_inject(struct air *a, int link, int gateway, const uint8_t *bytes, size_t len)
{
    struct air_datagram *d = &a->way[a->waiting];

    if (a->waiting == AIR_WAITING || link < 0 || len == 0 || len > AIR_DATAGRAM)
        return;
    *d = (struct air_datagram){.link = link, .gateway = gateway, .at_ms = a->now_ms, .len = len};
    memcpy(d->bytes, bytes, len);
    a->waiting++;
}

/* ---- Gateways -------------------------------------------------------------------------------- */

static uint16_t id_of(struct air *a, const uint8_t *name, size_t len)
{
    for (unsigned i = 0; i < a->topics; i++)
        if (strlen(a->topic[i]) == len && memcmp(a->topic[i], name, len) == 0)
            return (uint16_t)(100 + i);
    if (a->topics == 16 || len > SM_NETWORK_NAME_MAX)
        return 99;
    memcpy(a->topic[a->topics], name, len);
    a->topic[a->topics][len] = 0;
    return (uint16_t)(100 + a->topics++);
}

static uint8_t code_of(struct air_gateway *g)
{
    uint8_t code = g->code;

    g->code = 0;
    return code;
}

static void take_publish(struct air *a, int gateway, int link, const struct sm_mqttsn_packet *p)
{
    struct sm_mqttsn_packet r = {.type = p->qos == 2 ? SM_MQTTSN_PUBREC : SM_MQTTSN_PUBACK,
                                 .topic_id = p->topic_id,
                                 .msg_id = p->msg_id,
                                 .code = a->gateway[gateway].code};

    bool known = p->topic_id >= 100 && p->topic_id < 100 + a->topics;
    if (a->publications < 32 && !p->dup && known) {
        char *to = a->published[a->publications++];
        const char *name = a->topic[p->topic_id - 100];
        size_t len = strlen(name);
        need(len < 31, "a short topic");
        memcpy(to, name, len);
        to[len] = '=';
        if (p->len > 0)
            memcpy(to + len + 1, p->data, p->len);
        to[len + 1 + p->len] = 0;
    }
    if (code_of(&a->gateway[gateway]) != 0)
        r.type = SM_MQTTSN_PUBACK;
    if (p->qos > 0)
        to_module(a, gateway, link, &r);
}

static void take_ping(struct air *a, int gateway, int link)
{
    for (unsigned i = 0; i < a->nkept && a->asleep[link] && a->waiting < AIR_WAITING; i++)
        a->way[a->waiting++] = a->kept[i];
    a->nkept = 0;
    to_module(a, gateway, link, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_PINGRESP});
}

static void take_subscribe(struct air *a, int gateway, int link, const struct sm_mqttsn_packet *p)
{
    struct sm_mqttsn_packet r = {.type = SM_MQTTSN_SUBACK, .msg_id = p->msg_id, .qos = p->qos};

    if (p->topic_type == SM_MQTTSN_TOPIC_NORMAL && !sm_mqttsn_filter_wild(p->data, p->len))
        r.topic_id = id_of(a, p->data, p->len);
    r.code = code_of(&a->gateway[gateway]);
    to_module(a, gateway, link, &r);
}

static void take_connect(struct air *a, int gateway, int link, const struct sm_mqttsn_packet *p)
{
    snprintf(a->client_id[link], sizeof a->client_id[0], "%.*s", (int)p->len,
             (const char *)p->data);
    a->asleep[link] = false;
    to_module(a, gateway, link,
              &(struct sm_mqttsn_packet){.type = SM_MQTTSN_CONNACK,
                                         .code = code_of(&a->gateway[gateway])});
}

static void count(struct air_gateway *g, unsigned type)
{
    static const uint8_t types[4] = {SM_MQTTSN_CONNECT, SM_MQTTSN_REGISTER, SM_MQTTSN_PUBLISH,
                                     SM_MQTTSN_DISCONNECT};

    for (unsigned i = 0; i < 4; i++)
        g->asked[i] += types[i] == type;
}

static void hear(struct air *a, int gateway, const struct air_datagram *d)
{
    struct air_gateway *g = &a->gateway[gateway];
    struct sm_mqttsn_packet p, r = {0};
    int link = d->link;

    need(sm_mqttsn_decode(&p, d->bytes, d->len) == 0, "a message that is well formed");
    if (g->silent)
        return;
    count(g, p.type);
    r.msg_id = p.msg_id;
    switch (p.type) {
    case SM_MQTTSN_SEARCHGW:
        r.type = SM_MQTTSN_GWINFO;
        r.gateway_id = (uint8_t)(gateway + 1);
        break;
    case SM_MQTTSN_CONNECT: take_connect(a, gateway, link, &p); return;
    case SM_MQTTSN_REGISTER:
        r.type = SM_MQTTSN_REGACK;
        r.topic_id = id_of(a, p.data, p.len);
        r.code = code_of(g);
        break;
    case SM_MQTTSN_PUBLISH: take_publish(a, gateway, link, &p); return;
    case SM_MQTTSN_PUBREL: r.type = SM_MQTTSN_PUBCOMP; break;
    case SM_MQTTSN_SUBSCRIBE: take_subscribe(a, gateway, link, &p); return;
    case SM_MQTTSN_UNSUBSCRIBE: r.type = SM_MQTTSN_UNSUBACK; break;
    case SM_MQTTSN_PINGREQ: take_ping(a, gateway, link); return;
    case SM_MQTTSN_DISCONNECT:
        a->asleep[link] = p.duration_s > 0;
        r.type = SM_MQTTSN_DISCONNECT;
        break;
    default: return; /* acknowledgements */
    }
    to_module(a, gateway, link, &r);
}

void air_publish(struct air *a, struct air_guest *g, const char *topic, const char *payload)
{
    int link = g->session.link;
    struct sm_mqttsn_packet name = {.type = SM_MQTTSN_REGISTER,
                                    .topic_id = id_of(a, (const uint8_t *)topic, strlen(topic)),
                                    .msg_id = 7,
                                    .data = (const uint8_t *)topic,
                                    .len = (uint16_t)strlen(topic)};
    struct sm_mqttsn_packet p = {.type = SM_MQTTSN_PUBLISH,
                                 .topic_id = name.topic_id,
                                 .data = (const uint8_t *)payload,
                                 .len = (uint16_t)strlen(payload)};
    unsigned first = a->waiting;

    to_module(a, 0, link, &name);
    to_module(a, 0, link, &p);
    if (!a->asleep[link])
        return;
    memcpy(a->kept + a->nkept, a->way + first, (a->waiting - first) * sizeof *a->way);
    a->nkept += a->waiting - first;
    a->waiting = first;
}

/* ---- The port -------------------------------------------------------------------------------- */

static int open_link(void *ctx, uint16_t wish, uint16_t *port)
{
    struct air *a = ctx;

    for (int i = 0; i < 8 && !a->no_links; i++) {
        if (a->port[i] != 0)
            continue;
        *port = a->port[i] = wish > 1023 ? wish : (uint16_t)(50000 + i);
        a->links++;
        return i;
    }
    return SM_ERR_LIMIT;
}

static void close_link(void *ctx, int link)
{
    struct air *a = ctx;

    need(a->port[link] != 0, "a link that is open");
    a->port[link] = 0;
    a->links--;
}

static int address(void *ctx, const char *text, uint16_t port, struct sm_mqttsn_address *out)
{
    static const char *const names[] = {"gw1", "gw2", "all"};

    (void)ctx;
    for (uint8_t i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) != 0)
            continue;
        *out = (struct sm_mqttsn_address){3, {i, (uint8_t)(port >> 8), (uint8_t)port}};
        return 0;
    }
    return SM_ERR_INVALID;
}

static int text(void *ctx, const struct sm_mqttsn_address *address,
                char out[SM_NETWORK_ADDRESS_MAX + 1], uint16_t *port)
{
    (void)ctx;
    snprintf(out, SM_NETWORK_ADDRESS_MAX + 1, "gw%d", address->bytes[0] + 1);
    *port = (uint16_t)(address->bytes[1] << 8 | address->bytes[2]);
    return 0;
}

static void send_datagram(void *ctx, int link, const struct sm_mqttsn_address *to,
                          const uint8_t *bytes, size_t len, unsigned hops)
{
    struct air *a = ctx;
    bool all = to->bytes[0] == 2;
    struct air_datagram d = {
        .link = link, .gateway = all ? -1 : to->bytes[0], .hops = hops, .len = len};

    need(to->len == 3 && len <= sizeof d.bytes && a->port[link] != 0, "something to send");
    memcpy(d.bytes, bytes, len);
    a->heard[a->sent++ % AIR_HEARD] = d;
    if (a->lose > 0)
        a->lose--;
    else
        hear(a, all ? 0 : d.gateway, &d);
}

static size_t receive(void *ctx, int link, struct sm_mqttsn_address *from, uint8_t *buf,
                      size_t size)
{
    struct air *a = ctx;

    for (unsigned i = 0; i < a->waiting; i++) {
        struct air_datagram d = a->way[i];
        if (d.link != link || d.at_ms > a->now_ms)
            continue;
        memmove(a->way + i, a->way + i + 1, (--a->waiting - i) * sizeof *a->way);
        if (d.len > size)
            return 0;
        *from = (struct sm_mqttsn_address){3, {(uint8_t)d.gateway, 10000 >> 8, 10000 & 0xff}};
        memcpy(buf, d.bytes, d.len);
        return d.len;
    }
    return 0;
}

/* ---- The device ------------------------------------------------------------------------------ */

static uint64_t now_ms(void *ctx)
{
    return ((struct air *)ctx)->now_ms;
}

static int fill(void *ctx, void *buf, size_t len)
{
    (void)ctx;
    memset(buf, 5, len);
    return 0;
}

static void log_line(void *ctx, const char *module, const char *line)
{
    struct air *a = ctx;

    (void)module;
    if (a->lines < AIR_LINES)
        snprintf(a->line[a->lines++], sizeof a->line[0], "%s", line);
}

static int write_image(void *ctx, uint32_t off, const void *bytes, uint32_t len)
{
    struct air *a = ctx;

    need(off + len <= sizeof a->image, "the image is too long");
    memcpy(a->image + off, bytes, len);
    return 0;
}

void air_init(struct air *a)
{
    static uint8_t scratch[32768];
    const struct sm_wasm_sink sink = {a, write_image};

    memset(a, 0, sizeof *a);
    a->now_ms = 1000;
    a->port_host = (struct sm_host_port){a, log_line, NULL, {a, now_ms}};
    a->port_ops =
        (struct sm_network_port){a, open_link, close_link, address, text, send_datagram, receive};
    a->gateway_place[0] = (struct sm_network_place){"gw1", 10000};
    a->gateway_place[1] = (struct sm_network_place){"gw2", 10000};
    a->cfg = (struct sm_network_cfg){.port = &a->port_ops,
                                     .clock = {a, now_ms},
                                     .entropy = {a, fill},
                                     .prefix = "d7-",
                                     .gateways = a->gateway_place,
                                     .ngateways = 2,
                                     .search = {"all", 10000},
                                     .hops = 1,
                                     .datagram = a->datagram,
                                     .datagram_size = sizeof a->datagram};
    sm_network_init(&a->network, &a->cfg);
    int64_t len = sm_wasm_translate(network_bytes, sizeof network_bytes, &sink, scratch,
                                    sizeof scratch, NULL);
    need(len > 0 && sm_wasm_open(&a->module, a->image, (size_t)len, network_bytes,
                                 sizeof network_bytes) == 0,
         "the module");
}

struct air_guest *air_guest(struct air *a, unsigned i, const char *const *grants)
{
    static const struct sm_network_room room = {AIR_TOPICS, AIR_GATEWAYS, AIR_QUEUE, AIR_PAYLOAD};
    struct air_guest *g = &a->guest[i];
    struct sm_wasm_limits limits = {.memory_bytes = MEMORY, .table_entries = 1};
    struct sm_wasm_linker linker = {&g->host, sm_host_resolve};
    uint32_t which;

    if (g->air == NULL)
        sm_network_session_init(&g->session, &a->network, &room, g->memory);
    g->air = a;
    sm_manifest_defaults(&g->grants);
    snprintf(g->grants.name, sizeof g->grants.name, "guest%u", i);
    for (; *grants != NULL; grants++)
        strcpy(g->grants.capability[g->grants.capabilities++], *grants);
    g->host.more = &g->session.more;
    sm_host_init(&g->host, &a->port_host, &g->grants, 1000);
    need(sm_host_begin(&g->host) == 0, "a session");
    struct sm_wasm_pool pool = {.base = g->pool, .size = sizeof g->pool};
    need(sm_wasm_instantiate(&g->inst, &g->store, &a->module, &limits, &linker, &pool, &which) == 0,
         "an instance");
    sm_wasm_exec_init(&g->exec, g->stack, 256, 8, &a->epoch);
    return g;
}

void air_end(struct air_guest *g)
{
    sm_host_end(&g->host);
    g->inst = NULL;
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static int32_t outcome(struct air_guest *g, int err)
{
    if (err == SM_WASM_PENDING)
        return PENDING;
    return err ? TRAPPED : (int32_t)sm_wasm_results(&g->exec)[0];
}

int32_t air_begin(struct air_guest *g, const char *name, const uint32_t *args)
{
    uint32_t func;

    need(sm_wasm_export_find(&g->air->module, name, SM_WASM_FUNC, &func) == 0, "an export");
    need(sm_wasm_call(&g->exec, g->inst, func, args, 0) == 0, "a call");
    return outcome(g, sm_wasm_run(&g->exec));
}

/* When something happens next, after now. */
static uint64_t next_ms(struct air *a, uint32_t step_ms)
{
    uint64_t next = step_ms == UINT32_MAX ? UINT64_MAX : a->now_ms + step_ms;

    for (unsigned i = 0; i < a->waiting; i++)
        next = a->way[i].at_ms < next ? a->way[i].at_ms : next;
    return next > a->now_ms ? next : a->now_ms + 1;
}

int32_t air_wait(struct air_guest *g)
{
    struct air *a = g->air;

    for (unsigned i = 0; i < 100000; i++) {
        uint32_t ms = sm_network_step(&a->network);
        if (sm_host_wake_ms(&g->host) == 0) {
            need(sm_host_wake(&g->host, &g->exec, g->inst) == 0, "a call that ends");
            return outcome(g, sm_wasm_run(&g->exec));
        }
        uint64_t next = next_ms(a, ms);
        if (next == UINT64_MAX)
            break;
        a->now_ms = next;
    }
    return PENDING;
}

int32_t air_call(struct air_guest *g, const char *name, const uint32_t *args)
{
    int32_t result = air_begin(g, name, args);

    return result == PENDING ? air_wait(g) : result;
}

void air_run(struct air *a, uint32_t ms)
{
    for (uint64_t end = a->now_ms + ms; a->now_ms < end;) {
        uint64_t next = next_ms(a, sm_network_step(&a->network));
        a->now_ms = next < end ? next : end;
    }
    (void)sm_network_step(&a->network);
}

uint8_t *air_memory(struct air_guest *g)
{
    return sm_wasm_mem(g->inst, 0, MEMORY);
}

static uint32_t put(struct air_guest *g, uint32_t at, const char *what)
{
    memcpy(air_memory(g) + at, what, strlen(what) + 1);
    return at;
}

int32_t air_start(struct air_guest *g, uint32_t port)
{
    return air_call(g, "start", (uint32_t[]){port});
}

int32_t air_connect(struct air_guest *g, const char *client, const char *where, uint32_t port)
{
    return air_call(g, "connect",
                    (uint32_t[]){put(g, AT_ONE, client), 0, put(g, AT_TWO, where), port});
}

int32_t air_search(struct air_guest *g, const char *where, uint32_t port, uint32_t hops)
{
    return air_call(g, "searchGW", (uint32_t[]){put(g, AT_ONE, where), port, hops, AT_BUF, 64});
}

int32_t air_register(struct air_guest *g, const char *topic)
{
    return air_call(g, "register", (uint32_t[]){put(g, AT_ONE, topic)});
}

int32_t air_send(struct air_guest *g, int32_t topic, int32_t qos, const char *payload)
{
    return air_call(g, "publish",
                    (uint32_t[]){(uint32_t)topic, (uint32_t)qos, put(g, AT_BUF, payload),
                                 (uint32_t)strlen(payload)});
}

int32_t air_subscribe_to(struct air_guest *g, const char *filter, int32_t qos)
{
    return air_call(g, "subscribeTo", (uint32_t[]){put(g, AT_ONE, filter), (uint32_t)qos});
}

int32_t air_get(struct air_guest *g, int32_t topic, uint32_t len)
{
    memset(air_memory(g) + AT_BUF, 'x', 64);
    return air_call(g, "getMessage", (uint32_t[]){(uint32_t)topic, AT_BUF, len});
}

int32_t air_do(struct air_guest *g, const char *name, int32_t arg)
{
    return air_call(g, name, (uint32_t[]){(uint32_t)arg, 0});
}

int32_t air_error(struct air_guest *g)
{
    return air_begin(g, "lastError", (uint32_t[]){0});
}
