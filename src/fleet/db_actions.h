/* Making actions; private to the database's own files.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_FLEET_DB_ACTIONS_H
#define SM_FLEET_DB_ACTIONS_H

#include "db_statement.h"

/* Give every device of a channel, or only the one named, an action with the channel's modules;
 * open actions of those devices are superseded. To be called inside a transaction.
 * *made is how many. */
int sm_db_actions_make(struct sm_fleet_db *db, const char *channel, const char *device, int64_t now,
                       uint64_t *made);

/* The latest action of a device as JSON, or null; with history also its feedback. limit: how many
 * actions to append to the array. */
int sm_db_actions_json(struct sm_fleet_db *db, const char *device, uint64_t limit, bool history,
                       json_t *array);

#endif
