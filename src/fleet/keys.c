/* Key sets (doc/SPEC-trust.md): operators upload each, devices fetch the next one after theirs, and
 * for the server's own checks of uploads the latest of a fleet takes the place of its signers and
 * builders in the configuration. Only a set names vendors.
 *
 * With a key of its own the server also states what is current.
 *
 * A set is checked as a device does it, against the one before it here; the first of a fleet is
 * believed because an operator sent it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <posix/log.h>
#include <sandmote/keyset.h>

#include "server.h"

/* Keys of one fleet: of a set, or of the configuration. */
#define STORE_MAX (SM_FLEET_SIGNERS_MAX + SM_FLEET_BUILDERS_MAX)
_Static_assert(STORE_MAX >= SM_KEYSET_KEYS_MAX, "all keys of a set have room");

/* ---- Upload ---------------------------------------------------------------------------------- */

/* *next is a set that follows the latest of its fleet in *latest, or the first when that has no
 * length; or the answer says why not. */
static bool follows(const struct sm_bytes *bytes, const struct sm_fleet_keys *latest,
                    struct sm_keyset *next, struct sm_fleet_answer *a)
{
    struct sm_keyset before;
    struct sm_manifest_detail why = {0};
    size_t room = bytes->len + SM_KEYSET_OVERHEAD;
    void *work = malloc(room);
    int err = work ? 0 : SM_ERR_MEMORY;
    if (!err && latest->len)
        err = sm_keyset_read(&before, latest->bytes, latest->len, &why);
    if (!err)
        err = sm_keyset_accept(next, bytes->at, bytes->len, latest->len ? &before : NULL, work,
                               room, &why);
    free(work);
    if (err && latest->len)
        sm_fleet_refuse(a, 422, "keys: no device that has set %llu would take it: %s",
                        (unsigned long long)latest->version,
                        why.rule ? why.rule : sm_strerror(err));
    else if (err)
        sm_fleet_refuse(a, 422, "keys: no device would take it as its first set: %s",
                        why.rule ? why.rule : sm_strerror(err));
    return err == 0;
}

static void describe(const struct sm_bytes *bytes, const struct sm_keyset *set,
                     struct sm_fleet_keys *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->fleet, set->fleet, sizeof out->fleet);
    out->version = set->version;
    sm_fleet_sha256_text(*bytes, out->sha256);
    out->len = (uint32_t)bytes->len;
    memcpy(out->bytes, bytes->at, bytes->len);
}

static void reply(struct sm_fleet_answer *a, unsigned status, const struct sm_fleet_keys *k)
{
    sm_fleet_reply(a, status,
                   json_pack("{s:s, s:I, s:s, s:I}", "fleet", k->fleet, "version",
                             (json_int_t)k->version, "sha256", k->sha256, "size",
                             (json_int_t)k->len));
}

/* With the database's write lock held: two uploads of the same number do not both get in. */
static int add(struct sm_fleet *f, const struct sm_fleet_request *q, struct sm_keyset *set,
               struct sm_fleet_answer *a)
{
    struct sm_fleet_keys latest, row;
    int err = sm_fleet_db_keys(&f->db, set->fleet, set->version, &row);
    if (!err && row.len == q->module.len && memcmp(row.bytes, q->module.at, row.len) == 0) {
        reply(a, 200, &row);
        return 0;
    }
    if (err && err != SM_ERR_NOT_FOUND)
        return err;
    err = sm_fleet_db_keys(&f->db, set->fleet, 0, &latest);
    if (err && err != SM_ERR_NOT_FOUND)
        return err;
    if (!follows(&q->module, &latest, set, a))
        return SM_ERR_INVALID;
    describe(&q->module, set, &row);
    err = sm_fleet_db_keys_add(&f->db, &row, q->who, sm_time_now_ms());
    if (err)
        return err;
    reply(a, 201, &row);
    sm_log(SM_LOG_INFO, "%s uploaded key set %llu of fleet %s (%s)", q->who,
           (unsigned long long)row.version, row.fleet, row.sha256);
    return 0;
}

void sm_fleet_keys_upload(struct sm_fleet *f, const struct sm_fleet_request *q,
                          struct sm_fleet_answer *a)
{
    struct sm_keyset set;
    struct sm_manifest_detail why = {0};
    if (!q->module.at) {
        sm_fleet_refuse(a, 400, "keys: is missing");
        return;
    }
    int err = sm_keyset_read(&set, q->module.at, q->module.len, &why);
    if (err) {
        sm_fleet_refuse(a, 422, "keys: not a key set: %s, at byte %u",
                        why.rule ? why.rule : sm_strerror(err), why.offset);
        return;
    }
    err = sm_fleet_db_begin(&f->db);
    if (!err)
        err = sm_fleet_db_end(&f->db, add(f, q, &set, a));
    if (err && err != SM_ERR_INVALID)
        sm_fleet_fail(a, err);
}

void sm_fleet_keys_list(struct sm_fleet *f, const struct sm_fleet_request *q,
                        struct sm_fleet_answer *a)
{
    json_t *array = json_array();
    int err = sm_fleet_db_keys_list(&f->db, array);
    (void)q;
    if (!err) {
        sm_fleet_reply(a, 200, json_pack("{s:o}", "keys", array));
        return;
    }
    json_decref(array);
    sm_fleet_fail(a, err);
}

/* ---- Devices --------------------------------------------------------------------------------- */

/* GET .../keys/{fleet}/{version}. Key sets are no secret, and devices do not say of which fleet
 * they are: any device may have any. */
void sm_fleet_ddi_keys(struct sm_fleet *f, const struct sm_fleet_request *q,
                       struct sm_fleet_answer *a)
{
    struct sm_fleet_keys k;
    int err = q->route.action ? sm_fleet_db_keys(&f->db, q->route.file, q->route.action, &k)
                              : SM_ERR_NOT_FOUND;
    if (err == SM_ERR_NOT_FOUND)
        sm_fleet_refuse(a, 404, "no key set %llu of fleet %s", (unsigned long long)q->route.action,
                        q->route.file);
    else if (err)
        sm_fleet_fail(a, err);
    else
        sm_fleet_send_bytes(q, k.bytes, k.len, k.sha256, a);
}

/* GET .../current/{fleet}/{nonce}: made for each request, and its nonce says for which. */
void sm_fleet_ddi_current(struct sm_fleet *f, const struct sm_fleet_request *q,
                          struct sm_fleet_answer *a)
{
    struct sm_statement_plan p = {.issued_s = (uint64_t)sm_time_now_ms() / 1000};
    uint8_t bytes[SM_STATEMENT_MAX], sig[SM_KEYS_SIGNATURE_SIZE];
    char sha256[SM_FLEET_SHA_TEXT];
    struct sm_keys_why why;
    if (!f->cfg.states || !sm_name_valid(q->route.file)) {
        sm_fleet_refuse(a, 404, "this server states nothing of fleet %s", q->route.file);
        return;
    }
    if (strlen(q->route.nonce) != 2 * sizeof p.nonce ||
        sm_hex_decode(q->route.nonce, p.nonce, sizeof p.nonce) < 0) {
        sm_fleet_refuse(a, 400, "the nonce must be 16 bytes in lower case hex");
        return;
    }
    p.answers = true;
    strcpy(p.fleet, q->route.file);
    p.expires_s = p.issued_s + f->cfg.statement_seconds;
    int err = sm_fleet_db_current(&f->db, q->who, p.fleet, &p);
    if (err == SM_ERR_NOT_FOUND) {
        sm_fleet_refuse(a, 404, "device %s has nothing of fleet %s", q->who, p.fleet);
        return;
    }
    int n = err ? err : sm_statement_to_sign(&p, bytes, sizeof bytes);
    if (n > 0)
        n = sm_keys_sign(&f->cfg.statement_key, bytes, (size_t)n, sig, &why);
    if (n == 0)
        n = sm_statement_encode(&p, sig, bytes, sizeof bytes);
    if (n <= 0) {
        sm_fleet_fail(a, n);
        return;
    }
    sm_fleet_sha256_text((struct sm_bytes){bytes, (size_t)n}, sha256);
    sm_fleet_send_bytes(q, bytes, (size_t)n, sha256, a);
}

/* ---- The server's own checks ----------------------------------------------------------------- */

/* Whom the server believes in one fleet. A vendor's scope stands in the set. */
struct believed {
    struct sm_trust trust;
    struct sm_trust_key store[STORE_MAX];
    struct sm_fleet_keys keys;
    struct sm_keyset set;
};

static int believe(struct sm_fleet *f, const char *fleet, struct believed *b)
{
    const struct sm_trust_key *k;
    struct sm_manifest_detail why;
    int err = sm_fleet_db_keys(&f->db, fleet, 0, &b->keys);
    sm_trust_init(&b->trust, b->store, STORE_MAX);
    if (!err) {
        err = sm_keyset_read(&b->set, b->keys.bytes, b->keys.len, &why);
        return err ? err : sm_keyset_trust(&b->set, (uint64_t)sm_time_now_ms() / 1000, &b->trust);
    }
    if (err != SM_ERR_NOT_FOUND)
        return err;
    for (uint32_t i = 0; (k = sm_trust_at(&f->cfg.trust, i)) != NULL; i++)
        if (strcmp(k->fleet, fleet) == 0)
            (void)sm_trust_add(&b->trust, (enum sm_role)k->role, k->fleet, k->key);
    return 0;
}

/* {"<fleet>": ..} of all that have a key set or stand in the configuration; NULL on an error. */
static json_t *known_fleets(struct sm_fleet *f, int *err)
{
    const struct sm_trust_key *k;
    json_t *fleets = json_object();
    *err = fleets ? sm_fleet_db_keys_latest(&f->db, fleets) : SM_ERR_MEMORY;
    for (uint32_t i = 0; !*err && (k = sm_trust_at(&f->cfg.trust, i)) != NULL; i++)
        if (json_object_set_new(fleets, k->fleet, json_true()) < 0)
            *err = SM_ERR_MEMORY;
    if (!*err)
        return fleets;
    json_decref(fleets);
    return NULL;
}

/* What is signed does not say of which fleet it is before it is believed: so each is asked, and a
 * key that is known but may not sign this tells more than one that nobody knows. */
static int verify_in_any(struct sm_fleet *f, const json_t *fleets, struct believed *b,
                         const struct sm_fleet_request *q, struct sm_manifest *m,
                         struct sm_manifest_detail *why, int *verdict)
{
    struct sm_manifest_detail detail;
    const char *fleet;
    json_t *ignored;
    *verdict = SM_ERR_SIGNATURE;
    json_object_foreach((json_t *)fleets, fleet, ignored)
    {
        int err = believe(f, fleet, b);
        if (err)
            return err;
        err = sm_trust_verify_module(&b->trust, q->module.at, q->module.len, q->signature.at,
                                     q->signature.len, m, &detail);
        if (err == SM_ERR_SIGNATURE)
            continue;
        *why = detail;
        *verdict = err;
        if (!err)
            break;
    }
    return 0;
}

int sm_fleet_verify_module(struct sm_fleet *f, const struct sm_fleet_request *q,
                           struct sm_manifest *m, struct sm_manifest_detail *why, int *verdict)
{
    int err;
    struct believed *b = malloc(sizeof *b);
    json_t *fleets = known_fleets(f, &err);
    if (!err)
        err = b ? verify_in_any(f, fleets, b, q, m, why, verdict) : SM_ERR_MEMORY;
    json_decref(fleets);
    free(b);
    return err;
}

int sm_fleet_verify_native(struct sm_fleet *f, struct sm_bytes signature, const char *fleet,
                           struct sm_native_claim *claim, struct sm_manifest_detail *why,
                           int *verdict)
{
    struct believed *b = malloc(sizeof *b);
    int err = b ? believe(f, fleet, b) : SM_ERR_MEMORY;
    if (!err)
        *verdict =
            sm_trust_verify_native(&b->trust, signature.at, signature.len, fleet, claim, why);
    free(b);
    return err;
}

int sm_fleet_revoked(struct sm_fleet *f, const char *fleet, struct sm_bytes module, bool *revoked)
{
    struct sm_fleet_keys k;
    struct sm_keyset set;
    struct sm_manifest_detail why;
    uint8_t sha[SM_SHA256_SIZE];
    int err = sm_fleet_db_keys(&f->db, fleet, 0, &k);
    *revoked = false;
    if (err)
        return err == SM_ERR_NOT_FOUND ? 0 : err;
    err = sm_keyset_read(&set, k.bytes, k.len, &why);
    sm_sha256(module.at, module.len, sha);
    *revoked = !err && sm_keyset_revoked(&set, SM_REVOKED_MODULE, sha, NULL);
    return err;
}
