/* A server that misbehaves. SPDX-License-Identifier: Apache-2.0 */
#include "hostile.h"

#include <microhttpd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define DEVICE "/default/controller/v1/dev-1"

/* ---- Bodies that are made while they are sent ------------------------------------------------ */

struct stream {
    const uint8_t *bytes;
    size_t len;
    uint64_t first, end; /* of the file */
    enum misdeed misdeed;
};

static ssize_t feed(void *cls, uint64_t pos, char *buf, size_t max)
{
    const struct stream *s = cls;
    uint64_t at = s->first + pos;
    if (s->misdeed == TRICKLE && at >= s->len / 2) {
        usleep(100000);
        max = 1;
    }
    if (s->misdeed == SEND_ENDLESSLY) {
        memset(buf, 'x', max);
        return (ssize_t)max;
    }
    if (at >= s->end)
        return s->misdeed == CUT_HALF_WAY || s->misdeed == ANNOUNCE_MORE
                   ? MHD_CONTENT_READER_END_WITH_ERROR
                   : MHD_CONTENT_READER_END_OF_STREAM;
    size_t n = s->end - at < max ? (size_t)(s->end - at) : max;
    memcpy(buf, s->bytes + at, n);
    if (s->misdeed == FLIP_A_BIT && at <= 100 && at + n > 100)
        buf[100 - at] ^= 1;
    return (ssize_t)n;
}

static struct MHD_Response *stream(const uint8_t *bytes, size_t len, uint64_t first,
                                   enum misdeed misdeed)
{
    struct stream *s = malloc(sizeof *s);
    *s = (struct stream){bytes, len, first, len, misdeed};
    uint64_t size = len - first;
    if (misdeed == CUT_HALF_WAY)
        s->end = first + (len - first) / 2;
    if (misdeed == ANNOUNCE_MORE)
        size++;
    if (misdeed == ANNOUNCE_LESS)
        s->end = first + --size;
    if (misdeed == SEND_ENDLESSLY)
        size = MHD_SIZE_UNKNOWN;
    return MHD_create_response_from_callback(size, 4096, feed, s, free);
}

static enum MHD_Result send_response(struct MHD_Connection *c, unsigned status,
                                     struct MHD_Response *r)
{
    enum MHD_Result ok = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return ok;
}

static enum MHD_Result send_text(struct MHD_Connection *c, unsigned status, const char *text)
{
    return send_response(
        c, status,
        MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY));
}

/* The misdeeds that need no body; MHD_NO when it is not one of them. */
static enum MHD_Result refuse(const struct hostile *h, struct MHD_Connection *c,
                              enum misdeed misdeed)
{
    char url[160];
    struct MHD_Response *r = MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
    if (misdeed == REDIRECT) {
        snprintf(url, sizeof url, "%s/elsewhere", h->url);
        MHD_add_response_header(r, "Location", url);
        return send_response(c, 302, r);
    }
    if (misdeed == NOT_FOUND)
        return send_response(c, 404, r);
    if (misdeed == BUSY) {
        MHD_add_response_header(r, "Retry-After", "2");
        return send_response(c, 503, r);
    }
    MHD_destroy_response(r);
    return MHD_NO;
}

/* ---- Resources ------------------------------------------------------------------------------- */

static enum MHD_Result send_base(struct hostile *h, struct MHD_Connection *c)
{
    char text[1024];
    if (refuse(h, c, h->base_misdeed) == MHD_YES)
        return MHD_YES;
    if (h->base)
        return send_text(c, 200, h->base);
    int n = snprintf(text, sizeof text,
                     "{\"config\":{\"polling\":{\"sleep\":\"00:00:01\"}},\"_links\":{"
                     "\"configData\":{\"href\":\"%s" DEVICE "/configData\"}",
                     h->url);
    if (!h->no_events)
        n += snprintf(text + n, sizeof text - (size_t)n,
                      ",\"events\":{\"href\":\"%s" DEVICE "/events\"}", h->url);
    if (!h->no_deployment && !strstr(h->feedback, "closed"))
        n += snprintf(text + n, sizeof text - (size_t)n,
                      ",\"deploymentBase\":{\"href\":\"%s" DEVICE "/deploymentBase/7?c=1\"}",
                      h->url);
    snprintf(text + n, sizeof text - (size_t)n, "}}");
    return send_text(c, 200, text);
}

static enum MHD_Result send_deployment(struct hostile *h, struct MHD_Connection *c)
{
    char text[4096], signature[512] = "", native[1024] = "";
    if (h->deployment)
        return send_text(c, 200, h->deployment);
    if (!h->unsigned_)
        snprintf(signature, sizeof signature,
                 ",{\"filename\":\"app.wasm.sig\",\"size\":64,\"hashes\":{},"
                 "\"_links\":{\"download\":{\"href\":\"%s/signature\"}}}",
                 h->url);
    if (h->native.bytes)
        snprintf(native, sizeof native,
                 ",{\"filename\":\"%s.%u.native\",\"size\":%zu,\"hashes\":{},"
                 "\"_links\":{\"download\":{\"href\":\"%s/native\"}}},"
                 "{\"filename\":\"%s.%u.native.sig\",\"size\":%zu,\"hashes\":{},"
                 "\"_links\":{\"download\":{\"href\":\"%s/claim\"}}}",
                 h->module->m.name, h->native.target, h->native.len, h->url, h->module->m.name,
                 h->native.target, h->native.claim_len, h->url);
    snprintf(text, sizeof text,
             "{\"id\":\"7\",\"deployment\":{\"download\":\"forced\",\"update\":\"forced\","
             "\"chunks\":[{\"part\":\"bApp\",\"name\":\"%s\",\"version\":\"%s\",\"artifacts\":["
             "{\"filename\":\"app.wasm\",\"size\":%zu,\"hashes\":{\"sha256\":\"%s\"},"
             "\"_links\":{\"download\":{\"href\":\"%s/module\"}}}%s%s]}]}}",
             h->module->m.name, h->module->m.version, h->module->len, h->module->sha256, h->url,
             signature, native);
    return send_text(c, 200, text);
}

/* What the misdeed comes to for this request: some wait for the second one. */
static enum misdeed misdeed_now(enum misdeed misdeed, int requests)
{
    if (misdeed == CUT_ONCE || misdeed == IGNORE_RANGE || misdeed == WRONG_RANGE)
        return requests == 1 ? CUT_HALF_WAY : misdeed == CUT_ONCE ? NO_MISDEED : misdeed;
    return misdeed;
}

static unsigned long long first_asked(struct MHD_Connection *c)
{
    const char *range = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Range");
    return range ? strtoull(range + strlen("bytes="), NULL, 10) : 0;
}

static enum MHD_Result send_file(const struct hostile *h, struct MHD_Connection *c,
                                 const uint8_t *bytes, size_t len, const char *etag,
                                 enum misdeed misdeed)
{
    unsigned long long first = misdeed == IGNORE_RANGE ? 0 : first_asked(c);
    char text[128];
    if (refuse(h, c, misdeed) == MHD_YES)
        return MHD_YES;
    struct MHD_Response *r = stream(bytes, len, first, misdeed);
    snprintf(text, sizeof text, "\"%s\"", etag);
    MHD_add_response_header(r, "ETag", text);
    snprintf(text, sizeof text, "bytes %llu-%zu/%zu", first + (misdeed == WRONG_RANGE), len - 1,
             len);
    if (first)
        MHD_add_response_header(r, "Content-Range", text);
    return send_response(c, first ? 206 : 200, r);
}

static enum MHD_Result send_module(struct hostile *h, struct MHD_Connection *c)
{
    const char *if_match = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "If-Match");
    h->module_requests++;
    h->last_first = first_asked(c);
    snprintf(h->etag_asked, sizeof h->etag_asked, "%s", if_match ? if_match : "");
    return send_file(h, c, h->module->wasm, h->module->len, h->module->sha256,
                     misdeed_now(h->misdeed, h->module_requests));
}

static enum MHD_Result send_native(struct hostile *h, struct MHD_Connection *c)
{
    struct hostile_native *n = &h->native;
    n->requests++;
    n->last_first = first_asked(c);
    return send_file(h, c, n->bytes, n->len, "native", misdeed_now(n->misdeed, n->requests));
}

static enum MHD_Result send_signature(struct hostile *h, struct MHD_Connection *c)
{
    h->signature_requests++;
    return send_response(c, 200,
                         MHD_create_response_from_buffer(h->signature_len, (void *)h->module->sig,
                                                         MHD_RESPMEM_PERSISTENT));
}

static enum MHD_Result answer(struct hostile *h, struct MHD_Connection *c, const char *url)
{
    if (!strcmp(url, DEVICE)) {
        h->polls++;
        return send_base(h, c);
    }
    if (!strcmp(url, DEVICE "/deploymentBase/7"))
        return send_deployment(h, c);
    if (!strcmp(url, "/module"))
        return send_module(h, c);
    if (!strcmp(url, "/signature"))
        return send_signature(h, c);
    if (!strcmp(url, "/native"))
        return send_native(h, c);
    if (!strcmp(url, "/claim"))
        return send_response(c, 200,
                             MHD_create_response_from_buffer(h->native.claim_len,
                                                             (void *)(uintptr_t)h->native.claim,
                                                             MHD_RESPMEM_PERSISTENT));
    if (!strcmp(url, "/elsewhere"))
        h->elsewhere++;
    return send_text(c, 200, "{}");
}

/* ---- The library's calls --------------------------------------------------------------------- */

static void keep(char *room, const char *data, size_t size)
{
    size_t used = strlen(room);
    snprintf(room + used, TEXT_ROOM - used, "%.*s", (int)size, data);
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **state)
{
    static int seen;
    struct hostile *h = cls;
    (void)method, (void)version;
    if (!*state) {
        *state = &seen;
        return MHD_YES;
    }
    pthread_mutex_lock(&h->lock);
    enum MHD_Result r = MHD_YES;
    if (*size && strstr(url, "/feedback"))
        keep(h->feedback, data, *size);
    else if (*size && strstr(url, "/events"))
        keep(h->events, data, *size);
    else if (!*size)
        r = answer(h, c, url);
    *size = 0;
    pthread_mutex_unlock(&h->lock);
    return r;
}

void hostile_start(struct hostile *h, const struct fleet_fixture *fx, const struct module *module,
                   const char *priorities)
{
    char *cert = fleet_file(fx, "server.pem"), *key = fleet_file(fx, "server.key");
    pthread_mutex_init(&h->lock, NULL);
    h->module = module;
    if (!h->signature_len)
        h->signature_len = 64;
    h->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_TLS, 0, NULL,
        NULL, handle, h, MHD_OPTION_HTTPS_MEM_CERT, cert, MHD_OPTION_HTTPS_MEM_KEY, key,
        MHD_OPTION_HTTPS_PRIORITIES, priorities ? priorities : "NORMAL:-VERS-ALL:+VERS-TLS1.3",
        MHD_OPTION_END);
    if (!h->daemon)
        fail_msg("no server");
    h->port = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    snprintf(h->url, sizeof h->url, "https://127.0.0.1:%u", h->port);
    free(cert);
    free(key);
}

void hostile_stop(struct hostile *h)
{
    MHD_stop_daemon(h->daemon);
    pthread_mutex_destroy(&h->lock);
}

bool hostile_got(struct hostile *h, const char *where, const char *text, int seconds)
{
    for (int i = 0; i <= seconds * 50; i++) {
        pthread_mutex_lock(&h->lock);
        bool got = strstr(where, text) != NULL;
        pthread_mutex_unlock(&h->lock);
        if (got)
            return true;
        usleep(20000);
    }
    return false;
}
