/* EXPERIMENTAL: one ciphertext for all nodes of a cover. Owns nothing.
 *
 * A node v has the point N_v, a hash. A key for pattern P at nodes v is a0_v = msk + r (X_P + N_v)
 * for each, and a1 and b_i as ever; a ciphertext to Q at nodes v is B, C_v = t (X_Q + N_v) for
 * each, and the D_i as ever. So at one node both are those of key.c and kem.c with X + N_v in place
 * of X, and that code does the work.
 *
 * The seed is checked at the receiver's own node: B fixes t, and the other nodes' C_v are in the
 * hash that masks the seed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/wkdibe_compact.h>
#include <string.h>
#include "ibe.h"
#include "session.h"

#define NODE        4u
#define HEADER_HEAD 41u /* version, parameters, epoch */
#define KEY_HEAD    34u /* version, nodes, parameters */

static int node_point(struct sm_bls_g1 *p, const struct sm_ibe_compact_params *params,
                      uint32_t node)
{
    uint8_t text[SM_SHA256_SIZE + NODE];
    memcpy(text, params->inner.id, SM_SHA256_SIZE);
    ibe_put32(text + SM_SHA256_SIZE, node);
    return sm_bls_hash_to_g1(p, text, sizeof text, IBE_DST_NODE, sizeof IBE_DST_NODE - 1);
}

/* X_P + N_v */
static int place(struct sm_bls_g1 *p, const struct sm_ibe_compact_params *params,
                 const struct sm_bls_g1 *x, uint32_t node)
{
    int err = node_point(p, params, node);
    if (!err)
        sm_bls_g1_add(p, p, x);
    return err;
}

int sm_ibe_compact_setup(struct sm_ibe_compact_params *params, struct sm_ibe_master *master,
                         unsigned slots, const uint8_t seed[32], struct sm_ibe_rng *rng)
{
    return sm_wkdibe_setup(&params->inner, IBE_COMPACT_PARAMS, master, slots, seed, rng);
}

int sm_ibe_compact_params_encode(const struct sm_ibe_compact_params *params, uint8_t *out,
                                 size_t size)
{
    return sm_ibe_params_encode(&params->inner, out, size);
}

int sm_ibe_compact_params_decode(struct sm_ibe_compact_params *params, const uint8_t *bytes,
                                 size_t len)
{
    return sm_wkdibe_params_decode(&params->inner, IBE_COMPACT_PARAMS, bytes, len);
}

int sm_ibe_compact_master_decode(struct sm_ibe_master *master,
                                 const struct sm_ibe_compact_params *params, const uint8_t *bytes,
                                 size_t len)
{
    return sm_ibe_master_decode(master, &params->inner, bytes, len);
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static bool is_path(const uint32_t *nodes, unsigned n)
{
    if (n == 0 || n > SM_IBE_TREE_PATH_MAX || nodes[n - 1] == 0)
        return false;
    for (unsigned i = 1; i < n; i++)
        if (nodes[i] >= nodes[i - 1])
            return false;
    return true;
}

/* All a0_v: from msk or from the key it comes from, randomised with r. */
static int randomise(struct sm_ibe_compact_key *key, const struct sm_ibe_compact_params *params,
                     const struct sm_bls_g1 *msk, const struct sm_ibe_compact_key *from,
                     const struct sm_bls_scalar *r)
{
    struct sm_bls_g1 x, p, a;
    int err = sm_wkdibe_pattern_point(&x, &params->inner, &key->inner.pattern);
    for (unsigned i = 0; !err && i < key->nnodes; i++) {
        err = place(&p, params, &x, key->node[i]);
        if (!err && from)
            err = sm_wkdibe_specialise(&a, &from->inner, &from->a0[i], &key->inner.pattern);
        if (err)
            break;
        sm_bls_g1_mul(&p, &p, r);
        sm_bls_g1_add(&p, &p, from ? &a : msk);
        sm_wkdibe_g1_store(&key->a0[i], &p);
    }
    sm_wipe(&p, sizeof p);
    sm_wipe(&a, sizeof a);
    key->inner.a0 = key->a0[0];
    sm_wkdibe_randomise_rest(&key->inner, &params->inner, from ? &from->inner : NULL, r);
    return err;
}

static int make(struct sm_ibe_compact_key *key, const struct sm_ibe_compact_params *params,
                const struct sm_bls_g1 *msk, const struct sm_ibe_compact_key *from,
                struct sm_ibe_rng *rng)
{
    struct sm_bls_scalar r;
    memcpy(key->inner.params_id, params->inner.id, SM_SHA256_SIZE);
    int err = sm_wkdibe_random_scalar(&r, rng, from ? "compact delegate" : "compact keygen",
                                      &key->inner.pattern);
    if (!err)
        err = randomise(key, params, msk, from, &r);
    sm_wipe(&r, sizeof r);
    sm_wkdibe_burn();
    if (err)
        sm_wipe(key, sizeof *key);
    return err;
}

int sm_ibe_compact_keygen(struct sm_ibe_compact_key *key,
                          const struct sm_ibe_compact_params *params,
                          const struct sm_ibe_master *master, const struct sm_ibe_pattern *pattern,
                          const uint32_t *nodes, unsigned nnodes, struct sm_ibe_rng *rng)
{
    struct sm_bls_g1 msk;
    if (memcmp(master->params_id, params->inner.id, SM_SHA256_SIZE) != 0)
        return SM_ERR_KEY;
    if (pattern->slots != params->inner.slots || !is_path(nodes, nnodes))
        return SM_ERR_ARG;
    memset(key, 0, sizeof *key);
    key->inner.pattern = *pattern;
    key->nnodes = (uint8_t)nnodes;
    memcpy(key->node, nodes, nnodes * sizeof *nodes);
    sm_wkdibe_g1_load(&msk, &master->msk);
    int err = make(key, params, &msk, NULL, rng);
    sm_wipe(&msk, sizeof msk);
    return err;
}

int sm_ibe_compact_delegate(struct sm_ibe_compact_key *key,
                            const struct sm_ibe_compact_params *params,
                            const struct sm_ibe_compact_key *from,
                            const struct sm_ibe_pattern *pattern, struct sm_ibe_rng *rng)
{
    if (memcmp(from->inner.params_id, params->inner.id, SM_SHA256_SIZE) != 0)
        return SM_ERR_KEY;
    if (pattern->slots != params->inner.slots || key == from)
        return SM_ERR_ARG;
    if (!sm_ibe_pattern_refines(&from->inner.pattern, pattern))
        return SM_ERR_DENIED;
    memset(key, 0, sizeof *key);
    key->inner.pattern = *pattern;
    key->nnodes = from->nnodes;
    memcpy(key->node, from->node, sizeof key->node);
    return make(key, params, NULL, from, rng);
}

/* ---- Encoding of keys: head, nodes, then as others, with the a0 of the other nodes at the end ---
 */

int sm_ibe_compact_key_encode(const struct sm_ibe_compact_key *key, uint8_t *out, size_t size)
{
    struct sm_bls_g1 p;
    size_t nodes = (size_t)NODE * key->nnodes, rest = (size_t)SM_IBE_G1_SIZE * (key->nnodes - 1u);
    if (key->nnodes == 0)
        return SM_ERR_ARG;
    if (size < nodes + rest)
        return SM_ERR_MEMORY;
    /* The inner key where it will stand; its head is then moved to the front. */
    int n = sm_ibe_key_encode(&key->inner, out + nodes, size - nodes - rest);
    if (n < 0)
        return n;
    memmove(out, out + nodes, KEY_HEAD);
    out[0] = IBE_COMPACT_KEY;
    out[1] = key->nnodes;
    uint8_t *at = out + KEY_HEAD;
    for (unsigned i = 0; i < key->nnodes; i++, at += NODE)
        ibe_put32(at, key->node[i]);
    at = out + nodes + n;
    for (unsigned i = 1; i < key->nnodes; i++, at += SM_IBE_G1_SIZE) {
        sm_wkdibe_g1_load(&p, &key->a0[i]);
        sm_bls_g1_encode(at, &p);
    }
    sm_wipe(&p, sizeof p);
    sm_wkdibe_burn();
    return (int)(at - out);
}

/* Whether the a0 of all nodes are of one r: the differences to the first one are r (N_v - N_0). */
static int belongs(const struct sm_ibe_compact_key *key, const struct sm_ibe_compact_params *params,
                   const uint8_t *bytes, size_t len)
{
    struct ibe_check c;
    struct sm_bls_g1 first, a, n0, n;
    struct sm_bls_g2 a1;
    int err = sm_wkdibe_check_begin(&c, &key->inner, &params->inner, bytes, len);
    if (!err)
        err = node_point(&n0, params, key->node[0]);
    if (err)
        return err;
    sm_bls_g1_add(&c.right, &c.right, &n0);
    sm_wkdibe_g1_load(&first, &key->a0[0]);
    for (unsigned i = 1; !err && i < key->nnodes; i++) {
        err = node_point(&n, params, key->node[i]);
        if (err)
            break;
        sm_wkdibe_g1_load(&a, &key->a0[i]);
        sm_bls_g1_sub(&a, &a, &first);
        sm_bls_g1_sub(&n, &n, &n0);
        err = sm_wkdibe_check_add(&c, &a, &n, 32 + i);
    }
    sm_wkdibe_g2_load(&a1, &key->inner.a1);
    if (!err && !sm_wkdibe_relation_holds(&params->inner, &c.left, &c.right, &a1))
        err = SM_ERR_INVALID;
    sm_wipe(&c, sizeof c);
    sm_wipe(&a, sizeof a);
    sm_wipe(&first, sizeof first);
    return err;
}

/* A point at a place of its own. */
static int take_point(struct sm_ibe_g1 *to, const uint8_t *bytes)
{
    struct sm_bls_g1 p;
    int err = sm_bls_g1_decode(&p, bytes, SM_IBE_G1_SIZE, SM_BLS_STRICT);
    if (!err)
        sm_wkdibe_g1_store(to, &p);
    sm_wipe(&p, sizeof p);
    return err;
}

static int take_points(struct sm_ibe_compact_key *key, const uint8_t *at)
{
    struct sm_bls_g2 a1;
    int err = sm_bls_g2_decode(&a1, at, SM_IBE_G2_SIZE, SM_BLS_STRICT);
    if (err)
        return err;
    sm_wkdibe_g2_store(&key->inner.a1, &a1);
    at += SM_IBE_G2_SIZE;
    err = take_point(&key->a0[0], at);
    key->inner.a0 = key->a0[0];
    for (unsigned i = 0; !err && i < key->inner.pattern.slots; i++)
        if (key->inner.pattern.kind[i] == SM_IBE_WILD)
            err = take_point(&key->inner.b[i], at += SM_IBE_G1_SIZE);
    for (unsigned i = 1; !err && i < key->nnodes; i++)
        err = take_point(&key->a0[i], at += SM_IBE_G1_SIZE);
    return err;
}

int sm_ibe_compact_key_decode(struct sm_ibe_compact_key *key,
                              const struct sm_ibe_compact_params *params, const uint8_t *bytes,
                              size_t len)
{
    if (len == 0)
        return SM_ERR_MALFORMED;
    if (bytes[0] != IBE_COMPACT_KEY)
        return SM_ERR_UNSUPPORTED;
    if (len < KEY_HEAD || bytes[1] == 0 || bytes[1] > SM_IBE_TREE_PATH_MAX ||
        len - KEY_HEAD < (size_t)NODE * bytes[1])
        return SM_ERR_MALFORMED;
    if (memcmp(bytes + 2, params->inner.id, SM_SHA256_SIZE) != 0)
        return SM_ERR_KEY;
    memset(key, 0, sizeof *key);
    memcpy(key->inner.params_id, params->inner.id, SM_SHA256_SIZE);
    key->nnodes = bytes[1];
    for (unsigned i = 0; i < key->nnodes; i++)
        key->node[i] = ibe_get32(bytes + KEY_HEAD + (size_t)NODE * i);
    if (!is_path(key->node, key->nnodes))
        return SM_ERR_INVALID;
    size_t at = KEY_HEAD + (size_t)NODE * key->nnodes;
    int n = sm_ibe_pattern_decode(&key->inner.pattern, bytes + at, len - at);
    if (n < 0)
        return n;
    if (key->inner.pattern.slots != params->inner.slots)
        return SM_ERR_INVALID;
    at += (size_t)n;
    size_t points = key->nnodes + sm_ibe_pattern_wilds(&key->inner.pattern);
    if (len - at != SM_IBE_G2_SIZE + points * SM_IBE_G1_SIZE)
        return SM_ERR_MALFORMED;
    int err = take_points(key, bytes + at);
    if (!err)
        err = belongs(key, params, bytes, len);
    sm_wkdibe_burn();
    if (err)
        sm_wipe(key, sizeof *key);
    return err;
}

/* ---- Headers: head, pattern, nodes; B, C_v of each node, D_i, the masked seed ------------------
 */

static int write_head(uint8_t *out, size_t size, const struct sm_ibe_compact_params *params,
                      const struct sm_ibe_pattern *pattern, uint64_t epoch, const uint32_t *nodes,
                      unsigned nnodes)
{
    if (size < HEADER_HEAD)
        return SM_ERR_MEMORY;
    out[0] = IBE_COMPACT_HEADER;
    memcpy(out + 1, params->inner.id, SM_SHA256_SIZE);
    ibe_put64(out + 33, epoch);
    int n = sm_ibe_pattern_encode(pattern, out + HEADER_HEAD, size - HEADER_HEAD);
    if (n < 0)
        return n;
    size_t at = HEADER_HEAD + (size_t)n;
    if (size - at < (size_t)NODE * (nnodes + 1))
        return SM_ERR_MEMORY;
    ibe_put32(out + at, nnodes);
    for (unsigned i = 0; i < nnodes; i++)
        ibe_put32(out + at + (size_t)NODE * (i + 1), nodes[i]);
    return (int)(at + (size_t)NODE * (nnodes + 1));
}

/* B, the C_v, the D_i; W. */
static int write_points(uint8_t *out, struct sm_bls_gt *w,
                        const struct sm_ibe_compact_params *params, const struct sm_ibe_pattern *q,
                        const uint32_t *nodes, unsigned nnodes, const struct sm_bls_scalar *t)
{
    struct sm_bls_g1 x, p;
    struct sm_ibe_target target;
    uint8_t one[SM_IBE_CIPHERTEXT_MAX];
    int err = sm_ibe_target_init(&target, &params->inner, q);
    if (err)
        return err;
    sm_wkdibe_with_t(one, w, &params->inner, &target, t); /* its C is not sent */
    sm_wkdibe_g1_load(&x, &target.x);
    memcpy(out, one, SM_IBE_G2_SIZE);
    out += SM_IBE_G2_SIZE;
    for (unsigned i = 0; !err && i < nnodes; i++, out += SM_IBE_G1_SIZE) {
        err = place(&p, params, &x, nodes[i]);
        if (err)
            break;
        sm_bls_g1_mul(&p, &p, t);
        sm_bls_g1_encode(out, &p);
    }
    memcpy(out, one + SM_IBE_CIPHERTEXT(0), SM_IBE_G1_SIZE * sm_ibe_pattern_wilds(q));
    sm_wipe(one, sizeof one);
    return err;
}

static size_t points_size(const struct sm_ibe_pattern *q, unsigned nnodes)
{
    return SM_IBE_G2_SIZE + (size_t)SM_IBE_G1_SIZE * (nnodes + sm_ibe_pattern_wilds(q));
}

static int write_header(uint8_t *out, size_t size, struct ibe_seed *seed,
                        const struct sm_ibe_compact_params *params, const struct sm_ibe_pattern *q,
                        uint64_t epoch, const uint32_t *nodes, unsigned nnodes)
{
    struct sm_bls_scalar t;
    struct sm_bls_gt w;
    int n = write_head(out, size, params, q, epoch, nodes, nnodes);
    size_t len = points_size(q, nnodes);
    if (n < 0)
        return n;
    if (size - (size_t)n < len + IBE_SEED_SIZE)
        return SM_ERR_MEMORY;
    sm_sha256(out, (size_t)n, seed->context);
    out += n;
    int err = sm_wkdibe_seed_scalar(&t, &params->inner, q, seed);
    if (!err)
        err = write_points(out, &w, params, q, nodes, nnodes, &t);
    if (!err)
        err = sm_wkdibe_mask_seed(out + len, seed->bytes, &params->inner, q, out, len, &w);
    sm_wipe(&t, sizeof t);
    sm_wipe(&w, sizeof w);
    return err ? err : (int)((size_t)n + len + IBE_SEED_SIZE);
}

int sm_ibe_compact_sender_open(struct sm_ibe_sender *sender, uint8_t *header, size_t size,
                               const struct sm_ibe_compact_params *params,
                               const struct sm_ibe_pattern *pattern, struct sm_ibe_tree *tree,
                               uint32_t *nodes, unsigned max_nodes, struct sm_ibe_rng *rng)
{
    struct ibe_seed seed;
    if (pattern->slots != params->inner.slots)
        return SM_ERR_ARG;
    int n = sm_ibe_tree_cover(tree, nodes, max_nodes);
    if (n <= 0)
        return n ? n : SM_ERR_NOT_FOUND;
    tree->epoch++; /* also when it fails below: an epoch is never tried twice */
    memset(sender, 0, sizeof *sender);
    int len = sm_wkdibe_random_bytes(seed.bytes, rng, "compact session", pattern);
    if (!len)
        len = write_header(header, size, &seed, params, pattern, tree->epoch, nodes, (unsigned)n);
    int err = len > 0 ? sm_wkdibe_session_make(&sender->session, &seed) : 0;
    sm_wipe(&seed, sizeof seed);
    sm_wkdibe_burn();
    if (err || len < 0) {
        sm_wipe(sender, sizeof *sender);
        return err ? err : len;
    }
    sender->epoch = tree->epoch;
    sender->tree = tree;
    tree->stale = false;
    return len;
}

/* A header taken apart. */
struct header {
    struct sm_ibe_pattern pattern;
    uint64_t epoch;
    uint32_t nnodes;
    size_t at; /* of B */
};

static const uint8_t *node_at(const struct header *h, const uint8_t *bytes, uint32_t i)
{
    return bytes + h->at - (size_t)NODE * (h->nnodes - i);
}

static int read_header(struct header *h, const uint8_t *bytes, size_t len)
{
    if (len == 0)
        return SM_ERR_MALFORMED;
    if (bytes[0] != IBE_COMPACT_HEADER)
        return SM_ERR_UNSUPPORTED;
    if (len < HEADER_HEAD)
        return SM_ERR_MALFORMED;
    h->epoch = ibe_get64(bytes + 33);
    int n = sm_ibe_pattern_decode(&h->pattern, bytes + HEADER_HEAD, len - HEADER_HEAD);
    if (n < 0)
        return n;
    size_t at = HEADER_HEAD + (size_t)n;
    if (len - at < NODE)
        return SM_ERR_MALFORMED;
    h->nnodes = ibe_get32(bytes + at);
    if (h->nnodes == 0 || h->nnodes > SM_IBE_TREE_LEAVES_MAX)
        return SM_ERR_MALFORMED;
    h->at = at + (size_t)NODE * (h->nnodes + 1);
    if (len < h->at || len - h->at != points_size(&h->pattern, h->nnodes) + IBE_SEED_SIZE)
        return SM_ERR_MALFORMED;
    for (uint32_t i = 1; i < h->nnodes; i++)
        if (ibe_get32(node_at(h, bytes, i)) <= ibe_get32(node_at(h, bytes, i - 1)))
            return SM_ERR_INVALID;
    return 0;
}

/* What the header is to one of the key's nodes: its a0 and target, and B, C_v and the D_i. */
struct view {
    const struct sm_ibe_g1 *a0;
    struct sm_ibe_target target;
    uint8_t ciphertext[SM_IBE_CIPHERTEXT_MAX];
};

static int view_at(struct view *v, const struct header *h,
                   const struct sm_ibe_compact_params *params, const struct sm_ibe_compact_key *key,
                   const uint8_t *bytes)
{
    uint32_t i = 0;
    unsigned k = 0;
    for (i = 0; i < h->nnodes; i++) {
        uint32_t node = ibe_get32(node_at(h, bytes, i));
        for (k = 0; k < key->nnodes && key->node[k] != node; k++)
            continue;
        if (k < key->nnodes)
            break;
    }
    if (i == h->nnodes || !sm_ibe_pattern_match(&key->inner.pattern, &h->pattern))
        return SM_ERR_DENIED;
    struct sm_bls_g1 x, p;
    v->a0 = &key->a0[k];
    int err = sm_ibe_target_init(&v->target, &params->inner, &h->pattern);
    if (err)
        return err;
    sm_wkdibe_g1_load(&x, &v->target.x);
    err = place(&p, params, &x, key->node[k]);
    sm_wkdibe_g1_store(&v->target.x, &p);
    const uint8_t *points = bytes + h->at + SM_IBE_G2_SIZE;
    memcpy(v->ciphertext, bytes + h->at, SM_IBE_G2_SIZE);
    memcpy(v->ciphertext + SM_IBE_G2_SIZE, points + (size_t)SM_IBE_G1_SIZE * i, SM_IBE_G1_SIZE);
    memcpy(v->ciphertext + SM_IBE_CIPHERTEXT(0), points + (size_t)SM_IBE_G1_SIZE * h->nnodes,
           (size_t)SM_IBE_G1_SIZE * sm_ibe_pattern_wilds(&h->pattern));
    return err;
}

/* The seed of a header, not checked yet. By itself, and remade() too, because their arrays need not
 * lie on the stack together. */
__attribute__((noinline)) static int unmask(struct ibe_seed *seed, const struct view *v,
                                            const struct header *h,
                                            const struct sm_ibe_compact_params *params,
                                            const struct sm_ibe_compact_key *key,
                                            const uint8_t *bytes)
{
    struct sm_bls_gt w;
    const uint8_t *points = bytes + h->at;
    size_t len = points_size(&h->pattern, h->nnodes);
    sm_sha256(bytes, h->at, seed->context);
    int err = sm_wkdibe_recover(&w, &key->inner, v->a0, &h->pattern, v->ciphertext);
    if (!err)
        err = sm_wkdibe_mask_seed(seed->bytes, points + len, &params->inner, &h->pattern, points,
                                  len, &w);
    sm_wipe(&w, sizeof w);
    return err;
}

/* Whether the seed makes what came: 0, or SM_ERR_INVALID. */
__attribute__((noinline)) static int remade(const struct ibe_seed *seed, const struct view *v,
                                            const struct header *h,
                                            const struct sm_ibe_compact_params *params)
{
    struct sm_bls_scalar t;
    uint8_t again[SM_IBE_CIPHERTEXT_MAX];
    int err = sm_wkdibe_seed_scalar(&t, &params->inner, &h->pattern, seed);
    if (err)
        return err;
    sm_wkdibe_with_t(again, NULL, &params->inner, &v->target, &t);
    bool good =
        sm_ct_equal(again, v->ciphertext, SM_IBE_CIPHERTEXT(sm_ibe_pattern_wilds(&h->pattern)));
    sm_wipe(&t, sizeof t);
    sm_wipe(again, sizeof again);
    return good ? 0 : SM_ERR_INVALID;
}

int sm_ibe_compact_receiver_open(struct sm_ibe_receiver *receiver,
                                 const struct sm_ibe_compact_params *params,
                                 const struct sm_ibe_compact_key *key, const uint8_t *header,
                                 size_t len)
{
    uint8_t hash[SM_SHA256_SIZE];
    struct header h;
    struct view v;
    struct ibe_seed seed;
    int err = read_header(&h, header, len);
    if (err)
        return err;
    if (memcmp(header + 1, params->inner.id, SM_SHA256_SIZE) != 0 ||
        memcmp(key->inner.params_id, params->inner.id, SM_SHA256_SIZE) != 0)
        return SM_ERR_KEY;
    if (h.pattern.slots != params->inner.slots)
        return SM_ERR_INVALID;
    sm_sha256(header, len, hash);
    int expected = sm_wkdibe_receiver_expects(receiver, h.epoch, hash);
    if (expected <= 0)
        return expected;
    err = view_at(&v, &h, params, key, header);
    if (!err)
        err = unmask(&seed, &v, &h, params, key, header);
    if (!err)
        err = remade(&seed, &v, &h, params);
    if (!err)
        err = sm_wkdibe_receiver_take(receiver, h.epoch, hash, &seed);
    sm_wipe(&seed, sizeof seed);
    sm_wipe(&v, sizeof v);
    sm_wkdibe_burn();
    return err;
}
