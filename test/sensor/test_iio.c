/* Sensors of the kernel, from a folder that looks as sysfs does.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <posix/iio.h>

struct device {
    struct sm_iio iio;
    struct sm_sensor sensor;
    struct sm_file_why why;
    char folder[64];
};

static int setup(void **state)
{
    struct device *d = calloc(1, sizeof *d);
    strcpy(d->folder, "/tmp/sandmote-iio-XXXXXX");
    *state = d;
    return mkdtemp(d->folder) ? 0 : -1;
}

static int teardown(void **state)
{
    struct device *d = *state;
    char command[96];
    snprintf(command, sizeof command, "rm -r '%s'", d->folder);
    int status = system(command);
    free(d);
    return status;
}

static void put(struct device *d, const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", d->folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "%s\n", text);
    fclose(f);
}

static void open_device(struct device *d)
{
    if (sm_iio_open(&d->iio, d->folder, &d->why) != 0)
        fail_msg("%s", d->why.text);
    d->sensor = (struct sm_sensor){.id = "s", .driver = &d->iio.driver, .ctx = &d->iio};
}

static int sample(struct device *d, int32_t *v)
{
    return d->sensor.driver->sample(&d->sensor, v);
}

static void a_bme280_of_the_kernel_looks_like_ours(void **state)
{
    struct device *d = *state;
    int32_t v[SM_SENSOR_CAPABILITIES];
    put(d, "name", "bme280");
    put(d, "in_temp_input", "21560");
    put(d, "in_humidityrelative_input", "45123");
    put(d, "in_pressure_input", "101.325");
    open_device(d);
    assert_string_equal(d->iio.driver.model, "bme280");
    assert_int_equal(d->iio.driver.capabilities, 3);
    for (unsigned i = 0; i < 3; i++) {
        const struct sm_capability *ours = &sm_driver_bme280.capability[i];
        assert_string_equal(d->iio.capability[i].name, ours->name);
        assert_int_equal(d->iio.capability[i].unit, ours->unit);
        assert_int_equal(d->iio.capability[i].scale, ours->scale);
    }
    assert_int_equal(d->sensor.driver->start(&d->sensor), 0);
    assert_int_equal(sample(d, v), 0);
    assert_int_equal(v[0], 21560);
    assert_int_equal(v[1], 45123);
    assert_int_equal(v[2], 101325000);
}

static void raw_numbers_have_offset_and_scale(void **state)
{
    struct device *d = *state;
    int32_t v[SM_SENSOR_CAPABILITIES];
    put(d, "in_temp_raw", "-400");
    put(d, "in_temp_offset", "16");
    put(d, "in_temp_scale", "62.500000");
    put(d, "in_voltage0_raw", "1234");
    open_device(d);
    assert_string_equal(d->iio.driver.model, "IIO");
    assert_int_equal(sample(d, v), 0);
    assert_int_equal(v[0], -24000);
    assert_int_equal(v[1], 1234); /* neither offset nor scale */
}

static void a_scale_may_be_that_of_all_axes(void **state)
{
    struct device *d = *state;
    int32_t v[SM_SENSOR_CAPABILITIES];
    put(d, "in_accel_x_raw", "0");
    put(d, "in_accel_y_raw", "-128");
    put(d, "in_accel_z_raw", "256");
    put(d, "in_accel_scale", "0.038307227");
    open_device(d);
    assert_int_equal(sample(d, v), 0);
    assert_int_equal(v[0], 0);
    assert_int_equal(v[1], -500);
    assert_int_equal(v[2], 1000);
    assert_int_equal(d->iio.capability[2].unit, SM_UNIT_GRAVITY);
}

static void percents_of_gas_become_ppm_and_ppb(void **state)
{
    struct device *d = *state;
    int32_t v[SM_SENSOR_CAPABILITIES];
    put(d, "in_concentration_co2_raw", "450");
    put(d, "in_concentration_co2_scale", "0.0001");
    put(d, "in_concentration_voc_raw", "12");
    put(d, "in_concentration_voc_scale", "0.0000001");
    open_device(d);
    assert_int_equal(sample(d, v), 0);
    assert_int_equal(v[0], 450);
    assert_int_equal(v[1], 12);
}

static void what_is_no_number_is_no_value(void **state)
{
    static const char *const wrong[] = {"",    "warm", "21.5 C", "nan",   "inf",
                                        "1e9", "-1e6", "--3",    "0x1p99"};
    struct device *d = *state;
    int32_t v[SM_SENSOR_CAPABILITIES] = {7};
    put(d, "in_temp_input", "20000");
    open_device(d);
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        put(d, "in_temp_input", wrong[i]);
        assert_int_equal(sample(d, v), SM_ERR_INVALID);
        assert_int_equal(v[0], 7);
    }
    put(d, "in_temp_input", "20000");
    assert_int_equal(sample(d, v), 0);
}

static void a_channel_that_went_away_is_not_found(void **state)
{
    struct device *d = *state;
    int32_t v[SM_SENSOR_CAPABILITIES];
    char path[96];
    put(d, "in_temp_input", "20000");
    open_device(d);
    snprintf(path, sizeof path, "%s/in_temp_input", d->folder);
    unlink(path);
    assert_int_equal(sample(d, v), SM_ERR_NOT_FOUND);
    assert_int_equal(mkdir(path, 0700), 0); /* opens, and cannot be read */
    assert_int_equal(sample(d, v), SM_ERR_IO);
}

static void folders_without_sensors_are_refused(void **state)
{
    struct device *d = *state;
    char path[PATH_MAX + 8];
    assert_int_equal(sm_iio_open(&d->iio, "/nonexistent", &d->why), SM_ERR_NOT_FOUND);
    assert_int_equal(sm_iio_open(&d->iio, d->folder, &d->why), SM_ERR_INVALID);
    assert_non_null(strstr(d->why.text, "no channel there that is known"));
    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = 0;
    assert_int_equal(sm_iio_open(&d->iio, path, &d->why), SM_ERR_INVALID);
}

static void more_channels_than_a_sensor_can_have_are_left_out(void **state)
{
    static const char *const names[] = {
        "temp",    "humidityrelative", "pressure",    "concentration_co2", "accel_x",
        "accel_y", "accel_z",          "illuminance", "voltage0",          "voltage1"};
    struct device *d = *state;
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        char file[64];
        snprintf(file, sizeof file, "in_%s_input", names[i]);
        put(d, file, "1");
    }
    put(d, "name", "a name that is shown to nobody");
    open_device(d);
    assert_int_equal(d->iio.driver.capabilities, SM_SENSOR_CAPABILITIES);
    assert_string_equal(d->iio.driver.model, "IIO");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define ON_DEVICE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        ON_DEVICE(a_bme280_of_the_kernel_looks_like_ours),
        ON_DEVICE(raw_numbers_have_offset_and_scale),
        ON_DEVICE(a_scale_may_be_that_of_all_axes),
        ON_DEVICE(percents_of_gas_become_ppm_and_ppb),
        ON_DEVICE(what_is_no_number_is_no_value),
        ON_DEVICE(a_channel_that_went_away_is_not_found),
        ON_DEVICE(folders_without_sensors_are_refused),
        ON_DEVICE(more_channels_than_a_sensor_can_have_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
