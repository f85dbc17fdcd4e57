/* What the commands of sandmote-fleet share: exit codes, options, and one request to a server.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_FLEET_CLI_H
#define SANDMOTE_FLEET_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

enum fleet_exit {
    FLEET_GOOD = 0,
    FLEET_REFUSED = 1, /* the server said no, or a local file is not as it must be */
    FLEET_NO_ANSWER = 2,
    FLEET_USAGE = 64
};

struct fleet_options {
    const char *config;                 /* serve */
    const char *server, *ca, *token;    /* operators: URL, CA file, token file */
    const char *channel, *device_token; /* enrol */
    const char *device, *after, *limit; /* events */
    bool json, follow;
};

/* A command: arguments after the options; returns an enum fleet_exit. */
typedef int fleet_command(const struct fleet_options *o, int argc, char **argv);
fleet_command fleet_serve, fleet_token, fleet_upload, fleet_modules, fleet_upload_native,
    fleet_natives, fleet_upload_keys, fleet_keys, fleet_assign, fleet_channels, fleet_enrol,
    fleet_devices, fleet_events, fleet_postmortems, fleet_postmortem;

/* "sandmote-fleet: " and the text on stderr; returns code. */
int fleet_say(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- Requests -------------------------------------------------------------------------------- */

struct fleet_upload {
    const char *part; /* what the file is: "module", "image" or "keys" */
    const void *file, *signature;
    size_t file_len, signature_len; /* signature may be NULL */
};

/* Ask the server: path begins with a slash; body may be NULL, and so may upload, which makes the
 * request a multipart one. TLS 1.3 with the CA file only, no redirects.
 *
 * FLEET_GOOD and *answer is the caller's, or what was wrong was said: FLEET_REFUSED,
 * FLEET_NO_ANSWER, FLEET_USAGE (an option is missing). */
int fleet_ask(const struct fleet_options *o, const char *method, const char *path,
              const json_t *body, const struct fleet_upload *upload, json_t **answer);

/* GET a file of at most 64 MiB; *bytes is the caller's to free. As fleet_ask(). */
int fleet_fetch(const struct fleet_options *o, const char *path, uint8_t **bytes, size_t *len);

/* Write a fresh random token to a file that must not exist, for its owner only; sha256_hex has 65
 * bytes. FLEET_GOOD, or said why not. */
int fleet_make_token(const char *path, char *sha256_hex);

/* The token in a file, without the end of the line. */
int fleet_read_token(const char *path, char *token, size_t size);

#endif
