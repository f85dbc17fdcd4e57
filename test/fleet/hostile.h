/* A server for one device that answers as a test tells it to: rightly, or wrongly in one way.
 *
 * It runs in threads of the test's own process, over TLS with the fixture's certificate.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FLEET_HOSTILE_H
#define TEST_FLEET_HOSTILE_H

#include <pthread.h>
#include "fleet_fixture.h"

enum misdeed {
    NO_MISDEED,
    CUT_HALF_WAY,   /* the line breaks after half of what was asked for */
    CUT_ONCE,       /* the same, the first time only */
    IGNORE_RANGE,   /* CUT_ONCE, and then all of it with 200 */
    WRONG_RANGE,    /* CUT_ONCE, and then another part than was asked for */
    ANNOUNCE_MORE,  /* Content-Length is one too high */
    ANNOUNCE_LESS,  /* one too low */
    SEND_ENDLESSLY, /* no length, no end */
    TRICKLE,        /* half of it, then ten bytes a second */
    REDIRECT,       /* to another path of the same server */
    NOT_FOUND,
    BUSY,       /* 503 with Retry-After: 2 */
    FLIP_A_BIT, /* in the module's bytes, hash as announced */
};

#define TEXT_ROOM 65536

/* A native image that is offered beside the module, and what came for it. */
struct hostile_native {
    const uint8_t *bytes, *claim;
    size_t len, claim_len;
    unsigned target;
    enum misdeed misdeed;
    int requests;
    unsigned long long last_first;
};

struct hostile {
    struct MHD_Daemon *daemon;
    unsigned port;
    char url[64];
    const struct module *module;
    enum misdeed misdeed; /* what it does with the module */
    enum misdeed base_misdeed;
    struct hostile_native native; /* none without bytes */
    const char *base;             /* instead of the right answers */
    const char *deployment;
    size_t signature_len; /* 64 */
    bool unsigned_;       /* offers no signature */
    bool no_deployment;   /* nothing to do */
    bool no_events;       /* the link of our own is not there */
    /* What came, under the lock. */
    pthread_mutex_t lock;
    int polls, module_requests, signature_requests, elsewhere;
    unsigned long long last_first; /* first byte of the last Range, or 0 */
    char etag_asked[160];          /* If-Match of the last request for the module */
    char feedback[TEXT_ROOM], events[TEXT_ROOM];
};

/* priorities: GnuTLS's, NULL for TLS 1.3. module is borrowed; set the misdeeds before. */
void hostile_start(struct hostile *h, const struct fleet_fixture *fx, const struct module *module,
                   const char *priorities);
void hostile_stop(struct hostile *h);

/* Wait until the text is in what a device sent as feedback or as events: false after so long. */
bool hostile_got(struct hostile *h, const char *where, const char *text, int seconds);

#endif
