/* sandmote inspect: what is in a module file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <posix/file.h>
#include <posix/json_read.h>
#include <sandmote/crypto.h>

#include "claim.h"
#include "cli.h"
#include "footprint.h"
#include "module.h"

static void print_file(const char *path, const struct module *module)
{
    uint8_t hash[SM_SHA256_SIZE];
    char hex[2 * SM_SHA256_SIZE + 1], sig[4096];
    struct stat st;
    sm_sha256(module->bytes, module->len, hash);
    sm_hex_encode(hash, sizeof hash, hex);
    snprintf(sig, sizeof sig, "%s.sig", path);
    printf("file       %s\nbytes      %zu\nsha256     %s\n", path, module->len, hex);
    if (stat(sig, &st) != 0)
        printf("signature  none (%s is not there)\n", sig);
    else if (st.st_size != SM_ED25519_SIG_SIZE)
        printf("signature  %s, which has not the 64 bytes of one\n", sig);
    else
        printf("signature  %s, not checked here: `sandmote verify`\n", sig);
}

/* One line each: numbers are those that modules have. */
static void print_attributes(const struct sm_plugin_sensor *s)
{
    for (uint32_t i = 0; i < s->attributes; i++) {
        const struct sm_plugin_attribute *a = &s->attribute[i];
        const char *writes = sm_plugin_writes_name(a->writes);
        printf("  attribute       %s: %" PRId64 " to %" PRId64 ", at first %" PRId64
               ", times 10^-%u %s; %s%s\n",
               a->name, a->min, a->max, a->initial, a->decimals,
               a->unit ? sm_unit_text(a->unit) : "1", writes ? "written by rule " : "read only",
               writes ? writes : "");
    }
}

static void print_sensor(const struct sm_plugin_sensor *s)
{
    printf("  sensor          %s: a %s on %s at 0x%02" PRIx32 ", measures", s->id, s->model, s->bus,
           s->address);
    for (uint32_t i = 0; i < s->values; i++) {
        const struct sm_plugin_value *v = &s->value[i];
        printf("%s %s in %s%s", i ? "," : "", v->name, v->decimals ? "parts of " : "",
               v->unit ? sm_unit_text(v->unit) : "1");
        if (v->min != 0 || v->max != 0)
            printf(" from %" PRId32 " to %" PRId32, v->min, v->max);
    }
    printf("\n");
    print_attributes(s);
}

static void print_requires(const struct sm_manifest *m)
{
    for (uint32_t i = 0; i < m->requirements; i++) {
        const struct sm_requirement *r = &m->requires[i];
        printf("  requires        %s %" PRIu64, r->name, r->least);
        if (r->most == INT64_MAX)
            printf(" or newer\n");
        else
            printf(" to %" PRIu64 "\n", r->most);
    }
}

static void print_manifest(const struct sm_manifest *m)
{
    printf("manifest\n");
    printf("  kind            %s\n", sm_module_kind_name(m->kind));
    printf("  fleet           %s\n  name            %s\n", m->fleet, m->name);
    printf("  version         %s\n", m->version);
    printf("  sequence        %" PRIu64 "\n", m->sequence);
    printf("  security_floor  %" PRIu64 "\n", m->security_floor);
    printf("  classes        ");
    for (unsigned i = 0; i < SM_CLASSES; i++)
        if (m->classes >> i & 1)
            printf(" %s", sm_class_name(i));
    printf("\n  entry           %s\n", m->entry);
    printf("  period_ms       %" PRIu32 "\n", m->period_ms);
    printf("  memory_bytes    %" PRIu64 "\n", m->memory_bytes);
    printf("  stack_bytes     %" PRIu32 "\n", m->stack_bytes);
    printf("  capabilities   %s", m->capabilities ? "" : " none");
    for (uint32_t i = 0; i < m->capabilities; i++)
        printf(" %s", m->capability[i]);
    printf("\n  interface       %" PRIu32 "\n", m->interface);
    printf("  health          %" PRIu32 " good ticks within %" PRIu32 " ms, %" PRIu32
           " late ones in a row are a failure\n",
           m->good_ticks, m->timeout_ms, m->late_ticks);
    if (m->sensor.values > 0)
        print_sensor(&m->sensor);
    else if (m->kind == SM_KIND_PLUGIN)
        printf("  sensor          none: it removes the plugin\n");
    print_requires(m);
}

/* CLI_BAD when there is a manifest and it is broken. */
static int inspect_manifest(const char *path, const struct module *module)
{
    struct sm_manifest m;
    struct sm_manifest_detail detail;
    int err = sm_manifest_read(&m, module->bytes, module->len, &detail);
    if (!err)
        print_manifest(&m);
    else
        printf("manifest   %s\n", err == SM_ERR_NOT_FOUND ? "none" : "broken");
    if (err && err != SM_ERR_NOT_FOUND)
        module_say_manifest(path, err, &detail);
    return err && err != SM_ERR_NOT_FOUND ? CLI_BAD : CLI_GOOD;
}

static void print_func_type(const struct module *module, uint32_t func)
{
    struct sm_wasm_functype type;
    putchar(' ');
    if (sm_wasm_functype(&module->wasm, func, &type) == 0)
        module_print_type(stdout, &type);
}

static void print_imports(const struct module *module)
{
    struct sm_wasm_import import;
    struct sm_wasm_cursor c;
    uint32_t funcs = 0;
    sm_wasm_imports(&c, &module->wasm);
    for (uint32_t i = 0; sm_wasm_next_import(&c, &import) == 0; i++) {
        printf("%s  %s ", i == 0 ? "imports\n" : "", module_kind_name(import.kind));
        cli_print_text(stdout, import.module.bytes, import.module.len);
        putchar('.');
        cli_print_text(stdout, import.field.bytes, import.field.len);
        if (import.kind == SM_WASM_FUNC)
            print_func_type(module, funcs++);
        putchar('\n');
    }
}

static void print_memory(const struct sm_wasm_module *module, const struct sm_wasm_memory_type *t)
{
    struct footprint f;
    footprint_find(module, &f);
    printf("memory     %" PRIu32 " pages%s at start, at most %" PRIu32 "\n", t->min,
           t->page_bytes == 1 ? " of 1 byte" : "", t->max);
    printf("           of these it uses %" PRIu64 " bytes: %s\n", f.bytes, f.how);
}

static void print_exports(const struct module *module)
{
    struct sm_wasm_export export;
    struct sm_wasm_memory_type memory;
    struct sm_wasm_cursor c;
    sm_wasm_exports(&c, &module->wasm);
    for (uint32_t i = 0; sm_wasm_next_export(&c, &export) == 0; i++) {
        printf("%s  %s ", i == 0 ? "exports\n" : "", module_kind_name(export.kind));
        cli_print_text(stdout, export.name.bytes, export.name.len);
        if (export.kind == SM_WASM_FUNC)
            print_func_type(module, export.index);
        putchar('\n');
    }
    if (sm_wasm_memory_type(&module->wasm, &memory) == 0)
        print_memory(&module->wasm, &memory);
    printf("image      %zu bytes for this engine\n", module->image_len);
}

/* A native image or a claim about one: *status is what came of showing it. */
static bool is_native(const char *path, int *status)
{
    struct sm_file_why why;
    uint8_t *bytes;
    size_t len;
    if (sm_file_read(path, UINT32_MAX, &bytes, &len, &why) != 0)
        return false; /* loading it as a module says why */
    bool native = claim_is_native(bytes, len);
    if (native)
        *status = claim_inspect(path, bytes, len);
    else
        native = claim_show(path, bytes, len, status);
    free(bytes);
    return native;
}

static int inspect(int argc, char **argv)
{
    static const struct cli_option none[] = {{0}};
    struct module module = {0};
    int n = cli_options(none, false, argc, argv);
    if (n != 1)
        return n < 0 ? CLI_USAGE : cli_usage(&cli_inspect, "name one file");
    int status;
    if (is_native(argv[1], &status))
        return status;
    status = module_load(&module, argv[1]);
    if (module.bytes && status != CLI_BAD && module_has_magic(module.bytes, module.len)) {
        print_file(argv[1], &module);
        int manifest = inspect_manifest(argv[1], &module);
        if (status == CLI_GOOD) {
            print_imports(&module);
            print_exports(&module);
            status = manifest;
        }
    }
    module_free(&module);
    return status;
}

const struct cli_command cli_inspect = {
    .name = "inspect",
    .arguments = "FILE",
    .purpose = "Show a module, a native image or a claim",
    .run = inspect,
    .details =
        "Of a module manifest, hash, imports, exports and memory; of a native image the module,\n"
        "the target and what it needs; of a claim what it says. No key is needed and nothing is "
        "run. What is in a file\n"
        "says nothing about who made it: `sandmote verify` does.\n\n"
        "Exit status: 0, 1 the manifest is broken, 2 not a valid module.\n"};
