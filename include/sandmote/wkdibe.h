/* Wildcard identity-based encryption for devices: data is encrypted to a pattern, and every key
 * whose pattern matches it opens it. Keys are delegated without the authority that made the first.
 * (doc/wkdibe.md: the scheme, its security argument and what that leaves open.)
 *
 * A pattern has as many slots as the parameters, each NULL, a value, or WILD. A key's pattern P
 * matches a ciphertext's pattern Q when in every slot P or Q is WILD, or both are the same; NULL is
 * the same as NULL alone. What the slots mean is not known here: wkdibe_names.h puts names and time
 * into them, wkdibe_session.h encrypts messages and revokes.
 *
 * Patterns, parameters, ciphertexts and signatures are public. Master keys, keys and what an
 * encapsulation gives are secret: their structs are to be wiped (sm_wipe) by whoever holds them,
 * and time and memory accesses do not depend on them. Points that come from outside are checked
 * (form, range, curve, subgroup, not infinity) before anything is computed with them. Nothing here
 * allocates or keeps state; each function takes at most SM_IBE_STACK bytes of C stack on Cortex-M4.
 *
 * Of all functions: SM_ERR_ARG when lengths or the numbers of slots do not fit each other,
 * SM_ERR_KEY when a key is of other parameters, SM_ERR_IO when the entropy failed. On any error
 * outputs hold nothing secret and are not to be used.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_WKDIBE_H
#define SANDMOTE_WKDIBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sandmote/crypto.h>
#include <sandmote/error.h>
#include <sandmote/port.h>

#define SM_IBE_SLOTS_MAX  16u
#define SM_IBE_VALUE_SIZE 32u
#define SM_IBE_STACK      16384u
#define SM_IBE_CHECKED    __attribute__((warn_unused_result))

/* Encoded sizes, in bytes (doc/SPEC-wkdibe.md). */
#define SM_IBE_G1_SIZE     48u
#define SM_IBE_G2_SIZE     96u
#define SM_IBE_PARAMS_SIZE 130u
#define SM_IBE_MASTER_SIZE 81u
#define SM_IBE_PATTERN_MAX (1u + SM_IBE_SLOTS_MAX / 4u + SM_IBE_VALUE_SIZE * SM_IBE_SLOTS_MAX)
#define SM_IBE_KEY_MAX                                                                             \
    (34u + 1u + SM_IBE_SLOTS_MAX / 4u + SM_IBE_G2_SIZE + SM_IBE_G1_SIZE * (2u + SM_IBE_SLOTS_MAX))
#define SM_IBE_SIGNATURE_SIZE   144u
#define SM_IBE_CIPHERTEXT(wild) (144u + 48u * (wild))
#define SM_IBE_CIPHERTEXT_MAX   SM_IBE_CIPHERTEXT(SM_IBE_SLOTS_MAX)
#define SM_IBE_CCA_EXTRA        32u
#define SM_IBE_SECRET_SIZE      32u

/* ---- Patterns -------------------------------------------------------------------------------- */

enum sm_ibe_kind { SM_IBE_NULL, SM_IBE_FIXED, SM_IBE_WILD };

/* Fields are private. */
struct sm_ibe_pattern {
    uint8_t slots;
    uint8_t kind[SM_IBE_SLOTS_MAX];
    uint8_t value[SM_IBE_SLOTS_MAX][SM_IBE_VALUE_SIZE]; /* of FIXED slots: 1 .. r - 1 */
};

/* slots (1 to SM_IBE_SLOTS_MAX) slots, all NULL. SM_ERR_LIMIT for another number. */
int sm_ibe_pattern_init(struct sm_ibe_pattern *p, unsigned slots) SM_IBE_CHECKED;
/* slot must be below the number of slots: SM_ERR_ARG. */
int sm_ibe_pattern_set_null(struct sm_ibe_pattern *p, unsigned slot) SM_IBE_CHECKED;
int sm_ibe_pattern_set_wild(struct sm_ibe_pattern *p, unsigned slot) SM_IBE_CHECKED;
/* The value is the hash of type, slot and the bytes (at most 65535) to a scalar: values of other
 * types or slots never meet. */
int sm_ibe_pattern_set(struct sm_ibe_pattern *p, unsigned slot, uint8_t type, const void *bytes,
                       size_t len) SM_IBE_CHECKED;

enum sm_ibe_kind sm_ibe_pattern_kind(const struct sm_ibe_pattern *p, unsigned slot);
unsigned sm_ibe_pattern_wilds(const struct sm_ibe_pattern *p);
/* Whether a key for `key` opens what is encrypted to `to`. Symmetric. */
bool sm_ibe_pattern_match(const struct sm_ibe_pattern *key, const struct sm_ibe_pattern *to);
/* Whether a key for `from` may become one for `to`: they differ only where `from` is WILD. */
bool sm_ibe_pattern_refines(const struct sm_ibe_pattern *from, const struct sm_ibe_pattern *to);

/* The one encoding of a pattern. Bytes written, or SM_ERR_MEMORY. */
int sm_ibe_pattern_encode(const struct sm_ibe_pattern *p, uint8_t *out, size_t size) SM_IBE_CHECKED;
/* Read a pattern that bytes begin with. Bytes taken, or
 *   SM_ERR_MALFORMED  cut short, an unknown kind, or bits set that mean nothing
 *   SM_ERR_LIMIT      more slots than SM_IBE_SLOTS_MAX, or none
 *   SM_ERR_INVALID    a value that is no scalar but zero below r */
int sm_ibe_pattern_decode(struct sm_ibe_pattern *p, const uint8_t *bytes,
                          size_t len) SM_IBE_CHECKED;

/* ---- Randomness ------------------------------------------------------------------------------ */

/* Every random number of the scheme is a hash of fresh entropy, a secret of the device, a counter
 * and what it is for: entropy that repeats (a snapshot, a broken source) still gives no two
 * ciphertexts one random number unless the counter repeats too. Fields are private; wipe it after
 * use. */
struct sm_ibe_rng {
    const struct sm_entropy *entropy; /* borrowed */
    uint64_t counter;
    uint8_t secret[SM_SHA256_SIZE];
};

/* secret: any bytes that only this device has, at least 16 (SM_ERR_ARG). counter: where to begin;
 * devices that can keep it across restarts should (sm_ibe_rng.counter counts up by one a draw). */
int sm_ibe_rng_init(struct sm_ibe_rng *rng, const struct sm_entropy *entropy, const void *secret,
                    size_t len, uint64_t counter) SM_IBE_CHECKED;

/* ---- Parameters and keys --------------------------------------------------------------------- */

/* Points that have been checked, uncompressed; and a value of the pairing in the form that the
 * arithmetic wants. Private. */
struct sm_ibe_g1 {
    uint8_t bytes[96];
};
struct sm_ibe_g2 {
    uint8_t bytes[192];
};
struct sm_ibe_gt {
    uint64_t w[84];
};

/* The public parameters. 2.8 KB: all points that follow from the seed are there. Private but for
 * slots and id. */
struct sm_ibe_params {
    uint8_t slots;
    uint8_t id[SM_SHA256_SIZE]; /* the hash of their encoding */
    uint8_t encoded[SM_IBE_PARAMS_SIZE];
    struct sm_ibe_g2 g1;
    struct sm_ibe_g1 g2, g3, hs, h[SM_IBE_SLOTS_MAX];
    struct sm_ibe_gt z;
};

struct sm_ibe_master {
    uint8_t params_id[SM_SHA256_SIZE];
    struct sm_ibe_g1 msk;
};

/* A key for a pattern. Private but for pattern and signs. */
struct sm_ibe_key {
    uint8_t params_id[SM_SHA256_SIZE];
    bool signs;
    struct sm_ibe_pattern pattern;
    struct sm_ibe_g2 a1;
    struct sm_ibe_g1 a0, b[SM_IBE_SLOTS_MAX], bs; /* b of WILD slots; bs when it signs */
};

/* Make parameters and their master key. seed: 32 public bytes from which all points but the master
 * public key follow, so that nobody can know a relation between them. 0, or SM_ERR_LIMIT (slots).
 */
int sm_ibe_setup(struct sm_ibe_params *params, struct sm_ibe_master *master, unsigned slots,
                 const uint8_t seed[32], struct sm_ibe_rng *rng) SM_IBE_CHECKED;

/* A key for a pattern, from the master key. Only a key with signs set can sign. */
int sm_ibe_keygen(struct sm_ibe_key *key, const struct sm_ibe_params *params,
                  const struct sm_ibe_master *master, const struct sm_ibe_pattern *pattern,
                  bool signs, struct sm_ibe_rng *rng) SM_IBE_CHECKED;

/* A key for a pattern that refines the one of `from`, which is another struct. The new key is
 * always randomised afresh: nothing about `from` follows from it and its siblings. 0, or
 *   SM_ERR_DENIED  the pattern does not refine from's, or it is to sign and from does not */
int sm_ibe_delegate(struct sm_ibe_key *key, const struct sm_ibe_params *params,
                    const struct sm_ibe_key *from, const struct sm_ibe_pattern *pattern, bool signs,
                    struct sm_ibe_rng *rng) SM_IBE_CHECKED;

/* Encodings. Encoders return the bytes written, or SM_ERR_MEMORY. Decoders take the whole of the
 * bytes; 0, or
 *   SM_ERR_MALFORMED    cut short, too long, an encoding that is not the one of what it says
 *   SM_ERR_UNSUPPORTED  another version
 *   SM_ERR_LIMIT        the number of slots
 *   SM_ERR_INVALID      a point off the curve or outside its subgroup, infinity, or points that do
 *                       not belong together: not a key of these parameters
 *   SM_ERR_KEY          of other parameters */
int sm_ibe_params_encode(const struct sm_ibe_params *params, uint8_t *out,
                         size_t size) SM_IBE_CHECKED;
int sm_ibe_params_decode(struct sm_ibe_params *params, const uint8_t *bytes,
                         size_t len) SM_IBE_CHECKED;
int sm_ibe_master_encode(const struct sm_ibe_master *master, uint8_t *out,
                         size_t size) SM_IBE_CHECKED;
int sm_ibe_master_decode(struct sm_ibe_master *master, const struct sm_ibe_params *params,
                         const uint8_t *bytes, size_t len) SM_IBE_CHECKED;
int sm_ibe_key_encode(const struct sm_ibe_key *key, uint8_t *out, size_t size) SM_IBE_CHECKED;
int sm_ibe_key_decode(struct sm_ibe_key *key, const struct sm_ibe_params *params,
                      const uint8_t *bytes, size_t len) SM_IBE_CHECKED;

/* ---- Encapsulation --------------------------------------------------------------------------- */

/* A pattern to encrypt to, with what can be computed beforehand. Private. */
struct sm_ibe_target {
    uint8_t params_id[SM_SHA256_SIZE];
    struct sm_ibe_pattern pattern;
    struct sm_ibe_g1 x;
};

int sm_ibe_target_init(struct sm_ibe_target *target, const struct sm_ibe_params *params,
                       const struct sm_ibe_pattern *pattern) SM_IBE_CHECKED;
/* Take one slot from another pattern: the cost of one multiplication, whatever the number of slots.
 */
int sm_ibe_target_adjust(struct sm_ibe_target *target, const struct sm_ibe_params *params,
                         unsigned slot, const struct sm_ibe_pattern *to) SM_IBE_CHECKED;

/* A fresh secret, and the ciphertext that gives it to all keys that match.
 *
 * out: SM_IBE_CIPHERTEXT(wilds of the pattern) bytes. The pattern is not in it; the secret depends
 * on it, on the parameters and on the ciphertext. Secure against chosen plaintexts only: whoever
 * opens ciphertexts of strangers uses the _cca pair below, or checks a signature first. Bytes
 * written, or SM_ERR_MEMORY. */
int sm_ibe_encaps(uint8_t secret[SM_IBE_SECRET_SIZE], uint8_t *out, size_t size,
                  const struct sm_ibe_params *params, const struct sm_ibe_target *target,
                  struct sm_ibe_rng *rng) SM_IBE_CHECKED;

/* 0, or
 *   SM_ERR_DENIED     the key does not match
 *   SM_ERR_MALFORMED  not of the pattern's length, or not points as they are encoded
 *   SM_ERR_INVALID    a point off the curve or outside its subgroup, or infinity */
int sm_ibe_decaps(uint8_t secret[SM_IBE_SECRET_SIZE], const struct sm_ibe_params *params,
                  const struct sm_ibe_key *key, const struct sm_ibe_pattern *pattern,
                  const uint8_t *ciphertext, size_t len) SM_IBE_CHECKED;

/* The same, secure against chosen ciphertexts (Fujisaki-Okamoto, implicit rejection): ciphertexts
 * are SM_IBE_CCA_EXTRA bytes longer, and what is not made by sm_ibe_encaps_cca opens to a secret
 * that nobody else knows, with 0 as the result. */
int sm_ibe_encaps_cca(uint8_t secret[SM_IBE_SECRET_SIZE], uint8_t *out, size_t size,
                      const struct sm_ibe_params *params, const struct sm_ibe_target *target,
                      struct sm_ibe_rng *rng) SM_IBE_CHECKED;
int sm_ibe_decaps_cca(uint8_t secret[SM_IBE_SECRET_SIZE], const struct sm_ibe_params *params,
                      const struct sm_ibe_key *key, const struct sm_ibe_pattern *pattern,
                      const uint8_t *ciphertext, size_t len) SM_IBE_CHECKED;

/* ---- Signatures ------------------------------------------------------------------------------ */

/* Sign as a pattern without WILD slots which the key matches. The signature says that somebody with
 * a key for that pattern made it, and not who. 0, or SM_ERR_DENIED   the key does not sign, or does
 * not match SM_ERR_INVALID  the pattern has a WILD slot */
int sm_ibe_sign(uint8_t signature[SM_IBE_SIGNATURE_SIZE], const struct sm_ibe_params *params,
                const struct sm_ibe_key *key, const struct sm_ibe_pattern *pattern, const void *msg,
                size_t len, struct sm_ibe_rng *rng) SM_IBE_CHECKED;

/* 0, or SM_ERR_SIGNATURE for every signature that does not verify, whatever is wrong with it;
 * SM_ERR_INVALID when the pattern has a WILD slot. */
int sm_ibe_verify(const struct sm_ibe_params *params, const struct sm_ibe_pattern *pattern,
                  const void *msg, size_t len,
                  const uint8_t signature[SM_IBE_SIGNATURE_SIZE]) SM_IBE_CHECKED;

#endif
