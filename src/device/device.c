/* The supervisor's loop: which slot of each application runs, its starts, calls and traps.
 *
 * An application:
 *
 *   EMPTY ----- a slot may run -----> STOPPED --- due: start() ---> WAITING --- due: call --+
 *     ^                                  ^  ^                          ^                    |
 *     |  nothing may run any more        |  +-- trap, slot changed ----+--- returned -------+
 *     +----------------------------------+                             |                    |
 *                                                        ready, woken  PENDING <-- pending -+
 *
 * While no application has a slot that may run, or all that have one are backing off, the first
 * one's place has the golden module's as its slot: the same states, but nothing of it is put on
 * flash, except notes of its traps.
 *
 * Which slot may run is read from the record alone (choice()), so whatever changes a record
 * (commit, rollback, an installation) changes what runs in the next step and needs to tell nobody.
 *
 * A trial costs a start before it runs: the record with one start less is on flash first. Later
 * starts within one session are not counted, traps are. It ends by commit, by a trap before its
 * first good tick, by three traps in the window, by its time, or by no start being left. A call
 * that the watchdog ended, with the device, is a trap too, where the port lets one know.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "internal.h"
#include "text.h"

enum {
    WINDOW_S = 300,
    CALL_DEPTH = 256,
    BACKOFF_FIRST_MS = 1000,
    BACKOFF_MOST_MS = 3600000,
    TIDY_AGAIN_MS = 60000, /* a flash that fails is not asked at every step */
};

static const struct sm_record *record_of(const struct sm_device *d, uint16_t index)
{
    return &d->store.records[index];
}

static uint32_t window_s(const struct sm_device *d)
{
    return d->cfg->trap_window_s ? d->cfg->trap_window_s : WINDOW_S;
}

/* ---- What runs ------------------------------------------------------------------------------- */

static bool avoided(const struct sm_device_app *app, unsigned slot)
{
    return app->avoid >> slot & 1;
}

/* The slot that ought to run, or SM_STORE_NO_SLOT. `avoid` stands in for records that could not be
 * written. */
static unsigned choice(const struct sm_device *d, uint16_t index)
{
    const struct sm_record *r = record_of(d, index);
    const struct sm_device_app *app = &d->apps[index];
    unsigned trial = sm_dev_trial_slot(d, index), passed = sm_dev_passed_slot(d, index);

    if (trial != SM_STORE_NO_SLOT && !avoided(app, trial) && r->slot[trial].sequence >= r->floor)
        return trial;
    if (passed != SM_STORE_NO_SLOT && !avoided(app, passed) && r->slot[passed].sequence >= r->floor)
        return passed;
    if (r->active == SM_STORE_NO_SLOT || !sm_dev_usable(r, r->active))
        return SM_STORE_NO_SLOT;
    if (!avoided(app, r->active))
        return r->active;
    return sm_dev_usable(r, !r->active) && !avoided(app, !r->active) ? !r->active
                                                                     : SM_STORE_NO_SLOT;
}

/* Whether an application has no slot that may run now: none at all, or one that is backing off. */
static bool rests(const struct sm_device *d, uint16_t index)
{
    const struct sm_device_app *app = &d->apps[index];
    unsigned slot = choice(d, index);

    return slot == SM_STORE_NO_SLOT || (slot == app->rest_slot && d->now_ms < app->rest_ms);
}

/* The slot that ought to run; or the golden module's place: the first application's, while all
 * applications rest. */
static unsigned wanted(const struct sm_device *d, uint16_t index)
{
    bool golden = index == 0 && d->cfg->golden != NULL && !avoided(&d->apps[0], SM_DEV_GOLDEN);

    for (uint16_t i = 0; i < d->store.layout.applications && golden; i++)
        golden = rests(d, i);
    return golden ? SM_DEV_GOLDEN : choice(d, index);
}

static bool on_trial(const struct sm_device *d, uint16_t index)
{
    unsigned slot = d->apps[index].slot;

    return slot < 2 && sm_dev_trial_slot(d, index) == slot;
}

static void stop(struct sm_device *d, uint16_t index, uint64_t due_ms)
{
    struct sm_device_app *app = &d->apps[index];

    if (sm_dev_is_plugin(d, index) && app->inst != NULL)
        d->cfg->plugins->ops->down(d, index);
    app->state = SM_APP_STOPPED;
    app->inst = NULL;
    app->spent = false;
    app->good_ticks = 0;
    app->late = 0;
    app->late_told = false;
    app->healthy = false;
    app->due_ms = due_ms;
    app->exec.state = SM_EXEC_IDLE;
    sm_host_tell_left_out(&app->host);
    sm_host_end(&app->host);
}

void sm_dev_restart(struct sm_device *d, uint16_t index)
{
    if (d->apps[index].state != SM_APP_EMPTY)
        stop(d, index, d->now_ms);
}

static uint32_t longer(uint32_t backoff_ms)
{
    if (backoff_ms == 0)
        return BACKOFF_FIRST_MS;
    return backoff_ms < BACKOFF_MOST_MS ? 2 * backoff_ms : backoff_ms;
}

/* Later and later, for a module that has nothing it could give way to but the golden one. */
static void back_off(struct sm_device *d, uint16_t index)
{
    struct sm_device_app *app = &d->apps[index];

    app->backoff_ms = longer(app->backoff_ms);
    app->rest_slot = app->slot;
    app->rest_ms = d->now_ms + app->backoff_ms;
    stop(d, index, app->rest_ms);
}

static void back_off_golden(struct sm_device *d)
{
    d->golden_backoff_ms = longer(d->golden_backoff_ms);
    stop(d, 0, d->now_ms + d->golden_backoff_ms);
}

void sm_dev_new_trial(struct sm_device *d, uint16_t index, unsigned slot)
{
    struct sm_device_app *app = &d->apps[index];

    app->counted = app->paid = false;
    app->follow_failed = false;
    app->backoff_ms = 0;
    app->rest_ms = 0;
    app->avoid &= (uint8_t) ~(1u << slot);
}

/* ---- Start ----------------------------------------------------------------------------------- */

/* Put on flash that a trial has one start less; a set's, once for all of it. */
static int pay(struct sm_device *d, uint16_t leader)
{
    struct sm_record next;

    if (d->apps[leader].paid)
        return 0;
    sm_dev_change(d, leader, &next);
    next.boots_left--;
    int err = sm_dev_put(d, leader, &next);
    d->apps[leader].paid = err == 0;
    return err;
}

/* Pay for a start of a trial. False when it may not start (then its record or `avoid` says so). */
static bool count_start(struct sm_device *d, uint16_t index, unsigned slot)
{
    struct sm_device_app *app = &d->apps[index];
    uint16_t leader = sm_dev_trial_leader(d, index);

    if (app->counted)
        return true;
    if (record_of(d, leader)->boots_left == 0 && !d->apps[leader].paid) {
        (void)sm_dev_give_up(d, index, slot, SM_EVENT_ROLLED_BACK, SM_ERR_STATE,
                             "started as often as a trial may, and never got healthy");
        return false;
    }
    if (pay(d, leader) != 0) {
        app->avoid |= (uint8_t)(1u << slot);
        return false;
    }
    app->counted = true;
    app->trial_ms = d->now_ms;
    sm_dev_emit(d, index, slot, SM_EVENT_TRIAL);
    return true;
}

/* Value stack, then its views of sensors, then the instance: all in the application's own pool.
 * again: one like that which was there, native only if that was. */
static int lay_out(struct sm_device *d, uint16_t index, bool again)
{
    struct sm_device_app *app = &d->apps[index];
    size_t stack = ((size_t)app->manifest.stack_bytes + 7) / 8 * 8;
    size_t before = stack + sm_host_sensor_bytes(&app->manifest);
    struct sm_wasm_limits limits = sm_dev_limits(d, &app->manifest);
    const struct sm_device_native *native = d->cfg->native;
    struct sm_wasm_linker linker = {&app->host, sm_host_resolve};
    uint32_t which;

    if (sm_dev_is_plugin(d, index))
        linker = (struct sm_wasm_linker){sm_dev_plugin(d, index), d->cfg->plugins->ops->resolve};
    if (before >= app->pool_size)
        return sm_dev_say(d, SM_ERR_MEMORY, "its pool is smaller than its stack");
    struct sm_wasm_pool pool = {.base = (uint8_t *)app->pool + before,
                                .size = app->pool_size - before};
    if (native != NULL && native->memory != NULL)
        limits.region = native->memory(native->ctx, index);
    memset(&app->wasm, 0, sizeof app->wasm);
    sm_host_end(&app->host);
    if (!again) /* what limits its log goes on: another instance is no other module */
        sm_host_init(&app->host, d->cfg->host, &app->manifest, d->start_ms);
    sm_host_open_sensors(&app->host, (uint8_t *)app->pool + stack);
    int err = sm_host_begin(&app->host);
    if (err)
        return sm_dev_say(d, err, "its directories or its network cannot be opened: %s",
                          sm_strerror(err));
    err =
        sm_wasm_instantiate(&app->inst, &app->wasm, &app->module, &limits, &linker, &pool, &which);
    if (err)
        return sm_dev_say(d, err, "cannot be set up in its pool of %llu bytes: %s",
                          (unsigned long long)app->pool_size, sm_strerror(err));
    sm_wasm_exec_init(&app->exec, app->pool, stack / 4,
                      d->cfg->call_depth ? d->cfg->call_depth : CALL_DEPTH, d->cfg->epoch);
    app->native =
        app->slot < 2 && (!again || app->native) && sm_dev_bind_native(d, index, app->slot, &pool);
    app->spent = false;
    app->starts = 0;
    return 0;
}

static int bind_plugin(struct sm_device *d, uint16_t index)
{
    const struct sm_plugin_ops *ops = d->cfg->plugins->ops;
    struct sm_device_app *app = &d->apps[index];
    struct sm_device_plugin *p = sm_dev_plugin(d, index);

    ops->bind(d, index, &app->manifest.sensor, &app->host, p);
    return ops->find_functions(d, &app->module, &app->manifest.sensor, p);
}

static int prepare(struct sm_device *d, uint16_t index, unsigned slot)
{
    struct sm_device_app *app = &d->apps[index];
    struct sm_manifest_detail detail;
    int err = slot == SM_DEV_GOLDEN ? sm_dev_open_golden(d, &app->module)
                                    : sm_dev_open_slot(d, index, slot, &app->module);

    if (err)
        return err;
    err = sm_manifest_read(&app->manifest, app->module.wasm, app->module.wasm_len, &detail);
    if (err)
        return sm_dev_say(d, err, "its manifest: %s", detail.rule);
    err = sm_dev_admit(d, &app->manifest, index);
    if (!err)
        err = sm_dev_find_calls(d, &app->module, &app->manifest, &app->entry_func,
                                &app->health_func, &app->has_health);
    if (!err && sm_dev_is_plugin(d, index))
        err = bind_plugin(d, index);
    if (!err)
        err = lay_out(d, index, false);
    if (!err && sm_dev_is_plugin(d, index))
        err = d->cfg->plugins->ops->up(d, index);
    return err;
}

/* Whether a committed module that cannot be started is to give way. What hangs on the device's
 * settings or on a flash that fails now may be right again later; the module's bytes will not. */
static bool lasting(int err)
{
    return err == SM_ERR_CORRUPT || err == SM_ERR_MALFORMED || err == SM_ERR_INVALID ||
           err == SM_ERR_LINK;
}

static void cannot_start(struct sm_device *d, uint16_t index, unsigned slot, int err)
{
    enum sm_event_kind kind = err == SM_ERR_CORRUPT ? SM_EVENT_CORRUPT_SLOT : SM_EVENT_ROLLED_BACK;
    bool trial = on_trial(d, index);

    if (slot == SM_DEV_GOLDEN) {
        d->apps[index].avoid |= 1u << SM_DEV_GOLDEN;
        sm_dev_emit_golden(d, SM_EVENT_REFUSED, d->reason);
        stop(d, index, d->now_ms);
        return;
    }
    if (err != SM_ERR_IO && (trial || err == SM_ERR_CORRUPT ||
                             (lasting(err) && sm_dev_usable(record_of(d, index), !slot)))) {
        char why[SM_DEVICE_REASON]; /* giving up may say something else */
        memcpy(why, d->reason, sizeof why);
        (void)sm_dev_give_up(d, index, slot, kind, err, why);
        stop(d, index, d->now_ms);
        return;
    }
    sm_dev_emit_passing(d, index, slot, SM_EVENT_REFUSED, d->reason);
    back_off(d, index);
}

uint32_t sm_dev_budget(const struct sm_device *d)
{
    uint32_t ms = d->cfg->epoch_ms ? d->cfg->epoch_ms : sm_class_limits(d->cfg->cls)->epoch_ms;

    /* One more: the tick under way may end at once. */
    return (ms + d->cfg->epoch_tick_ms - 1) / d->cfg->epoch_tick_ms + 1;
}

/* Called once in an instance's life: what libc expects of its _start. */
static bool is_command(const struct sm_device_app *app)
{
    return strcmp(app->manifest.entry, "_start") == 0;
}

static void run(struct sm_device *d, uint16_t index);

/* The function of that number that comes before the entry: the start function, then _initialize,
 * which WASI has for modules that are no commands. 0 and it is called, or SM_ERR_NOT_FOUND. */
static int call_first(struct sm_device *d, uint16_t index, unsigned number)
{
    struct sm_device_app *app = &d->apps[index];
    struct sm_wasm_functype t;
    uint32_t func;

    if (number == 0)
        return sm_wasm_call_start(&app->exec, app->inst, sm_dev_budget(d));
    if (is_command(app) ||
        sm_wasm_export_find(&app->module, "_initialize", SM_WASM_FUNC, &func) != 0 ||
        sm_wasm_functype(&app->module, func, &t) != 0 || t.nparams > 0 || t.nresults > 0)
        return SM_ERR_NOT_FOUND;
    return sm_wasm_call(&app->exec, app->inst, func, NULL, sm_dev_budget(d));
}

/* The next call that comes before the entry. False when there is none left. */
static bool run_start(struct sm_device *d, uint16_t index)
{
    struct sm_device_app *app = &d->apps[index];
    int err = SM_ERR_NOT_FOUND;

    app->phase = SM_PHASE_ENTRY;
    while (err == SM_ERR_NOT_FOUND && app->starts < 2)
        err = call_first(d, index, app->starts++);
    if (err == SM_ERR_NOT_FOUND)
        return false;
    app->phase = SM_PHASE_START;
    run(d, index);
    return true;
}

static void start(struct sm_device *d, uint16_t index, unsigned slot)
{
    struct sm_device_app *app = &d->apps[index];

    app->slot = (uint8_t)slot;
    if (on_trial(d, index) && !count_start(d, index, slot)) {
        stop(d, index, d->now_ms);
        return;
    }
    int err = prepare(d, index, slot);
    if (err) {
        cannot_start(d, index, slot, err);
        return;
    }
    app->state = SM_APP_WAITING;
    app->up_ms = d->now_ms;
    app->due_ms = d->now_ms;
    app->good_ticks = 0;
    if (slot == SM_DEV_GOLDEN)
        sm_dev_emit_golden(d, SM_EVENT_STARTED, "no application may run");
    else
        sm_dev_emit_passing(d, index, slot, SM_EVENT_STARTED, app->native ? "native" : "");
    (void)run_start(d, index);
}

/* ---- Judgement ------------------------------------------------------------------------------- */

/* Whether all that are on trial together are healthy. */
static bool all_healthy(const struct sm_device *d, uint16_t leader)
{
    for (uint16_t i = 0; i < d->store.layout.modules; i++)
        if (sm_dev_trial_slot(d, i) != SM_STORE_NO_SLOT && sm_dev_trial_leader(d, i) == leader &&
            !d->apps[i].healthy)
            return false;
    return true;
}

/* A trial is passed. In a set it waits for the others'. */
static void commit(struct sm_device *d, uint16_t index)
{
    uint16_t leader = sm_dev_trial_leader(d, index);
    struct sm_device_app *app = &d->apps[leader];
    struct sm_record next;

    d->apps[index].healthy = true;
    if (!all_healthy(d, leader))
        return;
    sm_dev_change(d, leader, &next);
    sm_dev_commit_slot(&next, app->slot);
    if (sm_dev_put(d, leader, &next) == 0) {
        sm_dev_committed(d, leader, app->slot);
        sm_dev_set_follow(d);
        return;
    }
    /* It has passed its trial, and it is the flash that fails: that is not to be its end. */
    d->apps[index].commit_ms = d->now_ms + TIDY_AGAIN_MS;
}

/* A window of the latest traps, oldest first; those that are out of it leave. */
static void prune_window(struct sm_record *r, uint32_t now_s, uint32_t window)
{
    unsigned keep = 0;

    for (unsigned i = 0; i < r->trap_count; i++)
        if (now_s - r->trap_time_s[i] < window)
            r->trap_time_s[keep++] = r->trap_time_s[i];
    for (unsigned i = keep; i < SM_STORE_TRAPS; i++)
        r->trap_time_s[i] = 0;
    r->trap_count = (uint8_t)keep;
}

static void count_trap(struct sm_record *r, uint32_t now_s, uint32_t window)
{
    prune_window(r, now_s, window);
    if (r->trap_count == SM_STORE_TRAPS) {
        memmove(r->trap_time_s, r->trap_time_s + 1, (SM_STORE_TRAPS - 1) * sizeof *r->trap_time_s);
        r->trap_count--;
    }
    r->trap_time_s[r->trap_count++] = now_s;
}

/* The fault that ends a set's trial is on flash; now the trial is. */
static void give_up_set(struct sm_device *d, uint16_t index)
{
    const struct sm_slot *s = &record_of(d, index)->slot[d->apps[index].slot];
    char why[SM_STORE_DETAIL];

    memcpy(why, s->detail, sizeof why);
    (void)sm_dev_give_up(d, index, d->apps[index].slot, SM_EVENT_ROLLED_BACK, s->error, why);
}

/* A fault was noted in *next: it costs the instance. It costs the module its place when it is on
 * trial and has not had one good tick, or when it is the third in the window and there is something
 * to go back to. */
static void faulted(struct sm_device *d, uint16_t index, enum sm_event_kind kind,
                    struct sm_record *next)
{
    struct sm_device_app *app = &d->apps[index];
    unsigned slot = app->slot;
    bool trial = on_trial(d, index), gives_up;

    sm_dev_note(next, slot, kind);
    count_trap(next, sm_dev_time_s(d), window_s(d));
    bool third = next->trap_count == SM_STORE_TRAPS;
    bool set = trial && record_of(d, index)->set != 0;
    gives_up = trial ? third || app->good_ticks == 0 : third && sm_dev_may_return(d, index, !slot);
    if (gives_up && !set)
        sm_dev_condemn(next, slot);
    if (d->now_ms - app->up_ms >= (uint64_t)window_s(d) * 1000)
        app->backoff_ms = 0;
    if (third && !gives_up)
        back_off(d, index);
    else
        stop(d, index, d->now_ms + (gives_up ? 0 : app->manifest.period_ms));
    if (sm_dev_put(d, index, next) == 0) {
        sm_dev_emit(d, index, slot, kind);
        if (gives_up && set)
            give_up_set(d, index);
        else if (gives_up)
            sm_dev_emit(d, index, slot, SM_EVENT_ROLLED_BACK);
    } else if (gives_up) {
        app->avoid |= (uint8_t)(1u << slot);
    }
}

static void trapped(struct sm_device *d, uint16_t index)
{
    struct sm_device_app *app = &d->apps[index];
    enum sm_event_kind kind = app->exec.trap == SM_TRAP_EPOCH ? SM_EVENT_EPOCH : SM_EVENT_TRAP;
    struct sm_record next;

    if (app->slot == SM_DEV_GOLDEN) {
        sm_dev_report_golden(d, kind);
        sm_dev_emit_golden(d, kind, sm_wasm_trap_text(app->exec.trap));
        back_off_golden(d);
        return;
    }
    sm_dev_change(d, index, &next);
    sm_dev_report_trap(d, index, kind, &next.slot[app->slot]);
    faulted(d, index, kind, &next);
}

/* Too many ticks took longer than the period: alive, but of no use. On trial that is the end; later
 * it counts as a trap does, but only where there is something to go back to: a new instance of the
 * same module would be as late, and stand still in between. */
static void missed_period(struct sm_device *d, uint16_t index)
{
    struct sm_device_app *app = &d->apps[index];
    unsigned slot = app->slot;
    char why[SM_STORE_DETAIL];
    struct sm_record next;

    app->late_told = true;
    sm_text(why, sizeof why, "too many ticks took longer than the period of %u ms",
            (unsigned)app->manifest.period_ms);
    sm_dev_report_unhealthy(d, index);
    if (on_trial(d, index)) {
        (void)sm_dev_give_up(d, index, slot, SM_EVENT_HEALTH_FAILED, SM_ERR_STATE, why);
        return;
    }
    sm_dev_change(d, index, &next);
    next.slot[slot].error = SM_ERR_STATE;
    memcpy(next.slot[slot].detail, why, sizeof why);
    if (sm_dev_may_return(d, index, !slot)) {
        faulted(d, index, SM_EVENT_HEALTH_FAILED, &next);
        return;
    }
    sm_dev_note(&next, slot, SM_EVENT_HEALTH_FAILED);
    if (sm_dev_put(d, index, &next) == 0)
        sm_dev_emit(d, index, slot, SM_EVENT_HEALTH_FAILED);
}

static uint64_t clock_ms(const struct sm_device *d)
{
    return d->cfg->host->clock.now_ms(d->cfg->host->clock.ctx);
}

/* A bucket: a late tick adds two, one in time takes one away. So late ticks in a row fill it, and
 * so does, more slowly, a module that is late more often than every third time. What is told is
 * told again only when the bucket was empty in between. */
static void count_late(struct sm_device *d, uint16_t index)
{
    struct sm_device_app *app = &d->apps[index];
    uint32_t full = 2 * app->manifest.late_ticks;

    if (full == 0 || app->slot == SM_DEV_GOLDEN)
        return;
    app->late += 2;
    if (app->late < full)
        return;
    app->late = full;
    if (!app->late_told)
        missed_period(d, index);
}

/* The entry has returned: was it in time? What the device itself spent between the ticks does not
 * count, since the clock is read right before the call. */
static bool in_time(struct sm_device *d, uint16_t index)
{
    struct sm_device_app *app = &d->apps[index];

    if (clock_ms(d) - app->called_ms <= app->manifest.period_ms) {
        app->late -= app->late > 0;
        if (app->late == 0)
            app->late_told = false;
        return true;
    }
    count_late(d, index);
    return false;
}

static void ticked(struct sm_device *d, uint16_t index)
{
    struct sm_device_app *app = &d->apps[index];

    app->due_ms += app->manifest.period_ms;
    if (app->due_ms <= d->now_ms)
        app->due_ms = d->now_ms + app->manifest.period_ms; /* late: ticks are not made up for */
    if (!in_time(d, index))
        return;
    app->good_ticks++;
    if (!on_trial(d, index) || app->good_ticks < app->manifest.good_ticks)
        return;
    if (app->healthy) {
        if (d->now_ms >= app->commit_ms)
            commit(d, index);
    } else if (app->has_health) {
        app->phase = SM_PHASE_HEALTH;
        app->due_ms = d->now_ms;
    } else {
        commit(d, index);
    }
}

static void returned(struct sm_device *d, uint16_t index)
{
    struct sm_device_app *app = &d->apps[index];
    enum sm_app_phase phase = app->phase;

    app->state = SM_APP_WAITING;
    app->phase = SM_PHASE_ENTRY;
    if (phase == SM_PHASE_ENTRY)
        ticked(d, index);
    if (phase != SM_PHASE_HEALTH)
        return;
    app->due_ms = d->now_ms + app->manifest.period_ms;
    /* Not healthy yet is asked again after the next tick, until the trial's time is over. */
    if (sm_wasm_results(&app->exec)[0] == 0 && on_trial(d, index))
        commit(d, index);
}

/* A command (WASI) lives for one call of its entry: it ends itself, or its entry is _start. */
static bool ended_well(struct sm_device_app *app, int err)
{
    uint32_t code;
    bool exited = err == SM_ERR_TRAP && sm_host_exited(&app->host, &code) && code == 0;

    if (app->phase == SM_PHASE_ENTRY && (exited || is_command(app)))
        app->spent = true;
    return err == 0 || (exited && app->phase == SM_PHASE_ENTRY);
}

static void note_call(const struct sm_device *d, uint32_t whom)
{
    if (d->cfg->called != NULL)
        *d->cfg->called = whom;
}

int sm_dev_execute(struct sm_device *d, uint16_t index)
{
    struct sm_device_app *app = &d->apps[index];

    note_call(d, sm_dev_called(index, app->slot));
    int err = sm_wasm_run(&app->exec);
    note_call(d, 0);
    return err;
}

static void run(struct sm_device *d, uint16_t index)
{
    struct sm_device_app *app = &d->apps[index];
    int err = sm_dev_execute(d, index);

    if (err != SM_WASM_PENDING && ended_well(app, err))
        returned(d, index);
    else if (err == SM_WASM_PENDING)
        app->state = SM_APP_PENDING;
    else
        trapped(d, index);
}

/* Another instance in the place of one that is spent; its good ticks count on. False when there can
 * be none. */
static bool renew(struct sm_device *d, uint16_t index)
{
    int err = lay_out(d, index, true);

    if (err)
        cannot_start(d, index, d->apps[index].slot, err);
    return err == 0;
}

/* A plugin's tick: its sensor is measured, or it is asked for its health. A measurement that gives
 * no value is no good tick, and the plugin is otherwise left in peace: it may be the chip. */
static void call_plugin(struct sm_device *d, uint16_t index)
{
    struct sm_device_app *app = &d->apps[index];

    if (!sm_dev_plugin(d, index)->calling)
        app->called_ms = clock_ms(d);
    int err = app->phase == SM_PHASE_HEALTH ? d->cfg->plugins->ops->health(d, index)
                                            : d->cfg->plugins->ops->measure(d, index);
    if (err == SM_ERR_TRAP)
        trapped(d, index);
    else if (err > 0)
        app->due_ms = d->now_ms + (uint32_t)err;
    else if (err)
        app->due_ms = d->now_ms + app->manifest.period_ms;
    else
        returned(d, index);
}

static void call(struct sm_device *d, uint16_t index)
{
    struct sm_device_app *app = &d->apps[index];

    if (app->phase == SM_PHASE_ENTRY && ((app->spent && !renew(d, index)) || run_start(d, index)))
        return;
    if (sm_dev_is_plugin(d, index)) {
        call_plugin(d, index);
        return;
    }
    uint32_t func = app->phase == SM_PHASE_HEALTH ? app->health_func : app->entry_func;

    app->called_ms = clock_ms(d);
    int err = sm_wasm_call(&app->exec, app->inst, func, NULL, sm_dev_budget(d));

    if (err)
        trapped(d, index); /* not even its first frame fits the stack */
    else
        run(d, index);
}

/* The watchdog ended the last session while the module in this slot was called: a trap of it. What
 * would trap again and again, with nothing to go back to, rests as long as can be: here no pause
 * grows, for each hang ends the session that would remember. */
static void hung(struct sm_device *d, uint16_t index, unsigned slot)
{
    struct sm_device_app *app = &d->apps[index];
    struct sm_record next;
    struct sm_slot *s = &next.slot[slot];

    sm_dev_change(d, index, &next);
    if (s->state != SM_SLOT_COMMITTED && slot != sm_dev_trial_slot(d, index))
        return;
    app->slot = (uint8_t)slot;
    app->up_ms = d->now_ms;
    app->backoff_ms = BACKOFF_MOST_MS;
    if (s->traps < UINT16_MAX)
        s->traps++;
    s->trap_code = SM_TRAP_EPOCH;
    s->error = SM_ERR_EPOCH;
    sm_text(s->detail, sizeof s->detail, "did not return until the watchdog reset the device");
    faulted(d, index, SM_EVENT_EPOCH, &next);
}

/* Whom the watchdog found. Forgotten only when it is on record: a power cut meanwhile makes the
 * port forget it. */
static void blame(struct sm_device *d)
{
    uint32_t word = d->cfg->called ? *d->cfg->called : 0, index = (word & 0xffff) >> 2;
    unsigned slot = word & 3;

    if ((word & SM_DEV_CALLED_MASK) == SM_DEV_CALLED && index < d->store.layout.modules) {
        if (slot < 2) {
            hung(d, (uint16_t)index, slot);
        } else if (slot == SM_DEV_GOLDEN && d->cfg->golden != NULL) {
            d->apps[0].avoid |= 1u << SM_DEV_GOLDEN;
            sm_dev_emit_golden(d, SM_EVENT_REFUSED,
                               "did not return until the watchdog reset the device");
        }
    }
    note_call(d, 0);
}

/* ---- Step ------------------------------------------------------------------------------------ */

/* How long the latest trap stays in the window, in seconds; UINT32_MAX when there is none. */
static uint32_t window_left_s(const struct sm_device *d, uint16_t index)
{
    const struct sm_record *r = record_of(d, index);

    if (r->trap_count == 0)
        return UINT32_MAX;
    uint32_t age = sm_dev_time_s(d) - r->trap_time_s[r->trap_count - 1];
    return age < window_s(d) ? window_s(d) - age : 0;
}

/* Events that the server has, and traps that are out of the window, leave the record. The latter
 * because device time stands still without power: a trap of long ago must not look recent after
 * the next start. */
static void tidy(struct sm_device *d, uint16_t index)
{
    struct sm_device_app *app = &d->apps[index];
    struct sm_record next;

    if ((window_left_s(d, index) > 0 && (app->acked[0] | app->acked[1]) == 0) ||
        d->now_ms < app->tidy_ms)
        return;
    sm_dev_change(d, index, &next);
    prune_window(&next, sm_dev_time_s(d), window_s(d));
    if (sm_dev_put(d, index, &next) != 0)
        app->tidy_ms = d->now_ms + TIDY_AGAIN_MS;
}

static void tidy_keys(struct sm_device *d)
{
    struct sm_record next;

    if ((d->keys_acked[0] | d->keys_acked[1]) == 0 || d->now_ms < d->keys_tidy_ms)
        return;
    sm_dev_change(d, d->store.layout.modules, &next);
    if (sm_dev_put(d, d->store.layout.modules, &next) != 0)
        d->keys_tidy_ms = d->now_ms + TIDY_AGAIN_MS;
}

static bool out_of_time(const struct sm_device *d, uint16_t index)
{
    const struct sm_device_app *app = &d->apps[index];

    return app->state != SM_APP_STOPPED && on_trial(d, index) && app->counted && !app->healthy &&
           d->now_ms - app->trial_ms >= app->manifest.timeout_ms;
}

/* Milliseconds until a pending call is to be woken; UINT64_MAX when something else will do it. */
static uint64_t sleeps_ms(const struct sm_device *d, uint16_t index)
{
    uint64_t wake = sm_host_wake_ms(&d->apps[index].host), now = clock_ms(d);

    return wake == UINT64_MAX ? UINT64_MAX : wake > now ? wake - now : 0;
}

/* Whether an application is due by the clock: a plugin that is not on trial runs when somebody
 * reads its sensor. */
static bool has_ticks(const struct sm_device *d, uint16_t index)
{
    return !sm_dev_is_plugin(d, index) || on_trial(d, index) ||
           d->apps[index].state != SM_APP_WAITING;
}

static void step_app(struct sm_device *d, uint16_t index)
{
    struct sm_device_app *app = &d->apps[index];

    tidy(d, index);
    if (sm_dev_is_plugin(d, index) && app->inst != NULL && sm_dev_plugin(d, index)->trapped)
        trapped(d, index);
    if (out_of_time(d, index)) {
        char why[SM_STORE_DETAIL];
        sm_text(why, sizeof why, "not healthy within %u ms, after %u good ticks",
                (unsigned)app->manifest.timeout_ms, (unsigned)app->good_ticks);
        sm_dev_report_unhealthy(d, index);
        (void)sm_dev_give_up(d, index, app->slot, SM_EVENT_HEALTH_FAILED, SM_ERR_STATE, why);
    }
    unsigned want = wanted(d, index);
    if (want == SM_STORE_NO_SLOT) {
        stop(d, index, 0);
        app->state = SM_APP_EMPTY;
        app->slot = SM_STORE_NO_SLOT;
        return;
    }
    if (app->state == SM_APP_EMPTY || app->slot != want) {
        app->slot = (uint8_t)want;
        if (want != SM_DEV_GOLDEN && want != app->rest_slot)
            app->backoff_ms = 0;
        stop(d, index, d->now_ms);
    }
    if (app->state == SM_APP_PENDING) {
        if (sleeps_ms(d, index) == 0)
            (void)sm_host_wake(&app->host, &app->exec, app->inst); /* or it goes on sleeping */
        if (app->exec.state == SM_EXEC_READY)
            run(d, index);
    } else if (d->now_ms >= app->due_ms && has_ticks(d, index)) {
        if (app->state == SM_APP_STOPPED)
            start(d, index, want);
        else
            call(d, index);
    }
}

/* When an application wants its next turn. */
static uint64_t next_due(const struct sm_device *d, uint16_t index)
{
    const struct sm_device_app *app = &d->apps[index];
    uint64_t due = app->due_ms;

    if (wanted(d, index) != app->slot)
        return d->now_ms;
    if (app->state == SM_APP_EMPTY)
        return UINT64_MAX;
    if (app->state == SM_APP_PENDING) {
        uint64_t sleeps = app->exec.state == SM_EXEC_READY ? 0 : sleeps_ms(d, index);
        due = sleeps < UINT64_MAX - d->now_ms ? d->now_ms + sleeps : UINT64_MAX;
    }
    if (!has_ticks(d, index))
        due = UINT64_MAX;
    if (app->slot == SM_DEV_GOLDEN && app->rest_ms > d->now_ms && app->rest_ms < due)
        due = app->rest_ms;
    if (app->state != SM_APP_STOPPED && on_trial(d, index) && !app->healthy &&
        app->trial_ms + app->manifest.timeout_ms < due)
        due = app->trial_ms + app->manifest.timeout_ms;
    uint64_t leaves = d->now_ms + (uint64_t)window_left_s(d, index) * 1000;
    if (leaves <= d->now_ms)
        leaves = app->tidy_ms; /* putting that failed */
    return leaves < due ? leaves : due;
}

/* Sensors have a clock of their own to wait by. */
static uint32_t sensors_due(const struct sm_device *d)
{
    return d->cfg->host->sensors != NULL ? sm_sensors_due(d->cfg->host->sensors) : UINT32_MAX;
}

uint32_t sm_device_step(struct sm_device *d, uint64_t now_ms)
{
    uint64_t due = UINT64_MAX;

    if (now_ms > d->now_ms)
        d->now_ms = now_ms;
    tidy_keys(d);
    sm_dev_watch_current(d);
    if (d->cfg->host->sensors != NULL)
        (void)sm_sensors_step(d->cfg->host->sensors);
    for (uint16_t i = 0; i < d->store.layout.modules; i++)
        step_app(d, i);
    /* Only now: what becomes of the last one may call for the golden module in the first place. */
    for (uint16_t i = 0; i < d->store.layout.modules; i++) {
        uint64_t at = next_due(d, i);
        due = at < due ? at : due;
    }
    uint32_t wait_ms = sensors_due(d);
    if (due <= d->now_ms)
        return 0;
    return due - d->now_ms < wait_ms ? (uint32_t)(due - d->now_ms) : wait_ms;
}

/* ---- The rest of the interface --------------------------------------------------------------- */

static bool cfg_fits(const struct sm_device_cfg *c)
{
    return c->flash && c->fleet && (c->trust || c->keys) && c->host && c->host->clock.now_ms &&
           c->epoch && c->epoch_tick_ms > 0 && c->scratch && sm_class_limits(c->cls) != NULL &&
           (c->store.plugins == 0 || c->plugins != NULL);
}

/* Class mcu has no WASI, whatever its firmware says. */
static struct sm_host_more *parts_for(const struct sm_device_cfg *cfg, struct sm_host_more *more)
{
    return more != NULL && more->part == SM_HOST_WASI && cfg->cls == SM_CLASS_MCU ? more->next
                                                                                  : more;
}

int sm_device_start(struct sm_device *d, const struct sm_device_cfg *cfg,
                    struct sm_device_app *apps, struct sm_record *records, uint64_t now_ms)
{
    uint64_t need = 0;
    struct sm_layout layout;

    memset(d, 0, sizeof *d);
    d->cfg = cfg;
    d->apps = apps;
    d->start_ms = d->now_ms = now_ms;
    if (!cfg_fits(cfg))
        return sm_dev_say(d, SM_ERR_ARG, "the device's settings are not complete");
    int err = sm_store_layout(&layout, cfg->flash, &cfg->store, &need);
    if (err == SM_ERR_FULL)
        return sm_dev_say(d, err, "the flash is too small: %llu bytes are needed, it has %llu",
                          (unsigned long long)need,
                          (unsigned long long)cfg->flash->sector_size * cfg->flash->sector_count);
    if (!err)
        err = sm_store_mount(&d->store, cfg->flash, &cfg->store, records);
    if (err == SM_ERR_INVALID)
        return sm_dev_say(d, err, "the flash is laid out for other settings");
    if (err)
        return sm_dev_say(d, err, "the flash cannot be used: %s", sm_strerror(err));
    d->base_s = sm_store_time_s(&d->store);
    sm_journal_mount(&d->journal, &d->store);
    for (uint16_t i = 0; i < d->store.layout.modules; i++) {
        void *pool = apps[i].pool;
        size_t size = apps[i].pool_size;
        memset(&apps[i], 0, sizeof apps[i]);
        apps[i].pool = pool;
        apps[i].pool_size = size;
        apps[i].slot = apps[i].rest_slot = SM_STORE_NO_SLOT;
        if (sm_dev_is_plugin(d, i))
            memset(sm_dev_plugin(d, i), 0, sizeof *sm_dev_plugin(d, i));
        else if (cfg->more != NULL)
            apps[i].host.more = parts_for(cfg, cfg->more[i]);
    }
    sm_dev_set_follow(d); /* before anything can take the leader's word away */
    err = sm_dev_start_keys(d);
    if (!err)
        blame(d);
    return err;
}

int sm_device_rollback(struct sm_device *d, const char *name, const char *why)
{
    uint16_t index;
    int err = sm_device_find(d, name, &index);

    if (err)
        return sm_dev_say(d, err, "no application of that name");
    const struct sm_record *r = record_of(d, index);
    unsigned active = r->active;
    if (active == SM_STORE_NO_SLOT || sm_dev_trial_slot(d, index) != SM_STORE_NO_SLOT ||
        r->slot[!active].state != SM_SLOT_COMMITTED)
        return sm_dev_say(d, SM_ERR_STATE, "there is no earlier module to return to");
    if (!sm_dev_usable(r, !active))
        return sm_dev_say(d, SM_ERR_ROLLBACK,
                          "the earlier module, sequence %llu, is below the security floor %llu",
                          (unsigned long long)r->slot[!active].sequence,
                          (unsigned long long)r->floor);
    if (!sm_dev_may_return(d, index, !active))
        return SM_ERR_DENIED; /* said */
    return sm_dev_give_up(d, index, active, SM_EVENT_ROLLED_BACK, 0, why);
}

int sm_device_app(const struct sm_device *d, uint16_t index, struct sm_app_info *out)
{
    if (index >= d->store.layout.modules || record_of(d, index)->name[0] == 0)
        return SM_ERR_NOT_FOUND;
    bool golden = d->apps[index].slot == SM_DEV_GOLDEN;
    *out =
        (struct sm_app_info){record_of(d, index), golden ? SM_APP_EMPTY : d->apps[index].state,
                             golden ? SM_STORE_NO_SLOT : d->apps[index].slot, on_trial(d, index)};
    return 0;
}

bool sm_device_golden_runs(const struct sm_device *d)
{
    return d->apps[0].slot == SM_DEV_GOLDEN;
}

int sm_device_find(const struct sm_device *d, const char *name, uint16_t *index)
{
    for (uint16_t i = 0; i < d->store.layout.modules; i++) {
        if (name[0] != 0 && strcmp(record_of(d, i)->name, name) == 0) {
            *index = i;
            return 0;
        }
    }
    return SM_ERR_NOT_FOUND;
}

const char *sm_device_reason(const struct sm_device *d)
{
    return d->reason;
}
