/* A manifest as JSON, the way its author writes it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_MANIFEST_JSON_H
#define SANDMOTE_MANIFEST_JSON_H

#include <stdbool.h>
#include <sandmote/manifest.h>

/* Read the JSON file of that path into *m. Absent keys take their defaults; memory_given and
 * timeout_given tell whether these two were there. false after saying what is wrong: ranges are not
 * checked here but where the manifest is encoded. */
struct manifest_json {
    struct sm_manifest m;
    bool memory_given, timeout_given;
};
bool manifest_json_load(struct manifest_json *json, const char *path);

#endif
