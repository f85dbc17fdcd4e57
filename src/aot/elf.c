/* ELF sections and symbols, and the line table that tells which operator an instruction comes from:
 * #line numbers in the generated C are offsets in the module.
 *
 * Input is what the linker just wrote; lengths are checked all the same.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "elf.h"
#include <stdlib.h>
#include <string.h>

static uint64_t number(const uint8_t *p, unsigned bytes)
{
    uint64_t v = 0;

    while (bytes-- > 0) {
        v = v << 8 | p[bytes];
    }
    return v;
}

/* A field of a structure whose places differ between 32 and 64 bits. */
static uint64_t field(const struct elf *e, uint64_t at, unsigned at32, unsigned n32, unsigned at64,
                      unsigned n64)
{
    uint64_t where = at + (e->wide ? at64 : at32);
    unsigned n = e->wide ? n64 : n32;

    return where > e->len || n > e->len - where ? 0 : number(e->bytes + where, n);
}

bool elf_open(struct elf *e, const uint8_t *bytes, size_t len)
{
    *e = (struct elf){.bytes = bytes, .len = len};
    if (len < 64 || memcmp(bytes, "\177ELF", 4) != 0 || bytes[5] != 1) {
        return false;
    }
    e->wide = bytes[4] == 2;
    e->sections = field(e, 0, 32, 4, 40, 8);
    e->nsections = (uint32_t)field(e, 0, 48, 2, 60, 2);
    e->names = (uint32_t)field(e, 0, 50, 2, 62, 2);
    return e->sections < len;
}

static bool section_at(const struct elf *e, uint32_t i, struct elf_section *out)
{
    uint64_t at = e->sections + (uint64_t)i * (e->wide ? 64 : 40), offset;
    uint64_t names = e->sections + (uint64_t)e->names * (e->wide ? 64 : 40);
    uint64_t name = field(e, at, 0, 4, 0, 4) + field(e, names, 16, 4, 24, 8);

    out->type = (uint32_t)field(e, at, 4, 4, 4, 4);
    out->address = field(e, at, 12, 4, 16, 8);
    offset = field(e, at, 16, 4, 24, 8);
    out->size = field(e, at, 20, 4, 32, 8);
    out->link = (uint32_t)field(e, at, 24, 4, 40, 4);
    out->entry_size = field(e, at, 36, 4, 56, 8);
    out->bytes = e->bytes + offset;
    out->name = (const char *)e->bytes + name;
    return name < e->len && (out->type == 8 || (offset <= e->len && out->size <= e->len - offset));
}

bool elf_section(const struct elf *e, const char *name, struct elf_section *out)
{
    for (uint32_t i = 1; i < e->nsections; i++) {
        if (section_at(e, i, out) && strcmp(out->name, name) == 0) {
            return true;
        }
    }
    return false;
}

bool elf_symbol(const struct elf *e, const char *name, uint32_t *value)
{
    struct elf_section symbols, names;
    size_t len = strlen(name) + 1;

    if (!elf_section(e, ".symtab", &symbols) || !section_at(e, symbols.link, &names)) {
        return false;
    }
    for (uint64_t at = 0, step = e->wide ? 24 : 16; at + step <= symbols.size; at += step) {
        uint64_t place = (uint64_t)(symbols.bytes - e->bytes) + at;
        uint64_t text = field(e, place, 0, 4, 0, 4);

        if (text + len <= names.size && memcmp(names.bytes + text, name, len) == 0) {
            *value = (uint32_t)field(e, place, 4, 4, 8, 8);
            return true;
        }
    }
    return false;
}

/* ---- Lines ----------------------------------------------------------------------------------- */

struct lines {
    const uint8_t *p, *end;
    bool bad;
    struct line_row *rows;
    size_t n, room;
};

static uint64_t take(struct lines *l, unsigned bytes)
{
    uint64_t v;

    if ((size_t)(l->end - l->p) < bytes) {
        l->bad = true;
        return 0;
    }
    v = number(l->p, bytes);
    l->p += bytes;
    return v;
}

static uint64_t uleb(struct lines *l)
{
    uint64_t v = 0;
    uint8_t byte;
    unsigned shift = 0;

    do {
        byte = (uint8_t)take(l, 1);
        v |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
        shift += 7;
    } while ((byte & 0x80) && !l->bad);
    return v;
}

static int64_t sleb(struct lines *l)
{
    const uint8_t *start = l->p;
    uint64_t v = uleb(l);
    unsigned bits = (unsigned)(l->p - start) * 7;

    return bits < 64 && (v >> (bits - 1) & 1) ? (int64_t)(v | ~(uint64_t)0 << bits) : (int64_t)v;
}

static void add_row(struct lines *l, uint64_t address, uint64_t line)
{
    if (l->n == l->room) {
        l->room = l->room * 2 + 256;
        l->rows = realloc(l->rows, l->room * sizeof(*l->rows));
        if (l->rows == NULL) {
            abort();
        }
    }
    l->rows[l->n++] = (struct line_row){(uint32_t)address, (uint32_t)line};
}

struct program { /* of the header: what the opcodes mean */
    unsigned min_length, line_range, opcode_base;
    int line_base;
    uint8_t arguments[256];
};

static void extended(struct lines *l, uint64_t *address, uint64_t *line)
{
    uint64_t len = uleb(l);
    const uint8_t *end;
    uint8_t op;

    if (len == 0 || len > (uint64_t)(l->end - l->p)) {
        l->bad = true;
        return;
    }
    end = l->p + len;
    op = (uint8_t)take(l, 1);
    if (op == 1) { /* end of a sequence: what follows belongs to no line */
        add_row(l, *address, 0);
        *address = 0;
        *line = 1;
    } else if (op == 2) {
        *address = take(l, (unsigned)(len - 1));
    }
    l->p = end;
}

static void run_program(struct lines *l, const struct program *h)
{
    uint64_t address = 0, line = 1;

    while (l->p < l->end && !l->bad) {
        uint8_t op = (uint8_t)take(l, 1);

        if (op >= h->opcode_base) {
            unsigned special = op - h->opcode_base;

            address += (uint64_t)(special / h->line_range) * h->min_length;
            line += (uint64_t)(int64_t)(h->line_base + (int)(special % h->line_range));
            add_row(l, address, line);
            continue;
        }
        switch (op) {
        case 0: extended(l, &address, &line); break;
        case 1: add_row(l, address, line); break;
        case 2: address += uleb(l) * h->min_length; break;
        case 3: line += (uint64_t)sleb(l); break;
        case 8:
            address += (uint64_t)((255 - h->opcode_base) / h->line_range) * h->min_length;
            break;
        case 9: address += take(l, 2); break;
        default:
            for (unsigned n = h->arguments[op]; n > 0; n--) {
                uleb(l);
            }
        }
    }
}

static void run_unit(struct lines *l)
{
    struct program h;
    const uint8_t *all = l->end, *end, *program;
    uint64_t len = take(l, 4), header;

    if (len > (uint64_t)(l->end - l->p) || (end = l->p + len, take(l, 2) != 4)) {
        l->bad = true;
        return;
    }
    header = take(l, 4);
    program = l->p + header;
    h.min_length = (unsigned)take(l, 1);
    take(l, 2); /* operations of a bundle; whether lines start statements */
    h.line_base = (int8_t)take(l, 1);
    h.line_range = (unsigned)take(l, 1);
    h.opcode_base = (unsigned)take(l, 1);
    for (unsigned i = 1; i < h.opcode_base; i++) {
        h.arguments[i] = (uint8_t)take(l, 1);
    }
    if (l->bad || header > len || h.line_range == 0) {
        l->bad = true;
        return;
    }
    l->p = program;
    l->end = end;
    run_program(l, &h);
    l->p = end;
    l->end = all;
}

long elf_lines(const struct elf *e, struct line_row **rows)
{
    struct elf_section s;
    struct lines l = {0};

    *rows = NULL;
    if (!elf_section(e, ".debug_line", &s)) {
        return 0;
    }
    l.p = s.bytes;
    l.end = s.bytes + s.size;
    while (l.p < l.end && !l.bad) {
        run_unit(&l);
    }
    *rows = l.rows;
    return l.bad ? -1 : (long)l.n;
}
