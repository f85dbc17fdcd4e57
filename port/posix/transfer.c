/* HTTPS requests of the device on libcurl's multi interface.
 *
 * Everything that the server can do wrong is decided in two places: judge_head(), called before the
 * first byte of a body is used, and take_body(). Both end the transfer with a sentence in
 * result.text; what libcurl itself notices is put into words by explain().
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "transfer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONNECT_S     20L
#define ERROR_MAX     2048u /* bytes of an error's body that are looked at */
#define RETRY_MAX_S   86400
#define HEAD_MAX      65536u
#define HEADER_BUFFER 512

/* ---- What the server may not do -------------------------------------------------------------- */

__attribute__((format(printf, 4, 5))) static void fail(struct sm_transfer *t, int err, bool final,
                                                       const char *format, ...)
{
    va_list args;
    if (t->result.err)
        return; /* the first thing that went wrong is the one that is told */
    va_start(args, format);
    vsnprintf(t->result.text, sizeof t->result.text, format, args);
    va_end(args);
    for (char *p = t->result.text; *p; p++)
        if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
            *p = '?';
    t->result.err = err;
    t->result.final = final;
}

static const char *header(struct sm_transfer *t, const char *name)
{
    struct curl_header *h;
    if (curl_easy_header(t->easy, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
        return "";
    return h->value;
}

/* 206: the part must be the one that was asked for, and of a file of the right size. */
static void judge_part(struct sm_transfer *t)
{
    char want[96];
    snprintf(want, sizeof want, "bytes %llu-%llu/%llu", (unsigned long long)t->req.first,
             (unsigned long long)t->req.size - 1, (unsigned long long)t->req.size);
    if (strcmp(header(t, "Content-Range"), want) != 0)
        fail(t, SM_ERR_MALFORMED, false, "the server sent \"%.80s\" instead of \"%s\"",
             header(t, "Content-Range"), want);
}

static void keep_etag(struct sm_transfer *t)
{
    const char *etag = header(t, "ETag");
    if (strlen(etag) < sizeof t->result.etag && etag[0] == '"') /* weak ones are of no use */
        strcpy(t->result.etag, etag);
}

static void judge_file(struct sm_transfer *t)
{
    uint64_t want = t->req.size;
    curl_off_t length = -1;
    keep_etag(t);
    if (t->result.status == 206) {
        want -= t->req.first;
        judge_part(t);
    } else if (t->result.status == 200) {
        t->skip = t->req.first;
    } else {
        fail(t, SM_ERR_MALFORMED, false, "HTTP %ld instead of the file", t->result.status);
        return;
    }
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (length >= 0 && (uint64_t)length != want)
        fail(t, SM_ERR_MALFORMED, false, "the server sends %lld bytes instead of %llu",
             (long long)length, (unsigned long long)want);
}

/* Statuses that will be the same next time, for this URL and this device. */
static bool is_final(long status)
{
    return status == 400 || status == 403 || status == 404 || status == 405 || status == 410 ||
           status == 422;
}

static void judge_status(struct sm_transfer *t)
{
    long status = t->result.status;
    curl_off_t wait = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &wait);
    t->result.retry_after_s = wait < 0 ? 0 : wait > RETRY_MAX_S ? RETRY_MAX_S : (uint32_t)wait;
    if (status >= 300 && status < 400)
        fail(t, SM_ERR_DENIED, false, "HTTP %ld redirects to %.160s: not followed", status,
             header(t, "Location"));
    else if (status == 401)
        fail(t, SM_ERR_DENIED, false, "HTTP 401: the server does not know this device's token");
    else if (status < 200 || status >= 300)
        fail(t, SM_ERR_IO, is_final(status), "HTTP %ld", status);
}

/* The head of the answer is complete. */
static void judge_head(struct sm_transfer *t)
{
    curl_off_t length = -1;
    if (t->judged)
        return;
    t->judged = true;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->result.status);
    judge_status(t);
    if (t->result.err)
        return;
    if (t->req.file) {
        judge_file(t);
        return;
    }
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (length > 0 && (uint64_t)length > t->req.max)
        fail(t, SM_ERR_LIMIT, false, "the server sends %lld bytes, more than %llu",
             (long long)length, (unsigned long long)t->req.max);
}

/* ---- The body -------------------------------------------------------------------------------- */

static bool keep(struct sm_transfer *t, const char *data, size_t len)
{
    if (t->result.len + len + 1 > t->room) {
        size_t room = (t->result.len + len + 1) * 2;
        char *body = realloc(t->body, room);
        if (!body)
            return false;
        t->body = body;
        t->room = room;
    }
    memcpy(t->body + t->result.len, data, len);
    t->result.len += len;
    t->body[t->result.len] = 0;
    return true;
}

static bool take_file(struct sm_transfer *t, const char *data, size_t len)
{
    size_t skip = t->skip < len ? (size_t)t->skip : len;
    t->skip -= skip;
    if (skip == len)
        return true;
    int err = t->req.sink(t->req.sink_ctx, data + skip, len - skip);
    if (!err)
        return true;
    t->result.refused_by_sink = true;
    fail(t, err, true, "%s", sm_strerror(err));
    return false;
}

static size_t take_body(char *data, size_t size, size_t n, void *ctx)
{
    struct sm_transfer *t = ctx;
    size_t len = size * n;
    judge_head(t);
    if (t->result.err) /* an error's body is only read away, so that the connection may live */
        return (t->got += len) <= ERROR_MAX ? len : 0;
    uint64_t most = t->req.max;
    if (t->req.file)
        most = t->result.status == 206 ? t->req.size - t->req.first : t->req.size;
    if (len > most - t->got) {
        fail(t, SM_ERR_LIMIT, false, "the server sends more than %llu bytes",
             (unsigned long long)most);
        return 0;
    }
    t->got += len;
    if (t->req.file)
        return take_file(t, data, len) ? len : 0;
    if (keep(t, data, len))
        return len;
    fail(t, SM_ERR_MEMORY, false, "no memory for the answer");
    return 0;
}

/* Heads are kept by libcurl in full, so somebody has to count them. */
static size_t take_head(char *data, size_t size, size_t n, void *ctx)
{
    struct sm_transfer *t = ctx;
    (void)data;
    t->head += size * n;
    if (t->head <= HEAD_MAX)
        return size * n;
    fail(t, SM_ERR_LIMIT, false, "the server sends more than %u bytes of headers", HEAD_MAX);
    return 0;
}

/* ---- The end --------------------------------------------------------------------------------- */

/* What libcurl noticed, in our words where they say more. */
static void explain(struct sm_transfer *t, CURLcode code)
{
    const char *text = t->error[0] ? t->error : curl_easy_strerror(code);
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        if (t->got || t->judged)
            fail(t, SM_ERR_IO, false, "too slow: %llu bytes came (%.120s)",
                 (unsigned long long)t->got, text);
        else
            fail(t, SM_ERR_IO, false, "no answer: %.200s", text);
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_CONNECT_ERROR:
        fail(t, SM_ERR_DENIED, false, "the server is not trusted: %.180s", text);
        break;
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
        fail(t, SM_ERR_IO, false, "cut off after %llu bytes", (unsigned long long)t->got);
        break;
    default: fail(t, SM_ERR_IO, false, "%.220s", text);
    }
}

static void finish(struct sm_transfer *t, CURLcode code)
{
    if (code != CURLE_OK)
        explain(t, code);
    else
        judge_head(t); /* there may have been no body */
    uint64_t want = t->req.size - (t->result.status == 206 ? t->req.first : 0);
    if (!t->result.err && t->req.file && t->got != want)
        fail(t, SM_ERR_IO, false, "the answer ends after %llu of %llu bytes",
             (unsigned long long)t->got, (unsigned long long)want);
    t->result.body = t->body ? t->body : "";
}

bool sm_transfer_done(struct sm_transfer *t)
{
    int left, running;
    CURLMsg *msg;
    if (!t->running)
        return false;
    curl_multi_perform(t->multi, &running);
    while ((msg = curl_multi_info_read(t->multi, &left))) {
        if (msg->msg != CURLMSG_DONE || msg->easy_handle != t->easy)
            continue;
        finish(t, msg->data.result);
        sm_transfer_cancel(t);
        return true;
    }
    return false;
}

/* ---- The start ------------------------------------------------------------------------------- */

int sm_transfer_init(struct sm_transfer *t, CURLM *multi, const struct sm_transfer_cfg *cfg)
{
    memset(t, 0, sizeof *t);
    t->cfg = cfg;
    t->multi = multi;
    t->easy = curl_easy_init();
    return t->easy ? 0 : SM_ERR_MEMORY;
}

void sm_transfer_free(struct sm_transfer *t)
{
    sm_transfer_cancel(t);
    curl_easy_cleanup(t->easy);
    free(t->body);
    t->easy = NULL;
    t->body = NULL;
}

void sm_transfer_cancel(struct sm_transfer *t)
{
    if (t->running)
        curl_multi_remove_handle(t->multi, t->easy);
    curl_slist_free_all(t->headers);
    t->headers = NULL;
    t->running = false;
}

static void set_trust(struct sm_transfer *t)
{
    CURL *c = t->easy;
    long tls = (long)CURL_SSLVERSION_TLSv1_3 | (long)CURL_SSLVERSION_MAX_TLSv1_3;
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(c, CURLOPT_SSLVERSION, tls);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
    struct curl_blob ca = {(void *)t->cfg->ca_pem, t->cfg->ca_pem ? strlen(t->cfg->ca_pem) : 0,
                           CURL_BLOB_COPY};
    if (t->cfg->ca_pem)
        curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &ca);
    else
        curl_easy_setopt(c, CURLOPT_CAINFO, t->cfg->ca);
    curl_easy_setopt(c, CURLOPT_CAPATH, NULL); /* the host's own store stays out of it */
    if (t->cfg->pin)
        curl_easy_setopt(c, CURLOPT_PINNEDPUBLICKEY, t->cfg->pin);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_PROXY, ""); /* whatever the environment says */
    curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
}

static void set_limits(struct sm_transfer *t)
{
    CURL *c = t->easy;
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
    curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)t->req.deadline_s);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, (long)t->cfg->min_bytes_per_s);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)t->cfg->stall_s);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
}

static void add_header(struct sm_transfer *t, const char *name, const char *value)
{
    char line[HEADER_BUFFER];
    snprintf(line, sizeof line, "%s: %s", name, value);
    struct curl_slist *headers = curl_slist_append(t->headers, line);
    if (headers)
        t->headers = headers;
}

static void set_request(struct sm_transfer *t)
{
    CURL *c = t->easy;
    char range[48];
    curl_easy_setopt(c, CURLOPT_URL, t->req.url);
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, t->req.method);
    add_header(t, "Authorization", t->cfg->authorization);
    add_header(t, "Accept", t->req.file ? "*/*" : "application/json");
    if (t->req.json) {
        add_header(t, "Content-Type", "application/json");
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, t->req.json);
    }
    if (t->req.bytes) {
        add_header(t, "Content-Type", "application/octet-stream");
        add_header(t, "Expect", ""); /* it is short enough to be sent at once */
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->req.len);
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, t->req.bytes);
    }
    if (t->req.file && t->req.first) {
        snprintf(range, sizeof range, "%llu-", (unsigned long long)t->req.first);
        curl_easy_setopt(c, CURLOPT_RANGE, range);
    }
    if (t->req.file && t->req.etag && t->req.etag[0])
        add_header(t, "If-Match", t->req.etag);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers);
}

void sm_transfer_start(struct sm_transfer *t, const struct sm_transfer_request *req)
{
    sm_transfer_cancel(t);
    memset(&t->result, 0, sizeof t->result);
    t->req = *req;
    t->got = t->skip = t->head = 0;
    t->judged = false;
    t->error[0] = 0;
    curl_easy_reset(t->easy);
    set_trust(t);
    set_limits(t);
    set_request(t);
    curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, take_head);
    curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
    curl_multi_add_handle(t->multi, t->easy);
    t->running = true;
}
