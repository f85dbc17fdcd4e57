/* libmicrohttpd in front of the handlers.
 *
 * The library calls take_request() once with the head of a request, again for every piece of its
 * body, and once more at its end. Route, token and announced size are settled at the head, before a
 * byte of the body is kept. A refused request's body is read away up to DRAIN_MAX, because a client
 * that is still sending may not see an answer that came early; beyond it the connection is cut.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "http.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <posix/file.h>
#include <posix/log.h>
#include <sandmote/crypto.h>

#define JSON_MAX        262144u    /* bytes of a JSON body */
#define MULTIPART_EXTRA 65536u     /* what a multipart body may hold beside the module */
#define SIGNATURE_MAX   4096u      /* kept, so that a wrong size can be named */
#define DRAIN_MAX       (4u << 20) /* bytes of a body that is read away before a refusal */
#define IDLE_SECONDS    30u
#define PEM_MAX         1048576u
#define POST_BUFFER     16384u

struct sm_fleet_http {
    struct sm_fleet *fleet;
    struct MHD_Daemon *daemon;
    uint8_t *certificate, *key; /* PEM texts: the library borrows them */
    size_t key_len;
};

struct buffer {
    uint8_t *at;
    size_t len, room, max;
};

/* One request under way. */
struct exchange {
    struct sm_fleet_http *http;
    struct sm_fleet_request q;
    struct sm_fleet_answer a; /* a.status != 0: settled, the body is only read away */
    struct MHD_PostProcessor *post;
    struct buffer body, module, signature;
    uint64_t received;
    char who[SM_FLEET_NAME_MAX + 1];
    char base_url[320];
    char peer[INET6_ADDRSTRLEN];
};

/* ---- Bodies ---------------------------------------------------------------------------------- */

/* 0, SM_ERR_LIMIT or SM_ERR_MEMORY. */
static int append(struct buffer *b, const void *bytes, size_t len)
{
    if (len > b->max - b->len)
        return SM_ERR_LIMIT;
    if (!b->at || b->room - b->len < len) {
        size_t room = b->room ? b->room : 4096;
        while (room - b->len < len)
            room *= 2;
        uint8_t *at = realloc(b->at, room);
        if (!at)
            return SM_ERR_MEMORY;
        b->at = at;
        b->room = room;
    }
    if (len)
        memcpy(b->at + b->len, bytes, len);
    b->len += len;
    return 0;
}

static void refuse_size(struct exchange *x, int err, const char *what, size_t max)
{
    if (err == SM_ERR_LIMIT)
        sm_fleet_refuse(&x->a, 413, "%s: at most %zu bytes", what, max);
    else if (err)
        sm_fleet_fail(&x->a, err);
}

/* The part of a multipart body beside the signature. */
static const char *file_part(const struct exchange *x)
{
    return x->q.route.op == SM_FLEET_NATIVE_UPLOAD ? "image"
           : x->q.route.op == SM_FLEET_KEYS_UPLOAD ? "keys"
                                                   : "module";
}

/* A piece of one part of a multipart body. */
static enum MHD_Result take_part(void *cls, enum MHD_ValueKind kind, const char *key,
                                 const char *filename, const char *content_type,
                                 const char *transfer_encoding, const char *data, uint64_t off,
                                 size_t size)
{
    struct exchange *x = cls;
    (void)kind, (void)filename, (void)content_type, (void)transfer_encoding;
    if (x->a.status)
        return MHD_YES;
    if (!key) {
        sm_fleet_refuse(&x->a, 400, "a part without a name");
        return MHD_YES;
    }
    struct buffer *b = !strcmp(key, file_part(x))  ? &x->module
                       : !strcmp(key, "signature") ? &x->signature
                                                   : NULL;
    if (!b)
        sm_fleet_refuse(&x->a, 400, "%.64s: unknown part; there are %s and signature", key,
                        file_part(x));
    else if (off != b->len)
        sm_fleet_refuse(&x->a, 400, "%s: is there twice", key);
    else
        refuse_size(x, append(b, data, size), key, b->max);
    return MHD_YES;
}

static void take_body(struct exchange *x, const char *data, size_t size)
{
    switch (x->q.route.body) {
    case SM_FLEET_NO_BODY: sm_fleet_refuse(&x->a, 400, "this request takes no body"); return;
    case SM_FLEET_BYTES:
    case SM_FLEET_JSON: refuse_size(x, append(&x->body, data, size), "body", x->body.max); return;
    case SM_FLEET_MULTIPART:
        if (MHD_post_process(x->post, data, size) != MHD_YES && !x->a.status)
            sm_fleet_refuse(&x->a, 400, "the body is not well-formed multipart/form-data");
        return;
    }
}

/* ---- The head of a request ------------------------------------------------------------------- */

static const char *header(struct MHD_Connection *c, const char *name)
{
    return MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
}

static const char *query(struct MHD_Connection *c, const char *name)
{
    return MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, name);
}

/* The token of an Authorization header with that scheme, or "". */
static const char *token_of(struct MHD_Connection *c, const char *scheme)
{
    const char *value = header(c, "Authorization");
    size_t n = strlen(scheme);
    if (!value || strncasecmp(value, scheme, n) != 0 || value[n] != ' ')
        return "";
    return value + n + 1;
}

/* Every operator is compared with, in constant time, so that time tells nothing of tokens. */
static const char *find_operator(const struct sm_fleet_config *cfg, const char *token)
{
    uint8_t hash[SM_SHA256_SIZE];
    const char *name = NULL;
    sm_sha256(token, strlen(token), hash);
    for (size_t i = 0; i < cfg->operator_count; i++)
        if (sm_ct_equal(hash, cfg->operators[i].token_sha256, sizeof hash))
            name = cfg->operators[i].name;
    return name;
}

/* An unknown device is compared with too (with zeros, which no token hashes to), and answered as
 * one with a wrong token is. */
static bool check_device(struct exchange *x, const char *token)
{
    uint8_t hash[SM_SHA256_SIZE], want[SM_SHA256_SIZE];
    struct sm_fleet *f = x->http->fleet;
    int err = sm_fleet_db_device_token(&f->db, x->q.route.name, want);
    if (err && err != SM_ERR_NOT_FOUND) {
        sm_fleet_fail(&x->a, err);
        return false;
    }
    sm_sha256(token, strlen(token), hash);
    return sm_ct_equal(hash, want, sizeof hash) && !err;
}

static void authenticate(struct exchange *x, struct MHD_Connection *c)
{
    struct sm_fleet *f = x->http->fleet;
    if (x->q.route.auth == SM_FLEET_OPERATOR) {
        const char *name = find_operator(&f->cfg, token_of(c, "Bearer"));
        snprintf(x->who, sizeof x->who, "%s", name ? name : "");
    } else {
        bool good = check_device(x, token_of(c, "TargetToken"));
        snprintf(x->who, sizeof x->who, "%s", good ? x->q.route.name : "");
        int err = good ? sm_fleet_db_device_seen(&f->db, x->who, sm_time_now_ms()) : 0;
        if (err)
            sm_fleet_fail(&x->a, err);
    }
    x->q.who = x->who;
    if (!x->who[0] && !x->a.status)
        sm_fleet_refuse(&x->a, 401, "Authorization: no such token");
}

/* What links begin with: the configured URL, or how the client reached us. */
static void set_base_url(struct exchange *x, struct MHD_Connection *c)
{
    const char *url = x->http->fleet->cfg.public_url;
    const char *host = header(c, "Host");
    x->q.base_url = url ? url : x->base_url;
    if (url || x->a.status)
        return;
    size_t n = host ? strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789.-:[]")
                    : 0;
    if (n == 0 || n > 255 || host[n]) {
        sm_fleet_refuse(&x->a, 400, "Host: must be there and name a host");
        return;
    }
    snprintf(x->base_url, sizeof x->base_url, "https://%s", host);
}

/* Gets ready for the body that the route takes, or settles the answer. */
static void expect_body(struct exchange *x, struct MHD_Connection *c)
{
    const struct sm_fleet_config *cfg = &x->http->fleet->cfg;
    const char *text = header(c, "Content-Length");
    const char *type = header(c, "Content-Type");
    uint64_t length = 0, most = 0;
    x->body.max = x->q.route.body == SM_FLEET_BYTES ? SM_FLEET_POSTMORTEM_MAX : JSON_MAX;
    x->module.max = (size_t)cfg->max_module_bytes;
    x->signature.max = SIGNATURE_MAX;
    if (x->q.route.body == SM_FLEET_JSON || x->q.route.body == SM_FLEET_BYTES)
        most = x->body.max;
    if (x->q.route.body == SM_FLEET_MULTIPART)
        most = cfg->max_module_bytes + MULTIPART_EXTRA;
    if (text && (sm_fleet_number(text, &length) < 0 || length > most)) {
        sm_fleet_refuse(&x->a, 413, "body: at most %llu bytes", (unsigned long long)most);
        return;
    }
    if (x->q.route.body != SM_FLEET_MULTIPART)
        return;
    if (type && !strncasecmp(type, "multipart/form-data", 19))
        x->post = MHD_create_post_processor(c, POST_BUFFER, take_part, x);
    if (!x->post)
        sm_fleet_refuse(&x->a, 415, "Content-Type: must be multipart/form-data with a boundary");
}

static void set_peer(struct exchange *x, struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *sa = info ? info->client_addr : NULL;
    if (sa && sa->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)sa)->sin_addr, x->peer, sizeof x->peer);
    else if (sa && sa->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)sa)->sin6_addr, x->peer, sizeof x->peer);
}

static void take_head(struct exchange *x, struct MHD_Connection *c, const char *method,
                      const char *url)
{
    int err = sm_fleet_route(method, url, &x->q.route);
    set_peer(x, c);
    x->q.who = "";
    if (err == SM_ERR_DENIED)
        sm_fleet_refuse(&x->a, 405, "%.16s: not for this resource", method);
    else if (err || (x->q.route.auth == SM_FLEET_DEVICE_AUTH &&
                     strcmp(x->q.route.tenant, x->http->fleet->cfg.tenant) != 0))
        sm_fleet_refuse(&x->a, 404, "no such resource");
    if (!x->a.status)
        authenticate(x, c);
    set_base_url(x, c);
    if (!x->a.status)
        expect_body(x, c);
}

/* ---- Answers --------------------------------------------------------------------------------- */

static struct MHD_Response *body_of(struct sm_fleet_answer *a)
{
    if (a->json) {
        char *text = json_dumps(a->json, JSON_COMPACT);
        if (!text)
            return NULL;
        return MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    }
    if (a->bytes)
        return MHD_create_response_from_buffer((size_t)a->len, a->bytes + a->first,
                                               MHD_RESPMEM_MUST_COPY);
    if (a->file >= 0) {
        int fd = a->file;
        a->file = -1; /* the response closes it */
        return MHD_create_response_from_fd_at_offset64(a->len, fd, a->first);
    }
    return MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
}

static void set_headers(struct MHD_Response *r, const struct sm_fleet_answer *a,
                        const struct exchange *x)
{
    char range[80];
    MHD_add_response_header(r, "Content-Type",
                            a->json ? "application/json" : "application/octet-stream");
    MHD_add_response_header(r, "Cache-Control", a->etag[0] ? "private, immutable" : "no-store");
    if (a->etag[0]) {
        MHD_add_response_header(r, "ETag", a->etag);
        MHD_add_response_header(r, "Accept-Ranges", "bytes");
    }
    if (a->status == 206) {
        snprintf(range, sizeof range, "bytes %llu-%llu/%llu", (unsigned long long)a->first,
                 (unsigned long long)(a->first + a->len - 1), (unsigned long long)a->size);
        MHD_add_response_header(r, "Content-Range", range);
    } else if (a->status == 416) {
        snprintf(range, sizeof range, "bytes */%llu", (unsigned long long)a->size);
        MHD_add_response_header(r, "Content-Range", range);
    } else if (a->status == 401) {
        bool device = x->q.route.auth == SM_FLEET_DEVICE_AUTH;
        MHD_add_response_header(r, "WWW-Authenticate", device ? "TargetToken" : "Bearer");
    } else if (a->status == 503) {
        MHD_add_response_header(r, "Retry-After", "1");
    }
}

static enum MHD_Result answer(struct exchange *x, struct MHD_Connection *c, const char *method,
                              const char *url)
{
    struct sm_fleet_answer *a = &x->a;
    if (a->status >= 400)
        sm_log(a->status >= 500 ? SM_LOG_ERROR : SM_LOG_WARN, "%s %s %.16s %.200s: %u, %s", x->peer,
               x->who[0] ? x->who : "-", method, url, a->status,
               a->json ? json_string_value(json_object_get(a->json, "error")) : "");
    struct MHD_Response *r = body_of(a);
    if (!r)
        return MHD_NO;
    set_headers(r, a, x);
    enum MHD_Result queued = MHD_queue_response(c, a->status, r);
    MHD_destroy_response(r);
    return queued;
}

/* The request is complete: hand it to its handler. */
static void handle(struct exchange *x, struct MHD_Connection *c)
{
    struct sm_fleet_request *q = &x->q;
    q->range = header(c, "Range");
    q->if_range = header(c, "If-Range");
    q->if_match = header(c, "If-Match");
    q->if_none_match = header(c, "If-None-Match");
    q->query_device = query(c, "device");
    q->query_after = query(c, "after");
    q->query_limit = query(c, "limit");
    q->body = (struct sm_bytes){x->body.at, x->body.len};
    q->module = (struct sm_bytes){x->module.at, x->module.len};
    q->signature = (struct sm_bytes){x->signature.at, x->signature.len};
    sm_fleet_handle(x->http->fleet, q, &x->a);
}

/* ---- The library's calls --------------------------------------------------------------------- */

static struct exchange *new_exchange(struct sm_fleet_http *h)
{
    struct exchange *x = calloc(1, sizeof *x);
    if (x) {
        x->http = h;
        sm_fleet_answer_init(&x->a);
    }
    return x;
}

/* A body that is announced to be too long to read away. */
static bool too_long_to_drain(struct MHD_Connection *c)
{
    const char *text = header(c, "Content-Length");
    uint64_t length = 0;
    return text && (sm_fleet_number(text, &length) < 0 || length > DRAIN_MAX);
}

static enum MHD_Result take_request(void *cls, struct MHD_Connection *c, const char *url,
                                    const char *method, const char *version, const char *data,
                                    size_t *size, void **state)
{
    struct exchange *x = *state;
    (void)version;
    if (!x) {
        x = *state = new_exchange(cls);
        if (!x)
            return MHD_NO;
        take_head(x, c, method, url);
        return x->a.status && too_long_to_drain(c) ? answer(x, c, method, url) : MHD_YES;
    }
    if (*size) {
        x->received += *size;
        if (!x->a.status)
            take_body(x, data, *size);
        if (x->a.status && x->received > DRAIN_MAX)
            return MHD_NO;
        *size = 0;
        return MHD_YES;
    }
    if (x->post && MHD_destroy_post_processor(x->post) != MHD_YES && !x->a.status)
        sm_fleet_refuse(&x->a, 400, "the body is not well-formed multipart/form-data");
    x->post = NULL;
    if (!x->a.status)
        handle(x, c);
    return answer(x, c, method, url);
}

static void end_request(void *cls, struct MHD_Connection *c, void **state,
                        enum MHD_RequestTerminationCode code)
{
    struct exchange *x = *state;
    (void)cls, (void)c, (void)code;
    if (!x)
        return;
    if (x->post)
        MHD_destroy_post_processor(x->post);
    sm_fleet_answer_free(&x->a);
    free(x->body.at);
    free(x->module.at);
    free(x->signature.at);
    free(x);
    *state = NULL;
}

static void library_says(void *cls, const char *format, va_list args)
{
    char text[256];
    (void)cls;
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = 0;
    sm_log(SM_LOG_WARN, "connection: %s", text);
}

/* ---- Start and stop -------------------------------------------------------------------------- */

static int load_pem(const char *path, uint8_t **text, size_t *len)
{
    struct sm_file_why why;
    int err = sm_file_read(path, PEM_MAX, text, len, &why);
    if (err)
        sm_log(SM_LOG_ERROR, "%s", why.text);
    return err;
}

/* The configured numeric address: its length, or 0. */
static socklen_t set_address(const struct sm_fleet_config *cfg, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, cfg->address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)cfg->port);
        return sizeof *v4;
    }
    if (inet_pton(AF_INET6, cfg->address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)cfg->port);
        return sizeof *v6;
    }
    sm_log(SM_LOG_ERROR, "address: %s is not a numeric address", cfg->address);
    return 0;
}

static struct MHD_Daemon *start_daemon(struct sm_fleet_http *h)
{
    const struct sm_fleet_config *cfg = &h->fleet->cfg;
    struct sockaddr_storage address;
    if (!set_address(cfg, &address))
        return NULL;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TLS | MHD_USE_ERROR_LOG;
    if (address.ss_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    /* The logger comes first: it is told about the options after it. */
    return MHD_start_daemon(
        flags, 0, NULL, NULL, take_request, h, MHD_OPTION_EXTERNAL_LOGGER, library_says, NULL,
        MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address, MHD_OPTION_HTTPS_MEM_CERT,
        (const char *)h->certificate, MHD_OPTION_HTTPS_MEM_KEY, (const char *)h->key,
        MHD_OPTION_HTTPS_PRIORITIES, "NORMAL:-VERS-ALL:+VERS-TLS1.3", MHD_OPTION_NOTIFY_COMPLETED,
        end_request, NULL, MHD_OPTION_CONNECTION_LIMIT, (unsigned)cfg->max_connections,
        MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_END);
}

struct sm_fleet_http *sm_fleet_http_start(struct sm_fleet *f)
{
    struct sm_fleet_http *h = calloc(1, sizeof *h);
    size_t ignored;
    if (!h)
        return NULL;
    h->fleet = f;
    if (!load_pem(f->cfg.certificate, &h->certificate, &ignored) &&
        !load_pem(f->cfg.key, &h->key, &h->key_len))
        h->daemon = start_daemon(h);
    if (h->daemon)
        return h;
    sm_log(SM_LOG_ERROR, "cannot listen on %s port %llu with %s", f->cfg.address,
           (unsigned long long)f->cfg.port, f->cfg.certificate);
    sm_fleet_http_stop(h);
    return NULL;
}

unsigned sm_fleet_http_port(const struct sm_fleet_http *h)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}

void sm_fleet_http_stop(struct sm_fleet_http *h)
{
    if (h->daemon)
        MHD_stop_daemon(h->daemon);
    if (h->key)
        sm_wipe(h->key, h->key_len);
    free(h->key);
    free(h->certificate);
    free(h);
}
