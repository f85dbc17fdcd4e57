/* Sessions of the real gateway over time: sleep, restarts, wills, lost clients, QoS 2 once.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "field.h"

#define RULES                                                                                      \
    ", \"clients\": [{\"id\": \"own-*\", \"publish\": [\"#\"], \"subscribe\": [\"#\"], "           \
    "\"own_connection\": true}, {\"id\": \"*\", \"publish\": [\"#\"], \"subscribe\": [\"#\"]}],"   \
    "\"limits\": {\"buffered_messages\": 5}"

static struct world w;

static int setup(void **state)
{
    (void)state;
    return world_setup(&w, RULES);
}

static int teardown(void **state)
{
    (void)state;
    return world_teardown(&w);
}

static void connected(struct sensor *s, const char *id, bool clean)
{
    sensor_open(s, &w.gateway);
    sensor_connect(s, id, clean, 60);
}

static void died_and_came_back(void)
{
    gateway_stop(&w.gateway, SIGKILL);
    gateway_again(&w.gateway);
}

/* ---- Sleep ----------------------------------------------------------------------------------- */

static void a_sleeping_client_gets_all_at_wake_up_and_then_the_pingresp(void **state)
{
    struct sensor s;
    (void)state;
    connected(&s, "sleeper-1", true);
    sensor_subscribe(&s, "sleep/1", 2);
    sensor_sleep(&s, 60);
    listener_publish(&w.listener, "sleep/1", "zero", 0, false);
    listener_publish(&w.listener, "sleep/1", "one", 1, false);
    listener_publish(&w.listener, "sleep/1", "two", 2, false);
    sensor_expect_nothing(&s);
    sensor_wake(&s, "sleeper-1");
    sensor_expect_message(&s, "zero");
    sensor_expect_message(&s, "one");
    sensor_expect_message(&s, "two");
    sensor_expect(&s, SM_MQTTSN_PINGRESP);
    sensor_wake(&s, "sleeper-1");
    sensor_expect(&s, SM_MQTTSN_PINGRESP);
    sensor_close(&s);
}

static void what_a_sleeper_waits_for_survives_a_killed_gateway(void **state)
{
    struct sensor s;
    (void)state;
    connected(&s, "sleeper-2", true);
    sensor_subscribe(&s, "sleep/2/#", 1);
    sensor_sleep(&s, 60);
    listener_publish(&w.listener, "sleep/2/a", "before", 1, false);
    for (int i = 0; i < 100 && gateway_figure(&w.gateway, "waiting") != 1; i++)
        usleep(10000);
    gateway_stop(&w.gateway, SIGKILL);
    listener_publish(&w.listener, "sleep/2/b", "meanwhile", 1, false);
    gateway_again(&w.gateway);
    listener_publish(&w.listener, "sleep/2/c", "after", 1, false);
    usleep(FIELD_NOT_MS * 1000);
    sensor_wake(&s, "sleeper-2");
    sensor_expect_message(&s, "before");
    sensor_expect_message(&s, "meanwhile");
    sensor_expect_message(&s, "after");
    sensor_expect(&s, SM_MQTTSN_PINGRESP);
    sensor_close(&s);
}

static void beyond_the_limit_messages_are_dropped_and_counted(void **state)
{
    static const char *const texts[] = {"1", "2", "3", "4", "5", "6", "7"};
    struct sensor s;
    (void)state;
    long before = gateway_figure(&w.gateway, "dropped_total");
    connected(&s, "sleeper-3", true);
    sensor_subscribe(&s, "sleep/3", 1);
    sensor_sleep(&s, 60);
    for (int i = 0; i < 7; i++)
        listener_publish(&w.listener, "sleep/3", texts[i], 1, false);
    usleep(FIELD_NOT_MS * 1000);
    sensor_wake(&s, "sleeper-3");
    for (int i = 0; i < 5; i++)
        sensor_expect_message(&s, texts[i]);
    sensor_expect(&s, SM_MQTTSN_PINGRESP);
    assert_int_equal(gateway_figure(&w.gateway, "dropped_total"), before + 2);
    sensor_close(&s);
}

static void connect_wakes_a_sleeper_and_keeps_its_session(void **state)
{
    struct sensor s;
    (void)state;
    connected(&s, "sleeper-4", true);
    sensor_subscribe(&s, "sleep/4", 1);
    sensor_sleep(&s, 60);
    listener_publish(&w.listener, "sleep/4", "kept", 1, false);
    usleep(FIELD_NOT_MS * 1000);
    sensor_connect(&s, "sleeper-4", true, 60);
    sensor_expect_message(&s, "kept");
    sensor_close(&s);
}

static void a_sleeper_that_does_not_wake_is_lost(void **state)
{
    struct sensor s;
    (void)state;
    long before = gateway_figure(&w.gateway, "lost_total");
    connected(&s, "sleeper-5", true);
    sensor_sleep(&s, 1);
    usleep(2200000);
    assert_int_equal(gateway_figure(&w.gateway, "lost_total"), before + 1);
    sensor_wake(&s, "sleeper-5");
    sensor_expect(&s, SM_MQTTSN_DISCONNECT);
    sensor_close(&s);
}

/* ---- Sessions that are kept ------------------------------------------------------------------ */

static void a_kept_session_goes_on_over_a_killed_gateway(void **state)
{
    struct sensor s;
    (void)state;
    listener_subscribe(&w.listener, "keep/1/up", 1);
    connected(&s, "keeper-1", false);
    uint16_t topic = sensor_register(&s, "keep/1/up");
    sensor_subscribe(&s, "keep/1/down", 1);
    died_and_came_back();
    sensor_publish(&s, topic, 1, "as before");
    listener_expect(&w.listener, "keep/1/up", "as before");
    listener_publish(&w.listener, "keep/1/down", "too", 1, false);
    sensor_expect_message(&s, "too");
    sensor_close(&s);
}

static void a_kept_session_gets_what_came_while_it_was_away(void **state)
{
    struct sensor s;
    (void)state;
    connected(&s, "keeper-2", false);
    sensor_subscribe(&s, "keep/2", 1);
    sensor_send_simple(&s, SM_MQTTSN_DISCONNECT, 0);
    sensor_expect(&s, SM_MQTTSN_DISCONNECT);
    listener_publish(&w.listener, "keep/2", "missed", 1, false);
    died_and_came_back();
    sensor_connect(&s, "keeper-2", false, 60);
    sensor_expect_message(&s, "missed");
    sensor_send_simple(&s, SM_MQTTSN_DISCONNECT, 0);
    sensor_expect(&s, SM_MQTTSN_DISCONNECT);
    sensor_connect(&s, "keeper-2", true, 60);
    listener_publish(&w.listener, "keep/2", "nobody", 1, false);
    sensor_expect_nothing(&s);
    sensor_close(&s);
}

static void what_a_client_does_not_acknowledge_comes_again(void **state)
{
    struct sensor s;
    (void)state;
    connected(&s, "keeper-3", false);
    sensor_subscribe(&s, "keep/3", 1);
    listener_publish(&w.listener, "keep/3", "again", 1, false);
    uint16_t id = sensor_expect(&s, SM_MQTTSN_PUBLISH)->msg_id;
    assert_false(s.p.dup);
    sensor_expect(&s, SM_MQTTSN_PUBLISH);
    assert_true(s.p.dup);
    assert_int_equal(s.p.msg_id, id);
    died_and_came_back();
    sensor_register(&s, "keep/3/another"); /* octets, for it has never proven its address */
    sensor_send_simple(&s, SM_MQTTSN_PINGREQ, 0);
    sensor_expect(&s, SM_MQTTSN_PINGRESP);
    sensor_expect_message(&s, "again");
    sensor_expect_nothing(&s);
    sensor_close(&s);
}

/* ---- QoS 2 ----------------------------------------------------------------------------------- */

static void expect_once(const char *topic, const char *text)
{
    listener_expect(&w.listener, topic, text);
    if (listener_next(&w.listener, 400))
        fail_msg("\"%.*s\" came too", (int)w.listener.p.len, (const char *)w.listener.p.data);
}

static void publish_again(struct sensor *s, uint16_t topic, uint16_t id, const char *text)
{
    sensor_send(s, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_PUBLISH,
                                              .qos = 2,
                                              .dup = true,
                                              .topic_id = topic,
                                              .msg_id = id,
                                              .data = (const uint8_t *)text,
                                              .len = (uint16_t)strlen(text)});
}

static void qos_2_is_once_when_the_gateway_dies_after_pubrec(void **state)
{
    struct sensor s;
    (void)state;
    listener_subscribe(&w.listener, "once/1", 2);
    connected(&s, "once-1", false);
    uint16_t topic = sensor_register(&s, "once/1");
    uint16_t id = sensor_publish_only(&s, topic, 2, "one");
    sensor_expect(&s, SM_MQTTSN_PUBREC);
    died_and_came_back();
    publish_again(&s, topic, id, "one"); /* as if PUBREC had been lost */
    sensor_expect(&s, SM_MQTTSN_PUBREC);
    sensor_send_simple(&s, SM_MQTTSN_PUBREL, id);
    sensor_expect(&s, SM_MQTTSN_PUBCOMP);
    expect_once("once/1", "one");
    sensor_close(&s);
}

static void qos_2_is_once_when_the_gateway_dies_before_pubrec(void **state)
{
    struct sensor s;
    (void)state;
    listener_subscribe(&w.listener, "once/2", 2);
    connected(&s, "once-2", false);
    uint16_t topic = sensor_register(&s, "once/2");
    kill(w.field.broker, SIGSTOP);
    uint16_t id = sensor_publish_only(&s, topic, 2, "two");
    sensor_expect_nothing(&s);
    gateway_stop(&w.gateway, SIGKILL);
    kill(w.field.broker, SIGCONT);
    gateway_again(&w.gateway);
    publish_again(&s, topic, id, "two");
    sensor_expect(&s, SM_MQTTSN_PUBREC);
    sensor_send_simple(&s, SM_MQTTSN_PUBREL, id);
    sensor_expect(&s, SM_MQTTSN_PUBCOMP);
    expect_once("once/2", "two");
    sensor_close(&s);
}

static void qos_2_is_once_when_a_datagram_comes_late(void **state)
{
    struct sensor s;
    (void)state;
    listener_subscribe(&w.listener, "once/3", 2);
    connected(&s, "once-3", true);
    uint16_t topic = sensor_register(&s, "once/3");
    sensor_publish(&s, topic, 2, "three");
    uint16_t id = s.next_id;
    publish_again(&s, topic, id, "three");
    sensor_expect(&s, SM_MQTTSN_PUBREC);
    expect_once("once/3", "three");
    sensor_close(&s);
}

static void qos_2_is_once_when_the_broker_restarts_in_the_middle(void **state)
{
    struct sensor s;
    (void)state;
    connected(&s, "once-4", true);
    uint16_t topic = sensor_register(&s, "once/4");
    kill(w.field.broker, SIGSTOP);
    uint16_t id = sensor_publish_only(&s, topic, 2, "four");
    sensor_expect_nothing(&s);
    listener_close(&w.listener);
    field_stop_broker(&w.field, SIGKILL);
    field_start_broker(&w.field);
    listener_open(&w.listener, &w.field, "listener");
    listener_subscribe(&w.listener, "once/4", 2);
    for (int i = 0; i < 100 && gateway_figure(&w.gateway, "broker_connected") != 1; i++)
        usleep(50000);
    publish_again(&s, topic, id, "four");
    sensor_expect(&s, SM_MQTTSN_PUBREC);
    sensor_send_simple(&s, SM_MQTTSN_PUBREL, id);
    sensor_expect(&s, SM_MQTTSN_PUBCOMP);
    expect_once("once/4", "four");
    sensor_close(&s);
}

static void qos_2_to_a_client_is_once_over_a_killed_gateway(void **state)
{
    struct sensor s;
    (void)state;
    connected(&s, "once-5", false);
    sensor_subscribe(&s, "once/5", 2);
    listener_publish(&w.listener, "once/5", "five", 2, false);
    uint16_t id = sensor_expect(&s, SM_MQTTSN_PUBLISH)->msg_id;
    sensor_send_simple(&s, SM_MQTTSN_PUBREC, id);
    sensor_expect(&s, SM_MQTTSN_PUBREL);
    died_and_came_back();
    sensor_send_simple(&s, SM_MQTTSN_PINGREQ, 0);
    sensor_expect(&s, SM_MQTTSN_PINGRESP);
    assert_int_equal(sensor_expect(&s, SM_MQTTSN_PUBREL)->msg_id, id);
    sensor_send_simple(&s, SM_MQTTSN_PUBCOMP, id);
    sensor_expect_nothing(&s);
    sensor_close(&s);
}

/* ---- Wills and own connections --------------------------------------------------------------- */

static void connect_with_will(struct sensor *s, const char *id, uint16_t keepalive_s,
                              const char *topic, const char *text)
{
    sensor_open(s, &w.gateway);
    sensor_send(s, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_CONNECT,
                                              .protocol = SM_MQTTSN_PROTOCOL_ID,
                                              .clean = true,
                                              .will = true,
                                              .duration_s = keepalive_s,
                                              .data = (const uint8_t *)id,
                                              .len = (uint16_t)strlen(id)});
    sensor_expect(s, SM_MQTTSN_WILLTOPICREQ);
    sensor_send(s, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_WILLTOPIC,
                                              .qos = 1,
                                              .data = (const uint8_t *)topic,
                                              .len = (uint16_t)strlen(topic)});
    sensor_expect(s, SM_MQTTSN_WILLMSGREQ);
    sensor_send(s, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_WILLMSG,
                                              .data = (const uint8_t *)text,
                                              .len = (uint16_t)strlen(text)});
    assert_int_equal(sensor_expect(s, SM_MQTTSN_CONNACK)->code, SM_MQTTSN_ACCEPTED);
}

static void a_silent_client_s_will_is_published(void **state)
{
    struct sensor s;
    (void)state;
    listener_subscribe(&w.listener, "will/1", 1);
    connect_with_will(&s, "will-1", 1, "will/1", "gone");
    listener_expect(&w.listener, "will/1", "gone");
    sensor_close(&s);
}

static void a_client_that_disconnects_has_no_will(void **state)
{
    struct sensor s;
    (void)state;
    listener_subscribe(&w.listener, "will/2", 1);
    connect_with_will(&s, "will-2", 60, "will/2", "gone");
    sensor_send_simple(&s, SM_MQTTSN_DISCONNECT, 0);
    sensor_expect(&s, SM_MQTTSN_DISCONNECT);
    assert_false(listener_next(&w.listener, 300));
    sensor_close(&s);
}

static void a_will_can_be_changed(void **state)
{
    struct sensor s;
    (void)state;
    listener_subscribe(&w.listener, "will/3", 1);
    connect_with_will(&s, "will-3", 1, "will/3", "old");
    sensor_send(&s, &(struct sm_mqttsn_packet){
                        .type = SM_MQTTSN_WILLMSGUPD, .data = (const uint8_t *)"new", .len = 3});
    assert_int_equal(sensor_expect(&s, SM_MQTTSN_WILLMSGRESP)->code, SM_MQTTSN_ACCEPTED);
    listener_expect(&w.listener, "will/3", "new");
    sensor_close(&s);
}

static void an_own_connection_carries_all_qos_both_ways(void **state)
{
    static const char *const texts[] = {"zero", "one", "two"};
    struct sensor s;
    (void)state;
    listener_subscribe(&w.listener, "own/up", 2);
    connected(&s, "own-1", true);
    uint16_t topic = sensor_register(&s, "own/up");
    sensor_subscribe(&s, "own/down", 2);
    for (uint8_t qos = 0; qos <= 2; qos++) {
        sensor_publish(&s, topic, (int8_t)qos, texts[qos]);
        listener_expect(&w.listener, "own/up", texts[qos]);
        listener_publish(&w.listener, "own/down", texts[qos], qos, false);
        sensor_expect_message(&s, texts[qos]);
    }
    assert_true(field_log_says(&w.field, "broker.log", "as own-1"));
    sensor_close(&s);
}

static void an_own_session_goes_on_after_a_killed_gateway(void **state)
{
    struct sensor s;
    (void)state;
    connected(&s, "own-2", false);
    sensor_subscribe(&s, "own/2", 1);
    died_and_came_back();
    listener_publish(&w.listener, "own/2", "meanwhile", 1, false);
    sensor_send_simple(&s, SM_MQTTSN_PINGREQ, 0);
    sensor_expect(&s, SM_MQTTSN_DISCONNECT);
    sensor_connect(&s, "own-2", false, 60);
    sensor_expect_message(&s, "meanwhile");
    sensor_expect_nothing(&s);
    sensor_close(&s);
}

static void an_own_session_gets_qos_2_once_over_a_killed_gateway(void **state)
{
    struct sensor s;
    (void)state;
    connected(&s, "own-3", false);
    sensor_subscribe(&s, "own/3", 2);
    listener_publish(&w.listener, "own/3", "once", 2, false);
    uint16_t id = sensor_expect(&s, SM_MQTTSN_PUBLISH)->msg_id;
    died_and_came_back();
    sensor_send_simple(&s, SM_MQTTSN_PUBREC, id);
    sensor_expect(&s, SM_MQTTSN_DISCONNECT);
    sensor_connect(&s, "own-3", false, 60);
    assert_int_equal(sensor_expect(&s, SM_MQTTSN_REGISTER)->len, 5);
    sensor_send(&s, &(struct sm_mqttsn_packet){
                        .type = SM_MQTTSN_REGACK, .topic_id = s.p.topic_id, .msg_id = s.p.msg_id});
    sensor_expect(&s, SM_MQTTSN_PUBLISH);
    assert_true(s.p.dup);
    assert_int_equal(s.p.msg_id, id);
    sensor_send_simple(&s, SM_MQTTSN_PUBREC, id);
    sensor_expect(&s, SM_MQTTSN_PUBREL);
    sensor_send_simple(&s, SM_MQTTSN_PUBCOMP, id);
    sensor_expect_nothing(&s);
    sensor_close(&s);
}

/* ---- Power ----------------------------------------------------------------------------------- */

static long octets(const char *path)
{
    struct stat s;
    return stat(path, &s) < 0 ? 0 : (long)s.st_size;
}

static void a_gateway_that_stands_power_cuts_waits_for_the_disk_before_it_answers(void **state)
{
    static const char *const durable[] = {RULES ", \"durable\": \"process\"",
                                          RULES ", \"durable\": \"power\""};
    struct gateway g;
    struct sensor s;
    char syncs[128], name[16];
    (void)state;
    snprintf(syncs, sizeof syncs, "%s/syncs", w.field.dir);
    for (int power = 0; power < 2; power++) {
        setenv("SYNCS", syncs, 1);
        setenv("LD_PRELOAD", COUNT_SYNCS, 1);
        snprintf(name, sizeof name, "durable-%d", power);
        gateway_start(&g, &w.field, name, durable[power]);
        sensor_open(&s, &g);
        long before = octets(syncs);
        sensor_connect(&s, "kept", false, 60);
        long connected_at = octets(syncs);
        sensor_subscribe(&s, "power/1", 1);
        sensor_sleep(&s, 60);
        long asleep_at = octets(syncs);
        assert_int_equal(connected_at > before, power);
        assert_int_equal(asleep_at > connected_at, power);
        listener_publish(&w.listener, "power/1", "kept", 1, false);
        sensor_expect_nothing(&s); /* and for longer than a message waits to be stored */
        usleep(300000);
        gateway_stop(&g, SIGKILL);
        gateway_again(&g);
        unsetenv("LD_PRELOAD");
        sensor_wake(&s, "kept");
        sensor_expect_message(&s, "kept");
        sensor_close(&s);
        assert_int_equal(gateway_stop(&g, SIGTERM), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sleeping_client_gets_all_at_wake_up_and_then_the_pingresp),
        cmocka_unit_test(what_a_sleeper_waits_for_survives_a_killed_gateway),
        cmocka_unit_test(beyond_the_limit_messages_are_dropped_and_counted),
        cmocka_unit_test(connect_wakes_a_sleeper_and_keeps_its_session),
        cmocka_unit_test(a_sleeper_that_does_not_wake_is_lost),
        cmocka_unit_test(a_kept_session_goes_on_over_a_killed_gateway),
        cmocka_unit_test(a_kept_session_gets_what_came_while_it_was_away),
        cmocka_unit_test(what_a_client_does_not_acknowledge_comes_again),
        cmocka_unit_test(qos_2_is_once_when_the_gateway_dies_after_pubrec),
        cmocka_unit_test(qos_2_is_once_when_the_gateway_dies_before_pubrec),
        cmocka_unit_test(qos_2_is_once_when_a_datagram_comes_late),
        cmocka_unit_test(qos_2_is_once_when_the_broker_restarts_in_the_middle),
        cmocka_unit_test(qos_2_to_a_client_is_once_over_a_killed_gateway),
        cmocka_unit_test(a_silent_client_s_will_is_published),
        cmocka_unit_test(a_client_that_disconnects_has_no_will),
        cmocka_unit_test(a_will_can_be_changed),
        cmocka_unit_test(an_own_connection_carries_all_qos_both_ways),
        cmocka_unit_test(an_own_session_goes_on_after_a_killed_gateway),
        cmocka_unit_test(an_own_session_gets_qos_2_once_over_a_killed_gateway),
        cmocka_unit_test(a_gateway_that_stands_power_cuts_waits_for_the_disk_before_it_answers),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
