/* Strict reading of JSON: a table says what an object may hold, and whatever does not fit is named.
 *
 * Used for configuration files, request bodies and server answers. Nothing is guessed: a missing
 * key, a value of the wrong type or outside its range and, unless the table is read as open, an
 * unknown key end the reading with one sentence that says where and what.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_POSIX_JSON_READ_H
#define SM_POSIX_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include <sandmote/error.h>

struct sm_json_error {
    char text[512]; /* one sentence without a final dot */
};

/* Say what is wrong; cut off at the text's end. Always SM_ERR_INVALID. */
int sm_json_fail(struct sm_json_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

enum sm_json_kind {
    SM_JSON_TEXT,   /* const char *, borrowed from the JSON value; no control characters */
    SM_JSON_UINT,   /* uint64_t */
    SM_JSON_INT,    /* int64_t, any; min and max do not count */
    SM_JSON_BOOL,   /* bool */
    SM_JSON_OBJECT, /* json_t *, borrowed */
    SM_JSON_ARRAY   /* json_t *, borrowed */
};

/* One key of an object and where its value goes. */
struct sm_json_field {
    const char *key;
    enum sm_json_kind kind;
    bool required;
    uint64_t min, max; /* bytes of a text, value of a number, elements of an array or object */
    size_t offset;     /* in the struct that is filled; keys that are absent leave it unchanged */
};
#define SM_JSON_AT(type, member) offsetof(type, member)

/* Parse a document whose root is an object. The caller owns the result (json_decref).
 * NULL when it is not JSON, repeats a key, or is something else than an object. */
json_t *sm_json_parse(const void *bytes, size_t len, struct sm_json_error *err);

/* The same from a file of at most max bytes; the error begins with the path. */
json_t *sm_json_load(const char *path, size_t max, struct sm_json_error *err);

/* Read the fields of an object into the struct at out. where ("" at the root) stands before keys in
 * errors; open allows keys that the table does not name. The table must end with a NULL key.
 *
 * 0, or SM_ERR_INVALID with *err filled; out may then be filled in part. */
int sm_json_read(const json_t *object, const char *where, const struct sm_json_field *fields,
                 bool open, void *out, struct sm_json_error *err);

/* Whether all of a text is printable UTF-8 without control characters. */
bool sm_json_printable(const char *text);

/* Bytes written as 2 * len lower case hex digits: 0, or SM_ERR_MALFORMED. */
int sm_hex_decode(const char *text, uint8_t *out, size_t len);
/* out has room for 2 * len + 1 bytes. */
void sm_hex_encode(const uint8_t *bytes, size_t len, char *out);

#endif
