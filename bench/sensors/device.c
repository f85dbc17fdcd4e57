/* One device, from power to calls (device.h). SPDX-License-Identifier: Apache-2.0 */
#include "device.h"
#include <string.h>

#define ADDRESS 0x76u

enum { TEMPERATURE, NORMAL_MODE = 4 }; /* a capability and an attribute of the driver */

static const char *const capabilities[] = {
    "sensor/BME280/SampRate:rw", "sensor/BME280/humidity:r",    "sensor/BME280/normal_mode:rw",
    "sensor/BME280/pressure:r",  "sensor/BME280/temperature:r",
};

static uint64_t now_ms(void *ctx)
{
    return ((struct bench_device *)ctx)->now_ms;
}

static void pass(struct bench_device *d, uint32_t ms)
{
    d->now_ms += ms;
    d->clock.ns += ms * 1000000ull;
}

void bench_device_power(struct bench_device *d)
{
    memset(&d->clock, 0, sizeof d->clock);
    d->now_ms = 0;
    sm_sim_bus_init(&d->bus, "i2c-1", SM_BUS_I2C, &d->clock);
    sm_sim_plug(&d->bus, &d->chip, &sm_sim_bme280, ADDRESS);
    pass(d, 1000);
    d->port.clock = (struct sm_clock){d, now_ms};
    d->port.sensors = &d->sensors;
    sm_manifest_defaults(&d->grants);
    memcpy(d->grants.name, "bench", 6);
    d->grants.interface = SM_HOST_INTERFACE;
    d->grants.capabilities = sizeof capabilities / sizeof capabilities[0];
    for (uint32_t i = 0; i < d->grants.capabilities; i++)
        memcpy(d->grants.capability[i], capabilities[i], strlen(capabilities[i]) + 1);
}

int bench_device_runtime(struct bench_device *d)
{
    sm_sensors_init(&d->sensors, &d->port.clock);
    d->sensors.ms = &d->now_ms;
    d->sensor = (struct sm_sensor){
        .id = "BME280", .driver = &sm_driver_bme280, .bus = &d->bus.bus, .address = ADDRESS};
    return sm_sensors_add(&d->sensors, &d->sensor);
}

int bench_device_load(struct bench_device *d)
{
    return bench_open(&d->engine);
}

int bench_device_instance(struct bench_device *d)
{
    sm_host_init(&d->host, &d->port, &d->grants, d->now_ms);
    d->linker = (struct sm_wasm_linker){&d->host, sm_host_resolve};
    d->engine.linker = &d->linker;
    d->engine.memory_bytes = DEVICE_MEMORY;
    d->engine.pool = (struct sm_wasm_pool){.base = (uint8_t *)d->pool, .size = sizeof d->pool};
    memset(&d->engine.store, 0, sizeof d->engine.store);
    d->engine.stack = d->stack;
    d->engine.stack_words = DEVICE_WORDS;
    return bench_instantiate(&d->engine);
}

void bench_device_environment(struct bench_device *d)
{
    sm_host_open_sensors(&d->host, d->views);
    bench_ready(&d->engine);
}

int bench_device_start(struct bench_device *d)
{
    bench_device_power(d);
    int err = bench_device_runtime(d);
    if (err == 0)
        err = bench_device_load(d);
    if (err == 0)
        err = bench_device_instance(d);
    if (err == 0)
        bench_device_environment(d);
    return err;
}

int bench_device_call(struct bench_device *d, const char *name, uint32_t argument, uint32_t *result)
{
    struct sm_wasm_exec *exec = &d->engine.exec;
    int err = bench_prepare(&d->engine, name, argument, 0);

    while (err == 0 && (err = sm_wasm_run(exec)) == SM_WASM_PENDING) {
        while (sm_host_wake_ms(&d->host) != 0)
            pass(d, sm_sensors_step(&d->sensors));
        err = sm_host_wake(&d->host, exec, d->engine.inst);
    }
    *result = sm_wasm_results(exec)[0];
    return err;
}

int bench_native_setup(struct bench_device *d)
{
    struct sm_sensor *s = &d->sensor;
    int wait_ms = 1;

    for (s->step = 0; wait_ms > 0; s->step++) {
        wait_ms = s->driver->start(s);
        pass(d, wait_ms > 0 ? (uint32_t)wait_ms : 0);
    }
    for (s->step = 0; wait_ms >= 0; s->step++) {
        wait_ms = s->driver->set(s, NORMAL_MODE, 1);
        if (wait_ms == 0)
            return 0;
        pass(d, (uint32_t)wait_ms);
    }
    return wait_ms;
}

int32_t bench_native_reads(struct bench_device *d, uint32_t rounds)
{
    int32_t value[SM_SENSOR_CAPABILITIES], sum = 0;

    while (rounds-- > 0) {
        d->sensor.step = 0;
        int err = sm_driver_bme280.sample(&d->sensor, value);
        if (err != 0)
            return err;
        sum += value[TEMPERATURE];
    }
    return sum;
}
