/* sandmote run: call an exported function, as a device would.
 *
 * The same engine, limits and epoch as on a device. The epoch is a count of milliseconds that an
 * interval timer's handler keeps: it reads the clock, so a late or lost signal makes no epoch
 * longer than the timer's interval.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

#include <sandmote/crypto.h>
#include <sandmote/host.h>

#include <posix/coredump.h>
#include <posix/guard.h>
#include <posix/keys.h>
#include <posix/sensor_config.h>

#include "aot.h"
#include "claim.h"
#include "cli.h"
#include "module.h"
#include "run_network.h"
#include "run_wasi.h"
#include "values.h"

#define STACK_BYTES   (8u << 20) /* value stack, unless the manifest says less */
#define MAX_DEPTH     65536u     /* nested calls */
#define TABLE_ENTRIES (1u << 20)
#define POOL_EXTRA    (256u << 20) /* tables, globals and the instance, beside its memory */
#define ARGS_MAX      64
#define FRAMES_SHOWN  32

struct run {
    struct module module;
    const char *path;
    int cls;
    const struct sm_class_limits *class_limits;
    uint64_t memory_bytes, stack_bytes;
    uint32_t epoch_ms;
    uint32_t func;
    bool start_only; /* func is none: the start function is all there is to run */
    bool exited;     /* it has ended itself */
    struct sm_wasm_functype type;
    uint32_t args[2 * ARGS_MAX];
    struct sm_wasm_pool pool;
    uint32_t *stack;
    struct sm_wasm_store store;
    struct sm_wasm_inst *inst;
    struct sm_wasm_exec exec;
    struct sm_manifest manifest; /* the module's own, or one that asks for the log */
    struct sm_host host;
    struct sm_host_port port;
    struct run_wasi wasi;
    struct run_network network;
    struct sm_sensors sensors;
    struct sm_sensor_config sensor_config;
    json_t *sensor_json; /* what sensor_config refers to */
    void *views;
    const char *native_path, *builder_path, *coredump_path;
    struct sm_native native;
    void *native_state;
    struct sm_guard guard;
};

/* ---- The epoch --------------------------------------------------------------------------------
 */

/* A signal handler has no argument to find it by. */
static volatile uint32_t epoch;

static uint64_t now_ms(void *ctx)
{
    struct timespec now;
    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void tick(int signal)
{
    (void)signal;
    epoch = (uint32_t)now_ms(NULL); /* wraps; only differences count */
}

static void start_timer(uint32_t epoch_ms)
{
    uint32_t interval_ms = epoch_ms < 100 ? 1 : epoch_ms < 2000 ? epoch_ms / 100 : 20;
    struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART | SA_ONSTACK};
    struct itimerval timer = {.it_interval.tv_usec = (suseconds_t)interval_ms * 1000,
                              .it_value.tv_usec = (suseconds_t)interval_ms * 1000};
    tick(SIGALRM);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

/* ---- What to call -----------------------------------------------------------------------------
 */

static void list_exports(const struct sm_wasm_module *module)
{
    struct sm_wasm_export export;
    struct sm_wasm_functype type;
    unsigned shown = 0;
    struct sm_wasm_cursor c;
    sm_wasm_exports(&c, module);
    while (sm_wasm_next_export(&c, &export) == 0) {
        if (export.kind != SM_WASM_FUNC || sm_wasm_functype(module, export.index, &type) != 0)
            continue;
        fputs(shown++ ? "  " : "it exports:\n  ", stderr);
        cli_print_text(stderr, export.name.bytes, export.name.len);
        fputc(' ', stderr);
        module_print_type(stderr, &type);
        fputc('\n', stderr);
    }
    if (!shown)
        fputs("it exports no functions\n", stderr);
}

/* The function named; else _start or main; else, in a module that has one, the start function
 * alone. */
static int choose_function(struct run *run, const char *name)
{
    const struct sm_wasm_module *module = &run->module.wasm;
    int err = sm_wasm_export_find(module, name ? name : "_start", SM_WASM_FUNC, &run->func);
    if (err && !name)
        err = sm_wasm_export_find(module, "main", SM_WASM_FUNC, &run->func);
    run->start_only = err && !name && sm_wasm_has_start(module);
    if (run->start_only)
        return CLI_GOOD;
    if (!err)
        err = sm_wasm_functype(module, run->func, &run->type);
    if (!err)
        return CLI_GOOD;
    if (name)
        cli_say("%s: no exported function is called \"%s\"", run->path, name);
    else
        cli_say("%s: neither _start nor main is exported, and it has no start function; name a "
                "function with --invoke",
                run->path);
    list_exports(module);
    return CLI_USAGE;
}

static int parse_arguments(struct run *run, int argc, char **argv)
{
    uint32_t *at = run->args, words[2];
    if (run->type.nparams == 0 && run_wasi_used(&run->module.wasm)) {
        run_wasi_arguments(&run->wasi, argc, argv);
        return CLI_GOOD;
    }
    if (run->type.nparams > ARGS_MAX || (uint32_t)argc != run->type.nparams) {
        cli_say("%s: the function takes %" PRIu32 " argument%s, %d %s given", run->path,
                run->type.nparams, run->type.nparams == 1 ? "" : "s", argc,
                argc == 1 ? "is" : "are");
        return CLI_USAGE;
    }
    for (int i = 0; i < argc; i++) {
        uint8_t type = run->type.params[i];
        const char *wrong = value_parse(type, argv[i], words);
        if (wrong) {
            cli_say("argument %d, \"%s\", is no %s: %s", i + 1, argv[i], value_type_name(type),
                    wrong);
            return CLI_USAGE;
        }
        memcpy(at, words, sizeof words[0] * value_words(type));
        at += value_words(type);
    }
    return CLI_GOOD;
}

/* ---- Sensors ----------------------------------------------------------------------------------
 */

/* "name:value" into an object of values: a number, or the path of a file that has one. */
static bool parse_value(json_t *values, char *text)
{
    char *colon = strchr(text, ':'), *end;
    if (!colon || colon == text || colon[1] == 0)
        return false;
    *colon = 0;
    long long n = strtoll(colon + 1, &end, 10);
    json_t *value = *end == 0 ? json_integer(n) : json_string(colon + 1);
    return !json_object_get(values, text) && json_object_set_new(values, text, value) == 0;
}

/* A virtual sensor: "name:value,name:value". */
static json_t *parse_values(const char *id, char *text)
{
    json_t *values = json_object();
    char *rest;
    bool good = true;
    for (char *v = strtok_r(text, ",", &rest); v && good; v = strtok_r(NULL, ",", &rest))
        good = parse_value(values, v);
    if (good && json_object_size(values) > 0)
        return json_pack("{s:s, s:o}", "id", id, "values", values);
    json_decref(values);
    return NULL;
}

/* A simulated chip with its driver: "BME280@0x76 temperature=21.5", on a bus of its own. */
static json_t *parse_chip(json_t *buses, const char *id, const char *chip)
{
    char name[SM_BUS_NAME_MAX + 1], model[SM_SENSOR_NAME_MAX + 1];
    int len = (int)strcspn(chip, "@");
    snprintf(name, sizeof name, "bus-%zu", json_array_size(buses));
    snprintf(model, sizeof model, "%.*s", len, chip);
    json_array_append_new(
        buses, json_pack("{s:s, s:s, s:[s]}", "name", name, "type", "simulated", "chips", chip));
    return json_pack("{s:s, s:s, s:s, s:I}", "id", id, "driver", model, "bus", name, "address",
                     (json_int_t)strtol(chip + len + 1, NULL, 0));
}

/* "id=..." to what a configuration file would have; NULL when it is neither of the two. */
static json_t *parse_sensor(json_t *buses, char *text)
{
    char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return NULL;
    *equals = 0;
    return strchr(equals + 1, '@') ? parse_chip(buses, text, equals + 1)
                                   : parse_values(text, equals + 1);
}

/* Sensors by ';'. */
static int make_sensors(struct run *run, const char *text)
{
    static const struct sm_clock clock = {.now_ms = now_ms};
    struct sm_json_error why;
    json_t *buses = json_array(), *sensors = json_array();
    char *copy = strdup(text ? text : ""), *rest;
    bool good = copy != NULL;
    run->sensor_json = json_pack("[o, o]", buses, sensors);
    for (char *s = good ? strtok_r(copy, ";", &rest) : NULL; s && good;
         s = strtok_r(NULL, ";", &rest))
        good = json_array_append_new(sensors, parse_sensor(buses, s)) == 0;
    free(copy);
    if (!good)
        return cli_usage(&cli_run, "--sensors: must be ID=NAME:VALUE,NAME:VALUE;ID=MODEL@ADDRESS");
    sm_sensors_init(&run->sensors, &clock);
    if (sm_sensor_config_read(&run->sensor_config, buses, sensors, "", &clock, &why) < 0 ||
        sm_sensor_config_add(&run->sensor_config, &run->sensors, &why) < 0)
        return cli_usage(&cli_run, "--sensors: %s", why.text);
    return CLI_GOOD;
}

/* ---- Instance ---------------------------------------------------------------------------------
 */

/* The module runs within what its manifest allows, where it has one: as it would on a device. One
 * that cannot be read is refused, as there. */
static int apply_manifest(struct run *run)
{
    struct sm_manifest_detail detail;
    struct sm_manifest *m = &run->manifest;
    int err = sm_manifest_read(m, run->module.bytes, run->module.len, &detail);
    if (err && err != SM_ERR_NOT_FOUND) {
        module_say_manifest(run->path, err, &detail);
        return CLI_BAD;
    }
    if (err) {
        sm_manifest_defaults(m);
        memcpy(m->capability[m->capabilities++], "log", sizeof "log");
        run_wasi_grant(&run->wasi, m);
        run_network_grant(&run->network, m);
        return CLI_GOOD;
    }
    if (m->memory_bytes < run->memory_bytes)
        run->memory_bytes = m->memory_bytes;
    run->stack_bytes = m->stack_bytes;
    return CLI_GOOD;
}

/* Address space that becomes memory where it is touched; NULL after saying so. */
static void *reserve(uint64_t bytes)
{
    void *p = MAP_FAILED;
    if (bytes <= SIZE_MAX)
        p = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p != MAP_FAILED)
        return p;
    cli_say("cannot set aside %" PRIu64 " bytes of address space; say less with --memory", bytes);
    return NULL;
}

static void log_line(void *ctx, const char *module, const char *line)
{
    (void)ctx, (void)module;
    fprintf(stderr, "log: %s\n", line);
}

static void say_import(const struct run *run, uint32_t i, const struct sm_wasm_import *import,
                       int err)
{
    bool wasi = run->cls == SM_CLASS_MCU && run_wasi_import(import);
    bool network = !run->network.on && run_network_import(import);
    fprintf(stderr, "sandmote: %s: import %" PRIu32 " %s: %s ", run->path, i,
            err == SM_ERR_DENIED ? "is not among the capabilities that the manifest asks for"
            : wasi               ? "is not for class mcu"
            : network            ? "is there with --network only:"
            : err                ? "is missing"
                                 : "has another type here",
            module_kind_name(import->kind));
    cli_print_text(stderr, import->module.bytes, import->module.len);
    fputc('.', stderr);
    cli_print_text(stderr, import->field.bytes, import->field.len);
    fputc('\n', stderr);
}

/* Name the import that did not link, and those after it that would not either. */
static int say_imports(struct run *run, uint32_t first)
{
    struct sm_wasm_import import;
    struct sm_wasm_extern out;
    struct sm_wasm_cursor c;
    sm_wasm_imports(&c, &run->module.wasm);
    for (uint32_t i = 0; sm_wasm_next_import(&c, &import) == 0; i++) {
        int err = sm_host_resolve(&run->host, &import, &out);
        if (i >= first && (err || i == first))
            say_import(run, i, &import, err);
    }
    return CLI_IMPORT;
}

/* With --builder nothing of the image is looked at before its claim is good. */
static bool claimed_by_builder(const struct run *run, const void *image, size_t len,
                               const uint8_t module_sha[SM_SHA256_SIZE])
{
    uint8_t key[SM_KEYS_PUBLIC_SIZE];
    char sig[CLI_PATH];
    struct sm_keys_why why;
    if (sm_keys_load_public(run->builder_path, key, &why)) {
        cli_say("%s", why.text);
        return false;
    }
    return cli_signature_path(run->native_path, sig) &&
           claim_good(run->native_path, sig, key, image, len, module_sha);
}

static int open_native(struct run *run)
{
    uint8_t sha256[SM_SHA256_SIZE], *bytes;
    size_t len;
    if (!cli_read(run->native_path, &bytes, &len)) /* which says why not */
        return CLI_BAD;
    bool native = claim_is_native(bytes, len);
    free(bytes);
    const void *image = native ? sm_guard_map_code(run->native_path, &len) : NULL;
    if (!image) {
        if (native)
            cli_say("%s: cannot be mapped for execution: %s", run->native_path, strerror(errno));
        else
            cli_say("%s: not a native image; `sandmote aot` makes one of a module",
                    run->native_path);
        return CLI_BAD;
    }
    sm_sha256(run->module.bytes, run->module.len, sha256);
    if (run->builder_path && !claimed_by_builder(run, image, len, sha256))
        return CLI_BAD;
    int err = sm_native_open(&run->native, image, len, sha256);
    if (!err && !run->builder_path) /* a good claim has its hash already */
        err = aot_check_hash(&run->native);
    if (err) {
        cli_say("%s: not an image to run here: %s", run->native_path, run->native.info.refused);
        return CLI_BAD;
    }
    if ((run->native.info.flags & SM_NATIVE_GUARDED) &&
        sm_guard_reserve(&run->guard, run->memory_bytes) != 0) {
        cli_say("no address space for guard pages; compile with --checks");
        return CLI_BAD;
    }
    return CLI_GOOD;
}

static int bind_native(struct run *run)
{
    size_t len = sm_native_state_bytes(&run->native, &run->module.wasm);
    run->native_state = malloc(len);
    int err = run->native_state ? sm_native_bind(run->inst, &run->native, run->native_state, len)
                                : SM_ERR_MEMORY;
    if (!err)
        err = sm_guard_stack();
    if (!err && run->guard.region.base)
        err = sm_guard_watch(&run->guard, run->inst);
    if (!err)
        return CLI_GOOD;
    if (err == SM_ERR_LIMIT && run->guard.region.base)
        cli_say("%s: counts on guard pages, so its memory ends at a multiple of 4096 bytes, and "
                "the %" PRIu64 " that it may have do not; give another --memory or memory_bytes, "
                "or compile with --checks",
                run->native_path, run->memory_bytes);
    else if (err == SM_ERR_LIMIT)
        cli_say("%s: counts on %" PRIu32 " bytes of memory, and may have %" PRIu64
                "; give more, or compile with --memory",
                run->native_path, run->native.info.min_memory, run->memory_bytes);
    else
        cli_say("%s: cannot run: %s", run->native_path, sm_strerror(err));
    return CLI_BAD;
}

static int instantiate(struct run *run)
{
    struct sm_wasm_limits limits = {run->memory_bytes, TABLE_ENTRIES,
                                    run->guard.region.base ? &run->guard.region : NULL};
    struct sm_wasm_linker linker = {&run->host, sm_host_resolve};
    uint32_t which;
    run->pool.zero = true;
    run->pool.size = (size_t)(run->memory_bytes + POOL_EXTRA);
    run->pool.base = reserve(run->memory_bytes + POOL_EXTRA);
    run->stack = reserve(run->stack_bytes);
    if (!run->pool.base || !run->stack)
        return CLI_BAD;
    run->port = (struct sm_host_port){
        .log = log_line, .sensors = &run->sensors, .clock = {.now_ms = now_ms}};
    run->host.more =
        run_network_join(&run->network, run->cls != SM_CLASS_MCU ? &run->wasi.wasi.more : NULL);
    run->views = malloc(sm_host_sensor_bytes(&run->manifest) + 1);
    if (!run->views)
        return CLI_BAD;
    sm_host_init(&run->host, &run->port, &run->manifest, now_ms(NULL));
    sm_host_open_sensors(&run->host, run->views);
    if (run->host.more && !run_wasi_begin(&run->wasi, &run->host))
        return CLI_BAD;
    int err = sm_wasm_instantiate(&run->inst, &run->store, &run->module.wasm, &limits, &linker,
                                  &run->pool, &which);
    switch (err) {
    case 0:
        sm_wasm_exec_init(&run->exec, run->stack, run->stack_bytes / sizeof *run->stack, MAX_DEPTH,
                          &epoch);
        return run->native_path ? bind_native(run) : CLI_GOOD;
    case SM_ERR_LINK:
    case SM_ERR_DENIED: return say_imports(run, which);
    case SM_ERR_TRAP:
        cli_say("%s: trap: %s (a segment does not fit at the start)", run->path,
                sm_wasm_trap_text((enum sm_wasm_trap)which));
        return CLI_TRAP;
    case SM_ERR_LIMIT:
        cli_say("%s: needs more memory than the %" PRIu64 " bytes it may have, or a larger table "
                "than %u entries; --memory and --class say how much",
                run->path, run->memory_bytes, TABLE_ENTRIES);
        return CLI_BAD;
    default: cli_say("%s: cannot be instantiated: %s", run->path, sm_strerror(err)); return CLI_BAD;
    }
}

/* ---- Call -------------------------------------------------------------------------------------
 */

static void print_frame(FILE *out, const struct sm_wasm_frame *frame)
{
    fprintf(out, "function %" PRIu32, frame->func);
    if (frame->name.len) {
        fputs(" \"", out);
        cli_print_text(out, frame->name.bytes, frame->name.len);
        fputc('"', out);
    }
    if (frame->offset)
        fprintf(out, " at offset 0x%" PRIx32 " (%" PRIu32 ")", frame->offset, frame->offset);
    fputc('\n', out);
}

static void print_backtrace(const struct run *run)
{
    struct sm_wasm_frame frames[FRAMES_SHOWN];
    size_t scratch_len;
    void *scratch = module_scratch(&run->module, &scratch_len);
    uint32_t n = sm_wasm_backtrace(&run->exec, frames, FRAMES_SHOWN, scratch, scratch_len);
    free(scratch);
    for (uint32_t i = 0; i < n && i < FRAMES_SHOWN; i++) {
        fprintf(stderr, "  #%" PRIu32 " ", i);
        print_frame(stderr, &frames[i]);
    }
    if (n > FRAMES_SHOWN)
        fprintf(stderr, "  and %" PRIu32 " more\n", n - FRAMES_SHOWN);
}

/* What a debugger wants to see, when it was asked for. */
static void write_coredump(const struct run *run)
{
    size_t scratch_len, len;
    void *scratch = module_scratch(&run->module, &scratch_len);
    const char *slash = strrchr(run->path, '/');
    uint8_t *bytes;
    struct sm_coredump dump = {.exec = &run->exec,
                               .inst = run->inst,
                               .name = slash ? slash + 1 : run->path,
                               .memory = true,
                               .limit = SIZE_MAX,
                               .scratch = scratch,
                               .scratch_len = scratch_len};
    if (sm_coredump_make(&dump, &bytes, &len) < 0) {
        cli_say("%s: no memory for a core dump", run->path);
    } else {
        if (cli_write(run->coredump_path, bytes, len))
            fprintf(stderr, "  core dumped: %s\n", run->coredump_path);
        free(bytes);
    }
    free(scratch);
}

static const char *why_host(const struct run *run, char text[MODULE_HOST_TEXT])
{
    struct sm_wasm_frame frame = {0};
    size_t scratch_len;
    void *scratch = module_scratch(&run->module, &scratch_len);
    sm_wasm_backtrace(&run->exec, &frame, 1, scratch, scratch_len);
    free(scratch);
    module_host_text(&run->module, frame.offset, run->exec.host_error, text);
    return text;
}

static int say_trap(const struct run *run, const char *phase)
{
    const struct sm_wasm_exec *exec = &run->exec;
    char text[MODULE_HOST_TEXT];
    if (exec->trap == SM_TRAP_EPOCH)
        cli_say("%s: interrupted%s: it ran longer than its epoch of %" PRIu32 " ms", run->path,
                phase, run->epoch_ms);
    else if (exec->trap == SM_TRAP_HOST)
        cli_say("%s: trap%s: %s: %s", run->path, phase, sm_wasm_trap_text(exec->trap),
                why_host(run, text));
    else
        cli_say("%s: trap%s: %s", run->path, phase, sm_wasm_trap_text(exec->trap));
    print_backtrace(run);
    if (run->coredump_path)
        write_coredump(run);
    return exec->trap == SM_TRAP_EPOCH ? CLI_EPOCH : CLI_TRAP;
}

/* Go on with a module that waits, when it has waited enough. */
static int wait_and_run(struct run *run)
{
    uint32_t sensors_ms = sm_sensors_step(&run->sensors);
    uint64_t now = now_ms(NULL), wake = sm_host_wake_ms(&run->host);
    if (wake > now) {
        run_network_wait(&run->network, wake - now < sensors_ms ? wake - now : sensors_ms);
        return SM_WASM_PENDING;
    }
    int err = sm_host_wake(&run->host, &run->exec, run->inst);
    return err ? err : sm_wasm_run(&run->exec);
}

/* Run what was called; err is what the call returned. A module that ended itself says how. */
static int finish(struct run *run, int err, const char *phase)
{
    uint32_t code;
    if (!err)
        err = sm_wasm_run(&run->exec);
    while (err == SM_WASM_PENDING)
        err = wait_and_run(run);
    if (err == 0)
        return CLI_GOOD;
    if (sm_host_exited(&run->host, &code)) {
        run->exited = true;
        return code & 0xff ? (int)(code & 0xff) : code != 0;
    }
    if (err == SM_ERR_TRAP || err == SM_ERR_EPOCH)
        return say_trap(run, phase);
    cli_say("%s: cannot run%s: %s", run->path, phase, sm_strerror(err));
    return CLI_BAD;
}

static void print_results(const struct run *run)
{
    const uint32_t *at = sm_wasm_results(&run->exec);
    char text[VALUE_TEXT];
    for (uint32_t i = 0; i < run->type.nresults; i++) {
        value_print(run->type.results[i], at, text);
        puts(text);
        at += value_words(run->type.results[i]);
    }
}

/* What a module of WASI that is no command has done first, as on a device. */
static int initialise(struct run *run)
{
    const struct sm_wasm_module *module = &run->module.wasm;
    struct sm_wasm_functype type;
    uint32_t start, func;
    if (sm_wasm_export_find(module, "_initialize", SM_WASM_FUNC, &func) != 0 ||
        sm_wasm_functype(module, func, &type) != 0 || type.nparams || type.nresults ||
        (!run->start_only && func == run->func) ||
        (sm_wasm_export_find(module, "_start", SM_WASM_FUNC, &start) == 0 && start == run->func))
        return CLI_GOOD;
    return finish(run, sm_wasm_call(&run->exec, run->inst, func, NULL, run->epoch_ms),
                  " in _initialize");
}

static int execute(struct run *run)
{
    if (run->epoch_ms)
        start_timer(run->epoch_ms);
    int err = sm_wasm_call_start(&run->exec, run->inst, run->epoch_ms);
    int status = err == SM_ERR_NOT_FOUND ? CLI_GOOD : finish(run, err, " in the start function");
    if (status == CLI_GOOD && !run->exited)
        status = initialise(run);
    if (status != CLI_GOOD || run->start_only || run->exited)
        return status;
    tick(SIGALRM); /* the deadline counts from now, not from the timer's last signal */
    err = sm_wasm_call(&run->exec, run->inst, run->func, run->args, run->epoch_ms);
    status = finish(run, err, "");
    if (status == CLI_GOOD && !run->exited)
        print_results(run);
    return status;
}

/* ---- The command ------------------------------------------------------------------------------
 */

struct run_options {
    const char *invoke, *class_name, *memory, *epoch_ms, *native, *builder, *sensors, *network;
    bool invoked; /* the empty name is one too */
    const char *dirs[CLI_VALUES_MAX], *env[CLI_VALUES_MAX];
};

static int read_options(struct run *run, const struct run_options *options)
{
    int cls = options->class_name ? sm_class_find(options->class_name) : SM_CLASS_EDGE;
    uint64_t n;
    if (cls < 0)
        return cli_usage(&cli_run, "no class is called \"%s\"", options->class_name);
    run->cls = cls;
    run->class_limits = sm_class_limits((unsigned)cls);
    run->memory_bytes = run->class_limits->memory_bytes;
    run->epoch_ms = run->class_limits->epoch_ms;
    run->stack_bytes = STACK_BYTES;
    if (options->memory && !cli_number(options->memory, 1ull << 32, &run->memory_bytes))
        return cli_usage(&cli_run, "--memory: \"%s\" is not a number of bytes up to 4294967296",
                         options->memory);
    if (options->epoch_ms) {
        if (!cli_number(options->epoch_ms, INT32_MAX, &n))
            return cli_usage(&cli_run,
                             "--epoch-ms: \"%s\" is not a number of milliseconds, 0 to %d",
                             options->epoch_ms, INT32_MAX);
        run->epoch_ms = (uint32_t)n;
    }
    return CLI_GOOD;
}

static int run_file(struct run *run, const struct run_options *options, int argc, char **argv)
{
    int status = module_load(&run->module, run->path);
    if (status == CLI_GOOD)
        status = apply_manifest(run);
    if (status == CLI_GOOD)
        status = choose_function(run, options->invoke);
    if (status == CLI_GOOD)
        status = parse_arguments(run, argc, argv);
    if (status == CLI_GOOD && run->native_path)
        status = open_native(run);
    if (status == CLI_GOOD)
        status = instantiate(run);
    return status == CLI_GOOD ? execute(run) : status;
}

static int run_command(int argc, char **argv)
{
    struct run_options o = {0};
    struct run run = {0};
    const struct cli_option options[] = {{"invoke", &o.invoke, &o.invoked},
                                         {"class", &o.class_name, NULL},
                                         {"memory", &o.memory, NULL},
                                         {"epoch-ms", &o.epoch_ms, NULL},
                                         {"dir...", o.dirs, NULL},
                                         {"env...", o.env, NULL},
                                         {"native", &o.native, NULL},
                                         {"builder", &o.builder, NULL},
                                         {"coredump", &run.coredump_path, NULL},
                                         {"sensors", &o.sensors, NULL},
                                         {"network", &o.network, NULL},
                                         {0}};
    int n = cli_options(options, true, argc, argv);
    if (n < 1)
        return n < 0 ? CLI_USAGE : cli_usage(&cli_run, "name a module");
    int status = read_options(&run, &o);
    if (status != CLI_GOOD)
        return status;
    const char *wrong = run_wasi_init(&run.wasi, o.dirs, o.env);
    if (!wrong)
        wrong = run_network_init(&run.network, o.network);
    if (wrong)
        return cli_usage(&cli_run, "%s", wrong);
    run.path = argv[1];
    run.native_path = o.native;
    run.builder_path = o.builder;
    if (o.builder && !o.native)
        return cli_usage(&cli_run, "--builder goes with --native");
    status = make_sensors(&run, o.sensors);
    if (status == CLI_GOOD)
        status = run_file(&run, &o, n - 1, argv + 2);
    sm_host_tell_left_out(&run.host);
    sm_host_end(&run.host);
    run_network_free(&run.network);
    sm_sensor_config_free(&run.sensor_config);
    json_decref(run.sensor_json);
    free(run.views);
    free(run.native_state);
    module_free(&run.module);
    return status;
}

const struct cli_command cli_run = {
    .name = "run",
    .arguments =
        "[--invoke NAME] [--class mcu|mpu|gateway|edge] [--memory BYTES] [--epoch-ms N]\n"
        "                    [--dir NAME=PATH]... [--env NAME=VALUE]...\n"
        "                    [--native IMAGE [--builder PUBLIC.pem]] [--coredump FILE]\n"
        "                    [--sensors ID=NAME:VALUE,...;...] [--network ADDRESS:PORT,...]\n"
        "                    FILE.wasm [ARGS...]",
    .purpose = "Call an exported function and print its results",
    .run = run_command,
    .details =
        "Without --invoke, _start or main is called. The start function runs before it, or alone\n"
        "where neither is exported.\n"
        "Arguments are read by the function's types: -5, 0xff, 2.5, 0x1.8p+1, inf, nan,\n"
        "nan:0x8000000000000, null. Results come one a line, as i32:-5 or f64:0x1p-1.\n"
        "A module that imports wasi_snapshot_preview1 takes them as its own, when the function\n"
        "has no parameters.\n\n"
        "  --class      limits of a device class; edge when absent\n"
        "                 mcu 128 KiB, 10 ms     mpu 4 MiB, 100 ms\n"
        "                 gateway 256 MiB, 500 ms     edge 4 GiB, 1000 ms\n"
        "  --memory     linear memory it may touch, grown pages included, instead\n"
        "  --epoch-ms   how long a call may take, instead; 0 for no end\n"
        "  --dir        a directory that the module has as /NAME; / alone for the root\n"
        "  --env        a variable of the module's environment\n"
        "  --native     run its native image (sandmote aot); the image is trusted\n"
        "  --builder    run it only if this builder's claim, IMAGE.sig, is good\n"
        "  --coredump   where to write a core dump when it traps; `sandmote postmortem` prints "
        "it\n"
        "  --sensors    simulated sensors, as "
        "BME280=temperature:21500,humidity:45000;door=open:0;\n"
        "                 a value is a whole number or the path of a file that has one; or a "
        "driver\n"
        "                 with a simulated chip: 'BME280=BME280@0x76 temperature=21.5 "
        "humidity=45'\n"
        "  --network    gateways of MQTT-SN, over UDP, that modules connect to by \"\"; and\n"
        "                 search=ADDRESS:PORT, whom a search for others asks\n\n"
        "A manifest in the module lowers memory and stack to what it says, and its capabilities\n"
        "are granted; without one, the log, WASI, each --dir and all topics are; one that cannot "
        "be\nread is an error. What is logged goes to stderr.\n\n"
        "Exit status: 0, 2 not a valid module, 3 trap, 4 interrupted by the epoch, 5 an import\n"
        "is missing, 64 wrong usage, 1 anything else; or what the module itself ended with\n"
        "(proc_exit).\n"};
