/* What survives a restart of the gateway, in an SQLite file.
 *
 * All that one round writes is one transaction: store_commit() before anything of the round leaves.
 * The file belongs to one process. A write that fails ends the process: nothing was promised yet,
 * and the clients come again.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_STORE_H
#define GATEWAY_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <gateway/gateway.h>

struct store;

/* power: commits wait for the disk. NULL after a line in the log. */
struct store *store_open(const char *path, bool power);
void store_close(struct store *s);

struct gw_store store_functions(struct store *s);
void store_commit(struct store *s);

/* Gives everything to a new gateway. 0, or SM_ERR_IO, SM_ERR_CORRUPT after a line in the log. */
int store_restore(struct store *s, struct gw *g, uint64_t now_ms);

#endif
