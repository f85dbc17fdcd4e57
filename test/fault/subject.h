/* How the modules of world.h are made. SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_FAULT_SUBJECT_H
#define SM_FAULT_SUBJECT_H

#include "world.h"

#define SUBJECT_FLEET "fleet"
#define SUBJECT_NAME  "subject"
#define DRIVER_NAME   "driver"
#define DRIVER_BUS    "i2c-1"

/* A driver's trial takes longer than its application's, so that a set waits for it. */
enum { DRIVER_ADDRESS = 0x48, DRIVER_TICKS = 2 };

/* The trust store that believes the key which signs applications; and one that believes also the
 * key which signs plugins. */
const struct sm_trust *subject_trust(void);
const struct sm_trust *subject_vendor_trust(void);

/* What the server says is current: at this time, the key set and the application of this sequence.
 * The length of its bytes. */
size_t subject_statement(uint64_t issued_s, uint32_t keys_version, uint64_t sequence, uint8_t *out,
                         size_t size);

/* The golden module: the same code under a manifest of its own, by another key. */
const struct subject *subject_golden(void);
const uint8_t *subject_golden_key(void);

#endif
