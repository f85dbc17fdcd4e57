/* The device daemon and its update client: against a server that does as it should, one that
 * misbehaves in every way that is not ours to prevent, and after SIGKILL.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include <curl/curl.h>

#include "device_fixture.h"
#include "hostile.h"

#define BIG 40000u /* bytes of padding: several sectors */

static struct fleet_fixture fx;
static struct device_fixture dev;
static struct hostile hostile;
static struct module v1, v2;

static int start(void **state)
{
    (void)state;
    fleet_prepare(&fx);
    memset(&hostile, 0, sizeof hostile);
    memset(&dev, 0, sizeof dev);
    app_make(&fx, &v1, 1, 0);
    app_make(&fx, &v2, 2, BIG);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    if (dev.pid)
        device_stop(&dev, SIGKILL);
    if (hostile.daemon)
        hostile_stop(&hostile);
    fleet_teardown(&fx);
    return 0;
}

/* ---- A device that has version 1 meets a server
 * -------------------------------------------------- */

/* Version 1 is brought in by a server that does as it should. */
static void install_v1(void)
{
    hostile_start(&hostile, &fx, &v1, NULL);
    device_configure(&dev, &fx, "dev-1", hostile.url, "");
    device_start(&dev);
    device_says(&dev, "COMMITTED app 1.0", 10);
    assert_true(hostile_got(&hostile, hostile.feedback, "success", 5));
    assert_int_equal(device_stop(&dev, SIGTERM), 0);
    hostile_stop(&hostile);
    memset(&hostile, 0, sizeof hostile);
}

/* Then it is offered version 2, or what hostile.module says, by a server with these misdeeds. */
static void offer_v2(const char *more)
{
    hostile_start(&hostile, &fx, hostile.module ? hostile.module : &v2, NULL);
    device_configure(&dev, &fx, "dev-1", hostile.url, more);
    device_start(&dev);
}

#define QUICK ",\"attempts\":2,\"stall_seconds\":1,\"min_bytes_per_second\":1000"

/* The device says so, reports it with hash and address, closes the deployment as failed, and
 * version 1 goes on. */
static void expect_failure(const char *event, const char *text)
{
    char from[160];
    device_says(&dev, text, 15);
    device_says(&dev, event, 15);
    snprintf(from, sizeof from, "module %s from %s", hostile.module->sha256, hostile.url);
    assert_int_not_equal(device_said(&dev, from), 0);
    assert_true(hostile_got(&hostile, hostile.events, hostile.module->sha256, 10));
    assert_true(hostile_got(&hostile, hostile.events, hostile.url, 1));
    assert_true(hostile_got(&hostile, hostile.feedback, "failure", 10));
    assert_int_equal(device_said(&dev, "version 2"), 0);
    int before = device_said(&dev, "version 1");
    usleep(500000);
    assert_true(device_said(&dev, "version 1") > before);
    assert_true(device_runs(&dev));
}

static void a_device_takes_what_its_server_offers(void **state)
{
    (void)state;
    install_v1();
    offer_v2("");
    device_says(&dev, "COMMITTED app 2.0", 10);
    device_says(&dev, "[app] version 2", 2);
    assert_true(hostile_got(&hostile, hostile.feedback, "success", 5));
    assert_true(hostile_got(&hostile, hostile.events, "COMMITTED", 5));
    assert_int_equal(hostile.module_requests, 1);
}

static void a_download_that_was_cut_goes_on_where_it_was(void **state)
{
    (void)state;
    install_v1();
    hostile.misdeed = CUT_ONCE;
    offer_v2("");
    device_says(&dev, "cut off after", 10);
    device_says(&dev, "COMMITTED app 2.0", 10);
    assert_int_equal(hostile.module_requests, 2);
    assert_true(hostile.last_first >= v2.len / 4 && hostile.last_first <= v2.len / 2);
    assert_non_null(strstr(hostile.etag_asked, v2.sha256)); /* and only if it is the same file */
}

static void a_server_without_ranges_sends_all_of_it_again(void **state)
{
    (void)state;
    install_v1();
    hostile.misdeed = IGNORE_RANGE;
    offer_v2("");
    device_says(&dev, "COMMITTED app 2.0", 10);
    assert_int_equal(hostile.module_requests, 2);
}

static void another_part_than_was_asked_for_is_not_taken(void **state)
{
    (void)state;
    install_v1();
    hostile.misdeed = WRONG_RANGE;
    offer_v2(QUICK);
    expect_failure("DOWNLOAD_FAILED", "the server sent \"bytes ");
}

static void a_download_that_is_cut_every_time_is_given_up(void **state)
{
    (void)state;
    install_v1();
    hostile.misdeed = NOT_FOUND;
    offer_v2("");
    expect_failure("DOWNLOAD_FAILED", "HTTP 404");
    assert_int_equal(hostile.module_requests, 1); /* no use in asking again */
}

static void too_much_is_cut_off(void **state)
{
    (void)state;
    install_v1();
    hostile.misdeed = SEND_ENDLESSLY;
    offer_v2(QUICK);
    expect_failure("DOWNLOAD_FAILED", "the server sends more than");
}

static void a_wrong_length_is_noticed_before_the_first_byte(void **state)
{
    (void)state;
    install_v1();
    hostile.misdeed = ANNOUNCE_MORE;
    offer_v2(QUICK);
    expect_failure("DOWNLOAD_FAILED", "bytes instead of");
}

static void too_little_is_noticed(void **state)
{
    (void)state;
    install_v1();
    hostile.misdeed = ANNOUNCE_LESS;
    offer_v2(QUICK);
    expect_failure("DOWNLOAD_FAILED", "bytes instead of");
}

static void a_slow_server_does_not_hold_the_device_up(void **state)
{
    (void)state;
    install_v1();
    hostile.misdeed = TRICKLE;
    offer_v2(QUICK);
    device_says(&dev, "fetching app 2.0", 5);
    int before = device_said(&dev, "version 1");
    usleep(800000);
    assert_true(device_said(&dev, "version 1") >= before + 5); /* modules run meanwhile */
    expect_failure("DOWNLOAD_FAILED", "too slow");
}

static void redirects_lead_nowhere(void **state)
{
    (void)state;
    install_v1();
    hostile.misdeed = REDIRECT;
    offer_v2(QUICK);
    expect_failure("DOWNLOAD_FAILED", "redirects to https://127.0.0.1:");
    assert_int_equal(hostile.elsewhere, 0);
}

static void a_poll_that_redirects_leads_nowhere(void **state)
{
    (void)state;
    install_v1();
    hostile.base_misdeed = REDIRECT;
    offer_v2("");
    device_says(&dev, "redirects to", 5);
    assert_int_equal(hostile.elsewhere, 0);
    assert_int_equal(hostile.module_requests, 0);
}

static void bytes_of_another_hash_are_discarded(void **state)
{
    (void)state;
    install_v1();
    hostile.misdeed = FLIP_A_BIT;
    offer_v2("");
    expect_failure("DOWNLOAD_FAILED", "do not have the hash announced");
}

static void a_wrong_signature_is_refused(void **state)
{
    (void)state;
    install_v1();
    module_sign(&fx.stranger, &v2);
    offer_v2("");
    expect_failure("REFUSED", "the signature is of no key");
}

static void an_unsigned_module_is_refused_unfetched(void **state)
{
    (void)state;
    install_v1();
    hostile.unsigned_ = true;
    offer_v2("");
    expect_failure("REFUSED", "unsigned");
    assert_int_equal(hostile.module_requests, 0);
}

static void a_signature_of_another_length_is_refused(void **state)
{
    (void)state;
    install_v1();
    hostile.signature_len = 63;
    offer_v2("");
    expect_failure("REFUSED", "does not have 64 bytes");
    assert_int_equal(hostile.module_requests, 0);
}

static void a_module_that_traps_at_once_is_rolled_back(void **state)
{
    (void)state;
    struct module bad;
    install_v1();
    app_make_trapping(&fx, &bad, 3);
    hostile.module = &bad;
    offer_v2("");
    device_says(&dev, "ROLLED_BACK app 3.0", 10);
    device_says(&dev, "STARTED app 1.0", 5);
    assert_true(hostile_got(&hostile, hostile.feedback, "failure", 10));
    assert_true(hostile_got(&hostile, hostile.events, "ROLLED_BACK", 1));
    assert_int_equal(hostile.module_requests, 1); /* and not tried again */
}

static void a_server_that_is_busy_says_when_to_come_back(void **state)
{
    (void)state;
    install_v1();
    hostile.base_misdeed = BUSY;
    offer_v2("");
    device_says(&dev, "HTTP 503; again in", 5);
    int polls = hostile.polls;
    usleep(1500000); /* retry_seconds is 1, Retry-After is 2 */
    assert_int_equal(hostile.polls, polls);
}

/* Three releases through two slots: an outcome that waited to be told would keep its slot. */
static void a_server_without_our_link_hears_by_feedback(void **state)
{
    (void)state;
    for (int version = 1; version <= 3; version++) {
        struct module m;
        char text[32];
        app_make(&fx, &m, version, 0);
        memset(&hostile, 0, sizeof hostile);
        hostile.module = &m;
        hostile.no_events = true;
        offer_v2("");
        snprintf(text, sizeof text, "COMMITTED app %d.0", version);
        device_says(&dev, text, 10);
        assert_true(hostile_got(&hostile, hostile.feedback, "success", 5));
        assert_string_equal(hostile.events, "");
        assert_int_equal(device_stop(&dev, SIGTERM), 0);
        hostile_stop(&hostile);
    }
    hostile.daemon = NULL;
}

/* ---- Answers that are none
 * ----------------------------------------------------------------------- */

static void answers_that_make_no_sense_change_nothing(void **state)
{
    (void)state;
    static char huge[300001];
    static const struct {
        const char *base, *text;
    } cases[] = {
        {"", "not JSON"},
        {"<html>", "not JSON"},
        {"[]", "must be an object"},
        {"{}", "config: is missing"},
        {"{\"config\":{\"polling\":{\"sleep\":\"soon....\"}}}", "config.polling.sleep"},
        {"{\"config\":{\"polling\":{\"sleep\":\"00:00:01\"}},\"_links\":{\"deploymentBase\":"
         "{\"href\":\"https://127.0.0.2:1/x\"}}}",
         "leads away from"},
        {"{\"config\":{\"polling\":{\"sleep\":\"00:00:01\"}},\"_links\":{\"deploymentBase\":"
         "{\"href\":\"http://127.0.0.1/x\"}}}",
         "leads away from"},
        {huge, "more than 262144"},
    };
    memset(huge, '[', sizeof huge - 1);
    install_v1();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memset(&hostile, 0, sizeof hostile);
        hostile.base = cases[i].base;
        offer_v2("");
        device_says(&dev, cases[i].text, 5);
        device_says(&dev, "version 1", 5);
        assert_int_equal(device_stop(&dev, SIGTERM), 0);
        hostile_stop(&hostile);
        assert_int_equal(hostile.module_requests, 0);
    }
    hostile.daemon = NULL;
}

static void a_deployment_that_cannot_be_used_is_closed_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *deployment, *text;
    } cases[] = {
        {"{\"id\":\"7\",\"deployment\":{\"chunks\":[]}}", "chunks: must have 1"},
        {"{\"id\":\"7\",\"deployment\":{\"chunks\":[{\"part\":\"os\",\"name\":\"a\","
         "\"version\":\"1\",\"artifacts\":[{}]}]}}",
         "only bApp"},
        {"{\"id\":\"7\",\"deployment\":{\"chunks\":[{\"part\":\"bApp\",\"name\":\"../a\","
         "\"version\":\"1\",\"artifacts\":[{}]}]}}",
         "name: not the name"},
        {"{\"id\":\"7\",\"deployment\":{\"chunks\":[{\"part\":\"bApp\",\"name\":\"a\","
         "\"version\":\"1\",\"artifacts\":[{\"filename\":\"a.wasm\",\"size\":4294967296,"
         "\"hashes\":{},\"_links\":{}}]}]}}",
         "size: must be"},
    };
    install_v1();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memset(&hostile, 0, sizeof hostile);
        hostile.deployment = cases[i].deployment;
        offer_v2("");
        device_says(&dev, cases[i].text, 5);
        assert_true(hostile_got(&hostile, hostile.feedback, cases[i].text, 5));
        assert_true(hostile_got(&hostile, hostile.feedback, "failure", 1));
        assert_int_equal(device_stop(&dev, SIGTERM), 0);
        hostile_stop(&hostile);
    }
    hostile.daemon = NULL;
}

/* ---- Trust in the server
 * ------------------------------------------------------------------------- */

static void a_server_of_another_ca_is_not_trusted(void **state)
{
    (void)state;
    install_v1();
    assert_int_equal(fleet_shell(&fx, "sh " SANDMOTE_SOURCE "/demo/certificates.sh $DIR/other &&"
                                      " cp $DIR/other/ca.pem $DIR/ca.pem"),
                     0);
    offer_v2("");
    device_says(&dev, "the server is not trusted", 5);
    assert_int_equal(hostile.polls, 0);
}

static void a_server_below_tls_1_3_is_not_trusted(void **state)
{
    (void)state;
    hostile_start(&hostile, &fx, &v1, "NORMAL:-VERS-ALL:+VERS-TLS1.2");
    device_configure(&dev, &fx, "dev-1", hostile.url, "");
    device_start(&dev);
    device_says(&dev, "the server is not trusted", 5);
    assert_int_equal(hostile.polls, 0);
}

static void a_pinned_key_must_be_the_servers(void **state)
{
    (void)state;
    char more[256];
    hostile_start(&hostile, &fx, &v1, NULL);
    device_configure(&dev, &fx, "dev-1", hostile.url,
                     ",\"pin\":\"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"");
    device_start(&dev);
    device_says(&dev, "the server is not trusted", 5);
    assert_int_equal(hostile.polls, 0);
    assert_int_equal(device_stop(&dev, SIGTERM), 0);
    assert_int_equal(fleet_shell(&fx, "openssl x509 -in $DIR/server.pem -pubkey -noout |"
                                      " openssl pkey -pubin -outform DER |"
                                      " openssl dgst -sha256 -binary | openssl base64"),
                     0);
    char *pin = fleet_file(&fx, "out");
    snprintf(more, sizeof more, ",\"pin\":\"sha256//%.44s\"", pin);
    free(pin);
    device_configure(&dev, &fx, "dev-1", hostile.url, more);
    device_start(&dev);
    device_says(&dev, "COMMITTED app 1.0", 10);
}

/* ---- The process
 * --------------------------------------------------------------------------------- */

static void a_daemon_killed_in_the_middle_of_the_slot_goes_on(void **state)
{
    (void)state;
    install_v1();
    hostile.misdeed = TRICKLE;
    offer_v2("");
    device_says(&dev, "fetching app 2.0, from byte 0", 5);
    usleep(500000); /* half of it is in the slot by now */
    assert_int_equal(device_stop(&dev, SIGKILL), 128 + SIGKILL);
    hostile.misdeed = NO_MISDEED;
    device_start(&dev);
    device_says(&dev, "STARTED app 1.0", 5);
    device_says(&dev, "COMMITTED app 2.0", 10);
    assert_true(hostile.last_first > 0);
    assert_true(hostile_got(&hostile, hostile.feedback, "success", 5));
}

/* A trial bears three starts, so the killing ends with the first of them. */
static void kills_at_any_moment_end_with_version_2(void **state)
{
    (void)state;
    int kills = 0;
    install_v1();
    offer_v2("");
    srand(20261121);
    for (;;) {
        usleep((useconds_t)(rand() % (9000 + 200 * kills)));
        if (device_said(&dev, "TRIAL app 2.0") || kills == 100)
            break;
        assert_int_equal(device_stop(&dev, SIGKILL), 128 + SIGKILL);
        device_start(&dev);
        kills++;
    }
    print_message("             %d kills\n", kills);
    assert_true(hostile_got(&hostile, hostile.feedback, "success", 10));
    device_says(&dev, "[app] version 2", 5);
    assert_true(hostile_got(&hostile, hostile.events, "COMMITTED", 5));
}

static void two_daemons_do_not_share_a_flash(void **state)
{
    (void)state;
    install_v1();
    offer_v2("");
    device_says(&dev, "COMMITTED app 2.0", 10);
    assert_int_equal(fleet_shell(&fx, "$SANDMOTED --config $DIR/dev-1.json"), 1);
    char *out = fleet_file(&fx, "out");
    assert_non_null(strstr(out, "dev-1.flash"));
    assert_non_null(strstr(out, "another process"));
    free(out);
    assert_true(device_runs(&dev));
}

static void a_daemon_that_cannot_start_says_why(void **state)
{
    (void)state;
    static const struct {
        const char *edit, *part;
    } cases[] = {
        {"s/\"class\"/\"klass\"/", "bad.json: klass: unknown key"},
        {"s/\"retry_seconds\"/\"retry\"/", "server.retry: unknown key"},
        {"s/\"edge\"/\"cloud\"/", "class: must be mcu, mpu, gateway or edge"},
        {"s/1048576/1048576000000/", "memory_bytes"},
        {"s/\"signers\"/\"native\":\"all\",&/", "native: must be refuse or builder"},
        {"s/\"signers\"/\"native\":\"builder\",&/", "builders: none is named"},
        {"s/\"signers\"/\"builders\":[\"nothing.pem\"],&/", "builders[0]"},
        {"s/\"signers\"/\"builders\":[\"signer.pub.pem\"],&/", "builders[0]: not a usable key"},
        {"s/\"signers\"/\"native\":\"builder\",\"builders\":[\"builder.pub.pem\"],&/;"
         "s/\"slot_bytes\"/\"sector_bytes\":512,&/",
         "flash.sector_bytes: must be a multiple of 4096"},
        {"s/signer.pub.pem/nothing.pem/", "signers[0]"},
        {"s/signer.pub.pem/ca.pem/", "signers[0]"},
        {"s/\"ca\":\"ca.pem\"/\"ca\":\"nothing.pem\"/", "server.ca"},
        {"s/\"ca\":\"ca.pem\"/\"ca\":\"server.key\"/", "has no PEM certificate"},
        {"s/dev-1.token/nothing/", "server.token_file"},
        {"s|https://|http://|", "server.url"},
        {"s|\"https://[^\"]*|&/path|", "server.url"},
        {"s/}}/}}}/", "not JSON"},
        {"s|dev-1.flash|missing/dev-1.flash|", "missing/dev-1.flash"},
        {"s|dev-1.flash|.|", "/."},
        {"s/\"slot_bytes\":131072/\"slot_bytes\":262144/", "dev-1.flash"},
    };
    install_v1();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[256];
        snprintf(line, sizeof line,
                 "sed '%s' $DIR/dev-1.json >$DIR/bad.json; $SANDMOTED --config $DIR/bad.json",
                 cases[i].edit);
        int code = fleet_shell(&fx, line);
        char *out = fleet_file(&fx, "out");
        char *end = strchr(out, '\n');
        if (code != 1 || !strstr(out, cases[i].part) || !end || end[1])
            fail_msg("%s: exit %d, %s", cases[i].edit, code, out);
        free(out);
    }
    assert_int_equal(fleet_shell(&fx, "$SANDMOTED"), 64);
}

static void a_full_disk_is_named(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "%s/small", fx.dir);
    mkdir(path, 0700);
    if (mount("tmpfs", path, "tmpfs", 0, "size=64k") < 0) {
        print_message("skipped: a small file system needs root\n");
        return;
    }
    device_configure(&dev, &fx, "dev-1", "https://127.0.0.1:1", "");
    int code = fleet_shell(&fx, "sed -i 's|dev-1.flash|small/dev-1.flash|' $DIR/dev-1.json;"
                                "$SANDMOTED --config $DIR/dev-1.json");
    char *out = fleet_file(&fx, "out");
    umount(path);
    assert_int_equal(code, 1);
    assert_non_null(strstr(out, "small/dev-1.flash"));
    assert_non_null(strstr(out, "room"));
    free(out);
}

/* ---- Both ends real
 * ------------------------------------------------------------------------------ */

/* An operator's command with the usual options; must succeed. */
static void operator(const char *command)
{
    char line[512];
    snprintf(line, sizeof line,
             "export SANDMOTE_FLEET_SERVER=$URL SANDMOTE_FLEET_CA=$DIR/ca.pem"
             " SANDMOTE_FLEET_TOKEN_FILE=$DIR/token; cd $DIR; %s",
             command);
    int code = fleet_shell(&fx, line);
    char *out = fleet_file(&fx, "out");
    if (code != 0)
        fail_msg("%s: %d, %s", command, code, out);
    free(out);
}

static void wait_for(const char *command)
{
    char line[512];
    snprintf(line, sizeof line, "for i in $(seq 100); do %s && exit 0; sleep 0.1; done; exit 1",
             command);
    operator(line);
}

static void save(const struct module *m, const char *name)
{
    char sig[64];
    snprintf(sig, sizeof sig, "%s.sig", name);
    fleet_write(&fx, name, m->wasm, m->len);
    fleet_write(&fx, sig, m->sig, sizeof m->sig);
}

static void a_device_follows_its_channel_on_the_real_server(void **state)
{
    (void)state;
    struct module bad;
    app_make_trapping(&fx, &bad, 3);
    save(&v1, "v1.wasm");
    save(&v2, "v2.wasm");
    save(&bad, "bad.wasm");
    assert_int_equal(fleet_shell(&fx, "sed -i s/3725/1/ $DIR/fleet.json"), 0);
    fleet_start(&fx);
    device_configure(&dev, &fx, "dev-1", fx.url, "");
    device_start(&dev);
    device_says(&dev, "HTTP 401", 5); /* not enrolled yet */
    operator("$FLEET enrol dev-1 --channel stable --device-token dev-1.token");
    operator("$FLEET upload v1.wasm v2.wasm bad.wasm && $FLEET assign stable v1.wasm");
    wait_for("$FLEET devices | grep -q 'app 1.0  (action 1 finished'");
    operator("$FLEET assign stable v2.wasm");
    wait_for("$FLEET devices | grep -q 'app 2.0  (action 2 finished'");
    operator("$FLEET assign stable bad.wasm");
    wait_for("$FLEET devices | grep -q 'app 2.0  (action 3 failed'");
    operator("$FLEET events --device dev-1 | grep 'ROLLED_BACK *app 3.0'");
    operator("$FLEET assign stable v1.wasm");
    wait_for("$FLEET devices | grep -q 'action 4 failed: .*not above'");
    operator("$FLEET events | grep -q \"REFUSED *app 1.0.*(from $URL)\"");
    assert_int_equal(device_stop(&dev, SIGTERM), 0);
    assert_int_equal(fleet_stop(&fx, SIGTERM), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, finish)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(a_device_takes_what_its_server_offers),
        CASE(a_download_that_was_cut_goes_on_where_it_was),
        CASE(a_server_without_ranges_sends_all_of_it_again),
        CASE(another_part_than_was_asked_for_is_not_taken),
        CASE(a_download_that_is_cut_every_time_is_given_up),
        CASE(too_much_is_cut_off),
        CASE(a_wrong_length_is_noticed_before_the_first_byte),
        CASE(too_little_is_noticed),
        CASE(a_slow_server_does_not_hold_the_device_up),
        CASE(redirects_lead_nowhere),
        CASE(a_poll_that_redirects_leads_nowhere),
        CASE(bytes_of_another_hash_are_discarded),
        CASE(a_wrong_signature_is_refused),
        CASE(an_unsigned_module_is_refused_unfetched),
        CASE(a_signature_of_another_length_is_refused),
        CASE(a_module_that_traps_at_once_is_rolled_back),
        CASE(a_server_that_is_busy_says_when_to_come_back),
        CASE(a_server_without_our_link_hears_by_feedback),
        CASE(answers_that_make_no_sense_change_nothing),
        CASE(a_deployment_that_cannot_be_used_is_closed_with_the_reason),
        CASE(a_server_of_another_ca_is_not_trusted),
        CASE(a_server_below_tls_1_3_is_not_trusted),
        CASE(a_pinned_key_must_be_the_servers),
        CASE(a_daemon_killed_in_the_middle_of_the_slot_goes_on),
        CASE(kills_at_any_moment_end_with_version_2),
        CASE(two_daemons_do_not_share_a_flash),
        CASE(a_daemon_that_cannot_start_says_why),
        CASE(a_full_disk_is_named),
        CASE(a_device_follows_its_channel_on_the_real_server),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    return cmocka_run_group_tests_name("update", tests, NULL, NULL);
}
