/* Fuzz target: everything of wildcard encryption that comes from outside.
 *
 * The first byte's low bits choose what is read: names, a pattern, parameters, a master key, a key,
 * a tree, a header, a message, a signature, and the compact form's key and header. With its first
 * bit the rest is a list of edits to a good one, three bytes each. What is read encodes to the same
 * bytes; nothing that was changed opens or verifies.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sandmote/wkdibe_compact.h>

#define LEAVES 4u

static struct sm_ibe_params params;
static struct sm_ibe_master master;
static struct sm_ibe_key key;
static struct sm_ibe_sender sender;
static struct sm_ibe_compact_params compact;
static struct sm_ibe_compact_key path;

/* The good ones, made once. */
enum { NAMES, PATTERN, PARAMS, MASTER, KEY, TREE, HEADER, MESSAGE, SIGNATURE, PATH, COVER, KINDS };
static struct {
    uint8_t bytes[SM_IBE_KEY_MAX];
    size_t len;
} good[KINDS];

static void require(bool fact)
{
    if (!fact)
        abort();
}

static int fill(void *ctx, void *buf, size_t len)
{
    (void)ctx;
    memset(buf, 0x5a, len);
    return 0;
}

static size_t count(int n)
{
    require(n > 0);
    return (size_t)n;
}

static struct sm_ibe_pattern sample(const char *identity)
{
    struct sm_ibe_pattern p;
    struct sm_ibe_detail d;
    require(sm_ibe_pattern_init(&p, 11) == 0);
    require(sm_ibe_name_purpose(&p, SM_IBE_ENCRYPT) == 0);
    require(sm_ibe_name_identity(&p, identity, strlen(identity), &d) == 0);
    return p;
}

static void make_good(void)
{
    static const struct sm_entropy entropy = {NULL, fill};
    static const char name[] = "/entity/Loc1/Alice/*";
    struct sm_ibe_rng rng;
    struct sm_ibe_leaf leaf[LEAVES];
    uint8_t marks[SM_IBE_TREE_MARKS(LEAVES)];
    struct sm_ibe_tree tree;
    struct sm_ibe_pattern p = sample("/entity/Loc1/*"), as = sample("/entity/Loc1/Alice");
    require(sm_ibe_rng_init(&rng, &entropy, "a secret of the device", 22, 0) == 0);
    require(sm_ibe_setup(&params, &master, 11, (const uint8_t[32]){1}, &rng) == 0);
    require(sm_ibe_keygen(&key, &params, &master, &p, true, &rng) == 0);
    require(sm_ibe_tree_init(&tree, LEAVES, leaf, marks) == 0);
    require(sm_ibe_tree_admit(&tree, name, sizeof name, 77) == 0);
    require(sm_ibe_tree_admit(&tree, name, 3, 0) == 1 && sm_ibe_tree_revoke(&tree, 1) == 0);
#define MAKE(kind, call) good[kind].len = count(call)
#define OUT(kind)        good[kind].bytes, sizeof good[kind].bytes
    good[NAMES].len = sizeof name - 1;
    memcpy(good[NAMES].bytes, name, sizeof name - 1);
    MAKE(PATTERN, sm_ibe_pattern_encode(&p, OUT(PATTERN)));
    MAKE(PARAMS, sm_ibe_params_encode(&params, OUT(PARAMS)));
    MAKE(MASTER, sm_ibe_master_encode(&master, OUT(MASTER)));
    MAKE(KEY, sm_ibe_key_encode(&key, OUT(KEY)));
    MAKE(TREE, sm_ibe_tree_encode(&tree, OUT(TREE)));
    MAKE(HEADER, sm_ibe_sender_open(&sender, OUT(HEADER), &params, &as, 5, &rng));
    MAKE(MESSAGE, sm_ibe_seal(&sender, OUT(MESSAGE), NULL, 0, "21.5", 4));
    require(sm_ibe_sign(good[SIGNATURE].bytes, &params, &key, &as, "21.5", 4, &rng) == 0);
    good[SIGNATURE].len = SM_IBE_SIGNATURE_SIZE;
    uint32_t nodes[SM_IBE_TREE_PATH_MAX];
    struct sm_ibe_master compact_master;
    require(sm_ibe_compact_setup(&compact, &compact_master, 11, (const uint8_t[32]){1}, &rng) == 0);
    require(sm_ibe_tree_path(&tree, 0, nodes) == 3);
    require(sm_ibe_compact_keygen(&path, &compact, &compact_master, &p, nodes, 3, &rng) == 0);
    MAKE(PATH, sm_ibe_compact_key_encode(&path, OUT(PATH)));
    MAKE(COVER,
         sm_ibe_compact_sender_open(&sender, OUT(COVER), &compact, &as, &tree, nodes, 4, &rng));
}

/* ---- Each kind ------------------------------------------------------------------------------- */

static bool is_good(unsigned kind, const uint8_t *bytes, size_t len)
{
    return len == good[kind].len && memcmp(bytes, good[kind].bytes, len) == 0;
}

static void check_names(const uint8_t *bytes, size_t len)
{
    struct sm_ibe_pattern p, q;
    struct sm_ibe_detail d;
    uint8_t out[SM_IBE_PATTERN_MAX];
    require(sm_ibe_pattern_init(&p, 16) == 0);
    if (sm_ibe_name_identity(&p, (const char *)bytes, len, &d) != 0)
        require(d.rule && d.offset <= len);
    if (sm_ibe_name_resource(&p, (const char *)bytes, len, &d) != 0)
        require(d.rule && d.offset <= len);
    else
        require(sm_ibe_pattern_decode(&q, out, count(sm_ibe_pattern_encode(&p, out, sizeof out))) >
                0);
    if (len >= 16) {
        uint64_t from, until;
        struct sm_ibe_time nodes[64];
        memcpy(&from, bytes, 8);
        memcpy(&until, bytes + 8, 8);
        int n = sm_ibe_time_cover(from, until, nodes, 64);
        for (int i = 0; i < n; i++)
            require(sm_ibe_name_time(&p, &nodes[i]) == 0);
    }
}

static void check_pattern(const uint8_t *bytes, size_t len)
{
    struct sm_ibe_pattern p;
    uint8_t out[SM_IBE_PATTERN_MAX];
    int n = sm_ibe_pattern_decode(&p, bytes, len);
    if (n < 0)
        return;
    require((size_t)n <= len && sm_ibe_pattern_encode(&p, out, sizeof out) == n);
    require(memcmp(out, bytes, (size_t)n) == 0);
    require(sm_ibe_pattern_match(&p, &p) && sm_ibe_pattern_refines(&p, &p));
}

static void check_keys(unsigned kind, const uint8_t *bytes, size_t len)
{
    static struct sm_ibe_params other;
    struct sm_ibe_master m;
    struct sm_ibe_key k;
    uint8_t out[SM_IBE_KEY_MAX];
    int n = 0;
    if (kind == PARAMS && sm_ibe_params_decode(&other, bytes, len) == 0)
        n = sm_ibe_params_encode(&other, out, sizeof out);
    if (kind == MASTER && sm_ibe_master_decode(&m, &params, bytes, len) == 0)
        n = sm_ibe_master_encode(&m, out, sizeof out);
    if (kind == KEY && sm_ibe_key_decode(&k, &params, bytes, len) == 0)
        n = sm_ibe_key_encode(&k, out, sizeof out);
    if (n != 0)
        require((size_t)n == len && memcmp(out, bytes, len) == 0);
    if (kind != PARAMS)
        require((n != 0) == is_good(kind, bytes, len));
}

static void check_tree(const uint8_t *bytes, size_t len)
{
    struct sm_ibe_tree tree;
    struct sm_ibe_leaf leaf[2 * LEAVES];
    uint8_t marks[SM_IBE_TREE_MARKS(2 * LEAVES)], out[SM_IBE_TREE_SIZE(2 * LEAVES)];
    uint32_t nodes[2 * LEAVES];
    if (sm_ibe_tree_decode(&tree, leaf, marks, 2 * LEAVES, bytes, len) != 0)
        return;
    require(sm_ibe_tree_encode(&tree, out, sizeof out) == (int)len);
    require(memcmp(out, bytes, len) == 0);
    require(sm_ibe_tree_cover(&tree, nodes, 2 * LEAVES) >= 0);
    sm_ibe_tree_expire(&tree, UINT64_MAX);
}

static void check_session(unsigned kind, const uint8_t *bytes, size_t len)
{
    static struct sm_ibe_receiver receiver;
    static const struct sm_ibe_key *const keys[] = {&key};
    struct sm_ibe_receiver fresh = {0};
    uint8_t *out = malloc(len + 1);
    if (kind == HEADER)
        require((sm_ibe_receiver_open(&fresh, &params, keys, 1, bytes, len) == 0) ==
                is_good(HEADER, bytes, len));
    if (receiver.epoch == 0)
        require(sm_ibe_receiver_open(&receiver, &params, keys, 1, good[HEADER].bytes,
                                     good[HEADER].len) == 0);
    fresh = receiver;
    if (kind == MESSAGE)
        require((sm_ibe_open(&fresh, out, len, NULL, 0, bytes, len) >= 0) ==
                is_good(MESSAGE, bytes, len));
    free(out);
}

static void check_signature(const uint8_t *bytes, size_t len)
{
    struct sm_ibe_pattern as = sample("/entity/Loc1/Alice");
    if (len == SM_IBE_SIGNATURE_SIZE)
        require((sm_ibe_verify(&params, &as, "21.5", 4, bytes) == 0) ==
                is_good(SIGNATURE, bytes, len));
}

static void check_compact(unsigned kind, const uint8_t *bytes, size_t len)
{
    struct sm_ibe_compact_key k;
    struct sm_ibe_receiver fresh = {0};
    int err = kind == PATH ? sm_ibe_compact_key_decode(&k, &compact, bytes, len)
                           : sm_ibe_compact_receiver_open(&fresh, &compact, &path, bytes, len);
    require((err == 0) == is_good(kind, bytes, len));
}

static void check(unsigned kind, const uint8_t *bytes, size_t len)
{
    switch (kind) {
    case NAMES: check_names(bytes, len); break;
    case PATTERN: check_pattern(bytes, len); break;
    case TREE: check_tree(bytes, len); break;
    case HEADER:
    case MESSAGE: check_session(kind, bytes, len); break;
    case SIGNATURE: check_signature(bytes, len); break;
    case PATH:
    case COVER: check_compact(kind, bytes, len); break;
    default: check_keys(kind, bytes, len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (good[NAMES].len == 0)
        make_good();
    if (len == 0)
        return 0;
    unsigned kind = (data[0] & 0x7f) % KINDS;
    if (data[0] & 0x80) {
        uint8_t bytes[SM_IBE_KEY_MAX];
        memcpy(bytes, good[kind].bytes, good[kind].len);
        for (size_t i = 1; i + 2 < len; i += 3)
            bytes[(data[i] << 8 | data[i + 1]) % good[kind].len] = data[i + 2];
        check(kind, bytes, good[kind].len);
    } else {
        check(kind, data + 1, len - 1);
    }
    return 0;
}
