/* How the database's own files run statements; private to them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_FLEET_DB_STATEMENT_H
#define SM_FLEET_DB_STATEMENT_H

#include "db.h"

/* Log the last error of a connection and say which of our errors it is. */
int sm_db_trouble(sqlite3 *sql, const char *what);

/* A statement with its parameters bound: one letter in types for each, 't' const char * (NULL is
 * SQL's NULL), 'i' sqlite3_int64, 'b' const void * and int. NULL when that failed, which
 * sm_db_row() and sm_db_done() take as an error. */
sqlite3_stmt *sm_db_prepare(sqlite3 *sql, const char *text, const char *types, ...);

/* 1 for a row, 0 at the end, or an error. */
int sm_db_row(sqlite3_stmt *st);

/* Run a statement that needs no rows to its end and give it back: 0 or an error. */
int sm_db_done(sqlite3_stmt *st);

/* Copy a text column, cut to size. */
void sm_db_text(sqlite3_stmt *st, int column, char *out, size_t size);

#endif
