/* The real gateway in front of a real broker: what clients and broker see of each other.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "field.h"

static struct world w;

static int setup(void **state)
{
    (void)state;
    return world_setup(&w, NULL);
}

static int teardown(void **state)
{
    (void)state;
    return world_teardown(&w);
}

static void connected(struct sensor *s, const char *id)
{
    sensor_open(s, &w.gateway);
    sensor_connect(s, id, true, 60);
}

static void a_message_of_each_qos_reaches_the_broker(void **state)
{
    static const char *const texts[] = {"zero", "one", "two"};
    struct sensor s;
    (void)state;
    listener_subscribe(&w.listener, "site/+/up", 2);
    connected(&s, "sensor-1");
    uint16_t topic = sensor_register(&s, "site/1/up");
    for (int8_t qos = 0; qos <= 2; qos++) {
        sensor_publish(&s, topic, qos, texts[qos]);
        listener_expect(&w.listener, "site/1/up", texts[qos]);
        assert_int_equal(w.listener.p.qos, qos);
    }
    sensor_close(&s);
}

static void a_message_of_each_qos_reaches_the_client(void **state)
{
    static const char *const texts[] = {"zero", "one", "two"};
    struct sensor s;
    (void)state;
    connected(&s, "sensor-2");
    uint16_t topic = sensor_subscribe(&s, "site/2/down", 2);
    assert_int_not_equal(topic, 0);
    for (uint8_t qos = 0; qos <= 2; qos++) {
        listener_publish(&w.listener, "site/2/down", texts[qos], qos, false);
        sensor_expect_message(&s, texts[qos]);
        assert_int_equal(s.p.type == SM_MQTTSN_PUBREL ? 2 : s.p.qos, qos);
    }
    sensor_expect_nothing(&s);
    sensor_close(&s);
}

static void a_wildcard_brings_a_register_before_the_message(void **state)
{
    struct sensor s;
    (void)state;
    connected(&s, "sensor-3");
    assert_int_equal(sensor_subscribe(&s, "site/3/#", 1), 0);
    listener_publish(&w.listener, "site/3/a/b", "deep", 1, false);
    sensor_expect(&s, SM_MQTTSN_REGISTER);
    assert_int_equal(s.p.len, strlen("site/3/a/b"));
    sensor_send(&s, &(struct sm_mqttsn_packet){
                        .type = SM_MQTTSN_REGACK, .topic_id = s.p.topic_id, .msg_id = s.p.msg_id});
    sensor_expect_message(&s, "deep");
    listener_publish(&w.listener, "site/3/a/b", "again", 1, false);
    sensor_expect(&s, SM_MQTTSN_PUBLISH);
    sensor_close(&s);
}

static void overlapping_filters_of_two_clients_bring_each_one_copy(void **state)
{
    struct sensor a, b, c;
    (void)state;
    connected(&a, "sensor-4a");
    connected(&b, "sensor-4b");
    connected(&c, "sensor-4c");
    sensor_subscribe(&a, "site/4/#", 1);
    sensor_subscribe(&b, "site/4/x", 1);
    sensor_subscribe(&c, "+/4/x", 1);
    listener_publish(&w.listener, "site/4/x", "once", 1, false);
    sensor_expect_message(&a, "once");
    sensor_expect_message(&b, "once");
    sensor_expect_message(&c, "once");
    sensor_expect_nothing(&a);
    sensor_expect_nothing(&b);
    sensor_expect_nothing(&c);
    sensor_close(&a);
    sensor_close(&b);
    sensor_close(&c);
}

static void retained_messages_come_to_who_subscribes_and_nobody_else(void **state)
{
    struct sensor a, b;
    (void)state;
    listener_publish(&w.listener, "site/5/state", "kept", 1, true);
    connected(&a, "sensor-5a");
    sensor_subscribe(&a, "site/5/state", 1);
    sensor_expect_message(&a, "kept");
    connected(&b, "sensor-5b");
    sensor_subscribe(&b, "site/5/state", 1);
    sensor_expect_message(&b, "kept");
    sensor_expect_nothing(&a);
    sensor_close(&a);
    sensor_close(&b);
}

static void after_unsubscribe_nothing_comes(void **state)
{
    struct sensor s;
    (void)state;
    connected(&s, "sensor-6");
    sensor_subscribe(&s, "site/6", 1);
    sensor_send(&s, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_UNSUBSCRIBE,
                                               .msg_id = 99,
                                               .data = (const uint8_t *)"site/6",
                                               .len = 6});
    assert_int_equal(sensor_expect(&s, SM_MQTTSN_UNSUBACK)->msg_id, 99);
    listener_publish(&w.listener, "site/6", "nobody", 1, false);
    sensor_expect_nothing(&s);
    sensor_close(&s);
}

static void without_the_broker_nothing_is_acknowledged(void **state)
{
    struct sensor s;
    (void)state;
    connected(&s, "sensor-7");
    uint16_t topic = sensor_register(&s, "site/7");
    kill(w.field.broker, SIGSTOP);
    uint16_t id = sensor_publish_only(&s, topic, 1, "held");
    sensor_expect_nothing(&s);
    kill(w.field.broker, SIGCONT);
    assert_int_equal(sensor_expect(&s, SM_MQTTSN_PUBACK)->msg_id, id);
    sensor_close(&s);
}

static void it_advertises_itself_and_answers_searches(void **state)
{
    char more[512];
    struct gateway g;
    struct sensor group;
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)field_free_port(SOCK_DGRAM))};
    struct ip_mreqn join = {.imr_address.s_addr = htonl(INADDR_LOOPBACK)};
    int yes = 1;
    (void)state;
    inet_pton(AF_INET, "225.1.1.1", &join.imr_multiaddr);
    snprintf(more, sizeof more,
             ", \"listen\": [{\"address\": \"0.0.0.0\", \"port\": %u, \"multicast\": "
             "\"225.1.1.1\", \"interface\": \"lo\"}], \"advertise_seconds\": 1, \"gateway_id\": 7,"
             " \"search\": [\"127.0.0.0/8\"], \"clients\": [{\"id\": \"*\"}]",
             ntohs(at.sin_port));
    memset(&group, 0, sizeof group);
    group.fd = socket(AF_INET, SOCK_DGRAM, 0);
    at.sin_addr = join.imr_multiaddr;
    setsockopt(group.fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    setsockopt(group.fd, IPPROTO_IP, IP_MULTICAST_IF, &join, sizeof join);
    assert_int_equal(bind(group.fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(setsockopt(group.fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof join), 0);
    gateway_start(&g, &w.field, "gateway2", more);
    sensor_expect(&group, SM_MQTTSN_ADVERTISE);
    assert_int_equal(group.p.gateway_id, 7);
    assert_int_equal(group.p.duration_s, 1);
    sensor_close(&group);
    sensor_open(&group, &g);
    setsockopt(group.fd, IPPROTO_IP, IP_MULTICAST_IF, &join, sizeof join);
    sensor_send(&group, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_SEARCHGW});
    assert_int_equal(sensor_expect(&group, SM_MQTTSN_GWINFO)->gateway_id, 7);
    sensor_close(&group);
    assert_int_equal(gateway_stop(&g, SIGTERM), 0);
}

static void a_configuration_s_mistakes_are_named(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {{"\"brokr\": 1", "brokr"},
               {"\"limits\": {\"clients\": 0}", "limits.clients"},
               {"\"search\": [\"fe80::/129\"]", "search[0]"},
               {"\"forwarders\": [\"here\"]", "forwarders[0]"},
               {"\"predefined\": [{\"id\": 1, \"topic\": \"a/#\"}]", "predefined[0].topic"},
               {"\"durable\": \"yes\"", "durable"},
               {"\"metrics\": {\"port\": 1, \"address\": \"here\"}", "metrics.address"},
               {"\"dtls\": {\"key\": \"x\"}", "dtls"},
               {"\"dtls\": {\"psk_file\": \"no-keys\"}", "no-keys"},
               {"\"dtls\": {\"certificate\": \"no.pem\", \"key\": \"k\", \"ca\": \"c\"}", "no.pem"},
               {"\"broker\": {\"host\": \"x\", \"ca\": \"no-ca.pem\"}", "no-ca.pem"},
               {"\"advertise_seconds\": 9", "advertise_seconds"},
               {"\"clients\": [{\"id\": \"a*b\"}]", "clients[0].id"},
               {"\"clients\": [{\"identity\": \"a*b\"}]", "clients[0].identity"},
               {"\"clients\": [{\"id\": \"a\", \"publish\": [\"b/%z\"]}]",
                "clients[0].publish[0]: %z stands for nothing"},
               {"\"clients\": [{\"id\": \"a\", \"subscribe\": [\"b\", \"b/%u\"]}]",
                "clients[0].subscribe[1]: %u needs identity"}};
    static const char *const rest[] = {"\"broker\": {\"host\": \"x\"}",
                                       "\"clients\": [{\"id\": \"*\"}]"};
    char text[512], line[512];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "{\"name\": \"x\", %s%s%s%s\"listen\": [{\"port\": 1}], %s}",
                 strncmp(bad[i].text, rest[0], 8) ? rest[0] : "",
                 strncmp(bad[i].text, rest[0], 8) ? ", " : "",
                 strncmp(bad[i].text, rest[1], 9) ? rest[1] : "",
                 strncmp(bad[i].text, rest[1], 9) ? ", " : "", bad[i].text);
        field_write(&w.field, "bad.json", text);
        snprintf(line, sizeof line, SANDMOTE_GATEWAY " --check %s/bad.json >%s/bad.log 2>&1",
                 w.field.dir, w.field.dir);
        assert_int_not_equal(system(line), 0);
        if (!field_log_says(&w.field, "bad.log", bad[i].says))
            fail_msg("%s is not named", bad[i].says);
    }
}

static void a_broker_that_is_not_there_is_named_in_the_log(void **state)
{
    static const char *const more[] = {"", ", \"ca\": \"none.pem\""};
    static const char *const says[] = {"the broker at 127.0.0.1, port 1: Connection refused",
                                       "none.pem"};
    char text[512];
    (void)state;
    for (int i = 0; i < 2; i++) {
        snprintf(text, sizeof text,
                 "{\"name\": \"x\", \"broker\": {\"host\": \"127.0.0.1\", \"port\": 1%s},"
                 "\"listen\": [{\"port\": 0}], \"clients\": [{\"id\": \"*\"}]}",
                 more[i]);
        field_write(&w.field, "none.json", text);
        pid_t pid = field_run(&w.field, "none.log", SANDMOTE_GATEWAY, "--config", "none.json");
        if (!field_log_says(&w.field, "none.log", says[i]))
            fail_msg("%s is not said", says[i]);
        field_end(&pid, SIGTERM);
    }
}

static void silent_requests_for_figures_do_not_keep_others_out(void **state)
{
    int fd[40];
    (void)state;
    for (int i = 0; i < 40; i++) {
        struct sockaddr_in to = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)w.gateway.metrics_port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fd[i], (struct sockaddr *)&to, sizeof to), 0);
    }
    uint8_t byte; /* what is too much is closed at once, the others after a while */
    assert_int_equal(recv(fd[39], &byte, 1, 0), 0);
    assert_int_equal(recv(fd[0], &byte, 1, 0), 0);
    assert_int_equal(gateway_figure(&w.gateway, "broker_connected"), 1);
    for (int i = 0; i < 40; i++)
        close(fd[i]);
}

/* The broker's own limit is twenty: what comes while it has so many it would acknowledge, and not
 * pass on. */
static void what_comes_at_once_is_not_more_than_the_broker_takes(void **state)
{
    enum { MANY = 30 };
    static struct sensor many[MANY];
    uint16_t topic[MANY], id[MANY];
    char name[16];
    (void)state;
    listener_subscribe(&w.listener, "many/+", 2);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "many/%d", i);
        connected(&many[i], name);
        topic[i] = sensor_register(&many[i], name);
    }
    kill(w.gateway.pid, SIGSTOP);
    for (int i = 0; i < MANY; i++)
        id[i] = sensor_publish_only(&many[i], topic[i], i < MANY - 5 ? 2 : 1, "now");
    kill(w.gateway.pid, SIGCONT);
    for (int i = 0; i < MANY; i++) {
        sensor_expect(&many[i], i < MANY - 5 ? SM_MQTTSN_PUBREC : SM_MQTTSN_PUBACK);
        assert_int_equal(many[i].p.msg_id, id[i]);
    }
    for (int i = 0; i < MANY; i++)
        assert_true(listener_next(&w.listener, FIELD_WAIT_MS));
    for (int i = 0; i < MANY; i++)
        sensor_close(&many[i]);
}

static void the_figures_say_what_happened(void **state)
{
    (void)state;
    assert_true(gateway_figure(&w.gateway, "published_qos1_total") >= 2);
    assert_int_equal(gateway_figure(&w.gateway, "published_qos2_total"), 1);
    assert_int_equal(gateway_figure(&w.gateway, "broker_connected"), 1);
    assert_int_equal(gateway_figure(&w.gateway, "no_such_thing"), -1);
}

static void the_broker_is_reached_by_a_local_socket(void **state)
{
    struct gateway local;
    struct sensor s;
    char path[128], line[512];
    (void)state;
    snprintf(path, sizeof path, "%s/mqtt.sock", w.field.dir);
    w.field.broker_host = path;
    gateway_start(&local, &w.field, "gateway-local", NULL);
    sensor_open(&s, &local);
    sensor_connect(&s, "local", true, 60);
    sensor_publish(&s, sensor_register(&s, "local/1"), 2, "two");
    assert_int_equal(gateway_figure(&local, "published_qos2_total"), 1);
    sensor_close(&s);
    field_stop_broker(&w.field, SIGKILL);
    snprintf(line, sizeof line, "the broker at %s: ", path);
    assert_true(field_log_says(&w.field, "gateway-local.log", line));
    assert_int_equal(gateway_stop(&local, SIGTERM), 0);
    w.field.broker_host = NULL;
    field_write(&w.field, "tls.json",
                "{\"name\": \"x\", \"broker\": {\"host\": \"/x\", \"ca\": \"x\"},"
                "\"listen\": [{\"port\": 1}], \"clients\": [{\"id\": \"*\"}]}");
    snprintf(line, sizeof line, SANDMOTE_GATEWAY " --check %s/tls.json >%s/tls.log 2>&1",
             w.field.dir, w.field.dir);
    assert_int_not_equal(system(line), 0);
    assert_true(field_log_says(&w.field, "tls.log", "local socket /x"));
    field_start_broker(&w.field);
}

/* ::1, where nobody listens, comes first. */
static void
a_broker_s_name_is_looked_up_while_clients_are_served_and_each_address_is_tried(void **state)
{
    struct gateway named;
    struct sensor s;
    char go[128];
    (void)state;
    snprintf(go, sizeof go, "%s/go", w.field.dir);
    setenv("SLOW_NAMES", go, 1);
    setenv("LD_PRELOAD", SLOW_NAMES, 1);
    w.field.broker_host = "broker.test";
    w.field.gateway_says = ", plain UDP";
    gateway_start(&named, &w.field, "gateway-named", NULL);
    unsetenv("LD_PRELOAD");
    w.field.broker_host = w.field.gateway_says = NULL;
    sensor_open(&s, &named);
    sensor_send_simple(&s, SM_MQTTSN_PINGREQ, 0);
    sensor_expect(&s, SM_MQTTSN_DISCONNECT); /* the resolver still says nothing */
    assert_int_equal(gateway_figure(&named, "broker_connected"), 0);
    field_write(&w.field, "go", "");
    assert_true(field_log_says(&w.field, "gateway-named.log", "to the broker is up"));
    sensor_connect(&s, "named", true, 60);
    sensor_close(&s);
    assert_int_equal(gateway_stop(&named, SIGTERM), 0);
}

static void a_gateway_ends_while_a_name_is_looked_up(void **state)
{
    struct gateway named;
    (void)state;
    setenv("SLOW_NAMES", "/nothing/is/here", 1);
    setenv("LD_PRELOAD", SLOW_NAMES, 1);
    w.field.broker_host = "broker.test";
    w.field.gateway_says = ", plain UDP";
    gateway_start(&named, &w.field, "gateway-named", NULL);
    unsetenv("LD_PRELOAD");
    w.field.broker_host = w.field.gateway_says = NULL;
    assert_int_equal(gateway_stop(&named, SIGTERM), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_of_each_qos_reaches_the_broker),
        cmocka_unit_test(a_message_of_each_qos_reaches_the_client),
        cmocka_unit_test(a_wildcard_brings_a_register_before_the_message),
        cmocka_unit_test(overlapping_filters_of_two_clients_bring_each_one_copy),
        cmocka_unit_test(retained_messages_come_to_who_subscribes_and_nobody_else),
        cmocka_unit_test(after_unsubscribe_nothing_comes),
        cmocka_unit_test(without_the_broker_nothing_is_acknowledged),
        cmocka_unit_test(it_advertises_itself_and_answers_searches),
        cmocka_unit_test(a_configuration_s_mistakes_are_named),
        cmocka_unit_test(a_broker_that_is_not_there_is_named_in_the_log),
        cmocka_unit_test(silent_requests_for_figures_do_not_keep_others_out),
        cmocka_unit_test(the_figures_say_what_happened),
        cmocka_unit_test(
            a_broker_s_name_is_looked_up_while_clients_are_served_and_each_address_is_tried),
        cmocka_unit_test(a_gateway_ends_while_a_name_is_looked_up),
        cmocka_unit_test(what_comes_at_once_is_not_more_than_the_broker_takes),
        cmocka_unit_test(the_broker_is_reached_by_a_local_socket),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
