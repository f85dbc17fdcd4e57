/* Whom a device believes: public keys with roles, and the checks of what they signed.
 *
 * A module's signature is 64 raw bytes of Ed25519 (RFC 8032) over the whole .wasm file, its exact
 * length: doc/SPEC-manifest.md has the bytes and who may sign what. A native image's is a claim:
 * claim.h, doc/SPEC-claim.md.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_TRUST_H
#define SANDMOTE_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sandmote/claim.h>
#include <sandmote/crypto.h>
#include <sandmote/error.h>
#include <sandmote/manifest.h>

#define SM_PUBLIC_KEY_BYTES SM_ED25519_PUBLIC_SIZE
#define SM_SIGNATURE_BYTES  SM_ED25519_SIG_SIZE

/* What a key may sign. Numbers are those of the format. */
enum sm_role {
    SM_ROLE_SIGNER = 1,    /* applications of one fleet */
    SM_ROLE_ROOT = 2,      /* key sets (keyset.h), and nothing a trust store decides */
    SM_ROLE_VENDOR = 3,    /* plugins, within the scope that a key set gives */
    SM_ROLE_BUILDER = 4,   /* native images of one fleet's modules */
    SM_ROLE_REQUESTER = 5, /* reserved: modules sent over the network */
    SM_ROLE_SERVER = 6,    /* what is current */
    SM_ROLE_LAST = SM_ROLE_SERVER
};

/* "signer", "root", ...; NULL for anything else. */
const char *sm_role_name(unsigned role);

struct sm_trust_key {
    uint32_t role; /* enum sm_role */
    char fleet[SM_FLEET_MAX + 1];
    uint8_t key[SM_PUBLIC_KEY_BYTES];
};

/* A trust store over the caller's array, which must outlive it. Fields are private. */
struct sm_keyset;
struct sm_trust {
    struct sm_trust_key *keys;
    uint32_t count, capacity;
    const struct sm_keyset *set; /* that it was filled from; NULL: keys were added by hand */
};

void sm_trust_init(struct sm_trust *trust, struct sm_trust_key *keys, uint32_t capacity);

/* Whether a key may stand in a store: false when it is not canonical or of small order. */
bool sm_trust_key_fits(const uint8_t key[SM_PUBLIC_KEY_BYTES]);

/* Add a key. Adding the same role, fleet and key again changes nothing.
 *
 * 0, or, the store unchanged,
 *   SM_ERR_INVALID  no such role, not a fleet name, or a key that is no key: not canonical, or of
 *                   small order (all zero bytes are such a key, and its signatures can be forged)
 *   SM_ERR_KEY      the key is already there with another role: one key has one role
 *   SM_ERR_LIMIT    the store is full */
int sm_trust_add(struct sm_trust *trust, enum sm_role role, const char *fleet,
                 const uint8_t key[SM_PUBLIC_KEY_BYTES]);

/* The i-th key, borrowed; NULL past the last. */
const struct sm_trust_key *sm_trust_at(const struct sm_trust *trust, uint32_t i);

/* Check that a module may run in this trust: first the signature over all len bytes, by any key of
 * the store; only then is the file looked at, its manifest found and decoded into *m, and the
 * key's role and fleet compared with it (a signer's key: applications of its own fleet; a vendor's,
 * when the store was filled from a key set: plugins whose capabilities are in its scope).
 *
 * Whether class, sequence, floor and sizes suit the device is for the caller to decide, and so is
 * the module's validity as WebAssembly: nothing but section framing was read.
 *
 * 0, *m filled; or, with *m undefined and detail (may be NULL) saying why,
 *   SM_ERR_SIGNATURE  no key of the store made this signature over these bytes; nothing was parsed
 *   SM_ERR_KEY        a key of the store did, but it may not sign this kind, or for this fleet
 *   the errors of sm_manifest_read(), about an authentic file */
int sm_trust_verify_module(const struct sm_trust *trust, const uint8_t *wasm, size_t len,
                           const uint8_t *sig, size_t sig_len, struct sm_manifest *m,
                           struct sm_manifest_detail *detail);

/* Check a claim about a native image of a module of this fleet (the fleet of the module's verified
 * manifest): the envelope, the signature by any key of the store, the key's role (builder) and
 * fleet, and only then what is claimed. That module and image are those of the claim is
 * sm_claim_check()'s.
 *
 * 0, *claim filled; or, with *claim undefined and detail (may be NULL) saying why, offset counted
 * in bytes, SM_ERR_MALFORMED  not a claim: another object, or another encoding SM_ERR_SIGNATURE  no
 * key of the store made this signature SM_ERR_KEY        a key of the store did, but it is no
 * builder's of this fleet SM_ERR_UNSUPPORTED, SM_ERR_INVALID  as sm_claim_read(), about an
 * authentic claim */
int sm_trust_verify_native(const struct sm_trust *trust, const uint8_t *bytes, size_t len,
                           const char *fleet, struct sm_native_claim *claim,
                           struct sm_manifest_detail *detail);

#endif
