/* Key sets in files, and plans of them in JSON, for `sandmote trust`.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_TRUST_PLAN_H
#define SANDMOTE_TRUST_PLAN_H

#include <sandmote/keyset.h>

/* A key set in a file, read and not believed. */
struct trust_file {
    const char *path;
    uint8_t *bytes; /* the caller's to free */
    size_t len;
    struct sm_keyset set; /* in bytes */
};

/* Read one. false after saying why not; nothing is then to be freed. */
bool trust_read(const char *path, struct trust_file *f);

/* Fill in what a JSON file says: everything but version and time of issue. Paths in it are relative
 * to its folder. false after saying what is wrong. */
bool trust_plan_read(const char *path, struct sm_keyset_plan *plan);

/* "2027-01-31", "never" or seconds since 1970; false when text is none of them. */
bool trust_time_read(const char *text, uint64_t *out);
/* The same way back: a date, with a time of day unless that is midnight. */
#define TRUST_TIME_TEXT 32u
void trust_time_write(uint64_t time_s, char out[TRUST_TIME_TEXT]);

/* A key that is named by a file, by "ed25519:HEX", or by its token. false after saying why not. */
bool trust_key_read(const char *name, uint8_t key[SM_ED25519_PUBLIC_SIZE]);

/* What a set says, on stdout; *after may be NULL, else the set before it. */
void trust_print(const struct trust_file *f, const struct trust_file *after);
/* How far signing has come, in a line for each set whose roots must sign. */
void trust_print_signatures(const struct trust_file *f, const struct trust_file *after);

#endif
