/* What a granted sensor call costs a module, in instructions, beside what the driver takes: a loop
 * with two calls less the same loop with one, each module with the grants that it needs.
 *
 * First with values that are recent enough, then measuring at each call with a driver that is done
 * at once, whose own instructions are not counted.
 *
 * Built with -DSENSORS="stem" (embed.h) of calls.wat, -DNATIVE="file" to run its native image, and
 * -DCALLS=n for fewer rounds. Exit status 1 when a call does not end as it should.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sandmote/host.h>
#include "embed.h"
#include "engine.h"
#include "port.h"

#ifndef CALLS
#define CALLS 500u
#endif

EMBED_MODULE(sensors, SENSORS);
#ifdef NATIVE
EMBED_CODE(sensors_native, NATIVE);
#define NATIVE_IMAGE , .native = sensors_native, .native_end = sensors_native_end
#else
#define NATIVE_IMAGE
#endif

static struct {
    struct bench_engine engine;
    struct sm_manifest grants;
    struct sm_host_port port;
    struct sm_host host;
    struct sm_sensors sensors;
    struct sm_sensor sensor;
    struct sm_sensor_view views[1];
    volatile uint64_t ms;
    uint32_t stack[4096];
    uint8_t pool[8192] __attribute__((aligned(8)));
    int result;
} ram;

static uint64_t now_ms(void *ctx)
{
    (void)ctx;
    return ram.ms;
}

static int start(struct sm_sensor *s)
{
    (void)s;
    return 0;
}

static int sample(struct sm_sensor *s, int32_t *values)
{
    (void)s;
    values[0] = 21500;
    values[1] = 45000;
    values[2] = 101325000;
    return 0;
}

static const struct sm_capability capabilities[] = {
    {"temperature", SM_UNIT_CELSIUS, -3, -40000, 85000},
    {"humidity", SM_UNIT_HUMIDITY, -3, 0, 100000},
    {"pressure", SM_UNIT_PASCAL, -3, 30000000, 110000000},
};
static const struct sm_sensor_driver driver = {.model = "BME280",
                                               .capabilities = 3,
                                               .capability = capabilities,
                                               .start = start,
                                               .sample = sample};

static void grant(const char *text)
{
    strcpy(ram.grants.capability[ram.grants.capabilities++], text);
}

static int prepare(void)
{
    static const struct sm_wasm_linker linker = {&ram.host, sm_host_resolve};

    ram.ms = 1000;
    ram.port = (struct sm_host_port){.sensors = &ram.sensors, .clock = {.now_ms = now_ms}};
    sm_sensors_init(&ram.sensors, &ram.port.clock);
    ram.sensors.ms = &ram.ms;
    ram.sensor = (struct sm_sensor){.id = "BME280", .driver = &driver};
    sm_manifest_defaults(&ram.grants);
    ram.grants.interface = 2;
    grant("sensor/BME280/SampRate:rw");
    grant("sensor/BME280/humidity:r");
    grant("sensor/BME280/pressure:r");
    grant("sensor/BME280/temperature:r");
    int err = sm_sensors_add(&ram.sensors, &ram.sensor);
    sm_host_init(&ram.host, &ram.port, &ram.grants, 0);
    sm_host_open_sensors(&ram.host, ram.views);
    ram.engine = (struct bench_engine){EMBEDDED_MODULE(sensors) NATIVE_IMAGE,
                                       .memory_bytes = 2048,
                                       .linker = &linker,
                                       .pool = {.base = ram.pool, .size = sizeof ram.pool},
                                       .stack = ram.stack,
                                       .stack_words = sizeof ram.stack / sizeof *ram.stack};
    if (err == 0)
        err = bench_start(&ram.engine);
    return err;
}

static void run(void *ctx)
{
    (void)ctx;
    ram.result = sm_wasm_run(&ram.engine.exec);
}

static void only_sample(void *ctx)
{
    (void)ctx;
    for (unsigned i = 0; i < CALLS; i++)
        ((int (*volatile)(struct sm_sensor *, int32_t *))driver.sample)(&ram.sensor,
                                                                        ram.sensor.run.value);
}

/* Instructions of one call; less than 0: it did not end as it should. */
static int cost(const char *name)
{
    char export[24];
    uint32_t counts[2];
    size_t len = strlen(name);

    for (unsigned i = 0; i < 2; i++) {
        memcpy(export, name, len);
        memcpy(export + len, i == 0 ? " 1" : " 2", 3);
        if (bench_prepare(&ram.engine, export, CALLS, 0) != 0)
            return -1;
        counts[i] = port_count(run, NULL);
        if (ram.result != 0 || sm_wasm_results(&ram.engine.exec)[0] != 1)
            return -1;
    }
    return (int)((counts[1] - counts[0] + CALLS / 2) / CALLS);
}

static int line(const char *name, const char *how, uint32_t less)
{
    int n = cost(name);

    port_print(name);
    port_print(how);
    port_print("\t");
    port_print_u32(n < 0 ? 0 : (uint32_t)n - less);
    port_print("\n");
    return n < 0;
}

/* What the module does itself to hand over the arguments of get(). */
static int arguments(void)
{
    int none = cost("none");

    return none < 0 || line("three", " arguments, in the module", (uint32_t)none);
}

/* The interval that the module wishes from now on. */
static int set_rate(uint32_t ns)
{
    uint32_t done;

    return bench_call(&ram.engine, "open", ns, &done) != 0 || done != 1;
}

int bench_main(void)
{
    int failures = prepare() != 0 || set_rate(1000000000);
    uint32_t driver_cost;

    failures += line("lastError", ", which does nothing", 0);
    failures += arguments();
    failures += line("get", ", a recent value", 0);
    failures += line("get *", ", three recent values", 0);
    failures += line("sample", ", a recent value", 0);
    failures += line("read", ", a recent value", 0);
    failures += set_rate(0);
    driver_cost = port_count(only_sample, NULL) / CALLS;
    failures += line("get", ", measured", driver_cost);
    failures += line("get *", ", measured", driver_cost);
    failures += line("read", ", measured", driver_cost);
    return failures > 0;
}
