/* A device with one simulated BME280 and one module that may do everything with it: what the
 * programs of this folder measure. Builds for the host and for the microcontroller.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_BENCH_SENSORS_DEVICE_H
#define SANDMOTE_BENCH_SENSORS_DEVICE_H

#include <sandmote/host.h>
#include <sim/sim.h>
#include "engine.h"

#define DEVICE_MEMORY 2048u /* bytes of linear memory, of which the module's stack is 1024 */
#define DEVICE_WORDS  4096u /* of value stack, on which native images run */

struct bench_device {
    struct sm_sim_clock clock;
    struct sm_sim_bus bus;
    struct sm_sim_chip chip;
    volatile uint64_t now_ms;
    struct sm_sensors sensors;
    struct sm_sensor sensor;
    struct sm_host_port port;
    struct sm_manifest grants;
    struct sm_host host;
    struct sm_wasm_linker linker;
    struct bench_engine engine; /* given: wasm, image, native */
    uint64_t views[(sizeof(struct sm_sensor_view) + 7) / 8];
    uint64_t pool[(DEVICE_MEMORY + 4096) / 8];
    uint32_t stack[DEVICE_WORDS];
};

/* The stages before a module's first call, in this order: power; the runtime; the image opened
 * (sm_wasm_open() on engine.module); the instance; what it may touch. 0 or a negative sm_err. */
void bench_device_power(struct bench_device *d);
int bench_device_runtime(struct bench_device *d);
int bench_device_load(struct bench_device *d);
int bench_device_instance(struct bench_device *d);
void bench_device_environment(struct bench_device *d);

/* All of these. */
int bench_device_start(struct bench_device *d);

/* A call of an export to its end; while it waits for the chip, the time of the chip goes on. 0 and
 * its result, or a negative sm_err. */
int bench_device_call(struct bench_device *d, const char *name, uint32_t argument,
                      uint32_t *result);

/* What a native program does with the driver: turn the chip on and let it measure by itself; and a
 * number of reads, summed up as the module does. */
int bench_native_setup(struct bench_device *d);
int32_t bench_native_reads(struct bench_device *d, uint32_t rounds);

#endif
