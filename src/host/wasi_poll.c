/* poll_oneoff: files and stdio are always ready, so only clocks are waited for.
 *
 * When anything is ready at once, what is ready is told. Otherwise the call is pending until the
 * first of its clocks: its arguments are kept, the subscriptions stay in the module's memory, which
 * does not run meanwhile, and are read again, and checked again, when the time has come.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "wasi_calls.h"

enum { SUBSCRIPTION = 48, EVENT = 32, CLOCK = 0, FD_READ = 1, FD_WRITE = 2, ABSOLUTE = 1 };

/* An event: what is told about one subscription. */
struct event {
    uint64_t userdata, bytes;
    uint16_t error, hangup;
    uint8_t type;
};

static void put_event(uint8_t *p, const struct event *e)
{
    sm_wasi_put(p, e->userdata, 8);
    sm_wasi_put(p + 8, e->error, 2);
    sm_wasi_put(p + 10, e->type, 6);
    sm_wasi_put(p + 16, e->bytes, 8);
    sm_wasi_put(p + 24, e->hangup, 8);
}

/* How long after the call began a clock's time comes; and an error in the event for a clock that is
 * none. */
static uint64_t delay_of(const struct sm_wasi *w, const uint8_t *sub, struct event *e)
{
    uint32_t id = (uint32_t)sm_wasi_get(sub + 16, 4);
    uint64_t timeout = sm_wasi_get(sub + 24, 8);

    if (id > SM_WASI_MONOTONIC) {
        e->error = SM_WASI_INVAL;
        return 0;
    }
    if (!(sm_wasi_get(sub + 40, 2) & ABSOLUTE))
        return timeout;
    return timeout > w->wait.start_ns[id] ? timeout - w->wait.start_ns[id] : 0;
}

/* A descriptor is ready: with what can be read of a file, or an error when it is none. */
static void ready(struct sm_wasi *w, const uint8_t *sub, struct event *e)
{
    const struct sm_wasi_files *files = w->port->files;
    struct sm_wasi_stat s;
    int err;
    const struct sm_wasi_fd *f =
        sm_wasi_fd(w, (uint32_t)sm_wasi_get(sub + 16, 4), SM_RIGHT_POLL, &err);

    e->error = (uint16_t)err;
    if (f == NULL || e->type == FD_WRITE)
        return;
    e->hangup = f->kind == SM_FD_STDIN;
    if (f->kind == SM_FD_FILE && files->stat(files->ctx, f->handle, &s) == 0 && s.size > f->offset)
        e->bytes = s.size - f->offset;
}

/* Whether a subscription is an event once so much time has passed since the call; *delay is
 * lowered to when its time comes. */
static bool happens(struct sm_wasi *w, const uint8_t *sub, uint64_t passed_ns, uint64_t *delay,
                    struct event *e)
{
    *e = (struct event){.userdata = sm_wasi_get(sub, 8), .type = sub[8]};
    if (e->type == FD_READ || e->type == FD_WRITE) {
        ready(w, sub, e);
        return true;
    }
    uint64_t own = e->type == CLOCK ? delay_of(w, sub, e) : 0;
    if (e->type != CLOCK)
        e->error = SM_WASI_INVAL;
    if (own < *delay)
        *delay = own;
    return own <= passed_ns;
}

/* Events of all that has happened by then; how many in *n. 0 or SM_ERR_ARG. Places are looked up
 * one by one: events may lie over subscriptions, by the module's own wish. */
static int collect(struct sm_wasi *w, struct sm_wasm_inst *inst, uint64_t passed_ns, uint32_t *n)
{
    struct event e;
    uint64_t delay = UINT64_MAX;

    *n = 0;
    for (uint32_t i = 0; i < w->wait.n; i++) {
        const uint8_t *sub = sm_wasm_mem(inst, w->wait.subs + SUBSCRIPTION * i, SUBSCRIPTION);
        if (sub == NULL)
            return SM_ERR_ARG;
        if (!happens(w, sub, passed_ns, &delay, &e))
            continue;
        uint8_t *out = sm_wasm_mem(inst, w->wait.events + EVENT * *n, EVENT);
        if (out == NULL)
            return SM_ERR_ARG;
        put_event(out, &e);
        ++*n;
    }
    w->wait.delay_ns = delay;
    return 0;
}

static int fetch_clocks(struct sm_wasi *w)
{
    const struct sm_wasi_port *port = w->port;

    /* A device need not know the date; then nothing can be waited for until one. */
    if (port->clock(port->ctx, SM_WASI_REALTIME, &w->wait.start_ns[SM_WASI_REALTIME]) != 0)
        w->wait.start_ns[SM_WASI_REALTIME] = 0;
    return port->clock(port->ctx, SM_WASI_MONOTONIC, &w->wait.start_ns[SM_WASI_MONOTONIC]);
}

/* The wait is never too short: the host's clock may stand anywhere in its millisecond, and so may
 * the end. */
static int wait(struct sm_wasi *w)
{
    const struct sm_clock *clock = &w->host->port->clock;

    w->more.wake_ms = clock->now_ms(clock->ctx) + w->wait.delay_ns / 1000000 + 2;
    w->more.waiting = true;
    return SM_WASM_PENDING;
}

int sm_wasi_poll_oneoff(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    struct sm_wasi *w = ctx;
    uint32_t n = args[2], count;

    if (n == 0 || n > SM_WASI_SUBS_MAX)
        return sm_wasi_done(args, SM_WASI_INVAL);
    if (sm_wasm_mem(inst, args[0], SUBSCRIPTION * n) == NULL ||
        sm_wasm_mem(inst, args[1], EVENT * n) == NULL || sm_wasm_mem(inst, args[3], 4) == NULL)
        return SM_ERR_ARG;
    w->wait = (struct sm_wasi_wait){.subs = args[0], .events = args[1], .n = n, .count = args[3]};
    if (fetch_clocks(w) != 0)
        return sm_wasi_done(args, SM_WASI_IO);
    int err = collect(w, inst, 0, &count);
    if (err)
        return err;
    return count > 0 ? sm_wasi_done(args, sm_wasi_store(inst, args[3], count, 4)) : wait(w);
}

int sm_wasi_wake(struct sm_host_more *more, struct sm_wasm_exec *exec, struct sm_wasm_inst *inst)
{
    struct sm_wasi *w = (struct sm_wasi *)more;
    uint32_t count, result = 0;

    more->waiting = false;
    int err = collect(w, inst, w->wait.delay_ns, &count);
    if (!err)
        err = sm_wasi_store(inst, w->wait.count, count, 4);
    return sm_wasm_complete(exec, &result, err);
}
