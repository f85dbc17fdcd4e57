/* A real sandmote-fleet process on loopback, and requests to it.
 *
 * Everything lies in one temporary folder, removed at the end. Failures of the helpers themselves
 * end the test with cmocka's fail_msg().
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FLEET_FIXTURE_H
#define TEST_FLEET_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <jansson.h>
#include <posix/keys.h>
#include <sandmote/manifest.h>

#define OPERATOR_TOKEN   "operator-token-of-the-tests"
#define DEVICE_TOKEN     "device-token-of-the-tests"
#define MAX_MODULE_BYTES 65536u

struct fleet_fixture {
    char dir[64];
    char url[64]; /* "https://127.0.0.1:port" */
    pid_t server;
    struct sm_keys_private signer, builder, stranger; /* two of fleet plant-7; known to nobody */
};

/* Make folder, certificates, keys and configuration. */
void fleet_prepare(struct fleet_fixture *fx);
/* The same, and start the server. */
void fleet_setup(struct fleet_fixture *fx);
void fleet_teardown(struct fleet_fixture *fx);

/* The configuration says where a broker is, with further keys of "mqtt" (each with a comma before
 * it), and that devices poll so often. Before fleet_start(). */
void fleet_behind_broker(const struct fleet_fixture *fx, unsigned port, const char *more,
                         unsigned poll_s);

void fleet_start(struct fleet_fixture *fx);
/* Send a signal, wait for the end: the exit status, or 128 + the signal that ended it. */
int fleet_stop(struct fleet_fixture *fx, int sig);

/* Run a shell command with $DIR, $URL, $FLEET, $SANDMOTED, $SANDMOTE set: its exit status. Output
 * goes to DIR/out. */
int fleet_shell(const struct fleet_fixture *fx, const char *command);
/* A file of the folder as text; the caller's. */
char *fleet_file(const struct fleet_fixture *fx, const char *name);
void fleet_write(const struct fleet_fixture *fx, const char *name, const void *bytes, size_t len);

/* ---- Requests -------------------------------------------------------------------------------- */

struct reply {
    long status; /* 0: no HTTP answer at all */
    char *body;
    size_t len;
    char headers[2048];
    json_t *json; /* the body when it is JSON, else NULL */
};
void reply_free(struct reply *r);

enum as { NOBODY, AS_OPERATOR, AS_DEVICE };

struct call {
    const char *method, *path;
    enum as as;
    const char *token;        /* instead of the usual one */
    const char *body;         /* JSON text, or NULL */
    const char *header;       /* one more, or NULL */
    const void *module, *sig; /* a multipart upload */
    const char *part;         /* name of the module's part, if another */
    size_t module_len, sig_len;
    bool chunked;
    long tls; /* CURL_SSLVERSION_..., 0 for TLS 1.3 */
};
struct reply fleet_call(const struct fleet_fixture *fx, const struct call *call);

/* The usual calls; each checks the status, and the reply is the caller's. */
struct reply get_as(const struct fleet_fixture *fx, enum as as, const char *path, long status);
struct reply send_as(const struct fleet_fixture *fx, enum as as, const char *method,
                     const char *path, const char *body, long status);

/* ---- Modules --------------------------------------------------------------------------------- */

#define MODULE_ROOM 49152u
struct module {
    uint8_t wasm[MODULE_ROOM];
    size_t len;
    uint8_t sig[64];
    char sha256[65];
    struct sm_manifest m;
};
/* A signed module of plant-7 with padding bytes beside its manifest. */
void module_make(const struct fleet_fixture *fx, struct module *out, const char *name,
                 const char *version, uint64_t sequence, size_t padding);
/* The same of bytes that are a module already; out->m is what its manifest shall say. */
void module_pack(struct module *out, const uint8_t *raw, size_t len);
void module_sign(const struct sm_keys_private *key, struct module *m);
struct reply module_upload(const struct fleet_fixture *fx, const struct module *m, long status);

/* ---- Answers, channels, devices -------------------------------------------------------------- */

/* A value inside JSON: keys, and numbers for arrays, with dots between. Borrowed. */
const json_t *json_at(const json_t *json, const char *path);
void assert_json_text(const json_t *json, const char *path, const char *want);
/* The answer's error has this part. */
void assert_error(const struct reply *r, const char *part);
/* Follows a link from an answer: the path without scheme, host and port. */
const char *fleet_href(const struct fleet_fixture *fx, const json_t *json, const char *path);

/* Waits until an event about this module, with this in its detail, has reached the server; fails
 * the test after ten seconds. */
void fleet_expect_event(const struct fleet_fixture *fx, const char *event, const char *module,
                        const char *part);

/* Waits until the latest action of a device is in this state; fails the test after so long. */
void fleet_expect_action(const struct fleet_fixture *fx, const char *device, const char *state,
                         int seconds);

void fleet_enrol(const struct fleet_fixture *fx, const char *device, const char *channel);
/* One or two modules (b may be NULL). Returns how many actions were made. */
json_int_t fleet_assign(const struct fleet_fixture *fx, const char *channel, const struct module *a,
                        const struct module *b);

#endif
