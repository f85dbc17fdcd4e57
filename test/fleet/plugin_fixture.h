/* Plugins of two vendors, and the key set that says what they may drive.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FLEET_PLUGIN_FIXTURE_H
#define TEST_FLEET_PLUGIN_FIXTURE_H

#include "fleet_fixture.h"

/* Key set 1 of plant-7, DIR/1.keys: one root, the fixture's signer and builder, vendor1 for TMP105
 * at 0x48 and 0x4a of i2c-1, vendor2 for TMP105 at 0x49, both with the log. */
struct vendors {
    struct sm_keys_private one, two;
};
void vendors_setup(const struct fleet_fixture *fx, struct vendors *v);
void vendors_free(struct vendors *v);

/* A shell command in DIR, with what `$FLEET` needs to ask as the operator; must succeed. */
void operator_shell(const struct fleet_fixture *fx, const char *command);

/* What a module is, beside the usual. */
struct plan {
    const char *name;
    uint64_t sequence;                 /* and version "N.0" */
    const struct sm_keys_private *key; /* that signs it */
    const char *code;                  /* a .wasm file; NULL for an empty module */
    const char *capability[3];         /* ascending; or NULL */
    struct sm_plugin_sensor sensor;    /* of a plugin */
    bool removes;                      /* of a plugin */
    uint32_t good_ticks;               /* that its trial takes; 0: 3 */
    struct sm_requirement requires[2]; /* ascending by name */
};
/* The sensor T1: a TMP105 at 0x48 of i2c-1. */
extern const struct sm_plugin_sensor sensor_t1;

void plan_make(struct module *out, const struct plan *p);

#endif
