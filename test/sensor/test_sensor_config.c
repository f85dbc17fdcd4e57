/* Sensors of a configuration. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <posix/sensor_config.h>
#include <sandmote/drivers.h>

static uint64_t ms;
static uint64_t now_ms(void *ctx)
{
    (void)ctx;
    return ms;
}
static const struct sm_clock clock_by_hand = {.now_ms = now_ms};
static struct sm_sensor_config config;
static struct sm_sensors sensors;

#define BUSES                                                                                      \
    "[{\"name\":\"i\",\"type\":\"simulated\",\"chips\":[\"BME280@0x76\",\"PCF8574@0x20\"]},"       \
    "{\"name\":\"m\",\"type\":\"simulated\",\"chips\":[\"MODBUS-TH@1\"]},"                         \
    "{\"name\":\"s\",\"type\":\"simulated\",\"chips\":[\"ADXL345@0\"]}]"

/* With the two buses above; what is wrong in *why. */
static int read_text(const char *text, struct sm_json_error *why)
{
    static json_t *buses, *array;
    json_decref(buses);
    json_decref(array);
    buses = json_loads(BUSES, 0, NULL);
    array = json_loads(text, 0, NULL);
    assert_non_null(array);
    sm_sensors_init(&sensors, &clock_by_hand);
    int err = sm_sensor_config_read(&config, buses, array, "", &clock_by_hand, why);
    if (!err)
        err = sm_sensor_config_add(&config, &sensors, why);
    return err;
}

/* One reading of all capabilities, with the time that it takes. */
static int sample(struct sm_sensor *s, int32_t *values)
{
    int wait = 1;
    for (s->step = 0; wait > 0; s->step++, ms += (uint64_t)wait) {
        s->now_ms = ms;
        wait = s->driver->start(s);
    }
    for (s->step = 0; wait >= 0 && (s->step == 0 || wait > 0); s->step++, ms += (uint64_t)wait) {
        s->now_ms = ms;
        wait = s->driver->sample(s, values);
    }
    return wait;
}

static void drivers_values_and_files_become_sensors_in_their_order(void **state)
{
    struct sm_json_error why;
    int32_t v[SM_SENSOR_CAPABILITIES];

    (void)state;
    FILE *f = fopen("sensor_config.txt", "w");
    fputs("-40000\n", f);
    fclose(f);
    int err = read_text("[{\"id\":\"air\",\"driver\":\"BME280\",\"bus\":\"i\",\"address\":118},"
                        "{\"name\":\"door/open\",\"value\":-1},"
                        "{\"id\":\"v\",\"values\":{\"temperature\":\"sensor_config.txt\",\"x\":2}},"
                        "{\"name\":\"door/moved\",\"value\":7}]",
                        &why);
    if (err)
        fail_msg("%s", why.text);
    const char *const order[] = {"air", "door", "v"};
    struct sm_sensor *s = NULL;
    for (unsigned i = 0; i < 3; i++) {
        s = sm_sensors_next(&sensors, s);
        assert_string_equal(s->id, order[i]);
        assert_int_equal(sample(s, v), 0);
        assert_int_equal(s->driver->capabilities, i == 0 ? 3 : 2);
        if (i == 1)
            assert_true(v[0] == -1 && v[1] == 7);
    }
    assert_true(v[0] == -40000 && v[1] == 2);
    assert_int_equal(s->driver->capability[0].unit, SM_UNIT_CELSIUS);
    unlink("sensor_config.txt");
    assert_int_equal(sample(s, v), SM_ERR_IO);
    assert_int_equal(mkfifo("sensor_config.txt", 0600), 0); /* nobody will ever write to it */
    assert_int_equal(sample(s, v), SM_ERR_IO);
    unlink("sensor_config.txt");
    sm_sensor_config_free(&config);
}

static void relays_may_close_with_a_high_level(void **state)
{
    struct sm_json_error why;

    (void)state;
    assert_int_equal(read_text("[{\"id\":\"r\",\"driver\":\"PCF8574\",\"bus\":\"i\",\"address\":32,"
                               "\"active_high\":true}]",
                               &why),
                     0);
    const struct sm_relay_wiring *wiring = sm_sensors_find(&sensors, "r")->ctx;
    assert_true(wiring->active_high);
    sm_sensor_config_free(&config);
}

/* The simulated transmitter has 215 and 450 in input registers 1 and 2. */
static void transmitters_may_have_their_registers_elsewhere(void **state)
{
#define METER "[{\"id\":\"m\",\"driver\":\"MODBUS-TH\",\"bus\":\"m\",\"address\":1"
    static const struct {
        const char *text;
        int32_t temperature, humidity;
    } maps[] = {
        {METER "}]", 21500, 45000},
        {METER ",\"registers\":{\"temperature\":2,\"humidity\":1}}]", 45000, 21500},
        {METER ",\"registers\":{\"temperature\":1,\"humidity\":2,\"decimals\":2}}]", 2150, 4500},
        {METER ",\"registers\":{\"kind\":\"holding\",\"temperature\":259,\"humidity\":257,"
               "\"decimals\":0,\"corrections\":259}}]",
         0, 1000}, /* a correction, and the unit's own number */
    };
    struct sm_json_error why;
    int32_t v[SM_SENSOR_CAPABILITIES];

    (void)state;
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
        if (read_text(maps[i].text, &why))
            fail_msg("%s", why.text);
        struct sm_sensor *s = sm_sensors_find(&sensors, "m");
        assert_int_equal(sample(s, v), 0);
        assert_int_equal(v[0], maps[i].temperature);
        assert_int_equal(v[1], maps[i].humidity);
        sm_sensor_config_free(&config);
    }
}

static void what_is_wrong_is_named(void **state)
{
#define AIR "\"id\":\"air\",\"driver\":\"BME280\""
    static const struct {
        const char *text, *says;
    } wrong[] = {
        {"[1]", "sensors[0]: must be an object"},
        {"[{}]", "sensors[0].id"},
        {"[{" AIR ",\"bus\":\"i\",\"address\":118,\"x\":1}]", "sensors[0].x"},
        {"[{\"id\":\"air\",\"driver\":\"BME281\",\"bus\":\"i\",\"address\":118}]",
         "sensors[0].driver: there is no driver BME281"},
        {"[{" AIR ",\"bus\":\"j\",\"address\":118}]", "sensors[0].bus: there is no bus j"},
        {"[{" AIR ",\"bus\":\"s\",\"address\":0}]", "sensors[0].bus: BME280 is for i2c, s is spi"},
        {"[{" AIR ",\"bus\":\"i\",\"address\":7}]", "sensors[0].address: I2C addresses are 8"},
        {"[{" AIR ",\"bus\":\"i\",\"address\":120}]", "sensors[0].address: I2C addresses are 8"},
        {"[{" AIR ",\"bus\":\"i\"}]", "sensors[0].address: is missing"},
        {"[{" AIR ",\"address\":118}]", "sensors[0].bus: is missing"},
        {"[{" AIR ",\"bus\":\"i\",\"address\":118,\"active_high\":true}]", "not for BME280"},
        {"[{" AIR ",\"bus\":\"i\",\"address\":118,\"folder\":\"x\"}]", "not for BME280"},
        {"[{" AIR
         ",\"bus\":\"i\",\"address\":118,\"registers\":{\"temperature\":1,\"humidity\":2}}]",
         "sensors[0].registers: not for BME280"},
        {METER ",\"registers\":{\"temperature\":1}}]", "sensors[0].registers.humidity: is missing"},
        {METER ",\"registers\":{\"temperature\":1,\"humidity\":1}}]", "must be 1 to 31 apart"},
        {METER ",\"registers\":{\"temperature\":40,\"humidity\":8}}]", "must be 1 to 31 apart"},
        {METER ",\"registers\":{\"temperature\":1,\"humidity\":2,\"kind\":\"coil\"}}]",
         "sensors[0].registers.kind: must be input or holding"},
        {METER ",\"registers\":{\"temperature\":1,\"humidity\":2,\"decimals\":4}}]",
         "sensors[0].registers.decimals"},
        {"[{\"id\":\"a b\",\"values\":{\"x\":1}}]", "a sensor's id is 1 to 32 letters"},
        {"[{\"id\":\"a\",\"values\":{\"x\":1}},{\"id\":\"a\",\"values\":{\"x\":1}}]",
         "sensors[1]: there is a sensor a already"},
        {"[{\"id\":\"a\",\"values\":{\"x/y\":1}}]", "sensors[0].values.x/y: a name is"},
        {"[{\"id\":\"a\",\"values\":{\"x\":2147483648}}]", "must be a whole number of 32 bits"},
        {"[{\"id\":\"a\",\"values\":{\"x\":true}}]", "must be a whole number of 32 bits"},
        {"[{\"id\":\"a\",\"values\":{\"state\":1}}]", "one that every sensor has"},
        {"[{\"name\":\"a\",\"value\":1}]", "sensors[0].name: must be <sensor>/<value>"},
        {"[{\"name\":\"a/b\"}]", "must have either a value or a file"},
        {"[{\"name\":\"a/b\",\"value\":1,\"file\":\"x\"}]", "must have either a value or a file"},
        {"[{\"name\":\"a/b\",\"value\":1,\"unit\":1}]", "sensors[0].unit: unknown key"},
        {"[{\"name\":\"a/b\",\"value\":1},{\"name\":\"a/b\",\"value\":1}]", "stands there twice"},
        {"[{\"id\":\"k\",\"driver\":\"iio\",\"folder\":\"/nowhere\"}]", "sensors[0].folder"},
        {"[{\"id\":\"k\",\"driver\":\"iio\"}]", "sensors[0].folder: is missing"},
        {"[{\"id\":\"k\",\"driver\":\"iio\",\"folder\":\"/\",\"bus\":\"i\"}]", "takes a folder"},
    };
    struct sm_json_error why;

    (void)state;
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (read_text(wrong[i].text, &why) != SM_ERR_INVALID)
            fail_msg("taken: %s", wrong[i].text);
        if (!strstr(why.text, wrong[i].says))
            fail_msg("%s: %s", wrong[i].text, why.text);
        sm_sensor_config_free(&config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drivers_values_and_files_become_sensors_in_their_order),
        cmocka_unit_test(relays_may_close_with_a_high_level),
        cmocka_unit_test(transmitters_may_have_their_registers_elsewhere),
        cmocka_unit_test(what_is_wrong_is_named),
    };
    return cmocka_run_group_tests_name("sensor configuration", tests, NULL, NULL);
}
