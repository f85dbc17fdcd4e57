/* Attributes of a plugin: modules set and read them as those of any sensor. The chip is a simulated
 * TMP105 that the corrected plugin of the examples drives, with its limit and its resolution.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <sandmote/sensors.h>
#include "rig.h"

enum { PLUGIN = RIG_APPS };          /* place of the first one */
enum { CONFIG = 1, ALERT_HIGH = 3 }; /* registers of the TMP105 */

static struct flash_sim sim;

static const struct key_set_recipe first = {.version = 1, .issued_s = 1000, .vendors = true};

#define ALERT                                                                                      \
    {                                                                                              \
        "alert_high", SM_UNIT_CELSIUS, 3, SM_WRITES_LOWEST, -55000, 125000, 80000                  \
    }
#define RESOLUTION                                                                                 \
    {                                                                                              \
        "resolution", SM_UNIT_NONE, 0, SM_WRITES_HIGHEST, 9, 12, 12                                \
    }

/* ---- Helpers --------------------------------------------------------------------------------- */

/* The plugin of the examples; or another with these attributes. */
static struct recipe driver(void)
{
    static const struct sm_plugin_attribute own[] = {ALERT, RESOLUTION};
    struct recipe r = rig_t1_driver;

    r.wat = "modules/plugin_tmp105";
    r.sensor.attributes = 2;
    memcpy(r.sensor.attribute, own, sizeof own);
    return r;
}

static struct recipe driver_with(const char *wat, const struct sm_plugin_attribute *a, uint32_t n)
{
    struct recipe r = rig_t1_driver;

    r.wat = wat;
    r.sensor.attributes = n;
    memcpy(r.sensor.attribute, a, n * sizeof *a);
    return r;
}

static int fresh(void **state)
{
    (void)state;
    sim_init(&sim, 1024, 96, 4, 0xff);
    rig_init_plugins(rig, &sim);
    assert_int_equal(rig_boot(rig), 0);
    assert_int_equal(rig_commission(rig, &first), 0);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    sim_free(&sim);
    return 0;
}

/* What a register of the chip holds. */
static unsigned chip_register(uint8_t reg, uint32_t bytes)
{
    uint8_t raw[2];

    assert_int_equal(
        rig->i2c.bus.transfer.i2c(rig->i2c.bus.ctx, rig->chip[0].address, &reg, 1, raw, bytes), 0);
    return bytes == 1 ? raw[0] : (unsigned)raw[0] << 8 | raw[1];
}

static void expect_alert(int degrees)
{
    assert_int_equal(chip_register(ALERT_HIGH, 2), degrees * 256);
}

static unsigned resolution(void)
{
    return 9 + (chip_register(CONFIG, 1) >> 5 & 3);
}

/* Another module of the device, with every right to T1. */
struct user {
    struct sm_sensor_client client;
    struct sm_sensor_view view;
};

static void come(struct user *u)
{
    static const char grants[][64] = {"sensor/T1/alert_high:rw", "sensor/T1/temperature:r"};
    const struct sm_sensor_grants g = {grants[0], sizeof grants[0], 2};

    sm_sensor_client_open(&u->client, &rig->sensors, &g, &u->view, 0);
    assert_non_null(u->view.sensor);
}

static void leave(struct user *u)
{
    sm_sensor_client_close(&u->client);
    rig_run(rig, 100);
}

static int ask(struct user *u, enum sm_sensor_request request, const char *name, int64_t value)
{
    int channel = sm_sensor_channel_find(u->view.sensor->driver, name, strlen(name));

    assert_true(channel >= 0);
    return sm_sensor_client_request(&u->client, &u->view, request, (unsigned)channel, value);
}

/* A request, and its end. */
static int finish(struct user *u, int err)
{
    if (err != SM_SENSOR_PENDING)
        return err;
    for (unsigned i = 0; i < 1000 && !sm_sensor_client_done(&u->client); i++)
        rig_run(rig, 10);
    assert_true(sm_sensor_client_done(&u->client));
    return sm_sensor_client_take(&u->client);
}

static int set(struct user *u, const char *name, int64_t value)
{
    return finish(u, ask(u, SM_REQUEST_SET, name, value));
}

static int64_t get(struct user *u, const char *name)
{
    assert_int_equal(finish(u, ask(u, SM_REQUEST_READ, name, 0)), 0);
    return u->client.value;
}

static void expect_refused(const struct recipe *r, int err, const char *why)
{
    assert_int_equal(rig_try(rig, r), err);
    if (!strstr(sm_device_reason(&rig->dev), why))
        fail_msg("%s", sm_device_reason(&rig->dev));
}

/* ---- As of any sensor ------------------------------------------------------------------------ */

static void expect_module_content(const char *wat)
{
    struct recipe plugin = driver();
    const struct recipe module = {.wat = "sets_t1",
                                  .sequence = 1,
                                  .capability = {"log", "sensor/T1/alert_high:rw"},
                                  .interface = 2};

    plugin.wat = wat;
    assert_int_equal(rig_try(rig, &plugin), 0);
    assert_int_equal(rig_try(rig, &module), 0);
    assert_int_equal(rig_runs(rig, 0), 1);
    assert_string_equal(rig->last_log, "30000 -3 alert_high?resolution?SampRate");
    expect_alert(30);
}

static void a_module_sets_and_reads_what_a_plugin_declares(void **state)
{
    (void)state;
    expect_module_content("modules/plugin_tmp105");
}

static void the_plugin_is_the_same_in_c(void **state)
{
    (void)state;
    expect_module_content("modules/plugin_tmp105-c");
}

static void the_plugin_is_the_same_in_assemblyscript(void **state)
{
    (void)state;
    if (access(MODULES_DIR "/plugin_tmp105-as.wasm", R_OK) != 0)
        skip(); /* ./dev install brings its compiler */
    expect_module_content("modules/plugin_tmp105-as");
}

static void a_chip_has_its_initial_values_from_the_trial_on(void **state)
{
    struct recipe plugin = driver();

    (void)state;
    assert_int_equal(resolution(), 9); /* as it came up */
    assert_int_equal(rig_try(rig, &plugin), 0);
    assert_int_equal(rig_runs(rig, PLUGIN), 1);
    assert_int_equal(resolution(), 12);
    expect_alert(80);
}

static void the_wishes_of_several_modules_become_one_by_the_rule(void **state)
{
    struct recipe plugin = driver();
    struct user a, b;

    (void)state;
    assert_int_equal(rig_try(rig, &plugin), 0);
    come(&a);
    come(&b);
    assert_int_equal(set(&a, "alert_high", 40000), 0);
    assert_int_equal(set(&b, "alert_high", 50000), 0);
    expect_alert(40);
    assert_int_equal(get(&b, "alert_high"), 40000);
    leave(&a);
    expect_alert(50);
    assert_int_equal(set(&b, "resolution", 10), 0);
    assert_int_equal(resolution(), 10);
    leave(&b);
    expect_alert(80); /* nobody wishes anything, and nobody has it on */
    assert_int_equal(resolution(), 12);
}

static void an_attribute_reads_as_what_the_chip_has_made_of_it(void **state)
{
    struct recipe plugin = driver();
    struct user a;

    (void)state;
    assert_int_equal(rig_try(rig, &plugin), 0);
    come(&a);
    assert_int_equal(set(&a, "alert_high", -10030), 0); /* its steps are 62.5 thousandths */
    assert_int_equal(get(&a, "alert_high"), -10000);
    leave(&a);
}

static void a_value_out_of_range_does_not_reach_the_plugin(void **state)
{
    struct recipe plugin = driver();
    struct user a;

    (void)state;
    assert_int_equal(rig_try(rig, &plugin), 0);
    come(&a);
    uint32_t transfers = rig->chip[0].transfers;
    assert_int_equal(set(&a, "alert_high", 125001), SM_ERR_LIMIT);
    assert_int_equal(set(&a, "alert_high", -55001), SM_ERR_LIMIT);
    assert_int_equal(set(&a, "temperature", 1), SM_ERR_ARG);
    assert_int_equal(rig->chip[0].transfers, transfers);
    leave(&a);
}

static void a_transfer_that_fails_is_no_setting(void **state)
{
    struct recipe plugin = driver();
    struct user a;

    (void)state;
    assert_int_equal(rig_try(rig, &plugin), 0);
    come(&a);
    assert_int_equal(set(&a, "alert_high", 40000), 0);
    sm_sim_order_fault(&rig->chip[0], SM_SIM_NACK, 0, 0);
    assert_int_equal(set(&a, "alert_high", 30000), SM_ERR_IO);
    sm_sim_order_fault(&rig->chip[0], SM_SIM_NO_FAULT, 0, 0);
    rig_run(rig, 1000);
    assert_int_equal(get(&a, "alert_high"), 40000); /* the wish before, on a chip started anew */
    expect_alert(40);
    leave(&a);
}

static void attributes_are_not_kept_over_a_restart(void **state)
{
    struct recipe plugin = driver();
    struct user a;

    (void)state;
    assert_int_equal(rig_try(rig, &plugin), 0);
    come(&a);
    assert_int_equal(set(&a, "alert_high", 40000), 0);
    assert_int_equal(rig_boot(rig), 0);
    rig_run(rig, 100);
    come(&a);
    assert_int_equal(get(&a, "alert_high"), 80000);
    expect_alert(80);
    leave(&a);
}

/* ---- Types and rules ------------------------------------------------------------------------- */

#define WIDE                                                                                       \
    {                                                                                              \
        "wide", SM_UNIT_SECOND, 9, SM_WRITES_HIGHEST, -5000000000, 5000000000, -5000000000         \
    }
#define FINE                                                                                       \
    {                                                                                              \
        "fine", SM_UNIT_VOLT, 6, SM_WRITES_LOWEST, 0, 10000000, 2500000                            \
    }
#define HELD                                                                                       \
    {                                                                                              \
        "held", SM_UNIT_NONE, 0, SM_WRITES_HOLDER, 0, 100, 1                                       \
    }
#define SETS                                                                                       \
    {                                                                                              \
        "sets", SM_UNIT_NONE, 0, SM_WRITES_NONE, 0, 100, 0                                         \
    }
#define BAD                                                                                        \
    {                                                                                              \
        "bad", SM_UNIT_NONE, 3, SM_WRITES_NONE, INT64_MIN, INT64_MAX, 0                            \
    }

static void every_type_of_number_comes_and_goes(void **state)
{
    static const struct sm_plugin_attribute own[] = {WIDE, FINE, HELD, SETS};
    struct recipe plugin = driver_with("plugin_attributes", own, 4);
    struct user a;

    (void)state;
    assert_int_equal(rig_try(rig, &plugin), 0);
    assert_int_equal(rig_runs(rig, PLUGIN), 1);
    come(&a);
    assert_int_equal(get(&a, "wide"), -5000000000);
    assert_int_equal(set(&a, "wide", 4999999999), 0);
    assert_int_equal(get(&a, "wide"), 4999999999);
    assert_int_equal(get(&a, "fine"), 2500000);
    assert_int_equal(set(&a, "fine", 1234567), 0);
    assert_int_equal(get(&a, "fine"), 1234567);
    assert_int_equal(set(&a, "held", 7), 0);
    assert_int_equal(get(&a, "held"), 7);
    assert_int_equal(get(&a, "sets"), 9); /* three on trial, three at the start, and these */
    assert_int_equal(set(&a, "sets", 1), SM_ERR_ARG);
    leave(&a);
}

static void who_writes_first_holds_it_by_the_third_rule(void **state)
{
    static const struct sm_plugin_attribute own[] = {HELD};
    struct recipe plugin = driver_with("plugin_attributes", own, 1);
    struct user a, b;

    (void)state;
    assert_int_equal(rig_try(rig, &plugin), 0);
    come(&a);
    come(&b);
    assert_int_equal(set(&a, "held", 7), 0);
    assert_int_equal(set(&b, "held", 8), SM_ERR_BUSY);
    leave(&a);
    assert_int_equal(set(&b, "held", 8), 0);
    leave(&b);
}

static void what_it_gives_out_of_range_is_no_value(void **state)
{
    static const struct sm_plugin_attribute own[] = {
        BAD, HELD, {"sets", SM_UNIT_NONE, 0, SM_WRITES_NONE, 0, 0, 0}};
    struct recipe plugin = driver_with("plugin_attributes", own, 3);
    struct user a;

    (void)state;
    assert_int_equal(rig_try(rig, &plugin), 0);
    come(&a);
    assert_int_equal(finish(&a, ask(&a, SM_REQUEST_READ, "bad", 0)), SM_ERR_IO);
    rig_run(rig, 1000);
    assert_int_equal(finish(&a, ask(&a, SM_REQUEST_READ, "sets", 0)), SM_ERR_IO);
    leave(&a);
}

static void what_it_measures_out_of_range_is_no_value(void **state)
{
    struct recipe plugin = driver();
    struct user a;

    (void)state;
    plugin.sensor.value[0].min = -10000;
    plugin.sensor.value[0].max = 40000;
    assert_int_equal(rig_try(rig, &plugin), 0);
    come(&a);
    assert_int_equal(a.view.sensor->driver->capability[0].max, 40000);
    rig->chip[0].value[0] = (struct sm_sim_value){40000, 40000, 0};
    rig_run(rig, 1000);
    assert_int_equal(finish(&a, ask(&a, SM_REQUEST_READ, "temperature", 0)), 0);
    rig->chip[0].value[0] = (struct sm_sim_value){41000, 41000, 0};
    rig_run(rig, 1000);
    assert_int_equal(finish(&a, ask(&a, SM_REQUEST_READ, "temperature", 0)), SM_ERR_IO);
    leave(&a);
}

static void functions_that_do_not_fit_are_refused_at_installation(void **state)
{
    static const struct {
        struct sm_plugin_attribute a;
        const char *why;
        int err;
    } cases[] = {
        {{"none", 0, 0, SM_WRITES_LOWEST, 0, 1, 0}, "does not export set_none", SM_ERR_NOT_FOUND},
        {{"held", 0, 0, SM_WRITES_NONE, 0, 1, 0}, "does not export get_held", SM_ERR_NOT_FOUND},
        {{"two", 0, 0, SM_WRITES_LOWEST, 0, 1, 0},
         "its set_two is not a function of f32, f64, i64 or i32 -> ()",
         SM_ERR_INVALID},
        {{"result", 0, 0, SM_WRITES_LOWEST, 0, 1, 0},
         "its set_result is not a function of f32, f64, i64 or i32 -> ()",
         SM_ERR_INVALID},
        {{"nothing", 0, 0, SM_WRITES_NONE, 0, 1, 0},
         "its get_nothing is not a function () -> f32, f64, i64 or i32",
         SM_ERR_INVALID},
        {{"held", 0, 0, SM_WRITES_HIGHEST, 0, 1ll << 31, 0},
         "its set_held takes an i32, which cannot hold its range",
         SM_ERR_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct recipe r = driver_with("plugin_attributes", &cases[i].a, 1);
        r.sequence = 2 + i;
        expect_refused(&r, cases[i].err, cases[i].why);
    }
}

/* ---- Trial and trouble ----------------------------------------------------------------------- */

static void a_plugin_that_cannot_set_is_not_committed(void **state)
{
    static const struct sm_plugin_attribute own[] = {{"traps", 0, 0, SM_WRITES_LOWEST, 0, 1, 0}};
    struct recipe plugin = driver_with("plugin_attributes", own, 1);

    (void)state;
    assert_int_equal(rig_try(rig, &plugin), 0);
    rig_run(rig, 10000);
    assert_int_equal(rig_runs(rig, PLUGIN), 0);
}

static void expect_survived(const char *module, int64_t value, enum sm_event_kind kind)
{
    static const struct sm_plugin_attribute own[] = {HELD};
    struct recipe plugin = driver_with("plugin_attributes", own, 1);
    struct rig_event e;
    struct user a;

    assert_int_equal(rig_try(rig, &plugin), 0);
    come(&a);
    rig_epoch_timer(true);
    assert_int_equal(set(&a, "held", value), SM_ERR_IO);
    rig_epoch_timer(false);
    rig_run(rig, 5000);
    assert_true(rig_told(rig, kind, &e));
    assert_string_equal(e.name, module);
    assert_int_equal(rig_runs(rig, PLUGIN), 1); /* another instance of the same release */
    assert_int_equal(set(&a, "held", 2), 0);
    assert_int_equal(get(&a, "held"), 2);
    leave(&a);
}

static void a_plugin_that_traps_while_it_sets_starts_anew(void **state)
{
    (void)state;
    expect_survived("t1-driver", 13, SM_EVENT_TRAP);
}

static void a_plugin_that_sets_for_ever_is_stopped(void **state)
{
    (void)state;
    expect_survived("t1-driver", 14, SM_EVENT_EPOCH);
}

/* ---- Modbus, which takes its time ------------------------------------------------------------ */

static struct module correction(void)
{
    static const struct sm_plugin_attribute own[] = {
        {"correction", SM_UNIT_CELSIUS, 1, SM_WRITES_HOLDER, -100, 100, 0}};
    const struct key_set_recipe keys = {.version = 1, .issued_s = 1000, .vendor_bus = "rs485"};
    struct recipe plugin = driver_with("plugin_correction", own, 1);

    sim_free(&sim);
    sim_init(&sim, 1024, 96, 4, 0xff);
    assert_int_equal(rig_boot(rig), 0);
    assert_int_equal(rig_commission(rig, &keys), 0);
    strcpy(plugin.sensor.bus, "rs485");
    plugin.sensor.address = 7;
    rig->chip[2].value[0] = (struct sm_sim_value){20000, 20000, 0};
    return rig_make(&plugin);
}

static void install_correction(void)
{
    struct module m = correction();

    assert_int_equal(rig_install(rig, &m, "a"), 0);
    rig_run(rig, 2000);
    assert_int_equal(rig_runs(rig, PLUGIN), 1);
    rig_drop(&m);
}

static int32_t temperature(struct user *u)
{
    assert_int_equal(finish(u, ask(u, SM_REQUEST_READ, "temperature", 0)), 0);
    return u->view.value[0];
}

static void a_setting_waits_for_its_exchange(void **state)
{
    struct user a;

    (void)state;
    install_correction();
    come(&a);
    assert_int_equal(temperature(&a), 20000);
    assert_int_equal(set(&a, "correction", -15), 0);
    assert_int_equal(get(&a, "correction"), -15);
    assert_int_equal(temperature(&a), 18500);
    leave(&a);
    come(&a);
    assert_int_equal(temperature(&a), 20000); /* set back when nobody had it on */
    leave(&a);
}

/* Its health asks the unit too, and the exchange of a reader is under way when it is due. */
static void a_plugin_on_trial_is_read_and_asked_for_its_health(void **state)
{
    struct module m = correction();
    struct user a = {0};
    unsigned read = 0;

    (void)state;
    assert_int_equal(rig_install(rig, &m, "a"), 0);
    rig_run(rig, 1);
    come(&a);
    int err = ask(&a, SM_REQUEST_READ, "temperature", 0);
    for (unsigned ms = 0; ms < 2000; ms++) {
        rig_run(rig, 1);
        if (err == SM_SENSOR_PENDING && !sm_sensor_client_done(&a.client))
            continue;
        assert_int_equal(err == SM_SENSOR_PENDING ? sm_sensor_client_take(&a.client) : err, 0);
        assert_int_equal(a.view.value[0], 20000);
        read++;
        err = ask(&a, SM_REQUEST_READ, "temperature", 0);
    }
    assert_int_equal(rig_runs(rig, PLUGIN), 1);
    assert_true(read > 20);
    sm_sensor_client_close(&a.client);
    rig_drop(&m);
}

/* Somebody goes away in each millisecond of what a request takes. The function of the plugin that
 * waited then returns before another is called, and what it came to is nobody's answer. */
static void a_request_that_is_given_up_leaves_the_plugin_as_it_was(void **state)
{
    static const struct {
        enum sm_sensor_request request;
        const char *name;
        int64_t value;
    } asked[] = {{SM_REQUEST_SET, "correction", 50},
                 {SM_REQUEST_READ, "correction", 0},
                 {SM_REQUEST_READ, "temperature", 0}};
    unsigned given_up = 0;
    struct user a;

    (void)state;
    install_correction();
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned ms = 0; ms < 60; ms++) {
            come(&a);
            assert_int_equal(ask(&a, asked[i].request, asked[i].name, asked[i].value),
                             SM_SENSOR_PENDING);
            for (unsigned k = 0; k < ms; k++)
                rig_run(rig, 1);
            given_up += !sm_sensor_client_done(&a.client);
            sm_sensor_client_close(&a.client);
            rig_run(rig, 1);
            come(&a);
            assert_int_equal(temperature(&a), 20000);
            assert_int_equal(get(&a, "correction"), 0);
            leave(&a);
        }
    }
    print_message("%u requests given up\n", given_up);
    assert_true(given_up > 30);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fresh, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_module_sets_and_reads_what_a_plugin_declares),
        T(the_plugin_is_the_same_in_c),
        T(the_plugin_is_the_same_in_assemblyscript),
        T(a_chip_has_its_initial_values_from_the_trial_on),
        T(the_wishes_of_several_modules_become_one_by_the_rule),
        T(an_attribute_reads_as_what_the_chip_has_made_of_it),
        T(a_value_out_of_range_does_not_reach_the_plugin),
        T(a_transfer_that_fails_is_no_setting),
        T(attributes_are_not_kept_over_a_restart),
        T(every_type_of_number_comes_and_goes),
        T(who_writes_first_holds_it_by_the_third_rule),
        T(what_it_gives_out_of_range_is_no_value),
        T(what_it_measures_out_of_range_is_no_value),
        T(functions_that_do_not_fit_are_refused_at_installation),
        T(a_plugin_that_cannot_set_is_not_committed),
        T(a_plugin_that_traps_while_it_sets_starts_anew),
        T(a_plugin_that_sets_for_ever_is_stopped),
        T(a_setting_waits_for_its_exchange),
        T(a_plugin_on_trial_is_read_and_asked_for_its_health),
        T(a_request_that_is_given_up_leaves_the_plugin_as_it_was),
    };

    return cmocka_run_group_tests(tests, rig_once, rig_end);
}
