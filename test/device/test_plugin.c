/* Plugins: a vendor's module drives a simulated TMP105 through one address of one bus, and other
 * modules read it as the sensor T1.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sandmote/drivers.h>
#include "rig.h"

enum { PLUGIN = RIG_APPS }; /* place of the first one */

static struct flash_sim sim;

static const struct key_set_recipe first = {.version = 1, .issued_s = 1000, .vendors = true};
/* ---- Helpers --------------------------------------------------------------------------------- */

static void expect_refused(const struct recipe *r, int err, const char *why)
{
    assert_int_equal(rig_try(rig, r), err);
    if (!strstr(sm_device_reason(&rig->dev), why))
        fail_msg("%s", sm_device_reason(&rig->dev));
}

static void temperature(int32_t milli)
{
    rig->chip[0].value[0] = (struct sm_sim_value){milli, milli, 0};
}

/* What the reader logs after a while: the degrees, or "no". */
static void expect_reading(const char *text)
{
    rig->last_log[0] = 0;
    rig_run(rig, 3000);
    assert_string_equal(rig->last_log, text);
}

static int fresh(void **state)
{
    (void)state;
    sim_init(&sim, 1024, 96, 4, 0xff);
    rig_init_plugins(rig, &sim);
    assert_int_equal(rig_boot(rig), 0);
    assert_int_equal(rig_commission(rig, &first), 0);
    temperature(21500);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    sim_free(&sim);
    return 0;
}

/* ---- A sensor like others -------------------------------------------------------------------- */

static void a_plugin_is_a_sensor_to_other_modules(void **state)
{
    (void)state;
    assert_int_equal(rig_try(rig, &rig_t1_driver), 0);
    assert_int_equal(rig_runs(rig, PLUGIN), 1);
    assert_int_equal(rig_try(rig, &rig_t1_reader), 0);
    expect_reading("21");
    temperature(-3500);
    rig_run(rig, 1000);
    temperature(37250);
    expect_reading("37");
}

static void a_module_that_was_there_before_its_sensor_finds_it(void **state)
{
    (void)state;
    assert_int_equal(rig_try(rig, &rig_t1_reader), 0);
    expect_reading("no");
    assert_int_equal(rig_try(rig, &rig_t1_driver), 0);
    expect_reading("21");
}

static void plugin_and_reader_survive_a_restart(void **state)
{
    (void)state;
    assert_int_equal(rig_try(rig, &rig_t1_driver), 0);
    assert_int_equal(rig_try(rig, &rig_t1_reader), 0);
    assert_int_equal(rig_boot(rig), 0);
    temperature(15000);
    expect_reading("15");
}

static void an_update_of_a_plugin_takes_its_place(void **state)
{
    struct recipe next = rig_t1_driver;

    (void)state;
    assert_int_equal(rig_try(rig, &rig_t1_driver), 0);
    assert_int_equal(rig_try(rig, &rig_t1_reader), 0);
    next.sequence = 2;
    assert_int_equal(rig_try(rig, &next), 0);
    assert_int_equal(rig_runs(rig, PLUGIN), 2);
    expect_reading("21");
    next.sequence = 1;
    expect_refused(&next, SM_ERR_ROLLBACK, "sequence 1 is not above 2");
}

static void a_plugin_that_is_idle_asks_for_no_step(void **state)
{
    (void)state;
    assert_int_equal(rig_try(rig, &rig_t1_driver), 0);
    rig_run(rig, 400000); /* nothing of the installation is left to tidy */
    uint32_t transfers = rig->chip[0].transfers;
    rig_run(rig, 10000);
    assert_int_equal(rig->chip[0].transfers, transfers);
}

/* The vendor's scope is on another bus. */
static void commission_for(const char *bus)
{
    const struct key_set_recipe r = {.version = 1, .issued_s = 1000, .vendor_bus = bus};

    sim_free(&sim);
    sim_init(&sim, 1024, 96, 4, 0xff);
    assert_int_equal(rig_boot(rig), 0);
    assert_int_equal(rig_commission(rig, &r), 0);
}

static struct recipe driver_at(const char *wat, const char *bus, uint32_t address)
{
    struct recipe r = rig_t1_driver;

    r.wat = wat;
    strcpy(r.sensor.bus, bus);
    r.sensor.address = address;
    return r;
}

static void a_plugin_asks_a_modbus_unit_and_its_reader_waits(void **state)
{
    struct recipe r = driver_at("plugin_modbus", "rs485", 7);

    (void)state;
    commission_for("rs485");
    r.sensor.values = 2;
    r.sensor.value[1] = (struct sm_plugin_value){"humidity", SM_UNIT_HUMIDITY, 3, 0, 0};
    assert_int_equal(rig_try(rig, &r), 0);
    assert_int_equal(rig_runs(rig, PLUGIN), 1);
    assert_int_equal(rig_try(rig, &rig_t1_reader), 0);
    rig->chip[2].value[0] = (struct sm_sim_value){28400, 28400, 0};
    expect_reading("28");
    sm_sim_order_fault(&rig->chip[2], SM_SIM_NACK, 0, 0);
    rig_run(rig, 1000);
    expect_reading("no");
    assert_int_equal(rig_runs(rig, PLUGIN), 1); /* it is the unit's fault */
    sm_sim_order_fault(&rig->chip[2], SM_SIM_NO_FAULT, 0, 0);
    rig_run(rig, 3000);
    expect_reading("28");
}

static void a_plugin_talks_to_a_chip_on_spi(void **state)
{
    struct recipe r = driver_at("plugin_spi", "spi-0", 2 + 3 * 64);

    (void)state;
    commission_for("spi-0");
    assert_int_equal(rig_try(rig, &r), 0);
    assert_int_equal(rig_runs(rig, PLUGIN), 1);
    assert_int_equal(rig_try(rig, &rig_t1_reader), 0);
    expect_reading("22"); /* the chip's id, 0xe5, as hundreds */
}

static void a_plugin_on_trial_keeps_off_a_bus_that_is_in_use(void **state)
{
    struct sm_sensor other = {
        .id = "other", .driver = &sm_driver_modbus, .bus = &rig->serial.bus, .address = 8};
    struct recipe r = driver_at("plugin_modbus", "rs485", 7);

    (void)state;
    commission_for("rs485");
    r.sensor.values = 2;
    r.sensor.value[1] = (struct sm_plugin_value){"humidity", SM_UNIT_HUMIDITY, 3, 0, 0};
    struct module m = rig_make(&r);
    assert_int_equal(sm_sensors_add(&rig->sensors, &other), 0);
    assert_true(sm_sensors_hold(&rig->sensors, &other));
    assert_false(sm_sensors_hold(&rig->sensors, &other));
    assert_int_equal(rig_install(rig, &m, "a"), 0);
    rig_run(rig, 1000);
    assert_int_equal(rig->chip[2].transfers, 0);
    assert_int_equal(rig->records[PLUGIN].active, SM_STORE_NO_SLOT);
    sm_sensors_release(&other);
    rig_run(rig, 3000);
    assert_int_equal(rig->records[PLUGIN].active, 0);
    sm_sensors_remove(&rig->sensors, &other);
    rig_drop(&m);
}

/* ---- Trial and traps ------------------------------------------------------------------------- */

static void a_plugin_whose_chip_is_silent_fails_its_trial(void **state)
{
    struct rig_event e;

    (void)state;
    sm_sim_order_fault(&rig->chip[0], SM_SIM_NACK, 0, 0);
    struct module m = rig_make(&rig_t1_driver);
    assert_int_equal(rig_install(rig, &m, "a"), 0);
    rig_run(rig, 10000);
    assert_true(rig_told(rig, SM_EVENT_HEALTH_FAILED, &e));
    assert_string_equal(e.name, "t1-driver");
    assert_int_equal(rig_runs(rig, PLUGIN), 0);
    rig_drop(&m);
}

static void a_reading_that_is_no_number_is_none(void **state)
{
    struct recipe bad = rig_t1_driver;

    (void)state;
    bad.wat = "plugin_nan";
    assert_int_equal(rig_try(rig, &bad), 0);
    rig_run(rig, 10000);
    assert_int_equal(rig_runs(rig, PLUGIN), 0);
}

static void a_plugin_that_traps_costs_a_reading_and_not_the_reader(void **state)
{
    struct recipe bad = rig_t1_driver;

    (void)state;
    bad.wat = "plugin_trap";
    assert_int_equal(rig_try(rig, &bad), 0);
    assert_int_equal(rig_try(rig, &rig_t1_reader), 0);
    rig_run(rig, 15000);
    assert_true(rig_told(rig, SM_EVENT_TRAP, NULL));
    assert_int_equal(rig_runs(rig, 0), 1);
    assert_false(rig_told(rig, SM_EVENT_EPOCH, NULL));
}

static void a_plugin_that_takes_too_long_is_stopped_and_not_its_reader(void **state)
{
    struct recipe bad = rig_t1_driver;
    struct rig_event e;

    (void)state;
    bad.wat = "plugin_spin";
    assert_int_equal(rig_try(rig, &bad), 0);
    rig_epoch_timer(true);
    assert_int_equal(rig_try(rig, &rig_t1_reader), 0);
    rig_run(rig, 5000);
    rig_epoch_timer(false);
    assert_true(rig_told(rig, SM_EVENT_EPOCH, &e));
    assert_string_equal(e.name, "t1-driver");
    for (unsigned i = 0; i < rig->nevents; i++)
        assert_false(rig->events[i].kind == SM_EVENT_EPOCH &&
                     strcmp(rig->events[i].name, "thermostat") == 0);
    assert_int_equal(rig_runs(rig, 0), 1);
}

static void a_plugin_that_keeps_trapping_gives_way_to_the_one_before(void **state)
{
    struct recipe bad = rig_t1_driver;

    (void)state;
    assert_int_equal(rig_try(rig, &rig_t1_driver), 0);
    bad.wat = "plugin_trap";
    bad.sequence = 2;
    assert_int_equal(rig_try(rig, &bad), 0);
    assert_int_equal(rig_runs(rig, PLUGIN), 2);
    assert_int_equal(rig_try(rig, &rig_t1_reader), 0);
    rig_run(rig, 60000);
    assert_int_equal(rig_runs(rig, PLUGIN), 1);
    expect_reading("21");
}

/* ---- What it may not ------------------------------------------------------------------------- */

static void a_plugin_reaches_its_own_address_only(void **state)
{
    struct recipe nosy = rig_t1_driver;

    (void)state;
    nosy.wat = "plugin_reach";
    rig->last_log[0] = 0;
    uint32_t before = rig->chip[1].transfers;
    struct module m = rig_make(&nosy);
    assert_int_equal(rig_install(rig, &m, "a"), 0);
    rig_run(rig, 10000);
    assert_string_equal(rig->last_log, "refused: address 0x49 of i2c-1; it is bound to 0x48");
    assert_int_equal(rig->log_lines, 1); /* of many calls */
    assert_int_equal(rig->chip[1].transfers, before);
    assert_int_equal(rig->chip[0].transfers, 0);
    assert_int_equal(rig_runs(rig, PLUGIN), 0); /* what it was refused is no reading */
    rig_drop(&m);
}

static void the_articles_plugin_at_another_address_is_not_committed(void **state)
{
    struct recipe r = rig_t1_driver;
    struct rig_event e;

    (void)state;
    r.wat = "modules/plugin_tmp"; /* it has 0x48 in its code, and looks at no result */
    r.sensor.address = 0x49;
    struct module m = rig_make(&r);
    assert_int_equal(rig_install(rig, &m, "a"), 0);
    rig_run(rig, 10000);
    assert_true(rig_told(rig, SM_EVENT_HEALTH_FAILED, &e));
    assert_int_equal(rig_runs(rig, PLUGIN), 0);
    rig_drop(&m);
}

static void imports_beyond_its_bus_are_refused(void **state)
{
    static const struct {
        const char *wat, *why;
        int err;
    } cases[] = {
        {"plugin_nosy", "imports wasi_sn.read: not granted", SM_ERR_DENIED},
        {"plugin_spi", "imports env.spi_transfer: not granted", SM_ERR_DENIED},
        {"plugin_typed", "its read_temperature is not a function () -> f32, f64 or i32",
         SM_ERR_INVALID},
        {"plain", "does not export read_temperature", SM_ERR_NOT_FOUND},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct recipe r = rig_t1_driver;
        r.wat = cases[i].wat;
        r.sequence = 2 + i;
        expect_refused(&r, cases[i].err, cases[i].why);
    }
}

static struct recipe driver_of(const char *bus, uint32_t address, int how, const char *model)
{
    struct recipe r = rig_t1_driver;

    strcpy(r.sensor.bus, bus);
    strcpy(r.sensor.model, model);
    r.sensor.address = address;
    r.how = how;
    return r;
}

static void a_vendor_keeps_to_its_scope(void **state)
{
    (void)state;
    struct recipe r = driver_of("i2c-1", 0x4a, SIGNED_BY_VENDOR, "TMP105");
    expect_refused(&r, SM_ERR_KEY, "an address that is beyond its vendor's scope");
    r = driver_of("i2c-2", 0x48, SIGNED_BY_VENDOR, "TMP105");
    expect_refused(&r, SM_ERR_KEY, "a bus that is beyond its vendor's scope");
    r = driver_of("i2c-1", 0x48, SIGNED_BY_VENDOR, "LM75");
    expect_refused(&r, SM_ERR_KEY, "a sensor model that is beyond its vendor's scope");
    r = driver_of("i2c-1", 0x48, SIGNED_WELL, "TMP105");
    expect_refused(&r, SM_ERR_KEY, "a signer's key signs applications");
}

static void a_vendor_does_not_replace_the_plugin_of_another(void **state)
{
    (void)state;
    assert_int_equal(rig_try(rig, &rig_t1_driver), 0);
    struct recipe r = driver_of("i2c-1", 0x49, SIGNED_BY_OTHER_VENDOR, "LM75");
    r.sequence = 2;
    expect_refused(&r, SM_ERR_DENIED,
                   "drives LM75 0x49 on i2c-1, the plugin of this name TMP105 0x48 on i2c-1");
    assert_int_equal(rig_runs(rig, PLUGIN), 1);
}

static void a_place_and_a_name_belong_to_one_sensor(void **state)
{
    (void)state;
    assert_int_equal(rig_try(rig, &rig_t1_driver), 0);
    struct recipe r = driver_of("i2c-1", 0x48, SIGNED_BY_OTHER_VENDOR, "LM75");
    r.name = "other";
    strcpy(r.sensor.id, "T2");
    expect_refused(&r, SM_ERR_DENIED, "0x48 of i2c-1 belongs to sensor T1");
    r.sequence = 2;
    r.sensor.address = 0x49;
    strcpy(r.sensor.id, "T1");
    expect_refused(&r, SM_ERR_DENIED, "belongs to sensor T1");
    r.sequence = 3;
    strcpy(r.sensor.id, "T2");
    assert_int_equal(rig_try(rig, &r), 0);
    assert_int_equal(rig_runs(rig, PLUGIN + 1), 3);
}

static void the_device_decides_which_places_are_for_plugins(void **state)
{
    static const char *const one[] = {"log", "plugin/i2c-1/73"};

    (void)state;
    rig->cfg.capabilities = one;
    rig->cfg.ncapabilities = 2;
    assert_int_equal(rig_boot(rig), 0);
    expect_refused(&rig_t1_driver, SM_ERR_DENIED, "not granted here: plugin/i2c-1/72");
    struct recipe r = driver_of("i2c-1", 0x49, SIGNED_BY_VENDOR, "TMP105");
    r.sequence = 2;
    r.wat = "plugin_trap";
    assert_int_equal(rig_try(rig, &r), 0);
}

static void kinds_keep_to_their_places(void **state)
{
    struct recipe r = rig_t1_driver;
    struct module m = rig_make(&r);

    (void)state;
    m.plugin = false; /* as it is offered */
    assert_int_equal(rig_install(rig, &m, "x"), SM_ERR_DENIED);
    assert_string_equal(sm_device_reason(&rig->dev),
                        "is of kind plugin, and was not offered as one");
    rig_drop(&m);
    rig_report(rig);
    rig_run(rig, 10);
    m = rig_make(&rig_t1_reader);
    m.plugin = true;
    assert_int_equal(rig_install(rig, &m, "y"), SM_ERR_DENIED);
    m.plugin = false;
    assert_int_equal(rig_install(rig, &m, "z"), SM_ERR_DENIED);
    assert_string_equal(sm_device_reason(&rig->dev),
                        "thermostat is the name of a module of another kind");
    rig_drop(&m);
}

static void a_device_without_plugins_refuses_them(void **state)
{
    struct module m = rig_make(&rig_t1_driver);

    (void)state;
    rig->cfg.plugins = NULL;
    rig->cfg.store.plugins = 0;
    sim_free(&sim);
    sim_init(&sim, 1024, 96, 4, 0xff);
    assert_int_equal(rig_boot(rig), 0);
    assert_int_equal(rig_commission(rig, &first), 0);
    assert_int_equal(rig_install(rig, &m, "x"), SM_ERR_DENIED);
    assert_string_equal(sm_device_reason(&rig->dev), "this device runs no plugins");
    rig_drop(&m);
}

/* ---- Removal and revocation ------------------------------------------------------------------ */

static struct recipe removal(uint64_t sequence)
{
    return (struct recipe){
        .wat = "plain", .sequence = sequence, .name = "t1-driver", .plugin = true};
}

static void a_removal_takes_the_plugin_and_its_sensor_away(void **state)
{
    struct recipe r = removal(2);

    (void)state;
    assert_int_equal(rig_try(rig, &rig_t1_driver), 0);
    assert_int_equal(rig_try(rig, &rig_t1_reader), 0);
    assert_int_equal(rig_try(rig, &r), 0);
    assert_int_equal(rig_runs(rig, PLUGIN), 0);
    expect_reading("no");
    assert_int_equal(rig_boot(rig), 0);
    rig_run(rig, 1000);
    assert_int_equal(rig_runs(rig, PLUGIN), 0);
    expect_refused(&rig_t1_driver, SM_ERR_ROLLBACK, "sequence 1 is below the security floor 2");
    r = rig_t1_driver;
    r.sequence = 3;
    assert_int_equal(rig_try(rig, &r), 0);
    expect_reading("21");
}

static void only_the_fleets_signer_removes(void **state)
{
    struct recipe r = removal(2);

    (void)state;
    assert_int_equal(rig_try(rig, &rig_t1_driver), 0);
    r.how = SIGNED_BY_OTHER_VENDOR;
    expect_refused(&r, SM_ERR_KEY, "a plugin without a sensor removes one");
    assert_int_equal(rig_runs(rig, PLUGIN), 1);
}

static void a_revoked_plugin_stops(void **state)
{
    struct module m = rig_make(&rig_t1_driver);
    struct key_set_recipe next = {
        .version = 2, .issued_s = 2000, .vendors = true, .revoke = &m, .stop = true};

    (void)state;
    assert_int_equal(rig_install(rig, &m, "a"), 0);
    rig_run(rig, 2000);
    assert_int_equal(rig_try(rig, &rig_t1_reader), 0);
    expect_reading("21");
    assert_int_equal(rig_offer(rig, &next), 0);
    expect_reading("no");
    assert_int_equal(rig_runs(rig, PLUGIN), 0);
    rig_drop(&m);
}

/* ---- Requirements ---------------------------------------------------------------------------- */

static void a_module_is_installed_only_beside_what_it_requires(void **state)
{
    struct recipe app = rig_t1_reader, two = rig_t1_driver;

    (void)state;
    app.requires[0] = (struct sm_requirement){"t1-driver", 2, INT64_MAX};
    expect_refused(&app, SM_ERR_DENIED,
                   "thermostat requires t1-driver of sequence 2 or more, not 0");
    assert_int_equal(rig_try(rig, &rig_t1_driver), 0);
    expect_refused(&app, SM_ERR_DENIED,
                   "thermostat requires t1-driver of sequence 2 or more, not 1");
    two.sequence = 2;
    assert_int_equal(rig_try(rig, &two), 0);
    assert_int_equal(rig_try(rig, &app), 0);
    assert_int_equal(rig_runs(rig, 0), 1);
}

static void what_others_require_is_not_taken_away(void **state)
{
    struct recipe app = rig_t1_reader, three = rig_t1_driver, r = removal(4);

    (void)state;
    assert_int_equal(rig_try(rig, &rig_t1_driver), 0);
    app.requires[0] = (struct sm_requirement){"t1-driver", 1, 2};
    assert_int_equal(rig_try(rig, &app), 0);
    three.sequence = 3;
    expect_refused(&three, SM_ERR_DENIED,
                   "thermostat requires t1-driver of sequence 1 to 2, not 3");
    expect_refused(&r, SM_ERR_DENIED, "thermostat requires t1-driver of sequence 1 to 2, not 0");
    assert_int_equal(rig_runs(rig, PLUGIN), 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fresh, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_plugin_is_a_sensor_to_other_modules),
        T(a_module_that_was_there_before_its_sensor_finds_it),
        T(plugin_and_reader_survive_a_restart),
        T(an_update_of_a_plugin_takes_its_place),
        T(a_plugin_that_is_idle_asks_for_no_step),
        T(a_plugin_on_trial_keeps_off_a_bus_that_is_in_use),
        T(a_plugin_asks_a_modbus_unit_and_its_reader_waits),
        T(a_plugin_talks_to_a_chip_on_spi),
        T(a_plugin_whose_chip_is_silent_fails_its_trial),
        T(a_reading_that_is_no_number_is_none),
        T(a_plugin_that_traps_costs_a_reading_and_not_the_reader),
        T(a_plugin_that_takes_too_long_is_stopped_and_not_its_reader),
        T(a_plugin_that_keeps_trapping_gives_way_to_the_one_before),
        T(a_plugin_reaches_its_own_address_only),
        T(the_articles_plugin_at_another_address_is_not_committed),
        T(imports_beyond_its_bus_are_refused),
        T(a_vendor_keeps_to_its_scope),
        T(a_vendor_does_not_replace_the_plugin_of_another),
        T(a_place_and_a_name_belong_to_one_sensor),
        T(the_device_decides_which_places_are_for_plugins),
        T(kinds_keep_to_their_places),
        T(a_device_without_plugins_refuses_them),
        T(a_removal_takes_the_plugin_and_its_sensor_away),
        T(only_the_fleets_signer_removes),
        T(a_revoked_plugin_stops),
        T(a_module_is_installed_only_beside_what_it_requires),
        T(what_others_require_is_not_taken_away),
    };

    return cmocka_run_group_tests(tests, rig_once, rig_end);
}
