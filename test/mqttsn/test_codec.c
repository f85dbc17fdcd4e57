/* Messages: each layout by an example made by hand from the specification, what is refused, and
 * that every prefix of a good message is refused too.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sandmote/mqttsn.h>

static size_t octets(const char *hex, uint8_t *out)
{
    size_t n = 0;
    unsigned value;
    for (; sscanf(hex, "%2x", &value) == 1; hex += 2)
        out[n++] = (uint8_t)value;
    return n;
}

/* A vector: the datagram, and what it says. */
struct vector {
    const char *hex;
    struct sm_mqttsn_packet p;
};

#define DATA(text) .data = (const uint8_t *)(text), .len = sizeof(text) - 1

static const struct vector vectors[] = {
    {"0500010384", {.type = SM_MQTTSN_ADVERTISE, .gateway_id = 1, .duration_s = 900}},
    {"030103", {.type = SM_MQTTSN_SEARCHGW, .radius = 3}},
    {"030207", {.type = SM_MQTTSN_GWINFO, .gateway_id = 7}},
    {"060207026162", {.type = SM_MQTTSN_GWINFO, .gateway_id = 7, DATA("\2ab")}},
    {"09040c01001e706f74",
     {.type = SM_MQTTSN_CONNECT,
      .will = true,
      .clean = true,
      .protocol = 1,
      .duration_s = 30,
      DATA("pot")}},
    {"07040002ffff61", {.type = SM_MQTTSN_CONNECT, .protocol = 2, .duration_s = 65535, DATA("a")}},
    {"030501", {.type = SM_MQTTSN_CONNACK, .code = SM_MQTTSN_CONGESTION}},
    {"0206", {.type = SM_MQTTSN_WILLTOPICREQ}},
    {"06073077696c", {.type = SM_MQTTSN_WILLTOPIC, .qos = 1, .retain = true, DATA("wil")}},
    {"0207", {.type = SM_MQTTSN_WILLTOPIC}},
    {"0208", {.type = SM_MQTTSN_WILLMSGREQ}},
    {"0309ff", {.type = SM_MQTTSN_WILLMSG, DATA("\xff")}},
    {"0209", {.type = SM_MQTTSN_WILLMSG}},
    {"090a00000102612f62", {.type = SM_MQTTSN_REGISTER, .msg_id = 0x102, DATA("a/b")}},
    {"070b0304010200", {.type = SM_MQTTSN_REGACK, .topic_id = 0x304, .msg_id = 0x102}},
    {"090cd2612f000531ff", /* DUP, QoS 2, retain, short name "a/" */
     {.type = SM_MQTTSN_PUBLISH,
      .dup = true,
      .qos = 2,
      .retain = true,
      .topic_type = SM_MQTTSN_TOPIC_SHORT,
      .topic_id = 0x612f,
      .msg_id = 5,
      DATA("1\xff")}},
    {"070c6100010000",
     {.type = SM_MQTTSN_PUBLISH,
      .qos = -1,
      .topic_type = SM_MQTTSN_TOPIC_PREDEFINED,
      .topic_id = 1}},
    {"070d0304000502", {.type = SM_MQTTSN_PUBACK, .topic_id = 0x304, .msg_id = 5, .code = 2}},
    {"040e0005", {.type = SM_MQTTSN_PUBCOMP, .msg_id = 5}},
    {"040f0005", {.type = SM_MQTTSN_PUBREC, .msg_id = 5}},
    {"04100005", {.type = SM_MQTTSN_PUBREL, .msg_id = 5}},
    {"081220010261"
     "2f23",
     {.type = SM_MQTTSN_SUBSCRIBE, .qos = 1, .msg_id = 0x102, DATA("a/#")}},
    {"0712c101020007",
     {.type = SM_MQTTSN_SUBSCRIBE,
      .dup = true,
      .qos = 2,
      .topic_type = SM_MQTTSN_TOPIC_PREDEFINED,
      .msg_id = 0x102,
      .topic_id = 7}},
    {"0812020102"
     "6162"
     "63",
     {.type = 0}}, /* a short name has two octets */
    {"0813400007010200", {.type = SM_MQTTSN_SUBACK, .qos = 2, .topic_id = 7, .msg_id = 0x102}},
    {"081360000701"
     "0203",
     {.type = SM_MQTTSN_SUBACK, .qos = -1, .topic_id = 7, .msg_id = 0x102, .code = 3}},
    {"071402010261"
     "62",
     {.type = SM_MQTTSN_UNSUBSCRIBE,
      .topic_type = SM_MQTTSN_TOPIC_SHORT,
      .msg_id = 0x102,
      .topic_id = 0x6162}},
    {"061400010223", {.type = SM_MQTTSN_UNSUBSCRIBE, .msg_id = 0x102, DATA("#")}},
    {"04150102", {.type = SM_MQTTSN_UNSUBACK, .msg_id = 0x102}},
    {"0216", {.type = SM_MQTTSN_PINGREQ}},
    {"0516706f74", {.type = SM_MQTTSN_PINGREQ, DATA("pot")}},
    {"0217", {.type = SM_MQTTSN_PINGRESP}},
    {"0218", {.type = SM_MQTTSN_DISCONNECT}},
    {"0418003c", {.type = SM_MQTTSN_DISCONNECT, .duration_s = 60}},
    {"051a406162", {.type = SM_MQTTSN_WILLTOPICUPD, .qos = 2, DATA("ab")}},
    {"021a", {.type = SM_MQTTSN_WILLTOPICUPD}},
    {"031b00", {.type = SM_MQTTSN_WILLTOPICRESP}},
    {"041c6869", {.type = SM_MQTTSN_WILLMSGUPD, DATA("hi")}},
    {"031d03", {.type = SM_MQTTSN_WILLMSGRESP, .code = 3}},
};
#define VECTORS (sizeof vectors / sizeof vectors[0])

static void same(const struct sm_mqttsn_packet *a, const struct sm_mqttsn_packet *b)
{
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->code, b->code);
    assert_int_equal(a->qos, b->qos);
    assert_int_equal(a->topic_type, b->topic_type);
    assert_int_equal(a->dup, b->dup);
    assert_int_equal(a->retain, b->retain);
    assert_int_equal(a->will, b->will);
    assert_int_equal(a->clean, b->clean);
    assert_int_equal(a->protocol, b->protocol);
    assert_int_equal(a->gateway_id, b->gateway_id);
    assert_int_equal(a->radius, b->radius);
    assert_int_equal(a->duration_s, b->duration_s);
    assert_int_equal(a->topic_id, b->topic_id);
    assert_int_equal(a->msg_id, b->msg_id);
    assert_int_equal(a->len, b->len);
    if (a->len)
        assert_memory_equal(a->data, b->data, a->len);
}

static void each_message_is_read_and_written_octet_for_octet(void **state)
{
    (void)state;
    for (size_t i = 0; i < VECTORS; i++) {
        uint8_t in[64], out[64];
        size_t len = octets(vectors[i].hex, in);
        struct sm_mqttsn_packet p;
        if (vectors[i].p.type == 0 && vectors[i].p.gateway_id == 0) {
            assert_int_equal(sm_mqttsn_decode(&p, in, len), SM_ERR_MALFORMED);
            continue;
        }
        assert_int_equal(sm_mqttsn_decode(&p, in, len), 0);
        same(&p, &vectors[i].p);
        assert_int_equal(sm_mqttsn_encode(&vectors[i].p, out, sizeof out), len);
        assert_memory_equal(out, in, len);
        assert_int_equal(sm_mqttsn_encode(&vectors[i].p, out, len - 1), SM_ERR_MEMORY);
    }
}

/* The octets end where the memory does, so that a read past them is seen by the sanitizers. */
static int decode_exact(const uint8_t *bytes, size_t len)
{
    struct sm_mqttsn_packet p;
    uint8_t *exact = malloc(len ? len : 1);
    memcpy(exact, bytes, len);
    int err = sm_mqttsn_decode(&p, exact, len);
    free(exact);
    return err;
}

static void every_cut_and_every_wrong_length_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < VECTORS; i++) {
        uint8_t in[64] = {0};
        size_t len = octets(vectors[i].hex, in);
        for (size_t n = 0; n < len; n++)
            assert_int_equal(decode_exact(in, n), SM_ERR_MALFORMED);
        assert_int_equal(decode_exact(in, len + 1), SM_ERR_MALFORMED);
        for (unsigned says = 0; says < 256; says++) {
            in[0] = (uint8_t)says;
            if (says != len)
                assert_int_equal(decode_exact(in, len), SM_ERR_MALFORMED);
        }
    }
}

static void both_forms_of_the_length_are_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < VECTORS; i++) {
        uint8_t in[64], with[66];
        size_t len = octets(vectors[i].hex, in);
        struct sm_mqttsn_packet p;
        with[0] = 1;
        with[1] = 0;
        with[2] = (uint8_t)(len + 2);
        memcpy(with + 3, in + 1, len - 1);
        int err = sm_mqttsn_decode(&p, with, len + 2);
        if (vectors[i].p.type == 0 && vectors[i].p.gateway_id == 0) {
            assert_int_equal(err, SM_ERR_MALFORMED);
            continue;
        }
        assert_int_equal(err, 0);
        same(&p, &vectors[i].p);
    }
}

static void long_messages_have_the_long_length(void **state)
{
    (void)state;
    static uint8_t payload[65535], out[65536];
    struct sm_mqttsn_packet q, p = {.type = SM_MQTTSN_PUBLISH, .data = payload, .topic_id = 1};
    memset(payload, 0xa5, sizeof payload);
    static const struct {
        uint16_t payload;
        int len, first;
    } cases[] = {{248, 255, 255}, {249, 258, 1}, {65526, 65535, 1}};
    for (size_t i = 0; i < 3; i++) {
        p.len = cases[i].payload;
        assert_int_equal(sm_mqttsn_encode(&p, out, sizeof out), cases[i].len);
        assert_int_equal(out[0], cases[i].first);
        assert_int_equal(sm_mqttsn_decode(&q, out, (size_t)cases[i].len), 0);
        same(&q, &p);
    }
    p.len = 65527;
    assert_int_equal(sm_mqttsn_encode(&p, out, sizeof out), SM_ERR_LIMIT);
}

/* Datagrams that kill other gateways, and other senseless ones. */
static void senseless_datagrams_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"0204",
                                      "030404",
                                      "0504040100",
                                      "020c",
                                      "0212",
                                      "020a",
                                      "060c62000100",
                                      "060c00000100",
                                      "04120000",
                                      "050a000000",
                                      "0214",
                                      "",
                                      "00",
                                      "01",
                                      "02",
                                      "0104",
                                      "010004",
                                      "01000304",
                                      "060404010000", /* an empty client id */
                                      "0307"
                                      "00", /* a will without a topic is told by no flags at all */
                                      "07120300010001",
                                      "070c6000010000",
                                      "0612600001"
                                      "61",
                                      "040760"
                                      "61",
                                      "0813600007010200",
                                      "03180a",
                                      "05180001"
                                      "00",
                                      "0416",
                                      "03"
                                      "17"
                                      "00",
                                      "070b00010002"
                                      "0000"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t in[64];
        assert_int_equal(decode_exact(in, octets(bad[i], in)), SM_ERR_MALFORMED);
    }
    uint8_t id[96] = {72, SM_MQTTSN_CONNECT, 4, 1, 0, 30};
    memset(id + 6, 'x', sizeof id - 6);
    id[0] = 6 + SM_MQTTSN_CLIENT_ID_MAX;
    assert_int_equal(decode_exact(id, id[0]), 0);
    id[0]++;
    assert_int_equal(decode_exact(id, id[0]), SM_ERR_MALFORMED);
}

static void reserved_types_are_refused(void **state)
{
    (void)state;
    unsigned known = 0;
    for (unsigned type = 0; type < 256; type++) {
        bool reserved = !strcmp(sm_mqttsn_type_name(type), "reserved");
        known += !reserved;
        for (uint8_t len = 2; len < 12; len++) {
            uint8_t in[16] = {len, (uint8_t)type, 0, 0, 0, 'a', 'b', 'c', 'd', 'e', 'f', 'g'};
            int err = decode_exact(in, len);
            assert_true(reserved ? err == SM_ERR_UNSUPPORTED : err != SM_ERR_UNSUPPORTED);
        }
        struct sm_mqttsn_packet p = {.type = (uint8_t)type, DATA("ab")};
        uint8_t out[32];
        assert_int_equal(sm_mqttsn_encode(&p, out, sizeof out) == SM_ERR_ARG, reserved);
    }
    assert_int_equal(known, 27);
}

static void what_decode_would_refuse_is_not_encoded(void **state)
{
    (void)state;
    static const struct sm_mqttsn_packet bad[] = {
        {.type = SM_MQTTSN_CONNECT, .protocol = 1},
        {.type = SM_MQTTSN_REGISTER},
        {.type = SM_MQTTSN_SUBSCRIBE},
        {.type = SM_MQTTSN_SUBSCRIBE, .topic_type = 3, DATA("a")},
        {.type = SM_MQTTSN_SUBSCRIBE, .qos = -1, DATA("a")},
        {.type = SM_MQTTSN_PUBLISH, .qos = 3},
        {.type = SM_MQTTSN_PUBLISH, .qos = -1},
        {.type = SM_MQTTSN_WILLTOPIC, .qos = -1, DATA("a")},
    };
    uint8_t out[64];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(sm_mqttsn_encode(&bad[i], out, sizeof out), SM_ERR_ARG);
}

static void messages_in_a_stream_tell_their_length(void **state)
{
    (void)state;
    assert_int_equal(sm_mqttsn_length((const uint8_t *)"", 0), 0);
    assert_int_equal(sm_mqttsn_length((const uint8_t *)"\2", 1), 2);
    assert_int_equal(sm_mqttsn_length((const uint8_t *)"\1\1", 2), 0);
    assert_int_equal(sm_mqttsn_length((const uint8_t *)"\1\1\2", 3), 258);
    assert_int_equal(sm_mqttsn_length((const uint8_t *)"\1\0\3", 3), SM_ERR_MALFORMED);
    assert_int_equal(sm_mqttsn_length((const uint8_t *)"\0", 1), SM_ERR_MALFORMED);
}

static void a_forwarder_wraps_and_a_gateway_unwraps(void **state)
{
    (void)state;
    uint8_t in[64], out[64], again[64];
    size_t len = octets("05fe02aabb0216", in);
    struct sm_mqttsn_wrapped w;
    assert_true(sm_mqttsn_is_wrapped(in, len));
    assert_int_equal(sm_mqttsn_unwrap(&w, in, len), 0);
    assert_int_equal(w.radius, 2);
    assert_int_equal(w.node_len, 2);
    assert_memory_equal(w.node, "\xaa\xbb", 2);
    assert_int_equal(w.len, 2);
    assert_int_equal(sm_mqttsn_wrap(&w, out, sizeof out), len);
    assert_memory_equal(out, in, len);
    memcpy(again + 5, "\2\x16", 2);
    w.message = again + 5;
    assert_int_equal(sm_mqttsn_wrap(&w, again, sizeof again), len);
    assert_memory_equal(again, in, len);
    assert_int_equal(sm_mqttsn_wrap(&w, out, len - 1), SM_ERR_MEMORY);
    w.node_len = 0;
    assert_int_equal(sm_mqttsn_wrap(&w, out, sizeof out), SM_ERR_ARG);

    static const char *const bad[] = {"03fe000216",           "05fe00aabb", "06fe00aabb",
                                      "04fe00aa04fe00aa0216", "02fe0216",   "fe",
                                      "01fe00aa0216"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(sm_mqttsn_unwrap(&w, in, octets(bad[i], in)), SM_ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_message_is_read_and_written_octet_for_octet),
        cmocka_unit_test(every_cut_and_every_wrong_length_is_refused),
        cmocka_unit_test(both_forms_of_the_length_are_taken),
        cmocka_unit_test(long_messages_have_the_long_length),
        cmocka_unit_test(senseless_datagrams_are_refused),
        cmocka_unit_test(reserved_types_are_refused),
        cmocka_unit_test(what_decode_would_refuse_is_not_encoded),
        cmocka_unit_test(messages_in_a_stream_tell_their_length),
        cmocka_unit_test(a_forwarder_wraps_and_a_gateway_unwraps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
