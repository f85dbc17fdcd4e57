/* The watchdog over a process of a host: whom an aborted process was calling is known to the next
 * one, and signs of life reach who waits for them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <posix/watchdog.h>

#define SOMEBODY 0xca110005u

static char dir[64], path[80], heard_at[80];
static int heard;

static int setup(void **state)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    (void)state;
    strcpy(dir, "/tmp/sm-watchdog-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/hung", dir);
    snprintf(heard_at, sizeof heard_at, "%s/notify", dir);
    memcpy(at.sun_path, heard_at, strlen(heard_at));
    heard = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (heard < 0 || bind(heard, (const struct sockaddr *)&at, sizeof at) != 0)
        return -1;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    close(heard);
    unlink(heard_at);
    unlink(path);
    return rmdir(dir);
}

/* A process that calls somebody, or nobody, and ends by this signal; 0: by itself. */
static void live(uint32_t whom, int end)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        const struct rlimit none = {0, 0};
        struct sm_watchdog w;
        setrlimit(RLIMIT_CORE, &none);
        if (sm_watchdog_open(&w, path) != 0)
            _exit(1);
        w.called = whom;
        if (end)
            kill(getpid(), end);
        sm_watchdog_close(&w);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WIFSIGNALED(status) ? WTERMSIG(status) : 0, end);
    assert_int_equal(WIFEXITED(status) ? WEXITSTATUS(status) : 0, 0);
}

static uint32_t found(void)
{
    struct sm_watchdog w;

    assert_int_equal(sm_watchdog_open(&w, path), 0);
    uint32_t whom = w.called;
    sm_watchdog_close(&w);
    return whom;
}

static void whom_an_aborted_process_called_is_known_until_it_is_on_record(void **state)
{
    struct sm_watchdog w;

    (void)state;
    live(SOMEBODY, SIGABRT);
    assert_int_equal(found(), SOMEBODY);
    assert_int_equal(found(), SOMEBODY);
    assert_int_equal(sm_watchdog_open(&w, path), 0);
    sm_watchdog_forget(&w);
    sm_watchdog_close(&w);
    assert_int_equal(found(), 0);
}

static void no_other_end_blames_anybody(void **state)
{
    (void)state;
    live(SOMEBODY, 0);
    assert_int_equal(found(), 0);
    live(SOMEBODY, SIGKILL);
    assert_int_equal(found(), 0);
    live(SOMEBODY, SIGTERM);
    assert_int_equal(found(), 0);
    live(0, SIGABRT);
    assert_int_equal(found(), 0);
}

static void a_note_that_was_cut_short_or_changed_blames_nobody(void **state)
{
    (void)state;
    live(SOMEBODY, SIGABRT);
    assert_int_equal(truncate(path, 6), 0);
    assert_int_equal(found(), 0);
    live(SOMEBODY, SIGABRT);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fputc(4, f), 4);
    fclose(f);
    assert_int_equal(found(), 0);
}

static void a_file_that_cannot_be_made_is_an_error(void **state)
{
    struct sm_watchdog w;

    (void)state;
    assert_int_equal(sm_watchdog_open(&w, dir), SM_ERR_IO);
}

static void expect_heard(const char *text)
{
    char line[64] = "";
    ssize_t n = recv(heard, line, sizeof line - 1, 0);

    assert_string_equal(n > 0 ? line : "", text);
}

static void it_tells_that_it_started_and_twice_in_time_that_it_is_alive(void **state)
{
    struct sm_watchdog w;

    (void)state;
    setenv("NOTIFY_SOCKET", heard_at, 1);
    setenv("WATCHDOG_USEC", "1000000", 1);
    assert_int_equal(sm_watchdog_open(&w, path), 0);
    expect_heard("");
    assert_int_equal(sm_watchdog_feed(&w, 7000), 500);
    expect_heard("READY=1");
    expect_heard("WATCHDOG=1");
    assert_int_equal(sm_watchdog_feed(&w, 7100), 400);
    expect_heard("");
    assert_int_equal(sm_watchdog_feed(&w, 7650), 500);
    expect_heard("WATCHDOG=1");
    expect_heard("");
    sm_watchdog_close(&w);
}

static void a_watchdog_of_another_process_is_not_fed(void **state)
{
    struct sm_watchdog w;

    (void)state;
    setenv("NOTIFY_SOCKET", heard_at, 1);
    setenv("WATCHDOG_USEC", "1000000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(sm_watchdog_open(&w, path), 0);
    assert_int_equal(sm_watchdog_feed(&w, 7000), UINT32_MAX);
    assert_int_equal(sm_watchdog_feed(&w, 9000), UINT32_MAX);
    expect_heard("READY=1");
    expect_heard("");
    sm_watchdog_close(&w);
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(sm_watchdog_open(&w, path), 0);
    assert_int_equal(sm_watchdog_feed(&w, 7000), UINT32_MAX);
    sm_watchdog_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            whom_an_aborted_process_called_is_known_until_it_is_on_record, setup, teardown),
        cmocka_unit_test_setup_teardown(no_other_end_blames_anybody, setup, teardown),
        cmocka_unit_test_setup_teardown(a_note_that_was_cut_short_or_changed_blames_nobody, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_file_that_cannot_be_made_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(it_tells_that_it_started_and_twice_in_time_that_it_is_alive,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_watchdog_of_another_process_is_not_fed, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
