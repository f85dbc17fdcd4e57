/* Post-mortems from the trap on a device to the operator's screen: the real daemon, the real
 * server, the real tools.
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
#include <sandmote/device.h>
#include <sandmote/postmortem.h>

#include "device_fixture.h"

static struct fleet_fixture fx;
static struct device_fixture dev;
static struct module app;

static int start(void **state)
{
    (void)state;
    fleet_setup(&fx);
    memset(&dev, 0, sizeof dev);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    if (dev.pid)
        device_stop(&dev, SIGKILL);
    fleet_teardown(&fx);
    return 0;
}

/* How many post-mortems the server has; the last list in *reply, which the caller frees. */
static size_t listed(struct reply *reply)
{
    *reply = get_as(&fx, AS_OPERATOR, "/api/v1/postmortems", 200);
    return json_array_size(json_at(reply->json, "postmortems"));
}

static void wait_for(size_t n)
{
    struct reply r;
    for (int i = 0; i < 500; i++) {
        size_t have = listed(&r);
        reply_free(&r);
        if (have >= n)
            return;
        usleep(20000);
    }
    char *log = fleet_file(&fx, dev.log);
    fail_msg("the server has fewer than %zu post-mortems; the device said:\n%s", n, log);
}

/* A command with an operator's usual options: its exit status. */
static int operator(const char *command)
{
    char line[1024];
    snprintf(line, sizeof line,
             "export SANDMOTE_FLEET_SERVER=$URL SANDMOTE_FLEET_CA=$DIR/ca.pem"
             " SANDMOTE_FLEET_TOKEN_FILE=$DIR/token; cd $DIR; %s",
             command);
    fleet_write(&fx, "token", OPERATOR_TOKEN "\n", sizeof OPERATOR_TOKEN);
    return fleet_shell(&fx, line);
}

/* A device runs an application that reads beyond its memory, and traps. */
static void deploy(const char *more)
{
    fleet_enrol(&fx, "dev-1", "stable");
    app_make_reaching(&fx, &app, 3);
    struct reply r = module_upload(&fx, &app, 201);
    reply_free(&r);
    fleet_assign(&fx, "stable", &app, NULL);
    device_configure(&dev, &fx, "dev-1", fx.url, more);
    device_start(&dev);
}

static void an_operator_reads_what_a_trap_left_behind(void **state)
{
    struct reply r;
    (void)state;
    deploy("");
    wait_for(1);
    assert_int_equal(listed(&r), 1);
    assert_json_text(r.json, "postmortems.0.device", "dev-1");
    assert_json_text(r.json, "postmortems.0.event", "TRAP");
    assert_json_text(r.json, "postmortems.0.module", "app");
    assert_json_text(r.json, "postmortems.0.sha256", app.sha256);
    reply_free(&r);
    fleet_write(&fx, "app.wasm", app.wasm, app.len);
    assert_int_equal(operator("$FLEET postmortems --device dev-1 && "
                              "$FLEET postmortem 1 pm && "
                              "$SANDMOTE postmortem --module app.wasm pm"),
                     0);
    char *out = fleet_file(&fx, "out");
    assert_non_null(strstr(out, "out of bounds memory access"));
    assert_non_null(strstr(out, "function 1 \"sensor_tick\" at offset 0x"));
    assert_non_null(strstr(out, app.sha256));
    free(out);
    assert_int_equal(operator("$FLEET postmortem 2 pm"), 1);
}

static void a_core_dump_comes_with_memory_only_when_the_owner_says_so(void **state)
{
    static const char *const more[] = {"},\"core_dumps\":{\"folder\":\"cores\"",
                                       "},\"core_dumps\":{\"folder\":\"cores\",\"memory\":true"};
    (void)state;
    deploy(more[0]);
    wait_for(1);
    assert_int_equal(operator("$FLEET postmortem 1 pm && "
                              "$SANDMOTE validate pm && "
                              "$SANDMOTE postmortem pm && "
                              "! grep -q 'version 3' pm"),
                     0);
    char *out = fleet_file(&fx, "out");
    assert_non_null(strstr(out, "memory     65536 bytes, 0 of them here"));
    free(out);
    assert_int_equal(device_stop(&dev, SIGTERM), 0);
    fleet_assign(&fx, "stable", &app, NULL); /* another chance */
    device_configure(&dev, &fx, "dev-1", fx.url, more[1]);
    device_start(&dev);
    wait_for(2);
    assert_int_equal(operator("$FLEET postmortem 2 pm && $SANDMOTE postmortem pm && "
                              "grep -q 'version 3' pm"),
                     0);
    out = fleet_file(&fx, "out");
    assert_non_null(strstr(out, "memory     65536 bytes, 9 of them here"));
    free(out);
}

static void a_core_dump_that_is_sealed_opens_with_the_owners_key_alone(void **state)
{
    (void)state;
    fleet_shell(&fx, "cd $DIR && for k in owner other; do openssl genpkey -algorithm x25519 "
                     "-out $k.pem; openssl pkey -in $k.pem -pubout -out $k.pub.pem; done");
    deploy("},\"core_dumps\":{\"folder\":\"cores\",\"memory\":true,"
           "\"seal_to\":\"owner.pub.pem\"");
    wait_for(1);
    assert_int_equal(operator("$FLEET postmortem 1 pm && $SANDMOTE postmortem pm && "
                              "! grep -q 'version 3' pm && ! grep -rq 'version 3' $DIR/cores"),
                     0);
    char *out = fleet_file(&fx, "out");
    assert_non_null(strstr(out, app.sha256));
    assert_null(strstr(out, "memory     "));
    free(out);
    assert_int_equal(operator("$SANDMOTE postmortem --key $DIR/other.pem pm"), 1);
    assert_int_equal(operator("$SANDMOTE postmortem --key $DIR/owner.pem pm"), 0);
    out = fleet_file(&fx, "out");
    assert_non_null(strstr(out, "memory     65536 bytes, 9 of them here"));
    free(out);
}

static void a_device_that_was_killed_tells_once_when_it_meets_the_server(void **state)
{
    struct reply r;
    (void)state;
    deploy("");
    device_says(&dev, "INSTALLED app", 10);
    fleet_stop(&fx, SIGTERM);
    device_says(&dev, "TRAP app", 10);
    device_stop(&dev, SIGKILL);
    fleet_start(&fx);
    device_configure(&dev, &fx, "dev-1", fx.url, "");
    for (int round = 0; round < 3; round++) {
        device_start(&dev);
        wait_for(1);
        usleep(300000);
        assert_int_equal(device_stop(&dev, SIGKILL), 128 + SIGKILL);
    }
    assert_int_equal(listed(&r), 1);
    reply_free(&r);
}

static void the_server_keeps_the_latest_of_a_device_each_once(void **state)
{
    uint8_t bytes[SM_POSTMORTEM_MAX];
    struct sm_postmortem pm = {.kind = SM_EVENT_TRAP, .trap = SM_TRAP_STACK, .phase = SM_PM_ENTRY};
    struct reply r;
    (void)state;
    fleet_enrol(&fx, "dev-1", "stable");
    fleet_write(&fx, "note", bytes, sm_postmortem_encode(&pm, bytes));
    assert_int_equal(
        fleet_shell(&fx,
                    "for i in 1 2 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do "
                    "curl -sf --cacert $DIR/ca.pem -H 'Authorization: TargetToken " DEVICE_TOKEN
                    "' --data-binary @$DIR/note "
                    "$URL/default/controller/v1/dev-1/postmortems/$i || exit 1; done"),
        0);
    assert_int_equal(listed(&r), 16);
    assert_int_equal(json_integer_value(json_at(r.json, "postmortems.0.number")), 5);
    assert_int_equal(json_integer_value(json_at(r.json, "postmortems.15.number")), 20);
    reply_free(&r);
}

static void what_is_no_post_mortem_is_not_kept(void **state)
{
    struct reply r;
    const char *path = "/default/controller/v1/dev-1/postmortems/1";
    (void)state;
    fleet_enrol(&fx, "dev-1", "stable");
    r = send_as(&fx, AS_DEVICE, "POST", path, "nonsense", 400);
    assert_error(&r, "not a post-mortem");
    reply_free(&r);
    r = send_as(&fx, AS_OPERATOR, "POST", path, "nonsense", 401);
    reply_free(&r);
    r = get_as(&fx, AS_DEVICE, "/api/v1/postmortems", 401);
    reply_free(&r);
    char *big = malloc((1u << 20) + 2);
    memset(big, 'x', (1u << 20) + 1);
    big[(1u << 20) + 1] = 0;
    r = send_as(&fx, AS_DEVICE, "POST", path, big, 413);
    reply_free(&r);
    free(big);
    assert_int_equal(listed(&r), 0);
    reply_free(&r);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, start, finish)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(an_operator_reads_what_a_trap_left_behind),
        CASE(a_core_dump_comes_with_memory_only_when_the_owner_says_so),
        CASE(a_core_dump_that_is_sealed_opens_with_the_owners_key_alone),
        CASE(a_device_that_was_killed_tells_once_when_it_meets_the_server),
        CASE(the_server_keeps_the_latest_of_a_device_each_once),
        CASE(what_is_no_post_mortem_is_not_kept),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    return cmocka_run_group_tests_name("postmortem", tests, NULL, NULL);
}
