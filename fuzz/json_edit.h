/* JSON to fuzz with: a good text with edits, because the JSON library is not instrumented and a
 * fuzzer that begins from nothing seldom gets past it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef FUZZ_JSON_EDIT_H
#define FUZZ_JSON_EDIT_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Values that are put in the place of others. */
static const char *const json_edit_words[] = {
    "null",
    "true",
    "-1",
    "0",
    "4294967296",
    "9223372036854775807",
    "1e3",
    "\"\"",
    "\"a\"",
    "\"../x\"",
    "\"00:00:00\"",
    "\"23:59:59\"",
    "\"https://fleet.example:8443\"",
    "\"https://fleet.example:8443@evil/x\"",
    "\"https://other/x\"",
    "\"a.wasm.sig\"",
    "\"\\u0007\"",
    "{}",
    "[]",
    "[[[[[[[[]]]]]]]]",
    "\"\xc3\xa9\"",
    "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""};
#define JSON_EDIT_WORDS (sizeof json_edit_words / sizeof *json_edit_words)

/* The length of the JSON value that begins at p: a string, or anything up to , ] or }. */
static size_t json_edit_value(const char *p)
{
    size_t n = 0;
    if (*p == '"') {
        for (n = 1; p[n] && p[n] != '"'; n++)
            ;
        return n + (p[n] == '"');
    }
    while (p[n] && !strchr(",]}", p[n]))
        n++;
    return n;
}

/* Replace len bytes at `at` in *text by a word. */
static void json_edit_splice(char **text, size_t at, size_t len, const char *word, size_t word_len)
{
    size_t total = strlen(*text);
    char *out = malloc(total - len + word_len + 1);
    if (!out)
        abort();
    memcpy(out, *text, at);
    memcpy(out + at, word, word_len);
    strcpy(out + at + word_len, *text + at + len);
    free(*text);
    *text = out;
}

/* The template with edits of three bytes each: which value (counted in ':', '[' and ','), what to
 * do with it, and with what. The caller's to free. */
static char *json_edit(const char *template, const uint8_t *data, size_t size)
{
    char *text = strdup(template);
    if (!text)
        abort();
    for (; size >= 3 && strlen(text) < 16384; data += 3, size -= 3) {
        char *p = text;
        for (unsigned i = data[0]; i && p; i--)
            p = strpbrk(p + 1, ":[,");
        if (!p || !*p)
            continue;
        size_t at = (size_t)(p - text) + 1;
        const char *word = json_edit_words[data[2] % JSON_EDIT_WORDS];
        const char byte = (char)data[2];
        switch (data[1] % 4) {
        case 0: /* another value */
            json_edit_splice(&text, at, json_edit_value(text + at), word, strlen(word));
            break;
        case 1: /* any byte */ json_edit_splice(&text, at, text[at] != 0, &byte, byte != 0); break;
        case 2: /* a key gone, or another one */
            json_edit_splice(&text, at, json_edit_value(text + at), "\"x\"", 3);
            break;
        case 3: /* the end comes early, or the value comes twice */
            json_edit_splice(&text, at, 0, text + at, json_edit_value(text + at));
            break;
        }
    }
    return text;
}

#endif
