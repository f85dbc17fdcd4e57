/* The drivers where they belong: under the manager, for two modules, with their chips on one I2C
 * bus and one serial line.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sandmote/sensors.h>
#include <sim/sim.h>

enum { AIR, ROOM, RELAYS, LINE, SENSORS };
#define GRANT_SIZE 48u

struct world {
    struct sm_sim_clock clock;
    struct sm_sim_bus i2c, serial;
    struct sm_sim_chip chip[SENSORS];
    struct sm_sensor sensor[SENSORS];
    struct sm_sensors sensors;
    struct sm_sensor_client client[2];
    struct sm_sensor_view views[2][SENSORS];
};

static const char grants[][GRANT_SIZE] = {
    "sensor/air/temperature:r", "sensor/air/pressure:r",     "sensor/air/filter:rw",
    "sensor/air/normal_mode:w", "sensor/air/SampRate:w",     "sensor/room/temperature:r",
    "sensor/relays/relay0:rw",  "sensor/line/temperature:r", "sensor/line/humidity:r",
};

static uint64_t now_ms(void *ctx)
{
    const struct world *w = ctx;
    return w->clock.ns / 1000000;
}

static void add(struct world *w, unsigned i, const char *id, const char *text,
                const struct sm_sensor_driver *driver)
{
    struct sm_sim_chip_description d;
    struct sm_sim_wrong wrong;
    assert_int_equal(sm_sim_describe(&d, text, &wrong), 0);
    struct sm_sim_bus *bus = d.model->bus == SM_BUS_I2C ? &w->i2c : &w->serial;
    assert_int_equal(sm_sim_plug_described(bus, &w->chip[i], &d), 0);
    w->sensor[i] =
        (struct sm_sensor){.id = id, .driver = driver, .bus = &bus->bus, .address = d.address};
    assert_int_equal(sm_sensors_add(&w->sensors, &w->sensor[i]), 0);
}

static int setup(void **state)
{
    static const struct sm_sensor_grants all = {grants[0], GRANT_SIZE,
                                                sizeof grants / sizeof grants[0]};
    struct world *w = calloc(1, sizeof *w);
    if (!w)
        return -1;
    const struct sm_clock clock = {.ctx = w, .now_ms = now_ms};
    sm_sim_bus_init(&w->i2c, "i2c-1", SM_BUS_I2C, &w->clock);
    sm_sim_bus_init(&w->serial, "rtu-0", SM_BUS_SERIAL, &w->clock);
    w->i2c.speed = 400000;
    w->serial.speed = 9600;
    sm_sensors_init(&w->sensors, &clock);
    add(w, AIR, "air", "BME280@0x76 temperature=21.5", &sm_driver_bme280);
    add(w, ROOM, "room", "TMP105@0x48 temperature=19.25", &sm_driver_tmp105);
    add(w, RELAYS, "relays", "PCF8574@0x20", &sm_driver_relay);
    add(w, LINE, "line", "MODBUS-TH@1 temperature=-3.5 humidity=71.2", &sm_driver_modbus);
    w->clock.ns += 1000000000u;
    assert_int_equal(sm_sensor_grants_views(&all), SENSORS);
    for (unsigned i = 0; i < 2; i++)
        sm_sensor_client_open(&w->client[i], &w->sensors, &all, w->views[i], SM_SENSOR_RATE_NS);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static struct sm_sensor_view *view(struct world *w, unsigned client, unsigned sensor)
{
    const char *id = w->sensor[sensor].id;
    return sm_sensor_client_find(&w->client[client], id, strlen(id));
}

static unsigned channel(const struct world *w, unsigned sensor, const char *name)
{
    int found = sm_sensor_channel_find(w->sensor[sensor].driver, name, strlen(name));
    assert_true(found >= 0);
    return (unsigned)found;
}

static void pass(struct world *w, uint32_t ms)
{
    w->clock.ns += ms * 1000000ull;
    (void)sm_sensors_step(&w->sensors);
}

static int finish(struct world *w, unsigned client, int err)
{
    for (unsigned i = 0; err == SM_SENSOR_PENDING && i < 10000; i++) {
        if (sm_sensor_client_done(&w->client[client]))
            return sm_sensor_client_take(&w->client[client]);
        uint32_t due = sm_sensors_due(&w->sensors);
        pass(w, due == 0 ? 1 : due < 60000 ? due : 60000);
    }
    return err;
}

static int request(struct world *w, unsigned client, unsigned sensor,
                   enum sm_sensor_request request, const char *name, int64_t value)
{
    return finish(w, client,
                  sm_sensor_client_request(&w->client[client], view(w, client, sensor), request,
                                           channel(w, sensor, name), value));
}

static void assert_reads(struct world *w, unsigned client, unsigned sensor, const char *name,
                         int32_t wish)
{
    assert_int_equal(request(w, client, sensor, SM_REQUEST_READ, name, 0), 0);
    int32_t got = view(w, client, sensor)->value[channel(w, sensor, name)];
    if (abs(got - wish) > 10)
        fail_msg("%s is %d, not %d", name, (int)got, (int)wish);
}

static void all_sensors_are_read_by_both_modules(void **state)
{
    struct world *w = *state;
    for (unsigned client = 0; client < 2; client++) {
        assert_reads(w, client, AIR, "temperature", 21500);
        assert_reads(w, client, ROOM, "temperature", 19250);
        assert_reads(w, client, LINE, "temperature", -3500);
        assert_reads(w, client, LINE, "humidity", 71200);
    }
}

static void a_chip_that_started_anew_gets_its_settings_back(void **state)
{
    struct world *w = *state;
    assert_int_equal(request(w, 0, AIR, SM_REQUEST_SET, "normal_mode", 1), 0);
    assert_int_equal(request(w, 1, AIR, SM_REQUEST_SET, "filter", 4), 0);
    assert_int_equal(request(w, 0, AIR, SM_REQUEST_SET, "SampRate", 0), 0);
    assert_reads(w, 0, AIR, "temperature", 21500);
    sm_sim_power_cycle(&w->chip[AIR]);
    assert_int_equal(request(w, 0, AIR, SM_REQUEST_READ, "temperature", 0), SM_ERR_IO);
    assert_int_equal(w->sensor[AIR].run.state, SM_SENSOR_STOPPED);
    pass(w, SM_SENSOR_PAUSE_FIRST_MS);
    assert_reads(w, 0, AIR, "temperature", 21500);
    assert_int_equal(request(w, 1, AIR, SM_REQUEST_READ, "filter", 0), 0);
    assert_int_equal(w->client[1].value, 4);
    const uint8_t config = 0xf5;
    uint8_t byte = 0;
    assert_int_equal(w->i2c.bus.transfer.i2c(&w->i2c, 0x76, &config, 1, &byte, 1), 0);
    assert_int_equal(byte >> 2 & 7, 2); /* the chip's code for it */
}

static void a_relay_opens_when_the_module_that_closed_it_ends(void **state)
{
    struct world *w = *state;
    assert_int_equal(request(w, 0, RELAYS, SM_REQUEST_SET, "relay0", 1), 0);
    assert_int_equal(sm_sim_pcf8574_pins(&w->chip[RELAYS]), 0xfe);
    assert_int_equal(request(w, 1, RELAYS, SM_REQUEST_SET, "relay0", 0), SM_ERR_BUSY);
    assert_int_equal(request(w, 1, RELAYS, SM_REQUEST_READ, "relay0", 0), 0);
    assert_int_equal(w->client[1].value, 1);
    sm_sensor_client_close(&w->client[0]);
    pass(w, 1);
    assert_int_equal(sm_sim_pcf8574_pins(&w->chip[RELAYS]),
                     0xff); /* though the other still is on */
    assert_int_equal(request(w, 1, RELAYS, SM_REQUEST_SET, "relay0", 1), 0);
    sm_sensor_client_close(&w->client[1]);
    pass(w, 1);
    assert_int_equal(sm_sim_pcf8574_pins(&w->chip[RELAYS]), 0xff);
}

static void a_bus_that_hangs_leaves_the_other_one_alone(void **state)
{
    struct world *w = *state;
    assert_reads(w, 0, AIR, "temperature", 21500);
    assert_reads(w, 0, ROOM, "temperature", 19250);
    sm_sim_order_fault(&w->chip[ROOM], SM_SIM_STUCK, 0, 0);
    pass(w, 2000);
    assert_int_equal(request(w, 0, AIR, SM_REQUEST_READ, "temperature", 0), SM_ERR_IO);
    assert_int_equal(request(w, 0, ROOM, SM_REQUEST_READ, "temperature", 0), SM_ERR_IO);
    assert_reads(w, 0, LINE, "temperature", -3500);
    sm_sim_order_fault(&w->chip[ROOM], SM_SIM_NO_FAULT, 0, 0);
    pass(w, SM_SENSOR_PAUSE_MOST_MS);
    assert_reads(w, 0, AIR, "temperature", 21500);
    assert_reads(w, 0, ROOM, "temperature", 19250);
}

static void while_one_chip_measures_a_module_waits_for_its_own_only(void **state)
{
    struct world *w = *state;
    /* the start of the TMP105 takes 301 ms on the I2C bus */
    int slow = sm_sensor_client_request(&w->client[0], view(w, 0, ROOM), SM_REQUEST_READ,
                                        channel(w, ROOM, "temperature"), 0);
    uint64_t before = w->clock.ns;
    assert_int_equal(slow, SM_SENSOR_PENDING);
    assert_reads(w, 1, LINE, "temperature", -3500);
    assert_true(w->clock.ns - before < 200000000u);
    assert_int_equal(finish(w, 0, slow), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        IN_WORLD(all_sensors_are_read_by_both_modules),
        IN_WORLD(a_chip_that_started_anew_gets_its_settings_back),
        IN_WORLD(a_relay_opens_when_the_module_that_closed_it_ends),
        IN_WORLD(a_bus_that_hangs_leaves_the_other_one_alone),
        IN_WORLD(while_one_chip_measures_a_module_waits_for_its_own_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
