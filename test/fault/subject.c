/* Modules for the closure proof: made when asked for, kept for the life of the process.
 *
 * Everything about them is the same in each run, so that a state can be reached again: the key
 * comes of a fixed seed, and Ed25519 signatures hang on nothing else.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include <sandmote/keyset.h>
#include "subject.h"
#include "world.h"

static const uint8_t wasm[] = {
#include "subject.inc"
};
static const uint8_t driver_wasm[] = {
#include "driver.inc"
};

enum {
    MODULE_MAX = 1024,
    IMAGE_MAX = 4096,
    SCRATCH = 65536,
    BUCKETS = 1u << 15,
    SETS_A_VERSION = 128
};

static struct {
    EVP_PKEY *key, *vendor, *golden_key, *root, *stranger, *server;
    struct key_set *sets[KEY_SETS][SETS_A_VERSION];
    const struct key_set *sets_by_sha[BUCKETS];
    struct subject golden;
    uint8_t golden_public[32];
    struct sm_trust trust, vendor_trust;
    struct sm_trust_key keys[1], vendor_keys[2];
    struct sm_keyset vendor_set;
    struct subject *made[SEQUENCES][SUBJECT_KINDS];
    const struct subject *by_sha[BUCKETS];
    struct {
        uint32_t crc, sequence;
        char letter;
    } deployments[BUCKETS];
} g;

static void need(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "subject: %s\n", what);
    abort();
}

static EVP_PKEY *key_of(EVP_PKEY **kept, const char seed_text[static 1])
{
    uint8_t seed[32] = {0};

    snprintf((char *)seed, sizeof seed, "%s", seed_text);
    if (*kept == NULL)
        *kept = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof seed);
    need(*kept != NULL, "no key");
    return *kept;
}

static EVP_PKEY *key(void)
{
    return key_of(&g.key, "the same in every run of it");
}

/* A vendor is trusted within the scope that a key set gives. */
static EVP_PKEY *vendor_key(void)
{
    return key_of(&g.vendor, "a vendor of sensors");
}

const struct sm_trust *subject_trust(void)
{
    uint8_t pub[32];
    size_t len = sizeof pub;

    if (g.trust.capacity == 0) {
        sm_trust_init(&g.trust, g.keys, 1);
        need(EVP_PKEY_get_raw_public_key(key(), pub, &len) == 1, "no public key");
        need(sm_trust_add(&g.trust, SM_ROLE_SIGNER, SUBJECT_FLEET, pub) == 0, "no trust");
    }
    return &g.trust;
}

/* ---- Making one ------------------------------------------------------------------------------ */

static void sign(struct subject *s, EVP_PKEY *by, uint32_t len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n = sizeof s->sig;

    need(EVP_DigestSignInit(ctx, NULL, NULL, NULL, by) == 1 &&
             EVP_DigestSign(ctx, s->sig, &n, s->bytes, len) == 1,
         "cannot sign");
    EVP_MD_CTX_free(ctx);
}

static int keep_image(void *ctx, uint32_t off, const void *bytes, uint32_t len)
{
    need(off + len <= IMAGE_MAX, "the image is too long");
    memcpy((uint8_t *)ctx + off, bytes, len);
    return 0;
}

static void translate(struct subject *s)
{
    static _Alignas(8) uint8_t scratch[SCRATCH];
    struct sm_wasm_sink sink = {s->image = calloc(1, IMAGE_MAX), keep_image};
    int64_t len = sm_wasm_translate(s->bytes, s->len, &sink, scratch, sizeof scratch, NULL);

    need(len > 0, "no image");
    s->image_len = (uint32_t)len;
    sm_sha256(s->image, s->image_len, s->image_sha);
}

static bool is_driver(const struct subject *s)
{
    return s->kind >= DRIVER_PLAIN;
}

/* What a manifest says of a module by its kind. */
static void describe(struct sm_manifest *m, const struct subject *s, const char *name)
{
    m->kind = is_driver(s) ? SM_KIND_PLUGIN : SM_KIND_APPLICATION;
    snprintf(m->name, sizeof m->name, "%s", name);
    m->security_floor = s->kind == SUBJECT_FLOOR ? s->sequence : FLOOR_LOW;
    if (s->kind == SUBJECT_NEEDS) {
        m->requirements = 1;
        snprintf(m->requires[0].name, sizeof m->requires[0].name, "%s", DRIVER_NAME);
        m->requires[0].least = s->sequence;
        m->requires[0].most = INT64_MAX;
    }
    if (is_driver(s) && s->kind != DRIVER_GONE)
        m->sensor = (struct sm_plugin_sensor){.id = "L1",
                                              .model = "L",
                                              .bus = DRIVER_BUS,
                                              .address = DRIVER_ADDRESS,
                                              .values = 1,
                                              .value = {{.name = "light", .unit = SM_UNIT_LUX}}};
}

static void pack(struct subject *s, EVP_PKEY *by, const char *name)
{
    const uint8_t *code = is_driver(s) ? driver_wasm : wasm;
    size_t code_len = is_driver(s) ? sizeof driver_wasm : sizeof wasm;
    struct sm_manifest m;
    struct sm_manifest_detail detail;

    sm_manifest_defaults(&m);
    snprintf(m.fleet, sizeof m.fleet, "%s", SUBJECT_FLEET);
    /* The hash says which it is, so those that differ by their signature alone differ here too. */
    snprintf(m.version, sizeof m.version, "%u", s->kind == DRIVER_EVIL ? 2 : 1);
    m.sequence = s->sequence;
    m.classes = 1u << SM_CLASS_MCU;
    m.period_ms = 10;
    m.memory_bytes = 0;
    m.stack_bytes = 256;
    m.interface = 1;
    m.good_ticks = is_driver(s) ? DRIVER_TICKS : 1;
    m.timeout_ms = 45;
    describe(&m, s, name);
    int64_t len = sm_manifest_pack(&m, code, code_len, s->bytes, MODULE_MAX, &detail);
    need(len > 0, detail.rule);
    s->len = (uint32_t)len;
    sign(s, by, s->len);
    if (s->kind == SUBJECT_EVIL) { /* one more section, which the signature does not cover */
        memcpy(s->bytes + s->len, "\0\1\0", 3);
        s->len += 3;
    }
    s->good = s->kind != SUBJECT_EVIL && s->kind != DRIVER_EVIL;
    sm_sha256(s->bytes, s->len, s->sha);
    translate(s);
}

const struct subject *subject_golden(void)
{
    struct subject *s = &g.golden;

    if (s->bytes == NULL) {
        s->bytes = calloc(1, MODULE_MAX);
        need(s->bytes != NULL, "no memory");
        s->sequence = SEQUENCE_FIRST;
        pack(s, key_of(&g.golden_key, "the golden one"), "golden");
    }
    return s;
}

const uint8_t *subject_golden_key(void)
{
    size_t len = sizeof g.golden_public;

    need(EVP_PKEY_get_raw_public_key(key_of(&g.golden_key, "the golden one"), g.golden_public,
                                     &len) == 1,
         "no public key");
    return g.golden_public;
}

/* ---- Finding them again ---------------------------------------------------------------------- */

static uint32_t bucket_of(const uint8_t *sha)
{
    return (sha[0] | (uint32_t)sha[1] << 8 | (uint32_t)sha[2] << 16) % BUCKETS;
}

static void list(const struct subject *s)
{
    uint32_t at = bucket_of(s->sha);

    while (g.by_sha[at] != NULL)
        at = (at + 1) % BUCKETS;
    g.by_sha[at] = s;
    for (const char *letter = "dexs"; *letter; letter++) {
        char text[SM_STORE_ACTION];
        int len = snprintf(text, sizeof text, "%c%u", *letter, s->sequence);
        uint32_t crc = sm_crc32c(0, text, (size_t)len);
        for (at = crc % BUCKETS; g.deployments[at].letter != 0; at = (at + 1) % BUCKETS)
            if (g.deployments[at].crc == crc)
                break;
        g.deployments[at].crc = crc;
        g.deployments[at].letter = *letter;
        g.deployments[at].sequence = s->sequence;
    }
}

const struct subject *subject(uint32_t sequence, enum subject_kind kind)
{
    need(sequence >= SEQUENCE_FIRST && sequence < SEQUENCE_FIRST + SEQUENCES,
         "the story is longer than the supply of sequences");
    struct subject **s = &g.made[sequence - SEQUENCE_FIRST][kind];
    if (*s != NULL)
        return *s;
    *s = calloc(1, sizeof **s);
    need(*s != NULL && ((*s)->bytes = calloc(1, MODULE_MAX)) != NULL, "no memory");
    (*s)->sequence = sequence;
    (*s)->kind = kind;
    if (is_driver(*s)) /* that it is gone says the fleet; of all else that is no signature */
        pack(*s, kind == DRIVER_PLAIN ? vendor_key() : key(), DRIVER_NAME);
    else
        pack(*s, key(), SUBJECT_NAME);
    list(*s);
    return *s;
}

const struct subject *subject_of(const uint8_t sha[8])
{
    for (uint32_t at = bucket_of(sha); g.by_sha[at] != NULL; at = (at + 1) % BUCKETS)
        if (memcmp(g.by_sha[at]->sha, sha, 8) == 0)
            return g.by_sha[at];
    return NULL;
}

bool deployment_of(uint32_t crc, char *letter, uint32_t *sequence)
{
    for (uint32_t at = crc % BUCKETS; g.deployments[at].letter != 0; at = (at + 1) % BUCKETS) {
        if (g.deployments[at].crc != crc)
            continue;
        *letter = g.deployments[at].letter;
        *sequence = g.deployments[at].sequence;
        return true;
    }
    return false;
}

/* ---- Key sets -------------------------------------------------------------------------------- */

static void sign_set(struct key_set *set, EVP_PKEY *by, const uint8_t root[32])
{
    uint8_t text[2048], sig[64], bare[2048];
    size_t n = sizeof sig;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int len = sm_keyset_to_sign(set->bytes, set->len, root, text, sizeof text);

    need(len > 0 && EVP_DigestSignInit(ctx, NULL, NULL, NULL, by) == 1 &&
             EVP_DigestSign(ctx, sig, &n, text, (size_t)len) == 1,
         "cannot sign a key set");
    EVP_MD_CTX_free(ctx);
    memcpy(bare, set->bytes, set->len);
    len = sm_keyset_add_signature(bare, set->len, root, sig, set->bytes, 2048);
    need(len > 0, "a key set is too long");
    set->len = (uint32_t)len;
}

static void add_key(struct sm_keyset_plan *plan, enum sm_role role, EVP_PKEY *k)
{
    struct sm_keyset_plan_key *to = &plan->key[plan->nkeys++];
    size_t len = 32;

    to->role = role;
    need(EVP_PKEY_get_raw_public_key(k, to->key, &len) == 1, "no public key");
}

static void make_set(struct key_set *set)
{
    static struct sm_keyset_plan plan;
    struct sm_manifest_detail detail;
    EVP_PKEY *root = key_of(&g.root, "a root");
    size_t len = 32;

    memset(&plan, 0, sizeof plan);
    snprintf(plan.fleet, sizeof plan.fleet, "%s", SUBJECT_FLEET);
    plan.version = set->version;
    plan.threshold = plan.nroots = 1;
    plan.issued_s = 1000000;
    need(EVP_PKEY_get_raw_public_key(root, plan.root[0], &len) == 1, "no public key");
    add_key(&plan, SM_ROLE_SIGNER, key());
    if (world->cfg.statement)
        add_key(&plan, SM_ROLE_SERVER, key_of(&g.server, "what is current"));
    if (set->stops) {
        plan.nrevoked = 1;
        plan.revoked[0].kind = SM_REVOKED_MODULE;
        plan.revoked[0].stop = true;
        memcpy(plan.revoked[0].id, set->stops->sha, 32);
    }
    set->bytes = calloc(1, 2048);
    need(set->bytes != NULL, "no memory");
    int n = sm_keyset_make(&plan, set->bytes, 2048, &detail);
    need(n > 0, detail.rule);
    set->len = (uint32_t)n;
    sign_set(set, set->bad ? key_of(&g.stranger, "a stranger") : root, plan.root[0]);
    sm_sha256(set->bytes, set->len, set->sha);
}

size_t subject_statement(uint64_t issued_s, uint32_t keys_version, uint64_t sequence, uint8_t *out,
                         size_t size)
{
    static struct sm_statement_plan plan;
    uint8_t text[SM_STATEMENT_MAX], sig[64];
    size_t n = sizeof sig;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    snprintf(plan.fleet, sizeof plan.fleet, "%s", SUBJECT_FLEET);
    snprintf(plan.channel, sizeof plan.channel, "stable");
    snprintf(plan.module[0].name, sizeof plan.module[0].name, "%s", SUBJECT_NAME);
    plan.module[0].sequence = sequence;
    plan.nmodules = 1;
    plan.issued_s = issued_s;
    plan.expires_s = issued_s + 86400;
    plan.keys_version = keys_version;
    int len = sm_statement_to_sign(&plan, text, sizeof text);
    need(len > 0 &&
             EVP_DigestSignInit(ctx, NULL, NULL, NULL, key_of(&g.server, "what is current")) == 1 &&
             EVP_DigestSign(ctx, sig, &n, text, (size_t)len) == 1,
         "cannot sign a statement");
    EVP_MD_CTX_free(ctx);
    len = sm_statement_encode(&plan, sig, out, size);
    need(len > 0, "a statement is too long");
    return (size_t)len;
}

const struct sm_trust *subject_vendor_trust(void)
{
    static struct sm_keyset_plan plan;
    static uint8_t bytes[2048];
    struct sm_manifest_detail detail;
    size_t len = 32;

    if (g.vendor_trust.capacity != 0)
        return &g.vendor_trust;
    snprintf(plan.fleet, sizeof plan.fleet, "%s", SUBJECT_FLEET);
    plan.version = plan.threshold = plan.nroots = 1;
    plan.issued_s = 1000000;
    need(EVP_PKEY_get_raw_public_key(key_of(&g.root, "a root"), plan.root[0], &len) == 1,
         "no public key");
    add_key(&plan, SM_ROLE_SIGNER, key());
    add_key(&plan, SM_ROLE_VENDOR, vendor_key());
    snprintf(plan.key[1].model, sizeof plan.key[1].model, "L");
    snprintf(plan.key[1].bus, sizeof plan.key[1].bus, "%s", DRIVER_BUS);
    plan.key[1].addresses = 1;
    plan.key[1].address[0] = DRIVER_ADDRESS;
    int n = sm_keyset_make(&plan, bytes, sizeof bytes, &detail);
    need(n > 0 && sm_keyset_read(&g.vendor_set, bytes, (size_t)n, &detail) == 0, detail.rule);
    sm_trust_init(&g.vendor_trust, g.vendor_keys, 2);
    need(sm_keyset_trust(&g.vendor_set, 0, &g.vendor_trust) == 0, "no trust");
    return &g.vendor_trust;
}

/* A version has one set without revocations, a badly signed one, and those that stop a module. */
const struct key_set *key_set(uint32_t version, const struct subject *stops, bool bad)
{
    struct key_set **s = g.sets[version - KEY_SET_FIRST];

    need(version >= KEY_SET_FIRST && version < KEY_SET_FIRST + KEY_SETS,
         "the story is longer than the supply of key sets");
    while (*s != NULL && ((*s)->stops != stops || (*s)->bad != bad))
        s++;
    if (*s != NULL)
        return *s;
    need(s + 1 < g.sets[version - KEY_SET_FIRST] + SETS_A_VERSION,
         "too many key sets of one version");
    *s = calloc(1, sizeof **s);
    need(*s != NULL, "no memory");
    (*s)->version = version;
    (*s)->stops = stops;
    (*s)->bad = bad;
    make_set(*s);
    uint32_t at = bucket_of((*s)->sha);
    while (g.sets_by_sha[at] != NULL)
        at = (at + 1) % BUCKETS;
    g.sets_by_sha[at] = *s;
    return *s;
}

const struct key_set *key_set_of(const uint8_t sha[32])
{
    for (uint32_t at = bucket_of(sha); g.sets_by_sha[at] != NULL; at = (at + 1) % BUCKETS)
        if (memcmp(g.sets_by_sha[at]->sha, sha, 32) == 0)
            return g.sets_by_sha[at];
    return NULL;
}
