/* The network calls of modules: gateways and connections (network.c).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "network_inner.h"

enum { PORT_DIGITS = 5 };

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
        return sm_net_deny(s->host, "gateway/", address, "");
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

int sm_net_put_found(struct sm_network_session *s, uint8_t *buf)
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

void sm_net_leave(struct sm_network_session *s)
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
        sm_net_leave(s);
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
int sm_net_start(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    const struct sm_network_port *p = s->network->cfg->port;

    (void)caller;
    if (args[0] > UINT16_MAX)
        return sm_net_give(s, args, SM_HOST_RANGE);
    if (s->link >= 0)
        return sm_net_give(s, args, s->port);
    if (start_client(s) != 0)
        return sm_net_give(s, args, SM_HOST_IO);
    s->link = p->open(p->ctx, (uint16_t)args[0], &s->port);
    return sm_net_give(s, args,
                       s->link >= 0              ? s->port
                       : s->link == SM_ERR_LIMIT ? SM_HOST_SPACE
                                                 : SM_HOST_IO);
}

/* stop() */
int sm_net_stop(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    int code = sm_net_begin_call(s);

    (void)caller;
    sm_net_leave(s);
    return sm_host_give_done(s->host, args, code);
}

/* searchGW(address, port, hops, buf, len) */
int sm_net_search(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    struct sm_mqttsn_address whom;
    struct sm_host_text address;
    uint32_t hops = args[2], buf = args[3], len = args[4];

    if (!sm_host_take_text(caller, args[0], SM_NETWORK_ADDRESS_MAX, &address) ||
        sm_wasm_mem(caller, buf, len) == NULL)
        return SM_ERR_ARG;
    int code = sm_net_begin_call(s);
    if (code == SM_HOST_OK)
        code = find_gateway(s, &address, args[1], &whom);
    if (code == SM_HOST_OK && hops > UINT8_MAX)
        code = SM_HOST_RANGE;
    if (code == SM_HOST_OK && sm_mqttsn_state(&s->client) != SM_MQTTSN_DISCONNECTED)
        code = SM_HOST_STATE;
    if (code == SM_HOST_OK)
        code = sm_net_pay(s);
    if (code != SM_HOST_OK)
        return sm_net_give(s, args, code);
    ask_everybody(s);
    if (whom.len > 0)
        s->everybody = whom;
    if (s->everybody.len == 0)
        return sm_net_give(s, args, SM_HOST_NOT_FOUND);
    if (hops > 0)
        s->hops = (uint8_t)hops;
    s->found.len = 0;
    forget_gateways(s);
    s->call.buf = buf;
    s->call.len = len;
    return sm_net_asked(s, caller, KIND_GATEWAY, sm_mqttsn_search(&s->client, s->hops, now_ms(s)),
                        args);
}

/* connect(client, keepAlive, address, port) */
int sm_net_connect(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    struct sm_mqttsn_connect how = {.clean = true};
    struct sm_mqttsn_address whom;
    struct sm_host_text client, address;

    if (!sm_host_take_text(caller, args[0], SM_MQTTSN_OWN_ID_MAX, &client) ||
        !sm_host_take_text(caller, args[2], SM_NETWORK_ADDRESS_MAX, &address))
        return SM_ERR_ARG;
    int code = sm_net_begin_call(s);
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
        code = sm_net_pay(s);
    /* A connection that was lost is looked for where it was, and is perhaps found just now. */
    if (code == SM_HOST_OK && state == SM_MQTTSN_DISCONNECTED && list_gateways(s, &whom) != 0)
        code = SM_HOST_NOT_FOUND;
    if (code != SM_HOST_OK)
        return sm_host_give_done(s->host, args, code);
    how.keepalive_s = s->keepalive_s = args[1] > 0 ? (uint16_t)args[1] : SM_NETWORK_KEEPALIVE_S;
    return sm_net_asked(s, caller, KIND_CONNECTED, sm_mqttsn_connect(&s->client, &how, now_ms(s)),
                        args);
}

/* disconnect() */
int sm_net_disconnect(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    int code = sm_net_begin_call(s);

    if (code == SM_HOST_OK && sm_mqttsn_state(&s->client) == SM_MQTTSN_DISCONNECTED)
        code = SM_HOST_STATE;
    if (code != SM_HOST_OK)
        return sm_host_give_done(s->host, args, code);
    return sm_net_asked(s, caller, KIND_DONE, sm_mqttsn_disconnect(&s->client, now_ms(s)), args);
}

/* sleep(seconds) */
int sm_net_sleep(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    uint32_t seconds = args[0] > 0 ? args[0] : s->keepalive_s;
    int code = sm_net_begin_call(s);

    if (code == SM_HOST_OK && seconds > UINT16_MAX)
        code = SM_HOST_RANGE;
    if (code == SM_HOST_OK && sm_mqttsn_state(&s->client) != SM_MQTTSN_ACTIVE)
        code = SM_HOST_STATE;
    if (code == SM_HOST_OK)
        code = sm_net_pay(s);
    if (code != SM_HOST_OK)
        return sm_host_give_done(s->host, args, code);
    return sm_net_asked(s, caller, KIND_DONE,
                        sm_mqttsn_sleep(&s->client, (uint16_t)seconds, now_ms(s)), args);
}

/* What collect() and awake() begin with. The client may be collecting by itself just now. */
static int begin_asleep(struct sm_network_session *s, bool *collecting)
{
    int code = sm_net_begin_call(s);
    enum sm_mqttsn_state state = code == SM_HOST_OK ? sm_mqttsn_state(&s->client) : 0;

    *collecting = state == SM_MQTTSN_AWAKE;
    if (code == SM_HOST_OK && state != SM_MQTTSN_ASLEEP && state != SM_MQTTSN_AWAKE)
        code = SM_HOST_STATE;
    return code == SM_HOST_OK ? sm_net_pay(s) : code;
}

/* collect() */
int sm_net_collect(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    bool collecting;
    int code = begin_asleep(s, &collecting);

    if (code != SM_HOST_OK)
        return sm_host_give_done(s->host, args, code);
    return sm_net_asked(s, caller, KIND_DONE, sm_mqttsn_awake(&s->client, now_ms(s)), args);
}

/* awake() */
int sm_net_awake(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_network_session *s = ctx;
    bool collecting;
    int code = begin_asleep(s, &collecting);

    if (code != SM_HOST_OK)
        return sm_host_give_done(s->host, args, code);
    if (collecting)
        return sm_net_asked(s, caller, KIND_JOINED, sm_mqttsn_awake(&s->client, now_ms(s)), args);
    return sm_net_asked(s, caller, KIND_DONE, sm_net_wake_up(s), args);
}
