/* One HTTPS request at a time, without blocking and without trusting the server to behave.
 *
 * TLS 1.3 only, the given certificates as the only trust anchors, an optional pinned key, no
 * redirects, no proxy. An answer may be as long as the caller says and no longer; it has to come
 * faster than a minimum rate and within a deadline.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_POSIX_TRANSFER_H
#define SM_POSIX_TRANSFER_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sandmote/error.h>

#define SM_TRANSFER_ETAG 128u

struct sm_transfer_cfg {
    const char *ca;            /* PEM file; not looked at when ca_pem is given */
    const char *ca_pem;        /* the same as text, or NULL */
    const char *pin;           /* as CURLOPT_PINNEDPUBLICKEY: "sha256//..."; NULL for none */
    const char *authorization; /* the header's value */
    uint32_t min_bytes_per_s;  /* a slower answer, for this long, is given up */
    uint32_t stall_s;
};

struct sm_transfer_request {
    const char *method, *url;
    const char *json;  /* body, or NULL; borrowed until the end */
    const void *bytes; /* instead: a body that is no JSON */
    size_t len;
    uint64_t max;        /* most bytes of the answer */
    uint32_t deadline_s; /* for all of it */
    /* A file: its size is known and bytes go to the sink, from `first` on; a server that ignores
     * the range has its first bytes passed over. etag, when not "", must still be the file's. */
    bool file;
    uint64_t size, first;
    const char *etag;
    int (*sink)(void *ctx, const void *bytes, size_t len); /* 0, or an error that ends it */
    void *sink_ctx;
};

/* How it ended. */
struct sm_transfer_result {
    long status; /* of HTTP; 0 when there was no answer */
    int err;     /* 0: an answer with a 2xx status that kept all the rules */
    bool final;  /* asking again would bring the same */
    bool refused_by_sink;
    uint32_t retry_after_s; /* what the server asked for, or 0 */
    const char *body;       /* of an answer that is no file; valid until the next start */
    size_t len;
    char etag[SM_TRANSFER_ETAG]; /* of a file, "" for none or a weak one */
    char text[256];              /* with err: one sentence */
};

/* Fields are private but result, which is valid once sm_transfer_done() has said so. */
struct sm_transfer {
    const struct sm_transfer_cfg *cfg;
    CURLM *multi; /* the owner's */
    CURL *easy;
    struct curl_slist *headers;
    struct sm_transfer_request req;
    struct sm_transfer_result result;
    char *body;
    size_t room;
    uint64_t got;  /* bytes of the answer's body */
    uint64_t head; /* bytes of headers */
    uint64_t skip; /* bytes still to be passed over */
    bool judged;   /* the head of the answer has been looked at */
    bool running;
    char error[CURL_ERROR_SIZE];
};

/* multi and cfg are borrowed for the transfer's life. 0 or SM_ERR_MEMORY. */
int sm_transfer_init(struct sm_transfer *t, CURLM *multi, const struct sm_transfer_cfg *cfg);
void sm_transfer_free(struct sm_transfer *t);

/* Begin; what was under way is dropped. *req is copied, what it points to is borrowed. */
void sm_transfer_start(struct sm_transfer *t, const struct sm_transfer_request *req);

/* Go on as far as possible without waiting. true once, when it has ended. */
bool sm_transfer_done(struct sm_transfer *t);

/* Drop what is under way. */
void sm_transfer_cancel(struct sm_transfer *t);

#endif
