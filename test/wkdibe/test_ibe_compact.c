/* The experimental compact form: who can read, with one key for a path and one ciphertext for a
 * cover.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "ibe_world.h"
#include <sandmote/wkdibe_compact.h>

#define LEAVES 16u
#define SLOTS  3u

static struct world world;
static struct sm_ibe_compact_params params;
static struct sm_ibe_master master;
static struct sm_ibe_leaf leaves[LEAVES];
static uint8_t marks[SM_IBE_TREE_MARKS(LEAVES)];
static struct sm_ibe_tree tree;
static struct sm_ibe_compact_key key[LEAVES];

struct stage {
    struct sm_ibe_sender sender;
    uint8_t header[SM_IBE_COMPACT_HEADER_SIZE(SLOTS, SLOTS, LEAVES)];
    size_t len;
};

static void new_tree(void)
{
    assert_int_equal(sm_ibe_tree_init(&tree, LEAVES, leaves, marks), 0);
    for (uint32_t i = 0; i < LEAVES; i++) {
        char name[2] = {(char)('a' + i), 0};
        assert_int_equal(sm_ibe_tree_admit(&tree, name, 1, 0), i);
    }
}

static void keygen_at(struct sm_ibe_compact_key *k, uint32_t leaf, const char *text)
{
    uint32_t path[SM_IBE_TREE_PATH_MAX];
    struct sm_ibe_pattern p = pattern(text);
    int n = sm_ibe_tree_path(&tree, leaf, path);
    assert_int_equal(n, 5);
    assert_int_equal(sm_ibe_compact_keygen(k, &params, &master, &p, path, (unsigned)n, &world.rng),
                     0);
}

static int setup(void **state)
{
    (void)state;
    world_init(&world, SLOTS);
    assert_int_equal(
        sm_ibe_compact_setup(&params, &master, SLOTS, world.params.encoded + 2, &world.rng), 0);
    new_tree();
    for (uint32_t i = 0; i < LEAVES; i++)
        keygen_at(&key[i], i, i % 2 ? "ab*" : "a*-");
    return 0;
}

static void open_stage(struct stage *s, const char *to)
{
    uint32_t nodes[LEAVES];
    struct sm_ibe_pattern q = pattern(to);
    int n = sm_ibe_compact_sender_open(&s->sender, s->header, sizeof s->header, &params, &q, &tree,
                                       nodes, LEAVES, &world.rng);
    assert_true(n > 0);
    s->len = (size_t)n;
}

static int read_by(const struct sm_ibe_compact_key *k, const struct stage *s,
                   struct sm_ibe_receiver *r)
{
    return sm_ibe_compact_receiver_open(r, &params, k, s->header, s->len);
}

/* Whether a key opens the header, and then a message. */
static bool reads(const struct sm_ibe_compact_key *k, struct stage *s)
{
    struct sm_ibe_receiver r = {0};
    uint8_t sealed[4 + SM_IBE_SEAL_OVERHEAD], text[4];
    int err = read_by(k, s, &r);
    assert_true(err == 0 || err == SM_ERR_DENIED);
    if (err)
        return false;
    assert_int_equal(sm_ibe_seal(&s->sender, sealed, sizeof sealed, NULL, 0, "21.5", 4),
                     sizeof sealed);
    assert_int_equal(sm_ibe_open(&r, text, sizeof text, NULL, 0, sealed, sizeof sealed), 4);
    assert_memory_equal(text, "21.5", 4);
    return true;
}

static void exactly_those_read_who_are_not_revoked(void **state)
{
    (void)state;
    static const uint32_t sets[][5] = {
        {99}, {3, 99}, {0, 15, 99}, {2, 3, 7, 99}, {0, 5, 6, 12, 99}};
    for (unsigned i = 0; i < sizeof sets / sizeof *sets; i++) {
        struct stage s;
        bool revoked[LEAVES] = {false};
        uint64_t epoch = tree.epoch;
        new_tree();
        tree.epoch = epoch;
        for (unsigned k = 0; sets[i][k] != 99; k++) {
            assert_int_equal(sm_ibe_tree_revoke(&tree, sets[i][k]), 0);
            revoked[sets[i][k]] = true;
        }
        open_stage(&s, "a*-");
        for (uint32_t leaf = 0; leaf < LEAVES; leaf += 1 + i % 2)
            assert_int_equal(reads(&key[leaf], &s), !revoked[leaf]);
    }
    new_tree();
}

static void patterns_count_as_ever(void **state)
{
    (void)state;
    struct stage s;
    open_stage(&s, "ac-");
    assert_true(reads(&key[0], &s));
    assert_false(reads(&key[1], &s));
    open_stage(&s, "*b*");
    assert_true(reads(&key[0], &s));
    assert_true(reads(&key[1], &s));
    open_stage(&s, "b**");
    assert_false(reads(&key[0], &s));
}

/* The cover leaves a node out; whoever held a key for it tries with another node's place, and with
 * the pattern that it likes. */
static void a_revoked_key_that_lies_reads_nothing(void **state)
{
    (void)state;
    struct stage s;
    struct sm_ibe_receiver r = {0};
    struct sm_ibe_compact_key liar = key[4];
    new_tree();
    assert_int_equal(sm_ibe_tree_revoke(&tree, 4), 0);
    open_stage(&s, "a*-");
    assert_int_equal(read_by(&liar, &s, &r), SM_ERR_DENIED);
    for (unsigned i = 0; i < liar.nnodes; i++)
        for (uint32_t node = 2; node < 2 * LEAVES; node += 7) {
            uint32_t was = liar.node[i];
            liar.node[i] = node;
            int err = read_by(&liar, &s, &r);
            assert_true(err == SM_ERR_DENIED || err == SM_ERR_INVALID);
            liar.node[i] = was;
        }
    new_tree();
}

static void delegates_read_at_the_same_nodes(void **state)
{
    (void)state;
    struct sm_ibe_compact_key child;
    struct sm_ibe_pattern to = pattern("ab-"), wrong = pattern("bb-");
    struct stage s;
    new_tree();
    assert_int_equal(sm_ibe_compact_delegate(&child, &params, &key[4], &to, &world.rng), 0);
    assert_memory_not_equal(&child.inner.a1, &key[4].inner.a1, sizeof child.inner.a1);
    assert_memory_equal(child.node, key[4].node, sizeof child.node);
    open_stage(&s, "a*-");
    assert_true(reads(&child, &s));
    open_stage(&s, "ac-");
    assert_false(reads(&child, &s));
    assert_int_equal(sm_ibe_compact_delegate(&child, &params, &key[4], &wrong, &world.rng),
                     SM_ERR_DENIED);
    assert_int_equal(sm_ibe_compact_delegate(&child, &params, &key[4], &to, &world.rng), 0);
    assert_int_equal(sm_ibe_tree_revoke(&tree, 4), 0);
    open_stage(&s, "a*-");
    assert_false(reads(&child, &s));
    new_tree();
}

static void changed_headers_are_refused(void **state)
{
    (void)state;
    struct stage s;
    struct sm_ibe_receiver r = {0}, none = {0};
    new_tree();
    assert_int_equal(sm_ibe_tree_revoke(&tree, 9), 0);
    open_stage(&s, "a**");
    for (size_t at = 0; at < s.len; at += 5) {
        s.header[at] ^= 0x10;
        assert_true(read_by(&key[0], &s, &r) < 0);
        assert_memory_equal(&r, &none, sizeof r);
        s.header[at] ^= 0x10;
    }
    for (size_t len = 0; len < s.len; len += 3) {
        struct stage cut = s;
        cut.len = len;
        assert_int_equal(read_by(&key[0], &cut, &r), SM_ERR_MALFORMED);
    }
    assert_int_equal(read_by(&key[0], &s, &r), 0);
    assert_int_equal(read_by(&key[0], &s, &r), 0); /* once more */
    struct stage older = s;
    open_stage(&s, "a**");
    assert_int_equal(read_by(&key[0], &s, &r), 0);
    assert_int_equal(read_by(&key[0], &older, &r), SM_ERR_ROLLBACK);
    new_tree();
}

static void keys_survive_encoding_and_mixed_ones_are_refused(void **state)
{
    (void)state;
    uint8_t bytes[SM_IBE_COMPACT_KEY_MAX], again[SM_IBE_COMPACT_KEY_MAX];
    struct sm_ibe_compact_key back, mixed;
    for (unsigned i = 0; i < 2; i++) {
        int n = sm_ibe_compact_key_encode(&key[i], bytes, sizeof bytes);
        assert_true(n > 0);
        assert_int_equal(sm_ibe_compact_key_encode(&key[i], again, (size_t)n - 1), SM_ERR_MEMORY);
        assert_int_equal(sm_ibe_compact_key_decode(&back, &params, bytes, (size_t)n), 0);
        assert_int_equal(sm_ibe_compact_key_encode(&back, again, sizeof again), n);
        assert_memory_equal(again, bytes, (size_t)n);
        assert_memory_equal(&back, &key[i], sizeof back);
        for (int len = 0; len < n; len++)
            assert_int_equal(sm_ibe_compact_key_decode(&back, &params, bytes, (size_t)len),
                             SM_ERR_MALFORMED);
    }
    for (unsigned part = 0; part < 5; part++) {
        mixed = key[0];
        switch (part) {
        case 0: mixed.inner.a0 = key[2].inner.a0; break;
        case 1: mixed.inner.a1 = key[2].inner.a1; break;
        case 2: mixed.a0[3] = key[2].a0[3]; break;
        case 3: mixed.inner.b[1] = key[2].inner.b[1]; break;
        default: mixed.node[2] = key[8].node[2];
        }
        int n = sm_ibe_compact_key_encode(&mixed, bytes, sizeof bytes);
        assert_true(n > 0);
        assert_int_equal(sm_ibe_compact_key_decode(&back, &params, bytes, (size_t)n),
                         SM_ERR_INVALID);
    }
}

static void the_two_kinds_of_parameters_do_not_mix(void **state)
{
    (void)state;
    static struct sm_ibe_params plain;
    static struct sm_ibe_compact_params compact;
    struct sm_ibe_master m;
    struct sm_ibe_pattern p = pattern("abc");
    struct sm_ibe_compact_key k;
    const uint32_t nodes[] = {4, 2, 1}, up[] = {1, 2}, none[] = {2, 0};
    uint8_t bytes[SM_IBE_PARAMS_SIZE];
    assert_int_equal(sm_ibe_compact_params_encode(&params, bytes, sizeof bytes), 130);
    assert_int_equal(sm_ibe_params_decode(&plain, bytes, 130), SM_ERR_UNSUPPORTED);
    assert_int_equal(sm_ibe_compact_params_decode(&compact, bytes, 130), 0);
    assert_memory_equal(&compact, &params, sizeof params);
    assert_int_equal(sm_ibe_params_encode(&world.params, bytes, sizeof bytes), 130);
    assert_int_equal(sm_ibe_compact_params_decode(&compact, bytes, 130), SM_ERR_UNSUPPORTED);
    assert_int_equal(sm_ibe_master_encode(&master, bytes, sizeof bytes), 81);
    assert_int_equal(sm_ibe_compact_master_decode(&m, &params, bytes, 81), 0);
    assert_int_equal(sm_ibe_master_decode(&m, &world.params, bytes, 81), SM_ERR_KEY);
    assert_int_equal(sm_ibe_compact_keygen(&k, &params, &world.master, &p, nodes, 3, &world.rng),
                     SM_ERR_KEY);
    assert_int_equal(sm_ibe_compact_keygen(&k, &params, &master, &p, nodes, 0, &world.rng),
                     SM_ERR_ARG);
    assert_int_equal(sm_ibe_compact_keygen(&k, &params, &master, &p, up, 2, &world.rng),
                     SM_ERR_ARG);
    assert_int_equal(sm_ibe_compact_keygen(&k, &params, &master, &p, none, 2, &world.rng),
                     SM_ERR_ARG);
}

static void a_header_is_as_long_as_said(void **state)
{
    (void)state;
    struct stage s;
    new_tree();
    assert_int_equal(sm_ibe_tree_revoke(&tree, 0), 0);
    open_stage(&s, "ab*"); /* 4 nodes; 3 slots have one byte of kinds, not 4 */
    assert_int_equal(s.len, SM_IBE_COMPACT_HEADER_SIZE(2, 1, 4) - 3);
    new_tree();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exactly_those_read_who_are_not_revoked),
        cmocka_unit_test(patterns_count_as_ever),
        cmocka_unit_test(a_revoked_key_that_lies_reads_nothing),
        cmocka_unit_test(delegates_read_at_the_same_nodes),
        cmocka_unit_test(changed_headers_are_refused),
        cmocka_unit_test(keys_survive_encoding_and_mixed_ones_are_refused),
        cmocka_unit_test(the_two_kinds_of_parameters_do_not_mix),
        cmocka_unit_test(a_header_is_as_long_as_said),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
