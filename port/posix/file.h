/* Whole files: read with a bound, written so that they are there in full or not at all.
 *
 * Each function that fails leaves one sentence in why->text: which file and what went wrong.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_POSIX_FILE_H
#define SM_POSIX_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sandmote/error.h>

struct sm_file_why {
    char text[512];
};

/* Read a regular file of at most max bytes. *bytes is the caller's to free, never NULL when good,
 * and has a zero after its last byte.
 *
 * 0, or
 *   SM_ERR_NOT_FOUND  no such file
 *   SM_ERR_LIMIT      more than max bytes
 *   SM_ERR_IO         anything else */
int sm_file_read(const char *path, size_t max, uint8_t **bytes, size_t *len,
                 struct sm_file_why *why);

/* Write a file in one piece: beside it first, synced, then renamed over it, and its folder synced.
 * When it returns 0 the file survives a power cut; otherwise the old one is unchanged. The name
 * path + ".part" is used on the way.
 *
 * 0, or SM_ERR_FULL (no room left on the disk), SM_ERR_IO. */
int sm_file_write(const char *path, const void *bytes, size_t len, mode_t mode,
                  struct sm_file_why *why);

/* Join a path in a file to the folder of that file: "keys/a.pem" in "etc/x.json" is
 * "etc/keys/a.pem"; an absolute path stays. 0, or SM_ERR_LIMIT when out is too small. */
int sm_file_beside(const char *file, const char *path, char *out, size_t size);

#endif
