/* DTLS 1.2 in front of the gateway: pre-shared keys and certificates, and who proved to be whom.
 *
 * Nothing is remembered of an address before it has sent back a cookie (RFC 6347, 4.2.1): all first
 * flights go through one "listener", which answers with a HelloVerifyRequest smaller than what
 * came. When a cookie is right the listener becomes the session, and another takes its place. A
 * ClientHello from an address that has a session goes the same way, for devices lose their memory
 * (4.2.8).
 *
 * Sessions stand in a table by address. OpenSSL reads and writes through a BIO that holds one
 * datagram, so records keep their boundaries.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <posix/file.h>
#include <posix/json_read.h>
#include <posix/log.h>
#include <posix/system.h>

#include "server.h"

#define TABLE        4096u
#define MTU          1400
#define PSK_FILE_MAX (16u << 20)
#define IDENTITY_MAX 255u
#define KEY_MAX      64u
#define HANDSHAKE_MS 30000u
#define SHAKING_MAX  1024u /* handshakes under way; with one more the oldest is given up */
#define RECORD_MAX   16384
#define HANDSHAKE    22 /* content type */
#define CLIENT_HELLO 1
#define HEADER       13 /* of a record; the handshake's type follows */
#define CHECK_MS     250u
#define SWEEPS       8u /* checks, in which the whole table is looked at */

/* CCM with short tags is what constrained devices speak, and OpenSSL offers it at level 0 only; the
 * list is explicit, so that level brings nothing else in. With certificates the level stays. */
#define CIPHERS                                                                                    \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256:"     \
    "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-PSK-CHACHA20-POLY1305:PSK-AES128-GCM-SHA256:"               \
    "PSK-CHACHA20-POLY1305:PSK-AES256-GCM-SHA384:PSK-AES128-CCM"
#define CIPHERS_PSK CIPHERS ":PSK-AES128-CCM8:@SECLEVEL=0"

struct psk {
    char *identity;
    uint8_t key[KEY_MAX];
    size_t len;
};

struct session {
    struct session *next;                     /* in its bucket */
    struct session *shaking, *shaking_before; /* until the handshake is done */
    struct gw_addr addr;
    SSL *ssl;
    char *identity; /* NULL until the handshake is done */
    uint64_t heard_ms, since_ms;
    bool shakes;       /* is among those */
    const uint8_t *in; /* the datagram being read */
    size_t in_len;
    struct dtls *dtls;
};

struct dtls {
    struct server *server;
    SSL_CTX *ctx;
    BIO_METHOD *method;
    struct session *table[TABLE], *shaking, *shaking_last;
    struct session *listener;
    struct psk *psk;
    size_t psk_count, count, shaking_count, sweep;
    uint64_t checked_ms;
    uint8_t secret[32];
    uint32_t seed;
};

/* ---- One datagram as a BIO ------------------------------------------------------------------- */

static int bio_read(BIO *b, char *out, int size)
{
    struct session *n = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    if (!n->in_len) {
        BIO_set_retry_read(b);
        return -1;
    }
    int len = n->in_len < (size_t)size ? (int)n->in_len : size;
    memcpy(out, n->in, (size_t)len);
    n->in_len = 0;
    return len;
}

static int bio_write(BIO *b, const char *bytes, int len)
{
    struct session *n = BIO_get_data(b);
    udp_send(n->dtls->server, &n->addr, (const uint8_t *)bytes, (size_t)len);
    return len;
}

static long bio_ctrl(BIO *b, int what, long value, void *out)
{
    (void)b, (void)value, (void)out;
    switch (what) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU: return MTU;
    case BIO_CTRL_DGRAM_GET_MTU_OVERHEAD: return 48;
    default: return 0;
    }
}

static int bio_create(BIO *b)
{
    BIO_set_init(b, 1);
    return 1;
}

/* ---- Sessions -------------------------------------------------------------------------------- */

static uint32_t bucket(const struct dtls *d, const struct gw_addr *a)
{
    uint32_t h = d->seed;
    const uint8_t *at = (const uint8_t *)a;
    for (size_t i = 0; i < sizeof *a; i++)
        h = (h ^ at[i]) * 16777619u;
    return (h ^ h >> 15) % TABLE;
}

static struct session *find(struct dtls *d, const struct gw_addr *a)
{
    struct session *n = d->table[bucket(d, a)];
    while (n && memcmp(&n->addr, a, sizeof *a) != 0)
        n = n->next;
    return n;
}

static struct session *session_new(struct dtls *d)
{
    struct session *n = calloc(1, sizeof *n);
    BIO *bio = BIO_new(d->method);
    if (!n || !bio || !(n->ssl = SSL_new(d->ctx)))
        abort();
    n->dtls = d;
    BIO_set_data(bio, n);
    SSL_set_bio(n->ssl, bio, bio);
    SSL_set_app_data(n->ssl, n);
    SSL_set_options(n->ssl, SSL_OP_NO_QUERY_MTU);
    DTLS_set_link_mtu(n->ssl, MTU);
    SSL_set_accept_state(n->ssl);
    return n;
}

static void session_free(struct session *n)
{
    SSL_free(n->ssl);
    free(n->identity);
    free(n);
}

static void shaken(struct dtls *d, struct session *n)
{
    if (n->shaking_before)
        n->shaking_before->shaking = n->shaking;
    else if (d->shaking == n)
        d->shaking = n->shaking;
    if (n->shaking)
        n->shaking->shaking_before = n->shaking_before;
    else if (d->shaking_last == n)
        d->shaking_last = n->shaking_before;
    d->shaking_count -= n->shakes;
    n->shakes = false;
    n->shaking = n->shaking_before = NULL;
}

static void drop(struct dtls *d, struct session *n)
{
    struct session **at = &d->table[bucket(d, &n->addr)];
    while (*at != n)
        at = &(*at)->next;
    *at = n->next;
    shaken(d, n);
    d->count--;
    session_free(n);
}

static void adopt(struct dtls *d, struct session *n, uint64_t now_ms)
{
    struct session **at = &d->table[bucket(d, &n->addr)];
    n->next = *at;
    *at = n;
    n->shaking = d->shaking;
    if (d->shaking)
        d->shaking->shaking_before = n;
    else
        d->shaking_last = n;
    d->shaking = n;
    d->shaking_count++;
    n->shakes = true;
    n->since_ms = n->heard_ms = now_ms;
    d->count++;
}

/* ---- Who it is ------------------------------------------------------------------------------- */

/* The identity of the key, or the common name of the certificate. NULL: nothing that can be used.
 */
static char *proven(SSL *ssl)
{
    char text[IDENTITY_MAX + 1];
    const char *identity = SSL_get_psk_identity(ssl);
    X509 *certificate = SSL_get0_peer_certificate(ssl);
    if (certificate) {
        int len = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                            text, sizeof text);
        identity = len > 0 && strlen(text) == (size_t)len ? text : NULL;
    }
    if (!identity || !*identity || strlen(identity) > IDENTITY_MAX || !sm_json_printable(identity))
        return NULL;
    return strdup(identity);
}

static int order(const void *a, const void *b)
{
    return strcmp(((const struct psk *)a)->identity, ((const struct psk *)b)->identity);
}

static unsigned on_psk(SSL *ssl, const char *identity, unsigned char *key, unsigned max)
{
    struct session *n = SSL_get_app_data(ssl);
    struct psk want = {.identity = (char *)identity};
    struct psk *p =
        identity ? bsearch(&want, n->dtls->psk, n->dtls->psk_count, sizeof want, order) : NULL;
    if (!p || p->len > max)
        return 0;
    memcpy(key, p->key, p->len);
    return (unsigned)p->len;
}

static int cookie(SSL *ssl, unsigned char *out, unsigned *len)
{
    struct session *n = SSL_get_app_data(ssl);
    return HMAC(EVP_sha256(), n->dtls->secret, sizeof n->dtls->secret,
                (const unsigned char *)&n->addr, sizeof n->addr, out, len) != NULL;
}

static int cookie_fits(SSL *ssl, const unsigned char *bytes, unsigned len)
{
    unsigned char right[EVP_MAX_MD_SIZE];
    unsigned right_len;
    return cookie(ssl, right, &right_len) && len == right_len &&
           CRYPTO_memcmp(right, bytes, len) == 0;
}

/* ---- Datagrams ------------------------------------------------------------------------------- */

static bool is_hello(const uint8_t *bytes, size_t len)
{
    return len > HEADER && bytes[0] == HANDSHAKE && !bytes[3] && !bytes[4] &&
           bytes[HEADER] == CLIENT_HELLO;
}

/* Whether the session goes on. */
static bool shake(struct dtls *d, struct session *n)
{
    int r = SSL_accept(n->ssl);
    if (r == 1) {
        shaken(d, n);
        n->identity = proven(n->ssl);
        return n->identity != NULL;
    }
    int why = SSL_get_error(n->ssl, r);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

static bool read_records(struct dtls *d, struct session *n)
{
    static uint8_t plain[RECORD_MAX];
    int len;
    while ((len = SSL_read(n->ssl, plain, sizeof plain)) > 0)
        gw_input(d->server->gw, &n->addr, n->identity, plain, (size_t)len, d->server->now_ms);
    return SSL_get_error(n->ssl, len) == SSL_ERROR_WANT_READ;
}

/* A first flight. The listener's address is set for the cookie and for the answer. */
static void greet(struct dtls *d, struct session *old, const struct gw_addr *from,
                  const uint8_t *bytes, size_t len)
{
    struct session *n = d->listener;
    BIO_ADDR *unused = BIO_ADDR_new();
    n->addr = *from;
    n->in = bytes;
    n->in_len = len;
    int r = unused ? DTLSv1_listen(n->ssl, unused) : -1;
    BIO_ADDR_free(unused);
    ERR_clear_error();
    if (r < 1) {
        n->in_len = 0;
        if (r < 0) { /* in no state to go on with */
            session_free(n);
            d->listener = session_new(d);
        }
        return;
    }
    d->listener = session_new(d);
    if (!gw_admit(d->server->gw, from, d->server->now_ms)) {
        session_free(n);
        return;
    }
    if (old)
        drop(d, old);
    if (d->count >= d->server->cfg.gw.max_clients) {
        session_free(n);
        return;
    }
    if (d->shaking_count >= SHAKING_MAX)
        drop(d, d->shaking_last);
    adopt(d, n, d->server->now_ms);
    if (!shake(d, n))
        drop(d, n);
    ERR_clear_error();
}

void dtls_input(struct dtls *d, const struct gw_addr *from, const uint8_t *bytes, size_t len)
{
    struct session *n = find(d, from);
    if (!n || (n->identity && is_hello(bytes, len))) {
        if (is_hello(bytes, len))
            greet(d, n, from, bytes, len);
        return;
    }
    n->in = bytes;
    n->in_len = len;
    n->heard_ms = d->server->now_ms;
    bool good = n->identity || shake(d, n);
    if (good && n->identity)
        good = read_records(d, n);
    n->in_len = 0;
    if (!good)
        drop(d, n);
    ERR_clear_error();
}

void dtls_send(struct dtls *d, const struct gw_addr *to, const uint8_t *bytes, size_t len)
{
    struct session *n = find(d, to);
    if (!n || !n->identity)
        return;
    SSL_write(n->ssl, bytes, (int)len);
    ERR_clear_error();
}

/* ---- Time ------------------------------------------------------------------------------------ */

/* A part of the table each time: sessions in which nobody is connected or asleep any more, or was
 * yet. They cost far more than a client. Whoever is there after all is told, and shakes hands
 * again. */
static void sweep(struct dtls *d, uint64_t now_ms)
{
    uint64_t idle_ms = d->server->cfg.dtls_idle_s * 1000ull;
    for (unsigned i = 0; i < TABLE / SWEEPS; i++) {
        struct session *next;
        for (struct session *n = d->table[d->sweep++ % TABLE]; n; n = next) {
            next = n->next;
            if (!n->identity || now_ms - n->heard_ms < idle_ms ||
                gw_client_at(d->server->gw, &n->addr))
                continue;
            SSL_shutdown(n->ssl);
            drop(d, n);
        }
    }
    ERR_clear_error();
}

void dtls_tick(struct dtls *d)
{
    uint64_t now_ms = d->server->now_ms;
    if (now_ms - d->checked_ms < CHECK_MS)
        return;
    d->checked_ms = now_ms;
    for (struct session *n = d->shaking, *next; n; n = next) {
        next = n->shaking;
        if (now_ms - n->since_ms > HANDSHAKE_MS || DTLSv1_handle_timeout(n->ssl) < 0)
            drop(d, n);
    }
    sweep(d, now_ms);
}

size_t dtls_sessions(const struct dtls *d)
{
    return d->count;
}

/* ---- Start and end --------------------------------------------------------------------------- */

/* A line is an identity, a colon, and the key in lower case hex. */
static bool read_psk_line(struct dtls *d, char *line, unsigned number)
{
    struct psk *p = &d->psk[d->psk_count];
    char *colon = strrchr(line, ':');
    size_t hex = colon ? strlen(colon + 1) : 0;
    if (!*line || *line == '#')
        return true;
    p->len = hex / 2;
    if (colon)
        *colon = 0;
    if (!colon || !*line || strlen(line) > IDENTITY_MAX || hex % 2 || p->len < 16 ||
        p->len > KEY_MAX || sm_hex_decode(colon + 1, p->key, p->len) < 0 ||
        !(p->identity = strdup(line))) {
        sm_log(SM_LOG_ERROR, "%s: line %u: must be IDENTITY:KEY, the key 16 to 64 octets in hex",
               d->server->cfg.psk_file, number);
        return false;
    }
    d->psk_count++;
    return true;
}

static bool read_psk(struct dtls *d)
{
    struct sm_file_why why;
    uint8_t *bytes;
    size_t len, lines = 1;
    unsigned number = 0;
    if (sm_file_read(d->server->cfg.psk_file, PSK_FILE_MAX, &bytes, &len, &why) < 0) {
        sm_log(SM_LOG_ERROR, "%s", why.text);
        return false;
    }
    for (size_t i = 0; i < len; i++)
        lines += bytes[i] == '\n';
    d->psk = calloc(lines, sizeof *d->psk);
    bool good = d->psk != NULL;
    for (char *at = (char *)bytes, *line; good && (line = strsep(&at, "\n"));)
        good = read_psk_line(d, line, ++number);
    OPENSSL_cleanse(bytes, len);
    free(bytes);
    if (good)
        qsort(d->psk, d->psk_count, sizeof *d->psk, order);
    for (size_t i = 1; good && i < d->psk_count; i++) {
        if (strcmp(d->psk[i - 1].identity, d->psk[i].identity) != 0)
            continue;
        sm_log(SM_LOG_ERROR, "%s: %s is there twice", d->server->cfg.psk_file, d->psk[i].identity);
        return false;
    }
    return good;
}

static bool fail(const char *what)
{
    char text[256];
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    sm_log(SM_LOG_ERROR, "DTLS: %s: %s", what, text);
    ERR_clear_error();
    return false;
}

static bool set_up(struct dtls *d)
{
    const struct config *cfg = &d->server->cfg;
    SSL_CTX_set_min_proto_version(d->ctx, DTLS1_2_VERSION);
    SSL_CTX_set_options(d->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                    SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(d->ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(d->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_cookie_generate_cb(d->ctx, cookie);
    SSL_CTX_set_cookie_verify_cb(d->ctx, cookie_fits);
    if (SSL_CTX_set_cipher_list(d->ctx, cfg->certificate[0] ? CIPHERS : CIPHERS_PSK) != 1)
        return fail("ciphers");
    if (cfg->psk_file[0]) {
        if (!read_psk(d))
            return false;
        SSL_CTX_set_psk_server_callback(d->ctx, on_psk);
    }
    if (!cfg->certificate[0])
        return true;
    if (SSL_CTX_use_certificate_chain_file(d->ctx, cfg->certificate) != 1)
        return fail(cfg->certificate);
    if (SSL_CTX_use_PrivateKey_file(d->ctx, cfg->key, SSL_FILETYPE_PEM) != 1)
        return fail(cfg->key);
    if (SSL_CTX_load_verify_locations(d->ctx, cfg->ca, NULL) != 1)
        return fail(cfg->ca);
    SSL_CTX_set_verify(d->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return true;
}

struct dtls *dtls_new(struct server *s)
{
    struct dtls *d = calloc(1, sizeof *d);
    if (!d || sm_posix_entropy.fill(sm_posix_entropy.ctx, d->secret, sizeof d->secret) < 0 ||
        sm_posix_entropy.fill(sm_posix_entropy.ctx, &d->seed, sizeof d->seed) < 0) {
        free(d);
        return NULL;
    }
    d->server = s;
    d->ctx = SSL_CTX_new(DTLS_server_method());
    d->method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagram");
    if (!d->ctx || !d->method || !set_up(d)) {
        dtls_free(d);
        return NULL;
    }
    BIO_meth_set_read(d->method, bio_read);
    BIO_meth_set_write(d->method, bio_write);
    BIO_meth_set_ctrl(d->method, bio_ctrl);
    BIO_meth_set_create(d->method, bio_create);
    d->listener = session_new(d);
    return d;
}

void dtls_free(struct dtls *d)
{
    if (!d)
        return;
    for (unsigned i = 0; i < TABLE; i++)
        while (d->table[i])
            drop(d, d->table[i]);
    if (d->listener)
        session_free(d->listener);
    for (size_t i = 0; i < d->psk_count; i++) {
        OPENSSL_cleanse(d->psk[i].key, sizeof d->psk[i].key);
        free(d->psk[i].identity);
    }
    free(d->psk);
    BIO_meth_free(d->method);
    SSL_CTX_free(d->ctx);
    free(d);
}
