/* One request of an operator to the server. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <curl/curl.h>
#include <openssl/rand.h>
#include <posix/file.h>
#include <posix/json_read.h>
#include <sandmote/crypto.h>

#include "fleet_cli.h"

#define ANSWER_MAX (64u << 20)
#define TOKEN_MAX  256u

struct answer {
    char *at;
    size_t len;
};

static size_t take(char *data, size_t size, size_t n, void *ctx)
{
    struct answer *a = ctx;
    size_t len = size * n;
    if (len > ANSWER_MAX - a->len)
        return 0;
    char *at = realloc(a->at, a->len + len + 1);
    if (!at)
        return 0;
    memcpy(at + a->len, data, len);
    a->at = at;
    a->len += len;
    at[a->len] = 0;
    return len;
}

static void add_part(curl_mime *mime, const char *name, const void *bytes, size_t len)
{
    curl_mimepart *part = curl_mime_addpart(mime);
    curl_mime_name(part, name);
    curl_mime_filename(part, name);
    curl_mime_data(part, bytes, len);
}

/* The trust anchor is the CA file and nothing else; TLS is 1.3; nobody sends us elsewhere. */
static void set_transport(CURL *c, const struct fleet_options *o)
{
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
    curl_easy_setopt(c, CURLOPT_CAINFO, o->ca);
    curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 15L);
    curl_easy_setopt(c, CURLOPT_TIMEOUT, 120L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
}

/* What is to become of an answer: JSON, or a file's bytes. */
struct wanted {
    json_t **json;
    uint8_t **bytes;
    size_t *len;
};

/* Takes the answer, or says what the server answered when it was no success. */
static int judge(const struct fleet_options *o, long status, struct answer *a,
                 const struct wanted *want)
{
    if (status == 200 && want->bytes && a->at) {
        *want->bytes = (uint8_t *)a->at;
        *want->len = a->len;
        a->at = NULL;
        return FLEET_GOOD;
    }
    struct sm_json_error why;
    json_t *json = sm_json_parse(a->at ? a->at : "", a->len, &why);
    if (status >= 200 && status < 300 && json && want->json) {
        *want->json = json;
        return FLEET_GOOD;
    }
    const char *text = json ? json_string_value(json_object_get(json, "error")) : NULL;
    if (status >= 200 && status < 300)
        fleet_say(0, "%s: its answer is %s", o->server, json ? "no file" : why.text);
    else
        fleet_say(0, "%s (HTTP %ld)", text && sm_json_printable(text) ? text : o->server, status);
    json_decref(json);
    return FLEET_REFUSED;
}

static int perform(CURL *c, const struct fleet_options *o, const struct wanted *want)
{
    char error[CURL_ERROR_SIZE] = "";
    struct answer a = {NULL, 0};
    long status = 0;
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, &a);
    CURLcode r = curl_easy_perform(c);
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    /* A server may refuse before it has read all that we send: its answer is what counts. */
    int code = FLEET_NO_ANSWER;
    if (r == CURLE_OK || (status >= 400 && a.len))
        code = judge(o, status, &a, want);
    else
        fleet_say(0, "%s: %s", o->server, *error ? error : curl_easy_strerror(r));
    free(a.at);
    return code;
}

static int ask(const struct fleet_options *o, const char *method, const char *path,
               const json_t *body, const struct fleet_upload *upload, const struct wanted *want)
{
    char token[TOKEN_MAX], header[TOKEN_MAX + 32], url[1024];
    if (!o->server || !o->ca || !o->token)
        return fleet_say(FLEET_USAGE, "needs --server URL --ca FILE --token-file FILE");
    if (fleet_read_token(o->token, token, sizeof token))
        return FLEET_REFUSED;
    snprintf(header, sizeof header, "Authorization: Bearer %s", token);
    if ((size_t)snprintf(url, sizeof url, "%s%s", o->server, path) >= sizeof url)
        return fleet_say(FLEET_USAGE, "the URL is too long");
    CURL *c = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, header);
    curl_mime *mime = upload ? curl_mime_init(c) : NULL;
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    set_transport(c, o);
    curl_easy_setopt(c, CURLOPT_URL, url);
    if (text) {
        headers = curl_slist_append(headers, "Content-Type: application/json");
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, text);
    }
    if (upload) {
        add_part(mime, upload->part, upload->file, upload->file_len);
        if (upload->signature)
            add_part(mime, "signature", upload->signature, upload->signature_len);
        curl_easy_setopt(c, CURLOPT_MIMEPOST, mime);
    }
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    int code = perform(c, o, want);
    curl_easy_cleanup(c);
    curl_mime_free(mime);
    curl_slist_free_all(headers);
    free(text);
    sm_wipe(token, sizeof token);
    sm_wipe(header, sizeof header);
    return code;
}

int fleet_ask(const struct fleet_options *o, const char *method, const char *path,
              const json_t *body, const struct fleet_upload *upload, json_t **answer)
{
    return ask(o, method, path, body, upload, &(struct wanted){.json = answer});
}

int fleet_fetch(const struct fleet_options *o, const char *path, uint8_t **bytes, size_t *len)
{
    return ask(o, "GET", path, NULL, NULL, &(struct wanted){.bytes = bytes, .len = len});
}

/* ---- Tokens ---------------------------------------------------------------------------------- */

int fleet_read_token(const char *path, char *token, size_t size)
{
    struct sm_file_why why;
    uint8_t *bytes;
    size_t len;
    if (sm_file_read(path, size - 1, &bytes, &len, &why) < 0)
        return fleet_say(FLEET_REFUSED, "%s", why.text);
    memcpy(token, bytes, len + 1);
    sm_wipe(bytes, len);
    free(bytes);
    token[strcspn(token, "\r\n")] = 0;
    if (!token[0] || strchr(token, ' ') || !sm_json_printable(token))
        return fleet_say(FLEET_REFUSED, "%s: must be one line with a token", path);
    return FLEET_GOOD;
}

int fleet_make_token(const char *path, char *sha256_hex)
{
    uint8_t random[32], hash[SM_SHA256_SIZE];
    char text[2 * sizeof random + 2];
    struct sm_file_why why;
    uint8_t *there;
    size_t len;
    if (sm_file_read(path, TOKEN_MAX, &there, &len, &why) != SM_ERR_NOT_FOUND)
        return fleet_say(FLEET_REFUSED, "%s: is there already", path);
    if (RAND_bytes(random, sizeof random) != 1)
        return fleet_say(FLEET_REFUSED, "no random bytes");
    sm_hex_encode(random, sizeof random, text);
    sm_sha256(text, strlen(text), hash);
    sm_hex_encode(hash, sizeof hash, sha256_hex);
    strcat(text, "\n");
    int err = sm_file_write(path, text, strlen(text), 0600, &why);
    sm_wipe(text, sizeof text);
    sm_wipe(random, sizeof random);
    return err ? fleet_say(FLEET_REFUSED, "%s", why.text) : FLEET_GOOD;
}

int fleet_token(const struct fleet_options *o, int argc, char **argv)
{
    char hex[2 * SM_SHA256_SIZE + 1];
    (void)o, (void)argc;
    int code = fleet_make_token(argv[0], hex);
    if (code == FLEET_GOOD)
        printf("%s\n", hex);
    return code;
}
