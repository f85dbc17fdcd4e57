/* Sessions: messages to a pattern, revocation, replay, and what a message is bound to.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "ibe_world.h"
#include <sandmote/wkdibe_session.h>
#include <stdio.h>

#define LEAVES 8u
#define HEADER SM_IBE_HEADER_SIZE(12, 4, 8)

static struct world world;
static struct sm_ibe_leaf leaves[LEAVES];
static uint8_t marks[SM_IBE_TREE_MARKS(LEAVES)];
static struct sm_ibe_tree tree;

/* A principal: its keys for the nodes of its path. */
struct principal {
    struct sm_ibe_key key[4];
    const struct sm_ibe_key *keys[4];
};
static struct principal user[LEAVES];
static struct sm_ibe_key plain; /* with no node */

static struct sm_ibe_pattern names(const char *identity, const char *resource)
{
    struct sm_ibe_pattern p;
    struct sm_ibe_detail d;
    assert_int_equal(sm_ibe_pattern_init(&p, 11), 0);
    assert_int_equal(sm_ibe_name_purpose(&p, SM_IBE_ENCRYPT), 0);
    assert_int_equal(sm_ibe_name_identity(&p, identity, strlen(identity), &d), 0);
    assert_int_equal(sm_ibe_name_resource(&p, resource, strlen(resource), &d), 0);
    return p;
}

static void admit(unsigned i)
{
    char name[32];
    uint32_t path[SM_IBE_TREE_PATH_MAX];
    snprintf(name, sizeof name, "/entity/Loc%u/user%u", i / 4 + 1, i);
    assert_int_equal(sm_ibe_tree_admit(&tree, name, strlen(name), 0), i);
    assert_int_equal(sm_ibe_tree_path(&tree, i, path), 4);
    struct sm_ibe_pattern p = names(name, "/resources/device01/*");
    for (unsigned k = 0; k < 4; k++) {
        assert_int_equal(sm_ibe_name_node(&p, path[k]), 0);
        assert_int_equal(
            sm_ibe_keygen(&user[i].key[k], &world.params, &world.master, &p, false, &world.rng), 0);
        user[i].keys[k] = &user[i].key[k];
    }
}

static int setup(void **state)
{
    (void)state;
    world_init(&world, 11);
    assert_int_equal(sm_ibe_tree_init(&tree, LEAVES, leaves, marks), 0);
    for (unsigned i = 0; i < LEAVES; i++)
        admit(i);
    struct sm_ibe_pattern p = names("/entity/Loc1/user0", "/resources/device01/*");
    return sm_ibe_keygen(&plain, &world.params, &world.master, &p, false, &world.rng);
}

/* A sender to everybody with a name at a location, for one resource, and its header. */
struct stage {
    struct sm_ibe_sender sender;
    uint8_t header[HEADER];
    size_t len;
};

static void open_stage(struct stage *s, const char *identity)
{
    uint32_t nodes[LEAVES];
    struct sm_ibe_pattern to = names(identity, "/resources/device01/BME280/temperature");
    int n = sm_ibe_sender_open_tree(&s->sender, s->header, sizeof s->header, &world.params, &to,
                                    &tree, nodes, LEAVES, &world.rng);
    assert_true(n > 0);
    s->len = (size_t)n;
}

/* The same without a tree. */
static void open_plain(struct stage *s, uint64_t epoch)
{
    struct sm_ibe_pattern to = names("/entity/Loc1/*", "/resources/device01/BME280/temperature");
    int n = sm_ibe_sender_open(&s->sender, s->header, sizeof s->header, &world.params, &to, epoch,
                               &world.rng);
    assert_int_equal(n, SM_IBE_HEADER_SIZE(7, 2, 1) - 4 - 1); /* no node; 11 slots */
    s->len = (size_t)n;
}

static int take(struct sm_ibe_receiver *r, const struct principal *u, const struct stage *s)
{
    return sm_ibe_receiver_open(r, &world.params, u->keys, 4, s->header, s->len);
}

static int take_plain(struct sm_ibe_receiver *r, const struct stage *s)
{
    const struct sm_ibe_key *keys[] = {&plain};
    return sm_ibe_receiver_open(r, &world.params, keys, 1, s->header, s->len);
}

struct message {
    uint8_t bytes[64];
    size_t len;
};

static struct message seal(struct sm_ibe_sender *sender, const char *text)
{
    struct message m;
    int n = sm_ibe_seal(sender, m.bytes, sizeof m.bytes, "topic", 5, text, strlen(text));
    assert_int_equal(n, strlen(text) + SM_IBE_SEAL_OVERHEAD);
    m.len = (size_t)n;
    return m;
}

static int opened(struct sm_ibe_receiver *r, const struct message *m, char out[64])
{
    memset(out, 0, 64);
    return sm_ibe_open(r, (uint8_t *)out, 63, "topic", 5, m->bytes, m->len);
}

/* ---- Who can read ---------------------------------------------------------------------------- */

static void expect_readers(const struct stage *s, const struct message *m, const char *readers)
{
    char text[64];
    for (unsigned i = 0; i < LEAVES; i++) {
        struct sm_ibe_receiver r = {0};
        bool may = readers[i] == 'x';
        assert_int_equal(take(&r, &user[i], s), may ? 0 : SM_ERR_DENIED);
        assert_int_equal(opened(&r, m, text), may ? 4 : SM_ERR_NOT_FOUND);
        if (may)
            assert_string_equal(text, "21.5");
    }
}

static void everyone_of_the_pattern_reads_until_revoked(void **state)
{
    (void)state;
    struct stage all, some, after;
    open_stage(&all, "/entity/*");
    struct message m = seal(&all.sender, "21.5");
    expect_readers(&all, &m, "xxxxxxxx");
    open_stage(&some, "/entity/Loc1/*");
    m = seal(&some.sender, "21.5");
    expect_readers(&some, &m, "xxxx....");
    assert_int_equal(sm_ibe_tree_revoke(&tree, 1), 0);
    assert_int_equal(sm_ibe_tree_revoke(&tree, 6), 0);
    open_stage(&after, "/entity/*");
    m = seal(&after.sender, "21.5");
    expect_readers(&after, &m, "x.xxxx.x");
    open_stage(&after, "/entity/Loc1/*");
    m = seal(&after.sender, "21.5");
    expect_readers(&after, &m, "x.xx....");
}

static void a_revocation_forces_a_new_epoch(void **state)
{
    (void)state;
    struct stage s, newer;
    uint8_t out[64];
    open_stage(&s, "/entity/*");
    uint64_t epoch = tree.epoch;
    seal(&s.sender, "x");
    assert_int_equal(sm_ibe_tree_revoke(&tree, 2), 0);
    assert_int_equal(sm_ibe_seal(&s.sender, out, sizeof out, NULL, 0, "x", 1), SM_ERR_STATE);
    open_stage(&newer, "/entity/*");
    assert_int_equal(tree.epoch, epoch + 1);
    seal(&newer.sender, "x");
    /* Not the old session, even so: whoever was revoked has its key. */
    assert_int_equal(sm_ibe_seal(&s.sender, out, sizeof out, NULL, 0, "x", 1), SM_ERR_STATE);
}

static void nobody_is_left_when_all_are_revoked(void **state)
{
    (void)state;
    struct sm_ibe_leaf leaf[1];
    uint8_t mark[1], header[HEADER];
    struct sm_ibe_tree one;
    struct sm_ibe_sender sender;
    uint32_t nodes[1];
    struct sm_ibe_pattern to = names("/entity/*", "/resources/*");
    assert_int_equal(sm_ibe_tree_init(&one, 1, leaf, mark), 0);
    assert_int_equal(sm_ibe_tree_admit(&one, "a", 1, 0), 0);
    assert_int_equal(sm_ibe_tree_revoke(&one, 0), 0);
    assert_int_equal(sm_ibe_sender_open_tree(&sender, header, sizeof header, &world.params, &to,
                                             &one, nodes, 1, &world.rng),
                     SM_ERR_NOT_FOUND);
}

/* ---- What a message is bound to -------------------------------------------------------------- */

static void a_message_opens_under_its_own_header_topic_and_number_alone(void **state)
{
    (void)state;
    struct sm_ibe_receiver r = {0}, other = {0};
    struct stage s, t;
    char text[64];
    open_plain(&s, 1000);
    open_plain(&t, 1001);
    struct message m = seal(&s.sender, "21.5");
    assert_int_equal(take_plain(&r, &s), 0);
    assert_int_equal(sm_ibe_open(&r, (uint8_t *)text, 64, "tapic", 5, m.bytes, m.len),
                     SM_ERR_SIGNATURE);
    assert_int_equal(sm_ibe_open(&r, (uint8_t *)text, 64, NULL, 0, m.bytes, m.len),
                     SM_ERR_SIGNATURE);
    for (unsigned bit = 0; bit < m.len * 8; bit++) {
        struct message bad = m;
        bad.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        int result = opened(&r, &bad, text);
        assert_true(result == (bit < 8     ? SM_ERR_MALFORMED
                               : bit < 72  ? SM_ERR_NOT_FOUND
                               : bit < 104 ? SM_ERR_MALFORMED /* a number that none has */
                                           : SM_ERR_SIGNATURE));
    }
    assert_int_equal(take_plain(&other, &t), 0);
    memcpy(m.bytes + 1, t.sender.session.id, 8); /* into another session of the same two */
    assert_int_equal(opened(&other, &m, text), SM_ERR_SIGNATURE);
    memcpy(m.bytes + 1, s.sender.session.id, 8);
    assert_int_equal(opened(&r, &m, text), 4);
}

static void a_changed_header_is_refused(void **state)
{
    (void)state;
    struct stage s;
    struct sm_ibe_receiver r = {0}, none = {0};
    open_plain(&s, 2000);
    for (size_t at = 0; at < s.len; at += at < 300 ? 7 : 1) {
        s.header[at] ^= 0x10;
        assert_true(take_plain(&r, &s) < 0);
        s.header[at] ^= 0x10;
        assert_memory_equal(&r, &none, sizeof r);
    }
    for (size_t len = 0; len < s.len; len++) {
        struct stage cut = s;
        cut.len = len;
        assert_int_equal(take_plain(&r, &cut), SM_ERR_MALFORMED);
    }
    assert_int_equal(take_plain(&r, &s), 0);
}

static void a_header_for_another_node_does_not_open(void **state)
{
    (void)state;
    struct stage s;
    struct sm_ibe_receiver r = {0};
    open_stage(&s, "/entity/*");
    struct sm_ibe_pattern p;
    uint64_t epoch;
    assert_int_equal(sm_ibe_header_read(s.header, s.len, &p, &epoch), 0);
    assert_int_equal(epoch, tree.epoch);
    /* Number the first node as one that a revoked principal has. */
    for (size_t at = 41; at + 4 < s.len; at++) {
        uint32_t value = (uint32_t)s.header[at] << 24 | (uint32_t)s.header[at + 1] << 16 |
                         (uint32_t)s.header[at + 2] << 8 | s.header[at + 3];
        uint32_t nodes[LEAVES];
        int n = sm_ibe_tree_cover(&tree, nodes, LEAVES);
        if (value != (uint32_t)n)
            continue;
        s.header[at + 7] = 1; /* the root, which everybody has */
        break;
    }
    assert_int_equal(take(&r, &user[1], &s), SM_ERR_INVALID);
}

/* ---- Replay ---------------------------------------------------------------------------------- */

static void no_message_opens_twice_and_late_ones_open_within_the_window(void **state)
{
    (void)state;
    static struct message m[200];
    struct sm_ibe_receiver r = {0};
    struct stage s;
    char text[64];
    open_plain(&s, 3000);
    for (unsigned i = 0; i < 200; i++)
        m[i] = seal(&s.sender, "x");
    assert_int_equal(take_plain(&r, &s), 0);
    assert_int_equal(opened(&r, &m[0], text), 1);
    assert_int_equal(opened(&r, &m[0], text), SM_ERR_ROLLBACK);
    assert_int_equal(opened(&r, &m[3], text), 1);
    assert_int_equal(opened(&r, &m[1], text), 1);
    assert_int_equal(opened(&r, &m[1], text), SM_ERR_ROLLBACK);
    assert_int_equal(opened(&r, &m[3], text), SM_ERR_ROLLBACK);
    assert_int_equal(opened(&r, &m[70], text), 1);
    assert_int_equal(opened(&r, &m[6], text), SM_ERR_ROLLBACK); /* 64 before */
    assert_int_equal(opened(&r, &m[7], text), 1);
    assert_int_equal(opened(&r, &m[7], text), SM_ERR_ROLLBACK);
    assert_int_equal(opened(&r, &m[199], text), 1); /* more than a window ahead */
    assert_int_equal(opened(&r, &m[136], text), 1);
    assert_int_equal(opened(&r, &m[135], text), SM_ERR_ROLLBACK);
    assert_int_equal(opened(&r, &m[70], text), SM_ERR_ROLLBACK);
    /* A number that was not sealed moves nothing. */
    struct message forged = m[198];
    forged.bytes[13] = 1;
    assert_int_equal(opened(&r, &forged, text), SM_ERR_SIGNATURE);
    assert_int_equal(opened(&r, &m[198], text), 1);
    /* The header again does not open the window again. */
    assert_int_equal(take_plain(&r, &s), 0);
    assert_int_equal(opened(&r, &m[198], text), SM_ERR_ROLLBACK);
}

static void old_headers_are_refused_and_the_last_session_but_one_stays(void **state)
{
    (void)state;
    struct sm_ibe_receiver r = {0};
    struct stage s[3], same;
    struct message m[3];
    char text[64];
    for (unsigned i = 0; i < 3; i++) {
        open_plain(&s[i], 4000 + i);
        m[i] = seal(&s[i].sender, "x");
        assert_int_equal(take_plain(&r, &s[i]), 0);
    }
    assert_int_equal(r.epoch, 4002);
    assert_int_equal(take_plain(&r, &s[1]), SM_ERR_ROLLBACK);
    assert_int_equal(take_plain(&r, &s[0]), SM_ERR_ROLLBACK);
    open_plain(&same, 4002); /* another session of the same epoch */
    assert_int_equal(take_plain(&r, &same), SM_ERR_ROLLBACK);
    assert_int_equal(opened(&r, &m[1], text), 1);
    assert_int_equal(opened(&r, &m[2], text), 1);
    assert_int_equal(opened(&r, &m[0], text), SM_ERR_NOT_FOUND);
    assert_int_equal(opened(&r, &m[1], text), SM_ERR_ROLLBACK);
}

/* ---- Limits ---------------------------------------------------------------------------------- */

static void rooms_limits_and_wrong_patterns_are_refused(void **state)
{
    (void)state;
    struct stage s;
    struct sm_ibe_receiver r = {0};
    uint8_t out[64];
    uint32_t nodes[1];
    struct sm_ibe_pattern to = names("/entity/*", "/resources/*");
    open_plain(&s, 5000);
    assert_int_equal(sm_ibe_seal(&s.sender, out, 33, NULL, 0, "x", 1), SM_ERR_MEMORY);
    assert_int_equal(sm_ibe_seal(&s.sender, out, 34, NULL, 0, "x", 1), 34);
    assert_int_equal(take_plain(&r, &s), 0);
    assert_int_equal(sm_ibe_open(&r, out + 34, 0, NULL, 0, out, 34), SM_ERR_MEMORY);
    assert_int_equal(sm_ibe_open(&r, out + 34, 1, NULL, 0, out, 32), SM_ERR_MALFORMED);
    assert_int_equal(sm_ibe_open(&r, out + 34, 1, NULL, 0, out, 34), 1);
    s.sender.sequence = (1ull << 32) - 1;
    assert_int_equal(sm_ibe_seal(&s.sender, out, sizeof out, NULL, 0, "x", 1), 34);
    assert_int_equal(sm_ibe_seal(&s.sender, out, sizeof out, NULL, 0, "x", 1), SM_ERR_LIMIT);
    for (size_t size = 0; size < s.len; size += 11)
        assert_int_equal(
            sm_ibe_sender_open(&s.sender, s.header, size, &world.params, &to, 1, &world.rng),
            SM_ERR_MEMORY);
    assert_int_equal(sm_ibe_tree_revoke(&tree, 0), 0);
    assert_int_equal(sm_ibe_sender_open_tree(&s.sender, s.header, sizeof s.header, &world.params,
                                             &to, &tree, nodes, 1, &world.rng),
                     SM_ERR_MEMORY);
    assert_int_equal(sm_ibe_name_node(&to, 1), 0);
    assert_int_equal(sm_ibe_sender_open_tree(&s.sender, s.header, sizeof s.header, &world.params,
                                             &to, &tree, nodes, 1, &world.rng),
                     SM_ERR_ARG);
}

static void entropy_that_fails_opens_no_session(void **state)
{
    (void)state;
    static const struct sm_ibe_sender wiped;
    struct stage s;
    struct sm_ibe_pattern to = names("/entity/*", "/resources/*");
    world.luck.fails = true;
    assert_int_equal(
        sm_ibe_sender_open(&s.sender, s.header, sizeof s.header, &world.params, &to, 1, &world.rng),
        SM_ERR_IO);
    world.luck.fails = false;
    assert_memory_equal(&s.sender, &wiped, sizeof wiped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everyone_of_the_pattern_reads_until_revoked),
        cmocka_unit_test(a_revocation_forces_a_new_epoch),
        cmocka_unit_test(nobody_is_left_when_all_are_revoked),
        cmocka_unit_test(a_message_opens_under_its_own_header_topic_and_number_alone),
        cmocka_unit_test(a_changed_header_is_refused),
        cmocka_unit_test(a_header_for_another_node_does_not_open),
        cmocka_unit_test(no_message_opens_twice_and_late_ones_open_within_the_window),
        cmocka_unit_test(old_headers_are_refused_and_the_last_session_but_one_stays),
        cmocka_unit_test(rooms_limits_and_wrong_patterns_are_refused),
        cmocka_unit_test(entropy_that_fails_opens_no_session),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
