/* Strict reading of JSON on top of jansson: see json_read.h.
 *
 * jansson checks the grammar, UTF-8, depth and repeated keys; what a value must be is checked here.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "json_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

#define WHERE_MAX 160

int sm_json_fail(struct sm_json_error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return SM_ERR_INVALID;
}

json_t *sm_json_parse(const void *bytes, size_t len, struct sm_json_error *err)
{
    json_error_t je;
    json_t *root = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &je);
    if (!root) {
        sm_json_fail(err, "not JSON: line %d, column %d: %s", je.line, je.column, je.text);
        return NULL;
    }
    if (!json_is_object(root)) {
        sm_json_fail(err, "the JSON text must be an object");
        json_decref(root);
        return NULL;
    }
    return root;
}

json_t *sm_json_load(const char *path, size_t max, struct sm_json_error *err)
{
    struct sm_file_why why;
    uint8_t *bytes;
    size_t len;
    if (sm_file_read(path, max, &bytes, &len, &why) < 0) {
        sm_json_fail(err, "%s", why.text);
        return NULL;
    }
    struct sm_json_error inner;
    json_t *root = sm_json_parse(bytes, len, &inner);
    free(bytes);
    if (!root)
        sm_json_fail(err, "%s: %s", path, inner.text);
    return root;
}

bool sm_json_printable(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if (*p < 0x20 || *p == 0x7f)
            return false;
    return true;
}

static int read_text(const json_t *v, const char *at, const struct sm_json_field *f, void *out,
                     struct sm_json_error *err)
{
    const char *text = json_string_value(v);
    if (!text)
        return sm_json_fail(err, "%s: must be a text", at);
    size_t len = strlen(text);
    if (len < f->min || len > f->max)
        return sm_json_fail(err, "%s: must have %llu to %llu bytes, has %zu", at,
                            (unsigned long long)f->min, (unsigned long long)f->max, len);
    if (!sm_json_printable(text))
        return sm_json_fail(err, "%s: must not have control characters", at);
    *(const char **)out = text;
    return 0;
}

static int read_uint(const json_t *v, const char *at, const struct sm_json_field *f, void *out,
                     struct sm_json_error *err)
{
    json_int_t n = json_integer_value(v);
    if (!json_is_integer(v) || n < 0 || (uint64_t)n < f->min || (uint64_t)n > f->max)
        return sm_json_fail(err, "%s: must be a whole number from %llu to %llu", at,
                            (unsigned long long)f->min, (unsigned long long)f->max);
    *(uint64_t *)out = (uint64_t)n;
    return 0;
}

static int read_int(const json_t *v, const char *at, void *out, struct sm_json_error *err)
{
    if (!json_is_integer(v))
        return sm_json_fail(err, "%s: must be a whole number", at);
    *(int64_t *)out = json_integer_value(v);
    return 0;
}

static int read_bool(const json_t *v, const char *at, void *out, struct sm_json_error *err)
{
    if (!json_is_boolean(v))
        return sm_json_fail(err, "%s: must be true or false", at);
    *(bool *)out = json_is_true(v);
    return 0;
}

static int read_group(json_t *v, const char *at, const struct sm_json_field *f, void *out,
                      struct sm_json_error *err)
{
    bool array = f->kind == SM_JSON_ARRAY;
    if (array ? !json_is_array(v) : !json_is_object(v))
        return sm_json_fail(err, "%s: must be %s", at, array ? "an array" : "an object");
    size_t n = array ? json_array_size(v) : json_object_size(v);
    if (n < f->min || n > f->max)
        return sm_json_fail(err, "%s: must have %llu to %llu elements, has %zu", at,
                            (unsigned long long)f->min, (unsigned long long)f->max, n);
    *(json_t **)out = v;
    return 0;
}

static int read_value(json_t *v, const char *at, const struct sm_json_field *f, void *out,
                      struct sm_json_error *err)
{
    switch (f->kind) {
    case SM_JSON_TEXT: return read_text(v, at, f, out, err);
    case SM_JSON_UINT: return read_uint(v, at, f, out, err);
    case SM_JSON_INT: return read_int(v, at, out, err);
    case SM_JSON_BOOL: return read_bool(v, at, out, err);
    case SM_JSON_OBJECT:
    case SM_JSON_ARRAY: return read_group(v, at, f, out, err);
    }
    return SM_ERR_ARG;
}

/* The place of a key for an error, cut when a stranger chose a long key, and made printable. */
static void place(char out[WHERE_MAX], const char *where, const char *key)
{
    snprintf(out, WHERE_MAX, "%s%s%s", where, *where ? "." : "", key);
    for (char *p = out; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
}

static bool known(const struct sm_json_field *fields, const char *key)
{
    for (; fields->key; fields++)
        if (!strcmp(fields->key, key))
            return true;
    return false;
}

/* The error for a key that the table does not name, with those that it does. */
static int unknown(const char *at, const struct sm_json_field *fields, struct sm_json_error *err)
{
    sm_json_fail(err, "%s: unknown key; known are", at);
    for (; fields->key; fields++) {
        size_t len = strlen(err->text);
        snprintf(err->text + len, sizeof err->text - len, " %s%s", fields->key,
                 fields[1].key ? "," : "");
    }
    return SM_ERR_INVALID;
}

int sm_json_read(const json_t *object, const char *where, const struct sm_json_field *fields,
                 bool open, void *out, struct sm_json_error *err)
{
    char at[WHERE_MAX];
    if (!json_is_object(object))
        return sm_json_fail(err, "%s: must be an object", *where ? where : "the JSON text");
    if (!open) {
        const char *key;
        json_t *v;
        json_object_foreach((json_t *)object, key, v)
        {
            if (known(fields, key))
                continue;
            place(at, where, key);
            return unknown(at, fields, err);
        }
    }
    for (const struct sm_json_field *f = fields; f->key; f++) {
        json_t *v = json_object_get(object, f->key);
        place(at, where, f->key);
        if (!v && f->required)
            return sm_json_fail(err, "%s: is missing", at);
        if (v && read_value(v, at, f, (char *)out + f->offset, err) < 0)
            return SM_ERR_INVALID;
    }
    return 0;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int sm_hex_decode(const char *text, uint8_t *out, size_t len)
{
    if (strlen(text) != 2 * len)
        return SM_ERR_MALFORMED;
    for (size_t i = 0; i < len; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return SM_ERR_MALFORMED;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

void sm_hex_encode(const uint8_t *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * len] = 0;
}
