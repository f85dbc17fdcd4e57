/* The journal in a world of its own: nothing else on the flash hangs on it, and it hangs on nothing
 * else (journal.h). So what can become of it is explored by itself.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_FAULT_NOTES_H
#define SM_FAULT_NOTES_H

#include "world.h"

/* One session of a store and its journal, with an input of the NOTE_ kind. Ends as a session of
 * the world does, by world->end, when a rule is broken. */
void notes_session(void);

/* The canonical form of the journal's region and of what was promised of it, into `out` of at
 * least NOTES_FORM_MAX bytes; its length. *weak: whether unstable bits can change what it means. */
enum { NOTES_FORM_MAX = 1024 };
size_t notes_form(uint8_t *out, bool *weak);

#endif
