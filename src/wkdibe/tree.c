/* The tree of principals. Owns nothing: leaves and marks are the caller's.
 *
 * Nodes are numbered as in a heap: 1 is the root, 2v and 2v + 1 are below v, leaf i is nleaves + i.
 * Invariants: marks has the bit of a node exactly when a leaf at or below it is revoked; leaves
 * from the first FREE one on are FREE; an identity holds at most one leaf that is not revoked.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/wkdibe_session.h>
#include <string.h>
#include "ibe.h"

#define HEAD 14u
#define LEAF 41u

static bool marked(const struct sm_ibe_tree *tree, uint32_t node)
{
    return tree->marks[node / 8] >> node % 8 & 1;
}

static void mark_path(struct sm_ibe_tree *tree, uint32_t leaf)
{
    for (uint32_t v = tree->nleaves + leaf; v > 0 && !marked(tree, v); v /= 2)
        tree->marks[v / 8] |= (uint8_t)(1u << v % 8);
}

int sm_ibe_tree_init(struct sm_ibe_tree *tree, uint32_t nleaves, struct sm_ibe_leaf *leaf,
                     uint8_t *marks)
{
    if (nleaves == 0 || nleaves > SM_IBE_TREE_LEAVES_MAX || (nleaves & (nleaves - 1)) != 0)
        return SM_ERR_LIMIT;
    *tree = (struct sm_ibe_tree){.nleaves = nleaves, .leaf = leaf, .marks = marks};
    memset(leaf, 0, nleaves * sizeof *leaf); /* SM_IBE_LEAF_FREE is 0 */
    memset(marks, 0, SM_IBE_TREE_MARKS(nleaves));
    return 0;
}

int sm_ibe_tree_find(const struct sm_ibe_tree *tree, const char *identity, size_t len)
{
    uint8_t who[SM_SHA256_SIZE];
    sm_sha256(identity, len, who);
    for (uint32_t i = 0; i < tree->nleaves; i++)
        if (tree->leaf[i].state == SM_IBE_LEAF_HELD &&
            memcmp(tree->leaf[i].who, who, sizeof who) == 0)
            return (int)i;
    return SM_ERR_NOT_FOUND;
}

int sm_ibe_tree_admit(struct sm_ibe_tree *tree, const char *identity, size_t len,
                      uint64_t expires_s)
{
    if (sm_ibe_tree_find(tree, identity, len) >= 0)
        return SM_ERR_STATE;
    for (uint32_t i = 0; i < tree->nleaves; i++) {
        struct sm_ibe_leaf *leaf = &tree->leaf[i];
        if (leaf->state != SM_IBE_LEAF_FREE)
            continue;
        leaf->state = SM_IBE_LEAF_HELD;
        leaf->expires_s = expires_s;
        sm_sha256(identity, len, leaf->who);
        return (int)i;
    }
    return SM_ERR_FULL;
}

int sm_ibe_tree_revoke(struct sm_ibe_tree *tree, uint32_t leaf)
{
    if (leaf >= tree->nleaves || tree->leaf[leaf].state == SM_IBE_LEAF_FREE)
        return SM_ERR_NOT_FOUND;
    if (tree->leaf[leaf].state == SM_IBE_LEAF_REVOKED)
        return 0;
    tree->leaf[leaf].state = SM_IBE_LEAF_REVOKED;
    tree->stale = true;
    mark_path(tree, leaf);
    return 0;
}

unsigned sm_ibe_tree_expire(struct sm_ibe_tree *tree, uint64_t now_s)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < tree->nleaves; i++) {
        const struct sm_ibe_leaf *leaf = &tree->leaf[i];
        if (leaf->state == SM_IBE_LEAF_HELD && leaf->expires_s && leaf->expires_s <= now_s)
            n += sm_ibe_tree_revoke(tree, i) == 0;
    }
    return n;
}

int sm_ibe_tree_path(const struct sm_ibe_tree *tree, uint32_t leaf,
                     uint32_t nodes[SM_IBE_TREE_PATH_MAX])
{
    int n = 0;
    if (leaf >= tree->nleaves)
        return SM_ERR_ARG;
    for (uint32_t v = tree->nleaves + leaf; v > 0; v /= 2)
        nodes[n++] = v;
    return n;
}

/* Level by level from the root: a node without a mark below one with a mark covers all that is
 * below itself. The marked nodes of a level are not kept; they are found again by their children.
 */
int sm_ibe_tree_cover(const struct sm_ibe_tree *tree, uint32_t *nodes, unsigned max)
{
    unsigned n = 0;
    for (uint32_t v = 1; v < 2 * tree->nleaves; v++) {
        if (marked(tree, v) || (v > 1 && !marked(tree, v / 2)))
            continue;
        if (n == max)
            return SM_ERR_MEMORY;
        nodes[n++] = v;
    }
    return (int)n;
}

/* ---- Encoding: head, stale, epoch, leaves -----------------------------------------------------
 */

int sm_ibe_tree_encode(const struct sm_ibe_tree *tree, uint8_t *out, size_t size)
{
    if (size < SM_IBE_TREE_SIZE(tree->nleaves))
        return SM_ERR_MEMORY;
    out[0] = IBE_TREE;
    ibe_put32(out + 1, tree->nleaves);
    out[5] = tree->stale;
    ibe_put64(out + 6, tree->epoch);
    uint8_t *at = out + HEAD;
    for (uint32_t i = 0; i < tree->nleaves; i++, at += LEAF) {
        at[0] = tree->leaf[i].state;
        memcpy(at + 1, tree->leaf[i].who, SM_SHA256_SIZE);
        ibe_put64(at + 33, tree->leaf[i].expires_s);
    }
    return (int)(at - out);
}

static int take_leaf(struct sm_ibe_leaf *leaf, const uint8_t *at, bool last_free)
{
    static const uint8_t none[LEAF];
    leaf->state = at[0];
    memcpy(leaf->who, at + 1, SM_SHA256_SIZE);
    leaf->expires_s = ibe_get64(at + 33);
    if (leaf->state > SM_IBE_LEAF_REVOKED)
        return SM_ERR_MALFORMED;
    if (leaf->state == SM_IBE_LEAF_FREE ? memcmp(at, none, LEAF) != 0 : last_free)
        return SM_ERR_MALFORMED;
    return 0;
}

int sm_ibe_tree_decode(struct sm_ibe_tree *tree, struct sm_ibe_leaf *leaf, uint8_t *marks,
                       uint32_t max_leaves, const uint8_t *bytes, size_t len)
{
    if (len == 0)
        return SM_ERR_MALFORMED;
    if (bytes[0] != IBE_TREE)
        return SM_ERR_UNSUPPORTED;
    if (len < HEAD || bytes[5] > 1)
        return SM_ERR_MALFORMED;
    uint32_t n = ibe_get32(bytes + 1);
    if (n > max_leaves)
        return n > SM_IBE_TREE_LEAVES_MAX ? SM_ERR_LIMIT : SM_ERR_MEMORY;
    int err = sm_ibe_tree_init(tree, n, leaf, marks);
    if (err)
        return err;
    if (len != SM_IBE_TREE_SIZE(n))
        return SM_ERR_MALFORMED;
    tree->stale = bytes[5];
    tree->epoch = ibe_get64(bytes + 6);
    for (uint32_t i = 0; !err && i < n; i++) {
        err = take_leaf(&leaf[i], bytes + HEAD + (size_t)LEAF * i,
                        i > 0 && leaf[i - 1].state == SM_IBE_LEAF_FREE);
        if (!err && leaf[i].state == SM_IBE_LEAF_REVOKED)
            mark_path(tree, i);
    }
    return err;
}
