/* Paths of modules: nothing above a granted directory is reached, whatever is said or moved.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "stage.h"

static const char *const with_data[] = {"file/data:rw", "wasi", NULL};

/* out/secret beside what the module was granted, which is in/. */
static void open_with_secret(struct stage *s)
{
    stage_open(s, with_data);
    stage_make(s, "out/secret", "secret");
    stage_make(s, "in/dir", NULL);
    stage_make(s, "in/dir/file", "file");
}

#define OPENS(s, path, how) assert_true(stage_path_open(s, 3, path, how, R_READ) > 0)
#define REFUSED(s, path, how, errno)                                                               \
    assert_int_equal(stage_path_open(s, 3, path, how, R_READ), -(errno))

static void paths_stay_below_where_they_begin(void **state)
{
    static struct stage s;
    (void)state;
    open_with_secret(&s);
    OPENS(&s, "dir/file", 0);
    OPENS(&s, "dir/../dir/./file", 0);
    OPENS(&s, ".", 0);
    OPENS(&s, "dir/..", 0);
    REFUSED(&s, "..", 0, SM_WASI_NOTCAPABLE);
    REFUSED(&s, "../out/secret", 0, SM_WASI_NOTCAPABLE);
    REFUSED(&s, "dir/../../out/secret", 0, SM_WASI_NOTCAPABLE);
    REFUSED(&s, "dir/../../in/dir/file", 0, SM_WASI_NOTCAPABLE);
    REFUSED(&s, "/etc/passwd", 0, SM_WASI_NOTCAPABLE);
    REFUSED(&s, "/", 0, SM_WASI_NOTCAPABLE);
    REFUSED(&s, "//dir/file", 0, SM_WASI_NOTCAPABLE);
    REFUSED(&s, "", 0, SM_WASI_NOENT);
    REFUSED(&s, "dir/none/../file", 0, SM_WASI_NOENT);
    REFUSED(&s, "dir/file/..", 0, SM_WASI_NOTDIR);
    int sub = stage_path_open(&s, 3, "dir", AT_DIRECTORY, 1u << 13);
    assert_int_equal(stage_path_open(&s, (uint32_t)sub, "../dir/file", 0, 0), -SM_WASI_NOTCAPABLE);
    assert_int_equal(stage_path_open(&s, 1, "file", 0, 0), -SM_WASI_NOTDIR);
    assert_int_equal(stage_path_open(&s, 60, "file", 0, 0), -SM_WASI_BADF);
    stage_close(&s);
}

static void links_inside_are_followed(void **state)
{
    static struct stage s;
    (void)state;
    open_with_secret(&s);
    stage_link(&s, "dir", "in/to_dir");
    stage_link(&s, "dir/file", "in/to_file");
    stage_link(&s, "to_dir/../to_file", "in/to_both");
    stage_link(&s, "../dir/file", "in/dir/up_and_in");
    OPENS(&s, "to_dir/file", 0);
    OPENS(&s, "to_file", AT_FOLLOW);
    OPENS(&s, "to_both", AT_FOLLOW);
    OPENS(&s, "dir/up_and_in", AT_FOLLOW);
    OPENS(&s, "to_dir/", AT_DIRECTORY);
    REFUSED(&s, "to_file", 0, SM_WASI_LOOP);
    REFUSED(&s, "to_dir", AT_DIRECTORY, SM_WASI_NOTDIR);
    REFUSED(&s, "to_file/", 0, SM_WASI_NOTDIR);
    stage_close(&s);
}

static void links_that_lead_out_are_refused(void **state)
{
    static struct stage s;
    char text[256];
    (void)state;
    open_with_secret(&s);
    stage_link(&s, "../out", "in/to_out");
    stage_link(&s, "../out/secret", "in/to_secret");
    stage_link(&s, "../../out/secret", "in/dir/to_secret");
    stage_link(&s, "dir/to_secret", "in/by_another");
    snprintf(text, sizeof text, "%s/in/dir/file", s.folder);
    stage_link(&s, text, "in/absolute");
    REFUSED(&s, "to_out/secret", 0, SM_WASI_NOTCAPABLE);
    REFUSED(&s, "to_out/", 0, SM_WASI_NOTCAPABLE);
    REFUSED(&s, "to_secret", AT_FOLLOW, SM_WASI_NOTCAPABLE);
    REFUSED(&s, "to_secret", AT_CREATE, SM_WASI_LOOP);
    REFUSED(&s, "dir/to_secret", AT_FOLLOW, SM_WASI_NOTCAPABLE);
    REFUSED(&s, "by_another", AT_FOLLOW, SM_WASI_NOTCAPABLE);
    REFUSED(&s, "absolute", AT_FOLLOW, SM_WASI_NOTCAPABLE);
    REFUSED(&s, "to_out/new", AT_CREATE, SM_WASI_NOTCAPABLE);
    const char *const links[] = {"to_out/secret", "to_secret", "absolute"};
    for (unsigned i = 0; i < 3; i++) {
        uint32_t len = (uint32_t)strlen(links[i]), at = stage_text(&s, links[i]);
        assert_int_equal(CALL(&s, "path_filestat_get", 3, 1, at, len, 256), SM_WASI_NOTCAPABLE);
        assert_int_equal(CALL(&s, "path_filestat_set_times", 3, 1, at, len, 0, 0, 0, 0, 10),
                         SM_WASI_NOTCAPABLE);
    }
    assert_int_equal(CALL(&s, "path_unlink_file", 3, stage_text(&s, "to_out/secret"), 13),
                     SM_WASI_NOTCAPABLE);
    assert_int_equal(CALL(&s, "path_rename", 3, stage_text(&s, "to_out/secret"), 13, 3,
                          stage_text(&s, "got"), 3),
                     SM_WASI_NOTCAPABLE);
    assert_int_equal(CALL(&s, "path_rename", 3, stage_text(&s, "dir/file"), 8, 3,
                          stage_text(&s, "to_out/file"), 11),
                     SM_WASI_NOTCAPABLE);
    assert_int_equal(CALL(&s, "path_link", 3, 0, stage_text(&s, "to_out/secret"), 13, 3,
                          stage_text(&s, "got"), 3),
                     SM_WASI_NOTCAPABLE);
    assert_int_equal(CALL(&s, "path_create_directory", 3, stage_text(&s, "to_out/dir"), 10),
                     SM_WASI_NOTCAPABLE);
    assert_true(stage_there(&s, "out/secret") && !stage_there(&s, "out/new") &&
                !stage_there(&s, "out/dir") && stage_there(&s, "in/dir/file"));
    stage_close(&s);
}

static void modules_make_no_absolute_links(void **state)
{
    static struct stage s;
    (void)state;
    open_with_secret(&s);
    assert_int_equal(
        CALL(&s, "path_symlink", stage_text(&s, "/etc"), 4, 3, stage_text(&s, "etc"), 3),
        SM_WASI_NOTCAPABLE);
    assert_int_equal(
        CALL(&s, "path_symlink", stage_text(&s, "dir"), 3, 3, stage_text(&s, "to_dir"), 6), 0);
    assert_int_equal(CALL(&s, "path_readlink", 3, stage_text(&s, "to_dir"), 6, 256, 64, 64), 0);
    assert_memory_equal(stage_at(&s, 256), "dir", 3);
    assert_int_equal(CALL(&s, "path_readlink", 3, stage_text(&s, "dir"), 3, 256, 64, 64),
                     SM_WASI_INVAL);
    assert_int_equal(CALL(&s, "path_readlink", 3, stage_text(&s, "."), 1, 256, 64, 64),
                     SM_WASI_INVAL);
    stage_close(&s);
}

/* ---- Races
 * --------------------------------------------------------------------------------------- */

static void rename_in(struct stage *s, const char *from, const char *to)
{
    char a[160], b[160];

    snprintf(a, sizeof a, "%s/%s", s->folder, from);
    snprintf(b, sizeof b, "%s/%s", s->folder, to);
    assert_int_equal(rename(a, b), 0);
}

/* While the module walks through dir/deep, somebody moves deep out, so that its ".." is outside. */
static void move_deep_out(struct stage *s, const char *name)
{
    if (strcmp(name, "deeper") == 0)
        rename_in(s, "in/dir/deep", "out/deep");
}

static void a_directory_moved_out_meanwhile_leads_nowhere_else(void **state)
{
    static struct stage s;
    (void)state;
    open_with_secret(&s);
    stage_make(&s, "in/dir/deep", NULL);
    stage_make(&s, "in/dir/deep/deeper", NULL);
    s.on_dir = move_deep_out;
    /* The kernel's "deep/.." would now be out/, where secret is. Ours is still dir. */
    REFUSED(&s, "dir/deep/deeper/../../secret", 0, SM_WASI_NOENT);
    s.on_dir = NULL;
    stage_close(&s);
}

/* Between the look at a name and its opening a link takes its place. */
static void put_link(struct stage *s, const char *name)
{
    if (strcmp(name, "deep") != 0)
        return;
    rename_in(s, "in/dir/deep", "in/dir/was_deep");
    stage_link(s, "../../out", "in/dir/deep");
}

static void a_link_put_in_a_directorys_place_is_not_followed_out(void **state)
{
    static struct stage s;
    (void)state;
    open_with_secret(&s);
    stage_make(&s, "in/dir/deep", NULL);
    stage_make(&s, "in/dir/deep/secret", "not");
    s.on_dir = put_link;
    REFUSED(&s, "dir/deep/secret", 0, SM_WASI_NOTCAPABLE);
    s.on_dir = NULL;
    stage_close(&s);
}

/* ---- Bounds
 * -------------------------------------------------------------------------------------- */

static void walks_are_bounded(void **state)
{
    static struct stage s;
    static char path[4096];
    (void)state;
    open_with_secret(&s);
    stage_link(&s, "loop", "in/loop");
    stage_link(&s, "pong", "in/ping");
    stage_link(&s, "ping", "in/pong");
    stage_link(&s, "grows/grows", "in/grows");
    REFUSED(&s, "loop", AT_FOLLOW, SM_WASI_LOOP);
    REFUSED(&s, "ping", AT_FOLLOW, SM_WASI_LOOP);
    REFUSED(&s, "ping/x", 0, SM_WASI_LOOP);
    REFUSED(&s, "grows/x", 0, SM_WASI_LOOP);
    memset(path, 'x', 256);
    REFUSED(&s, path, 0, SM_WASI_NAMETOOLONG);
    memset(path, '/', 1025);
    path[0] = '.';
    REFUSED(&s, path, 0, SM_WASI_NAMETOOLONG);
    path[1024] = 0;
    OPENS(&s, path, 0);
    stage_link(&s, ".", "in/dir/here");
    strcpy(path, "dir");
    for (unsigned i = 0; i < SM_WASI_LINKS_MAX; i++)
        strcat(path, "/here");
    OPENS(&s, path, AT_FOLLOW);
    strcat(path, "/here");
    REFUSED(&s, path, AT_FOLLOW, SM_WASI_LOOP);
    *path = 0;
    for (unsigned i = 0; i < SM_WASI_DEPTH_MAX; i++) {
        strcat(path, i ? "/d" : "d");
        assert_int_equal(
            CALL(&s, "path_create_directory", 3, stage_text(&s, path), (uint32_t)strlen(path)), 0);
    }
    strcat(path, "/file");
    OPENS(&s, path, AT_CREATE);
    strcpy(path + strlen(path) - 4, "d/d");
    assert_int_equal(
        CALL(&s, "path_create_directory", 3, stage_text(&s, path), (uint32_t)strlen(path) - 2), 0);
    REFUSED(&s, path, 0, SM_WASI_NAMETOOLONG);
    stage_close(&s);
}

static void texts_that_are_no_paths_are_refused(void **state)
{
    static struct stage s;
    static const char *const wrong[] = {
        "\xff",  "\xc0\xaf",     "\xed\xa0\x80",        "\xf4\x90\x80\x80",
        "a\x80", "\xe0\x80\xaf", "\xf8\x88\x80\x80\x80"};
    (void)state;
    open_with_secret(&s);
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++)
        REFUSED(&s, wrong[i], 0, SM_WASI_ILSEQ);
    OPENS(&s, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\xa1", AT_CREATE);
    memcpy(stage_at(&s, 0x8000), "dir\0file", 8);
    assert_int_equal(CALL(&s, "path_open", 3, 0, 0x8000, 8, 0, 0, 0, 0, 0, 0, 64), SM_WASI_INVAL);
    stage_close(&s);
}

static void nothing_but_files_and_directories_is_opened(void **state)
{
    static struct stage s;
    char path[160];
    (void)state;
    open_with_secret(&s);
    snprintf(path, sizeof path, "%s/in/pipe", s.folder);
    assert_int_equal(mkfifo(path, 0644), 0);
    REFUSED(&s, "pipe", 0, SM_WASI_NOTSUP); /* at once: nobody writes to it */
    assert_int_equal(stage_path_open(&s, 3, "pipe", 0, R_WRITE), -SM_WASI_NOTSUP);
    stage_close(&s);
}

/* ---- Reading only
 * -------------------------------------------------------------------------------- */

static void what_is_granted_for_reading_is_not_changed(void **state)
{
    static struct stage s;
    static const char *const readable[] = {"file/data:r", "file/data:rw", "wasi", NULL};
    char text[16];
    (void)state;
    stage_open(&s, readable); /* 3 is for reading, 4 the same directory for all */
    stage_make(&s, "in/file", "file");
    stage_make(&s, "in/dir", NULL);
    uint32_t file = 0x8000, name = 0x9000;
    memcpy(stage_at(&s, file), "file", 5);
    memcpy(stage_at(&s, name), "dir", 4);
    const struct {
        const char *name;
        uint32_t args[12];
    } calls[] = {
        {"path_open", {3, 0, file, 4, AT_CREATE, 0, 0, 0, 0, 0, 64}},
        {"path_open", {3, 0, file, 4, AT_TRUNCATE, 0, 0, 0, 0, 0, 64}},
        {"path_open", {3, 0, file, 4, 0, 1u << 6, 0, 0, 0, 0, 64}},
        {"path_open", {3, 0, file, 4, 0, 1u << 22, 0, 0, 0, 0, 64}},
        {"path_open", {3, 0, name, 3, AT_DIRECTORY, 0, 0, 1u << 6, 0, 0, 64}},
        {"path_create_directory", {3, file, 3}},
        {"path_remove_directory", {3, name, 3}},
        {"path_unlink_file", {3, file, 4}},
        {"path_filestat_set_times", {3, 0, file, 4, 0, 0, 0, 0, 10}},
        {"path_symlink", {file, 4, 3, file, 3}},
        {"path_rename", {3, file, 4, 4, file, 2}},
        {"path_rename", {4, file, 4, 3, file, 2}},
        {"path_link", {3, 0, file, 4, 4, file, 2}}, /* to write to it by the other name */
        {"path_link", {4, 0, file, 4, 3, file, 2}},
        {"fd_filestat_set_times", {3, 0, 0, 0, 0, 10}},
        {"fd_sync", {3}},
    };
    for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++)
        if (stage_call(&s, calls[i].name, 12, calls[i].args) != SM_WASI_NOTCAPABLE)
            fail_msg("%s (%u) is not refused", calls[i].name, i);
    int fd = stage_path_open(&s, 3, "file", 0, R_READ);
    assert_int_equal(stage_read(&s, (uint32_t)fd, text, sizeof text), 4);
    assert_int_equal(stage_write(&s, (uint32_t)fd, "x"), -SM_WASI_NOTCAPABLE);
    assert_int_equal(CALL(&s, "fd_filestat_set_size", (uint32_t)fd, 0, 0), SM_WASI_NOTCAPABLE);
    stage_close(&s);
}

static void a_listing_tells_nothing_of_what_lies_above(void **state)
{
    static struct stage s;
    (void)state;
    open_with_secret(&s);
    assert_int_equal(CALL(&s, "fd_readdir", 3, 1024, 4096, 0, 0, 64), 0);
    uint32_t used = stage_u32(&s, 64), at = 1024, up = 0, entries = 0;
    for (; at < 1024 + used; at += 24 + stage_u32(&s, at + 16), entries++) {
        if (stage_u32(&s, at + 16) != 2 || memcmp(stage_at(&s, at + 24), "..", 2) != 0)
            continue;
        assert_true(stage_u64(&s, at + 8) == 0);
        up++;
    }
    assert_int_equal(up, 1);
    assert_int_equal(entries, 3);
    assert_int_equal(CALL(&s, "fd_readdir", 3, 1024, SM_WASI_IO_MAX + 1, 0, 0, 64), SM_WASI_INVAL);
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_stay_below_where_they_begin),
        cmocka_unit_test(links_inside_are_followed),
        cmocka_unit_test(links_that_lead_out_are_refused),
        cmocka_unit_test(modules_make_no_absolute_links),
        cmocka_unit_test(a_directory_moved_out_meanwhile_leads_nowhere_else),
        cmocka_unit_test(a_link_put_in_a_directorys_place_is_not_followed_out),
        cmocka_unit_test(walks_are_bounded),
        cmocka_unit_test(texts_that_are_no_paths_are_refused),
        cmocka_unit_test(nothing_but_files_and_directories_is_opened),
        cmocka_unit_test(what_is_granted_for_reading_is_not_changed),
        cmocka_unit_test(a_listing_tells_nothing_of_what_lies_above),
    };
    return cmocka_run_group_tests_name("wasi paths", tests, NULL, NULL);
}
