/* What strangers can make the gateway do: nothing larger than they do themselves, and nothing to
 * others' sessions.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "desk.h"

static struct desk d;
static struct sm_mqttsn_packet p;

static void begin(void)
{
    desk_config(&d);
    desk_begin(&d);
}

static void expect(unsigned peer, int type)
{
    assert_int_equal(desk_take(&d, peer, &p), type);
}

static void nothing(unsigned peer)
{
    assert_int_equal(desk_take(&d, peer, &p), -1);
}

static void connected(unsigned peer, const char *id)
{
    desk_connect(&d, peer, id, true, 60);
    expect(peer, SM_MQTTSN_CONNACK);
    assert_int_equal(p.code, SM_MQTTSN_ACCEPTED);
}

static void subscribed(unsigned peer, const char *filter, int8_t qos)
{
    desk_subscribe(&d, peer, filter, qos);
    expect(peer, SM_MQTTSN_SUBACK);
    assert_int_equal(p.code, SM_MQTTSN_ACCEPTED);
}

static void bound(unsigned peer)
{
    if (d.peer[peer].out > 3 * d.peer[peer].in)
        fail_msg("%llu octets for %llu", (unsigned long long)d.peer[peer].out,
                 (unsigned long long)d.peer[peer].in);
}

/* An answer with the ids that the gateway chose. */
static void agree(unsigned peer, uint8_t type)
{
    desk_send(&d, peer,
              &(struct sm_mqttsn_packet){.type = type, .topic_id = p.topic_id, .msg_id = p.msg_id});
}

/* ---- No amplification ------------------------------------------------------------------------ */

static void a_silent_subscriber_is_sent_at_most_three_times_what_it_sent(void **state)
{
    (void)state;
    for (int8_t qos = 0; qos <= 2; qos++) {
        begin();
        connected(0, "victim");
        subscribed(0, "flood/#", qos);
        subscribed(0, "other", qos); /* its id is known: no REGISTER goes first */
        for (int i = 0; i < 2000; i++) {
            desk_publish(&d, "other", 200, (uint8_t)qos, false);
            desk_publish(&d, i % 2 ? "flood/a" : "flood/b", 200, (uint8_t)qos, false);
            bound(0);
            if (i % 100 == 0)
                desk_pass(&d, 1000);
        }
        desk_pass(&d, 120000);
        bound(0);
        desk_end(&d);
    }
}

static void a_flood_of_retained_messages_waits_for_a_proof(void **state)
{
    char topic[32];
    (void)state;
    begin();
    connected(0, "v");
    desk_subscribe(&d, 0, "a/#", 0);
    for (int i = 0; i < 100; i++) {
        snprintf(topic, sizeof topic, "a/quite/a/long/topic/%d", i);
        desk_publish(&d, topic, 200, 0, true);
        bound(0);
    }
    desk_pass(&d, 60000);
    bound(0);
    desk_end(&d);
}

static void spoofed_pings_of_a_silent_victim_do_not_break_the_bound(void **state)
{
    (void)state;
    begin();
    connected(0, "victim");
    subscribed(0, "flood", 0);
    for (int i = 0; i < 500; i++) {
        desk_bytes(&d, 0, (const uint8_t[]){2, SM_MQTTSN_PINGREQ}, 2);
        desk_publish(&d, "flood", 200, 0, false);
        bound(0);
    }
    /* Guesses at the ids of a REGISTER that it never saw. */
    for (uint16_t i = 1; i < 200; i++) {
        desk_send(&d, 0,
                  &(struct sm_mqttsn_packet){.type = SM_MQTTSN_REGACK, .topic_id = i, .msg_id = i});
        desk_publish(&d, "flood", 200, 0, false);
        bound(0);
    }
    desk_end(&d);
}

static void whoever_answers_is_sent_what_it_subscribed_to(void **state)
{
    (void)state;
    begin();
    connected(0, "honest");
    subscribed(0, "news", 0);
    desk_publish(&d, "news", 200, 0, false);
    expect(0, SM_MQTTSN_REGISTER);
    nothing(0);
    agree(0, SM_MQTTSN_REGACK);
    expect(0, SM_MQTTSN_PUBLISH);
    desk_publish(&d, "news", 200, 0, false);
    expect(0, SM_MQTTSN_PUBLISH);
    desk_end(&d);
}

static void a_proven_client_that_falls_silent_is_asked_before_more_is_sent(void **state)
{
    (void)state;
    begin();
    connected(0, "honest");
    subscribed(0, "news", 0);
    desk_publish(&d, "news", 200, 0, false);
    expect(0, SM_MQTTSN_REGISTER);
    agree(0, SM_MQTTSN_REGACK);
    uint64_t before = d.peer[0].out;
    for (int i = 0; i < 1000; i++)
        desk_publish(&d, "news", 200, 0, false);
    assert_true(d.peer[0].out - before < 9000);
    d.peer[0].taken = d.peer[0].count - 1;
    expect(0, SM_MQTTSN_PINGREQ);
    desk_bytes(&d, 0, (const uint8_t[]){2, SM_MQTTSN_PINGRESP}, 2);
    expect(0, SM_MQTTSN_PUBLISH);
    desk_end(&d);
}

static void strangers_get_two_octets_or_nothing(void **state)
{
    static const uint8_t types[] = {SM_MQTTSN_REGISTER,   SM_MQTTSN_PUBLISH,  SM_MQTTSN_SUBSCRIBE,
                                    SM_MQTTSN_PUBREL,     SM_MQTTSN_PINGREQ,  SM_MQTTSN_WILLTOPIC,
                                    SM_MQTTSN_WILLMSGUPD, SM_MQTTSN_SEARCHGW, SM_MQTTSN_DISCONNECT};
    (void)state;
    begin();
    for (unsigned i = 0; i < 5000; i++) {
        desk_send(&d, 0,
                  &(struct sm_mqttsn_packet){.type = types[i % sizeof types],
                                             .topic_id = 1,
                                             .msg_id = 1,
                                             .data = (const uint8_t *)"a",
                                             .len = 1});
        assert_true(d.peer[0].out <= d.peer[0].in);
    }
    assert_true(d.peer[0].count <= d.cfg.connects_burst);
    desk_end(&d);
}

/* ---- Sessions belong to somebody ------------------------------------------------------------- */

static void an_id_that_begins_another_is_another(void **state)
{
    (void)state;
    begin();
    connected(0, "victim-0001");
    subscribed(0, "mail", 1);
    connected(1, "victim-0");
    desk_publish(&d, "mail", 5, 1, false);
    expect(0, SM_MQTTSN_PUBLISH);
    nothing(1);
    desk_end(&d);
}

static void a_living_session_is_not_taken_by_another_address(void **state)
{
    (void)state;
    begin();
    connected(0, "victim");
    desk_connect(&d, 1, "victim", true, 60);
    nothing(1);
    expect(0, SM_MQTTSN_PINGREQ);
    desk_bytes(&d, 0, (const uint8_t[]){2, SM_MQTTSN_PINGRESP}, 2);
    desk_pass(&d, 5000);
    desk_connect(&d, 1, "victim", true, 60);
    nothing(1);
    expect(0, SM_MQTTSN_PINGREQ);
    desk_end(&d);
}

static void a_session_whose_client_does_not_answer_may_be_taken(void **state)
{
    (void)state;
    begin();
    connected(0, "roamer");
    desk_connect(&d, 1, "roamer", true, 60);
    nothing(1);
    desk_pass(&d, 3000);
    connected(1, "roamer");
    desk_end(&d);
}

static void a_sleeping_session_is_not_taken(void **state)
{
    (void)state;
    begin();
    connected(0, "sleeper");
    desk_send(&d, 0, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_DISCONNECT, .duration_s = 600});
    expect(0, SM_MQTTSN_DISCONNECT);
    desk_connect(&d, 1, "sleeper", true, 60);
    expect(1, SM_MQTTSN_CONNACK);
    assert_int_equal(p.code, SM_MQTTSN_CONGESTION);
    desk_send(&d, 1,
              &(struct sm_mqttsn_packet){
                  .type = SM_MQTTSN_PINGREQ, .data = (const uint8_t *)"sleeper", .len = 7});
    expect(1, SM_MQTTSN_DISCONNECT);
    desk_end(&d);
}

/* 10.0.0.0/24, where all peers are. */
static const struct gw_prefix network = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 0},
                                         120};

static void a_sleeper_moves_only_where_it_is_allowed_and_only_to_who_receives_there(void **state)
{
    struct sm_mqttsn_packet p, guess = {.type = SM_MQTTSN_REGACK};
    (void)state;
    desk_config(&d);
    d.cfg.moves = (struct gw_prefixes){&network, 1};
    desk_begin(&d);
    connected(0, "pot");
    subscribed(0, "news", 1);
    desk_send(&d, 0, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_DISCONNECT, .duration_s = 3000});
    expect(0, SM_MQTTSN_DISCONNECT);
    desk_publish(&d, "news", 100, 1, false);
    for (unsigned i = 0; i < 5000; i++) { /* whoever sends for another address can only guess */
        if (i % 10 == 0)
            desk_bytes(&d, 1, "\x05\x16pot", 5);
        guess.topic_id = (uint16_t)(i * 13 + 1);
        guess.msg_id = (uint16_t)(i * 7 + 1);
        desk_send(&d, 1, &guess);
        desk_pass(&d, 250);
    }
    bound(1);
    while (desk_take(&d, 1, &p) >= 0)
        assert_true(p.type == SM_MQTTSN_REGISTER || p.type == SM_MQTTSN_DISCONNECT);
    assert_int_equal(gw_figures(d.g)->takeovers, 0);
    assert_int_equal(gw_figures(d.g)->waiting, 1);
    assert_true(gw_figures(d.g)->challenged > 1);
    assert_true(gw_figures(d.g)->challenged <= 5000 * 250 / 10000 + 1); /* one in ten seconds */
    desk_bytes(&d, 0, "\x05\x16pot", 5); /* where it fell asleep it is served as ever */
    expect(0, SM_MQTTSN_REGISTER);
    desk_end(&d);
}

static void copies_that_ask_for_a_sleeper_do_not_break_the_bound(void **state)
{
    (void)state;
    desk_config(&d);
    d.cfg.moves = (struct gw_prefixes){&network, 1};
    desk_begin(&d);
    connected(0, "p");
    desk_send(&d, 0, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_DISCONNECT, .duration_s = 3000});
    expect(0, SM_MQTTSN_DISCONNECT);
    for (unsigned i = 0; i < 2000; i++) {
        desk_bytes(&d, 1, "\x03\x16p", 3);
        desk_connect(&d, 2, "p", i % 2, 60);
        if (i % 100 == 0)
            desk_pass(&d, 250);
    }
    bound(1);
    bound(2);
    assert_int_equal(gw_figures(d.g)->takeovers, 0);
    desk_end(&d);
}

static void another_port_of_the_same_address_goes_on_with_the_session(void **state)
{
    (void)state;
    begin();
    d.peer[1].addr = d.peer[0].addr;
    d.peer[1].addr.port = 2000;
    desk_connect(&d, 0, "moved", false, 60);
    expect(0, SM_MQTTSN_CONNACK);
    subscribed(0, "mail", 1);
    desk_connect(&d, 1, "moved", false, 60);
    expect(1, SM_MQTTSN_CONNACK);
    assert_int_equal(p.code, SM_MQTTSN_ACCEPTED);
    desk_publish(&d, "mail", 5, 1, false);
    nothing(0);
    expect(1, SM_MQTTSN_REGISTER);
    desk_end(&d);
}

static void a_proven_identity_is_not_taken_by_plain_datagrams(void **state)
{
    (void)state;
    begin();
    struct gw_rule rules[] = {d.rule, d.rule};
    rules[0].identity = "*";
    d.cfg.rules = rules;
    d.cfg.rule_count = 2;
    gw_free(d.g);
    desk_begin(&d);
    d.peer[0].identity = "sensor";
    connected(0, "sensor");
    desk_connect(&d, 1, "sensor", true, 60);
    expect(1, SM_MQTTSN_CONNACK);
    assert_int_equal(p.code, SM_MQTTSN_NOT_SUPPORTED);
    d.peer[2].identity = "sensor";
    connected(2, "sensor"); /* the same identity from elsewhere */
    desk_end(&d);
}

static void sessions_that_nobody_uses_make_room_and_others_do_not(void **state)
{
    static const char *const ids[] = {"a", "b", "c", "d", "e", "f"};
    (void)state;
    desk_config(&d);
    d.cfg.max_clients = 4;
    desk_begin(&d);
    for (unsigned i = 0; i < 5; i++) {
        connected(i, ids[i]);
        desk_pass(&d, 1000);
    }
    assert_int_equal(gw_figures(d.g)->clients, 4);
    for (unsigned i = 1; i < 5; i++) { /* the oldest went */
        desk_subscribe(&d, i, "news", 0);
        expect(i, SM_MQTTSN_SUBACK);
    }
    desk_connect(&d, 5, ids[5], true, 60);
    expect(5, SM_MQTTSN_CONNACK);
    assert_int_equal(p.code, SM_MQTTSN_CONGESTION);
    desk_end(&d);
}

/* One CONNECT in somebody else's name must not hold a place for as long as sessions are kept. */
static void kept_sessions_that_hold_nothing_make_room_and_others_do_not(void **state)
{
    static const char *const ids[] = {"a", "b", "c", "d"};
    (void)state;
    desk_config(&d);
    d.cfg.max_clients = 3;
    desk_begin(&d);
    for (unsigned i = 0; i < 3; i++) {
        desk_connect(&d, i, ids[i], false, 10);
        expect(i, SM_MQTTSN_CONNACK);
    }
    subscribed(0, "news", 1);
    desk_pass(&d, 20000); /* all are lost; one is back, and says nothing */
    desk_connect(&d, 0, ids[0], false, 60);
    expect(0, SM_MQTTSN_CONNACK);
    connected(3, ids[3]);
    connected(4, "e");
    assert_int_equal(gw_figures(d.g)->clients, 3);
    subscribed(3, "news", 0);
    subscribed(4, "news", 0);
    desk_connect(&d, 5, "f", true, 60);
    expect(5, SM_MQTTSN_CONNACK);
    assert_int_equal(p.code, SM_MQTTSN_CONGESTION);
    desk_publish(&d, "news", 1, 1, false); /* the kept one has what it had */
    expect(0, SM_MQTTSN_REGISTER);
    desk_end(&d);
}

/* ---- Rules and rates ------------------------------------------------------------------------- */

static void topics_are_for_whom_the_rules_say(void **state)
{
    static const char *const publish[] = {"site/%c/up"}, *const subscribe[] = {"site/%c/#",
                                                                               "all/+"};
    (void)state;
    desk_config(&d);
    d.rule = (struct gw_rule){.client = "s*",
                              .publish = publish,
                              .publish_count = 1,
                              .subscribe = subscribe,
                              .subscribe_count = 2};
    desk_begin(&d);
    desk_connect(&d, 1, "x1", true, 60);
    expect(1, SM_MQTTSN_CONNACK);
    assert_int_equal(p.code, SM_MQTTSN_NOT_SUPPORTED);
    connected(0, "s1");
    static const struct {
        const char *topic;
        uint8_t type, code;
    } asked[] = {{"site/s1/up", SM_MQTTSN_REGISTER, 0}, {"site/s2/up", SM_MQTTSN_REGISTER, 3},
                 {"site/s1", SM_MQTTSN_REGISTER, 3},    {"site/s1/+", SM_MQTTSN_REGISTER, 3},
                 {"site/s1/#", SM_MQTTSN_SUBSCRIBE, 0}, {"site/s1", SM_MQTTSN_SUBSCRIBE, 0},
                 {"site/#", SM_MQTTSN_SUBSCRIBE, 3},    {"site/+/down", SM_MQTTSN_SUBSCRIBE, 3},
                 {"#", SM_MQTTSN_SUBSCRIBE, 3},         {"all/x", SM_MQTTSN_SUBSCRIBE, 0},
                 {"all/+", SM_MQTTSN_SUBSCRIBE, 0},     {"all/#", SM_MQTTSN_SUBSCRIBE, 3},
                 {"all/x/y", SM_MQTTSN_SUBSCRIBE, 3},   {"$SYS/x", SM_MQTTSN_SUBSCRIBE, 3}};
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        desk_send(&d, 0,
                  &(struct sm_mqttsn_packet){.type = asked[i].type,
                                             .msg_id = (uint16_t)(i + 1),
                                             .data = (const uint8_t *)asked[i].topic,
                                             .len = (uint16_t)strlen(asked[i].topic)});
        expect(0, asked[i].type == SM_MQTTSN_REGISTER ? SM_MQTTSN_REGACK : SM_MQTTSN_SUBACK);
        if (p.code != asked[i].code)
            fail_msg("%s: code %u", asked[i].topic, p.code);
    }
    desk_end(&d);
}

static void a_client_id_cannot_widen_a_rule(void **state)
{
    static const char *const filters[] = {"site/%c"};
    (void)state;
    desk_config(&d);
    d.rule = (struct gw_rule){.client = "*", .subscribe = filters, .subscribe_count = 1};
    desk_begin(&d);
    connected(0, "#");
    desk_subscribe(&d, 0, "site/#", 0);
    expect(0, SM_MQTTSN_SUBACK);
    assert_int_equal(p.code, SM_MQTTSN_NOT_SUPPORTED);
    desk_end(&d);
}

static void qos_minus_1_is_off_unless_it_is_configured(void **state)
{
    static const struct gw_predefined topics[] = {{1, "site/alarm"}};
    static const struct gw_prefix only_first[] = {
        {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1}, 128}};
    struct sm_mqttsn_packet alarm = {.type = SM_MQTTSN_PUBLISH,
                                     .qos = -1,
                                     .topic_type = SM_MQTTSN_TOPIC_PREDEFINED,
                                     .topic_id = 1,
                                     .data = (const uint8_t *)"!",
                                     .len = 1};
    (void)state;
    begin();
    desk_send(&d, 0, &alarm);
    assert_int_equal(d.published, 0);
    desk_end(&d);
    desk_config(&d);
    d.cfg.predefined = topics;
    d.cfg.predefined_count = 1;
    d.cfg.without_connection = (struct gw_prefixes){only_first, 1};
    desk_begin(&d);
    desk_send(&d, 1, &alarm);
    assert_int_equal(d.published, 0);
    desk_send(&d, 0, &alarm);
    assert_int_equal(d.published, 1);
    assert_string_equal(d.topic, "site/alarm");
    desk_end(&d);
}

static void searches_are_answered_inside_the_allowed_prefixes(void **state)
{
    static const struct gw_prefix net[] = {
        {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 0}, 126}};
    (void)state;
    desk_config(&d);
    d.cfg.search = (struct gw_prefixes){net, 1};
    desk_begin(&d);
    desk_send(&d, 0, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_SEARCHGW});
    expect(0, SM_MQTTSN_GWINFO);
    desk_send(&d, 3, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_SEARCHGW});
    nothing(3); /* 10.0.0.4 */
    desk_end(&d);
}

/* A datagram to a peer, which must be what a forwarder with this node gets around a message. */
static void expect_wrapped(unsigned peer, uint8_t node, uint8_t type)
{
    struct desk_peer *to = &d.peer[peer];
    struct sm_mqttsn_wrapped w;
    assert_true(to->taken < to->count);
    unsigned i = to->taken++ % DESK_KEPT;
    assert_true(sm_mqttsn_unwrap(&w, to->kept[i].bytes, to->kept[i].len) >= 0);
    assert_int_equal(w.node_len, 1);
    assert_int_equal(w.node[0], node);
    assert_int_equal(sm_mqttsn_decode(&p, w.message, w.len), 0);
    assert_int_equal(p.type, type);
}

static void send_wrapped(unsigned peer, uint8_t node, const char *message, size_t len)
{
    uint8_t bytes[64];
    struct sm_mqttsn_wrapped w = {0, &node, 1, (const uint8_t *)message, len};
    int n = sm_mqttsn_wrap(&w, bytes, sizeof bytes);
    assert_true(n > 0);
    desk_bytes(&d, peer, bytes, (size_t)n);
}

static void nodes_behind_a_forwarder_are_clients_each_where_that_is_allowed(void **state)
{
    static const struct gw_prefix one = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1},
                                         128};
    static const char connect_a[] = "\x07\x04\x04\x01\0\x3c"
                                    "a",
                      connect_b[] = "\x07\x04\x04\x01\0\x3c"
                                    "b";
    (void)state;
    begin();
    send_wrapped(0, 7, connect_a, 7); /* nobody may */
    nothing(0);
    desk_end(&d);
    desk_config(&d);
    d.cfg.forwarders = (struct gw_prefixes){&one, 1};
    desk_begin(&d);
    send_wrapped(0, 7, connect_a, 7);
    expect_wrapped(0, 7, SM_MQTTSN_CONNACK);
    send_wrapped(0, 8, connect_b, 7);
    expect_wrapped(0, 8, SM_MQTTSN_CONNACK);
    send_wrapped(1, 9, connect_b, 7); /* another address is no forwarder */
    nothing(1);
    send_wrapped(0, 9, connect_a, 7); /* nor is another node this client: who has it is asked */
    expect_wrapped(0, 7, SM_MQTTSN_PINGREQ);
    nothing(0);
    send_wrapped(0, 7, "\x02\x16", 2);
    expect_wrapped(0, 7, SM_MQTTSN_PINGRESP);
    send_wrapped(0, 9, "\x02\x16", 2); /* a stranger */
    expect_wrapped(0, 9, SM_MQTTSN_DISCONNECT);
    assert_int_equal(gw_figures(d.g)->clients, 2);
    bound(0);
    desk_end(&d);
}

static void a_client_s_rate_is_limited(void **state)
{
    (void)state;
    desk_config(&d);
    d.rule.messages_per_second = 5;
    desk_begin(&d);
    connected(0, "busy");
    for (int i = 0; i < 100; i++)
        desk_send(&d, 0,
                  &(struct sm_mqttsn_packet){.type = SM_MQTTSN_PUBLISH,
                                             .topic_type = SM_MQTTSN_TOPIC_SHORT,
                                             .topic_id = 'a' << 8 | 'b'});
    assert_int_equal(d.published, 5);
    assert_string_equal(d.topic, "ab");
    desk_pass(&d, 1000);
    desk_send(&d, 0,
              &(struct sm_mqttsn_packet){.type = SM_MQTTSN_PUBLISH,
                                         .topic_type = SM_MQTTSN_TOPIC_SHORT,
                                         .topic_id = 'a' << 8 | 'b'});
    assert_int_equal(d.published, 6);
    desk_end(&d);
}

static void topics_and_filters_have_limits(void **state)
{
    char topic[16];
    (void)state;
    desk_config(&d);
    d.cfg.max_topics = 50;
    d.cfg.max_filters = 10;
    desk_begin(&d);
    connected(0, "many");
    for (int i = 0; i < 60; i++) {
        snprintf(topic, sizeof topic, "topic/%d", i);
        desk_send(&d, 0,
                  &(struct sm_mqttsn_packet){.type = SM_MQTTSN_REGISTER,
                                             .msg_id = 1,
                                             .data = (const uint8_t *)topic,
                                             .len = (uint16_t)strlen(topic)});
        expect(0, SM_MQTTSN_REGACK);
        assert_int_equal(p.code, i < 50 ? SM_MQTTSN_ACCEPTED : SM_MQTTSN_CONGESTION);
    }
    for (int i = 0; i < 12; i++) {
        snprintf(topic, sizeof topic, "filter/%d", i);
        desk_subscribe(&d, 0, topic, 0);
        expect(0, SM_MQTTSN_SUBACK);
        assert_int_equal(p.code, i < 10 ? SM_MQTTSN_ACCEPTED : SM_MQTTSN_CONGESTION);
    }
    desk_end(&d);
}

/* ---- What killed others ---------------------------------------------------------------------- */

static void datagrams_that_killed_other_gateways_change_nothing(void **state)
{
    static const struct {
        uint8_t bytes[12];
        size_t len;
    } seeds[] = {{{2, 4}, 2},
                 {{3, 4, 4}, 3},
                 {{5, 4, 4, 1, 0}, 5},
                 {{2, 12}, 2},
                 {{2, 18}, 2},
                 {{2, 10}, 2},
                 {{6, 12, 98, 0, 1, 0}, 6},
                 {{6, 12, 0, 0, 1, 0}, 6},
                 {{4, 18, 0, 0}, 4},
                 {{5, 10, 0, 0, 0}, 5},
                 {{2, 7}, 2},
                 {{2, 20}, 2},
                 {{0}, 1},
                 {{1, 0, 0}, 3},
                 {{255, 4}, 2}};
    uint8_t long_id[160] = {0};
    (void)state;
    begin();
    connected(1, "connected");
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++)
        for (unsigned peer = 0; peer < 2; peer++)
            desk_bytes(&d, peer, seeds[i].bytes, seeds[i].len);
    long_id[0] = sizeof long_id;
    long_id[1] = SM_MQTTSN_CONNECT;
    memset(long_id + 2, 1, sizeof long_id - 2);
    desk_bytes(&d, 0, long_id, sizeof long_id);
    desk_subscribe(&d, 1, "big", 0);
    desk_publish(&d, "big", 1450, 0, false);
    desk_pass(&d, 1000);
    assert_true(gw_figures(d.g)->malformed >= 20);
    assert_int_equal(gw_figures(d.g)->clients, 1);
    desk_end(&d);
}

static void a_message_that_is_too_large_is_dropped_and_the_connection_stays(void **state)
{
    enum { PAYLOAD = 3000000, CHUNK = 100000 };
    struct mqtt_packet big = {.type = MQTT_PUBLISH,
                              .qos = 1,
                              .id = 5,
                              .topic = (const uint8_t *)"big",
                              .topic_len = 3,
                              .data = calloc(1, PAYLOAD),
                              .len = PAYLOAD};
    (void)state;
    begin();
    connected(0, "small");
    subscribed(0, "big", 1);
    uint8_t *bytes = malloc((size_t)mqtt_size(&big));
    size_t len = (size_t)mqtt_encode(&big, bytes);
    for (size_t at = 0; at < len; at += CHUNK)
        desk_broker_bytes(&d, bytes + at, len - at < CHUNK ? len - at : CHUNK);
    assert_int_equal(gw_figures(d.g)->dropped, 1);
    assert_int_equal(gw_figures(d.g)->broker_losses, 0);
    desk_publish(&d, "big", 5, 1, false);
    expect(0, SM_MQTTSN_PUBLISH);
    desk_end(&d);
    free(bytes);
    free((void *)big.data);
}

static void a_connection_that_breaks_while_it_is_being_ended_is_gone(void **state)
{
    (void)state;
    desk_config(&d);
    d.rule.own_connection = true;
    desk_begin(&d);
    connected(0, "own");
    uint8_t bye[] = {2, SM_MQTTSN_DISCONNECT};
    gw_input(d.g, &d.peer[0].addr, NULL, bye, sizeof bye, d.now_ms);
    desk_break(&d); /* before the wish to end it was heard */
    desk_pass(&d, 10000);
    assert_int_equal(gw_figures(d.g)->links, 1);
    assert_int_equal(gw_figures(d.g)->clients, 0);
    desk_end(&d);
}

static void topics_may_be_as_long_as_mqtt_allows(void **state)
{
    static uint8_t topic[65535], bytes[70000];
    struct mqtt_packet p = {
        .type = MQTT_PUBLISH, .qos = 1, .topic = topic, .topic_len = sizeof topic};
    (void)state;
    begin();
    connected(0, "all");
    subscribed(0, "t/#", 1);
    subscribed(0, "+/y", 1); /* a shape whose last level is as long as the topic's */
    memset(topic, 'x', sizeof topic);
    memcpy(topic, "t/", 2);
    for (int i = 0; i < 2; i++) {
        p.id = (uint16_t)(i + 1);
        desk_broker_bytes(&d, bytes, (size_t)mqtt_encode(&p, bytes));
        memset(topic, '/', sizeof topic); /* and as deep */
        memcpy(topic, "t/", 2);
    }
    assert_int_equal(gw_figures(d.g)->broker_losses, 0);
    assert_true(gw_figures(d.g)->dropped >= 1);
    desk_end(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_subscriber_is_sent_at_most_three_times_what_it_sent),
        cmocka_unit_test(a_flood_of_retained_messages_waits_for_a_proof),
        cmocka_unit_test(spoofed_pings_of_a_silent_victim_do_not_break_the_bound),
        cmocka_unit_test(whoever_answers_is_sent_what_it_subscribed_to),
        cmocka_unit_test(a_proven_client_that_falls_silent_is_asked_before_more_is_sent),
        cmocka_unit_test(strangers_get_two_octets_or_nothing),
        cmocka_unit_test(an_id_that_begins_another_is_another),
        cmocka_unit_test(a_living_session_is_not_taken_by_another_address),
        cmocka_unit_test(a_session_whose_client_does_not_answer_may_be_taken),
        cmocka_unit_test(a_sleeping_session_is_not_taken),
        cmocka_unit_test(a_sleeper_moves_only_where_it_is_allowed_and_only_to_who_receives_there),
        cmocka_unit_test(copies_that_ask_for_a_sleeper_do_not_break_the_bound),
        cmocka_unit_test(another_port_of_the_same_address_goes_on_with_the_session),
        cmocka_unit_test(a_proven_identity_is_not_taken_by_plain_datagrams),
        cmocka_unit_test(sessions_that_nobody_uses_make_room_and_others_do_not),
        cmocka_unit_test(kept_sessions_that_hold_nothing_make_room_and_others_do_not),
        cmocka_unit_test(topics_are_for_whom_the_rules_say),
        cmocka_unit_test(a_client_id_cannot_widen_a_rule),
        cmocka_unit_test(qos_minus_1_is_off_unless_it_is_configured),
        cmocka_unit_test(searches_are_answered_inside_the_allowed_prefixes),
        cmocka_unit_test(nodes_behind_a_forwarder_are_clients_each_where_that_is_allowed),
        cmocka_unit_test(a_client_s_rate_is_limited),
        cmocka_unit_test(topics_and_filters_have_limits),
        cmocka_unit_test(datagrams_that_killed_other_gateways_change_nothing),
        cmocka_unit_test(a_connection_that_breaks_while_it_is_being_ended_is_gone),
        cmocka_unit_test(topics_may_be_as_long_as_mqtt_allows),
        cmocka_unit_test(a_message_that_is_too_large_is_dropped_and_the_connection_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
