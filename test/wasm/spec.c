/* The official test-suite: runs the JSON that wast2json makes of each .wast file.
 *
 *   spec [--native checks|guard CACHE] DIR/a.json DIR/b.json ...
 *
 * With --native every module runs as a native image (compiled with -O1); images are kept in the
 * folder CACHE. Modules whose memory is imported and not guarded are interpreted in the guard mode.
 *
 * Module and image of every module lie in one file that is mapped read-only, so any write to
 * either ends the run. Results are compared bit for bit; NaNs by class, as the suite says. Cases
 * in text format, which a binary engine cannot take, are counted apart.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "native.h"
#include "slot.h"

#define STACK_WORDS (64u << 10)
#define MAX_MODULES 512
#define MAX_DEPTH   2000

struct loaded {
    char *name;
    struct slot slot;
    struct sm_wasm_inst *inst;
    struct room room;
    struct native_bound native;
};

struct counts {
    unsigned passed, failed, text, other, native, interpreted, left_out;
};

struct suite {
    const char *file;
    char dir[1024];
    struct sm_wasm_store store;
    struct sm_wasm_exec exec;
    struct loaded modules[MAX_MODULES];
    unsigned nmodules;
    struct loaded *current;
    struct {
        char name[128];
        struct sm_wasm_inst *inst;
    } registered[64];
    unsigned nregistered;
    struct sm_wasm_table table; /* of the host module "spectest" */
    struct sm_wasm_memory memory;
    struct sm_wasm_global globals[4];
    struct counts n;
    bool partial; /* a module needed what the engine was built without */
    int line;
};

static uint32_t *stack;
static const char *cache; /* of native images */
static uint32_t epoch;

__attribute__((format(printf, 2, 3))) static void fail(struct suite *s, const char *format, ...)
{
    va_list ap;

    s->n.failed++;
    printf("  %s:%d: ", s->file, s->line);
    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
    printf("\n");
}

/* Whether a failure only says that the engine was built without something (config.h): of a module,
 * or of what later looks for that module. */
static bool left_out(struct suite *s, int64_t err)
{
    s->partial = s->partial || err == SM_ERR_UNSUPPORTED;
    if (err == SM_ERR_UNSUPPORTED ||
        (s->partial && (err == SM_ERR_NOT_FOUND || err == SM_ERR_LINK))) {
        s->n.left_out++;
        return true;
    }
    return false;
}

/* The memory sanitizer knows nothing of what the JSON library wrote: only what is poisoned by hand
 * (slot.c) and the stack are watched here. */
#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
const char *__msan_default_options(void);
const char *__msan_default_options(void)
{
    return "poison_in_malloc=0:poison_in_free=0";
}
#define TRUST_LIBRARIES() __msan_scoped_disable_interceptor_checks()
#endif
#endif
#ifndef TRUST_LIBRARIES
#define TRUST_LIBRARIES() ((void)0)
#endif

/* ---- Values ---------------------------------------------------------------------------------- */

static unsigned words_of(const char *type)
{
    return strcmp(type, "i64") == 0 || strcmp(type, "f64") == 0 ? 2 : 1;
}

/* External reference n is the word n + 1: 0 is null. */
static void parse_value(const json_t *v, uint32_t *out)
{
    const char *type = json_string_value(json_object_get(v, "type"));
    const char *text = json_string_value(json_object_get(v, "value"));

    if (strcmp(text, "null") == 0) {
        out[0] = 0;
    } else {
        uint64_t bits = strtoull(text, NULL, 10) + (strcmp(type, "externref") == 0);

        memcpy(out, &bits, words_of(type) * 4);
    }
}

static bool nan_matches(const char *text, uint64_t bits, unsigned mantissa_bits, uint64_t exponent)
{
    uint64_t quiet = 1ull << (mantissa_bits - 1);
    uint64_t magnitude = bits & (((exponent + 1) << mantissa_bits) - 1);

    if (strcmp(text, "nan:canonical") == 0) {
        return magnitude == ((exponent << mantissa_bits) | quiet);
    }
    return (magnitude >> mantissa_bits) == exponent && (bits & quiet); /* nan:arithmetic */
}

static bool value_matches(const json_t *want, const uint32_t *got)
{
    const char *type = json_string_value(json_object_get(want, "type"));
    const char *text = json_string_value(json_object_get(want, "value"));
    uint64_t bits = got[0];
    uint32_t expect[2];

    if (words_of(type) == 2) {
        memcpy(&bits, got, 8);
    }
    if (text == NULL) { /* any reference but null */
        return got[0] != 0;
    }
    if (strncmp(text, "nan:", 4) == 0) {
        return words_of(type) == 2 ? nan_matches(text, bits, 52, 0x7ff)
                                   : nan_matches(text, bits, 23, 0xff);
    }
    parse_value(want, expect);
    return memcmp(expect, got, words_of(type) * 4) == 0;
}

/* ---- The host module ------------------------------------------------------------------------- */

static int print(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    (void)ctx, (void)caller, (void)args;
    return 0;
}

static int resolve_spectest(struct suite *s, const struct sm_wasm_import *i,
                            struct sm_wasm_extern *out)
{
    static const struct {
        const char *name, *type;
    } prints[] = {{"print", ":"},          {"print_i32", "i:"}, {"print_i64", "I:"},
                  {"print_f32", "f:"},     {"print_f64", "F:"}, {"print_i32_f32", "if:"},
                  {"print_f64_f64", "FF:"}};
    static const char *const global_names[] = {"global_i32", "global_i64", "global_f32",
                                               "global_f64"};
    char field[64];

    snprintf(field, sizeof(field), "%.*s", (int)i->field.len, i->field.bytes);
    for (unsigned k = 0; k < sizeof(prints) / sizeof(prints[0]); k++) {
        if (strcmp(field, prints[k].name) == 0) {
            *out = (struct sm_wasm_extern){
                .kind = SM_WASM_FUNC, .host = print, .host_type = prints[k].type};
            return 0;
        }
    }
    for (unsigned k = 0; k < 4; k++) {
        if (strcmp(field, global_names[k]) == 0) {
            *out = (struct sm_wasm_extern){.kind = SM_WASM_GLOBAL, .global = &s->globals[k]};
            return 0;
        }
    }
    if (strcmp(field, "table") == 0) {
        *out = (struct sm_wasm_extern){.kind = SM_WASM_TABLE, .table = &s->table};
        return 0;
    }
    if (strcmp(field, "memory") == 0) {
        *out = (struct sm_wasm_extern){.kind = SM_WASM_MEMORY, .memory = &s->memory};
        return 0;
    }
    return SM_ERR_NOT_FOUND;
}

static void make_spectest(struct suite *s)
{
    static const uint8_t types[4] = {SM_WASM_I32, SM_WASM_I64, SM_WASM_F32, SM_WASM_F64};
    float f = 666.6f;
    double d = 666.6;

    for (unsigned k = 0; k < 4; k++) {
        s->globals[k] = (struct sm_wasm_global){.value = {666, 0}, .type = types[k]};
    }
    memcpy(s->globals[2].value, &f, 4);
    memcpy(s->globals[3].value, &d, 8);
    s->table = (struct sm_wasm_table){.entries = calloc(20, 4),
                                      .size = 10,
                                      .capacity = 20,
                                      .max = 20,
                                      .has_max = true,
                                      .type = SM_WASM_FUNCREF};
    s->memory = (struct sm_wasm_memory){.base = calloc(2, SM_WASM_PAGE),
                                        .size = SM_WASM_PAGE,
                                        .capacity = 2 * SM_WASM_PAGE,
                                        .pages = 1,
                                        .max = 2,
                                        .has_max = true};
}

static int resolve(void *ctx, const struct sm_wasm_import *i, struct sm_wasm_extern *out)
{
    struct suite *s = ctx;

    if (i->module.len == 8 && memcmp(i->module.bytes, "spectest", 8) == 0) {
        return resolve_spectest(s, i, out);
    }
    for (unsigned k = s->nregistered; k-- > 0;) {
        if (strlen(s->registered[k].name) == i->module.len &&
            memcmp(s->registered[k].name, i->module.bytes, i->module.len) == 0) {
            return sm_wasm_export_extern(s->registered[k].inst, i->field.bytes, i->field.len, out);
        }
    }
    return SM_ERR_NOT_FOUND;
}

/* ---- Modules --------------------------------------------------------------------------------- */

static int64_t translate(const char *path, struct slot *slot, struct sm_wasm_diag *diag)
{
    size_t len;
    uint8_t *wasm = read_file(path, &len);
    int64_t size = slot_make(slot, wasm, len, diag);

    free(wasm);
    return size;
}

/* To the end, as a host would that lets others run at every look at the epoch. */
static int run(struct suite *s)
{
    int err;

    do {
        epoch++;
        err = sm_wasm_run(&s->exec);
    } while (err == SM_ERR_EPOCH && sm_wasm_resume(&s->exec, 1) == 0);
    return err;
}

/* Instantiate and run the start function. */
static int instantiate(struct suite *s, struct loaded *l)
{
    struct sm_wasm_linker linker = {s, resolve};
    uint32_t which;
    int err;

    room_take(&l->room, &l->slot);
    if (native_wanted()) {
        native_make(&l->native, &l->slot.module, cache);
        l->room.limits.region =
            l->native.guard.region.base != NULL ? &l->native.guard.region : NULL;
    }
    err = sm_wasm_instantiate(&l->inst, &s->store, &l->slot.module, &l->room.limits, &linker,
                              &l->room.pool, &which);
    room_keep(&l->room);
    if (err == SM_ERR_TRAP) {
        s->exec.trap = (enum sm_wasm_trap)which;
    }
    if (err != 0) {
        return err;
    }
    if (native_wanted() && native_bind(&l->native, l->inst) == 0) {
        s->n.native++;
    } else {
        s->n.interpreted++;
    }
    err = sm_wasm_call_start(&s->exec, l->inst, 1);
    return err == SM_ERR_NOT_FOUND ? 0 : err != 0 ? err : run(s);
}

static struct loaded *new_module(struct suite *s, const char *name)
{
    struct loaded *l = &s->modules[s->nmodules++];

    if (s->nmodules > MAX_MODULES) {
        fprintf(stderr, "%s: more than %d modules\n", s->file, MAX_MODULES);
        exit(1);
    }
    *l = (struct loaded){.name = name == NULL ? NULL : strdup(name)};
    return l;
}

static void path_of(struct suite *s, const json_t *cmd, char *path, size_t size)
{
    snprintf(path, size, "%s/%s", s->dir, json_string_value(json_object_get(cmd, "filename")));
}

static void do_module(struct suite *s, const json_t *cmd)
{
    struct loaded *l = new_module(s, json_string_value(json_object_get(cmd, "name")));
    struct sm_wasm_diag diag;
    char path[2048];
    int64_t size;
    int err;

    path_of(s, cmd, path, sizeof(path));
    s->current = NULL;
    size = translate(path, &l->slot, &diag);
    if (size < 0) {
        if (!left_out(s, size)) {
            fail(s, "valid module refused at %" PRIu32 ": %s", diag.offset, diag.rule);
        }
        return;
    }
    err = instantiate(s, l);
    if (err != 0 && left_out(s, err)) {
        return;
    }
    if (err != 0) {
        fail(s, "instantiation: %s (%s)", sm_strerror(err), sm_wasm_trap_text(s->exec.trap));
        return;
    }
    s->current = l;
    s->n.passed++;
}

/* ---- Assertions ------------------------------------------------------------------------------ */

static bool is_text(struct suite *s, const json_t *cmd)
{
    const char *type = json_string_value(json_object_get(cmd, "module_type"));

    if (type != NULL && strcmp(type, "text") == 0) {
        s->n.text++;
        return true;
    }
    return false;
}

/* Malformed or invalid: decoding and validation are one pass here, so where a module is both the
 * suite may name the other. */
static void refused(struct suite *s, const json_t *cmd, int64_t want)
{
    struct slot slot;
    struct sm_wasm_diag diag;
    char path[2048];
    int64_t got;

    if (is_text(s, cmd)) {
        return;
    }
    path_of(s, cmd, path, sizeof(path));
    got = translate(path, &slot, &diag);
    slot_free(&slot);
    if (left_out(s, got)) {
        return;
    }
    if (got >= 0) {
        fail(s, "accepted, but: %s", json_string_value(json_object_get(cmd, "text")));
    } else if (got == SM_ERR_INVALID || got == SM_ERR_MALFORMED) {
        s->n.passed++;
        s->n.other += got != want;
    } else {
        fail(s, "%s instead of %s: \"%s\", the suite says \"%s\"", sm_strerror((int)got),
             sm_strerror((int)want), diag.rule, json_string_value(json_object_get(cmd, "text")));
    }
}

/* A module that is valid but cannot be linked, or traps while it is instantiated. */
static void not_started(struct suite *s, const json_t *cmd, int want)
{
    struct loaded *l = new_module(s, NULL);
    struct sm_wasm_diag diag;
    char path[2048];
    int64_t size;
    int err;

    path_of(s, cmd, path, sizeof(path));
    size = translate(path, &l->slot, &diag);
    if (size < 0) {
        if (!left_out(s, size)) {
            fail(s, "valid module refused at %" PRIu32 ": %s", diag.offset, diag.rule);
        }
        return;
    }
    err = instantiate(s, l);
    if (err != want && left_out(s, err)) {
        return;
    }
    if (err != want) {
        fail(s, "%s instead of %s", sm_strerror(err), sm_strerror(want));
    } else {
        s->n.passed++;
    }
}

static struct sm_wasm_inst *find_instance(struct suite *s, const json_t *action)
{
    const char *name = json_string_value(json_object_get(action, "module"));

    if (name == NULL) {
        return s->current == NULL ? NULL : s->current->inst;
    }
    for (unsigned i = s->nmodules; i-- > 0;) {
        if (s->modules[i].name != NULL && strcmp(s->modules[i].name, name) == 0) {
            return s->modules[i].inst;
        }
    }
    return NULL;
}

static int invoke(struct suite *s, struct sm_wasm_inst *inst, const json_t *field, json_t *args)
{
    struct sm_wasm_extern e;
    uint32_t words[64];
    size_t i, n = 0;
    json_t *arg;
    int err;

    /* Names may contain NUL. */
    if (sm_wasm_export_extern(inst, json_string_value(field), (uint32_t)json_string_length(field),
                              &e) != 0) {
        return SM_ERR_NOT_FOUND;
    }
    json_array_foreach(args, i, arg)
    {
        parse_value(arg, words + n);
        n += words_of(json_string_value(json_object_get(arg, "type")));
    }
    err = sm_wasm_call(&s->exec, e.inst, e.func, words, epoch % 2);
    return err != 0 ? err : run(s);
}

/* Perform an action; results' words go to out. */
static int act(struct suite *s, const json_t *cmd, const uint32_t **out)
{
    json_t *action = json_object_get(cmd, "action");
    struct sm_wasm_inst *inst = find_instance(s, action);
    const json_t *field = json_object_get(action, "field");
    struct sm_wasm_extern e;

    if (inst == NULL) {
        return SM_ERR_NOT_FOUND;
    }
    if (strcmp(json_string_value(json_object_get(action, "type")), "get") == 0) {
        int err = sm_wasm_export_extern(inst, json_string_value(field),
                                        (uint32_t)json_string_length(field), &e);

        *out = err == 0 ? e.global->value : NULL;
        return err;
    }
    *out = sm_wasm_results(&s->exec);
    return invoke(s, inst, field, json_object_get(action, "args"));
}

static void assert_return(struct suite *s, const json_t *cmd)
{
    json_t *expected = json_object_get(cmd, "expected"), *want;
    const uint32_t *got = NULL;
    int err = act(s, cmd, &got);
    size_t i;

    if (err != 0) {
        if (!left_out(s, err)) {
            fail(s, "%s (%s)", sm_strerror(err), sm_wasm_trap_text(s->exec.trap));
        }
        return;
    }
    json_array_foreach(expected, i, want)
    {
        const char *type = json_string_value(json_object_get(want, "type"));

        if (!value_matches(want, got)) {
            fail(s, "result %u: %s expected %s, got 0x%" PRIx32 " 0x%" PRIx32, (unsigned)i, type,
                 json_string_value(json_object_get(want, "value")), got[0],
                 words_of(type) == 2 ? got[1] : 0);
            return;
        }
        got += words_of(type);
    }
    s->n.passed++;
}

static void assert_trap(struct suite *s, const json_t *cmd)
{
    const char *text = json_string_value(json_object_get(cmd, "text"));
    const uint32_t *got;
    int err = act(s, cmd, &got);
    const char *ours = sm_wasm_trap_text(s->exec.trap);

    if (err != SM_ERR_TRAP && left_out(s, err)) {
        return;
    }
    if (err != SM_ERR_TRAP) {
        fail(s, "no trap (%s), expected \"%s\"", sm_strerror(err), text);
    } else if (strncmp(text, ours, strlen(ours)) != 0) {
        fail(s, "trap \"%s\", expected \"%s\"", ours, text);
    } else {
        s->n.passed++;
    }
}

static void do_register(struct suite *s, const json_t *cmd)
{
    const char *name = json_string_value(json_object_get(cmd, "name"));
    struct loaded *l = s->current;

    for (unsigned i = 0; name != NULL && i < s->nmodules; i++) {
        if (s->modules[i].name != NULL && strcmp(s->modules[i].name, name) == 0) {
            l = &s->modules[i];
        }
    }
    if (l == NULL && left_out(s, SM_ERR_NOT_FOUND)) {
        return;
    }
    if (l == NULL || s->nregistered == 64) {
        fail(s, "nothing to register");
        return;
    }
    snprintf(s->registered[s->nregistered].name, sizeof(s->registered[0].name), "%s",
             json_string_value(json_object_get(cmd, "as")));
    s->registered[s->nregistered++].inst = l->inst;
    s->n.passed++;
}

static void action(struct suite *s, const json_t *cmd)
{
    const uint32_t *got;
    int err = act(s, cmd, &got);

    if (err == 0) {
        s->n.passed++;
    } else if (!left_out(s, err)) {
        fail(s, "%s (%s)", sm_strerror(err), sm_wasm_trap_text(s->exec.trap));
    }
}

static void command(struct suite *s, const json_t *cmd)
{
    const char *type = json_string_value(json_object_get(cmd, "type"));

    s->line = (int)json_integer_value(json_object_get(cmd, "line"));
    if (strcmp(type, "module") == 0) {
        do_module(s, cmd);
    } else if (strcmp(type, "assert_return") == 0) {
        assert_return(s, cmd);
    } else if (strcmp(type, "assert_trap") == 0 || strcmp(type, "assert_exhaustion") == 0) {
        assert_trap(s, cmd);
    } else if (strcmp(type, "assert_invalid") == 0) {
        refused(s, cmd, SM_ERR_INVALID);
    } else if (strcmp(type, "assert_malformed") == 0) {
        refused(s, cmd, SM_ERR_MALFORMED);
    } else if (strcmp(type, "assert_unlinkable") == 0) {
        not_started(s, cmd, SM_ERR_LINK);
    } else if (strcmp(type, "assert_uninstantiable") == 0) {
        not_started(s, cmd, SM_ERR_TRAP);
    } else if (strcmp(type, "register") == 0) {
        do_register(s, cmd);
    } else if (strcmp(type, "action") == 0) {
        action(s, cmd);
    } else {
        fail(s, "unknown command %s", type);
    }
}

static void clean_up(struct suite *s)
{
    for (unsigned i = 0; i < s->nmodules; i++) {
        free(s->modules[i].name);
        slot_free(&s->modules[i].slot);
        native_free(&s->modules[i].native);
        room_free(&s->modules[i].room);
    }
    free(s->table.entries);
    free(s->memory.base);
}

static struct counts run_file(const char *path)
{
    struct suite *s = calloc(1, sizeof(*s));
    json_error_t error;
    json_t *root = json_load_file(path, JSON_ALLOW_NUL, &error), *cmd;
    struct counts n;
    const char *slash = strrchr(path, '/');
    size_t i;

    if (root == NULL) {
        fprintf(stderr, "%s:%d: %s\n", path, error.line, error.text);
        exit(1);
    }
    snprintf(s->dir, sizeof(s->dir), "%.*s", slash == NULL ? 1 : (int)(slash - path),
             slash == NULL ? "." : path);
    s->file = json_string_value(json_object_get(root, "source_filename"));
    s->file = strrchr(s->file, '/') != NULL ? strrchr(s->file, '/') + 1 : s->file;
    make_spectest(s);
    sm_wasm_exec_init(&s->exec, stack, STACK_WORDS, MAX_DEPTH, &epoch);
    json_array_foreach(json_object_get(root, "commands"), i, cmd)
    {
        command(s, cmd);
    }
    clean_up(s);
    n = s->n;
    printf("%-28s %6u passed %4u failed %4u in text format\n", s->file, n.passed, n.failed, n.text);
    json_decref(root);
    free(s);
    return n;
}

int main(int argc, char **argv)
{
    struct counts all = {0};

    TRUST_LIBRARIES();
    stack = malloc(STACK_WORDS * sizeof(*stack));
    if (argc > 3 && strcmp(argv[1], "--native") == 0) {
        if (!native_mode(argv[2])) {
            return 64;
        }
        cache = argv[3];
        argv += 3;
        argc -= 3;
    }
    for (int i = 1; i < argc; i++) {
        struct counts n = run_file(argv[i]);

        all.passed += n.passed;
        all.failed += n.failed;
        all.text += n.text;
        all.other += n.other;
        all.native += n.native;
        all.interpreted += n.interpreted;
        all.left_out += n.left_out;
    }
    printf("%d files, %u commands: %u passed, %u failed, %u in text format and not counted\n",
           argc - 1, all.passed + all.failed + all.text, all.passed, all.failed, all.text);
    printf("(%u refused as invalid where the suite says malformed, or the other way round)\n",
           all.other);
    if (native_wanted()) {
        printf("(%u instances native, %u interpreted)\n", all.native, all.interpreted);
    }
    if (!SM_FLOATS) {
        printf("(%u left out: the engine has no floating point)\n", all.left_out);
    }
    free(stack);
    return all.failed != 0 || all.passed == 0 || (SM_FLOATS && all.left_out != 0);
}
