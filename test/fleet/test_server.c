/* The fleet server as operators, devices and strangers meet it: over TLS 1.3 on loopback.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <curl/curl.h>
#include <sqlite3.h>

#include "fleet_fixture.h"

#define BASE "/default/controller/v1/dev-1"

static struct fleet_fixture fx;

/* ---- Helpers --------------------------------------------------------------------------------- */

static int start(void **state)
{
    (void)state;
    fleet_setup(&fx);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    fleet_teardown(&fx);
    return 0;
}

static void upload(const struct module *m)
{
    struct reply r = module_upload(&fx, m, 201);
    reply_free(&r);
}

/* The open action of dev-1, or 0. */
static int open_action(void)
{
    struct reply r = get_as(&fx, AS_DEVICE, BASE, 200);
    const json_t *link = json_at(r.json, "_links.deploymentBase");
    int action =
        link ? atoi(strrchr(fleet_href(&fx, r.json, "_links.deploymentBase.href"), '/') + 1) : 0;
    reply_free(&r);
    return action;
}

static struct reply feedback(int action, const char *execution, const char *finished, long status)
{
    char path[128], body[256];
    snprintf(path, sizeof path, BASE "/deploymentBase/%d/feedback", action);
    snprintf(body, sizeof body,
             "{\"id\":\"%d\",\"time\":\"20261121T000000\",\"status\":{\"execution\":\"%s\","
             "\"result\":{\"finished\":\"%s\"},\"details\":[\"one\",\"two\"]}}",
             action, execution, finished);
    return send_as(&fx, AS_DEVICE, "POST", path, body, status);
}

/* ---- Transport and tokens -------------------------------------------------------------------- */

static void tls_below_1_3_is_refused(void **state)
{
    (void)state;
    struct call call = {.method = "GET", .path = "/api/v1/modules", .as = AS_OPERATOR};
    call.tls = CURL_SSLVERSION_TLSv1_2 | CURL_SSLVERSION_MAX_TLSv1_2;
    struct reply r = fleet_call(&fx, &call);
    assert_int_equal(r.status, 0);
    reply_free(&r);
    call.tls = CURL_SSLVERSION_TLSv1_3;
    r = fleet_call(&fx, &call);
    assert_int_equal(r.status, 200);
    reply_free(&r);
}

static void a_wrong_or_missing_token_opens_nothing(void **state)
{
    (void)state;
    static const struct call calls[] = {
        {.method = "GET", .path = "/api/v1/modules"},
        {.method = "GET", .path = "/api/v1/modules", .as = AS_OPERATOR, .token = "x"},
        {.method = "GET", .path = "/api/v1/modules", .as = AS_OPERATOR, .token = ""},
        {.method = "GET", .path = "/api/v1/modules", .as = AS_DEVICE},
        {.method = "PUT", .path = "/api/v1/channels/a", .as = NOBODY, .body = "{}"},
        {.method = "GET", .path = BASE},
        {.method = "GET", .path = BASE, .as = AS_DEVICE, .token = "device-token-of-the-testS"},
        {.method = "GET", .path = BASE, .as = AS_OPERATOR},
        {.method = "GET", .path = BASE, .as = AS_OPERATOR, .token = DEVICE_TOKEN},
        {.method = "GET", .path = "/default/controller/v1/nobody", .as = AS_DEVICE},
    };
    fleet_enrol(&fx, "dev-1", "stable");
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        struct reply r = fleet_call(&fx, &calls[i]);
        if (r.status != 401)
            fail_msg("call %zu: %ld", i, r.status);
        assert_non_null(strstr(r.headers, "WWW-Authenticate: "));
        reply_free(&r);
    }
    struct reply r = get_as(&fx, AS_DEVICE, BASE, 200);
    reply_free(&r);
}

static void unknown_resources_and_methods_are_named(void **state)
{
    (void)state;
    struct reply r = get_as(&fx, AS_OPERATOR, "/api/v1/nothing", 404);
    reply_free(&r);
    r = get_as(&fx, AS_OPERATOR, "/api/v1/devices/nobody", 404);
    assert_error(&r, "nobody");
    reply_free(&r);
    r = get_as(&fx, AS_OPERATOR, "/api/v1/channels/none", 404);
    assert_error(&r, "none");
    reply_free(&r);
    r = send_as(&fx, AS_OPERATOR, "DELETE", "/api/v1/modules", NULL, 405);
    assert_error(&r, "DELETE");
    reply_free(&r);
    r = get_as(&fx, AS_DEVICE, "/other-tenant/controller/v1/dev-1", 404);
    reply_free(&r);
    r = get_as(&fx, AS_OPERATOR, "/api/v1/events?limit=0", 400);
    assert_error(&r, "limit");
    reply_free(&r);
    r = get_as(&fx, AS_OPERATOR, "/api/v1/events?after=-1", 400);
    assert_error(&r, "after");
    reply_free(&r);
}

/* ---- Upload ---------------------------------------------------------------------------------- */

static void an_uploaded_module_shows_its_manifest(void **state)
{
    (void)state;
    struct module m;
    module_make(&fx, &m, "thermostat", "1.2.0", 3, 100);
    upload(&m);
    struct reply r = module_upload(&fx, &m, 200); /* again: nothing new */
    reply_free(&r);
    r = get_as(&fx, AS_OPERATOR, "/api/v1/modules", 200);
    assert_int_equal(json_array_size(json_at(r.json, "modules")), 1);
    assert_json_text(r.json, "modules.0.sha256", m.sha256);
    assert_json_text(r.json, "modules.0.name", "thermostat");
    assert_json_text(r.json, "modules.0.version", "1.2.0");
    assert_json_text(r.json, "modules.0.fleet", "plant-7");
    assert_json_text(r.json, "modules.0.classes.0", "mcu");
    assert_json_text(r.json, "modules.0.classes.1", "edge");
    assert_json_text(r.json, "modules.0.uploaded_by", "operator1");
    assert_int_equal(json_integer_value(json_at(r.json, "modules.0.sequence")), 3);
    assert_int_equal(json_integer_value(json_at(r.json, "modules.0.size")), m.len);
    assert_int_equal(json_integer_value(json_at(r.json, "modules.0.health.good_ticks")), 3);
    reply_free(&r);
}

static void expect_refused(const struct module *m, size_t len, size_t sig_len, long status,
                           const char *part)
{
    struct call call = {.method = "POST",
                        .path = "/api/v1/modules",
                        .as = AS_OPERATOR,
                        .module = m->wasm,
                        .module_len = len,
                        .sig = sig_len == SIZE_MAX ? NULL : m->sig,
                        .sig_len = sig_len};
    struct reply r = fleet_call(&fx, &call);
    if (r.status != status)
        fail_msg("%ld instead of %ld: %s", r.status, status, r.body ? r.body : "");
    assert_error(&r, part);
    reply_free(&r);
}

static void what_no_known_signer_signed_is_refused(void **state)
{
    (void)state;
    struct module m;
    module_make(&fx, &m, "thermostat", "1.2.0", 3, 100);
    expect_refused(&m, m.len, SIZE_MAX, 400, "signature: is missing");
    expect_refused(&m, m.len, 63, 422, "has 63");
    expect_refused(&m, m.len - 1, 64, 422, "signature");
    for (size_t i = 0; i < m.len; i += 7) {
        m.wasm[i] ^= 1;
        expect_refused(&m, m.len, 64, 422, "signature");
        m.wasm[i] ^= 1;
    }
    m.sig[40] ^= 1;
    expect_refused(&m, m.len, 64, 422, "signature");
    module_sign(&fx.stranger, &m);
    expect_refused(&m, m.len, 64, 422, "signature");
    struct reply r = get_as(&fx, AS_OPERATOR, "/api/v1/modules", 200);
    assert_int_equal(json_array_size(json_at(r.json, "modules")), 0);
    reply_free(&r);
}

/* Signs a file with a known key whose manifest says something else than the key may sign. */
static void a_signers_word_counts_for_its_own_fleet_only(void **state)
{
    (void)state;
    struct module m;
    module_make(&fx, &m, "thermostat", "1.2.0", 3, 0);
    strcpy(m.m.fleet, "plant-8");
    uint8_t raw[8] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    struct sm_manifest_detail d;
    m.len = (size_t)sm_manifest_pack(&m.m, raw, sizeof raw, m.wasm, sizeof m.wasm, &d);
    module_sign(&fx.signer, &m);
    expect_refused(&m, m.len, 64, 422, "fleet");
    memcpy(m.wasm, raw, sizeof raw);
    m.len = sizeof raw;
    module_sign(&fx.signer, &m);
    expect_refused(&m, m.len, 64, 422, "manifest");
}

static void a_sequence_number_belongs_to_one_module(void **state)
{
    (void)state;
    struct module a, b;
    module_make(&fx, &a, "thermostat", "1.2.0", 3, 10);
    module_make(&fx, &b, "thermostat", "1.2.1", 3, 20);
    upload(&a);
    struct reply r = module_upload(&fx, &b, 409);
    assert_error(&r, a.sha256);
    reply_free(&r);
    module_make(&fx, &b, "heater", "1.2.1", 3, 20);
    upload(&b);
}

static void bodies_above_their_limit_are_refused(void **state)
{
    (void)state;
    static char big[3 << 20];
    struct module m;
    module_make(&fx, &m, "thermostat", "1.2.0", 3, 0);
    memset(big, ' ', sizeof big - 1);
    struct call call = {.method = "POST",
                        .path = "/api/v1/modules",
                        .as = AS_OPERATOR,
                        .module = big,
                        .sig = m.sig,
                        .sig_len = 64};
    /* Just above the module's limit, above the limit of the whole body, and unannounced. */
    call.module_len = MAX_MODULE_BYTES + 1;
    struct reply r = fleet_call(&fx, &call);
    assert_int_equal(r.status, 413);
    assert_error(&r, "65536");
    reply_free(&r);
    call.module_len = 400000;
    r = fleet_call(&fx, &call);
    assert_int_equal(r.status, 413);
    reply_free(&r);
    call.chunked = true;
    r = fleet_call(&fx, &call);
    assert_int_equal(r.status, 413);
    reply_free(&r);
    call.module_len = sizeof big; /* more than the server reads away: it may cut the line */
    r = fleet_call(&fx, &call);
    assert_true(r.status == 413 || r.status == 0);
    reply_free(&r);
    struct call json = {.method = "PUT", .path = "/api/v1/channels/a", .as = AS_OPERATOR};
    big[300000] = 0;
    json.body = big;
    r = fleet_call(&fx, &json);
    assert_int_equal(r.status, 413);
    reply_free(&r);
    json.chunked = true;
    r = fleet_call(&fx, &json);
    assert_int_equal(r.status, 413);
    reply_free(&r);
    r = get_as(&fx, AS_OPERATOR, "/api/v1/modules", 200); /* and the server is well */
    assert_int_equal(json_array_size(json_at(r.json, "modules")), 0);
    reply_free(&r);
}

static void an_upload_that_is_no_multipart_is_refused(void **state)
{
    (void)state;
    struct reply r = send_as(&fx, AS_OPERATOR, "POST", "/api/v1/modules", "{}", 415);
    assert_error(&r, "multipart");
    reply_free(&r);
}

/* ---- Bodies ---------------------------------------------------------------------------------- */

static void bad_json_is_answered_with_what_is_wrong(void **state)
{
    (void)state;
#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    static const struct {
        enum as as;
        const char *method, *path, *body, *part;
    } cases[] = {
        {AS_OPERATOR, "PUT", "/api/v1/channels/a", "", "not JSON"},
        {AS_OPERATOR, "PUT", "/api/v1/channels/a", "{\"modules\":", "not JSON: line 1"},
        {AS_OPERATOR, "PUT", "/api/v1/channels/a", "[]", "object"},
        {AS_OPERATOR, "PUT", "/api/v1/channels/a", "{}", "modules: is missing"},
        {AS_OPERATOR, "PUT", "/api/v1/channels/a", "{\"modules\":[]}", "modules: must have 1"},
        {AS_OPERATOR, "PUT", "/api/v1/channels/a", "{\"modules\":[1]}", "modules[0]"},
        {AS_OPERATOR, "PUT", "/api/v1/channels/a", "{\"modules\":[\"" SHA "\",\"" SHA "\"]}",
         "modules[1]: is the same"},
        {AS_OPERATOR, "PUT", "/api/v1/channels/a", "{\"modules\":[\"" SHA "\"],\"colour\":1}",
         "colour: unknown key"},
        {AS_OPERATOR, "PUT", "/api/v1/devices/d", "{\"token\":\"short\"}", "token: must have 16"},
        {AS_OPERATOR, "PUT", "/api/v1/devices/d", "{\"channel\":\"a b\"}", "channel: letters"},
        {AS_OPERATOR, "PUT", "/api/v1/devices/d", "{}", "channel or token"},
        {AS_OPERATOR, "PUT", "/api/v1/devices/d", "{\"channel\":7}", "channel: must be a text"},
        {AS_DEVICE, "POST", BASE "/events", "{}", "array"},
        {AS_DEVICE, "POST", BASE "/events", "[{}]", "[0].id: is missing"},
        {AS_DEVICE, "POST", BASE "/events", "[{\"id\":1,\"event\":\"trap\"}]", "[0].event"},
        {AS_DEVICE, "POST", BASE "/events", "[{\"id\":-1,\"event\":\"TRAP\"}]", "[0].id"},
        {AS_DEVICE, "POST", BASE "/events", "[{\"id\":1,\"event\":\"TRAP\",\"sha256\":\"x\"}]",
         "[0].sha256"},
        {AS_DEVICE, "POST", BASE "/events", "[{\"id\":1,\"event\":\"TRAP\",\"detail\":\"a\\nb\"}]",
         "[0].detail"},
        {AS_DEVICE, "PUT", BASE "/configData", "{\"data\":{\"a\":1}}", "data.a: must be a text"},
        {AS_DEVICE, "PUT", BASE "/configData", "{\"mode\":\"x\",\"data\":{}}", "mode: must be"},
        {AS_DEVICE, "PUT", BASE "/configData", "{\"data\":{\"module.x\":\"1 2\"}}",
         "data.module.x"},
        {AS_DEVICE, "POST", BASE "/deploymentBase/1/feedback", "{\"status\":{}}",
         "status.execution: is missing"},
        {AS_DEVICE, "POST", BASE "/deploymentBase/1/feedback",
         "{\"status\":{\"execution\":\"closed\",\"result\":{\"finished\":\"maybe\"}}}",
         "status.result.finished"},
    };
    fleet_enrol(&fx, "dev-1", "stable");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reply r =
            send_as(&fx, cases[i].as, cases[i].method, cases[i].path, cases[i].body, 400);
        assert_error(&r, cases[i].part);
        reply_free(&r);
    }
}

/* ---- Assignments ----------------------------------------------------------------------------- */

static void an_assignment_makes_one_action_a_device(void **state)
{
    (void)state;
    struct module a, b;
    module_make(&fx, &a, "thermostat", "1.0.0", 1, 0);
    module_make(&fx, &b, "thermostat", "2.0.0", 2, 0);
    upload(&a);
    upload(&b);
    fleet_enrol(&fx, "dev-1", "stable");
    fleet_enrol(&fx, "dev-2", "stable");
    fleet_enrol(&fx, "dev-3", "canary");
    assert_int_equal(open_action(), 0);
    assert_int_equal(fleet_assign(&fx, "stable", &a, NULL), 2);
    int first = open_action();
    assert_int_not_equal(first, 0);
    assert_int_equal(fleet_assign(&fx, "stable", &b, NULL), 2); /* newer: the first is superseded */
    int second = open_action();
    assert_true(second > first);
    struct reply r = feedback(first, "closed", "success", 410);
    reply_free(&r);
    char path[128];
    snprintf(path, sizeof path, BASE "/deploymentBase/%d", first);
    r = get_as(&fx, AS_DEVICE, path, 404);
    reply_free(&r);
    r = get_as(&fx, AS_OPERATOR, "/api/v1/devices/dev-1", 200);
    assert_json_text(r.json, "actions.0.state", "pending");
    assert_json_text(r.json, "actions.0.modules.0.version", "2.0.0");
    assert_json_text(r.json, "actions.1.state", "superseded");
    reply_free(&r);
    r = get_as(&fx, AS_OPERATOR, "/api/v1/devices/dev-3", 200);
    assert_int_equal(json_array_size(json_at(r.json, "actions")), 0);
    reply_free(&r);
}

static void a_device_that_comes_to_a_channel_gets_its_modules(void **state)
{
    (void)state;
    struct module a, b;
    module_make(&fx, &a, "thermostat", "1.0.0", 1, 0);
    module_make(&fx, &b, "heater", "1.0.0", 1, 0);
    upload(&a);
    upload(&b);
    assert_int_equal(fleet_assign(&fx, "stable", &a, &b), 0);
    fleet_enrol(&fx, "dev-1", "stable");
    int action = open_action();
    assert_int_not_equal(action, 0);
    struct reply r = send_as(&fx, AS_OPERATOR, "PUT", "/api/v1/devices/dev-1",
                             "{\"channel\":\"stable\"}", 200); /* stays: nothing new to do */
    reply_free(&r);
    assert_int_equal(open_action(), action);
    r = send_as(&fx, AS_OPERATOR, "PUT", "/api/v1/devices/dev-1", "{\"channel\":\"empty\"}", 200);
    reply_free(&r);
    assert_int_equal(open_action(), 0); /* what the old channel wanted is over */
}

static void an_assignment_that_cannot_be_is_refused_whole(void **state)
{
    (void)state;
    struct module a, b;
    char body[256];
    module_make(&fx, &a, "thermostat", "1.0.0", 1, 0);
    module_make(&fx, &b, "thermostat", "2.0.0", 2, 0);
    upload(&a);
    upload(&b);
    snprintf(body, sizeof body, "{\"modules\":[\"%s\",\"%s\"]}", a.sha256, b.sha256);
    struct reply r = send_as(&fx, AS_OPERATOR, "PUT", "/api/v1/channels/stable", body, 422);
    assert_error(&r, "modules[1]");
    reply_free(&r);
    snprintf(body, sizeof body, "{\"modules\":[\"%s\",\"" SHA "\"]}", a.sha256);
    r = send_as(&fx, AS_OPERATOR, "PUT", "/api/v1/channels/stable", body, 422);
    assert_error(&r, "modules[1]: no module 0123456789abcdef");
    reply_free(&r);
    r = get_as(&fx, AS_OPERATOR, "/api/v1/channels/stable", 404);
    reply_free(&r);
    r = send_as(&fx, AS_OPERATOR, "PUT", "/api/v1/devices/new", "{\"channel\":\"a\"}", 422);
    assert_error(&r, "token");
    reply_free(&r);
}

/* ---- The device's side ----------------------------------------------------------------------- */

static void a_device_follows_the_links_from_poll_to_feedback(void **state)
{
    (void)state;
    struct module m;
    module_make(&fx, &m, "thermostat", "1.2.0", 3, 3000);
    upload(&m);
    fleet_enrol(&fx, "dev-1", "stable");
    fleet_assign(&fx, "stable", &m, NULL);
    struct reply base = get_as(&fx, AS_DEVICE, BASE, 200);
    assert_json_text(base.json, "config.polling.sleep", "01:02:05");
    struct reply r =
        get_as(&fx, AS_DEVICE, fleet_href(&fx, base.json, "_links.deploymentBase.href"), 200);
    assert_json_text(r.json, "deployment.download", "forced");
    assert_json_text(r.json, "deployment.chunks.0.part", "bApp");
    assert_json_text(r.json, "deployment.chunks.0.name", "thermostat");
    assert_json_text(r.json, "deployment.chunks.0.version", "1.2.0");
    assert_json_text(r.json, "deployment.chunks.0.artifacts.0.filename", "thermostat.wasm");
    assert_json_text(r.json, "deployment.chunks.0.artifacts.0.hashes.sha256", m.sha256);
    assert_json_text(r.json, "deployment.chunks.0.artifacts.1.filename", "thermostat.wasm.sig");
    assert_int_equal(json_integer_value(json_at(r.json, "deployment.chunks.0.artifacts.0.size")),
                     m.len);
    struct reply file = get_as(
        &fx, AS_DEVICE,
        fleet_href(&fx, r.json, "deployment.chunks.0.artifacts.0._links.download.href"), 200);
    assert_int_equal(file.len, m.len);
    assert_memory_equal(file.body, m.wasm, m.len);
    reply_free(&file);
    file = get_as(&fx, AS_DEVICE,
                  fleet_href(&fx, r.json, "deployment.chunks.0.artifacts.1._links.download.href"),
                  200);
    assert_int_equal(file.len, 64);
    assert_memory_equal(file.body, m.sig, 64);
    reply_free(&file);
    reply_free(&r);
    int action = open_action();
    r = feedback(action, "proceeding", "none", 200);
    reply_free(&r);
    assert_int_equal(open_action(), action);
    r = feedback(action, "closed", "success", 200);
    reply_free(&r);
    assert_int_equal(open_action(), 0);
    r = feedback(action, "closed", "success", 410);
    reply_free(&r);
    r = get_as(&fx, AS_OPERATOR, "/api/v1/devices/dev-1", 200);
    assert_json_text(r.json, "action.state", "finished");
    assert_json_text(r.json, "action.detail", "one; two");
    assert_json_text(r.json, "actions.0.feedback.0.execution", "proceeding");
    assert_json_text(r.json, "actions.0.feedback.1.finished", "success");
    assert_true(json_is_string(json_at(r.json, "last_seen_at")));
    reply_free(&r);
    reply_free(&base);
}

static void a_failure_closes_the_action_as_failed(void **state)
{
    (void)state;
    struct module m;
    module_make(&fx, &m, "thermostat", "1.2.0", 3, 0);
    upload(&m);
    fleet_enrol(&fx, "dev-1", "stable");
    fleet_assign(&fx, "stable", &m, NULL);
    struct reply r = feedback(open_action(), "closed", "failure", 200);
    reply_free(&r);
    r = get_as(&fx, AS_OPERATOR, "/api/v1/devices/dev-1", 200);
    assert_json_text(r.json, "action.state", "failed");
    reply_free(&r);
    assert_int_equal(open_action(), 0);
    assert_int_equal(fleet_assign(&fx, "stable", &m, NULL), 1); /* the operator may ask again */
    assert_int_not_equal(open_action(), 0);
}

static struct reply artifact(const struct module *m, const char *header, long status)
{
    char path[256];
    snprintf(path, sizeof path, BASE "/artifacts/%s/thermostat.wasm", m->sha256);
    struct reply r = fleet_call(
        &fx, &(struct call){.method = "GET", .path = path, .as = AS_DEVICE, .header = header});
    if (r.status != status)
        fail_msg("%s: %ld instead of %ld", header, r.status, status);
    return r;
}

static void a_download_can_go_on_where_it_broke_off(void **state)
{
    (void)state;
    struct module m;
    char text[160];
    module_make(&fx, &m, "thermostat", "1.2.0", 3, 3000);
    upload(&m);
    fleet_enrol(&fx, "dev-1", "stable");
    fleet_assign(&fx, "stable", &m, NULL);
    struct reply r = artifact(&m, "Range: bytes=1000-", 206);
    assert_int_equal(r.len, m.len - 1000);
    assert_memory_equal(r.body, m.wasm + 1000, r.len);
    snprintf(text, sizeof text, "Content-Range: bytes 1000-%zu/%zu", m.len - 1, m.len);
    assert_non_null(strstr(r.headers, text));
    snprintf(text, sizeof text, "ETag: \"%s\"", m.sha256);
    assert_non_null(strstr(r.headers, text));
    reply_free(&r);
    r = artifact(&m, "Range: bytes=5-9", 206);
    assert_int_equal(r.len, 5);
    reply_free(&r);
    r = artifact(&m, "Range: bytes=-10", 206);
    assert_memory_equal(r.body, m.wasm + m.len - 10, 10);
    reply_free(&r);
    snprintf(text, sizeof text, "Range: bytes=%zu-", m.len);
    r = artifact(&m, text, 416);
    snprintf(text, sizeof text, "Content-Range: bytes */%zu", m.len);
    assert_non_null(strstr(r.headers, text));
    reply_free(&r);
    r = artifact(&m, "Range: lines=1-2", 200);
    assert_int_equal(r.len, m.len);
    reply_free(&r);
    r = artifact(&m, "Range: bytes=0-1,4-5", 200);
    assert_int_equal(r.len, m.len);
    reply_free(&r);
    r = artifact(&m, "If-Match: \"another\"", 412);
    reply_free(&r);
    r = artifact(&m, "Range: bytes=1-\r\nIf-Range: \"another\"", 200);
    assert_int_equal(r.len, m.len);
    reply_free(&r);
    snprintf(text, sizeof text, "Range: bytes=1-\r\nIf-Range: \"%s\"", m.sha256);
    r = artifact(&m, text, 206);
    reply_free(&r);
    snprintf(text, sizeof text, "If-None-Match: \"x\", \"%s\"", m.sha256);
    r = artifact(&m, text, 304);
    assert_int_equal(r.len, 0);
    reply_free(&r);
}

static void a_device_sees_only_what_was_assigned_to_it(void **state)
{
    (void)state;
    struct module m;
    module_make(&fx, &m, "thermostat", "1.2.0", 3, 0);
    upload(&m);
    fleet_enrol(&fx, "dev-1", "stable");
    fleet_enrol(&fx, "dev-2", "canary");
    fleet_assign(&fx, "canary", &m, NULL);
    struct reply r = artifact(&m, NULL, 404);
    reply_free(&r);
    fleet_assign(&fx, "stable", &m, NULL);
    r = artifact(&m, NULL, 200);
    reply_free(&r);
}

static void a_damaged_store_is_not_served(void **state)
{
    (void)state;
    struct module m;
    char name[128];
    module_make(&fx, &m, "thermostat", "1.2.0", 3, 0);
    upload(&m);
    fleet_enrol(&fx, "dev-1", "stable");
    fleet_assign(&fx, "stable", &m, NULL);
    snprintf(name, sizeof name, "data/objects/%s", m.sha256);
    fleet_write(&fx, name, m.wasm, m.len - 1);
    struct reply r = artifact(&m, NULL, 500);
    reply_free(&r);
    r = module_upload(&fx, &m, 200); /* uploading it again mends it */
    reply_free(&r);
    r = artifact(&m, NULL, 200);
    reply_free(&r);
}

static void events_are_kept_once(void **state)
{
    (void)state;
    static const char two[] =
        "[{\"id\":7,\"event\":\"TRAP\",\"module\":\"thermostat\",\"version\":\"1.2.0\","
        "\"sequence\":3,\"sha256\":\"" SHA "\",\"detail\":\"unreachable\",\"uptime_ms\":1234},"
        "{\"id\":8,\"event\":\"ROLLED_BACK\"}]";
    fleet_enrol(&fx, "dev-1", "stable");
    fleet_enrol(&fx, "dev-2", "stable");
    struct reply r = send_as(&fx, AS_DEVICE, "POST", BASE "/events", two, 200);
    assert_int_equal(json_integer_value(json_at(r.json, "accepted")), 2);
    reply_free(&r);
    r = send_as(&fx, AS_DEVICE, "POST", BASE "/events", two, 200);
    assert_int_equal(json_integer_value(json_at(r.json, "accepted")), 0);
    assert_int_equal(json_integer_value(json_at(r.json, "known")), 2);
    reply_free(&r);
    /* A device that was set up anew counts from the start: same number, other event. */
    r = send_as(&fx, AS_DEVICE, "POST", BASE "/events", "[{\"id\":7,\"event\":\"COMMITTED\"}]",
                200);
    assert_int_equal(json_integer_value(json_at(r.json, "accepted")), 1);
    reply_free(&r);
    r = send_as(&fx, AS_DEVICE, "POST", "/default/controller/v1/dev-2/events", two, 200);
    assert_int_equal(json_integer_value(json_at(r.json, "accepted")), 2);
    reply_free(&r);
    r = get_as(&fx, AS_OPERATOR, "/api/v1/events?device=dev-1", 200);
    assert_int_equal(json_array_size(json_at(r.json, "events")), 3);
    assert_json_text(r.json, "events.0.event", "TRAP");
    assert_json_text(r.json, "events.0.sha256", SHA);
    assert_json_text(r.json, "events.0.detail", "unreachable");
    assert_int_equal(json_integer_value(json_at(r.json, "events.0.uptime_ms")), 1234);
    assert_json_text(r.json, "events.2.event", "COMMITTED");
    char path[128];
    snprintf(path, sizeof path, "/api/v1/events?after=%lld&limit=1",
             (long long)json_integer_value(json_at(r.json, "events.0.id")));
    reply_free(&r);
    r = get_as(&fx, AS_OPERATOR, path, 200);
    assert_int_equal(json_array_size(json_at(r.json, "events")), 1);
    assert_json_text(r.json, "events.0.event", "ROLLED_BACK");
    reply_free(&r);
    /* One bad event: none of its request is kept. */
    r = send_as(&fx, AS_DEVICE, "POST", BASE "/events",
                "[{\"id\":20,\"event\":\"TRAP\"},{\"id\":21}]", 400);
    reply_free(&r);
    r = get_as(&fx, AS_OPERATOR, "/api/v1/events?device=dev-1", 200);
    assert_int_equal(json_array_size(json_at(r.json, "events")), 3);
    reply_free(&r);
}

static void attributes_say_which_modules_run(void **state)
{
    (void)state;
    fleet_enrol(&fx, "dev-1", "stable");
    struct reply r = send_as(&fx, AS_DEVICE, "PUT", BASE "/configData",
                             "{\"mode\":\"replace\",\"data\":{\"class\":\"mcu\","
                             "\"module.thermostat\":\"1.2.0 3 " SHA "\"}}",
                             200);
    reply_free(&r);
    r = send_as(&fx, AS_DEVICE, "PUT", BASE "/configData", "{\"data\":{\"revision\":\"b\"}}", 200);
    reply_free(&r);
    r = get_as(&fx, AS_OPERATOR, "/api/v1/devices", 200);
    assert_json_text(r.json, "devices.0.id", "dev-1");
    assert_json_text(r.json, "devices.0.modules.0.name", "thermostat");
    assert_json_text(r.json, "devices.0.modules.0.version", "1.2.0");
    assert_int_equal(json_integer_value(json_at(r.json, "devices.0.modules.0.sequence")), 3);
    reply_free(&r);
    r = send_as(&fx, AS_DEVICE, "PUT", BASE "/configData",
                "{\"mode\":\"remove\",\"data\":{\"module.thermostat\":\"\"}}", 200);
    reply_free(&r);
    r = get_as(&fx, AS_OPERATOR, "/api/v1/devices/dev-1", 200);
    assert_int_equal(json_array_size(json_at(r.json, "modules")), 0);
    assert_json_text(r.json, "attributes.class", "mcu");
    assert_json_text(r.json, "attributes.revision", "b");
    reply_free(&r);
}

/* ---- The process ----------------------------------------------------------------------------- */

static void what_was_told_survives_the_process(void **state)
{
    (void)state;
    struct module m;
    module_make(&fx, &m, "thermostat", "1.2.0", 3, 0);
    upload(&m);
    fleet_enrol(&fx, "dev-1", "stable");
    fleet_assign(&fx, "stable", &m, NULL);
    int action = open_action();
    assert_int_equal(fleet_stop(&fx, SIGKILL), 128 + SIGKILL);
    fleet_start(&fx);
    assert_int_equal(open_action(), action);
    struct reply r = artifact(&m, NULL, 200);
    reply_free(&r);
    assert_int_equal(fleet_stop(&fx, SIGTERM), 0);
    char *log = fleet_file(&fx, "log");
    assert_non_null(strstr(log, "SIGTERM: stopping"));
    free(log);
    fleet_start(&fx);
}

static void a_configuration_that_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *edit, *part;
    } cases[] = {
        {"s/\"port\"/\"prot\"/", "bad.json: prot: unknown key"},
        {"s/\"port\": 0/\"port\": 70000/", "port: must be a whole number from 0 to 65535"},
        {"s/\"port\": 0,//", "port: is missing"},
        {"s/plant-7/Plant 7/", "signers[0]"},
        {"s/signer.pub/nothing/", "nothing.pem"},
        {"s/signer.pub/signer/", "signers[0].key"},
        {"s/\"token_sha256\": \"../\"token_sha256\": \"XY/", "operators[0].token_sha256"},
        {"s/server.key/nothing/", "nothing: cannot open"},
        {"s/}/}}/", "not JSON"},
        {"s/\"port\": 0/\"port\": 0, \"address\": \"localhost\"/", "not a numeric address"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[256];
        snprintf(line, sizeof line,
                 "sed '%s' $DIR/fleet.json >$DIR/bad.json; $FLEET serve --config $DIR/bad.json",
                 cases[i].edit);
        int code = fleet_shell(&fx, line);
        char *out = fleet_file(&fx, "out");
        if (code != 1 || !strstr(out, cases[i].part))
            fail_msg("%s: exit %d, %s", cases[i].edit, code, out);
        free(out);
    }
}

static void a_database_from_the_future_is_left_alone_and_an_older_one_is_not(void **state)
{
    (void)state;
    char path[256];
    sqlite3 *db;
    assert_int_equal(fleet_stop(&fx, SIGTERM), 0);
    snprintf(path, sizeof path, "%s/data/fleet.db", fx.dir);
    sqlite3_open(path, &db);
    sqlite3_exec(db, "PRAGMA user_version = 1000", NULL, NULL, NULL);
    sqlite3_close(db);
    assert_int_equal(fleet_shell(&fx, "$FLEET serve --config $DIR/fleet.json"), 1);
    char *out = fleet_file(&fx, "out");
    assert_non_null(strstr(out, "newer server (schema 1000"));
    free(out);
    sqlite3_open(path, &db);
    sqlite3_exec(
        db, "DROP TABLE native; DROP TABLE keyset; DROP TABLE postmortem; PRAGMA user_version = 1",
        NULL, NULL, NULL);
    sqlite3_close(db);
    fleet_start(&fx); /* and one of an older server is brought up to date */
    struct reply r = get_as(&fx, AS_OPERATOR, "/api/v1/natives", 200);
    assert_int_equal(json_array_size(json_at(r.json, "natives")), 0);
    reply_free(&r);
}

static void operators_need_no_curl(void **state)
{
    (void)state;
    struct module m;
    module_make(&fx, &m, "thermostat", "1.2.0", 3, 0);
    fleet_write(&fx, "t.wasm", m.wasm, m.len);
    fleet_write(&fx, "t.wasm.sig", m.sig, sizeof m.sig);
    setenv("SANDMOTE_FLEET_SERVER", fx.url, 1);
    static const struct {
        const char *command;
        int code;
        const char *part;
    } cases[] = {
        {"$FLEET upload $DIR/t.wasm", 64, "needs --server"},
        {"$FLEET upload $O $DIR/t.wasm", 0, "thermostat"},
        {"$FLEET modules $O", 0, "sequence 3"},
        {"$FLEET enrol $O dev-1 --channel stable --device-token $DIR/dev-1.token", 0, "dev-1"},
        {"$FLEET assign $O stable $DIR/t.wasm", 0, "1 devices to update"},
        {"$FLEET channels $O", 0, "thermostat 1.2.0"},
        {"$FLEET devices $O", 0, "action 1 pending"},
        {"$FLEET devices $O dev-1 --json", 0, "\"state\": \"pending\""},
        {"$FLEET devices $O dev-9", 1, "no device dev-9 (HTTP 404)"},
        {"$FLEET assign $O stable $DIR/missing.wasm", 1, "missing.wasm"},
        {"$FLEET events $O --limit 5 --json", 0, "\"events\": []"},
        {"$FLEET token $DIR/new && cmp $DIR/new $DIR/new && test $(stat -c %a $DIR/new) = 600", 0,
         ""},
        {"$FLEET token $DIR/new", 1, "is there already"},
        {"echo wrong-token >$DIR/w; $FLEET modules $O --token-file $DIR/w", 1, "HTTP 401"},
        {"$FLEET modules $O --ca /etc/ssl/certs/ca-certificates.crt", 2, "certificate"},
        {"$FLEET modules $O --server https://127.0.0.1:1", 2, "127.0.0.1"},
        {"$FLEET modules $O --server http://127.0.0.1:1", 2, "http"},
        {"$FLEET nonsense", 64, "nonsense"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[512];
        snprintf(line, sizeof line,
                 "O=\"--server $URL --ca $DIR/ca.pem --token-file $DIR/token\"; %s",
                 cases[i].command);
        if (i == 0)
            snprintf(line, sizeof line, "%s", cases[i].command);
        int code = fleet_shell(&fx, line);
        char *out = fleet_file(&fx, "out");
        if (code != cases[i].code || !strstr(out, cases[i].part))
            fail_msg("%s: exit %d, %s", cases[i].command, code, out);
        free(out);
    }
    unsetenv("SANDMOTE_FLEET_SERVER");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, finish)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(tls_below_1_3_is_refused),
        CASE(a_wrong_or_missing_token_opens_nothing),
        CASE(unknown_resources_and_methods_are_named),
        CASE(an_uploaded_module_shows_its_manifest),
        CASE(what_no_known_signer_signed_is_refused),
        CASE(a_signers_word_counts_for_its_own_fleet_only),
        CASE(a_sequence_number_belongs_to_one_module),
        CASE(bodies_above_their_limit_are_refused),
        CASE(an_upload_that_is_no_multipart_is_refused),
        CASE(bad_json_is_answered_with_what_is_wrong),
        CASE(an_assignment_makes_one_action_a_device),
        CASE(a_device_that_comes_to_a_channel_gets_its_modules),
        CASE(an_assignment_that_cannot_be_is_refused_whole),
        CASE(a_device_follows_the_links_from_poll_to_feedback),
        CASE(a_failure_closes_the_action_as_failed),
        CASE(a_download_can_go_on_where_it_broke_off),
        CASE(a_device_sees_only_what_was_assigned_to_it),
        CASE(a_damaged_store_is_not_served),
        CASE(events_are_kept_once),
        CASE(attributes_say_which_modules_run),
        CASE(what_was_told_survives_the_process),
        CASE(a_configuration_that_is_wrong_is_named),
        CASE(a_database_from_the_future_is_left_alone_and_an_older_one_is_not),
        CASE(operators_need_no_curl),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    return cmocka_run_group_tests_name("fleet server", tests, NULL, NULL);
}
