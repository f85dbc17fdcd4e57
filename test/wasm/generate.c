/* A type-directed generator: expression() emits code that leaves one value of a type, statement()
 * code that leaves nothing. Both choose among forms at random until their depth is used up.
 *
 * Choices aim at what a translator to registers can get wrong: locals changed while their old
 * value is still on the stack, values carried across blocks and branches, branches with operands,
 * multi-value blocks, code that cannot be reached.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "generate.h"
#include <stdbool.h>
#include <string.h>

enum { I32 = 0x7f, I64 = 0x7e, F32 = 0x7d, F64 = 0x7c };

#define MAX_LABELS 32
#define MAX_TYPES  12
#define MAX_FUNCS  6
#define IMPORTS    1

struct buffer {
    uint8_t *bytes;
    size_t len, cap;
};

struct signature {
    uint8_t params[4], results[3];
    uint8_t nparams, nresults;
};

struct label {
    const struct signature *type; /* of the block */
    bool loop;
};

struct generator {
    uint64_t state;
    struct buffer body;
    struct signature types[MAX_TYPES];
    unsigned ntypes;
    unsigned func_types[MAX_FUNCS], nfuncs; /* without the import */
    const struct signature *func;
    uint8_t locals[16];
    unsigned nlocals;
    struct label labels[MAX_LABELS];
    unsigned nlabels;
    unsigned budget;  /* operators left for this function */
    uint32_t pointer; /* a local that pointed to somewhere when it was set */
};

static void expression(struct generator *g, uint8_t type, int depth);
static void statement(struct generator *g, int depth);

/* ---- Random numbers, bytes ------------------------------------------------------------------- */

static uint32_t random32(struct generator *g)
{
    g->state = g->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(g->state >> 33) ^ (uint32_t)(g->state >> 17);
}

static uint32_t below(struct generator *g, uint32_t n)
{
    return random32(g) % n;
}

static void put(struct buffer *b, uint8_t byte)
{
    if (b->len < b->cap) {
        b->bytes[b->len++] = byte;
    }
}

static void put_bytes(struct buffer *b, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        put(b, ((const uint8_t *)bytes)[i]);
    }
}

static void put_u32(struct buffer *b, uint32_t v)
{
    for (; v >= 0x80; v >>= 7) {
        put(b, (uint8_t)(v | 0x80));
    }
    put(b, (uint8_t)v);
}

static void put_s64(struct buffer *b, int64_t v)
{
    bool more;

    do {
        uint8_t low = v & 0x7f;

        v >>= 7;
        more = !((v == 0 && !(low & 0x40)) || (v == -1 && (low & 0x40)));
        put(b, low | (more ? 0x80 : 0));
    } while (more);
}

static void op(struct generator *g, uint8_t opcode)
{
    put(&g->body, opcode);
}

static void op_u32(struct generator *g, uint8_t opcode, uint32_t operand)
{
    put(&g->body, opcode);
    put_u32(&g->body, operand);
}

static uint8_t any_type(struct generator *g)
{
    static const uint8_t types[] = {I32, I32, I32, I64, I64, F32, F64};

    return types[below(g, sizeof(types))];
}

/* ---- Constants, locals ----------------------------------------------------------------------- */

static uint64_t interesting(struct generator *g)
{
    static const uint64_t values[] = {0,
                                      1,
                                      2,
                                      7,
                                      31,
                                      32,
                                      63,
                                      64,
                                      127,
                                      128,
                                      255,
                                      0x7fff,
                                      0x8000,
                                      0xffff,
                                      0x7fffffff,
                                      0x80000000,
                                      0xffffffff,
                                      0x7fffffffffffffff,
                                      0x8000000000000000};
    uint64_t v = values[below(g, sizeof(values) / sizeof(values[0]))];

    switch (below(g, 4)) {
    case 0: return -v;
    case 1: return (uint64_t)random32(g) << 32 | random32(g);
    case 2: return below(g, 200);
    default: return v;
    }
}

static void constant(struct generator *g, uint8_t type)
{
    static const double floats[] = {0.0,    -0.0,          1.0,          -1.5,   0.1,
                                    1e10,   -2147483649.0, 4294967296.0, 9.3e18, -1e300,
                                    5e-324, 2147483647.0,  0.5,          2.5};
    double d = floats[below(g, sizeof(floats) / sizeof(floats[0]))];
    float f = (float)d;

    switch (type) {
    case I32:
        op(g, 0x41);
        put_s64(&g->body, (int32_t)interesting(g));
        break;
    case I64:
        op(g, 0x42);
        put_s64(&g->body, (int64_t)interesting(g));
        break;
    case F32:
        op(g, 0x43);
        put_bytes(&g->body, &f, 4);
        break;
    default: op(g, 0x44); put_bytes(&g->body, &d, 8);
    }
}

/* A local of the type; every function has one of each. */
static uint32_t local_of(struct generator *g, uint8_t type)
{
    uint32_t x = below(g, g->nlocals);

    while (g->locals[x] != type) {
        x = (x + 1) % g->nlocals;
    }
    return x;
}

/* The value on the stack, or one fixed NaN for any NaN: v != v ? NaN : v. */
static void hide_nan(struct generator *g, uint8_t type)
{
    static const uint8_t nan32[4] = {0, 0, 0xc0, 0x7f}, nan64[8] = {0, 0, 0, 0, 0, 0, 0xf8, 0x7f};
    uint32_t x;

    if (type != F32 && type != F64) {
        return;
    }
    x = g->nlocals - (type == F32 ? 2 : 1); /* set aside for this */
    op_u32(g, 0x22, x);
    op(g, type == F32 ? 0x43 : 0x44);
    put_bytes(&g->body, type == F32 ? nan32 : nan64, type == F32 ? 4 : 8);
    op_u32(g, 0x20, x);
    op_u32(g, 0x20, x);
    op(g, type == F32 ? 0x5b : 0x61);
    op(g, 0x1b);
    op_u32(g, 0x22, x); /* nor may the local show it */
}

static void expressions(struct generator *g, const uint8_t *types, unsigned n, int depth)
{
    for (unsigned i = 0; i < n; i++) {
        expression(g, types[i], depth);
    }
}

/* ---- Blocks and branches --------------------------------------------------------------------- */

static void burn_fuel(struct generator *g)
{
    op_u32(g, 0x23, 0);
    op(g, 0x45);
    op(g, 0x04);
    op(g, 0x40);
    op(g, 0x00);
    op(g, 0x0b);
    op_u32(g, 0x23, 0);
    op(g, 0x41);
    put_s64(&g->body, 1);
    op(g, 0x6b);
    op_u32(g, 0x24, 0);
}

static void statements(struct generator *g, int depth)
{
    for (uint32_t n = below(g, 4); n > 0; n--) {
        statement(g, depth);
    }
}

/* Inside a block whose parameters are on the stack: use them up, leave the results. */
static void block_body(struct generator *g, const struct signature *t, bool loop, int depth)
{
    g->labels[g->nlabels++] = (struct label){t, loop};
    for (unsigned i = t->nparams; i > 0; i--) {
        if (below(g, 3) == 0) {
            op(g, 0x1a);
        } else {
            op_u32(g, 0x21, local_of(g, t->params[i - 1]));
        }
    }
    if (loop) {
        burn_fuel(g);
    }
    statements(g, depth);
    expressions(g, t->results, t->nresults, depth);
    /* A branch out with the results, where the label takes them; what follows cannot be reached. */
    if (below(g, 6) == 0 &&
        (!loop || (t->nparams == t->nresults && memcmp(t->params, t->results, t->nparams) == 0))) {
        op_u32(g, 0x0c, 0);
        expressions(g, t->results, t->nresults, 1);
    }
    g->nlabels--;
}

/* A block of the type; its parameters are pushed first. */
static void block(struct generator *g, unsigned type, int depth)
{
    const struct signature *t = &g->types[type];
    uint32_t kind = below(g, 3);

    if (g->nlabels + 1 >= MAX_LABELS) {
        kind = 3;
    }
    expressions(g, t->params, t->nparams, depth);
    if (kind == 3) {
        for (unsigned i = 0; i < t->nparams; i++) {
            op(g, 0x1a);
        }
        expressions(g, t->results, t->nresults, 0);
        return;
    }
    if (kind == 2) {
        expression(g, I32, depth);
    }
    op(g, (uint8_t)(0x02 + kind));
    put_s64(&g->body, type);
    block_body(g, t, kind == 1, depth);
    if (kind == 2) {
        op(g, 0x05);
        block_body(g, t, false, depth);
    }
    op(g, 0x0b);
}

/* A type that takes and gives nothing, or any that gives exactly this. */
static unsigned type_giving(struct generator *g, uint8_t result)
{
    unsigned start = below(g, g->ntypes);

    for (unsigned i = 0; i < g->ntypes; i++) {
        unsigned k = (start + i) % g->ntypes;

        if (g->types[k].nresults == 1 && g->types[k].results[0] == result) {
            return k;
        }
    }
    return 0; /* not reached: there is one for each type */
}

static void label_operands(const struct label *l, const uint8_t **types, unsigned *n)
{
    *types = l->loop ? l->type->params : l->type->results;
    *n = l->loop ? l->type->nparams : l->type->nresults;
}

/* Leave by some label: always, or when a condition holds. */
static void branch(struct generator *g, int depth)
{
    unsigned up = below(g, g->nlabels), n;
    const uint8_t *types;

    label_operands(&g->labels[g->nlabels - 1 - up], &types, &n);
    expressions(g, types, n, depth);
    expression(g, I32, depth);
    op_u32(g, 0x0d, up);
    for (unsigned i = n; i > 0; i--) {
        if (below(g, 2)) {
            op(g, 0x1a);
        } else {
            op_u32(g, 0x21, local_of(g, types[i - 1]));
        }
    }
}

/* A br_table among labels that take the same operands, inside a block so that code goes on. */
static void table_branch(struct generator *g, int depth)
{
    static const struct signature nothing;
    unsigned first = below(g, g->nlabels) + 1, n, count = below(g, 5);
    const uint8_t *types;

    if (g->nlabels + 1 >= MAX_LABELS) {
        return;
    }
    op(g, 0x02);
    op(g, 0x40);
    g->labels[g->nlabels++] = (struct label){&nothing, false};
    label_operands(&g->labels[g->nlabels - 1 - first], &types, &n);
    expressions(g, types, n, depth);
    expression(g, I32, depth);
    op_u32(g, 0x0e, count);
    for (unsigned i = 0; i <= count; i++) {
        unsigned up = below(g, g->nlabels), m;
        const uint8_t *other;

        label_operands(&g->labels[g->nlabels - 1 - up], &other, &m);
        put_u32(&g->body, m == n && memcmp(types, other, n) == 0 ? up : first);
    }
    g->nlabels--;
    op(g, 0x0b);
}

/* ---- Calls, memory --------------------------------------------------------------------------- */

static void address(struct generator *g, int depth)
{
    expression(g, I32, depth);
    if (below(g, 40) != 0) { /* mostly inside */
        op(g, 0x41);
        put_s64(&g->body, 0xfff);
        op(g, 0x71);
    }
}

static void offset(struct generator *g)
{
    put_u32(&g->body, 0);
    put_u32(&g->body, below(g, 60) == 0 ? random32(g) : below(g, 60));
}

static void load(struct generator *g, uint8_t type, int depth)
{
    static const uint8_t loads[4][7] = {
        {0x2b}, {0x2a}, {0x29, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35}, {0x28, 0x2c, 0x2d, 0x2e, 0x2f}};
    static const uint8_t counts[4] = {1, 1, 7, 5};
    unsigned row = type - F64;

    address(g, depth);
    op(g, loads[row][below(g, counts[row])]);
    offset(g);
    hide_nan(g, type);
}

static void store(struct generator *g, int depth)
{
    static const struct {
        uint8_t type, op;
    } stores[] = {{I32, 0x36}, {I64, 0x37}, {F32, 0x38}, {F64, 0x39}, {I32, 0x3a},
                  {I32, 0x3b}, {I64, 0x3c}, {I64, 0x3d}, {I64, 0x3e}};
    unsigned k = below(g, sizeof(stores) / sizeof(stores[0]));

    address(g, depth);
    expression(g, stores[k].type, depth);
    hide_nan(g, stores[k].type);
    op(g, stores[k].op);
    offset(g);
}

static void bulk(struct generator *g, int depth)
{
    static const uint8_t ops[] = {0x0a, 0x0b, 0x08};
    uint8_t which = ops[below(g, 3)];

    address(g, depth);
    address(g, depth);
    expression(g, I32, depth);
    op(g, 0x41);
    put_s64(&g->body, which == 0x08 ? 0x3f : 0x1fff);
    op(g, 0x71);
    op_u32(g, 0xfc, which);
    op(g, 0);
    if (which != 0x0b) {
        op(g, 0);
    }
}

/* Push arguments and call; results are left on the stack. */
static void call(struct generator *g, unsigned func, int depth)
{
    const struct signature *t = &g->types[g->func_types[func]];

    expressions(g, t->params, t->nparams, depth);
    if (below(g, 2)) {
        op_u32(g, 0x10, IMPORTS + func);
        return;
    }
    if (below(g, 30) == 0) {
        expression(g, I32, depth);
    } else {
        op(g, 0x41);
        put_s64(&g->body, func);
    }
    op_u32(g, 0x11, g->func_types[func]);
    put_u32(&g->body, 0);
}

/* Take results off the stack into locals. */
static void absorb(struct generator *g, const uint8_t *types, unsigned n)
{
    for (; n > 0; n--) {
        op_u32(g, 0x21, local_of(g, types[n - 1]));
    }
}

static bool call_giving(struct generator *g, uint8_t type, int depth)
{
    unsigned func = below(g, g->nfuncs);
    const struct signature *t = &g->types[g->func_types[func]];

    if (t->nresults == 0 || t->results[0] != type) {
        return false;
    }
    call(g, func, depth);
    absorb(g, t->results + 1, t->nresults - 1u);
    return true;
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static void between(struct generator *g, uint8_t low, uint8_t high)
{
    op(g, (uint8_t)(low + below(g, high - low + 1u)));
}

static void binary(struct generator *g, uint8_t type, int depth)
{
    expression(g, type, depth);
    expression(g, type, depth);
    switch (type) {
    case I32: between(g, 0x6a, 0x78); break;
    case I64: between(g, 0x7c, 0x8a); break;
    default:
        hide_nan(g, type); /* copysign would show the sign of a NaN */
        between(g, type == F32 ? 0x92 : 0xa0, type == F32 ? 0x98 : 0xa6);
        hide_nan(g, type);
    }
}

static void compare(struct generator *g, int depth)
{
    uint8_t type = any_type(g);

    expression(g, type, depth);
    expression(g, type, depth);
    switch (type) {
    case I32: between(g, 0x46, 0x4f); break;
    case I64: between(g, 0x51, 0x5a); break;
    case F32: between(g, 0x5b, 0x60); break;
    default: between(g, 0x61, 0x66);
    }
    if (below(g, 3) == 0) {
        op(g, 0x45);
    }
}

static void unary(struct generator *g, uint8_t type, int depth)
{
    static const uint8_t i32[] = {0x45, 0x67, 0x68, 0x69, 0xc0, 0xc1};
    static const uint8_t i64[] = {0x79, 0x7a, 0x7b, 0xc2, 0xc3, 0xc4};

    expression(g, type, depth);
    switch (type) {
    case I32: op(g, i32[below(g, 6)]); break;
    case I64: op(g, i64[below(g, 6)]); break;
    default: between(g, type == F32 ? 0x8b : 0x99, type == F32 ? 0x91 : 0x9f); hide_nan(g, type);
    }
}

static void convert(struct generator *g, uint8_t to, int depth)
{
    static const struct {
        uint8_t to, from, op;
    } forms[] = {{I32, I64, 0xa7}, {I32, F32, 0xa8}, {I32, F32, 0xa9}, {I32, F64, 0xaa},
                 {I32, F64, 0xab}, {I64, I32, 0xac}, {I64, I32, 0xad}, {I64, F32, 0xae},
                 {I64, F32, 0xaf}, {I64, F64, 0xb0}, {I64, F64, 0xb1}, {F32, I32, 0xb2},
                 {F32, I32, 0xb3}, {F32, I64, 0xb4}, {F32, I64, 0xb5}, {F32, F64, 0xb6},
                 {F64, I32, 0xb7}, {F64, I32, 0xb8}, {F64, I64, 0xb9}, {F64, I64, 0xba},
                 {F64, F32, 0xbb}, {I32, F32, 0xbc}, {I64, F64, 0xbd}, {F32, I32, 0xbe},
                 {F64, I64, 0xbf}, {I32, I64, 0x50}};
    unsigned k = below(g, sizeof(forms) / sizeof(forms[0]));

    while (forms[k].to != to) {
        k = (k + 1) % (sizeof(forms) / sizeof(forms[0]));
    }
    expression(g, forms[k].from, depth);
    if (forms[k].op == 0xbc || forms[k].op == 0xbd) {
        hide_nan(g, forms[k].from);
    }
    if (forms[k].op >= 0xa8 && forms[k].op <= 0xb1 && forms[k].op != 0xac && forms[k].op != 0xad &&
        below(g, 20) != 0) { /* mostly the forms that do not trap */
        uint8_t sat = forms[k].op <= 0xab ? forms[k].op - 0xa8 : forms[k].op - 0xae + 4;

        op(g, 0xfc);
        op(g, sat);
    } else {
        op(g, forms[k].op);
    }
    hide_nan(g, to);
}

/* ---- As compilers write ---------------------------------------------------------------------- */

/* Chains of operators on locals, small numbers and values from memory, addresses that are sums, and
 * loops that count: what operators are fused for. */

static void number(struct generator *g, int32_t v)
{
    op(g, 0x41);
    put_s64(&g->body, v);
}

static void masked_local(struct generator *g, int32_t mask)
{
    op_u32(g, 0x20, local_of(g, I32));
    number(g, mask);
    op(g, 0x71);
}

static void add_to_local(struct generator *g, uint32_t x)
{
    op_u32(g, 0x20, x);
    number(g, (int32_t)below(g, 9) - 4);
    op(g, 0x6a);
    op_u32(g, 0x21, x);
}

/* A local that points to somewhere. */
static uint32_t pointer(struct generator *g)
{
    uint32_t x = local_of(g, I32);

    masked_local(g, 0x7ff);
    op_u32(g, 0x21, x);
    g->pointer = x;
    return x;
}

static void sum_address(struct generator *g)
{
    uint32_t x;

    if (below(g, 5) == 0) {
        op_u32(g, 0x20, g->pointer);
    } else if (below(g, 2)) {
        x = pointer(g);
        add_to_local(g, local_of(g, I32));
        op_u32(g, 0x20, x);
    } else {
        masked_local(g, 0x7ff);
    }
    switch (below(g, 5)) {
    case 0: break;
    case 1:
        masked_local(g, 0x3ff);
        op(g, 0x6a);
        break;
    case 2:
        number(g, (int32_t)below(g, 6));
        op(g, 0x74);
        number(g, (int32_t)below(g, 100));
        op(g, 0x6a);
        break;
    default:
        number(g, (int32_t)below(g, 200));
        op(g, 0x6a);
        if (below(g, 3) == 0) {
            op_u32(g, 0x22, local_of(g, I32));
        }
    }
}

static void no_offset(struct generator *g, uint8_t opcode)
{
    op(g, opcode);
    put_u32(&g->body, 0);
    put_u32(&g->body, below(g, 10) == 0 ? below(g, 60) : 0);
}

static void chain_end(struct generator *g, uint8_t type)
{
    static const uint8_t words[] = {0x28, 0x28, 0x2c, 0x2d, 0x2e, 0x2e, 0x2f};

    if (below(g, 3) != 0) {
        op_u32(g, 0x20, local_of(g, type));
        if (below(g, 4) == 0 && type != I32 && type != I64) {
            op_u32(g, 0x20, local_of(g, type));
            op(g, type == F32 ? 0x94 : 0xa2);
        }
        return;
    }
    sum_address(g);
    no_offset(g, type == I32   ? words[below(g, sizeof(words))]
                 : type == I64 ? 0x29
                 : type == F32 ? 0x2a
                               : 0x2b);
}

/* The right operand is a number: mostly a shift, a mask, a step. */
static void with_number(struct generator *g, uint8_t type)
{
    static const uint8_t ops[] = {0x74, 0x75, 0x76, 0x77, 0x78, 0x6a, 0x6b, 0x71, 0x73, 0x6c, 0x72};
    uint8_t which = ops[below(g, sizeof(ops))];

    if (type != I32 && type != I64) {
        constant(g, type);
        between(g, type == F32 ? 0x92 : 0xa0, type == F32 ? 0x95 : 0xa3);
        return;
    }
    op(g, type == I32 ? 0x41 : 0x42);
    put_s64(&g->body, below(g, 4) == 0 ? (int32_t)interesting(g) : (int32_t)below(g, 40));
    op(g, (uint8_t)(which + (type == I64 ? 0x12 : 0)));
}

static void chain(struct generator *g, uint8_t type, unsigned n)
{
    static const uint8_t ops[] = {0x6a, 0x6a, 0x6a, 0x6b, 0x6c, 0x6c, 0x71, 0x72, 0x73, 0x73};
    bool swapped = below(g, 3) == 0;

    if (n == 0) {
        chain_end(g, type);
        return;
    }
    if (below(g, 3) == 0) {
        chain(g, type, n - 1);
        with_number(g, type);
        return;
    }
    if (swapped) {
        chain_end(g, type);
    }
    chain(g, type, n - 1);
    if (!swapped) {
        chain_end(g, type);
    }
    if (type == I32 || type == I64) {
        op(g, (uint8_t)(ops[below(g, sizeof(ops))] + (type == I64 ? 0x12 : 0)));
    } else {
        between(g, type == F32 ? 0x92 : 0xa0, type == F32 ? 0x95 : 0xa3);
    }
}

static void whole_chain(struct generator *g, uint8_t type)
{
    chain(g, type, 1 + below(g, 6));
    if (type == I32 && below(g, 6) == 0) { /* the lesser of two */
        uint32_t x = local_of(g, I32), y = local_of(g, I32);

        op_u32(g, 0x22, x);
        op_u32(g, 0x20, y);
        op_u32(g, 0x20, x);
        op_u32(g, 0x20, y);
        op(g, below(g, 2) ? 0x48 : 0x49);
        op(g, 0x1b);
    }
}

/* Never a NaN, so it need not be hidden. */
static void plain_double(struct generator *g)
{
    op_u32(g, 0x20, local_of(g, I32));
    op(g, 0xb7);
    constant(g, F64);
    op(g, 0xa2);
    for (uint32_t n = below(g, 3); n > 0; n--) {
        constant(g, F64);
        op(g, below(g, 2) ? 0xa0 : 0xa1);
    }
}

static void chain_store(struct generator *g)
{
    static const uint8_t words[] = {0x36, 0x3a, 0x3b};
    uint8_t type = any_type(g);

    sum_address(g);
    if (type == F64 && below(g, 2)) {
        plain_double(g);
    } else if (type != F64 && type != F32 && below(g, 3) == 0) {
        op_u32(g, 0x20, local_of(g, type));
    } else {
        whole_chain(g, type);
        hide_nan(g, type);
    }
    no_offset(g, type == I32   ? words[below(g, sizeof(words))]
                 : type == I64 ? 0x37
                 : type == F32 ? 0x38
                               : 0x39);
}

/* A loop that counts a local up to a number or another local; the fuel ends it if nothing else
 * does. */
static void counted_loop(struct generator *g, int depth)
{
    static const struct signature nothing;
    uint32_t x = local_of(g, I32);

    if (g->nlabels + 1 >= MAX_LABELS) {
        return;
    }
    op(g, 0x03);
    op(g, 0x40);
    g->labels[g->nlabels++] = (struct label){&nothing, true};
    burn_fuel(g);
    statements(g, depth);
    if (below(g, 2)) {
        add_to_local(g, local_of(g, I32));
    }
    add_to_local(g, x);
    op_u32(g, 0x20, x);
    if (below(g, 2)) {
        number(g, (int32_t)below(g, 50));
    } else {
        op_u32(g, 0x20, local_of(g, I32));
    }
    op(g, (uint8_t)(0x47 + below(g, 3)));
    op_u32(g, 0x0d, 0);
    g->nlabels--;
    op(g, 0x0b);
}

static void chain_branch(struct generator *g)
{
    whole_chain(g, I32);
    if (below(g, 2)) {
        chain_end(g, I32);
        between(g, 0x46, 0x4f);
    }
    op(g, 0x04);
    op(g, 0x40);
    op_u32(g, 0x20, local_of(g, I32));
    whole_chain(g, I32);
    op(g, 0x6a);
    op_u32(g, 0x21, local_of(g, I32));
    op(g, 0x0b);
}

/* ---- Expressions and statements -------------------------------------------------------------- */

static void leaf(struct generator *g, uint8_t type)
{
    switch (below(g, 5)) {
    case 0:
    case 1: op_u32(g, 0x20, local_of(g, type)); break;
    case 2: op_u32(g, 0x23, 1u + I32 - type); break;
    default: constant(g, type);
    }
}

static void expression(struct generator *g, uint8_t type, int depth)
{
    if (depth <= 0 || g->budget == 0) {
        leaf(g, type);
        return;
    }
    g->budget--;
    switch (below(g, 18)) {
    case 0:
    case 1: leaf(g, type); break;
    case 12:
    case 13:
        whole_chain(g, type);
        hide_nan(g, type);
        break;
    case 2:
        expression(g, type, depth - 1);
        op_u32(g, 0x22, local_of(g, type));
        break;
    case 3: /* a local whose old value stays on the stack while it changes */
        op_u32(g, 0x20, local_of(g, type));
        statement(g, depth - 1);
        break;
    case 4: block(g, type_giving(g, type), depth - 1); break;
    case 5:
        if (!call_giving(g, type, depth - 1)) {
            leaf(g, type);
        }
        break;
    case 6: load(g, type, depth - 1); break;
    case 7:
        expression(g, type, depth - 1);
        expression(g, type, depth - 1);
        expression(g, I32, depth - 1);
        op(g, 0x1b);
        break;
    case 8: convert(g, type, depth - 1); break;
    case 9: unary(g, type, depth - 1); break;
    case 10:
        if (type == I32) {
            compare(g, depth - 1);
            break;
        }
        binary(g, type, depth - 1);
        break;
    case 11:
        if (type == I32) {
            expression(g, I32, depth - 1);
            op_u32(g, 0x10, 0);
            break;
        }
        binary(g, type, depth - 1);
        break;
    default: binary(g, type, depth - 1);
    }
}

static void call_statement(struct generator *g, int depth)
{
    unsigned func = below(g, g->nfuncs);
    const struct signature *t = &g->types[g->func_types[func]];

    call(g, func, depth);
    absorb(g, t->results, t->nresults);
}

static void statement(struct generator *g, int depth)
{
    uint8_t type = any_type(g);
    unsigned t;

    if (depth <= 0 || g->budget == 0) {
        return;
    }
    g->budget--;
    switch (below(g, 16)) {
    case 0: store(g, depth - 1); break;
    case 12: chain_store(g); break;
    case 13: counted_loop(g, depth - 1); break;
    case 14: chain_branch(g); break;
    case 15:
        add_to_local(g, local_of(g, I32));
        add_to_local(g, local_of(g, I32));
        break;
    case 1:
        expression(g, type, depth - 1);
        hide_nan(g, type);
        op_u32(g, 0x24, 1u + I32 - type);
        break;
    case 2:
        t = below(g, g->ntypes);
        block(g, t, depth - 1);
        absorb(g, g->types[t].results, g->types[t].nresults);
        break;
    case 3:
    case 4: branch(g, depth - 1); break;
    case 5: table_branch(g, depth - 1); break;
    case 6: call_statement(g, depth - 1); break;
    case 7: bulk(g, depth - 1); break;
    case 8:
        expression(g, type, depth - 1);
        op(g, 0x1a);
        break;
    default: expression(g, type, depth - 1); op_u32(g, 0x21, local_of(g, type));
    }
}

/* ---- The module ------------------------------------------------------------------------------ */

static void make_types(struct generator *g)
{
    static const uint8_t all[4] = {I32, I64, F32, F64};

    /* 0: the import's; then one that gives each type; then any. */
    g->types[0] =
        (struct signature){.params = {I32}, .results = {I32}, .nparams = 1, .nresults = 1};
    for (g->ntypes = 1; g->ntypes < MAX_TYPES; g->ntypes++) {
        struct signature *t = &g->types[g->ntypes];

        t->nparams = (uint8_t)below(g, 5);
        t->nresults = (uint8_t)below(g, 4);
        for (unsigned i = 0; i < t->nparams; i++) {
            t->params[i] = any_type(g);
        }
        for (unsigned i = 0; i < t->nresults; i++) {
            t->results[i] = any_type(g);
        }
        if (g->ntypes <= 4) {
            t->nresults = 1;
            t->results[0] = all[g->ntypes - 1];
        }
    }
}

static void section(struct buffer *out, uint8_t id, const struct buffer *content)
{
    put(out, id);
    put_u32(out, (uint32_t)content->len);
    put_bytes(out, content->bytes, content->len);
}

static void type_section(struct generator *g, struct buffer *out, struct buffer *b)
{
    put_u32(b, g->ntypes);
    for (unsigned i = 0; i < g->ntypes; i++) {
        const struct signature *t = &g->types[i];

        put(b, 0x60);
        put_u32(b, t->nparams);
        put_bytes(b, t->params, t->nparams);
        put_u32(b, t->nresults);
        put_bytes(b, t->results, t->nresults);
    }
    section(out, 1, b);
    b->len = 0;
}

static void declarations(struct generator *g, struct buffer *out, struct buffer *b)
{
    static const uint8_t import[] = {1, 1, 'h', 1, 'f', 0, 0};
    static const uint8_t memory[] = {1, 1, 1, 3};
    static const uint8_t tail[] = {1,   'm', 2, 0, 2, 'g', '0', 3, 0, 2, 'g', '1', 3, 1, 2,
                                   'g', '2', 3, 2, 2, 'g', '3', 3, 3, 2, 'g', '4', 3, 4};

    put_bytes(b, import, sizeof(import));
    section(out, 2, b);
    b->len = 0;
    put_u32(b, g->nfuncs);
    for (unsigned i = 0; i < g->nfuncs; i++) {
        put_u32(b, g->func_types[i]);
    }
    section(out, 3, b);
    b->len = 0;
    put_bytes(b, (uint8_t[]){1, 0x70, 0, (uint8_t)(g->nfuncs + 1)}, 4);
    section(out, 4, b);
    b->len = 0;
    put_bytes(b, memory, sizeof(memory));
    section(out, 5, b);
    b->len = 0;
    put(b, 5);
    put_bytes(b, (uint8_t[]){I32, 1, 0x41}, 3);
    put_s64(b, GENERATE_FUEL);
    put_bytes(b, (uint8_t[]){0x0b, I32, 1, 0x41, 5, 0x0b, I64, 1, 0x42, 6, 0x0b}, 11);
    put_bytes(b, (uint8_t[]){F32, 1, 0x43, 0, 0, 0x80, 0x3f, 0x0b, F64, 1, 0x44}, 11);
    put_bytes(b, (uint8_t[]){0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x0b}, 9);
    section(out, 6, b);
    b->len = 0;
    put_u32(b, g->nfuncs + 6);
    for (unsigned i = 0; i < g->nfuncs; i++) {
        put_bytes(b, (uint8_t[]){1, (uint8_t)('0' + i), 0, (uint8_t)(IMPORTS + i)}, 4);
    }
    put_bytes(b, tail, sizeof(tail));
    section(out, 7, b);
    b->len = 0;
    put_bytes(b, (uint8_t[]){1, 0, 0x41, 0, 0x0b}, 5);
    put_u32(b, g->nfuncs);
    for (unsigned i = 0; i < g->nfuncs; i++) {
        put_u32(b, IMPORTS + i);
    }
    section(out, 9, b);
    b->len = 0;
    put(b, 1);
    section(out, 12, b);
    b->len = 0;
}

static void function(struct generator *g, unsigned index)
{
    static const uint8_t own[] = {I32, I64, F32, F64, I32, I64, F32, F64};

    g->func = &g->types[g->func_types[index]];
    g->nlabels = 0;
    g->nlocals = g->func->nparams;
    g->budget = 60 + below(g, 200);
    g->pointer = 0;
    memcpy(g->locals, g->func->params, g->nlocals);
    put_u32(&g->body, sizeof(own));
    for (unsigned i = 0; i < sizeof(own); i++) {
        put(&g->body, 1);
        put(&g->body, own[i]);
        g->locals[g->nlocals++] = own[i];
    }
    burn_fuel(g);
    pointer(g);
    /* The function's own label takes its results. */
    g->labels[g->nlabels++] = (struct label){g->func, false};
    for (uint32_t n = 1 + below(g, 6); n > 0; n--) {
        statement(g, 4);
    }
    expressions(g, g->func->results, g->func->nresults, 4);
    op(g, 0x0b);
}

static void data_section(struct generator *g, struct buffer *out, struct buffer *b)
{
    put_bytes(b, (uint8_t[]){1, 1, 64}, 3);
    for (unsigned i = 0; i < 64; i++) {
        put(b, (uint8_t)random32(g));
    }
    section(out, 11, b);
    b->len = 0;
}

size_t generate_module(uint64_t seed, uint8_t *out_bytes)
{
    static uint8_t body[GENERATE_MAX], scratch[GENERATE_MAX];
    struct generator g = {.state = seed * 0x9e3779b97f4a7c15u + 1, .body = {body, 0, sizeof(body)}};
    struct buffer out = {out_bytes, 0, GENERATE_MAX}, b = {scratch, 0, sizeof(scratch)};

    random32(&g);
    make_types(&g);
    g.nfuncs = 1 + below(&g, MAX_FUNCS);
    for (unsigned i = 0; i < g.nfuncs; i++) {
        g.func_types[i] = below(&g, g.ntypes);
    }
    put_bytes(&out, "\0asm\1\0\0\0", 8);
    type_section(&g, &out, &b);
    declarations(&g, &out, &b);
    put_u32(&b, g.nfuncs);
    for (unsigned i = 0; i < g.nfuncs; i++) {
        g.body.len = 0;
        function(&g, i);
        put_u32(&b, (uint32_t)g.body.len);
        put_bytes(&b, g.body.bytes, g.body.len);
    }
    section(&out, 10, &b);
    b.len = 0;
    data_section(&g, &out, &b);
    return out.len;
}
