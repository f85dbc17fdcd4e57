/* Files of `sandmote ibe` (doc/SPEC-wkdibe.md): parameters, master keys, key rings, trees.
 *
 * Functions that fail say why on stderr.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_IBE_FILES_H
#define SANDMOTE_IBE_FILES_H

#include <sandmote/wkdibe_session.h>

/* The first byte of the files that only the tool knows. */
enum { IBE_FILE_SEALED = 7, IBE_FILE_RING = 8, IBE_FILE_SIGNATURE = 9 };

bool ibe_params_read(const char *path, struct sm_ibe_params *params);
bool ibe_master_read(const char *path, const struct sm_ibe_params *params,
                     struct sm_ibe_master *master);

/* The keys of one principal: one for each node of its path in the tree and each part of its time.
 */
struct ibe_ring {
    struct sm_ibe_key *key;
    unsigned n, room;
};

/* A place for one more key, or NULL. */
struct sm_ibe_key *ibe_ring_add(struct ibe_ring *ring);
bool ibe_ring_read(const char *path, const struct sm_ibe_params *params, struct ibe_ring *ring);
bool ibe_ring_write(const char *path, const struct ibe_ring *ring);
/* Wipes the keys. */
void ibe_ring_free(struct ibe_ring *ring);

/* A tree that was read is this process's alone until ibe_tree_free: between reading and writing it
 * nobody else revokes or admits. Write it at most once. */
struct ibe_tree_file {
    const char *path;
    int lock; /* -1: none */
    struct sm_ibe_tree tree;
    struct sm_ibe_leaf *leaf;
    uint8_t *marks;
};

bool ibe_tree_new(struct ibe_tree_file *f, const char *path, uint32_t nleaves);
bool ibe_tree_read(struct ibe_tree_file *f, const char *path);
bool ibe_tree_write(const struct ibe_tree_file *f);
void ibe_tree_free(struct ibe_tree_file *f);

/* Write a file that its owner alone may read; none of that name may be there. */
bool ibe_secret_write(const char *path, const void *bytes, size_t len);

/* What an error of the library means for a file. Always false. */
bool ibe_say(const char *path, int err);

#endif
