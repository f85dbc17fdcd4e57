/* The server and a device without HTTPS, over a real broker: updates in blocks.
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
#include <sandmote/blocks.h>
#include <sandmote/postmortem.h>

#include "device_fixture.h"
#include "field.h"
#include "mqtt_device.h"

#define BIG   20000u /* bytes of padding */
#define BLOCK 231u   /* bytes of a module in a message */

static struct fleet_fixture fx;
static struct field field;
static struct module v1, v2;
static char *without_broker; /* the server's configuration */

static void upload(const struct module *m)
{
    struct reply r = module_upload(&fx, m, 201);
    reply_free(&r);
}

static void begin(const char *more)
{
    fleet_prepare(&fx);
    memset(&field, 0, sizeof field);
    assert_true(field_setup(&field));
    free(without_broker);
    without_broker = fleet_file(&fx, "fleet.json");
    fleet_behind_broker(&fx, field.broker_port, more, 3600);
    fleet_start(&fx);
    app_make(&fx, &v1, 1, 0);
    app_make(&fx, &v2, 2, BIG);
    upload(&v1);
    upload(&v2);
    fleet_enrol(&fx, "mote-1", "stable");
    mqtt_device_begin("mote-1", fx.signer.public_key, field.broker_port);
}

static int start(void **state)
{
    (void)state;
    begin(", \"messages_per_second\": 2000");
    return 0;
}

static int start_as_usual(void **state)
{
    (void)state;
    begin("");
    return 0;
}

static int finish(void **state)
{
    (void)state;
    mqtt_device_end();
    fleet_teardown(&fx);
    field_teardown(&field);
    return 0;
}

/* What the server has of the device's latest action. */
static void expect_action(const char *action_state)
{
    struct reply r = {0};
    for (int i = 0; i < 100; i++) {
        reply_free(&r);
        r = get_as(&fx, AS_OPERATOR, "/api/v1/devices/mote-1", 200);
        const char *is = json_string_value(json_at(r.json, "action.state"));
        if (is && !strcmp(is, action_state))
            break;
        mqtt_device_run(50);
    }
    assert_json_text(r.json, "action.state", action_state);
    reply_free(&r);
}

static void a_module_is_rolled_out_over_mqtt_and_the_server_knows_what_runs(void **state)
{
    (void)state;
    mqtt_device_run(500);
    assert_int_equal(fleet_assign(&fx, "stable", &v2, NULL), 1);
    /* Not with its next poll, which is an hour away: the server tells it of news. */
    assert_true(mqtt_device_runs(2, 0, 10000));
    expect_action("finished");
    fleet_expect_event(&fx, "INSTALLED", "app", "");
    fleet_expect_event(&fx, "COMMITTED", "app", "");
    mqtt_device_run(500);
    struct reply r = get_as(&fx, AS_OPERATOR, "/api/v1/devices/mote-1", 200);
    assert_json_text(r.json, "modules.0.sha256", v2.sha256);
    assert_json_text(r.json, "attributes.class", "edge");
    assert_string_not_equal(json_string_value(json_at(r.json, "last_seen_at")), "");
    reply_free(&r);
    assert_int_equal(mqtt_device_blocks(), (v2.len + BLOCK - 1) / BLOCK);
}

static void a_tenth_of_all_messages_lost_is_only_slower(void **state)
{
    (void)state;
    fleet_assign(&fx, "stable", &v2, NULL);
    assert_true(mqtt_device_runs(2, 10, 30000));
    expect_action("finished");
}

static void a_restart_of_device_broker_and_server_costs_no_more_than_a_while(void **state)
{
    (void)state;
    fleet_assign(&fx, "stable", &v2, NULL);
    assert_true(mqtt_device_has(12000, 10000));
    mqtt_device_restart();
    assert_true(mqtt_device_has(14000, 10000));
    assert_int_equal(fleet_stop(&fx, SIGTERM), 0);
    fleet_start(&fx);
    assert_true(mqtt_device_has(17000, 10000));
    field_stop_broker(&field, SIGTERM);
    mqtt_device_run(300);
    field_start_broker(&field);
    assert_true(mqtt_device_runs(2, 0, 20000));
    expect_action("finished");
    assert_true(mqtt_device_blocks() < (v2.len + BLOCK - 1) / BLOCK);
}

static void a_module_that_traps_is_reported_as_over_https(void **state)
{
    struct module trapping;
    (void)state;
    app_make_trapping(&fx, &trapping, 3);
    upload(&trapping);
    fleet_assign(&fx, "stable", &v1, NULL);
    assert_true(mqtt_device_runs(1, 0, 10000));
    expect_action("finished");
    fleet_assign(&fx, "stable", &trapping, NULL);
    mqtt_device_run(1500);
    expect_action("failed");
    fleet_expect_event(&fx, "ROLLED_BACK", "app", "");
    struct reply r = get_as(&fx, AS_OPERATOR, "/api/v1/postmortems?device=mote-1", 200);
    assert_int_equal(json_array_size(json_at(r.json, "postmortems")), 1);
    assert_json_text(r.json, "postmortems.0.module", "app");
    reply_free(&r);
    assert_true(mqtt_device_runs(1, 0, 100));
}

static void devices_that_nobody_enrolled_and_messages_that_are_none_get_no_answer(void **state)
{
    static const uint8_t bytes[40] = {1, 2, 3};
    (void)state;
    for (int i = 0; i < 40; i++)
        mqtt_device_send("sandmote/mote-1/up", bytes, i);
    mqtt_device_send("sandmote/mote-2/up", "\1\1\0\0\0\1\xf0\0\0\0\0\0\7plant-7", 20);
    mqtt_device_send("sandmote/../up", "\1\1\0\0\0\1\xf0\0\0\0\0\0\7plant-7", 20);
    mqtt_device_run(300);
    char *log = fleet_file(&fx, "log");
    assert_non_null(strstr(log, "device mote-2: a message of 20 bytes: no such thing"));
    assert_non_null(strstr(log, "device mote-1: a message of 3 bytes"));
    free(log);
    fleet_assign(&fx, "stable", &v1, NULL);
    assert_true(mqtt_device_runs(1, 0, 10000));
}

/* A part of a post-mortem with this CRC. */
static void send_part(const uint8_t *bytes, uint32_t length, uint32_t crc, uint32_t first,
                      uint32_t end)
{
    uint8_t out[SM_BLOCKS_MOST];
    const struct sm_blocks_msg m = {.kind = SM_BLOCKS_NOTE,
                                    .number = 5,
                                    .length = length,
                                    .tag = crc,
                                    .first = first,
                                    .bytes = bytes + first,
                                    .bytes_len = (uint16_t)(end - first)};
    int n = sm_blocks_encode(&m, out, sizeof out);
    assert_true(n > 0);
    mqtt_device_send("sandmote/mote-1/up", out, n);
    mqtt_device_run(20);
}

static size_t postmortems_stored(void)
{
    mqtt_device_run(300);
    struct reply r = get_as(&fx, AS_OPERATOR, "/api/v1/postmortems?device=mote-1", 200);
    size_t n = json_array_size(json_at(r.json, "postmortems"));
    reply_free(&r);
    return n;
}

/* Parts as they may come: one twice, one that has no beginning, one of another length, one of other
 * bytes; and all of them, but not as they were sent. */
static void a_post_mortem_in_parts_is_put_together_by_the_server(void **state)
{
    char log[300];
    uint8_t bytes[SM_POSTMORTEM_MAX];
    struct sm_postmortem pm = {.kind = SM_EVENT_TRAP,
                               .trap = SM_TRAP_UNREACHABLE,
                               .sequence = 7,
                               .name = {"wordy", 5},
                               .version = {"7.0", 3},
                               .log = {log, sizeof log}};
    (void)state;
    memset(log, 'x', sizeof log);
    log[sizeof log - 1] = '\n';
    uint32_t len = sm_postmortem_encode(&pm, bytes);
    assert_true(len > 300);
    uint32_t crc = sm_crc32c(0, bytes, len);
    for (uint32_t at = 0; at < len; at += 100)
        send_part(bytes, len, crc + 1, at, at + 100 < len ? at + 100 : len);
    assert_int_equal(postmortems_stored(), 0);
    const struct {
        uint32_t first, end, length, crc;
    } parts[] = {{100, 200, len, crc}, {0, 100, len, crc},       {0, 100, len, crc},
                 {150, 250, len, crc}, {100, 200, len + 1, crc}, {200, 300, len, crc},
                 {100, 200, len, crc}, {100, 200, len, crc + 1}, {100, 200, len, crc},
                 {200, len, len, crc}, {200, len, len, crc},     {0, 100, len, crc}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        send_part(bytes, parts[i].length, parts[i].crc, parts[i].first, parts[i].end);
    assert_int_equal(postmortems_stored(), 1);
    struct reply r = get_as(&fx, AS_OPERATOR, "/api/v1/postmortems?device=mote-1", 200);
    assert_json_text(r.json, "postmortems.0.module", "wordy");
    assert_int_equal(json_integer_value(json_at(r.json, "postmortems.0.size")), len);
    reply_free(&r);
}

/* Of a thousand questions at once those are answered that may come at once, and a second's worth.
 */
static void a_device_that_asks_without_end_is_answered_at_its_rate(void **state)
{
    (void)state;
    mqtt_device_run(500);
    for (int i = 0; i < 1000; i++)
        mqtt_device_send("sandmote/mote-1/up", "\1\1\0\0\0\1\xf0\0\0\0\0\0\7plant-7", 20);
    mqtt_device_run(1000);
    assert_in_range(mqtt_device_unasked(), 30, 64 + 50 * 2);
    fleet_assign(&fx, "stable", &v1, NULL);
    assert_true(mqtt_device_runs(1, 0, 15000));
}

static void mistakes_in_the_configuration_are_named(void **state)
{
    static const struct {
        const char *more, *says;
    } wrong[] = {{", \"topic\": \"x\"", "topic"},
                 {", \"prefix\": \"a/+\"", "mqtt.prefix"},
                 {", \"prefix\": \"a/\"", "mqtt.prefix"},
                 {", \"key\": \"server.key\"", "certificate and key belong together"},
                 {", \"password_file\": \"token\"", "of which user"},
                 {", \"messages_per_second\": 0", "messages_per_second"},
                 {", \"user\": \"fleet\", \"password_file\": \"missing\"", "missing"},
                 {", \"ca\": \"missing\"", "ca, certificate or key"}};
    (void)state;
    assert_int_equal(fleet_stop(&fx, SIGTERM), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        fleet_write(&fx, "fleet.json", without_broker, strlen(without_broker));
        fleet_behind_broker(&fx, field.broker_port, wrong[i].more, 3600);
        assert_int_not_equal(fleet_shell(&fx, "timeout 10 $FLEET serve --config $DIR/fleet.json"),
                             0);
        char *out = fleet_file(&fx, "out");
        if (!strstr(out, wrong[i].says))
            fail_msg("not \"%s\" in: %s", wrong[i].says, out);
        free(out);
    }
    fleet_write(&fx, "fleet.json", without_broker, strlen(without_broker));
    fleet_start(&fx);
}

#define T(name) cmocka_unit_test_setup_teardown(name, start, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_module_is_rolled_out_over_mqtt_and_the_server_knows_what_runs),
        T(a_tenth_of_all_messages_lost_is_only_slower),
        T(a_restart_of_device_broker_and_server_costs_no_more_than_a_while),
        T(a_module_that_traps_is_reported_as_over_https),
        T(a_post_mortem_in_parts_is_put_together_by_the_server),
        T(devices_that_nobody_enrolled_and_messages_that_are_none_get_no_answer),
        cmocka_unit_test_setup_teardown(a_device_that_asks_without_end_is_answered_at_its_rate,
                                        start_as_usual, finish),
        T(mistakes_in_the_configuration_are_named),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(without_broker);
    curl_global_cleanup();
    return failed;
}
