/* Plugins and sets at the real server: what it takes, what it offers, what it shows.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <curl/curl.h>

#include "plugin_fixture.h"

#define BASE "/default/controller/v1/dev-1"

static struct fleet_fixture fx;
static struct vendors vendors;
static struct module m, other;

static void shell(const char *command)
{
    operator_shell(&fx, command);
}

static int start(void **state)
{
    (void)state;
    fleet_setup(&fx);
    vendors_setup(&fx, &vendors);
    shell("$FLEET upload-keys 1.keys");
    fleet_enrol(&fx, "dev-1", "stable");
    return 0;
}

static int finish(void **state)
{
    (void)state;
    vendors_free(&vendors);
    fleet_teardown(&fx);
    return 0;
}

static struct plan t1_driver(uint64_t sequence)
{
    return (struct plan){.name = "t1-driver",
                         .sequence = sequence,
                         .key = &vendors.one,
                         .capability = {"log"},
                         .sensor = sensor_t1};
}

static struct plan app(uint64_t sequence)
{
    return (struct plan){.name = "app", .sequence = sequence, .key = &fx.signer};
}

static struct plan removal(uint64_t sequence)
{
    return (struct plan){
        .name = "t1-driver", .sequence = sequence, .key = &fx.signer, .removes = true};
}

static void upload(struct module *out, const struct plan *p)
{
    plan_make(out, p);
    struct reply r = module_upload(&fx, out, 201);
    reply_free(&r);
}

static void refused(const struct plan *p, const char *why)
{
    plan_make(&m, p);
    struct reply r = module_upload(&fx, &m, 422);
    assert_error(&r, why);
    reply_free(&r);
}

/* The deployment that dev-1 is offered; its JSON is the caller's. NULL: none. */
static json_t *offered(void)
{
    struct reply r = get_as(&fx, AS_DEVICE, BASE, 200);
    char path[256] = "";
    if (json_at(r.json, "_links.deploymentBase"))
        snprintf(path, sizeof path, "%s", fleet_href(&fx, r.json, "_links.deploymentBase.href"));
    reply_free(&r);
    if (!*path)
        return NULL;
    r = get_as(&fx, AS_DEVICE, path, 200);
    json_t *json = json_incref(r.json);
    reply_free(&r);
    return json;
}

/* ---- Uploads --------------------------------------------------------------------------------- */

static void a_plugin_is_taken_when_its_vendor_may_drive_that(void **state)
{
    (void)state;
    struct plan p = t1_driver(1);
    p.sensor.attributes = 2;
    p.sensor.attribute[0] = (struct sm_plugin_attribute){
        "alert_high", SM_UNIT_CELSIUS, 3, SM_WRITES_LOWEST, -55000, 125000, 80000};
    strcpy(p.sensor.attribute[1].name, "serial");
    plan_make(&m, &p);
    struct reply r = module_upload(&fx, &m, 201);
    assert_json_text(r.json, "kind", "plugin");
    assert_json_text(r.json, "sensor.id", "T1");
    assert_json_text(r.json, "sensor.model", "TMP105");
    assert_json_text(r.json, "sensor.bus", "i2c-1");
    assert_int_equal(json_integer_value(json_at(r.json, "sensor.address")), 0x48);
    assert_json_text(r.json, "sensor.capabilities.0.unit", "degC");
    assert_null(json_at(r.json, "removes"));
    assert_json_text(r.json, "sensor.attributes.0.name", "alert_high");
    assert_json_text(r.json, "sensor.attributes.0.writes", "lowest");
    assert_int_equal(json_integer_value(json_at(r.json, "sensor.attributes.0.min")), -55000);
    assert_null(json_at(r.json, "sensor.attributes.1.writes"));
    reply_free(&r);
    shell("$FLEET modules | grep -q 't1-driver.*plugin.*T1: a TMP105 on i2c-1 at 0x48'");
}

static void a_vendor_beyond_its_scope_is_told_where(void **state)
{
    (void)state;
    static const struct {
        const char *model, *bus;
        uint32_t address;
        const char *capability, *why;
    } cases[] = {
        {"TMP106", "i2c-1", 0x48, NULL, "a sensor model that is beyond its vendor's scope"},
        {"TMP105", "i2c-2", 0x48, NULL, "a bus that is beyond its vendor's scope"},
        {"TMP105", "i2c-1", 0x49, NULL, "an address that is beyond its vendor's scope"},
        {"TMP105", "i2c-1", 0x48, "net", "a capability that is beyond its vendor's scope"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct plan p = t1_driver(1);
        strcpy(p.sensor.model, cases[i].model);
        strcpy(p.sensor.bus, cases[i].bus);
        p.sensor.address = cases[i].address;
        p.capability[1] = cases[i].capability;
        refused(&p, cases[i].why);
    }
}

static void each_key_signs_what_is_for_its_role(void **state)
{
    (void)state;
    const struct {
        struct plan p;
        const struct sm_keys_private *key;
        const char *why;
    } cases[] = {
        {t1_driver(1), &vendors.two, "an address that is beyond its vendor's scope"},
        {t1_driver(1), &fx.signer, "a signer's key signs applications"},
        {app(1), &vendors.one, "a vendor's key signs plugins only"},
        {removal(1), &vendors.one, "which is for the fleet's signer"},
        {t1_driver(1), &fx.stranger, "no signer that this server knows"},
        {t1_driver(1), &fx.builder, "a role that signs no modules"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct plan p = cases[i].p;
        p.key = cases[i].key;
        refused(&p, cases[i].why);
    }
}

static void a_vendor_of_another_fleet_is_nobody_here(void **state)
{
    (void)state;
    shell("sed 's/plant-7/plant-8/; s/vendor2.pub/root8.pub/; s/vendor1.pub/vendor2.pub/;"
          " s/signer.pub/vendor1.pub/' plan.json >plan8.json;"
          " $SANDMOTE key new root8.pem && $SANDMOTE key new other8.pem &&"
          " sed -i 's/root8.pub/other8.pub/; s/root1.pub/root8.pub/' plan8.json &&"
          " $SANDMOTE trust commission plan8.json -o 8.keys &&"
          " $SANDMOTE trust sign --key root8.pem 8.keys && $FLEET upload-keys 8.keys");
    struct plan p = t1_driver(1);
    p.key = &vendors.two; /* of plant-8 its scope has this address */
    refused(&p, "the key that signed is of another fleet");
    p = t1_driver(1); /* in plant-8 this one is a signer */
    upload(&m, &p);
}

/* ---- Deployments ----------------------------------------------------------------------------- */

static void what_requires_another_member_makes_a_set(void **state)
{
    (void)state;
    struct plan driver = t1_driver(2), user = app(2), apart = app(1);
    user.requires[0] = (struct sm_requirement){"t1-driver", 2, 3};
    upload(&m, &driver);
    upload(&other, &user);
    fleet_assign(&fx, "stable", &other, &m);
    json_t *d = offered();
    assert_true(json_is_true(json_at(d, "deployment.set")));
    assert_json_text(d, "deployment.chunks.0.part", "bApp");
    assert_json_text(d, "deployment.chunks.0.name", "app");
    assert_json_text(d, "deployment.chunks.1.part", "plugin");
    assert_json_text(d, "deployment.chunks.1.name", "t1-driver");
    json_decref(d);
    struct reply r = get_as(&fx, AS_OPERATOR, "/api/v1/modules", 200);
    assert_json_text(r.json, "modules.0.requires.0.name", "t1-driver");
    assert_int_equal(json_integer_value(json_at(r.json, "modules.0.requires.0.most")), 3);
    reply_free(&r);
    shell("$FLEET modules | grep -q 'app .*requires t1-driver 2 to 3'");
    /* What it requires need not come with it. */
    fleet_assign(&fx, "stable", &other, NULL);
    d = offered();
    assert_null(json_at(d, "deployment.set"));
    json_decref(d);
    upload(&other, &apart);
    fleet_assign(&fx, "stable", &other, &m);
    d = offered();
    assert_null(json_at(d, "deployment.set"));
    json_decref(d);
}

static void assign_is_refused(const char *why)
{
    char body[256];
    snprintf(body, sizeof body, "{\"modules\":[\"%s\",\"%s\"]}", m.sha256, other.sha256);
    struct reply r = send_as(&fx, AS_OPERATOR, "PUT", "/api/v1/channels/stable", body, 422);
    assert_error(&r, why);
    reply_free(&r);
}

static void releases_that_do_not_suit_each_other_are_not_assigned(void **state)
{
    static struct module third;
    char body[320];
    (void)state;
    struct plan driver = t1_driver(4), gone = removal(3), user = app(2);
    user.requires[0] = (struct sm_requirement){"t1-driver", 2, 3};
    upload(&m, &driver);
    upload(&other, &user);
    assign_is_refused("modules[1]: requires another release");
    upload(&m, &gone);
    assign_is_refused("modules[1]: requires another release");
    /* And a set has no removal among its own. */
    driver = t1_driver(2);
    upload(&m, &driver);
    gone.name = "t2-driver";
    plan_make(&third, &gone);
    struct reply r = module_upload(&fx, &third, 201);
    reply_free(&r);
    snprintf(body, sizeof body, "{\"modules\":[\"%s\",\"%s\",\"%s\"]}", m.sha256, third.sha256,
             other.sha256);
    r = send_as(&fx, AS_OPERATOR, "PUT", "/api/v1/channels/stable", body, 422);
    assert_error(&r, "modules[1]: removes a plugin, which is no part of a set");
    reply_free(&r);
    assert_null(offered());
}

/* A device says which removals it has carried out: nothing runs that would tell it. */
static void a_removal_is_offered_until_the_device_has_done_it(void **state)
{
    (void)state;
    char text[256];
    struct plan gone = removal(3), user = app(1);
    upload(&m, &gone);
    upload(&other, &user);
    assert_int_equal(fleet_assign(&fx, "stable", &m, NULL), 1);
    json_t *d = offered();
    assert_json_text(d, "deployment.chunks.0.part", "plugin");
    json_decref(d);
    snprintf(text, sizeof text, "{\"data\":{\"removed.t1-driver\":\"3.0 3 %s\"}}", m.sha256);
    struct reply r = send_as(&fx, AS_DEVICE, "PUT", BASE "/configData", text, 200);
    reply_free(&r);
    assert_int_equal(fleet_assign(&fx, "stable", &m, &other), 1);
    d = offered();
    assert_int_equal(json_array_size(json_at(d, "deployment.chunks")), 1);
    assert_json_text(d, "deployment.chunks.0.name", "app");
    json_decref(d);
    assert_int_equal(fleet_assign(&fx, "stable", &m, NULL), 0);
    assert_null(offered());
    /* One that was set up anew says nothing of it. */
    r = send_as(&fx, AS_DEVICE, "PUT", BASE "/configData", "{\"mode\":\"replace\",\"data\":{}}",
                200);
    reply_free(&r);
    assert_int_equal(fleet_assign(&fx, "stable", &m, NULL), 1);
    r = send_as(&fx, AS_DEVICE, "PUT", BASE "/configData",
                "{\"data\":{\"removed.t1-driver\":\"3.0 three\"}}", 400);
    assert_error(&r, "data.removed.t1-driver: must be");
    reply_free(&r);
}

static void operators_see_the_kind_of_what_runs(void **state)
{
    (void)state;
    char text[256];
    struct plan driver = t1_driver(2);
    upload(&m, &driver);
    snprintf(text, sizeof text,
             "{\"data\":{\"module.t1-driver\":\"2.0 2 %s\",\"module.app\":\"1.0 1 %064d\"}}",
             m.sha256, 0);
    struct reply r = send_as(&fx, AS_DEVICE, "PUT", BASE "/configData", text, 200);
    reply_free(&r);
    fleet_assign(&fx, "stable", &m, NULL);
    r = get_as(&fx, AS_OPERATOR, "/api/v1/devices/dev-1", 200);
    assert_true(json_is_null(json_at(r.json, "modules.0.kind"))); /* never uploaded here */
    assert_json_text(r.json, "modules.1.kind", "plugin");
    assert_json_text(r.json, "action.modules.0.kind", "plugin");
    reply_free(&r);
    r = get_as(&fx, AS_OPERATOR, "/api/v1/channels/stable", 200);
    assert_json_text(r.json, "modules.0.kind", "plugin");
    reply_free(&r);
    shell("$FLEET devices | grep -q 't1-driver 2.0 (plugin)'");
}

#define T(name) cmocka_unit_test_setup_teardown(name, start, finish)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(a_plugin_is_taken_when_its_vendor_may_drive_that),
        T(a_vendor_beyond_its_scope_is_told_where),
        T(each_key_signs_what_is_for_its_role),
        T(a_vendor_of_another_fleet_is_nobody_here),
        T(what_requires_another_member_makes_a_set),
        T(releases_that_do_not_suit_each_other_are_not_assigned),
        T(a_removal_is_offered_until_the_device_has_done_it),
        T(operators_see_the_kind_of_what_runs),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    return cmocka_run_group_tests_name("plugins", tests, NULL, NULL);
}
