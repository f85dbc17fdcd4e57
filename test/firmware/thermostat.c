/* Firmware: the example thermostat, in C and in Rust, on a microcontroller that has no 64 KB page
 * to give. Each gets the bytes that its linker laid out, by its own export __heap_base, and the
 * host interface with a sensor that is played from a list; its log lines and its health are
 * compared. Exit status 0 when all held.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/host.h>
#include <sandmote/native.h>
#include <sandmote/trust.h>
#include <string.h>
#include "board.h"
#include "thermostat_c.h"
#include "thermostat_native.h"
#include "thermostat_rs.h"

#define MEMORY_MOST 4096u

static struct {
    uint8_t image[3072] __attribute__((aligned(8)));
    uint8_t scratch[8192] __attribute__((aligned(8)));
    uint8_t pool[MEMORY_MOST + 1024] __attribute__((aligned(8)));
    uint8_t native[512] __attribute__((aligned(8)));
    uint32_t stack[512];
    volatile uint32_t epoch;
} ram;

/* What the sensor gives in turn, and what the module then logs after its name; NULL: nothing. */
static const struct {
    int err;
    int32_t value;
    const char *line;
    int32_t health;
} story[] = {
    {0, 17000, "17.0 C: heater on", 0},  {0, 19500, NULL, 0},
    {0, 22100, "22.1 C: heater off", 0}, {SM_ERR_NOT_FOUND, 0, "no temperature: heater off", 1},
    {0, -4250, "-4.2 C: heater on", 0},
};
#define TICKS (sizeof story / sizeof story[0])

struct machine {
    const uint8_t *wasm;
    size_t wasm_len;
    struct sm_wasm_module module;
    struct sm_wasm_store store;
    struct sm_wasm_inst *inst;
    struct sm_wasm_exec exec;
    struct sm_manifest grants;
    struct sm_host host;
    struct sm_host_port port;
    struct sm_sensors sensors;
    struct sm_sensor sensor;
    struct sm_sensor_view views[1];
    uint64_t now_ms; /* a second a tick, so that a sensor that failed may be tried again */
    uint32_t memory_bytes, pool_used;
    unsigned tick;
    char logged[SM_HOST_LOG_MAX + 1];
};

static int check(const char *what, bool holds)
{
    sm_board_print(holds ? "ok    " : "FAIL  ");
    sm_board_print(what);
    sm_board_print("\n");
    return holds ? 0 : 1;
}

/* ---- The platform ---------------------------------------------------------------------------- */

static uint64_t now_ms(void *ctx)
{
    const struct machine *m = ctx;
    return m->now_ms;
}

static void log_line(void *ctx, const char *module, const char *line)
{
    struct machine *m = ctx;
    (void)module;
    sm_board_print("      log: ");
    sm_board_print(line);
    sm_board_print("\n");
    memcpy(m->logged, line, strlen(line) + 1);
}

static int start_sensor(struct sm_sensor *s)
{
    (void)s;
    return 0;
}

static int sample_sensor(struct sm_sensor *s, int32_t *values)
{
    const struct machine *m = s->ctx;
    values[0] = story[m->tick].value;
    return story[m->tick].err;
}

static const struct sm_capability temperature = {"temperature", SM_UNIT_CELSIUS, -3, -40000, 85000};
static const struct sm_sensor_driver driver = {.model = "played",
                                               .capabilities = 1,
                                               .capability = &temperature,
                                               .start = start_sensor,
                                               .sample = sample_sensor};

/* ---- Install and start ----------------------------------------------------------------------- */

static int write_image(void *ctx, uint32_t off, const void *bytes, uint32_t len)
{
    (void)ctx;
    if (off > sizeof ram.image || len > sizeof ram.image - off)
        return SM_ERR_MEMORY;
    memcpy(ram.image + off, bytes, len);
    return 0;
}

static bool open_module(struct machine *m)
{
    const struct sm_wasm_sink sink = {NULL, write_image};
    struct sm_wasm_global heap_base;
    uint32_t index;
    int64_t len =
        sm_wasm_translate(m->wasm, m->wasm_len, &sink, ram.scratch, sizeof ram.scratch, NULL);
    if (len < 0 || sm_wasm_open(&m->module, ram.image, (size_t)len, m->wasm, m->wasm_len) != 0 ||
        sm_wasm_export_find(&m->module, "__heap_base", SM_WASM_GLOBAL, &index) != 0 ||
        sm_wasm_global_init(&m->module, index, &heap_base) != 0)
        return false;
    m->memory_bytes = heap_base.value[0];
    return true;
}

static bool instantiate(struct machine *m)
{
    const struct sm_wasm_limits limits = {.memory_bytes = m->memory_bytes, .table_entries = 16};
    const struct sm_wasm_linker linker = {&m->host, sm_host_resolve};
    struct sm_wasm_pool pool = {.base = ram.pool, .size = sizeof ram.pool};
    uint32_t which;
    m->store = (struct sm_wasm_store){0};
    sm_manifest_defaults(&m->grants);
    m->grants.capabilities = 2;
    memcpy(m->grants.capability[0], "log", 4);
    memcpy(m->grants.capability[1], "sensor/BME280/temperature:r", 28);
    m->port = (struct sm_host_port){m, log_line, &m->sensors, {m, now_ms}};
    sm_sensors_init(&m->sensors, &m->port.clock);
    m->sensor = (struct sm_sensor){.id = "BME280", .driver = &driver, .ctx = m};
    if (sm_sensors_add(&m->sensors, &m->sensor) != 0 ||
        sm_host_sensor_bytes(&m->grants) > sizeof m->views)
        return false;
    sm_host_init(&m->host, &m->port, &m->grants, 0);
    sm_host_open_sensors(&m->host, m->views);
    if (sm_wasm_instantiate(&m->inst, &m->store, &m->module, &limits, &linker, &pool, &which) != 0)
        return false;
    sm_wasm_set_user(m->inst, &m->host);
    m->pool_used = (uint32_t)pool.used;
    sm_wasm_exec_init(&m->exec, ram.stack, sizeof ram.stack / sizeof ram.stack[0], 16, &ram.epoch);
    return true;
}

/* ---- Run ------------------------------------------------------------------------------------- */

static int call(struct machine *m, const char *name)
{
    uint32_t func;
    if (sm_wasm_export_find(&m->module, name, SM_WASM_FUNC, &func) != 0 ||
        sm_wasm_call(&m->exec, m->inst, func, NULL, 1) != 0)
        return SM_ERR_ARG;
    return sm_wasm_run(&m->exec);
}

/* A line without the module's name and release in front. */
static bool logged(const struct machine *m, const char *line)
{
    const char *text = strstr(m->logged, "): ");
    return line == NULL ? m->logged[0] == '\0' : text != NULL && strcmp(text + 3, line) == 0;
}

static int tick(struct machine *m)
{
    m->logged[0] = '\0';
    m->now_ms += 1000;
    int failures = check("a tick", call(m, "sensor_tick") == 0);
    failures += check("what it logs", logged(m, story[m->tick].line));
    return failures +
           check("its health", call(m, "health") == 0 &&
                                   (int32_t)sm_wasm_results(&m->exec)[0] == story[m->tick].health);
}

static int run_module(const char *name, const uint8_t *wasm, size_t wasm_len)
{
    struct machine m = {.wasm = wasm, .wasm_len = wasm_len};
    sm_board_print(name);
    sm_board_print("\n");
    int failures = check("it is translated and tells its memory", open_module(&m)) ||
                   check("it is instantiated", instantiate(&m));
    if (failures)
        return failures;
    failures += check("4 KB of memory are enough", m.memory_bytes <= MEMORY_MOST);
    failures += check("its memory ends there", sm_wasm_mem(m.inst, m.memory_bytes - 1, 1) != NULL &&
                                                   sm_wasm_mem(m.inst, m.memory_bytes, 1) == NULL);
    for (m.tick = 0; m.tick < TICKS; m.tick++)
        failures += tick(&m);
    sm_board_print("cost  linear memory: ");
    sm_board_print_u32(m.memory_bytes);
    sm_board_print(" bytes, the instance beside it: ");
    sm_board_print_u32(m.pool_used - m.memory_bytes);
    sm_board_print(" bytes\n");
    return failures;
}

/* ---- Native code ------------------------------------------------------------------------------
 */

/* A builder of the module's fleet claims this image for this module. */
static bool claimed(const struct machine *m, uint8_t module_sha[SM_SHA256_SIZE])
{
    struct sm_trust_key room[1];
    struct sm_trust trust;
    struct sm_native_claim claim;
    sm_trust_init(&trust, room, 1);
    sm_sha256(m->wasm, m->wasm_len, module_sha);
    return sm_trust_add(&trust, SM_ROLE_BUILDER, m->grants.fleet, native_key) == 0 &&
           sm_trust_verify_native(&trust, native_claim, sizeof native_claim, m->grants.fleet,
                                  &claim, NULL) == 0 &&
           sm_claim_check(&claim, module_sha, native_image, sizeof native_image) == 0;
}

static bool bind(struct machine *m, struct sm_native *native, const uint8_t *module_sha)
{
    if (sm_native_open(native, native_image, sizeof native_image, module_sha) != 0) {
        sm_board_print(native->info.refused);
        return false;
    }
    int err = sm_native_bind(m->inst, native, ram.native, sizeof ram.native);
    if (err)
        sm_board_print(sm_strerror(err));
    return err == 0;
}

static int run_native(void)
{
    struct machine m = {.wasm = native_wasm, .wasm_len = sizeof native_wasm};
    struct sm_manifest_detail why;
    struct sm_native native;
    uint8_t sha[SM_SHA256_SIZE];
    if (sizeof native_wasm == 1) {
        sm_board_print("native code: skipped, the build had no host tool\n");
        return 0;
    }
    sm_board_print("thermostat as native code\n");
    int failures =
        check("its manifest is read", sm_manifest_read(&m.grants, m.wasm, m.wasm_len, &why) == 0) ||
        check("a builder's claim is good", claimed(&m, sha)) ||
        check("it is instantiated", open_module(&m) && instantiate(&m)) ||
        check("it is bound", bind(&m, &native, sha));
    if (failures)
        return failures;
    for (m.tick = 0; m.tick < TICKS; m.tick++)
        failures += tick(&m);
    return failures;
}

int sm_board_main(void)
{
    int failures = run_module("thermostat in C", thermostat_c, sizeof thermostat_c);
    failures += run_module("thermostat in Rust", thermostat_rs, sizeof thermostat_rs);
    failures += run_native();
    sm_board_print(failures ? "thermostat failed\n" : "thermostat passed\n");
    return failures ? 1 : 0;
}
