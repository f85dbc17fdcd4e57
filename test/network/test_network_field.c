/* Modules in a real field: the tool or the daemon runs them, their messages go through a gateway to
 * a broker, and the broker's come back.
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
#include "field.h"

static struct field f;
static struct gateway gw;
static struct listener broker;
static pid_t daemon_pid;

static int start(void **state)
{
    (void)state;
    if (!field_setup(&f))
        skip();
    gateway_start(&gw, &f, "gateway1", NULL);
    listener_open(&broker, &f, "listener");
    listener_subscribe(&broker, "#", 1);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    if (daemon_pid)
        field_end(&daemon_pid, SIGKILL);
    listener_close(&broker);
    gateway_stop(&gw, SIGTERM);
    field_teardown(&f);
    return 0;
}

/* A line of shell in the field's folder; what it says goes to out.log. */
__attribute__((format(printf, 1, 2))) static void shell(const char *format, ...)
{
    char line[1024];
    va_list args;
    int len = snprintf(line, sizeof line, "cd %s && { ", f.dir);
    va_start(args, format);
    len += vsnprintf(line + len, sizeof line - (size_t)len, format, args);
    va_end(args);
    snprintf(line + len, sizeof line - (size_t)len, "; } >out.log 2>&1");
    if (system(line) == 0)
        return;
    snprintf(line, sizeof line, "cat %s/out.log >&2", f.dir);
    (void)!system(line);
    fail_msg("%s", format);
}

static bool there_is(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s.wasm", MODULES, name);
    return access(path, R_OK) == 0;
}

/* MODULES/NAME.wasm to NAME.wasm, with its manifest changed by a sed script. */
static void pack(const char *name, const char *script)
{
    shell("sed '%s' %s/%s.json >m.json && %s pack --manifest m.json %s/%s.wasm -o %s.wasm", script,
          MODULES, name, SANDMOTE, MODULES, name, name);
}

static void run(const char *options, const char *name)
{
    shell("%s run --network 127.0.0.1:%u %s %s.wasm", SANDMOTE, gw.port, options, name);
}

static void a_module_in_each_language_publishes_to_the_broker(void **state)
{
    static const char *const names[] = {"field", "field-rs", "field-as"};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        if (!there_is(names[i])) {
            print_message("skipped: %s, for want of AssemblyScript\n", names[i]);
            continue;
        }
        pack(names[i], "");
        run("--sensors BME280=humidity:45123 --invoke sensor_tick", names[i]);
        listener_expect(&broker, "field/humidity", "45.123");
        assert_true(field_log_says(&f, "out.log", "log: field: published\n"));
    }
}

static void listing_3_of_the_paper_publishes(void **state)
{
    (void)state;
    shell("sed 's/fdde:ad00:beef::1/127.0.0.1/; s/47193/%u/' %s/listing3.c >l.c &&"
          "clang --target=wasm32 -Oz -nostdlib -Wl,--no-entry -Wl,--export=__heap_base -I%s l.c "
          "%s/start.c -o l.wasm",
          gw.port, LISTING3, GUEST, GUEST);
    shell("sed 's|fdde:ad00:beef::1/47193|127.0.0.1/%u|' %s/manifest.json >l.json &&"
          "%s pack --manifest l.json l.wasm -o listing3.wasm",
          gw.port, LISTING3, SANDMOTE);
    run("", "listing3");
    listener_expect(&broker, "humidity", "45.1");
}

static void what_the_manifest_does_not_ask_for_does_not_reach_the_gateway(void **state)
{
    (void)state;
    pack("field", "s|topic/field/humidity:p|topic/field/temperature:p|");
    run("--sensors BME280=humidity:45123 --invoke sensor_tick", "field");
    assert_true(field_log_says(&f, "out.log",
                               "log: refused topic/field/humidity:p: not granted\n"
                               "log: field: no topic, error -1\n"));
    assert_false(listener_next(&broker, FIELD_NOT_MS));
}

/* The golden module runs without a server and without a trial. network: more members of its object.
 */
static void start_daemon(const char *capabilities, unsigned port, const char *network)
{
    char text[2048];
    pack("field",
         "s/\"period_ms\": 60000/\"period_ms\": 200/; s/\"log\",/\"log\", \"rate\\/50\",/");
    shell("%s key new golden.pem && %s key new fleet.pem && %s sign --key golden.pem field.wasm",
          SANDMOTE, SANDMOTE, SANDMOTE);
    snprintf(text, sizeof text,
             "{\"device\": \"device-7\", \"fleet\": \"greenhouse\", \"class\": \"gateway\","
             "\"signers\": [\"fleet.pub.pem\"], \"flash\": {\"file\": \"flash\"},"
             "\"golden\": {\"module\": \"field.wasm\", \"signature\": \"field.wasm.sig\","
             "\"key\": \"golden.pub.pem\"}, \"capabilities\": [%s],"
             "\"sensors\": [{\"id\": \"BME280\", \"values\": {\"humidity\": 45123}}],"
             "\"network\": {\"gateways\": [{\"address\": \"127.0.0.1\", \"port\": %u}],"
             "\"retry_seconds\": 1, \"retries\": 2%s}}",
             capabilities, port, network);
    field_write(&f, "device.json", text);
    daemon_pid = field_run(&f, "device.log", SANDMOTED, "--config", "device.json");
}

static void a_daemon_s_module_sleeps_wakes_and_is_told_what_was_said(void **state)
{
    (void)state;
    start_daemon("\"log\", \"rate/100\", \"sensor/*\", \"topic/field/#:ps\"", gw.port, "");
    for (unsigned i = 0; i < 3; i++)
        listener_expect(&broker, "field/humidity", "45.123");
    listener_publish(&broker, "field/say", "hello", 1, false);
    assert_true(field_log_says(&f, "device.log", "[field] field: told hello\n"));
    assert_int_equal(gateway_figure(&gw, "clients"), 1);
    /* Going down it says so, and the gateway forgets it. */
    assert_int_equal(field_end(&daemon_pid, SIGTERM), 0);
    for (unsigned i = 0; i < 100 && gateway_figure(&gw, "clients") > 0; i++)
        usleep(20000);
    assert_int_equal(gateway_figure(&gw, "clients"), 0);
}

static void over_dtls_it_is_who_its_key_says(void **state)
{
    (void)state;
    assert_int_equal(gateway_stop(&gw, SIGTERM), 0);
    field_write(&f, "psk", "field-7:000102030405060708090a0b0c0d0e0f\n");
    field_write(&f, "device.psk", "000102030405060708090a0b0c0d0e0f\n");
    gateway_start(&gw, &f, "gateway2",
                  ", \"listen\": [{\"address\": \"127.0.0.1\", \"port\": 0, \"dtls\": true}],"
                  "\"dtls\": {\"psk_file\": \"psk\"},"
                  "\"clients\": [{\"identity\": \"field-7\", \"id\": \"device-7-*\","
                  "\"publish\": [\"#\"], \"subscribe\": [\"#\"]}]");
    start_daemon("\"log\", \"rate/100\", \"sensor/*\", \"topic/field/#:ps\"", gw.dtls_port,
                 ", \"dtls\": {\"identity\": \"field-7\", \"psk_file\": \"device.psk\"}");
    listener_expect(&broker, "field/humidity", "45.123");
    listener_expect(&broker, "field/humidity", "45.123");
}

static void what_is_wrong_with_the_network_of_a_configuration_is_named(void **state)
{
    static const struct {
        const char *network, *says;
    } wrong[] = {
        {"\"gateways\": [{\"address\": \"127.0.0.1\"}]", "network.gateways[0].port"},
        {"\"gateways\": [{\"address\": \"gateway1\", \"port\": 1}]",
         "network: gateway1: is no address"},
        {"\"search\": {\"address\": \"x\", \"port\": 1}", "network: x: is no address"},
        {"\"client_prefix\": \"a b\"", "network.client_prefix: letters"},
        {"\"client_prefix\": \"0123456789abc\"", "network.client_prefix"},
        {"\"dtls\": {\"identity\": \"x\"}", "network.dtls: identity and psk_file"},
        {"\"queue\": 256", "network.queue"},
        {"\"colour\": 1", "network.colour: unknown key"},
    };
    char text[1024];
    (void)state;
    shell("%s key new fleet.pem", SANDMOTE);
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(text, sizeof text,
                 "{\"device\": \"device-7\", \"fleet\": \"greenhouse\", \"class\": \"gateway\","
                 "\"signers\": [\"fleet.pub.pem\"], \"flash\": {\"file\": \"flash\"},"
                 "\"network\": {%s}}",
                 wrong[i].network);
        field_write(&f, "device.json", text);
        shell("%s --config device.json; test $? = 1", SANDMOTED);
        assert_true(field_log_says(&f, "out.log", wrong[i].says));
    }
    shell("%s run --network nonsense x.wasm; test $? = 64", SANDMOTE);
    shell("%s run --network gateway1:1883 x.wasm; test $? = 64", SANDMOTE);
}

static void what_the_device_s_policy_does_not_cover_does_not_run(void **state)
{
    (void)state;
    start_daemon("\"log\", \"rate/100\", \"sensor/*\", \"topic/field/+:p\"", gw.port, "");
    assert_true(field_log_says(&f, "device.log", "not granted here: topic/field/say:s"));
    assert_false(listener_next(&broker, FIELD_NOT_MS));
}

static void a_daemon_goes_on_with_its_session_when_the_gateway_is_there_again(void **state)
{
    (void)state;
    start_daemon("\"log\", \"rate/100\", \"sensor/*\", \"topic/field/#:ps\"", gw.port, "");
    listener_expect(&broker, "field/humidity", "45.123");
    unsigned port = gw.port;
    char again[160];
    assert_int_equal(gateway_stop(&gw, SIGKILL), 128 + SIGKILL);
    snprintf(again, sizeof again,
             ", \"listen\": [{\"address\": \"127.0.0.1\", \"port\": %u}], \"clients\": [{\"id\": "
             "\"device-7-*\", \"publish\": [\"#\"], \"subscribe\": [\"#\"]}]",
             port);
    gateway_start(&gw, &f, "gateway1", again);
    while (listener_next(&broker, 50)) /* what was under way */
        ;
    listener_expect(&broker, "field/humidity", "45.123");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, start, finish)
    const struct CMUnitTest tests[] = {
        CASE(a_module_in_each_language_publishes_to_the_broker),
        CASE(listing_3_of_the_paper_publishes),
        CASE(what_the_manifest_does_not_ask_for_does_not_reach_the_gateway),
        CASE(a_daemon_s_module_sleeps_wakes_and_is_told_what_was_said),
        CASE(over_dtls_it_is_who_its_key_says),
        CASE(what_is_wrong_with_the_network_of_a_configuration_is_named),
        CASE(what_the_device_s_policy_does_not_cover_does_not_run),
        CASE(a_daemon_goes_on_with_its_session_when_the_gateway_is_there_again),
    };
    return cmocka_run_group_tests_name("network in a field", tests, NULL, NULL);
}
