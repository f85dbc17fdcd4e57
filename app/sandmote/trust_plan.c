/* Plans of key sets, from JSON.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "trust_plan.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <posix/file.h>
#include <posix/json_read.h>
#include <posix/token.h>
#include <openssl/evp.h>

#include "cli.h"

#define FILE_MAX 1048576u

/* ---- Files ----------------------------------------------------------------------------------- */

bool trust_read(const char *path, struct trust_file *f)
{
    struct sm_manifest_detail why = {0};
    f->path = path;
    if (!cli_read(path, &f->bytes, &f->len))
        return false;
    int err = sm_keyset_read(&f->set, f->bytes, f->len, &why);
    if (!err)
        return true;
    if (err == SM_ERR_UNSUPPORTED)
        cli_say("%s: a key set of format %llu, which a newer sandmote can read", path,
                (unsigned long long)why.value);
    else
        cli_say("%s: not a key set: %s, at byte %u", path, why.rule, why.offset);
    free(f->bytes);
    return false;
}

bool trust_key_read(const char *name, uint8_t key[SM_ED25519_PUBLIC_SIZE])
{
    struct sm_keys_why why;
    struct sm_keys_private token;
    int err;
    if (sm_token_named(name)) {
        err = sm_token_open(name, &token, &why);
        if (!err) {
            memcpy(key, token.public_key, SM_ED25519_PUBLIC_SIZE);
            sm_keys_free(&token);
        }
    } else {
        err = sm_keys_load_public(name, key, &why);
    }
    if (err)
        cli_say("%s", why.text);
    else if (!sm_trust_key_fits(key))
        cli_say("%s: is of small order or not canonical: no key generator makes such a key", name);
    return err == 0 && sm_trust_key_fits(key);
}

/* ---- Times ----------------------------------------------------------------------------------- */

bool trust_time_read(const char *text, uint64_t *out)
{
    struct tm t = {0};
    char rest;
    *out = 0;
    if (strcmp(text, "never") == 0)
        return true;
    if (cli_number(text, (uint64_t)1 << 40, out))
        return true;
    if (strlen(text) != 10 ||
        sscanf(text, "%4d-%2d-%2d%c", &t.tm_year, &t.tm_mon, &t.tm_mday, &rest) != 3)
        return false;
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    struct tm same = t;
    time_t s = timegm(&t);
    *out = (uint64_t)s;
    return s > 0 && same.tm_mday == t.tm_mday && same.tm_mon == t.tm_mon;
}

void trust_time_write(uint64_t time_s, char out[TRUST_TIME_TEXT])
{
    struct tm t;
    time_t s = (time_t)time_s;
    if (time_s == 0)
        strcpy(out, "never");
    else if (gmtime_r(&s, &t) == NULL)
        snprintf(out, TRUST_TIME_TEXT, "%llu", (unsigned long long)time_s);
    else
        strftime(out, TRUST_TIME_TEXT, time_s % 86400 ? "%Y-%m-%d %H:%M:%S UTC" : "%Y-%m-%d", &t);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

struct reading {
    const char *path;
    struct sm_keyset_plan *plan;
    struct sm_json_error err;
};

static bool bad(const struct reading *r, const char *where, const char *what)
{
    cli_say("%s: %s: %s", r->path, where, what);
    return false;
}

/* A file beside the plan, unless the name is none of a file. */
static bool find(const struct reading *r, const char *where, const char *name, char out[CLI_PATH])
{
    bool is_file = strncmp(name, "ed25519:", 8) != 0 && !sm_token_named(name);
    if (is_file ? sm_file_beside(r->path, name, out, CLI_PATH) == 0
                : (size_t)snprintf(out, CLI_PATH, "%s", name) < CLI_PATH)
        return true;
    return bad(r, where, "the path is too long");
}

static bool read_key(const struct reading *r, const char *where, const char *name, uint8_t key[32])
{
    char path[CLI_PATH];
    return find(r, where, name, path) && trust_key_read(path, key);
}

static bool read_time(const struct reading *r, const char *where, const char *text, uint64_t *out)
{
    return trust_time_read(text, out) ||
           bad(r, where, "a time is \"YYYY-MM-DD\", \"never\" or seconds since 1970, as a text");
}

/* That a key or pin is none of the first n of a list, whose items lie `stride` bytes apart. */
static bool is_new(const struct reading *r, const char *where, const uint8_t item[32],
                   const char *name, const void *list, size_t stride, size_t n)
{
    char what[48];
    for (size_t i = 0; i < n; i++) {
        if (memcmp((const uint8_t *)list + i * stride, item, 32) != 0)
            continue;
        snprintf(what, sizeof what, "is the same as %s[%zu]", name, i);
        return bad(r, where, what);
    }
    return true;
}

static bool read_root(struct reading *r, size_t i, const json_t *v)
{
    char where[32];
    uint8_t *root = r->plan->root[r->plan->nroots++];
    snprintf(where, sizeof where, "roots[%zu]", i);
    if (!json_is_string(v))
        return bad(r, where, "must name a public key");
    return read_key(r, where, json_string_value(v), root) &&
           is_new(r, where, root, "roots", r->plan->root, sizeof r->plan->root[0], i);
}

struct raw_key {
    const char *role, *key, *expires, *model, *bus;
    json_t *addresses, *capabilities;
};

/* Numbers may be written in hex, as texts: "0x76". */
static bool read_address(const json_t *v, uint32_t *out)
{
    uint64_t n = (uint64_t)json_integer_value(v);
    if (json_is_string(v) && !cli_number(json_string_value(v), UINT32_MAX, &n))
        return false;
    *out = (uint32_t)n;
    return json_is_string(v) || (json_is_integer(v) && n <= UINT32_MAX);
}

static bool read_scope(struct reading *r, const char *where, const struct raw_key *in,
                       struct sm_keyset_plan_key *k)
{
    bool given = in->model || in->bus || in->addresses || in->capabilities;
    if (k->role != SM_ROLE_VENDOR)
        return !given || bad(r, where, "model, bus, addresses and capabilities are a vendor's");
    if (!in->model || !in->bus)
        return bad(r, where, "a vendor needs a model and a bus");
    strcpy(k->model, in->model);
    strcpy(k->bus, in->bus);
    for (size_t i = 0; i < json_array_size(in->addresses); i++)
        if (!read_address(json_array_get(in->addresses, i), &k->address[k->addresses++]))
            return bad(r, where, "an address is a number of 32 bits");
    for (size_t i = 0; i < json_array_size(in->capabilities); i++) {
        const char *text = json_string_value(json_array_get(in->capabilities, i));
        if (!text || strlen(text) > SM_CAPABILITY_MAX)
            return bad(r, where, "a capability is a text of up to 96 bytes");
        strcpy(k->capability[k->capabilities++], text);
    }
    return true;
}

static bool read_entry(struct reading *r, size_t i, const json_t *v)
{
#define AT(member) SM_JSON_AT(struct raw_key, member)
    static const struct sm_json_field fields[] = {
        {"role", SM_JSON_TEXT, true, 1, 16, AT(role)},
        {"key", SM_JSON_TEXT, true, 1, CLI_PATH - 1, AT(key)},
        {"expires", SM_JSON_TEXT, false, 1, 32, AT(expires)},
        {"model", SM_JSON_TEXT, false, 1, SM_KEYSET_MODEL_MAX, AT(model)},
        {"bus", SM_JSON_TEXT, false, 1, SM_KEYSET_BUS_MAX, AT(bus)},
        {"addresses", SM_JSON_ARRAY, false, 0, SM_KEYSET_ADDRESSES_MAX, AT(addresses)},
        {"capabilities", SM_JSON_ARRAY, false, 0, SM_CAPABILITIES_MAX, AT(capabilities)},
        {0}};
#undef AT
    struct raw_key in = {.expires = "never"};
    struct sm_keyset_plan_key *k = &r->plan->key[r->plan->nkeys++];
    char where[32];
    snprintf(where, sizeof where, "keys[%zu]", i);
    if (sm_json_read(v, where, fields, false, &in, &r->err) < 0) {
        cli_say("%s: %s", r->path, r->err.text);
        return false;
    }
    for (unsigned role = SM_ROLE_SIGNER; role <= SM_ROLE_LAST; role++)
        if (role != SM_ROLE_ROOT && strcmp(sm_role_name(role), in.role) == 0)
            k->role = role;
    if (k->role == 0)
        return bad(r, where, "role must be signer, vendor, builder, requester or server");
    const struct sm_keyset_plan *p = r->plan;
    return read_time(r, where, in.expires, &k->expires_s) && read_key(r, where, in.key, k->key) &&
           is_new(r, where, k->key, "roots", p->root, sizeof p->root[0], p->nroots) &&
           is_new(r, where, k->key, "keys", p->key[0].key, sizeof p->key[0], i) &&
           read_scope(r, where, &in, k);
}

static bool read_certificate(struct reading *r, const char *where, const char *name, uint8_t **der,
                             size_t *len, uint8_t pin[32])
{
    char path[CLI_PATH];
    struct sm_keys_why why;
    if (!find(r, where, name, path))
        return false;
    if (sm_keys_load_certificate(path, der, len, pin, &why) == 0)
        return true;
    cli_say("%s", why.text);
    return false;
}

static bool read_anchor(struct reading *r, size_t i, const json_t *v)
{
    char where[32];
    uint8_t *der, pin[32];
    size_t len;
    snprintf(where, sizeof where, "anchors[%zu]", i);
    if (!json_is_string(v))
        return bad(r, where, "must name a certificate");
    if (!read_certificate(r, where, json_string_value(v), &der, &len, pin))
        return false;
    bool fits = len <= SM_KEYSET_ANCHOR_MAX;
    if (fits) {
        r->plan->anchor[r->plan->nanchors].len = (uint32_t)len;
        memcpy(r->plan->anchor[r->plan->nanchors++].der, der, len);
    }
    free(der);
    return fits || bad(r, where, "the certificate has more than 2048 bytes");
}

/* "sha256//BASE64", as curl takes it, or a certificate. */
static bool read_pin(struct reading *r, size_t i, const json_t *v)
{
    const char *text = json_string_value(v);
    uint8_t *pin = r->plan->pin[r->plan->npins++], *der, bytes[48];
    size_t len;
    char where[32];
    snprintf(where, sizeof where, "pins[%zu]", i);
    if (!text)
        return bad(r, where, "must be \"sha256//...\" or name a certificate");
    if (strncmp(text, "sha256//", 8) != 0) {
        if (!read_certificate(r, where, text, &der, &len, pin))
            return false;
        free(der);
        return is_new(r, where, pin, "pins", r->plan->pin, sizeof r->plan->pin[0], i);
    }
    if (strlen(text) != 8 + 44 || text[51] != '=' ||
        EVP_DecodeBlock(bytes, (const unsigned char *)text + 8, 44) != 33)
        return bad(r, where, "must have 44 characters of base64 behind sha256//");
    memcpy(pin, bytes, 32);
    return is_new(r, where, pin, "pins", r->plan->pin, sizeof r->plan->pin[0], i);
}

static bool each(struct reading *r, const json_t *array,
                 bool (*read)(struct reading *, size_t, const json_t *))
{
    for (size_t i = 0; i < json_array_size(array); i++)
        if (!read(r, i, json_array_get(array, i)))
            return false;
    return true;
}

struct raw {
    const char *fleet, *expires;
    uint64_t threshold;
    json_t *roots, *keys, *anchors, *pins;
};

static bool read_plan(struct reading *r, const json_t *root)
{
#define AT(member) SM_JSON_AT(struct raw, member)
    static const struct sm_json_field fields[] = {
        {"fleet", SM_JSON_TEXT, true, 1, SM_FLEET_MAX, AT(fleet)},
        {"threshold", SM_JSON_UINT, true, 1, SM_KEYSET_ROOTS_MAX, AT(threshold)},
        {"expires", SM_JSON_TEXT, false, 1, 32, AT(expires)},
        {"roots", SM_JSON_ARRAY, true, 1, SM_KEYSET_ROOTS_MAX, AT(roots)},
        {"keys", SM_JSON_ARRAY, true, 0, SM_KEYSET_KEYS_MAX, AT(keys)},
        {"anchors", SM_JSON_ARRAY, false, 0, SM_KEYSET_ANCHORS_MAX, AT(anchors)},
        {"pins", SM_JSON_ARRAY, false, 0, SM_KEYSET_PINS_MAX, AT(pins)},
        {0}};
#undef AT
    struct raw in = {.expires = "never"};
    if (sm_json_read(root, "", fields, false, &in, &r->err) < 0) {
        cli_say("%s: %s", r->path, r->err.text);
        return false;
    }
    strcpy(r->plan->fleet, in.fleet);
    r->plan->threshold = (uint32_t)in.threshold;
    return read_time(r, "expires", in.expires, &r->plan->expires_s) &&
           each(r, in.roots, read_root) && each(r, in.keys, read_entry) &&
           each(r, in.anchors, read_anchor) && each(r, in.pins, read_pin);
}

bool trust_plan_read(const char *path, struct sm_keyset_plan *plan)
{
    struct reading r = {.path = path, .plan = plan};
    json_t *root = sm_json_load(path, FILE_MAX, &r.err);
    memset(plan, 0, sizeof *plan);
    if (!root) {
        cli_say("%s", r.err.text);
        return false;
    }
    bool good = read_plan(&r, root);
    json_decref(root);
    return good;
}
