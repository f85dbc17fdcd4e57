/* The server's configuration file. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <posix/file.h>
#include <posix/keys.h>

#include "route.h"

#define CONFIG_MAX 1048576u

/* What the root holds before paths are resolved and lists are read. */
struct raw {
    const char *address, *public_url, *tenant, *certificate, *key, *data, *statement_key;
    uint64_t port, poll_seconds, max_module_bytes, max_connections, statement_seconds;
    json_t *signers, *builders, *operators, *mqtt;
};

/* An element of "signers" or "builders": a key and the fleet it signs for. */
static int add_key(struct sm_fleet_config *cfg, const char *path, enum sm_role role, size_t i,
                   const json_t *v, struct sm_json_error *err)
{
    struct {
        const char *fleet, *key;
    } in;
    const struct sm_json_field fields[] = {
        {"fleet", SM_JSON_TEXT, true, 1, SM_FLEET_MAX, 0},
        {"key", SM_JSON_TEXT, true, 1, PATH_MAX - 1, sizeof(const char *)},
        {0}};
    char where[32], file[PATH_MAX];
    uint8_t key[SM_KEYS_PUBLIC_SIZE];
    struct sm_keys_why why;
    snprintf(where, sizeof where, "%ss[%zu]", sm_role_name(role), i);
    if (sm_json_read(v, where, fields, false, &in, err) < 0)
        return SM_ERR_INVALID;
    if (sm_file_beside(path, in.key, file, sizeof file) < 0)
        return sm_json_fail(err, "%s.key: the path is too long", where);
    if (sm_keys_load_public(file, key, &why) < 0)
        return sm_json_fail(err, "%s.key: %s", where, why.text);
    int r = sm_trust_add(&cfg->trust, role, in.fleet, key);
    return r < 0 ? sm_json_fail(err, "%s: not a usable %s of that fleet: %s", where,
                                sm_role_name(role), sm_strerror(r))
                 : 0;
}

static int add_operator(struct sm_fleet_config *cfg, size_t i, const json_t *v,
                        struct sm_json_error *err)
{
    struct {
        const char *name, *token;
    } in;
    const struct sm_json_field fields[] = {
        {"name", SM_JSON_TEXT, true, 1, SM_FLEET_NAME_MAX, 0},
        {"token_sha256", SM_JSON_TEXT, true, 64, 64, sizeof(const char *)},
        {0}};
    char where[32];
    snprintf(where, sizeof where, "operators[%zu]", i);
    if (sm_json_read(v, where, fields, false, &in, err) < 0)
        return SM_ERR_INVALID;
    struct sm_fleet_operator *op = &cfg->operators[cfg->operator_count];
    if (sm_hex_decode(in.token, op->token_sha256, sizeof op->token_sha256) < 0)
        return sm_json_fail(err, "%s.token_sha256: must be lower case hex", where);
    op->name = in.name;
    cfg->operator_count++;
    return 0;
}

static int read_root(const json_t *root, struct raw *in, struct sm_json_error *err)
{
#define AT(member) SM_JSON_AT(struct raw, member)
    static const struct sm_json_field fields[] = {
        {"address", SM_JSON_TEXT, false, 1, 64, AT(address)},
        {"port", SM_JSON_UINT, true, 0, 65535, AT(port)},
        {"public_url", SM_JSON_TEXT, false, 9, 256, AT(public_url)},
        {"certificate", SM_JSON_TEXT, true, 1, PATH_MAX - 1, AT(certificate)},
        {"key", SM_JSON_TEXT, true, 1, PATH_MAX - 1, AT(key)},
        {"data", SM_JSON_TEXT, true, 1, PATH_MAX - 128, AT(data)},
        {"tenant", SM_JSON_TEXT, false, 1, SM_FLEET_NAME_MAX, AT(tenant)},
        {"poll_seconds", SM_JSON_UINT, false, 1, 86399, AT(poll_seconds)},
        {"max_module_bytes", SM_JSON_UINT, false, 1024, 1u << 30, AT(max_module_bytes)},
        {"max_connections", SM_JSON_UINT, false, 1, 100000, AT(max_connections)},
        {"statement_key", SM_JSON_TEXT, false, 1, PATH_MAX - 1, AT(statement_key)},
        {"statement_seconds", SM_JSON_UINT, false, 60, 31622400, AT(statement_seconds)},
        {"signers", SM_JSON_ARRAY, true, 1, SM_FLEET_SIGNERS_MAX, AT(signers)},
        {"builders", SM_JSON_ARRAY, false, 0, SM_FLEET_BUILDERS_MAX, AT(builders)},
        {"operators", SM_JSON_ARRAY, true, 1, SM_FLEET_OPERATORS_MAX, AT(operators)},
        {"mqtt", SM_JSON_OBJECT, false, 1, 16, AT(mqtt)},
        {0}};
#undef AT
    *in = (struct raw){.address = "127.0.0.1",
                       .tenant = "default",
                       .poll_seconds = 300,
                       .max_module_bytes = 16u << 20,
                       .max_connections = 1000,
                       .statement_seconds = 86400};
    if (sm_json_read(root, "", fields, false, in, err) < 0)
        return SM_ERR_INVALID;
    if (!sm_fleet_name_valid(in->tenant))
        return sm_json_fail(err, "tenant: letters, digits, '.', '_' and '-' only");
    if (in->public_url && (strncmp(in->public_url, "https://", 8) != 0 ||
                           in->public_url[strlen(in->public_url) - 1] == '/'))
        return sm_json_fail(err,
                            "public_url: must begin with https:// and have no slash at its end");
    return 0;
}

/* The key that states what is current; online, and good for nothing else. */
static int read_statement_key(struct sm_fleet_config *cfg, const char *path, const char *name,
                              struct sm_json_error *err)
{
    char file[PATH_MAX];
    struct sm_keys_why why;
    if (!name)
        return 0;
    if (sm_file_beside(path, name, file, sizeof file) < 0)
        return sm_json_fail(err, "statement_key: the path is too long");
    if (sm_keys_load_private(file, &cfg->statement_key, &why) < 0)
        return sm_json_fail(err, "statement_key: %s", why.text);
    cfg->states = true;
    return 0;
}

/* A prefix becomes the beginning of topics. */
static bool prefix_valid(const char *text)
{
    size_t n = strlen(text);
    return strcspn(text, "+#$") == n && text[0] != '/' && text[n - 1] != '/';
}

static int read_mqtt(struct sm_fleet_config *cfg, const char *path, const json_t *v,
                     struct sm_json_error *err)
{
    struct sm_fleet_mqtt_config *c = &cfg->mqtt;
    struct {
        const char *host, *prefix, *client_id, *user, *password_file, *ca, *certificate, *key;
        uint64_t port, messages_per_second;
    } in = {.prefix = "sandmote", .client_id = "sandmote-fleet", .messages_per_second = 50};
#define AT(member) (size_t)((char *)&in.member - (char *)&in)
    const struct sm_json_field fields[] = {
        {"host", SM_JSON_TEXT, true, 1, 255, AT(host)},
        {"port", SM_JSON_UINT, false, 1, 65535, AT(port)},
        {"prefix", SM_JSON_TEXT, false, 1, 128, AT(prefix)},
        {"client_id", SM_JSON_TEXT, false, 1, 64, AT(client_id)},
        {"user", SM_JSON_TEXT, false, 1, 255, AT(user)},
        {"password_file", SM_JSON_TEXT, false, 1, PATH_MAX - 1, AT(password_file)},
        {"ca", SM_JSON_TEXT, false, 1, PATH_MAX - 1, AT(ca)},
        {"certificate", SM_JSON_TEXT, false, 1, PATH_MAX - 1, AT(certificate)},
        {"key", SM_JSON_TEXT, false, 1, PATH_MAX - 1, AT(key)},
        {"messages_per_second", SM_JSON_UINT, false, 1, 100000, AT(messages_per_second)},
        {0}};
#undef AT
    if (!v)
        return 0;
    if (sm_json_read(v, "mqtt", fields, false, &in, err) < 0)
        return SM_ERR_INVALID;
    if (!prefix_valid(in.prefix))
        return sm_json_fail(err, "mqtt.prefix: no wildcards, and no slash at its ends");
    if (!in.certificate != !in.key || (in.certificate && !in.ca))
        return sm_json_fail(err, "mqtt: certificate and key belong together, and to a ca");
    if (in.password_file && !in.user)
        return sm_json_fail(err, "mqtt.password_file: of which user?");
    if ((in.ca && sm_file_beside(path, in.ca, c->ca, sizeof c->ca) < 0) ||
        (in.certificate &&
         sm_file_beside(path, in.certificate, c->certificate, sizeof c->certificate) < 0) ||
        (in.key && sm_file_beside(path, in.key, c->key, sizeof c->key) < 0) ||
        (in.password_file &&
         sm_file_beside(path, in.password_file, c->password_file, sizeof c->password_file) < 0))
        return sm_json_fail(err, "mqtt: a path is too long");
    c->host = in.host;
    c->port = in.port ? in.port : in.ca ? 8883 : 1883;
    c->prefix = in.prefix;
    c->client_id = in.client_id;
    c->user = in.user;
    c->messages_per_second = in.messages_per_second;
    return 0;
}

static int fill(struct sm_fleet_config *cfg, const char *path, struct sm_json_error *err)
{
    struct raw in;
    if (read_root(cfg->root, &in, err) < 0)
        return SM_ERR_INVALID;
    cfg->address = in.address;
    cfg->public_url = in.public_url;
    cfg->tenant = in.tenant;
    cfg->port = in.port;
    cfg->poll_seconds = in.poll_seconds;
    cfg->max_module_bytes = in.max_module_bytes;
    cfg->max_connections = in.max_connections;
    cfg->statement_seconds = in.statement_seconds;
    if (sm_file_beside(path, in.certificate, cfg->certificate, sizeof cfg->certificate) < 0 ||
        sm_file_beside(path, in.key, cfg->key, sizeof cfg->key) < 0 ||
        sm_file_beside(path, in.data, cfg->data, sizeof cfg->data - 128) < 0)
        return sm_json_fail(err, "certificate, key or data: the path is too long");
    sm_trust_init(&cfg->trust, cfg->keys, SM_FLEET_SIGNERS_MAX + SM_FLEET_BUILDERS_MAX);
    for (size_t i = 0; i < json_array_size(in.signers); i++)
        if (add_key(cfg, path, SM_ROLE_SIGNER, i, json_array_get(in.signers, i), err) < 0)
            return SM_ERR_INVALID;
    for (size_t i = 0; i < json_array_size(in.builders); i++)
        if (add_key(cfg, path, SM_ROLE_BUILDER, i, json_array_get(in.builders, i), err) < 0)
            return SM_ERR_INVALID;
    for (size_t i = 0; i < json_array_size(in.operators); i++)
        if (add_operator(cfg, i, json_array_get(in.operators, i), err) < 0)
            return SM_ERR_INVALID;
    if (read_mqtt(cfg, path, in.mqtt, err) < 0)
        return SM_ERR_INVALID;
    return read_statement_key(cfg, path, in.statement_key, err);
}

int sm_fleet_config_load(const char *path, struct sm_fleet_config *cfg, struct sm_json_error *err)
{
    struct sm_json_error inner;
    memset(cfg, 0, sizeof *cfg);
    cfg->root = sm_json_load(path, CONFIG_MAX, err);
    if (!cfg->root)
        return SM_ERR_INVALID;
    if (!fill(cfg, path, &inner))
        return 0;
    snprintf(err->text, sizeof err->text, "%s: %.*s", path, (int)sizeof err->text / 2, inner.text);
    sm_fleet_config_free(cfg);
    return SM_ERR_INVALID;
}

void sm_fleet_config_free(struct sm_fleet_config *cfg)
{
    if (cfg->states)
        sm_keys_free(&cfg->statement_key);
    cfg->states = false;
    json_decref(cfg->root);
    cfg->root = NULL;
}
