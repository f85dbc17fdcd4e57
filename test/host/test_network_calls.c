/* The network calls: what each gives, what is refused, and how sessions end.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "air.h"

static struct air a;
static struct air_guest *one;

#define GRANTS(...)                                                                                \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
#define HALL "topic/hall/#:ps", "rate/1000"

static int fresh(void **state)
{
    (void)state;
    air_init(&a);
    one = air_guest(&a, 0, GRANTS(HALL));
    return 0;
}

/* Started and connected. */
static int connected(void **state)
{
    fresh(state);
    assert_int_equal(air_start(one, 0), 50000);
    assert_int_equal(air_connect(one, "", "", 0), 1);
    return 0;
}

static void failed(struct air_guest *g, int32_t result, int32_t code)
{
    assert_int_equal(result, 0);
    assert_int_equal(air_error(g), code);
}

/* The message that a module sent last, of those that were kept. */
static struct sm_mqttsn_packet sent(unsigned before)
{
    struct sm_mqttsn_packet p;
    const struct air_datagram *d = &a.heard[(a.sent - 1 - before) % AIR_HEARD];

    assert_int_equal(sm_mqttsn_decode(&p, d->bytes, d->len), 0);
    return p;
}

static void is_got(struct air_guest *g, int32_t topic, const char *payload)
{
    assert_int_equal(air_get(g, topic, 64), (int32_t)strlen(payload));
    assert_memory_equal(air_memory(g) + AT_BUF, payload, strlen(payload));
}

/* ---- What each call gives -------------------------------------------------------------------- */

static void starting_binds_a_port_and_stays_as_it_is(void **state)
{
    (void)state;
    assert_int_equal(air_start(one, 6000), 6000);
    assert_int_equal(air_start(one, 7000), 6000);
    assert_int_equal(air_do(one, "stop", 0), 1);
    assert_int_equal(a.links, 0);
    failed(one, air_do(one, "stop", 0), SM_HOST_STATE);
    assert_int_equal(air_start(one, 80), 50000); /* not to be had: another */
    assert_int_equal(air_start(one, 65536), SM_HOST_RANGE);
}

static void without_a_link_nothing_starts(void **state)
{
    (void)state;
    a.no_links = true;
    assert_int_equal(air_start(one, 0), SM_HOST_SPACE);
    assert_int_equal(air_error(one), SM_HOST_SPACE);
    a.no_links = false;
    assert_int_equal(air_start(one, 0), 50000);
}

static void nothing_goes_before_start(void **state)
{
    (void)state;
    failed(one, air_connect(one, "", "", 0), SM_HOST_STATE);
    assert_int_equal(air_search(one, "", 0, 0), SM_HOST_STATE);
    assert_int_equal(air_register(one, "hall/a"), SM_HOST_STATE);
    failed(one, air_send(one, 1, 0, "x"), SM_HOST_STATE);
    assert_int_equal(air_subscribe_to(one, "hall/#", 0), SM_HOST_STATE);
    assert_int_equal(air_get(one, 0, 4), SM_HOST_STATE);
    static const char *const calls[] = {"disconnect", "sleep", "collect",   "awake",
                                        "subscribe",  "stop",  "hasMessage"};
    for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++)
        failed(one, air_do(one, calls[i], 1), SM_HOST_STATE);
    assert_int_equal(a.sent, 0);
}

static void a_topic_is_registered_and_published_at_each_quality(void **state)
{
    (void)state;
    int32_t door = air_register(one, "hall/door"), light = air_register(one, "hall/light");
    assert_true(door > 0 && light > 0 && door != light);
    assert_int_equal(air_register(one, "hall/door"), door);
    assert_int_equal(air_send(one, door, 0, "a"), 1);
    assert_int_equal(air_send(one, light, 1, "b"), 1);
    assert_int_equal(air_send(one, door, 2, "c"), 1);
    assert_int_equal(air_send(one, door, 0, ""), 1);
    assert_int_equal(a.publications, 4);
    assert_string_equal(a.published[0], "hall/door=a");
    assert_string_equal(a.published[1], "hall/light=b");
    assert_string_equal(a.published[2], "hall/door=c");
    assert_string_equal(a.published[3], "hall/door=");
    failed(one, air_send(one, door, 3, "x"), SM_HOST_RANGE);
    failed(one, air_send(one, door, -1, "x"), SM_HOST_RANGE);
}

static void only_calls_that_need_an_answer_wait(void **state)
{
    (void)state;
    int32_t door = air_register(one, "hall/door");
    memcpy(air_memory(one) + AT_BUF, "x", 1);
    const uint32_t args[] = {(uint32_t)door, 0, AT_BUF, 1}, sure[] = {(uint32_t)door, 1, AT_BUF, 1};
    assert_int_equal(air_begin(one, "publish", args), 1);
    assert_int_equal(air_begin(one, "publish", sure), PENDING);
    assert_int_equal(air_wait(one), 1);
    memcpy(air_memory(one) + AT_ONE, "hall/door", 10);
    assert_int_equal(air_begin(one, "register", (uint32_t[]){AT_ONE}), door); /* known */
}

static void a_message_that_is_lost_is_sent_again(void **state)
{
    (void)state;
    int32_t door = air_register(one, "hall/door");
    uint64_t before = a.now_ms;
    a.lose = 3; /* twice on the way there, once on the way back */
    assert_int_equal(air_send(one, door, 1, "x"), 1);
    assert_true(a.now_ms - before >= 30000 && a.now_ms - before < 30100);
    assert_true(sent(0).dup);
}

static void a_gateway_that_is_silent_is_an_error_after_all_tries(void **state)
{
    (void)state;
    uint64_t before = a.now_ms;
    a.gateway[0].silent = a.gateway[1].silent = true;
    assert_int_equal(air_register(one, "hall/door"), SM_HOST_IO);
    assert_true(a.now_ms - before >= 40000);
    memset(air_memory(one) + AT_BUF, 0, 28);
    assert_int_equal(air_do(one, "network", AT_BUF), 0);
    assert_int_equal(air_memory(one)[AT_BUF], 4); /* lost */
    failed(one, air_send(one, 1, 0, "x"), SM_HOST_STATE);
    /* It is back, and is found without a call. */
    a.gateway[0].silent = a.gateway[1].silent = false;
    air_run(&a, 600000);
    assert_true(air_register(one, "hall/door") > 0);
}

static void what_a_gateway_rejects_is_told(void **state)
{
    (void)state;
    int32_t door = air_register(one, "hall/door");
    a.gateway[0].code = SM_MQTTSN_NOT_SUPPORTED;
    assert_int_equal(air_register(one, "hall/light"), SM_HOST_REJECTED);
    a.gateway[0].code = SM_MQTTSN_NOT_SUPPORTED;
    failed(one, air_send(one, door, 1, "x"), SM_HOST_REJECTED);
    a.gateway[0].code = SM_MQTTSN_NOT_SUPPORTED;
    assert_int_equal(air_subscribe_to(one, "hall/x", 0), SM_HOST_REJECTED);
}

static void the_next_gateway_is_tried(void **state)
{
    (void)state;
    assert_int_equal(air_start(one, 0), 50000);
    a.gateway[0].silent = true;
    assert_int_equal(air_connect(one, "", "", 0), 1);
    assert_int_equal(a.gateway[1].asked[ASKED_CONNECT], 1);
    assert_int_equal(a.heard[(a.sent - 1) % AIR_HEARD].gateway, 1);
}

static void messages_come_by_name_by_filter_and_in_their_order(void **state)
{
    (void)state;
    int32_t door = air_register(one, "hall/door");
    int32_t all = air_subscribe_to(one, "hall/+/x", 1);
    assert_true(door > 0 && all > 0 && door != all);
    assert_int_equal(air_call(one, "subscribe", (uint32_t[]){(uint32_t)door, 1}), 1);
    failed(one, air_do(one, "hasMessage", 0), SM_HOST_NOT_FOUND);
    assert_int_equal(air_get(one, door, 64), SM_HOST_NOT_FOUND);
    air_publish(&a, one, "hall/a/x", "first");
    air_publish(&a, one, "hall/door", "second");
    air_publish(&a, one, "hall/b/x", "third");
    air_run(&a, 10);
    assert_int_equal(air_do(one, "hasMessage", 0), 1);
    assert_int_equal(air_do(one, "hasMessage", door), 1);
    is_got(one, door, "second");
    failed(one, air_do(one, "hasMessage", door), SM_HOST_NOT_FOUND);
    is_got(one, all, "first");
    is_got(one, 0, "third");
    failed(one, air_do(one, "hasMessage", 0), SM_HOST_NOT_FOUND);
}

static void a_message_longer_than_the_buffer_stays(void **state)
{
    (void)state;
    int32_t door = air_subscribe_to(one, "hall/door", 0);
    air_publish(&a, one, "hall/door", "closed");
    air_run(&a, 10);
    assert_int_equal(air_get(one, door, 5), SM_HOST_SPACE);
    assert_memory_equal(air_memory(one) + AT_BUF, "xxxxxx", 6);
    is_got(one, door, "closed");
}

static void a_message_can_be_looked_at(void **state)
{
    static const uint8_t record[] = {6, 0, 0, 0, 9, 0, 0, 0, 'h', 'a', 'l', 'l', 'x'};

    (void)state;
    assert_true(air_subscribe_to(one, "hall/#", 0) > 0);
    air_publish(&a, one, "hall/door", "closed");
    air_run(&a, 10);
    memset(air_memory(one) + AT_BUF, 'x', 64);
    assert_int_equal(air_call(one, "peekMessage", (uint32_t[]){0, AT_BUF, 7}), SM_HOST_SPACE);
    assert_int_equal(air_call(one, "peekMessage", (uint32_t[]){0, AT_BUF, 12}), 9);
    assert_memory_equal(air_memory(one) + AT_BUF, record, sizeof record);
    is_got(one, 0, "closed");
}

static void what_is_unsubscribed_comes_no_more_but_what_has_come_stays(void **state)
{
    (void)state;
    int32_t door = air_register(one, "hall/door");
    assert_int_equal(air_call(one, "subscribe", (uint32_t[]){(uint32_t)door, 0}), 1);
    air_publish(&a, one, "hall/door", "closed");
    air_run(&a, 10);
    assert_int_equal(air_do(one, "unsubscribe", door), 1);
    assert_int_equal(sent(0).type, SM_MQTTSN_UNSUBSCRIBE);
    is_got(one, door, "closed");
}

static void a_sleeper_collects_what_the_gateway_has_kept(void **state)
{
    (void)state;
    int32_t door = air_subscribe_to(one, "hall/door", 0);
    assert_int_equal(air_do(one, "sleep", 600), 1);
    assert_int_equal(sent(0).duration_s, 600);
    failed(one, air_do(one, "sleep", 600), SM_HOST_STATE);
    failed(one, air_send(one, door, 0, "x"), SM_HOST_STATE);
    failed(one, air_connect(one, "", "", 0), SM_HOST_STATE);
    air_publish(&a, one, "hall/door", "closed");
    air_run(&a, 1000);
    failed(one, air_do(one, "hasMessage", door), SM_HOST_NOT_FOUND);
    assert_int_equal(air_do(one, "collect", 0), 1);
    is_got(one, door, "closed");
    failed(one, air_send(one, door, 0, "x"), SM_HOST_STATE); /* it sleeps on */
    assert_int_equal(air_do(one, "awake", 0), 1);
    assert_int_equal(sent(0).type, SM_MQTTSN_CONNECT);
    assert_int_equal(air_send(one, door, 0, "x"), 1);
    failed(one, air_do(one, "awake", 0), SM_HOST_STATE);
    failed(one, air_do(one, "collect", 0), SM_HOST_STATE);
}

static void who_collects_by_itself_is_joined(void **state)
{
    static const char *const calls[] = {"collect", "awake"};

    for (unsigned i = 0; i < 2; i++) {
        connected(state);
        int32_t door = air_subscribe_to(one, "hall/door", 0);
        assert_int_equal(air_do(one, "sleep", 8), 1);
        a.delay_ms = 500;
        air_run(&a, 7200); /* after seven seconds the client asks */
        assert_int_equal(sent(0).type, SM_MQTTSN_PINGREQ);
        assert_int_equal(sm_mqttsn_state(&one->session.client), SM_MQTTSN_AWAKE);
        assert_int_equal(air_do(one, calls[i], 0), 1);
        assert_int_equal(air_send(one, door, 0, "x"), i); /* asleep still, or not */
    }
}

static void without_seconds_it_sleeps_as_long_as_the_keep_alive(void **state)
{
    (void)state;
    assert_int_equal(air_do(one, "sleep", 0), 1);
    assert_int_equal(sent(0).duration_s, 30);
    assert_int_equal(air_do(one, "awake", 0), 1);
    failed(one, air_do(one, "sleep", 65536), SM_HOST_RANGE);
}

static void a_connection_ends_and_begins_and_ids_stay(void **state)
{
    (void)state;
    int32_t door = air_register(one, "hall/door");
    assert_int_equal(air_do(one, "disconnect", 0), 1);
    failed(one, air_do(one, "disconnect", 0), SM_HOST_STATE);
    failed(one, air_send(one, door, 0, "x"), SM_HOST_STATE);
    assert_int_equal(air_connect(one, "", "", 0), 1);
    failed(one, air_connect(one, "", "", 0), SM_HOST_STATE);
    assert_int_equal(air_send(one, door, 1, "x"), 1);
    assert_string_equal(a.published[0], "hall/door=x");
}

static void the_record_says_how_things_are(void **state)
{
    const uint8_t want[28] = {[0] = 2,  [4] = 4,  [6] = AIR_TOPICS, [8] = AIR_PAYLOAD,
                              [12] = 1, [16] = 1, [20] = 2,         [24] = 1};

    (void)state;
    char long_one[AIR_PAYLOAD + 1] = {0};
    memset(long_one, 'm', AIR_PAYLOAD);
    int32_t door = air_subscribe_to(one, "hall/door", 0);
    air_send(one, door, 0, "x");
    air_send(one, door, 1, "x");
    air_register(one, "cellar");
    for (unsigned i = 0; i < 5; i++)
        air_publish(&a, one, "hall/door", long_one);
    air_run(&a, 10);
    assert_int_equal(air_get(one, door, 64), AIR_PAYLOAD);
    memset(air_memory(one) + AT_BUF, 'x', 28);
    assert_int_equal(air_do(one, "network", AT_BUF), 0);
    assert_memory_equal(air_memory(one) + AT_BUF, want, 28);
    assert_int_equal(sm_network_dropped(&one->session), 1);
}

/* ---- Gateways and client ids ----------------------------------------------------------------- */

static void the_gateway_that_answers_is_found_and_connected_to(void **state)
{
    (void)state;
    assert_int_equal(air_start(one, 0), 50000);
    assert_int_equal(air_search(one, "", 0, 3), 4);
    assert_string_equal((char *)air_memory(one) + AT_BUF, "gw1");
    assert_int_equal(a.heard[0].gateway, -1);
    assert_int_equal(a.heard[0].hops, 3);
    assert_int_equal(air_connect(one, "", "gw1", 10000), 1); /* as good as granted */
    assert_int_equal(air_search(one, "", 0, 3), SM_HOST_STATE);
    assert_int_equal(air_do(one, "disconnect", 0), 1);
    assert_int_equal(air_connect(one, "", "", 0), 1);
    assert_int_equal(air_do(one, "disconnect", 0), 1);
    assert_int_equal(air_search(one, "", 0, 0), 4);
    assert_int_equal(a.heard[(a.sent - 1) % AIR_HEARD].hops, 1);
}

static void a_search_that_nobody_answers_finds_nothing(void **state)
{
    (void)state;
    assert_int_equal(air_start(one, 0), 50000);
    a.gateway[0].silent = true;
    assert_int_equal(air_search(one, "", 0, 256), SM_HOST_RANGE);
    assert_int_equal(air_search(one, "", 0, 1), SM_HOST_NOT_FOUND);
    a.cfg.search.address = NULL;
    assert_int_equal(air_search(one, "", 0, 1), SM_HOST_NOT_FOUND);
}

static void a_device_without_gateways_searches_when_it_connects(void **state)
{
    (void)state;
    a.cfg.ngateways = 0;
    assert_int_equal(air_start(one, 0), 50000);
    assert_int_equal(air_connect(one, "", "", 0), 1);
    assert_int_equal(a.heard[0].gateway, -1);
    assert_int_equal(air_do(one, "stop", 0), 1);
    a.cfg.search.address = NULL;
    assert_int_equal(air_start(one, 0), 50000);
    failed(one, air_connect(one, "", "", 0), SM_HOST_NOT_FOUND);
}

static void a_gateway_that_is_named_must_be_granted(void **state)
{
    (void)state;
    assert_int_equal(air_start(one, 0), 50000);
    failed(one, air_connect(one, "", "gw2", 10000), SM_HOST_DENIED);
    assert_int_equal(air_search(one, "all", 10000, 1), SM_HOST_DENIED);
    assert_string_equal(a.line[0], "refused gateway/gw2: not granted");
    assert_int_equal(a.sent, 0);
    air_end(one);
    one = air_guest(&a, 0, GRANTS(HALL, "gateway/gw2/10000", "gateway/all/1"));
    assert_int_equal(air_start(one, 0), 50000);
    failed(one, air_connect(one, "", "gw2", 10001), SM_HOST_DENIED);
    failed(one, air_connect(one, "", "gw2", 0), SM_HOST_RANGE);
    failed(one, air_connect(one, "", "gw2", 75536), SM_HOST_RANGE);
    failed(one, air_connect(one, "", "", 10000), SM_HOST_RANGE);
    failed(one, air_connect(one, "", "GW2", 10000), SM_HOST_DENIED);
    failed(one, air_connect(one, "", "0123456789012345678901234567890123456789012345678", 1),
           SM_HOST_RANGE);
    assert_int_equal(air_connect(one, "", "gw2", 10000), 1);
    assert_int_equal(a.gateway[1].asked[ASKED_CONNECT], 1);
    assert_int_equal(air_do(one, "disconnect", 0), 1);
    assert_int_equal(air_search(one, "all", 1, 1), 4);
}

static void client_ids_are_the_devices_prefix_and_what_the_module_says(void **state)
{
    (void)state;
    assert_int_equal(air_start(one, 0), 50000);
    assert_int_equal(air_connect(one, "", "", 0), 1);
    assert_string_equal(a.client_id[0], "d7-guest0");
    assert_int_equal(air_do(one, "disconnect", 0), 1);
    failed(one, air_connect(one, "WASM", "", 0), SM_HOST_STATE); /* that would be another session */
    assert_int_equal(air_do(one, "stop", 0), 1);
    assert_int_equal(air_start(one, 0), 50000);
    failed(one, air_connect(one, "123456789012345678901", "", 0), SM_HOST_RANGE);
    failed(one, air_connect(one, "123456789012345678901234567", "", 0), SM_HOST_RANGE);
    failed(one, air_connect(one, "a b", "", 0), SM_HOST_RANGE);
    assert_int_equal(air_connect(one, "12345678901234567890", "", 0), 1);
    assert_string_equal(a.client_id[0], "d7-12345678901234567890");
}

static void two_modules_have_two_sessions_and_never_one_client_id(void **state)
{
    (void)state;
    struct air_guest *two = air_guest(&a, 1, GRANTS(HALL));
    assert_int_equal(air_start(one, 0), 50000);
    assert_int_equal(air_start(two, 0), 50001);
    assert_int_equal(air_connect(one, "WASM", "", 0), 1);
    failed(two, air_connect(two, "WASM", "", 0), SM_HOST_BUSY);
    assert_int_equal(air_connect(two, "", "", 0), 1);
    assert_string_equal(a.client_id[1], "d7-guest1");
    int32_t door = air_subscribe_to(one, "hall/door", 0);
    assert_int_equal(air_send(two, door, 0, "x") ? 1 : air_error(two), SM_HOST_INVALID);
    air_publish(&a, one, "hall/door", "closed");
    air_run(&a, 10);
    failed(two, air_do(two, "hasMessage", 0), SM_HOST_NOT_FOUND);
    is_got(one, 0, "closed");
    air_end(one);
    assert_int_equal(air_do(two, "disconnect", 0), 1);
    assert_int_equal(air_do(two, "stop", 0), 1);
    assert_int_equal(air_start(two, 0), 50000);
    assert_int_equal(air_connect(two, "WASM", "", 0), 1); /* it is free now */
}

/* ---- Grants ---------------------------------------------------------------------------------- */

static void what_is_not_granted_is_refused_counted_and_logged_once(void **state)
{
    (void)state;
    assert_int_equal(air_register(one, "cellar/door"), SM_HOST_DENIED);
    assert_int_equal(air_error(one), SM_HOST_DENIED);
    assert_int_equal(air_register(one, "cellar/door"), SM_HOST_DENIED);
    assert_int_equal(air_subscribe_to(one, "#", 0), SM_HOST_DENIED);
    assert_int_equal(air_subscribe_to(one, "+/door", 0), SM_HOST_DENIED);
    assert_int_equal(air_register(one, "hallway"), SM_HOST_DENIED);
    assert_int_equal(sm_host_refused(&one->host), 5);
    assert_int_equal(a.lines, 4);
    assert_string_equal(a.line[0], "refused topic/cellar/door:p: not granted");
    assert_string_equal(a.line[1], "refused topic/#:s: not granted");
    assert_true(air_register(one, "hall") > 0);
}

static void publishing_and_subscribing_are_two_rights(void **state)
{
    (void)state;
    one = air_guest(&a, 0, GRANTS("topic/out/+:p", "topic/in/#:s", "rate/1000"));
    assert_int_equal(air_start(one, 0), 50000);
    assert_int_equal(air_connect(one, "", "", 0), 1);
    int32_t out = air_register(one, "out/x"), in = air_register(one, "in/x");
    assert_true(out > 0 && in > 0);
    assert_int_equal(air_send(one, out, 0, "x"), 1);
    failed(one, air_send(one, in, 0, "x"), SM_HOST_DENIED);
    failed(one, air_call(one, "subscribe", (uint32_t[]){(uint32_t)out, 0}), SM_HOST_DENIED);
    failed(one, air_do(one, "hasMessage", out), SM_HOST_DENIED);
    assert_int_equal(air_get(one, out, 4), SM_HOST_DENIED);
    failed(one, air_do(one, "unsubscribe", out), SM_HOST_DENIED);
    assert_int_equal(air_call(one, "subscribe", (uint32_t[]){(uint32_t)in, 0}), 1);
    assert_int_equal(air_subscribe_to(one, "out/x", 0), SM_HOST_DENIED);
    assert_int_equal(air_register(one, "out/x/y"), SM_HOST_DENIED);
    assert_string_equal(a.line[0], "refused topic/in/x:p: not granted");
}

static void topics_that_are_none_are_out_of_range(void **state)
{
    (void)state;
    char name[SM_NETWORK_NAME_MAX + 2] = "hall/";
    assert_int_equal(air_register(one, ""), SM_HOST_RANGE);
    assert_int_equal(air_register(one, "hall/+"), SM_HOST_RANGE);
    assert_int_equal(air_subscribe_to(one, "hall/a#", 0), SM_HOST_RANGE);
    assert_int_equal(air_subscribe_to(one, "hall/#", 3), SM_HOST_RANGE);
    assert_int_equal(air_register(one, "hall/\xff"), SM_HOST_RANGE);
    memset(name + 5, 'n', SM_NETWORK_NAME_MAX - 4);
    assert_int_equal(air_register(one, name), SM_HOST_RANGE);
    name[SM_NETWORK_NAME_MAX] = 0;
    assert_true(air_register(one, name) > 0);
}

static void a_forged_id_reaches_nothing(void **state)
{
    static const int32_t ids[] = {2, 7, 255, 256, 257, 65536, 65537, INT32_MAX, -1, INT32_MIN};

    (void)state;
    assert_int_equal(air_register(one, "hall/door"), 1);
    for (unsigned i = 0; i < sizeof ids / sizeof *ids; i++) {
        failed(one, air_send(one, ids[i], 0, "x"), SM_HOST_INVALID);
        failed(one, air_call(one, "subscribe", (uint32_t[]){(uint32_t)ids[i], 0}), SM_HOST_INVALID);
        failed(one, air_do(one, "unsubscribe", ids[i]), SM_HOST_INVALID);
        failed(one, air_do(one, "hasMessage", ids[i]), SM_HOST_INVALID);
        assert_int_equal(air_get(one, ids[i], 4), SM_HOST_INVALID);
    }
    failed(one, air_send(one, 0, 0, "x"), SM_HOST_INVALID);
    assert_int_equal(a.publications, 0);
}

static void an_id_whose_topic_has_changed_is_looked_at_again(void **state)
{
    (void)state;
    int32_t mine = air_subscribe_to(one, "hall/door", 0);
    assert_int_equal(air_do(one, "unsubscribe", mine), 1);
    /* Nobody needs the place any more: fill all of them with what the gateway names. */
    char name[] = "cellar/0";
    for (unsigned i = 0; i < AIR_TOPICS; i++, name[7]++) {
        air_publish(&a, one, name, "x");
        air_run(&a, 10);
    }
    for (int32_t id = 1; id <= AIR_TOPICS; id++)
        assert_int_equal(air_send(one, id, 0, "x"), 0);
    assert_int_equal(a.publications, 0);
}

static void a_filter_is_not_published_to(void **state)
{
    (void)state;
    int32_t all = air_subscribe_to(one, "hall/#", 0);
    failed(one, air_send(one, all, 0, "x"), SM_HOST_INVALID);
}

static void what_a_gateway_sends_unasked_does_not_reach_the_module(void **state)
{
    (void)state;
    assert_true(air_subscribe_to(one, "hall/#", 0) > 0);
    air_publish(&a, one, "cellar/door", "closed");
    air_publish(&a, one, "hall/door", "open");
    air_run(&a, 10);
    is_got(one, 0, "open");
    assert_int_equal(air_get(one, 0, 64), SM_HOST_NOT_FOUND);
}

static void too_many_calls_are_refused_until_time_has_gone_by(void **state)
{
    (void)state;
    one = air_guest(&a, 0, GRANTS("topic/hall/#:ps"));
    air_run(&a, 10000);
    assert_int_equal(air_start(one, 0), 50000);
    assert_int_equal(air_connect(one, "", "", 0), 1);
    int32_t door = air_register(one, "hall/door");
    for (unsigned i = 0; i < 6; i++) /* 8 at once, of which two are spent */
        assert_int_equal(air_send(one, door, 0, "x"), 1);
    failed(one, air_send(one, door, 0, "x"), SM_HOST_RATE);
    assert_int_equal(air_register(one, "hall/light"), SM_HOST_RATE);
    assert_int_equal(a.publications, 6);
    assert_string_equal(a.line[0], "refused network: more calls than its rate");
    assert_int_equal(a.lines, 1);
    a.now_ms += 500;
    assert_int_equal(air_send(one, door, 0, "x"), 1);
    assert_int_equal(air_send(one, door, 0, "x"), 1);
    failed(one, air_send(one, door, 0, "x"), SM_HOST_RATE);
    air_end(one); /* another instance is no other module */
    one = air_guest(&a, 0, GRANTS("topic/hall/#:ps"));
    assert_int_equal(air_start(one, 0), 50000);
    failed(one, air_connect(one, "", "", 0), SM_HOST_RATE);
}

static void a_clock_that_begins_at_nothing_refuses_nobody(void **state)
{
    (void)state;
    a.now_ms = 0;
    one = air_guest(&a, 0, GRANTS("topic/hall/#:ps"));
    assert_int_equal(air_start(one, 0), 50000);
    assert_int_equal(air_connect(one, "", "", 0), 1);
    assert_true(air_register(one, "hall/door") > 0);
}

static void a_flood_keeps_nobody_waiting(void **state)
{
    static const uint8_t ping[] = {2, SM_MQTTSN_PINGRESP};

    (void)state;
    for (unsigned i = 0; i < AIR_WAITING; i++)
        air_inject(&a, one->session.link, 0, ping, sizeof ping);
    (void)sm_network_step(&a.network);
    assert_true(a.waiting > 0 && a.waiting < AIR_WAITING);
    (void)sm_network_step(&a.network);
    assert_int_equal(a.waiting, 0);
}

static void the_queue_is_as_long_as_was_granted_and_drops_are_counted(void **state)
{
    (void)state;
    one = air_guest(&a, 0, GRANTS(HALL, "queue/2"));
    assert_int_equal(air_start(one, 0), 50000);
    assert_int_equal(air_connect(one, "", "", 0), 1);
    char payload[AIR_PAYLOAD + 1] = {0};
    memset(payload, 'p', AIR_PAYLOAD);
    int32_t door = air_subscribe_to(one, "hall/door", 0);
    for (unsigned i = 0; i < 3; i++) {
        payload[0] = (char)('0' + i);
        air_publish(&a, one, "hall/door", payload);
        air_run(&a, 10);
    }
    assert_int_equal(sm_network_dropped(&one->session), 1);
    assert_int_equal(air_get(one, door, 64), 64);
    assert_int_equal(air_memory(one)[AT_BUF], '0');
    assert_int_equal(air_get(one, door, 64), 64);
    assert_int_equal(air_memory(one)[AT_BUF], '1');
    assert_int_equal(air_get(one, door, 64), SM_HOST_NOT_FOUND);
}

static void there_is_room_for_so_many_topics(void **state)
{
    char name[] = "hall/0";

    (void)state;
    for (unsigned i = 0; i < AIR_TOPICS; i++, name[5]++)
        assert_true(air_register(one, name) > 0);
    assert_int_equal(air_register(one, "hall/x"), SM_HOST_SPACE);
    assert_int_equal(air_subscribe_to(one, "hall/x", 0), SM_HOST_SPACE);
    assert_int_equal(air_register(one, "hall/0"), 1);
}

static void a_message_longer_than_there_is_room_for_is_not_sent(void **state)
{
    (void)state;
    int32_t door = air_register(one, "hall/door");
    const uint32_t fits[] = {(uint32_t)door, 0, AT_BUF, AIR_PAYLOAD};
    const uint32_t not [] = {(uint32_t)door, 0, AT_BUF, AIR_PAYLOAD + 1};
    assert_int_equal(air_call(one, "publish", fits), 1);
    failed(one, air_call(one, "publish", not ), SM_HOST_RANGE);
}

/* ---- Bad pointers ---------------------------------------------------------------------------- */

/* Each pointer of each call: past the end, across it, with lengths that wrap around. */
static void a_pointer_that_leaves_the_memory_traps(void **state)
{
    static const struct {
        const char *call;
        uint32_t args[5];
    } bad[] = {
        {"searchGW", {MEMORY, 0, 0, AT_BUF, 8}},
        {"searchGW", {AT_ONE, 0, 0, MEMORY - 7, 8}},
        {"searchGW", {AT_ONE, 0, 0, AT_BUF, UINT32_MAX}},
        {"connect", {MEMORY, 0, AT_TWO, 0}},
        {"connect", {AT_ONE, 0, UINT32_MAX, 0}},
        {"register", {MEMORY}},
        {"register", {UINT32_MAX}},
        {"register", {MEMORY - 4}}, /* a text without an end */
        {"publish", {1, 0, MEMORY, 1}},
        {"publish", {1, 0, AT_BUF, UINT32_MAX}},
        {"publish", {1, 0, UINT32_MAX, 1}},
        {"publish", {1, 0, MEMORY - 1, 2}},
        {"subscribeTo", {MEMORY, 0}},
        {"getMessage", {0, MEMORY, 1}},
        {"getMessage", {0, AT_BUF, 0x80000000u}},
        {"peekMessage", {0, MEMORY - 7, 8}},
        {"network", {MEMORY - 27}},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        connected(state);
        memset(air_memory(one) + MEMORY - 4, 'n', 4);
        if (air_call(one, bad[i].call, bad[i].args) != TRAPPED)
            fail_msg("%s, case %u, does not trap", bad[i].call, i);
        assert_int_equal(a.sent, 1);
    }
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static void a_module_that_dies_leaves_its_gateway(void **state)
{
    (void)state;
    air_end(one);
    assert_int_equal(a.gateway[0].asked[ASKED_DISCONNECT], 1);
    assert_int_equal(sent(0).duration_s, 0);
    assert_int_equal(a.links, 0);
    air_end(one);
    assert_int_equal(a.gateway[0].asked[ASKED_DISCONNECT], 1);
    /* The next instance begins anew. */
    one = air_guest(&a, 0, GRANTS(HALL));
    failed(one, air_send(one, 1, 0, "x"), SM_HOST_STATE);
    assert_int_equal(air_start(one, 0), 50000);
    assert_int_equal(air_connect(one, "", "", 0), 1);
    failed(one, air_send(one, 1, 0, "x"), SM_HOST_INVALID);
}

static void a_module_that_dies_while_it_waits_does_too(void **state)
{
    (void)state;
    memcpy(air_memory(one) + AT_ONE, "hall/door", 10);
    a.delay_ms = 100;
    assert_int_equal(air_begin(one, "register", (uint32_t[]){AT_ONE}), PENDING);
    assert_true(sm_host_wake_ms(&one->host) == UINT64_MAX);
    assert_int_equal(sm_host_wake(&one->host, &one->exec, one->inst), SM_ERR_STATE);
    air_end(one);
    assert_int_equal(sent(0).type, SM_MQTTSN_DISCONNECT);
    assert_int_equal(a.links, 0);
    (void)sm_network_step(&a.network);
    assert_int_equal(sm_network_due(&a.network), UINT32_MAX);
}

static void one_that_sleeps_leaves_too(void **state)
{
    (void)state;
    assert_int_equal(air_do(one, "sleep", 600), 1);
    air_end(one);
    assert_int_equal(a.gateway[0].asked[ASKED_DISCONNECT], 2);
    assert_int_equal(sent(0).duration_s, 0);
}

static void one_that_never_connected_has_nobody_to_leave(void **state)
{
    (void)state;
    assert_int_equal(air_start(one, 0), 50000);
    air_end(one);
    assert_int_equal(a.sent, 0);
    assert_int_equal(a.links, 0);
}

static void a_device_that_goes_down_leaves_with_all_sessions(void **state)
{
    (void)state;
    struct air_guest *two = air_guest(&a, 1, GRANTS(HALL));
    assert_int_equal(air_start(two, 0), 50001);
    assert_int_equal(air_connect(two, "", "", 0), 1);
    sm_network_stop(&a.network);
    assert_int_equal(a.gateway[0].asked[ASKED_DISCONNECT], 2);
    assert_int_equal(a.links, 0);
}

/* ---- Linking and admission ------------------------------------------------------------------- */

static void nothing_links_without_a_capability_of_the_network(void **state)
{
    static const char *const calls[] = {
        "start",       "stop",      "searchGW",    "connect",     "disconnect", "register",
        "publish",     "subscribe", "subscribeTo", "unsubscribe", "hasMessage", "getMessage",
        "peekMessage", "sleep",     "collect",     "awake",       "network",    "lastError"};
    struct sm_host host = {.more = &a.guest[0].session.more};
    struct sm_manifest m;
    struct sm_wasm_extern out;

    (void)state;
    sm_manifest_defaults(&m);
    for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++) {
        const struct sm_wasm_import import = {
            {"wasi_sn", 7}, {calls[i], (uint32_t)strlen(calls[i])}, SM_WASM_FUNC};
        m.capabilities = 1;
        strcpy(m.capability[0], "log");
        sm_host_init(&host, &a.port_host, &m, 0);
        assert_int_equal(sm_host_resolve(&host, &import, &out), SM_ERR_DENIED);
        strcpy(m.capability[0], "topic/x:p");
        assert_int_equal(sm_host_resolve(&host, &import, &out), 0);
        assert_int_equal(out.kind, SM_WASM_FUNC);
    }
}

static int checked(const char *capability)
{
    struct sm_host_more *more = &a.guest[0].session.more;
    struct sm_manifest m;

    sm_manifest_defaults(&m);
    m.capabilities = 2;
    strcpy(m.capability[0], "log");
    strcpy(m.capability[1], capability);
    return more->check(more, &m);
}

static void capabilities_that_cannot_be_served_are_named(void **state)
{
    (void)state;
    static const char *const good[] = {"topic/a:p", "topic/a/#:ps", "topic/a:b:s", "rate/1",
                                       "rate/1000", "queue/6",      "gateway/x/1", "sensor/x/y:r"};
    static const char *const not [] = {
        "topic/a",     "topic/:p",        "topic/a:",   "topic/a:sp", "topic/a:x",
        "topic/a#:p",  "topic/a:psp",     "topic/a:pp", "rate/0",     "rate/1001",
        "rate/01",     "rate/",           "rate/5x",    "gateway/x",  "gateway//1",
        "gateway/x/0", "gateway/x/65536", "queue/7",    "queue/0",    "rate/99999999999"};
    for (unsigned i = 0; i < sizeof good / sizeof *good; i++)
        if (checked(good[i]) != -1)
            fail_msg("%s is not served", good[i]);
    for (unsigned i = 0; i < sizeof not / sizeof *not ; i++)
        if (checked(not [i]) != 1)
            fail_msg("%s is served", not [i]);
}

static void a_policy_covers_narrower_topics_fewer_rights_and_lower_numbers(void **state)
{
    static const char *const policy[] = {"topic/hall/#:ps", "topic/out/+:p", "rate/10", "queue/4",
                                         "gateway/*"};
    static const char *const yes[] = {"topic/hall/#:ps", "topic/hall/+/x:s", "topic/hall:p",
                                      "topic/out/a:p",   "topic/out/+:p",    "rate/10",
                                      "rate/1",          "queue/3",          "gateway/a/1"};
    static const char *const no[] = {"topic/#:s",     "topic/hallway:p", "topic/out/a:s",
                                     "topic/out/#:p", "topic/out/a/b:p", "rate/11",
                                     "rate/010",      "queue/5",         "topic/hall/#"};

    (void)state;
    for (unsigned i = 0; i < sizeof yes / sizeof *yes; i++)
        if (!sm_host_granted(policy, 5, yes[i]))
            fail_msg("%s is not granted", yes[i]);
    for (unsigned i = 0; i < sizeof no / sizeof *no; i++)
        if (sm_host_granted(policy, 5, no[i]))
            fail_msg("%s is granted", no[i]);
}

#define T(name) cmocka_unit_test_setup(name, fresh)
#define C(name) cmocka_unit_test_setup(name, connected)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(starting_binds_a_port_and_stays_as_it_is),
        T(without_a_link_nothing_starts),
        T(nothing_goes_before_start),
        C(a_topic_is_registered_and_published_at_each_quality),
        C(only_calls_that_need_an_answer_wait),
        C(a_message_that_is_lost_is_sent_again),
        C(a_gateway_that_is_silent_is_an_error_after_all_tries),
        C(what_a_gateway_rejects_is_told),
        T(the_next_gateway_is_tried),
        C(messages_come_by_name_by_filter_and_in_their_order),
        C(a_message_longer_than_the_buffer_stays),
        C(a_message_can_be_looked_at),
        C(what_is_unsubscribed_comes_no_more_but_what_has_come_stays),
        C(a_sleeper_collects_what_the_gateway_has_kept),
        T(who_collects_by_itself_is_joined),
        C(without_seconds_it_sleeps_as_long_as_the_keep_alive),
        C(a_connection_ends_and_begins_and_ids_stay),
        C(the_record_says_how_things_are),
        T(the_gateway_that_answers_is_found_and_connected_to),
        T(a_search_that_nobody_answers_finds_nothing),
        T(a_device_without_gateways_searches_when_it_connects),
        T(a_gateway_that_is_named_must_be_granted),
        T(client_ids_are_the_devices_prefix_and_what_the_module_says),
        T(two_modules_have_two_sessions_and_never_one_client_id),
        C(what_is_not_granted_is_refused_counted_and_logged_once),
        T(publishing_and_subscribing_are_two_rights),
        C(topics_that_are_none_are_out_of_range),
        C(a_forged_id_reaches_nothing),
        C(an_id_whose_topic_has_changed_is_looked_at_again),
        C(a_filter_is_not_published_to),
        C(what_a_gateway_sends_unasked_does_not_reach_the_module),
        T(too_many_calls_are_refused_until_time_has_gone_by),
        T(a_clock_that_begins_at_nothing_refuses_nobody),
        C(a_flood_keeps_nobody_waiting),
        T(the_queue_is_as_long_as_was_granted_and_drops_are_counted),
        C(there_is_room_for_so_many_topics),
        C(a_message_longer_than_there_is_room_for_is_not_sent),
        T(a_pointer_that_leaves_the_memory_traps),
        C(a_module_that_dies_leaves_its_gateway),
        C(a_module_that_dies_while_it_waits_does_too),
        C(one_that_sleeps_leaves_too),
        T(one_that_never_connected_has_nobody_to_leave),
        C(a_device_that_goes_down_leaves_with_all_sessions),
        T(nothing_links_without_a_capability_of_the_network),
        T(capabilities_that_cannot_be_served_are_named),
        T(a_policy_covers_narrower_topics_fewer_rights_and_lower_numbers),
    };

    return cmocka_run_group_tests_name("network calls", tests, NULL, NULL);
}
