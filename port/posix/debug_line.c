/* Reading line tables. A table is a program for a small machine that makes rows in the order of
 * addresses; the row in force at an address is the last one at or below it in its sequence.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "debug_line.h"

#include <stdio.h>
#include <sandmote/error.h>

#include "cursor.h"

enum { FORMATS_MAX = 16, OPCODES_MAX = 256 };
enum { FORM_DATA2 = 5, FORM_DATA4 = 6, FORM_DATA8 = 7, FORM_STRING = 8, FORM_BLOCK = 9 };
enum { FORM_DATA1 = 0x0b, FORM_STRP = 0x0e, FORM_UDATA = 0x0f, FORM_DATA16 = 0x1e };
enum { FORM_LINE_STRP = 0x1f, CONTENT_PATH = 1, CONTENT_DIRECTORY = 2 };

/* The parts of the module that matter. */
struct tables {
    struct sm_cursor line, str, line_str;
    uint32_t code; /* offset of the code section's content */
};

struct unit {
    const struct tables *t;
    unsigned version, offset_bytes;
    struct sm_cursor dirs, files, program; /* dirs, files: at their first entry */
    uint64_t ndirs, nfiles;                /* of version 5 */
    unsigned ndir_formats, nfile_formats;
    uint64_t dir_format[2 * FORMATS_MAX], file_format[2 * FORMATS_MAX];
    uint8_t min_length, line_range, opcode_base, lengths[OPCODES_MAX];
    int8_t line_base;
};

struct row {
    uint64_t address;
    uint64_t file, line, column;
};

static bool find_tables(const uint8_t *wasm, size_t len, struct tables *t)
{
    struct sm_cursor c = sm_cursor(wasm, len);
    struct sm_section s;
    memset(t, 0, sizeof *t);
    sm_cursor_take(&c, 8);
    while (sm_cursor_section(&c, &s)) {
        if (s.id == 10)
            t->code = (uint32_t)(s.content.at - wasm);
        else if (sm_section_is(&s, ".debug_line"))
            t->line = s.content;
        else if (sm_section_is(&s, ".debug_str"))
            t->str = s.content;
        else if (sm_section_is(&s, ".debug_line_str"))
            t->line_str = s.content;
    }
    return t->code && t->line.at;
}

/* ---- Names ----------------------------------------------------------------------------------- */

static const char *text_at(struct sm_cursor section, uint64_t off)
{
    sm_cursor_take(&section, off);
    return sm_cursor_text(&section);
}

/* A value in the form that the header says: a text, a number, or neither. */
static const char *read_form(const struct unit *u, struct sm_cursor *c, uint64_t form, uint64_t *n)
{
    *n = 0;
    switch (form) {
    case FORM_STRING: return sm_cursor_text(c);
    case FORM_STRP: return text_at(u->t->str, sm_cursor_fixed(c, u->offset_bytes));
    case FORM_LINE_STRP: return text_at(u->t->line_str, sm_cursor_fixed(c, u->offset_bytes));
    case FORM_UDATA: *n = sm_cursor_leb(c, false); break;
    case FORM_DATA1: *n = sm_cursor_fixed(c, 1); break;
    case FORM_DATA2: *n = sm_cursor_fixed(c, 2); break;
    case FORM_DATA4: *n = sm_cursor_fixed(c, 4); break;
    case FORM_DATA8: *n = sm_cursor_fixed(c, 8); break;
    case FORM_DATA16: sm_cursor_take(c, 16); break;
    case FORM_BLOCK: sm_cursor_take(c, sm_cursor_leb(c, false)); break;
    default: c->bad = true;
    }
    return NULL;
}

/* One entry of version 5: what it says of path and directory. */
static const char *read_entry(const struct unit *u, struct sm_cursor *c, const uint64_t *format,
                              unsigned nformats, uint64_t *dir)
{
    const char *path = NULL;
    *dir = 0;
    for (unsigned i = 0; i < nformats && !c->bad; i++) {
        uint64_t n;
        const char *text = read_form(u, c, format[2 * i + 1], &n);
        if (format[2 * i] == CONTENT_PATH)
            path = text;
        else if (format[2 * i] == CONTENT_DIRECTORY)
            *dir = n;
    }
    return path;
}

static const char *nth_entry(const struct unit *u, bool files, uint64_t index, uint64_t *dir)
{
    struct sm_cursor c = files ? u->files : u->dirs;
    const char *path = NULL;
    if (index >= (files ? u->nfiles : u->ndirs) ||
        (files ? u->nfile_formats : u->ndir_formats) == 0)
        return NULL; /* entries of nothing have no end */
    for (uint64_t i = 0; i <= index && !c.bad; i++)
        path = files ? read_entry(u, &c, u->file_format, u->nfile_formats, dir)
                     : read_entry(u, &c, u->dir_format, u->ndir_formats, dir);
    return c.bad ? NULL : path;
}

/* The lists of versions 2 to 4 count from 1 and end with an empty name. */
static const char *nth_name(struct sm_cursor c, bool files, uint64_t index, uint64_t *dir)
{
    for (uint64_t i = 1; index > 0; i++) {
        const char *name = sm_cursor_text(&c);
        if (!name || !*name)
            return NULL;
        if (files) {
            *dir = sm_cursor_leb(&c, false);
            sm_cursor_leb(&c, false); /* when it was changed */
            sm_cursor_leb(&c, false); /* how long it is */
        }
        if (i == index)
            return name;
    }
    return NULL;
}

static void append(char *path, size_t *len, const char *text)
{
    for (; *text; text++) {
        if (*len == SM_DEBUG_PATH - 1)
            memmove(path, path + 1, --*len);
        path[(*len)++] = *text >= 0x20 && *text < 0x7f ? *text : '?';
    }
    path[*len] = 0;
}

static void name_file(const struct unit *u, uint64_t file, char path[SM_DEBUG_PATH])
{
    uint64_t dir = 0, none;
    size_t len = 0;
    const char *name =
        u->version >= 5 ? nth_entry(u, true, file, &dir) : nth_name(u->files, true, file, &dir);
    const char *folder =
        u->version >= 5 ? nth_entry(u, false, dir, &none) : nth_name(u->dirs, false, dir, &none);
    path[0] = 0;
    if (folder && name && *name != '/') {
        append(path, &len, folder);
        append(path, &len, "/");
    }
    append(path, &len, name && *name ? name : "?");
}

/* ---- Header ---------------------------------------------------------------------------------- */

static unsigned read_formats(struct sm_cursor *c, uint64_t format[2 * FORMATS_MAX])
{
    unsigned n = (unsigned)sm_cursor_fixed(c, 1);
    c->bad = c->bad || n > FORMATS_MAX;
    for (unsigned i = 0; i < 2 * n && !c->bad; i++)
        format[i] = sm_cursor_leb(c, false);
    return c->bad ? 0 : n;
}

static void read_lists(struct unit *u, struct sm_cursor *h)
{
    uint64_t dir;
    if (u->version < 5) {
        u->dirs = *h;
        for (const char *s = sm_cursor_text(h); s && *s;)
            s = sm_cursor_text(h);
        u->files = *h;
        return;
    }
    u->ndir_formats = read_formats(h, u->dir_format);
    u->ndirs = sm_cursor_leb(h, false);
    u->dirs = *h;
    for (uint64_t i = 0; i < u->ndirs && u->ndir_formats > 0 && !h->bad; i++)
        read_entry(u, h, u->dir_format, u->ndir_formats, &dir);
    u->nfile_formats = read_formats(h, u->file_format);
    u->nfiles = sm_cursor_leb(h, false);
    u->files = *h;
}

/* The unit that the cursor is at; the cursor goes behind it. */
static bool read_unit(const struct tables *t, struct sm_cursor *c, struct unit *u)
{
    memset(u, 0, sizeof *u);
    u->t = t;
    u->offset_bytes = 4;
    uint64_t len = sm_cursor_fixed(c, 4);
    if (len == 0xffffffff) {
        u->offset_bytes = 8;
        len = sm_cursor_fixed(c, 8);
    }
    struct sm_cursor all = sm_cursor_part(c, len);
    u->version = (unsigned)sm_cursor_fixed(&all, 2);
    if (u->version < 2 || u->version > 5)
        return false;
    if (u->version == 5)
        sm_cursor_take(&all, 2);
    struct sm_cursor h = sm_cursor_part(&all, sm_cursor_fixed(&all, u->offset_bytes));
    u->program = all;
    u->min_length = (uint8_t)sm_cursor_fixed(&h, 1);
    sm_cursor_take(&h, u->version >= 4 ? 2 : 1); /* operations an instruction; whether statements */
    u->line_base = (int8_t)sm_cursor_fixed(&h, 1);
    u->line_range = (uint8_t)sm_cursor_fixed(&h, 1);
    u->opcode_base = (uint8_t)sm_cursor_fixed(&h, 1);
    for (unsigned i = 1; i < u->opcode_base; i++)
        u->lengths[i] = (uint8_t)sm_cursor_fixed(&h, 1);
    read_lists(u, &h);
    return !h.bad && !all.bad && u->line_range > 0 && u->opcode_base > 0;
}

/* ---- Program --------------------------------------------------------------------------------- */

/* Searching for the row at an address. */
struct search {
    uint64_t want;
    struct row now, before; /* before: the latest row of the sequence */
    bool has_before, found;
    struct row best;
};

static void start_sequence(struct search *s)
{
    s->now = (struct row){.file = 1, .line = 1};
    s->has_before = false;
}

static void emit(struct search *s)
{
    if (s->has_before && s->before.address <= s->want && s->want < s->now.address) {
        s->found = true;
        s->best = s->before;
    }
    s->before = s->now;
    s->has_before = true;
}

static void advance(const struct unit *u, struct search *s, uint64_t operations)
{
    s->now.address += operations * u->min_length;
}

static void extended(struct sm_cursor *c, struct search *s)
{
    uint64_t len = sm_cursor_leb(c, false);
    struct sm_cursor x = sm_cursor_part(c, len);
    switch (sm_cursor_fixed(&x, 1)) {
    case 1: /* end of the sequence */
        emit(s);
        start_sequence(s);
        break;
    case 2:
        if (sm_cursor_left(&x) <= 8)
            s->now.address = sm_cursor_fixed(&x, (unsigned)sm_cursor_left(&x));
        break;
    default: break;
    }
}

static void standard(const struct unit *u, unsigned op, struct sm_cursor *c, struct search *s)
{
    switch (op) {
    case 1: emit(s); break;
    case 2: advance(u, s, sm_cursor_leb(c, false)); break;
    case 3: s->now.line += sm_cursor_leb(c, true); break;
    case 4: s->now.file = sm_cursor_leb(c, false); break;
    case 5: s->now.column = sm_cursor_leb(c, false); break;
    case 6:  /* statement or not, */
    case 7:  /* a basic block, */
    case 10: /* the end of a prologue, */
    case 11: /* the beginning of an epilogue: of no interest */ break;
    case 8: advance(u, s, (255u - u->opcode_base) / u->line_range); break;
    case 9: s->now.address += sm_cursor_fixed(c, 2); break;
    default:
        for (unsigned i = 0; i < u->lengths[op]; i++)
            sm_cursor_leb(c, false);
    }
}

static void run(struct unit *u, struct search *s)
{
    struct sm_cursor *c = &u->program;
    start_sequence(s);
    while (sm_cursor_left(c) > 0 && !c->bad && !s->found) {
        unsigned op = (unsigned)sm_cursor_fixed(c, 1);
        if (op >= u->opcode_base) {
            unsigned special = op - u->opcode_base;
            advance(u, s, special / u->line_range);
            s->now.line += (uint64_t)(int64_t)(u->line_base + (int)(special % u->line_range));
            emit(s);
        } else if (op == 0) {
            extended(c, s);
        } else {
            standard(u, op, c, s);
        }
    }
}

int sm_debug_line(const uint8_t *wasm, size_t len, uint32_t offset, struct sm_debug_line *out)
{
    struct tables t;
    struct unit u;
    if (!find_tables(wasm, len, &t) || offset < t.code)
        return SM_ERR_NOT_FOUND;
    struct search s = {.want = offset - t.code};
    while (sm_cursor_left(&t.line) > 0) {
        if (!read_unit(&t, &t.line, &u))
            return SM_ERR_MALFORMED;
        run(&u, &s);
        if (u.program.bad)
            return SM_ERR_MALFORMED;
        if (!s.found)
            continue;
        name_file(&u, s.best.file, out->path);
        out->line = s.best.line <= UINT32_MAX ? (uint32_t)s.best.line : 0;
        out->column = s.best.column <= UINT32_MAX ? (uint32_t)s.best.column : 0;
        return 0;
    }
    return SM_ERR_NOT_FOUND;
}
