/* The network calls of modules: "wasi_sn" (include/sandmote/network.h).
 *
 * A call checks its pointers, then what is granted, then asks the session's client. The client
 * knows no module: it has one request at most, since a module that waits calls nothing else. The
 * request's outcome is brought to the module by answer(), at once or when sm_network_step() has
 * seen it end.
 *
 *   stopped --- start ---> started --- connect ---> (states of the client) --- stop ---> stopped
 *
 * What a module calls a topic's id is the client's number of that topic, which is the same for the
 * client's life. The client has numbers that no module was given, those of topics that a filter
 * brings: so each number that was given has its rights in a table, and one without rights is no id.
 * They are written when a name or filter has been looked for among the grants, which publishing
 * need not do again.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sandmote/network.h>
#include "internal.h"

_Static_assert(SM_NETWORK_NAME_MAX < SM_CAPABILITY_MAX, "a topic fits a capability");

enum { RIGHT_PUBLISH = 1, RIGHT_SUBSCRIBE = 2 };
enum { AT_ONCE = 32 }; /* datagrams of a link in a step */
enum { RECORD_BYTES = 28, PEEK_BYTES = 8, PORT_DIGITS = 5 };
enum { LINK_STOPPED, LINK_STARTED, LINK_CONNECTED, LINK_ASLEEP, LINK_LOST };

/* What a call gives back. */
enum kind {
    KIND_DONE,      /* 1 or 0 */
    KIND_JOINED,    /* only now it can connect again, as KIND_DONE */
    KIND_CONNECTED, /* the same; by which id is settled then */
    KIND_PUBLISHED, /* the same; counted */
    KIND_TOPIC,     /* the id of a topic, which has rights then */
    KIND_GATEWAY    /* bytes of the address of the gateway that was found, in buf */
};

static uint64_t now_ms(const struct sm_network_session *s)
{
    const struct sm_clock *clock = &s->network->cfg->clock;

    return clock->now_ms(clock->ctx);
}

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

/* End the sleep; a token or an error. */
static int wake_up(struct sm_network_session *s)
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
    s->call.token = wake_up(s);
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

/* What was asked for, as a capability would name it. */
static int deny(struct sm_host *h, const char *kind, const struct sm_host_text *what,
                const char *rights)
{
    static const char why[] = ": not granted";
    const struct sm_host_text part[] = {
        {kind, strlen(kind)}, *what, {rights, strlen(rights)}, {why, sizeof why - 1}};

    sm_host_refuse(h, part, sizeof part / sizeof *part);
    return SM_HOST_DENIED;
}

/* Each call that sends costs a token. */
static int pay(struct sm_network_session *s)
{
    static const char why[] = "network: more calls than its rate";
    static const struct sm_host_text part = {why, sizeof why - 1};

    if (sm_host_take(&s->bucket, now_ms(s), s->rate, 2u * s->rate))
        return SM_HOST_OK;
    sm_host_refuse(s->host, &part, 1);
    return SM_HOST_RATE;
}

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

/* The number that capabilities give, or `otherwise`. */
static uint16_t number_of(const struct sm_manifest *m, const char *prefix, uint32_t otherwise)
{
    uint32_t n;

    for (uint32_t i = 0; i < m->capabilities; i++)
        if (sm_number_grant(m->capability[i], prefix, &n))
            return (uint16_t)n;
    return (uint16_t)otherwise;
}

/* Whether a name or filter may be used so. */
static int check_topic(struct sm_network_session *s, const struct sm_host_text *topic,
                       uint8_t wanted)
{
    if (rights_to(s, topic->bytes, topic->len) & wanted)
        return SM_HOST_OK;
    return deny(s->host, "topic/", topic, wanted == RIGHT_SUBSCRIBE ? ":s" : ":p");
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

/* ---- Gateways -------------------------------------------------------------------------------- */

/* Whether "gateway/<address>/<port>" is granted. */
static bool gateway_granted(const struct sm_host *h, const char *address, uint32_t port)
{
    char capability[SM_CAPABILITY_MAX + 1] = "gateway/", digit[PORT_DIGITS];
    size_t at = strlen(capability), len = strlen(address);
    unsigned n = 0;

    _Static_assert(8 + SM_NETWORK_ADDRESS_MAX + 1 + PORT_DIGITS <= SM_CAPABILITY_MAX, "it fits");
    memcpy(capability + at, address, len);
    at += len;
    capability[at++] = '/';
    for (; port > 0; port /= 10)
        digit[n++] = (char)('0' + port % 10);
    while (n > 0)
        capability[at++] = digit[--n];
    capability[at] = 0;
    return sm_host_has(h, capability);
}

/* An address that the module names; of length 0 for "". 0 or a code. One that was found is as good
 * as granted. */
static int find_gateway(struct sm_network_session *s, const struct sm_host_text *address,
                        uint32_t port, struct sm_mqttsn_address *out)
{
    const struct sm_network_port *p = s->network->cfg->port;
    char text[SM_NETWORK_ADDRESS_MAX + 1];

    memset(out, 0, sizeof *out);
    if (address->len == 0)
        return port == 0 ? SM_HOST_OK : SM_HOST_RANGE;
    if (address->len > SM_NETWORK_ADDRESS_MAX || port == 0 || port > UINT16_MAX)
        return SM_HOST_RANGE;
    memcpy(text, address->bytes, address->len);
    text[address->len] = 0;
    int err = p->address(p->ctx, text, (uint16_t)port, out);
    bool found = err == 0 && s->found.len > 0 && sm_mqttsn_address_same(out, &s->found);
    if (!found && !gateway_granted(s->host, text, port))
        return deny(s->host, "gateway/", address, "");
    return err ? SM_HOST_RANGE : SM_HOST_OK;
}

/* The client's list of gateways anew, while it has no connection. */
static void forget_gateways(struct sm_network_session *s)
{
    memset(s->memory.gateways, 0, s->room.gateways * sizeof *s->memory.gateways);
}

/* To whom the next connection goes: the one named, else the one found, else the device's; with none
 * at all the client searches. */
static int list_gateways(struct sm_network_session *s, const struct sm_mqttsn_address *named)
{
    const struct sm_network_cfg *cfg = s->network->cfg;
    const struct sm_mqttsn_address *one = named->len > 0 ? named : &s->found;
    struct sm_mqttsn_address address;

    forget_gateways(s);
    if (one->len > 0)
        return sm_mqttsn_add_gateway(&s->client, one);
    for (unsigned i = 0; i < cfg->ngateways; i++)
        if (cfg->port->address(cfg->port->ctx, cfg->gateways[i].address, cfg->gateways[i].port,
                               &address) == 0)
            (void)sm_mqttsn_add_gateway(&s->client, &address);
    return cfg->ngateways > 0 || s->everybody.len > 0 ? 0 : SM_ERR_NOT_FOUND;
}

/* Whom a search asks, unless the module says. */
static void ask_everybody(struct sm_network_session *s)
{
    const struct sm_network_cfg *cfg = s->network->cfg;

    s->hops = cfg->hops;
    memset(&s->everybody, 0, sizeof s->everybody);
    if (cfg->search.address != NULL)
        (void)cfg->port->address(cfg->port->ctx, cfg->search.address, cfg->search.port,
                                 &s->everybody);
}

/* The address of the gateway that a search has found. */
static int put_found(struct sm_network_session *s, uint8_t *buf)
{
    const struct sm_network_port *p = s->network->cfg->port;
    char text[SM_NETWORK_ADDRESS_MAX + 1];
    uint16_t port;

    for (unsigned i = 0; i < s->room.gateways && s->found.len == 0; i++)
        s->found = s->memory.gateways[i].address;
    if (s->found.len == 0 || p->text(p->ctx, &s->found, text, &port) != 0)
        return SM_HOST_NOT_FOUND;
    size_t len = strlen(text) + 1;
    if (len > s->call.len)
        return SM_HOST_SPACE;
    memcpy(buf, text, len);
    return (int)len;
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

/* A number or a code, which lastError() gives too. */
static int give(struct sm_network_session *s, uint32_t *args, int number)
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
        code = put_found(s, buf);
    if (s->call.kind >= KIND_TOPIC)
        return give(s, args, code);
    s->sent += code == SM_HOST_OK && s->call.kind == KIND_PUBLISHED;
    s->named |= code == SM_HOST_OK && s->call.kind == KIND_CONNECTED;
    return sm_host_give_done(s->host, args, code);
}

/* What the client has said to a request, a token or an error. */
static int asked(struct sm_network_session *s, struct sm_wasm_inst *inst, uint8_t kind, int token,
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

/* A call that takes no buffer begins: whether it may go on. */
static int begin_call(struct sm_network_session *s)
{
    s->call = (struct sm_network_call){.kind = KIND_DONE};
    return s->link < 0 ? SM_HOST_STATE : SM_HOST_OK;
}

/* ---- Connections ----------------------------------------------------------------------------- */

/* One DISCONNECT, whatever the client is at: nobody will be there for an answer. */
static void say_goodbye(struct sm_network_session *s)
{
    const struct sm_network_cfg *cfg = s->network->cfg;
    const struct sm_mqttsn_address *gateway = sm_mqttsn_gateway(&s->client);
    const struct sm_mqttsn_packet p = {.type = SM_MQTTSN_DISCONNECT};
    int len = sm_mqttsn_encode(&p, cfg->datagram, cfg->datagram_size);

    if (gateway != NULL && len > 0 && sm_mqttsn_state(&s->client) != SM_MQTTSN_DISCONNECTED)
        cfg->port->send(cfg->port->ctx, s->link, gateway, cfg->datagram, (size_t)len, 0);
}

static void leave(struct sm_network_session *s)
{
    const struct sm_network_port *p = s->network->cfg->port;

    if (s->link < 0)
        return;
    say_goodbye(s);
    p->close(p->ctx, s->link);
    s->link = -1;
    s->named = false;
    s->found.len = 0;
}

void sm_network_stop(struct sm_network *n)
{
    for (struct sm_network_session *s = n->first; s != NULL; s = s->next)
        leave(s);
}

/* Prefix and name into out; cut off when `cut`. False when that is no client id. */
static bool make_id(const struct sm_network_session *s, const char *name, size_t len, bool cut,
                    char out[SM_MQTTSN_OWN_ID_MAX + 1])
{
    const char *prefix = s->network->cfg->prefix;
    size_t at = strlen(prefix);

    if (at >= SM_MQTTSN_OWN_ID_MAX)
        at = SM_MQTTSN_OWN_ID_MAX - 1;
    memcpy(out, prefix, at);
    if (len > SM_MQTTSN_OWN_ID_MAX - at && cut)
        len = SM_MQTTSN_OWN_ID_MAX - at;
    if (len > SM_MQTTSN_OWN_ID_MAX - at || len == 0)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-'))
            return false;
        out[at++] = c;
    }
    out[at] = 0;
    return true;
}

/* Whether another session of the device goes by this id. */
static bool id_taken(const struct sm_network_session *s, const char *id)
{
    for (const struct sm_network_session *o = s->network->first; o != NULL; o = o->next)
        if (o != s && o->link >= 0 && sm_mqttsn_state(&o->client) != SM_MQTTSN_DISCONNECTED &&
            strcmp(o->client_id, id) == 0)
            return true;
    return false;
}

/* The id to connect by, which stays until the client is stopped. */
static int settle_id(struct sm_network_session *s, const struct sm_host_text *client)
{
    char id[SM_MQTTSN_OWN_ID_MAX + 1];
    const char *name = s->host->grants->name;
    bool own = client->len == 0;

    if (!make_id(s, own ? name : client->bytes, own ? strlen(name) : client->len, own, id))
        return SM_HOST_RANGE;
    if (s->named && strcmp(id, s->client_id) != 0)
        return SM_HOST_STATE;
    if (id_taken(s, id))
        return SM_HOST_BUSY;
    memcpy(s->client_id, id, sizeof id);
    return SM_HOST_OK;
}

static int start_client(struct sm_network_session *s)
{
    const struct sm_network_cfg *cfg = s->network->cfg;
    const char *name = s->host->grants->name;
    struct sm_mqttsn_config c = s->memory;

    if (cfg->entropy.fill(cfg->entropy.ctx, &c.seed, sizeof c.seed) != 0)
        return SM_ERR_IO;
    if (!make_id(s, name, strlen(name), true, s->client_id))
        memcpy(s->client_id, "module", sizeof "module");
    c.client_id = s->client_id;
    c.retry_ms = cfg->retry_ms;
    c.retries = cfg->retries;
    c.search_ms = cfg->search_ms;
    c.inbox_size = s->queue * (SM_MQTTSN_INBOX_HEAD + s->room.payload);
    s->sent = s->received = 0;
    forget_gateways(s);
    ask_everybody(s);
    return sm_mqttsn_init(&s->client, &c);
}

/* start(port) */
static int call_start(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    const struct sm_network_port *p = s->network->cfg->port;

    (void)caller;
    if (args[0] > UINT16_MAX)
        return give(s, args, SM_HOST_RANGE);
    if (s->link >= 0)
        return give(s, args, s->port);
    if (start_client(s) != 0)
        return give(s, args, SM_HOST_IO);
    s->link = p->open(p->ctx, (uint16_t)args[0], &s->port);
    return give(s, args,
                s->link >= 0              ? s->port
                : s->link == SM_ERR_LIMIT ? SM_HOST_SPACE
                                          : SM_HOST_IO);
}

/* stop() */
static int call_stop(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    int code = begin_call(s);

    (void)caller;
    leave(s);
    return sm_host_give_done(s->host, args, code);
}

/* searchGW(address, port, hops, buf, len) */
static int call_search(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    struct sm_mqttsn_address whom;
    struct sm_host_text address;
    uint32_t hops = args[2], buf = args[3], len = args[4];

    if (!sm_host_take_text(caller, args[0], SM_NETWORK_ADDRESS_MAX, &address) ||
        sm_wasm_mem(caller, buf, len) == NULL)
        return SM_ERR_ARG;
    int code = begin_call(s);
    if (code == SM_HOST_OK)
        code = find_gateway(s, &address, args[1], &whom);
    if (code == SM_HOST_OK && hops > UINT8_MAX)
        code = SM_HOST_RANGE;
    if (code == SM_HOST_OK && sm_mqttsn_state(&s->client) != SM_MQTTSN_DISCONNECTED)
        code = SM_HOST_STATE;
    if (code == SM_HOST_OK)
        code = pay(s);
    if (code != SM_HOST_OK)
        return give(s, args, code);
    ask_everybody(s);
    if (whom.len > 0)
        s->everybody = whom;
    if (s->everybody.len == 0)
        return give(s, args, SM_HOST_NOT_FOUND);
    if (hops > 0)
        s->hops = (uint8_t)hops;
    s->found.len = 0;
    forget_gateways(s);
    s->call.buf = buf;
    s->call.len = len;
    return asked(s, caller, KIND_GATEWAY, sm_mqttsn_search(&s->client, s->hops, now_ms(s)), args);
}

/* connect(client, keepAlive, address, port) */
static int call_connect(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    struct sm_mqttsn_connect how = {.clean = true};
    struct sm_mqttsn_address whom;
    struct sm_host_text client, address;

    if (!sm_host_take_text(caller, args[0], SM_MQTTSN_OWN_ID_MAX, &client) ||
        !sm_host_take_text(caller, args[2], SM_NETWORK_ADDRESS_MAX, &address))
        return SM_ERR_ARG;
    int code = begin_call(s);
    if (code == SM_HOST_OK)
        code = find_gateway(s, &address, args[3], &whom);
    if (code == SM_HOST_OK && args[1] > UINT16_MAX)
        code = SM_HOST_RANGE;
    enum sm_mqttsn_state state = code == SM_HOST_OK ? sm_mqttsn_state(&s->client) : 0;
    if (code == SM_HOST_OK && state != SM_MQTTSN_DISCONNECTED && state != SM_MQTTSN_LOST)
        code = SM_HOST_STATE;
    if (code == SM_HOST_OK)
        code = settle_id(s, &client);
    if (code == SM_HOST_OK)
        code = pay(s);
    /* A connection that was lost is looked for where it was, and is perhaps found just now. */
    if (code == SM_HOST_OK && state == SM_MQTTSN_DISCONNECTED && list_gateways(s, &whom) != 0)
        code = SM_HOST_NOT_FOUND;
    if (code != SM_HOST_OK)
        return sm_host_give_done(s->host, args, code);
    how.keepalive_s = s->keepalive_s = args[1] > 0 ? (uint16_t)args[1] : SM_NETWORK_KEEPALIVE_S;
    return asked(s, caller, KIND_CONNECTED, sm_mqttsn_connect(&s->client, &how, now_ms(s)), args);
}

/* disconnect() */
static int call_disconnect(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    int code = begin_call(s);

    if (code == SM_HOST_OK && sm_mqttsn_state(&s->client) == SM_MQTTSN_DISCONNECTED)
        code = SM_HOST_STATE;
    if (code != SM_HOST_OK)
        return sm_host_give_done(s->host, args, code);
    return asked(s, caller, KIND_DONE, sm_mqttsn_disconnect(&s->client, now_ms(s)), args);
}

/* sleep(seconds) */
static int call_sleep(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    uint32_t seconds = args[0] > 0 ? args[0] : s->keepalive_s;
    int code = begin_call(s);

    if (code == SM_HOST_OK && seconds > UINT16_MAX)
        code = SM_HOST_RANGE;
    if (code == SM_HOST_OK && sm_mqttsn_state(&s->client) != SM_MQTTSN_ACTIVE)
        code = SM_HOST_STATE;
    if (code == SM_HOST_OK)
        code = pay(s);
    if (code != SM_HOST_OK)
        return sm_host_give_done(s->host, args, code);
    return asked(s, caller, KIND_DONE, sm_mqttsn_sleep(&s->client, (uint16_t)seconds, now_ms(s)),
                 args);
}

/* What collect() and awake() begin with. The client may be collecting by itself just now. */
static int begin_asleep(struct sm_network_session *s, bool *collecting)
{
    int code = begin_call(s);
    enum sm_mqttsn_state state = code == SM_HOST_OK ? sm_mqttsn_state(&s->client) : 0;

    *collecting = state == SM_MQTTSN_AWAKE;
    if (code == SM_HOST_OK && state != SM_MQTTSN_ASLEEP && state != SM_MQTTSN_AWAKE)
        code = SM_HOST_STATE;
    return code == SM_HOST_OK ? pay(s) : code;
}

/* collect() */
static int call_collect(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    bool collecting;
    int code = begin_asleep(s, &collecting);

    if (code != SM_HOST_OK)
        return sm_host_give_done(s->host, args, code);
    return asked(s, caller, KIND_DONE, sm_mqttsn_awake(&s->client, now_ms(s)), args);
}

/* awake() */
static int call_awake(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    bool collecting;
    int code = begin_asleep(s, &collecting);

    if (code != SM_HOST_OK)
        return sm_host_give_done(s->host, args, code);
    if (collecting)
        return asked(s, caller, KIND_JOINED, sm_mqttsn_awake(&s->client, now_ms(s)), args);
    return asked(s, caller, KIND_DONE, wake_up(s), args);
}

/* ---- Topics and messages --------------------------------------------------------------------- */

/* register(topic) */
static int call_register(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    struct sm_host_text topic;

    if (!sm_host_take_text(caller, args[0], SM_NETWORK_NAME_MAX, &topic))
        return SM_ERR_ARG;
    int code = begin_call(s);
    if (code == SM_HOST_OK)
        code = find_topic(s, &topic, RIGHT_PUBLISH | RIGHT_SUBSCRIBE);
    if (code == SM_HOST_OK)
        code = pay(s);
    if (code != SM_HOST_OK)
        return give(s, args, code);
    return asked(s, caller, KIND_TOPIC, sm_mqttsn_register(&s->client, topic.bytes, topic.len),
                 args);
}

/* publish(topic, qos, data, len) */
static int call_publish(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    uint32_t topic = args[0], qos = args[1], len = args[3];
    const uint8_t *data = sm_wasm_mem(caller, args[2], len);

    if (data == NULL)
        return SM_ERR_ARG;
    int code = begin_call(s);
    if (code == SM_HOST_OK)
        code = find_id(s, topic, RIGHT_PUBLISH);
    if (code == SM_HOST_OK && (qos > 2 || len > s->room.payload))
        code = SM_HOST_RANGE;
    if (code == SM_HOST_OK)
        code = pay(s);
    if (code != SM_HOST_OK)
        return sm_host_give_done(s->host, args, code);
    return asked(s, caller, KIND_PUBLISHED,
                 sm_mqttsn_publish(&s->client, SM_MQTTSN_TOPIC_NORMAL, (uint16_t)topic, (int)qos,
                                   false, data, len),
                 args);
}

/* subscribe(topic, qos) */
static int call_subscribe(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    uint32_t topic = args[0], qos = args[1];
    int code = begin_call(s);

    if (code == SM_HOST_OK)
        code = find_id(s, topic, RIGHT_SUBSCRIBE);
    if (code == SM_HOST_OK && qos > 2)
        code = SM_HOST_RANGE;
    if (code == SM_HOST_OK)
        code = pay(s);
    if (code != SM_HOST_OK)
        return sm_host_give_done(s->host, args, code);
    return asked(s, caller, KIND_DONE,
                 sm_mqttsn_subscribe_topic(&s->client, SM_MQTTSN_TOPIC_NORMAL, (uint16_t)topic,
                                           (uint8_t)qos),
                 args);
}

/* subscribeTo(filter, qos) */
static int call_subscribe_to(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    struct sm_host_text filter;
    uint32_t qos = args[1];

    if (!sm_host_take_text(caller, args[0], SM_NETWORK_NAME_MAX, &filter))
        return SM_ERR_ARG;
    int code = begin_call(s);
    if (code == SM_HOST_OK)
        code = find_topic(s, &filter, RIGHT_SUBSCRIBE);
    if (code == SM_HOST_OK && qos > 2)
        code = SM_HOST_RANGE;
    if (code == SM_HOST_OK)
        code = pay(s);
    if (code != SM_HOST_OK)
        return give(s, args, code);
    return asked(s, caller, KIND_TOPIC,
                 sm_mqttsn_subscribe(&s->client, filter.bytes, filter.len, (uint8_t)qos), args);
}

/* unsubscribe(topic) */
static int call_unsubscribe(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    uint32_t topic = args[0];
    int code = begin_call(s);

    if (code == SM_HOST_OK)
        code = find_id(s, topic, RIGHT_SUBSCRIBE);
    if (code == SM_HOST_OK)
        code = pay(s);
    if (code != SM_HOST_OK)
        return sm_host_give_done(s->host, args, code);
    return asked(s, caller, KIND_DONE,
                 sm_mqttsn_unsubscribe(&s->client, SM_MQTTSN_TOPIC_NORMAL, (uint16_t)topic), args);
}

/* The oldest message for an id, or with 0 for any. What a gateway sends unasked is thrown away: a
 * filter covers all that it matches, so an id needs no second look. */
static int find_message(struct sm_network_session *s, uint32_t topic, struct sm_mqttsn_message *m)
{
    int code = begin_call(s);

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
static int call_has_message(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    struct sm_mqttsn_message m;

    (void)caller;
    return sm_host_give_done(s->host, args, find_message(s, args[0], &m));
}

/* getMessage(topic, buf, len) */
static int call_get_message(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
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
        return give(s, args, code);
    memcpy(buf, m.data, m.len);
    sm_mqttsn_consume(&s->client, &m);
    s->received++;
    return give(s, args, (int)m.len);
}

/* peekMessage(topic, buf, len) */
static int call_peek_message(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
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
        return give(s, args, code);
    size_t name_len = m.name != NULL ? m.name_len : 0;
    sm_host_put16(buf, (unsigned)m.len);
    buf[2] = m.qos;
    buf[3] = m.retain;
    sm_host_put32(buf + 4, (uint32_t)name_len);
    if (name_len > 0)
        memcpy(buf + PEEK_BYTES, m.name, name_len < len - PEEK_BYTES ? name_len : len - PEEK_BYTES);
    return give(s, args, (int)name_len);
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
    {"wasi_sn", "start", "i:i", call_start},
    {"wasi_sn", "stop", ":i", call_stop},
    {"wasi_sn", "searchGW", "iiiii:i", call_search},
    {"wasi_sn", "connect", "iiii:i", call_connect},
    {"wasi_sn", "disconnect", ":i", call_disconnect},
    {"wasi_sn", "register", "i:i", call_register},
    {"wasi_sn", "publish", "iiii:i", call_publish},
    {"wasi_sn", "subscribe", "ii:i", call_subscribe},
    {"wasi_sn", "subscribeTo", "ii:i", call_subscribe_to},
    {"wasi_sn", "unsubscribe", "i:i", call_unsubscribe},
    {"wasi_sn", "hasMessage", "i:i", call_has_message},
    {"wasi_sn", "getMessage", "iii:i", call_get_message},
    {"wasi_sn", "peekMessage", "iii:i", call_peek_message},
    {"wasi_sn", "sleep", "i:i", call_sleep},
    {"wasi_sn", "collect", ":i", call_collect},
    {"wasi_sn", "awake", ":i", call_awake},
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

    leave(s);
    s->more.waiting = false;
    s->host = NULL;
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
