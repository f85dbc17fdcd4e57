/* What network calls cost a module in instructions, beside native code over the same client, when
 * answers come at once: one call, and 20 in a row.
 *
 * Prints lines of "what TAB calls TAB native TAB module"; the client, the codec and the gateway in
 * memory, which both use, are in both. Built with -DMODULE="stem" (embed.h), with -DNATIVE="file"
 * the module's native image runs. Exit status 1 when a call does not end well.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "embed.h"
#include "field.h"
#include "port.h"

EMBED_MODULE(module, MODULE);
#ifdef NATIVE
EMBED_CODE(module_native, NATIVE);
#define NATIVE_IMAGE , .native = module_native, .native_end = module_native_end
#else
#define NATIVE_IMAGE
#endif

struct job {
    struct field *field;
    const char *name;
    uint32_t n;
    int good;
};

/* Each second of 1000 calls is a new one for the module's rate. */
static uint64_t ns = 1000000000;

static uint64_t now_ns(void)
{
    return ns;
}

static void run_native(void *ctx)
{
    struct job *j = ctx;

    j->good = field_native(j->field, j->name, j->n);
}

static void run_module(void *ctx)
{
    struct job *j = ctx;

    j->good = field_run(j->field);
}

static void print(const char *name, uint32_t n, uint32_t native, uint32_t module)
{
    port_print(name);
    port_print("\t");
    port_print_u32(n);
    port_print("\t");
    port_print_u32(native);
    port_print("\t");
    port_print_u32(module);
    port_print("\n");
}

static int line(struct job *j, const char *name, uint32_t n)
{
    uint32_t native, module;

    ns += 1000000000;
    j->name = name;
    j->n = n;
    native = port_count(run_native, j);
    if (j->good != (int)n || field_prepare(j->field, name, n) != 0)
        return 1;
    module = port_count(run_module, j);
    print(name, n, native, module);
    return j->good != (int)n;
}

/* Both forget what they had: registering finds no name. */
static int again(struct job *j)
{
    ns += 1000000000;
    return field_module(j->field, "restart", 0) != 1 || field_native(j->field, "restart", 0) != 1;
}

int bench_main(void)
{
    static struct field field = {.now_ns = now_ns,
                                 .engine = {EMBEDDED_MODULE(module) NATIVE_IMAGE}};
    static const uint32_t calls[] = {1, 20};
    static const char *const names[] = {"register", "publish 0", "publish 1", "publish 2"};
    struct job j = {.field = &field};
    int failed = field_start(&field);

    for (unsigned i = 0; i < sizeof calls / sizeof *calls && failed == 0; i++) {
        failed = again(&j);
        for (unsigned k = 0; k < 4 && failed == 0; k++)
            failed = line(&j, names[k], calls[i]);
    }
    if (failed != 0)
        port_print("a call did not end well\n");
    return failed != 0;
}
