/* Words of conversations in text files, and the messages that they spell: what the scripts of
 * clients and of gateways share. script.c has the language.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_MQTTSN_WORDS_H
#define TEST_MQTTSN_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sandmote/mqttsn.h>

#define WORDS 24

/* A statement, and what conversations remember from one to the next. */
struct words {
    char *word[WORDS];
    unsigned count;
    int ids['z' + 1]; /* $x; 0: not bound, else the id + 1 */
    char why[2048];   /* of the last failure */
};

/* 1, for the caller to return, with the reason in why. */
int words_fail(struct words *s, const char *what, const char *detail);

/* Cuts a line; how many. */
unsigned words_split(char *line, char **word);

/* KEY=VALUE: the value, or NULL. */
const char *words_value(const struct words *s, const char *key);
unsigned long words_number(const struct words *s, const char *key, unsigned long otherwise);
bool words_have(const struct words *s, const char *word);

/* Text of a word: quoted, hex:, x*N or as it is. Its length; bytes go to out. */
size_t words_text(const char *word, uint8_t *out, size_t size);
/* A short name as a topic id. */
uint16_t words_short(const char *text);

/* The octets of the message in the words from `first` on, or 0 with a reason. With what was sent in
 * its place, ids that are free yet are bound to what that has. */
size_t words_message(struct words *s, unsigned first, uint8_t *out, size_t size,
                     const struct sm_mqttsn_packet *sent);
/* For people. */
void words_hex(const uint8_t *bytes, size_t len, char *out, size_t size);
/* `after 10 s`, `after 250 ms`: in milliseconds. */
uint64_t words_time(const struct words *s);

#endif
