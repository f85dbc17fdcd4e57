/* A device on simulated flash with a clock set by hand, modules made to order, and every event
 * kept.
 *
 * The whole device lies in one struct rig: copying the struct back restores it, pointers included.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_TEST_RIG_H
#define SM_TEST_RIG_H

#include <setjmp.h>
#include <sandmote/device.h>
#include <sim/sim.h>
#include "flash_sim.h"

enum {
    RIG_APPS = 2,
    RIG_PLUGINS = 2,
    RIG_MODULES = RIG_APPS + RIG_PLUGINS,
    RIG_POOL = 3 * 65536 + 16384,
    RIG_SCRATCH = 65536,
    RIG_EVENTS = 64,
    RIG_TARGET = 9,
    RIG_KEYS = 4
};

struct rig_event {
    enum sm_event_kind kind;
    uint64_t id, sequence;
    char name[33], version[33], detail[SM_DEVICE_REASON];
};

struct rig {
    struct flash_sim *sim;
    struct sm_device dev;
    struct sm_device_cfg cfg;
    struct sm_device_app apps[RIG_MODULES];
    struct sm_record records[RIG_MODULES];
    struct sm_trust_key keys[RIG_KEYS];
    uint8_t statement[SM_STATEMENT_MAX];
    const uint8_t *nonce; /* that statements must answer; NULL: none */
    uint64_t wall_s;      /* what the clock says; 0: it is not set */
    struct sm_host_port host;
    uint64_t now_ms;
    struct rig_event events[RIG_EVENTS];
    unsigned nevents;
    unsigned log_lines;
    char last_log[SM_HOST_LOG_MAX + 1];
    struct sm_sensors sensors; /* one: BME280, temperature and humidity */
    struct sm_sensor sensor;
    bool sensor_is_slow; /* it measures until the test lets it answer: */
    bool sensor_asked, sensor_answers;
    bool log_hangs; /* each log call hangs the device, until the watchdog ends that */
    jmp_buf watchdog;
    volatile uint32_t called;       /* the word that a watchdog's reset leaves as it is */
    struct sm_device_native native; /* what cfg.native points at */
    unsigned bound;                 /* calls of its binder, since boot */
    int bind_error;                 /* what it returns */
    uint8_t bound_sha[32];          /* of the image's bytes when it was bound last */
    struct sm_device_golden golden; /* what cfg.golden points at */

    /* Of rig_init_plugins(): a bus "i2c-1" with a TMP105 at 0x48, one at 0x49; a line "rs485" with
     * a Modbus transmitter, unit 7; a bus "spi-0" with an ADXL345 at line 2. */
    struct sm_sim_clock sim_clock;
    struct sm_sim_bus i2c, serial, spi;
    struct sm_sim_chip chip[4];
    struct sm_device_plugins plugins; /* what cfg.plugins points at */
    struct sm_device_plugin plugin[RIG_PLUGINS];
    _Alignas(16) uint8_t golden_image[2048];
    _Alignas(16) uint8_t pools[RIG_MODULES][RIG_POOL];
    _Alignas(16) uint8_t scratch[RIG_SCRATCH];
};

/* What a module is made of; zero fields are filled with what fits the device. */
struct recipe {
    const char *wat; /* name of a file in test/device/wat; or modules/NAME, of an example */
    uint64_t sequence, floor;
    const char *name, *fleet, *entry;
    uint32_t classes;
    uint64_t memory;
    uint32_t stack, interface, good_ticks, timeout_ms, period_ms, late_ticks;
    const char *capability[4];
    bool no_manifest;
    enum {
        SIGNED_WELL,
        SIGNED_BY_STRANGER,
        SIGNED_BY_OTHER_FLEET,
        SIGNED_SHORT,
        SIGNED_BY_VENDOR,
        SIGNED_BY_OTHER_VENDOR
    } how;
    bool plugin;
    struct sm_plugin_sensor sensor; /* of a plugin; without values it removes one */
    struct sm_requirement requires[2];
};

struct module {
    uint8_t *bytes;
    uint32_t len;
    uint8_t sig[64], sha[32];
    char name[33];
    bool plugin;
};

/* A native image and its claim: any bytes, which the rig's binder takes. */
struct native {
    uint8_t image[1500], claim[SM_CLAIM_MAX];
    size_t claim_len;
    struct sm_native_claim says;
};

/* A key set of the rig's fleet. Its root is A, or B; its signer's key is that of SIGNED_WELL. */
struct key_set {
    uint8_t bytes[1024];
    size_t len;
};
struct key_set_recipe {
    uint32_t version;
    const char *fleet;
    const char *signed_by; /* of 'A', 'B' and '?', which is no root; NULL: the set's own root */
    bool root_b;
    bool stranger_signs; /* SIGNED_BY_STRANGER is a signer too */
    bool no_signer;      /* SIGNED_WELL is not */
    bool server;         /* a server states what is current */
    uint64_t server_expires_s;
    bool vendors;           /* SIGNED_BY_VENDOR drives a TMP105 on i2c-1 at 0x48 and 0x49, and
                               SIGNED_BY_OTHER_VENDOR an LM75 there */
    const char *vendor_bus; /* or the former does so on this bus */
    bool revoke_signer, stop_signer;
    bool builder, stop_builder; /* BY_BUILDER is one; or is revoked, and stopped */
    const struct module *revoke;
    bool stop;
    unsigned more_keys; /* of nobody */
    uint64_t issued_s, expires_s, signer_expires_s;
};
void rig_key_set(struct key_set *out, const struct key_set_recipe *r);

enum native_signer { BY_BUILDER, BY_SIGNER, BY_STRANGER, BY_OTHER_FLEET };

/* The device of a test program; for cmocka's group, which makes it, its keys and its epoch, and
 * takes it away again. */
extern struct rig *rig;
int rig_once(void **state);
int rig_end(void **state);
/* A plugin that drives the TMP105 at 0x48 as the sensor T1, and a module that logs its degrees, as
 * two digits, or "no". */
extern const struct recipe rig_t1_driver, rig_t1_reader;
/* Keys and epoch alone, for programs with rigs of their own. */
void rig_global_setup(void);
/* Let time advance the epoch while a module runs, for tests with endless loops. */
void rig_epoch_timer(bool on);

struct module rig_make(const struct recipe *recipe);
void rig_drop(struct module *m);

/* This module is the firmware's own from the next boot on; NULL: there is none. */
void rig_golden(struct rig *rig, const struct module *m);

/* Of a module, for the rig's target; and the claim signed again after a change of `says`. */
void rig_native(struct native *n, const struct module *m);
void rig_claim(struct native *n, enum native_signer signer);
/* Builders are trusted from the start; or no longer, for the next start. */
void rig_trust_builders(bool trust);

/* A device over sim, not yet started. */
void rig_init(struct rig *rig, struct flash_sim *sim);
/* The same for a device that is to be commissioned with a key set. */
void rig_init_keyed(struct rig *rig, struct flash_sim *sim);
/* The same with a bus, two chips, and room for plugins. */
void rig_init_plugins(struct rig *rig, struct flash_sim *sim);
int rig_commission(struct rig *rig, const struct key_set_recipe *r);
int rig_offer(struct rig *rig, const struct key_set_recipe *r);
/* The server says: key set 1, thermostat of this sequence, from this time for 1000 seconds. */
int rig_state(struct rig *rig, uint64_t issued_s, uint64_t sequence);
/* The same as the plan says, signed by the server or the stranger. */
int rig_state_plan(struct rig *rig, const struct sm_statement_plan *p, bool by_stranger);

/* Its bytes alone. */
size_t rig_statement(const struct sm_statement_plan *p, bool by_stranger,
                     uint8_t out[SM_STATEMENT_MAX]);

/* Power on, or reset by the watchdog, with memory that holds nothing of before. */
int rig_boot(struct rig *rig);

/* Run for ms, or until the device hangs; then it was reset by the watchdog, and true. */
bool rig_hangs(struct rig *rig, uint32_t ms);

/* Install what a recipe makes, in a deployment of its own, run two seconds, and report. */
int rig_try(struct rig *rig, const struct recipe *r);
/* begin, write in pieces, finish, under this deployment. */
int rig_install(struct rig *rig, const struct module *m, const char *action);
/* The same as one of the deployment's set: it is staged. */
int rig_stage(struct rig *rig, const struct module *m, const char *action);
/* The same with a native image; *native_err is what became of it. */
int rig_install_native(struct rig *rig, const struct module *m, const struct native *n,
                       const char *action, int *native_err);
int64_t rig_begin(struct rig *rig, const struct module *m, const char *action);

/* Steps until `ms` have passed. */
void rig_run(struct rig *rig, uint32_t ms);

/* Whether an event was told since boot; the last such one in *out, which may be NULL. */
bool rig_told(const struct rig *rig, enum sm_event_kind kind, struct rig_event *out);
/* Acknowledge every waiting event, as a server would. How many. */
unsigned rig_report(struct rig *rig);

/* Sequence of the module that application 0 runs; 0 when none does. Checks, independently of the
 * supervisor, that the bytes it runs are those of a module made by rig_make() with a good
 * signature. */
uint64_t rig_runs(struct rig *rig, uint16_t index);

#endif
