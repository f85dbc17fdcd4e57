/* Messages to everyone who matches a pattern and is not revoked: sessions over wkdibe.h, and the
 * tree of principals.
 *
 * A sender opens a session for an epoch: a header, sent once and kept for whoever comes later,
 * gives the session's key to all that may have it. Messages are then sealed with that key alone. A
 * revocation takes effect with the next epoch, so a sender does not seal after one until it has
 * opened the next.
 *
 * The tree (complete subtree method): every principal is a leaf, and holds one key for each node
 * between its leaf and the root, in slot SM_IBE_SLOT_NODE. A header is encrypted to the fewest
 * nodes with no revoked leaf below them. Memory is the caller's throughout.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_WKDIBE_SESSION_H
#define SANDMOTE_WKDIBE_SESSION_H

#include <sandmote/wkdibe.h>
#include <sandmote/wkdibe_names.h>

/* ---- The tree of principals ------------------------------------------------------------------ */

#define SM_IBE_TREE_LEAVES_MAX 65536u
#define SM_IBE_TREE_PATH_MAX   17u
/* Bytes of `marks` for a tree of n leaves. */
#define SM_IBE_TREE_MARKS(n) ((2u * (n) + 7u) / 8u)

enum sm_ibe_leaf_state { SM_IBE_LEAF_FREE, SM_IBE_LEAF_HELD, SM_IBE_LEAF_REVOKED };

struct sm_ibe_leaf {
    uint8_t state;
    uint8_t who[SM_SHA256_SIZE]; /* hash of the identity's name */
    uint64_t expires_s;          /* seconds since 1970, UTC; 0: never */
};

/* Fields are private but for epoch, nleaves and leaf, which are to be read only. */
struct sm_ibe_tree {
    uint32_t nleaves; /* a power of two */
    bool stale;       /* revoked since the epoch began */
    uint64_t epoch;   /* of the newest session; 0 before the first */
    struct sm_ibe_leaf *leaf;
    uint8_t *marks; /* a bit a node: it is, or has below it, a revoked leaf */
};

/* A tree of nleaves (1 to SM_IBE_TREE_LEAVES_MAX, a power of two: SM_ERR_LIMIT) free leaves. leaf
 * (nleaves of them) and marks (SM_IBE_TREE_MARKS) are borrowed as long as the tree is used. */
int sm_ibe_tree_init(struct sm_ibe_tree *tree, uint32_t nleaves, struct sm_ibe_leaf *leaf,
                     uint8_t *marks) SM_IBE_CHECKED;

/* Give the next leaf to an identity. No leaf is ever given twice, a revoked one neither. The leaf's
 * number, or SM_ERR_FULL (new parameters and a larger tree are needed), SM_ERR_STATE (this identity
 * holds a leaf that is not revoked). */
int sm_ibe_tree_admit(struct sm_ibe_tree *tree, const char *identity, size_t len,
                      uint64_t expires_s) SM_IBE_CHECKED;
/* The leaf an identity holds, or SM_ERR_NOT_FOUND. */
int sm_ibe_tree_find(const struct sm_ibe_tree *tree, const char *identity,
                     size_t len) SM_IBE_CHECKED;

/* Revoke what holds a leaf. 0, also when it was revoked before; SM_ERR_NOT_FOUND for a leaf that
 * nobody holds. */
int sm_ibe_tree_revoke(struct sm_ibe_tree *tree, uint32_t leaf) SM_IBE_CHECKED;
/* Revoke all whose time has come: expires_s <= now_s. How many. */
unsigned sm_ibe_tree_expire(struct sm_ibe_tree *tree, uint64_t now_s);

/* The nodes from a leaf to the root, the leaf first; their number. SM_ERR_ARG for no such leaf. */
int sm_ibe_tree_path(const struct sm_ibe_tree *tree, uint32_t leaf,
                     uint32_t nodes[SM_IBE_TREE_PATH_MAX]) SM_IBE_CHECKED;
/* The fewest nodes that have all leaves but the revoked ones below them, ascending. Their number (0
 * when all are revoked), or SM_ERR_MEMORY (more than max). r revoked of n leaves: at most
 * r log2(n / r), and 1 for r = 0. */
int sm_ibe_tree_cover(const struct sm_ibe_tree *tree, uint32_t *nodes, unsigned max) SM_IBE_CHECKED;

/* Encoding: what must survive a restart. Bytes written or SM_ERR_MEMORY; decoding: 0, or
 * SM_ERR_MALFORMED, SM_ERR_UNSUPPORTED, SM_ERR_LIMIT, SM_ERR_MEMORY (more leaves than max_leaves).
 */
#define SM_IBE_TREE_SIZE(n) (14u + 41u * (n))
int sm_ibe_tree_encode(const struct sm_ibe_tree *tree, uint8_t *out, size_t size) SM_IBE_CHECKED;
int sm_ibe_tree_decode(struct sm_ibe_tree *tree, struct sm_ibe_leaf *leaf, uint8_t *marks,
                       uint32_t max_leaves, const uint8_t *bytes, size_t len) SM_IBE_CHECKED;

/* ---- Sending --------------------------------------------------------------------------------- */

#define SM_IBE_SESSION_ID    8u
#define SM_IBE_SEAL_OVERHEAD (1u + SM_IBE_SESSION_ID + 8u + SM_AEAD_TAG_SIZE)
/* Bytes of a header for a pattern with `wild` WILD slots and `fixed` values, to a cover of `nodes`
 * (one when there is no tree). */
#define SM_IBE_HEADER_SIZE(fixed, wild, nodes)                                                     \
    (50u + 32u * (fixed) + (4u + 32u + SM_IBE_CIPHERTEXT(wild)) * (nodes))

/* What both sides of a session have. Private. */
struct sm_ibe_session {
    uint8_t id[SM_IBE_SESSION_ID];
    uint8_t key[SM_AEAD_KEY_SIZE];
    uint8_t context[SM_SHA256_SIZE]; /* hash of the header but for its ciphertexts */
};

/* Private but for epoch. Secret: wipe it. */
struct sm_ibe_sender {
    const struct sm_ibe_tree *tree; /* borrowed; NULL: nobody is revoked */
    uint64_t epoch, sequence;
    struct sm_ibe_session session;
};

/* Open a session and write its header.
 *
 * With a tree: its epoch goes up by one, and its memory must be kept before the header is sent, so
 * that an epoch is never used twice; the pattern's node slot must be NULL (SM_ERR_ARG). Without:
 * the epoch is the caller's, above that of every session before to these receivers (a clock will
 * do). Bytes of the header, or SM_ERR_MEMORY     size, or cover memory: `nodes` of max_nodes
 *   SM_ERR_NOT_FOUND  all principals are revoked */
int sm_ibe_sender_open(struct sm_ibe_sender *sender, uint8_t *header, size_t size,
                       const struct sm_ibe_params *params, const struct sm_ibe_pattern *pattern,
                       uint64_t epoch, struct sm_ibe_rng *rng) SM_IBE_CHECKED;
int sm_ibe_sender_open_tree(struct sm_ibe_sender *sender, uint8_t *header, size_t size,
                            const struct sm_ibe_params *params,
                            const struct sm_ibe_pattern *pattern, struct sm_ibe_tree *tree,
                            uint32_t *nodes, unsigned max_nodes,
                            struct sm_ibe_rng *rng) SM_IBE_CHECKED;

/* Seal a message: out takes len + SM_IBE_SEAL_OVERHEAD bytes and does not overlap msg. aad: what
 * else must be as it was (a topic), may be NULL when aad_len is 0. Bytes written, or SM_ERR_STATE
 * somebody was revoked, or a newer session opened: open a new one SM_ERR_LIMIT   2^32 messages were
 * sealed: open a new one SM_ERR_MEMORY  size */
int sm_ibe_seal(struct sm_ibe_sender *sender, uint8_t *out, size_t size, const void *aad,
                size_t aad_len, const void *msg, size_t len) SM_IBE_CHECKED;

/* ---- Receiving ------------------------------------------------------------------------------- */

/* The sessions of one sender: the newest and the one before, whose last messages may still be under
 * way. Private but for epoch. Zero it before its first use; secret: wipe it. */
struct sm_ibe_receiver {
    uint64_t epoch; /* of the newest header taken. After a restart: the kept one refuses that header
                       too; one less takes it again, with every message that came before */
    struct sm_ibe_received {
        bool open;
        uint64_t next, seen; /* numbers below next; of the 64 before it, a bit each */
        uint8_t header_hash[SM_SHA256_SIZE];
        struct sm_ibe_session session;
    } received[2];
};

/* Take a header, with whichever of the keys opens it; whoever can write headers for the parameters
 * is not known by it (sign headers: sm_ibe_sign). 0, also when it is the newest one again; or
 *   SM_ERR_DENIED       no key matches: revoked, expired, or not for us
 *   SM_ERR_ROLLBACK     its epoch is not above the newest
 *   SM_ERR_MALFORMED, SM_ERR_UNSUPPORTED, SM_ERR_LIMIT, SM_ERR_INVALID, SM_ERR_KEY (as decoders)
 * and then nothing has changed. */
int sm_ibe_receiver_open(struct sm_ibe_receiver *receiver, const struct sm_ibe_params *params,
                         const struct sm_ibe_key *const *keys, unsigned nkeys,
                         const uint8_t *header, size_t len) SM_IBE_CHECKED;

/* The pattern and epoch of a header, without opening it. */
int sm_ibe_header_read(const uint8_t *header, size_t len, struct sm_ibe_pattern *pattern,
                       uint64_t *epoch) SM_IBE_CHECKED;

/* Open a message: out takes len - SM_IBE_SEAL_OVERHEAD bytes and does not overlap it. Bytes of the
 * message, or
 *   SM_ERR_MALFORMED  too short, or no message
 *   SM_ERR_NOT_FOUND  of no session that is open here: its header is missing
 *   SM_ERR_SIGNATURE  not sealed in that session, or changed since
 *   SM_ERR_ROLLBACK   came before, or is older than the window of 64
 *   SM_ERR_MEMORY     size */
int sm_ibe_open(struct sm_ibe_receiver *receiver, uint8_t *out, size_t size, const void *aad,
                size_t aad_len, const uint8_t *message, size_t len) SM_IBE_CHECKED;

#endif
