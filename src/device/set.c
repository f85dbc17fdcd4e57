/* Sets: modules that are installed together or not at all.
 *
 * The members of a set have its number in their records. Each is staged in its slot; then one of
 * them, the one with the lowest index, is made the leader by putting its slot on trial:
 *
 *     all members STAGED            the set waits; nothing of it runs
 *     leader TRIAL, others STAGED   all are on trial
 *     leader COMMITTED              all are committed; the others' records follow
 *     leader condemned, number 0    none is on trial; the others' records follow
 *
 * So one record decides at each step, however many modules it is about, and power may fail between
 * any two records: what the others' say is read through the leader's. A number is that of a set as
 * long as any record has it, and a new set takes a higher one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "internal.h"
#include "text.h"

enum fate { WAITS, ON_TRIAL, PASSED };

static const struct sm_record *record_of(const struct sm_device *d, uint16_t index)
{
    return &d->store.records[index];
}

unsigned sm_dev_staged_slot(const struct sm_record *r)
{
    for (unsigned i = 0; i < 2; i++)
        if (r->slot[i].state == SM_SLOT_STAGED)
            return i;
    return SM_STORE_NO_SLOT;
}

static unsigned own_trial(const struct sm_record *r)
{
    for (unsigned i = 0; i < 2; i++)
        if (r->slot[i].state == SM_SLOT_TRIAL)
            return i;
    return SM_STORE_NO_SLOT;
}

/* What has become of a set, and who leads it if anybody does. */
static enum fate fate_of(const struct sm_device *d, uint32_t set, uint16_t *leader)
{
    for (uint16_t i = 0; i < d->store.layout.modules; i++) {
        const struct sm_record *r = record_of(d, i);
        if (r->set != set || sm_dev_staged_slot(r) != SM_STORE_NO_SLOT)
            continue;
        *leader = i;
        return own_trial(r) != SM_STORE_NO_SLOT ? ON_TRIAL : PASSED;
    }
    return WAITS;
}

/* The slot of a place that is staged in a set with this fate. */
static unsigned staged_with(const struct sm_device *d, uint16_t index, enum fate fate)
{
    const struct sm_record *r = record_of(d, index);
    unsigned slot = sm_dev_staged_slot(r);
    uint16_t leader;

    return slot != SM_STORE_NO_SLOT && fate_of(d, r->set, &leader) == fate ? slot
                                                                           : SM_STORE_NO_SLOT;
}

unsigned sm_dev_trial_slot(const struct sm_device *d, uint16_t index)
{
    unsigned own = own_trial(record_of(d, index));

    return own != SM_STORE_NO_SLOT ? own : staged_with(d, index, ON_TRIAL);
}

unsigned sm_dev_passed_slot(const struct sm_device *d, uint16_t index)
{
    return staged_with(d, index, PASSED);
}

uint16_t sm_dev_trial_leader(const struct sm_device *d, uint16_t index)
{
    uint16_t leader = index;

    if (staged_with(d, index, ON_TRIAL) != SM_STORE_NO_SLOT)
        (void)fate_of(d, record_of(d, index)->set, &leader);
    return leader;
}

/* Whether others have yet to follow what the record of this place says. */
bool sm_dev_leads(const struct sm_device *d, uint16_t index)
{
    uint32_t set = record_of(d, index)->set;

    for (uint16_t i = 0; set != 0 && i < d->store.layout.modules; i++)
        if (i != index && record_of(d, i)->set == set &&
            sm_dev_passed_slot(d, i) != SM_STORE_NO_SLOT)
            return true;
    return false;
}

/* Whether a record is a member of the set that waits under this action. */
static bool waits_for(const struct sm_device *d, uint16_t index, const char *action)
{
    unsigned slot = staged_with(d, index, WAITS);

    return slot != SM_STORE_NO_SLOT && strcmp(record_of(d, index)->slot[slot].action, action) == 0;
}

uint32_t sm_dev_set_number(const struct sm_device *d, const char *action)
{
    uint32_t highest = 0;

    for (uint16_t i = 0; i < d->store.layout.modules; i++) {
        if (waits_for(d, i, action))
            return record_of(d, i)->set;
        if (record_of(d, i)->set > highest)
            highest = record_of(d, i)->set;
    }
    return highest + 1;
}

/* ---- Start ----------------------------------------------------------------------------------- */

static int check_members(struct sm_device *d, uint32_t set)
{
    for (uint16_t i = 0; i < d->store.layout.modules; i++) {
        const struct sm_record *r = record_of(d, i);
        unsigned slot = sm_dev_staged_slot(r);
        if (r->set != set || slot == SM_STORE_NO_SLOT)
            continue;
        if (!sm_dev_slot_manifest(d, i, slot, &d->work))
            return sm_dev_say(d, SM_ERR_IO, "the slot cannot be read");
        int err = sm_dev_check_company(d, &d->work, i, set);
        if (err)
            return err;
    }
    return 0;
}

int sm_device_set_start(struct sm_device *d, const char *action)
{
    struct sm_record next;
    uint16_t leader = 0;

    while (leader < d->store.layout.modules && !waits_for(d, leader, action))
        leader++;
    if (leader == d->store.layout.modules)
        return sm_dev_say(d, SM_ERR_NOT_FOUND, "nothing is staged for this deployment");
    uint32_t set = record_of(d, leader)->set;
    int err = check_members(d, set);
    if (err)
        return err;
    sm_dev_change(d, leader, &next);
    unsigned slot = sm_dev_staged_slot(&next);
    next.slot[slot].state = SM_SLOT_TRIAL;
    next.boots_left = d->cfg->boots ? d->cfg->boots : 3;
    sm_dev_note(&next, slot, SM_EVENT_TRIAL);
    err = sm_dev_put(d, leader, &next);
    for (uint16_t i = leader; !err && i < d->store.layout.modules; i++)
        if (record_of(d, i)->set == set)
            sm_dev_new_trial(d, i, sm_dev_trial_slot(d, i));
    return err;
}

/* ---- End ------------------------------------------------------------------------------------- */

int sm_device_set_drop(struct sm_device *d, const char *action, const char *why)
{
    struct sm_record next;

    for (uint16_t i = 0; i < d->store.layout.modules; i++) {
        if (!waits_for(d, i, action))
            continue;
        sm_dev_change(d, i, &next);
        unsigned slot = sm_dev_staged_slot(&next);
        struct sm_slot *s = &next.slot[slot];
        sm_dev_remember_failure(&next, slot);
        s->state = SM_SLOT_EMPTY;
        s->received = s->image_len = 0;
        s->error = SM_ERR_STATE;
        sm_text(s->detail, sizeof s->detail, "%s", why);
        next.set = 0;
        sm_dev_note(&next, slot, SM_EVENT_REFUSED);
        int err = sm_dev_put(d, i, &next);
        if (err)
            return err;
        sm_dev_emit(d, i, slot, SM_EVENT_REFUSED);
    }
    return 0;
}

/* A member whose set was committed is the active one of its place from now on. */
static int follow(struct sm_device *d, uint16_t index, unsigned slot)
{
    struct sm_record next;

    sm_dev_change(d, index, &next);
    sm_dev_commit_slot(&next, slot);
    next.set = 0;
    int err = sm_dev_put(d, index, &next);
    if (!err)
        sm_dev_committed(d, index, slot);
    return err;
}

void sm_dev_set_follow(struct sm_device *d)
{
    for (uint16_t i = 0; i < d->store.layout.modules; i++) {
        unsigned slot = sm_dev_passed_slot(d, i);
        /* A flash that fails now is asked again in the next session: what runs is right all the
         * same. */
        if (slot != SM_STORE_NO_SLOT && !d->apps[i].follow_failed)
            d->apps[i].follow_failed = follow(d, i, slot) != 0;
    }
}
