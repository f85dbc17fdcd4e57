/* For valgrind's memcheck: secrets are marked as undefined, so that it reports every branch and
 * every address that depends on one. What comes out is marked as defined before anybody looks at
 * it: the public results, which are here the error of sm_bls_scalar_decode, and the bools the bytes
 * and points that were computed With an argument, a branch on a secret is made, to see it reported.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>
#include "bls12_381.h"

#define SECRET(object) VALGRIND_MAKE_MEM_UNDEFINED(&(object), sizeof(object))
#define PUBLIC(object) VALGRIND_MAKE_MEM_DEFINED(&(object), sizeof(object))

static unsigned sum; /* of everything, so that nothing is left out */

static void publish(void *object, size_t len)
{
    VALGRIND_MAKE_MEM_DEFINED(object, len);
    for (size_t i = 0; i < len; i++)
        sum += ((uint8_t *)object)[i];
}

static void scalars(struct sm_bls_scalar k[2])
{
    uint8_t wide[64], bytes[32];
    memset(wide, 0x5a, sizeof wide);
    SECRET(wide);
    sm_bls_scalar_reduce(&k[0], wide, sizeof wide);
    int err = sm_bls_hash_to_scalar(&k[1], wide, sizeof wide, "tag", 3);
    publish(&err, sizeof err);
    sm_bls_scalar_inv(&k[1], &k[1]);
    sm_bls_scalar_mul(&k[1], &k[0], &k[1]);
    sm_bls_scalar_add(&k[0], &k[0], &k[1]);
    sm_bls_scalar_sub(&k[0], &k[0], &k[1]);
    sm_bls_scalar_neg(&k[1], &k[1]);
    bool zero = sm_bls_scalar_is_zero(&k[0]), equal = sm_bls_scalar_equal(&k[0], &k[1]);
    sm_bls_scalar_encode(bytes, &k[0]);
    err = sm_bls_scalar_decode(&k[0], bytes);
    publish(&zero, sizeof zero);
    publish(&equal, sizeof equal);
    publish(&err, sizeof err);
}

static void points(struct sm_bls_g1 p[2], struct sm_bls_g2 q[2], struct sm_bls_scalar k[2])
{
    uint8_t bytes[SM_BLS_G2_UNCOMPRESSED];
    struct sm_bls_g1 t;
    int err = sm_bls_hash_to_g1(&p[0], k, sizeof *k, "tag", 3);
    publish(&err, sizeof err);
    sm_bls_g1_mul(&p[1], &p[0], &k[0]);
    sm_bls_g1_sum(&t, p, k, 2);
    sm_bls_g1_double(&t, &t);
    sm_bls_g1_sub(&p[1], &p[1], &t);
    sm_bls_g2_mul_generator(&q[0], &k[0]);
    sm_bls_g2_mul(&q[1], &q[0], &k[1]);
    sm_bls_g2_sub(&q[1], &q[1], &q[0]);
    sm_bls_g1_encode(bytes, &p[1]);
    publish(bytes, SM_BLS_G1_SIZE);
    sm_bls_g1_encode_uncompressed(bytes, &p[1]);
    publish(bytes, SM_BLS_G1_UNCOMPRESSED);
    sm_bls_g2_encode(bytes, &q[1]);
    publish(bytes, SM_BLS_G2_SIZE);
    sm_bls_g2_encode_uncompressed(bytes, &q[1]);
    publish(bytes, SM_BLS_G2_UNCOMPRESSED);
    bool same = sm_bls_g1_equal(&p[0], &p[1]), infinite = sm_bls_g2_is_infinity(&q[0]);
    bool member1 = sm_bls_g1_in_group(&p[0]), member2 = sm_bls_g2_in_group(&q[0]);
    publish(&same, sizeof same);
    publish(&infinite, sizeof infinite);
    publish(&member1, sizeof member1);
    publish(&member2, sizeof member2);
}

static void pairings(const struct sm_bls_g1 p[2], const struct sm_bls_g2 q[2],
                     const struct sm_bls_scalar *k)
{
    const struct sm_bls_g1 *ps[2] = {&p[0], &p[1]};
    const struct sm_bls_g2 *qs[2] = {&q[0], &q[1]};
    struct sm_bls_gt e, f;
    uint8_t bytes[SM_BLS_GT_SIZE];
    sm_bls_pairing_product(&e, ps, qs, 2);
    sm_bls_gt_exp(&f, &e, k);
    sm_bls_gt_inv(&e, &e);
    sm_bls_gt_mul(&f, &f, &e);
    bool one = sm_bls_gt_is_one(&f);
    publish(&one, sizeof one);
    sm_bls_gt_encode(bytes, &f);
    publish(bytes, sizeof bytes);
}

int main(int argc, char **argv)
{
    struct sm_bls_scalar k[2];
    struct sm_bls_g1 p[2];
    struct sm_bls_g2 q[2];
    (void)argv;
    scalars(k);
    if (argc > 1 && (k[0].w[0] & 1))
        puts("odd");
    points(p, q, k);
    pairings(p, q, k);
    if (VALGRIND_COUNT_ERRORS)
        return 1;
    printf("%u\n", sum);
    return RUNNING_ON_VALGRIND ? 0 : 2;
}
