/* What the engine costs beside running code: a start, a host call, and how long a module goes on
 * after its deadline. Counted in instructions, on the host and on the microcontroller alike.
 *
 * The deadline passes at many moments of each loop or operation in turn, since what counts is the
 * worst of them. Exit status 1 when a call does not end as it should.
 *
 * With -DNATIVE="suffix" the modules run as native images, stem and suffix; else interpreted.
 * Built with -DCOSTS="stem", -DLONG="stem", -DSTART="stem" (embed.h) of the modules in bench/wasm.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "embed.h"
#include "engine.h"
#include "port.h"

#define MEMORY_BYTES 262144u
#define STACK_WORDS  4096u
#define CALLS        1000u

EMBED_MODULE(costs, COSTS);
EMBED_MODULE(lengthy, LONG);
EMBED_MODULE(start, START);
#ifdef NATIVE
EMBED_CODE(costs_native, COSTS NATIVE);
EMBED_CODE(lengthy_native, LONG NATIVE);
EMBED_CODE(start_native, START NATIVE);
#define MODULE(name) EMBEDDED_MODULE(name), .native = name##_native, .native_end = name##_native_end
#else
#define MODULE(name) EMBEDDED_MODULE(name)
#endif

static const struct bench_engine costs_module = {MODULE(costs)}, lengthy_module = {MODULE(lengthy)},
                                 start_module = {MODULE(start)};

static struct {
    uint8_t pool[MEMORY_BYTES + 131072] __attribute__((aligned(8)));
    uint32_t stack[STACK_WORDS];
} ram;

struct job {
    struct bench_engine engine;
    int result;
};

static void reset(struct job *j, const struct bench_engine *module)
{
    j->engine = *module;
    j->engine.memory_bytes = MEMORY_BYTES;
    j->engine.pool = (struct sm_wasm_pool){.base = ram.pool, .size = sizeof ram.pool};
    j->engine.stack = ram.stack;
    j->engine.stack_words = STACK_WORDS;
}

/* Everything up to the first instruction is done before counting starts. */
static int prepare(struct job *j, const struct bench_engine *module, const char *name,
                   uint32_t argument, uint32_t budget)
{
    int err;

    reset(j, module);
    err = bench_start(&j->engine);
    return err != 0 ? err : bench_prepare(&j->engine, name, argument, budget);
}

static void run_job(void *ctx)
{
    struct job *j = ctx;

    j->result = sm_wasm_run(&j->engine.exec);
}

static void pass_deadline(void *ctx)
{
    struct job *j = ctx;

    j->engine.epoch++;
}

static void line(const char *what, uint32_t value)
{
    port_print(what);
    port_print("\t");
    port_print_u32(value);
    port_print("\n");
}

static int fails(const char *what)
{
    port_print(what);
    port_print(": did not end as it should\n");
    return 1;
}

/* ---- Host calls ------------------------------------------------------------------------------ */

static int host_call(struct job *j)
{
    uint32_t counts[2];

    for (unsigned i = 0; i < 2; i++) {
        const char *name = i == 0 ? "with a host call" : "with two host calls";

        if (prepare(j, &costs_module, name, CALLS, 0) != 0)
            return fails(name);
        counts[i] = port_count(run_job, j);
        if (j->result != 0)
            return fails(name);
    }
    line("host call, one i32 in and one out", (counts[1] - counts[0] + CALLS / 2) / CALLS);
    return 0;
}

/* ---- Stopping -------------------------------------------------------------------------------- */

/* The most instructions from the deadline to the end of the run. */
static int stop(struct job *j, const struct bench_engine *module, const char *name, uint32_t step)
{
    uint32_t most = 0;

    for (uint32_t moment = 0; moment < port_moments; moment++) {
        uint32_t count;

        if (prepare(j, module, name, 1, 1) != 0)
            return fails(name ? name : "start function");
        count = port_count_after(run_job, pass_deadline, j, 500 + moment * step);
        /* Ending too early would be no stop. */
        if (count == 0 || j->result != SM_ERR_EPOCH)
            return fails(name ? name : "start function");
        most = count > most ? count : most;
    }
    port_print("stop, ");
    line(name ? name : "start function", most);
    return 0;
}

/* Steps without a common divisor with what they measure; operations that happen once, and long
 * ones, are looked at over more of their length. */
static int stops(struct job *j)
{
    static const struct {
        const struct bench_engine *module;
        const char *name;
        uint32_t step;
    } loops[] = {
        {&costs_module, "empty loop", 1},
        {&costs_module, "counting loop", 1},
        {&costs_module, "br_table loop", 1},
        {&costs_module, "host-call loop", 1},
        {&costs_module, "recursion", 7},
        {&costs_module, "memory.fill", 101},
        {&costs_module, "memory.copy up", 101},
        {&costs_module, "memory.copy down", 101},
        {&costs_module, "memory.grow", 101},
        {&costs_module, "table.fill", 101},
        {&costs_module, "table.copy", 101},
        {&costs_module, "table.grow", 101},
        {&lengthy_module, "memory.init", 101},
        {&lengthy_module, "table.init", 101},
        {&lengthy_module, "2,000 locals to clear", 101},
        {&lengthy_module, "20,000 operations in a line", 1009},
        {&start_module, NULL, 1},
    };
    int failures = 0;

    for (unsigned i = 0; i < sizeof loops / sizeof loops[0]; i++)
        failures += stop(j, loops[i].module, loops[i].name, loops[i].step);
    return failures;
}

int bench_main(void)
{
    static struct job j;

    return host_call(&j) + stops(&j) > 0;
}
