/* The scheme's operations, with eight slots. SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/wkdibe_compact.h>
#include <string.h>
#include "operations.h"

#define SLOTS  8u
#define LEAVES 16u
#define PATH   5u /* nodes from a leaf to the root */

static struct sm_ibe_rng rng;
static struct sm_ibe_params params, made_params;
static struct sm_ibe_master master, made_master;
static struct sm_ibe_key exact, half, made;
static struct sm_ibe_pattern fixed, wild, halved;
static struct sm_ibe_target to_fixed, to_wild, fresh;
static uint8_t secret[32], ct[SM_IBE_CIPHERTEXT(0)], wild_ct[SM_IBE_CIPHERTEXT(2)],
    cca_ct[SM_IBE_CIPHERTEXT(0) + SM_IBE_CCA_EXTRA], out[512], sig[SM_IBE_SIGNATURE_SIZE],
    key_bytes[SM_IBE_KEY_MAX];
static int key_len, header_len;
static struct sm_ibe_sender sender;
static struct sm_ibe_receiver receiver;
static uint8_t header[512], sealed[64 + SM_IBE_SEAL_OVERHEAD];
static struct sm_ibe_compact_params compact_params;
static struct sm_ibe_master compact_master;
static struct sm_ibe_compact_key compact_key;
static struct sm_ibe_tree tree;
static struct sm_ibe_leaf leaves[LEAVES];
static uint8_t marks[SM_IBE_TREE_MARKS(LEAVES)],
    compact_header[SM_IBE_COMPACT_HEADER_SIZE(SLOTS, 0, 4)], compact_bytes[SM_IBE_COMPACT_KEY_MAX];
static uint32_t path[SM_IBE_TREE_PATH_MAX], cover[4];
static int compact_header_len, compact_key_len;

static int fill(void *ctx, void *buf, size_t len)
{
    (void)ctx;
    memset(buf, 0x5a, len);
    return 0;
}

/* Values in all slots, but WILD ones from `from` on, so many. */
static struct sm_ibe_pattern pattern(unsigned from, unsigned wilds)
{
    struct sm_ibe_pattern p;
    (void)!sm_ibe_pattern_init(&p, SLOTS);
    for (unsigned i = 0; i < SLOTS; i++)
        (void)!(i >= from && i < from + wilds ? sm_ibe_pattern_set_wild(&p, i)
                                              : sm_ibe_pattern_set(&p, i, 1, "value", 5));
    return p;
}

/* Sixteen principals, the first of them revoked: headers are to four nodes. */
static void prepare_compact(void)
{
    char name[] = "a";
    struct sm_ibe_sender once;
    (void)!sm_ibe_compact_setup(&compact_params, &compact_master, SLOTS, (const uint8_t[32]){1},
                                &rng);
    (void)!sm_ibe_tree_init(&tree, LEAVES, leaves, marks);
    for (; name[0] < 'a' + (int)LEAVES; name[0]++)
        (void)!sm_ibe_tree_admit(&tree, name, 1, 0);
    (void)!sm_ibe_tree_revoke(&tree, 0);
    (void)!sm_ibe_tree_path(&tree, LEAVES - 1, path);
    (void)!sm_ibe_compact_keygen(&compact_key, &compact_params, &compact_master, &fixed, path, PATH,
                                 &rng);
    compact_key_len = sm_ibe_compact_key_encode(&compact_key, compact_bytes, sizeof compact_bytes);
    compact_header_len = sm_ibe_compact_sender_open(&once, compact_header, sizeof compact_header,
                                                    &compact_params, &fixed, &tree, cover, 4, &rng);
}

void scheme_prepare(void)
{
    static const struct sm_entropy entropy = {NULL, fill};
    fixed = pattern(0, 0);
    wild = pattern(3, 2);
    halved = pattern(4, 4);
    (void)!sm_ibe_rng_init(&rng, &entropy, "a secret of the device", 22, 0);
    (void)!sm_ibe_setup(&params, &master, SLOTS, (const uint8_t[32]){1}, &rng);
    (void)!sm_ibe_keygen(&exact, &params, &master, &fixed, true, &rng);
    (void)!sm_ibe_keygen(&half, &params, &master, &halved, false, &rng);
    (void)!sm_ibe_target_init(&to_fixed, &params, &fixed);
    (void)!sm_ibe_target_init(&to_wild, &params, &wild);
    (void)!sm_ibe_encaps(secret, ct, sizeof ct, &params, &to_fixed, &rng);
    (void)!sm_ibe_encaps(secret, wild_ct, sizeof wild_ct, &params, &to_wild, &rng);
    (void)!sm_ibe_encaps_cca(secret, cca_ct, sizeof cca_ct, &params, &to_fixed, &rng);
    (void)!sm_ibe_sign(sig, &params, &exact, &fixed, "message", 7, &rng);
    key_len = sm_ibe_key_encode(&half, key_bytes, sizeof key_bytes);
    header_len = sm_ibe_sender_open(&sender, header, sizeof header, &params, &fixed, 1, &rng);
    (void)!sm_ibe_receiver_open(&receiver, &params, (const struct sm_ibe_key *[]){&exact}, 1,
                                header, (size_t)header_len);
    (void)!sm_ibe_seal(&sender, sealed, sizeof sealed, NULL, 0, params.id, 32);
    prepare_compact();
}

/* Stops where an operation that is measured does not work. */
static void check(int result)
{
    if (result < 0)
        __builtin_trap();
}

#define OPERATION(name, ...)                                                                       \
    static void name(void *ctx)                                                                    \
    {                                                                                              \
        (void)ctx;                                                                                 \
        __VA_ARGS__;                                                                               \
    }

OPERATION(scheme_setup, check(sm_ibe_setup(&made_params, &made_master, SLOTS, params.id, &rng)))
OPERATION(scheme_keygen, check(sm_ibe_keygen(&made, &params, &master, &fixed, false, &rng)))
OPERATION(scheme_delegate, check(sm_ibe_delegate(&made, &params, &half, &fixed, false, &rng)))
OPERATION(scheme_key_decode, check(sm_ibe_key_decode(&made, &params, key_bytes, (size_t)key_len)))
OPERATION(scheme_adjust, check(sm_ibe_target_adjust(&to_fixed, &params, 3, &halved)))
OPERATION(scheme_encaps, check(sm_ibe_encaps(secret, out, sizeof out, &params, &to_fixed, &rng)))
OPERATION(scheme_encaps_wild,
          check(sm_ibe_encaps(secret, out, sizeof out, &params, &to_wild, &rng)))
OPERATION(scheme_encaps_all, check(sm_ibe_target_init(&fresh, &params, &fixed));
          check(sm_ibe_encaps(secret, out, sizeof out, &params, &fresh, &rng)))
OPERATION(scheme_decaps, check(sm_ibe_decaps(secret, &params, &exact, &fixed, ct, sizeof ct)))
OPERATION(scheme_decaps_wild,
          check(sm_ibe_decaps(secret, &params, &exact, &wild, wild_ct, sizeof wild_ct)))
OPERATION(scheme_decaps_half, check(sm_ibe_decaps(secret, &params, &half, &fixed, ct, sizeof ct)))
OPERATION(scheme_decaps_cca,
          check(sm_ibe_decaps_cca(secret, &params, &exact, &fixed, cca_ct, sizeof cca_ct)))
OPERATION(scheme_sign, check(sm_ibe_sign(sig, &params, &exact, &fixed, "message", 7, &rng)))
OPERATION(scheme_verify, check(sm_ibe_verify(&params, &fixed, "message", 7, sig)))
OPERATION(scheme_header_make,
          check(sm_ibe_sender_open(&sender, header, sizeof header, &params, &fixed, 1, &rng)))
OPERATION(scheme_header_take, struct sm_ibe_receiver once = {0};
          check(sm_ibe_receiver_open(&once, &params, (const struct sm_ibe_key *[]){&exact}, 1,
                                     header, (size_t)header_len)))
OPERATION(scheme_seal, check(sm_ibe_seal(&sender, sealed, sizeof sealed, NULL, 0, params.id, 32)))
OPERATION(scheme_open, struct sm_ibe_receiver once = receiver;
          check(sm_ibe_open(&once, out, sizeof out, NULL, 0, sealed, 32 + SM_IBE_SEAL_OVERHEAD)))

OPERATION(compact_keygen, check(sm_ibe_compact_keygen(&compact_key, &compact_params,
                                                      &compact_master, &fixed, path, PATH, &rng)))
OPERATION(compact_key_decode,
          check(sm_ibe_compact_key_decode(&compact_key, &compact_params, compact_bytes,
                                          (size_t)compact_key_len)))
OPERATION(compact_header_make, struct sm_ibe_sender once;
          check(sm_ibe_compact_sender_open(&once, compact_header, sizeof compact_header,
                                           &compact_params, &fixed, &tree, cover, 4, &rng)))
OPERATION(compact_header_take, struct sm_ibe_receiver once = {0};
          check(sm_ibe_compact_receiver_open(&once, &compact_params, &compact_key, compact_header,
                                             (size_t)compact_header_len)))

const struct operation scheme_operations[] = {
    {"setup, 8 slots, from a seed", scheme_setup},
    {"key from the master key", scheme_keygen},
    {"delegation, half of 8 slots to all", scheme_delegate},
    {"key decoding, with all checks", scheme_key_decode},
    {"target, one slot adjusted", scheme_adjust},
    {"encapsulation, cached", scheme_encaps},
    {"encapsulation, cached, 2 wildcards", scheme_encaps_wild},
    {"encapsulation, nothing cached", scheme_encaps_all},
    {"decapsulation, exact key", scheme_decaps},
    {"decapsulation, 2 wildcards", scheme_decaps_wild},
    {"decapsulation, 4 wildcards in the key", scheme_decaps_half},
    {"decapsulation, CCA, exact key", scheme_decaps_cca},
    {"signature", scheme_sign},
    {"verification", scheme_verify},
    {"message of 32 bytes sealed", scheme_seal},
    {"message of 32 bytes opened", scheme_open},
    {"header of a session made", scheme_header_make},
    {"header of a session taken", scheme_header_take},
    {"compact key of a path of 5 nodes", compact_keygen},
    {"compact key decoding", compact_key_decode},
    {"compact header to 4 nodes made", compact_header_make},
    {"compact header taken", compact_header_take},
    {0},
};
