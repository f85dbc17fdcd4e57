/* What trust.c needs of statements: the payload apart from its envelope.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_TRUST_STATEMENT_H
#define SM_TRUST_STATEMENT_H

#include <sandmote/statement.h>
#include "cose.h"

#define SM_STATEMENT_TYPE "application/vnd.sandmote.current+cose"

/* As sm_statement_read(), offset counted in payload. */
int sm_statement_payload(struct sm_statement *st, const uint8_t *payload, uint32_t len,
                         struct sm_manifest_detail *detail);

#endif
