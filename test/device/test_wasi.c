/* Modules of WASI on a device: commands, waits, exits, and what class and settings refuse.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <posix/system.h>
#include <posix/wasi_files.h>
#include "rig.h"

static struct flash_sim sim;
static struct sm_wasi wasi[RIG_APPS];
static struct sm_host_more *more[RIG_APPS];
static const char *const allowed[] = {"log", "wasi", "file/*"};

static int clock_ns(void *ctx, enum sm_wasi_clock id, uint64_t *ns)
{
    (void)ctx, (void)id;
    *ns = rig->now_ms * 1000000;
    return 0;
}

/* The directory is only looked at. */
static const struct sm_wasi_dir directory = {.name = "data", .path = "/", .read_only = true};
static const struct sm_wasi_dirs directories = {&directory, 1};

static int setup(void **state)
{
    static struct sm_wasi_files files;
    static struct sm_wasi_port port;
    (void)state;
    files = sm_wasi_posix_files(&directories);
    port = (struct sm_wasi_port){
        .clock = clock_ns, .resolution_ns = 1000000, .entropy = sm_posix_entropy, .files = &files};
    sim_init(&sim, 512, 128, 8, 0xff);
    rig = aligned_alloc(64, (sizeof *rig + 63) / 64 * 64);
    rig_init(rig, &sim);
    for (unsigned i = 0; i < RIG_APPS; i++) {
        sm_wasi_init(&wasi[i], &port);
        more[i] = &wasi[i].more;
    }
    rig->cfg.capabilities = allowed;
    rig->cfg.ncapabilities = 3;
    rig->cfg.more = more;
    assert_int_equal(rig_boot(rig), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(rig);
    sim_free(&sim);
    return 0;
}

static int install(const struct recipe *recipe)
{
    static unsigned deployment;
    char action[12];
    struct module m = rig_make(recipe);

    rig_report(rig);
    snprintf(action, sizeof action, "%u", ++deployment);
    int err = rig_install(rig, &m, action);
    rig_drop(&m);
    return err;
}

static struct recipe with_entry(const char *entry)
{
    return (struct recipe){.wat = "wasi", .entry = entry, .capability = {"wasi"}};
}

/* ---- Commands ----------------------------------------------------------------------------------
 */

static void a_command_gets_a_new_instance_each_period(void **state)
{
    static const char *const entries[] = {"_start", "exit0"};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct recipe r = with_entry(entries[i]);
        r.sequence = 1 + i;
        assert_int_equal(install(&r), 0);
        rig->nevents = rig->log_lines = 0;
        rig_run(rig, 1000);
        assert_int_equal(rig->log_lines, 11);
        assert_string_equal(rig->last_log, "new");
        assert_true(rig_told(rig, SM_EVENT_COMMITTED, NULL));
        assert_false(rig_told(rig, SM_EVENT_TRAP, NULL));
        rig_report(rig);
    }
}

static void the_log_of_a_command_is_limited_over_its_instances(void **state)
{
    struct recipe r = with_entry("_start");
    (void)state;
    r.period_ms = 10;
    assert_int_equal(install(&r), 0);
    rig->log_lines = 0;
    rig_run(rig, 2000);
    /* Of 200 lines: the burst, two seconds' worth, and as many that tell of those dropped. */
    assert_in_range(rig->log_lines, SM_HOST_LOG_BURST,
                    SM_HOST_LOG_BURST + 2 * (2 * SM_HOST_LOG_RATE + 1));
}

static void other_entries_keep_their_instance(void **state)
{
    struct recipe r = with_entry("sleep");
    (void)state;
    assert_int_equal(install(&r), 0);
    rig_run(rig, 1000);
    assert_string_equal(rig->last_log, "old");
    assert_int_equal(rig_runs(rig, 0), 1);
}

static void a_reactor_is_initialised_once(void **state)
{
    struct recipe r = with_entry("reactor");
    (void)state;
    assert_int_equal(install(&r), 0);
    rig_run(rig, 1000);
    assert_string_equal(rig->last_log, "old");
    assert_int_equal(rig_runs(rig, 0), 1);
    assert_false(rig_told(rig, SM_EVENT_TRAP, NULL));
}

static void an_exit_with_a_code_is_a_trap_that_names_it(void **state)
{
    struct recipe r = with_entry("exit3");
    struct rig_event e;
    (void)state;
    assert_int_equal(install(&r), 0);
    rig_run(rig, 1000);
    assert_true(rig_told(rig, SM_EVENT_TRAP, &e));
    assert_non_null(strstr(e.detail, "it ended itself with code 3 in exit3"));
    assert_true(rig_told(rig, SM_EVENT_ROLLED_BACK, NULL)); /* on trial, without a good tick */
    assert_false(rig_told(rig, SM_EVENT_COMMITTED, NULL));
    assert_int_equal(rig->log_lines, 1);
}

static void an_exit_before_the_entry_is_a_trap(void **state)
{
    struct recipe r = {.wat = "wasi_start", .capability = {"wasi"}};
    struct rig_event e;
    (void)state;
    assert_int_equal(install(&r), 0);
    rig_run(rig, 1000);
    assert_true(rig_told(rig, SM_EVENT_TRAP, &e));
    assert_non_null(strstr(e.detail, "it ended itself with code 0"));
    assert_true(rig_told(rig, SM_EVENT_ROLLED_BACK, NULL));
}

/* ---- Waits -------------------------------------------------------------------------------------
 */

static void a_waiting_module_sleeps_and_the_device_does_not(void **state)
{
    struct recipe r = with_entry("sleep");
    (void)state;
    assert_int_equal(install(&r), 0);
    uint32_t wait = sm_device_step(&rig->dev, rig->now_ms); /* the trial begins */
    assert_int_equal(wait, 0);
    wait = sm_device_step(&rig->dev, rig->now_ms); /* and the entry is called */
    assert_int_equal(wait, 32);
    assert_int_equal(rig->apps[0].state, SM_APP_PENDING);
    rig->now_ms += 31;
    assert_int_equal(sm_device_step(&rig->dev, rig->now_ms), 1); /* woken too early: sleeps on */
    assert_int_equal(rig->log_lines, 0);
    rig->now_ms += 1;
    assert_int_equal(sm_device_step(&rig->dev, rig->now_ms), 68);
    assert_int_equal(rig->log_lines, 1);
}

static void another_module_runs_while_one_sleeps(void **state)
{
    struct recipe asleep = with_entry("forever");
    const struct recipe good = {.wat = "good", .name = "other", .capability = {"log"}};
    (void)state;
    asleep.timeout_ms = 600000;
    assert_int_equal(install(&asleep), 0);
    assert_int_equal(install(&good), 0);
    rig_run(rig, 1000);
    assert_int_equal(rig->apps[0].state, SM_APP_PENDING);
    assert_int_equal(rig->log_lines, 11);
    assert_string_equal(rig->last_log, "tick");
}

static void a_trial_that_only_sleeps_ends_with_its_time(void **state)
{
    struct recipe r = with_entry("forever");
    (void)state;
    assert_int_equal(install(&r), 0);
    rig_run(rig, 6000);
    assert_true(rig_told(rig, SM_EVENT_HEALTH_FAILED, NULL));
    assert_true(rig_told(rig, SM_EVENT_ROLLED_BACK, NULL));
    assert_int_equal(rig->apps[0].state, SM_APP_EMPTY);
}

/* ---- Refusals ----------------------------------------------------------------------------------
 */

static void refused(const struct recipe *r, int err, const char *reason)
{
    assert_int_equal(install(r), err);
    if (!strstr(sm_device_reason(&rig->dev), reason))
        fail_msg("reason is: %s", sm_device_reason(&rig->dev));
}

static void what_is_not_granted_is_not_installed(void **state)
{
    struct recipe r = {.wat = "wasi", .entry = "_start", .sequence = 1};
    (void)state;
    refused(&r, SM_ERR_DENIED, "imports wasi_snapshot_preview1.proc_exit: not granted");
    r.sequence++;
    r.capability[0] = "file/data:r"; /* which does not link anything */
    refused(&r, SM_ERR_DENIED, "imports wasi_snapshot_preview1.proc_exit: not granted");
    r.sequence++;
    r.capability[0] = "wasi";
    rig->cfg.ncapabilities = 1; /* the device's own list */
    refused(&r, SM_ERR_DENIED, "not granted here: wasi");
}

static void directories_that_are_not_there_are_named(void **state)
{
    struct recipe r = with_entry("_start");
    (void)state;
    r.capability[0] = "file/none:r", r.capability[1] = "wasi";
    refused(&r, SM_ERR_DENIED, "asks for file/none:r: there is no such directory");
    r.capability[0] = "file/data:rw", r.sequence = 2;
    refused(&r, SM_ERR_DENIED, "asks for file/data:rw: there is no such directory");
    r.capability[0] = "file/data:r", r.sequence = 3;
    assert_int_equal(install(&r), 0);
    rig_run(rig, 1000);
    assert_string_equal(rig->last_log, "new");
}

static void class_mcu_has_none_of_it(void **state)
{
    struct recipe r = with_entry("_start");
    (void)state;
    rig->cfg.cls = SM_CLASS_MCU; /* whatever else its firmware says */
    assert_int_equal(rig_boot(rig), 0);
    r.classes = 1u << SM_CLASS_MCU;
    refused(&r, SM_ERR_DENIED, "asks for wasi: class mcu has no WASI");
    r.capability[0] = "log", r.sequence = 2;
    refused(&r, SM_ERR_LINK, "imports wasi_snapshot_preview1.proc_exit");
}

static void a_device_that_brings_none_says_so(void **state)
{
    struct recipe r = with_entry("_start");
    (void)state;
    rig->cfg.more = NULL;
    assert_int_equal(rig_boot(rig), 0);
    refused(&r, SM_ERR_DENIED, "asks for wasi: this device of class gateway has no WASI");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_command_gets_a_new_instance_each_period),
        CASE(the_log_of_a_command_is_limited_over_its_instances),
        CASE(other_entries_keep_their_instance),
        CASE(a_reactor_is_initialised_once),
        CASE(an_exit_with_a_code_is_a_trap_that_names_it),
        CASE(an_exit_before_the_entry_is_a_trap),
        CASE(a_waiting_module_sleeps_and_the_device_does_not),
        CASE(another_module_runs_while_one_sleeps),
        CASE(a_trial_that_only_sleeps_ends_with_its_time),
        CASE(what_is_not_granted_is_not_installed),
        CASE(directories_that_are_not_there_are_named),
        CASE(class_mcu_has_none_of_it),
        CASE(a_device_that_brings_none_says_so),
    };
    rig_global_setup();
    return cmocka_run_group_tests_name("device wasi", tests, NULL, NULL);
}
