/* Rows of modules, and columns as JSON; private to the database's own files.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_FLEET_DB_MODULES_H
#define SM_FLEET_DB_MODULES_H

#include "db_statement.h"

/* The columns of module AS m that sm_db_module_take() reads. */
extern const char sm_db_module_columns[];
void sm_db_module_take(sqlite3_stmt *st, struct sm_fleet_module *m);

/* A text column, "" for NULL; valid until the next row. */
const char *sm_db_column(sqlite3_stmt *st, int column);

/* A time column as text, or null. */
json_t *sm_db_json_time(sqlite3_stmt *st, int column);

#endif
