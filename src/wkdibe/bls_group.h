/* The group law of G1 and G2, which are the same but for the field. A file that includes this has
 * defined FE (the struct of a coordinate), POINT (of a point), NAME(x) for the functions, and F(x)
 * for the field's; and F(mul_b3), three times the curve's b times a number, weight 1.
 *
 * Points are homogeneous: (X/Z, Y/Z), infinity is (0, 1, 0), coordinates have weight 1. Addition
 * and doubling are the complete formulas for a = 0 of Renes, Costello and Batina (Complete addition
 * formulas for prime order elliptic curves, algorithms 7 and 9): right for all inputs of odd order,
 * infinity and equal points included, so that nothing needs to be compared.
 *
 * SPDX-License-Identifier: Apache-2.0 */

static const FE *unit(void);

void NAME(infinity)(struct POINT *p)
{
    memset(p, 0, sizeof *p);
    p->y = *unit();
}

void NAME(generator)(struct POINT *p)
{
    p->x = generator_x;
    p->y = generator_y;
    p->z = *unit();
}

/* Comments are weights. */
void NAME(add)(struct POINT *sum, const struct POINT *a, const struct POINT *b)
{
    FE xx, yy, zz, xy, yz, xz, s, t;
    F(mul)(&xx, &a->x, &b->x);
    F(mul)(&yy, &a->y, &b->y);
    F(mul)(&zz, &a->z, &b->z);
    F(add)(&s, &a->x, &a->y);
    F(add)(&t, &b->x, &b->y);
    F(mul)(&xy, &s, &t);
    F(sub)(&xy, &xy, &xx);
    F(sub)(&xy, &xy, &yy); /* x1 y2 + x2 y1: 3 */
    F(add)(&s, &a->y, &a->z);
    F(add)(&t, &b->y, &b->z);
    F(mul)(&yz, &s, &t);
    F(sub)(&yz, &yz, &yy);
    F(sub)(&yz, &yz, &zz); /* 3 */
    F(add)(&s, &a->x, &a->z);
    F(add)(&t, &b->x, &b->z);
    F(mul)(&xz, &s, &t);
    F(sub)(&xz, &xz, &xx);
    F(sub)(&xz, &xz, &zz);               /* 3 */
    F(scale)(&xx, &xx, 3);               /* 3 */
    F(mul_b3)(&zz, &zz);                 /* 1 */
    F(mul_b3)(&xz, &xz);                 /* 1 */
    F(add)(&s, &yy, &zz);                /* 2 */
    F(sub)(&t, &yy, &zz);                /* 2 */
    F(neg)(&yy, &xz);                    /* 1 */
    F(dot2)(&sum->x, &xy, &t, &yz, &yy); /* 3 2 + 3 1 */
    F(dot2)(&sum->y, &t, &s, &xz, &xx);  /* 2 2 + 1 3 */
    F(dot2)(&sum->z, &s, &yz, &xx, &xy); /* 2 3 + 3 3 */
}

void NAME(double)(struct POINT *sum, const struct POINT *a)
{
    FE yy, zz, yz, xy, s, t, u;
    F(sqr)(&yy, &a->y);
    F(sqr)(&zz, &a->z);
    F(mul)(&yz, &a->y, &a->z);
    F(mul)(&xy, &a->x, &a->y);
    F(mul_b3)(&zz, &zz);
    F(scale)(&s, &zz, 3);
    F(sub)(&s, &yy, &s);               /* y^2 - 3 b3 z^2: 4 */
    F(add)(&t, &yy, &zz);              /* 2 */
    F(scale)(&yy, &yy, 4);             /* 4 */
    F(scale)(&u, &zz, 2);              /* 2 */
    F(scale)(&xy, &xy, 2);             /* 2 */
    F(scale)(&yz, &yz, 2);             /* 2 */
    F(dot2)(&sum->y, &u, &yy, &s, &t); /* 2 4 + 4 2 */
    F(mul)(&sum->x, &s, &xy);          /* 4 2 */
    F(mul)(&sum->z, &yz, &yy);         /* 2 4 */
}

void NAME(neg)(struct POINT *p, const struct POINT *a)
{
    p->x = a->x;
    F(neg)(&p->y, &a->y);
    p->z = a->z;
}

void NAME(sub)(struct POINT *difference, const struct POINT *a, const struct POINT *b)
{
    struct POINT minus;
    NAME(neg)(&minus, b);
    NAME(add)(difference, a, &minus);
}

void NAME(move)(struct POINT *p, const struct POINT *a, sm_bls_ulimb mask)
{
    F(move)(&p->x, &a->x, mask);
    F(move)(&p->y, &a->y, mask);
    F(move)(&p->z, &a->z, mask);
}

/* p = -p where mask is all ones. */
static void negate_where(struct POINT *p, sm_bls_ulimb mask)
{
    FE minus;
    F(neg)(&minus, &p->y);
    F(move)(&p->y, &minus, mask);
}

bool NAME(equal)(const struct POINT *a, const struct POINT *b)
{
    FE s, t;
    F(mul)(&s, &a->x, &b->z);
    F(mul)(&t, &b->x, &a->z);
    bool same_x = F(equal)(&s, &t);
    F(mul)(&s, &a->y, &b->z);
    F(mul)(&t, &b->y, &a->z);
    bool same_y = F(equal)(&s, &t);
    /* infinity has x = z = 0 and would pass beside anything but for this */
    return same_x & same_y & (NAME(is_infinity)(a) == NAME(is_infinity)(b));
}

bool NAME(is_infinity)(const struct POINT *p)
{
    return F(is_zero)(&p->z);
}

/* |x| a for the curve's parameter x = -(2^63 + 2^62 + 2^60 + 2^57 + 2^48 + 2^16). a is not the
 * result. */
static void mul_parameter(struct POINT *p, const struct POINT *a)
{
    *p = *a;
    for (int bit = 62; bit >= 0; bit--) {
        NAME(double)(p, p);
        if (SM_BLS_PARAMETER >> bit & 1)
            NAME(add)(p, p, a);
    }
}

/* (x, y) of a point; (0, 0) of infinity. */
static void affine(FE *x, FE *y, const struct POINT *p)
{
    FE z;
    F(inv)(&z, &p->z);
    F(mul)(x, &p->x, &z);
    F(mul)(y, &p->y, &z);
}

static bool on_curve(const FE *x, const FE *y)
{
    FE s, t;
    curve(&t, x);
    F(sqr)(&s, y);
    return F(equal)(&s, &t);
}

/* ---- ZCash's encoding: three flags above the first coordinate's 381 bits ------------------------
 */

#define COORDINATE (sizeof(FE) / sizeof(struct sm_bls_fp) * 48)
enum { COMPRESSED = 0x80, INFINITY = 0x40, HIGH = 0x20 };

static int decode_infinity(const uint8_t *in, size_t len, unsigned allow)
{
    uint8_t any = in[0] & ~(COMPRESSED | INFINITY);
    for (size_t i = 1; i < len; i++)
        any |= in[i];
    if (any)
        return SM_ERR_MALFORMED;
    return allow & SM_BLS_INFINITY_OK ? 0 : SM_ERR_INVALID;
}

void NAME(load)(struct POINT *p, const uint8_t in[2 * COORDINATE])
{
    (void)decode_coordinate(&p->x, in);
    (void)decode_coordinate(&p->y, in + COORDINATE);
    p->z = *unit();
}

int NAME(decode)(struct POINT *p, const uint8_t *in, size_t len, unsigned allow)
{
    NAME(infinity)(p);
    if (len != COORDINATE && len != 2 * COORDINATE)
        return SM_ERR_MALFORMED;
    bool compressed = in[0] & COMPRESSED;
    if (compressed != (len == COORDINATE))
        return SM_ERR_MALFORMED;
    if (in[0] & INFINITY)
        return decode_infinity(in, len, allow);
    bool high = in[0] & HIGH;
    if ((in[0] & (COMPRESSED | HIGH)) == HIGH)
        return SM_ERR_MALFORMED;

    struct POINT q;
    uint8_t x[COORDINATE];
    memcpy(x, in, sizeof x);
    x[0] &= (uint8_t) ~(COMPRESSED | INFINITY | HIGH);
    q.z = *unit();
    if (!decode_coordinate(&q.x, x))
        return SM_ERR_MALFORMED;
    if (compressed) {
        curve(&q.y, &q.x);
        if (!F(sqrt)(&q.y, &q.y))
            return SM_ERR_INVALID;
        negate_where(&q, mask_of(F(is_high)(&q.y) ^ high)); /* which may be a secret key's */
    } else {
        if (!decode_coordinate(&q.y, in + COORDINATE))
            return SM_ERR_MALFORMED;
        if (!on_curve(&q.x, &q.y))
            return SM_ERR_INVALID;
    }
    if (!(allow & SM_BLS_TRUSTED) && !NAME(in_group)(&q))
        return SM_ERR_INVALID;
    *p = q;
    return 0;
}

void NAME(encode)(uint8_t out[COORDINATE], const struct POINT *p)
{
    FE x, y;
    affine(&x, &y, p);
    uint8_t infinity = (uint8_t)NAME(is_infinity)(p), high = (uint8_t)F(is_high)(&y);
    encode_coordinate(out, &x);
    out[0] |= (uint8_t)(COMPRESSED | infinity * INFINITY | high * HIGH);
}

void NAME(encode_uncompressed)(uint8_t out[2 * COORDINATE], const struct POINT *p)
{
    FE x, y;
    affine(&x, &y, p);
    encode_coordinate(out, &x);
    encode_coordinate(out + COORDINATE, &y);
    out[0] |= (uint8_t)(NAME(is_infinity)(p) * INFINITY);
}
