/* WASI for modules, call by call: grants, pointers, descriptors, waits, output.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "stage.h"
#include "wasi_calls.h"

static const char *const wasi_only[] = {"wasi", NULL};
static const char *const with_data[] = {"file/data:rw", "wasi", NULL};

/* ---- Linking -----------------------------------------------------------------------------------
 */

static const char *const names[] = {
    "args_get",
    "args_sizes_get",
    "clock_res_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_advise",
    "fd_allocate",
    "fd_close",
    "fd_datasync",
    "fd_fdstat_get",
    "fd_fdstat_set_flags",
    "fd_filestat_get",
    "fd_fdstat_set_rights",
    "fd_filestat_set_size",
    "fd_pread",
    "fd_filestat_set_times",
    "fd_prestat_dir_name",
    "fd_prestat_get",
    "fd_pwrite",
    "fd_read",
    "fd_readdir",
    "fd_renumber",
    "fd_seek",
    "fd_sync",
    "fd_tell",
    "fd_write",
    "path_filestat_get",
    "path_create_directory",
    "path_filestat_set_times",
    "path_link",
    "path_open",
    "path_readlink",
    "path_rename",
    "path_remove_directory",
    "path_symlink",
    "path_unlink_file",
    "poll_oneoff",
    "proc_exit",
    "proc_raise",
    "random_get",
    "sched_yield",
    "sock_accept",
    "sock_recv",
    "sock_send",
    "sock_shutdown",
};

static int resolve(struct sm_host *h, const char *module, const char *name)
{
    struct sm_wasm_import import = {.module = {module, (uint32_t)strlen(module)},
                                    .field = {name, (uint32_t)strlen(name)},
                                    .kind = SM_WASM_FUNC};
    struct sm_wasm_extern out;

    return sm_host_resolve(h, &import, &out);
}

static void nothing_links_without_the_capability(void **state)
{
    static struct stage s;
    (void)state;
    stage_open(&s, with_data);
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(resolve(&s.host, "wasi_snapshot_preview1", names[i]), 0);
    assert_int_equal(resolve(&s.host, "wasi_snapshot_preview1", "fd_none"), SM_ERR_NOT_FOUND);
    assert_int_equal(resolve(&s.host, "wasi_unstable", "fd_write"), SM_ERR_NOT_FOUND);

    struct sm_manifest files_alone = {.capabilities = 1, .capability = {"file/data:rw"}};
    struct sm_host other = {.more = &s.wasi.more};
    sm_host_init(&other, &s.host_port, &files_alone, 0);
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(resolve(&other, "wasi_snapshot_preview1", names[i]), SM_ERR_DENIED);
    stage_close(&s);
}

static void a_platform_without_it_knows_no_such_import(void **state)
{
    static struct stage s;
    (void)state;
    stage_open(&s, wasi_only);
    struct sm_host plain = {0};
    sm_host_init(&plain, &s.host_port, &s.manifest, 0);
    assert_int_equal(resolve(&plain, "wasi_snapshot_preview1", "fd_write"), SM_ERR_NOT_FOUND);
    assert_int_equal(sm_host_begin(&plain), 0);
    assert_true(sm_host_wake_ms(&plain) == UINT64_MAX);
    stage_close(&s);
}

static void capabilities_for_directories_are_read_strictly(void **state)
{
    static const struct {
        const char *text, *name; /* NULL: refused */
        bool write;
    } cases[] = {
        {"file/data:r", "data", false}, {"file/data:rw", "data", true},
        {"file/:r", "", false},         {"file/a.b_c-9:rw", "a.b_c-9", true},
        {"file/data", NULL, false},     {"file/data:w", NULL, false},
        {"file/data:rw ", NULL, false}, {"file/../x:r", NULL, false},
        {"file/..:r", NULL, false},     {"file/.:r", NULL, false},
        {"file/a/b:r", NULL, false},    {"file/Data:r", NULL, false},
        {"file/a:b:r", NULL, false},    {"file/abcdefghijklmnopqrstuvwxyz0123456:r", NULL, false},
        {"files/data:r", NULL, false},  {"wasi", NULL, false},
    };
    char name[SM_WASI_DIR_MAX + 1];
    bool write;
    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        int err = sm_wasi_directory(cases[i].text, name, &write);
        assert_int_equal(err, cases[i].name ? 0 : SM_ERR_INVALID);
        if (cases[i].name) {
            assert_string_equal(name, cases[i].name);
            assert_int_equal(write, cases[i].write);
        }
    }
}

static void a_directory_that_the_platform_lacks_is_named(void **state)
{
    static struct stage s;
    struct sm_manifest m = {.capabilities = 3, .capability = {"file/data:r", "file/no:r", "wasi"}};
    (void)state;
    stage_open(&s, wasi_only);
    assert_int_equal(s.wasi.more.check(&s.wasi.more, &s.manifest), -1);
    assert_int_equal(s.wasi.more.check(&s.wasi.more, &m), 1);
    strcpy(m.capability[1], "file/fixed:rw");
    assert_int_equal(s.wasi.more.check(&s.wasi.more, &m), 1);
    strcpy(m.capability[1], "file/fixed:r");
    assert_int_equal(s.wasi.more.check(&s.wasi.more, &m), -1);

    strcpy(m.capability[1], "file/no:r");
    static struct sm_wasi other;
    sm_wasi_init(&other, &s.port);
    struct sm_host host = {.more = &other.more};
    sm_host_init(&host, &s.host_port, &m, 0);
    assert_int_equal(sm_host_begin(&host), SM_ERR_NOT_FOUND);
    stage_close(&s); /* and nothing is left open */
}

/* ---- Pointers ----------------------------------------------------------------------------------
 */

static void pointers_that_leave_memory_trap(void **state)
{
    static struct stage s;
    const uint32_t end = STAGE_MEMORY, last = end - 1, path = 0x8000;
    (void)state;
    stage_open(&s, with_data);
    memcpy(stage_at(&s, path), "file", 5);
    assert_true(stage_path_open(&s, 3, "file", AT_CREATE, R_READ | R_WRITE) == 4);
    const struct {
        const char *name;
        uint32_t args[12];
    } calls[] = {
        {"args_sizes_get", {last, 0}},
        {"args_sizes_get", {0, last}},
        {"args_get", {last, 0}},
        {"args_get", {0, last}},
        {"environ_sizes_get", {last, 0}},
        {"clock_res_get", {0, last}},
        {"clock_time_get", {0, 0, 0, end - 7}},
        {"random_get", {0, end + 1}},
        {"random_get", {UINT32_MAX, 2}},
        {"fd_write", {1, last, 1, 0}},
        {"fd_write", {1, end - 8, 1, last}},
        {"fd_read", {4, 0, 1, last}},
        {"fd_read", {4, UINT32_MAX, 1, 0}},
        {"fd_fdstat_get", {4, end - 23}},
        {"fd_filestat_get", {4, end - 63}},
        {"fd_prestat_get", {3, end - 7}},
        {"fd_prestat_dir_name", {3, end - 4, 5}},
        {"fd_readdir", {3, end - 9, 10, 0, 0, 0}},
        {"fd_readdir", {3, 0, 10, 0, 0, last}},
        {"fd_tell", {4, end - 7}},
        {"fd_seek", {4, 0, 0, 0, end - 7}},
        {"path_open", {3, 0, path, end, 0, 0, 0, 0, 0, 0, 0}},
        {"path_open", {3, 0, path, 4, 0, 0, 0, 0, 0, 0, end - 3}},
        {"path_filestat_get", {3, 0, path, 4, end - 63}},
        {"path_filestat_get", {3, 0, end - 3, 4, 0}},
        {"path_readlink", {3, path, 4, last, 2, 0}},
        {"path_create_directory", {3, end, 1}},
        {"path_remove_directory", {3, end, 1}},
        {"path_unlink_file", {3, end, 1}},
        {"path_rename", {3, path, 4, 3, end, 1}},
        {"path_link", {3, 0, path, 4, 3, end, 1}},
        {"path_symlink", {end, 1, 3, path, 4}},
        {"path_symlink", {path, 4, 3, end, 1}},
        {"poll_oneoff", {end - 47, 0, 1, 0}},
        {"poll_oneoff", {0, end - 31, 1, 0}},
        {"poll_oneoff", {0, 64, 1, end - 3}},
    };
    for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++) {
        int got = stage_call(&s, calls[i].name, 12, calls[i].args);
        if (got != SM_ERR_ARG)
            fail_msg("%s (%u) gave %d", calls[i].name, i, got);
    }
    assert_true(stage_there(&s, "in/file"));
    stage_close(&s);
}

static void a_read_into_its_own_buffer_list_stays_in_memory(void **state)
{
    static struct stage s;
    static char bytes[64];
    (void)state;
    stage_open(&s, with_data);
    memset(bytes, 0xff, sizeof bytes - 1);
    stage_make(&s, "in/hostile", bytes);
    int fd = stage_path_open(&s, 3, "hostile", 0, R_READ);
    /* The first buffer is the list itself: the second entry becomes ffffffff, ffffffff. */
    const uint32_t list[4] = {1024, 16, 0, 4};
    memcpy(stage_at(&s, 1024), list, sizeof list);
    assert_int_equal(CALL(&s, "fd_read", (uint32_t)fd, 1024, 2, 64), SM_ERR_ARG);
    stage_close(&s);
}

/* ---- Texts, clocks, random numbers --------------------------------------------------------------
 */

static void arguments_and_environment_are_laid_out(void **state)
{
    static struct stage s;
    static const char *const args[] = {"module", "one", ""}, *const env[] = {"A=b", "C="};
    (void)state;
    stage_open(&s, wasi_only);
    assert_int_equal(CALL(&s, "args_sizes_get", 0, 4), 0);
    assert_int_equal(stage_u32(&s, 0), 1);
    assert_int_equal(stage_u32(&s, 4), 7); /* "module" */
    s.args = args, s.nargs = 3, s.env = env, s.nenv = 2;
    sm_host_end(&s.host);
    assert_int_equal(sm_host_begin(&s.host), 0);
    assert_int_equal(CALL(&s, "args_sizes_get", 0, 4), 0);
    assert_int_equal(stage_u32(&s, 0), 3);
    assert_int_equal(stage_u32(&s, 4), 12);
    assert_int_equal(CALL(&s, "args_get", 0, 100), 0);
    assert_int_equal(stage_u32(&s, 4), 107);
    assert_string_equal((char *)stage_at(&s, stage_u32(&s, 4)), "one");
    assert_string_equal((char *)stage_at(&s, stage_u32(&s, 8)), "");
    assert_int_equal(CALL(&s, "environ_sizes_get", 0, 4), 0);
    assert_int_equal(stage_u32(&s, 4), 7);
    assert_int_equal(CALL(&s, "environ_get", 0, 100), 0);
    assert_string_equal((char *)stage_at(&s, stage_u32(&s, 4)), "C=");
    stage_close(&s);
}

static void two_clocks_are_told_and_no_others(void **state)
{
    static struct stage s;
    (void)state;
    stage_open(&s, wasi_only);
    s.now_ms = 5;
    assert_int_equal(CALL(&s, "clock_time_get", 0, 0, 0, 8), 0);
    assert_true(stage_u64(&s, 8) == 1000005ull * 1000000);
    assert_int_equal(CALL(&s, "clock_time_get", 1, 0, 0, 8), 0);
    assert_true(stage_u64(&s, 8) == 5000000);
    assert_int_equal(CALL(&s, "clock_res_get", 1, 8), 0);
    assert_true(stage_u64(&s, 8) == 1000000);
    assert_int_equal(CALL(&s, "clock_time_get", 2, 0, 0, 8), SM_WASI_INVAL);
    assert_int_equal(CALL(&s, "clock_res_get", 3, 8), SM_WASI_INVAL);
    stage_close(&s);
}

static void random_bytes_fill_what_was_asked_and_nothing_else(void **state)
{
    static struct stage s;
    static const uint8_t zeros[64];
    (void)state;
    stage_open(&s, wasi_only);
    assert_int_equal(CALL(&s, "random_get", 100, 50), 0);
    assert_memory_not_equal(stage_at(&s, 100), zeros, 50);
    assert_memory_equal(stage_at(&s, 150), zeros, 64);
    assert_memory_equal(stage_at(&s, 36), zeros, 64);
    assert_int_equal(CALL(&s, "random_get", 0, SM_WASI_RANDOM_MAX), 0);
    assert_int_equal(CALL(&s, "random_get", 0, SM_WASI_RANDOM_MAX + 1), SM_WASI_INVAL);
    stage_close(&s);
}

/* ---- Output -------------------------------------------------------------------------------------
 */

static void output_goes_to_the_log_line_by_line(void **state)
{
    static struct stage s;
    (void)state;
    stage_open(&s, wasi_only);
    assert_int_equal(stage_write(&s, 1, "one\ntw"), 6);
    assert_int_equal(stage_write(&s, 2, "other\n"), 6);
    assert_int_equal(stage_write(&s, 1, "o\n\tthree"), 8);
    assert_int_equal(s.lines, 3);
    assert_string_equal(s.line[0], "one");
    assert_string_equal(s.line[1], "other");
    assert_string_equal(s.line[2], "two");
    sm_host_end(&s.host);
    assert_int_equal(s.lines, 4);
    assert_string_equal(s.line[3], "?three");
    stage_close(&s);
}

static void a_line_too_long_is_cut_and_the_rate_is_that_of_the_log(void **state)
{
    static struct stage s;
    static char text[301];
    (void)state;
    stage_open(&s, wasi_only);
    memset(text, 'x', 300);
    assert_int_equal(stage_write(&s, 1, text), 300);
    assert_int_equal(stage_write(&s, 1, "\n"), 1);
    assert_int_equal(strlen(s.line[0]), SM_HOST_LOG_MAX);
    for (int i = 0; i < 100; i++)
        assert_int_equal(stage_write(&s, 1, "x\n"), 2);
    assert_int_equal(s.lines, SM_HOST_LOG_BURST);
    s.now_ms = 1000;
    assert_int_equal(stage_write(&s, 1, "x\n"), 2);
    assert_string_equal(s.line[SM_HOST_LOG_BURST], "(69 lines dropped)");
    stage_close(&s);
}

static void stdin_is_at_its_end(void **state)
{
    static struct stage s;
    char text[8];
    (void)state;
    stage_open(&s, wasi_only);
    assert_int_equal(stage_read(&s, 0, text, sizeof text), 0);
    assert_int_equal(stage_write(&s, 0, "x"), -SM_WASI_NOTCAPABLE);
    assert_int_equal(stage_read(&s, 1, text, sizeof text), -SM_WASI_NOTCAPABLE);
    assert_int_equal(CALL(&s, "fd_seek", 1, 0, 0, 0, 8), SM_WASI_SPIPE);
    assert_int_equal(CALL(&s, "fd_sync", 1), SM_WASI_NOTCAPABLE);
    stage_close(&s);
}

static void an_exit_is_an_error_with_a_code(void **state)
{
    static struct stage s;
    uint32_t code = 0;
    (void)state;
    stage_open(&s, wasi_only);
    stage_write(&s, 1, "last words");
    assert_false(sm_host_exited(&s.host, &code));
    assert_int_equal(CALL(&s, "proc_exit", 7), SM_ERR_EXIT);
    assert_true(sm_host_exited(&s.host, &code));
    assert_int_equal(code, 7);
    assert_string_equal(s.line[0], "last words");
    sm_host_end(&s.host);
    assert_false(sm_host_exited(&s.host, &code));
    stage_close(&s);
}

/* ---- Waiting ------------------------------------------------------------------------------------
 */

static void subscribe_clock(struct stage *s, uint32_t at, uint32_t id, uint64_t timeout,
                            uint32_t flags)
{
    uint8_t *p = stage_at(s, at);

    memset(p, 0, 48);
    p[0] = (uint8_t)at;
    memcpy(p + 16, &id, 4);
    memcpy(p + 24, &timeout, 8);
    memcpy(p + 40, &flags, 2);
}

static void subscribe_fd(struct stage *s, uint32_t at, uint8_t type, uint32_t fd)
{
    uint8_t *p = stage_at(s, at);

    memset(p, 0, 48);
    p[0] = (uint8_t)at;
    p[8] = type;
    memcpy(p + 16, &fd, 4);
}

/* poll_oneoff of n subscriptions from 0x100 on, by the module; the state of its execution. */
static enum sm_wasm_state poll(struct stage *s, uint32_t n)
{
    uint32_t func, args[4] = {0x100, 0x400, n, 0x300};

    assert_int_equal(sm_wasm_export_find(&s->module, "poll", SM_WASM_FUNC, &func), 0);
    assert_int_equal(sm_wasm_call(&s->exec, s->inst, func, args, 0), 0);
    (void)sm_wasm_run(&s->exec);
    return s->exec.state;
}

static void a_clock_suspends_the_module_until_its_time(void **state)
{
    static struct stage s;
    (void)state;
    stage_open(&s, wasi_only);
    s.now_ms = 100;
    subscribe_clock(&s, 0x100, 1, 30000000, 0);
    subscribe_clock(&s, 0x130, 1, 20000000, 0);
    subscribe_clock(&s, 0x160, 0, (1000000ull + 120) * 1000000, 1);
    subscribe_clock(&s, 0x190, 1, 50000000, 0);
    assert_int_equal(poll(&s, 4), SM_EXEC_PENDING);
    /* Two more: the clock may stand at the end of its millisecond, and 20 ms be 20.9. */
    assert_true(sm_host_wake_ms(&s.host) == 122);
    s.now_ms = sm_host_wake_ms(&s.host);
    assert_int_equal(sm_host_wake(&s.host, &s.exec, s.inst), 0);
    assert_true(sm_host_wake_ms(&s.host) == UINT64_MAX);
    assert_int_equal(sm_wasm_run(&s.exec), 0);
    assert_int_equal(sm_wasm_results(&s.exec)[0], 0);
    assert_int_equal(stage_u32(&s, 0x300), 2); /* both that are due, none of the others */
    assert_int_equal(stage_u32(&s, 0x400), 0x30);
    assert_int_equal(stage_u32(&s, 0x420), 0x60);
    assert_int_equal(sm_host_wake(&s.host, &s.exec, s.inst), SM_ERR_STATE);
    stage_close(&s);
}

static void a_descriptor_is_ready_at_once(void **state)
{
    static struct stage s;
    (void)state;
    stage_open(&s, with_data);
    stage_make(&s, "in/file", "12345");
    int fd = stage_path_open(&s, 3, "file", 0, R_READ | 1ull << 27);
    subscribe_clock(&s, 0x100, 1, 50000000, 0);
    subscribe_fd(&s, 0x130, 1, 0);
    subscribe_fd(&s, 0x160, 2, 1);
    subscribe_fd(&s, 0x190, 1, 63);
    subscribe_fd(&s, 0x1c0, 1, (uint32_t)fd);
    subscribe_fd(&s, 0x1f0, 9, 0);
    assert_int_equal(poll(&s, 6), SM_EXEC_DONE);
    assert_int_equal(stage_u32(&s, 0x300), 5);
    assert_int_equal(stage_u32(&s, 0x408), 1 << 16); /* no error, read */
    assert_int_equal(stage_u32(&s, 0x418), 1);       /* stdin has hung up */
    assert_int_equal(stage_u32(&s, 0x428), 2 << 16); /* no error, write */
    assert_int_equal(stage_u32(&s, 0x448) & 0xffff, SM_WASI_BADF);
    assert_true(stage_u64(&s, 0x470) == 5); /* to be read */
    assert_int_equal(stage_u32(&s, 0x488) & 0xffff, SM_WASI_INVAL);
    stage_close(&s);
}

static void a_clock_that_is_none_or_past_is_an_event_at_once(void **state)
{
    static struct stage s;
    (void)state;
    stage_open(&s, wasi_only);
    s.now_ms = 10;
    subscribe_clock(&s, 0x100, 3, 50000000, 0);
    subscribe_clock(&s, 0x130, 1, 9000000, 1);
    subscribe_clock(&s, 0x160, 1, 0, 0);
    subscribe_clock(&s, 0x190, 1, 1, 0);
    assert_int_equal(poll(&s, 4), SM_EXEC_DONE);
    assert_int_equal(stage_u32(&s, 0x300), 3);
    assert_int_equal(stage_u32(&s, 0x408), SM_WASI_INVAL);
    assert_int_equal(stage_u32(&s, 0x428), 0);
    assert_int_equal(CALL(&s, "poll_oneoff", 0x100, 0x400, 0, 0x300), SM_WASI_INVAL);
    assert_int_equal(CALL(&s, "poll_oneoff", 0, 0, SM_WASI_SUBS_MAX + 1, 0), SM_WASI_INVAL);
    stage_close(&s);
}

static void the_longest_wait_has_no_end_and_is_given_up_with_its_instance(void **state)
{
    static struct stage s;
    (void)state;
    stage_open(&s, wasi_only);
    subscribe_clock(&s, 0x100, 1, UINT64_MAX, 0);
    assert_int_equal(poll(&s, 1), SM_EXEC_PENDING);
    assert_true(sm_host_wake_ms(&s.host) > 1ull << 43);
    sm_host_end(&s.host);
    assert_true(sm_host_wake_ms(&s.host) == UINT64_MAX);
    stage_close(&s);
}

/* ---- Descriptors
 * --------------------------------------------------------------------------------- */

static void a_directory_is_found_by_its_descriptor(void **state)
{
    static struct stage s;
    static const char *const two[] = {"file/:r", "file/data:rw", "wasi", NULL};
    (void)state;
    stage_open(&s, two);
    assert_int_equal(CALL(&s, "fd_prestat_get", 3, 8), 0);
    assert_true(stage_u64(&s, 8) == 1ull << 32);
    assert_int_equal(CALL(&s, "fd_prestat_get", 4, 8), 0);
    assert_true(stage_u64(&s, 8) == 5ull << 32);
    assert_int_equal(CALL(&s, "fd_prestat_dir_name", 4, 8, 4), SM_WASI_NAMETOOLONG);
    assert_int_equal(CALL(&s, "fd_prestat_dir_name", 4, 8, 5), 0);
    assert_memory_equal(stage_at(&s, 8), "/data", 6);
    assert_int_equal(CALL(&s, "fd_prestat_get", 5, 8), SM_WASI_BADF);
    assert_int_equal(CALL(&s, "fd_prestat_get", 1, 8), SM_WASI_BADF);
    stage_close(&s);
}

static void descriptors_come_to_an_end_and_files_are_closed(void **state)
{
    static struct stage s;
    int fd = 0, n = 0;
    (void)state;
    stage_open(&s, with_data);
    while (fd >= 0)
        n += (fd = stage_path_open(&s, 3, ".", 0, 0)) >= 0;
    assert_int_equal(fd, -SM_WASI_MFILE);
    assert_int_equal(n, SM_WASI_FDS - 4);
    assert_int_equal(s.open, SM_WASI_FDS - 3);
    assert_int_equal(CALL(&s, "fd_close", 30), 0);
    assert_int_equal(CALL(&s, "fd_close", 30), SM_WASI_BADF);
    assert_int_equal(CALL(&s, "fd_close", SM_WASI_FDS), SM_WASI_BADF);
    assert_int_equal(CALL(&s, "fd_close", UINT32_MAX), SM_WASI_BADF);
    assert_int_equal(stage_path_open(&s, 3, ".", 0, 0), 30);
    assert_int_equal(CALL(&s, "fd_renumber", 30, 31), 0);
    assert_int_equal(s.open, SM_WASI_FDS - 4);
    assert_int_equal(CALL(&s, "fd_renumber", 30, 31), SM_WASI_BADF);
    assert_int_equal(CALL(&s, "fd_renumber", 31, 31), 0);
    assert_int_equal(CALL(&s, "sock_shutdown", 31, 0), SM_WASI_NOTSOCK);
    assert_int_equal(CALL(&s, "sock_shutdown", 30, 0), SM_WASI_BADF);
    stage_close(&s);
}

static void rights_are_only_given_up(void **state)
{
    static struct stage s;
    (void)state;
    stage_open(&s, with_data);
    int fd = stage_path_open(&s, 3, "file", AT_CREATE, R_READ | R_WRITE);
    assert_int_equal(CALL(&s, "fd_fdstat_set_rights", (uint32_t)fd, (uint32_t)R_READ, 0, 0, 0), 0);
    assert_int_equal(stage_write(&s, (uint32_t)fd, "x"), -SM_WASI_NOTCAPABLE);
    assert_int_equal(
        CALL(&s, "fd_fdstat_set_rights", (uint32_t)fd, (uint32_t)(R_READ | R_WRITE), 0, 0, 0),
        SM_WASI_NOTCAPABLE);
    assert_int_equal(CALL(&s, "fd_fdstat_set_rights", (uint32_t)fd, 0, 0, 1, 0),
                     SM_WASI_NOTCAPABLE);
    assert_int_equal(CALL(&s, "fd_fdstat_set_rights", 3, 1u << 13, 0, 1u << 1, 0), 0);
    assert_int_equal(stage_path_open(&s, 3, "file", 0, R_WRITE), -SM_WASI_NOTCAPABLE);
    assert_int_equal(stage_path_open(&s, 3, "new", AT_CREATE, 1u << 1), -SM_WASI_NOTCAPABLE);
    assert_true(stage_path_open(&s, 3, "file", 0, 1u << 1) > 0);
    stage_close(&s);
}

static void a_descriptor_has_the_rights_of_its_kind(void **state)
{
    static struct stage s;
    (void)state;
    stage_open(&s, with_data);
    CALL(&s, "fd_fdstat_get", 3, 256);
    uint64_t inherits = stage_u64(&s, 256 + 16);
    uint32_t file = (uint32_t)stage_path_open(&s, 3, "file", AT_CREATE, inherits);
    uint32_t dir =
        (uint32_t)stage_path_open(&s, 3, ".", 0, inherits & ~(R_WRITE | 3ull << 22 | 1u << 8));
    CALL(&s, "fd_fdstat_get", file, 256);
    assert_int_equal(stage_u32(&s, 256), SM_WASI_REGULAR_FILE);
    assert_true(stage_u64(&s, 264) == sm_wasi_rights_of(SM_FD_FILE));
    CALL(&s, "fd_fdstat_get", dir, 256);
    assert_int_equal(stage_u32(&s, 256), SM_WASI_DIRECTORY);
    assert_true((stage_u64(&s, 264) & ~sm_wasi_rights_of(SM_FD_DIR)) == 0);
    assert_int_equal(CALL(&s, "fd_fdstat_set_flags", file, 1), 0);
    CALL(&s, "fd_fdstat_get", file, 256);
    assert_int_equal(stage_u32(&s, 256), 1 << 16 | SM_WASI_REGULAR_FILE);
    assert_int_equal(CALL(&s, "fd_fdstat_set_flags", file, 32), SM_WASI_INVAL);
    stage_close(&s);
}

static void offsets_are_kept_and_moved(void **state)
{
    static struct stage s;
    char text[16];
    (void)state;
    stage_open(&s, with_data);
    stage_make(&s, "in/file", "0123456789");
    uint32_t fd = (uint32_t)stage_path_open(&s, 3, "file", 0, R_READ);
    assert_int_equal(stage_read(&s, fd, text, 5), 4);
    assert_int_equal(CALL(&s, "fd_tell", fd, 8), 0);
    assert_true(stage_u64(&s, 8) == 4);
    assert_int_equal(CALL(&s, "fd_seek", fd, (uint32_t)-3, UINT32_MAX, 2, 8), 0);
    assert_true(stage_u64(&s, 8) == 7);
    assert_int_equal(stage_read(&s, fd, text, 16), 3);
    assert_string_equal(text, "789");
    assert_int_equal(stage_read(&s, fd, text, 16), 0);
    assert_int_equal(CALL(&s, "fd_seek", fd, (uint32_t)-11, UINT32_MAX, 1, 8), SM_WASI_INVAL);
    assert_int_equal(CALL(&s, "fd_seek", fd, UINT32_MAX, 0x7fffffff, 1, 8), SM_WASI_OVERFLOW);
    assert_int_equal(CALL(&s, "fd_seek", fd, 0, 0, 3, 8), SM_WASI_INVAL);
    assert_int_equal(CALL(&s, "fd_tell", fd, 8), 0);
    assert_true(stage_u64(&s, 8) == 10);
    assert_int_equal(CALL(&s, "fd_pread", fd, 128, 1, 0, 0x80000000, 8), SM_WASI_INVAL);
    stage_close(&s);
}

static void one_call_moves_at_most_so_much(void **state)
{
    static struct stage s;
    (void)state;
    stage_open(&s, with_data);
    uint32_t fd = (uint32_t)stage_path_open(&s, 3, "file", AT_CREATE, R_READ | R_WRITE);
    const uint32_t list[4] = {0, 65535, 16, 100000};
    memcpy(stage_at(&s, 70000), list, sizeof list);
    assert_int_equal(CALL(&s, "fd_write", fd, 70000, 2, 71000), 0);
    assert_int_equal(stage_u32(&s, 71000), SM_WASI_IO_MAX);
    assert_int_equal(CALL(&s, "fd_write", fd, 70000, SM_WASI_IOVS_MAX + 1, 71000), SM_WASI_INVAL);
    stage_close(&s);
}

static void a_file_grows_no_further_than_the_platform_says(void **state)
{
    static struct stage s;
    (void)state;
    stage_open(&s, with_data);
    s.port.file_max = 8;
    uint32_t fd = (uint32_t)stage_path_open(&s, 3, "file", AT_CREATE, R_READ | R_WRITE | 1u << 22);
    assert_int_equal(stage_write(&s, fd, "12345"), 5);
    assert_int_equal(stage_write(&s, fd, "67890"), 3);
    assert_int_equal(stage_write(&s, fd, "1"), -SM_WASI_FBIG);
    assert_int_equal(CALL(&s, "fd_filestat_set_size", fd, 9, 0), SM_WASI_FBIG);
    assert_int_equal(CALL(&s, "fd_filestat_set_size", fd, 7, 0), 0);
    s.wasi.fd[fd].flags = 1; /* append */
    assert_int_equal(stage_write(&s, fd, "12345"), 1);
    assert_int_equal(stage_write(&s, fd, "12345"), -SM_WASI_FBIG);
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_links_without_the_capability),
        cmocka_unit_test(a_platform_without_it_knows_no_such_import),
        cmocka_unit_test(capabilities_for_directories_are_read_strictly),
        cmocka_unit_test(a_directory_that_the_platform_lacks_is_named),
        cmocka_unit_test(pointers_that_leave_memory_trap),
        cmocka_unit_test(a_read_into_its_own_buffer_list_stays_in_memory),
        cmocka_unit_test(arguments_and_environment_are_laid_out),
        cmocka_unit_test(two_clocks_are_told_and_no_others),
        cmocka_unit_test(random_bytes_fill_what_was_asked_and_nothing_else),
        cmocka_unit_test(output_goes_to_the_log_line_by_line),
        cmocka_unit_test(a_line_too_long_is_cut_and_the_rate_is_that_of_the_log),
        cmocka_unit_test(stdin_is_at_its_end),
        cmocka_unit_test(an_exit_is_an_error_with_a_code),
        cmocka_unit_test(a_clock_suspends_the_module_until_its_time),
        cmocka_unit_test(a_descriptor_is_ready_at_once),
        cmocka_unit_test(a_clock_that_is_none_or_past_is_an_event_at_once),
        cmocka_unit_test(the_longest_wait_has_no_end_and_is_given_up_with_its_instance),
        cmocka_unit_test(a_directory_is_found_by_its_descriptor),
        cmocka_unit_test(descriptors_come_to_an_end_and_files_are_closed),
        cmocka_unit_test(rights_are_only_given_up),
        cmocka_unit_test(a_descriptor_has_the_rights_of_its_kind),
        cmocka_unit_test(offsets_are_kept_and_moved),
        cmocka_unit_test(one_call_moves_at_most_so_much),
        cmocka_unit_test(a_file_grows_no_further_than_the_platform_says),
    };
    return cmocka_run_group_tests_name("wasi", tests, NULL, NULL);
}
