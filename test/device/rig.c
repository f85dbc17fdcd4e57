/* The device of the tests (rig.h). SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <cmocka.h>
#include <posix/keys.h>
#include "rig.h"

#define FLEET "greenhouse"

static struct {
    struct sm_keys_private signer, stranger, other, builder, other_builder, root_a, root_b, server,
        vendor, other_vendor;
    struct sm_trust trust;
    struct sm_trust_key keys[4];
    uint8_t good[256][32]; /* hashes of modules with a good signature */
    unsigned ngood;
    volatile uint32_t epoch;
} g;

static const char *const capabilities[] = {"log", "sensor/*", "plugin/i2c-1/*", "plugin/rs485/*",
                                           "plugin/spi-0/*"};

struct rig *rig;

const struct recipe rig_t1_driver = {
    .wat = "plugin_tmp",
    .sequence = 1,
    .name = "t1-driver",
    .capability = {"log"},
    .plugin = true,
    .sensor = {.id = "T1",
               .model = "TMP105",
               .bus = "i2c-1",
               .address = 0x48,
               .values = 1,
               .value = {{"temperature", SM_UNIT_CELSIUS, 3, 0, 0}}},
    .how = SIGNED_BY_VENDOR};
const struct recipe rig_t1_reader = {.wat = "reads_t1",
                                     .sequence = 1,
                                     .capability = {"log", "sensor/T1/temperature:r"},
                                     .interface = 2};

static void tick(int signal)
{
    (void)signal;
    g.epoch++;
}

void rig_epoch_timer(bool on)
{
    struct itimerval t = {{0, on ? 1000 : 0}, {0, on ? 1000 : 0}};

    signal(SIGALRM, tick);
    setitimer(ITIMER_REAL, &t, NULL);
}

void rig_global_setup(void)
{
    struct sm_keys_why why;

    assert_int_equal(sm_keys_generate(&g.signer, &why), 0);
    assert_int_equal(sm_keys_generate(&g.stranger, &why), 0);
    assert_int_equal(sm_keys_generate(&g.other, &why), 0);
    assert_int_equal(sm_keys_generate(&g.builder, &why), 0);
    assert_int_equal(sm_keys_generate(&g.other_builder, &why), 0);
    assert_int_equal(sm_keys_generate(&g.root_a, &why), 0);
    assert_int_equal(sm_keys_generate(&g.root_b, &why), 0);
    assert_int_equal(sm_keys_generate(&g.server, &why), 0);
    assert_int_equal(sm_keys_generate(&g.vendor, &why), 0);
    assert_int_equal(sm_keys_generate(&g.other_vendor, &why), 0);
    rig_trust_builders(true);
}

int rig_once(void **state)
{
    (void)state;
    rig = aligned_alloc(64, (sizeof *rig + 63) / 64 * 64);
    rig_global_setup();
    return 0;
}

int rig_end(void **state)
{
    (void)state;
    free(rig);
    return 0;
}

void rig_trust_builders(bool trust)
{
    sm_trust_init(&g.trust, g.keys, 4);
    assert_int_equal(sm_trust_add(&g.trust, SM_ROLE_SIGNER, FLEET, g.signer.public_key), 0);
    assert_int_equal(sm_trust_add(&g.trust, SM_ROLE_SIGNER, "orchard", g.other.public_key), 0);
    if (!trust)
        return;
    assert_int_equal(sm_trust_add(&g.trust, SM_ROLE_BUILDER, FLEET, g.builder.public_key), 0);
    assert_int_equal(sm_trust_add(&g.trust, SM_ROLE_BUILDER, "orchard", g.other_builder.public_key),
                     0);
}

/* ---- Modules --------------------------------------------------------------------------------- */

static uint8_t *read_wat(const char *name, size_t *len)
{
    char path[512];
    uint8_t *bytes = malloc(65536);

    snprintf(path, sizeof path, "%s/%s.wasm", strncmp(name, "modules/", 8) ? WAT_DIR : MODULES_DIR,
             strncmp(name, "modules/", 8) ? name : name + 8);
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        fail_msg("%s is missing", path);
    *len = fread(bytes, 1, 65536, f);
    fclose(f);
    return bytes;
}

static void manifest_of(const struct recipe *r, struct sm_manifest *m)
{
    sm_manifest_defaults(m);
    m->kind = r->plugin ? SM_KIND_PLUGIN : SM_KIND_APPLICATION;
    m->sensor = r->sensor;
    for (; m->requirements < 2 && r->requires[m->requirements].name[0]; m->requirements++)
    m->requires[m->requirements] = r->requires[m->requirements];
    snprintf(m->fleet, sizeof m->fleet, "%s", r->fleet ? r->fleet : FLEET);
    snprintf(m->name, sizeof m->name, "%s", r->name ? r->name : "thermostat");
    m->sequence = r->sequence ? r->sequence : 1;
    snprintf(m->version, sizeof m->version, "%u.0", (unsigned)m->sequence);
    m->security_floor = r->floor;
    m->classes = r->classes ? r->classes : 1u << SM_CLASS_GATEWAY;
    if (r->entry)
        snprintf(m->entry, sizeof m->entry, "%s", r->entry);
    m->period_ms = r->period_ms ? r->period_ms : 100;
    m->memory_bytes = r->memory ? r->memory : 65536;
    m->stack_bytes = r->stack ? r->stack : 1024;
    m->interface = r->interface ? r->interface : 1;
    m->good_ticks = r->good_ticks ? r->good_ticks : 3;
    m->timeout_ms = r->timeout_ms ? r->timeout_ms : 5000;
    if (r->late_ticks)
        m->late_ticks = r->late_ticks;
    for (; m->capabilities < 4 && r->capability[m->capabilities]; m->capabilities++)
        snprintf(m->capability[m->capabilities], SM_CAPABILITY_MAX + 1, "%s",
                 r->capability[m->capabilities]);
}

static bool is_good(const uint8_t sha[32])
{
    for (unsigned i = 0; i < g.ngood; i++)
        if (memcmp(g.good[i], sha, 32) == 0)
            return true;
    return false;
}

struct module rig_make(const struct recipe *r)
{
    struct module m = {0};
    struct sm_manifest manifest;
    struct sm_manifest_detail detail;
    struct sm_keys_why why;
    size_t len;
    uint8_t *wasm = read_wat(r->wat, &len);
    const struct sm_keys_private *const keys[] = {
        [SIGNED_WELL] = &g.signer,          [SIGNED_BY_STRANGER] = &g.stranger,
        [SIGNED_BY_OTHER_FLEET] = &g.other, [SIGNED_SHORT] = &g.signer,
        [SIGNED_BY_VENDOR] = &g.vendor,     [SIGNED_BY_OTHER_VENDOR] = &g.other_vendor};

    manifest_of(r, &manifest);
    m.bytes = malloc(len + SM_MANIFEST_MAX + 32);
    if (r->no_manifest) {
        memcpy(m.bytes, wasm, len);
        m.len = (uint32_t)len;
    } else {
        int64_t packed =
            sm_manifest_pack(&manifest, wasm, len, m.bytes, len + SM_MANIFEST_MAX + 32, &detail);
        if (packed < 0)
            fail_msg("%s cannot be packed: %s", r->wat, detail.rule);
        m.len = (uint32_t)packed;
    }
    free(wasm);
    assert_int_equal(
        sm_keys_sign(keys[r->how], m.bytes, m.len - (r->how == SIGNED_SHORT), m.sig, &why), 0);
    sm_sha256(m.bytes, m.len, m.sha);
    strcpy(m.name, manifest.name);
    m.plugin = r->plugin;
    bool trusted =
        r->how == SIGNED_WELL || r->how == SIGNED_BY_VENDOR || r->how == SIGNED_BY_OTHER_VENDOR;
    if (trusted && !is_good(m.sha)) {
        assert_true(g.ngood < 256);
        memcpy(g.good[g.ngood++], m.sha, 32);
    }
    return m;
}

void rig_drop(struct module *m)
{
    free(m->bytes);
}

/* ---- Key sets -------------------------------------------------------------------------------- */

static void add_to_plan(struct sm_keyset_plan *p, const uint8_t key[32], uint64_t expires_s)
{
    struct sm_keyset_plan_key *k = &p->key[p->nkeys++];

    k->role = SM_ROLE_SIGNER;
    k->expires_s = expires_s;
    memcpy(k->key, key, 32);
}

static void add_vendor(struct sm_keyset_plan *p, const uint8_t key[32], const char *model,
                       const char *bus)
{
    struct sm_keyset_plan_key *k = &p->key[p->nkeys];

    add_to_plan(p, key, 0);
    k->role = SM_ROLE_VENDOR;
    strcpy(k->model, model);
    strcpy(k->bus, bus);
    k->addresses = 4;
    k->address[0] = 7;
    k->address[1] = 0x48;
    k->address[2] = 0x49;
    k->address[3] = 2 + 3 * 64;
    k->capabilities = 1;
    strcpy(k->capability[0], "log");
}

static void revoke_in_plan(struct sm_keyset_plan *p, enum sm_revoked_kind kind,
                           const uint8_t id[32], bool stop)
{
    p->revoked[p->nrevoked].kind = kind;
    p->revoked[p->nrevoked].stop = stop;
    memcpy(p->revoked[p->nrevoked++].id, id, 32);
}

static void plan_of(const struct key_set_recipe *r, struct sm_keyset_plan *p)
{
    uint8_t nobody[32] = {2};

    memset(p, 0, sizeof *p);
    snprintf(p->fleet, sizeof p->fleet, "%s", r->fleet ? r->fleet : FLEET);
    p->version = r->version;
    p->threshold = p->nroots = 1;
    memcpy(p->root[0], r->root_b ? g.root_b.public_key : g.root_a.public_key, 32);
    p->issued_s = r->issued_s;
    p->expires_s = r->expires_s;
    if (!r->no_signer && !r->revoke_signer)
        add_to_plan(p, g.signer.public_key, r->signer_expires_s);
    if (r->stranger_signs)
        add_to_plan(p, g.stranger.public_key, 0);
    if (r->builder) {
        add_to_plan(p, g.builder.public_key, 0);
        p->key[p->nkeys - 1].role = SM_ROLE_BUILDER;
    }
    if (r->stop_builder)
        revoke_in_plan(p, SM_REVOKED_KEY, g.builder.public_key, true);
    if (r->server) {
        add_to_plan(p, g.server.public_key, r->server_expires_s);
        p->key[p->nkeys - 1].role = SM_ROLE_SERVER;
    }
    if (r->vendors) {
        add_vendor(p, g.vendor.public_key, "TMP105", "i2c-1");
        add_vendor(p, g.other_vendor.public_key, "LM75", "i2c-1");
    }
    if (r->vendor_bus) {
        add_vendor(p, g.vendor.public_key, "TMP105", r->vendor_bus);
    }
    for (unsigned i = 0; i < r->more_keys; i++, nobody[0]++)
        add_to_plan(p, nobody, 0);
    if (r->revoke_signer)
        revoke_in_plan(p, SM_REVOKED_KEY, g.signer.public_key, r->stop_signer);
    if (r->revoke)
        revoke_in_plan(p, SM_REVOKED_MODULE, r->revoke->sha, r->stop);
}

static void sign_key_set(struct key_set *set, const struct sm_keys_private *key)
{
    struct key_set out;
    struct sm_keys_why why;
    uint8_t text[1024 + SM_KEYSET_OVERHEAD], sig[64];
    int n = sm_keyset_to_sign(set->bytes, set->len, key->public_key, text, sizeof text);

    assert_true(n > 0);
    assert_int_equal(sm_keys_sign(key, text, (size_t)n, sig, &why), 0);
    n = sm_keyset_add_signature(set->bytes, set->len, key->public_key, sig, out.bytes,
                                sizeof out.bytes);
    assert_true(n > 0);
    out.len = (size_t)n;
    *set = out;
}

void rig_key_set(struct key_set *out, const struct key_set_recipe *r)
{
    struct sm_keyset_plan *plan = malloc(sizeof *plan);
    struct sm_manifest_detail why;
    const char *by = r->signed_by ? r->signed_by : r->root_b ? "B" : "A";

    plan_of(r, plan);
    int n = sm_keyset_make(plan, out->bytes, sizeof out->bytes, &why);
    free(plan);
    assert_true(n > 0);
    out->len = (size_t)n;
    for (; *by; by++)
        sign_key_set(out, *by == 'A' ? &g.root_a : *by == 'B' ? &g.root_b : &g.stranger);
}

void rig_golden(struct rig *rig, const struct module *m)
{
    rig->cfg.golden = m ? &rig->golden : NULL;
    if (m)
        rig->golden = (struct sm_device_golden){.wasm = m->bytes,
                                                .len = m->len,
                                                .signature = m->sig,
                                                .key = g.signer.public_key,
                                                .image = rig->golden_image,
                                                .image_size = sizeof rig->golden_image};
}

/* ---- Native images ----------------------------------------------------------------------------
 */

void rig_claim(struct native *n, enum native_signer signer)
{
    const struct sm_keys_private *const keys[] = {&g.builder, &g.signer, &g.stranger,
                                                  &g.other_builder};
    uint8_t text[SM_CLAIM_MAX], sig[64];
    struct sm_keys_why why;
    int len = sm_claim_to_sign(&n->says, text, sizeof text);

    assert_true(len > 0);
    assert_int_equal(sm_keys_sign(keys[signer], text, (size_t)len, sig, &why), 0);
    n->claim_len = (size_t)sm_claim_encode(&n->says, sig, n->claim, sizeof n->claim);
}

void rig_native(struct native *n, const struct module *m)
{
    memset(n, 0, sizeof *n);
    for (size_t i = 0; i < sizeof n->image; i++)
        n->image[i] = (uint8_t)(i * 7 + m->sha[0]);
    n->says = (struct sm_native_claim){.image_len = sizeof n->image, .target = RIG_TARGET};
    memcpy(n->says.module_sha, m->sha, 32);
    sm_sha256(n->image, sizeof n->image, n->says.image_sha);
    rig_claim(n, BY_BUILDER);
}

static int bind(void *ctx, const struct sm_device_native_job *job)
{
    struct rig *rig = ctx;
    uint8_t sha[32];
    const struct sm_wasm_module *m = sm_wasm_inst_module(job->inst);

    sm_sha256(m->wasm, m->wasm_len, sha);
    assert_memory_equal(sha, job->module_sha, 32);
    assert_true(job->pool->used < job->pool->size);
    assert_int_equal(job->stack_bytes, 1024);
    sm_sha256(job->image, job->len, rig->bound_sha);
    rig->bound++;
    *job->why = rig->bind_error ? "no such processor" : "";
    return rig->bind_error;
}

/* ---- Host ------------------------------------------------------------------------------------ */

static uint64_t clock_ms(void *ctx)
{
    return ((struct rig *)ctx)->now_ms;
}

static void log_line(void *ctx, const char *module, const char *line)
{
    struct rig *rig = ctx;

    (void)module;
    if (rig->log_hangs)
        longjmp(rig->watchdog, 1);
    rig->log_lines++;
    snprintf(rig->last_log, sizeof rig->last_log, "%s", line);
}

static int start_sensor(struct sm_sensor *s)
{
    (void)s;
    return 0;
}

/* Looks every millisecond whether it may answer. */
static int sample_sensor(struct sm_sensor *s, int32_t *values)
{
    struct rig *rig = s->ctx;

    if (rig->sensor_is_slow && !rig->sensor_answers) {
        rig->sensor_asked = true;
        return 1;
    }
    rig->sensor_asked = rig->sensor_answers = false;
    values[0] = 21500;
    values[1] = 55000;
    return 0;
}

static const struct sm_capability sensor_capabilities[] = {
    {"temperature", SM_UNIT_CELSIUS, -3, -40000, 85000},
    {"humidity", SM_UNIT_HUMIDITY, -3, 0, 100000},
};
static const struct sm_sensor_driver sensor_driver = {.model = "BME280",
                                                      .capabilities = 2,
                                                      .capability = sensor_capabilities,
                                                      .start = start_sensor,
                                                      .sample = sample_sensor};

static void keep_event(void *ctx, const struct sm_event *e)
{
    struct rig *rig = ctx;

    assert_true(rig->nevents < RIG_EVENTS);
    struct rig_event *k = &rig->events[rig->nevents++];
    k->kind = e->kind;
    k->id = e->id;
    k->sequence = e->sequence;
    snprintf(k->name, sizeof k->name, "%s", e->name);
    snprintf(k->version, sizeof k->version, "%s", e->version);
    snprintf(k->detail, sizeof k->detail, "%s", e->detail);
}

/* ---- The device ------------------------------------------------------------------------------ */

void rig_init(struct rig *rig, struct flash_sim *sim)
{
    memset(rig, 0, sizeof *rig);
    rig->sim = sim;
    rig->host = (struct sm_host_port){rig, log_line, &rig->sensors, {rig, clock_ms}};
    rig->cfg = (struct sm_device_cfg){.flash = &sim->flash,
                                      .store = {.applications = RIG_APPS, .slot_size = 6000},
                                      .fleet = FLEET,
                                      .cls = SM_CLASS_GATEWAY,
                                      .trust = &g.trust,
                                      .host = &rig->host,
                                      .capabilities = capabilities,
                                      .ncapabilities = sizeof capabilities / sizeof *capabilities,
                                      .epoch = &g.epoch,
                                      .epoch_tick_ms = 1,
                                      .epoch_ms = 20,
                                      .scratch = rig->scratch,
                                      .scratch_len = sizeof rig->scratch,
                                      .called = &rig->called,
                                      .free_installs = UINT16_MAX,
                                      .event_ctx = rig,
                                      .event = keep_event};
    rig->native = (struct sm_device_native){.target = RIG_TARGET, .ctx = rig, .bind = bind};
    rig->cfg.native = &rig->native;
    rig->now_ms = 1000;
}

static uint64_t wall_s(void *ctx)
{
    return ((struct rig *)ctx)->wall_s;
}

void rig_init_keyed(struct rig *rig, struct flash_sim *sim)
{
    rig_init(rig, sim);
    rig->cfg.trust = NULL;
    rig->cfg.keys = rig->keys;
    rig->cfg.nkeys = RIG_KEYS;
    rig->cfg.statement = rig->statement;
    rig->cfg.statement_len = sizeof rig->statement;
    rig->cfg.wall_ctx = rig;
    rig->cfg.wall_s = wall_s;
    rig->cfg.store.keys_size = sizeof(((struct key_set *)NULL)->bytes);
}

void rig_init_plugins(struct rig *rig, struct flash_sim *sim)
{
    rig_init_keyed(rig, sim);
    rig->cfg.store.plugins = RIG_PLUGINS;
    rig->cfg.store.plugin_size = 5000;
    rig->cfg.plugins = &rig->plugins;
}

static uint64_t now_ns(void *ctx)
{
    return ((struct rig *)ctx)->now_ms * 1000000;
}

/* The outside world lives on when the device loses its memory; its buses are made anew all the
 * same, since they point into the rig. */
static void plug_chips(struct rig *rig)
{
    static const struct sm_bus *buses[3];

    rig->sim_clock = (struct sm_sim_clock){.now_ns = now_ns, .ctx = rig};
    sm_sim_bus_init(&rig->i2c, "i2c-1", SM_BUS_I2C, &rig->sim_clock);
    for (uint8_t i = 0; i < 2; i++)
        assert_int_equal(sm_sim_plug(&rig->i2c, &rig->chip[i], &sm_sim_tmp105, 0x48 + i), 0);
    sm_sim_bus_init(&rig->serial, "rs485", SM_BUS_SERIAL, &rig->sim_clock);
    assert_int_equal(sm_sim_plug(&rig->serial, &rig->chip[2], &sm_sim_modbus, 7), 0);
    sm_sim_bus_init(&rig->spi, "spi-0", SM_BUS_SPI, &rig->sim_clock);
    assert_int_equal(sm_sim_plug(&rig->spi, &rig->chip[3], &sm_sim_adxl345, 2), 0);
    buses[0] = &rig->i2c.bus;
    buses[1] = &rig->serial.bus;
    buses[2] = &rig->spi.bus;
    rig->plugins = (struct sm_device_plugins){&sm_device_plugin_ops, rig->plugin, buses, 3};
    memset(rig->plugin, 0xa5, sizeof rig->plugin);
}

int rig_commission(struct rig *rig, const struct key_set_recipe *r)
{
    struct key_set set;

    rig_key_set(&set, r);
    return sm_device_keys_commission(&rig->dev, set.bytes, set.len);
}

int rig_offer(struct rig *rig, const struct key_set_recipe *r)
{
    struct key_set set;

    rig_key_set(&set, r);
    return sm_device_keys_offer(&rig->dev, set.bytes, set.len);
}

size_t rig_statement(const struct sm_statement_plan *p, bool by_stranger,
                     uint8_t out[SM_STATEMENT_MAX])
{
    uint8_t sig[64];
    struct sm_keys_why why;
    int n = sm_statement_to_sign(p, out, SM_STATEMENT_MAX);

    assert_true(n > 0);
    assert_int_equal(sm_keys_sign(by_stranger ? &g.stranger : &g.server, out, (size_t)n, sig, &why),
                     0);
    n = sm_statement_encode(p, sig, out, SM_STATEMENT_MAX);
    assert_true(n > 0);
    return (size_t)n;
}

int rig_state_plan(struct rig *rig, const struct sm_statement_plan *p, bool by_stranger)
{
    uint8_t bytes[SM_STATEMENT_MAX];
    size_t n = rig_statement(p, by_stranger, bytes);

    return sm_device_statement(&rig->dev, bytes, n, rig->nonce);
}

int rig_state(struct rig *rig, uint64_t issued_s, uint64_t sequence)
{
    const struct sm_statement_plan p = {.fleet = FLEET,
                                        .channel = "stable",
                                        .issued_s = issued_s,
                                        .expires_s = issued_s + 1000,
                                        .keys_version = 1,
                                        .nmodules = 1,
                                        .module = {{"thermostat", sequence}}};

    return rig_state_plan(rig, &p, false);
}

static int boot(struct rig *rig)
{
    memset(&rig->dev, 0xa5, sizeof rig->dev);
    memset(rig->records, 0xa5, sizeof rig->records);
    memset(rig->apps, 0xa5, sizeof rig->apps);
    memset(rig->keys, 0xa5, sizeof rig->keys);
    memset(rig->scratch, 0xa5, 4096);
    if (rig->cfg.plugins)
        plug_chips(rig);
    for (unsigned i = 0; i < RIG_MODULES; i++) {
        memset(rig->pools[i], 0xa5, 4096);
        rig->apps[i].pool = rig->pools[i];
        rig->apps[i].pool_size = sizeof rig->pools[i];
    }
    rig->nevents = 0;
    rig->log_lines = 0;
    rig->sensor_asked = rig->sensor_answers = false;
    sm_sensors_init(&rig->sensors, &rig->host.clock);
    memset(&rig->sensor, 0, sizeof rig->sensor);
    rig->sensor.id = "BME280";
    rig->sensor.driver = &sensor_driver;
    rig->sensor.ctx = rig;
    assert_int_equal(sm_sensors_add(&rig->sensors, &rig->sensor), 0);
    rig->bound = 0;
    return sm_device_start(&rig->dev, &rig->cfg, rig->apps, rig->records, rig->now_ms);
}

int rig_boot(struct rig *rig)
{
    rig->called = 0;
    return boot(rig);
}

bool rig_hangs(struct rig *rig, uint32_t ms)
{
    if (setjmp(rig->watchdog) == 0) {
        rig_run(rig, ms);
        return false;
    }
    assert_int_equal(boot(rig), 0);
    return true;
}

static int64_t begin(struct rig *rig, const struct module *m, const char *action, bool set)
{
    struct sm_install_request req = {
        .name = m->name, .plugin = m->plugin, .set = set, .len = m->len, .action = action};

    memcpy(req.signature, m->sig, sizeof req.signature);
    memcpy(req.sha, m->sha, sizeof req.sha);
    return sm_device_install_begin(&rig->dev, &req);
}

int64_t rig_begin(struct rig *rig, const struct module *m, const char *action)
{
    return begin(rig, m, action, false);
}

/* The module's bytes from where the device wants them; 0 when all are there. */
static int write_module(struct rig *rig, const struct module *m, const char *action, bool set)
{
    int64_t at = begin(rig, m, action, set);

    while (at >= 0 && at < m->len) {
        uint32_t n = m->len - (uint32_t)at < 97 ? m->len - (uint32_t)at : 97;
        int err = sm_device_install_write(&rig->dev, m->bytes + at, n);
        if (err)
            return err;
        at += n;
    }
    return at < 0 ? (int)at : 0;
}

int rig_install(struct rig *rig, const struct module *m, const char *action)
{
    int err = write_module(rig, m, action, false);

    return err ? err : sm_device_install_finish(&rig->dev);
}

int rig_try(struct rig *rig, const struct recipe *r)
{
    static unsigned action;
    char name[16];
    struct module m = rig_make(r);

    snprintf(name, sizeof name, "a%u", action++);
    int err = rig_install(rig, &m, name);
    if (!err)
        rig_run(rig, 2000);
    rig_report(rig);
    rig_run(rig, 10);
    rig_drop(&m);
    return err;
}

int rig_stage(struct rig *rig, const struct module *m, const char *action)
{
    int err = write_module(rig, m, action, true);

    return err ? err : sm_device_install_finish(&rig->dev);
}

static int write_native(struct rig *rig, const struct native *n)
{
    int64_t at = sm_device_native_begin(&rig->dev, n->claim, n->claim_len);
    int err = at < 0 ? (int)at : 0;

    for (; !err && at < (int64_t)sizeof n->image; at += 100)
        err = sm_device_native_write(&rig->dev, n->image + at, 100);
    if (!err)
        return sm_device_native_end(&rig->dev, NULL);
    char why[SM_DEVICE_REASON];
    snprintf(why, sizeof why, "%s", sm_device_reason(&rig->dev));
    (void)sm_device_native_end(&rig->dev, why);
    return err;
}

int rig_install_native(struct rig *rig, const struct module *m, const struct native *n,
                       const char *action, int *native_err)
{
    int err = write_module(rig, m, action, false);

    if (err)
        return err;
    *native_err = write_native(rig, n);
    return sm_device_install_finish(&rig->dev);
}

void rig_run(struct rig *rig, uint32_t ms)
{
    uint64_t end = rig->now_ms + ms;

    for (unsigned i = 0; i < 10000; i++) {
        uint32_t wait = sm_device_step(&rig->dev, rig->now_ms);
        if (rig->now_ms + wait > end)
            break;
        rig->now_ms += wait;
    }
    rig->now_ms = end;
}

bool rig_told(const struct rig *rig, enum sm_event_kind kind, struct rig_event *out)
{
    for (unsigned i = rig->nevents; i-- > 0;) {
        if (rig->events[i].kind != kind)
            continue;
        if (out)
            *out = rig->events[i];
        return true;
    }
    return false;
}

unsigned rig_report(struct rig *rig)
{
    struct sm_event e;
    unsigned n = 0;

    while (sm_device_event_at(&rig->dev, 0, &e) == 0) {
        assert_int_equal(sm_device_event_done(&rig->dev, e.id), 0);
        n++;
    }
    return n;
}

uint64_t rig_runs(struct rig *rig, uint16_t index)
{
    const struct sm_device_app *app = &rig->apps[index];
    uint8_t sha[32];

    if (app->state != SM_APP_WAITING && app->state != SM_APP_PENDING)
        return 0;
    sm_sha256(app->module.wasm, app->module.wasm_len, sha);
    if (!is_good(sha))
        fail_msg("a module runs that nobody signed");
    return app->manifest.sequence;
}
