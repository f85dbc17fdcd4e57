/* sandmoted: the device daemon. One thread, one loop: modules are called when they are due, and in
 * between the update client's sockets are waited for.
 *
 * Exit status: as in `help` below.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>
#include <posix/file.h>
#include <posix/flash_file.h>
#include <posix/log.h>
#include <posix/system.h>
#include <posix/watchdog.h>

#include "config.h"
#include "core.h"
#include "epoch.h"
#include "mqttsn.h"
#include "native.h"
#include "wasi.h"

#define PROGRAM_SIZE  8u
#define ERASED        0xffu
#define STACK_MAX     (16u << 20) /* the most a manifest can ask for */
#define INSTANCE_MAX  (1u << 20)  /* globals, tables and the like */
#define SCRATCH_MIN   (1u << 20)
#define TICKS_A_EPOCH 10u

struct daemon {
    struct config config;
    struct sm_flash_file flash;
    struct sm_watchdog watchdog;
    struct sm_device_cfg device_cfg;
    struct sm_host_port host;
    struct sm_sensors sensors;
    struct sm_device_plugins plugins;
    struct sm_device_plugin plugin[SM_STORE_MODULES_MAX];
    struct native native;
    struct wasi wasi;
    struct sm_sn_network network;
    struct sm_host_more *more[SM_STORE_MODULES_MAX]; /* WASI, then the network */
    struct core core;
    struct sm_device_golden golden;
    struct sm_device device;
    struct sm_device_app apps[SM_STORE_MODULES_MAX];
    struct sm_record records[SM_STORE_MODULES_MAX];
    uint8_t statement[SM_STATEMENT_MAX];
    struct sm_update update;
    struct mqttsn mqttsn;
    CURLM *multi;
    int signals;
    const char *offers; /* the file of which a key set is being offered; NULL: the server offers */
    bool happened; /* an event came during the last step: the client may have something to tell */
};

/* ---- What modules and the device tell -------------------------------------------------------- */

static void module_log(void *ctx, const char *module, const char *line)
{
    (void)ctx;
    sm_log(SM_LOG_INFO, "[%s] %s", module, line);
}

static void sensor_told(void *ctx, const struct sm_sensor *s, int err)
{
    (void)ctx;
    if (err)
        sm_log(SM_LOG_WARN, "sensor %s failed: %s", s->id, sm_strerror(err));
    else
        sm_log(SM_LOG_INFO, "sensor %s works again", s->id);
}

static bool is_good_news(enum sm_event_kind kind)
{
    return kind == SM_EVENT_INSTALLED || kind == SM_EVENT_TRIAL || kind == SM_EVENT_COMMITTED ||
           kind == SM_EVENT_STARTED || kind == SM_EVENT_REPAIRED;
}

/* What a server offered and was not taken is logged with its whole hash and where it came from. */
static void log_event(void *ctx, const struct sm_event *e)
{
    struct daemon *d = ctx;
    char sha[2 * SM_SHA256_SIZE + 1];
    bool offered = e->kind == SM_EVENT_REFUSED || e->kind == SM_EVENT_DOWNLOAD_FAILED;
    const char *from = d->offers ? d->offers : d->config.has_server ? d->config.update.server : "";
    sm_hex_encode(e->sha, SM_SHA256_SIZE, sha);
    sm_log(is_good_news(e->kind) ? SM_LOG_INFO : SM_LOG_WARN,
           "%s %s %s (sequence %llu, module %.*s%s%s)%s%s", sm_event_name(e->kind), e->name,
           *e->version ? e->version : "-", (unsigned long long)e->sequence, offered ? 64 : 12, sha,
           offered && *from ? " from " : "", offered ? from : "", *e->detail ? ": " : "",
           e->detail);
    d->happened = true;
}

/* ---- Start ----------------------------------------------------------------------------------- */

static int refuse(const char *text)
{
    sm_log(SM_LOG_ERROR, "%s", text);
    return SM_ERR_STATE;
}

/* Memory that costs nothing until it is touched. */
static void *reserve(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* The smallest flash that the configured division fits. */
static int open_flash_for(struct daemon *d, struct sm_flash_file_why *why)
{
    const struct config *c = &d->config;
    struct sm_flash shape = {.sector_size = c->sector_bytes,
                             .sector_count = 1, /* too few: the layout says how many it takes */
                             .program_size = PROGRAM_SIZE,
                             .erased = ERASED};
    struct sm_layout layout;
    uint64_t need = 0;
    int err = sm_store_layout(&layout, &shape, &c->store, &need);
    if (err != SM_ERR_FULL || need > UINT32_MAX) {
        snprintf(why->text, sizeof why->text,
                 "flash: the slots do not fit an address space of 4 GiB");
        return SM_ERR_FULL;
    }
    struct sm_flash_file_cfg cfg = {.sector_size = c->sector_bytes,
                                    .sector_count =
                                        (uint32_t)((need + c->sector_bytes - 1) / c->sector_bytes),
                                    .program_size = PROGRAM_SIZE,
                                    .erased = ERASED,
                                    .executable = c->native};
    return sm_flash_file_open(&d->flash, c->flash_file, &cfg, why);
}

/* A flash file that was made without a journal is used as it is. */
static int open_flash(struct daemon *d)
{
    struct sm_flash_file_why why, again;
    int err = open_flash_for(d, &why);
    if (err != SM_ERR_INVALID || d->config.store.journal_size == 0)
        return err ? refuse(why.text) : 0;
    d->config.store.journal_size = 0;
    if (open_flash_for(d, &again) < 0)
        return refuse(why.text);
    sm_log(SM_LOG_WARN, "%s has no room for a journal: what traps leave behind is not kept",
           d->config.flash_file);
    return 0;
}

/* Beside the flash file, whose lock is ours by now. */
static int open_watchdog(struct daemon *d)
{
    char path[PATH_MAX + 8], text[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s.hung", d->config.flash_file);
    if (sm_watchdog_open(&d->watchdog, path) == 0)
        return 0;
    snprintf(text, sizeof text, "%s: cannot be read and written", path);
    return refuse(text);
}

static int reserve_pools(struct daemon *d)
{
    uint64_t want = d->config.memory_bytes + STACK_MAX + INSTANCE_MAX;
    size_t size = (size_t)want;
    if (size != want)
        return refuse("memory_bytes: more than a process of this machine can address");
    for (unsigned i = 0; i < d->config.store.applications + d->config.store.plugins; i++) {
        d->apps[i].pool = reserve(size);
        d->apps[i].pool_size = size;
        if (!d->apps[i].pool)
            return refuse("memory_bytes: this machine cannot set aside so much");
    }
    return 0;
}

/* Its image needs less than this many times its bytes, and touches only what it needs. */
static int take_golden(struct daemon *d)
{
    const struct config_golden *c = &d->config.golden;
    size_t size = c->len * 16 + INSTANCE_MAX;
    if (!c->module)
        return 0;
    d->golden =
        (struct sm_device_golden){.wasm = c->module,
                                  .len = (uint32_t)c->len,
                                  .signature = c->signature,
                                  .key = c->key,
                                  .image = reserve(size),
                                  .image_size = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX};
    d->device_cfg.golden = &d->golden;
    return d->golden.image ? 0 : refuse("no memory for the image of the golden module");
}

/* The host's clock may stand still or be set by anybody who owns the host; see sm_device_time(). */
static uint64_t wall_s(void *ctx)
{
    time_t now = time(NULL);
    (void)ctx;
    return now > 0 ? (uint64_t)now : 0;
}

static void configure(struct daemon *d)
{
    const struct config *c = &d->config;
    /* A function is never longer than its module, a module never longer than its slot. */
    uint32_t largest = c->store.plugins && c->store.plugin_size > c->store.slot_size
                           ? c->store.plugin_size
                           : c->store.slot_size;
    size_t scratch = (size_t)largest * 16;
    uint32_t tick = sm_class_limits(c->cls)->epoch_ms / TICKS_A_EPOCH;
    d->host =
        (struct sm_host_port){.log = module_log, .sensors = &d->sensors, .clock = sm_posix_clock};
    d->plugins = (struct sm_device_plugins){.ops = &sm_device_plugin_ops,
                                            .plugins = d->plugin,
                                            .buses = c->sensors.buses.bus,
                                            .nbuses = c->sensors.buses.count};
    d->device_cfg =
        (struct sm_device_cfg){.flash = &d->flash.flash,
                               .store = c->store,
                               .fleet = c->fleet,
                               .cls = c->cls,
                               .trust = c->key_set[0] ? NULL : &c->trust,
                               .keys = c->key_set[0] ? d->config.keys : NULL,
                               .nkeys = SM_KEYSET_KEYS_MAX,
                               .wall_s = wall_s,
                               .statement = d->statement,
                               .statement_len = sizeof d->statement,
                               .host = &d->host,
                               .capabilities = c->capabilities,
                               .ncapabilities = c->ncapabilities,
                               .epoch = &epoch_count,
                               .epoch_tick_ms = tick ? tick : 1,
                               .called = &d->watchdog.called,
                               .scratch_len = scratch > SCRATCH_MIN ? scratch : SCRATCH_MIN,
                               .more = d->more,
                               .native = c->native ? &d->native.device : NULL,
                               .plugins = c->store.plugins ? &d->plugins : NULL,
                               .event_ctx = d,
                               .event = log_event,
                               .core_ctx = &d->core,
                               .core = c->core.folder[0] ? core_dump : NULL,
                               .memory_bytes = c->memory_bytes,
                               .free_installs = c->free_installs};
    d->core = (struct core){&c->core, &d->device, d->device_cfg.scratch_len};
    d->device_cfg.scratch = reserve(d->device_cfg.scratch_len);
}

/* A device that has a set goes on to that of the file when it is newer. */
static void offer_key_set(struct daemon *d, const uint8_t *bytes, size_t len)
{
    const struct sm_keyset *now = sm_device_keys(&d->device);
    struct sm_keyset set;
    struct sm_manifest_detail why = {0};
    int err = sm_keyset_read(&set, bytes, len, &why);
    if (err)
        sm_log(SM_LOG_WARN, "%s: is no key set, and nothing comes of it: %s", d->config.key_set,
               why.rule ? why.rule : sm_strerror(err));
    if (err || (now && set.version <= now->version))
        return;
    d->offers = d->config.key_set;
    (void)sm_device_keys_offer(&d->device, bytes, len); /* its event is logged */
    d->offers = NULL;
}

/* Commission the device with the configured key set, or go on to it when it is the next. */
static int take_key_set(struct daemon *d)
{
    struct sm_file_why why;
    char text[SM_DEVICE_REASON + PATH_MAX + 32];
    uint8_t *bytes;
    size_t len;
    bool first = !sm_device_keys(&d->device) && !sm_device_keys_missing(&d->device);
    int err = sm_file_read(d->config.key_set, SM_KEYSET_MAX, &bytes, &len, &why);
    if (err)
        return first ? refuse(why.text) : 0; /* it was needed once */
    if (first)
        err = sm_device_keys_commission(&d->device, bytes, len);
    else
        offer_key_set(d, bytes, len);
    free(bytes);
    if (!err)
        return 0;
    snprintf(text, sizeof text, "%s: %s", d->config.key_set, sm_device_reason(&d->device));
    return refuse(text);
}

static int start_sensors(struct daemon *d)
{
    struct sm_json_error why;
    sm_sensors_init(&d->sensors, &sm_posix_clock);
    d->sensors.tell = sensor_told;
    return sm_sensor_config_add(&d->config.sensors, &d->sensors, &why) < 0 ? refuse(why.text) : 0;
}

static int start_network(struct daemon *d)
{
    struct sm_file_why why;
    char text[sizeof why.text + 16];
    if (!d->config.network.on || sm_sn_network_init(&d->network, &d->config.network.how,
                                                    d->config.store.applications, &why) == 0)
        return 0;
    snprintf(text, sizeof text, "network: %s", why.text);
    return refuse(text);
}

/* What each application's instances import beside the host's own. */
static void list_parts(struct daemon *d)
{
    for (unsigned i = 0; i < SM_STORE_MODULES_MAX; i++) {
        struct sm_host_more *network = i < d->network.sessions ? &d->network.session[i].more : NULL;
        d->more[i] = d->config.cls != SM_CLASS_MCU ? d->wasi.more[i] : network;
        if (d->config.cls != SM_CLASS_MCU)
            d->more[i]->next = network;
    }
}

static int start_device(struct daemon *d)
{
    char text[SM_DEVICE_REASON + 64];
    uint64_t now = sm_posix_clock.now_ms(sm_posix_clock.ctx);
    configure(d);
    if (reserve_pools(d) < 0 || take_golden(d) < 0)
        return SM_ERR_STATE;
    if (d->config.core.folder[0] && !core_init(&d->config.core))
        return refuse("core_dumps.folder: cannot be made or used");
    if (!d->device_cfg.scratch)
        return refuse("no memory to translate modules in");
    if (d->config.native && native_init(&d->native, d->config.memory_bytes) < 0)
        return refuse("no memory for signals while native code runs");
    wasi_init(&d->wasi, &d->config);
    list_parts(d);
    if (epoch_init(d->device_cfg.epoch_tick_ms) < 0)
        return refuse("no timer for the epoch");
    int err = sm_device_start(&d->device, &d->device_cfg, d->apps, d->records, now);
    if (!err)
        sm_watchdog_forget(&d->watchdog);
    if (!err)
        return d->config.key_set[0] ? take_key_set(d) : 0;
    snprintf(text, sizeof text, "%.60s: %s", d->config.flash_file, sm_device_reason(&d->device));
    return refuse(text);
}

static int start_client(struct daemon *d)
{
    uint64_t now = sm_posix_clock.now_ms(sm_posix_clock.ctx);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    d->multi = curl_multi_init();
    if (!d->multi)
        return refuse("no memory for the update client");
    if (d->config.mqttsn.there) {
        struct sm_file_why why;
        return mqttsn_start(&d->mqttsn, &d->config, &d->device, &why) < 0 ? refuse(why.text) : 0;
    }
    if (!d->config.has_server)
        return 0;
    d->config.update.device = &d->device;
    d->config.update.entropy = &sm_posix_entropy;
    d->config.update.core_ctx = &d->config.core;
    d->config.update.core = d->config.core.folder[0] ? core_find : NULL;
    d->config.update.native_target = d->config.native ? d->native.device.target : 0;
    if (sm_update_init(&d->update, &d->config.update, d->multi, now) < 0)
        return refuse("no memory for the update client");
    return 0;
}

static int start(struct daemon *d)
{
    const struct config *c = &d->config;
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    signal(SIGPIPE, SIG_IGN);
    d->signals = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
    if (d->signals < 0)
        return refuse("no signalfd");
    if (open_flash(d) < 0 || open_watchdog(d) < 0 || start_sensors(d) < 0 || start_network(d) < 0 ||
        start_device(d) < 0 || start_client(d) < 0)
        return SM_ERR_STATE;
    const struct sm_keyset *keys = sm_device_keys(&d->device);
    char text[32] = "keys of the configuration", plugins[32] = "";
    if (c->key_set[0])
        snprintf(text, sizeof text, keys ? "key set %u" : "no key set", keys ? keys->version : 0);
    if (c->store.plugins)
        snprintf(plugins, sizeof plugins, "%u plugin%s, ", c->store.plugins,
                 c->store.plugins == 1 ? "" : "s");
    sm_log(SM_LOG_INFO, "device %s of fleet %s, class %s, %u application%s, %s%s, server %s",
           c->device, c->fleet, sm_class_name(c->cls), c->store.applications,
           c->store.applications == 1 ? "" : "s", plugins, text,
           c->has_server     ? c->update.server
           : c->mqttsn.there ? "over MQTT-SN"
                             : "none");
    sm_log(SM_LOG_INFO, "record sectors of %s: erased %u times", c->flash_file,
           (unsigned)sm_device_record_erases(&d->device));
    return 0;
}

/* ---- The loop -------------------------------------------------------------------------------- */

static uint32_t step(struct daemon *d)
{
    uint64_t now = sm_posix_clock.now_ms(sm_posix_clock.ctx);
    uint32_t client = d->config.has_server     ? sm_update_step(&d->update, now)
                      : d->config.mqttsn.there ? mqttsn_step(&d->mqttsn, now)
                                               : UINT32_MAX;
    d->happened = false;
    if (d->network.sessions > 0)
        sm_network_step(&d->network.network);
    epoch_run();
    uint32_t device = sm_device_step(&d->device, now);
    epoch_pause();
    if (d->happened)
        return 0;
    return client < device ? client : device;
}

enum { WAITS_MAX = 1 + SM_SN_LINK_FDS * (1 + SM_SN_NETWORK_SESSIONS) };

/* What ends a wait besides the update client's own sockets. */
static unsigned wait_for(const struct daemon *d, struct curl_waitfd fds[WAITS_MAX], int *ms)
{
    struct pollfd link[WAITS_MAX];
    unsigned n = d->config.mqttsn.there ? sm_sn_fds(d->mqttsn.link, link, ms) : 0;
    if (d->network.sessions > 0)
        n += sm_sn_network_fds(&d->network, link + n, ms);
    fds[0] = (struct curl_waitfd){.fd = d->signals, .events = CURL_WAIT_POLLIN};
    for (unsigned i = 0; i < n; i++)
        fds[1 + i] =
            (struct curl_waitfd){.fd = link[i].fd,
                                 .events = (link[i].events & POLLIN ? CURL_WAIT_POLLIN : 0) |
                                           (link[i].events & POLLOUT ? CURL_WAIT_POLLOUT : 0)};
    return 1 + n;
}

static void run(struct daemon *d)
{
    struct curl_waitfd fds[WAITS_MAX];
    struct signalfd_siginfo info;
    for (;;) {
        uint32_t wait = step(d);
        uint32_t feed = sm_watchdog_feed(&d->watchdog, sm_posix_clock.now_ms(sm_posix_clock.ctx));
        if (feed < wait)
            wait = feed;
        int ms = wait < 60000 ? (int)wait : 60000;
        unsigned n = wait_for(d, fds, &ms); /* which shortens it */
        curl_multi_poll(d->multi, fds, n, ms, NULL);
        if (read(d->signals, &info, sizeof info) == (ssize_t)sizeof info)
            break;
    }
    sm_log(SM_LOG_INFO, "%s: stopping", info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT");
}

static void stop(struct daemon *d)
{
    if (d->config.has_server)
        sm_update_free(&d->update);
    if (d->config.mqttsn.there)
        mqttsn_stop(&d->mqttsn);
    if (d->network.sessions > 0)
        sm_sn_network_free(&d->network);
    curl_multi_cleanup(d->multi);
    sm_watchdog_close(&d->watchdog);
    sm_flash_file_close(&d->flash);
    config_free(&d->config);
}

static const char help[] =
    "usage: sandmoted --config FILE\n"
    "\n"
    "Runs the signed modules of a device: fetches updates, verifies, tries, commits or rolls "
    "back.\n"
    "The file is JSON; an unknown key is an error. What it needs:\n"
    "  device, fleet, class   who this is; class is mcu, mpu, gateway or edge\n"
    "  key_set                the key set (sandmote trust) that the device is commissioned with;\n"
    "                         or signers: public keys whose modules are believed for ever\n"
    "  flash                  {\"file\": ..., \"applications\": 1, \"slot_bytes\": ..., "
    "\"sector_bytes\": ...}\n"
    "and may have: capabilities, memory_bytes, native (\"refuse\", or \"builder\" with builders),\n"
    "core_dumps (folder, bytes, memory, seal_to),\n"
    "golden (module, signature, key): what runs while no application may,\n"
    "server (url, ca, token_file and more), wasi (directories, programs), sensors,\n"
    "network (gateways, search, client_prefix, dtls and more): MQTT-SN for modules,\n"
    "buses and, in flash, plugins: vendors' modules that drive the sensors on them.\n"
    "The log goes to stderr. SIGTERM and SIGINT end it.\n"
    "\n"
    "Exit status: 0 after SIGTERM or SIGINT, 1 it cannot start (one line says why), 64 wrong "
    "usage.\n";

int main(int argc, char **argv)
{
    static struct daemon daemon;
    struct sm_json_error why;
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(help, stdout);
        return 0;
    }
    if (argc != 3 || strcmp(argv[1], "--config") != 0) {
        fputs("usage: sandmoted --config FILE; sandmoted --help says more\n", stderr);
        return 64;
    }
    if (config_load(argv[2], &daemon.config, &why) < 0) {
        refuse(why.text);
        return 1;
    }
    if (start(&daemon) < 0)
        return 1;
    run(&daemon);
    stop(&daemon);
    return 0;
}
