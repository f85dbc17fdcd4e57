/* What modules import (include/sandmote/host.h): linking, the log and the clock. The sensor calls
 * are in sensor.c.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sandmote/mqttsn.h>
#include "internal.h"

/* ---- Grants ---------------------------------------------------------------------------------- */

/* Whether a granted capability with a meaning is more than what is wanted. */
static bool covers(const char *granted, const char *wanted)
{
    struct sm_topic_grant g, w;
    uint32_t most, n;

    if (sm_topic_grant(granted, &g) && sm_topic_grant(wanted, &w))
        return (!w.publish || g.publish) && (!w.subscribe || g.subscribe) &&
               sm_mqttsn_filter_covers(g.filter, g.len, w.filter, w.len);
    for (unsigned i = 0; i < 2; i++)
        if (sm_number_grant(granted, i ? "rate/" : "queue/", &most) &&
            sm_number_grant(wanted, i ? "rate/" : "queue/", &n))
            return n <= most;
    return false;
}

bool sm_host_granted(const char *const *granted, size_t n, const char *wanted)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(granted[i]);
        if (len > 0 && granted[i][len - 1] == '*' ? strncmp(granted[i], wanted, len - 1) == 0
                                                  : strcmp(granted[i], wanted) == 0)
            return true;
        if (covers(granted[i], wanted))
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

/* ---- What calls have in common --------------------------------------------------------------- */

bool sm_host_take_text(struct sm_wasm_inst *inst, uint32_t addr, size_t most,
                       struct sm_host_text *t)
{
    uint64_t size = sm_wasm_inst_memory(inst)->size;

    t->bytes = sm_wasm_mem(inst, addr, 0);
    for (t->len = 0; t->len <= most; t->len++) {
        if (t->bytes == NULL || (uint64_t)addr + t->len >= size)
            return false;
        if (t->bytes[t->len] == 0)
            return true;
    }
    return true;
}

bool sm_host_text_is(const struct sm_host_text *t, const char *text)
{
    return t->len == strlen(text) && memcmp(t->bytes, text, t->len) == 0;
}

int sm_host_give_done(struct sm_host *h, uint32_t *args, int code)
{
    h->last_error = code;
    args[0] = code == SM_HOST_OK;
    return 0;
}

bool sm_host_take(struct sm_host_bucket *b, uint64_t now_ms, uint32_t rate, uint32_t burst)
{
    uint64_t tokens = (now_ms - b->ms) * rate / 1000;

    if (b->room > burst)
        b->room = burst;
    if (tokens > 0) {
        b->ms += tokens * 1000 / rate;
        b->room = tokens < burst - b->room ? b->room + (uint32_t)tokens : burst;
    }
    if (b->room == 0)
        return false;
    b->room--;
    return true;
}

static uint32_t hash(uint32_t h, const struct sm_host_text *t)
{
    for (size_t i = 0; i < t->len; i++)
        h = (h ^ (uint8_t)t->bytes[i]) * 16777619u;
    return (h ^ 0xff) * 16777619u; /* an end, so that two texts are not taken for two others */
}

/* Whether a cause is new, and there is room to remember it. */
static bool new_cause(struct sm_host *h, uint32_t cause)
{
    for (uint32_t i = 0; i < h->causes; i++)
        if (h->cause[i] == cause)
            return false;
    if (h->causes == SM_HOST_CAUSES)
        return false;
    h->cause[h->causes++] = cause;
    return true;
}

void sm_host_refuse(struct sm_host *h, const struct sm_host_text *part, unsigned n)
{
    char line[SM_HOST_LOG_MAX + 1] = "refused ";
    size_t at = strlen(line);
    uint32_t cause = 2166136261u;

    for (unsigned i = 0; i < n; i++) {
        cause = hash(cause, &part[i]);
        for (size_t k = 0; k < part[i].len && at < SM_HOST_LOG_MAX; k++) {
            char c = part[i].bytes[k];
            line[at++] = c >= 0x20 && c < 0x7f ? c : '?';
        }
    }
    if (h->refused < UINT32_MAX)
        h->refused++;
    if (h->port->log == NULL || !new_cause(h, cause))
        return;
    line[at] = 0;
    h->port->log(h->port->ctx, h->grants->name, line);
}

uint32_t sm_host_refused(const struct sm_host *host)
{
    return host->refused;
}

static int last_error(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    const struct sm_host *h = ctx;

    (void)caller;
    return sm_host_give(args, h->last_error);
}

/* ---- sandmote -------------------------------------------------------------------------------- */

static uint64_t now_ms(const struct sm_host *h)
{
    return h->port->clock.now_ms(h->port->clock.ctx);
}

/* A token for one line. */
static bool log_allowed(struct sm_host *h)
{
    bool allowed = sm_host_take(&h->log, now_ms(h), SM_HOST_LOG_RATE, SM_HOST_LOG_BURST);

    h->log_dropped += !allowed;
    return allowed;
}

/* "(<number> <what>)" */
static void tell_number(const struct sm_host *h, uint32_t number, const char *what)
{
    char line[64] = "(", digits[10];
    uint32_t n = 0, at = 1;

    for (uint32_t v = number; v > 0; v /= 10)
        digits[n++] = (char)('0' + v % 10);
    while (n > 0)
        line[at++] = digits[--n];
    memcpy(line + at, what, strlen(what) + 1); /* one of the two below: it fits */
    h->port->log(h->port->ctx, h->grants->name, line);
}

static void tell_dropped(struct sm_host *h)
{
    tell_number(h, h->log_dropped, " lines dropped)");
    h->log_dropped = 0;
}

void sm_host_tell_left_out(struct sm_host *h)
{
    if (h->port == NULL || h->port->log == NULL)
        return;
    if (h->log_dropped > 0)
        tell_dropped(h);
    if (h->refused > h->causes)
        tell_number(h, h->refused, " calls refused in all)");
    h->refused = h->causes; /* each of these has its line */
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

enum sm_host_part sm_host_part_of(const char *capability)
{
    static const struct {
        const char *begins;
        enum sm_host_part part;
    } parts[] = {{"file/", SM_HOST_WASI},
                 {"topic/", SM_HOST_NETWORK},
                 {"gateway/", SM_HOST_NETWORK},
                 {"rate/", SM_HOST_NETWORK},
                 {"queue/", SM_HOST_NETWORK}};

    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strncmp(capability, parts[i].begins, strlen(parts[i].begins)) == 0)
            return parts[i].part;
    return strcmp(capability, "wasi") == 0 ? SM_HOST_WASI : SM_HOST_ITSELF;
}

struct sm_host_more *sm_host_more_of(struct sm_host_more *more, enum sm_host_part part)
{
    while (more != NULL && more->part != part)
        more = more->next;
    return more;
}

static void end_more(struct sm_host *host)
{
    for (struct sm_host_more *more = host->more; more != NULL; more = more->next)
        more->end(more);
}

int sm_host_begin(struct sm_host *host)
{
    for (struct sm_host_more *more = host->more; more != NULL; more = more->next) {
        int err = more->begin(more, host);
        if (err) {
            end_more(host);
            return err;
        }
    }
    return 0;
}

void sm_host_end(struct sm_host *host)
{
    sm_host_end_sensors(host);
    end_more(host);
}

/* The part whose call is pending; a module has one at most. */
static struct sm_host_more *waiting(const struct sm_host *host)
{
    struct sm_host_more *more = host->more;

    while (more != NULL && !more->waiting)
        more = more->next;
    return more;
}

uint64_t sm_host_wake_ms(const struct sm_host *host)
{
    if (host->call.pending)
        return sm_sensor_client_done(&host->sensors) ? 0 : UINT64_MAX;
    const struct sm_host_more *more = waiting(host);
    return more != NULL ? more->wake_ms : UINT64_MAX;
}

int sm_host_wake(struct sm_host *host, struct sm_wasm_exec *exec, struct sm_wasm_inst *inst)
{
    if (host->call.pending)
        return sm_host_wake_sensor(host, exec, inst);
    struct sm_host_more *more = waiting(host);
    return more != NULL && more->wake_ms != UINT64_MAX ? more->wake(more, exec, inst)
                                                       : SM_ERR_STATE;
}

bool sm_host_exited(const struct sm_host *host, uint32_t *code)
{
    const struct sm_host_more *more = host->more;

    while (more != NULL && !more->exited)
        more = more->next;
    if (more != NULL)
        *code = more->exit_code;
    return more != NULL;
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
    host->log.ms = port->clock.now_ms(port->clock.ctx);
    host->log.room = SM_HOST_LOG_BURST;
}

static const struct sm_host_function functions[] = {
    {"sandmote", "log", "ii:", host_log},
    {"sandmote", "uptime_ms", ":I", host_uptime_ms},
    {"wasi_sn", "lastError", ":i", last_error},
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

bool sm_host_has_network(const struct sm_host *h)
{
    for (uint32_t i = 0; i < h->grants->capabilities; i++)
        if (sm_host_part_of(h->grants->capability[i]) == SM_HOST_NETWORK)
            return true;
    return false;
}

static int resolve_more(const struct sm_host *h, const struct sm_wasm_import *import,
                        struct sm_wasm_extern *out)
{
    int err = SM_ERR_NOT_FOUND;

    for (struct sm_host_more *more = h->more; more != NULL && err == SM_ERR_NOT_FOUND;
         more = more->next)
        err = more->resolve(more, h, import, out);
    return err;
}

int sm_host_resolve(void *host, const struct sm_wasm_import *import, struct sm_wasm_extern *out)
{
    struct sm_host *h = host;
    const struct sm_host_function *f, *sensor;

    sensor = sm_host_find(sm_host_sensor_functions, SM_HOST_SENSOR_FUNCTIONS, import);
    f = sensor != NULL ? sensor
                       : sm_host_find(functions, sizeof functions / sizeof *functions, import);
    if (f == NULL)
        return resolve_more(h, import, out);
    if ((f->fn == host_log && !sm_host_has(h, "log")) ||
        (sensor != NULL && !sm_host_has_sensor(h)) ||
        (f->fn == last_error && !sm_host_has_sensor(h) && !sm_host_has_network(h)))
        return SM_ERR_DENIED;
    sm_host_bind(out, f, h);
    if (f->fn == sm_host_get && h->port->sensors != NULL) {
        out->kept = h->sensors.kept;
        out->kept_clock = h->port->sensors->ms;
    }
    return 0;
}
