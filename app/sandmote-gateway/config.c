/* The gateway's configuration file. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <posix/file.h>
#include <sandmote/mqttsn.h>

#define CONFIG_MAX  (16u << 20)
#define NAME_MAX_   64u
#define SECONDS_MAX 31622400u

struct reading {
    const char *path;
    struct config *c;
    struct sm_json_error *err;
};

static int beside(struct reading *r, const char *what, const char *path, char out[PATH_MAX])
{
    if (!path)
        return 0;
    return sm_file_beside(r->path, path, out, PATH_MAX) < 0
               ? sm_json_fail(r->err, "%s: the path is too long", what)
               : 0;
}

static bool is_address(const char *text)
{
    struct in6_addr any;
    return inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1;
}

static bool is_group(const char *text)
{
    uint8_t ip[16];
    return (inet_pton(AF_INET, text, ip) == 1 && ip[0] >> 4 == 14) ||
           (inet_pton(AF_INET6, text, ip) == 1 && ip[0] == 0xff);
}

/* ---- Lists ----------------------------------------------------------------------------------- */

/* "fe80::/10", "10.0.0.0/8", or an address alone. */
static bool read_prefix(const char *text, struct gw_prefix *out)
{
    char address[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    char *end = NULL;
    if (len >= sizeof address)
        return false;
    memcpy(address, text, len);
    address[len] = 0;
    memset(out, 0, sizeof *out);
    bool v4 = inet_pton(AF_INET, address, out->ip + 12) == 1;
    if (v4)
        out->ip[10] = out->ip[11] = 0xff;
    else if (inet_pton(AF_INET6, address, out->ip) != 1)
        return false;
    unsigned long most = v4 ? 32 : 128, bits = slash ? strtoul(slash + 1, &end, 10) : most;
    if (slash && (end == slash + 1 || *end || bits > most))
        return false;
    out->bits = (uint8_t)(bits + (v4 ? 96 : 0));
    return true;
}

static int read_prefixes(struct reading *r, const char *what, const json_t *list,
                         struct gw_prefix *room, struct gw_prefixes *out)
{
    out->list = room;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (!text || !read_prefix(text, &room[i]))
            return sm_json_fail(
                r->err, "%s[%zu]: must be an address, or one with / and a number of bits", what, i);
        out->count++;
    }
    return 0;
}

/* A pattern of names is exact, or ends in its only `*`. */
static bool is_pattern(const char *text)
{
    const char *star = text ? strchr(text, '*') : NULL;
    return !star || !star[1];
}

/* The first % with a letter or a digit behind it that stands for nothing; NULL: there is none. */
static const char *unknown_name(const char *filter)
{
    for (const char *at = filter; (at = strchr(at, '%')); at++)
        if (isalnum((unsigned char)at[1]) && at[1] != 'c' && at[1] != 'u')
            return at;
    return NULL;
}

/* Filters of a rule; %c and %u stand for whole levels or parts, so only the rest can be checked. */
static int read_filters(struct reading *r, const char *where, const char *what, const json_t *list,
                        bool identity, const char *const **out, size_t *count)
{
    const char **room = calloc(json_array_size(list) + 1, sizeof(const char *));
    *out = room;
    for (size_t i = 0; room && i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (!text || !sm_mqttsn_filter_valid((const uint8_t *)text, strlen(text)) ||
            strlen(text) > 255)
            return sm_json_fail(r->err, "%s.%s[%zu]: must be a topic filter", where, what, i);
        if (unknown_name(text))
            return sm_json_fail(r->err,
                                "%s.%s[%zu]: %.2s stands for nothing; there are %%c and %%u", where,
                                what, i, unknown_name(text));
        if (strstr(text, "%u") && !identity)
            return sm_json_fail(r->err, "%s.%s[%zu]: %%u needs identity", where, what, i);
        room[(*count)++] = text;
    }
    return room ? 0 : sm_json_fail(r->err, "no memory");
}

static int read_rule(struct reading *r, size_t i, const json_t *v)
{
    struct in {
        const char *id, *identity, *user, *password;
        json_t *publish, *subscribe;
        bool own;
        uint64_t rate;
    } in = {0};
#define AT(member) SM_JSON_AT(struct in, member)
    static const struct sm_json_field fields[] = {
        {"id", SM_JSON_TEXT, false, 1, NAME_MAX_, AT(id)},
        {"identity", SM_JSON_TEXT, false, 1, 255, AT(identity)},
        {"publish", SM_JSON_ARRAY, false, 0, FILTERS_MAX, AT(publish)},
        {"subscribe", SM_JSON_ARRAY, false, 0, FILTERS_MAX, AT(subscribe)},
        {"own_connection", SM_JSON_BOOL, false, 0, 0, AT(own)},
        {"user", SM_JSON_TEXT, false, 1, 255, AT(user)},
        {"password", SM_JSON_TEXT, false, 1, 255, AT(password)},
        {"messages_per_second", SM_JSON_UINT, false, 1, 1000000, AT(rate)},
        {0}};
#undef AT
    char where[48];
    snprintf(where, sizeof where, "clients[%zu]", i);
    if (sm_json_read(v, where, fields, false, &in, r->err) < 0)
        return SM_ERR_INVALID;
    if (!in.id && !in.identity)
        return sm_json_fail(r->err, "%s: needs id or identity", where);
    if (in.id && !in.identity && !strcmp(in.id, "%u"))
        return sm_json_fail(r->err, "%s.id: %%u needs identity", where);
    if (!is_pattern(in.id) || !is_pattern(in.identity))
        return sm_json_fail(r->err, "%s.%s: * stands for anything at the end alone", where,
                            is_pattern(in.id) ? "identity" : "id");
    if (in.password && !in.user)
        return sm_json_fail(r->err, "%s.password: needs user", where);
    struct gw_rule *rule = &r->c->rules[r->c->gw.rule_count++];
    *rule = (struct gw_rule){.identity = in.identity,
                             .client = in.id,
                             .own_connection = in.own,
                             .user = in.user,
                             .password = in.password,
                             .messages_per_second = (unsigned)in.rate};
    return read_filters(r, where, "publish", in.publish, in.identity, &rule->publish,
                        &rule->publish_count) < 0
               ? SM_ERR_INVALID
               : read_filters(r, where, "subscribe", in.subscribe, in.identity, &rule->subscribe,
                              &rule->subscribe_count);
}

static int read_predefined(struct reading *r, size_t i, const json_t *v)
{
    struct in {
        uint64_t id;
        const char *topic;
    } in;
    static const struct sm_json_field fields[] = {
        {"id", SM_JSON_UINT, true, 1, 65534, SM_JSON_AT(struct in, id)},
        {"topic", SM_JSON_TEXT, true, 1, 1024, SM_JSON_AT(struct in, topic)},
        {0}};
    char where[48];
    snprintf(where, sizeof where, "predefined[%zu]", i);
    if (sm_json_read(v, where, fields, false, &in, r->err) < 0)
        return SM_ERR_INVALID;
    if (!sm_mqttsn_name_valid((const uint8_t *)in.topic, strlen(in.topic)))
        return sm_json_fail(r->err, "%s.topic: must be a topic without wildcards", where);
    for (size_t k = 0; k < r->c->gw.predefined_count; k++)
        if (r->c->predefined[k].id == in.id)
            return sm_json_fail(r->err, "%s.id: %u is there twice", where, (unsigned)in.id);
    r->c->predefined[r->c->gw.predefined_count++] =
        (struct gw_predefined){(uint16_t)in.id, in.topic};
    return 0;
}

static int read_listen(struct reading *r, size_t i, const json_t *v)
{
#define AT(member) SM_JSON_AT(struct listen, member)
    static const struct sm_json_field fields[] = {
        {"address", SM_JSON_TEXT, false, 1, 64, AT(address)},
        {"port", SM_JSON_UINT, true, 0, 65535, AT(port)},
        {"multicast", SM_JSON_TEXT, false, 1, 64, AT(multicast)},
        {"interface", SM_JSON_TEXT, false, 1, 15, AT(interface)},
        {"dtls", SM_JSON_BOOL, false, 0, 0, AT(dtls)},
        {0}};
#undef AT
    char where[48];
    snprintf(where, sizeof where, "listen[%zu]", i);
    struct listen *l = &r->c->listen[r->c->listen_count++];
    *l = (struct listen){.address = "::"};
    if (sm_json_read(v, where, fields, false, l, r->err) < 0)
        return SM_ERR_INVALID;
    if (!is_address(l->address))
        return sm_json_fail(r->err, "%s.address: must be an IP address", where);
    if (l->multicast && !is_group(l->multicast))
        return sm_json_fail(r->err, "%s.multicast: must be the address of a group", where);
    if (l->interface && !l->multicast)
        return sm_json_fail(r->err, "%s.interface: is that of a multicast group, and there is none",
                            where);
    return 0;
}

static int each(struct reading *r, const json_t *array,
                int (*add)(struct reading *, size_t, const json_t *))
{
    for (size_t i = 0; i < json_array_size(array); i++)
        if (add(r, i, json_array_get(array, i)) < 0)
            return SM_ERR_INVALID;
    return 0;
}

/* ---- Objects --------------------------------------------------------------------------------- */

static int read_broker(struct reading *r, const json_t *v)
{
    struct in {
        const char *host, *user, *password, *ca, *name, *certificate, *key;
        uint64_t port, keepalive, window;
    } in = {.port = 1883, .keepalive = 60, .window = 19};
#define AT(member) SM_JSON_AT(struct in, member)
    static const struct sm_json_field fields[] = {
        {"host", SM_JSON_TEXT, true, 1, 255, AT(host)},
        {"port", SM_JSON_UINT, false, 1, 65535, AT(port)},
        {"user", SM_JSON_TEXT, false, 1, 255, AT(user)},
        {"password", SM_JSON_TEXT, false, 1, 255, AT(password)},
        {"keepalive_seconds", SM_JSON_UINT, false, 2, 65535, AT(keepalive)},
        {"qos2_window", SM_JSON_UINT, false, 1, 60000, AT(window)},
        {"ca", SM_JSON_TEXT, false, 1, PATH_MAX - 1, AT(ca)},
        {"name", SM_JSON_TEXT, false, 1, 255, AT(name)},
        {"certificate", SM_JSON_TEXT, false, 1, PATH_MAX - 1, AT(certificate)},
        {"key", SM_JSON_TEXT, false, 1, PATH_MAX - 1, AT(key)},
        {0}};
#undef AT
    if (sm_json_read(v, "broker", fields, false, &in, r->err) < 0)
        return SM_ERR_INVALID;
    r->c->broker_host = in.host;
    r->c->broker_port = in.port;
    r->c->gw.user = in.user;
    r->c->gw.password = in.password;
    r->c->gw.broker_keepalive_s = (uint16_t)in.keepalive;
    r->c->gw.qos2_window = (unsigned)in.window;
    r->c->broker_name = in.name ? in.name : in.host;
    if (in.password && !in.user)
        return sm_json_fail(r->err, "broker.password: needs user");
    if (config_local(r->c) && strlen(in.host) >= sizeof((struct sockaddr_un *)0)->sun_path)
        return sm_json_fail(r->err,
                            "broker.host: the path of a local socket has at most %zu octets",
                            sizeof((struct sockaddr_un *)0)->sun_path - 1);
    if (config_local(r->c) && in.ca)
        return sm_json_fail(r->err, "broker.ca: there is no TLS over the local socket %s", in.host);
    if (!in.certificate != !in.key || (!in.ca && (in.name || in.key)))
        return sm_json_fail(r->err, "broker: TLS needs ca; certificate and key come together");
    return beside(r, "broker.ca", in.ca, r->c->broker_ca) < 0 ||
                   beside(r, "broker.certificate", in.certificate, r->c->broker_certificate) < 0 ||
                   beside(r, "broker.key", in.key, r->c->broker_key) < 0
               ? SM_ERR_INVALID
               : 0;
}

static int read_limits(struct reading *r, const json_t *v)
{
    struct gw_config *g = &r->c->gw;
    struct in {
        uint64_t clients, topics, filters, messages, bytes, datagram, connects, burst, session,
            silent;
    } in = {g->max_clients,  g->max_topics,     g->max_filters,         g->buffer_messages,
            g->buffer_bytes, g->max_datagram,   g->connects_per_second, g->connects_burst,
            g->session_s,    g->keepalive_max_s};
#define AT(member) SM_JSON_AT(struct in, member)
    static const struct sm_json_field fields[] = {
        {"clients", SM_JSON_UINT, false, 1, 10000000, AT(clients)},
        {"topics", SM_JSON_UINT, false, 1, 32768, AT(topics)},
        {"filters", SM_JSON_UINT, false, 1, 32768, AT(filters)},
        {"buffered_messages", SM_JSON_UINT, false, 1, 60000, AT(messages)},
        {"buffered_bytes", SM_JSON_UINT, false, 64, 1u << 30, AT(bytes)},
        {"datagram_bytes", SM_JSON_UINT, false, 32, 65507, AT(datagram)},
        {"connects_per_second", SM_JSON_UINT, false, 1, 1000000, AT(connects)},
        {"connects_burst", SM_JSON_UINT, false, 1, 1000000, AT(burst)},
        {"session_seconds", SM_JSON_UINT, false, 1, 10 * SECONDS_MAX, AT(session)},
        {"silent_seconds", SM_JSON_UINT, false, 1, SECONDS_MAX, AT(silent)},
        {0}};
#undef AT
    if (v && sm_json_read(v, "limits", fields, false, &in, r->err) < 0)
        return SM_ERR_INVALID;
    g->max_clients = (unsigned)in.clients;
    g->max_topics = (unsigned)in.topics;
    g->max_filters = (unsigned)in.filters;
    g->buffer_messages = (unsigned)in.messages;
    g->buffer_bytes = in.bytes;
    g->max_datagram = in.datagram;
    g->connects_per_second = (unsigned)in.connects;
    g->connects_burst = (unsigned)in.burst;
    g->session_s = (unsigned)in.session;
    g->keepalive_max_s = (unsigned)in.silent;
    return 0;
}

static int read_dtls(struct reading *r, const json_t *v)
{
    struct in {
        const char *psk_file, *certificate, *key, *ca;
        uint64_t idle;
    } in = {.idle = 15};
#define AT(member) SM_JSON_AT(struct in, member)
    static const struct sm_json_field fields[] = {
        {"psk_file", SM_JSON_TEXT, false, 1, PATH_MAX - 1, AT(psk_file)},
        {"certificate", SM_JSON_TEXT, false, 1, PATH_MAX - 1, AT(certificate)},
        {"key", SM_JSON_TEXT, false, 1, PATH_MAX - 1, AT(key)},
        {"ca", SM_JSON_TEXT, false, 1, PATH_MAX - 1, AT(ca)},
        {"idle_seconds", SM_JSON_UINT, false, 1, SECONDS_MAX, AT(idle)},
        {0}};
#undef AT
    if (!v)
        return 0;
    if (sm_json_read(v, "dtls", fields, false, &in, r->err) < 0)
        return SM_ERR_INVALID;
    if (!in.certificate != !in.key || !in.certificate != !in.ca)
        return sm_json_fail(r->err, "dtls: certificate, key and ca come together");
    if (!in.psk_file && !in.certificate)
        return sm_json_fail(r->err, "dtls: needs psk_file, or certificate, key and ca");
    r->c->dtls_idle_s = in.idle;
    return beside(r, "dtls.psk_file", in.psk_file, r->c->psk_file) < 0 ||
                   beside(r, "dtls.certificate", in.certificate, r->c->certificate) < 0 ||
                   beside(r, "dtls.key", in.key, r->c->key) < 0 ||
                   beside(r, "dtls.ca", in.ca, r->c->ca) < 0
               ? SM_ERR_INVALID
               : 0;
}

static int read_metrics(struct reading *r, const json_t *v)
{
    struct in {
        const char *address;
        uint64_t port;
    } in = {"127.0.0.1", 0};
    static const struct sm_json_field fields[] = {
        {"address", SM_JSON_TEXT, false, 1, 64, SM_JSON_AT(struct in, address)},
        {"port", SM_JSON_UINT, true, 0, 65535, SM_JSON_AT(struct in, port)},
        {0}};
    if (!v)
        return 0;
    if (sm_json_read(v, "metrics", fields, false, &in, r->err) < 0)
        return SM_ERR_INVALID;
    if (!is_address(in.address))
        return sm_json_fail(r->err, "metrics.address: must be an IP address");
    r->c->metrics = true;
    r->c->metrics_address = in.address;
    r->c->metrics_port = in.port;
    return 0;
}

struct root {
    const char *name, *state, *durable;
    uint64_t gateway_id, advertise, retry, retries;
    json_t *broker, *listen, *dtls, *metrics, *search, *forwarders, *without, *moves, *predefined,
        *clients, *limits;
};

static int read_lists(struct reading *r, const struct root *in)
{
    struct config *c = r->c;
    c->rules = calloc(json_array_size(in->clients) + 1, sizeof *c->rules);
    c->predefined = calloc(json_array_size(in->predefined) + 1, sizeof *c->predefined);
    if (!c->rules || !c->predefined)
        return sm_json_fail(r->err, "no memory");
    c->gw.rules = c->rules;
    c->gw.predefined = c->predefined;
    if (each(r, in->listen, read_listen) < 0 || each(r, in->clients, read_rule) < 0 ||
        each(r, in->predefined, read_predefined) < 0 ||
        read_prefixes(r, "search", in->search, c->prefixes[0], &c->gw.search) < 0 ||
        read_prefixes(r, "forwarders", in->forwarders, c->prefixes[1], &c->gw.forwarders) < 0 ||
        read_prefixes(r, "moves", in->moves, c->prefixes[3], &c->gw.moves) < 0)
        return SM_ERR_INVALID;
    return read_prefixes(r, "without_connection", in->without, c->prefixes[2],
                         &c->gw.without_connection);
}

static int fill(struct reading *r)
{
#define AT(member) SM_JSON_AT(struct root, member)
    static const struct sm_json_field fields[] = {
        {"name", SM_JSON_TEXT, true, 1, 60, AT(name)},
        {"gateway_id", SM_JSON_UINT, false, 0, 255, AT(gateway_id)},
        {"broker", SM_JSON_OBJECT, true, 1, 16, AT(broker)},
        {"listen", SM_JSON_ARRAY, true, 1, LISTEN_MAX, AT(listen)},
        {"dtls", SM_JSON_OBJECT, false, 1, 16, AT(dtls)},
        {"state", SM_JSON_TEXT, false, 1, PATH_MAX - 1, AT(state)},
        {"durable", SM_JSON_TEXT, false, 1, 16, AT(durable)},
        {"metrics", SM_JSON_OBJECT, false, 1, 16, AT(metrics)},
        {"advertise_seconds", SM_JSON_UINT, false, 0, 65535, AT(advertise)},
        {"search", SM_JSON_ARRAY, false, 0, PREFIXES_MAX, AT(search)},
        {"forwarders", SM_JSON_ARRAY, false, 0, PREFIXES_MAX, AT(forwarders)},
        {"without_connection", SM_JSON_ARRAY, false, 0, PREFIXES_MAX, AT(without)},
        {"moves", SM_JSON_ARRAY, false, 0, PREFIXES_MAX, AT(moves)},
        {"predefined", SM_JSON_ARRAY, false, 0, PREDEFINED_MAX, AT(predefined)},
        {"clients", SM_JSON_ARRAY, true, 1, RULES_MAX, AT(clients)},
        {"limits", SM_JSON_OBJECT, false, 0, 16, AT(limits)},
        {"retry_seconds", SM_JSON_UINT, false, 1, 600, AT(retry)},
        {"retries", SM_JSON_UINT, false, 0, 20, AT(retries)},
        {0}};
#undef AT
    struct config *c = r->c;
    struct root in = {.gateway_id = 1, .durable = "process", .retry = 10, .retries = 3};
    if (sm_json_read(c->root, "", fields, false, &in, r->err) < 0)
        return SM_ERR_INVALID;
    c->gw.name = in.name;
    c->gw.gateway_id = (uint8_t)in.gateway_id;
    c->gw.retry_ms = (unsigned)in.retry * 1000;
    c->gw.retries = (unsigned)in.retries;
    c->advertise_s = in.advertise;
    c->power = !strcmp(in.durable, "power");
    if (!c->power && strcmp(in.durable, "process") != 0)
        return sm_json_fail(r->err, "durable: must be process or power");
    if (read_broker(r, in.broker) < 0 || read_lists(r, &in) < 0 || read_dtls(r, in.dtls) < 0 ||
        read_limits(r, in.limits) < 0 || read_metrics(r, in.metrics) < 0)
        return SM_ERR_INVALID;
    bool group = false;
    for (size_t i = 0; i < c->listen_count; i++)
        group |= c->listen[i].multicast != NULL;
    if (in.advertise && !group)
        return sm_json_fail(r->err, "advertise_seconds: no element of listen has a multicast");
    for (size_t i = 0; i < c->listen_count; i++)
        if (c->listen[i].dtls && !in.dtls)
            return sm_json_fail(r->err, "listen[%zu].dtls: and there are no keys under dtls", i);
    return beside(r, "state", in.state, c->state);
}

int config_load(const char *path, struct config *c, struct sm_json_error *err)
{
    struct sm_json_error inner;
    struct reading r = {path, c, &inner};
    memset(c, 0, sizeof *c);
    gw_config_init(&c->gw);
    c->root = sm_json_load(path, CONFIG_MAX, err);
    if (!c->root)
        return SM_ERR_INVALID;
    if (!fill(&r))
        return 0;
    snprintf(err->text, sizeof err->text, "%s: %.*s", path, (int)sizeof err->text / 2, inner.text);
    config_free(c);
    return SM_ERR_INVALID;
}

void config_free(struct config *c)
{
    for (size_t i = 0; c->rules && i < c->gw.rule_count; i++) {
        free((void *)c->rules[i].publish);
        free((void *)c->rules[i].subscribe);
    }
    free(c->rules);
    free(c->predefined);
    json_decref(c->root);
    memset(c, 0, sizeof *c);
}
