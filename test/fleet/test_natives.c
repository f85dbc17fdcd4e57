/* Native images on the server: who may bring them, and which devices see them. The images here are
 * any bytes: the server compares them with their claim and does not look at them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <curl/curl.h>
#include <posix/json_read.h>
#include <sandmote/claim.h>

#include "fleet_fixture.h"

#define BASE "/default/controller/v1/dev-1"

static struct fleet_fixture fx;
static struct module module_;

struct native {
    uint8_t image[1000], claim[SM_CLAIM_MAX];
    size_t claim_len;
    struct sm_native_claim says;
    char sha256[65];
};

/* A server that knows a module, and a device that is to run it. */
static int start(void **state)
{
    (void)state;
    fleet_setup(&fx);
    module_make(&fx, &module_, "thermostat", "1.2.0", 3, 100);
    struct reply r = module_upload(&fx, &module_, 201);
    reply_free(&r);
    fleet_enrol(&fx, "dev-1", "stable");
    return 0;
}

static int finish(void **state)
{
    (void)state;
    fleet_teardown(&fx);
    return 0;
}

static void sign(struct native *n, const struct sm_keys_private *key)
{
    uint8_t text[SM_CLAIM_MAX], sig[64];
    struct sm_keys_why why;
    int len = sm_claim_to_sign(&n->says, text, sizeof text);
    assert_true(len > 0);
    assert_int_equal(sm_keys_sign(key, text, (size_t)len, sig, &why), 0);
    n->claim_len = (size_t)sm_claim_encode(&n->says, sig, n->claim, sizeof n->claim);
}

static struct native make(const struct module *m, uint32_t target, uint8_t seed)
{
    struct native n = {.says = {.image_len = sizeof n.image, .target = target}};
    for (size_t i = 0; i < sizeof n.image; i++)
        n.image[i] = (uint8_t)(seed + i);
    sm_sha256(m->wasm, m->len, n.says.module_sha);
    sm_sha256(n.image, sizeof n.image, n.says.image_sha);
    sm_hex_encode(n.says.image_sha, 32, n.sha256);
    sign(&n, &fx.builder);
    return n;
}

static struct reply upload(const struct native *n, long status)
{
    struct reply r = fleet_call(&fx, &(struct call){.method = "POST",
                                                    .path = "/api/v1/natives",
                                                    .as = AS_OPERATOR,
                                                    .part = "image",
                                                    .module = n->image,
                                                    .module_len = sizeof n->image,
                                                    .sig = n->claim,
                                                    .sig_len = n->claim_len});
    if (r.status != status)
        fail_msg("%ld instead of %ld: %s", r.status, status, r.body ? r.body : "");
    return r;
}

static void bring(const struct native *n)
{
    struct reply r = upload(n, 201);
    reply_free(&r);
}

static void refused(const struct native *n, const char *why)
{
    struct reply r = upload(n, 422);
    assert_error(&r, why);
    reply_free(&r);
}

/* ---- Uploads --------------------------------------------------------------------------------- */

static void a_native_image_of_a_known_module_is_taken(void **state)
{
    struct native n = make(&module_, 1, 0);
    (void)state;
    struct reply r = upload(&n, 201);
    assert_json_text(r.json, "sha256", n.sha256);
    assert_json_text(r.json, "module", module_.sha256);
    assert_json_text(r.json, "name", "thermostat");
    reply_free(&r);
    r = upload(&n, 200);
    reply_free(&r);
    r = get_as(&fx, AS_OPERATOR, "/api/v1/natives", 200);
    assert_int_equal(json_array_size(json_at(r.json, "natives")), 1);
    assert_json_text(r.json, "natives.0.sha256", n.sha256);
    assert_json_text(r.json, "natives.0.uploaded_by", "operator1");
    reply_free(&r);
}

static void what_no_builder_signed_is_refused(void **state)
{
    struct native good = make(&module_, 1, 0), n = good;
    (void)state;
    sign(&n, &fx.stranger);
    refused(&n, "no builder that this server knows");
    sign(&n, &fx.signer);
    refused(&n, "has a role that signs no native images");
    n = good;
    n.claim[n.claim_len - 1] ^= 1;
    refused(&n, "no builder that this server knows");
    n = good;
    n.claim_len--;
    refused(&n, "not a claim about a native image");
    n = good;
    memcpy(n.claim, module_.sig, 64);
    n.claim_len = 64;
    refused(&n, "not a claim about a native image");
    struct reply r = get_as(&fx, AS_OPERATOR, "/api/v1/natives", 200);
    assert_int_equal(json_array_size(json_at(r.json, "natives")), 0);
    reply_free(&r);
}

static void a_builder_uploads_no_module(void **state)
{
    struct module m;
    (void)state;
    module_make(&fx, &m, "thermostat", "1.3.0", 4, 100);
    module_sign(&fx.builder, &m);
    struct reply r = module_upload(&fx, &m, 422);
    assert_error(&r,
                 "its key may not sign it: the key that signed has a role that signs no modules");
    reply_free(&r);
}

static void an_image_that_is_not_the_claimed_one_is_refused(void **state)
{
    struct native n = make(&module_, 1, 0);
    (void)state;
    n.image[999] ^= 1;
    refused(&n, "image: is not the one that its signature is about");
}

static void a_native_image_of_an_unknown_module_is_refused(void **state)
{
    struct module m;
    (void)state;
    module_make(&fx, &m, "thermostat", "1.3.0", 4, 100);
    struct native n = make(&m, 1, 0);
    refused(&n, "which is not here");
}

static void both_parts_must_be_there_under_their_names(void **state)
{
    struct native n = make(&module_, 1, 0);
    struct call call = {.method = "POST",
                        .path = "/api/v1/natives",
                        .as = AS_OPERATOR,
                        .part = "image",
                        .module = n.image,
                        .module_len = sizeof n.image};
    (void)state;
    struct reply r = fleet_call(&fx, &call);
    assert_int_equal(r.status, 400);
    assert_error(&r, "signature: is missing");
    reply_free(&r);
    call.part = "module";
    r = fleet_call(&fx, &call);
    assert_int_equal(r.status, 400);
    assert_error(&r, "there are image and signature");
    reply_free(&r);
}

/* ---- What devices see ------------------------------------------------------------------------ */

/* The deployment that dev-1 is to run. */
static struct reply deployment(void)
{
    struct reply base = get_as(&fx, AS_DEVICE, BASE, 200);
    struct reply r =
        get_as(&fx, AS_DEVICE, fleet_href(&fx, base.json, "_links.deploymentBase.href"), 200);
    reply_free(&base);
    return r;
}

static void expect_file(const json_t *json, const char *path, const void *bytes, size_t len)
{
    struct reply r = get_as(&fx, AS_DEVICE, fleet_href(&fx, json, path), 200);
    assert_int_equal(r.len, len);
    assert_memory_equal(r.body, bytes, len);
    reply_free(&r);
}

#define ARTIFACTS "deployment.chunks.0.artifacts"

static void a_deployment_offers_native_images_behind_the_module(void **state)
{
    struct native second = make(&module_, 3, 7), first = make(&module_, 1, 0);
    (void)state;
    bring(&second);
    bring(&first);
    fleet_assign(&fx, "stable", &module_, NULL);
    struct reply r = deployment();
    assert_int_equal(json_array_size(json_at(r.json, ARTIFACTS)), 6);
    assert_json_text(r.json, ARTIFACTS ".0.filename", "thermostat.wasm");
    assert_json_text(r.json, ARTIFACTS ".2.filename", "thermostat.1.native");
    assert_json_text(r.json, ARTIFACTS ".2.hashes.sha256", first.sha256);
    assert_json_text(r.json, ARTIFACTS ".3.filename", "thermostat.1.native.sig");
    assert_json_text(r.json, ARTIFACTS ".4.filename", "thermostat.3.native");
    assert_json_text(r.json, ARTIFACTS ".5.filename", "thermostat.3.native.sig");
    expect_file(r.json, ARTIFACTS ".2._links.download.href", first.image, sizeof first.image);
    expect_file(r.json, ARTIFACTS ".3._links.download.href", first.claim, first.claim_len);
    expect_file(r.json, ARTIFACTS ".4._links.download.href", second.image, sizeof second.image);
    reply_free(&r);
}

static void the_latest_native_image_of_a_target_is_offered(void **state)
{
    struct native old = make(&module_, 1, 0), new = make(&module_, 1, 9);
    (void)state;
    bring(&old);
    bring(&new);
    fleet_assign(&fx, "stable", &module_, NULL);
    struct reply r = deployment();
    assert_int_equal(json_array_size(json_at(r.json, ARTIFACTS)), 4);
    assert_json_text(r.json, ARTIFACTS ".2.hashes.sha256", new.sha256);
    reply_free(&r);
    char path[256];
    snprintf(path, sizeof path, BASE "/artifacts/%s/thermostat.1.native", old.sha256);
    r = get_as(&fx, AS_DEVICE, path, 404);
    reply_free(&r);
}

static void a_device_sees_native_images_of_its_own_modules_only(void **state)
{
    struct native n = make(&module_, 1, 0);
    char path[256];
    (void)state;
    bring(&n);
    snprintf(path, sizeof path, BASE "/artifacts/%s/thermostat.1.native", n.sha256);
    struct reply r = get_as(&fx, AS_DEVICE, path, 404);
    reply_free(&r);
    fleet_assign(&fx, "stable", &module_, NULL);
    r = get_as(&fx, AS_DEVICE, path, 200);
    reply_free(&r);
    snprintf(path, sizeof path, BASE "/artifacts/%s/thermostat.2.native", n.sha256);
    r = get_as(&fx, AS_DEVICE, path, 404);
    reply_free(&r);
}

static void operators_bring_them_without_curl(void **state)
{
    struct native n = make(&module_, 1, 0);
    (void)state;
    fleet_write(&fx, "n.native", n.image, sizeof n.image);
    fleet_write(&fx, "n.native.sig", n.claim, n.claim_len);
    static const char *const commands[] = {"upload-native $DIR/n.native", "natives"};
    for (int i = 0; i < 2; i++) {
        char line[256];
        snprintf(line, sizeof line,
                 "$FLEET %s --server $URL --ca $DIR/ca.pem --token-file $DIR/token", commands[i]);
        int code = fleet_shell(&fx, line);
        char *out = fleet_file(&fx, "out");
        if (code != 0 || !strstr(out, "native for target 1 "))
            fail_msg("%s: exit %d, %s", commands[i], code, out);
        free(out);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, finish)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(a_native_image_of_a_known_module_is_taken),
        CASE(what_no_builder_signed_is_refused),
        CASE(a_builder_uploads_no_module),
        CASE(an_image_that_is_not_the_claimed_one_is_refused),
        CASE(a_native_image_of_an_unknown_module_is_refused),
        CASE(both_parts_must_be_there_under_their_names),
        CASE(a_deployment_offers_native_images_behind_the_module),
        CASE(the_latest_native_image_of_a_target_is_offered),
        CASE(a_device_sees_native_images_of_its_own_modules_only),
        CASE(operators_bring_them_without_curl),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    return cmocka_run_group_tests_name("native images on the server", tests, NULL, NULL);
}
