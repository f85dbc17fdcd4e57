/* The files of `sandmote new`, made from guest/ when the program is built (templates.cmake).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_TEMPLATES_H
#define SANDMOTE_TEMPLATES_H

#include <stddef.h>
#include <stdint.h>

enum { TEMPLATE_MODULE = 1, TEMPLATE_PLUGIN = 2 };

struct template_file {
    const char *lang; /* "c", "rust" or "as" */
    unsigned kinds;   /* of project that it belongs to */
    const char *path; /* in the project */
    const uint8_t *bytes;
    size_t len;
};

/* Ended by one whose lang is NULL. */
extern const struct template_file template_files[];

#endif
