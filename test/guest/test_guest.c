/* The article's plugin in Rust, as printed and built by the real compiler, on a device: it reads a
 * chip whose register is right-justified, as it assumes; the corrected copy reads a TMP105.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "rig.h"

static struct flash_sim sim;

static const struct key_set_recipe first = {.version = 1, .issued_s = 1000, .vendors = true};

static int fresh(void **state)
{
    (void)state;
    sim_init(&sim, 1024, 96, 4, 0xff);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    sim_free(&sim);
    return 0;
}

static void install(const struct recipe *r)
{
    if (rig_try(rig, r) != 0)
        fail_msg("%s: %s", r->wat, sm_device_reason(&rig->dev));
}

/* A device with one chip at 0x48, a plugin for it and a module that logs its degrees. */
static void start(const char *plugin, const struct sm_sim_model *chip, int32_t milli)
{
    struct recipe driver = rig_t1_driver;

    driver.wat = plugin;
    rig_init_plugins(rig, &sim);
    assert_int_equal(rig_boot(rig), 0);
    sm_sim_bus_init(&rig->i2c, "i2c-1", SM_BUS_I2C, &rig->sim_clock);
    assert_int_equal(sm_sim_plug(&rig->i2c, &rig->chip[0], chip, 0x48), 0);
    rig->chip[0].value[0] = (struct sm_sim_value){milli, milli, 0};
    assert_int_equal(rig_commission(rig, &first), 0);
    install(&driver);
    install(&rig_t1_reader);
}

static void expect_reading(const char *text)
{
    rig->last_log[0] = 0;
    rig_run(rig, 3000);
    assert_string_equal(rig->last_log, text);
}

static void the_article_s_plugin_reads_a_chip_that_is_right_justified(void **state)
{
    (void)state;
    start("modules/plugin_tmp", &sm_sim_right16, 21500);
    expect_reading("21");
    rig->chip[0].value[0] = (struct sm_sim_value){4000, 4000, 0};
    rig_run(rig, 1000);
    expect_reading("04");
}

static void of_a_tmp105_it_reads_sixteen_times_as_much(void **state)
{
    (void)state;
    start("modules/plugin_tmp", &sm_sim_tmp105, 2000);
    expect_reading("32");
}

static void the_corrected_copy_reads_a_tmp105(void **state)
{
    (void)state;
    start("modules/plugin_tmp105", &sm_sim_tmp105, 21500);
    expect_reading("21");
    sm_sim_order_fault(&rig->chip[0], SM_SIM_NACK, 0, 0);
    rig_run(rig, 3000);
    expect_reading("no");
}

static void expect_healthy(const char *wat, const char *entry, const char *line)
{
    const struct recipe r = {.wat = wat,
                             .sequence = 1,
                             .entry = entry,
                             .capability = {"log", "sensor/BME280/SampRate:rw",
                                            "sensor/BME280/humidity:r",
                                            "sensor/BME280/temperature:r"},
                             .interface = 2};

    rig_init(rig, &sim);
    rig->cfg.store.slot_size = 10000;
    rig->last_log[0] = 0;
    assert_int_equal(rig_boot(rig), 0);
    install(&r);
    assert_true(rig_told(rig, SM_EVENT_COMMITTED, NULL));
    assert_string_equal(rig->last_log, line);
}

static void the_examples_pass_their_trial_in_every_language(void **state)
{
    static const char *const languages[] = {"", "-rs", "-as"};
    char name[64], path[512];

    for (unsigned i = 0; i < 3; i++) {
        snprintf(path, sizeof path, MODULES_DIR "/climate%s.wasm", languages[i]);
        if (access(path, R_OK) != 0) {
            print_message("skipped: no %s\n", path);
            continue;
        }
        snprintf(name, sizeof name, "modules/climate%s", languages[i]);
        expect_healthy(name, NULL, "climate: 55.0 %RH at 21.5 C: dry");
        drop(state);
        fresh(state);
        snprintf(name, sizeof name, "modules/logger%s", languages[i]);
        expect_healthy(name, NULL, "logger: 21.500 degC 55.000 %RH");
        drop(state);
        fresh(state);
    }
}

static void listing_2_of_the_paper_is_a_tick(void **state)
{
    (void)state;
    expect_healthy("modules/listing2", "main", "");
    rig->sensor_is_slow = true;
    rig_run(rig, 2000); /* it wants a measurement each second */
    assert_true(rig->sensor_asked);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fresh, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_article_s_plugin_reads_a_chip_that_is_right_justified),
        T(of_a_tmp105_it_reads_sixteen_times_as_much),
        T(the_corrected_copy_reads_a_tmp105),
        T(the_examples_pass_their_trial_in_every_language),
        T(listing_2_of_the_paper_is_a_tick),
    };

    return cmocka_run_group_tests(tests, rig_once, rig_end);
}
