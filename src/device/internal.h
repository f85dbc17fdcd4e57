/* What the supervisor's files share. device.c: start and step. outcome.c: records and events.
 * slot.c: a slot's bytes become a module that may run. admit.c: what a module may be and ask for.
 * install.c: how modules come in. postmortem.c: what a trap leaves behind. native.c: native images
 * beside them. keys.c: the key set. current.c: what the server says is current.
 * golden.c: the module of the firmware's own. plugin.c: vendors' modules that drive a sensor.
 * requires.c: modules that need each other. set.c: modules that are installed together.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_DEVICE_INTERNAL_H
#define SANDMOTE_DEVICE_INTERNAL_H

#include <sandmote/device.h>

/* Put a sentence into the device's reason and return err. */
int sm_dev_say(struct sm_device *d, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- outcome.c ------------------------------------------------------------------------------- */

/* Start a change of an application's record: a copy, without the events the server has. */
void sm_dev_change(const struct sm_device *d, uint16_t index, struct sm_record *next);
/* Make it so. 0 or SM_ERR_IO, said. */
int sm_dev_put(struct sm_device *d, uint16_t index, struct sm_record *next);

/* Note an event of a slot in a record that is being changed. */
void sm_dev_note(struct sm_record *next, unsigned slot, enum sm_event_kind kind);
/* Tell the owner of an event that is on flash now. */
void sm_dev_emit(const struct sm_device *d, uint16_t index, unsigned slot, enum sm_event_kind kind);
/* The same of one that is not kept, with a text of its own. */
void sm_dev_emit_passing(const struct sm_device *d, uint16_t index, unsigned slot,
                         enum sm_event_kind kind, const char *detail);

/* Whether a slot of a record may be returned to: it was committed and is not below the floor. */
bool sm_dev_usable(const struct sm_record *r, unsigned slot);

/* Change a record so that the module in a slot is given up: it stays there for post-mortem, is not
 * tried again in its deployment, and the other one is active if it may be. */
void sm_dev_condemn(struct sm_record *next, unsigned slot);
/* Change a record so that the module in a slot is the active one from now on; its floor counts. */
void sm_dev_commit_slot(struct sm_record *next, unsigned slot);
/* That a commit is on flash: tell the owner, and let the next installation come without a pause. */
void sm_dev_committed(struct sm_device *d, uint16_t index, unsigned slot);
/* Condemn, with an event and a line that say why, and put; when it is on trial in a set, all of the
 * set. */
int sm_dev_give_up(struct sm_device *d, uint16_t index, unsigned slot, enum sm_event_kind kind,
                   int error, const char *why);
/* Whether this module failed in this deployment. */
bool sm_dev_failed_before(const struct sm_record *r, const uint8_t *sha, const char *action);
/* In how many deployments it failed, of those that the record remembers. */
unsigned sm_dev_failures(const struct sm_record *r, const uint8_t *sha);
void sm_dev_remember_failure(struct sm_record *next, unsigned slot);

uint32_t sm_dev_time_s(const struct sm_device *d);

/* ---- postmortem.c ---------------------------------------------------------------------------- */

/* An application's execution has trapped: tell of it in *s, its slot in a record that is being
 * changed, in the journal and to the owner. */
void sm_dev_report_trap(struct sm_device *d, uint16_t index, enum sm_event_kind kind,
                        struct sm_slot *s);
/* It is given up without having trapped: the same in the journal and to the owner. */
void sm_dev_report_unhealthy(struct sm_device *d, uint16_t index);
/* The golden module's execution has trapped: the same in the journal and to the owner. */
void sm_dev_report_golden(struct sm_device *d, enum sm_event_kind kind);

/* ---- slot.c ---------------------------------------------------------------------------------- */

/* Check a slot's module and image against their hashes and join them; make the image anew when the
 * engine is another one or the image rotted. 0, or, said, SM_ERR_STATE (its record does not say
 * that it was verified, or it was given up), SM_ERR_CORRUPT (the module's bytes), SM_ERR_IO, or the
 * errors of a translation. */
int sm_dev_open_slot(struct sm_device *d, uint16_t index, unsigned slot, struct sm_wasm_module *m);

/* Translate the module in a slot, write its image beside it, and note it in *s (a slot of a record
 * that is being changed): offset, length, build and hash. 0, or, said, SM_ERR_FULL, SM_ERR_IO, or
 * the errors of sm_wasm_translate(). */
int sm_dev_make_image(struct sm_device *d, uint16_t index, unsigned slot, struct sm_slot *s);

/* ---- admit.c --------------------------------------------------------------------------------- */

/* Whether this device may run a module with this manifest: fleet, kind, class, interface, sizes,
 * times, capabilities. 0, or, said, SM_ERR_DENIED, SM_ERR_LIMIT, SM_ERR_UNSUPPORTED. */
int sm_dev_admit(struct sm_device *d, const struct sm_manifest *m, uint16_t index);

/* Whether its code fits the manifest and the host: exports, imports, memory, table, segments. It
 * is laid out once in scratch, and nothing of it runs. 0, or, said, SM_ERR_NOT_FOUND, _LINK,
 * _DENIED, _LIMIT, _INVALID. */
int sm_dev_admit_code(struct sm_device *d, const struct sm_wasm_module *module,
                      const struct sm_manifest *m, uint16_t index);

/* The limits that the engine gets for a module. */
struct sm_wasm_limits sm_dev_limits(const struct sm_device *d, const struct sm_manifest *m);

/* The exported functions that the device calls; a plugin has no entry. 0 or SM_ERR_NOT_FOUND,
 * _INVALID, said. */
int sm_dev_find_calls(struct sm_device *d, const struct sm_wasm_module *module,
                      const struct sm_manifest *m, uint32_t *entry, uint32_t *health,
                      bool *has_health);

/* ---- native.c -------------------------------------------------------------------------------- */

/* Give an instance that was just made the native image in its module's slot, when there is one, it
 * verifies, and this device runs such. False: it is interpreted, and unless there is none an event
 * has said why. pool is what the instance has left. */
bool sm_dev_bind_native(struct sm_device *d, uint16_t index, unsigned slot,
                        struct sm_wasm_pool *pool);

/* ---- keys.c ---------------------------------------------------------------------------------- */

/* Find the key set, if this device has one, and carry out what it revokes. 0, or, said,
 * SM_ERR_STATE (a set on a device with a fixed trust store), SM_ERR_DENIED (of another fleet). */
int sm_dev_start_keys(struct sm_device *d);

/* Whom the device believes now; empty without a set that is valid. Until the next call. */
const struct sm_trust *sm_dev_trust(struct sm_device *d);

/* Whether the key set lets a module with this hash be installed. 0, or, said, SM_ERR_KEY (it is
 * revoked, or there is no set) or SM_ERR_EXPIRED. */
int sm_dev_check_keys(struct sm_device *d, const uint8_t *sha);

/* Note an event of the key set that a server brought about, with its error and line, in a slot of
 * its record that is described already; put and tell it. At most one an hour goes to the flash, so
 * that a server cannot wear it out; others are only told. */
void sm_dev_note_server(struct sm_device *d, struct sm_record *next, unsigned slot,
                        enum sm_event_kind kind, int error, const char *why);

/* What is certain about the time is at least this, from now on with the uptime. */
void sm_dev_raise_time(struct sm_device *d, uint64_t time_s);

/* ---- current.c ------------------------------------------------------------------------------- */

/* Whether the server's statement lets a module be installed. 0, or, said, SM_ERR_EXPIRED (none
 * holds), SM_ERR_STATE (a key set is missing) or SM_ERR_ROLLBACK (not current). */
int sm_dev_check_current(struct sm_device *d, const struct sm_manifest *m);
/* Tell when there is no statement for too long. */
void sm_dev_watch_current(struct sm_device *d);

/* ---- golden.c -------------------------------------------------------------------------------- */

#define SM_DEV_GOLDEN 2u /* stands for its place where a slot is named */

/* Verify and translate it. 0, or, said, SM_ERR_SIGNATURE, or the errors of a translation. */
int sm_dev_open_golden(struct sm_device *d, struct sm_wasm_module *m);
/* An event about it, which is not kept. */
void sm_dev_emit_golden(const struct sm_device *d, enum sm_event_kind kind, const char *detail);

/* ---- plugin.c -------------------------------------------------------------------------------- */

struct sm_plugin_ops {
    /* Whether it may drive this sensor here. 0, or, said, SM_ERR_DENIED. */
    int (*admit)(struct sm_device *d, const struct sm_plugin_sensor *s, uint16_t index);
    /* The exports that measure, set and get, noted in *p. 0 or SM_ERR_NOT_FOUND, _INVALID, said. */
    int (*find_functions)(struct sm_device *d, const struct sm_wasm_module *module,
                          const struct sm_plugin_sensor *s, struct sm_device_plugin *p);
    /* For linking, with a struct sm_device_plugin as ctx, which bind has filled. s and host stay
     * where they are. */
    int (*resolve)(void *plugin, const struct sm_wasm_import *import, struct sm_wasm_extern *out);
    void (*bind)(struct sm_device *d, uint16_t index, const struct sm_plugin_sensor *s,
                 struct sm_host *host, struct sm_device_plugin *p);
    /* Its sensor is there for modules, or, said, why not; and no longer. */
    int (*up)(struct sm_device *d, uint16_t index);
    void (*down)(struct sm_device *d, uint16_t index);
    /* Measure all its values, for nobody, the first time after its attributes were set, unless they
     * are in use; its sensor and bus are held meanwhile. 0, a positive
     * number of milliseconds to come again after, SM_ERR_TRAP (its execution tells), or why there
     * are none. */
    int (*measure)(struct sm_device *d, uint16_t index);
    /* Call its `health` the same way: 0 when it has returned, whatever became of its transfers. */
    int (*health)(struct sm_device *d, uint16_t index);
};

static inline bool sm_dev_is_plugin(const struct sm_device *d, uint16_t index)
{
    return index >= d->store.layout.applications;
}
static inline struct sm_device_plugin *sm_dev_plugin(const struct sm_device *d, uint16_t index)
{
    return &d->cfg->plugins->plugins[index - d->store.layout.applications];
}

/* ---- requires.c ------------------------------------------------------------------------------ */

/* Whether a module, in the place of `index`, suits the others: what it requires is there, and those
 * that require it are content. The members of `set` (0: none) count as they are staged. *m lies
 * outside the scratch memory. 0, or, said, SM_ERR_DENIED. */
int sm_dev_check_company(struct sm_device *d, const struct sm_manifest *m, uint16_t index,
                         uint32_t set);

/* Whether a plugin drives what the one in force of its name does. 0, or, said, SM_ERR_DENIED. */
int sm_dev_check_place(struct sm_device *d, const struct sm_manifest *m, uint16_t index);

/* The manifest of a slot's module into *m. False when it cannot be read. */
bool sm_dev_slot_manifest(const struct sm_device *d, uint16_t index, unsigned slot,
                          struct sm_manifest *m);

/* Whether a slot may be returned to, by the record and by what others require. */
bool sm_dev_may_return(struct sm_device *d, uint16_t index, unsigned slot);

/* ---- set.c ----------------------------------------------------------------------------------- */

/* The slot that is staged, or SM_STORE_NO_SLOT. */
unsigned sm_dev_staged_slot(const struct sm_record *r);
/* The slot that is on trial, by itself or by its set; or SM_STORE_NO_SLOT. */
unsigned sm_dev_trial_slot(const struct sm_device *d, uint16_t index);
/* The slot that is staged in a set that was committed: it is what counts, and its own record does
 * not say so yet. Or SM_STORE_NO_SLOT. */
unsigned sm_dev_passed_slot(const struct sm_device *d, uint16_t index);
/* The record that decides about the trial of a place: its own, or that of its set's leader. */
uint16_t sm_dev_trial_leader(const struct sm_device *d, uint16_t index);
/* Whether others have yet to follow what the record of this place says. */
bool sm_dev_leads(const struct sm_device *d, uint16_t index);
/* The number for a new set, or that of the one which is being staged under this action. */
uint32_t sm_dev_set_number(const struct sm_device *d, const char *action);
/* Records of members follow what the leader's says. */
void sm_dev_set_follow(struct sm_device *d);

/* ---- device.c -------------------------------------------------------------------------------- */

/* The epochs that one call may take. */
uint32_t sm_dev_budget(const struct sm_device *d);

/* What cfg->called holds while the module in a slot of an application is called. */
#define SM_DEV_CALLED_MASK 0xffff0000u
#define SM_DEV_CALLED      0xca110000u
static inline uint32_t sm_dev_called(uint16_t index, unsigned slot)
{
    return SM_DEV_CALLED | (uint32_t)(index & 0xfff) << 2 | slot;
}

/* Run a module's execution, as sm_wasm_run(), and let the watchdog know whose it is. */
int sm_dev_execute(struct sm_device *d, uint16_t index);

/* End an instance; the next step starts it again. */
void sm_dev_restart(struct sm_device *d, uint16_t index);

/* A new trial is on flash: forget what was known about the slot's last tenant. */
void sm_dev_new_trial(struct sm_device *d, uint16_t index, unsigned slot);

#endif
