/* The C file: the engine's definitions, the target's, the module's functions, and the tables that
 * the engine enters by.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include "gen.h"
#include "text.h"

/* A text of the engine or of this folder, without its includes: the generated file stands alone. */
static void put_text(FILE *out, const struct aot_text *text)
{
    const char *p = text->bytes, *end = p + text->len;

    while (p < end) {
        const char *line_end = memchr(p, '\n', (size_t)(end - p));
        size_t len = line_end == NULL ? (size_t)(end - p) : (size_t)(line_end - p) + 1;

        if (strncmp(p, "#include", 8) != 0) {
            fwrite(p, 1, len, out);
        }
        p += len;
    }
}

static void head(struct gen *g)
{
    fputs("#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n"
          "#define memcpy __builtin_memcpy\n#define memcmp __builtin_memcmp\n",
          g->out);
    fprintf(g->out, "#define SM_NFUNCS %uu\n#define SM_CHECKED %d\n", g->h->nfuncs,
            !g->options->guarded);
    fprintf(g->out, "#define SM_MIN_MEMORY %uu\n#define SM_FIXED %d\n", g->min_memory, g->fixed);
    fputs("#pragma GCC diagnostic push\n" /* what stands in for headers need not all be used */
          "#pragma GCC diagnostic ignored \"-Wunused-function\"\n",
          g->out);
    put_text(g->out, &aot_text_error);
    put_text(g->out, &aot_text_wasm);
    put_text(g->out, &aot_text_native_abi);
    put_text(g->out, &aot_text_numeric);
    put_text(g->out, &aot_text_numeric_c);
    put_text(g->out, &aot_text_prelude);
    switch (g->options->target) {
    case SM_NATIVE_X86_64: put_text(g->out, &aot_text_x86_64); break;
    case SM_NATIVE_AARCH64: put_text(g->out, &aot_text_aarch64); break;
    default: put_text(g->out, &aot_text_thumb); break;
    }
    put_text(g->out, &aot_text_macros);
    fputs("#pragma GCC diagnostic pop\n"
          "#if __GNUC__ >= 12 || defined(__clang__)\n" /* modules may */
          "#pragma GCC diagnostic ignored \"-Winfinite-recursion\"\n#endif\n"
          "const uint32_t sm_layout __attribute__((used, section(\".sm.head\"))) = "
          "SM_NATIVE_LAYOUT;\n",
          g->out);
}

/* ---- Ways in from outside -------------------------------------------------------------------- */

static void parameters(struct gen *g, const struct sm_image_type *t, bool names)
{
    for (uint32_t i = 0; i < t->nparams; i++) {
        fprintf(g->out, ", %s", aot_c_type(g->m->wasm[t->params + i]));
        if (names) {
            fprintf(g->out, " p%u", i);
        }
    }
}

static void function_type(struct gen *g, uint32_t type)
{
    const struct sm_image_type *t = &g->types[type];

    fprintf(g->out, "typedef %s t%u_fn(ctx *c", aot_result_type(g, t), type);
    parameters(g, t, false);
    fputs(");\n", g->out);
}

/* Copies of several results, between where functions leave them and a caller's words. */
static void copy_many(struct gen *g, const struct sm_image_type *t, bool to_many, const char *words)
{
    if (t->nresults < 2) {
        return;
    }
    fprintf(g->out, "for (unsigned i = 0; i < %u; i++) ", t->result_words);
    fprintf(g->out,
            to_many ? "CONST_PTR(uint32_t *, many)[i] = (%s)[i];\n"
                    : "(%s)[i] = CONST_PTR(uint32_t *, many)[i];\n",
            words);
}

/* Called by sm_enter: words -> parameters, results -> words. */
static void thunk(struct gen *g, uint32_t type)
{
    const struct sm_image_type *t = &g->types[type];
    uint32_t word = 0;

    fprintf(g->out,
            "static __attribute__((used)) void t%u(ctx *c, UNUSED uint32_t *w, "
            "const void *code)\n{\n",
            type);
    if (t->nresults == 1) {
        fprintf(g->out, "*(%s *)w = ", aot_word_type(g->m->wasm[t->results]));
    }
    fprintf(g->out, "((t%u_fn *)code)(c", type);
    for (uint32_t i = 0; i < t->nparams; i++) {
        uint8_t value = g->m->wasm[t->params + i];

        fprintf(g->out, ", *(%s *)(w + %u)", aot_word_type(value), word);
        word += sm_type_words(value);
    }
    fputs(");\n", g->out);
    copy_many(g, t, false, "w");
    fputs("}\n", g->out);
}

static void slow_declaration(struct gen *g, uint32_t type, bool definition)
{
    const struct sm_image_type *t = &g->types[type];

    fprintf(g->out,
            "static __attribute__((noinline, cold)) %s slow%u(ctx *c, uint32_t table, uint32_t "
            "index, uint32_t at",
            aot_result_type(g, t), type);
    parameters(g, t, definition);
    fputs(definition ? ")\n{\n" : ");\n", g->out);
}

/* A call through a table that is not simply one of the module's own functions. */
static void slow(struct gen *g, uint32_t type)
{
    const struct sm_image_type *t = &g->types[type];
    uint32_t room = t->param_words > t->result_words ? t->param_words : t->result_words, word = 0;

    slow_declaration(g, type, true);
    fprintf(g->out,
            "uint32_t w[SM_INDIRECT_ARGS + %u];\n"
            "w[SM_INDIRECT_TABLE] = table;\nw[SM_INDIRECT_INDEX] = index;\n"
            "w[SM_INDIRECT_TYPE] = %u;\nw[SM_INDIRECT_OFFSET] = at;\n",
            room + 1, type);
    for (uint32_t i = 0; i < t->nparams; i++) {
        uint8_t value = g->m->wasm[t->params + i];

        fprintf(g->out, "*(%s *)(w + SM_INDIRECT_ARGS + %u) = p%u;\n", aot_word_type(value), word,
                i);
        word += sm_type_words(value);
    }
    fputs("INDIRECT(w);\n", g->out);
    copy_many(g, t, true, "w + SM_INDIRECT_ARGS");
    if (t->nresults == 1) {
        fprintf(g->out, "return *(%s *)(w + SM_INDIRECT_ARGS);\n",
                aot_word_type(g->m->wasm[t->results]));
    }
    fputs("}\n", g->out);
}

static void tables(struct gen *g, const bool *thunks)
{
    fputs("__asm__(\".pushsection .sm.head,\\\"a\\\"\\n.balign 8\\n.globl sm_funcs, sm_thunks\\n"
          ".hidden sm_funcs, sm_thunks\\nsm_funcs:\\n\"\n",
          g->out);
    for (uint32_t i = 0; i < g->h->nfuncs; i++) {
        if (i < g->h->nfunc_imports) {
            fprintf(g->out, "\".long 0, 0x1%04x\\n\"\n", g->funcs[i].type);
        } else if (g->info[i].escapes) {
            fprintf(g->out, "\".long f%u - sm_funcs, %u\\n\"\n", i, g->funcs[i].type);
        } else {
            fprintf(g->out, "\".long 0, %u\\n\"\n", g->funcs[i].type);
        }
    }
    fputs("\"sm_thunks:\\n\"\n", g->out);
    for (uint32_t i = 0; i < g->h->ntypes; i++) {
        if (thunks[i]) {
            fprintf(g->out, "\".long t%u - sm_thunks\\n\"\n", i);
        } else {
            fputs("\".long 0\\n\"\n", g->out);
        }
    }
    fputs("\".long 0\\n.popsection\");\n", g->out);
}

/* ---- The whole file -------------------------------------------------------------------------- */

static void functions(struct gen *g)
{
    struct {
        char *text;
        size_t len;
    } bodies;
    FILE *out = g->out;

    g->out = aot_stream(&bodies.text, &bodies.len); /* bodies say which slow ways they need */
    for (uint32_t i = g->h->nfunc_imports; i < g->h->nfuncs; i++) {
        for (uint32_t level = 0; level < g->info[i].levels; level++) {
            aot_body(g, i, level);
        }
    }
    fclose(g->out);
    g->out = out;
    for (uint32_t i = 0; i < g->h->ntypes; i++) {
        function_type(g, i);
        if (g->indirect_types[i]) {
            slow_declaration(g, i, false);
        }
    }
    for (uint32_t i = g->h->nfunc_imports; i < g->h->nfuncs; i++) {
        for (uint32_t level = 0; level < g->info[i].levels; level++) {
            aot_signature(g, out, i, level);
            fputs(";\n", out);
        }
    }
    fwrite(bodies.text, 1, bodies.len, out);
    free(bodies.text);
    fputs("#line 1 \"ways\"\n", out);
    for (uint32_t i = 0; i < g->h->ntypes; i++) {
        if (g->indirect_types[i]) {
            slow(g, i);
        }
    }
}

static void ways_in(struct gen *g)
{
    bool *thunks = aot_alloc(g->h->ntypes, sizeof(bool));

    for (uint32_t i = g->h->nfunc_imports; i < g->h->nfuncs; i++) {
        if (g->info[i].escapes && !thunks[g->funcs[i].type]) {
            thunks[g->funcs[i].type] = true;
            thunk(g, g->funcs[i].type);
        }
    }
    tables(g, thunks);
    free(thunks);
}

void aot_open(struct gen *g, const struct sm_wasm_module *m, const struct aot_options *options)
{
    uint64_t memory;

    *g = (struct gen){.m = m, .h = sm_image_of(m), .options = options};
    g->types = SM_IMAGE_AT(m, struct sm_image_type, types);
    g->funcs = SM_IMAGE_AT(m, struct sm_image_func, funcs);
    g->globals = SM_IMAGE_AT(m, struct sm_image_global, globals);
    g->indirect_types = aot_alloc(g->h->ntypes, sizeof(bool));
    memory = g->h->memory == 0
                 ? 0
                 : (uint64_t)g->h->memory_min * sm_page_bytes(g->h->flags & SM_MODULE_BYTE_PAGES);
    if (options->memory_bytes != 0 && memory > options->memory_bytes) {
        memory = options->memory_bytes;
    }
    g->min_memory = options->guarded ? 0 : memory > 0x7fffffff ? 0x7fffffff : (uint32_t)memory;
    for (uint32_t i = 0; i < g->h->ntypes; i++) {
        if (g->types[i].nresults > 1 && g->types[i].result_words > g->many_words) {
            g->many_words = g->types[i].result_words;
        }
    }
    aot_scan(g);
    g->fixed = true;
    for (uint32_t i = 0; i < g->h->nfuncs; i++) {
        g->fixed = g->fixed && !g->info[i].grow;
    }
}

void aot_close(struct gen *g)
{
    for (uint32_t i = 0; i < g->h->nfuncs; i++) {
        free(g->info[i].calls);
    }
    free(g->info);
    free(g->accesses);
    free(g->indirect_types);
}

void aot_write(struct gen *g, FILE *out)
{
    g->out = out;
    head(g);
    functions(g);
    ways_in(g);
}
