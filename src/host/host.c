/* What modules import (include/sandmote/host.h): linking, the log and the clock. The sensor calls
 * are in sensor.c.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "internal.h"

/* ---- Grants ---------------------------------------------------------------------------------- */

bool sm_host_granted(const char *const *granted, size_t n, const char *wanted)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(granted[i]);
        if (len > 0 && granted[i][len - 1] == '*' ? strncmp(granted[i], wanted, len - 1) == 0
                                                  : strcmp(granted[i], wanted) == 0)
            return true;
    }
    return false;
}

bool sm_host_has(const struct sm_host *h, const char *capability)
{
    for (uint32_t i = 0; i < h->grants->capabilities; i++)
        if (strcmp(h->grants->capability[i], capability) == 0)
            return true;
    return false;
}

/* ---- sandmote -------------------------------------------------------------------------------- */

static uint64_t now_ms(const struct sm_host *h)
{
    return h->port->clock.now_ms(h->port->clock.ctx);
}

/* A token for one line. Time refills the bucket in whole lines only, so that many short calls do
 * not round it away. */
static bool log_allowed(struct sm_host *h)
{
    uint64_t lines = (now_ms(h) - h->log_ms) * SM_HOST_LOG_RATE / 1000;

    if (lines > 0) {
        h->log_ms += lines * 1000 / SM_HOST_LOG_RATE;
        h->log_room = lines < SM_HOST_LOG_BURST - h->log_room ? h->log_room + (uint32_t)lines
                                                              : SM_HOST_LOG_BURST;
    }
    if (h->log_room == 0) {
        h->log_dropped++;
        return false;
    }
    h->log_room--;
    return true;
}

static void tell_dropped(struct sm_host *h)
{
    char line[48] = "(", digits[10];
    uint32_t n = 0, at = 1;

    for (uint32_t v = h->log_dropped; v > 0; v /= 10)
        digits[n++] = (char)('0' + v % 10);
    while (n > 0)
        line[at++] = digits[--n];
    memcpy(line + at, " lines dropped)", 16);
    h->log_dropped = 0;
    h->port->log(h->port->ctx, h->grants->name, line);
}

/* Keep a line, and as many of those before it as there is room for. */
static void keep_line(struct sm_host *h, const char *line, uint32_t len)
{
    uint32_t drop = 0;

    while (h->tail_len - drop + len + 1 > SM_HOST_TAIL)
        while (h->tail[drop++] != '\n')
            ;
    h->tail_len -= drop;
    memmove(h->tail, h->tail + drop, h->tail_len);
    memcpy(h->tail + h->tail_len, line, len);
    h->tail[h->tail_len + len] = '\n';
    h->tail_len += len + 1;
}

struct sm_wasm_name sm_host_tail(const struct sm_host *host)
{
    return (struct sm_wasm_name){host->tail, host->tail_len};
}

void sm_host_log(struct sm_host *h, const char *text, uint32_t len)
{
    char line[SM_HOST_LOG_MAX + 1];

    if (len > SM_HOST_LOG_MAX)
        len = SM_HOST_LOG_MAX;
    if (h->port->log == NULL || !log_allowed(h))
        return;
    for (uint32_t i = 0; i < len; i++)
        line[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
    line[len] = 0;
    keep_line(h, line, len);
    if (h->log_dropped > 0)
        tell_dropped(h);
    h->port->log(h->port->ctx, h->grants->name, line);
}

static int host_log(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    const char *text = sm_wasm_mem(caller, args[0], args[1]);

    if (text == NULL)
        return SM_ERR_ARG;
    sm_host_log(ctx, text, args[1]);
    return 0;
}

static int host_uptime_ms(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    const struct sm_host *h = ctx;
    uint64_t ms = now_ms(h) - h->start_ms;

    (void)caller;
    args[0] = (uint32_t)ms;
    args[1] = (uint32_t)(ms >> 32);
    return 0;
}

/* ---- More imports ---------------------------------------------------------------------------- */

bool sm_host_needs_more(const char *capability)
{
    return strcmp(capability, "wasi") == 0 || strncmp(capability, "file/", 5) == 0;
}

int sm_host_begin(struct sm_host *host)
{
    return host->more != NULL ? host->more->begin(host->more, host) : 0;
}

void sm_host_end(struct sm_host *host)
{
    sm_host_end_sensors(host);
    if (host->more != NULL)
        host->more->end(host->more);
}

uint64_t sm_host_wake_ms(const struct sm_host *host)
{
    if (host->call.pending)
        return sm_sensor_client_done(&host->sensors) ? 0 : UINT64_MAX;
    return host->more != NULL && host->more->waiting ? host->more->wake_ms : UINT64_MAX;
}

int sm_host_wake(struct sm_host *host, struct sm_wasm_exec *exec, struct sm_wasm_inst *inst)
{
    if (host->call.pending)
        return sm_host_wake_sensor(host, exec, inst);
    return sm_host_wake_ms(host) != UINT64_MAX ? host->more->wake(host->more, exec, inst)
                                               : SM_ERR_STATE;
}

bool sm_host_exited(const struct sm_host *host, uint32_t *code)
{
    if (host->more == NULL || !host->more->exited)
        return false;
    *code = host->more->exit_code;
    return true;
}

/* ---- Linking --------------------------------------------------------------------------------- */

void sm_host_init(struct sm_host *host, const struct sm_host_port *port,
                  const struct sm_manifest *grants, uint64_t start_ms)
{
    struct sm_host_more *more = host->more;

    memset(host, 0, sizeof *host);
    host->more = more;
    host->port = port;
    host->grants = grants;
    host->start_ms = start_ms;
    host->log_ms = port->clock.now_ms(port->clock.ctx);
    host->log_room = SM_HOST_LOG_BURST;
}

static const struct sm_host_function functions[] = {
    {"sandmote", "log", "ii:", host_log},
    {"sandmote", "uptime_ms", ":I", host_uptime_ms},
};

const struct sm_host_function *sm_host_find(const struct sm_host_function *f, unsigned n,
                                            const struct sm_wasm_import *import)
{
    for (unsigned i = 0; i < n && import->kind == SM_WASM_FUNC; i++)
        if (sm_wasm_name_is(&import->module, f[i].module) &&
            sm_wasm_name_is(&import->field, f[i].field))
            return &f[i];
    return NULL;
}

int sm_host_bind(struct sm_wasm_extern *out, const struct sm_host_function *f, void *ctx)
{
    memset(out, 0, sizeof *out);
    out->kind = SM_WASM_FUNC;
    out->host = f->fn;
    out->host_ctx = ctx;
    out->host_type = f->type;
    return 0;
}

int sm_host_resolve(void *host, const struct sm_wasm_import *import, struct sm_wasm_extern *out)
{
    struct sm_host *h = host;
    const struct sm_host_function *f, *sensor;

    sensor = sm_host_find(sm_host_sensor_functions, SM_HOST_SENSOR_FUNCTIONS, import);
    f = sensor != NULL ? sensor
                       : sm_host_find(functions, sizeof functions / sizeof *functions, import);
    if (f == NULL)
        return h->more != NULL ? h->more->resolve(h->more, h, import, out) : SM_ERR_NOT_FOUND;
    if ((f->fn == host_log && !sm_host_has(h, "log")) || (sensor != NULL && !sm_host_has_sensor(h)))
        return SM_ERR_DENIED;
    return sm_host_bind(out, f, h);
}
