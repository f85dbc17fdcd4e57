/* MQTT-SN over DTLS 1.2: a session with each gateway, over a socket of its own.
 *
 * A session begins with the first datagram for its gateway, which waits for the end of the
 * handshake (of several, the last). One that fails or is closed is thrown away, and the next
 * datagram begins another. Nothing of a gateway that did not prove who it is comes through.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include "sn_socket.h"

#define PEERS SM_SN_LINK_FDS
#define MTU   1280 /* that every IPv6 path has */

#define PSK_CIPHERS                                                                                \
    "ECDHE-PSK-CHACHA20-POLY1305:DHE-PSK-AES128-GCM-SHA256:PSK-AES128-GCM-SHA256:"                 \
    "PSK-CHACHA20-POLY1305:PSK-AES128-CCM:PSK-AES256-GCM-SHA384"
#define CERTIFICATE_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AESCCM"

struct peer {
    struct sm_mqttsn_address address; /* len 0: free */
    int fd;
    SSL *ssl;
    bool ready;
    unsigned unanswered; /* datagrams sent since the last that came */
    size_t waiting_len;
    uint8_t waiting[SM_SN_DATAGRAM];
};

struct dtls {
    struct sm_sn_link link;
    SSL_CTX *ctx;
    char identity[128];
    uint8_t key[64];
    size_t key_len;
    char name[256];
    struct peer peer[PEERS];
    unsigned next; /* to give way */
};

static void drop(struct peer *p)
{
    if (p->ssl)
        SSL_free(p->ssl);
    if (p->address.len && p->fd >= 0)
        close(p->fd);
    memset(p, 0, sizeof *p);
    p->fd = -1;
}

static struct peer *find(struct dtls *d, const struct sm_mqttsn_address *at)
{
    for (unsigned i = 0; i < PEERS; i++)
        if (d->peer[i].address.len && sm_mqttsn_address_same(&d->peer[i].address, at))
            return &d->peer[i];
    return NULL;
}

static bool expect_name(SSL *ssl, const char *name)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    return X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1 || SSL_set1_host(ssl, name) == 1;
}

static bool begin(struct dtls *d, struct peer *p, const struct sm_mqttsn_address *at)
{
    struct sockaddr_in6 to;
    if (!sm_sn_to_socket(at, 0, &to))
        return false;
    p->address = *at;
    int no = 0;
    p->fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (p->fd < 0)
        return false;
    setsockopt(p->fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
    BIO *bio;
    if (connect(p->fd, (struct sockaddr *)&to, sizeof to) < 0 || !(p->ssl = SSL_new(d->ctx)) ||
        !(bio = BIO_new_dgram(p->fd, BIO_NOCLOSE)))
        return false;
    BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &to);
    SSL_set_bio(p->ssl, bio, bio);
    SSL_set_app_data(p->ssl, d);
    SSL_set_options(p->ssl, SSL_OP_NO_QUERY_MTU);
    DTLS_set_link_mtu(p->ssl, MTU);
    SSL_set_connect_state(p->ssl);
    return !*d->name || expect_name(p->ssl, d->name);
}

static struct peer *make(struct dtls *d, const struct sm_mqttsn_address *at)
{
    struct peer *p = NULL;
    for (unsigned i = 0; i < PEERS && !p; i++)
        if (!d->peer[i].address.len)
            p = &d->peer[i];
    if (!p)
        p = &d->peer[d->next++ % PEERS];
    drop(p);
    if (begin(d, p, at))
        return p;
    drop(p);
    return NULL;
}

/* Whether a result of OpenSSL means that the session goes on. */
static bool goes_on(struct peer *p, int result)
{
    int why = SSL_get_error(p->ssl, result);
    ERR_clear_error();
    /* An error of the socket is one of a datagram sent before: nobody listens there, now. */
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ||
           (why == SSL_ERROR_SYSCALL && (errno == ECONNREFUSED || errno == EAGAIN));
}

static bool shake_hands(struct peer *p)
{
    if (p->ready)
        return true;
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(p->ssl);
    if (result != 1) {
        if (!goes_on(p, result))
            drop(p);
        return false;
    }
    p->ready = true;
    if (p->waiting_len)
        SSL_write(p->ssl, p->waiting, (int)p->waiting_len);
    p->waiting_len = 0;
    return true;
}

static void send_dtls(struct sm_sn_link *l, const uint8_t *bytes, size_t len,
                      const struct sm_mqttsn_address *to)
{
    struct dtls *d = (struct dtls *)l;
    if (to->len == 0 || len > SM_SN_DATAGRAM) /* to all there is no session */
        return;
    struct sm_mqttsn_packet message;
    struct peer *p = find(d, to);
    bool connects =
        sm_mqttsn_decode(&message, bytes, len) == 0 && message.type == SM_MQTTSN_CONNECT;
    if (p && p->ready && p->unanswered && connects) {
        drop(p);
        p = NULL;
    }
    if (!p && !(p = make(d, to)))
        return;
    p->unanswered++;
    if (!p->ready) {
        memcpy(p->waiting, bytes, len);
        p->waiting_len = len;
        shake_hands(p);
        return;
    }
    ERR_clear_error();
    errno = 0;
    int result = SSL_write(p->ssl, bytes, (int)len);
    if (result <= 0 && !goes_on(p, result))
        drop(p);
}

static size_t receive_dtls(struct sm_sn_link *l, uint8_t *bytes, size_t size,
                           struct sm_mqttsn_address *from, uint64_t now_ms)
{
    (void)now_ms;
    struct dtls *d = (struct dtls *)l;
    for (unsigned i = 0; i < PEERS; i++) {
        struct peer *p = &d->peer[i];
        if (!p->address.len)
            continue;
        DTLSv1_handle_timeout(p->ssl);
        if (!shake_hands(p))
            continue;
        ERR_clear_error();
        errno = 0;
        int n = SSL_read(p->ssl, bytes, (int)size);
        if (n > 0) {
            p->unanswered = 0;
            *from = p->address;
            return (size_t)n;
        }
        if (!goes_on(p, n))
            drop(p);
    }
    return 0;
}

static unsigned fds_dtls(const struct sm_sn_link *l, struct pollfd *fds)
{
    const struct dtls *d = (const struct dtls *)l;
    unsigned n = 0;
    for (unsigned i = 0; i < PEERS; i++)
        if (d->peer[i].address.len)
            fds[n++] = (struct pollfd){.fd = d->peer[i].fd, .events = POLLIN};
    return n;
}

static int timeout_dtls(const struct sm_sn_link *l)
{
    const struct dtls *d = (const struct dtls *)l;
    int least = -1;
    for (unsigned i = 0; i < PEERS; i++) {
        struct timeval left;
        if (!d->peer[i].address.len || !DTLSv1_get_timeout(d->peer[i].ssl, &left))
            continue;
        int ms = (int)(left.tv_sec * 1000 + (left.tv_usec + 999) / 1000);
        if (least < 0 || ms < least)
            least = ms;
    }
    return least;
}

static void close_dtls(struct sm_sn_link *l)
{
    struct dtls *d = (struct dtls *)l;
    for (unsigned i = 0; i < PEERS; i++) {
        if (d->peer[i].ready)
            SSL_shutdown(d->peer[i].ssl);
        drop(&d->peer[i]);
    }
    SSL_CTX_free(d->ctx);
    OPENSSL_cleanse(d->key, sizeof d->key);
    free(d);
}

static const struct sm_sn_link_kind kind = {.send = send_dtls,
                                            .receive = receive_dtls,
                                            .fds = fds_dtls,
                                            .timeout_ms = timeout_dtls,
                                            .close = close_dtls};

static unsigned give_key(SSL *ssl, const char *hint, char *identity, unsigned identity_size,
                         unsigned char *key, unsigned key_size)
{
    (void)hint;
    const struct dtls *d = SSL_get_app_data(ssl);
    if (strlen(d->identity) >= identity_size || d->key_len > key_size)
        return 0;
    strcpy(identity, d->identity);
    memcpy(key, d->key, d->key_len);
    return (unsigned)d->key_len;
}

static int fail(struct dtls *d, int err, struct sm_file_why *why, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    snprintf(why->text, sizeof why->text, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
    ERR_clear_error();
    close_dtls(&d->link);
    return err;
}

static int use_key(struct dtls *d, const struct sm_sn_dtls *how, struct sm_file_why *why)
{
    if (how->key_len < 16 || how->key_len > sizeof d->key ||
        strlen(how->identity) >= sizeof d->identity)
        return fail(d, SM_ERR_ARG, why,
                    "a shared key has 16 to 64 bytes, and an identity 1 to 127");
    strcpy(d->identity, how->identity);
    memcpy(d->key, how->key, how->key_len);
    d->key_len = how->key_len;
    SSL_CTX_set_psk_client_callback(d->ctx, give_key);
    return SSL_CTX_set_cipher_list(d->ctx, PSK_CIPHERS) == 1
               ? 0
               : fail(d, SM_ERR_IO, why, "no cipher for shared keys");
}

static int use_certificates(struct dtls *d, const struct sm_sn_dtls *how, struct sm_file_why *why)
{
    if (!how->ca || !how->name || !*how->name || strlen(how->name) >= sizeof d->name)
        return fail(d, SM_ERR_ARG, why,
                    "DTLS needs a shared key, or certificates and the gateway's name");
    strcpy(d->name, how->name);
    SSL_CTX_set_verify(d->ctx, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_set_cipher_list(d->ctx, CERTIFICATE_CIPHERS) != 1)
        return fail(d, SM_ERR_IO, why, "no cipher for certificates");
    if (SSL_CTX_load_verify_locations(d->ctx, how->ca, NULL) != 1)
        return fail(d, SM_ERR_INVALID, why, how->ca);
    if (how->certificate && SSL_CTX_use_certificate_chain_file(d->ctx, how->certificate) != 1)
        return fail(d, SM_ERR_INVALID, why, how->certificate);
    if (how->certificate &&
        (!how->private_key ||
         SSL_CTX_use_PrivateKey_file(d->ctx, how->private_key, SSL_FILETYPE_PEM) != 1 ||
         SSL_CTX_check_private_key(d->ctx) != 1))
        return fail(d, SM_ERR_INVALID, why,
                    how->private_key ? how->private_key : "a certificate needs its private key");
    return 0;
}

int sm_sn_link_dtls(const struct sm_sn_dtls *how, struct sm_sn_link **out, struct sm_file_why *why)
{
    struct dtls *d = calloc(1, sizeof *d);
    if (!d) {
        snprintf(why->text, sizeof why->text, "no memory");
        return SM_ERR_IO;
    }
    d->link.kind = &kind;
    for (unsigned i = 0; i < PEERS; i++)
        d->peer[i].fd = -1;
    d->ctx = SSL_CTX_new(DTLS_client_method());
    if (!d->ctx || SSL_CTX_set_min_proto_version(d->ctx, DTLS1_2_VERSION) != 1)
        return fail(d, SM_ERR_IO, why, "no DTLS 1.2");
    int err = how->identity ? use_key(d, how, why) : use_certificates(d, how, why);
    if (!err)
        *out = &d->link;
    return err;
}
