/* What modules import: the host interface, version 3, with every call checked against grants.
 *
 *   sandmote.log(ptr i32, len i32)       capability "log"
 *   sandmote.uptime_ms() -> i64          no capability
 *   wasi_sn.*                            capabilities "sensor/<sensor>/<name>:r", ":w" or ":rw";
 *                                        each of the calls when there is at least one of these
 *   wasi_sn.*                            capabilities "topic/<filter>:p", ":s" or ":ps", where the
 *                                        platform has a network: network.h
 *   wasi_snapshot_preview1.*             capability "wasi", where the platform has it: wasi.h
 *
 * Imports are checked before execution: one for which nothing is granted does not link, and
 * anything else is unknown. Sensors and names are checked at each call. Every pointer goes through
 * sm_wasm_mem(); one that leaves the module's memory traps the module.
 *
 * The calls of wasi_sn, what they take and give, and their codes are in SPEC.md. Refused ones (not
 * granted, or a value outside its attribute's range) never trap: they are counted, and logged once
 * for each cause and instance, up to SM_HOST_CAUSES of them. A call that has to wait for a sensor
 * or for the network suspends its module.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_HOST_H
#define SANDMOTE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sandmote/error.h>
#include <sandmote/manifest.h>
#include <sandmote/port.h>
#include <sandmote/sensors.h>
#include <sandmote/wasm.h>

#define SM_HOST_INTERFACE 3u /* the version offered: manifests may ask for this or less */

#define SM_HOST_LOG_MAX   160u /* bytes of a line; the rest is cut off */
#define SM_HOST_LOG_BURST 32u  /* lines at once */
#define SM_HOST_LOG_RATE  8u   /* lines a second after that; what is more is dropped and counted */

/* Bytes of an instance's last log lines that are kept for post-mortems. */
#define SM_HOST_TAIL 240u
_Static_assert(SM_HOST_TAIL > SM_HOST_LOG_MAX, "a line fits");

/* What the platform gives to modules. Borrowed for the life of every struct sm_host. */
struct sm_host_port {
    void *ctx;
    /* One line of printable ASCII, terminated, of the module of that name. May be NULL. */
    void (*log)(void *ctx, const char *module, const char *line);
    struct sm_sensors *sensors; /* NULL: no sensors */
    struct sm_clock clock;
};

/* Causes of refusals that are logged; beyond these they are only counted. */
#define SM_HOST_CAUSES 8u

/* Why a call of wasi_sn did not do it; SPEC.md. */
enum sm_host_code {
    SM_HOST_OK = 0,
    SM_HOST_DENIED = -1,
    SM_HOST_NOT_FOUND = -2,
    SM_HOST_RANGE = -3,
    SM_HOST_BUSY = -4,
    SM_HOST_IO = -5,
    SM_HOST_SPACE = -6,
    SM_HOST_INVALID = -7,
    SM_HOST_STATE = -8,
    SM_HOST_RATE = -9,
    SM_HOST_REJECTED = -10
};

/* Tokens that time brings back, up to a number. */
struct sm_host_bucket {
    uint64_t ms; /* when it was last filled up */
    uint32_t room;
};

/* A sensor call under way: how and where its outcome goes. */
struct sm_host_call {
    uint8_t form;
    uint8_t channel;
    bool pending;
    uint32_t buf, len;
    struct sm_sensor_view *view;
};

struct sm_host;

/* What of the host serves a capability: this header's part, or one that a platform may bring. */
enum sm_host_part { SM_HOST_ITSELF, SM_HOST_WASI, SM_HOST_NETWORK };
enum sm_host_part sm_host_part_of(const char *capability);

/* Imports beside those above, for platforms that bring them: WASI (wasi.h), the network
 * (network.h). One of these belongs to one instance at a time. Whoever makes one fills in the
 * functions; a program that makes none links none of what is behind them. */
struct sm_host_more {
    struct sm_host_more *next; /* another part; set before the first instance. NULL: no more */
    enum sm_host_part part;
    const char *lacks; /* why check() has found something, for people */
    /* Which of the manifest's capabilities for its part it cannot serve: its index, or -1 for all
     * are well. */
    int (*check)(struct sm_host_more *more, const struct sm_manifest *grants);
    /* A new instance, whose host is borrowed until end(). 0, or an enum sm_err: it has not begun.
     */
    int (*begin)(struct sm_host_more *more, struct sm_host *host);
    /* It is gone: whatever it held is given back. May be called when none has begun. */
    void (*end)(struct sm_host_more *more);
    /* As sm_host_resolve(). */
    int (*resolve)(struct sm_host_more *more, const struct sm_host *host,
                   const struct sm_wasm_import *import, struct sm_wasm_extern *out);
    /* The time of a pending call has come: finish it. 0 and exec is ready, or an enum sm_err. */
    int (*wake)(struct sm_host_more *more, struct sm_wasm_exec *exec, struct sm_wasm_inst *inst);

    bool waiting;     /* a call is pending, and is to be woken at: */
    uint64_t wake_ms; /* by the host port's clock */
    bool exited;      /* the module has ended itself: it trapped with SM_ERR_EXIT */
    uint32_t exit_code;
};

/* One instance's side of the interface. Zero it; fields are private but `more`. */
struct sm_host {
    struct sm_host_more *more; /* NULL: nothing beside the imports above */
    const struct sm_host_port *port;
    const struct sm_manifest *grants; /* capabilities in force, and the module's name */
    uint64_t start_ms;                /* uptime counts from here */
    struct sm_sensor_client sensors;
    struct sm_host_call call;
    int32_t last_error;
    uint32_t refused;               /* calls */
    uint32_t cause[SM_HOST_CAUSES]; /* hashes of those that were logged */
    uint32_t causes;
    struct sm_host_bucket log;
    uint32_t log_dropped;
    uint32_t tail_len;
    char tail[SM_HOST_TAIL];
};

/* Prepare for an instance whose manifest is *grants, already limited to what the device allows.
 * All pointers are borrowed until sm_host_end(); host->more stays what it was. It links; it has no
 * sensors yet. */
void sm_host_init(struct sm_host *host, const struct sm_host_port *port,
                  const struct sm_manifest *grants, uint64_t start_ms);

/* Memory for its views of the sensors that the grants name: bytes, a multiple of 8; and handing it
 * over, aligned to 8 bytes and borrowed until sm_host_end(), which makes the sensors reachable. */
size_t sm_host_sensor_bytes(const struct sm_manifest *grants);
void sm_host_open_sensors(struct sm_host *host, void *memory);

/* Around the life of an instance: begin after sm_host_init(), for what sm_host.more holds for it;
 * end when it is given up, also when it was never begun: then all that it held is released, of
 * sensors too. 0, or an enum sm_err and sm_host.more holds nothing. */
int sm_host_begin(struct sm_host *host);
void sm_host_end(struct sm_host *host);

/* A line for the log, as sandmote.log writes it: bytes outside printable ASCII are replaced, those
 * beyond SM_HOST_LOG_MAX left out, lines beyond the rate counted. */
void sm_host_log(struct sm_host *host, const char *text, uint32_t len);

/* When a pending call is to be ended, by the host port's clock: 0 for now, UINT64_MAX when that is
 * not known (the step of the sensors tells). sm_host_wake() ends it: 0 and exec is ready, or
 * SM_ERR_STATE: it cannot be ended yet. */
uint64_t sm_host_wake_ms(const struct sm_host *host);
int sm_host_wake(struct sm_host *host, struct sm_wasm_exec *exec, struct sm_wasm_inst *inst);

/* Whether the module has ended itself, and with which code. */
bool sm_host_exited(const struct sm_host *host, uint32_t *code);

/* How many calls of the instance were refused. */
uint32_t sm_host_refused(const struct sm_host *host);

/* When it is stopped: tell the log, once, what is not there: how many lines were dropped since the
 * last one, and how many calls were refused when not each of them has a line. Nothing for a host
 * that is only zeroed. */
void sm_host_tell_left_out(struct sm_host *host);

/* The last lines that the instance has logged, each ended by a newline. Valid until it logs again.
 */
struct sm_wasm_name sm_host_tail(const struct sm_host *host);

/* For struct sm_wasm_linker, with a struct sm_host as ctx.
 * 0, SM_ERR_NOT_FOUND (no such function) or SM_ERR_DENIED (not granted). */
int sm_host_resolve(void *host, const struct sm_wasm_import *import, struct sm_wasm_extern *out);

/* The one of the parts beginning with `more` that is `part`, or NULL. */
struct sm_host_more *sm_host_more_of(struct sm_host_more *more, enum sm_host_part part);

/* Whether the instance was granted this very capability. */
bool sm_host_has(const struct sm_host *host, const char *capability);

/* Whether `wanted` is one of n granted capabilities, where a granted one that ends with '*' stands
 * for all that begin like it; and one of topics for all topics that its filter covers, with its
 * rights or less ("topic/hall/#:ps", "topic/hall/+/door:p"); "rate/8" and "queue/8" for any such
 * number up to theirs. */
bool sm_host_granted(const char *const *granted, size_t n, const char *wanted);

#endif
