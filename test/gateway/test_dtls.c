/* DTLS in front of the real gateway: who one is decides what one may do.
 *
 * The clients' side of DTLS is the product's own.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include <posix/sn_link.h>

#include "field.h"

#define CONFIG                                                                                     \
    ", \"listen\": [{\"address\": \"127.0.0.1\", \"port\": 0},"                                    \
    " {\"address\": \"127.0.0.1\", \"port\": 0, \"dtls\": true}],"                                 \
    "\"dtls\": {\"psk_file\": \"psk\", \"certificate\": \"gateway.pem\", \"key\": "                \
    "\"gateway.key\", \"ca\": \"ca.pem\"},"                                                        \
    "\"clients\": [{\"identity\": \"*\", \"id\": \"%u\", \"publish\": [\"secure/%u\"],"            \
    " \"subscribe\": [\"secure/%u/#\"]}, {\"id\": \"plain-*\", \"publish\": [\"#\"]}]"

static const char make_certificates[] =
    "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key "
    "-out ca.pem -subj /CN=fleet -days 2 2>/dev/null && "
    "for who in gateway sensor-cert; do openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
    "-nodes -keyout $who.key -out $who.csr -subj /CN=$who 2>/dev/null && "
    "printf 'subjectAltName=IP:127.0.0.1' >ext && "
    "openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext "
    "-out $who.pem 2>/dev/null; done && "
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout stranger.key "
    "-out stranger.pem -subj /CN=sensor-cert -days 2 2>/dev/null";

static const uint8_t right_key[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static const uint8_t wrong_key[16] = {1};

static struct field field;
static struct gateway gateway;
static struct listener listener;

static int setup(void **state)
{
    char line[2048];
    (void)state;
    if (!field_setup(&field))
        return 0;
    snprintf(line, sizeof line, make_certificates, field.dir);
    assert_int_equal(system(line), 0);
    field_write(&field, "psk",
                "# keys\nsensor-1:0102030405060708090a0b0c0d0e0f10\n"
                "sensor-2:0102030405060708090a0b0c0d0e0f10\n");
    field_stop_broker(&field, SIGTERM);
    field.tls_port = field_free_port(SOCK_STREAM);
    field.broker_more = "listener %u 127.0.0.1\nallow_anonymous true\ncafile %s/ca.pem\n"
                        "certfile %s/gateway.pem\nkeyfile %s/gateway.key\n"
                        "require_certificate true\n";
    field.gateway_more = ", \"ca\": \"ca.pem\", \"certificate\": \"sensor-cert.pem\","
                         " \"key\": \"sensor-cert.key\"";
    field_start_broker(&field);
    gateway_start(&gateway, &field, "gateway1", CONFIG);
    listener_open(&listener, &field, "listener");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    listener_close(&listener);
    int status = gateway_stop(&gateway, SIGTERM);
    field_teardown(&field);
    assert_int_equal(status, 0);
    return 0;
}

/* ---- A client behind DTLS -------------------------------------------------------------------- */

struct secure {
    struct sm_sn_link *link;
    struct sm_mqttsn_address to;
    uint16_t keepalive_s;
    uint8_t bytes[2048];
    struct sm_mqttsn_packet p;
};

static void open_as(struct secure *s, const struct sm_sn_dtls *how)
{
    struct sm_file_why why;
    s->keepalive_s = 60;
    if (sm_sn_link_dtls(how, &s->link, &why) < 0 ||
        sm_sn_address("127.0.0.1", (uint16_t)gateway.dtls_port, &s->to, &why) < 0)
        fail_msg("%s", why.text);
}

static void open_psk(struct secure *s, const char *identity, const uint8_t key[16])
{
    open_as(s, &(struct sm_sn_dtls){.identity = identity, .key = key, .key_len = 16});
}

static void secure_send(struct secure *s, const struct sm_mqttsn_packet *p)
{
    uint8_t bytes[512];
    int n = sm_mqttsn_encode(p, bytes, sizeof bytes);
    assert_true(n > 0);
    sm_sn_send(s->link, bytes, (size_t)n, &s->to);
}

/* The next message's type, or -1. */
static int secure_next(struct secure *s, int wait_ms)
{
    struct sm_mqttsn_address from;
    for (int waited = 0; waited < wait_ms; waited += 10) {
        size_t n = sm_sn_receive(s->link, s->bytes, sizeof s->bytes, &from, (uint64_t)waited);
        if (n) {
            assert_int_equal(sm_mqttsn_decode(&s->p, s->bytes, n), 0);
            return s->p.type;
        }
        usleep(10000);
    }
    return -1;
}

/* What DTLS has not carried while it shook hands is sent again. */
static int secure_ask(struct secure *s, const struct sm_mqttsn_packet *p, int tries)
{
    int type = -1;
    for (int i = 0; i < tries && type < 0; i++) {
        secure_send(s, p);
        type = secure_next(s, 400);
    }
    return type;
}

static int secure_connect(struct secure *s, const char *id, int tries)
{
    return secure_ask(s,
                      &(struct sm_mqttsn_packet){.type = SM_MQTTSN_CONNECT,
                                                 .protocol = SM_MQTTSN_PROTOCOL_ID,
                                                 .clean = true,
                                                 .duration_s = s->keepalive_s,
                                                 .data = (const uint8_t *)id,
                                                 .len = (uint16_t)strlen(id)},
                      tries);
}

static void secure_publish(struct secure *s, const char *topic, uint8_t code)
{
    int type = secure_ask(s,
                          &(struct sm_mqttsn_packet){.type = SM_MQTTSN_REGISTER,
                                                     .msg_id = 1,
                                                     .data = (const uint8_t *)topic,
                                                     .len = (uint16_t)strlen(topic)},
                          5);
    assert_int_equal(type, SM_MQTTSN_REGACK);
    assert_int_equal(s->p.code, code);
    if (code)
        return;
    type = secure_ask(s,
                      &(struct sm_mqttsn_packet){.type = SM_MQTTSN_PUBLISH,
                                                 .qos = 1,
                                                 .topic_id = s->p.topic_id,
                                                 .msg_id = 2,
                                                 .data = (const uint8_t *)"sealed",
                                                 .len = 6},
                      5);
    assert_int_equal(type, SM_MQTTSN_PUBACK);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void a_key_opens_what_the_rules_give_its_identity(void **state)
{
    struct secure s;
    (void)state;
    listener_subscribe(&listener, "secure/#", 1);
    open_psk(&s, "sensor-1", right_key);
    assert_int_equal(secure_connect(&s, "sensor-1", 10), SM_MQTTSN_CONNACK);
    assert_int_equal(s.p.code, SM_MQTTSN_ACCEPTED);
    secure_publish(&s, "secure/sensor-2", SM_MQTTSN_NOT_SUPPORTED);
    secure_publish(&s, "secure/sensor-1", SM_MQTTSN_ACCEPTED);
    listener_expect(&listener, "secure/sensor-1", "sealed");
    sm_sn_close(s.link);
}

static void a_wrong_key_opens_nothing(void **state)
{
    struct secure s;
    (void)state;
    open_psk(&s, "sensor-1", wrong_key);
    assert_int_equal(secure_connect(&s, "sensor-1", 3), -1);
    sm_sn_close(s.link);
    open_psk(&s, "nobody", right_key);
    assert_int_equal(secure_connect(&s, "nobody", 3), -1);
    sm_sn_close(s.link);
}

static void an_identity_is_bound_to_its_client_id(void **state)
{
    struct secure s;
    struct sensor plain;
    (void)state;
    open_psk(&s, "sensor-2", right_key);
    assert_int_equal(secure_connect(&s, "sensor-1", 10), SM_MQTTSN_CONNACK);
    assert_int_equal(s.p.code, SM_MQTTSN_NOT_SUPPORTED);
    assert_true(field_log_says(&field, "gateway1.log", "client sensor-1 at 127.0.0.1, port "));
    assert_true(field_log_says(&field, "gateway1.log", ", is refused: no rule fits it; 0 others"));
    sm_sn_close(s.link);
    sensor_open(&plain, &gateway);
    sensor_send(&plain, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_CONNECT,
                                                   .protocol = SM_MQTTSN_PROTOCOL_ID,
                                                   .data = (const uint8_t *)"sensor-1",
                                                   .len = 8});
    assert_int_equal(sensor_expect(&plain, SM_MQTTSN_CONNACK)->code, SM_MQTTSN_NOT_SUPPORTED);
    sensor_close(&plain);
}

static void a_sleeper_comes_back_from_another_port_with_the_same_key(void **state)
{
    struct secure s;
    (void)state;
    open_psk(&s, "sensor-2", right_key);
    assert_int_equal(secure_connect(&s, "sensor-2", 10), SM_MQTTSN_CONNACK);
    assert_int_equal(secure_ask(&s,
                                &(struct sm_mqttsn_packet){.type = SM_MQTTSN_SUBSCRIBE,
                                                           .qos = 1,
                                                           .msg_id = 1,
                                                           .data = (uint8_t *)"secure/sensor-2/#",
                                                           .len = 17},
                                5),
                     SM_MQTTSN_SUBACK);
    assert_int_equal(s.p.code, SM_MQTTSN_ACCEPTED);
    secure_ask(&s, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_DISCONNECT, .duration_s = 60}, 5);
    sm_sn_close(s.link);
    listener_publish(&listener, "secure/sensor-2/x", "for you", 1, false);
    open_psk(&s, "sensor-2", right_key);
    assert_int_equal(secure_ask(&s,
                                &(struct sm_mqttsn_packet){.type = SM_MQTTSN_PINGREQ,
                                                           .data = (uint8_t *)"sensor-2",
                                                           .len = 8},
                                10),
                     SM_MQTTSN_REGISTER);
    assert_int_equal(secure_ask(&s,
                                &(struct sm_mqttsn_packet){.type = SM_MQTTSN_REGACK,
                                                           .topic_id = s.p.topic_id,
                                                           .msg_id = s.p.msg_id},
                                1),
                     SM_MQTTSN_PUBLISH);
    assert_int_equal(s.p.len, strlen("for you"));
    sm_sn_close(s.link);
}

static void a_certificate_s_name_is_its_identity(void **state)
{
    char ca[128], certificate[128], key[128];
    struct secure s;
    (void)state;
    snprintf(ca, sizeof ca, "%s/ca.pem", field.dir);
    snprintf(certificate, sizeof certificate, "%s/sensor-cert.pem", field.dir);
    snprintf(key, sizeof key, "%s/sensor-cert.key", field.dir);
    open_as(&s, &(struct sm_sn_dtls){
                    .ca = ca, .name = "127.0.0.1", .certificate = certificate, .private_key = key});
    assert_int_equal(secure_connect(&s, "sensor-cert", 10), SM_MQTTSN_CONNACK);
    assert_int_equal(s.p.code, SM_MQTTSN_ACCEPTED);
    sm_sn_close(s.link);
    snprintf(certificate, sizeof certificate, "%s/stranger.pem", field.dir);
    snprintf(key, sizeof key, "%s/stranger.key", field.dir);
    open_as(&s, &(struct sm_sn_dtls){
                    .ca = ca, .name = "127.0.0.1", .certificate = certificate, .private_key = key});
    assert_int_equal(secure_connect(&s, "sensor-cert", 3), -1);
    sm_sn_close(s.link);
}

/* ---- TLS to the broker ----------------------------------------------------------------------- */

static void the_broker_is_spoken_to_over_tls_when_it_is_who_it_should_be(void **state)
{
    struct gateway tls;
    struct sensor s;
    (void)state;
    gateway_start(&tls, &field, "gateway-tls", NULL);
    listener_subscribe(&listener, "over/tls", 2);
    sensor_open(&s, &tls);
    sensor_connect(&s, "tls-1", true, 60);
    sensor_publish(&s, sensor_register(&s, "over/tls"), 2, "sealed twice");
    listener_expect(&listener, "over/tls", "sealed twice");
    sensor_close(&s);
    assert_int_equal(gateway_stop(&tls, SIGTERM), 0);
}

static void a_broker_with_another_name_or_authority_is_not_spoken_to(void **state)
{
    static const char *const wrong[] = {", \"ca\": \"stranger.pem\"",
                                        ", \"ca\": \"ca.pem\", \"name\": \"broker.example\""};
    char text[512];
    (void)state;
    for (int i = 0; i < 2; i++) {
        snprintf(text, sizeof text,
                 "{\"name\": \"wrong\", \"broker\": {\"host\": \"127.0.0.1\", \"port\": %u%s},"
                 "\"listen\": [{\"address\": \"127.0.0.1\", \"port\": 0}],"
                 "\"clients\": [{\"id\": \"*\"}]}",
                 field.tls_port, wrong[i]);
        field_write(&field, "wrong.json", text);
        pid_t pid = field_run(&field, "wrong.log", SANDMOTE_GATEWAY, "--config", "wrong.json");
        assert_true(field_log_says(&field, "wrong.log", "the broker's certificate"));
        field_end(&pid, SIGTERM);
    }
}

static void datagrams_that_are_no_dtls_change_nothing(void **state)
{
    struct gateway secure_port = gateway;
    struct sensor s;
    uint8_t hello[] = {22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 1, 0, 0, 8, 0, 0};
    (void)state;
    secure_port.port = gateway.dtls_port;
    sensor_open(&s, &secure_port);
    sensor_send_bytes(&s, "\x02\x16", 2);
    sensor_send_bytes(&s, hello, sizeof hello);
    for (unsigned i = 0; i < sizeof hello; i++)
        sensor_send_bytes(&s, hello, i + 1);
    usleep(50000);
    sensor_close(&s);
    assert_int_equal(gateway_figure(&gateway, "broker_connected"), 1);
}

/* A ClientHello that offers PSK-AES128-GCM-SHA256, with this cookie. */
static void send_hello(struct sensor *s, const uint8_t *cookie, uint8_t len)
{
    static const uint8_t before[] = {
        22,  254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* a record of epoch 0 */
        1,   0,   0,   0, 0, 0, 0, 0, 0, 0, 0, 0,    /* the handshake's head */
        254, 253};
    static const uint8_t after[] = {0, 2, 0, 0xa8, 1, 0, 0, 0};
    uint8_t bytes[256] = {0};
    size_t at = sizeof before + 32; /* behind the random octets */
    memcpy(bytes, before, sizeof before);
    bytes[at++] = 0;
    bytes[at++] = len;
    memcpy(bytes + at, cookie, len);
    at += len;
    memcpy(bytes + at, after, sizeof after);
    at += sizeof after;
    bytes[10] = bytes[18] = len > 0; /* its number */
    bytes[12] = (uint8_t)(at - 13);
    bytes[16] = bytes[24] = (uint8_t)(at - 25);
    sensor_send_bytes(s, bytes, at);
}

static void handshakes_that_nobody_ends_count_against_their_address(void **state)
{
    static const char config[] =
        ", \"listen\": [{\"address\": \"127.0.0.1\", \"port\": 0, \"dtls\": true}],"
        "\"dtls\": {\"psk_file\": \"psk\"}, \"clients\": [{\"identity\": \"*\"}],"
        "\"limits\": {\"connects_per_second\": 1, \"connects_burst\": 4}";
    enum { HELLOS = 24 };
    struct sensor s[HELLOS];
    struct gateway g;
    uint8_t answer[256] = {0};
    (void)state;
    gateway_start(&g, &field, "gateway-half", config);
    g.port = g.dtls_port;
    for (int i = 0; i < HELLOS; i++) {
        sensor_open(&s[i], &g);
        send_hello(&s[i], answer, 0);
        ssize_t n = recv(s[i].fd, answer, sizeof answer, 0);
        assert_true(n > 28 && answer[13] == 3 && n == 28 + answer[27]); /* HelloVerifyRequest */
        send_hello(&s[i], answer + 28, answer[27]);
    }
    usleep(50000);
    long sessions = gateway_figure(&g, "dtls_sessions"),
         more = gateway_figure(&g, "throttled_total");
    assert_true(sessions >= 4);
    assert_true(more > 0);
    assert_int_equal(sessions + more, HELLOS);
    for (int i = 0; i < HELLOS; i++)
        sensor_close(&s[i]);
    assert_int_equal(gateway_stop(&g, SIGTERM), 0);
}

/* Waits for that many sessions. */
static bool sessions_are(const struct gateway *g, long n)
{
    for (int i = 0; i < FIELD_WAIT_MS / 50; i++) {
        if (gateway_figure(g, "dtls_sessions") == n)
            return true;
        usleep(50000);
    }
    return false;
}

static void sessions_go_with_their_clients(void **state)
{
    static const char config[] =
        ", \"listen\": [{\"address\": \"127.0.0.1\", \"port\": 0, \"dtls\": true}],"
        "\"dtls\": {\"psk_file\": \"psk\", \"idle_seconds\": 1},"
        "\"clients\": [{\"identity\": \"*\", \"id\": \"%u\"}]";
    struct secure silent, gone, asleep;
    struct gateway g, before = gateway;
    (void)state;
    gateway_start(&g, &field, "gateway-idle", config);
    gateway.dtls_port = g.dtls_port; /* where secure clients go */
    open_psk(&silent, "sensor-1", right_key);
    open_psk(&gone, "sensor-1", right_key);
    open_psk(&asleep, "sensor-2", right_key);
    gateway = before;
    gone.keepalive_s = 1;
    assert_int_equal(secure_connect(&asleep, "sensor-2", 10), SM_MQTTSN_CONNACK);
    assert_int_equal(
        secure_ask(&asleep,
                   &(struct sm_mqttsn_packet){.type = SM_MQTTSN_DISCONNECT, .duration_s = 60}, 5),
        SM_MQTTSN_DISCONNECT);
    secure_send(&silent, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_SEARCHGW});
    assert_int_equal(secure_next(&silent, 100), -1); /* shakes hands, and is not answered */
    assert_true(sessions_are(&g, 2));
    assert_int_equal(secure_connect(&gone, "sensor-1", 10), SM_MQTTSN_CONNACK);
    assert_true(sessions_are(&g, 1));
    assert_int_equal(gateway_figure(&g, "asleep"), 1);
    /* The one that was silent was told, so that it shakes hands anew at once. */
    assert_int_equal(secure_next(&silent, 50), -1);
    assert_int_equal(secure_connect(&silent, "sensor-1", 10), SM_MQTTSN_CONNACK);
    sm_sn_close(silent.link);
    sm_sn_close(gone.link);
    sm_sn_close(asleep.link);
    assert_int_equal(gateway_stop(&g, SIGTERM), 0);
}

static void an_identity_with_two_keys_is_refused(void **state)
{
    char text[512], line[512];
    (void)state;
    field_write(&field, "twice",
                "a:0102030405060708090a0b0c0d0e0f10\n"
                "b:0102030405060708090a0b0c0d0e0f10\n"
                "a:ff02030405060708090a0b0c0d0e0f10\n");
    snprintf(text, sizeof text,
             "{\"name\": \"x\", \"broker\": {\"host\": \"127.0.0.1\"}, \"listen\": [{\"address\": "
             "\"127.0.0.1\", \"port\": 0, \"dtls\": true}], \"dtls\": {\"psk_file\": \"twice\"},"
             "\"clients\": [{\"identity\": \"*\"}]}");
    field_write(&field, "twice.json", text);
    snprintf(line, sizeof line,
             "timeout 5 " SANDMOTE_GATEWAY " --config %s/twice.json >%s/t.log 2>&1", field.dir,
             field.dir);
    assert_int_not_equal(system(line), 0);
    assert_true(field_log_says(&field, "t.log", "twice: a is there twice"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_opens_what_the_rules_give_its_identity),
        cmocka_unit_test(a_wrong_key_opens_nothing),
        cmocka_unit_test(an_identity_is_bound_to_its_client_id),
        cmocka_unit_test(a_sleeper_comes_back_from_another_port_with_the_same_key),
        cmocka_unit_test(a_certificate_s_name_is_its_identity),
        cmocka_unit_test(datagrams_that_are_no_dtls_change_nothing),
        cmocka_unit_test(the_broker_is_spoken_to_over_tls_when_it_is_who_it_should_be),
        cmocka_unit_test(a_broker_with_another_name_or_authority_is_not_spoken_to),
        cmocka_unit_test(handshakes_that_nobody_ends_count_against_their_address),
        cmocka_unit_test(sessions_go_with_their_clients),
        cmocka_unit_test(an_identity_with_two_keys_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
