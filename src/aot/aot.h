/* Ahead of time: a module -> C -> the target's compiler -> a native image
 * (include/sandmote/native.h).
 *
 * Host tool code: it allocates, writes files and starts compilers.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_AOT_H
#define SM_AOT_H

#include <sandmote/native.h>

struct aot_options {
    enum sm_native_target target;
    bool guarded;          /* guard pages instead of bounds checks; 64-bit targets only */
    bool no_epoch;         /* leave the epoch's checks out, to measure what they cost */
    uint64_t memory_bytes; /* what hosts give the module at least, where that ends inside its
                            * declared pages; 0: these pages */
    unsigned unroll;       /* operators to which a short loop is repeated; 0: never */
    const char *cc;        /* the compiler; NULL: the target's */
    const char *optimize;  /* as in -O2; NULL: -O3, no vectors */
    const char *keep_c;    /* where the C file is to stay; NULL: nowhere */
};

/* The whole way. On success *image is allocated and the caller's. On failure message (of
 * message_size bytes) says what went wrong, in words for the user. 0 or a negative sm_err. */
int aot_build(const struct sm_wasm_module *m, const uint8_t sha256[32],
              const struct aot_options *options, uint8_t **image, size_t *image_len, char *message,
              size_t message_size);

/* Whether an image that was opened or read has the bytes that it was made with: by the SHA-256 of
 * all else in its header. That finds an accident, not an attack; an image with a good claim
 * (sandmote/claim.h) needs no other check. 0, or SM_ERR_CORRUPT and info.refused says so. */
int aot_check_hash(struct sm_native *n);

/* "x86_64-linux-gnu" and its like; also without the system's part. 0 when unknown. */
enum sm_native_target aot_target(const char *triple);

#endif
