/* Names and time in the slots of patterns (wkdibe.h): who, which resource, for what, and when.
 *
 *   slots    what
 *   0        purpose: encrypt, sign or configure
 *   1 .. 4   identity: /entity/<location>/<requester>/<delegate>
 *   5 .. 9   resource: /resources/<device>/<sensor>/<capability>/<one more>
 *   10       node of the tree of principals (wkdibe_session.h)
 *   11 .. 15 time: year, month, day, quarter of the day, hour; UTC
 *
 * A name begins with "/" and has 1 to 64 bytes of UTF-8 between slashes; there is one way to write
 * each. It fills the slots it reaches; the rest are NULL, which is the same as NULL alone:
 * "/entity/a" and "/entity/a/b" do not match. "*" as a whole component is WILD, and at the end of a
 * name so are all slots of the name after it: "/entity/Loc1/" and a star is whoever is at Loc1, and
 * whoever they delegated to. This star is not the one of MQTT topics.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_WKDIBE_NAMES_H
#define SANDMOTE_WKDIBE_NAMES_H

#include <sandmote/wkdibe.h>

#define SM_IBE_PLAN_SLOTS                                                                          \
    16u                     /* of parameters for this plan; 11 when no time is to be in patterns */
#define SM_IBE_NAME_MAX 64u /* bytes of a component */

enum sm_ibe_plan {
    SM_IBE_SLOT_PURPOSE = 0,
    SM_IBE_SLOT_IDENTITY = 1,
    SM_IBE_SLOT_RESOURCE = 5,
    SM_IBE_SLOT_NODE = 10,
    SM_IBE_SLOT_TIME = 11,
};

/* What is wrong with a name: a sentence part, and the byte it is about. */
struct sm_ibe_detail {
    const char *rule;
    uint32_t offset;
};

enum sm_ibe_purpose { SM_IBE_ENCRYPT = 1, SM_IBE_SIGN = 2, SM_IBE_CONFIGURE = 3 };

/* All of these: SM_ERR_ARG when the pattern has not the slots that they set. */
int sm_ibe_name_purpose(struct sm_ibe_pattern *p, enum sm_ibe_purpose purpose) SM_IBE_CHECKED;

/* 0, or SM_ERR_MALFORMED and *detail filled; the pattern is then undefined. */
int sm_ibe_name_identity(struct sm_ibe_pattern *p, const char *name, size_t len,
                         struct sm_ibe_detail *detail) SM_IBE_CHECKED;
int sm_ibe_name_resource(struct sm_ibe_pattern *p, const char *name, size_t len,
                         struct sm_ibe_detail *detail) SM_IBE_CHECKED;

/* node: 1 is the root, 2v and 2v + 1 are the children of v. SM_ERR_ARG for 0. */
int sm_ibe_name_node(struct sm_ibe_pattern *p, uint32_t node) SM_IBE_CHECKED;

/* An hour, or all the hours of a quarter of a day (0 to 3), a day, a month or a year: those of the
 * fields that `levels` (1 to 5) says, in this order. 0 levels: all time. */
#define SM_IBE_TIME_LEVELS 5u
struct sm_ibe_time {
    uint8_t levels;
    uint16_t year; /* 1970 to 9999 */
    uint8_t month, day, quarter, hour;
};

/* The hour of a time in seconds since 1970, UTC. SM_ERR_LIMIT from the year 10000 on. */
int sm_ibe_time_of(uint64_t seconds, struct sm_ibe_time *t) SM_IBE_CHECKED;
/* The time in the slots; those of deeper levels are WILD. SM_ERR_INVALID for no such day or hour.
 */
int sm_ibe_name_time(struct sm_ibe_pattern *p, const struct sm_ibe_time *t) SM_IBE_CHECKED;

/* The fewest nodes that hold the hours from the one of from_s up to, and without, the one that
 * begins at until_s or later; a key for each of them opens what is encrypted in that time and
 * nothing else. until_s is rounded down to an hour: a key never lasts longer than said. Their
 * number, or SM_ERR_MEMORY (more than max), SM_ERR_LIMIT (from the year 10000 on); 0 for an empty
 * time. */
int sm_ibe_time_cover(uint64_t from_s, uint64_t until_s, struct sm_ibe_time *nodes,
                      unsigned max) SM_IBE_CHECKED;

#endif
