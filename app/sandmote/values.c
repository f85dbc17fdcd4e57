/* Values to text and back.
 *
 * Both float types are handled as their bits; a struct says where sign, exponent and mantissa are.
 * The C library does decimal and hex floats, which are exact both ways; NaN and infinity are ours,
 * since it has no say over their bits.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "values.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shape {
    unsigned mantissa, exponent; /* bits */
};
static const struct shape single = {23, 8}, twice = {52, 11};

static const struct shape *shape_of(uint8_t type)
{
    return type == SM_WASM_F32 ? &single : &twice;
}

static uint64_t mantissa_mask(const struct shape *s)
{
    return (1ull << s->mantissa) - 1;
}

static uint64_t infinity(const struct shape *s)
{
    return ((1ull << s->exponent) - 1) << s->mantissa;
}

static uint64_t sign_bit(const struct shape *s)
{
    return 1ull << (s->mantissa + s->exponent);
}

const char *value_type_name(uint8_t type)
{
    switch (type) {
    case SM_WASM_I32: return "i32";
    case SM_WASM_I64: return "i64";
    case SM_WASM_F32: return "f32";
    case SM_WASM_F64: return "f64";
    case SM_WASM_FUNCREF: return "funcref";
    case SM_WASM_EXTERNREF: return "externref";
    default: return "?";
    }
}

unsigned value_words(uint8_t type)
{
    return type == SM_WASM_I64 || type == SM_WASM_F64 ? 2 : 1;
}

static uint64_t bits_of(uint8_t type, const uint32_t *words)
{
    return value_words(type) == 2 ? (uint64_t)words[1] << 32 | words[0] : words[0];
}

/* The number that float bits stand for; not for a NaN. */
static double number_of(uint8_t type, uint64_t bits)
{
    double d;
    float f;
    uint32_t bits32 = (uint32_t)bits;
    if (type == SM_WASM_F64) {
        memcpy(&d, &bits, sizeof d);
        return d;
    }
    memcpy(&f, &bits32, sizeof f);
    return f;
}

/* ---- Print ------------------------------------------------------------------------------------
 */

static void print_float(uint8_t type, uint64_t bits, char *out, size_t size)
{
    const struct shape *s = shape_of(type);
    const char *sign = bits & sign_bit(s) ? "-" : "";
    uint64_t magnitude = bits & (sign_bit(s) - 1);
    if (magnitude == infinity(s))
        snprintf(out, size, "%sinf", sign);
    else if (magnitude > infinity(s))
        snprintf(out, size, "%snan:0x%" PRIx64, sign, magnitude & mantissa_mask(s));
    else
        snprintf(out, size, "%a", number_of(type, bits));
}

/* Reference 0 is null; the host's external reference n is the word n + 1. */
static void print_reference(uint8_t type, uint32_t word, char *out, size_t size)
{
    if (word == 0)
        snprintf(out, size, "null");
    else
        snprintf(out, size, "%" PRIu32, type == SM_WASM_EXTERNREF ? word - 1 : word);
}

void value_print(uint8_t type, const uint32_t *words, char out[VALUE_TEXT])
{
    uint64_t bits = bits_of(type, words);
    int n = snprintf(out, VALUE_TEXT, "%s:", value_type_name(type));
    char *at = out + n;
    size_t size = VALUE_TEXT - (size_t)n;
    switch (type) {
    case SM_WASM_I32: snprintf(at, size, "%" PRId32, (int32_t)bits); break;
    case SM_WASM_I64: snprintf(at, size, "%" PRId64, (int64_t)bits); break;
    case SM_WASM_F32:
    case SM_WASM_F64: print_float(type, bits, at, size); break;
    default: print_reference(type, words[0], at, size);
    }
}

/* ---- Parse ------------------------------------------------------------------------------------
 */

/* Digits after an optional 0x, all of text: NULL, or what is wrong. */
static const char *parse_digits(const char *text, uint64_t *out)
{
    int base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
    const char *p = base == 16 ? text + 2 : text;
    if (!*p)
        return "a number is expected";
    for (const char *c = p; *c; c++)
        if (!(base == 16 ? isxdigit((unsigned char)*c) : isdigit((unsigned char)*c)))
            return "not a whole number";
    errno = 0;
    *out = strtoull(p, NULL, base);
    return errno ? "the number is too large" : NULL;
}

static const char *parse_int(const char *text, unsigned width, uint64_t *bits)
{
    bool negative = *text == '-';
    uint64_t n, max = width == 32 ? UINT32_MAX : UINT64_MAX;
    const char *wrong = parse_digits(text + (negative || *text == '+'), &n);
    if (wrong)
        return wrong;
    if (negative ? n > max / 2 + 1 : n > max)
        return "the number is too large";
    *bits = (negative ? 0 - n : n) & max;
    return NULL;
}

static const char *parse_nan(const char *text, const struct shape *s, uint64_t *bits)
{
    uint64_t mantissa = 1ull << (s->mantissa - 1);
    if (*text) {
        if (strncmp(text, ":0x", 3) != 0 || parse_digits(text + 1, &mantissa))
            return "after nan comes nothing or :0x and the mantissa's bits";
        if (mantissa == 0 || mantissa > mantissa_mask(s))
            return "a NaN's mantissa is not zero and not wider than the type's";
    }
    *bits = infinity(s) | mantissa;
    return NULL;
}

/* A decimal or hex float without a sign. */
static const char *parse_number(const char *text, uint8_t type, uint64_t *bits)
{
    char *end;
    uint32_t bits32;
    /* strtod takes more than is meant here: spaces, signs, "infinity", "nan(...)". */
    if (!isdigit((unsigned char)*text) && *text != '.')
        return "not a number";
    float f = strtof(text, &end);
    double d = strtod(text, NULL);
    if (*end || end == text)
        return "not a number";
    if (type == SM_WASM_F32 ? isinf(f) : isinf(d))
        return "the number is too large";
    memcpy(&bits32, &f, sizeof bits32);
    memcpy(bits, &d, sizeof *bits);
    if (type == SM_WASM_F32)
        *bits = bits32;
    return NULL;
}

static const char *parse_float(const char *text, uint8_t type, uint64_t *bits)
{
    const struct shape *s = shape_of(type);
    const char *wrong = NULL;
    bool negative = *text == '-';
    text += negative || *text == '+';
    if (strcmp(text, "inf") == 0)
        *bits = infinity(s);
    else if (strncmp(text, "nan", 3) == 0)
        wrong = parse_nan(text + 3, s, bits);
    else
        wrong = parse_number(text, type, bits);
    if (!wrong && negative)
        *bits |= sign_bit(s);
    return wrong;
}

static const char *parse_reference(const char *text, uint8_t type, uint64_t *bits)
{
    *bits = 0;
    if (strcmp(text, "null") == 0)
        return NULL;
    if (type == SM_WASM_FUNCREF)
        return "only null can be given as a funcref";
    const char *wrong = parse_digits(text, bits);
    if (wrong || *bits >= UINT32_MAX)
        return wrong ? "null or a number is expected" : "the number is too large";
    ++*bits;
    return NULL;
}

const char *value_parse(uint8_t type, const char *text, uint32_t words[2])
{
    uint64_t bits = 0;
    const char *wrong, *name = value_type_name(type);
    size_t len = strlen(name);
    if (strncmp(text, name, len) == 0 && text[len] == ':')
        text += len + 1;
    if (type == SM_WASM_I32 || type == SM_WASM_I64)
        wrong = parse_int(text, 32 * value_words(type), &bits);
    else if (type == SM_WASM_F32 || type == SM_WASM_F64)
        wrong = parse_float(text, type, &bits);
    else
        wrong = parse_reference(text, type, &bits);
    words[0] = (uint32_t)bits;
    words[1] = (uint32_t)(bits >> 32);
    return wrong;
}
