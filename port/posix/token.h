/* Ed25519 keys that stay in a token (a smart card, an HSM, SoftHSM), through its PKCS#11 module.
 *
 * A key is named by a URI (RFC 7512):
 *   pkcs11:token=LABEL;object=LABEL?module-path=/path/to/module.so&pin-source=file:/path
 * pin-value=... may stand in the place of pin-source. Labels are percent-decoded, other attributes
 * are refused. Nothing of the PIN is kept or shown.
 *
 * Source: PKCS#11 3.0: CKM_EDDSA without parameters, CKM_EC_EDWARDS_KEY_PAIR_GEN.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_POSIX_TOKEN_H
#define SM_POSIX_TOKEN_H

#include <stdbool.h>
#include "keys.h"

/* Whether text is such a URI and not a file's name. */
bool sm_token_named(const char *text);

/* Open a private key; it signs with sm_keys_sign() and goes with sm_keys_free(). 0, or
 *   SM_ERR_ARG        the URI is wrong or lacks something
 *   SM_ERR_IO         the module cannot be loaded, or a call of it failed
 *   SM_ERR_NOT_FOUND  no such token or key
 *   SM_ERR_DENIED     the PIN is wrong or locked
 *   SM_ERR_KEY        the key is no Ed25519 key */
int sm_token_open(const char *uri, struct sm_keys_private *key, struct sm_keys_why *why);

/* Make a key pair in the token that never leaves it. Errors as above, and SM_ERR_STATE: there is a
 * key of that label. */
int sm_token_generate(const char *uri, struct sm_keys_private *key, struct sm_keys_why *why);

#endif
