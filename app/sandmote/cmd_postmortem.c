/* sandmote postmortem: what a trap left behind, for people.
 *
 * The file is a core dump, or a device's note alone. Names and lines of source come from the module
 * itself, which neither of them holds.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <posix/sealed.h>
#include <posix/debug_line.h>
#include <posix/json_read.h>
#include <sandmote/crypto.h>
#include <sandmote/device.h>
#include <sandmote/postmortem.h>

#include "cli.h"
#include "module.h"
#include "values.h"

/* The module that it is of, if it was given. */
struct source {
    struct module module;
    bool there;
};

/* ---- A frame --------------------------------------------------------------------------------- */

static void print_line(const struct source *s, uint32_t offset)
{
    struct sm_debug_line line;
    if (!s->there || !offset || sm_debug_line(s->module.bytes, s->module.len, offset, &line) != 0)
        return;
    printf("       %s:%" PRIu32, line.path, line.line);
    if (line.column)
        printf(":%" PRIu32, line.column);
    putchar('\n');
}

static void print_place(uint32_t number, uint32_t func, const struct sm_wasm_name *name,
                        uint32_t offset)
{
    printf("  #%-3" PRIu32 " function %" PRIu32, number, func);
    if (name->len) {
        fputs(" \"", stdout);
        cli_print_text(stdout, name->bytes, name->len);
        putchar('"');
    }
    if (offset)
        printf(" at offset 0x%" PRIx32, offset);
    putchar('\n');
}

static struct sm_wasm_name name_of(const struct source *s, uint32_t func)
{
    return s->there ? sm_wasm_func_name(&s->module.wasm, func) : (struct sm_wasm_name){"", 0};
}

/* ---- A note ---------------------------------------------------------------------------------- */

static void print_what(const struct sm_postmortem *pm, const struct source *s)
{
    static const struct module unknown;
    char text[MODULE_HOST_TEXT];
    static const char *const phases[] = {"its start function", "its entry", "its health"};
    printf("what       %s", pm->kind == SM_EVENT_HEALTH_FAILED
                                ? "not healthy in time"
                                : sm_wasm_trap_text((enum sm_wasm_trap)pm->trap));
    if (pm->trap == SM_TRAP_HOST) {
        module_host_text(s->there ? &s->module : &unknown, pm->frames ? pm->frame[0].offset : 0,
                         pm->host_error, text);
        printf(": %s", text);
    }
    printf(", in %s%s%s\n", phases[pm->phase], pm->trial ? ", on trial" : "",
           pm->native ? ", as native code" : "");
}

static void print_log(const struct sm_wasm_name *log)
{
    const char *end = log->bytes + log->len;
    if (log->len)
        printf("log\n");
    for (const char *at = log->bytes; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        printf("  %.*s\n", (int)(stop - at), at);
        at = stop + 1;
    }
}

static void print_note(const struct sm_postmortem *pm, const struct source *s)
{
    char sha[2 * SM_SHA256_SIZE + 1];
    sm_hex_encode(pm->sha, SM_SHA256_SIZE, sha);
    printf("module     %.*s %.*s, sequence %" PRIu64 "\nsha256     %s\n", (int)pm->name.len,
           pm->name.bytes, (int)pm->version.len, pm->version.bytes, pm->sequence, sha);
    print_what(pm, s);
    printf("when       at %" PRIu32 " s of device time; the instance lived %" PRIu64
           " ms and had %" PRIu32 " good ticks\n",
           pm->time_s, pm->up_ms, pm->good_ticks);
    printf("traps      %" PRIu32 " since it was installed\n", pm->traps);
}

static void print_note_frames(const struct sm_postmortem *pm, const struct source *s)
{
    if (pm->depth)
        printf("backtrace\n");
    for (uint32_t i = 0; i < pm->frames; i++) {
        struct sm_wasm_name name = name_of(s, pm->frame[i].func);
        if (!name.len && i == 0)
            name = pm->function;
        print_place(i, pm->frame[i].func, &name, pm->frame[i].offset);
        print_line(s, pm->frame[i].offset);
    }
    if (pm->depth > pm->frames)
        printf("  and %" PRIu32 " more\n", pm->depth - pm->frames);
}

/* ---- A core dump ----------------------------------------------------------------------------- */

static void print_locals(struct sm_core_frame *f)
{
    struct sm_wasm_global v;
    char text[VALUE_TEXT];
    int err;
    for (uint32_t i = 0; (err = sm_core_next_local(f, &v)) != SM_ERR_NOT_FOUND; i++) {
        if (err == SM_ERR_MALFORMED)
            return;
        printf("%s%" PRIu32 "=", i ? " " : "       locals ", i);
        if (err) {
            putchar('?');
        } else {
            value_print(v.type, v.value, text);
            fputs(text, stdout);
        }
        if (f->locals_left == 0)
            putchar('\n');
    }
}

static int print_core(struct sm_core *c, const struct source *s)
{
    struct sm_core_frame f;
    int err = SM_ERR_NOT_FOUND;
    if (c->frames_left)
        printf("backtrace\n");
    for (uint32_t i = 0; (err = sm_core_next_frame(c, &f)) == 0; i++) {
        struct sm_wasm_name name = name_of(s, f.func);
        uint32_t start = s->there ? sm_wasm_func_start(&s->module.wasm, f.func) : 0;
        uint32_t offset = start && f.code_offset && f.inst == 0 ? start + f.code_offset : 0;
        print_place(i, f.func, &name, offset);
        print_line(s, offset);
        print_locals(&f);
    }
    printf("memory     %" PRIu64 " bytes, %" PRIu64 " of them here; %" PRIu32 " globals\n",
           c->memory_bytes, c->data_bytes, c->globals);
    return err == SM_ERR_MALFORMED ? CLI_BAD : CLI_GOOD;
}

/* ---- The command ----------------------------------------------------------------------------- */

static void compare_module(const struct sm_postmortem *pm, const struct source *s)
{
    uint8_t sha[SM_SHA256_SIZE];
    if (!s->there)
        return;
    sm_sha256(s->module.bytes, s->module.len, sha);
    if (memcmp(sha, pm->sha, sizeof sha) != 0)
        cli_say("the module is not the very file that ran: names and lines are right only if its "
                "code is the same at the same offsets");
}

/* What is sealed in a core dump, in its place. Without a key all that is open is printed. */
static int open_sealed(const char *path, const char *key_path, uint8_t **bytes, size_t *len)
{
    uint8_t key[SM_SEALED_KEY_SIZE], *inner = NULL;
    struct sm_core core;
    if (sm_core_open(&core, *bytes, *len) != 0 || core.sealed == NULL)
        return CLI_GOOD;
    if (key_path == NULL) {
        cli_say("%s: values and memory are sealed; --key opens them", path);
        return CLI_GOOD;
    }
    if (sm_sealed_load_private(key_path, key) != 0) {
        cli_say("%s: no private X25519 key in PEM", key_path);
        return CLI_BAD;
    }
    int err = sm_sealed_open(&core, key, &inner, len);
    sm_wipe(key, sizeof key);
    if (err) {
        cli_say("%s: sealed to another key, or changed", path);
        return CLI_BAD;
    }
    free(*bytes);
    *bytes = inner;
    return CLI_GOOD;
}

static int print_file(const char *path, const uint8_t *bytes, size_t len, const struct source *s)
{
    struct sm_postmortem pm;
    struct sm_core core;
    int err = sm_core_open(&core, bytes, len);
    bool is_core = err == 0, noted;
    if (err == SM_ERR_MALFORMED) {
        cli_say("%s: a core dump that is damaged", path);
        return CLI_BAD;
    }
    noted =
        sm_postmortem_decode(&pm, is_core ? core.note : bytes, is_core ? core.note_len : len) == 0;
    if (!is_core && !noted) {
        cli_say("%s: neither a core dump nor a post-mortem", path);
        return CLI_BAD;
    }
    if (noted) {
        compare_module(&pm, s);
        print_note(&pm, s);
    } else {
        fputs("module     ", stdout);
        cli_print_text(stdout, core.name.bytes, core.name.len);
        putchar('\n');
    }
    int status = CLI_GOOD;
    if (is_core && !core.sealed)
        status = print_core(&core, s);
    else
        print_note_frames(&pm, s);
    if (noted)
        print_log(&pm.log);
    if (status != CLI_GOOD)
        cli_say("%s: its stack is damaged from there on", path);
    return status;
}

static int postmortem(int argc, char **argv)
{
    const char *module = NULL, *key = NULL;
    const struct cli_option options[] = {{"module", &module, NULL}, {"key", &key, NULL}, {0}};
    struct source source = {0};
    uint8_t *bytes = NULL;
    size_t len;
    int files = cli_options(options, false, argc, argv), status = CLI_GOOD;
    if (files != 1)
        return files < 0 ? CLI_USAGE : cli_usage(&cli_postmortem, "name one file");
    if (module)
        status = module_load(&source.module, module);
    source.there = module && status == CLI_GOOD;
    if (status == CLI_GOOD && !cli_read(argv[1], &bytes, &len))
        status = CLI_BAD;
    if (status == CLI_GOOD)
        status = open_sealed(argv[1], key, &bytes, &len);
    if (status == CLI_GOOD)
        status = print_file(argv[1], bytes, len, &source);
    free(bytes);
    module_free(&source.module);
    return status;
}

const struct cli_command cli_postmortem = {
    .name = "postmortem",
    .arguments = "[--module FILE.wasm] [--key PRIVATE.pem] FILE",
    .purpose = "Print what a trap left behind: what, where, the backtrace, the last log lines",
    .run = postmortem,
    .details =
        "FILE is what a device sent (`sandmote-fleet postmortem`), or a core dump that `sandmote\n"
        "run --coredump` or another engine wrote.\n\n"
        "  --module   the module that ran: gives functions their names, and, if it was compiled\n"
        "             with debug information (clang -g), lines of source\n"
        "  --key      opens what a device sealed (core_dumps.seal_to of sandmoted)\n\n"
        "Exit status: 0, 1 the file cannot be read or is none of these, 2 the module is not\n"
        "valid, 64 wrong usage.\n"};
