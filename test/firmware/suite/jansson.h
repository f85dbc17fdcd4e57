/* As much of jansson's interface as the test-suite's runner uses, for the microcontroller (json.c).
 * Numbers are whole and positive.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FIRMWARE_JANSSON_H
#define TEST_FIRMWARE_JANSSON_H

#include <stddef.h>

typedef struct json json_t;
typedef struct {
    int line;
    char text[40];
} json_error_t;

#define JSON_ALLOW_NUL 0 /* it is */

/* The file, or NULL and where and why. Everything found in it lives until json_decref(). */
json_t *json_load_file(const char *path, size_t flags, json_error_t *error);
void json_decref(json_t *root);

/* NULL (0) when there is no such thing or it is of another type. */
json_t *json_object_get(const json_t *object, const char *key);
const char *json_string_value(const json_t *string);
size_t json_string_length(const json_t *string);
long json_integer_value(const json_t *integer);

json_t *json_first(const json_t *array);
json_t *json_after(const json_t *value);
#define json_array_foreach(array, index, value)                                                    \
    for ((index) = 0, (value) = json_first(array); (value) != NULL;                                \
         (index)++, (value) = json_after(value))

#endif
