/* What reads of a sensor cost a module, beside the same driver called by native code.
 *
 * Prints lines of "what TAB rounds TAB cost"; what a cost is the port knows (port.h, port_time.c).
 * Every read goes to the bus, as one burst; the last lines are for the burst alone. Exit status 1
 * when a way does not read what native code reads, or uses the bus more or less often.
 *
 * Built with -DMODULE="stem" (embed.h), with -DMOST_READS=n for fewer than 1024 reads; with
 * -DNATIVE="file" the module's native image runs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "device.h"
#include "embed.h"
#include "port.h"

#ifndef MOST_READS
#define MOST_READS 1024u
#endif

EMBED_MODULE(module, MODULE);
#ifdef NATIVE
EMBED_CODE(module_native, NATIVE);
#define NATIVE_IMAGE , .native = module_native, .native_end = module_native_end
#else
#define NATIVE_IMAGE
#endif

struct job {
    struct bench_device *device;
    uint32_t rounds;
    int result;
    uint32_t sum;
};

static void run_native(void *ctx)
{
    struct job *j = ctx;

    j->sum = (uint32_t)bench_native_reads(j->device, j->rounds);
    j->result = 0;
}

static void run_module(void *ctx)
{
    struct job *j = ctx;

    j->result = sm_wasm_run(&j->device->engine.exec);
}

static void one_transfer(void *ctx)
{
    struct job *j = ctx;
    uint8_t from = 0xf2, bytes[13];

    j->result = j->device->bus.bus.transfer.i2c(&j->device->bus, 0x76, &from, 1, bytes, 13);
}

static void line(const char *what, uint32_t rounds, uint32_t cost)
{
    port_print(what);
    port_print("\t");
    port_print_u32(rounds);
    port_print("\t");
    port_print_u32(cost);
    port_print("\n");
}

static int fails(const char *what)
{
    port_print(what);
    port_print(": did not do what native code does\n");
    return 1;
}

/* The cost of so many rounds of an export; *sum is what it returns. 0 when it fails. */
static uint32_t cost_of(struct job *j, const char *name, uint32_t rounds)
{
    j->result = bench_prepare(&j->device->engine, name, rounds, 0);
    if (j->result != 0)
        return 0;
    uint32_t cost = port_count(run_module, j);
    j->sum = sm_wasm_results(&j->device->engine.exec)[0];
    return j->result == 0 ? cost : 0;
}

/* One number of reads, in each way. */
static int reads(struct job *j, uint32_t n)
{
    static const char *const way[] = {"reads by handle", "reads by name"};
    const struct sm_sim_chip *chip = &j->device->chip;
    uint32_t before = chip->transfers, sum;

    j->rounds = n;
    line("native", n, port_count(run_native, j));
    sum = j->sum;
    if (chip->transfers - before != n)
        return fails("native");
    for (unsigned i = 0; i < 2; i++) {
        before = chip->transfers;
        line(way[i], n, cost_of(j, way[i], n));
        if (j->result != 0 || j->sum != sum || chip->transfers - before != n)
            return fails(way[i]);
    }
    return 0;
}

/* Nanoseconds on the wires for one burst. */
static uint32_t bus_ns(struct job *j, uint32_t speed)
{
    uint64_t before = j->device->clock.bus_ns;

    j->device->bus.speed = speed;
    one_transfer(j);
    j->device->bus.speed = 0;
    return (uint32_t)(j->device->clock.bus_ns - before);
}

int bench_main(void)
{
    static struct bench_device device = {.engine = {EMBEDDED_MODULE(module) NATIVE_IMAGE}};
    static struct job j = {.device = &device};
    uint32_t result;

    if (bench_device_start(&device) != 0 || bench_device_call(&device, "setup", 0, &result) != 0 ||
        result != 1)
        return fails("setup");
    one_transfer(&j); /* a measurement of the chip was due */
    for (uint32_t n = 1; n <= MOST_READS; n *= 2)
        if (reads(&j, n) != 0)
            return 1;
    line("the chip", 1, port_count(one_transfer, &j));
    line("ns at 100 kHz", 1, bus_ns(&j, 100000));
    line("ns at 400 kHz", 1, bus_ns(&j, 400000));
    return 0;
}
