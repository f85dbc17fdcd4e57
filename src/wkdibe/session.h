/* What sessions have in common, however their headers give the seed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_WKDIBE_SESSION_H
#define SM_WKDIBE_SESSION_H

#include <sandmote/wkdibe_session.h>
#include "ibe.h"

int sm_wkdibe_session_make(struct sm_ibe_session *s, const struct ibe_seed *seed) SM_IBE_CHECKED;

/* 1 when a header is to be opened, 0 when it is the newest one again, SM_ERR_ROLLBACK. */
int sm_wkdibe_receiver_expects(const struct sm_ibe_receiver *receiver, uint64_t epoch,
                               const uint8_t header_hash[SM_SHA256_SIZE]) SM_IBE_CHECKED;
/* Begin the session of a header whose seed was checked. */
int sm_wkdibe_receiver_take(struct sm_ibe_receiver *receiver, uint64_t epoch,
                            const uint8_t header_hash[SM_SHA256_SIZE],
                            const struct ibe_seed *seed) SM_IBE_CHECKED;

#endif
