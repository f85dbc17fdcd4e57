/* The golden module of the real daemon: runs while no application may, gives way to an update, is
 * told of at the server.
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

#include "device_fixture.h"

#define GOLDEN                                                                                     \
    "},\"golden\":{\"module\":\"safe.wasm\",\"signature\":\"safe.sig\",\"key\":\"safe.pub.pem\""

static struct fleet_fixture fx;
static struct device_fixture dev;
static struct module golden, app;

static int start(void **state)
{
    (void)state;
    fleet_prepare(&fx);
    fleet_shell(&fx, "sed -i 's/\"poll_seconds\": 3725/\"poll_seconds\": 1/' $DIR/fleet.json");
    fleet_start(&fx);
    memset(&dev, 0, sizeof dev);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    if (dev.pid)
        device_stop(&dev, SIGKILL);
    fleet_teardown(&fx);
    return 0;
}

/* The device's golden module is `golden`, signed by a key that signs nothing else. */
static void configure(void)
{
    char secret[96], key[96];
    struct sm_keys_why why;
    snprintf(secret, sizeof secret, "%s/safe.pem", fx.dir);
    snprintf(key, sizeof key, "%s/safe.pub.pem", fx.dir);
    assert_int_equal(sm_keys_save(&fx.stranger, secret, key, &why), 0);
    module_sign(&fx.stranger, &golden);
    fleet_write(&fx, "safe.wasm", golden.wasm, golden.len);
    fleet_write(&fx, "safe.sig", golden.sig, sizeof golden.sig);
    fleet_enrol(&fx, "dev-1", "stable");
    device_configure(&dev, &fx, "dev-1", fx.url, GOLDEN);
}

static void deploy(void)
{
    struct reply r = module_upload(&fx, &app, 201);
    reply_free(&r);
    fleet_assign(&fx, "stable", &app, NULL);
}

/* Wait until the server knows whether the golden module runs. */
static void server_knows(bool runs)
{
    for (int i = 0; i < 500; i++) {
        struct reply r = get_as(&fx, AS_OPERATOR, "/api/v1/devices/dev-1", 200);
        const char *says = json_string_value(json_at(r.json, "attributes.golden"));
        bool told = json_at(r.json, "attributes.class") != NULL;
        bool same = told && runs == (says != NULL);
        if (same && runs)
            assert_string_equal(says, "runs");
        reply_free(&r);
        if (same)
            return;
        usleep(20000);
    }
    fail_msg("the server does not hear that the golden module %s", runs ? "runs" : "has given way");
}

static void it_runs_while_no_application_may_and_an_update_takes_over(void **state)
{
    (void)state;
    app_make(&fx, &golden, 9, 0);
    configure();
    device_start(&dev);
    device_says(&dev, "STARTED golden module 9.0", 10);
    device_says(&dev, "version 9", 10);
    server_knows(true);
    app_make_trapping(&fx, &app, 2);
    deploy();
    device_says(&dev, "ROLLED_BACK app 2.0", 20);
    fleet_expect_event(&fx, "ROLLED_BACK", "app", "");
    app_make(&fx, &app, 3, 0);
    deploy();
    device_says(&dev, "COMMITTED app 3.0", 20);
    server_knows(false);
    assert_int_equal(device_said(&dev, "STARTED golden module"), 2);
    assert_int_equal(device_stop(&dev, SIGTERM), 0);
    device_start(&dev);
    device_says(&dev, "version 3", 10);
    assert_int_equal(device_said(&dev, "golden"), 0);
}

static void what_its_traps_leave_behind_reaches_the_server(void **state)
{
    struct reply r;
    (void)state;
    app_make_trapping(&fx, &golden, 9);
    configure();
    device_start(&dev);
    device_says(&dev, "TRAP golden module 9.0", 10);
    for (int i = 0; i < 500; i++) {
        r = get_as(&fx, AS_OPERATOR, "/api/v1/postmortems", 200);
        if (json_array_size(json_at(r.json, "postmortems")) > 0)
            break;
        reply_free(&r);
        usleep(20000);
    }
    assert_json_text(r.json, "postmortems.0.device", "dev-1");
    assert_json_text(r.json, "postmortems.0.event", "TRAP");
    assert_json_text(r.json, "postmortems.0.module", "golden module");
    assert_json_text(r.json, "postmortems.0.sha256", golden.sha256);
    reply_free(&r);
}

/* As systemd's watchdog does when the daemon gives no sign of life: SIGABRT, within the second that
 * the epoch gives a call. */
static void one_that_a_watchdog_found_hanging_is_known_to_the_next_process(void **state)
{
    (void)state;
    app_make_spinning(&fx, &golden, 9);
    configure();
    device_start(&dev);
    device_says(&dev, "version 9", 10);
    assert_int_equal(device_stop(&dev, SIGABRT), 128 + SIGABRT);
    device_start(&dev);
    device_says(&dev, "did not return until the watchdog reset the device", 10);
    device_says(&dev, "server http", 10);
    assert_int_equal(device_stop(&dev, SIGKILL), 128 + SIGKILL);
    device_start(&dev); /* which blames nobody any more */
    device_says(&dev, "version 9", 10);
    assert_int_equal(device_said(&dev, "did not return until"), 0);
}

static void one_with_a_wrong_signature_does_not_run_and_keeps_nothing_else_from_it(void **state)
{
    (void)state;
    app_make(&fx, &golden, 9, 0);
    configure();
    golden.sig[10] ^= 1;
    fleet_write(&fx, "safe.sig", golden.sig, sizeof golden.sig);
    app_make(&fx, &app, 2, 0);
    deploy();
    device_start(&dev);
    device_says(&dev, "REFUSED golden module -", 10);
    device_says(&dev, "COMMITTED app 2.0", 20);
    assert_int_equal(device_said(&dev, "version 9"), 0);
}

static void settings_that_are_wrong_are_named(void **state)
{
    static const struct {
        const char *settings, *says;
    } wrong[] = {
        {"},\"golden\":{\"module\":\"safe.wasm\",\"key\":\"safe.pub.pem\"", "golden.signature"},
        {"},\"golden\":{\"module\":\"none.wasm\",\"signature\":\"safe.sig\","
         "\"key\":\"safe.pub.pem\"",
         "golden.module: "},
        {"},\"golden\":{\"module\":\"safe.wasm\",\"signature\":\"safe.pub.pem\","
         "\"key\":\"safe.pub.pem\"",
         "golden.signature: "},
        {"},\"golden\":{\"module\":\"safe.wasm\",\"signature\":\"empty\",\"key\":\"safe.pub.pem\"",
         "does not have 64 bytes"},
        {"},\"golden\":{\"module\":\"safe.wasm\",\"signature\":\"safe.sig\",\"key\":\"safe.sig\"",
         "golden.key: "},
        {"},\"golden\":{\"module\":\"safe.wasm\",\"signature\":\"safe.sig\","
         "\"key\":\"safe.pub.pem\",\"slot\":1",
         "golden.slot"},
        {"},\"golden\":{\"module\":\"large\",\"signature\":\"safe.sig\",\"key\":\"safe.pub.pem\"",
         "golden.module: "},
    };
    static char large[SLOT_BYTES + 1];
    (void)state;
    app_make(&fx, &golden, 9, 0);
    configure();
    fleet_write(&fx, "empty", "", 0);
    fleet_write(&fx, "large", large, sizeof large);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        device_configure(&dev, &fx, "dev-1", fx.url, wrong[i].settings);
        device_start(&dev);
        device_says(&dev, wrong[i].says, 10);
        assert_int_equal(device_stop(&dev, 0), 1); /* it ends by itself */
    }
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, start, finish)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(it_runs_while_no_application_may_and_an_update_takes_over),
        CASE(what_its_traps_leave_behind_reaches_the_server),
        CASE(one_that_a_watchdog_found_hanging_is_known_to_the_next_process),
        CASE(one_with_a_wrong_signature_does_not_run_and_keeps_nothing_else_from_it),
        CASE(settings_that_are_wrong_are_named),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
