/* Key sets: the signed statement whom the devices of a fleet believe.
 *
 * A key set is a COSE_Sign object that a number of offline root keys sign together: the roots and
 * their threshold, keys with roles, what is revoked, and what the fleet's server is known by. Sets
 * of a fleet are numbered. Set N + 1 is accepted when the threshold of N and that of N + 1 signed
 * it, so roots are replaced by the same step as everything else, and a device that missed several
 * sets takes them one after the other. doc/SPEC-trust.md has the bytes.
 *
 * A device reads a set in place: struct sm_keyset points into the object's bytes. Times are seconds
 * since 1970; 0 as an expiry is never.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_KEYSET_H
#define SANDMOTE_KEYSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sandmote/crypto.h>
#include <sandmote/error.h>
#include <sandmote/manifest.h>
#include <sandmote/trust.h>

#define SM_KEYSET_FORMAT        1u
#define SM_KEYSET_MAX           16384u /* bytes of an object */
#define SM_KEYSET_OVERHEAD      128u   /* working memory to check one beside its own length */
#define SM_KEYSET_ROOTS_MAX     16u
#define SM_KEYSET_KEYS_MAX      64u
#define SM_KEYSET_REVOKED_MAX   256u
#define SM_KEYSET_ANCHORS_MAX   4u
#define SM_KEYSET_ANCHOR_MAX    2048u
#define SM_KEYSET_PINS_MAX      4u
#define SM_KEYSET_ADDRESSES_MAX 8u
#define SM_KEYSET_BUS_MAX       16u
#define SM_KEYSET_MODEL_MAX     32u

/* A set in its object's bytes, which must outlive it. Pointers are private: see the functions. */
struct sm_keyset {
    char fleet[SM_FLEET_MAX + 1];
    uint32_t version;   /* 1 to 2^31 - 1 */
    uint32_t threshold; /* 1 to nroots */
    uint64_t issued_s, expires_s;
    const uint8_t *roots, *keys, *revoked, *anchors, *pins;
    uint32_t nroots, nkeys, nrevoked, nanchors, npins;
    uint32_t keys_len, anchors_len;
};

/* Read a set without believing it: for tools. Signatures are not looked at, and may be none.
 *
 * 0, or, with offset counted in bytes and *set undefined,
 *   SM_ERR_LIMIT        longer than SM_KEYSET_MAX
 *   SM_ERR_UNSUPPORTED  a set of a format from the future; detail->value is its number
 *   SM_ERR_MALFORMED    not such an object, or not in its only encoding
 *   SM_ERR_INVALID      a value breaks a rule */
int sm_keyset_read(struct sm_keyset *set, const uint8_t *bytes, size_t len,
                   struct sm_manifest_detail *detail);

/* Accept a set as the successor of *now, which was accepted before; or, with now NULL, as the first
 * one, which is vouched for by where it came from (commissioning).
 *
 * Every signature must be of a root of *now or of the new set and must verify; the threshold of
 * *now is reached before the content is read, that of the new set behind it. work is memory of at
 * least len + SM_KEYSET_OVERHEAD bytes.
 *
 * 0, *set filled; or, with *set all zero and detail (may be NULL) saying why,
 *   SM_ERR_MEMORY     work is too small
 *   SM_ERR_SIGNATURE  a signature does not verify, or there are too few of them
 *   SM_ERR_KEY        a signature is of a key that is no root
 *   SM_ERR_DENIED     of another fleet
 *   SM_ERR_ROLLBACK   its version is not above that of *now
 *   SM_ERR_STATE      its version is higher than the next: those between come first
 *   the errors of sm_keyset_read() */
int sm_keyset_accept(struct sm_keyset *set, const uint8_t *bytes, size_t len,
                     const struct sm_keyset *now, void *work, size_t work_len,
                     struct sm_manifest_detail *detail);

/* The i-th root (32 bytes); NULL past the last. Roots and keys stand in ascending order. */
const uint8_t *sm_keyset_root(const struct sm_keyset *set, uint32_t i);

/* A plugin vendor's limits. Texts are not terminated; lists are read with the functions below. */
struct sm_vendor_scope {
    const char *model, *bus;
    uint32_t model_len, bus_len;
    uint32_t addresses; /* none: no bus access */
    uint32_t address[SM_KEYSET_ADDRESSES_MAX];
    uint32_t capabilities; /* patterns: "x*" stands for all that begin with x */
    const char *capability[SM_CAPABILITIES_MAX];
    uint32_t capability_len[SM_CAPABILITIES_MAX];
};

struct sm_keyset_key {
    uint32_t role; /* enum sm_role, never SM_ROLE_ROOT */
    const uint8_t *key;
    uint64_t expires_s;
    struct sm_vendor_scope scope; /* of a vendor */
};

/* The keys one after the other: start with *cursor 0. 1 and *out, or 0 past the last. */
int sm_keyset_next_key(const struct sm_keyset *set, uint32_t *cursor, struct sm_keyset_key *out);

/* The entry of a key; false when there is none. */
bool sm_keyset_key(const struct sm_keyset *set, const uint8_t key[SM_ED25519_PUBLIC_SIZE],
                   struct sm_keyset_key *out);

/* Whether a vendor's scope covers one capability that a plugin's manifest requests. */
bool sm_vendor_scope_covers(const struct sm_vendor_scope *scope, const char *capability);

enum sm_revoked_kind { SM_REVOKED_KEY, SM_REVOKED_MODULE, SM_REVOKED_KINDS };

struct sm_revocation {
    uint32_t kind;     /* enum sm_revoked_kind */
    const uint8_t *id; /* 32 bytes: the key, or the module's SHA-256 */
    bool stop;         /* what runs is stopped too; else only nothing new of it is installed */
};

/* The i-th revocation; false past the last. */
bool sm_keyset_revocation(const struct sm_keyset *set, uint32_t i, struct sm_revocation *out);

/* Whether a key or a module is revoked; *stop (may be NULL) as above. */
bool sm_keyset_revoked(const struct sm_keyset *set, enum sm_revoked_kind kind,
                       const uint8_t id[SM_SHA256_SIZE], bool *stop);

/* The i-th trust anchor of the server, a certificate in DER; NULL past the last. */
const uint8_t *sm_keyset_anchor(const struct sm_keyset *set, uint32_t i, uint32_t *len);

/* The i-th pin of the server: the SHA-256 of its public key (SubjectPublicKeyInfo); NULL past the
 * last. Any of them will do, so that an old and a new one overlap. */
const uint8_t *sm_keyset_pin(const struct sm_keyset *set, uint32_t i);

/* Fill a trust store (trust.h), which sm_trust_init() was called on, with the keys that have not
 * expired at now_s; what it held is dropped. set must outlive it. 0 or SM_ERR_LIMIT. */
int sm_keyset_trust(const struct sm_keyset *set, uint64_t now_s, struct sm_trust *trust);

/* ---- Making sets: for tools ------------------------------------------------------------------ */

struct sm_keyset_plan_key {
    uint32_t role;
    uint8_t key[SM_ED25519_PUBLIC_SIZE];
    uint64_t expires_s;
    char model[SM_KEYSET_MODEL_MAX + 1], bus[SM_KEYSET_BUS_MAX + 1]; /* of a vendor */
    uint32_t addresses, address[SM_KEYSET_ADDRESSES_MAX];
    uint32_t capabilities;
    char capability[SM_CAPABILITIES_MAX][SM_CAPABILITY_MAX + 1];
};

struct sm_keyset_plan {
    char fleet[SM_FLEET_MAX + 1];
    uint32_t version, threshold;
    uint64_t issued_s, expires_s;
    uint32_t nroots, nkeys, nrevoked, nanchors, npins;
    uint8_t root[SM_KEYSET_ROOTS_MAX][SM_ED25519_PUBLIC_SIZE];
    struct sm_keyset_plan_key key[SM_KEYSET_KEYS_MAX];
    struct {
        uint32_t kind;
        bool stop;
        uint8_t id[SM_SHA256_SIZE];
    } revoked[SM_KEYSET_REVOKED_MAX];
    struct {
        uint32_t len;
        uint8_t der[SM_KEYSET_ANCHOR_MAX];
    } anchor[SM_KEYSET_ANCHORS_MAX];
    uint8_t pin[SM_KEYSET_PINS_MAX][SM_SHA256_SIZE];
};

/* A set as a plan, to make the next one of it. */
void sm_keyset_plan(const struct sm_keyset *set, struct sm_keyset_plan *plan);

/* Put the lists of a plan in order and write the object without signatures. Its length, or
 * SM_ERR_MEMORY (size), or the errors of sm_keyset_read(), which it is checked with. */
int sm_keyset_make(struct sm_keyset_plan *plan, uint8_t *out, size_t size,
                   struct sm_manifest_detail *detail);

/* What a root signs of an object that can be read. The length, or SM_ERR_MEMORY; len +
 * SM_KEYSET_OVERHEAD bytes are always enough. */
int sm_keyset_to_sign(const uint8_t *bytes, size_t len, const uint8_t root[SM_ED25519_PUBLIC_SIZE],
                      uint8_t *out, size_t size);

/* Add a signature to an object that can be read, or replace the one of this root. out does not
 * overlap bytes. The new length; SM_ERR_MEMORY (size) or SM_ERR_LIMIT (too many signatures). */
int sm_keyset_add_signature(const uint8_t *bytes, size_t len,
                            const uint8_t root[SM_ED25519_PUBLIC_SIZE],
                            const uint8_t sig[SM_ED25519_SIG_SIZE], uint8_t *out, size_t size);

/* How many signatures an object that can be read has; the i-th signature's key, NULL past them. */
uint32_t sm_keyset_signatures(const uint8_t *bytes, size_t len);
const uint8_t *sm_keyset_signed_by(const uint8_t *bytes, size_t len, uint32_t i);

#endif
