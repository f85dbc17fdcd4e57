/* The gateway's state in SQLite. SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sqlite3.h>
#include <posix/log.h>

#define FORMAT "1"

enum statement {
    BEGIN,
    COMMIT,
    CLIENT_PUT,
    CLIENT_DROP,
    TOPICS_DROP,
    FILTERS_DROP,
    FLOWS_DROP,
    DELIVERIES_DROP,
    RECEIVED_ALL_DROP,
    TOPIC_PUT,
    FILTER_PUT,
    FILTER_DROP,
    FLOW_PUT,
    FLOW_DROP,
    MESSAGE_PUT,
    MESSAGE_DROP,
    DELIVERY_PUT,
    DELIVERY_DROP,
    RECEIVED_PUT,
    RECEIVED_DROP,
    PLACED_PUT,
    PLACED_DROP,
    STATEMENTS
};

static const char *const texts[STATEMENTS] = {
    [BEGIN] = "BEGIN",
    [COMMIT] = "COMMIT",
    [CLIENT_PUT] = "INSERT OR REPLACE INTO client VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [CLIENT_DROP] = "DELETE FROM client WHERE row = ?",
    [TOPICS_DROP] = "DELETE FROM topic WHERE client = ?",
    [FILTERS_DROP] = "DELETE FROM filter WHERE client = ?",
    [FLOWS_DROP] = "DELETE FROM flow WHERE place BETWEEN ? AND ?",
    [DELIVERIES_DROP] = "DELETE FROM delivery WHERE client = ?",
    [RECEIVED_ALL_DROP] = "DELETE FROM received WHERE link = ?",
    [TOPIC_PUT] = "INSERT OR REPLACE INTO topic VALUES (?, ?, ?)",
    [FILTER_PUT] = "INSERT OR REPLACE INTO filter VALUES (?, ?, ?)",
    [FILTER_DROP] = "DELETE FROM filter WHERE client = ? AND filter = ?",
    [FLOW_PUT] = "INSERT OR REPLACE INTO flow VALUES (?, ?, ?, ?, ?, ?)",
    [FLOW_DROP] = "DELETE FROM flow WHERE place = ?",
    [MESSAGE_PUT] = "INSERT INTO message VALUES (?, ?, ?, ?)",
    [MESSAGE_DROP] = "DELETE FROM message WHERE row = ?",
    [DELIVERY_PUT] = "INSERT OR REPLACE INTO delivery VALUES (?, ?, ?, ?, ?, ?)",
    [DELIVERY_DROP] = "DELETE FROM delivery WHERE row = ?",
    [RECEIVED_PUT] = "INSERT OR REPLACE INTO received VALUES (?, ?)",
    [RECEIVED_DROP] = "DELETE FROM received WHERE link = ? AND packet = ?",
    [PLACED_PUT] = "INSERT OR REPLACE INTO placed VALUES (?, ?)",
    [PLACED_DROP] = "DELETE FROM placed WHERE filter = ?"};

/* flow: row is client * 8 + slot, so that a new message of a client takes the place of an old one.
 */
static const char schema[] =
    "CREATE TABLE IF NOT EXISTS format (version TEXT);"
    "CREATE TABLE IF NOT EXISTS client (row INTEGER PRIMARY KEY, id TEXT UNIQUE, identity TEXT,"
    " address BLOB, state INT, clean INT, own INT, keepalive INT, sleep INT,"
    " proven INT);"
    "CREATE TABLE IF NOT EXISTS topic (client INT, id INT, name BLOB, PRIMARY KEY (client, id))"
    " WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS filter (client INT, filter BLOB, qos INT,"
    " PRIMARY KEY (client, filter)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS flow (place INTEGER PRIMARY KEY, number INT, msg INT, packet INT,"
    " hash INT, phase INT);"
    "CREATE TABLE IF NOT EXISTS message (row INTEGER PRIMARY KEY, topic BLOB, payload BLOB,"
    " retain INT);"
    "CREATE TABLE IF NOT EXISTS delivery (row INTEGER PRIMARY KEY, client INT, message INT, msg "
    "INT,"
    " qos INT, state INT);"
    "CREATE INDEX IF NOT EXISTS delivery_client ON delivery (client);"
    "CREATE TABLE IF NOT EXISTS received (link INT, packet INT, PRIMARY KEY (link, packet))"
    " WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS placed (filter BLOB PRIMARY KEY, link INT) WITHOUT ROWID;"
    "INSERT INTO format SELECT '" FORMAT "' WHERE NOT EXISTS (SELECT 1 FROM format);";

/* Pages are small because a commit sums and copies each that it changed, and a message of QoS 2
 * waits for two of them; checkpoints come after as many octets as with SQLite's own size. */
static const char pragmas[] = "PRAGMA page_size=512; PRAGMA wal_autocheckpoint=8000;"
                              "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL;";

struct store {
    sqlite3 *db;
    sqlite3_stmt *statement[STATEMENTS];
    int64_t client, message, delivery, flow; /* the last numbers given */
    bool open;                               /* a transaction is */
};

/* ---- Writing --------------------------------------------------------------------------------- */

static void die(struct store *s)
{
    sm_log(SM_LOG_ERROR, "the state cannot be written: %s", sqlite3_errmsg(s->db));
    _exit(1);
}

static void run(struct store *s, enum statement which)
{
    sqlite3_stmt *st = s->statement[which];
    if (sqlite3_step(st) != SQLITE_DONE || sqlite3_reset(st) != SQLITE_OK)
        die(s);
}

static sqlite3_stmt *writing(struct store *s, enum statement which)
{
    if (!s->open) {
        s->open = true;
        run(s, BEGIN);
    }
    return s->statement[which];
}

void store_commit(struct store *s)
{
    if (!s || !s->open)
        return;
    run(s, COMMIT);
    s->open = false;
}

static void bind_text(sqlite3_stmt *st, int at, struct gw_text text)
{
    sqlite3_bind_blob(st, at, text.len ? text.bytes : (const void *)"", (int)text.len,
                      SQLITE_STATIC);
}

static int64_t client_put(void *ctx, const struct gw_stored_client *c)
{
    struct store *s = ctx;
    sqlite3_stmt *st = writing(s, CLIENT_PUT);
    int64_t row = c->row ? c->row : ++s->client;
    sqlite3_bind_int64(st, 1, row);
    sqlite3_bind_text(st, 2, c->id, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 3, c->identity, -1, SQLITE_STATIC);
    sqlite3_bind_blob(st, 4, &c->addr, sizeof c->addr, SQLITE_STATIC);
    sqlite3_bind_int(st, 5, c->state);
    sqlite3_bind_int(st, 6, c->clean);
    sqlite3_bind_int(st, 7, c->own);
    sqlite3_bind_int(st, 8, c->keepalive_s);
    sqlite3_bind_int(st, 9, c->sleep_s);
    sqlite3_bind_int(st, 10, c->proven);
    run(s, CLIENT_PUT);
    return row;
}

static void drop(struct store *s, enum statement which, int64_t row)
{
    sqlite3_bind_int64(writing(s, which), 1, row);
    run(s, which);
}

static void client_drop(void *ctx, int64_t client)
{
    drop(ctx, CLIENT_DROP, client);
    drop(ctx, TOPICS_DROP, client);
    drop(ctx, FILTERS_DROP, client);
    drop(ctx, DELIVERIES_DROP, client);
    drop(ctx, RECEIVED_ALL_DROP, GW_OWN_LINK + client);
    sqlite3_bind_int64(writing(ctx, FLOWS_DROP), 1, client * 8);
    sqlite3_bind_int64(writing(ctx, FLOWS_DROP), 2, client * 8 + 7);
    run(ctx, FLOWS_DROP);
}

static void topic_put(void *ctx, int64_t client, uint16_t id, struct gw_text name)
{
    sqlite3_stmt *st = writing(ctx, TOPIC_PUT);
    sqlite3_bind_int64(st, 1, client);
    sqlite3_bind_int(st, 2, id);
    bind_text(st, 3, name);
    run(ctx, TOPIC_PUT);
}

static void filter_put(void *ctx, int64_t client, struct gw_text filter, uint8_t qos)
{
    sqlite3_stmt *st = writing(ctx, FILTER_PUT);
    sqlite3_bind_int64(st, 1, client);
    bind_text(st, 2, filter);
    sqlite3_bind_int(st, 3, qos);
    run(ctx, FILTER_PUT);
}

static void filter_drop(void *ctx, int64_t client, struct gw_text filter)
{
    sqlite3_stmt *st = writing(ctx, FILTER_DROP);
    sqlite3_bind_int64(st, 1, client);
    bind_text(st, 2, filter);
    run(ctx, FILTER_DROP);
}

/* Eight places for each client; below 0 those of nobody. */
static int64_t place_of(const struct gw_stored_flow *f)
{
    return f->client ? f->client * 8 + f->slot : -(int64_t)f->packet_id;
}

static void flow_put(void *ctx, const struct gw_stored_flow *f)
{
    struct store *s = ctx;
    sqlite3_stmt *st = writing(s, FLOW_PUT);
    sqlite3_bind_int64(st, 1, place_of(f));
    sqlite3_bind_int64(st, 2, ++s->flow);
    sqlite3_bind_int(st, 3, f->msg_id);
    sqlite3_bind_int(st, 4, f->packet_id);
    sqlite3_bind_int64(st, 5, f->hash);
    sqlite3_bind_int(st, 6, f->phase);
    run(s, FLOW_PUT);
}

static void flow_drop(void *ctx, uint16_t packet_id)
{
    drop(ctx, FLOW_DROP, place_of(&(struct gw_stored_flow){.packet_id = packet_id}));
}

static int64_t message_put(void *ctx, struct gw_text topic, struct gw_text payload, bool retain)
{
    struct store *s = ctx;
    sqlite3_stmt *st = writing(s, MESSAGE_PUT);
    sqlite3_bind_int64(st, 1, ++s->message);
    bind_text(st, 2, topic);
    bind_text(st, 3, payload);
    sqlite3_bind_int(st, 4, retain);
    run(s, MESSAGE_PUT);
    return s->message;
}

static void message_drop(void *ctx, int64_t message)
{
    drop(ctx, MESSAGE_DROP, message);
}

static int64_t delivery_put(void *ctx, const struct gw_stored_delivery *d)
{
    struct store *s = ctx;
    sqlite3_stmt *st = writing(s, DELIVERY_PUT);
    int64_t row = d->row ? d->row : ++s->delivery;
    sqlite3_bind_int64(st, 1, row);
    sqlite3_bind_int64(st, 2, d->client);
    sqlite3_bind_int64(st, 3, d->message);
    sqlite3_bind_int(st, 4, d->msg_id);
    sqlite3_bind_int(st, 5, d->qos);
    sqlite3_bind_int(st, 6, d->state);
    run(s, DELIVERY_PUT);
    return row;
}

static void delivery_drop(void *ctx, int64_t delivery)
{
    drop(ctx, DELIVERY_DROP, delivery);
}

static void received_write(struct store *s, enum statement which, int64_t link, uint16_t packet)
{
    sqlite3_stmt *st = writing(s, which);
    sqlite3_bind_int64(st, 1, link);
    sqlite3_bind_int(st, 2, packet);
    run(s, which);
}

static void received_put(void *ctx, int64_t link, uint16_t packet_id)
{
    received_write(ctx, RECEIVED_PUT, link, packet_id);
}

static void received_drop(void *ctx, int64_t link, uint16_t packet_id)
{
    received_write(ctx, RECEIVED_DROP, link, packet_id);
}

static void placed_put(void *ctx, unsigned link, struct gw_text filter)
{
    sqlite3_stmt *st = writing(ctx, PLACED_PUT);
    bind_text(st, 1, filter);
    sqlite3_bind_int(st, 2, (int)link);
    run(ctx, PLACED_PUT);
}

static void placed_drop(void *ctx, struct gw_text filter)
{
    sqlite3_stmt *st = writing(ctx, PLACED_DROP);
    bind_text(st, 1, filter);
    run(ctx, PLACED_DROP);
}

struct gw_store store_functions(struct store *s)
{
    return (struct gw_store){s,
                             client_put,
                             client_drop,
                             topic_put,
                             filter_put,
                             filter_drop,
                             flow_put,
                             flow_drop,
                             message_put,
                             message_drop,
                             delivery_put,
                             delivery_drop,
                             received_put,
                             received_drop,
                             placed_put,
                             placed_drop};
}

/* ---- Reading --------------------------------------------------------------------------------- */

struct restoring {
    struct store *s;
    struct gw *g;
    uint64_t now_ms;
    unsigned left_out;
};

static struct gw_text column(sqlite3_stmt *st, int at)
{
    const void *bytes = sqlite3_column_blob(st, at);
    return (struct gw_text){bytes ? bytes : (const void *)"", (size_t)sqlite3_column_bytes(st, at)};
}

static int take_placed(struct restoring *r, sqlite3_stmt *st)
{
    return gw_restore_placed(r->g, (unsigned)sqlite3_column_int(st, 1), column(st, 0));
}

static int take_received(struct restoring *r, sqlite3_stmt *st)
{
    return gw_restore_received(r->g, sqlite3_column_int64(st, 0),
                               (uint16_t)sqlite3_column_int(st, 1));
}

static int take_client(struct restoring *r, sqlite3_stmt *st)
{
    struct gw_stored_client c = {.row = sqlite3_column_int64(st, 0),
                                 .id = (const char *)sqlite3_column_text(st, 1),
                                 .identity = (const char *)sqlite3_column_text(st, 2),
                                 .state = (uint8_t)sqlite3_column_int(st, 4),
                                 .clean = sqlite3_column_int(st, 5),
                                 .own = sqlite3_column_int(st, 6),
                                 .keepalive_s = (uint16_t)sqlite3_column_int(st, 7),
                                 .sleep_s = (uint16_t)sqlite3_column_int(st, 8),
                                 .proven = sqlite3_column_int(st, 9)};
    struct gw_text addr = column(st, 3);
    r->s->client = c.row > r->s->client ? c.row : r->s->client;
    if (!c.id || addr.len != sizeof c.addr)
        return SM_ERR_INVALID;
    memcpy(&c.addr, addr.bytes, sizeof c.addr);
    return gw_restore_client(r->g, &c, r->now_ms);
}

static int take_topic(struct restoring *r, sqlite3_stmt *st)
{
    return gw_restore_topic(r->g, sqlite3_column_int64(st, 0), (uint16_t)sqlite3_column_int(st, 1),
                            column(st, 2));
}

static int take_filter(struct restoring *r, sqlite3_stmt *st)
{
    return gw_restore_filter(r->g, sqlite3_column_int64(st, 0), column(st, 1),
                             (uint8_t)sqlite3_column_int(st, 2));
}

static int take_flow(struct restoring *r, sqlite3_stmt *st)
{
    int64_t place = sqlite3_column_int64(st, 0);
    r->s->flow = sqlite3_column_int64(st, 1);
    return gw_restore_flow(
        r->g, &(struct gw_stored_flow){.client = place < 0 ? 0 : place / 8,
                                       .slot = (uint8_t)(place < 0 ? 0 : place % 8),
                                       .phase = (uint8_t)sqlite3_column_int(st, 5),
                                       .msg_id = (uint16_t)sqlite3_column_int(st, 2),
                                       .packet_id = (uint16_t)sqlite3_column_int(st, 3),
                                       .hash = (uint32_t)sqlite3_column_int64(st, 4)});
}

static int take_message(struct restoring *r, sqlite3_stmt *st)
{
    r->s->message = sqlite3_column_int64(st, 0);
    return gw_restore_message(r->g, r->s->message, column(st, 1), column(st, 2),
                              sqlite3_column_int(st, 3));
}

static int take_delivery(struct restoring *r, sqlite3_stmt *st)
{
    r->s->delivery = sqlite3_column_int64(st, 0);
    return gw_restore_delivery(
        r->g, &(struct gw_stored_delivery){.row = r->s->delivery,
                                           .client = sqlite3_column_int64(st, 1),
                                           .message = sqlite3_column_int64(st, 2),
                                           .msg_id = (uint16_t)sqlite3_column_int(st, 3),
                                           .qos = (uint8_t)sqlite3_column_int(st, 4),
                                           .state = (uint8_t)sqlite3_column_int(st, 5)});
}

/* Rows that no longer fit (a rule is gone) are left out and counted. */
static int each(struct restoring *r, const char *query,
                int (*take)(struct restoring *, sqlite3_stmt *))
{
    sqlite3_stmt *st;
    int step;
    if (sqlite3_prepare_v2(r->s->db, query, -1, &st, NULL) != SQLITE_OK) {
        sm_log(SM_LOG_ERROR, "the state cannot be read: %s", sqlite3_errmsg(r->s->db));
        return SM_ERR_IO;
    }
    while ((step = sqlite3_step(st)) == SQLITE_ROW)
        r->left_out += take(r, st) < 0;
    sqlite3_finalize(st);
    if (step == SQLITE_DONE)
        return 0;
    sm_log(SM_LOG_ERROR, "the state cannot be read: %s", sqlite3_errmsg(r->s->db));
    return SM_ERR_CORRUPT;
}

int store_restore(struct store *s, struct gw *g, uint64_t now_ms)
{
    struct restoring r = {s, g, now_ms, 0};
    static const struct {
        const char *query;
        int (*take)(struct restoring *, sqlite3_stmt *);
    } steps[] = {{"SELECT filter, link FROM placed", take_placed},
                 {"SELECT * FROM client ORDER BY row", take_client},
                 {"SELECT link, packet FROM received", take_received},
                 {"SELECT client, id, name FROM topic", take_topic},
                 {"SELECT client, filter, qos FROM filter", take_filter},
                 {"SELECT * FROM flow ORDER BY number", take_flow},
                 {"SELECT * FROM message ORDER BY row", take_message},
                 {"SELECT * FROM delivery ORDER BY row", take_delivery}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        int err = each(&r, steps[i].query, steps[i].take);
        if (err < 0)
            return err;
    }
    gw_restored(g, now_ms);
    if (r.left_out)
        sm_log(SM_LOG_WARN, "%u rows of the state do not fit the configuration and are left out",
               r.left_out);
    return 0;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static int is_format(void *ctx, int n, char **values, char **names)
{
    (void)names;
    *(bool *)ctx = n == 1 && values[0] && !strcmp(values[0], FORMAT);
    return 0;
}

static bool set_up(struct store *s, bool power)
{
    bool good = false;
    if (sqlite3_exec(s->db, pragmas, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(s->db, power ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=OFF", NULL,
                     NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(s->db, schema, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(s->db, "SELECT version FROM format", is_format, &good, NULL) != SQLITE_OK)
        return false;
    for (int i = 0; good && i < STATEMENTS; i++)
        if (sqlite3_prepare_v3(s->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statement[i],
                               NULL) != SQLITE_OK)
            return false;
    return good;
}

struct store *store_open(const char *path, bool power)
{
    struct store *s = calloc(1, sizeof *s);
    if (s && sqlite3_open(path, &s->db) == SQLITE_OK && set_up(s, power))
        return s;
    sm_log(SM_LOG_ERROR, "%s: %s", path,
           s && sqlite3_errcode(s->db) != SQLITE_OK ? sqlite3_errmsg(s->db)
                                                    : "not a gateway's state, or a newer one's");
    if (s)
        store_close(s);
    return NULL;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    if (s->statement[COMMIT])
        store_commit(s);
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(s->statement[i]);
    sqlite3_close(s->db);
    free(s);
}
