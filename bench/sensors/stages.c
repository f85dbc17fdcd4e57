/* The stages of a module's life (Table 8 of the paper on WASI-SN), one by one.
 *
 * Prints lines of "what TAB rounds TAB cost" as reads.c does. The first one is what the
 * installation of a module has done before all of this: its translation. Exit status 1 when a stage
 * fails.
 *
 * Built as reads.c is.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "device.h"
#include "embed.h"
#include "port.h"

#ifndef MOST_READS
#define MOST_READS 1024u
#endif
#define SCRATCH_BYTES 32768u
#define IMAGE_BYTES   8192u

EMBED_MODULE(module, MODULE);
#ifdef NATIVE
EMBED_CODE(module_native, NATIVE);
#define NATIVE_IMAGE , .native = module_native, .native_end = module_native_end
#else
#define NATIVE_IMAGE
#endif

static struct {
    struct bench_device device;
    uint64_t scratch[SCRATCH_BYTES / 8];
    uint8_t image[IMAGE_BYTES];
    int result;
    uint32_t argument;
    const char *name;
} life = {.device = {.engine = {EMBEDDED_MODULE(module) NATIVE_IMAGE}}};

static int keep(void *ctx, uint32_t off, const void *bytes, uint32_t len)
{
    (void)ctx;
    if (off + len > IMAGE_BYTES)
        return SM_ERR_IO;
    memcpy(life.image + off, bytes, len);
    return 0;
}

static void translate(void *ctx)
{
    const struct sm_wasm_sink sink = {NULL, keep};
    const struct bench_engine *e = &life.device.engine;
    int64_t size = sm_wasm_translate(e->wasm, (size_t)(e->wasm_end - e->wasm), &sink, life.scratch,
                                     sizeof life.scratch, NULL);

    (void)ctx;
    life.result = size == e->image_end - e->image ? 0 : -1;
}

static void runtime(void *ctx)
{
    life.result = bench_device_runtime(ctx);
}

static void load(void *ctx)
{
    life.result = bench_device_load(ctx);
}

static void instance(void *ctx)
{
    life.result = bench_device_instance(ctx);
}

static void environment(void *ctx)
{
    bench_device_environment(ctx);
    life.result = 0;
}

static void call(void *ctx)
{
    uint32_t result;

    life.result = bench_device_call(ctx, life.name, life.argument, &result);
}

static void deinit(void *ctx)
{
    struct bench_device *d = ctx;

    sm_host_end(&d->host);
    d->engine.pool.used = 0;
    life.result = 0;
}

static void destroy(void *ctx)
{
    struct bench_device *d = ctx;

    sm_sensors_remove(&d->sensors, &d->sensor);
    life.result = 0;
}

static void native_setup(void *ctx)
{
    life.result = bench_native_setup(ctx);
}

static void native_reads(void *ctx)
{
    life.result = bench_native_reads(ctx, life.argument) > 0 ? 0 : -1;
}

static int stage(const char *what, uint32_t rounds, void (*fn)(void *ctx))
{
    uint32_t cost;

    life.argument = rounds;
    cost = port_count(fn, &life.device);
    port_print(what);
    port_print("\t");
    port_print_u32(rounds);
    port_print("\t");
    port_print_u32(cost);
    port_print(life.result == 0 ? "\n" : "\tfailed\n");
    return life.result != 0;
}

static int export(const char *name, const char *what, uint32_t rounds)
{
    life.name = name;
    return stage(what, rounds, call);
}

/* The chip does what is due to it, which is nobody's work here. */
static void settle(void)
{
    uint8_t from = 0xf2, bytes[13];

    life.device.bus.bus.transfer.i2c(&life.device.bus, 0x76, &from, 1, bytes, sizeof bytes);
}

/* A whole life, whose main function does nothing first and then reads. */
static int module_life(uint32_t reads)
{
    int failures = 0;

    bench_device_power(&life.device);
    failures += stage("runtime init", reads, runtime);
    failures += stage("load", reads, load);
    failures += stage("instantiate", reads, instance);
    failures += stage("environment", reads, environment);
    failures += export("nothing", "main", reads);
    failures += export("setup", "sensor on", reads);
    settle();
    failures += export("reads by handle", "reads", reads);
    failures += stage("deinit", reads, deinit);
    failures += stage("destroy", reads, destroy);
    return failures;
}

static int native_life(uint32_t reads)
{
    int failures = 0;

    bench_device_power(&life.device);
    life.result = bench_device_runtime(&life.device);
    failures += stage("native sensor on", reads, native_setup);
    settle();
    failures += stage("native reads", reads, native_reads);
    return failures;
}

int bench_main(void)
{
    int failures = stage("translate", 0, translate);

    for (uint32_t reads = 1; reads <= MOST_READS; reads *= 32)
        failures += module_life(reads) + native_life(reads);
    return failures > 0;
}
