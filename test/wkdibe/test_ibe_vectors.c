/* ../shared/data/wkdibe: a key, a ciphertext and a signature that another prototype of the scheme
 * made with @noble/curves and blst. It names neither its random numbers nor its slots' values, so
 * what is checked are the equations that hold between its points, and that its Z and K are ours,
 * byte for byte.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "ibe_world.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include "bls12_381.h"

static json_t *vectors;

static int load(void **state)
{
    const char *places[] = {getenv("SANDMOTE_TEST_DATA"), SM_SOURCE_DIR "/../shared/data"};
    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof places[0] && !vectors; i++) {
        char path[4096];
        if (!places[i])
            continue;
        snprintf(path, sizeof path, "%s/wkdibe/vectors_wwibe_L4.json", places[i]);
        vectors = json_load_file(path, 0, NULL);
    }
    if (!vectors)
        print_message("skipped: no wkdibe/vectors_wwibe_L4.json (set SANDMOTE_TEST_DATA)\n");
    return 0;
}

static int unload(void **state)
{
    (void)state;
    json_decref(vectors);
    return 0;
}

static size_t bytes_of(const char *name, uint8_t *out)
{
    const char *hex = json_string_value(json_object_get(vectors, name));
    assert_non_null(hex);
    size_t len = strlen(hex) / 2;
    for (size_t i = 0; i < len; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], 0};
        out[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return len;
}

static struct sm_bls_g1 g1_of(const char *name)
{
    uint8_t bytes[SM_BLS_G1_SIZE], again[SM_BLS_G1_SIZE];
    struct sm_bls_g1 p;
    assert_int_equal(bytes_of(name, bytes), sizeof bytes);
    assert_int_equal(sm_bls_g1_decode(&p, bytes, sizeof bytes, SM_BLS_STRICT), 0);
    sm_bls_g1_encode(again, &p);
    assert_memory_equal(again, bytes, sizeof bytes);
    return p;
}

static struct sm_bls_g2 g2_of(const char *name)
{
    uint8_t bytes[SM_BLS_G2_SIZE], again[SM_BLS_G2_SIZE];
    struct sm_bls_g2 p;
    assert_int_equal(bytes_of(name, bytes), sizeof bytes);
    assert_int_equal(sm_bls_g2_decode(&p, bytes, sizeof bytes, SM_BLS_STRICT), 0);
    sm_bls_g2_encode(again, &p);
    assert_memory_equal(again, bytes, sizeof bytes);
    return p;
}

/* Whether e(a, b) = e(c, d). */
static bool same(const struct sm_bls_g1 *a, const struct sm_bls_g2 *b, const struct sm_bls_g1 *c,
                 const struct sm_bls_g2 *d)
{
    struct sm_bls_gt left, right;
    sm_bls_pairing(&left, a, b);
    sm_bls_pairing(&right, c, d);
    return sm_bls_gt_equal(&left, &right);
}

static void assert_same_bytes(const char *name, const struct sm_bls_g1 *a,
                              const struct sm_bls_g2 *b)
{
    uint8_t ours[SM_BLS_GT_SIZE], theirs[SM_BLS_GT_SIZE];
    struct sm_bls_gt e;
    sm_bls_pairing(&e, a, b);
    sm_bls_gt_encode(ours, &e);
    assert_int_equal(bytes_of(name, theirs), sizeof theirs);
    for (unsigned i = 0; i < 12; i++) /* theirs begins with the lowest coefficient */
        assert_memory_equal(ours + 48 * i, theirs + 48 * (11 - i), 48);
}

static void z_is_the_same_bytes(void **state)
{
    (void)state;
    if (!vectors)
        skip();
    struct sm_bls_g1 g2 = g1_of("g2");
    struct sm_bls_g2 g1 = g2_of("g1");
    assert_same_bytes("Z", &g2, &g1);
}

/* K = Z^t = e(msk, t g): what the ciphertext gives to whoever may open it. */
static void what_the_ciphertext_gives_is_the_same_bytes(void **state)
{
    (void)state;
    if (!vectors)
        skip();
    struct sm_bls_g1 msk = g1_of("msk");
    struct sm_bls_g2 b = g2_of("B");
    assert_same_bytes("K", &msk, &b);
}

static void the_key_s_points_belong_together(void **state)
{
    (void)state;
    if (!vectors)
        skip();
    struct sm_bls_g1 g2 = g1_of("g2"), msk = g1_of("msk"), h1 = g1_of("h1"), b1 = g1_of("b1"),
                     hs = g1_of("hs"), bs = g1_of("bs");
    struct sm_bls_g2 g1 = g2_of("g1"), a1 = g2_of("a1"), g;
    sm_bls_g2_generator(&g);
    assert_true(same(&msk, &g, &g2, &g1));
    assert_true(same(&b1, &g, &h1, &a1));
    assert_true(same(&bs, &g, &hs, &a1));
    assert_false(same(&bs, &g, &h1, &a1));
}

static void its_other_points_are_points(void **state)
{
    (void)state;
    if (!vectors)
        skip();
    static const char *const of_g1[] = {"g3", "h0", "a0", "C", "D2", "D3", "s0"};
    for (size_t i = 0; i < sizeof of_g1 / sizeof of_g1[0]; i++)
        g1_of(of_g1[i]);
    g2_of("B");
    g2_of("s1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(z_is_the_same_bytes),
        cmocka_unit_test(what_the_ciphertext_gives_is_the_same_bytes),
        cmocka_unit_test(the_key_s_points_belong_together),
        cmocka_unit_test(its_other_points_are_points),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
