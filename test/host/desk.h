/* Modules on a desk: sensors whose drivers do what the test says, a clock set by hand, and
 * instances of one module that makes any sensor call (calls.wat).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_TEST_DESK_H
#define SM_TEST_DESK_H

#include <sandmote/host.h>

enum { DESK_SENSORS = 3, DESK_GUESTS = 3, DESK_VIEWS = 4, DESK_LINES = 64 };
enum { DO_START, DO_SAMPLE, DO_SET, DO_GET, DO_KINDS };

/* What guests find in their memory, and where their buffer is. */
enum { AT_SENSOR = 0, AT_NAME = 128, AT_BUF = 256, MEMORY = 4096 };

#define NEVER 1000000u

/* A sensor with temperature and humidity (-3), "filter" (highest of 0 to 16), "gain" (lowest of 1
 * to 8, 8 at first), "relay" (one holder, 0 or 1) and "serial", which is only read, from the chip.
 */
struct played {
    struct sm_sensor sensor;
    int error[DO_KINDS];      /* what the driver ends with */
    uint32_t waits[DO_KINDS]; /* how often it asks for 10 ms more before that */
    unsigned did[DO_KINDS];   /* how often it ended well */
    unsigned began[DO_KINDS], stops;
    int32_t temperature, humidity;
    int64_t chip[4]; /* attributes as they were set */
    bool running;
};

struct guest {
    struct desk *desk;
    struct sm_host host;
    struct sm_manifest grants;
    struct sm_wasm_store store;
    struct sm_wasm_inst *inst;
    struct sm_wasm_exec exec;
    uint32_t stack[256];
    struct sm_sensor_view views[DESK_VIEWS];
    _Alignas(8) uint8_t pool[MEMORY + 4096];
};

struct desk {
    uint64_t now_ms;
    struct sm_sensors sensors;
    struct played played[DESK_SENSORS]; /* A and B on one bus, C without */
    struct sm_bus bus;
    struct sm_host_port port;
    struct sm_wasm_module module;
    _Alignas(8) uint8_t image[4096];
    uint32_t epoch;
    struct guest guest[DESK_GUESTS];
    char line[DESK_LINES][SM_HOST_LOG_MAX + 1];
    unsigned lines;
    char order[64]; /* names of sensors as their drivers began something */
    int told;       /* the last error that the manager told of */
};

/* Sensors and no guests; B and C are there too. Everything measures 21500 and 45000. The port's
 * clock is in memory too, or only a function. */
void desk_init(struct desk *d, bool clock_in_memory);

/* A guest that was granted these, up to a NULL; interface 2 unless `interface` says else. */
struct guest *desk_guest(struct desk *d, unsigned i, const char *const *grants, uint32_t interface);
/* It ends, as by a trap. */
void desk_end(struct guest *g);

#define PENDING INT32_MIN     /* the call waits */
#define TRAPPED INT32_MIN + 1 /* it trapped */

/* A call with its arguments' words. */
int32_t desk_call(struct guest *g, const char *name, const uint32_t *args);
/* Time goes by in steps of the manager's, until the guest's call is over: its result. */
int32_t desk_wait(struct guest *g);
/* Time goes by. */
void desk_run(struct desk *d, uint32_t ms);

/* With texts put into the guest's memory, and the buffer at AT_BUF. */
int32_t desk_on(struct guest *g, const char *sensor);
int32_t desk_off(struct guest *g, const char *sensor);
int32_t desk_config(struct guest *g, const char *sensor, const char *name, int32_t value);
int32_t desk_read(struct guest *g, const char *sensor, const char *name, uint32_t len);
int32_t desk_open(struct guest *g, const char *sensor, const char *name);
int32_t desk_get(struct guest *g, int32_t handle, uint32_t len);
int32_t desk_set(struct guest *g, int32_t handle, int64_t value);
int32_t desk_sample(struct guest *g, int32_t handle);
int32_t desk_info(struct guest *g, int32_t handle);
int32_t desk_error(struct guest *g);
uint8_t *desk_memory(struct guest *g);
int32_t desk_i32(struct guest *g, uint32_t at);
int64_t desk_i64(struct guest *g, uint32_t at);

#endif
