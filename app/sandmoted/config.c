/* The daemon's configuration file. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <posix/coredump.h>
#include <posix/file.h>
#include <posix/keys.h>
#include <posix/system.h>
#include <sandmote/crypto.h>
#include <sandmote/native.h>
#include <sandmote/wasi.h>

#define CONFIG_MAX  1048576u
#define CA_MAX      1048576u
#define TOKEN_MAX   129u
#define SECONDS_MAX 86400u

/* The file being read, for paths beside it and for errors. */
struct reading {
    const char *path;
    struct config *c;
    struct sm_json_error *err;
};

static int beside(struct reading *r, const char *what, const char *path, char out[PATH_MAX])
{
    return sm_file_beside(r->path, path, out, PATH_MAX) < 0
               ? sm_json_fail(r->err, "%s: the path is too long", what)
               : 0;
}

/* Device ids and tenants go into URLs as they are. */
static bool url_part(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
               strlen(text) &&
           text[0] != '.';
}

/* ---- Keys and capabilities ------------------------------------------------------------------- */

/* An element of "signers" or "builders": the path of a public key. */
static int add_key(struct reading *r, enum sm_role role, size_t i, const json_t *v)
{
    char file[PATH_MAX], where[32];
    uint8_t key[SM_KEYS_PUBLIC_SIZE];
    struct sm_keys_why why;
    const char *path = json_string_value(v);
    snprintf(where, sizeof where, "%ss[%zu]", sm_role_name(role), i);
    if (!path || beside(r, where, path, file) < 0)
        return sm_json_fail(r->err, "%s: must be the path of a public key", where);
    if (sm_keys_load_public(file, key, &why) < 0)
        return sm_json_fail(r->err, "%s: %s", where, why.text);
    int err = sm_trust_add(&r->c->trust, role, r->c->fleet, key);
    return err < 0 ? sm_json_fail(r->err, "%s: not a usable key: %s", where, sm_strerror(err)) : 0;
}

static int add_signer(struct reading *r, size_t i, const json_t *v)
{
    return add_key(r, SM_ROLE_SIGNER, i, v);
}

static int add_builder(struct reading *r, size_t i, const json_t *v)
{
    return add_key(r, SM_ROLE_BUILDER, i, v);
}

static int add_capability(struct reading *r, size_t i, const json_t *v)
{
    const char *text = json_string_value(v);
    if (!text || !*text || strlen(text) > SM_CAPABILITY_MAX || !sm_json_printable(text))
        return sm_json_fail(r->err, "capabilities[%zu]: must be a text of 1 to %u bytes", i,
                            SM_CAPABILITY_MAX);
    r->c->capabilities[r->c->ncapabilities++] = text;
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

/* ---- Flash ----------------------------------------------------------------------------------- */

struct flash {
    const char *file;
    uint64_t applications, slot_bytes, plugins, plugin_slot_bytes, sector_bytes, journal_bytes;
};

static int read_flash(struct reading *r, const json_t *flash)
{
#define AT(member) SM_JSON_AT(struct flash, member)
    static const struct sm_json_field fields[] = {
        {"file", SM_JSON_TEXT, true, 1, PATH_MAX - 1, AT(file)},
        {"applications", SM_JSON_UINT, false, 1, SM_STORE_MODULES_MAX, AT(applications)},
        {"slot_bytes", SM_JSON_UINT, false, 4096, 1u << 28, AT(slot_bytes)},
        {"plugins", SM_JSON_UINT, false, 0, SM_STORE_MODULES_MAX - 1, AT(plugins)},
        {"plugin_slot_bytes", SM_JSON_UINT, false, 4096, 1u << 28, AT(plugin_slot_bytes)},
        {"sector_bytes", SM_JSON_UINT, false, 256, 1u << 20, AT(sector_bytes)},
        {"journal_bytes", SM_JSON_UINT, false, 0, 1u << 24, AT(journal_bytes)},
        {0}};
#undef AT
    struct flash in = {NULL, 1, 262144, 0, 65536, 4096, 16384};
    if (sm_json_read(flash, "flash", fields, false, &in, r->err) < 0)
        return SM_ERR_INVALID;
    if (in.applications + in.plugins > SM_STORE_MODULES_MAX)
        return sm_json_fail(r->err, "flash.plugins: at most %u with the applications",
                            SM_STORE_MODULES_MAX);
    if (in.sector_bytes & (in.sector_bytes - 1))
        return sm_json_fail(r->err, "flash.sector_bytes: must be a power of two");
    r->c->store = (struct sm_store_cfg){.applications = (uint16_t)in.applications,
                                        .slot_size = (uint32_t)in.slot_bytes,
                                        .plugins = (uint16_t)in.plugins,
                                        .plugin_size = (uint32_t)in.plugin_slot_bytes,
                                        .keys_size = SM_KEYSET_MAX,
                                        .journal_size = (uint32_t)in.journal_bytes};
    r->c->sector_bytes = (uint32_t)in.sector_bytes;
    return beside(r, "flash.file", in.file, r->c->flash_file);
}

/* ---- Core dumps ------------------------------------------------------------------------------ */

struct core_dumps {
    const char *folder;
    uint64_t bytes;
    bool memory;
    const char *seal_to;
};

/* For whom dumps are sealed. */
static int read_seal_to(struct reading *r, const char *file, uint64_t bytes)
{
    char path[PATH_MAX];
    if (beside(r, "core_dumps.seal_to", file, path) < 0)
        return SM_ERR_INVALID;
    if (bytes < SM_COREDUMP_LEAST + SM_SEALED_MORE)
        return sm_json_fail(r->err, "core_dumps.bytes: too few for dumps that are sealed");
    int err = sm_sealed_load_public(path, r->c->core.seal_to);
    r->c->core.sealed = err == 0;
    return err ? sm_json_fail(r->err, err == SM_ERR_IO
                                          ? "core_dumps.seal_to: cannot be read"
                                          : "core_dumps.seal_to: no public X25519 key in PEM")
               : 0;
}

static int read_core_dumps(struct reading *r, const json_t *dumps)
{
#define AT(member) SM_JSON_AT(struct core_dumps, member)
    static const struct sm_json_field fields[] = {
        {"folder", SM_JSON_TEXT, true, 1, PATH_MAX - 1, AT(folder)},
        {"bytes", SM_JSON_UINT, false, SM_COREDUMP_LEAST, 1u << 20, AT(bytes)},
        {"memory", SM_JSON_BOOL, false, 0, 1, AT(memory)},
        {"seal_to", SM_JSON_TEXT, false, 1, PATH_MAX - 1, AT(seal_to)},
        {0}};
#undef AT
    struct core_dumps in = {NULL, 1u << 20, false, NULL};
    if (sm_json_read(dumps, "core_dumps", fields, false, &in, r->err) < 0 ||
        beside(r, "core_dumps.folder", in.folder, r->c->core.folder) < 0)
        return SM_ERR_INVALID;
    if (strlen(r->c->core.folder) > PATH_MAX - 16)
        return sm_json_fail(r->err, "core_dumps.folder: the path is too long");
    r->c->core.bytes = (size_t)in.bytes;
    r->c->core.memory = in.memory;
    return in.seal_to ? read_seal_to(r, in.seal_to, in.bytes) : 0;
}

/* ---- WASI ------------------------------------------------------------------------------------ */

static int add_directory(struct reading *r, size_t i, const json_t *v)
{
    struct in {
        const char *name, *path;
        bool read_only;
    } in = {0};
#define AT(member) SM_JSON_AT(struct in, member)
    static const struct sm_json_field fields[] = {
        {"name", SM_JSON_TEXT, true, 0, SM_WASI_DIR_MAX, AT(name)},
        {"path", SM_JSON_TEXT, true, 1, PATH_MAX - 1, AT(path)},
        {"read_only", SM_JSON_BOOL, false, 0, 1, AT(read_only)},
        {0}};
#undef AT
    struct config_directory *d = &r->c->directories[r->c->ndirectories];
    char where[40];
    snprintf(where, sizeof where, "wasi.directories[%zu]", i);
    if (sm_json_read(v, where, fields, false, &in, r->err) < 0)
        return SM_ERR_INVALID;
    if (in.name[0] && !sm_name_valid(in.name))
        return sm_json_fail(r->err, "%s.name: a-z, 0-9, '.', '_' and '-' only", where);
    for (size_t k = 0; k < r->c->ndirectories; k++)
        if (strcmp(r->c->directories[k].name, in.name) == 0)
            return sm_json_fail(r->err, "%s.name: is there already", where);
    d->name = in.name;
    d->read_only = in.read_only;
    r->c->ndirectories++;
    return beside(r, where, in.path, d->path);
}

/* The texts of an array, as far as there is room, which the reader has seen to. */
static int take_texts(struct reading *r, const char *where, const json_t *array, bool named,
                      const char **out, uint32_t *n)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *text = json_string_value(json_array_get(array, i));
        if (!text || (named && (*text == '=' || !strchr(text, '='))))
            return sm_json_fail(r->err, "%s[%zu]: must be a text%s", where, i,
                                named ? " NAME=VALUE" : "");
        out[(*n)++] = text;
    }
    return 0;
}

static int add_program(struct reading *r, size_t i, const json_t *v)
{
    struct in {
        const char *module;
        json_t *args, *environ;
    } in = {0};
#define AT(member) SM_JSON_AT(struct in, member)
    static const struct sm_json_field fields[] = {
        {"module", SM_JSON_TEXT, true, 1, SM_NAME_MAX, AT(module)},
        {"args", SM_JSON_ARRAY, false, 0, CONFIG_TEXTS_MAX, AT(args)},
        {"environ", SM_JSON_ARRAY, false, 0, CONFIG_TEXTS_MAX, AT(environ)},
        {0}};
#undef AT
    struct config_program *p = &r->c->programs[r->c->nprograms++];
    char where[40], what[56];
    snprintf(where, sizeof where, "wasi.programs[%zu]", i);
    if (sm_json_read(v, where, fields, false, &in, r->err) < 0)
        return SM_ERR_INVALID;
    p->module = p->args[p->nargs++] = in.module;
    snprintf(what, sizeof what, "%s.args", where);
    if (take_texts(r, what, in.args, false, p->args, &p->nargs) < 0)
        return SM_ERR_INVALID;
    snprintf(what, sizeof what, "%s.environ", where);
    return take_texts(r, what, in.environ, true, p->env, &p->nenv);
}

static int read_wasi(struct reading *r, const json_t *wasi)
{
    struct in {
        json_t *directories, *programs;
        uint64_t file_bytes;
    } in = {.file_bytes = 16777216};
#define AT(member) SM_JSON_AT(struct in, member)
    static const struct sm_json_field fields[] = {
        {"directories", SM_JSON_ARRAY, false, 0, CONFIG_DIRECTORIES_MAX, AT(directories)},
        {"programs", SM_JSON_ARRAY, false, 0, CONFIG_PROGRAMS_MAX, AT(programs)},
        {"file_bytes", SM_JSON_UINT, false, 1, INT64_MAX, AT(file_bytes)},
        {0}};
#undef AT
    if (wasi && r->c->cls == SM_CLASS_MCU)
        return sm_json_fail(r->err, "wasi: class mcu has none");
    if (wasi && sm_json_read(wasi, "wasi", fields, false, &in, r->err) < 0)
        return SM_ERR_INVALID;
    r->c->file_bytes = in.file_bytes;
    return each(r, in.directories, add_directory) < 0 ? SM_ERR_INVALID
                                                      : each(r, in.programs, add_program);
}

/* ---- The golden module ----------------------------------------------------------------------- */

struct golden {
    const char *module, *signature, *key;
};

/* A signature that is not good, or bytes that have rotted, are not looked for here: that keeps the
 * device from nothing but its golden module, and is told when it is wanted. */
static int read_golden(struct reading *r, const json_t *golden)
{
#define AT(member) SM_JSON_AT(struct golden, member)
    static const struct sm_json_field fields[] = {
        {"module", SM_JSON_TEXT, true, 1, PATH_MAX - 1, AT(module)},
        {"signature", SM_JSON_TEXT, true, 1, PATH_MAX - 1, AT(signature)},
        {"key", SM_JSON_TEXT, true, 1, PATH_MAX - 1, AT(key)},
        {0}};
#undef AT
    struct config_golden *g = &r->c->golden;
    struct golden in = {NULL, NULL, NULL};
    char file[PATH_MAX];
    struct sm_keys_why key_why;
    struct sm_file_why why;
    uint8_t *signature;
    size_t len;
    if (sm_json_read(golden, "golden", fields, false, &in, r->err) < 0 ||
        beside(r, "golden.key", in.key, file) < 0)
        return SM_ERR_INVALID;
    if (sm_keys_load_public(file, g->key, &key_why) < 0)
        return sm_json_fail(r->err, "golden.key: %s", key_why.text);
    if (beside(r, "golden.signature", in.signature, file) < 0)
        return SM_ERR_INVALID;
    if (sm_file_read(file, SM_SIGNATURE_BYTES, &signature, &len, &why) < 0)
        return sm_json_fail(r->err, "golden.signature: %s", why.text);
    memcpy(g->signature, signature, len);
    free(signature);
    if (len != SM_SIGNATURE_BYTES)
        return sm_json_fail(r->err, "golden.signature: %s does not have %u bytes", file,
                            SM_SIGNATURE_BYTES);
    if (beside(r, "golden.module", in.module, file) < 0)
        return SM_ERR_INVALID;
    if (sm_file_read(file, r->c->store.slot_size, &g->module, &g->len, &why) < 0)
        return sm_json_fail(r->err, "golden.module: %s", why.text);
    return 0;
}

/* ---- Server ---------------------------------------------------------------------------------- */

struct server {
    const char *url, *tenant, *ca, *pin, *token_file;
    uint64_t first, retry, retry_max, request, download, min_rate, stall, attempts;
};

static int read_token(struct reading *r, const char *path)
{
    char file[PATH_MAX];
    uint8_t *bytes;
    size_t len;
    struct sm_file_why why;
    if (beside(r, "server.token_file", path, file) < 0)
        return SM_ERR_INVALID;
    if (sm_file_read(file, TOKEN_MAX, &bytes, &len, &why) < 0)
        return sm_json_fail(r->err, "server.token_file: %s", why.text);
    char *token = (char *)bytes;
    token[strcspn(token, "\r\n")] = 0;
    bool good = *token && !strchr(token, ' ') && sm_json_printable(token);
    snprintf(r->c->authorization, sizeof r->c->authorization, "TargetToken %s", token);
    sm_wipe(bytes, len);
    free(bytes);
    return good ? 0
                : sm_json_fail(r->err, "server.token_file: %s must be one line with a token", file);
}

static int read_ca(struct reading *r, const char *path)
{
    uint8_t *bytes;
    size_t len;
    struct sm_file_why why;
    if (beside(r, "server.ca", path, r->c->ca) < 0)
        return SM_ERR_INVALID;
    if (sm_file_read(r->c->ca, CA_MAX, &bytes, &len, &why) < 0)
        return sm_json_fail(r->err, "server.ca: %s", why.text);
    bool good = strstr((char *)bytes, "-----BEGIN CERTIFICATE-----") != NULL;
    free(bytes);
    return good ? 0 : sm_json_fail(r->err, "server.ca: %s has no PEM certificate", r->c->ca);
}

static void take_server(struct config *c, const struct server *in)
{
    c->has_server = true;
    c->update = (struct sm_update_cfg){.server = in->url,
                                       .tenant = in->tenant,
                                       .device_id = c->device,
                                       .fleet = c->fleet,
                                       .cls = sm_class_name(c->cls),
                                       .transfer = {.ca = c->ca,
                                                    .pin = in->pin,
                                                    .authorization = c->authorization,
                                                    .min_bytes_per_s = (uint32_t)in->min_rate,
                                                    .stall_s = (uint32_t)in->stall},
                                       .first_s = (uint32_t)in->first,
                                       .retry_s = (uint32_t)in->retry,
                                       .retry_max_s = (uint32_t)in->retry_max,
                                       .request_s = (uint32_t)in->request,
                                       .download_s = (uint32_t)in->download,
                                       .attempts = (uint32_t)in->attempts};
}

/* "https://host[:port]" and nothing behind it. */
static bool is_origin(const char *url)
{
    char with_path[300];
    return (size_t)snprintf(with_path, sizeof with_path, "%s/", url) < sizeof with_path &&
           sm_ddi_same_origin(url, with_path);
}

static int read_server(struct reading *r, const json_t *server)
{
#define AT(member) SM_JSON_AT(struct server, member)
    static const struct sm_json_field fields[] = {
        {"url", SM_JSON_TEXT, true, 9, 256, AT(url)},
        {"tenant", SM_JSON_TEXT, false, 1, 64, AT(tenant)},
        {"ca", SM_JSON_TEXT, true, 1, PATH_MAX - 1, AT(ca)},
        {"pin", SM_JSON_TEXT, false, 1, 1024, AT(pin)},
        {"token_file", SM_JSON_TEXT, true, 1, PATH_MAX - 1, AT(token_file)},
        {"first_poll_seconds", SM_JSON_UINT, false, 0, SECONDS_MAX, AT(first)},
        {"retry_seconds", SM_JSON_UINT, false, 1, SECONDS_MAX, AT(retry)},
        {"retry_max_seconds", SM_JSON_UINT, false, 1, SECONDS_MAX, AT(retry_max)},
        {"request_seconds", SM_JSON_UINT, false, 1, SECONDS_MAX, AT(request)},
        {"download_seconds", SM_JSON_UINT, false, 1, SECONDS_MAX, AT(download)},
        {"min_bytes_per_second", SM_JSON_UINT, false, 1, 1u << 30, AT(min_rate)},
        {"stall_seconds", SM_JSON_UINT, false, 1, SECONDS_MAX, AT(stall)},
        {"attempts", SM_JSON_UINT, false, 1, 1000, AT(attempts)},
        {0}};
#undef AT
    struct server in = {.tenant = "default",
                        .first = 30,
                        .retry = 5,
                        .retry_max = 3600,
                        .request = 30,
                        .download = 3600,
                        .min_rate = 256,
                        .stall = 20,
                        .attempts = 10};
    if (sm_json_read(server, "server", fields, false, &in, r->err) < 0)
        return SM_ERR_INVALID;
    if (!is_origin(in.url))
        return sm_json_fail(r->err, "server.url: must be https://host or https://host:port");
    if (!url_part(in.tenant))
        return sm_json_fail(r->err, "server.tenant: letters, digits, '.', '_' and '-' only");
    if (in.pin && strncmp(in.pin, "sha256//", 8) != 0)
        return sm_json_fail(r->err, "server.pin: must begin with sha256//");
    take_server(r->c, &in);
    return read_ca(r, in.ca) < 0 ? SM_ERR_INVALID : read_token(r, in.token_file);
}

/* ---- All of it ------------------------------------------------------------------------------- */

struct root {
    const char *device, *fleet, *cls, *native, *key_set;
    uint64_t memory_bytes, free_installs;
    json_t *signers, *builders, *capabilities, *flash, *server, *buses, *sensors, *core_dumps,
        *wasi, *network, *golden, *mqttsn;
};

/* What may run as machine code: nothing, or what a builder claims. */
static int read_native(struct reading *r, const struct root *in)
{
    if (strcmp(in->native, "refuse") == 0)
        return 0;
    if (strcmp(in->native, "builder") != 0)
        return sm_json_fail(r->err, "native: must be refuse or builder");
    if (json_array_size(in->builders) == 0 && !in->key_set)
        return sm_json_fail(r->err, "builders: none is named, and native says that theirs are run");
    if (sm_native_this_target() == 0)
        return sm_json_fail(r->err, "native: there are no native images for this processor");
    if (r->c->sector_bytes % 4096 != 0)
        return sm_json_fail(r->err,
                            "flash.sector_bytes: must be a multiple of 4096 for native images");
    r->c->native = true;
    return 0;
}

/* Either a key set or keys that never change. */
static int read_trust(struct reading *r, const struct root *in)
{
    sm_trust_init(&r->c->trust, r->c->keys, SM_KEYSET_KEYS_MAX);
    if (in->key_set && (in->signers || in->builders))
        return sm_json_fail(r->err, "key_set: names signers and builders itself");
    if (in->key_set)
        return beside(r, "key_set", in->key_set, r->c->key_set);
    if (!in->signers)
        return sm_json_fail(r->err, "key_set: is missing, and so is signers");
    return each(r, in->signers, add_signer) < 0 || each(r, in->builders, add_builder) < 0
               ? SM_ERR_INVALID
               : 0;
}

static int read_identity(struct reading *r, const struct root *in)
{
    struct config *c = r->c;
    int cls = sm_class_find(in->cls);
    if (!url_part(in->device))
        return sm_json_fail(r->err, "device: letters, digits, '.', '_' and '-' only");
    if (!sm_name_valid(in->fleet))
        return sm_json_fail(r->err, "fleet: a-z, 0-9, '.', '_' and '-' only");
    if (cls < 0)
        return sm_json_fail(r->err, "class: must be mcu, mpu, gateway or edge");
    c->device = in->device;
    c->fleet = in->fleet;
    c->cls = (enum sm_class)cls;
    c->free_installs = (uint16_t)in->free_installs;
    c->memory_bytes = sm_class_limits((unsigned)cls)->memory_bytes;
    if (in->memory_bytes > c->memory_bytes)
        return sm_json_fail(r->err, "memory_bytes: class %s has at most %llu", in->cls,
                            (unsigned long long)c->memory_bytes);
    if (in->memory_bytes)
        c->memory_bytes = in->memory_bytes;
    return 0;
}

static int read_root(struct reading *r)
{
#define AT(member) SM_JSON_AT(struct root, member)
    static const struct sm_json_field fields[] = {
        {"device", SM_JSON_TEXT, true, 1, 64, AT(device)},
        {"fleet", SM_JSON_TEXT, true, 1, SM_FLEET_MAX, AT(fleet)},
        {"class", SM_JSON_TEXT, true, 1, 16, AT(cls)},
        {"memory_bytes", SM_JSON_UINT, false, 1024, 1ull << 32, AT(memory_bytes)},
        {"free_installs", SM_JSON_UINT, false, 1, UINT16_MAX, AT(free_installs)},
        {"key_set", SM_JSON_TEXT, false, 1, PATH_MAX - 1, AT(key_set)},
        {"signers", SM_JSON_ARRAY, false, 1, CONFIG_SIGNERS_MAX, AT(signers)},
        {"native", SM_JSON_TEXT, false, 1, 16, AT(native)},
        {"builders", SM_JSON_ARRAY, false, 0, CONFIG_BUILDERS_MAX, AT(builders)},
        {"capabilities", SM_JSON_ARRAY, false, 0, CONFIG_CAPABILITIES_MAX, AT(capabilities)},
        {"flash", SM_JSON_OBJECT, true, 0, 16, AT(flash)},
        {"server", SM_JSON_OBJECT, false, 0, 32, AT(server)},
        {"buses", SM_JSON_ARRAY, false, 0, SM_BUS_CONFIG_MAX, AT(buses)},
        {"sensors", SM_JSON_ARRAY, false, 0, SM_SENSOR_CONFIG_MAX, AT(sensors)},
        {"core_dumps", SM_JSON_OBJECT, false, 0, 8, AT(core_dumps)},
        {"wasi", SM_JSON_OBJECT, false, 0, 8, AT(wasi)},
        {"network", SM_JSON_OBJECT, false, 0, 16, AT(network)},
        {"golden", SM_JSON_OBJECT, false, 0, 8, AT(golden)},
        {"mqtt-sn", SM_JSON_OBJECT, false, 1, 16, AT(mqttsn)},
        {0}};
#undef AT
    struct root in = {.native = "refuse"};
    if (sm_json_read(r->c->root, "", fields, false, &in, r->err) < 0 || read_identity(r, &in) < 0)
        return SM_ERR_INVALID;
    if (read_trust(r, &in) < 0 || each(r, in.capabilities, add_capability) < 0 ||
        sm_sensor_config_read(&r->c->sensors, in.buses, in.sensors, r->path, &sm_posix_clock,
                              r->err) < 0 ||
        read_flash(r, in.flash) < 0 || read_native(r, &in) < 0 || read_wasi(r, in.wasi) < 0)
        return SM_ERR_INVALID;
    if (in.core_dumps && read_core_dumps(r, in.core_dumps) < 0)
        return SM_ERR_INVALID;
    if (in.network && config_read_network(r->c, r->path, in.network, r->err) < 0)
        return SM_ERR_INVALID;
    if (in.golden && read_golden(r, in.golden) < 0)
        return SM_ERR_INVALID;
    if (in.mqttsn && in.server)
        return sm_json_fail(
            r->err, "mqtt-sn: a device has one way to its server, and \"server\" is another");
    if (in.mqttsn &&
        config_read_mqttsn(&r->c->mqttsn, r->path, r->c->device, in.mqttsn, r->err) < 0)
        return SM_ERR_INVALID;
    return in.server ? read_server(r, in.server) : 0;
}

int config_load(const char *path, struct config *c, struct sm_json_error *err)
{
    struct sm_json_error inner;
    struct reading r = {path, c, &inner};
    memset(c, 0, sizeof *c);
    c->root = sm_json_load(path, CONFIG_MAX, err);
    if (!c->root)
        return SM_ERR_INVALID;
    if (!read_root(&r))
        return 0;
    snprintf(err->text, sizeof err->text, "%.150s: %.350s", path, inner.text);
    config_free(c);
    return SM_ERR_INVALID;
}

void config_free(struct config *c)
{
    sm_wipe(c->authorization, sizeof c->authorization);
    sm_wipe(c->mqttsn.dtls.psk, sizeof c->mqttsn.dtls.psk);
    sm_wipe(c->network.dtls.psk, sizeof c->network.dtls.psk);
    sm_sensor_config_free(&c->sensors);
    free(c->golden.module);
    c->golden.module = NULL;
    json_decref(c->root);
    c->root = NULL;
}
