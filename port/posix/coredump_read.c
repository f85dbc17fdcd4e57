/* Reading core dumps. SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/error.h>

#include "coredump.h"

static struct sm_wasm_name name(struct sm_cursor *c)
{
    uint32_t len = (uint32_t)sm_cursor_leb(c, false);
    const uint8_t *p = sm_cursor_take(c, len);
    return (struct sm_wasm_name){p ? (const char *)p : "", p ? len : 0};
}

static void read_memory(struct sm_core *c, struct sm_cursor s)
{
    if (sm_cursor_leb(&s, false) == 0)
        return;
    sm_cursor_fixed(&s, 1);
    c->memory_bytes = (uint32_t)sm_cursor_leb(&s, false) * 65536ull;
}

/* Active segments at constant addresses, as core dumps have them; at others counting ends. */
static void read_data(struct sm_core *c, struct sm_cursor s)
{
    for (uint64_t n = sm_cursor_leb(&s, false); n > 0; n--) {
        if (sm_cursor_fixed(&s, 1) != 0 || sm_cursor_fixed(&s, 1) != 0x41)
            return;
        sm_cursor_leb(&s, true);
        if (sm_cursor_fixed(&s, 1) != 0x0b)
            return;
        uint64_t len = sm_cursor_leb(&s, false);
        if (!sm_cursor_take(&s, len))
            return;
        c->data_bytes += len;
    }
}

static bool read_core(struct sm_core *c, struct sm_cursor s)
{
    if (sm_cursor_fixed(&s, 1) != 0)
        return false;
    c->name = name(&s);
    return !s.bad;
}

static bool read_stack(struct sm_core *c, struct sm_cursor s)
{
    if (c->stack)
        return true; /* another thread's */
    if (sm_cursor_fixed(&s, 1) != 0)
        return false;
    name(&s); /* of the thread */
    c->frames_left = (uint32_t)sm_cursor_leb(&s, false);
    c->frames = s;
    c->stack = true;
    return !s.bad;
}

int sm_core_open(struct sm_core *c, const uint8_t *bytes, size_t len)
{
    struct sm_cursor in = sm_cursor(bytes, len);
    struct sm_section s;
    bool good = true, core = false;
    memset(c, 0, sizeof *c);
    c->name.bytes = "";
    const uint8_t *magic = sm_cursor_take(&in, 8);
    if (!magic || memcmp(magic, "\0asm\1\0\0\0", 8) != 0)
        return SM_ERR_NOT_FOUND;
    while (good && sm_cursor_section(&in, &s)) {
        if (sm_section_is(&s, "core")) {
            good = read_core(c, s.content);
            core = true;
        } else if (sm_section_is(&s, "corestack")) {
            good = read_stack(c, s.content);
        } else if (sm_section_is(&s, SM_COREDUMP_NOTE)) {
            c->note = s.content.at;
            c->note_len = sm_cursor_left(&s.content);
        } else if (sm_section_is(&s, SM_COREDUMP_SEALED)) {
            c->sealed = s.content.at;
            c->sealed_len = sm_cursor_left(&s.content);
        } else if (s.id == 5) {
            read_memory(c, s.content);
        } else if (s.id == 6) {
            c->globals = (uint32_t)sm_cursor_leb(&s.content, false);
        } else if (s.id == 11) {
            read_data(c, s.content);
        }
    }
    if (!core && !c->stack)
        return SM_ERR_NOT_FOUND;
    return good && sm_cursor_left(&in) == 0 && !in.bad ? 0 : SM_ERR_MALFORMED;
}

int sm_core_next_local(struct sm_core_frame *f, struct sm_wasm_global *out)
{
    uint64_t v = 0;
    *out = (struct sm_wasm_global){0};
    if (f->locals_left == 0)
        return SM_ERR_NOT_FOUND;
    f->locals_left--;
    out->type = (uint8_t)sm_cursor_fixed(&f->values, 1);
    switch (out->type) {
    case SM_WASM_I32:
    case SM_WASM_I64: v = sm_cursor_leb(&f->values, true); break;
    case SM_WASM_F32: v = sm_cursor_fixed(&f->values, 4); break;
    case SM_WASM_F64: v = sm_cursor_fixed(&f->values, 8); break;
    case SM_COREDUMP_MISSING: break;
    default: f->values.bad = true;
    }
    out->value[0] = (uint32_t)v;
    out->value[1] = (uint32_t)(v >> 32);
    if (f->values.bad)
        return SM_ERR_MALFORMED;
    return out->type == SM_COREDUMP_MISSING ? SM_ERR_STATE : 0;
}

/* Step over values from *c on. */
static void pass_over(struct sm_cursor *c)
{
    struct sm_wasm_global v;
    struct sm_core_frame f = {.locals_left = (uint32_t)sm_cursor_leb(c, false)};
    f.values = *c;
    while (!f.values.bad && sm_core_next_local(&f, &v) != SM_ERR_NOT_FOUND)
        ;
    *c = f.values;
}

int sm_core_next_frame(struct sm_core *c, struct sm_core_frame *out)
{
    struct sm_cursor *s = &c->frames;
    if (c->frames_left == 0)
        return SM_ERR_NOT_FOUND;
    c->frames_left--;
    s->bad = s->bad || sm_cursor_fixed(s, 1) != 0;
    out->inst = (uint32_t)sm_cursor_leb(s, false);
    out->func = (uint32_t)sm_cursor_leb(s, false);
    out->code_offset = (uint32_t)sm_cursor_leb(s, false);
    struct sm_cursor locals = *s;
    out->locals_left = (uint32_t)sm_cursor_leb(&locals, false);
    out->values = locals;
    pass_over(s);
    pass_over(s); /* operands */
    if (!s->bad)
        return 0;
    c->frames_left = 0;
    return SM_ERR_MALFORMED;
}
