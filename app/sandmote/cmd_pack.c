/* sandmote pack: put a manifest into a module.
 *
 * What makes a file unusable is an error; what one device or another would refuse is a warning,
 * since the author may have other devices in mind.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "footprint.h"
#include "manifest_json.h"
#include "module.h"

struct pack_args {
    const char *in, *out, *manifest;
    bool replace;
};

/* ---- Warnings ---------------------------------------------------------------------------------
 */

static void warn_entry(const char *path, const struct module *module, const struct sm_manifest *m)
{
    struct sm_wasm_functype type;
    uint32_t func;
    if (m->kind != SM_KIND_APPLICATION)
        return;
    if (sm_wasm_export_find(&module->wasm, m->entry, SM_WASM_FUNC, &func) != 0)
        cli_say("%s: warning: it exports no function \"%s\", which the manifest names as its entry",
                path, m->entry);
    else if (sm_wasm_functype(&module->wasm, func, &type) == 0 && type.nparams > 0)
        cli_say("%s: warning: the entry \"%s\" takes parameters, and devices call it without", path,
                m->entry);
}

/* With less no device can start it. */
static bool memory_is_enough(const struct pack_args *args, const struct module *module,
                             const struct sm_manifest *m)
{
    struct sm_wasm_memory_type t;
    (void)sm_wasm_memory_type(&module->wasm, &t);
    /* The last page may be given in part. */
    uint64_t least = t.min > 0 ? (uint64_t)(t.min - 1) * t.page_bytes + 1 : 0;
    if (least < t.data_end)
        least = t.data_end;
    if (m->memory_bytes >= least)
        return true;
    cli_say("%s: memory_bytes is %" PRIu64 ", and %s needs %" PRIu64 " or more to start: it "
            "declares %" PRIu64 " bytes of memory, with data up to %" PRIu64
            "; leave memory_bytes out for what it uses",
            args->manifest, m->memory_bytes, args->in, least, (uint64_t)t.min * t.page_bytes,
            t.data_end);
    return false;
}

static void warn_memory(const char *path, const struct sm_manifest *m, const struct footprint *f)
{
    if (f->known && m->memory_bytes < f->bytes)
        cli_say("%s: warning: it uses %" PRIu64
                " bytes of memory (%s), its manifest allows %" PRIu64 ": it may trap",
                path, f->bytes, f->how, m->memory_bytes);
    for (unsigned i = 0; i < SM_CLASSES; i++)
        if (m->classes >> i & 1 && m->memory_bytes > sm_class_limits(i)->memory_bytes)
            cli_say("%s: warning: memory_bytes is %" PRIu64 "; devices of class %s give at most "
                    "%" PRIu64 " unless they are set up otherwise",
                    path, m->memory_bytes, sm_class_name(i), sm_class_limits(i)->memory_bytes);
}

static void warn_health(const char *path, const struct sm_manifest *m)
{
    /* The first call comes at once, the others a period apart. */
    uint64_t needed = (uint64_t)(m->good_ticks - 1) * m->period_ms;
    if (needed >= m->timeout_ms)
        cli_say("%s: warning: %" PRIu32 " good ticks every %" PRIu32 " ms take longer than "
                "health.timeout_ms, %" PRIu32 ": its trial will fail",
                path, m->good_ticks, m->period_ms, m->timeout_ms);
}

/* ---- pack -------------------------------------------------------------------------------------
 */

/* Nothing is replaced silently: neither a manifest that is there nor the input file. */
static bool may_replace(const struct pack_args *args, const struct module *module)
{
    const uint8_t *found;
    size_t found_len;
    struct sm_manifest_detail detail;
    struct stat in, out;
    if (args->replace)
        return true;
    if (sm_manifest_find(module->bytes, module->len, &found, &found_len, &detail) !=
        SM_ERR_NOT_FOUND) {
        cli_say("%s: has a manifest already (`sandmote inspect` shows it); --replace puts the new "
                "one in its place",
                args->in);
        return false;
    }
    if (stat(args->in, &in) == 0 && stat(args->out, &out) == 0 && in.st_dev == out.st_dev &&
        in.st_ino == out.st_ino) {
        cli_say("%s: is the input too; name another output, or say --replace", args->out);
        return false;
    }
    return true;
}

static int write_packed(const struct pack_args *args, const struct module *module,
                        const struct sm_manifest *m)
{
    struct sm_manifest_detail detail;
    size_t room = module->len + SM_MANIFEST_MAX + 32;
    uint8_t *out = malloc(room);
    int64_t len = SM_ERR_MEMORY;
    bool good = false;
    if (out)
        len = sm_manifest_pack(m, module->bytes, module->len, out, room, &detail);
    if (!out)
        cli_say("%s: no memory", args->in);
    else if (len < 0)
        module_say_manifest(args->manifest, (int)len, &detail);
    else
        good = cli_write(args->out, out, (size_t)len);
    if (good)
        printf("%s: %" PRId64 " bytes, %s %s sequence %" PRIu64 " for fleet %s\n", args->out, len,
               m->name, m->version, m->sequence, m->fleet);
    free(out);
    return good ? CLI_GOOD : CLI_BAD;
}

/* The manifest is silent about memory: say what stands in it now, and why. */
static void say_footprint(const struct pack_args *args, const struct footprint *f)
{
    if (f->known)
        printf("memory_bytes %" PRIu64 ": %s\n", f->bytes, f->how);
    else
        cli_say(
            "%s: memory_bytes is %" PRIu64 ", all that it declares: what it uses cannot be "
            "known. Link it with --export=__heap_base (clang -Wl,--export=__heap_base, rustc -C "
            "link-arg=--export=__heap_base), or write memory_bytes in %s",
            args->in, f->bytes, args->manifest);
}

static int pack_module(const struct pack_args *args, const struct module *module)
{
    struct manifest_json json;
    struct footprint footprint;
    if (!may_replace(args, module) || !manifest_json_load(&json, args->manifest))
        return CLI_BAD;
    footprint_find(&module->wasm, &footprint);
    if (!json.memory_given)
        json.m.memory_bytes = footprint.bytes;
    if (!memory_is_enough(args, module, &json.m))
        return CLI_BAD;
    int status = write_packed(args, module, &json.m);
    if (status == CLI_GOOD) {
        if (!json.memory_given)
            say_footprint(args, &footprint);
        warn_entry(args->in, module, &json.m);
        warn_memory(args->in, &json.m, &footprint);
        warn_health(args->manifest, &json.m);
    }
    return status;
}

static int pack(int argc, char **argv)
{
    struct pack_args args = {0};
    struct module module = {0};
    const struct cli_option options[] = {{"manifest", &args.manifest, NULL},
                                         {"o", &args.out, NULL},
                                         {"replace", NULL, &args.replace},
                                         {0}};
    int n = cli_options(options, false, argc, argv);
    if (n == CLI_USAGE_ERROR)
        return CLI_USAGE;
    if (n != 1 || !args.manifest || !args.out)
        return cli_usage(&cli_pack, !args.manifest ? "--manifest is missing"
                                    : !args.out    ? "-o is missing"
                                                   : "name one module");
    args.in = argv[1];
    int status = module_load(&module, args.in);
    if (status == CLI_GOOD)
        status = pack_module(&args, &module);
    module_free(&module);
    return status;
}

const struct cli_command cli_pack = {
    .name = "pack",
    .arguments = "--manifest M.json IN.wasm -o OUT.wasm [--replace]",
    .purpose = "Validate a module and put its manifest into it",
    .run = pack,
    .details =
        "The manifest is a JSON object. Sign the output afterwards: the signature covers it.\n\n"
        "  fleet           whose devices it is for; a-z 0-9 . _ -, at most 32\n"
        "  name            of the module within the fleet; the same letters\n"
        "  version         for people, at most 32 letters\n"
        "  sequence        whole number from 1; an update needs a higher one\n"
        "  classes         [\"mcu\", \"mpu\", \"gateway\", \"edge\"] or some of them\n"
        "may be absent:\n"
        "  kind            \"application\" (default) or \"plugin\"\n"
        "  security_floor  default 0; once this module is committed, nothing with a lower\n"
        "                  sequence runs on the device ever again\n"
        "  entry           exported function to call, default \"sensor_tick\"\n"
        "  period_ms       how often, default 1000\n"
        "  memory_bytes    memory it may touch, grown pages included; default what it uses by\n"
        "                  what its linker exported (__heap_base, __data_end) or laid out, or\n"
        "                  else what it declares at start\n"
        "  stack_bytes     value stack, default 4096\n"
        "  capabilities    what it asks for, default []; for example [\"log\"]\n"
        "  interface       least host interface version, default 1\n"
        "  health          {\"good_ticks\": 3, \"timeout_ms\": 30000, \"late_ticks\": 10}: what a "
        "trial\n"
        "                  needs, and how many late ticks are too many (one in\n"
        "                  time makes up for half a late one)\n"
        "  requires        [{\"name\": \"t1-driver\", \"least\": 3}]: releases of other modules "
        "that\n"
        "                  must be there; \"most\" may bound them above\n"
        "and of a plugin:\n"
        "  sensor          {\"id\": \"T1\", \"model\": \"TMP105\", \"bus\": \"i2c-1\", "
        "\"address\": 72,\n"
        "                  \"capabilities\": [{\"name\": \"temperature\", \"unit\": \"degC\",\n"
        "                  \"decimals\": 3}]}: what it drives, and what modules can read there;\n"
        "                  read_temperature() is exported and returns a float in units, or an\n"
        "                  i32 that counts 10^-decimals of them; \"min\" and \"max\" of such\n"
        "                  numbers may say what can be measured\n"
        "                  in it \"attributes\": [{\"name\": \"alert_high\", \"unit\": \"degC\",\n"
        "                  \"decimals\": 3, \"min\": -55000, \"max\": 125000, \"initial\": 80000,\n"
        "                  \"writes\": \"lowest\"}]: what modules can set, in numbers of\n"
        "                  10^-decimals units; \"writes\" says whose wish counts: \"lowest\",\n"
        "                  \"highest\", \"holder\", or is absent when it is only read;\n"
        "                  set_alert_high(value) and get_alert_high() are exported\n"
        "  removes         true, instead of a sensor: this release removes the plugin\n\n"
        "A module that has a manifest already is refused unless --replace is said.\n"};
