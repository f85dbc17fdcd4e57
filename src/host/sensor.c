/* The sensor calls of modules: "wasi_sn".
 *
 * A call finds its view and channel, by names or by a handle, then looks at one bit. What needs the
 * sensor is a request to the manager (sensors.h); its outcome is brought to the module by answer(),
 * at once or when the request has waited. A pending call remembers where its outcome goes, and
 * answer() checks that place again: the module's memory may not have shrunk, but that is for the
 * engine to know.
 *
 * What is checked first is the grant: a call that is not granted learns nothing from its error.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "internal.h"

_Static_assert(SM_SENSOR_PENDING == SM_WASM_PENDING, "a request that waits suspends its module");
_Static_assert(SM_CAPABILITIES_MAX <= SM_SENSOR_VIEWS_MAX, "there is a view for every grant");

/* What a call gives back, and into its buffer. */
enum form {
    FORM_DONE,  /* 1 or 0, and the last error */
    FORM_READ,  /* the same, with the raw value */
    FORM_GET,   /* the bytes written, or a code */
    FORM_SET,   /* a code */
    FORM_SAMPLE /* the same, with a record */
};

enum { RECORD_BYTES = 24 };

_Static_assert(SM_SENSOR_NAME_MAX == SM_SENSOR_ID_MAX, "one length for both");

/* ---- Bytes ----------------------------------------------------------------------------------- */

static void put64(uint8_t *p, int64_t v)
{
    sm_host_put32(p, (uint32_t)v);
    sm_host_put32(p + 4, (uint32_t)((uint64_t)v >> 32));
}

/* The name of a sensor, a capability or an attribute. */
static bool take_text(struct sm_wasm_inst *inst, uint32_t addr, struct sm_host_text *t)
{
    return sm_host_take_text(inst, addr, SM_SENSOR_NAME_MAX, t);
}

/* ---- Refusals -------------------------------------------------------------------------------- */

#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof literal - 1                                                                \
    }

/* right and why as they stand in the log: ":r", ": not granted". */
static void refuse(struct sm_host *h, const struct sm_host_text *sensor,
                   const struct sm_host_text *name, const char *right, const char *why)
{
    const struct sm_host_text part[] = {TEXT("sensor/"),        *sensor,
                                        {"/", name->len > 0},   *name,
                                        {right, strlen(right)}, {why, strlen(why)}};

    sm_host_refuse(h, part, sizeof part / sizeof *part);
}

static struct sm_host_text id_of(const struct sm_sensor_view *v)
{
    return (struct sm_host_text){v->id, v->id_len};
}

static struct sm_host_text name_of(const struct sm_sensor_view *v, unsigned channel)
{
    const char *name = sm_sensor_channel_name(v->sensor->driver, channel);

    return name == NULL ? (struct sm_host_text){"*", 1} : (struct sm_host_text){name, strlen(name)};
}

/* ---- Finding --------------------------------------------------------------------------------- */

/* What a call is about. */
struct target {
    struct sm_sensor_view *view;
    unsigned channel;
};

/* The sensor of that id, when anything of it is granted. 0 or a code, refusals noted. */
static int find_sensor(struct sm_host *h, const struct sm_host_text *sensor, struct target *t)
{
    static const struct sm_host_text nothing = {"", 0};

    t->view = sm_sensor_client_find(&h->sensors, sensor->bytes, sensor->len);
    if (t->view != NULL)
        return t->view->sensor != NULL ? SM_HOST_OK : SM_HOST_NOT_FOUND;
    refuse(h, sensor, &nothing, "", ": not granted");
    return SM_HOST_DENIED;
}

/* Names to a channel with that right; '*' needs either. */
static int find(struct sm_host *h, const struct sm_host_text *sensor,
                const struct sm_host_text *name, char right, struct target *t)
{
    struct sm_host_text n = sm_host_text_is(name, SM_SENSOR_RATE_ALIAS)
                                ? (struct sm_host_text){SM_SENSOR_RATE_NAME, 8}
                                : *name;
    const char rights[] = {':', right, 0};
    int channel;

    _Static_assert(sizeof SM_SENSOR_RATE_NAME == 9, "its length");
    t->view = sm_sensor_client_find(&h->sensors, sensor->bytes, sensor->len);
    channel = t->view != NULL && t->view->sensor != NULL
                  ? sm_sensor_channel_find(t->view->sensor->driver, n.bytes, n.len)
                  : SM_ERR_NOT_FOUND;
    if (channel >= 0) {
        uint32_t granted = right == 'r'   ? t->view->read
                           : right == 'w' ? t->view->write
                                          : t->view->read | t->view->write;
        t->channel = (unsigned)channel;
        if (granted >> channel & 1)
            return SM_HOST_OK;
    } else if (t->view != NULL &&
               ((right != 'w' &&
                 sm_sensor_client_granted(&h->sensors, t->view, n.bytes, n.len, 'r')) ||
                (right != 'r' &&
                 sm_sensor_client_granted(&h->sensors, t->view, n.bytes, n.len, 'w')))) {
        return SM_HOST_NOT_FOUND;
    }
    refuse(h, sensor, name, right == '*' ? "" : rights, ": not granted");
    return SM_HOST_DENIED;
}

static bool is_list(unsigned channel)
{
    return channel == SM_CHANNEL_CAPABILITIES || channel == SM_CHANNEL_ATTRIBUTES;
}

/* A handle to a view and a channel with that right; there is none to lists. */
static int find_handle(struct sm_host *h, uint32_t handle, char right, struct target *t)
{
    t->view = sm_sensor_handle_view(&h->sensors, handle);
    t->channel = SM_HANDLE_CHANNEL(handle);
    if (t->view == NULL || is_list(t->channel) ||
        !((t->view->read | t->view->write) >> t->channel & 1))
        return SM_HOST_INVALID;
    if ((right == 'w' ? t->view->write : t->view->read) >> t->channel & 1)
        return SM_HOST_OK;
    struct sm_host_text sensor = id_of(t->view), name = name_of(t->view, t->channel);
    refuse(h, &sensor, &name, right == 'w' ? ":w" : ":r", ": not granted");
    return SM_HOST_DENIED;
}

/* ---- Outcomes -------------------------------------------------------------------------------- */

static int code_of(int err)
{
    switch (err) {
    case 0: return SM_HOST_OK;
    case SM_ERR_NOT_FOUND: return SM_HOST_NOT_FOUND;
    case SM_ERR_LIMIT: return SM_HOST_RANGE;
    case SM_ERR_BUSY: return SM_HOST_BUSY;
    case SM_ERR_ARG: return SM_HOST_INVALID;
    default: return SM_HOST_IO;
    }
}

/* Whether a channel is what a sensor measures, or all of that. */
static bool is_values(unsigned channel)
{
    return channel < SM_CHANNEL_ATTRIBUTE || channel == SM_CHANNEL_ALL;
}

static int put_attribute(int64_t value, uint8_t *p, uint32_t len)
{
    if (len >= 8) {
        put64(p, value);
        return 8;
    }
    if (len < 4)
        return SM_HOST_SPACE;
    if (value < INT32_MIN || value > INT32_MAX)
        return SM_HOST_RANGE;
    sm_host_put32(p, (uint32_t)value);
    return 4;
}

static uint64_t now_ms(const struct sm_host *h)
{
    return h->port->clock.now_ms(h->port->clock.ctx);
}

static void put_unit(uint8_t *record, const struct sm_sensor_driver *d, unsigned channel)
{
    if (channel < SM_CHANNEL_ATTRIBUTE) {
        record[16] = d->capability[channel].unit;
        record[17] = (uint8_t)d->capability[channel].scale;
    } else if (channel < SM_CHANNEL_RATE) {
        record[16] = d->attribute[channel - SM_CHANNEL_ATTRIBUTE].unit;
        record[17] = (uint8_t)d->attribute[channel - SM_CHANNEL_ATTRIBUTE].scale;
    } else if (channel == SM_CHANNEL_RATE) {
        record[16] = SM_UNIT_SECOND;
        record[17] = (uint8_t)-9;
    }
}

static int put_sample(const struct sm_host *h, uint8_t *p)
{
    const struct sm_host_call *call = &h->call;
    bool capability = call->channel < SM_CHANNEL_ATTRIBUTE;
    uint64_t time_ms = capability ? call->view->measured_ms : now_ms(h);

    memset(p, 0, RECORD_BYTES);
    put64(p, capability ? call->view->value[call->channel] : h->sensors.value);
    put64(p + 8, (int64_t)(time_ms - h->start_ms));
    put_unit(p, call->view->sensor->driver, call->channel);
    return SM_HOST_OK;
}

/* The raw form of what was read, into a buffer that is large enough for values: bytes written, or a
 * code. */
static int put_raw(const struct sm_host *h, uint8_t *p)
{
    const struct sm_host_call *call = &h->call;

    if (!is_values(call->channel))
        return put_attribute(h->sensors.value, p, call->len);
    sm_put_values(call->view->value, sm_host_values_of(call->view, call->channel), p);
    return (int)sm_host_bytes_of(call->view, call->channel);
}

/* A request for h->call is over: what the module gets. 0, or SM_ERR_ARG. */
static int answer(struct sm_host *h, struct sm_wasm_inst *inst, int err, uint32_t *args)
{
    const struct sm_host_call *call = &h->call;
    uint8_t *p = sm_wasm_mem(inst, call->buf, call->len);
    int code = code_of(err);

    if (p == NULL)
        return SM_ERR_ARG;
    if (err == SM_ERR_LIMIT) {
        struct sm_host_text sensor = id_of(call->view), name = name_of(call->view, call->channel);
        refuse(h, &sensor, &name, ":w", ": outside its range");
    }
    if (code == SM_HOST_OK && (call->form == FORM_READ || call->form == FORM_GET))
        code = put_raw(h, p);
    if (code == SM_HOST_OK && call->form == FORM_SAMPLE)
        code = put_sample(h, p);
    if (call->form > FORM_READ)
        return sm_host_give(args, code);
    return sm_host_give_done(h, args, code < 0 ? code : SM_HOST_OK);
}

/* What the manager has said to a request for h->call. */
static int asked(struct sm_host *h, struct sm_wasm_inst *inst, int err, uint32_t *args)
{
    h->call.pending = err == SM_SENSOR_PENDING;
    return h->call.pending ? SM_WASM_PENDING : answer(h, inst, err, args);
}

/* Ask the manager, for what h->call was filled in for. */
static int ask(struct sm_host *h, struct sm_wasm_inst *inst, enum sm_sensor_request request,
               int64_t value, uint32_t *args)
{
    const struct sm_host_call *call = &h->call;

    return asked(h, inst,
                 sm_sensor_client_request(&h->sensors, call->view, request, call->channel, value),
                 args);
}

/* A way to values that is longer, for h->call: the driver's word `how` is given on, or the manager
 * is asked. */
static int ask_for_values(struct sm_host *h, struct sm_wasm_inst *inst, int how, uint64_t now,
                          uint32_t *args)
{
    const struct sm_host_call *call = &h->call;

    if (how == SM_SENSOR_LONG)
        return ask(h, inst, SM_REQUEST_READ, 0, args);
    return asked(h, inst, sm_sensor_client_follow(&h->sensors, call->view, call->channel, how, now),
                 args);
}

/* read() and get() of values, for h->call. */
static int read_values(struct sm_host *h, struct sm_wasm_inst *inst, uint32_t *args)
{
    const struct sm_host_call *call = &h->call;
    struct sm_sensor_view *v = call->view;
    uint32_t bytes = sm_host_bytes_of(v, call->channel);
    uint64_t now = now_ms(h);
    int how = 0;

    if (call->len >= bytes)
        how = sm_host_take_values(v, sm_host_values_of(v, call->channel), now,
                                  sm_wasm_mem(inst, call->buf, call->len));
    if (how != 0)
        return ask_for_values(h, inst, how, now, args);
    if (call->form == FORM_READ)
        return sm_host_give_done(h, args, SM_HOST_OK);
    return sm_host_give(args, call->len < bytes ? SM_HOST_SPACE : (int)bytes);
}

/* The state is known without the sensor. */
static int ask_to_read(struct sm_host *h, struct sm_wasm_inst *inst, uint32_t *args)
{
    const struct sm_host_call *call = &h->call;

    if (is_values(call->channel) && call->form != FORM_SAMPLE)
        return read_values(h, inst, args);
    if (call->channel == SM_CHANNEL_STATE)
        h->sensors.value = call->view->sensor->run.state;
    else if (!is_values(call->channel) || now_ms(h) >= call->view->until_ms)
        return ask(h, inst, SM_REQUEST_READ, 0, args);
    return answer(h, inst, 0, args);
}

int sm_host_wake_sensor(struct sm_host *host, struct sm_wasm_exec *exec, struct sm_wasm_inst *inst)
{
    uint32_t result;

    if (!sm_sensor_client_done(&host->sensors) || exec->state != SM_EXEC_PENDING)
        return SM_ERR_STATE;
    host->call.pending = false;
    int failed = answer(host, inst, sm_sensor_client_take(&host->sensors), &result);
    return sm_wasm_complete(exec, &result, failed);
}

/* ---- The five calls -------------------------------------------------------------------------- */

/* getSensors(buf, len): only whole names that fit; the rest is counted. */
static int get_sensors(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_host *h = ctx;
    uint8_t *buf = sm_wasm_mem(caller, args[0], args[1]);
    uint32_t all = 0, at = 0, len = args[1];
    const struct sm_sensor *s = NULL;

    if (buf == NULL)
        return SM_ERR_ARG;
    while (h->port->sensors != NULL && (s = sm_sensors_next(h->port->sensors, s)) != NULL) {
        uint32_t size = (uint32_t)strlen(s->id) + 1;
        if (at == all && size <= len - at) {
            memcpy(buf + at, s->id, size);
            at += size;
        }
        all += size;
    }
    h->last_error = SM_HOST_OK;
    args[0] = all;
    return 0;
}

/* turnOn(sensor) */
static int turn_on(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_host *h = ctx;
    struct sm_host_text sensor;
    struct target t;

    if (!take_text(caller, args[0], &sensor))
        return SM_ERR_ARG;
    int code = find_sensor(h, &sensor, &t);
    if (code != SM_HOST_OK)
        return sm_host_give_done(h, args, code);
    h->call = (struct sm_host_call){.form = FORM_DONE, .view = t.view};
    return ask(h, caller, SM_REQUEST_ON, 0, args);
}

/* turnOff(sensor) */
static int turn_off(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_host *h = ctx;
    struct sm_host_text sensor;
    struct target t;

    if (!take_text(caller, args[0], &sensor))
        return SM_ERR_ARG;
    int code = find_sensor(h, &sensor, &t);
    if (code == SM_HOST_OK)
        sm_sensor_client_off(&h->sensors, t.view);
    return sm_host_give_done(h, args, code);
}

/* config(sensor, attribute, value) */
static int config(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_host *h = ctx;
    struct sm_host_text sensor, name;
    struct target t;

    if (!take_text(caller, args[0], &sensor) || !take_text(caller, args[1], &name))
        return SM_ERR_ARG;
    int code = find(h, &sensor, &name, 'w', &t);
    if (code != SM_HOST_OK)
        return sm_host_give_done(h, args, code);
    h->call =
        (struct sm_host_call){.form = FORM_DONE, .channel = (uint8_t)t.channel, .view = t.view};
    return ask(h, caller, SM_REQUEST_SET, (int32_t)args[2], args);
}

/* Names of the sensor's channels from first on, of n; SPACE when they do not all fit. */
static int put_names(const struct sm_sensor_driver *d, unsigned first, unsigned n, uint8_t *buf,
                     uint32_t len)
{
    uint32_t at = 0;

    for (unsigned i = first; i < first + n; i++) {
        const char *name = sm_sensor_channel_name(d, i);
        if (name == NULL)
            continue;
        uint32_t size = (uint32_t)strlen(name) + 1;
        if (size > len - at)
            return SM_HOST_SPACE;
        memcpy(buf + at, name, size);
        at += size;
    }
    return SM_HOST_OK;
}

/* read(sensor, name, buf, len) */
static int read(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_host *h = ctx;
    uint32_t len = args[3];
    uint8_t *buf = sm_wasm_mem(caller, args[2], len);
    struct sm_host_text sensor, name;
    struct target t;

    if (!take_text(caller, args[0], &sensor) || !take_text(caller, args[1], &name) || buf == NULL)
        return SM_ERR_ARG;
    int code = find(h, &sensor, &name, 'r', &t);
    if (code == SM_HOST_OK && t.channel == SM_CHANNEL_CAPABILITIES)
        return sm_host_give_done(
            h, args, put_names(t.view->sensor->driver, 0, SM_CHANNEL_ATTRIBUTE, buf, len));
    if (code == SM_HOST_OK && t.channel == SM_CHANNEL_ATTRIBUTES)
        return sm_host_give_done(h, args,
                                 put_names(t.view->sensor->driver, SM_CHANNEL_ATTRIBUTE,
                                           SM_SENSOR_ATTRIBUTES + 1, buf, len));
    if (code == SM_HOST_OK && len < 4)
        code = SM_HOST_SPACE;
    if (code != SM_HOST_OK)
        return sm_host_give_done(h, args, code);
    h->call = (struct sm_host_call){FORM_READ, (uint8_t)t.channel, false, args[2], len, t.view};
    return ask_to_read(h, caller, args);
}

/* ---- Handles --------------------------------------------------------------------------------- */

/* open(sensor, name) */
static int open(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_host *h = ctx;
    struct sm_host_text sensor, name;
    struct target t;
    int code;

    if (!take_text(caller, args[0], &sensor) || !take_text(caller, args[1], &name))
        return SM_ERR_ARG;
    if (sm_host_text_is(&name, "*")) {
        code = find_sensor(h, &sensor, &t);
        t.channel = SM_CHANNEL_ALL;
        if (code == SM_HOST_OK && !(t.view->read >> SM_CHANNEL_ALL & 1)) {
            refuse(h, &sensor, &name, ":r", ": not granted");
            code = SM_HOST_DENIED;
        }
    } else {
        code = find(h, &sensor, &name, '*', &t);
        if (code == SM_HOST_OK && is_list(t.channel))
            code = SM_HOST_INVALID; /* for read() */
    }
    return sm_host_give(args, code == SM_HOST_OK ? (int)(t.view->handles | t.channel) : code);
}

int sm_host_get_slowly(struct sm_host *h, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct target t;
    int code = find_handle(h, args[0], 'r', &t);

    if (code == SM_HOST_OK && args[2] < 4)
        code = SM_HOST_SPACE;
    if (code != SM_HOST_OK)
        return sm_host_give(args, code);
    h->call = (struct sm_host_call){FORM_GET, (uint8_t)t.channel, false, args[1], args[2], t.view};
    return ask_to_read(h, caller, args);
}

int sm_host_get_ready(struct sm_host *h, const struct sm_sensor_view *v, uint32_t *args,
                      uint8_t *buf)
{
    sm_sensor_client_keep(&h->sensors, v, args[0]);
    sm_host_put32(buf, (uint32_t)v->value[SM_HANDLE_CHANNEL(args[0])]);
    return sm_host_give(args, 4);
}

int sm_host_get_later(struct sm_host *h, struct sm_wasm_inst *caller, uint32_t *args,
                      struct sm_sensor_view *v, int how, uint64_t now)
{
    h->call = (struct sm_host_call){
        FORM_GET, (uint8_t)SM_HANDLE_CHANNEL(args[0]), false, args[1], args[2], v};
    return ask_for_values(h, caller, how, now, args);
}

/* set(handle, value) */
static int set(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_host *h = ctx;
    struct target t;
    int code = find_handle(h, args[0], 'w', &t);

    if (code != SM_HOST_OK)
        return sm_host_give(args, code);
    h->call =
        (struct sm_host_call){.form = FORM_SET, .channel = (uint8_t)t.channel, .view = t.view};
    return ask(h, caller, SM_REQUEST_SET, (int64_t)(args[1] | (uint64_t)args[2] << 32), args);
}

/* sample(handle, buf) */
static int sample(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_host *h = ctx;
    struct target t;

    if (sm_wasm_mem(caller, args[1], RECORD_BYTES) == NULL)
        return SM_ERR_ARG;
    int code = find_handle(h, args[0], 'r', &t);
    if (code == SM_HOST_OK && t.channel == SM_CHANNEL_ALL)
        code = SM_HOST_INVALID;
    if (code != SM_HOST_OK)
        return sm_host_give(args, code);
    h->call = (struct sm_host_call){FORM_SAMPLE, (uint8_t)t.channel, false,
                                    args[1],     RECORD_BYTES,       t.view};
    return ask_to_read(h, caller, args);
}

static void put_range(uint8_t *record, const struct sm_sensor_driver *d, unsigned channel)
{
    if (channel < SM_CHANNEL_ATTRIBUTE) {
        put64(record, d->capability[channel].min);
        put64(record + 8, d->capability[channel].max);
    } else if (channel < SM_CHANNEL_RATE) {
        put64(record, d->attribute[channel - SM_CHANNEL_ATTRIBUTE].min);
        put64(record + 8, d->attribute[channel - SM_CHANNEL_ATTRIBUTE].max);
    } else {
        put64(record + 8, channel == SM_CHANNEL_RATE ? SM_SENSOR_RATE_MAX : SM_SENSOR_SLEEPING);
    }
}

/* info(handle, buf) */
static int info(void *ctx, struct sm_wasm_inst *caller, uint32_t *args)
{
    struct sm_host *h = ctx;
    uint8_t *p = sm_wasm_mem(caller, args[1], RECORD_BYTES);
    uint32_t channel = SM_HANDLE_CHANNEL(args[0]);
    const struct sm_sensor_view *v = sm_sensor_handle_view(&h->sensors, args[0]);

    if (p == NULL)
        return SM_ERR_ARG;
    if (v == NULL || channel > SM_CHANNEL_STATE || !((v->read | v->write) >> channel & 1))
        return sm_host_give(args, SM_HOST_INVALID);
    memset(p, 0, RECORD_BYTES);
    put_range(p, v->sensor->driver, channel);
    put_unit(p, v->sensor->driver, channel);
    p[18] = (uint8_t)((v->read >> channel & 1) | (v->write >> channel & 1) << 1);
    p[19] = channel >= SM_CHANNEL_ATTRIBUTE;
    return sm_host_give(args, SM_HOST_OK);
}

/* ---- Life and linking ------------------------------------------------------------------------ */

const struct sm_host_function sm_host_sensor_functions[SM_HOST_SENSOR_FUNCTIONS] = {
    {"wasi_sn", "getSensors", "ii:i", get_sensors},
    {"wasi_sn", "turnOn", "i:i", turn_on},
    {"wasi_sn", "turnOff", "i:i", turn_off},
    {"wasi_sn", "config", "iii:i", config},
    {"wasi_sn", "read", "iiii:i", read},
    {"wasi_sn", "open", "ii:i", open},
    {"wasi_sn", "get", "iii:i", sm_host_get},
    {"wasi_sn", "set", "iI:i", set},
    {"wasi_sn", "sample", "ii:i", sample},
    {"wasi_sn", "info", "ii:i", info},
};

bool sm_host_has_sensor(const struct sm_host *h)
{
    for (uint32_t i = 0; i < h->grants->capabilities; i++)
        if (strncmp(h->grants->capability[i], "sensor/", 7) == 0)
            return true;
    return false;
}

static struct sm_sensor_grants grants_of(const struct sm_manifest *m)
{
    return (struct sm_sensor_grants){m->capability[0], sizeof m->capability[0], m->capabilities};
}

size_t sm_host_sensor_bytes(const struct sm_manifest *grants)
{
    const struct sm_sensor_grants g = grants_of(grants);

    return (sm_sensor_grants_views(&g) * sizeof(struct sm_sensor_view) + 7) / 8 * 8;
}

/* Modules that know no sampling rate get a measurement whenever they read. */
void sm_host_open_sensors(struct sm_host *host, void *memory)
{
    const struct sm_sensor_grants g = grants_of(host->grants);

    if (host->port->sensors != NULL)
        sm_sensor_client_open(&host->sensors, host->port->sensors, &g, memory,
                              host->grants->interface < 2 ? 0 : SM_SENSOR_RATE_NS);
}

void sm_host_end_sensors(struct sm_host *host)
{
    sm_sensor_client_close(&host->sensors);
    host->call.pending = false;
}
