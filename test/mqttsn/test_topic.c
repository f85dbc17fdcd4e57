/* Topic names and filters. SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sandmote/mqttsn.h>

#define TEXT(s) (const uint8_t *)(s), sizeof(s) - 1

static void text_that_a_broker_would_not_take_is_no_name(void **state)
{
    (void)state;
    assert_true(sm_mqttsn_name_valid(TEXT("a/b c/\xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\xb1")));
    assert_true(sm_mqttsn_name_valid(TEXT("/")));
    assert_false(sm_mqttsn_name_valid(TEXT("")));
    assert_false(sm_mqttsn_name_valid(TEXT("a\0b")));
    assert_false(sm_mqttsn_name_valid(TEXT("a/+")));
    assert_false(sm_mqttsn_name_valid(TEXT("a#")));
    assert_false(sm_mqttsn_name_valid(TEXT("\xc0\x80")));         /* not the shortest form */
    assert_false(sm_mqttsn_name_valid(TEXT("\xe0\x9f\xbf")));     /* nor this */
    assert_false(sm_mqttsn_name_valid(TEXT("\xed\xa0\x80")));     /* a surrogate */
    assert_false(sm_mqttsn_name_valid(TEXT("\xf4\x90\x80\x80"))); /* above U+10FFFF */
    assert_false(sm_mqttsn_name_valid(TEXT("a\xc3")));            /* cut off */
    assert_false(sm_mqttsn_name_valid(TEXT("\xe2\x82"
                                           "a")));
    assert_false(sm_mqttsn_name_valid(TEXT("\xff")));
}

static void wildcards_are_whole_levels(void **state)
{
    (void)state;
    static const char *const good[] = {"#", "+", "a/#", "+/a/+", "a//#", "/", "+/+/#", "a"};
    static const char *const bad[] = {"", "a#", "#/a", "a/#/b", "a+", "+a", "a/+b/c", "##", "++"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(sm_mqttsn_filter_valid((const uint8_t *)good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(sm_mqttsn_filter_valid((const uint8_t *)bad[i], strlen(bad[i])));
}

static bool matches(const char *filter, const char *name)
{
    return sm_mqttsn_filter_matches((const uint8_t *)filter, strlen(filter), (const uint8_t *)name,
                                    strlen(name));
}

static void filters_match_as_mqtt_says(void **state)
{
    (void)state;
    static const char *const yes[][2] = {
        {"a/b", "a/b"},       {"#", "a/b"},  {"a/#", "a"},     {"a/#", "a/b/c"},  {"a/+", "a/b"},
        {"+/+", "/a"},        {"/+", "/a"},  {"+/b/#", "a/b"}, {"a/+/c", "a//c"}, {"+", "a"},
        {"$SYS/#", "$SYS/x"}, {"a/+", "a/"}, {"#", "/"}};
    static const char *const no[][2] = {
        {"a/b", "a/c"},   {"a/b", "a"},  {"a", "a/b"},     {"+", "a/b"},    {"+", "/a"},
        {"a/+", "a"},     {"a/#", "ab"}, {"a/+/c", "a/c"}, {"#", "$SYS/x"}, {"+/x", "$SYS/x"},
        {"a/+", "a/b/c"}, {"ab", "a"},   {"a/b/#", "a"}};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        assert_true(matches(yes[i][0], yes[i][1]));
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        assert_false(matches(no[i][0], no[i][1]));
}

enum { TEXTS = 156, WIDTH = 8 }; /* 5 + 25 + 125 texts of one to three levels, and the empty one */

/* All texts of up to three of these levels. */
static unsigned all_texts(char text[TEXTS][WIDTH])
{
    static const char *const level[] = {"a", "b", "+", "#", "$"};
    unsigned from = 0, end = 1, n = 1;
    text[0][0] = 0;
    for (unsigned depth = 0; depth < 3; depth++, from = end, end = n)
        for (unsigned i = from; i < end; i++)
            for (unsigned k = 0; k < 5; k++)
                snprintf(text[n++], WIDTH, "%s%s%s", text[i], i ? "/" : "", level[k]);
    return n;
}

static bool covers(const char *filter, const char *wanted)
{
    return sm_mqttsn_filter_covers((const uint8_t *)filter, strlen(filter), (const uint8_t *)wanted,
                                   strlen(wanted));
}

/* Whether each name that wanted matches is one that filter matches. */
static bool is_all(char text[TEXTS][WIDTH], const char *filter, const char *wanted)
{
    for (unsigned i = 1; i < TEXTS; i++)
        if (sm_mqttsn_name_valid((const uint8_t *)text[i], strlen(text[i])) &&
            matches(wanted, text[i]) && !matches(filter, text[i]))
            return false;
    return true;
}

static void a_filter_covers_only_what_it_matches(void **state)
{
    char text[TEXTS][WIDTH];
    unsigned covered = 0;
    (void)state;
    assert_int_equal(all_texts(text), TEXTS);
    for (unsigned f = 1; f < TEXTS; f++)
        for (unsigned w = 1; w < TEXTS; w++) {
            bool valid = sm_mqttsn_filter_valid((const uint8_t *)text[f], strlen(text[f])) &&
                         sm_mqttsn_filter_valid((const uint8_t *)text[w], strlen(text[w]));
            if (!valid || !covers(text[f], text[w]))
                continue;
            covered++;
            if (!is_all(text, text[f], text[w]))
                fail_msg("%s does not cover %s", text[f], text[w]);
        }
    assert_true(covered > 500);
    assert_true(covers("a/#", "a/+/b") && covers("a/#", "a/#") && covers("#", "+/b"));
    assert_true(covers("a/#", "a") && covers("+/+", "a/+") && covers("$/#", "$/a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_filter_covers_only_what_it_matches),
        cmocka_unit_test(text_that_a_broker_would_not_take_is_no_name),
        cmocka_unit_test(wildcards_are_whole_levels),
        cmocka_unit_test(filters_match_as_mqtt_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
