/* Stories of modules, told to a rig: version 2 is committed and runs; then something happens, and
 * however often power, flash or process fail meanwhile, it has to end in one way.
 *
 * The rules of story_check() and story_session() hold at any moment, those of story_check_end()
 * after sessions in which nothing fails. They end the program with a message when they are broken.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_TEST_STORY_H
#define SM_TEST_STORY_H

#include "rig.h"

struct story {
    const char *name;
    struct recipe update; /* what the server offers; wat NULL: nothing */
    bool rollback;        /* the operator returns to version 2 once 3 is committed */
    bool new_engine;      /* images have to be made anew */
    uint64_t ends_with;   /* the sequence that runs at last */
    uint32_t reported;    /* event kinds (bits) about version 3 that the server has at last */
};

#define STORIES 7u
extern const struct story stories[STORIES];

/* What the server and the operator know; they do not lose power. */
struct world {
    const struct story *story;
    struct module update;
    uint32_t reported;
    bool rolled_back;
    uint64_t floor;
    uint64_t ids[16];
    unsigned kinds[16], nids;
};

/* The server's side of a story; world_free() drops its module. */
void world_init(struct world *w, const struct story *story);
void world_free(struct world *w);

/* Lead a rig on blank flash, not yet started, to where the story begins: version 2 committed,
 * reported, and at rest. */
void story_begin(struct rig *rig, const struct story *story);

/* From wherever a failure left that: boot, and version 2 gets there. */
void story_begin_again(struct rig *rig);

/* What runs now is version 2 or 3 with a good signature, and not below the floor, which never
 * sinks. */
void story_check(struct rig *rig, struct world *w);

/* One session: power on, run, contact, run, contact, with the checks between. */
void story_session(struct rig *rig, struct world *w);

/* The right module runs, and the server knows what became of the other. */
void story_check_end(struct rig *rig, const struct world *w);

#endif
