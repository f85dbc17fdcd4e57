/* Links of a POSIX host: UDP and a multicast group on the loopback interface, a serial line over a
 * pseudo terminal, DTLS against a server of OpenSSL's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <termios.h>
#include <unistd.h>
#include <sandmote/mqttsn_frame.h>
#include <posix/sn_link.h>
#include <posix/system.h>

static uint64_t now_ms(void)
{
    return sm_posix_clock.now_ms(sm_posix_clock.ctx);
}

/* Wait up to two seconds for a datagram. */
static size_t receive(struct sm_sn_link *l, uint8_t *bytes, size_t size,
                      struct sm_mqttsn_address *from)
{
    uint64_t until = now_ms() + 2000;
    size_t n;
    while ((n = sm_sn_receive(l, bytes, size, from, now_ms())) == 0 && now_ms() < until)
        sm_sn_wait(l, 50);
    return n;
}

static void addresses_are_read_and_shown(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"127.0.0.1", "127.0.0.1:1883"}, {"::1", "[::1]:1883"}};
    struct sm_file_why why;
    struct sm_mqttsn_address a;
    char text[SM_SN_ADDRESS_TEXT];
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(sm_sn_address(cases[i][0], 1883, &a, &why), 0);
        assert_string_equal(sm_sn_address_text(&a, text), cases[i][1]);
    }
    assert_int_equal(sm_sn_address("no such host.invalid", 1, &a, &why), SM_ERR_NOT_FOUND);
    assert_true(strlen(why.text) > 0);
}

static struct sm_sn_link *udp(const struct sm_sn_udp *how)
{
    struct sm_file_why why;
    struct sm_sn_link *l = NULL;
    if (sm_sn_link_udp(how, &l, &why) != 0)
        print_message("%s\n", why.text);
    return l;
}

static void datagrams_go_there_and_back_over_both_protocols(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "::1"};
    struct sm_sn_link *a = udp(&(struct sm_sn_udp){0}), *b = udp(&(struct sm_sn_udp){0});
    assert_non_null(a);
    assert_non_null(b);
    for (size_t i = 0; i < 2; i++) {
        struct sm_mqttsn_address to, from;
        struct sm_file_why why;
        uint8_t in[16];
        assert_int_equal(sm_sn_address(hosts[i], sm_sn_udp_port(b), &to, &why), 0);
        sm_sn_send(a, (const uint8_t *)"\2\x16", 2, &to);
        assert_int_equal(receive(b, in, sizeof in, &from), 2);
        sm_sn_send(b, (const uint8_t *)"\2\x17", 2, &from);
        assert_int_equal(receive(a, in, sizeof in, &from), 2);
        assert_memory_equal(in, "\2\x17", 2);
        assert_true(sm_mqttsn_address_same(&from, &to));
    }
    sm_sn_close(a);
    sm_sn_close(b);
}

/* Both sides on one interface, each in the group. */
static void search_in(const char *group, const char *interface)
{
    const struct sm_sn_udp how = {.group = group, .group_port = 31883, .interface = interface};
    struct sm_sn_link *client = udp(&how), *gateway = udp(&how);
    struct sm_mqttsn_address all = {0}, from, answer;
    uint8_t in[16];
    if (!client || !gateway) {
        print_message("no multicast here\n");
        sm_sn_close(client);
        sm_sn_close(gateway);
        return;
    }
    sm_sn_send(client, (const uint8_t *)"\3\1\1", 3, &all);
    assert_int_equal(receive(gateway, in, sizeof in, &from), 3);
    assert_memory_equal(in, "\3\1\1", 3);
    sm_sn_send(gateway, (const uint8_t *)"\3\2\7", 3, &from);
    do /* the client hears itself, too */
        assert_int_equal(receive(client, in, sizeof in, &answer), 3);
    while (in[1] != 2);
    sm_sn_close(client);
    sm_sn_close(gateway);
}

static bool ipv6_multicast(char name[IF_NAMESIZE])
{
    struct ifaddrs *all = NULL;
    bool found = false;
    const unsigned wanted = IFF_UP | IFF_RUNNING | IFF_MULTICAST;
    if (getifaddrs(&all) != 0)
        return false;
    for (struct ifaddrs *i = all; i && !found; i = i->ifa_next) {
        found = i->ifa_addr && i->ifa_addr->sa_family == AF_INET6 &&
                (i->ifa_flags & wanted) == wanted && !(i->ifa_flags & IFF_LOOPBACK);
        if (found)
            snprintf(name, IF_NAMESIZE, "%s", i->ifa_name);
    }
    freeifaddrs(all);
    return found;
}

static void a_search_reaches_a_multicast_group(void **state)
{
    (void)state;
    char interface[IF_NAMESIZE];
    search_in("239.255.31.83", "lo");
    if (ipv6_multicast(interface)) /* never the loopback interface */
        search_in("ff02::3183", interface);
    else
        print_message("no interface with IPv6 multicast here\n");
}

static void a_group_does_not_take_what_is_for_a_gateway_on_the_same_port(void **state)
{
    (void)state;
    const struct sm_sn_udp how = {.group = "239.255.31.83", .group_port = 31884, .interface = "lo"};
    struct sockaddr_in6 own = {.sin6_family = AF_INET6, .sin6_port = htons(31884)};
    int gateway = socket(AF_INET6, SOCK_DGRAM, 0), yes = 1;
    struct timeval most = {.tv_sec = 2};
    struct sm_mqttsn_address to;
    struct sm_file_why why;
    uint8_t in[16];
    setsockopt(gateway, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    setsockopt(gateway, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    assert_int_equal(bind(gateway, (struct sockaddr *)&own, sizeof own), 0);
    struct sm_sn_link *client = udp(&how);
    if (client) {
        assert_int_equal(sm_sn_address("127.0.0.1", 31884, &to, &why), 0);
        sm_sn_send(client, (const uint8_t *)"\2\x16", 2, &to);
        assert_int_equal(recv(gateway, in, sizeof in, 0), 2);
    }
    sm_sn_close(client);
    close(gateway);
}

static void a_serial_line_carries_frames_and_survives_noise(void **state)
{
    (void)state;
    int other = posix_openpt(O_RDWR | O_NOCTTY);
    struct sm_sn_link *l = NULL;
    struct sm_file_why why;
    struct sm_mqttsn_address from;
    uint8_t line[64], in[64];
    assert_true(other >= 0 && grantpt(other) == 0 && unlockpt(other) == 0);
    if (sm_sn_link_serial(ptsname(other), 115200, false, &l, &why) != 0)
        fail_msg("%s", why.text);
    assert_int_equal(write(other, "noise", 5), 5);
    int n = sm_mqttsn_frame((const uint8_t *)"\2\x17", 2, line, sizeof line);
    assert_int_equal(write(other, line, (size_t)n), n);
    assert_int_equal(receive(l, in, sizeof in, &from), 2);
    assert_memory_equal(in, "\2\x17", 2);
    assert_int_equal(from.len, 1);
    sm_sn_send(l, (const uint8_t *)"\2\x16", 2, &from);
    assert_int_equal(read(other, line, sizeof line),
                     sm_mqttsn_frame((const uint8_t *)"\2\x16", 2, in, sizeof in));
    assert_memory_equal(line, in, 7);
    sm_sn_close(l);
    close(other);
    assert_int_equal(sm_sn_link_serial("/dev/no-such-line", 115200, false, &l, &why),
                     SM_ERR_NOT_FOUND);
}

/* ---- DTLS: a server that sends everything back ---- */

static const uint8_t psk[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static unsigned server_key(SSL *ssl, const char *identity, unsigned char *key, unsigned size)
{
    (void)ssl;
    if (strcmp(identity, "pot") || size < sizeof psk)
        return 0;
    memcpy(key, psk, sizeof psk);
    return sizeof psk;
}

struct server {
    int fd;
    bool known;
    SSL_CTX *ctx;
    SSL *ssl;
    uint16_t port; /* 0: any */
    struct sm_mqttsn_address at;
};

static void server_begin(struct server *s)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(s->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    struct sm_file_why why;
    s->known = false;
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&at, sizeof at), 0);
    getsockname(s->fd, (struct sockaddr *)&at, &len);
    s->port = ntohs(at.sin_port);
    assert_int_equal(sm_sn_address("127.0.0.1", s->port, &s->at, &why), 0);
    s->ssl = SSL_new(s->ctx);
    BIO *bio = BIO_new_dgram(s->fd, BIO_NOCLOSE);
    SSL_set_bio(s->ssl, bio, bio);
    SSL_set_options(s->ssl, SSL_OP_NO_QUERY_MTU);
    DTLS_set_link_mtu(s->ssl, 1280);
    SSL_set_accept_state(s->ssl);
}

static void server_step(struct server *s)
{
    uint8_t bytes[256];
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    if (!s->known &&
        recvfrom(s->fd, bytes, sizeof bytes, MSG_PEEK, (struct sockaddr *)&from, &len) > 0) {
        assert_int_equal(connect(s->fd, (struct sockaddr *)&from, len), 0);
        BIO_ctrl(SSL_get_rbio(s->ssl), BIO_CTRL_DGRAM_SET_CONNECTED, 0, &from);
        s->known = true;
    }
    if (!s->known)
        return;
    int n = SSL_read(s->ssl, bytes, sizeof bytes);
    if (n > 0)
        SSL_write(s->ssl, bytes, n);
}

static void server_end(struct server *s)
{
    SSL_free(s->ssl);
    SSL_CTX_free(s->ctx);
    close(s->fd);
}

/* Send a datagram and see whether it comes back within some rounds. */
static bool comes_back(struct server *s, struct sm_sn_link *l, const void *bytes, size_t len)
{
    struct sm_mqttsn_address from;
    uint8_t in[64];
    size_t n = 0;
    sm_sn_send(l, bytes, len, &s->at);
    for (int i = 0; i < 60 && n == 0; i++) {
        server_step(s);
        n = sm_sn_receive(l, in, sizeof in, &from, now_ms());
        sm_sn_wait(l, 5);
    }
    return n == len && !memcmp(in, bytes, len) && sm_mqttsn_address_same(&from, &s->at);
}

static bool echoes(struct server *s, const struct sm_sn_dtls *how)
{
    struct sm_sn_link *l = NULL;
    struct sm_file_why why;
    server_begin(s);
    if (sm_sn_link_dtls(how, &l, &why) != 0)
        fail_msg("%s", why.text);
    bool good = comes_back(s, l, "\2\x16", 2);
    sm_sn_close(l);
    server_end(s);
    return good;
}

static struct server psk_server(void)
{
    struct server s = {.ctx = SSL_CTX_new(DTLS_server_method())};
    SSL_CTX_set_psk_server_callback(s.ctx, server_key);
    return s;
}

static void dtls_with_a_shared_key_and_not_with_another(void **state)
{
    (void)state;
    struct server s = psk_server();
    struct sm_sn_dtls how = {.identity = "pot", .key = psk, .key_len = sizeof psk};
    assert_true(echoes(&s, &how));
    uint8_t wrong[16] = {0};
    s = psk_server();
    how.key = wrong;
    assert_false(echoes(&s, &how));
}

static void dtls_begins_anew_when_a_gateway_has_lost_its_session(void **state)
{
    (void)state;
    struct server s = psk_server();
    struct sm_sn_link *l = NULL;
    struct sm_file_why why;
    const struct sm_sn_dtls how = {.identity = "pot", .key = psk, .key_len = sizeof psk};
    server_begin(&s);
    assert_int_equal(sm_sn_link_dtls(&how, &l, &why), 0);
    assert_true(comes_back(&s, l, "\2\x16", 2));
    assert_true(comes_back(&s, l,
                           "\7\4\0\1\0\x1e"
                           "a",
                           7)); /* CONNECT; the session is a good one */
    uint16_t port = s.port;
    server_end(&s);
    s = psk_server();
    s.port = port;
    server_begin(&s);
    assert_false(comes_back(&s, l, "\2\x16", 2));
    server_end(&s); /* it answered to the old socket only; another one for the new */
    s = psk_server();
    s.port = port;
    server_begin(&s);
    assert_true(comes_back(&s, l,
                           "\7\4\0\1\0\x1e"
                           "a",
                           7));
    sm_sn_close(l);
    server_end(&s);
}

/* A certificate for `name`, signed by itself, and its key; into files in folder. */
static EVP_PKEY *certificate(const char *folder, const char *name, X509 **out)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    char path[256], alternative[128];
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const uint8_t *)name,
                               -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_set_pubkey(x, key);
    snprintf(alternative, sizeof alternative, "DNS:%s", name);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alternative);
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    snprintf(path, sizeof path, "%s/%s.pem", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    PEM_write_X509(file, x);
    fclose(file);
    *out = x;
    return key;
}

static void dtls_with_certificates_only_of_the_right_name_and_signer(void **state)
{
    (void)state;
    char folder[] = "/tmp/sn-links-XXXXXX", good[256], other[256];
    assert_non_null(mkdtemp(folder));
    X509 *x, *y;
    EVP_PKEY *key = certificate(folder, "gateway1", &x),
             *another = certificate(folder, "gateway2", &y);
    snprintf(good, sizeof good, "%s/gateway1.pem", folder);
    snprintf(other, sizeof other, "%s/gateway2.pem", folder);
    const struct {
        const char *ca, *name;
        bool echoes;
    } cases[] = {{good, "gateway1", true}, {good, "gateway2", false}, {other, "gateway1", false}};
    for (size_t i = 0; i < 3; i++) {
        struct server s = {.ctx = SSL_CTX_new(DTLS_server_method())};
        assert_int_equal(SSL_CTX_use_certificate(s.ctx, x), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(s.ctx, key), 1);
        assert_int_equal(echoes(&s, &(struct sm_sn_dtls){.ca = cases[i].ca, .name = cases[i].name}),
                         cases[i].echoes);
    }
    unlink(good);
    unlink(other);
    rmdir(folder);
    X509_free(x);
    X509_free(y);
    EVP_PKEY_free(key);
    EVP_PKEY_free(another);
}

static void dtls_without_means_to_know_the_gateway_is_refused(void **state)
{
    (void)state;
    static const struct sm_sn_dtls bad[] = {{0},
                                            {.ca = "/etc/hostname"},
                                            {.name = "gateway1"},
                                            {.identity = "pot", .key = psk, .key_len = 8}};
    struct sm_sn_link *l = NULL;
    struct sm_file_why why;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(sm_sn_link_dtls(&bad[i], &l, &why), SM_ERR_ARG);
    assert_int_equal(sm_sn_link_dtls(&(struct sm_sn_dtls){.ca = "/no/such", .name = "x"}, &l, &why),
                     SM_ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_and_shown),
        cmocka_unit_test(datagrams_go_there_and_back_over_both_protocols),
        cmocka_unit_test(a_search_reaches_a_multicast_group),
        cmocka_unit_test(a_group_does_not_take_what_is_for_a_gateway_on_the_same_port),
        cmocka_unit_test(a_serial_line_carries_frames_and_survives_noise),
        cmocka_unit_test(dtls_with_a_shared_key_and_not_with_another),
        cmocka_unit_test(dtls_begins_anew_when_a_gateway_has_lost_its_session),
        cmocka_unit_test(dtls_with_certificates_only_of_the_right_name_and_signer),
        cmocka_unit_test(dtls_without_means_to_know_the_gateway_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
