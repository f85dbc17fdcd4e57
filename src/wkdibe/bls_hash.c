/* Hashing: RFC 9380's expand_message_xmd, hash_to_field, and the map to G1 by an isogenous curve.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/crypto.h>
#include "bls_curve.h"
#define SM_BLS_TABLES_ONE
#define SM_BLS_TABLES_HASH
#include "bls_tables.h"

enum { ISO_Z = 11 };

static const struct sm_bls_fp one = SM_BLS_ONE;

/* ---- Bytes (section 5.3.1) ----------------------------------------------------------------------
 */

static void end_with_tag(struct sm_sha256 *sha, uint8_t out[SM_SHA256_SIZE], const void *dst,
                         size_t dst_len)
{
    uint8_t length = (uint8_t)dst_len;
    sm_sha256_update(sha, dst, dst_len);
    sm_sha256_update(sha, &length, 1);
    sm_sha256_final(sha, out);
}

int sm_bls_expand_message(uint8_t *out, size_t out_len, const void *msg, size_t len,
                          const void *dst, size_t dst_len)
{
    static const uint8_t zeros[64];
    uint8_t first[SM_SHA256_SIZE], block[SM_SHA256_SIZE] = {0};
    struct sm_sha256 sha;
    if (dst_len < 1 || dst_len > SM_BLS_DST_MAX || out_len > 255 * SM_SHA256_SIZE)
        return SM_ERR_ARG;
    uint8_t tail[3] = {(uint8_t)(out_len >> 8), (uint8_t)out_len, 0};
    sm_sha256_init(&sha);
    sm_sha256_update(&sha, zeros, sizeof zeros);
    sm_sha256_update(&sha, msg, len);
    sm_sha256_update(&sha, tail, sizeof tail);
    end_with_tag(&sha, first, dst, dst_len);
    for (size_t at = 0; at < out_len; at += SM_SHA256_SIZE) {
        for (size_t i = 0; i < SM_SHA256_SIZE; i++)
            block[i] ^= first[i];
        tail[2]++;
        sm_sha256_init(&sha);
        sm_sha256_update(&sha, block, sizeof block);
        sm_sha256_update(&sha, &tail[2], 1);
        end_with_tag(&sha, block, dst, dst_len);
        memcpy(out + at, block, out_len - at < sizeof block ? out_len - at : sizeof block);
    }
    sm_wipe(first, sizeof first);
    sm_wipe(block, sizeof block);
    sm_wipe(&sha, sizeof sha);
    return 0;
}

int sm_bls_hash_to_scalar(struct sm_bls_scalar *s, const void *msg, size_t len, const void *dst,
                          size_t dst_len)
{
    uint8_t bytes[48];
    memset(s, 0, sizeof *s);
    int err = sm_bls_expand_message(bytes, sizeof bytes, msg, len, dst, dst_len);
    if (err < 0)
        return err;
    sm_bls_scalar_reduce(s, bytes, sizeof bytes);
    sm_wipe(bytes, sizeof bytes);
    return 0;
}

/* ---- The map (sections 6.6.2, 6.6.3, 8.8.1)
 * ------------------------------------------------------- */

/* 64 bytes, big-endian, mod p: two halves of 32, both below p. */
static void from_64_bytes(struct sm_bls_fp *c, const uint8_t in[64])
{
    uint8_t bytes[48] = {0};
    struct sm_bls_fp high, low;
    memcpy(bytes + 16, in, 32);
    (void)fp_decode(&high, bytes);
    memcpy(bytes + 16, in + 32, 32);
    (void)fp_decode(&low, bytes);
    fp_dot2(c, &high, &two_256, &low, &one);
}

/* x = num/den and y on y^2 = x^3 + A x + B, of the sign of u. Simplified SWU without an inversion:
 * with d = Z^2 u^4 + Z u^2, x1 = B (d + 1)/(-A d), or B/(Z A) where d is 0; g(x1) is a square or
 * g(Z u^2 x1) is. As p = 3 mod 4, one power gives 1/sqrt of g(x1) or of -g(x1), and from that both
 * roots follow: y of the other is u^3 Z sqrt(-Z) times what the power gave. */
static void map_to_isogenous(struct sm_bls_fp *num, struct sm_bls_fp *den, struct sm_bls_fp *y,
                             const struct sm_bls_fp *u)
{
    struct sm_bls_fp zu2, d, t, g, g_den, y1, y2, x2;
    fp_sqr(&zu2, u);
    fp_scale(&zu2, &zu2, ISO_Z);
    fp_tidy(&zu2, &zu2);
    fp_sqr(&d, &zu2);
    fp_add(&d, &d, &zu2);
    fp_tidy(&d, &d);
    fp_add(&t, &d, &one);
    fp_mul(num, &t, &iso_b);
    fp_scale(&t, &one, -ISO_Z);
    fp_move(&d, &t, mask_of(fp_is_zero(&d))); /* 11 */
    fp_mul(den, &d, &iso_a);
    fp_neg(den, den);

    /* g(x1) = (num^3 + A num den^2 + B den^3)/den^3 */
    struct sm_bls_fp den2, s;
    fp_sqr(&den2, den);
    fp_mul(&g_den, &den2, den);
    fp_sqr(&s, num);
    fp_mul(&t, &den2, &iso_a);
    fp_add(&s, &s, &t);
    fp_dot2(&g, &s, num, &g_den, &iso_b);

    /* y1 = g g_den (g g_den^3)^((p - 3)/4) = sqrt(g/g_den), if that is a square */
    fp_mul(&s, &g, &g_den);
    fp_sqr(&t, &g_den);
    fp_mul(&t, &t, &s);
    fp_root_power(&y1, &t);
    fp_mul(&y1, &y1, &s);
    fp_sqr(&t, &y1);
    fp_mul(&t, &t, &g_den);
    sm_bls_ulimb other = mask_of(!fp_equal(&t, &g));
    fp_mul(&y2, &y1, &root_minus_z);
    fp_mul(&y2, &y2, &zu2);
    fp_mul(&y2, &y2, u);
    fp_mul(&x2, num, &zu2);
    fp_move(num, &x2, other);
    fp_move(&y1, &y2, other);

    fp_neg(&t, &y1);
    fp_move(&y1, &t, mask_of(fp_is_odd(u) ^ fp_is_odd(&y1)));
    *y = y1;
}

/* sum over i of poly[i] num^i den^(n-1-i) */
static void evaluate(struct sm_bls_fp *c, const struct sm_bls_fp *poly, int n,
                     const struct sm_bls_fp *num, const struct sm_bls_fp *den)
{
    struct sm_bls_fp sum = poly[n - 1], power = *den;
    for (int i = n - 2; i >= 0; i--) {
        fp_dot2(&sum, &sum, num, &power, &poly[i]);
        fp_mul(&power, &power, den);
    }
    *c = sum;
}

/* With K the kernel's polynomial (degree 5): x = X(x')/K(x')^2, y = y' Y(x')/K(x')^3, where X has
 * degree 11 and Y 15. In numerators: K = k/den^5, X = X/den^11, Y = Y/den^15. */
static void isogeny(struct sm_bls_g1 *p, const struct sm_bls_fp *num, const struct sm_bls_fp *den,
                    const struct sm_bls_fp *y)
{
    struct sm_bls_fp kernel[6], k, kd, x, s;
    memcpy(kernel, iso_kernel, sizeof iso_kernel);
    kernel[5] = one;
    evaluate(&k, kernel, 6, num, den);
    evaluate(&x, iso_x, 12, num, den);
    evaluate(&s, iso_y, 16, num, den);
    /* x = X/(k^2 den), y = y' s/k^3; z = k^3 den */
    fp_mul(&kd, &k, den);
    fp_mul(&p->x, &x, &k);
    fp_mul(&p->y, &s, y);
    fp_mul(&p->y, &p->y, den);
    fp_sqr(&s, &k);
    fp_mul(&p->z, &s, &kd);
}

void sm_bls_g1_map(struct sm_bls_g1 *p, const struct sm_bls_fp *u)
{
    struct sm_bls_fp num, den, y;
    map_to_isogenous(&num, &den, &y, u);
    isogeny(p, &num, &den, &y);
}

int sm_bls_hash_to_g1(struct sm_bls_g1 *p, const void *msg, size_t len, const void *dst,
                      size_t dst_len)
{
    uint8_t bytes[128];
    struct sm_bls_g1 part;
    sm_bls_g1_infinity(p);
    int err = sm_bls_expand_message(bytes, sizeof bytes, msg, len, dst, dst_len);
    if (err < 0)
        return err;
    for (int i = 0; i < 2; i++) {
        struct sm_bls_fp u;
        from_64_bytes(&u, bytes + 64 * i);
        sm_bls_g1_map(&part, &u);
        sm_bls_g1_add(p, p, &part);
    }
    sm_bls_g1_clear_cofactor(p);
    return 0;
}
