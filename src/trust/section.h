/* The framing of a module's sections (WebAssembly core specification 2.0, 5.5.2 and 5.5.3), and
 * nothing of what is inside them: what can be said of a file before it is validated.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_TRUST_SECTION_H
#define SM_TRUST_SECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sandmote/manifest.h>

#define SM_MODULE_HEADER 8u /* magic and version */

/* A walk over the sections of a file, in order. wasm and len are set by sm_section_begin(). */
struct sm_section {
    const uint8_t *wasm;
    uint32_t len;
    uint8_t id;
    uint32_t start;   /* of the section's id byte */
    uint32_t payload; /* of what follows its length */
    uint32_t end;     /* and of the next section's id byte */
};

/* 0, or SM_ERR_MALFORMED: no module of version 1; SM_ERR_LIMIT: 4 GiB or more. */
int sm_section_begin(struct sm_section *s, const uint8_t *wasm, size_t len,
                     struct sm_manifest_detail *detail);

/* The next section: 1, 0 at the end of the file, or SM_ERR_MALFORMED. */
int sm_section_next(struct sm_section *s, struct sm_manifest_detail *detail);

/* Whether a custom section has this name; *content is then the offset of what follows the name. A
 * section whose name does not fit into it has no name. */
bool sm_section_named(const struct sm_section *s, const char *name, uint32_t *content);

#endif
