/* Names and time in slots.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "ibe_world.h"
#include <sandmote/wkdibe_names.h>
#include <stdlib.h>
#include <time.h>

static struct sm_ibe_pattern blank(void)
{
    struct sm_ibe_pattern p;
    assert_int_equal(sm_ibe_pattern_init(&p, SM_IBE_PLAN_SLOTS), 0);
    return p;
}

static struct sm_ibe_pattern named(const char *identity, const char *resource)
{
    struct sm_ibe_pattern p = blank();
    struct sm_ibe_detail d;
    if (identity)
        assert_int_equal(sm_ibe_name_identity(&p, identity, strlen(identity), &d), 0);
    if (resource)
        assert_int_equal(sm_ibe_name_resource(&p, resource, strlen(resource), &d), 0);
    return p;
}

static void expect_kinds(const struct sm_ibe_pattern *p, const char *kinds)
{
    for (unsigned i = 0; i < SM_IBE_PLAN_SLOTS; i++)
        if (sm_ibe_pattern_kind(p, i) != (enum sm_ibe_kind)(strchr("-=*", kinds[i]) - "-=*"))
            fail_msg("slot %u is not %c", i, kinds[i]);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static void names_fill_their_slots(void **state)
{
    (void)state;
    struct sm_ibe_pattern p = named("/entity/Loc1/Alice", "/resources/device01/BME280/temperature");
    expect_kinds(&p, "-===-====-------");
    p = named("/entity/Loc1/*", "/resources/*");
    expect_kinds(&p, "-==**=****------");
    p = named("/entity/*/Alice", "/resources/*/BME280/*");
    expect_kinds(&p, "-=*=-=*=**------");
}

static void the_paper_s_three_identities_match_as_it_says(void **state)
{
    (void)state;
    const char *resource = "/resources/device01/BME280/temperature";
    struct sm_ibe_pattern to = named("/entity/Loc1/*", resource);
    struct sm_ibe_pattern alice = named("/entity/Loc1/Alice", resource);
    struct sm_ibe_pattern bob = named("/entity/Loc1/Bob", resource);
    struct sm_ibe_pattern sarah = named("/entity/Loc2/Sarah", resource);
    assert_true(sm_ibe_pattern_match(&alice, &to));
    assert_true(sm_ibe_pattern_match(&bob, &to));
    assert_false(sm_ibe_pattern_match(&sarah, &to));
    struct sm_ibe_pattern elsewhere =
        named("/entity/Loc1/*", "/resources/device01/BME280/humidity");
    assert_false(sm_ibe_pattern_match(&alice, &elsewhere));
    /* Alice may pass on what she was given only when her key has the last slot for it. */
    struct sm_ibe_pattern carol = named("/entity/Loc1/Alice/Carol", resource);
    struct sm_ibe_pattern lending = named("/entity/Loc1/Alice/*", resource);
    assert_false(sm_ibe_pattern_refines(&alice, &carol));
    assert_true(sm_ibe_pattern_refines(&lending, &carol));
    assert_true(sm_ibe_pattern_match(&carol, &to));
}

static void a_name_and_what_lies_below_it_do_not_match(void **state)
{
    (void)state;
    struct sm_ibe_pattern above = named(NULL, "/resources/device01");
    struct sm_ibe_pattern below = named(NULL, "/resources/device01/BME280");
    struct sm_ibe_pattern all = named(NULL, "/resources/device01/*");
    assert_false(sm_ibe_pattern_match(&above, &below));
    assert_false(sm_ibe_pattern_match(&below, &above));
    assert_true(sm_ibe_pattern_match(&all, &below));
    assert_true(sm_ibe_pattern_match(&all, &above));
}

static void values_are_bound_to_their_slot_and_type(void **state)
{
    (void)state;
    struct sm_ibe_pattern p = blank();
    assert_int_equal(sm_ibe_pattern_set(&p, 1, 2, "a", 1), 0);
    assert_int_equal(sm_ibe_pattern_set(&p, 2, 2, "a", 1), 0);
    assert_int_equal(sm_ibe_pattern_set(&p, 3, 3, "a", 1), 0);
    assert_int_equal(sm_ibe_pattern_set(&p, 4, 2, "b", 1), 0);
    for (unsigned i = 1; i <= 4; i++)
        for (unsigned j = 1; j < i; j++)
            assert_memory_not_equal(p.value[i], p.value[j], 32);
    struct sm_ibe_pattern upper = named("/entity/loc1", NULL), lower = named("/entity/Loc1", NULL);
    assert_false(sm_ibe_pattern_match(&upper, &lower)); /* no folding of case */
    /* Each way to one value gives one value. */
    struct sm_ibe_pattern q = blank();
    assert_int_equal(sm_ibe_pattern_set(&q, 1, 2, "a", 1), 0);
    assert_memory_equal(p.value[1], q.value[1], 32);
    assert_int_equal(sm_ibe_pattern_set(&q, 16, 2, "a", 1), SM_ERR_ARG);
    assert_int_equal(sm_ibe_pattern_set(&q, 1, 2, "a", 65536), SM_ERR_ARG);
}

static void what_is_wrong_with_a_name_is_said_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *name, *rule;
        unsigned offset;
    } bad[] = {
        {"", "a name begins with /", 0},
        {"entity/Loc1", "a name begins with /", 0},
        {"/", "a component is empty", 1},
        {"/entity/", "a component is empty", 8},
        {"/entity//Alice", "a component is empty", 8},
        {"/user/Loc1", "an identity begins with /entity", 1},
        {"/*/Loc1", "an identity begins with /entity", 1},
        {"/entity/.", "a component is . or ..", 8},
        {"/entity/../x", "a component is . or ..", 8},
        {"/entity/Loc1/Alice/NULL", "NULL is not a name: leave the component out", 19},
        {"/entity/a+", "+, # and $ belong to topics, not to names", 9},
        {"/entity/#", "+, # and $ belong to topics, not to names", 8},
        {"/entity/$SYS", "+, # and $ belong to topics, not to names", 8},
        {"/entity/a*", "* stands for a whole component", 9},
        {"/entity/**", "* stands for a whole component", 8},
        {"/entity/a\tb", "a control character", 9},
        {"/entity/a\x7f", "a control character", 9},
        {"/entity/\xc3", "not UTF-8", 8},
        {"/entity/\xc0\x80", "not UTF-8", 8},         /* overlong */
        {"/entity/x\xed\xa0\x80", "not UTF-8", 9},    /* a surrogate */
        {"/entity/\xf4\x90\x80\x80", "not UTF-8", 8}, /* beyond the last */
        {"/entity/\xff", "not UTF-8", 8},
        {"/entity/a/b/c/d",
         "an identity has at most four components: /entity/location/requester/delegate", 14},
        {"/entity/123456789012345678901234567890123456789012345678901234567890abcde",
         "a component is longer than 64 bytes", 8},
    };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct sm_ibe_pattern p = blank();
        struct sm_ibe_detail d;
        assert_int_equal(sm_ibe_name_identity(&p, bad[i].name, strlen(bad[i].name), &d),
                         SM_ERR_MALFORMED);
        assert_string_equal(d.rule, bad[i].rule);
        assert_int_equal(d.offset, bad[i].offset);
    }
    struct sm_ibe_pattern p = blank();
    struct sm_ibe_detail d;
    assert_int_equal(sm_ibe_name_identity(&p, "/entity/a\0b", 11, &d), SM_ERR_MALFORMED);
    assert_string_equal(d.rule, "a control character");
    assert_int_equal(sm_ibe_name_resource(&p, "/entity", 7, &d), SM_ERR_MALFORMED);
    assert_string_equal(d.rule, "a resource begins with /resources");
    const char *long_one = "/resources/a/b/c/d/e";
    assert_int_equal(sm_ibe_name_resource(&p, long_one, strlen(long_one), &d), SM_ERR_MALFORMED);
    assert_int_equal(d.offset, 19);
    p = named("/entity/M\xc3\xbcnchen/\xe6\x97\xa5/\xf0\x9f\x98\x80", NULL);
    expect_kinds(&p, "-====-----------");
}

static void patterns_without_these_slots_are_refused(void **state)
{
    (void)state;
    struct sm_ibe_pattern p;
    struct sm_ibe_detail d;
    struct sm_ibe_time t = {0};
    assert_int_equal(sm_ibe_pattern_init(&p, 4), 0);
    assert_int_equal(sm_ibe_name_identity(&p, "/entity", 7, &d), SM_ERR_ARG);
    assert_int_equal(sm_ibe_name_resource(&p, "/resources", 10, &d), SM_ERR_ARG);
    assert_int_equal(sm_ibe_name_node(&p, 1), SM_ERR_ARG);
    assert_int_equal(sm_ibe_name_time(&p, &t), SM_ERR_ARG);
    p = blank();
    assert_int_equal(sm_ibe_name_node(&p, 0), SM_ERR_ARG);
    assert_int_equal(sm_ibe_pattern_init(&p, 0), SM_ERR_LIMIT);
    assert_int_equal(sm_ibe_pattern_init(&p, 17), SM_ERR_LIMIT);
}

static void purposes_are_kept_apart(void **state)
{
    (void)state;
    struct sm_ibe_pattern p[3];
    for (unsigned i = 0; i < 3; i++) {
        p[i] = blank();
        assert_int_equal(sm_ibe_name_purpose(&p[i], (enum sm_ibe_purpose)(i + 1)), 0);
        for (unsigned j = 0; j < i; j++)
            assert_false(sm_ibe_pattern_match(&p[i], &p[j]));
    }
}

/* ---- Time ------------------------------------------------------------------------------------ */

#define DAY 86400ull

/* Seconds of a date, by the C library. */
static uint64_t at(int year, int month, int day, int hour)
{
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour};
    return (uint64_t)timegm(&tm);
}

static void hours_are_those_of_the_c_library(void **state)
{
    (void)state;
    uint64_t seed = 11;
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t s = i < 4000 ? i * 11 * DAY + i * 3600 : draw(&seed) % at(10000, 1, 1, 0);
        time_t clock = (time_t)s;
        struct tm tm;
        struct sm_ibe_time t;
        assert_int_equal(sm_ibe_time_of(s, &t), 0);
        gmtime_r(&clock, &tm);
        assert_int_equal(t.year, tm.tm_year + 1900);
        assert_int_equal(t.month, tm.tm_mon + 1);
        assert_int_equal(t.day, tm.tm_mday);
        assert_int_equal(t.hour, tm.tm_hour);
        assert_int_equal(t.quarter, tm.tm_hour / 6);
    }
    struct sm_ibe_time t;
    assert_int_equal(sm_ibe_time_of(at(10000, 1, 1, 0) - 1, &t), 0);
    assert_int_equal(sm_ibe_time_of(at(10000, 1, 1, 0), &t), SM_ERR_LIMIT);
    assert_int_equal(sm_ibe_time_of(UINT64_MAX, &t), SM_ERR_LIMIT);
}

/* Whether one of the nodes has the hour of s, as keys and ciphertexts see it. */
static unsigned opens(const struct sm_ibe_time *nodes, int n, uint64_t s)
{
    struct sm_ibe_pattern now = blank(), key = blank();
    struct sm_ibe_time t;
    unsigned hits = 0;
    assert_int_equal(sm_ibe_time_of(s, &t), 0);
    assert_int_equal(sm_ibe_name_time(&now, &t), 0);
    for (int i = 0; i < n; i++) {
        assert_int_equal(sm_ibe_name_time(&key, &nodes[i]), 0);
        hits += sm_ibe_pattern_match(&key, &now);
    }
    return hits;
}

static void a_key_ends_with_the_hour_said_and_not_later(void **state)
{
    (void)state;
    struct sm_ibe_time nodes[64];
    const uint64_t from[] = {at(2024, 2, 28, 5), at(2023, 12, 31, 23), at(2000, 2, 29, 0),
                             at(2100, 2, 28, 12), at(2026, 1, 1, 0)};
    const uint64_t last[] = {3600, 7 * 3600, DAY, 2 * DAY, 30 * DAY, 365 * DAY, 1096 * DAY};
    for (unsigned i = 0; i < sizeof from / sizeof *from; i++)
        for (unsigned j = 0; j < sizeof last / sizeof *last; j++) {
            uint64_t until = from[i] + last[j];
            int n = sm_ibe_time_cover(from[i] + 1799, until + 3599, nodes, 64);
            assert_true(n > 0);
            assert_int_equal(opens(nodes, n, from[i]), 1);
            assert_int_equal(opens(nodes, n, from[i] + last[j] / 2), 1);
            assert_int_equal(opens(nodes, n, until - 1), 1);
            assert_int_equal(opens(nodes, n, until), 0);
            assert_int_equal(opens(nodes, n, from[i] - 1), 0);
        }
}

static void every_hour_of_a_cover_is_there_once_and_no_other(void **state)
{
    (void)state;
    struct sm_ibe_time nodes[64];
    uint64_t seed = 12, begin = at(2023, 12, 1, 0);
    for (unsigned i = 0; i < 15; i++) {
        uint64_t from = begin + draw(&seed) % (80 * 24) * 3600;
        uint64_t until = from + draw(&seed) % (20 * 24) * 3600;
        int n = sm_ibe_time_cover(from, until, nodes, 64);
        for (uint64_t s = from - 30 * 3600; s < until + 30 * 3600; s += 3600)
            assert_int_equal(opens(nodes, n, s), s >= from && s < until);
    }
}

static void covers_are_as_small_as_can_be(void **state)
{
    (void)state;
    struct sm_ibe_time nodes[64];
    assert_int_equal(sm_ibe_time_cover(at(2024, 1, 1, 0), at(2026, 1, 1, 0), nodes, 64), 2);
    assert_int_equal(nodes[1].levels, 1);
    assert_int_equal(nodes[1].year, 2025);
    assert_int_equal(sm_ibe_time_cover(at(2024, 2, 1, 0), at(2024, 3, 1, 0), nodes, 64), 1);
    assert_int_equal(nodes[0].levels, 2);
    assert_int_equal(sm_ibe_time_cover(at(2023, 2, 1, 0), at(2023, 3, 1, 0), nodes, 64), 1);
    assert_int_equal(sm_ibe_time_cover(at(2024, 2, 1, 0), at(2024, 2, 29, 0), nodes, 64), 28);
    assert_int_equal(sm_ibe_time_cover(at(2024, 5, 5, 6), at(2024, 5, 5, 13), nodes, 64), 2);
    assert_int_equal(sm_ibe_time_cover(at(2024, 5, 5, 6), at(2024, 5, 5, 13), nodes, 1),
                     SM_ERR_MEMORY);
    assert_int_equal(sm_ibe_time_cover(at(2024, 5, 5, 6), at(2024, 5, 5, 6), nodes, 0), 0);
    assert_int_equal(sm_ibe_time_cover(at(2024, 5, 5, 6), at(2024, 5, 5, 5), nodes, 0), 0);
    assert_int_equal(sm_ibe_time_cover(0, at(10000, 1, 1, 1), nodes, 64), SM_ERR_LIMIT);
    assert_int_equal(sm_ibe_time_cover(at(9999, 1, 1, 0), at(10000, 1, 1, 0), nodes, 64), 1);
}

static void days_that_are_not_are_refused(void **state)
{
    (void)state;
    static const struct sm_ibe_time bad[] = {
        {1, 1969, 0, 0, 0, 0},   {1, 10000, 0, 0, 0, 0},  {2, 2024, 0, 0, 0, 0},
        {2, 2024, 13, 0, 0, 0},  {3, 2024, 4, 31, 0, 0},  {3, 2023, 2, 29, 0, 0},
        {3, 2100, 2, 29, 0, 0},  {3, 2024, 2, 0, 0, 0},   {4, 2024, 2, 29, 4, 0},
        {5, 2024, 2, 29, 3, 24}, {5, 2024, 2, 29, 3, 17}, {6, 2024, 2, 29, 3, 18},
    };
    struct sm_ibe_pattern p = blank();
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(sm_ibe_name_time(&p, &bad[i]), SM_ERR_INVALID);
    struct sm_ibe_time good = {5, 2000, 2, 29, 3, 18};
    assert_int_equal(sm_ibe_name_time(&p, &good), 0);
    expect_kinds(&p, "-----------=====");
    good.levels = 0;
    assert_int_equal(sm_ibe_name_time(&p, &good), 0);
    expect_kinds(&p, "-----------*****");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_fill_their_slots),
        cmocka_unit_test(the_paper_s_three_identities_match_as_it_says),
        cmocka_unit_test(a_name_and_what_lies_below_it_do_not_match),
        cmocka_unit_test(values_are_bound_to_their_slot_and_type),
        cmocka_unit_test(what_is_wrong_with_a_name_is_said_with_its_place),
        cmocka_unit_test(patterns_without_these_slots_are_refused),
        cmocka_unit_test(purposes_are_kept_apart),
        cmocka_unit_test(hours_are_those_of_the_c_library),
        cmocka_unit_test(a_key_ends_with_the_hour_said_and_not_later),
        cmocka_unit_test(every_hour_of_a_cover_is_there_once_and_no_other),
        cmocka_unit_test(covers_are_as_small_as_can_be),
        cmocka_unit_test(days_that_are_not_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
