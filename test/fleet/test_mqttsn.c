/* Signed modules for devices without TCP, all of it real: sandmoted, a bad way, sandmote-gateway,
 * Mosquitto, sandmote-fleet.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <curl/curl.h>

#include "bridge.h"
#include "device_fixture.h"
#include "field.h"

#define BIG 12000u /* bytes of padding */

static struct fleet_fixture fx;
static struct field field;
static struct gateway gateway;
static struct bridge bridge;
static struct device_fixture dev;
static struct module v1, v2;

static void upload(const struct module *m)
{
    struct reply r = module_upload(&fx, m, 201);
    reply_free(&r);
}

static void begin(unsigned poll_s)
{
    fleet_prepare(&fx);
    memset(&dev, 0, sizeof dev);
    memset(&bridge, 0, sizeof bridge);
    memset(&field, 0, sizeof field);
    memset(&gateway, 0, sizeof gateway);
    assert_true(field_setup(&field));
    gateway_start(&gateway, &field, "gateway1", NULL);
    fleet_behind_broker(&fx, field.broker_port, ", \"messages_per_second\": 1000", poll_s);
    fleet_start(&fx);
    app_make(&fx, &v1, 1, 0);
    app_make(&fx, &v2, 2, BIG);
    upload(&v1);
    upload(&v2);
    fleet_enrol(&fx, "mote-1", "stable");
}

static int start(void **state)
{
    (void)state;
    begin(3600);
    return 0;
}

static int start_with_short_polls(void **state)
{
    (void)state;
    begin(2);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    if (dev.pid)
        device_stop(&dev, SIGKILL);
    bridge_stop(&bridge);
    gateway_stop(&gateway, SIGKILL);
    fleet_teardown(&fx);
    field_teardown(&field);
    return 0;
}

/* way: what says where its gateway is; more: further keys. */
static void configure_device(const char *way, const char *more)
{
    char text[2048];
    memset(&dev, 0, sizeof dev);
    dev.fx = &fx;
    strcpy(dev.name, "mote-1");
    strcpy(dev.log, "mote-1.log");
    int n = snprintf(text, sizeof text,
                     "{\"device\":\"mote-1\",\"fleet\":\"plant-7\",\"class\":\"edge\","
                     "\"memory_bytes\":1048576,\"signers\":[\"signer.pub.pem\"],"
                     "\"capabilities\":[\"log\"],"
                     "\"flash\":{\"file\":\"mote-1.flash\",\"slot_bytes\":65536,"
                     "\"sector_bytes\":1024},"
                     "\"mqtt-sn\":{%s,\"retry_seconds\":1,\"poll_least_seconds\":1%s}}",
                     way, more);
    fleet_write(&fx, "mote-1.json", text, (size_t)n);
}

static void start_over_udp(unsigned lost, const char *more)
{
    char way[128];
    bridge_udp(&bridge, gateway.port, lost, lost / 2, lost / 2);
    snprintf(way, sizeof way, "\"gateways\":[{\"host\":\"127.0.0.1\",\"port\":%u}]", bridge.port);
    configure_device(way, more);
    device_start(&dev);
}

static void a_module_comes_through_a_gateway_though_a_tenth_is_lost(void **state)
{
    (void)state;
    fleet_assign(&fx, "stable", &v2, NULL);
    start_over_udp(10, "");
    device_says(&dev, "COMMITTED app 2.0", 40);
    fleet_expect_action(&fx, "mote-1", "finished", 20);
    fleet_expect_event(&fx, "COMMITTED", "app", "");
    assert_true(device_said(&dev, " bytes, ") >= 5); /* how far it is */
}

static void a_device_that_is_killed_goes_on_with_what_it_has(void **state)
{
    (void)state;
    fleet_assign(&fx, "stable", &v2, NULL);
    start_over_udp(2, ",\"window\":1"); /* what is lost costs a second: it does not hurry */
    device_says(&dev, "mqtt-sn: app: ", 20);
    while (device_said(&dev, " bytes, ") < 8) /* of ten; the slot's record knows of 8192 bytes */
        usleep(1000);
    assert_int_equal(device_said(&dev, "COMMITTED"), 0);
    device_stop(&dev, SIGKILL);
    device_start(&dev);
    device_says(&dev, "COMMITTED app 2.0", 30);
    assert_true(device_said(&dev, " bytes, ") < 6);
    fleet_expect_action(&fx, "mote-1", "finished", 20);
}

static void a_sleeping_device_asks_when_it_wakes(void **state)
{
    (void)state;
    start_over_udp(0, ",\"sleep_seconds\":1");
    sleep(1);
    fleet_assign(&fx, "stable", &v2, NULL);
    device_says(&dev, "COMMITTED app 2.0", 40);
    fleet_expect_action(&fx, "mote-1", "finished", 20);
}

static void a_module_comes_over_a_noisy_serial_line(void **state)
{
    char way[128];
    (void)state;
    bridge_serial(&bridge, gateway.port, 3);
    snprintf(way, sizeof way, "\"serial\":{\"device\":\"%s\",\"baud\":115200}", bridge.device);
    configure_device(way, "");
    fleet_assign(&fx, "stable", &v2, NULL);
    device_start(&dev);
    device_says(&dev, "COMMITTED app 2.0", 40);
    fleet_expect_action(&fx, "mote-1", "finished", 20);
}

static void a_gateway_that_is_restarted_costs_a_while(void **state)
{
    (void)state;
    start_over_udp(0, ",\"keepalive_seconds\":2,\"window\":1");
    fleet_assign(&fx, "stable", &v2, NULL);
    device_says(&dev, "mqtt-sn: app: ", 20);
    unsigned port = gateway.port;
    gateway_stop(&gateway, SIGTERM);
    char more[160];
    snprintf(more, sizeof more,
             ", \"listen\": [{\"address\": \"127.0.0.1\", \"port\": %u}], \"clients\": [{\"id\":"
             " \"*\", \"publish\": [\"#\"], \"subscribe\": [\"#\"]}]",
             port);
    gateway_start(&gateway, &field, "gateway1", more);
    device_says(&dev, "COMMITTED app 2.0", 60);
    fleet_expect_action(&fx, "mote-1", "finished", 20);
}

/* Over DTLS with a key shared beforehand; the gateway's rule is for whoever proved to be "mote". */
static void a_module_comes_over_dtls(void **state)
{
    static const char key[] = "mote:00112233445566778899aabbccddeeff\n";
    char way[256];
    (void)state;
    gateway_stop(&gateway, SIGTERM);
    field_write(&field, "psk", key);
    gateway_start(&gateway, &field, "gateway1",
                  ", \"listen\": [{\"address\": \"127.0.0.1\", \"port\": 0},"
                  " {\"address\": \"127.0.0.1\", \"port\": 0, \"dtls\": true}],"
                  " \"dtls\": {\"psk_file\": \"psk\"},"
                  " \"clients\": [{\"id\": \"mote-1\", \"identity\": \"mote\","
                  " \"publish\": [\"sandmote/%c/up\"], \"subscribe\": [\"sandmote/%c/down\"]}]");
    fleet_write(&fx, "mote.psk", key + 5, strlen(key + 5));
    fleet_assign(&fx, "stable", &v2, NULL);
    snprintf(way, sizeof way,
             "\"gateways\":[{\"host\":\"127.0.0.1\",\"port\":%u}],"
             "\"dtls\":{\"identity\":\"mote\",\"psk_file\":\"mote.psk\"}",
             gateway.dtls_port);
    configure_device(way, "");
    device_start(&dev);
    device_says(&dev, "COMMITTED app 2.0", 20);
    fleet_expect_action(&fx, "mote-1", "finished", 20);
}

/* Its claim and the image come behind the module; needs a C compiler, as `sandmote aot` does. */
static void a_native_image_comes_through_the_gateway(void **state)
{
    (void)state;
    fleet_write(&fx, "v2.wasm", v2.wasm, v2.len);
    assert_int_equal(fleet_shell(&fx,
                                 "cd $DIR && $SANDMOTE aot --checks v2.wasm -o v2.native && "
                                 "$SANDMOTE sign --native --key builder.pem v2.native && "
                                 "$FLEET upload-native --server $URL --ca ca.pem --token-file token"
                                 " v2.native"),
                     0);
    fleet_assign(&fx, "stable", &v2, NULL);
    char way[128];
    bridge_udp(&bridge, gateway.port, 10, 5, 5);
    snprintf(way, sizeof way, "\"gateways\":[{\"host\":\"127.0.0.1\",\"port\":%u}]", bridge.port);
    configure_device(way, "},\"native\":\"builder\",\"builders\":[\"builder.pub.pem\"],"
                          "\"core_dumps\":{\"folder\":\"cores\"");
    assert_int_equal(fleet_shell(&fx, "sed -i 's/:1024}/:4096}/' $DIR/mote-1.json"), 0);
    device_start(&dev);
    device_says(&dev, "STARTED app 2.0", 60);
    assert_true(device_said(&dev, "): native\n") > 0);
    device_says(&dev, "COMMITTED app 2.0", 10);
    fleet_expect_action(&fx, "mote-1", "finished", 20);
    assert_int_equal(device_said(&dev, "NATIVE_REFUSED"), 0);
}

/* The whole dump, sealed by the device to its owner, and nobody else can open it. */
static void a_sealed_core_dump_comes_up_through_the_gateway(void **state)
{
    struct reply r = {0};
    struct module reaching;
    (void)state;
    fleet_shell(&fx, "cd $DIR && openssl genpkey -algorithm x25519 -out owner.pem && "
                     "openssl pkey -in owner.pem -pubout -out owner.pub.pem");
    app_make_reaching(&fx, &reaching, 3);
    upload(&reaching);
    fleet_assign(&fx, "stable", &reaching, NULL);
    start_over_udp(10, "},\"core_dumps\":{\"folder\":\"cores\",\"memory\":true,"
                       "\"seal_to\":\"owner.pub.pem\"");
    for (int i = 0; i < 1000; i++) {
        r = get_as(&fx, AS_OPERATOR, "/api/v1/postmortems", 200);
        if (json_array_size(json_at(r.json, "postmortems")) > 0)
            break;
        reply_free(&r);
        usleep(20000);
    }
    assert_int_equal(json_array_size(json_at(r.json, "postmortems")), 1);
    assert_json_text(r.json, "postmortems.0.sha256", reaching.sha256);
    reply_free(&r);
    fleet_write(&fx, "token", OPERATOR_TOKEN "\n", sizeof OPERATOR_TOKEN);
    assert_int_equal(fleet_shell(&fx, "cd $DIR && $FLEET postmortem --server $URL --ca ca.pem "
                                      "--token-file token 1 pm && cmp pm cores/core.1 && "
                                      "! grep -q 'version 3' pm && "
                                      "$SANDMOTE postmortem --key owner.pem pm"),
                     0);
    char *out = fleet_file(&fx, "out");
    assert_non_null(strstr(out, "memory     65536 bytes, 9 of them here"));
    free(out);
}

static void shell(const char *line)
{
    if (fleet_shell(&fx, line) != 0) {
        char *out = fleet_file(&fx, "out");
        fail_msg("%s: %s", line, out);
    }
}

/* Set 1, with which the device is commissioned, names a key for statements, so nothing is installed
 * without one; set 2 has to come before anything else. */
static void key_sets_and_statements_come_in_blocks_too(void **state)
{
    static const char plan[] = "{\"fleet\":\"plant-7\",\"threshold\":1,"
                               "\"roots\":[\"root1.pub.pem\"],"
                               "\"keys\":[{\"role\":\"signer\",\"key\":\"signer.pub.pem\"},"
                               "{\"role\":\"server\",\"key\":\"says.pub.pem\"}]}";
    (void)state;
    fleet_write(&fx, "plan.json", plan, sizeof plan - 1);
    fleet_write(&fx, "v1.wasm", v1.wasm, v1.len);
    shell("cd $DIR && $SANDMOTE key new root1.pem && $SANDMOTE key new says.pem &&"
          " $SANDMOTE trust commission plan.json -o 1.keys &&"
          " $SANDMOTE trust sign --key root1.pem 1.keys &&"
          " $SANDMOTE trust revoke --after 1.keys -o 2.keys v1.wasm &&"
          " $SANDMOTE trust sign --key root1.pem --after 1.keys 2.keys");
    assert_int_equal(fleet_stop(&fx, SIGTERM), 0);
    shell("sed -i 's/\"port\": 0/\"port\": 0, \"statement_key\": \"says.pem\"/' $DIR/fleet.json");
    fleet_start(&fx);
    shell(
        "cd $DIR && $FLEET upload-keys --server $URL --ca ca.pem --token-file token 1.keys 2.keys");
    fleet_assign(&fx, "stable", &v2, NULL);
    char way[128];
    bridge_udp(&bridge, gateway.port, 5, 2, 2);
    snprintf(way, sizeof way, "\"gateways\":[{\"host\":\"127.0.0.1\",\"port\":%u}]", bridge.port);
    configure_device(way, "");
    shell("sed -i 's/\"signers\":\\[[^]]*\\]/\"key_set\":\"1.keys\"/' $DIR/mote-1.json");
    device_start(&dev);
    device_says(&dev, "COMMITTED app 2.0", 60);
    fleet_expect_action(&fx, "mote-1", "finished", 20);
    struct reply r = get_as(&fx, AS_OPERATOR, "/api/v1/devices/mote-1", 200);
    assert_json_text(r.json, "keyset", "2");
    reply_free(&r);
    assert_int_equal(device_said(&dev, "STALE"), 0);
}

static void mistakes_in_the_configuration_are_named(void **state)
{
    static const struct {
        const char *way, *more, *says;
    } wrong[] = {
        {"\"window\":4", "", "either gateways or a serial line"},
        {"\"gateways\":[{\"host\":\"127.0.0.1\"}]", "", "gateways[0].port"},
        {"\"gateways\":[{\"host\":\"127.0.0.1\",\"port\":1}]", ",\"prefx\":\"a\"", "prefx"},
        {"\"gateways\":[{\"host\":\"127.0.0.1\",\"port\":1}]", ",\"message_bytes\":100",
         "message_bytes"},
        {"\"gateways\":[{\"host\":\"127.0.0.1\",\"port\":1}]", ",\"dtls\":{\"ca\":\"ca.pem\"}",
         "identity and psk_file; or ca and name"},
        {"\"gateways\":[{\"host\":\"127.0.0.1\",\"port\":1}]",
         ",\"dtls\":{\"identity\":\"a\",\"psk_file\":\"token\"}", "lower case hex"},
        {"\"serial\":{\"device\":\"/dev/null\"}", ",\"dtls\":{\"ca\":\"ca.pem\"}",
         "not over a serial line"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        configure_device(wrong[i].way, wrong[i].more);
        assert_int_equal(fleet_shell(&fx, "timeout 10 $SANDMOTED --config $DIR/mote-1.json"), 1);
        char *out = fleet_file(&fx, "out");
        if (!strstr(out, wrong[i].says))
            fail_msg("not \"%s\" in: %s", wrong[i].says, out);
        free(out);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, start, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_module_comes_through_a_gateway_though_a_tenth_is_lost),
        T(a_device_that_is_killed_goes_on_with_what_it_has),
        cmocka_unit_test_setup_teardown(a_sleeping_device_asks_when_it_wakes,
                                        start_with_short_polls, finish),
        T(a_module_comes_over_a_noisy_serial_line),
        T(a_gateway_that_is_restarted_costs_a_while),
        T(a_module_comes_over_dtls),
        T(a_native_image_comes_through_the_gateway),
        T(a_sealed_core_dump_comes_up_through_the_gateway),
        T(key_sets_and_statements_come_in_blocks_too),
        T(mistakes_in_the_configuration_are_named),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
