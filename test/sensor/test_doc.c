/* The tables of doc/sensors.md say what the drivers say; and a driver is found by its model.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sandmote/sensor.h>

static const struct sm_sensor_driver *const drivers[] = {
    &sm_driver_bme280,  &sm_driver_ccs811, &sm_driver_tmp105,
    &sm_driver_adxl345, &sm_driver_modbus, &sm_driver_relay,
};
#define DRIVERS (sizeof drivers / sizeof drivers[0])

static int setup(void **state)
{
    static char text[65536];
    FILE *f = fopen(SENSORS_MD, "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = 0;
    *state = text;
    return n > 0 ? 0 : -1;
}

static void assert_row(const char *text, const char *row)
{
    if (!strstr(text, row))
        fail_msg("doc/sensors.md has no row\n%s", row);
}

static void capabilities_stand_in_the_table(void **state)
{
    for (unsigned d = 0; d < DRIVERS; d++)
        for (unsigned i = 0; i < drivers[d]->capabilities; i++) {
            const struct sm_capability *c = &drivers[d]->capability[i];
            char row[256];
            snprintf(row, sizeof row, "| %s | `%s` | %s | %d | %" PRId32 " | %" PRId32 " |\n",
                     drivers[d]->model, c->name, sm_unit_text(c->unit), c->scale, c->min, c->max);
            assert_row(*state, row);
        }
}

static void attributes_stand_in_the_table(void **state)
{
    static const char *const rules[] = {"lowest", "highest", "holder"};
    for (unsigned d = 0; d < DRIVERS; d++)
        for (unsigned i = 0; i < drivers[d]->attributes; i++) {
            const struct sm_attribute *a = &drivers[d]->attribute[i];
            char row[256];
            snprintf(row, sizeof row,
                     "| %s | `%s` | %s | %d | %" PRId64 " | %" PRId64 " | %" PRId64 " | %s |\n",
                     drivers[d]->model, a->name, sm_unit_text(a->unit), a->scale, a->min, a->max,
                     a->initial, rules[a->rule]);
            assert_row(*state, row);
        }
}

static void drivers_keep_the_limits_of_the_model(void **state)
{
    (void)state;
    for (unsigned d = 0; d < DRIVERS; d++) {
        assert_true(drivers[d]->capabilities <= SM_SENSOR_CAPABILITIES);
        assert_true(drivers[d]->attributes <= SM_SENSOR_ATTRIBUTES);
        assert_true(drivers[d]->capabilities + drivers[d]->attributes > 0);
        assert_true(drivers[d]->start && drivers[d]->sample);
        for (unsigned i = 0; i < drivers[d]->attributes; i++) {
            const struct sm_attribute *a = &drivers[d]->attribute[i];
            assert_true(a->min <= a->initial && a->initial <= a->max);
            assert_true(strlen(a->name) <= SM_SENSOR_NAME_MAX);
            assert_true(!a->writable || drivers[d]->set);
        }
    }
}

static void drivers_are_found_by_model(void **state)
{
    (void)state;
    for (unsigned d = 0; d < DRIVERS; d++)
        assert_ptr_equal(sm_driver_find(drivers[d]->model), drivers[d]);
    assert_ptr_equal(sm_driver_find("LM75"), &sm_driver_tmp105);
    assert_null(sm_driver_find("bme280"));
    assert_null(sm_driver_find(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(capabilities_stand_in_the_table),
        cmocka_unit_test(attributes_stand_in_the_table),
        cmocka_unit_test(drivers_keep_the_limits_of_the_model),
        cmocka_unit_test(drivers_are_found_by_model),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
