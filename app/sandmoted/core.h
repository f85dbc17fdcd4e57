/* Core dumps of this device, in a folder of a few files that take turns.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTED_CORE_H
#define SANDMOTED_CORE_H

#include <sandmote/blocks.h>

#include "config.h"

#define CORE_FILES 4u

/* Make the folder. false when it cannot be used. */
bool core_init(const struct config_core *c);

/* For struct sm_device_cfg, with a struct core as ctx: dump into the folder. */
struct core {
    const struct config_core *cfg;
    const struct sm_device *device;
    size_t scratch_len;
};
void core_dump(void *ctx, const struct sm_device_core *what);

/* For struct sm_update_cfg, with a struct config_core as ctx: the dump with this note in it. */
int core_find(void *ctx, const struct sm_journal_note *note, uint8_t **bytes, size_t *len);

/* The same for struct sm_blocks_cfg, with a struct core_loan as ctx. */
struct core_loan {
    const struct config_core *cfg;
    uint8_t *bytes; /* lent; freed by the next call */
};
int core_lend(void *ctx, const struct sm_journal_note *note, const uint8_t **bytes, uint32_t *len);

#endif
