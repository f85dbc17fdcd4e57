/* Statements of what is current: their only encoding, and who may make them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <posix/keys.h>
#include <sandmote/statement.h>
#include "hex.h"

/* Made with another encoder and another Ed25519: npm's cbor 10.0.12 (encodeCanonical) and Node's
 * crypto.sign, with the first private key of RFC 8032, 7.1. */
static const uint8_t vector_key[32] = {
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
    0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a};
static const char vector_object[] =
    "d284582ba201271078256170706c69636174696f6e2f766e642e73616e646d6f74652e63757272656e742b636f73"
    "65a0584aa801010267706c616e742d370366737461626c65041a6553f100051a6555428006030782826470756d70"
    "0c826a746865726d6f7374617407085000112233445566778899aabbccddeeff58402c34f5910d4e49b8fa67901e"
    "6258b9acf5ccae4a82f2fd1a7fc70fe0ad0a2ea62025e1decc0bb98741209a1d67e50e802b2c6c3aab34cb277135"
    "2e4ee0246306";

struct bytes {
    uint8_t at[SM_STATEMENT_MAX];
    size_t len;
};

static struct {
    struct sm_keys_private server, signer, stranger;
    struct sm_trust_key room[4];
    struct sm_trust trust;
    struct sm_statement_plan plan;
    struct sm_manifest_detail why;
    uint8_t work[SM_STATEMENT_MAX + SM_STATEMENT_OVERHEAD];
} fx;

static struct bytes from_hex(const char *hex)
{
    struct bytes b;
    b.len = hex_decode(hex, b.at);
    return b;
}

static struct bytes signed_by(const struct sm_keys_private *key)
{
    struct bytes b;
    struct sm_keys_why why;
    uint8_t sig[64];
    int n = sm_statement_to_sign(&fx.plan, b.at, sizeof b.at);
    assert_true(n > 0);
    assert_int_equal(sm_keys_sign(key, b.at, (size_t)n, sig, &why), 0);
    n = sm_statement_encode(&fx.plan, sig, b.at, sizeof b.at);
    assert_true(n > 0);
    b.len = (size_t)n;
    return b;
}

static int verify(const uint8_t *at, size_t len, struct sm_statement *st)
{
    memset(&fx.why, 0, sizeof fx.why);
    return sm_trust_verify_statement(&fx.trust, at, len, "plant-7", st, fx.work, sizeof fx.work,
                                     &fx.why);
}

static void expect(int err, const char *rule, const struct bytes *b)
{
    struct sm_statement st;
    assert_int_equal(verify(b->at, b->len, &st), err);
    assert_string_equal(fx.why.rule, rule);
}

/* The server's key in the store, and a statement of two modules. */
static int fresh(void **state)
{
    (void)state;
    sm_trust_init(&fx.trust, fx.room, 4);
    assert_int_equal(sm_trust_add(&fx.trust, SM_ROLE_SERVER, "plant-7", fx.server.public_key), 0);
    assert_int_equal(sm_trust_add(&fx.trust, SM_ROLE_SIGNER, "plant-7", fx.signer.public_key), 0);
    memset(&fx.plan, 0, sizeof fx.plan);
    strcpy(fx.plan.fleet, "plant-7");
    strcpy(fx.plan.channel, "stable");
    fx.plan.issued_s = 1700000000;
    fx.plan.expires_s = 1700086400;
    fx.plan.keys_version = 3;
    fx.plan.nmodules = 2;
    fx.plan.answers = true;
    for (unsigned i = 0; i < SM_STATEMENT_NONCE; i++)
        fx.plan.nonce[i] = (uint8_t)(0x11 * i);
    strcpy(fx.plan.module[0].name, "pump");
    fx.plan.module[0].sequence = 12;
    strcpy(fx.plan.module[1].name, "thermostat");
    fx.plan.module[1].sequence = 7;
    return 0;
}

static int make_keys(void **state)
{
    struct sm_keys_why why;
    (void)state;
    return sm_keys_generate(&fx.server, &why) || sm_keys_generate(&fx.signer, &why) ||
           sm_keys_generate(&fx.stranger, &why);
}

static int drop_keys(void **state)
{
    (void)state;
    sm_keys_free(&fx.server);
    sm_keys_free(&fx.signer);
    sm_keys_free(&fx.stranger);
    return 0;
}

static void a_statement_of_another_encoder_is_read_and_encoded_alike(void **state)
{
    struct bytes b = from_hex(vector_object);
    struct sm_statement st;
    uint8_t again[SM_STATEMENT_MAX];
    uint64_t sequence = 0;
    (void)state;
    assert_int_equal(sm_trust_add(&fx.trust, SM_ROLE_SERVER, "plant-7", vector_key), 0);
    assert_int_equal(verify(b.at, b.len, &st), 0);
    assert_string_equal(st.fleet, "plant-7");
    assert_string_equal(st.channel, "stable");
    assert_int_equal(st.issued_s, 1700000000);
    assert_int_equal(st.expires_s, 1700086400);
    assert_int_equal(st.keys_version, 3);
    assert_int_equal(st.nonce[15], 0xff);
    assert_int_equal(sm_statement_sequence(&st, "pump", &sequence), 0);
    assert_int_equal(sequence, 12);
    assert_int_equal(sm_statement_sequence(&st, "thermostat", &sequence), 0);
    assert_int_equal(sequence, 7);
    assert_int_equal(sm_statement_sequence(&st, "pum", &sequence), SM_ERR_NOT_FOUND);
    int n = sm_statement_encode(&fx.plan, b.at + b.len - 64, again, sizeof again);
    assert_int_equal(n, b.len);
    assert_memory_equal(again, b.at, b.len);
}

static void every_byte_and_every_length_counts(void **state)
{
    struct bytes b = from_hex(vector_object);
    struct sm_statement st;
    (void)state;
    assert_int_equal(sm_trust_add(&fx.trust, SM_ROLE_SERVER, "plant-7", vector_key), 0);
    for (size_t i = 0; i < 8 * b.len; i++) {
        b.at[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_int_not_equal(verify(b.at, b.len, &st), 0);
        b.at[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t len = 0; len < b.len; len++) {
        uint8_t *copy = malloc(len ? len : 1); /* exact: the sanitizer sees a read beyond it */
        assert_non_null(copy);
        memcpy(copy, b.at, len);
        assert_int_not_equal(verify(copy, len, &st), 0);
        free(copy);
    }
    b.at[b.len] = 0;
    assert_int_not_equal(verify(b.at, b.len + 1, &st), 0);
    assert_int_equal(verify(b.at, b.len, &st), 0);
}

static void only_a_servers_key_of_the_fleet_states_anything(void **state)
{
    struct bytes by_server = signed_by(&fx.server), by_signer = signed_by(&fx.signer),
                 by_stranger = signed_by(&fx.stranger);
    struct sm_statement st;
    (void)state;
    assert_int_equal(verify(by_server.at, by_server.len, &st), 0);
    expect(SM_ERR_KEY, "the key that signed has a role that states nothing", &by_signer);
    expect(SM_ERR_SIGNATURE, "no trusted key made this signature over this statement",
           &by_stranger);
    strcpy(fx.plan.fleet, "plant-8");
    struct bytes elsewhere = signed_by(&fx.server);
    expect(SM_ERR_DENIED, "about another fleet", &elsewhere);
    assert_int_equal(sm_trust_verify_statement(&fx.trust, elsewhere.at, elsewhere.len, "plant-8",
                                               &st, fx.work, sizeof fx.work, NULL),
                     SM_ERR_KEY);
    assert_int_equal(sm_trust_verify_statement(&fx.trust, by_server.at, by_server.len, "plant-7",
                                               &st, fx.work, 100, NULL),
                     SM_ERR_MEMORY);
}

static void an_authentic_statement_still_keeps_the_rules(void **state)
{
    (void)state;
    struct bytes b;
    fx.plan.expires_s = fx.plan.issued_s;
    b = signed_by(&fx.server);
    expect(SM_ERR_INVALID, "a number is out of its range", &b);
    fresh(NULL);
    strcpy(fx.plan.module[1].name, "pump");
    b = signed_by(&fx.server);
    expect(SM_ERR_INVALID, "the items of a list must ascend", &b);
    fresh(NULL);
    strcpy(fx.plan.module[0].name, "Pump");
    b = signed_by(&fx.server);
    expect(SM_ERR_INVALID, "not a name", &b);
    fresh(NULL);
    fx.plan.channel[0] = 0;
    b = signed_by(&fx.server);
    expect(SM_ERR_INVALID, "a text is empty or too long", &b);
    fresh(NULL);
    fx.plan.answers = false;
    struct sm_statement st;
    b = signed_by(&fx.server);
    assert_int_equal(verify(b.at, b.len, &st), 0);
    assert_null(st.nonce);
}

static void a_full_statement_fits(void **state)
{
    struct sm_statement st;
    uint64_t sequence;
    (void)state;
    memset(fx.plan.channel, 'c', SM_STATEMENT_CHANNEL);
    fx.plan.nmodules = SM_STATEMENT_MODULES;
    for (unsigned i = 0; i < SM_STATEMENT_MODULES; i++) {
        snprintf(fx.plan.module[i].name, sizeof fx.plan.module[i].name, "%032u", i);
        fx.plan.module[i].sequence = INT64_MAX;
    }
    struct bytes b = signed_by(&fx.server);
    assert_int_equal(verify(b.at, b.len, &st), 0);
    assert_int_equal(sm_statement_sequence(&st, fx.plan.module[31].name, &sequence), 0);
    assert_true(sequence == INT64_MAX);
    printf("  the largest statement has %zu bytes\n", b.len);
}

#define T(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_statement_of_another_encoder_is_read_and_encoded_alike),
        T(every_byte_and_every_length_counts),
        T(only_a_servers_key_of_the_fleet_states_anything),
        T(an_authentic_statement_still_keeps_the_rules),
        T(a_full_statement_fits),
    };
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
