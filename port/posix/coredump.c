/* Writing core dumps. SPDX-License-Identifier: Apache-2.0 */
#include "coredump.h"

#include <stdlib.h>
#include <string.h>
#include <sandmote/error.h>

enum {
    LOCALS_MAX = 200,
    GLOBALS_MAX = 1000,
    RUN_GAP = 64, /* so many zeros are worth a new data segment */
    MISSING = SM_COREDUMP_MISSING,
    END = 0x0b
};

/* ---- Bytes that grow ------------------------------------------------------------------------- */

struct bytes {
    uint8_t *at;
    size_t len, room;
    bool failed; /* no memory: nothing more is added */
};

static void add(struct bytes *b, const void *from, size_t n)
{
    if (n > b->room - b->len && !b->failed) {
        size_t room = (b->len + n) * 2 + 256;
        uint8_t *at = realloc(b->at, room);
        b->failed = at == NULL;
        if (at) {
            b->at = at;
            b->room = room;
        }
    }
    if (b->failed || n == 0)
        return;
    memcpy(b->at + b->len, from, n);
    b->len += n;
}

static void byte(struct bytes *b, uint8_t v)
{
    add(b, &v, 1);
}

static void u32(struct bytes *b, uint32_t v)
{
    for (; v >= 0x80; v >>= 7)
        byte(b, (uint8_t)(v | 0x80));
    byte(b, (uint8_t)v);
}

static void s64(struct bytes *b, int64_t v)
{
    for (; v < -64 || v > 63; v >>= 7)
        byte(b, (uint8_t)((v & 0x7f) | 0x80));
    byte(b, (uint8_t)(v & 0x7f));
}

static void text(struct bytes *b, const char *s)
{
    u32(b, (uint32_t)strlen(s));
    add(b, s, strlen(s));
}

/* Append a section and drop what it is made of. */
static void section(struct bytes *out, uint8_t id, const char *name, struct bytes *body)
{
    struct bytes head = {0};
    if (name)
        text(&head, name);
    byte(out, id);
    u32(out, (uint32_t)(head.len + body->len));
    add(out, head.at, head.len);
    add(out, body->at, body->len);
    out->failed = out->failed || head.failed || body->failed;
    free(head.at);
    free(body->at);
    *body = (struct bytes){0};
}

/* ---- Values ---------------------------------------------------------------------------------- */

static uint64_t wide(const struct sm_wasm_global *v)
{
    return v->value[0] | (uint64_t)v->value[1] << 32;
}

static void number(struct bytes *b, const struct sm_wasm_global *v)
{
    switch (v->type) {
    case SM_WASM_I32: s64(b, (int32_t)v->value[0]); break;
    case SM_WASM_I64: s64(b, (int64_t)wide(v)); break;
    case SM_WASM_F32: add(b, v->value, 4); break;
    default: add(b, v->value, 8); break;
    }
}

static bool is_number(const struct sm_wasm_global *v)
{
    return v->type == SM_WASM_I32 || v->type == SM_WASM_I64 || v->type == SM_WASM_F32 ||
           v->type == SM_WASM_F64;
}

/* References mean nothing outside their process. */
static void value(struct bytes *b, const struct sm_wasm_global *v, bool known)
{
    byte(b, known && is_number(v) ? v->type : MISSING);
    if (known && is_number(v))
        number(b, v);
}

static void constant(struct bytes *b, const struct sm_wasm_global *v)
{
    byte(b, v->type);
    byte(b, 0); /* not mutable */
    switch (v->type) {
    case SM_WASM_I32: byte(b, 0x41); break;
    case SM_WASM_I64: byte(b, 0x42); break;
    case SM_WASM_F32: byte(b, 0x43); break;
    case SM_WASM_F64: byte(b, 0x44); break;
    default: byte(b, 0xd0); byte(b, v->type);
    }
    if (is_number(v))
        number(b, v);
    byte(b, END);
}

/* ---- Stack ----------------------------------------------------------------------------------- */

/* Instances are numbered as they first occur: 0 is the one whose memory is dumped. */
static uint32_t number_of(const struct sm_wasm_inst *const *insts, uint32_t n,
                          const struct sm_wasm_inst *inst)
{
    uint32_t i = 0;
    while (i < n && insts[i] != inst)
        i++;
    return i;
}

static void frame(struct bytes *b, const struct sm_wasm_frame *f, uint32_t inst)
{
    struct bytes locals = {0};
    struct sm_wasm_global v;
    uint32_t n = 0, start = sm_wasm_func_start(&f->module, f->func);
    int err;
    while (n < LOCALS_MAX && (err = sm_wasm_frame_local(f, n, &v)) != SM_ERR_NOT_FOUND) {
        value(&locals, &v, err == 0);
        n++;
    }
    byte(b, 0);
    u32(b, inst);
    u32(b, f->func);
    u32(b, f->offset > start ? f->offset - start : 0);
    u32(b, n);
    add(b, locals.at, locals.len);
    u32(b, 0); /* operands */
    b->failed = b->failed || locals.failed;
    free(locals.at);
}

/* ---- Instances ------------------------------------------------------------------------------- */

static void instances(struct bytes *out, uint32_t n, bool memory, uint32_t globals,
                      const char *name)
{
    struct bytes b = {0};
    u32(&b, n);
    for (uint32_t i = 0; i < n; i++) {
        byte(&b, 0);
        text(&b, i == 0 ? name : "");
    }
    section(out, 0, "coremodules", &b);
    u32(&b, n);
    for (uint32_t i = 0; i < n; i++) {
        byte(&b, 0);
        u32(&b, i);
        u32(&b, i == 0 && memory);
        if (i == 0 && memory)
            u32(&b, 0);
        u32(&b, i == 0 ? globals : 0);
        for (uint32_t g = 0; i == 0 && g < globals; g++)
            u32(&b, g);
    }
    section(out, 0, "coreinstances", &b);
}

/* The stretch of memory from *at on that is worth a segment; 0 when there is none. */
static uint64_t stretch(const struct sm_wasm_memory *m, uint64_t *at)
{
    uint64_t end, zeros = 0;
    while (*at < m->size && m->base[*at] == 0)
        ++*at;
    for (end = *at; end < m->size && zeros < RUN_GAP; end++)
        zeros = m->base[end] ? 0 : zeros + 1;
    return end - zeros - *at;
}

static void data(struct bytes *out, const struct sm_wasm_memory *m, size_t limit)
{
    struct bytes b = {0}, body = {0};
    uint32_t n = 0;
    uint64_t len;
    for (uint64_t at = 0; (len = stretch(m, &at)) > 0 && n < 100000; at += len) {
        size_t left = limit > body.len + 24 ? limit - body.len - 24 : 0;
        bool cut = len > left;
        len = cut ? left : len;
        if (len > 0) {
            byte(&body, 0);
            byte(&body, 0x41);
            s64(&body, (int32_t)(uint32_t)at);
            byte(&body, END);
            u32(&body, (uint32_t)len);
            add(&body, m->base + at, (size_t)len);
            n++;
        }
        if (cut)
            break;
    }
    u32(&b, n);
    add(&b, body.at, body.len);
    b.failed = b.failed || body.failed;
    free(body.at);
    section(out, 11, NULL, &b);
}

static uint32_t globals_of(const struct sm_wasm_inst *inst, struct bytes *b)
{
    struct sm_wasm_global v;
    uint32_t n = 0;
    while (n < GLOBALS_MAX && sm_wasm_inst_global(inst, n, &v) == 0) {
        constant(b, &v);
        n++;
    }
    return n;
}

/* ---- All of it ------------------------------------------------------------------------------- */

static void stack(struct bytes *out, const struct sm_wasm_frame *frames, uint32_t n,
                  const struct sm_wasm_inst *const *insts, uint32_t ninsts)
{
    struct bytes b = {0};
    byte(&b, 0);
    text(&b, "main");
    u32(&b, n);
    for (uint32_t i = 0; i < n; i++)
        frame(&b, &frames[i], number_of(insts, ninsts, frames[i].inst));
    section(out, 0, "corestack", &b);
}

static void contents(struct bytes *out, const struct sm_coredump *c)
{
    const struct sm_wasm_memory *m = sm_wasm_inst_memory(c->inst);
    struct bytes b = {0}, globals = {0};
    if (m->size > 0) {
        u32(&b, 1);
        byte(&b, 0);
        u32(&b, (uint32_t)((m->size + 65535) / 65536));
        section(out, 5, NULL, &b);
    }
    u32(&b, globals_of(c->inst, &globals));
    add(&b, globals.at, globals.len);
    free(globals.at);
    section(out, 6, NULL, &b);
    if (m->size > 0 && c->memory)
        data(out, m, c->limit > out->len + 16 ? c->limit - out->len - 16 : 0);
}

static uint32_t look_back(const struct sm_coredump *c, struct sm_wasm_frame *frames)
{
    enum sm_wasm_state s = c->exec->state;
    if (s != SM_EXEC_TRAPPED && s != SM_EXEC_PAUSED && s != SM_EXEC_PENDING)
        return 0;
    uint32_t n = sm_wasm_backtrace(c->exec, frames, SM_COREDUMP_FRAMES, c->scratch, c->scratch_len);
    return n < SM_COREDUMP_FRAMES ? n : SM_COREDUMP_FRAMES;
}

int sm_coredump_make(const struct sm_coredump *c, uint8_t **out, size_t *len)
{
    static const uint8_t magic[] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    struct bytes b = {0}, body = {0}, globals = {0};
    struct sm_wasm_frame *frames = calloc(SM_COREDUMP_FRAMES, sizeof *frames);
    const struct sm_wasm_inst **insts = calloc(SM_COREDUMP_FRAMES + 1, sizeof *insts);
    uint32_t ninsts = 1, n = frames && insts ? look_back(c, frames) : 0;
    if (insts)
        insts[0] = c->inst;
    for (uint32_t i = 0; i < n; i++)
        if (number_of(insts, ninsts, frames[i].inst) == ninsts)
            insts[ninsts++] = frames[i].inst;
    b.failed = !frames || !insts;
    add(&b, magic, sizeof magic);
    byte(&body, 0);
    text(&body, c->name);
    section(&b, 0, "core", &body);
    add(&body, c->note, c->note_len);
    if (c->note)
        section(&b, 0, SM_COREDUMP_NOTE, &body);
    instances(&b, ninsts, sm_wasm_inst_memory(c->inst)->size > 0, globals_of(c->inst, &globals),
              c->name);
    free(globals.at);
    stack(&b, frames, n, insts, ninsts);
    contents(&b, c);
    free(frames);
    free(insts);
    *out = b.at;
    *len = b.len;
    if (!b.failed)
        return 0;
    free(b.at);
    return SM_ERR_MEMORY;
}
