/* How the modules of world.h are made. SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_FAULT_SUBJECT_H
#define SM_FAULT_SUBJECT_H

#include "world.h"

#define SUBJECT_FLEET "fleet"

/* The trust store that believes the key which signs them. */
const struct sm_trust *subject_trust(void);

/* The golden module: the same code under a manifest of its own, by another key. */
const struct subject *subject_golden(void);
const uint8_t *subject_golden_key(void);

#endif
