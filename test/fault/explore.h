/* Exploration of everything that can become of a flash.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_FAULT_EXPLORE_H
#define SM_FAULT_EXPLORE_H

#include "world.h"

struct geometry {
    uint32_t sector, unit;
    uint8_t erased;
};

extern const struct geometry geometries[];
extern const unsigned ngeometries;

enum { SETTLED = 3 };

struct explore_limits {
    uint64_t inputs; /* those to try, a bit each */
    enum setting setting;
    unsigned states; /* 0: until there is no new one */
    unsigned pairs;  /* of flashes with equal keys, to compare what becomes of them; and as many of
                      * sessions that are one after their mounts */
    bool progress;   /* tell on stderr how far it is */
};

struct explore_result {
    uint64_t states, explored, edges, boots, pairs, joins;
    uint64_t by_chance;      /* states that came up only when pairs were compared */
    uint64_t passed;         /* of the edges, those of operations that surely change
                              * nothing, none of which was looked at by itself */
    unsigned depth;          /* sessions from blank flash to the state farthest away */
    unsigned clean[SETTLED]; /* boots at most that a good update took, and the return from a bad
                              * one: one that traps, one that hangs until the watchdog; or, of
                              * sets, one whose application traps, one whose driver does */
    enum setting setting;
    bool closed; /* no state is left to explore */
    bool failed;
    char id[4000];    /* of the path to what failed */
    char other[4000]; /* of two unequal flashes, the path to the second; else empty */
    char what[200];
};

/* Explores from blank flash. `out` is filled in all cases; stops at the first rule that is broken.
 */
void explore(unsigned geometry, const struct explore_limits *limits, struct explore_result *out);

/* Goes the path of an id again and says what happens. 0, or 1 when its end breaks a rule, 2 when it
 * is no id. */
int explore_replay(const char *id);

#endif
