/* Native images on files: their claims made and checked.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_APP_CLAIM_H
#define SANDMOTE_APP_CLAIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <posix/keys.h>

/* Write PATH.sig: a claim by this key about the native image PATH. An enum cli_exit. */
int claim_sign(const struct sm_keys_private *key, const char *path);

/* Whether the claim in sig_path is signed by this builder's key and about this image, and about the
 * module of that hash unless that is NULL. false after saying why not. */
bool claim_good(const char *path, const char *sig_path, const uint8_t key[SM_KEYS_PUBLIC_SIZE],
                const void *image, size_t len, const uint8_t *module_sha);

/* Whether bytes begin as a native image does; and what it says of itself, on stdout. */
bool claim_is_native(const uint8_t *bytes, size_t len);
int claim_inspect(const char *path, const uint8_t *bytes, size_t len);
/* Whether bytes are a claim about one; *status then is what came of showing it. */
bool claim_show(const char *path, const uint8_t *bytes, size_t len, int *status);

#endif
