/* Flash in a file: made once, found again, refused when it is not ours to write.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>
#include <cmocka.h>
#include <posix/flash_file.h>
#include <posix/system.h>
#include <sandmote/store.h>

static const struct sm_flash_file_cfg cfg = {4096, 64, 8, 0xff, false};
static char dir[64], path[80], part[96];

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/sm-flash-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/flash", dir);
    snprintf(part, sizeof part, "%s.part", path);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

static void a_flash_file_keeps_what_was_programmed(void **state)
{
    struct sm_flash_file f;
    struct sm_flash_file_why why;

    (void)state;
    assert_int_equal(sm_flash_file_open(&f, path, &cfg, &why), 0);
    assert_int_equal(f.flash.map(&f, 5 * 4096, 1)[0], 0xff);
    assert_int_equal(f.flash.program(&f, 4096, "12345678", 8), 0);
    assert_memory_equal(f.flash.map(&f, 4096, 8), "12345678", 8);
    assert_int_equal(f.flash.sync(&f), 0);
    sm_flash_file_close(&f);
    assert_int_equal(sm_flash_file_open(&f, path, &cfg, &why), 0);
    assert_memory_equal(f.flash.map(&f, 4096, 8), "12345678", 8);
    assert_int_equal(f.flash.erase(&f, 4096), 0);
    assert_int_equal(f.flash.map(&f, 4096, 1)[0], 0xff);
    sm_flash_file_close(&f);
}

static void nor_rules_hold(void **state)
{
    struct sm_flash_file f;
    struct sm_flash_file_why why;

    (void)state;
    assert_int_equal(sm_flash_file_open(&f, path, &cfg, &why), 0);
    assert_int_equal(f.flash.program(&f, 0, "12345678", 8), 0);
    assert_int_equal(f.flash.program(&f, 0, "12345678", 8), SM_ERR_IO);
    assert_int_equal(f.flash.program(&f, 12, "12345678", 8), SM_ERR_IO);
    assert_int_equal(f.flash.program(&f, 8, "1234567", 7), SM_ERR_IO);
    assert_int_equal(f.flash.program(&f, 64 * 4096, "12345678", 8), SM_ERR_IO);
    assert_int_equal(f.flash.erase(&f, 8), SM_ERR_IO);
    assert_int_equal(f.flash.erase(&f, 64 * 4096), SM_ERR_IO);
    assert_null(f.flash.map(&f, 63 * 4096, 4097));
    sm_flash_file_close(&f);
}

static void a_second_user_is_told_that_it_is_busy(void **state)
{
    struct sm_flash_file f, g;
    struct sm_flash_file_why why;

    (void)state;
    assert_int_equal(sm_flash_file_open(&f, path, &cfg, &why), 0);
    assert_int_equal(sm_flash_file_open(&g, path, &cfg, &why), SM_ERR_BUSY);
    assert_non_null(strstr(why.text, path));
    sm_flash_file_close(&f);
    assert_int_equal(sm_flash_file_open(&g, path, &cfg, &why), 0);
    sm_flash_file_close(&g);
}

static void another_geometry_or_another_file_is_refused_unchanged(void **state)
{
    struct sm_flash_file f;
    struct sm_flash_file_why why;
    struct sm_flash_file_cfg other = cfg;
    FILE *file;
    struct stat st;

    (void)state;
    assert_int_equal(sm_flash_file_open(&f, path, &cfg, &why), 0);
    sm_flash_file_close(&f);
    other.sector_count = 65;
    assert_int_equal(sm_flash_file_open(&f, path, &other, &why), SM_ERR_INVALID);
    assert_non_null(strstr(why.text, "64 sectors of 4096 bytes"));
    assert_int_equal(truncate(path, 9000), 0);
    assert_int_equal(sm_flash_file_open(&f, path, &cfg, &why), SM_ERR_INVALID);
    assert_non_null(strstr(why.text, "9000 bytes"));
    file = fopen(path, "w");
    fputs("a letter to the family", file);
    fclose(file);
    assert_int_equal(sm_flash_file_open(&f, path, &cfg, &why), SM_ERR_INVALID);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 22);
    other.program_size = 3;
    assert_int_equal(sm_flash_file_open(&f, path, &other, &why), SM_ERR_ARG);
}

static void a_making_that_was_cut_short_is_begun_again(void **state)
{
    struct sm_flash_file f, g;
    struct sm_flash_file_why why;
    FILE *file = fopen(part, "w");

    (void)state;
    fputs("SMFLASH, the beginning of a file of another size", file);
    fclose(file);
    assert_int_equal(sm_flash_file_open(&f, path, &cfg, &why), 0);
    assert_int_equal(f.flash.map(&f, 0, 1)[0], 0xff);
    assert_int_not_equal(access(part, F_OK), 0);
    assert_int_equal(sm_flash_file_open(&g, path, &cfg, &why),
                     SM_ERR_BUSY); /* the lock came along */
    sm_flash_file_close(&f);
}

static void an_empty_file_becomes_a_flash_file(void **state)
{
    struct sm_flash_file f;
    struct sm_flash_file_why why;

    (void)state;
    fclose(fopen(path, "w"));
    assert_int_equal(sm_flash_file_open(&f, path, &cfg, &why), 0);
    assert_int_equal(f.flash.program(&f, 0, "12345678", 8), 0);
    sm_flash_file_close(&f);
    assert_int_equal(sm_flash_file_open(&f, path, &cfg, &why), 0);
    assert_memory_equal(f.flash.map(&f, 0, 8), "12345678", 8);
    sm_flash_file_close(&f);
}

static void a_folder_that_is_missing_or_not_ours_is_named(void **state)
{
    struct sm_flash_file f;
    struct sm_flash_file_why why;

    (void)state;
    assert_int_equal(sm_flash_file_open(&f, "/nowhere/flash", &cfg, &why), SM_ERR_IO);
    assert_non_null(strstr(why.text, "/nowhere/flash"));
    assert_non_null(strstr(why.text, "No such file"));
    assert_int_equal(sm_flash_file_open(&f, dir, &cfg, &why), SM_ERR_IO);
}

/* A full disk, as a limit on the size of files: the closest a test can come without a disk. */
static void a_file_that_cannot_have_its_size_is_not_left_behind(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        struct sm_flash_file f;
        struct sm_flash_file_why why;
        struct rlimit limit = {65536, 65536};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        int err = sm_flash_file_open(&f, path, &cfg, &why);
        struct stat st;
        _exit(err == SM_ERR_IO && stat(path, &st) != 0 && stat(part, &st) != 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void the_store_lives_in_a_file(void **state)
{
    struct sm_flash_file f;
    struct sm_flash_file_why why;
    struct sm_store store;
    struct sm_store_cfg layout = {.applications = 1, .slot_size = 32768};
    struct sm_record records[1], r;

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(sm_flash_file_open(&f, path, &cfg, &why), 0);
        assert_int_equal(sm_store_mount(&store, &f.flash, &layout, records), 0);
        assert_int_equal(records[0].floor, i);
        r = records[0];
        r.floor = i + 1;
        assert_int_equal(sm_store_put(&store, 0, &r), 0);
        sm_flash_file_close(&f);
    }
}

static void clock_and_entropy_move(void **state)
{
    uint8_t a[32], b[32];
    uint64_t before = sm_posix_clock.now_ms(sm_posix_clock.ctx);

    (void)state;
    assert_int_equal(sm_posix_entropy.fill(sm_posix_entropy.ctx, a, sizeof a), 0);
    assert_int_equal(sm_posix_entropy.fill(sm_posix_entropy.ctx, b, sizeof b), 0);
    assert_memory_not_equal(a, b, sizeof a);
    usleep(3000);
    assert_true(sm_posix_clock.now_ms(sm_posix_clock.ctx) > before);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_flash_file_keeps_what_was_programmed),
        T(nor_rules_hold),
        T(a_second_user_is_told_that_it_is_busy),
        T(another_geometry_or_another_file_is_refused_unchanged),
        T(a_making_that_was_cut_short_is_begun_again),
        T(an_empty_file_becomes_a_flash_file),
        T(a_folder_that_is_missing_or_not_ours_is_named),
        T(a_file_that_cannot_have_its_size_is_not_left_behind),
        T(the_store_lives_in_a_file),
        T(clock_and_entropy_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
