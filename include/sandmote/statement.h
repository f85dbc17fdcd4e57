/* What is current in a fleet: a short-lived statement that its server signs.
 *
 * Signatures of modules and key sets say who made them, not whether there is something newer. Who
 * stands between a device and its server could keep showing yesterday's answers. A statement names
 * the latest key set and the sequences of a channel's modules, and when it stops being true; with a
 * server's key (role) in its key set a device installs nothing without a statement that holds.
 * A statement is a COSE_Sign1 object; doc/SPEC-trust.md has the bytes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_STATEMENT_H
#define SANDMOTE_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sandmote/crypto.h>
#include <sandmote/error.h>
#include <sandmote/manifest.h>
#include <sandmote/trust.h>

#define SM_STATEMENT_FORMAT   1u
#define SM_STATEMENT_MAX      2048u /* bytes of an object */
#define SM_STATEMENT_OVERHEAD 128u  /* working memory to check one beside its own length */
#define SM_STATEMENT_MODULES  32u
#define SM_STATEMENT_CHANNEL  64u
#define SM_STATEMENT_NONCE    16u

/* In the bytes of its object, which must outlive it. modules is private. */
struct sm_statement {
    char fleet[SM_FLEET_MAX + 1];
    char channel[SM_STATEMENT_CHANNEL + 1];
    uint64_t issued_s, expires_s; /* seconds since 1970; issued is before expires */
    uint32_t keys_version;        /* of the latest key set */
    const uint8_t *nonce;         /* SM_STATEMENT_NONCE bytes that the device sent, or NULL */
    const uint8_t *modules;
    uint32_t modules_len, nmodules;
};

/* Read one without believing it. 0, or, with offset counted in bytes and *st undefined,
 * SM_ERR_LIMIT (too long), SM_ERR_UNSUPPORTED, SM_ERR_MALFORMED, SM_ERR_INVALID as
 * sm_keyset_read(). */
int sm_statement_read(struct sm_statement *st, const uint8_t *bytes, size_t len,
                      struct sm_manifest_detail *detail);

/* Check one: the signature by a key of the store with the role server and of this fleet, and only
 * then the content, whose fleet must be the same. Whether it still holds is for the caller to say.
 * work is memory of at least len + SM_STATEMENT_OVERHEAD bytes.
 *
 * 0, or, with *st all zero, SM_ERR_MEMORY (work is too small), SM_ERR_SIGNATURE, SM_ERR_KEY (a key
 * of another role or fleet), SM_ERR_DENIED (about another fleet), or as sm_statement_read(). */
int sm_trust_verify_statement(const struct sm_trust *trust, const uint8_t *bytes, size_t len,
                              const char *fleet, struct sm_statement *st, void *work,
                              size_t work_len, struct sm_manifest_detail *detail);

/* The sequence of the module of that name in the channel. 0, or SM_ERR_NOT_FOUND. */
int sm_statement_sequence(const struct sm_statement *st, const char *name, uint64_t *sequence);

/* ---- Making one: for servers ----------------------------------------------------------------- */

struct sm_statement_plan {
    char fleet[SM_FLEET_MAX + 1];
    char channel[SM_STATEMENT_CHANNEL + 1];
    uint64_t issued_s, expires_s;
    bool answers; /* nonce is what was asked with */
    uint8_t nonce[SM_STATEMENT_NONCE];
    uint32_t keys_version, nmodules;
    struct {
        char name[SM_NAME_MAX + 1];
        uint64_t sequence;
    } module[SM_STATEMENT_MODULES]; /* in ascending order of names */
};

/* The bytes that are signed, and the object with the signature over them. The length, or
 * SM_ERR_MEMORY (size). What breaks a rule is found by reading the object. */
int sm_statement_to_sign(const struct sm_statement_plan *plan, uint8_t *out, size_t size);
int sm_statement_encode(const struct sm_statement_plan *plan,
                        const uint8_t sig[SM_ED25519_SIG_SIZE], uint8_t *out, size_t size);

#endif
