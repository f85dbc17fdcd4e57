/* Frames on serial lines. SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sandmote/mqttsn_frame.h>

static size_t deframe(struct sm_mqttsn_deframer *d, const uint8_t *bytes, size_t len,
                      unsigned *messages)
{
    size_t used, last = 0;
    *messages = 0;
    for (size_t at = 0; at < len; at += used) {
        size_t n = sm_mqttsn_deframe(d, bytes + at, len - at, &used, 0);
        if (n) {
            last = n;
            ++*messages;
        }
    }
    return last;
}

static void the_checksum_is_that_of_x25(void **state)
{
    (void)state;
    assert_int_equal(sm_mqttsn_crc((const uint8_t *)"123456789", 9), 0x906e);
}

static void a_frame_has_zeros_only_at_its_ends(void **state)
{
    (void)state;
    static const uint8_t message[] = {4, 0x0f, 0, 5}; /* PUBREC 5 */
    uint8_t out[16];
    int n = sm_mqttsn_frame(message, sizeof message, out, sizeof out);
    assert_int_equal(n, 9);
    assert_memory_equal(out, "\0\3\4\x0f\4\5\x58\x93", 9); /* as in SPEC.md */
    assert_int_equal(sm_mqttsn_frame(message, sizeof message, out, 8), SM_ERR_MEMORY);
}

static void messages_of_every_length_come_through(void **state)
{
    (void)state;
    static uint8_t message[1300], out[1400], buffer[1400];
    for (unsigned kind = 0; kind < 3; kind++)
        for (size_t len = 2; len <= sizeof message; len++) {
            struct sm_mqttsn_deframer d;
            unsigned messages;
            for (size_t i = 0; i < len; i++)
                message[i] = (uint8_t)(kind == 0 ? 0 : kind == 1 ? 0xff : i * 7 + len);
            sm_mqttsn_deframer_init(&d, false, buffer, SM_MQTTSN_FRAME_SIZE(len));
            int n = sm_mqttsn_frame(message, len, out, sizeof out);
            assert_true(n > 0 && (size_t)n <= SM_MQTTSN_FRAME_SIZE(len));
            assert_null(memchr(out + 1, 0, (size_t)n - 2));
            assert_int_equal(deframe(&d, out, (size_t)n, &messages), len);
            assert_int_equal(messages, 1);
            assert_memory_equal(buffer, message, len);
        }
}

static void damage_of_any_octet_costs_that_frame_and_no_other(void **state)
{
    (void)state;
    static const uint8_t message[] = {9, 0x0c, 0, 0, 7, 0, 0, 'h', 'i'};
    uint8_t two[64], buffer[32];
    int n = sm_mqttsn_frame(message, sizeof message, two, sizeof two);
    memcpy(two + n, two, (size_t)n);
    for (int at = 1; at < n - 1; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            struct sm_mqttsn_deframer d;
            unsigned messages;
            sm_mqttsn_deframer_init(&d, false, buffer, sizeof buffer);
            two[at] ^= (uint8_t)(1u << bit);
            assert_int_equal(deframe(&d, two, (size_t)(2 * n), &messages), sizeof message);
            assert_int_equal(messages, 1);
            assert_true(d.damaged > 0);
            two[at] ^= (uint8_t)(1u << bit);
        }
}

static void noise_and_frames_too_long_are_skipped(void **state)
{
    (void)state;
    static const uint8_t message[] = {2, 0x17};
    uint8_t line[512], buffer[16];
    struct sm_mqttsn_deframer d;
    unsigned messages;
    sm_mqttsn_deframer_init(&d, false, buffer, sizeof buffer);
    memset(line, 0x55, 300);
    int n = sm_mqttsn_frame(message, sizeof message, line + 300, sizeof line - 300);
    assert_int_equal(deframe(&d, line, 300 + (size_t)n, &messages), 2);
    assert_int_equal(messages, 1);
    assert_int_equal(d.damaged, 1);
}

static void raw_messages_tell_their_length_and_noise_ends_with_silence(void **state)
{
    (void)state;
    static const uint8_t three[] = {2, 0x17, 1, 0, 4, 0x16, 2, 0x18};
    uint8_t buffer[16];
    struct sm_mqttsn_deframer d;
    unsigned messages;
    size_t used;
    sm_mqttsn_deframer_init(&d, true, buffer, sizeof buffer);
    assert_int_equal(deframe(&d, three, sizeof three, &messages), 2);
    assert_int_equal(messages, 3);
    /* An octet of noise, read as a length, swallows what follows until the line is silent. */
    assert_int_equal(sm_mqttsn_deframe(&d, (const uint8_t *)"\x9", 1, &used, 50), 0);
    assert_int_equal(sm_mqttsn_deframe(&d, three, 2, &used, 60), 0);
    assert_int_equal(sm_mqttsn_deframe(&d, three, 2, &used, 160), 2);
    assert_int_equal(d.damaged, 1);
    assert_int_equal(sm_mqttsn_deframe(&d, (const uint8_t *)"\0", 1, &used, 300), 0);
    assert_int_equal(sm_mqttsn_deframe(&d, three, 2, &used, 301), 0);
    assert_int_equal(sm_mqttsn_deframe(&d, three, 2, &used, 401), 2);
    /* Longer than the buffer. */
    assert_int_equal(sm_mqttsn_deframe(&d, (const uint8_t *)"\x11", 1, &used, 402), 0);
    assert_int_equal(d.damaged, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_checksum_is_that_of_x25),
        cmocka_unit_test(a_frame_has_zeros_only_at_its_ends),
        cmocka_unit_test(messages_of_every_length_come_through),
        cmocka_unit_test(damage_of_any_octet_costs_that_frame_and_no_other),
        cmocka_unit_test(noise_and_frames_too_long_are_skipped),
        cmocka_unit_test(raw_messages_tell_their_length_and_noise_ends_with_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
