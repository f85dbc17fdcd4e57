/* What trust.c needs of claims: the payload apart from its envelope, since the signature is checked
 * between the two. SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_TRUST_CLAIM_H
#define SM_TRUST_CLAIM_H

#include <sandmote/claim.h>
#include "cose.h"

#define SM_CLAIM_TYPE "application/vnd.sandmote.native+cose"

/* As sm_claim_read(), offset counted in payload. */
int sm_claim_payload(struct sm_native_claim *claim, const uint8_t *payload, uint32_t len,
                     struct sm_manifest_detail *detail);

#endif
