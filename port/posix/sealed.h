/* Core dumps for one reader: sealed to an X25519 key, as whoever stores them cannot read them.
 *
 * A sealed dump is a core dump with the program's name, the device's note, which says what trapped
 * where, and a section "sandmote.sealed": the whole dump, encrypted (doc/SPEC-postmortem.md). The
 * note is bound to it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_POSIX_SEALED_H
#define SM_POSIX_SEALED_H

#include "coredump.h"

#define SM_SEALED_KEY_SIZE 32u
#define SM_SEALED_MORE     4096u /* bytes that sealing adds, at most */

/* An X25519 key of a PEM file, as `openssl genpkey -algorithm x25519` makes them: the public half,
 * or the private one. 0, SM_ERR_IO (the file cannot be read), SM_ERR_MALFORMED (none in it) or
 * SM_ERR_KEY (of another kind). */
int sm_sealed_load_public(const char *path, uint8_t key[SM_SEALED_KEY_SIZE]);
int sm_sealed_load_private(const char *path, uint8_t key[SM_SEALED_KEY_SIZE]);

/* Seal a dump that has a note of at most SM_SEALED_MORE / 2 bytes. *out is the caller's to free. 0,
 * SM_ERR_ARG (no such dump), SM_ERR_KEY (not a key that anything can be sealed to), SM_ERR_MEMORY.
 */
int sm_sealed_make(const uint8_t *dump, size_t len, const uint8_t to[SM_SEALED_KEY_SIZE],
                   uint8_t **out, size_t *out_len);

/* Open what an open core dump has sealed in it. *out is the caller's to free. 0, or
 *   SM_ERR_NOT_FOUND  nothing is sealed in it
 *   SM_ERR_KEY        not with this key, or it was changed
 *   SM_ERR_MEMORY */
int sm_sealed_open(const struct sm_core *core, const uint8_t key[SM_SEALED_KEY_SIZE], uint8_t **out,
                   size_t *out_len);

#endif
