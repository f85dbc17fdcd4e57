/* A real server for the tests. SPDX-License-Identifier: Apache-2.0 */
#include "fleet_fixture.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fcntl.h>
#include <cmocka.h>
#include <curl/curl.h>
#include <posix/file.h>
#include <posix/json_read.h>
#include <sandmote/crypto.h>

#define START_TRIES 200
#define TRY_MS      25
#define FILE_ROOM   (1u << 20)

/* ---- Files and processes --------------------------------------------------------------------- */

static void path_of(const struct fleet_fixture *fx, const char *name, char out[256])
{
    snprintf(out, 256, "%s/%s", fx->dir, name);
}

void fleet_write(const struct fleet_fixture *fx, const char *name, const void *bytes, size_t len)
{
    char path[256];
    struct sm_file_why why;
    path_of(fx, name, path);
    if (sm_file_write(path, bytes, len, 0600, &why) < 0)
        fail_msg("%s", why.text);
}

/* Logs are read while they are written, so the file may grow meanwhile. */
char *fleet_file(const struct fleet_fixture *fx, const char *name)
{
    char path[256], *text = calloc(1, FILE_ROOM);
    path_of(fx, name, path);
    FILE *f = fopen(path, "r");
    if (!f || !text)
        fail_msg("%s cannot be read", path);
    text[fread(text, 1, FILE_ROOM - 1, f)] = 0;
    fclose(f);
    return text;
}

int fleet_shell(const struct fleet_fixture *fx, const char *command)
{
    char line[2048];
    snprintf(line, sizeof line,
             "DIR=%s URL=%s FLEET=%s SANDMOTED=%s SANDMOTE=%s; (%s) >$DIR/out 2>&1", fx->dir,
             fx->url, SANDMOTE_FLEET, SANDMOTED, SANDMOTE, command);
    int r = system(line);
    return WIFEXITED(r) ? WEXITSTATUS(r) : 128 + WTERMSIG(r);
}

static void make_keys(struct fleet_fixture *fx)
{
    char private[256], public[256];
    struct sm_keys_why why;
    if (sm_keys_generate(&fx->signer, &why) < 0 || sm_keys_generate(&fx->stranger, &why) < 0 ||
        sm_keys_generate(&fx->builder, &why) < 0)
        fail_msg("%s", why.text);
    path_of(fx, "signer.pem", private);
    path_of(fx, "signer.pub.pem", public);
    if (sm_keys_save(&fx->signer, private, public, &why) < 0)
        fail_msg("%s", why.text);
    path_of(fx, "builder.pem", private);
    path_of(fx, "builder.pub.pem", public);
    if (sm_keys_save(&fx->builder, private, public, &why) < 0)
        fail_msg("%s", why.text);
}

static void write_config(struct fleet_fixture *fx)
{
    uint8_t hash[SM_SHA256_SIZE];
    char hex[65], text[1024];
    sm_sha256(OPERATOR_TOKEN, strlen(OPERATOR_TOKEN), hash);
    sm_hex_encode(hash, sizeof hash, hex);
    int n = snprintf(text, sizeof text,
                     "{\"port\": 0, \"certificate\": \"server.pem\", \"key\": \"server.key\","
                     " \"data\": \"data\", \"poll_seconds\": 3725, \"max_module_bytes\": %u,"
                     " \"signers\": [{\"fleet\": \"plant-7\", \"key\": \"signer.pub.pem\"}],"
                     " \"builders\": [{\"fleet\": \"plant-7\", \"key\": \"builder.pub.pem\"}],"
                     " \"operators\": [{\"name\": \"operator1\", \"token_sha256\": \"%s\"}]}",
                     MAX_MODULE_BYTES, hex);
    fleet_write(fx, "fleet.json", text, (size_t)n);
    fleet_write(fx, "token", OPERATOR_TOKEN "\n", strlen(OPERATOR_TOKEN) + 1);
}

void fleet_behind_broker(const struct fleet_fixture *fx, unsigned port, const char *more,
                         unsigned poll_s)
{
    char changed[2048], *text = fleet_file(fx, "fleet.json");
    char *poll = strstr(text, "3725"), *end = strrchr(text, '}');
    *poll = *end = 0;
    int n = snprintf(changed, sizeof changed,
                     "%s%u%s, \"mqtt\": {\"host\": \"127.0.0.1\", \"port\": %u%s}}", text, poll_s,
                     poll + 4, port, more);
    fleet_write(fx, "fleet.json", changed, (size_t)n);
    free(text);
}

/* The port that the server says it listens on, from its log; 0 when it does not say. */
static unsigned wait_for_port(struct fleet_fixture *fx)
{
    for (int i = 0; i < START_TRIES; i++) {
        usleep(TRY_MS * 1000);
        char *log = fleet_file(fx, "log");
        char *at = strstr(log, "listening on https://127.0.0.1:");
        unsigned port = at ? (unsigned)strtoul(at + 31, NULL, 10) : 0;
        free(log);
        if (port)
            return port;
        if (waitpid(fx->server, NULL, WNOHANG) == fx->server)
            return 0;
    }
    return 0;
}

void fleet_start(struct fleet_fixture *fx)
{
    char config[256], log[256];
    path_of(fx, "fleet.json", config);
    path_of(fx, "log", log);
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    fx->server = fork();
    if (fx->server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* whatever ends the test, nothing is left running */
        dup2(fd, STDERR_FILENO);
        execl(SANDMOTE_FLEET, "sandmote-fleet", "serve", "--config", config, (char *)NULL);
        _exit(127);
    }
    close(fd);
    unsigned port = wait_for_port(fx);
    if (!port) {
        char *text = fleet_file(fx, "log");
        fail_msg("the server did not start: %s", text);
    }
    snprintf(fx->url, sizeof fx->url, "https://127.0.0.1:%u", port);
}

int fleet_stop(struct fleet_fixture *fx, int sig)
{
    int status = 0;
    kill(fx->server, sig);
    waitpid(fx->server, &status, 0);
    fx->server = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void fleet_prepare(struct fleet_fixture *fx)
{
    memset(fx, 0, sizeof *fx);
    snprintf(fx->dir, sizeof fx->dir, "/tmp/sandmote-fleet-XXXXXX");
    if (!mkdtemp(fx->dir))
        fail_msg("no temporary folder");
    if (fleet_shell(fx, "sh " SANDMOTE_SOURCE "/demo/certificates.sh $DIR") != 0)
        fail_msg("certificates.sh failed");
    make_keys(fx);
    write_config(fx);
}

void fleet_setup(struct fleet_fixture *fx)
{
    fleet_prepare(fx);
    fleet_start(fx);
}

void fleet_teardown(struct fleet_fixture *fx)
{
    if (fx->server)
        fleet_stop(fx, SIGKILL);
    sm_keys_free(&fx->signer);
    sm_keys_free(&fx->builder);
    sm_keys_free(&fx->stranger);
    char line[128];
    snprintf(line, sizeof line, "rm -rf %s", fx->dir);
    if (system(line) != 0)
        fail_msg("%s is left behind", fx->dir);
}

/* ---- Requests -------------------------------------------------------------------------------- */

static size_t take_body(char *data, size_t size, size_t n, void *ctx)
{
    struct reply *r = ctx;
    r->body = realloc(r->body, r->len + size * n + 1);
    memcpy(r->body + r->len, data, size * n);
    r->len += size * n;
    r->body[r->len] = 0;
    return size * n;
}

static size_t take_header(char *data, size_t size, size_t n, void *ctx)
{
    struct reply *r = ctx;
    size_t used = strlen(r->headers);
    snprintf(r->headers + used, sizeof r->headers - used, "%.*s", (int)(size * n), data);
    return size * n;
}

static curl_mime *make_mime(CURL *c, const struct call *call)
{
    curl_mime *mime = curl_mime_init(c);
    curl_mimepart *part = curl_mime_addpart(mime);
    curl_mime_name(part, call->part ? call->part : "module");
    curl_mime_data(part, call->module, call->module_len);
    if (call->sig) {
        part = curl_mime_addpart(mime);
        curl_mime_name(part, "signature");
        curl_mime_data(part, call->sig, call->sig_len);
    }
    return mime;
}

static struct curl_slist *make_headers(const struct call *call)
{
    char text[256];
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    if (call->as == AS_OPERATOR)
        snprintf(text, sizeof text, "Authorization: Bearer %s",
                 call->token ? call->token : OPERATOR_TOKEN);
    else
        snprintf(text, sizeof text, "Authorization: TargetToken %s",
                 call->token ? call->token : DEVICE_TOKEN);
    if (call->as != NOBODY)
        headers = curl_slist_append(headers, text);
    if (call->body)
        headers = curl_slist_append(headers, "Content-Type: application/json");
    if (call->chunked)
        headers = curl_slist_append(headers, "Transfer-Encoding: chunked");
    return call->header ? curl_slist_append(headers, call->header) : headers;
}

struct reply fleet_call(const struct fleet_fixture *fx, const struct call *call)
{
    struct reply r = {0};
    char url[512], ca[256];
    CURL *c = curl_easy_init();
    struct curl_slist *headers = make_headers(call);
    curl_mime *mime = call->module ? make_mime(c, call) : NULL;
    snprintf(url, sizeof url, "%s%s", fx->url, call->path);
    path_of(fx, "ca.pem", ca);
    long tls = call->tls ? call->tls : CURL_SSLVERSION_TLSv1_3;
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_CAINFO, ca);
    curl_easy_setopt(c, CURLOPT_SSLVERSION, tls);
    curl_easy_setopt(c, CURLOPT_TIMEOUT, 20L);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, &r);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, &r);
    if (call->body)
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, call->body);
    if (mime)
        curl_easy_setopt(c, CURLOPT_MIMEPOST, mime);
    if (!strcmp(call->method, "HEAD"))
        curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, call->method);
    curl_easy_perform(c);
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &r.status);
    curl_easy_cleanup(c);
    curl_mime_free(mime);
    curl_slist_free_all(headers);
    r.json = r.body ? json_loadb(r.body, r.len, 0, NULL) : NULL;
    return r;
}

void reply_free(struct reply *r)
{
    json_decref(r->json);
    free(r->body);
    memset(r, 0, sizeof *r);
}

static struct reply checked(const struct fleet_fixture *fx, const struct call *call, long status)
{
    struct reply r = fleet_call(fx, call);
    if (r.status != status)
        fail_msg("%s %s: %ld instead of %ld: %s", call->method, call->path, r.status, status,
                 r.body ? r.body : "");
    return r;
}

struct reply get_as(const struct fleet_fixture *fx, enum as as, const char *path, long status)
{
    return checked(fx, &(struct call){.method = "GET", .path = path, .as = as}, status);
}

struct reply send_as(const struct fleet_fixture *fx, enum as as, const char *method,
                     const char *path, const char *body, long status)
{
    return checked(fx, &(struct call){.method = method, .path = path, .as = as, .body = body},
                   status);
}

/* ---- Modules --------------------------------------------------------------------------------- */

void module_sign(const struct sm_keys_private *key, struct module *m)
{
    struct sm_keys_why why;
    uint8_t hash[SM_SHA256_SIZE];
    assert_int_equal(sm_keys_sign(key, m->wasm, m->len, m->sig, &why), 0);
    sm_sha256(m->wasm, m->len, hash);
    sm_hex_encode(hash, sizeof hash, m->sha256);
}

void module_pack(struct module *out, const uint8_t *raw, size_t len)
{
    struct sm_manifest_detail detail;
    int64_t n = sm_manifest_pack(&out->m, raw, len, out->wasm, sizeof out->wasm, &detail);
    if (n < 0)
        fail_msg("no module: %s", detail.rule);
    out->len = (size_t)n;
}

void module_make(const struct fleet_fixture *fx, struct module *out, const char *name,
                 const char *version, uint64_t sequence, size_t padding)
{
    uint8_t raw[6144] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    size_t len = 8;
    sm_manifest_defaults(&out->m);
    strcpy(out->m.fleet, "plant-7");
    strcpy(out->m.name, name);
    strcpy(out->m.version, version);
    out->m.sequence = sequence;
    out->m.classes = 1u << SM_CLASS_MCU | 1u << SM_CLASS_EDGE;
    out->m.memory_bytes = 65536;
    out->m.stack_bytes = 4096;
    if (padding) { /* a custom section "p": id, length in two bytes, name, padding */
        size_t n = padding + 2;
        raw[len++] = 0;
        raw[len++] = (uint8_t)(n & 0x7f) | 0x80;
        raw[len++] = (uint8_t)(n >> 7);
        raw[len++] = 1;
        raw[len++] = 'p';
        for (size_t i = 0; i < padding; i++)
            raw[len++] = (uint8_t)(i * 31 + sequence);
    }
    module_pack(out, raw, len);
    module_sign(&fx->signer, out);
}

struct reply module_upload(const struct fleet_fixture *fx, const struct module *m, long status)
{
    return checked(fx,
                   &(struct call){.method = "POST",
                                  .path = "/api/v1/modules",
                                  .as = AS_OPERATOR,
                                  .module = m->wasm,
                                  .module_len = m->len,
                                  .sig = m->sig,
                                  .sig_len = sizeof m->sig},
                   status);
}

/* ---- Answers, channels, devices ---------------------------------------------------------------
 */

const json_t *json_at(const json_t *json, const char *path)
{
    char key[64];
    while (*path) {
        size_t n = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)n, path);
        json = json_is_array(json) ? json_array_get(json, (size_t)atoi(key))
                                   : json_object_get(json, key);
        path += n + (path[n] == '.');
    }
    return json;
}

void assert_json_text(const json_t *json, const char *path, const char *want)
{
    const char *text = json_string_value(json_at(json, path));
    if (!text || strcmp(text, want) != 0) {
        char *all = json_dumps(json, JSON_INDENT(1));
        fail_msg("%s is %s instead of %s in %s", path, text ? text : "nothing", want, all);
    }
}

void assert_error(const struct reply *r, const char *part)
{
    const char *text = json_string_value(json_object_get(r->json, "error"));
    if (!text || !strstr(text, part))
        fail_msg("the answer names no \"%s\": %s", part, r->body ? r->body : "nothing");
}

const char *fleet_href(const struct fleet_fixture *fx, const json_t *json, const char *path)
{
    const char *url = json_string_value(json_at(json, path));
    if (!url || strncmp(url, fx->url, strlen(fx->url)) != 0)
        fail_msg("%s is no link to this server: %s", path, url ? url : "nothing");
    return url + strlen(fx->url);
}

void fleet_expect_action(const struct fleet_fixture *fx, const char *device, const char *state,
                         int seconds)
{
    struct reply r = {0};
    char path[128];
    snprintf(path, sizeof path, "/api/v1/devices/%s", device);
    for (int i = 0; i < seconds * 10; i++) {
        reply_free(&r);
        r = get_as(fx, AS_OPERATOR, path, 200);
        const char *is = json_string_value(json_at(r.json, "action.state"));
        if (is && !strcmp(is, state))
            break;
        usleep(100000);
    }
    assert_json_text(r.json, "action.state", state);
    reply_free(&r);
}

void fleet_enrol(const struct fleet_fixture *fx, const char *device, const char *channel)
{
    char path[128], body[256];
    snprintf(path, sizeof path, "/api/v1/devices/%s", device);
    snprintf(body, sizeof body, "{\"channel\":\"%s\",\"token\":\"" DEVICE_TOKEN "\"}", channel);
    struct reply r = send_as(fx, AS_OPERATOR, "PUT", path, body, 201);
    reply_free(&r);
}

json_int_t fleet_assign(const struct fleet_fixture *fx, const char *channel, const struct module *a,
                        const struct module *b)
{
    char path[128], body[256];
    snprintf(path, sizeof path, "/api/v1/channels/%s", channel);
    snprintf(body, sizeof body, "{\"modules\":[\"%s\"%s%s%s]}", a->sha256, b ? ",\"" : "",
             b ? b->sha256 : "", b ? "\"" : "");
    struct reply r = send_as(fx, AS_OPERATOR, "PUT", path, body, 200);
    json_int_t n = json_integer_value(json_object_get(r.json, "actions"));
    reply_free(&r);
    return n;
}

void fleet_expect_event(const struct fleet_fixture *fx, const char *event, const char *module,
                        const char *part)
{
    for (int i = 0; i < 200; i++) {
        struct reply r = get_as(fx, AS_OPERATOR, "/api/v1/events", 200);
        bool found = false;
        size_t k;
        json_t *e;
        json_array_foreach(json_at(r.json, "events"), k, e)
        {
            found = found || (!strcmp(json_string_value(json_at(e, "event")), event) &&
                              !strcmp(json_string_value(json_at(e, "module")), module) &&
                              strstr(json_string_value(json_at(e, "detail")), part));
        }
        reply_free(&r);
        if (found)
            return;
        usleep(50000);
    }
    fail_msg("no event %s of %s: %s", event, module, part);
}
