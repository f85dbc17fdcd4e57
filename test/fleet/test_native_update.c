/* Native images from the compiler to the device: `sandmote aot` and `sandmote sign --native`, the
 * real server, the real daemon. Needs a C compiler, as `sandmote aot` does.
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
#include <posix/file.h>

#include "device_fixture.h"
#include "hostile.h"

#define POLICY(keys) "\"native\":\"builder\",\"builders\":[" keys "],"

/* The end of the line "STARTED app 1.0 (...): native". */
#define STARTED_NATIVE "): native\n"

static struct fleet_fixture fx;
static struct device_fixture dev;
static struct module v1;

/* A server with a module, and a device that may come. */
static int start(void **state)
{
    (void)state;
    memset(&dev, 0, sizeof dev);
    fleet_setup(&fx);
    app_make(&fx, &v1, 1, 0);
    fleet_write(&fx, "v1.wasm", v1.wasm, v1.len);
    fleet_enrol(&fx, "dev-1", "stable");
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

static void shell(const char *command)
{
    if (fleet_shell(&fx, command) != 0) {
        char *out = fleet_file(&fx, "out");
        fail_msg("%s: %s", command, out);
    }
}

/* v1.native is signed and uploaded, its module assigned. */
static void upload_native(void)
{
    shell("$SANDMOTE sign --native --key $DIR/builder.pem $DIR/v1.native &&"
          " $FLEET upload-native --server $URL --ca $DIR/ca.pem --token-file $DIR/token"
          " $DIR/v1.native");
    fleet_assign(&fx, "stable", &v1, NULL);
}

/* The module is uploaded with a native image made with these options, and assigned. */
static void release(const char *options)
{
    char line[128];
    struct reply r = module_upload(&fx, &v1, 201);
    reply_free(&r);
    snprintf(line, sizeof line, "$SANDMOTE aot %s $DIR/v1.wasm -o $DIR/v1.native", options);
    shell(line);
    upload_native();
}

/* A device with this policy (keys of its configuration, each with a comma behind it). */
static void configure_for(const char *url, const char *policy, const char *more)
{
    char line[512];
    device_configure(&dev, &fx, "dev-1", url, more);
    snprintf(line, sizeof line, "sed -i 's/\"signers\"/%s&/' $DIR/dev-1.json", policy);
    shell(line);
}

static void configure(const char *policy, const char *more)
{
    configure_for(fx.url, policy, more);
}

static void start_device(const char *policy)
{
    configure(policy, "");
    device_start(&dev);
    device_says(&dev, "COMMITTED app 1.0", 10);
    device_says(&dev, "[app] version 1", 2);
}

static void a_device_runs_what_a_builder_claims(void **state)
{
    (void)state;
    release("--checks");
    start_device(POLICY("\"builder.pub.pem\""));
    assert_int_equal(device_said(&dev, "fetching the native image"), 1);
    assert_true(device_said(&dev, "STARTED app 1.0") > 0);
    assert_true(device_said(&dev, STARTED_NATIVE) > 0);
    assert_int_equal(device_said(&dev, "NATIVE_REFUSED"), 0);
    assert_int_equal(device_stop(&dev, SIGKILL), 128 + SIGKILL);
    device_start(&dev); /* from flash alone */
    device_says(&dev, STARTED_NATIVE, 10);
    device_says(&dev, "[app] version 1", 2);
    assert_int_equal(device_said(&dev, "fetching"), 0);
}

static void a_device_that_refuses_native_images_does_not_ask_for_them(void **state)
{
    (void)state;
    release("--checks");
    start_device("");
    assert_int_equal(device_said(&dev, "native"), 0);
}

static void another_builder_s_image_is_not_even_fetched(void **state)
{
    (void)state;
    release("--checks");
    shell("$SANDMOTE key new $DIR/b2.pem");
    start_device(POLICY("\"b2.pub.pem\""));
    assert_int_equal(device_said(&dev, "fetching the native image"), 0);
    assert_int_equal(device_said(&dev, STARTED_NATIVE), 0);
    fleet_expect_event(&fx, "NATIVE_REFUSED", "app", "no trusted key made this signature");
}

static void images_with_guard_pages_run_too(void **state)
{
    (void)state;
    release("");
    start_device(POLICY("\"builder.pub.pem\""));
    assert_true(device_said(&dev, STARTED_NATIVE) > 0);
    assert_int_equal(device_said(&dev, "NATIVE_REFUSED"), 0);
}

/* The fault of a guard page is the module's trap, its trial fails, and the daemon goes on. */
static void a_fault_of_native_code_is_a_trap(void **state)
{
    (void)state;
    app_make_reaching(&fx, &v1, 1);
    fleet_write(&fx, "v1.wasm", v1.wasm, v1.len);
    release("");
    configure(POLICY("\"builder.pub.pem\""), "");
    device_start(&dev);
    device_says(&dev, STARTED_NATIVE, 10);
    fleet_expect_event(&fx, "TRAP", "app", "out of bounds memory access");
    fleet_expect_event(&fx, "ROLLED_BACK", "app", "");
    assert_true(device_runs(&dev));
}

/* Of another engine: its number of the common layout (SPEC-native.md) is another, its hash right.
 */
static void what_the_device_cannot_run_is_interpreted(void **state)
{
    struct reply r;
    (void)state;
    r = module_upload(&fx, &v1, 201);
    reply_free(&r);
    shell("$SANDMOTE aot --checks $DIR/v1.wasm -o $DIR/v1.native &&"
          " printf '\\377\\377' | dd of=$DIR/v1.native bs=1 seek=20 conv=notrunc &&"
          " { head -c 120 $DIR/v1.native; tail -c +153 $DIR/v1.native; } |"
          " openssl dgst -sha256 -binary | dd of=$DIR/v1.native bs=1 seek=120 conv=notrunc");
    upload_native();
    start_device(POLICY("\"builder.pub.pem\""));
    device_says(&dev, "made for another engine", 2);
    assert_int_equal(device_said(&dev, STARTED_NATIVE), 0);
}

/* The server's disk gives other bytes than were uploaded. */
static void bytes_that_were_swapped_are_refused(void **state)
{
    (void)state;
    release("--checks");
    shell("f=$DIR/data/objects/$(sha256sum <$DIR/v1.native | cut -d' ' -f1);"
          " printf 'X' | dd of=$f bs=1 seek=4600 conv=notrunc");
    start_device(POLICY("\"builder.pub.pem\""));
    assert_int_equal(device_said(&dev, STARTED_NATIVE), 0);
    fleet_expect_event(&fx, "NATIVE_REFUSED", "app", "not those claimed");
}

/* A native image that is offered and cannot be had costs the module nothing. */
static void an_image_that_does_not_come_is_done_without(void **state)
{
    (void)state;
    release("--checks");
    shell("rm $DIR/data/objects/$(sha256sum <$DIR/v1.native | cut -d' ' -f1)");
    configure(POLICY("\"builder.pub.pem\""), ",\"attempts\":2");
    device_start(&dev);
    device_says(&dev, "COMMITTED app 1.0", 15);
    fleet_expect_event(&fx, "NATIVE_REFUSED", "app", "");
    assert_int_equal(device_said(&dev, STARTED_NATIVE), 0);
}

static uint8_t *bytes_of(const char *name, size_t *len)
{
    struct sm_file_why why;
    uint8_t *bytes;
    char path[256];
    snprintf(path, sizeof path, "%s/%s", fx.dir, name);
    if (sm_file_read(path, 1u << 20, &bytes, len, &why) != 0)
        fail_msg("%s", why.text);
    return bytes;
}

/* The line breaks half way: the rest comes, not all of it again. */
static void a_native_image_that_was_cut_goes_on_where_it_was(void **state)
{
    static struct hostile hostile;
    uint8_t *image, *claim;
    (void)state;
    shell("$SANDMOTE aot --checks $DIR/v1.wasm -o $DIR/v1.native &&"
          " $SANDMOTE sign --native --key $DIR/builder.pem $DIR/v1.native");
    memset(&hostile, 0, sizeof hostile);
    hostile.native.bytes = image = bytes_of("v1.native", &hostile.native.len);
    hostile.native.claim = claim = bytes_of("v1.native.sig", &hostile.native.claim_len);
    hostile.native.target = image[12]; /* SPEC-native.md */
    hostile.native.misdeed = CUT_ONCE;
    hostile_start(&hostile, &fx, &v1, NULL);
    configure_for(hostile.url, POLICY("\"builder.pub.pem\""), "");
    device_start(&dev);
    device_says(&dev, "COMMITTED app 1.0", 15);
    assert_true(device_said(&dev, STARTED_NATIVE) > 0);
    assert_int_equal(hostile.native.requests, 2);
    assert_int_equal(hostile.native.last_first, hostile.native.len / 2);
    assert_int_equal(hostile.module_requests, 1);
    assert_int_equal(device_stop(&dev, SIGKILL), 128 + SIGKILL);
    hostile_stop(&hostile);
    free(image);
    free(claim);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, finish)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        CASE(a_device_runs_what_a_builder_claims),
        CASE(a_device_that_refuses_native_images_does_not_ask_for_them),
        CASE(another_builder_s_image_is_not_even_fetched),
        CASE(images_with_guard_pages_run_too),
        CASE(a_fault_of_native_code_is_a_trap),
        CASE(what_the_device_cannot_run_is_interpreted),
        CASE(bytes_that_were_swapped_are_refused),
        CASE(a_native_image_that_was_cut_goes_on_where_it_was),
        CASE(an_image_that_does_not_come_is_done_without),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    return cmocka_run_group_tests_name("native images end to end", tests, NULL, NULL);
}
