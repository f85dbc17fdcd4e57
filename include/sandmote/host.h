/* What modules import: the host interface, version 1, with every call checked against grants.
 *
 *   sandmote.log(ptr i32, len i32)       capability "log"
 *   sandmote.uptime_ms() -> i64          no capability
 *   wasi_sn.read(sensor i32, name i32, buf i32, len i32) -> i32
 *                                        capability "sensor/<sensor>/<name>:r"
 *
 * Imports are checked before execution: one for which nothing is granted does not link, and
 * anything else is unknown. Sensor names are checked at each call. Every pointer goes through
 * sm_wasm_mem(); one that leaves the module's memory traps the module.
 *
 * wasi_sn.read takes two names that end with a zero byte and puts the value into buf: an i32, low
 * byte first, 4 bytes (fewer than 4 bytes of room are a refusal). 1 when it did, 0 when it was
 * refused or there is no value; then buf is unchanged.
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
#include <sandmote/wasm.h>

#define SM_HOST_INTERFACE 1u /* the version offered: manifests may ask for this or less */

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
    /* The value of a sensor, names already checked against the grants. Returns 0 and *value,
     * SM_ERR_NOT_FOUND or SM_ERR_IO, or SM_WASM_PENDING when the value comes later, by
     * sm_host_sensor_ready() with this call's number. May be NULL: no sensors. */
    int (*sensor)(void *ctx, uint32_t call, const char *sensor, const char *name, int32_t *value);
    struct sm_clock clock;
};

/* One instance's side of the interface. Zero it; fields are private. */
struct sm_host {
    const struct sm_host_port *port;
    const struct sm_manifest *grants; /* capabilities in force, and the module's name */
    uint64_t start_ms;                /* uptime counts from here */
    uint64_t log_ms;                  /* when log_room was last filled up */
    uint32_t log_room, log_dropped;
    uint32_t call, pending_call; /* number of the last sensor call; of the pending one or 0 */
    uint32_t pending_buf;
    uint32_t tail_len;
    char tail[SM_HOST_TAIL];
};

/* Prepare for an instance whose manifest is *grants, already limited to what the device allows.
 * All pointers are borrowed for the instance's life. */
void sm_host_init(struct sm_host *host, const struct sm_host_port *port,
                  const struct sm_manifest *grants, uint64_t start_ms);

/* The last lines that the instance has logged, each ended by a newline. Valid until it logs again.
 */
struct sm_wasm_name sm_host_tail(const struct sm_host *host);

/* For struct sm_wasm_linker, with a struct sm_host as ctx.
 * 0, SM_ERR_NOT_FOUND (no such function) or SM_ERR_DENIED (not granted). */
int sm_host_resolve(void *host, const struct sm_wasm_import *import, struct sm_wasm_extern *out);

/* A pending sensor call has ended: err as the port's sensor function returns it, and the value.
 * 0 and exec is ready to run, or SM_ERR_STATE: that call is not waiting (any more). */
int sm_host_sensor_ready(struct sm_host *host, struct sm_wasm_exec *exec, struct sm_wasm_inst *inst,
                         uint32_t call, int err, int32_t value);

/* Whether `wanted` is one of n granted capabilities, where a granted one that ends with '*' stands
 * for all that begin like it. */
bool sm_host_granted(const char *const *granted, size_t n, const char *wanted);

#endif
