/* Native images that operators upload: a claim beside each (doc/SPEC-claim.md).
 *
 * The claim is looked at before it is believed only to find the module that it names, whose fleet
 * says which builders may sign it. The image's bytes are compared with the claim's hash and not
 * looked at.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <posix/log.h>

#include "server.h"

static bool refuse_claim(struct sm_fleet_answer *a, int err, const struct sm_manifest_detail *d)
{
    if (err == SM_ERR_SIGNATURE)
        sm_fleet_refuse(a, 422, "signature: no builder that this server knows made it");
    else if (err == SM_ERR_KEY)
        sm_fleet_refuse(a, 422, "signature: %s", d->rule);
    else if (err == SM_ERR_UNSUPPORTED)
        sm_fleet_refuse(a, 422, "signature: a claim of format %llu, from the future",
                        (unsigned long long)d->value);
    else
        sm_fleet_refuse(a, 422, "signature: not a claim about a native image: %s, at byte %u",
                        d->rule ? d->rule : sm_strerror(err), d->offset);
    return false;
}

/* The module that the claim names; or the answer says why there is none. */
static bool find_module(struct sm_fleet *f, const struct sm_native_claim *claim,
                        struct sm_fleet_module *module, struct sm_fleet_answer *a)
{
    char sha256[SM_FLEET_SHA_TEXT];
    sm_hex_encode(claim->module_sha, SM_SHA256_SIZE, sha256);
    int err = sm_fleet_db_module(&f->db, sha256, module);
    if (err == SM_ERR_NOT_FOUND)
        sm_fleet_refuse(a, 422, "signature: is about module %s, which is not here", sha256);
    else if (err)
        sm_fleet_fail(a, err);
    return err == 0;
}

/* The claim is a builder's, and the image is the one it names; or the answer says why not. */
static bool verify(struct sm_fleet *f, const struct sm_fleet_request *q,
                   struct sm_native_claim *claim, struct sm_fleet_module *module,
                   struct sm_fleet_answer *a)
{
    struct sm_manifest_detail why = {0};
    if (!q->module.at || !q->signature.at) {
        sm_fleet_refuse(a, 400, "%s: is missing", q->module.at ? "signature" : "image");
        return false;
    }
    int err = sm_claim_read(claim, q->signature.at, q->signature.len, &why);
    if (err)
        return refuse_claim(a, err, &why);
    if (!find_module(f, claim, module, a))
        return false;
    int verdict;
    err = sm_fleet_verify_native(f, q->signature, module->fleet, claim, &why, &verdict);
    if (err) {
        sm_fleet_fail(a, err);
        return false;
    }
    if (verdict)
        return refuse_claim(a, verdict, &why);
    err = sm_claim_check(claim, claim->module_sha, q->module.at, q->module.len);
    if (err)
        sm_fleet_refuse(a, 422, "image: is not the one that its signature is about");
    return err == 0;
}

void sm_fleet_native_upload(struct sm_fleet *f, const struct sm_fleet_request *q,
                            struct sm_fleet_answer *a)
{
    struct sm_native_claim claim;
    struct sm_fleet_module module;
    struct sm_fleet_native n = {0};
    bool created;
    if (!verify(f, q, &claim, &module, a))
        return;
    sm_fleet_sha256_text(q->module, n.sha256);
    sm_fleet_sha1_text(q->module, n.sha1);
    sm_fleet_sha256_text(q->signature, n.sig_sha256);
    sm_fleet_sha1_text(q->signature, n.sig_sha1);
    memcpy(n.module, module.sha256, sizeof n.module);
    memcpy(n.claim, q->signature.at, q->signature.len); /* a claim that verified fits */
    n.claim_len = (uint32_t)q->signature.len;
    n.target = claim.target;
    n.size = q->module.len;
    int err = sm_fleet_artifact_store(f, n.sha256, q->module);
    if (!err)
        err = sm_fleet_db_native_add(&f->db, &n, q->who, sm_time_now_ms(), &created);
    if (err) {
        sm_fleet_fail(a, err);
        return;
    }
    sm_fleet_reply(a, created ? 201 : 200,
                   json_pack("{s:s, s:I, s:s, s:I, s:s, s:s}", "sha256", n.sha256, "size",
                             (json_int_t)n.size, "module", n.module, "target", (json_int_t)n.target,
                             "name", module.name, "version", module.version));
    if (created)
        sm_log(SM_LOG_INFO, "%s uploaded a native image of %s %s (target %u, %zu bytes, %s)",
               q->who, module.name, module.version, (unsigned)n.target, q->module.len, n.sha256);
}

void sm_fleet_natives(struct sm_fleet *f, const struct sm_fleet_request *q,
                      struct sm_fleet_answer *a)
{
    (void)q;
    json_t *array = json_array();
    int err = sm_fleet_db_natives(&f->db, array);
    if (!err) {
        sm_fleet_reply(a, 200, json_pack("{s:o}", "natives", array));
        return;
    }
    json_decref(array);
    sm_fleet_fail(a, err);
}
