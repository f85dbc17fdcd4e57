/* EXPERIMENTAL: headers to many nodes of the tree in one ciphertext.
 *
 * As wkdibe_session.h, but a node of the cover takes 52 bytes and one multiplication instead of 180
 * bytes and a whole ciphertext, and a principal has one key for its path. Every node has a point of
 * its own, a hash, and one ciphertext uses one random number for all nodes. The argument that this
 * is safe has been reviewed by nobody (doc/wkdibe.md): use it to try it.
 *
 * Parameters, keys and headers are of other types and bytes than those without nodes, because keys
 * with and without nodes under the same parameters would break both. Errors and rules are those of
 * wkdibe.h and wkdibe_session.h; messages are sealed and opened with what stands there.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_WKDIBE_COMPACT_H
#define SANDMOTE_WKDIBE_COMPACT_H

#include <sandmote/wkdibe_session.h>

/* Private but for inner.id and inner.slots. */
struct sm_ibe_compact_params {
    struct sm_ibe_params inner;
};

/* A principal's key, good at all nodes of its path. Private. */
struct sm_ibe_compact_key {
    struct sm_ibe_key inner; /* with the a0 of node[0] */
    uint8_t nnodes;
    uint32_t node[SM_IBE_TREE_PATH_MAX]; /* descending: the leaf first */
    struct sm_ibe_g1 a0[SM_IBE_TREE_PATH_MAX];
};

#define SM_IBE_COMPACT_KEY_MAX (SM_IBE_KEY_MAX + 1u + (4u + SM_IBE_G1_SIZE) * SM_IBE_TREE_PATH_MAX)
#define SM_IBE_COMPACT_HEADER_SIZE(fixed, wild, nodes)                                             \
    (178u + 32u * (fixed) + 48u * (wild) + (4u + SM_IBE_G1_SIZE) * (nodes))

int sm_ibe_compact_setup(struct sm_ibe_compact_params *params, struct sm_ibe_master *master,
                         unsigned slots, const uint8_t seed[32],
                         struct sm_ibe_rng *rng) SM_IBE_CHECKED;
int sm_ibe_compact_params_encode(const struct sm_ibe_compact_params *params, uint8_t *out,
                                 size_t size) SM_IBE_CHECKED;
int sm_ibe_compact_params_decode(struct sm_ibe_compact_params *params, const uint8_t *bytes,
                                 size_t len) SM_IBE_CHECKED;
/* Encoded by sm_ibe_master_encode. */
int sm_ibe_compact_master_decode(struct sm_ibe_master *master,
                                 const struct sm_ibe_compact_params *params, const uint8_t *bytes,
                                 size_t len) SM_IBE_CHECKED;

/* A key for a pattern at nodes as sm_ibe_tree_path gives them: descending, 1 to
 * SM_IBE_TREE_PATH_MAX of them (SM_ERR_ARG). Slots have no node here. */
int sm_ibe_compact_keygen(struct sm_ibe_compact_key *key,
                          const struct sm_ibe_compact_params *params,
                          const struct sm_ibe_master *master, const struct sm_ibe_pattern *pattern,
                          const uint32_t *nodes, unsigned nnodes,
                          struct sm_ibe_rng *rng) SM_IBE_CHECKED;
/* The same nodes, a pattern that refines. */
int sm_ibe_compact_delegate(struct sm_ibe_compact_key *key,
                            const struct sm_ibe_compact_params *params,
                            const struct sm_ibe_compact_key *from,
                            const struct sm_ibe_pattern *pattern,
                            struct sm_ibe_rng *rng) SM_IBE_CHECKED;
int sm_ibe_compact_key_encode(const struct sm_ibe_compact_key *key, uint8_t *out,
                              size_t size) SM_IBE_CHECKED;
int sm_ibe_compact_key_decode(struct sm_ibe_compact_key *key,
                              const struct sm_ibe_compact_params *params, const uint8_t *bytes,
                              size_t len) SM_IBE_CHECKED;

/* As sm_ibe_sender_open_tree and sm_ibe_receiver_open. */
int sm_ibe_compact_sender_open(struct sm_ibe_sender *sender, uint8_t *header, size_t size,
                               const struct sm_ibe_compact_params *params,
                               const struct sm_ibe_pattern *pattern, struct sm_ibe_tree *tree,
                               uint32_t *nodes, unsigned max_nodes,
                               struct sm_ibe_rng *rng) SM_IBE_CHECKED;
int sm_ibe_compact_receiver_open(struct sm_ibe_receiver *receiver,
                                 const struct sm_ibe_compact_params *params,
                                 const struct sm_ibe_compact_key *key, const uint8_t *header,
                                 size_t len) SM_IBE_CHECKED;

#endif
