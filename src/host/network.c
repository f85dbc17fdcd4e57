/* The network calls of modules: "wasi_sn" (include/sandmote/network.h).
 *
 * A call checks its pointers, then what is granted, then asks the session's client. The client
 * knows no module: it has one request at most, since a module that waits calls nothing else. The
 * request's outcome is brought to the module by answer(), at once or when sm_network_step() has
 * seen it end.
 *
 *   stopped --- start ---> started --- connect ---> (states of the client) --- stop ---> stopped
 *
 * network_link.c has the calls about gateways and connections, network_topic.c those about topics
 * and messages.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "network_inner.h"

enum { AT_ONCE = 32 }; /* datagrams of a link in a step */
enum { RECORD_BYTES = 28 };
enum { LINK_STOPPED, LINK_STARTED, LINK_CONNECTED, LINK_ASLEEP, LINK_LOST };

static struct sm_network_session *session_of(struct sm_host_more *more)
{
    return (struct sm_network_session *)more;
}

/* ---- Datagrams ------------------------------------------------------------------------------- */

/* Some of what has come: whoever sends faster than it is taken keeps nobody else waiting. */
static void take_datagrams(struct sm_network_session *s)
{
    const struct sm_network_cfg *cfg = s->network->cfg;
    struct sm_mqttsn_address from;

    for (unsigned i = 0; i < AT_ONCE; i++) {
        size_t len =
            cfg->port->receive(cfg->port->ctx, s->link, &from, cfg->datagram, cfg->datagram_size);
        if (len == 0)
            return;
        sm_mqttsn_feed(&s->client, cfg->datagram, len, &from, now_ms(s));
    }
}

static void send_due(struct sm_network_session *s)
{
    const struct sm_network_cfg *cfg = s->network->cfg;
    struct sm_mqttsn_address to;
    int len;

    while ((len = sm_mqttsn_poll(&s->client, now_ms(s), cfg->datagram, cfg->datagram_size, &to)) >
           0) {
        bool all = to.len == 0;
        cfg->port->send(cfg->port->ctx, s->link, all ? &s->everybody : &to, cfg->datagram,
                        (size_t)len, all ? s->hops : 0);
    }
}

int sm_net_wake_up(struct sm_network_session *s)
{
    const struct sm_mqttsn_connect how = {.keepalive_s = s->keepalive_s};

    return sm_mqttsn_connect(&s->client, &how, now_ms(s));
}

/* Whether the request of a call is over: its result is there then. */
static bool is_over(struct sm_network_session *s)
{
    if (sm_mqttsn_take(&s->client, s->call.token, &s->result) == SM_ERR_BUSY)
        return false;
    if (s->call.kind != KIND_JOINED)
        return true;
    s->call.kind = KIND_DONE;
    s->call.token = sm_net_wake_up(s);
    s->result.err = s->call.token < 0 ? s->call.token : 0;
    if (s->call.token > 0)
        send_due(s);
    return s->call.token < 0;
}

static void step(struct sm_network_session *s)
{
    if (s->link < 0)
        return;
    take_datagrams(s);
    send_due(s);
    if (s->more.waiting && s->more.wake_ms != 0 && is_over(s))
        s->more.wake_ms = 0;
}

uint32_t sm_network_step(struct sm_network *n)
{
    for (struct sm_network_session *s = n->first; s != NULL; s = s->next)
        step(s);
    return sm_network_due(n);
}

uint32_t sm_network_due(const struct sm_network *n)
{
    uint64_t now = n->cfg->clock.now_ms(n->cfg->clock.ctx), due = UINT64_MAX;

    for (const struct sm_network_session *s = n->first; s != NULL; s = s->next) {
        uint64_t at = s->link < 0 ? UINT64_MAX : sm_mqttsn_deadline(&s->client);
        due = at < due ? at : due;
    }
    if (due <= now)
        return 0;
    return due - now < UINT32_MAX ? (uint32_t)(due - now) : UINT32_MAX;
}

/* ---- Refusals -------------------------------------------------------------------------------- */

int sm_net_deny(struct sm_host *h, const char *kind, const struct sm_host_text *what,
                const char *rights)
{
    static const char why[] = ": not granted";
    const struct sm_host_text part[] = {
        {kind, strlen(kind)}, *what, {rights, strlen(rights)}, {why, sizeof why - 1}};

    sm_host_refuse(h, part, sizeof part / sizeof *part);
    return SM_HOST_DENIED;
}

int sm_net_pay(struct sm_network_session *s)
{
    static const char why[] = "network: more calls than its rate";
    static const struct sm_host_text part = {why, sizeof why - 1};

    if (sm_host_take(&s->bucket, now_ms(s), s->rate, 2u * s->rate))
        return SM_HOST_OK;
    sm_host_refuse(s->host, &part, 1);
    return SM_HOST_RATE;
}

/* ---- Outcomes -------------------------------------------------------------------------------- */

static int code_of(int err, uint8_t kind)
{
    switch (err) {
    case 0: return SM_HOST_OK;
    case SM_ERR_NOT_FOUND: return kind == KIND_GATEWAY ? SM_HOST_NOT_FOUND : SM_HOST_IO;
    case SM_ERR_ARG: return kind == KIND_PUBLISHED ? SM_HOST_INVALID : SM_HOST_RANGE; /* a filter */
    case SM_ERR_STATE: return SM_HOST_STATE;
    case SM_ERR_LIMIT:
    case SM_ERR_MEMORY: return SM_HOST_SPACE;
    case SM_ERR_BUSY:
    case SM_ERR_INVALID:
    case SM_ERR_UNSUPPORTED: return SM_HOST_REJECTED;
    default: return SM_HOST_IO;
    }
}

int sm_net_give(struct sm_network_session *s, uint32_t *args, int number)
{
    s->host->last_error = number < 0 ? number : SM_HOST_OK;
    return sm_host_give(args, number);
}

/* The call's request has ended with s->result: what the module gets. 0, or SM_ERR_ARG. */
static int answer(struct sm_network_session *s, struct sm_wasm_inst *inst, uint32_t *args)
{
    int code = code_of(s->result.err, s->call.kind);
    uint8_t *buf = sm_wasm_mem(inst, s->call.buf, s->call.len);

    if (buf == NULL)
        return SM_ERR_ARG;
    if (code == SM_HOST_OK && s->call.kind == KIND_TOPIC)
        code = s->result.topic;
    if (code == SM_HOST_OK && s->call.kind == KIND_GATEWAY)
        code = sm_net_put_found(s, buf);
    if (s->call.kind >= KIND_TOPIC)
        return sm_net_give(s, args, code);
    s->sent += code == SM_HOST_OK && s->call.kind == KIND_PUBLISHED;
    s->named |= code == SM_HOST_OK && s->call.kind == KIND_CONNECTED;
    return sm_host_give_done(s->host, args, code);
}

int sm_net_asked(struct sm_network_session *s, struct sm_wasm_inst *inst, uint8_t kind, int token,
                 uint32_t *args)
{
    s->call.kind = kind;
    if (token < 0) {
        s->result = (struct sm_mqttsn_result){.err = token};
        return answer(s, inst, args);
    }
    s->call.token = token;
    send_due(s);
    if (is_over(s))
        return answer(s, inst, args);
    s->more.waiting = true;
    s->more.wake_ms = UINT64_MAX;
    return SM_WASM_PENDING;
}

static int wake(struct sm_host_more *more, struct sm_wasm_exec *exec, struct sm_wasm_inst *inst)
{
    struct sm_network_session *s = session_of(more);
    uint32_t value;

    if (exec->state != SM_EXEC_PENDING)
        return SM_ERR_STATE;
    s->more.waiting = false;
    return sm_wasm_complete(exec, &value, answer(s, inst, &value));
}

int sm_net_begin_call(struct sm_network_session *s)
{
    s->call = (struct sm_network_call){.kind = KIND_DONE};
    return s->link < 0 ? SM_HOST_STATE : SM_HOST_OK;
}

/* ---- What there is --------------------------------------------------------------------------- */

static uint8_t link_of(const struct sm_network_session *s)
{
    if (s->link < 0)
        return LINK_STOPPED;
    switch (sm_mqttsn_state(&s->client)) {
    case SM_MQTTSN_ACTIVE: return LINK_CONNECTED;
    case SM_MQTTSN_ASLEEP:
    case SM_MQTTSN_AWAKE: return LINK_ASLEEP;
    case SM_MQTTSN_LOST: return LINK_LOST;
    default: return LINK_STARTED;
    }
}

uint32_t sm_network_dropped(const struct sm_network_session *s)
{
    return s->link < 0 ? 0 : sm_mqttsn_counts(&s->client)->dropped + s->strange;
}

/* network(buf) */
static int call_network(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    const struct sm_network_session *s = ctx;
    uint8_t *p = sm_wasm_mem(caller, args[0], RECORD_BYTES);

    if (p == NULL)
        return SM_ERR_ARG;
    memset(p, 0, RECORD_BYTES);
    p[0] = link_of(s);
    sm_host_put16(p + 4, s->queue);
    sm_host_put16(p + 6, s->room.topics);
    sm_host_put32(p + 8, s->room.payload);
    sm_host_put32(p + 12, sm_network_dropped(s));
    sm_host_put32(p + 16, s->host->refused);
    sm_host_put32(p + 20, s->sent);
    sm_host_put32(p + 24, s->received);
    return sm_host_give(args, SM_HOST_OK);
}

/* ---- Life and linking ------------------------------------------------------------------------ */

static const struct sm_host_function calls[] = {
    {"wasi_sn", "start", "i:i", sm_net_start},
    {"wasi_sn", "stop", ":i", sm_net_stop},
    {"wasi_sn", "searchGW", "iiiii:i", sm_net_search},
    {"wasi_sn", "connect", "iiii:i", sm_net_connect},
    {"wasi_sn", "disconnect", ":i", sm_net_disconnect},
    {"wasi_sn", "register", "i:i", sm_net_register},
    {"wasi_sn", "publish", "iiii:i", sm_net_publish},
    {"wasi_sn", "subscribe", "ii:i", sm_net_subscribe},
    {"wasi_sn", "subscribeTo", "ii:i", sm_net_subscribe_to},
    {"wasi_sn", "unsubscribe", "i:i", sm_net_unsubscribe},
    {"wasi_sn", "hasMessage", "i:i", sm_net_has_message},
    {"wasi_sn", "getMessage", "iii:i", sm_net_get_message},
    {"wasi_sn", "peekMessage", "iii:i", sm_net_peek_message},
    {"wasi_sn", "sleep", "i:i", sm_net_sleep},
    {"wasi_sn", "collect", ":i", sm_net_collect},
    {"wasi_sn", "awake", ":i", sm_net_awake},
    {"wasi_sn", "network", "i:i", call_network},
};

static int resolve(struct sm_host_more *more, const struct sm_host *host,
                   const struct sm_wasm_import *import, struct sm_wasm_extern *out)
{
    const struct sm_host_function *f = sm_host_find(calls, sizeof calls / sizeof *calls, import);

    if (f == NULL)
        return SM_ERR_NOT_FOUND;
    return sm_host_has_network(host) ? sm_host_bind(out, f, more) : SM_ERR_DENIED;
}

/* Why a capability of the network's cannot be served; NULL: it can. */
static const char *check_one(const struct sm_network_session *s, const char *capability)
{
    const char *wrong = sm_network_capability(capability);
    uint32_t n;

    if (wrong == NULL && sm_number_grant(capability, "queue/", &n) && n > s->room.queue)
        return "there is no room for so many messages";
    return wrong;
}

static int check(struct sm_host_more *more, const struct sm_manifest *grants)
{
    for (uint32_t i = 0; i < grants->capabilities; i++) {
        const char *lacks = sm_host_part_of(grants->capability[i]) == SM_HOST_NETWORK
                                ? check_one(session_of(more), grants->capability[i])
                                : NULL;
        if (lacks == NULL)
            continue;
        more->lacks = lacks;
        return (int)i;
    }
    return -1;
}

static void end(struct sm_host_more *more)
{
    struct sm_network_session *s = session_of(more);

    sm_net_leave(s);
    s->more.waiting = false;
    s->host = NULL;
}

/* The number that capabilities sm_net_give, or `otherwise`. */
static uint16_t number_of(const struct sm_manifest *m, const char *prefix, uint32_t otherwise)
{
    uint32_t n;

    for (uint32_t i = 0; i < m->capabilities; i++)
        if (sm_number_grant(m->capability[i], prefix, &n))
            return (uint16_t)n;
    return (uint16_t)otherwise;
}

/* The bucket is the application's, not the instance's. */
static int begin(struct sm_host_more *more, struct sm_host *host)
{
    struct sm_network_session *s = session_of(more);
    const struct sm_manifest *m = host->grants;
    uint16_t queue = number_of(m, "queue/", SM_NETWORK_QUEUE);

    s->host = host;
    s->grants = 0;
    for (uint32_t i = 0; i < m->capabilities; i++)
        s->grants += sm_topic_grant(m->capability[i], &s->grant[s->grants]);
    s->rate = number_of(m, "rate/", SM_NETWORK_RATE);
    s->queue = queue < s->room.queue ? queue : s->room.queue;
    return 0;
}

void sm_network_init(struct sm_network *n, const struct sm_network_cfg *cfg)
{
    *n = (struct sm_network){.cfg = cfg};
}

/* Takes bytes of memory. */
static void *carve(uint8_t **memory, size_t bytes)
{
    void *at = *memory;

    *memory += bytes;
    return at;
}

void sm_network_session_init(struct sm_network_session *s, struct sm_network *n,
                             const struct sm_network_room *room, void *memory)
{
    uint8_t *at = memory;
    struct sm_mqttsn_config *c = &s->memory;

    memset(s, 0, sizeof *s);
    s->more = (struct sm_host_more){.part = SM_HOST_NETWORK,
                                    .check = check,
                                    .begin = begin,
                                    .end = end,
                                    .resolve = resolve,
                                    .wake = wake};
    s->network = n;
    s->room = *room;
    s->link = -1;
    s->bucket.room = UINT32_MAX; /* as full as whatever rate comes, also where time begins at 0 */
    /* As SM_NETWORK_MEMORY() counts, what is aligned most first. */
    c->gateways = carve(&at, room->gateways * sizeof *c->gateways);
    c->requests = carve(&at, sizeof *c->requests);
    c->topics = carve(&at, room->topics * sizeof *c->topics);
    c->names = carve(&at, (size_t)room->topics * SM_NETWORK_NAME_MAX);
    c->payloads = carve(&at, room->payload);
    c->inbox = at;
    c->ngateways = room->gateways;
    c->ntopics = room->topics;
    c->name_size = SM_NETWORK_NAME_MAX;
    c->nrequests = 1;
    c->payload_size = room->payload;
    s->next = n->first;
    n->first = s;
}
