/* What all commands share: exit codes, options, messages.
 *
 * Messages for people go to stderr as "sandmote: what is wrong, where, what to do"; what a script
 * wants to read goes to stdout.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_CLI_H
#define SANDMOTE_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum cli_exit {
    CLI_GOOD = 0,
    CLI_BAD = 1,     /* the answer is no, or a file could not be read or written */
    CLI_INVALID = 2, /* not a valid module */
    CLI_TRAP = 3,
    CLI_EPOCH = 4,
    CLI_IMPORT = 5,
    CLI_USAGE = 64
};

/* A command: argv[0] is its own name. run returns an enum cli_exit. */
struct cli_command {
    const char *name, *arguments, *purpose;
    int (*run)(int argc, char **argv);
    const char *details; /* paragraphs for `sandmote help NAME` */
};
extern const struct cli_command cli_new, cli_key, cli_pack, cli_sign, cli_verify, cli_inspect,
    cli_validate, cli_run, cli_postmortem, cli_aot, cli_trust, cli_ibe, cli_sn;

/* An option "--name", with a value when value is set, else a flag. A value may be empty only where
 * flag is set too. One whose name is written "name..." may be said several times: value is then an
 * array of CLI_VALUES_MAX. */
struct cli_option {
    const char *name;
    const char **value; /* NULL before, each of them */
    bool *flag;         /* false before */
};
#define CLI_VALUES_MAX 16

/* Take the options out of argv[1..], wherever they stand, or only those before the first other
 * argument when leading is set. "--name VALUE" and "--name=VALUE" are the same, one-letter names
 * take one dash, "--" ends the options. None is taken more often than it may be. The table ends
 * with a NULL name.
 *
 * The number of arguments left in argv[1..], or CLI_USAGE_ERROR after saying what is wrong. */
#define CLI_USAGE_ERROR (-1)
int cli_options(const struct cli_option *options, bool leading, int argc, char **argv);

/* Say something on stderr, with "sandmote: " before it and the end of the line after it. */
__attribute__((format(printf, 1, 2))) void cli_say(const char *format, ...);

/* Say it, then how the command is used. Returns CLI_USAGE. */
__attribute__((format(printf, 2, 3))) int cli_usage(const struct cli_command *command,
                                                    const char *format, ...);

/* Print text that came out of a file: what could steer a terminal is written as \xx. */
void cli_print_text(FILE *out, const char *bytes, size_t len);

/* A whole unsigned number in decimal or, after 0x, in hex. false when text is anything else or
 * above max. */
bool cli_number(const char *text, uint64_t max, uint64_t *out);

/* A private key: of a PEM file or, by a pkcs11: URI, in a token. sm_keys_free() it. false after
 * saying why not. */
struct sm_keys_private;
bool cli_private_key(const char *name, struct sm_keys_private *key);

/* Read a file whole (at most 4 GiB - 1, what a module may have). false after saying why not. */
bool cli_read(const char *path, uint8_t **bytes, size_t *len);
/* Whether there is a file of that name. */
bool cli_there(const char *path);
/* The name of a file's signature: PATH.sig. false after saying that it is too long. */
#define CLI_PATH 4096
bool cli_signature_path(const char *path, char out[CLI_PATH]);
/* Write a file in one piece. false after saying why not. */
bool cli_write(const char *path, const void *bytes, size_t len);

#endif
