/* What the server remembers: SQLite, one file in WAL mode. Processes over it keep no state.
 *
 * Everything that a caller was told is durable (synchronous=FULL); only the time a device was last
 * seen is written without waiting for the disk. A database made by a newer server is refused, one
 * made by an older is brought up to date in one transaction.
 *
 * Functions return 0 or what each says, and on trouble with the database itself, which is logged,
 *   SM_ERR_BUSY  another process holds it for too long: try again
 *   SM_ERR_FULL  no room left on the disk
 *   SM_ERR_IO    anything else
 * Times are milliseconds since 1970. Lists are filled as JSON, in the form that operators get.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_FLEET_DB_H
#define SM_FLEET_DB_H

#include <sqlite3.h>
#include <sandmote/claim.h>
#include <sandmote/keyset.h>
#include <sandmote/manifest.h>
#include <sandmote/statement.h>
#include "body.h"
#include "route.h"

struct sm_fleet_db {
    sqlite3 *sql;
    sqlite3 *quick; /* a second connection that does not wait for the disk */
};

/* Open or make the database. On an error nothing stays open. SM_ERR_UNSUPPORTED: made by a newer
 * server. */
int sm_fleet_db_open(struct sm_fleet_db *db, const char *path);
void sm_fleet_db_close(struct sm_fleet_db *db);

/* ---- Modules --------------------------------------------------------------------------------- */

struct sm_fleet_module {
    char sha256[SM_FLEET_SHA_TEXT], sha1[41];         /* of the module */
    char sig_sha256[SM_FLEET_SHA_TEXT], sig_sha1[41]; /* of the signature */
    uint8_t signature[64];
    uint64_t size; /* bytes of the module */
    bool plugin;
    char fleet[SM_FLEET_MAX + 1], name[SM_NAME_MAX + 1], version[SM_VERSION_MAX + 1];
    uint64_t sequence;
};

/* Add a verified module. manifest is the JSON that operators see. A module that is there already is
 * left as it is: *created says which. SM_ERR_STATE: its fleet, name and sequence are taken by
 * another module, whose hash is in taken. */
int sm_fleet_db_module_add(struct sm_fleet_db *db, const struct sm_fleet_module *m,
                           const json_t *manifest, const char *who, int64_t now, bool *created,
                           char taken[SM_FLEET_SHA_TEXT]);
/* SM_ERR_NOT_FOUND. */
int sm_fleet_db_module(struct sm_fleet_db *db, const char *sha256, struct sm_fleet_module *out);
int sm_fleet_db_modules(struct sm_fleet_db *db, json_t *array);

/* ---- Native images --------------------------------------------------------------------------- */

struct sm_fleet_native {
    char sha256[SM_FLEET_SHA_TEXT], sha1[41];         /* of the image */
    char sig_sha256[SM_FLEET_SHA_TEXT], sig_sha1[41]; /* of the claim */
    char module[SM_FLEET_SHA_TEXT];                   /* SHA-256 of the module that it is of */
    char name[SM_NAME_MAX + 1];                       /* the module's; filled in when read */
    uint8_t claim[SM_CLAIM_MAX];
    uint32_t claim_len, target;
    uint64_t size; /* bytes of the image */
};
#define SM_FLEET_NATIVES_MAX 16u /* of one module that are offered */

/* "<name>.<target>.native", what the image is called; its claim has ".sig" behind that. */
#define SM_FLEET_NATIVE_FILE (SM_NAME_MAX + 24u)
void sm_fleet_native_file(const struct sm_fleet_native *n, char out[SM_FLEET_NATIVE_FILE]);

/* Add a verified native image; one of the same module and target that was there is replaced.
 * *created: false when it was this very one. */
int sm_fleet_db_native_add(struct sm_fleet_db *db, const struct sm_fleet_native *n, const char *who,
                           int64_t now, bool *created);
/* By the image's hash: SM_ERR_NOT_FOUND. */
int sm_fleet_db_native(struct sm_fleet_db *db, const char *sha256, struct sm_fleet_native *out);
/* Those of a module, at most max, in order of targets. *count is set. */
int sm_fleet_db_natives_of(struct sm_fleet_db *db, const char *module, struct sm_fleet_native *out,
                           size_t max, size_t *count);
int sm_fleet_db_natives(struct sm_fleet_db *db, json_t *array);

/* ---- Key sets -------------------------------------------------------------------------------- */

struct sm_fleet_keys {
    char fleet[SM_FLEET_MAX + 1];
    uint64_t version;
    char sha256[SM_FLEET_SHA_TEXT];
    uint32_t len;
    uint8_t bytes[SM_KEYSET_MAX];
};

/* Add one that was checked; to be called between begin and end. */
int sm_fleet_db_keys_add(struct sm_fleet_db *db, const struct sm_fleet_keys *k, const char *who,
                         int64_t now);
/* A fleet's set of this version, or its latest when that is 0. SM_ERR_NOT_FOUND; *out has then no
 * length. */
int sm_fleet_db_keys(struct sm_fleet_db *db, const char *fleet, uint64_t version,
                     struct sm_fleet_keys *out);
/* {"<fleet>": <latest version>, ...} */
int sm_fleet_db_keys_latest(struct sm_fleet_db *db, json_t *object);
/* What is current for a device, of the modules of this fleet: its channel, the modules there with
 * their sequences, and the latest key set. Times are left alone. SM_ERR_NOT_FOUND: no such device,
 * or what it is assigned is of other fleets. */
int sm_fleet_db_current(struct sm_fleet_db *db, const char *device, const char *fleet,
                        struct sm_statement_plan *out);
int sm_fleet_db_keys_list(struct sm_fleet_db *db, json_t *array);

/* ---- Channels -------------------------------------------------------------------------------- */

/* Set the modules of a channel, made when it is new, and give each of its devices an action; an
 * open action of theirs is superseded. All of that or nothing.
 * *actions is how many were made: none for a device that the modules of the channel were removed
 * from, if they do nothing else. SM_ERR_NOT_FOUND: a module is not there, *at says which;
 * SM_ERR_INVALID: modules[*at] has the same fleet and name as one before it; SM_ERR_DENIED: what
 * modules[*at] requires is in the list in a release that does not suit it, or is removed by it;
 * SM_ERR_STATE: modules[*at] removes a plugin, and others of the list are a set. */
int sm_fleet_db_assign(struct sm_fleet_db *db, const char *channel,
                       const struct sm_fleet_assignment *a, const char *who, int64_t now,
                       uint64_t *actions, size_t *at);
/* One channel (name) or all (NULL). SM_ERR_NOT_FOUND: no such channel. */
int sm_fleet_db_channels(struct sm_fleet_db *db, const char *name, json_t *array);

/* ---- Devices --------------------------------------------------------------------------------- */

/* Make a device or change it. channel and token_sha256 may be NULL: unchanged. A channel that is
 * new is made; a device that comes to one with modules gets an action at once. *created, *action (0
 * for none) are set. SM_ERR_ARG: a new device needs a token. */
int sm_fleet_db_device_put(struct sm_fleet_db *db, const char *id, const char *channel,
                           const uint8_t *token_sha256, int64_t now, bool *created,
                           uint64_t *action);
/* SM_ERR_NOT_FOUND: no such device; hash is then all zero. */
int sm_fleet_db_device_token(struct sm_fleet_db *db, const char *id, uint8_t hash[32]);
int sm_fleet_db_device_seen(struct sm_fleet_db *db, const char *id, int64_t now);
/* Devices after an id in order of ids, at most limit. */
int sm_fleet_db_devices(struct sm_fleet_db *db, const char *after, uint64_t limit, json_t *array);
/* One device with its attributes and its latest actions. SM_ERR_NOT_FOUND. */
int sm_fleet_db_device(struct sm_fleet_db *db, const char *id, json_t *object);
int sm_fleet_db_attributes(struct sm_fleet_db *db, const char *id,
                           const struct sm_fleet_attributes *a, int64_t now);

/* ---- Actions --------------------------------------------------------------------------------- */

/* The open action of a device, or 0 in *action. */
int sm_fleet_db_action(struct sm_fleet_db *db, const char *device, uint64_t *action);
/* The modules of an open action of this device, at most max; the device has now asked for them.
 * *count is set. SM_ERR_NOT_FOUND: no such open action. */
int sm_fleet_db_action_modules(struct sm_fleet_db *db, const char *device, uint64_t action,
                               int64_t now, struct sm_fleet_module *out, size_t max, size_t *count);
/* Append the ids of devices that have a pending action with an id above *after, at most limit;
 * *after is then the id of the last. */
int sm_fleet_db_actions_after(struct sm_fleet_db *db, uint64_t *after, uint64_t limit,
                              json_t *array);
/* Whether a module of this action requires another one of it: then they are installed together. */
int sm_fleet_db_action_is_set(struct sm_fleet_db *db, uint64_t action, bool *set);
/* A module that some action of this device names: SM_ERR_NOT_FOUND. */
int sm_fleet_db_action_module(struct sm_fleet_db *db, const char *device, const char *sha256,
                              struct sm_fleet_module *out);
#define SM_FLEET_FEEDBACK_KEPT 20u /* of an action: the latest */

/* SM_ERR_NOT_FOUND: no such action of this device; SM_ERR_STATE: it is closed. */
int sm_fleet_db_feedback(struct sm_fleet_db *db, const char *device, uint64_t action,
                         const struct sm_fleet_feedback *f, int64_t now);

/* ---- Events ---------------------------------------------------------------------------------- */

/* Add one event of a device. An event is known when the device sent this id with this content
 * before: a device that was set up anew counts from the start again, and its events are others.
 * *known says which. To be called between begin and commit. */
int sm_fleet_db_event_add(struct sm_fleet_db *db, const char *device,
                          const struct sm_fleet_event *e, int64_t now, bool *known);
#define SM_FLEET_EVENTS_KEPT 10000u /* of a device: the latest */

/* Drop the oldest of a device beyond those that are kept. Between begin and commit, too. */
int sm_fleet_db_events_trim(struct sm_fleet_db *db, const char *device);
/* Events with a number above after, oldest first, at most limit; device may be NULL for all. */
int sm_fleet_db_events(struct sm_fleet_db *db, const char *device, uint64_t after, uint64_t limit,
                       json_t *array);

/* ---- Post-mortems ---------------------------------------------------------------------------- */

#define SM_FLEET_POSTMORTEM_MAX   (1u << 20) /* bytes of one */
#define SM_FLEET_POSTMORTEMS_KEPT 16u        /* of a device: the latest */

struct sm_fleet_postmortem {
    uint64_t number;                 /* on the device */
    char content[SM_FLEET_SHA_TEXT]; /* SHA-256 of its bytes */
    const char *event;
    char module[SM_NAME_MAX + 1], version[SM_VERSION_MAX + 1], sha256[SM_FLEET_SHA_TEXT];
    uint64_t sequence;
    char detail[160];
};

/* Add one of a device, and drop its oldest beyond those that are kept. *known: it was there, as
 * sm_fleet_db_event_add() has it. To be called between begin and end. */
int sm_fleet_db_postmortem_add(struct sm_fleet_db *db, const char *device,
                               const struct sm_fleet_postmortem *p, const void *bytes, size_t len,
                               int64_t now, bool *known);
/* Those with an id above after, oldest first, at most limit; device may be NULL for all. */
int sm_fleet_db_postmortems(struct sm_fleet_db *db, const char *device, uint64_t after,
                            uint64_t limit, json_t *array);
/* The bytes of one, the caller's to free; and their SHA-256. SM_ERR_NOT_FOUND, SM_ERR_MEMORY. */
int sm_fleet_db_postmortem(struct sm_fleet_db *db, uint64_t id, uint8_t **bytes, size_t *len,
                           char content[SM_FLEET_SHA_TEXT]);

int sm_fleet_db_begin(struct sm_fleet_db *db);
/* Commit when err is 0, else undo all since begin. Returns err, or what the commit met. */
int sm_fleet_db_end(struct sm_fleet_db *db, int err);

#endif
