/* A C program with wasi-libc, from the compiler to the device: the real server, the real daemon.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "device_fixture.h"

static struct fleet_fixture fx;
static struct device_fixture dev;
static struct module counter;

static void shell(const char *command)
{
    if (fleet_shell(&fx, command) != 0) {
        char *out = fleet_file(&fx, "out");
        fail_msg("%s: %s", command, out);
    }
}

/* The program, packed and signed here: the tool's own part is tested elsewhere. */
static void make_counter(void)
{
    static uint8_t raw[MODULE_ROOM];
    char path[128];

    shell(WASM_CLANG " --target=wasm32-wasi -Oz -Wl,--strip-all " SANDMOTE_SOURCE
                     "/test/wasi/guest/counter.c -o $DIR/counter.wasm");
    snprintf(path, sizeof path, "%s/counter.wasm", fx.dir);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t len = fread(raw, 1, sizeof raw, f);
    fclose(f);
    assert_true(len > 0 && len < sizeof raw);
    sm_manifest_defaults(&counter.m);
    strcpy(counter.m.fleet, "plant-7");
    strcpy(counter.m.name, "counter");
    strcpy(counter.m.version, "1.0");
    strcpy(counter.m.entry, "_start");
    counter.m.sequence = 1;
    counter.m.classes = 1u << SM_CLASS_EDGE;
    counter.m.memory_bytes = 131072;
    counter.m.stack_bytes = 16384;
    counter.m.period_ms = 50;
    counter.m.capabilities = 2;
    strcpy(counter.m.capability[0], "file/data:rw");
    strcpy(counter.m.capability[1], "wasi");
    module_pack(&counter, raw, len);
    module_sign(&fx.signer, &counter);
}

static int start(void **state)
{
    (void)state;
    memset(&dev, 0, sizeof dev);
    fleet_setup(&fx);
    make_counter();
    fleet_enrol(&fx, "dev-1", "stable");
    struct reply r = module_upload(&fx, &counter, 201);
    reply_free(&r);
    fleet_assign(&fx, "stable", &counter, NULL);
    device_configure(&dev, &fx, "dev-1", fx.url, "");
    shell("mkdir $DIR/runs");
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

/* The device with these capabilities and this "wasi" of its configuration. */
static void start_device(const char *capabilities, const char *wasi)
{
    char line[512];
    snprintf(line, sizeof line,
             "sed -i 's|\"capabilities\":\\[\"log\"\\]|\"capabilities\":[%s]%s%s|' $DIR/dev-1.json",
             capabilities, *wasi ? ",\"wasi\":" : "", wasi);
    shell(line);
    device_start(&dev);
}

static void a_command_runs_again_each_period_and_keeps_its_file(void **state)
{
    (void)state;
    start_device("\"wasi\",\"file/*\"",
                 "{\"directories\":[{\"name\":\"data\",\"path\":\"runs\"}],\"programs\":[{"
                 "\"module\":\"counter\",\"args\":[\"hello\"],\"environ\":[\"WHO=you\"]}]}");
    device_says(&dev, "[counter] hello you, run 1", 10);
    device_says(&dev, "[counter] hello you, run 4", 5);
    device_says(&dev, "COMMITTED counter 1.0", 2);
    assert_int_equal(device_said(&dev, "TRAP"), 0);
    assert_int_equal(device_stop(&dev, SIGTERM), 0);
    char *runs = fleet_file(&fx, "runs/runs");
    assert_true(atoi(runs) >= 4);
    free(runs);
    device_start(&dev); /* the file is the device's, not the instance's */
    device_says(&dev, "[counter] hello you, run 5", 10);
    assert_int_equal(device_said(&dev, "[counter] hello you, run 1\n"), 0);
}

static void what_the_device_does_not_grant_is_refused(void **state)
{
    (void)state;
    start_device("\"wasi\",\"file/data:r\"", "");
    device_says(&dev, "REFUSED counter", 10);
    device_says(&dev, "not granted here: file/data:rw", 1);
}

static void a_directory_that_is_for_reading_only_is_refused_for_more(void **state)
{
    (void)state;
    start_device("\"wasi\",\"file/*\"",
                 "{\"directories\":[{\"name\":\"data\",\"path\":\"runs\",\"read_only\":true}]}");
    device_says(&dev, "REFUSED counter", 10);
    device_says(&dev, "asks for file/data:rw: there is no such directory", 1);
}

static void wrong_settings_are_named(void **state)
{
    static const struct {
        const char *wasi, *says;
    } cases[] = {
        {"{\"directories\":[{\"name\":\"Data\",\"path\":\"x\"}]}", "wasi.directories[0].name"},
        {"{\"directories\":[{\"name\":\"a\",\"path\":\"x\"},{\"name\":\"a\",\"path\":\"y\"}]}",
         "wasi.directories[1].name: is there already"},
        {"{\"directories\":[{\"name\":\"a\"}]}", "wasi.directories[0]"},
        {"{\"programs\":[{\"module\":\"a\",\"args\":[1]}]}", "wasi.programs[0].args[0]"},
        {"{\"programs\":[{\"module\":\"a\",\"environ\":[\"A\"]}]}", "wasi.programs[0].environ[0]"},
        {"{\"files\":1}", "wasi"},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        device_configure(&dev, &fx, "dev-1", fx.url, "");
        start_device("\"wasi\"", cases[i].wasi);
        device_says(&dev, cases[i].says, 5);
        assert_int_equal(device_stop(&dev, 0), 1);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, start, finish)
    const struct CMUnitTest tests[] = {
        CASE(a_command_runs_again_each_period_and_keeps_its_file),
        CASE(what_the_device_does_not_grant_is_refused),
        CASE(a_directory_that_is_for_reading_only_is_refused_for_more),
        CASE(wrong_settings_are_named),
    };
    return cmocka_run_group_tests_name("fleet wasi", tests, NULL, NULL);
}
