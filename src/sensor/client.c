/* Clients of the registry: what each was granted, its views, its handles, and its wishes.
 *
 * A view belongs to one sensor id of the client's grants for the client's life; whether there is
 * such a sensor, and with it the meaning of channels, changes. Whenever the view gets a sensor its
 * channels are looked up by name and its handles are new ones.
 *
 * Invariants of a view: without a sensor it has no handles, channels, values or wishes and is off;
 * `wished` and `on` only change together with sm_sensors_resolve(). Its handles and values change
 * only together with `until_ms`, and that by set_until() alone, which forgets what was kept of
 * them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "manager.h"

enum { RATE_WISH = SM_SENSOR_ATTRIBUTES, SENSOR_LEN = 7 }; /* "sensor/" */

/* ---- Grants ---------------------------------------------------------------------------------- */

/* The parts of "sensor/<id>/<name>:<rights>". */
struct grant {
    const char *id, *name;
    size_t id_len, name_len;
    bool read, write;
};

static bool parse(const char *text, struct grant *g)
{
    *g = (struct grant){0};
    if (strlen(text) < SENSOR_LEN || memcmp(text, "sensor/", SENSOR_LEN) != 0)
        return false;
    for (text += SENSOR_LEN, g->id = text; *text != '/'; text++, g->id_len++)
        if (*text == 0 || *text == ':')
            return false;
    for (text++, g->name = text; *text != ':'; text++, g->name_len++)
        if (*text == 0 || *text == '/')
            return false;
    text++;
    g->read = *text == 'r';
    text += g->read;
    g->write = *text == 'w';
    text += g->write;
    return *text == 0 && (g->read || g->write) && g->id_len > 0;
}

static bool grant_at(const struct sm_sensor_grants *grants, uint32_t i, struct grant *g)
{
    return parse(grants->text + (size_t)i * grants->stride, g);
}

static bool same(const char *a, size_t a_len, const char *b, size_t b_len)
{
    return a_len == b_len && memcmp(a, b, a_len) == 0;
}

/* Whether no grant before the i-th names this sensor. */
static bool is_new(const struct sm_sensor_grants *grants, uint32_t i, const struct grant *g)
{
    struct grant before;

    for (uint32_t j = 0; j < i; j++)
        if (grant_at(grants, j, &before) && same(before.id, before.id_len, g->id, g->id_len))
            return false;
    return true;
}

uint32_t sm_sensor_grants_views(const struct sm_sensor_grants *grants)
{
    struct grant g;
    uint32_t n = 0;

    for (uint32_t i = 0; i < grants->count && n < SM_SENSOR_VIEWS_MAX; i++)
        if (grant_at(grants, i, &g) && is_new(grants, i, &g))
            n++;
    return n;
}

bool sm_sensor_client_granted(const struct sm_sensor_client *c, const struct sm_sensor_view *v,
                              const char *name, size_t len, char right)
{
    struct grant g;

    for (uint32_t i = 0; i < c->grants.count; i++)
        if (grant_at(&c->grants, i, &g) && same(g.id, g.id_len, v->id, v->id_len) &&
            same(g.name, g.name_len, name, len) && (right == 'w' ? g.write : g.read))
            return true;
    return false;
}

/* ---- Views ----------------------------------------------------------------------------------- */

static uint32_t rate_ms(int64_t ns)
{
    return (uint32_t)((ns + 999999) / 1000000);
}

/* When the view's values were due, which is not always when they came. */
static uint64_t turn_of(const struct sm_sensor_view *v)
{
    return v->until_ms - sm_sensor_patience(v->interval_ms);
}

/* Of all views, which are few, since places in the table are not one view's. */
static void set_until(struct sm_sensor_client *c, struct sm_sensor_view *v, uint64_t ms)
{
    v->until_ms = ms;
    for (unsigned i = 0; i < SM_KEPT; i++)
        c->kept[i].until = 0;
}

static void set_interval(struct sm_sensor_client *c, struct sm_sensor_view *v, uint32_t ms)
{
    if (v->until_ms > 0)
        set_until(c, v, ms > 0 ? turn_of(v) + sm_sensor_patience(ms) : 0);
    v->interval_ms = ms;
}

/* Off, without wishes and values. */
static void clear(struct sm_sensor_client *c, struct sm_sensor_view *v)
{
    v->on = false;
    v->wished = 0;
    set_until(c, v, 0);
    v->interval_ms = c->interval_ms;
}

static void bind(struct sm_sensor_client *c, struct sm_sensor_view *v, struct sm_sensor *s)
{
    struct grant g;

    if (v->sensor != NULL || v->bound == SM_SENSOR_BOUND_MAX ||
        !same(v->id, v->id_len, s->id, strlen(s->id)))
        return;
    clear(c, v);
    v->sensor = s;
    v->bound++;
    v->handles = v->bound << 10 | (uint32_t)(v - c->views) << 5;
    v->read = 1u << SM_CHANNEL_STATE | 1u << SM_CHANNEL_CAPABILITIES | 1u << SM_CHANNEL_ATTRIBUTES;
    v->write = 0;
    for (uint32_t i = 0; i < c->grants.count; i++) {
        if (!grant_at(&c->grants, i, &g) || !same(g.id, g.id_len, v->id, v->id_len))
            continue;
        int channel = sm_sensor_channel_find(s->driver, g.name, g.name_len);
        if (channel < 0 || channel > SM_CHANNEL_RATE)
            continue;
        v->read |= (uint32_t)g.read << channel;
        v->write |= (uint32_t)g.write << channel;
    }
    if (v->read & sm_bits(SM_CHANNEL_ATTRIBUTE))
        v->read |= 1u << SM_CHANNEL_ALL;
    v->all_bytes = 0;
    for (uint32_t left = v->read & sm_bits(SM_CHANNEL_ATTRIBUTE); left != 0; left &= left - 1)
        v->all_bytes += 4;
    v->values = v->read & (sm_bits(SM_CHANNEL_ATTRIBUTE) | 1u << SM_CHANNEL_ALL);
}

void sm_sensor_views_bind(struct sm_sensors *m, struct sm_sensor *s)
{
    for (struct sm_sensor_client *c = m->clients; c != NULL; c = c->next)
        for (uint32_t i = 0; i < c->nviews; i++)
            bind(c, &c->views[i], s);
}

void sm_sensor_views_unbind(struct sm_sensors *m, struct sm_sensor *s)
{
    for (struct sm_sensor_client *c = m->clients; c != NULL; c = c->next) {
        struct sm_sensor_view *v = sm_sensor_view_of(c, s);
        if (v == NULL)
            continue;
        clear(c, v);
        v->sensor = NULL;
        v->handles = SM_HANDLES_NONE;
        v->values = v->read = v->write = 0;
    }
}

struct sm_sensor_view *sm_sensor_view_of(const struct sm_sensor_client *c,
                                         const struct sm_sensor *s)
{
    for (uint32_t i = 0; i < c->nviews; i++)
        if (c->views[i].sensor == s)
            return &c->views[i];
    return NULL;
}

/* Turns are an interval apart, so that who comes early now and then gets no more values than his
 * rate, until one is missed. Without an interval values are never good, so that
 * sm_sensor_view_measure() need not know them. */
void sm_sensor_view_update(struct sm_sensor_client *c, struct sm_sensor_view *v, uint64_t now_ms)
{
    const struct sm_sensor *s = v->sensor;
    unsigned n = s->driver->capabilities;

    v->measured_ms = s->run.sampled_ms;
    if (v->interval_ms == 0) {
        set_until(c, v, 0);
    } else {
        uint64_t turn = v->until_ms > 0 ? turn_of(v) + v->interval_ms : now_ms;
        set_until(c, v,
                  (now_ms < turn + v->interval_ms ? turn : now_ms) +
                      sm_sensor_patience(v->interval_ms));
    }
    while (n-- > 0)
        v->value[n] = s->run.value[n];
}

struct sm_sensor_view *sm_sensor_client_find(const struct sm_sensor_client *c, const char *id,
                                             size_t len)
{
    for (uint32_t i = 0; i < c->nviews; i++)
        if (same(c->views[i].id, c->views[i].id_len, id, len))
            return &c->views[i];
    return NULL;
}

/* ---- Life ------------------------------------------------------------------------------------ */

void sm_sensor_client_open(struct sm_sensor_client *c, struct sm_sensors *m,
                           const struct sm_sensor_grants *grants, struct sm_sensor_view *views,
                           int64_t rate_ns)
{
    uint32_t most = sm_sensor_grants_views(grants);
    struct grant g;

    memset(c, 0, sizeof *c);
    memset(views, 0, most * sizeof *views);
    c->sensors = m;
    c->grants = *grants;
    c->views = views;
    c->interval_ms = rate_ms(rate_ns);
    for (uint32_t i = 0; c->nviews < most; i++)
        if (grant_at(grants, i, &g) && is_new(grants, i, &g))
            views[c->nviews++] = (struct sm_sensor_view){
                .handles = SM_HANDLES_NONE, .id = g.id, .id_len = (uint32_t)g.id_len};
    c->next = m->clients;
    m->clients = c;
    for (struct sm_sensor *s = m->first; s != NULL; s = s->run.next)
        for (uint32_t i = 0; i < c->nviews; i++)
            bind(c, &views[i], s);
}

void sm_sensor_client_close(struct sm_sensor_client *c)
{
    struct sm_sensors *m = c->sensors;
    struct sm_sensor_client **at;

    if (m == NULL)
        return;
    if (c->state == SM_CLIENT_WAITING)
        sm_sensors_cancel(m, c);
    for (at = &m->clients; *at != c; at = &(*at)->next)
        ;
    *at = c->next;
    for (uint32_t i = 0; i < c->nviews; i++) {
        struct sm_sensor *s = c->views[i].sensor;
        if (s == NULL || !c->views[i].on)
            continue;
        sm_sensors_resolve(m, s);
        sm_sensors_rest(m, s);
    }
    memset(c, 0, sizeof *c);
}

/* ---- Requests -------------------------------------------------------------------------------- */

/* Whether another client has written it first. */
static bool held(const struct sm_sensor_client *c, const struct sm_sensor_view *v, unsigned i)
{
    for (const struct sm_sensor_client *o = c->sensors->clients; o != NULL; o = o->next) {
        const struct sm_sensor_view *w = o == c ? NULL : sm_sensor_view_of(o, v->sensor);
        if (w != NULL && w->on && w->wished >> i & 1)
            return true;
    }
    return false;
}

static int check_set(const struct sm_sensor_client *c, const struct sm_sensor_view *v,
                     unsigned channel, int64_t value)
{
    const struct sm_sensor_driver *d = v->sensor->driver;

    if (channel == SM_CHANNEL_RATE)
        return value < 0 || value > SM_SENSOR_RATE_MAX ? SM_ERR_LIMIT : 0;
    if (channel < SM_CHANNEL_ATTRIBUTE || channel - SM_CHANNEL_ATTRIBUTE >= d->attributes)
        return SM_ERR_ARG;
    const struct sm_attribute *a = &d->attribute[channel - SM_CHANNEL_ATTRIBUTE];
    if (!a->writable)
        return SM_ERR_ARG;
    if (value < a->min || value > a->max)
        return SM_ERR_LIMIT;
    return a->rule == SM_RULE_HOLDER && held(c, v, channel - SM_CHANNEL_ATTRIBUTE) ? SM_ERR_BUSY
                                                                                   : 0;
}

static int check_read(const struct sm_sensor_view *v, unsigned channel)
{
    const struct sm_sensor_driver *d = v->sensor->driver;

    if (channel == SM_CHANNEL_ALL)
        return d->capabilities > 0 ? 0 : SM_ERR_ARG;
    return channel <= SM_CHANNEL_RATE && sm_sensor_channel_name(d, channel) != NULL ? 0
                                                                                    : SM_ERR_ARG;
}

/* The bit and place of what an attribute's channel wishes. */
static unsigned wish_of(unsigned channel)
{
    return channel == SM_CHANNEL_RATE ? RATE_WISH : channel - SM_CHANNEL_ATTRIBUTE;
}

static void wish(struct sm_sensor_client *c, struct sm_sensor_view *v, unsigned i, bool any,
                 int64_t value)
{
    v->wish[i] = value;
    v->wished = (uint16_t)((v->wished & ~(1u << i)) | (uint32_t)any << i);
    if (i == RATE_WISH)
        set_interval(c, v, any ? rate_ms(value) : c->interval_ms);
}

/* What is known without the chip; OP_GET puts another value here. */
static int64_t known(const struct sm_sensor_client *c, const struct sm_sensor_view *v,
                     unsigned channel)
{
    if (channel == SM_CHANNEL_RATE)
        return v->wished >> RATE_WISH & 1 ? v->wish[RATE_WISH] : c->interval_ms * 1000000ll;
    return channel >= SM_CHANNEL_ATTRIBUTE && channel < SM_CHANNEL_RATE
               ? v->sensor->run.attribute[channel - SM_CHANNEL_ATTRIBUTE]
               : 0;
}

static void begin(struct sm_sensor_client *c, struct sm_sensor_view *v,
                  enum sm_sensor_request request, unsigned channel)
{
    c->view = v;
    c->request = (uint8_t)request;
    c->channel = (uint8_t)channel;
    c->measured = false;
    c->was_on = v->on;
    c->state = SM_CLIENT_WAITING;
}

static int outcome(struct sm_sensor_client *c)
{
    return c->state == SM_CLIENT_WAITING ? SM_SENSOR_PENDING : sm_sensor_client_take(c);
}

int sm_sensor_client_follow(struct sm_sensor_client *c, struct sm_sensor_view *v, unsigned channel,
                            int driver, uint64_t now_ms)
{
    begin(c, v, SM_REQUEST_READ, channel);
    sm_sensors_follow(c->sensors, c, driver, now_ms);
    return outcome(c);
}

int sm_sensor_client_request(struct sm_sensor_client *c, struct sm_sensor_view *v,
                             enum sm_sensor_request request, unsigned channel, int64_t value)
{
    int err = v->sensor == NULL            ? SM_ERR_NOT_FOUND
              : request == SM_REQUEST_SET  ? check_set(c, v, channel, value)
              : request == SM_REQUEST_READ ? check_read(v, channel)
                                           : 0;
    bool changes = !v->on || request == SM_REQUEST_SET;

    if (err)
        return err;
    begin(c, v, request, channel);
    v->on = true;
    if (request == SM_REQUEST_SET) {
        unsigned i = wish_of(channel);
        c->had_wish = v->wished >> i & 1;
        c->old_wish = v->wish[i];
        wish(c, v, i, true, value);
    }
    if (changes)
        sm_sensors_resolve(c->sensors, v->sensor);
    c->value = known(c, v, channel);
    sm_sensors_submit(c->sensors, c);
    return outcome(c);
}

void sm_sensor_client_finish(struct sm_sensor_client *c, int err)
{
    struct sm_sensor_view *v = c->view;

    c->error = err;
    c->state = SM_CLIENT_DONE;
    if (err == 0)
        return;
    if (c->request == SM_REQUEST_SET)
        wish(c, v, wish_of(c->channel), c->had_wish, c->old_wish);
    if (!c->was_on)
        clear(c, v);
    sm_sensors_resolve(c->sensors, v->sensor);
}

bool sm_sensor_client_done(const struct sm_sensor_client *c)
{
    return c->state == SM_CLIENT_DONE;
}

int sm_sensor_client_take(struct sm_sensor_client *c)
{
    c->state = SM_CLIENT_IDLE;
    return c->error;
}

void sm_sensor_client_off(struct sm_sensor_client *c, struct sm_sensor_view *v)
{
    if (v->sensor == NULL || !v->on)
        return;
    clear(c, v);
    sm_sensors_resolve(c->sensors, v->sensor);
    sm_sensors_rest(c->sensors, v->sensor);
}
