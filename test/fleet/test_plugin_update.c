/* Plugins and sets from the server to the device: the real server, the real daemon, a simulated
 * TMP105 at 0x48 of i2c-1 and at 0x4a.
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
#include "plugin_fixture.h"

static struct fleet_fixture fx;
static struct device_fixture dev;
static struct vendors vendors;
static int action; /* the latest one of the device */

/* ---- Helpers --------------------------------------------------------------------------------- */

static void shell(const char *command)
{
    operator_shell(&fx, command);
}

static void wait_for(const char *command)
{
    char line[512];
    snprintf(line, sizeof line, "for i in $(seq 400); do %s && exit 0; sleep 0.1; done; exit 1",
             command);
    shell(line);
}

static int start(void **state)
{
    (void)state;
    memset(&dev, 0, sizeof dev);
    action = 0;
    fleet_prepare(&fx);
    vendors_setup(&fx, &vendors);
    shell("sed -i s/3725/1/ fleet.json");
    fleet_start(&fx);
    shell("$FLEET upload-keys 1.keys");
    fleet_enrol(&fx, "dev-1", "stable");
    device_configure(&dev, &fx, "dev-1", fx.url, "");
    shell("sed -i 's/\"signers\":\\[[^]]*\\]/\"key_set\":\"1.keys\"/;"
          " s/\"capabilities\":\\[\"log\"\\]/\"capabilities\":[\"log\",\"sensor\\/*\","
          "\"plugin\\/i2c-1\\/72\"],\"buses\":[{\"name\":\"i2c-1\",\"type\":\"simulated\","
          "\"chips\":[\"TMP105@0x48 temperature=21.5\",\"TMP105@0x4a temperature=30\"]}]/;"
          " s/\"slot_bytes\"/\"plugins\":2,\"plugin_slot_bytes\":32768,&/' dev-1.json");
    device_start(&dev);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    if (dev.pid)
        device_stop(&dev, SIGKILL);
    vendors_free(&vendors);
    fleet_teardown(&fx);
    return 0;
}

static struct plan driver(uint64_t sequence)
{
    return (struct plan){.name = "t1-driver",
                         .sequence = sequence,
                         .key = &vendors.one,
                         .code = WASM_DIR "plugin_tmp.wasm",
                         .capability = {"log"},
                         .sensor = sensor_t1};
}

static struct plan app(uint64_t sequence)
{
    return (struct plan){.name = "app",
                         .sequence = sequence,
                         .key = &fx.signer,
                         .code = WASM_DIR "reads_t1.wasm",
                         .capability = {"log", "sensor/T1/temperature:r"}};
}

static struct plan app_with_driver(uint64_t sequence)
{
    struct plan p = app(sequence);
    p.requires[0] = (struct sm_requirement){"t1-driver", sequence, sequence};
    return p;
}

static struct plan removal(uint64_t sequence)
{
    return (struct plan){
        .name = "t1-driver", .sequence = sequence, .key = &fx.signer, .removes = true};
}

/* Upload what the plans say, and assign it; b may be NULL. How many actions were made. */
static json_int_t release(const struct plan *a, const struct plan *b)
{
    static struct module m[2];
    const struct plan *const plans[] = {a, b};
    for (size_t i = 0; i < 2 && plans[i]; i++) {
        plan_make(&m[i], plans[i]);
        struct reply r = fleet_call(&fx, &(struct call){.method = "POST",
                                                        .path = "/api/v1/modules",
                                                        .as = AS_OPERATOR,
                                                        .module = m[i].wasm,
                                                        .module_len = m[i].len,
                                                        .sig = m[i].sig,
                                                        .sig_len = sizeof m[i].sig});
        if (r.status != 201 && r.status != 200)
            fail_msg("%s: %s", plans[i]->name, r.body);
        reply_free(&r);
    }
    json_int_t made = fleet_assign(&fx, "stable", &m[0], b ? &m[1] : NULL);
    action += (int)made;
    return made;
}

/* The latest action ends so, with this in what the device says of it. */
static void expect_end(const char *state, const char *detail)
{
    char command[256];
    snprintf(command, sizeof command, "$FLEET devices | grep -q 'action %d %s.*%s'", action, state,
             detail);
    wait_for(command);
}

static void install_1(void)
{
    struct plan d = driver(1), a = app(1);
    release(&d, &a);
    expect_end("finished", "");
    device_says(&dev, "[app] 21", 30);
}

/* These run, and the application reads. */
static void expect_runs(const char *releases)
{
    char command[160];
    snprintf(command, sizeof command, "$FLEET devices | grep -q '%s (plugin)'", releases);
    wait_for(command);
    int before = device_said(&dev, "[app] 21");
    for (int i = 0; i < 100 && device_said(&dev, "[app] 21") <= before; i++)
        usleep(100000);
    assert_true(device_said(&dev, "[app] 21") > before);
}

#define BOTH_1 "app 1.0, t1-driver 1.0"

static int start_with_1(void **state)
{
    start(state);
    install_1();
    return 0;
}

/* ---- Plugins --------------------------------------------------------------------------------- */

static void a_vendors_plugin_comes_over_the_air_and_is_read(void **state)
{
    (void)state;
    install_1();
    device_says(&dev, "COMMITTED t1-driver 1.0", 5);
    struct plan d = driver(2);
    release(&d, NULL);
    expect_end("finished", "");
    device_says(&dev, "COMMITTED t1-driver 2.0", 5);
    expect_runs("app 1.0, t1-driver 2.0");
    d = driver(1);
    release(&d, NULL);
    expect_end("failed", "not above 2");
    /* And from its flash. */
    assert_int_equal(device_stop(&dev, SIGTERM), 0);
    device_start(&dev);
    device_says(&dev, "1 application, 2 plugins, key set 1", 20);
    device_says(&dev, "STARTED t1-driver 2.0", 20);
    device_says(&dev, "[app] 21", 20);
    assert_int_equal(device_stop(&dev, SIGTERM), 0);
}

static void a_removed_plugin_is_gone_and_stays_away(void **state)
{
    (void)state;
    install_1();
    struct plan gone = removal(3), d = driver(2);
    assert_int_equal(release(&gone, NULL), 1);
    expect_end("finished", "removed");
    wait_for("! $FLEET devices | grep -q t1-driver.*plugin");
    wait_for("$FLEET devices dev-1 --json | grep -q '\"removed.t1-driver\": \"3.0 3 '");
    device_says(&dev, "[app] no", 20);
    assert_int_equal(release(&gone, NULL), 0);
    release(&d, NULL);
    expect_end("failed", "below the security floor 3");
    assert_int_equal(device_stop(&dev, SIGTERM), 0);
    device_start(&dev);
    device_says(&dev, "[app] no", 20);
    d = driver(4);
    release(&d, NULL);
    expect_end("finished", "");
    device_says(&dev, "[app] 21", 20);
}

/* ---- Sets ------------------------------------------------------------------------------------ */

static void a_set_comes_in_together_and_stays_together(void **state)
{
    (void)state;
    install_1();
    struct plan d = driver(2), a = app_with_driver(2), gone = removal(3);
    release(&a, &d); /* the one that requires comes first */
    expect_end("finished", "");
    device_says(&dev, "all of the set is there, and on trial", 5);
    device_says(&dev, "COMMITTED app 2.0", 5);
    device_says(&dev, "COMMITTED t1-driver 2.0", 5);
    expect_runs("app 2.0, t1-driver 2.0");
    release(&gone, NULL);
    expect_end("failed", "requires");
    device_says(&dev, "REFUSED t1-driver 3.0", 20);
    /* A set of which one half is there already. */
    a = app(3);
    a.requires[0] = (struct sm_requirement){"t1-driver", 2, 2};
    release(&a, &d);
    expect_end("finished", "");
    assert_int_equal(device_said(&dev, "fetching t1-driver 2.0"), 1);
    expect_runs("app 3.0, t1-driver 2.0");
}

/* A trial bears three starts, so the killing ends with the first of them. */
static void kills_at_any_moment_end_with_all_of_the_set(void **state)
{
    (void)state;
    int kills = 0;
    install_1();
    struct plan d = driver(2), a = app_with_driver(2);
    assert_int_equal(device_stop(&dev, SIGTERM), 0);
    release(&a, &d);
    srand(20261121);
    for (;; kills++) {
        device_start(&dev);
        usleep((useconds_t)(rand() % (20000 + 1500 * kills)));
        if (device_said(&dev, "on trial") || device_said(&dev, "TRIAL") || kills == 100)
            break;
        assert_int_equal(device_stop(&dev, SIGKILL), 128 + SIGKILL);
    }
    print_message("             %d kills\n", kills);
    expect_end("finished", "");
    expect_runs("app 2.0, t1-driver 2.0");
}

/* ---- What comes to nothing: one device, on which app 1.0 and t1-driver 1.0 go on ---------------
 */

/* All within the vendor's scope, so the server takes them; the device has its own word. */
static void what_the_device_does_not_allow_is_refused_and_reported(void **state)
{
    (void)state;
    struct plan d = driver(1);
    d.name = "t2-driver";
    strcpy(d.sensor.id, "T2");
    d.sensor.address = 0x4a;
    release(&d, NULL);
    expect_end("failed", "not granted here: plugin/i2c-1/74");
    fleet_expect_event(&fx, "REFUSED", "t2-driver", "not granted here: plugin/i2c-1/74");
    d.sensor.address = 0x48;
    d.sequence = 2;
    release(&d, NULL);
    expect_end("failed", "belongs to sensor T1");
    d = driver(9);
    d.name = "app"; /* the name of an application */
    release(&d, NULL);
    expect_end("failed", "of another kind");
    expect_runs(BOTH_1);
}

static void a_plugin_that_traps_is_rolled_back(void **state)
{
    (void)state;
    struct plan d = driver(20);
    d.code = WASM_DIR "plugin_trap.wasm"; /* in its tenth reading */
    d.good_ticks = 20;
    release(&d, NULL);
    expect_end("failed", "divide by zero");
    fleet_expect_event(&fx, "ROLLED_BACK", "t1-driver", "");
    expect_runs(BOTH_1);
}

static void a_bad_member_takes_its_set_back(void **state)
{
    (void)state;
    struct plan d = driver(30), a = app_with_driver(30);
    a.code = WASM_DIR "reads_trap.wasm";
    release(&a, &d);
    expect_end("failed", "app 30.0: .*unreachable.*t1-driver 30.0: .*app of its set");
    fleet_expect_event(&fx, "ROLLED_BACK", "app", "");
    fleet_expect_event(&fx, "ROLLED_BACK", "t1-driver", "app of its set");
    expect_runs(BOTH_1);
}

static void a_member_that_is_refused_drops_what_is_staged(void **state)
{
    (void)state;
    struct plan d = driver(40), a = app_with_driver(40);
    a.capability[2] = "z/not-here";
    release(&d, &a);
    expect_end("failed", "t1-driver 40.0: app of its set: .*app 40.0: .*z/not-here");
    fleet_expect_event(&fx, "REFUSED", "app", "z/not-here");
    fleet_expect_event(&fx, "REFUSED", "t1-driver", "app of its set: ");
    assert_int_equal(device_said(&dev, "TRIAL t1-driver 40.0"), 0);
    expect_runs(BOTH_1);
}

static void a_set_whose_requirement_is_nowhere_is_refused(void **state)
{
    (void)state;
    struct plan d = driver(50), a = app_with_driver(50);
    a.requires[1] = (struct sm_requirement){"t2-driver", 1, 1};
    release(&a, &d);
    expect_end("failed", "requires t2-driver");
    assert_int_equal(device_said(&dev, "TRIAL t1-driver 50.0"), 0);
    expect_runs(BOTH_1);
}

/* The server loses the file of the second member while the device is away. */
static void lose_member(const struct plan *first, const struct plan *lost)
{
    static struct module m;
    char command[160];
    plan_make(&m, lost);
    assert_int_equal(device_stop(&dev, SIGTERM), 0);
    release(first, lost);
    snprintf(command, sizeof command, "rm data/objects/%s", m.sha256);
    shell(command);
}

static void a_set_that_the_server_gives_up_is_dropped(void **state)
{
    (void)state;
    struct plan d = driver(60), a = app_with_driver(60), again = app(1), d1 = driver(1);
    lose_member(&d, &a);
    device_start(&dev);
    device_says(&dev, "INSTALLED t1-driver 60.0", 30);
    device_says(&dev, "again in", 30);
    release(&again, &d1);
    expect_end("finished", "");
    device_says(&dev, "REFUSED t1-driver 60.0", 20);
    device_says(&dev, "the server gave its set up", 5);
    expect_runs(BOTH_1);
}

static void a_member_that_does_not_come_drops_what_is_staged(void **state)
{
    (void)state;
    struct plan d = driver(70), a = app_with_driver(70);
    lose_member(&d, &a);
    shell("sed -i 's/\"first_poll_seconds\"/\"attempts\":2,&/' dev-1.json");
    device_start(&dev);
    expect_end("failed", "t1-driver 70.0: app of its set: module: ");
    expect_runs(BOTH_1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, start, finish)

int main(void)
{
    static const struct CMUnitTest plugins_and_sets[] = {
        T(a_vendors_plugin_comes_over_the_air_and_is_read),
        T(a_removed_plugin_is_gone_and_stays_away),
        T(a_set_comes_in_together_and_stays_together),
        T(kills_at_any_moment_end_with_all_of_the_set),
    };
    static const struct CMUnitTest to_nothing[] = {
        cmocka_unit_test(what_the_device_does_not_allow_is_refused_and_reported),
        cmocka_unit_test(a_plugin_that_traps_is_rolled_back),
        cmocka_unit_test(a_bad_member_takes_its_set_back),
        cmocka_unit_test(a_member_that_is_refused_drops_what_is_staged),
        cmocka_unit_test(a_set_whose_requirement_is_nowhere_is_refused),
        cmocka_unit_test(a_set_that_the_server_gives_up_is_dropped),
        cmocka_unit_test(a_member_that_does_not_come_drops_what_is_staged),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = cmocka_run_group_tests(plugins_and_sets, NULL, NULL);
    return failed + cmocka_run_group_tests(to_nothing, start_with_1, finish);
}
