/* BLS12-381 for the scheme above it: scalars, G1, G2, GT, the pairing, hashing to G1, encodings.
 *
 * Internal to this library; nothing is allocated, nothing kept. Structs are declared for their size
 * and copied by assignment; their fields are private. An output may be one of the inputs unless
 * stated. Every function executes the same instructions on the same addresses for all values of its
 * scalars, points, GT elements and messages (of a length), except those named _public and the
 * decoders of points, whose input is public: memcheck holds this for the host (test/bls/taint.c), a
 * trace for the Cortex-M4 (test/firmware/trace). What a function found (a bool, an error) is a
 * public result. Secrets of the caller are the caller's to wipe (sm_wipe); every function here
 * wipes its scalars and tables. Sums and products on the way stay on the stack below: callers
 * clear that when they are through (sm_wkdibe_burn).
 *
 * C stack on a Cortex-M4 is at most SM_BLS_STACK bytes, callees included; `./dev bench --wkdibe`
 * prints it for each operation.
 *
 * Sources: draft-irtf-cfrg-pairing-friendly-curves (curve), the ZCash encoding of points as in its
 * appendix C, RFC 9380 (hashing).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_BLS12_381_H
#define SM_BLS12_381_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sandmote/error.h>

#define SM_BLS_STACK 12288u

#define SM_BLS_SCALAR_SIZE     32u
#define SM_BLS_G1_SIZE         48u /* compressed */
#define SM_BLS_G1_UNCOMPRESSED 96u
#define SM_BLS_G2_SIZE         96u
#define SM_BLS_G2_UNCOMPRESSED 192u
#define SM_BLS_GT_SIZE         576u
#define SM_BLS_DST_MAX         255u /* bytes of a domain separation tag */
#define SM_BLS_PAIRS_MAX       4u   /* pairs in one product */

/* Limbs of 56 bits in 64, or of 28 bits in 32: both have the same values, and the same bytes come
 * out. SM_BLS_LIMB_BITS may be set for the whole build; 64 needs a compiler with __int128. */
#ifndef SM_BLS_LIMB_BITS
#ifdef __SIZEOF_INT128__
#define SM_BLS_LIMB_BITS 64
#else
#define SM_BLS_LIMB_BITS 32
#endif
#endif
#if SM_BLS_LIMB_BITS == 64
#define SM_BLS_LIMBS 7
typedef int64_t sm_bls_limb;
#elif SM_BLS_LIMB_BITS == 32
#define SM_BLS_LIMBS 14
typedef int32_t sm_bls_limb;
#else
#error "SM_BLS_LIMB_BITS must be 64 or 32"
#endif

struct sm_bls_fp {
    sm_bls_limb v[SM_BLS_LIMBS];
};
struct sm_bls_fp2 { /* c0 + c1 u, u^2 = -1 */
    struct sm_bls_fp c0, c1;
};

/* A number mod r, the order of the groups; always below r. */
struct sm_bls_scalar {
    uint32_t w[8];
};
/* A point of the subgroup of order r. Only the decoders can be asked to take others. */
struct sm_bls_g1 {
    struct sm_bls_fp x, y, z;
};
struct sm_bls_g2 {
    struct sm_bls_fp2 x, y, z;
};
/* A value of the pairing: coefficients of 1, w .. w^5, w^6 = 1 + u. */
struct sm_bls_gt {
    struct sm_bls_fp2 g[6];
};

/* ---- Scalars ------------------------------------------------------------------------------------
 */

void sm_bls_scalar_set(struct sm_bls_scalar *s, uint32_t value);
/* len bytes, at most 64, as a big-endian number, mod r. 48 uniform bytes or more give a scalar that
 * nobody can tell from a uniform one. */
void sm_bls_scalar_reduce(struct sm_bls_scalar *s, const uint8_t *in, size_t len);
/* 32 bytes, big-endian.
 *
 * 0, or SM_ERR_INVALID: not below r; s is 0 */
int sm_bls_scalar_decode(struct sm_bls_scalar *s, const uint8_t in[SM_BLS_SCALAR_SIZE])
    __attribute__((warn_unused_result));
void sm_bls_scalar_encode(uint8_t out[SM_BLS_SCALAR_SIZE], const struct sm_bls_scalar *s);
void sm_bls_scalar_add(struct sm_bls_scalar *s, const struct sm_bls_scalar *a,
                       const struct sm_bls_scalar *b);
void sm_bls_scalar_sub(struct sm_bls_scalar *s, const struct sm_bls_scalar *a,
                       const struct sm_bls_scalar *b);
void sm_bls_scalar_neg(struct sm_bls_scalar *s, const struct sm_bls_scalar *a);
void sm_bls_scalar_mul(struct sm_bls_scalar *s, const struct sm_bls_scalar *a,
                       const struct sm_bls_scalar *b);
/* 1/a; 0 for 0. */
void sm_bls_scalar_inv(struct sm_bls_scalar *s, const struct sm_bls_scalar *a);
bool sm_bls_scalar_is_zero(const struct sm_bls_scalar *s);
bool sm_bls_scalar_equal(const struct sm_bls_scalar *a, const struct sm_bls_scalar *b);

/* ---- G1 and G2 ----------------------------------------------------------------------------------
 */

/* What a decoder lets pass besides a point of the group other than infinity. */
enum sm_bls_decode {
    SM_BLS_STRICT = 0,
    SM_BLS_INFINITY_OK = 1, /* infinity is a value here */
    SM_BLS_TRUSTED = 2,     /* bytes that we made and kept ourselves: subgroup not checked */
};

void sm_bls_g1_generator(struct sm_bls_g1 *p);
void sm_bls_g1_infinity(struct sm_bls_g1 *p);
void sm_bls_g1_add(struct sm_bls_g1 *sum, const struct sm_bls_g1 *a, const struct sm_bls_g1 *b);
void sm_bls_g1_sub(struct sm_bls_g1 *difference, const struct sm_bls_g1 *a,
                   const struct sm_bls_g1 *b);
void sm_bls_g1_double(struct sm_bls_g1 *sum, const struct sm_bls_g1 *a);
void sm_bls_g1_neg(struct sm_bls_g1 *p, const struct sm_bls_g1 *a);
/* k a; k and a may be secret. */
void sm_bls_g1_mul(struct sm_bls_g1 *p, const struct sm_bls_g1 *a, const struct sm_bls_scalar *k);
/* The same, faster, in time that depends on k. */
void sm_bls_g1_mul_public(struct sm_bls_g1 *p, const struct sm_bls_g1 *a,
                          const struct sm_bls_scalar *k);
/* k[0] a[0] + .. + k[n-1] a[n-1]; infinity for n = 0. Any n; time depends on n. */
void sm_bls_g1_sum(struct sm_bls_g1 *p, const struct sm_bls_g1 a[], const struct sm_bls_scalar k[],
                   size_t n);
void sm_bls_g1_sum_public(struct sm_bls_g1 *p, const struct sm_bls_g1 a[],
                          const struct sm_bls_scalar k[], size_t n);
bool sm_bls_g1_equal(const struct sm_bls_g1 *a, const struct sm_bls_g1 *b);
bool sm_bls_g1_is_infinity(const struct sm_bls_g1 *p);
/* Whether a point of the curve is in the group. */
bool sm_bls_g1_in_group(const struct sm_bls_g1 *p);
/* len bytes: 48 compressed or 96 not. allow: enum sm_bls_decode. p is infinity when it fails.
 *
 * 0, or
 *   SM_ERR_MALFORMED  length, flags, or a coordinate that is not below p
 *   SM_ERR_INVALID    not on the curve, not in the group, or infinity */
int sm_bls_g1_decode(struct sm_bls_g1 *p, const uint8_t *in, size_t len, unsigned allow)
    __attribute__((warn_unused_result));
void sm_bls_g1_encode(uint8_t out[SM_BLS_G1_SIZE], const struct sm_bls_g1 *p);
void sm_bls_g1_encode_uncompressed(uint8_t out[SM_BLS_G1_UNCOMPRESSED], const struct sm_bls_g1 *p);
/* Back from what sm_bls_g1_encode_uncompressed made of a point but infinity and the caller kept:
 * nothing is checked, and time does not depend on the point. */
void sm_bls_g1_load(struct sm_bls_g1 *p, const uint8_t in[SM_BLS_G1_UNCOMPRESSED]);

/* The same for G2. */
void sm_bls_g2_generator(struct sm_bls_g2 *p);
void sm_bls_g2_infinity(struct sm_bls_g2 *p);
void sm_bls_g2_add(struct sm_bls_g2 *sum, const struct sm_bls_g2 *a, const struct sm_bls_g2 *b);
void sm_bls_g2_sub(struct sm_bls_g2 *difference, const struct sm_bls_g2 *a,
                   const struct sm_bls_g2 *b);
void sm_bls_g2_double(struct sm_bls_g2 *sum, const struct sm_bls_g2 *a);
void sm_bls_g2_neg(struct sm_bls_g2 *p, const struct sm_bls_g2 *a);
void sm_bls_g2_mul(struct sm_bls_g2 *p, const struct sm_bls_g2 *a, const struct sm_bls_scalar *k);
/* k times the generator; k may be secret. */
void sm_bls_g2_mul_generator(struct sm_bls_g2 *p, const struct sm_bls_scalar *k);
bool sm_bls_g2_equal(const struct sm_bls_g2 *a, const struct sm_bls_g2 *b);
bool sm_bls_g2_is_infinity(const struct sm_bls_g2 *p);
bool sm_bls_g2_in_group(const struct sm_bls_g2 *p);
int sm_bls_g2_decode(struct sm_bls_g2 *p, const uint8_t *in, size_t len, unsigned allow)
    __attribute__((warn_unused_result));
void sm_bls_g2_encode(uint8_t out[SM_BLS_G2_SIZE], const struct sm_bls_g2 *p);
void sm_bls_g2_encode_uncompressed(uint8_t out[SM_BLS_G2_UNCOMPRESSED], const struct sm_bls_g2 *p);
void sm_bls_g2_load(struct sm_bls_g2 *p, const uint8_t in[SM_BLS_G2_UNCOMPRESSED]);

/* ---- Hashing (RFC 9380) -------------------------------------------------------------------------
 */

/* expand_message_xmd with SHA-256, section 5.3.1. dst is the domain separation tag.
 *
 * 0, or SM_ERR_ARG: dst_len not 1 .. SM_BLS_DST_MAX, or out_len above 8160; out is untouched */
int sm_bls_expand_message(uint8_t *out, size_t out_len, const void *msg, size_t len,
                          const void *dst, size_t dst_len) __attribute__((warn_unused_result));
/* The suite BLS12381G1_XMD:SHA-256_SSWU_RO_.
 *
 * 0, or SM_ERR_ARG: dst_len not 1 .. SM_BLS_DST_MAX; p is infinity */
int sm_bls_hash_to_g1(struct sm_bls_g1 *p, const void *msg, size_t len, const void *dst,
                      size_t dst_len) __attribute__((warn_unused_result));
/* hash_to_field to one number mod r, L = 48, section 5.2.
 *
 * 0, or SM_ERR_ARG: dst_len not 1 .. SM_BLS_DST_MAX; s is 0 */
int sm_bls_hash_to_scalar(struct sm_bls_scalar *s, const void *msg, size_t len, const void *dst,
                          size_t dst_len) __attribute__((warn_unused_result));

/* ---- The pairing --------------------------------------------------------------------------------
 */

/* e(p, q): the cube of f^((p^12 - 1)/r), as most libraries have it; 1 when one is infinity. */
void sm_bls_pairing(struct sm_bls_gt *e, const struct sm_bls_g1 *p, const struct sm_bls_g2 *q);
/* e(p[0], q[0]) .. e(p[n-1], q[n-1]) multiplied, at the price of less than n pairings. n is at most
 * SM_BLS_PAIRS_MAX. Pointers, because the points seldom lie in one array. */
void sm_bls_pairing_product(struct sm_bls_gt *e, const struct sm_bls_g1 *const p[],
                            const struct sm_bls_g2 *const q[], size_t n);
void sm_bls_gt_one(struct sm_bls_gt *e);
void sm_bls_gt_mul(struct sm_bls_gt *product, const struct sm_bls_gt *a, const struct sm_bls_gt *b);
/* 1/a, which is the conjugate. */
void sm_bls_gt_inv(struct sm_bls_gt *e, const struct sm_bls_gt *a);
/* a^k; a and k may be secret. */
void sm_bls_gt_exp(struct sm_bls_gt *e, const struct sm_bls_gt *a, const struct sm_bls_scalar *k);
bool sm_bls_gt_equal(const struct sm_bls_gt *a, const struct sm_bls_gt *b);
bool sm_bls_gt_is_one(const struct sm_bls_gt *a);
/* 12 numbers of 48 bytes, big-endian, the coefficients of the tower Fp2[v]/(v^3 - 1 - u),
 * Fp6[w]/(w^2 - v) from the highest (of u v^2 w) to the lowest. There is no decoder: a GT element
 * is never taken from outside. */
void sm_bls_gt_encode(uint8_t out[SM_BLS_GT_SIZE], const struct sm_bls_gt *a);

#endif
