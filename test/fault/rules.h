/* What the world asks of the rules (rules.c). SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_FAULT_RULES_H
#define SM_FAULT_RULES_H

#include "world.h"

enum { PERIOD_MS = 10, BOOTS = 3 };

/* Ends the session, by world->end, when a rule is not kept. */
void rule(bool kept, const char *what);

/* A line of what happens, when somebody wants to see it. */
void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* This record may be found by a mount. */
void rules_keep_put(const struct sm_record *r);

/* The driver that is on trial or in force; NULL for none. */
const struct subject *rules_driver(void);

/* Whether an instance is up; whether it is one that may be; and whether all run that ought to. */
bool rules_is_up(unsigned index);
void rules_check_running(unsigned index);
void rules_check_service(void);

#endif
