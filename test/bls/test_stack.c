/* What operations leave on the stack that they no longer have: nothing that depends on their
 * secrets. Each runs with two sets of secrets on a stack that was painted before, and what lies
 * below the caller afterwards must be the same.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "common.h"

enum { DEPTH = 24000, OWN = 512 /* what the functions here use themselves */ };

static struct sm_bls_scalar k[2];
static struct sm_bls_g1 p[2], p_out;
static struct sm_bls_g2 q[2], q_out;
static struct sm_bls_gt e, e_out;
static uint8_t bytes[SM_BLS_GT_SIZE];
static uint8_t left[2][DEPTH];

static void secrets(uint64_t seed)
{
    for (int i = 0; i < 2; i++) {
        k[i] = any_scalar(&seed);
        p[i] = any_g1(&seed);
        q[i] = any_g2(&seed);
    }
    sm_bls_pairing(&e, &p[0], &q[0]);
}

__attribute__((noinline)) static void paint(void)
{
    volatile uint8_t room[DEPTH];
    for (size_t i = 0; i < sizeof room; i++)
        room[i] = 0x5a;
}

__attribute__((noinline)) static void look(uint8_t *to)
{
    const volatile uint8_t *top = __builtin_frame_address(0);
    for (int i = OWN; i < DEPTH; i++)
        to[i] = *(top - i);
}

static void leaves_nothing(void (*operation)(void))
{
#ifdef __OPTIMIZE__
    if (UNDER_SANITIZERS) /* their stacks are not where they seem */
        skip();
#else
    skip(); /* frames are larger than what is overwritten */
#endif
    for (int i = 0; i < 2; i++) {
        secrets(i ? 41 : 43);
        paint();
        operation();
        look(left[i]);
    }
    int touched = 0, different = 0;
    for (int i = OWN; i < DEPTH; i++) {
        touched += left[0][i] != 0x5a;
        different += left[0][i] != left[1][i];
    }
    assert_true(touched > 0);
    assert_int_equal(different, 0);
}

#define LEAVES_NOTHING(name, ...)                                                                  \
    static void name##_operation(void)                                                             \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
    }                                                                                              \
    static void name##_leaves_nothing_of_secrets(void **state)                                     \
    {                                                                                              \
        (void)state;                                                                               \
        leaves_nothing(name##_operation);                                                          \
    }

static const struct sm_bls_g1 *ps[2] = {&p[0], &p[1]};
static const struct sm_bls_g2 *qs[2] = {&q[0], &q[1]};

LEAVES_NOTHING(multiplication_in_g1, sm_bls_g1_mul(&p_out, &p[0], &k[0]))
LEAVES_NOTHING(a_sum_in_g1, sm_bls_g1_sum(&p_out, p, k, 2))
LEAVES_NOTHING(multiplication_in_g2, sm_bls_g2_mul(&q_out, &q[0], &k[0]))
LEAVES_NOTHING(multiplication_of_the_generator, sm_bls_g2_mul_generator(&q_out, &k[0]))
LEAVES_NOTHING(a_power_in_gt, sm_bls_gt_exp(&e_out, &e, &k[0]))
LEAVES_NOTHING(a_product_of_pairings, sm_bls_pairing_product(&e_out, ps, qs, 2))
LEAVES_NOTHING(encoding_of_gt, sm_bls_gt_encode(bytes, &e))
LEAVES_NOTHING(encoding_of_g1, sm_bls_g1_encode(bytes, &p[0]))
LEAVES_NOTHING(encoding_of_g2, sm_bls_g2_encode(bytes, &q[0]))
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(multiplication_in_g1_leaves_nothing_of_secrets),
        cmocka_unit_test(a_sum_in_g1_leaves_nothing_of_secrets),
        cmocka_unit_test(multiplication_in_g2_leaves_nothing_of_secrets),
        cmocka_unit_test(multiplication_of_the_generator_leaves_nothing_of_secrets),
        cmocka_unit_test(a_power_in_gt_leaves_nothing_of_secrets),
        cmocka_unit_test(a_product_of_pairings_leaves_nothing_of_secrets),
        cmocka_unit_test(encoding_of_gt_leaves_nothing_of_secrets),
        cmocka_unit_test(encoding_of_g1_leaves_nothing_of_secrets),
        cmocka_unit_test(encoding_of_g2_leaves_nothing_of_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
