/* The tree of principals: covers against brute force, leaves that are never given twice, expiry.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "ibe_world.h"
#include <sandmote/wkdibe_session.h>
#include <stdio.h>
#include <stdlib.h>

#define LEAVES_MAX 1024u

static struct sm_ibe_leaf leaves[LEAVES_MAX];
static uint8_t marks[SM_IBE_TREE_MARKS(LEAVES_MAX)];

/* A tree with all leaves given out, to "u0", "u1" ... */
static struct sm_ibe_tree full(uint32_t n)
{
    struct sm_ibe_tree tree;
    char name[16];
    assert_int_equal(sm_ibe_tree_init(&tree, n, leaves, marks), 0);
    for (uint32_t i = 0; i < n; i++) {
        int len = snprintf(name, sizeof name, "u%u", i);
        assert_int_equal(sm_ibe_tree_admit(&tree, name, (size_t)len, 0), i);
    }
    return tree;
}

/* The leaves below nodes, a bit each, n <= 64; fails when one is covered twice. */
static uint64_t below(const uint32_t *nodes, int count, uint32_t n)
{
    uint64_t all = 0;
    for (int i = 0; i < count; i++)
        for (uint32_t leaf = 0; leaf < n; leaf++)
            for (uint32_t v = n + leaf; v > 0; v /= 2)
                if (v == nodes[i]) {
                    assert_false(all >> leaf & 1);
                    all |= 1ull << leaf;
                }
    return all;
}

/* The fewest nodes that cover exactly these leaves, by trying all ways at every node. */
static unsigned fewest(uint32_t v, uint32_t n, uint64_t good)
{
    uint32_t first = v, last = v;
    while (first < n) {
        first *= 2;
        last = 2 * last + 1;
    }
    unsigned have = 0;
    for (uint32_t leaf = first - n; leaf <= last - n; leaf++)
        have += good >> leaf & 1;
    if (have == 0)
        return 0;
    if (have == last - first + 1)
        return 1;
    return fewest(2 * v, n, good) + fewest(2 * v + 1, n, good);
}

static void check_cover(const struct sm_ibe_tree *tree, uint64_t revoked)
{
    uint32_t nodes[64], n = tree->nleaves;
    uint64_t all = n == 64 ? ~0ull : (1ull << n) - 1;
    int count = sm_ibe_tree_cover(tree, nodes, 64);
    assert_true(count >= 0);
    assert_true(below(nodes, count, n) == (all & ~revoked));
    assert_int_equal(count, fewest(1, n, all & ~revoked));
    for (int i = 1; i < count; i++)
        assert_true(nodes[i] > nodes[i - 1]);
    if (count > 0)
        assert_int_equal(sm_ibe_tree_cover(tree, nodes, (unsigned)count - 1), SM_ERR_MEMORY);
}

static void revoke_set(uint32_t n, uint64_t revoked)
{
    struct sm_ibe_tree tree = full(n);
    for (uint32_t leaf = 0; leaf < n; leaf++)
        if (revoked >> leaf & 1)
            assert_int_equal(sm_ibe_tree_revoke(&tree, leaf), 0);
    check_cover(&tree, revoked);
}

static void every_set_of_revoked_leaves_is_covered_around_up_to_16(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 8; n *= 2)
        for (uint64_t set = 0; set < 1ull << n; set++)
            revoke_set(n, set);
    for (uint64_t set = 0; set < 1 << 16; set += test_full() ? 1 : 17)
        revoke_set(16, set);
}

static void covers_of_32_and_64_leaves_are_right_for_every_count(void **state)
{
    (void)state;
    uint64_t seed = 21;
    for (uint32_t n = 32; n <= 64; n *= 2) {
        for (uint32_t r = 0; r <= n; r++) {
            for (unsigned i = 0; i < 8; i++) {
                uint64_t set = 0;
                for (uint32_t k = 0; k < r;) {
                    uint64_t bit = 1ull << draw(&seed) % n;
                    k += !(set & bit);
                    set |= bit;
                }
                revoke_set(n, set);
            }
        }
    }
}

static void covers_stay_below_the_method_s_bound(void **state)
{
    (void)state;
    static uint32_t nodes[LEAVES_MAX];
    uint64_t seed = 22;
    for (uint32_t r = 1, log2 = 10; r <= 64; r *= 2, log2--) {
        struct sm_ibe_tree tree = full(1024);
        for (uint32_t k = 0; k < r;) {
            uint32_t leaf = (uint32_t)(draw(&seed) % 1024);
            k += leaves[leaf].state == SM_IBE_LEAF_HELD;
            assert_int_equal(sm_ibe_tree_revoke(&tree, leaf), 0);
        }
        int count = sm_ibe_tree_cover(&tree, nodes, LEAVES_MAX);
        print_message("1024 leaves, %u revoked: %d nodes\n", r, count);
        assert_in_range(count, 1, r * log2);
    }
}

static void a_path_meets_the_cover_exactly_when_the_leaf_is_good(void **state)
{
    (void)state;
    struct sm_ibe_tree tree = full(64);
    uint32_t nodes[64], path[SM_IBE_TREE_PATH_MAX];
    for (uint32_t leaf = 0; leaf < 64; leaf += 5)
        assert_int_equal(sm_ibe_tree_revoke(&tree, leaf), 0);
    int count = sm_ibe_tree_cover(&tree, nodes, 64);
    for (uint32_t leaf = 0; leaf < 64; leaf++) {
        unsigned meets = 0;
        assert_int_equal(sm_ibe_tree_path(&tree, leaf, path), 7);
        assert_int_equal(path[0], 64 + leaf);
        assert_int_equal(path[6], 1);
        for (int i = 0; i < count; i++)
            for (unsigned j = 0; j < 7; j++)
                meets += nodes[i] == path[j];
        assert_int_equal(meets, leaf % 5 != 0);
    }
    assert_int_equal(sm_ibe_tree_path(&tree, 64, path), SM_ERR_ARG);
}

static void a_leaf_is_never_given_twice(void **state)
{
    (void)state;
    struct sm_ibe_tree tree;
    assert_int_equal(sm_ibe_tree_init(&tree, 4, leaves, marks), 0);
    assert_int_equal(sm_ibe_tree_admit(&tree, "a", 1, 0), 0);
    assert_int_equal(sm_ibe_tree_admit(&tree, "b", 1, 0), 1);
    assert_int_equal(sm_ibe_tree_admit(&tree, "a", 1, 0), SM_ERR_STATE);
    assert_int_equal(sm_ibe_tree_revoke(&tree, 0), 0);
    assert_int_equal(sm_ibe_tree_find(&tree, "a", 1), SM_ERR_NOT_FOUND);
    assert_int_equal(sm_ibe_tree_find(&tree, "b", 1), 1);
    assert_int_equal(sm_ibe_tree_admit(&tree, "a", 1, 0), 2); /* forgiven, but on a new leaf */
    assert_int_equal(sm_ibe_tree_admit(&tree, "c", 1, 0), 3);
    assert_int_equal(sm_ibe_tree_admit(&tree, "d", 1, 0), SM_ERR_FULL);
    assert_int_equal(sm_ibe_tree_revoke(&tree, 1), 0);
    assert_int_equal(sm_ibe_tree_admit(&tree, "d", 1, 0), SM_ERR_FULL);
    assert_int_equal(sm_ibe_tree_revoke(&tree, 4), SM_ERR_NOT_FOUND);
}

static void leaves_expire_at_their_second(void **state)
{
    (void)state;
    struct sm_ibe_tree tree;
    assert_int_equal(sm_ibe_tree_init(&tree, 4, leaves, marks), 0);
    assert_int_equal(sm_ibe_tree_admit(&tree, "a", 1, 1000), 0);
    assert_int_equal(sm_ibe_tree_admit(&tree, "b", 1, 0), 1);
    assert_int_equal(sm_ibe_tree_admit(&tree, "c", 1, 2000), 2);
    assert_int_equal(sm_ibe_tree_expire(&tree, 999), 0);
    assert_false(tree.stale);
    assert_int_equal(sm_ibe_tree_expire(&tree, 1000), 1);
    assert_true(tree.stale);
    assert_int_equal(leaves[0].state, SM_IBE_LEAF_REVOKED);
    assert_int_equal(sm_ibe_tree_expire(&tree, 1000), 0);
    assert_int_equal(sm_ibe_tree_expire(&tree, UINT64_MAX), 1);
    assert_int_equal(leaves[1].state, SM_IBE_LEAF_HELD);
    assert_int_equal(leaves[3].state, SM_IBE_LEAF_FREE);
    assert_int_equal(sm_ibe_tree_revoke(&tree, 3), SM_ERR_NOT_FOUND);
}

static void trees_survive_encoding_and_nothing_else_decodes(void **state)
{
    (void)state;
    static uint8_t bytes[SM_IBE_TREE_SIZE(8) + 1], again[SM_IBE_TREE_SIZE(8)];
    static struct sm_ibe_leaf other_leaves[8];
    static uint8_t other_marks[SM_IBE_TREE_MARKS(8)];
    struct sm_ibe_tree tree = full(8), back;
    assert_int_equal(sm_ibe_tree_revoke(&tree, 3), 0);
    leaves[5].expires_s = 12345;
    leaves[7] = (struct sm_ibe_leaf){0};
    tree.epoch = 77;
    const size_t size = SM_IBE_TREE_SIZE(8);
    assert_int_equal(sm_ibe_tree_encode(&tree, bytes, size - 1), SM_ERR_MEMORY);
    assert_int_equal(sm_ibe_tree_encode(&tree, bytes, size), size);
    assert_int_equal(sm_ibe_tree_decode(&back, other_leaves, other_marks, 8, bytes, size), 0);
    assert_int_equal(sm_ibe_tree_encode(&back, again, size), size);
    assert_memory_equal(again, bytes, size);
    assert_memory_equal(other_marks, marks, sizeof other_marks);
    assert_true(back.epoch == 77 && back.stale);
#define DECODE(max, len) sm_ibe_tree_decode(&back, other_leaves, other_marks, max, bytes, len)
    for (size_t len = 0; len <= size + 1; len += len == size - 1 ? 2 : 1)
        assert_int_equal(DECODE(8, len), SM_ERR_MALFORMED);
    assert_int_equal(DECODE(4, size), SM_ERR_MEMORY);
    bytes[4] = 7; /* not a power of two */
    assert_int_equal(DECODE(8, size), SM_ERR_LIMIT);
    bytes[1] = 1;
    assert_int_equal(DECODE(8, size), SM_ERR_LIMIT);
    bytes[1] = 0;
    bytes[4] = 8;
    bytes[5] = 2;
    assert_int_equal(DECODE(8, size), SM_ERR_MALFORMED);
    bytes[5] = 1;
    bytes[14] = 3; /* no such state */
    assert_int_equal(DECODE(8, size), SM_ERR_MALFORMED);
    bytes[14] = 0; /* free, with a name; and free before one that is held */
    assert_int_equal(DECODE(8, size), SM_ERR_MALFORMED);
    memset(bytes + 14, 0, 41);
    assert_int_equal(DECODE(8, size), SM_ERR_MALFORMED);
    bytes[0] = 1;
    assert_int_equal(DECODE(8, size), SM_ERR_UNSUPPORTED);
#undef DECODE
}

static void sizes_that_are_no_powers_of_two_are_refused(void **state)
{
    (void)state;
    struct sm_ibe_tree tree;
    static const uint32_t bad[] = {0, 3, 5, 1000, 65537, 131072};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(sm_ibe_tree_init(&tree, bad[i], leaves, marks), SM_ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_set_of_revoked_leaves_is_covered_around_up_to_16),
        cmocka_unit_test(covers_of_32_and_64_leaves_are_right_for_every_count),
        cmocka_unit_test(covers_stay_below_the_method_s_bound),
        cmocka_unit_test(a_path_meets_the_cover_exactly_when_the_leaf_is_good),
        cmocka_unit_test(a_leaf_is_never_given_twice),
        cmocka_unit_test(leaves_expire_at_their_second),
        cmocka_unit_test(trees_survive_encoding_and_nothing_else_decodes),
        cmocka_unit_test(sizes_that_are_no_powers_of_two_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
