/* JSON as wast2json writes it: strict in what ends where, no more. Values refer to the file's text,
 * in which strings are decoded in place.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "jansson.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct json {
    enum { OBJECT, ARRAY, STRING, INTEGER, WORD } kind;
    const char *key; /* in an object */
    struct json *next, *first;
    char *text; /* of a string */
    size_t len; /* of it; or the integer */
    char *file; /* in the root: what to free */
};

struct reader {
    char *at, *start;
    const char *wrong;
};

static json_t *wrong(struct reader *r, const char *why)
{
    r->wrong = r->wrong == NULL ? why : r->wrong;
    return NULL;
}

static char look(struct reader *r)
{
    r->at += strspn(r->at, " \t\r\n");
    return *r->at;
}

static bool take(struct reader *r, char c)
{
    bool there = look(r) == c;

    r->at += there;
    return there;
}

static char *put_utf8(char *out, unsigned c)
{
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xc0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3f));
    } else {
        *out++ = (char)(0xe0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    return out;
}

static char *escape(struct reader *r, char *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char digits[5] = {0}, c = *r->at++;
    const char *p = c == 0 ? NULL : strchr(from, c);

    if (p != NULL) {
        *out++ = to[p - from];
    } else if (c == 'u' && strspn(r->at, "0123456789abcdefABCDEF") >= 4) {
        memcpy(digits, r->at, 4);
        r->at += 4;
        out = put_utf8(out, (unsigned)strtoul(digits, NULL, 16));
    } else {
        wrong(r, "escape");
    }
    return out;
}

/* Behind the opening quote. It never gets longer by decoding. */
static size_t string(struct reader *r, char **text)
{
    char *out = r->at;

    *text = out;
    while (*r->at != '"' && *r->at != 0 && r->wrong == NULL) {
        char c = *r->at++;

        if (c == '\\') {
            out = escape(r, out);
        } else {
            *out++ = c;
        }
    }
    if (*r->at != '"') {
        wrong(r, "string");
        return 0;
    }
    r->at++;
    *out = 0;
    return (size_t)(out - *text);
}

static json_t *value(struct reader *r);

/* A list's elements; objects have keys. */
static void elements(struct reader *r, json_t *list, char close)
{
    json_t **end = &list->first;

    while (r->wrong == NULL && look(r) != close) {
        char *key = NULL;

        if (list->first != NULL && !take(r, ',')) {
            wrong(r, "list");
        }
        if (list->kind == OBJECT && (!take(r, '"') || (string(r, &key), !take(r, ':')))) {
            wrong(r, "key");
        }
        *end = value(r);
        if (*end != NULL) {
            (*end)->key = key;
            end = &(*end)->next;
        }
    }
    r->at++;
}

static json_t *value(struct reader *r)
{
    json_t *v = r->wrong == NULL ? calloc(1, sizeof(*v)) : NULL;

    if (v == NULL) {
        return wrong(r, "memory");
    }
    if (take(r, '"')) {
        v->kind = STRING;
        v->len = string(r, &v->text);
    } else if (take(r, '{')) {
        v->kind = OBJECT;
        elements(r, v, '}');
    } else if (take(r, '[')) {
        v->kind = ARRAY;
        elements(r, v, ']');
    } else if (look(r) >= '0' && *r->at <= '9') {
        v->kind = INTEGER;
        v->len = strtoul(r->at, &r->at, 10);
    } else {
        size_t n = strspn(r->at, "aeflnrstu"); /* true, false, null */

        v->kind = WORD;
        r->at += n;
        if (n < 4 || n > 5) {
            wrong(r, "value");
        }
    }
    return v;
}

static char *read_text(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    long len;

    if (f == NULL) {
        return NULL;
    }
    if (fseek(f, 0, SEEK_END) == 0 && (len = ftell(f)) >= 0 && fseek(f, 0, SEEK_SET) == 0 &&
        (text = malloc((size_t)len + 1)) != NULL) {
        text[fread(text, 1, (size_t)len, f)] = 0;
    }
    fclose(f);
    return text;
}

json_t *json_load_file(const char *path, size_t flags, json_error_t *error)
{
    struct reader r = {.at = read_text(path)};
    json_t *root;

    (void)flags;
    *error = (json_error_t){.text = "cannot be read"};
    if (r.at == NULL) {
        return NULL;
    }
    r.start = r.at;
    root = value(&r);
    if (r.wrong == NULL && look(&r) == 0) {
        root->file = r.start;
        return root;
    }
    snprintf(error->text, sizeof(error->text), "%s", r.wrong == NULL ? "more text" : r.wrong);
    for (char *p = r.start; p < r.at; p++) {
        error->line += *p == '\n';
    }
    return NULL; /* the program ends */
}

void json_decref(json_t *v)
{
    while (v != NULL) {
        json_t *next = v->next;

        json_decref(v->first);
        free(v->file);
        free(v);
        v = next;
    }
}

json_t *json_object_get(const json_t *object, const char *key)
{
    json_t *v = object == NULL || object->kind != OBJECT ? NULL : object->first;

    while (v != NULL && strcmp(v->key, key) != 0) {
        v = v->next;
    }
    return v;
}

const char *json_string_value(const json_t *v)
{
    return v == NULL || v->kind != STRING ? NULL : v->text;
}

size_t json_string_length(const json_t *v)
{
    return v == NULL || v->kind != STRING ? 0 : v->len;
}

long json_integer_value(const json_t *v)
{
    return v == NULL || v->kind != INTEGER ? 0 : (long)v->len;
}

json_t *json_first(const json_t *v)
{
    return v == NULL || v->kind != ARRAY ? NULL : v->first;
}

json_t *json_after(const json_t *v)
{
    return v->next;
}
