/* Core dumps sealed to a reader: only the reader's key opens them, and nothing of them was changed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <posix/sealed.h>
#include <sandmote/error.h>

/* A core dump of "app" with a note of four bytes, and a secret in its data. */
static const uint8_t dump[] = "\0asm\1\0\0\0"
                              "\0\x0a\4core\0\3app"
                              "\0\x18\x13sandmote.postmortemNOTE"
                              "\x05\3\1\0\1"
                              "\x0b\x0c\1\0\x41\0\x0b\6secret";
enum { DUMP = sizeof dump - 1, NOTE = 4 };

static uint8_t private[SM_SEALED_KEY_SIZE], public[SM_SEALED_KEY_SIZE];
static uint8_t *sealed;
static size_t sealed_len;

static void make_key(uint8_t private_key[32], uint8_t public_key[32])
{
    size_t len = 32, other = 32;
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");

    assert_int_equal(EVP_PKEY_get_raw_private_key(pkey, private_key, &len), 1);
    assert_int_equal(EVP_PKEY_get_raw_public_key(pkey, public_key, &other), 1);
    EVP_PKEY_free(pkey);
}

static int setup(void **state)
{
    (void)state;
    make_key(private, public);
    return sm_sealed_make(dump, DUMP, public, &sealed, &sealed_len);
}

static int teardown(void **state)
{
    (void)state;
    free(sealed);
    return 0;
}

/* What opening these bytes gives: the error of whoever refuses. */
static int opened(const uint8_t *bytes, size_t len, const uint8_t key[32], uint8_t **out,
                  size_t *out_len)
{
    struct sm_core core;
    int err = sm_core_open(&core, bytes, len);

    *out = NULL;
    return err ? err : sm_sealed_open(&core, key, out, out_len);
}

static void the_reader_gets_the_dump_back(void **state)
{
    uint8_t *out;
    size_t len;

    (void)state;
    assert_int_equal(opened(sealed, sealed_len, private, &out, &len), 0);
    assert_int_equal(len, DUMP);
    assert_memory_equal(out, dump, DUMP);
    free(out);
    assert_true(sealed_len <= DUMP + SM_SEALED_MORE);
}

static void name_and_note_are_for_everybody_and_nothing_else_is(void **state)
{
    struct sm_core core;

    (void)state;
    assert_int_equal(sm_core_open(&core, sealed, sealed_len), 0);
    assert_int_equal(core.name.len, 3);
    assert_memory_equal(core.name.bytes, "app", 3);
    assert_int_equal(core.note_len, NOTE);
    assert_memory_equal(core.note, "NOTE", NOTE);
    assert_int_equal(core.memory_bytes, 0);
    assert_int_equal(core.data_bytes, 0);
    for (size_t i = 0; i + 6 <= sealed_len; i++)
        assert_memory_not_equal(sealed + i, "secret", 6);
}

static void another_key_does_not_open_it(void **state)
{
    uint8_t other[32], unused[32], *out;
    size_t len;

    (void)state;
    make_key(other, unused);
    assert_int_equal(opened(sealed, sealed_len, other, &out, &len), SM_ERR_KEY);
    assert_null(out);
}

static void each_changed_byte_of_what_is_sealed_or_of_the_note_is_noticed(void **state)
{
    struct sm_core core;
    uint8_t *out, *bytes = malloc(sealed_len);
    size_t len;

    (void)state;
    assert_int_equal(sm_core_open(&core, sealed, sealed_len), 0);
    size_t note = (size_t)(core.note - sealed), from = (size_t)(core.sealed - sealed);
    for (size_t i = 0; i < sealed_len; i++) {
        bool bound = (i >= note && i < note + NOTE) || i >= from;
        memcpy(bytes, sealed, sealed_len);
        bytes[i] ^= 1;
        if (bound)
            assert_int_equal(opened(bytes, sealed_len, private, &out, &len), SM_ERR_KEY);
        else if (opened(bytes, sealed_len, private, &out, &len) == 0)
            assert_memory_equal(out, dump, DUMP);
        free(bound ? NULL : out);
    }
    free(bytes);
}

static void one_that_is_cut_short_anywhere_does_not_open(void **state)
{
    uint8_t *out;
    size_t len;

    (void)state;
    for (size_t i = 0; i < sealed_len; i++)
        assert_int_not_equal(opened(sealed, i, private, &out, &len), 0);
}

static void each_sealing_is_another(void **state)
{
    uint8_t *again;
    size_t len;

    (void)state;
    assert_int_equal(sm_sealed_make(dump, DUMP, public, &again, &len), 0);
    assert_int_equal(len, sealed_len);
    assert_memory_not_equal(again + len - DUMP, sealed + len - DUMP, DUMP);
    free(again);
}

static void nothing_is_sealed_to_a_key_that_everybody_shares(void **state)
{
    static const uint8_t zeros[32];
    uint8_t *out;
    size_t len;

    (void)state;
    assert_int_equal(sm_sealed_make(dump, DUMP, zeros, &out, &len), SM_ERR_KEY);
    assert_null(out);
}

static void what_is_no_dump_with_a_note_is_not_sealed(void **state)
{
    uint8_t *out;
    size_t len;

    (void)state;
    assert_int_equal(sm_sealed_make(dump, 8, public, &out, &len), SM_ERR_ARG);
    assert_int_equal(opened(dump, DUMP, private, &out, &len), SM_ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reader_gets_the_dump_back),
        cmocka_unit_test(name_and_note_are_for_everybody_and_nothing_else_is),
        cmocka_unit_test(another_key_does_not_open_it),
        cmocka_unit_test(each_changed_byte_of_what_is_sealed_or_of_the_note_is_noticed),
        cmocka_unit_test(one_that_is_cut_short_anywhere_does_not_open),
        cmocka_unit_test(each_sealing_is_another),
        cmocka_unit_test(nothing_is_sealed_to_a_key_that_everybody_shares),
        cmocka_unit_test(what_is_no_dump_with_a_note_is_not_sealed),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
