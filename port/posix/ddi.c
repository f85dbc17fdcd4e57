/* Answers and requests of the DDI interface. SPDX-License-Identifier: Apache-2.0 */
#include "ddi.h"

#include <stdio.h>
#include <string.h>

/* ---- Links ----------------------------------------------------------------------------------- */

/* The length of "https://host[:port]" at the start of a URL, or 0 when it is something else. The
 * characters allowed leave no room for a user, a query or an escape in the host. */
static size_t origin_len(const char *url)
{
    if (strncmp(url, "https://", 8) != 0)
        return 0;
    size_t n = strspn(url + 8, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "0123456789.-:[]");
    return n ? 8 + n : 0;
}

/* Compares "https://host[:port]" as far as n and m, with :443 as good as no port. */
static bool origins_equal(const char *a, size_t n, const char *b, size_t m)
{
    if (n > 4 && !memcmp(a + n - 4, ":443", 4))
        n -= 4;
    if (m > 4 && !memcmp(b + m - 4, ":443", 4))
        m -= 4;
    return n == m && !memcmp(a, b, n);
}

bool sm_ddi_same_origin(const char *origin, const char *url)
{
    size_t n = origin_len(origin), m = origin_len(url);
    if (!n || !m || origin[n] || url[m] != '/')
        return false;
    for (const char *p = url + m; *p; p++)
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f)
            return false;
    return origins_equal(origin, n, url, m);
}

/* {"href": url} into out. */
static int read_link(const char *origin, const json_t *link, const char *where,
                     char out[SM_DDI_URL], struct sm_json_error *err)
{
    static const struct sm_json_field fields[] = {
        {"href", SM_JSON_TEXT, true, 1, SM_DDI_URL - 1, 0}, {0}};
    const char *url = NULL;
    if (sm_json_read(link, where, fields, true, &url, err) < 0)
        return SM_ERR_INVALID;
    if (!sm_ddi_same_origin(origin, url))
        return sm_json_fail(err, "%s.href: leads away from %s", where, origin);
    strcpy(out, url);
    return 0;
}

/* A link that may be absent: out is then "". */
static int read_optional_link(const char *origin, const json_t *links, const char *key,
                              char out[SM_DDI_URL], struct sm_json_error *err)
{
    char where[64];
    const json_t *link = json_object_get(links, key);
    out[0] = 0;
    snprintf(where, sizeof where, "_links.%s", key);
    return link ? read_link(origin, link, where, out, err) : 0;
}

/* ---- The base resource ----------------------------------------------------------------------- */

/* "HH:MM:SS" as seconds; 0 when it is something else. */
static uint32_t read_sleep(const char *text)
{
    uint32_t part[3];
    if (strlen(text) != 8 || text[2] != ':' || text[5] != ':')
        return 0;
    for (int i = 0; i < 3; i++) {
        const char *p = text + 3 * i;
        if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
            return 0;
        part[i] = (uint32_t)(p[0] - '0') * 10 + (uint32_t)(p[1] - '0');
    }
    if (part[0] > 23 || part[1] > 59 || part[2] > 59)
        return 0;
    return part[0] * 3600 + part[1] * 60 + part[2];
}

static int read_polling(const json_t *config, struct sm_ddi_base *out, struct sm_json_error *err)
{
    static const struct sm_json_field polling_fields[] = {
        {"polling", SM_JSON_OBJECT, true, 0, 64, 0}, {0}};
    static const struct sm_json_field sleep_fields[] = {{"sleep", SM_JSON_TEXT, true, 8, 8, 0},
                                                        {0}};
    json_t *polling = NULL;
    const char *sleep = NULL;
    if (sm_json_read(config, "config", polling_fields, true, &polling, err) < 0 ||
        sm_json_read(polling, "config.polling", sleep_fields, true, &sleep, err) < 0)
        return SM_ERR_INVALID;
    out->sleep_s = read_sleep(sleep);
    if (!out->sleep_s)
        return sm_json_fail(err, "config.polling.sleep: must be a time from 00:00:01 to 23:59:59");
    return 0;
}

/* {"href": url, "versions": {"<fleet>": latest, ...}} */
static int read_keys(const char *origin, const char *fleet, const json_t *links,
                     struct sm_ddi_base *out, struct sm_json_error *err)
{
    const json_t *version =
        json_object_get(json_object_get(json_object_get(links, "keys"), "versions"), fleet);
    if (read_optional_link(origin, links, "keys", out->keys, err) < 0)
        return SM_ERR_INVALID;
    if (!version || !out->keys[0])
        return 0;
    json_int_t v = json_integer_value(version);
    if (!json_is_integer(version) || v < 1 || v > INT32_MAX)
        return sm_json_fail(err, "_links.keys.versions.%s: must be a whole number from 1 on",
                            fleet);
    out->keys_version = (uint32_t)v;
    return 0;
}

static int read_base(const char *origin, const char *fleet, const json_t *root,
                     struct sm_ddi_base *out, struct sm_json_error *err)
{
    struct {
        json_t *config, *links;
    } in = {NULL, NULL};
    const struct sm_json_field fields[] = {
        {"config", SM_JSON_OBJECT, true, 0, 64, 0},
        {"_links", SM_JSON_OBJECT, false, 0, 64, sizeof(json_t *)},
        {0}};
    if (sm_json_read(root, "", fields, true, &in, err) < 0 ||
        read_polling(in.config, out, err) < 0 ||
        read_optional_link(origin, in.links, "deploymentBase", out->deployment, err) < 0 ||
        read_optional_link(origin, in.links, "configData", out->config, err) < 0 ||
        read_keys(origin, fleet, in.links, out, err) < 0)
        return SM_ERR_INVALID;
    if (read_optional_link(origin, in.links, "postmortems", out->postmortems, err) < 0)
        return SM_ERR_INVALID;
    return read_optional_link(origin, in.links, "events", out->events, err) < 0
               ? SM_ERR_INVALID
               : read_optional_link(origin, in.links, "current", out->current, err);
}

int sm_ddi_read_base(const char *origin, const char *fleet, const void *bytes, size_t len,
                     struct sm_ddi_base *out, struct sm_json_error *err)
{
    memset(out, 0, sizeof *out);
    json_t *root = sm_json_parse(bytes, len, err);
    if (!root)
        return SM_ERR_INVALID;
    int r = read_base(origin, fleet, root, out, err);
    json_decref(root);
    return r;
}

/* ---- A deployment ---------------------------------------------------------------------------- */

struct artifact {
    const char *filename;
    uint64_t size;
    json_t *hashes, *links;
};

static int read_sha256(const json_t *hashes, const char *where, uint8_t out[SM_SHA256_SIZE],
                       struct sm_json_error *err)
{
    static const struct sm_json_field fields[] = {{"sha256", SM_JSON_TEXT, true, 64, 64, 0}, {0}};
    char at[112];
    const char *text = NULL;
    snprintf(at, sizeof at, "%s.hashes", where);
    if (sm_json_read(hashes, at, fields, true, &text, err) < 0)
        return SM_ERR_INVALID;
    if (sm_hex_decode(text, out, SM_SHA256_SIZE) < 0)
        return sm_json_fail(err, "%s.sha256: must be lower case hex", at);
    return 0;
}

static int read_download(const char *origin, const json_t *links, const char *where,
                         char out[SM_DDI_URL], struct sm_json_error *err)
{
    char at[112];
    snprintf(at, sizeof at, "%s._links.download", where);
    const json_t *link = json_object_get(links, "download");
    return link ? read_link(origin, link, at, out, err) : sm_json_fail(err, "%s: is missing", at);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n > m && !strcmp(text + n - m, end);
}

static int take_module(const char *origin, const struct artifact *a, const char *where,
                       struct sm_ddi_chunk *c, struct sm_json_error *err)
{
    if (c->module[0])
        return sm_json_fail(err, "%s: a second module in one chunk", where);
    c->size = (uint32_t)a->size;
    if (read_sha256(a->hashes, where, c->sha256, err) < 0)
        return SM_ERR_INVALID;
    return read_download(origin, a->links, where, c->module, err);
}

static int take_signature(const char *origin, const struct artifact *a, const char *where,
                          struct sm_ddi_chunk *c, struct sm_json_error *err)
{
    if (c->signature[0])
        return sm_json_fail(err, "%s: a second signature in one chunk", where);
    if (a->size != SM_SIGNATURE_BYTES)
        return sm_json_fail(err, "%s.size: a signature has %u bytes", where, SM_SIGNATURE_BYTES);
    return read_download(origin, a->links, where, c->signature, err);
}

/* What a deployment is read for. */
struct reading {
    const char *origin;
    uint32_t target;
};

static bool has_suffix(const char *text, const char *name, const char *suffix)
{
    size_t n = strlen(name);
    return !strncmp(text, name, n) && !strcmp(text + n, suffix);
}

/* "<name>.<target>.native", or that with .sig behind it. */
static void take_native(const struct reading *r, const struct artifact *a, const char *where,
                        struct sm_ddi_chunk *c)
{
    char name[SM_NAME_MAX + 24];
    struct sm_json_error unused;
    snprintf(name, sizeof name, "%s.%u.native", c->name, (unsigned)r->target);
    bool image = has_suffix(a->filename, name, ""), claim = has_suffix(a->filename, name, ".sig");
    char *link = image ? c->native : c->claim;
    if (r->target == 0 || !(image || claim) ||
        read_download(r->origin, a->links, where, link, &unused) < 0)
        return;
    if (image)
        c->native_size = (uint32_t)a->size;
    else
        c->claim_size = (uint32_t)a->size;
}

static int read_artifact(const struct reading *r, const json_t *v, const char *where,
                         struct sm_ddi_chunk *c, struct sm_json_error *err)
{
#define AT(member) SM_JSON_AT(struct artifact, member)
    static const struct sm_json_field fields[] = {
        {"filename", SM_JSON_TEXT, true, 1, 128, AT(filename)},
        {"size", SM_JSON_UINT, true, 1, UINT32_MAX, AT(size)},
        {"hashes", SM_JSON_OBJECT, true, 0, 16, AT(hashes)},
        {"_links", SM_JSON_OBJECT, true, 0, 16, AT(links)},
        {0}};
#undef AT
    struct artifact a = {0};
    if (sm_json_read(v, where, fields, true, &a, err) < 0)
        return SM_ERR_INVALID;
    if (ends_with(a.filename, ".wasm"))
        return take_module(r->origin, &a, where, c, err);
    if (ends_with(a.filename, ".wasm.sig"))
        return take_signature(r->origin, &a, where, c, err);
    if (!ends_with(a.filename, ".native") && !ends_with(a.filename, ".native.sig"))
        return sm_json_fail(
            err, "%s.filename: must end in .wasm or .native, or in .sig behind that", where);
    take_native(r, &a, where, c);
    return 0;
}

struct chunk {
    const char *part, *name, *version;
    json_t *artifacts;
};

static int read_chunk(const struct reading *r, const json_t *v, size_t i, struct sm_ddi_chunk *c,
                      struct sm_json_error *err)
{
#define AT(member) SM_JSON_AT(struct chunk, member)
    static const struct sm_json_field fields[] = {
        {"part", SM_JSON_TEXT, true, 1, 64, AT(part)},
        {"name", SM_JSON_TEXT, true, 1, SM_NAME_MAX, AT(name)},
        {"version", SM_JSON_TEXT, true, 1, SM_VERSION_MAX, AT(version)},
        {"artifacts", SM_JSON_ARRAY, true, 1, 64, AT(artifacts)},
        {0}};
#undef AT
    struct chunk in = {0};
    char where[80];
    snprintf(where, sizeof where, "deployment.chunks[%zu]", i);
    if (sm_json_read(v, where, fields, true, &in, err) < 0)
        return SM_ERR_INVALID;
    c->plugin = !strcmp(in.part, "plugin");
    if (!c->plugin && strcmp(in.part, "bApp") != 0)
        return sm_json_fail(err, "%s.part: only bApp and plugin can be updated here", where);
    if (!sm_name_valid(in.name))
        return sm_json_fail(err, "%s.name: not the name of a module", where);
    strcpy(c->name, in.name);
    strcpy(c->version, in.version);
    for (size_t k = 0; k < json_array_size(in.artifacts); k++) {
        snprintf(where, sizeof where, "deployment.chunks[%zu].artifacts[%zu]", i, k);
        if (read_artifact(r, json_array_get(in.artifacts, k), where, c, err) < 0)
            return SM_ERR_INVALID;
    }
    if (!c->native[0] || !c->claim[0]) /* one without the other is of no use */
        c->native[0] = c->claim[0] = 0;
    return c->module[0] ? 0 : sm_json_fail(err, "deployment.chunks[%zu]: has no module", i);
}

static int read_chunks(const struct reading *r, const json_t *chunks, struct sm_ddi_deployment *out,
                       struct sm_json_error *err)
{
    out->count = json_array_size(chunks);
    for (size_t i = 0; i < out->count; i++) {
        if (read_chunk(r, json_array_get(chunks, i), i, &out->chunk[i], err) < 0)
            return SM_ERR_INVALID;
        for (size_t k = 0; k < i; k++)
            if (!strcmp(out->chunk[k].name, out->chunk[i].name))
                return sm_json_fail(err, "deployment.chunks[%zu]: %s is there already", i,
                                    out->chunk[i].name);
    }
    return 0;
}

/* An id goes into a URL and into a record: short, and nothing that means something there. */
static bool id_valid(const char *id)
{
    return strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
           strlen(id);
}

static int read_inner(const struct reading *r, const json_t *deployment,
                      struct sm_ddi_deployment *out, struct sm_json_error *err)
{
    struct inner {
        const char *download, *update;
        json_t *chunks;
        bool set;
    } in = {"forced", "forced", NULL, false};
#define AT(member) SM_JSON_AT(struct inner, member)
    const struct sm_json_field fields[] = {
        {"download", SM_JSON_TEXT, false, 1, 16, AT(download)},
        {"update", SM_JSON_TEXT, false, 1, 16, AT(update)},
        {"chunks", SM_JSON_ARRAY, true, 1, SM_DDI_CHUNKS_MAX, AT(chunks)},
        {"set", SM_JSON_BOOL, false, 0, 1, AT(set)},
        {0}};
#undef AT
    if (sm_json_read(deployment, "deployment", fields, true, &in, err) < 0)
        return SM_ERR_INVALID;
    out->set = in.set;
    out->skip = !strcmp(in.download, "skip") || !strcmp(in.update, "skip");
    return read_chunks(r, in.chunks, out, err);
}

static int read_deployment(const struct reading *r, const json_t *root,
                           struct sm_ddi_deployment *out, struct sm_json_error *err)
{
    struct {
        const char *id;
        json_t *deployment;
    } in = {NULL, NULL};
    const struct sm_json_field fields[] = {
        {"id", SM_JSON_TEXT, true, 1, SM_DDI_ID - 1, 0},
        {"deployment", SM_JSON_OBJECT, true, 0, 64, sizeof(const char *)},
        {0}};
    int bad = sm_json_read(root, "", fields, true, &in, err);
    if (in.id && !id_valid(in.id))
        return sm_json_fail(err, "id: letters, digits, '-' and '_' only");
    if (in.id)
        strcpy(out->id, in.id);
    return bad < 0 ? SM_ERR_INVALID : read_inner(r, in.deployment, out, err);
}

int sm_ddi_read_deployment(const char *origin, uint32_t target, const void *bytes, size_t len,
                           struct sm_ddi_deployment *out, struct sm_json_error *err)
{
    memset(out, 0, sizeof *out);
    json_t *root = sm_json_parse(bytes, len, err);
    if (!root)
        return SM_ERR_INVALID;
    int r = read_deployment(&(struct reading){origin, target}, root, out, err);
    json_decref(root);
    return r;
}

/* ---- What the device says -------------------------------------------------------------------- */

char *sm_ddi_write_feedback(const char *id, enum sm_ddi_outcome outcome, const char *detail)
{
    static const char *const execution[] = {"proceeding", "closed", "closed"};
    static const char *const finished[] = {"none", "success", "failure"};
    json_t *root =
        json_pack("{s:s, s:{s:s, s:{s:s}, s:[s]}}", "id", id, "status", "execution",
                  execution[outcome], "result", "finished", finished[outcome], "details", detail);
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    return text;
}

/* A trap report may name a function of the module in bytes of its choice, cut anywhere. */
static void make_plain(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
            *text = '?';
}

json_t *sm_ddi_event(const struct sm_event *e, const char *server, uint64_t uptime_ms)
{
    char sha[2 * SM_SHA256_SIZE + 1] = "", detail[512];
    bool offered = e->kind == SM_EVENT_REFUSED || e->kind == SM_EVENT_DOWNLOAD_FAILED;
    if (e->sha)
        sm_hex_encode(e->sha, SM_SHA256_SIZE, sha);
    snprintf(detail, sizeof detail, "%s%s%s%s", e->detail, offered && *server ? " (from " : "",
             offered ? server : "", offered && *server ? ")" : "");
    make_plain(detail);
    return json_pack("{s:I, s:s, s:s, s:s, s:I, s:s, s:s, s:I}", "id", (json_int_t)e->id, "event",
                     sm_event_name(e->kind), "module", e->name, "version", e->version, "sequence",
                     (json_int_t)e->sequence, "sha256", sha, "detail", detail, "uptime_ms",
                     (json_int_t)uptime_ms);
}

bool sm_ddi_add_module(json_t *data, bool removed, const char *name, const struct sm_slot *slot)
{
    char key[SM_NAME_MAX + 16], value[160], sha[2 * SM_SHA256_SIZE + 1];
    sm_hex_encode(slot->module_sha, SM_SHA256_SIZE, sha);
    snprintf(key, sizeof key, "%s.%s", removed ? "removed" : "module", name);
    snprintf(value, sizeof value, "%s %llu %s", slot->version, (unsigned long long)slot->sequence,
             sha);
    return json_object_set_new(data, key, json_string(value)) == 0;
}
