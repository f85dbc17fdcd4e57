/* The supervisor: which module of each application runs, and for how long it may.
 *
 * One struct sm_device over one flash. Each application has two slots, a memory pool of its own and
 * a record in the store; nothing that happens to one application touches another. The owner calls
 * sm_device_step() in a loop; the update agent hands over modules with sm_device_install_*().
 *
 * What decides is on flash, and every decision is one record: the device may lose power or be
 * killed at any moment and goes on from the last one.
 *
 * Nothing here allocates, knows an OS or keeps file-scope state. One thread: all calls for one
 * struct sm_device come from the same one; only the epoch is advanced from elsewhere.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_DEVICE_H
#define SANDMOTE_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sandmote/crypto.h>
#include <sandmote/error.h>
#include <sandmote/host.h>
#include <sandmote/journal.h>
#include <sandmote/keyset.h>
#include <sandmote/manifest.h>
#include <sandmote/modbus.h>
#include <sandmote/sensors.h>
#include <sandmote/statement.h>
#include <sandmote/store.h>
#include <sandmote/trust.h>
#include <sandmote/wasm.h>

#define SM_DEVICE_REASON 160u

/* ---- Events ---------------------------------------------------------------------------------- */

/* Something that happened to a module. Pointers are valid until the callback returns, or until the
 * next call on the device. */
struct sm_event {
    enum sm_event_kind kind;
    uint64_t
        id; /* the same whenever it is told again, and no other event's on the device, but that
               TRAP and EPOCH of one installation begin anew after 1,024 traps; 0: not to report
             */
    uint16_t index; /* of the application */
    const char *name, *version;
    const char *action; /* the deployment that brought the module; may be empty */
    const char *detail; /* one line, may be empty */
    uint64_t sequence;
    const uint8_t *sha; /* SHA-256 of the module */
    int error;          /* enum sm_err, or 0 */
};

/* "INSTALLED", "TRAP", ...; "?" for anything else. */
const char *sm_event_name(enum sm_event_kind kind);

/* ---- Native images --------------------------------------------------------------------------- */

/* An instance that was just made, and the image that it is to run, which is verified: claimed by a
 * builder of this fleet, of this module, with these bytes. */
struct sm_device_native_job {
    uint16_t index; /* of the application */
    struct sm_wasm_inst *inst;
    const uint8_t *image;
    uint32_t len;
    const uint8_t *module_sha;
    uint32_t stack_bytes;      /* of the value stack */
    struct sm_wasm_pool *pool; /* for what it needs of memory */
    const char **why;          /* a constant phrase, with an error */
};

/* How this device runs native images, if it does. */
struct sm_device_native {
    uint32_t target; /* enum sm_native_target: images for another are refused */
    void *ctx;
    /* Where the linear memory of an application's next instance lies: a region that reads zero.
     * NULL, or a result of NULL: in its pool. */
    const struct sm_wasm_region *(*memory)(void *ctx, uint16_t index);
    /* 0, or an enum sm_err and *job->why; the instance is then interpreted. */
    int (*bind)(void *ctx, const struct sm_device_native_job *job);
};

/* A binder for the engine's own machine code (native.h), with any ctx. Slots must be mapped
 * executable and sectors be multiples of what images are aligned to: 4096 bytes on a host, 16 on a
 * microcontroller. Images that count on guard pages need a guarded region and memory in multiples
 * of 4096 bytes; whoever gives them one turns faults in it into traps. */
int sm_device_load_native(void *ctx, const struct sm_device_native_job *job);

/* ---- Post-mortems ---------------------------------------------------------------------------- */

/* An execution that trapped, or that is given up, as it stands: for a core dump. Everything is
 * borrowed until the callback returns, and nothing may run meanwhile. */
struct sm_device_core {
    uint32_t number;     /* of the note in the journal; 0 when it could not be written */
    uint16_t index;      /* of the application */
    const uint8_t *note; /* a post-mortem (postmortem.h) */
    uint32_t note_len;
    const struct sm_wasm_exec *exec;
    struct sm_wasm_inst *inst;
};

/* ---- The golden module ----------------------------------------------------------------------- */

/* What events about it have as their module's name; no module can be called so. */
#define SM_DEVICE_GOLDEN_NAME "golden module"

/* A module of the firmware's own, which runs in the first application's place, by its pool and its
 * limits, while no application has a module that may run, or those that have are backing off. It
 * lies in the firmware: no slot, record, floor or key set concerns it, and nothing can replace it
 * but another firmware. Before each start its signature is verified and its image is made anew in
 * memory. What it does is told in passing (STARTED, TRAP, REFUSED); a trap leaves a note in the
 * journal, and nothing else of it is written to the flash. One that traps is started again later
 * and later; one that is refused is not tried again before the next start of the device. */
struct sm_device_golden {
    const uint8_t *wasm;
    uint32_t len;
    const uint8_t *signature; /* 64 bytes of Ed25519 over all of it */
    const uint8_t *key;       /* that made it: the firmware's own, of no key set */
    void *image;              /* where its image goes; aligned to 8 */
    uint32_t image_size;
};

/* ---- Plugins --------------------------------------------------------------------------------- */

/* A plugin's sensor, and one of its functions: the type of what it gives or takes, 0 when there is
 * no such function. Private. */
struct sm_plugin_function {
    uint32_t func;
    uint8_t type; /* enum sm_wasm_type of its result */
};
struct sm_device_plugin {
    struct sm_device *device;
    struct sm_host *host;
    struct sm_sensor sensor;
    struct sm_sensor_driver driver;
    struct sm_capability capability[SM_PLUGIN_VALUES];
    struct sm_attribute attribute[SM_PLUGIN_ATTRIBUTES];
    struct sm_plugin_function read[SM_PLUGIN_VALUES];
    struct sm_plugin_function set[SM_PLUGIN_ATTRIBUTES], get[SM_PLUGIN_ATTRIBUTES];
    struct sm_modbus exchange; /* that its call waits for */
    bool exchanging;
    uint32_t exchange_buf, exchange_count; /* where registers that are read go; count 0: none */
    bool calling;                          /* one of its functions waits for an exchange */
    bool stale;                            /* it does so for a request that was given up */
    bool settled;                          /* on trial its attributes were set once */
    uint32_t at;                           /* of its values or attributes, one after the other */
    int32_t value[SM_PLUGIN_VALUES];
    uint32_t refused; /* calls beyond its bus and address */
    uint16_t index;
    int bus_error;   /* of its last transfer */
    bool registered; /* its sensor is in the registry */
    bool holds;      /* its sensor and bus, for a reading of its trial */
    bool trapped;    /* for a reader; the next step deals with it */
};

/* How this device runs plugins, if it does. A plugin is accepted for a sensor on one of these buses
 * when "plugin/<bus>/<address>" (the address in decimal) is among cfg->capabilities; on SPI an
 * address is the select line and 64 times the mode. No two sensors share an id or a place. */
struct sm_device_plugins {
    const struct sm_plugin_ops *ops;   /* &sm_device_plugin_ops; a program that does not name it
                                          does not have the code either */
    struct sm_device_plugin *plugins;  /* room for cfg->store.plugins; fields are private */
    const struct sm_bus *const *buses; /* that plugins may be bound to */
    size_t nbuses;
};
extern const struct sm_plugin_ops sm_device_plugin_ops;

/* ---- Configuration --------------------------------------------------------------------------- */

/* Borrowed, with all it points to, for the device's life. Optional fields are 0 for the default. */
struct sm_device_cfg {
    const struct sm_flash *flash;
    struct sm_store_cfg store;
    const char *fleet;
    enum sm_class cls;
    /* Whom it believes: either a fixed trust store, or room for the keys of the key set that it was
     * commissioned with; a device that has one does not start with the other. */
    const struct sm_trust *trust;
    struct sm_trust_key *keys;
    uint32_t nkeys;
    const struct sm_host_port *host;
    const char *const *capabilities; /* what may be granted; "x*" stands for all beginning with x */
    size_t ncapabilities;

    /* Counts up by one about every epoch_tick_ms, from a timer, an interrupt or a thread. */
    const volatile uint32_t *epoch;
    uint32_t epoch_tick_ms; /* at least 1 */

    /* Working memory for translating modules, aligned to 8 bytes; see sm_wasm_translate(). */
    void *scratch;
    size_t scratch_len;

    /* For each application what its instances import beside host.h: WASI (wasi.h), the network
     * (network.h), in this order; NULL: nothing. Class mcu has no WASI, whatever stands here. */
    struct sm_host_more *const *more;

    const struct sm_device_native *native;   /* NULL: native images are refused */
    const struct sm_device_golden *golden;   /* NULL: without a module that may run nothing runs */
    const struct sm_device_plugins *plugins; /* NULL: they are refused */

    /* Seconds since 1970 from a clock that may be wrong; 0 when it is not set. NULL: no clock. */
    void *wall_ctx;
    uint64_t (*wall_s)(void *ctx);

    /* Where the server's last statement is kept; NULL: the sequences that it names are not heeded.
     */
    uint8_t *statement;
    uint32_t statement_len;     /* SM_STATEMENT_MAX is always enough */
    uint32_t statement_grace_s; /* after a start without one, before that is an event; 0 = a day */

    /* A word that a reset by the watchdog leaves as it is; the port clears it at any other start.
     * The device notes in it whom it calls. So a module that did not return until the watchdog
     * reset the device is known at the next start, and that counts as a trap of it. NULL: of such
     * modules only one on trial is given up, when its starts are used up. */
    volatile uint32_t *called;

    void *event_ctx;
    void (*event)(void *ctx, const struct sm_event *event); /* may be NULL; must not call back */

    void *core_ctx;
    void (*core)(void *ctx,
                 const struct sm_device_core *core); /* may be NULL; must not call back */

    uint64_t memory_bytes;   /* most linear memory of a module; 0 = the class's */
    uint32_t epoch_ms;       /* longest time of one call; 0 = the class's */
    uint32_t table_entries;  /* most entries of a table; 0 = 4096 */
    uint32_t call_depth;     /* nested calls; 0 = 256 */
    uint32_t health_ms_max;  /* longest trial a manifest may ask for; 0 = 10 minutes */
    uint32_t good_ticks_max; /* most good ticks a manifest may ask for; 0 = 100 */
    uint32_t late_ticks_max; /* most late ticks a manifest may ask for; 0 = 1000 */
    uint32_t trap_window_s;  /* 0 = 300 */
    uint16_t free_installs;  /* installations without a commit before others must wait; 0 = 4 */
    uint8_t boots;           /* starts a trial has, power cuts included; 0 = 3 */
};

/* ---- Applications and plugins ---------------------------------------------------------------- */

enum sm_app_state {
    SM_APP_EMPTY,   /* no module that may run */
    SM_APP_STOPPED, /* to be started when due */
    SM_APP_WAITING, /* an instance is up, the next call is due later */
    SM_APP_PENDING  /* a call waits for the host */
};
enum sm_app_phase { SM_PHASE_START, SM_PHASE_ENTRY, SM_PHASE_HEALTH };

/* Set pool and pool_size, zero the rest. Fields other than these are private. */
struct sm_device_app {
    void *pool; /* value stack, instance and linear memory; aligned to 8 bytes */
    size_t pool_size;

    enum sm_app_state state;
    enum sm_app_phase phase;
    uint8_t slot;        /* the one that runs, 2 for the golden module, or SM_STORE_NO_SLOT */
    bool counted;        /* this session's start of the trial is on flash */
    bool paid;           /* the same of the set that it leads */
    bool follow_failed;  /* its set is committed, and its own record could not be */
    uint8_t avoid;       /* slots (bits) not to start again in this session: flash cannot say so */
    uint32_t acked[2];   /* events of the slots that the server has, not yet on flash */
    uint32_t good_ticks; /* since the instance was made */
    uint32_t late;       /* bucket of late ticks: each adds two, one in time takes one away */
    bool late_told;      /* it was full, and has not been empty since */
    uint64_t called_ms;  /* when the entry was called, by the host's clock */
    bool healthy;        /* the trial is passed, but could not be committed yet */
    uint64_t commit_ms;  /* that is not tried again before */
    uint32_t backoff_ms; /* before the next start, when there is nothing to go back to */
    uint16_t installs;   /* begun in this session since the last commit */
    uint64_t install_ms; /* when the latest of them was */
    uint8_t rest_slot;   /* backs off until rest_ms; meanwhile the golden module may run */
    uint64_t rest_ms;
    uint64_t due_ms;   /* of the next start or call */
    uint64_t trial_ms; /* when the trial began in this session */
    uint64_t up_ms;    /* when the instance was made */
    uint64_t tidy_ms;  /* the record is not tidied before */
    struct sm_manifest manifest;
    struct sm_wasm_module module;
    struct sm_wasm_store wasm;
    struct sm_wasm_exec exec;
    struct sm_wasm_inst *inst;
    struct sm_host host;
    uint32_t entry_func, health_func;
    bool has_health;
    bool native;    /* the instance runs a native image */
    uint8_t starts; /* how many of the calls that come before its entry are made */
    bool spent;     /* the instance is not called again: the next call gets a new one */
};

/* An installation under way; private. */
struct sm_device_install {
    bool open;
    bool set;
    uint16_t index;
    uint8_t slot;
    uint32_t written; /* bytes of the module handed to the writer */
    struct sm_slot_writer writer;
    bool native_open;
    uint32_t native_written;
    struct sm_native_claim claim;
    struct sm_slot_writer native_writer;
    char native_why[SM_STORE_DETAIL]; /* why there is no native image; "" when none was offered */
};

/* Fields are private. About 3.5 KB, of which the manifest is 1.8. */
struct sm_device {
    const struct sm_device_cfg *cfg;
    struct sm_store store;
    struct sm_journal journal;
    struct sm_device_app *apps;
    uint64_t start_ms, now_ms;
    uint32_t base_s; /* device time at start */
    struct sm_device_install install;
    struct sm_manifest work; /* of a module that is being looked at */
    struct sm_trust trust;   /* filled from the set whenever something is verified */
    struct sm_keyset set;    /* in force, in its flash area */
    bool has_set;
    uint8_t keys_area; /* that it is read from */
    uint32_t golden_backoff_ms;
    uint16_t golden_traps;  /* since start */
    uint32_t keys_acked[2]; /* as of an application */
    uint64_t keys_tidy_ms;
    uint64_t keys_note_ms;       /* what a server did wrong is not put on flash before */
    uint64_t keys_floor_ms;      /* nor a time floor */
    uint64_t time_base_s;        /* what time it was at start, at least */
    struct sm_statement current; /* the last one accepted in this session, if stated */
    uint64_t stated_s;           /* when the last one was issued: none from before is accepted */
    uint64_t watch_ms;
    bool stated, stale;
    char reason[SM_DEVICE_REASON];
};

/* Mount the flash and decide what runs; nothing runs before the first step. records has room for
 * cfg->store.applications + plugins, and so has apps.
 *
 * now_ms, here and below, is a monotonic clock in milliseconds from any point on.
 *
 * 0; or the errors of sm_store_mount(), or SM_ERR_ARG (a setting is missing); sm_device_reason()
 * has a sentence. */
int sm_device_start(struct sm_device *d, const struct sm_device_cfg *cfg,
                    struct sm_device_app *apps, struct sm_record *records, uint64_t now_ms);

/* Start, call and judge whatever is due: at most one call into each application, each for at most
 * its epoch. Returns the milliseconds until something is due again; UINT32_MAX for nothing. */
uint32_t sm_device_step(struct sm_device *d, uint64_t now_ms);

/* The operator returns to the committed module of the other slot. 0, or, nothing changed,
 * SM_ERR_NOT_FOUND (no such application), SM_ERR_STATE (nothing to return to, or a trial runs),
 * SM_ERR_ROLLBACK (below the security floor), SM_ERR_DENIED (it, or another one, would lack what it
 * requires), SM_ERR_IO. */
int sm_device_rollback(struct sm_device *d, const char *name, const char *why);

/* What an application is at. Pointers are valid until the next call on the device. */
struct sm_app_info {
    const struct sm_record *record;
    enum sm_app_state state;
    uint8_t slot; /* that runs or is due to, or SM_STORE_NO_SLOT */
    bool trial;
};
/* 0, or SM_ERR_NOT_FOUND past the last or for a place without a module. */
int sm_device_app(const struct sm_device *d, uint16_t index, struct sm_app_info *out);
int sm_device_find(const struct sm_device *d, const char *name, uint16_t *index);

/* Whether the golden module is what runs, or is due to. */
bool sm_device_golden_runs(const struct sm_device *d);

/* One sentence about the last error that any function here returned. */
const char *sm_device_reason(const struct sm_device *d);

/* ---- Key set (keyset.h) ---------------------------------------------------------------------- */

/* What events about the key set have as their module's name; no module can be called so. */
#define SM_DEVICE_KEYS_NAME "key set"

/* Give a device its first key set; it is sealed from then on. Whoever may do this is trusted with
 * the device: the set vouches for itself.
 *
 * 0, or, with a sentence in sm_device_reason() and nothing changed,
 *   SM_ERR_STATE  there is a set already, or this device has a fixed trust store
 *   SM_ERR_DENIED, SM_ERR_FULL, SM_ERR_LIMIT  another fleet, or more than this device has room for
 *   SM_ERR_IO     the flash failed; the next start finds the set or none
 *   the errors of sm_keyset_accept() */
int sm_device_keys_commission(struct sm_device *d, const uint8_t *bytes, size_t len);

/* The next key set, from whoever has it: it is in force when this returns 0, and what it stops has
 * stopped with the next step. The one in force, offered again, mends a copy that is damaged.
 *
 * 0, or, with the set that was in force still so,
 *   SM_ERR_STATE    this set is in force already; or, with a REFUSED event waiting, sets between
 *                   are missing. Not commissioned: no event
 *   SM_ERR_CORRUPT  the set in force is damaged and must be offered first
 *   as commissioning, with a REFUSED event waiting except for SM_ERR_IO */
int sm_device_keys_offer(struct sm_device *d, const uint8_t *bytes, size_t len);

/* The set in force; NULL without one, or when it is damaged. Valid until the next offer. */
const struct sm_keyset *sm_device_keys(const struct sm_device *d);

/* The version of a set in force that is damaged and has to be offered again; else 0. */
uint32_t sm_device_keys_missing(const struct sm_device *d);

/* The server's statement of what is current (statement.h). A device whose key set names a server's
 * key installs nothing while it has none that holds, and no module with a lower sequence than the
 * statement's. A STALE event, once until the next one that holds, tells of one that is refused, one
 * that ran out, and of none for statement_grace_s after a start: somebody may show this device what
 * was current once.
 *
 * nonce is what the server was asked with, SM_STATEMENT_NONCE random bytes: then only the answer to
 * that will do, and no clock is needed to know that it is fresh. NULL takes any.
 *
 * 0, or, with the statement before still in force while it holds,
 *   SM_ERR_STATE     no key set, or none that names a server's key
 *   SM_ERR_ROLLBACK  issued before another one, or names an older key set
 *   SM_ERR_EXPIRED   it holds no longer
 *   SM_ERR_INVALID   not the answer to this nonce, or issued later than the clock says it is
 *   the errors of sm_trust_verify_statement() */
int sm_device_statement(struct sm_device *d, const uint8_t *bytes, size_t len,
                        const uint8_t *nonce);
/* Whether a (newer) one is wanted; and whether nothing is installed for the lack of one. */
bool sm_device_statement_wanted(const struct sm_device *d);
bool sm_device_statement_lacking(const struct sm_device *d);

/* Seconds since 1970 that are certainly over: the latest of the clock, if there is one, and of what
 * was signed and accepted. Expiries are judged by it. */
uint64_t sm_device_time(const struct sm_device *d);

/* How often its most worn record sectors have been erased: sm_store_record_erases(). */
uint32_t sm_device_record_erases(const struct sm_device *d);

/* ---- Reports --------------------------------------------------------------------------------- */

/* The i-th event that the server does not have yet, oldest module first; SM_ERR_NOT_FOUND past the
 * last. They come from the flash: nothing is lost by a restart. */
int sm_device_event_at(const struct sm_device *d, uint32_t i, struct sm_event *out);

/* The server has it. Put on flash in the next step, those of one application together; until then
 * a restart would tell it again, with the same id. SM_ERR_NOT_FOUND: no such event waits. */
int sm_device_event_done(struct sm_device *d, uint64_t id);

/* Post-mortems that the server does not have, as sm_journal_waiting() and sm_journal_told(). They
 * are kept only where the store has room for a journal. */
int sm_device_note_at(const struct sm_device *d, uint32_t after, struct sm_journal_note *out);
int sm_device_note_done(struct sm_device *d, uint32_t number);
/* Post-mortems that are gone without the server having had them, as sm_journal_lost(). */
uint32_t sm_device_notes_lost(const struct sm_device *d);

/* ---- Install --------------------------------------------------------------------------------- */

struct sm_install_request {
    const char *name; /* of the module, as its manifest says */
    bool plugin;      /* it is offered as one */
    bool set;         /* it is one of a set: see sm_device_set_start() */
    uint8_t signature[SM_SIGNATURE_BYTES];
    uint8_t sha[SM_SHA256_SIZE]; /* of the whole module */
    uint32_t len;
    const char *action; /* the deployment, at most 24 printable characters; may be empty */
};

/* Begin to receive a module into the slot that is not in use, or go on with it: the same name,
 * signature, hash and length continue what an earlier session or connection left.
 *
 * The offset from which bytes are wanted, or, with a sentence in sm_device_reason() and no change,
 *   SM_ERR_ARG      a field is out of range
 *   SM_ERR_BUSY     another installation is open, a trial runs, the outcome of what the slot holds
 *                   has not been reported, or too many in a row came to nothing: after
 *                   free_installs of a name without a commit each waits for the one before to be a
 *                   minute ago, then two, up to an hour
 *   SM_ERR_STATE    this module is the committed one already, or staged in this deployment
 *   SM_ERR_DENIED   this module failed in this deployment before: it takes another deployment; or
 *                   it failed in three, as far as the latest four failures on record tell; or its
 *                   name is that of a module of the other kind
 *   SM_ERR_LIMIT    it does not fit the slot, or no place is left for the name
 *   SM_ERR_IO       the flash failed */
int64_t sm_device_install_begin(struct sm_device *d, const struct sm_install_request *req);

/* The next bytes. 0, or, the installation over,
 *   SM_ERR_LIMIT  more than were announced; the slot is discarded
 *   SM_ERR_IO     the flash failed; a later begin goes on
 *   SM_ERR_STATE  none is open */
int sm_device_install_write(struct sm_device *d, const void *bytes, uint32_t len);

/* All bytes are there: read them back, check hash and signature, only then look at manifest and
 * code, translate, and put the module on trial from the next step on. A plugin's release without a
 * sensor is never on trial: what was there under its name is gone when this returns, and nothing
 * below its sequence is accepted again.
 *
 * 0, or, the slot discarded and a REFUSED (DOWNLOAD_FAILED for SM_ERR_CORRUPT) event waiting,
 *   SM_ERR_STATE        bytes are missing (the installation stays open), or none is open
 *   SM_ERR_CORRUPT      not the bytes of that hash
 *   SM_ERR_SIGNATURE    the signature does not verify
 *   SM_ERR_KEY          the key may not sign this, it is revoked, or there is no key set
 *   SM_ERR_EXPIRED      the key set has expired, or no statement of what is current holds
 *   SM_ERR_MALFORMED, SM_ERR_INVALID, SM_ERR_UNSUPPORTED, SM_ERR_NOT_FOUND   manifest or code
 *   SM_ERR_ROLLBACK     not newer than the committed module, below the floor, or not current
 *   SM_ERR_LIMIT        more memory, stack, time than this device gives
 *   SM_ERR_DENIED       another fleet, name, class, kind; more capabilities than allowed; a bus or
 *                       an address that is not for plugins or has its sensor, or not what the
 *                       plugin that it replaces drives; what it requires is not there, or what
 *                       requires it forbids it
 *   SM_ERR_LINK         an import that no device of this interface version has
 *   SM_ERR_FULL         the image does not fit the slot
 *   SM_ERR_MEMORY       scratch is too small for a function
 *   SM_ERR_IO           the flash failed; the slot may be as before finish */
int sm_device_install_finish(struct sm_device *d);

/* A native image of the module that is being installed, between its last byte and finish: the claim
 * (claim.h) with its signature is checked before anything is written. Nothing of a native image can
 * fail an installation. begin with the claim of what is under way goes on with it, another starts
 * anew; so does everything after a restart or a suspension, as no record knows how far it came.
 *
 * The offset from which bytes are wanted, or, with a sentence in sm_device_reason() and the
 * installation open, SM_ERR_STATE        no installation is open, or bytes of the module are
 * missing SM_ERR_UNSUPPORTED  this device refuses native images, or it is for another target
 *   SM_ERR_MALFORMED, SM_ERR_SIGNATURE, SM_ERR_KEY, SM_ERR_INVALID  as sm_trust_verify_native()
 *   SM_ERR_DENIED       a claim about another module
 *   SM_ERR_FULL         the slot has no room for it
 *   SM_ERR_IO           the flash failed */
int64_t sm_device_native_begin(struct sm_device *d, const uint8_t *claim, size_t len);

/* Its next bytes. 0, SM_ERR_STATE (begin was not called), SM_ERR_LIMIT (more than claimed) or
 * SM_ERR_IO; after that one begin starts anew. */
int sm_device_native_write(struct sm_device *d, const void *bytes, uint32_t len);

/* All of it came (why is NULL), or it does not come, for this reason: finish then tells so in a
 * NATIVE_REFUSED event. 0, SM_ERR_STATE, or, told in the same way, SM_ERR_CORRUPT (not the bytes
 * claimed), SM_ERR_IO. */
int sm_device_native_end(struct sm_device *d, const char *why);

/* Several modules that are installed together or not at all. Each is installed with `set` in its
 * request and the same action, which is not empty: finish then verifies it like any other, but
 * leaves it in its slot, staged; what it requires may be in the set. When all are there, this puts
 * them on trial, by one record. The set is committed when all of them are healthy, again by one
 * record, and given up when one of them is: then all that were active before run on. Power may fail
 * meanwhile at any moment. A staged module that another installation of its name replaces is gone.
 *
 * 0; or, with a sentence in sm_device_reason() and nothing changed,
 *   SM_ERR_NOT_FOUND  nothing is staged for this action
 *   SM_ERR_DENIED     a member, or what is installed beside them, requires what would not be there
 *   SM_ERR_IO         the flash failed; the next start finds all of them on trial or none */
int sm_device_set_start(struct sm_device *d, const char *action);

/* Give up what is staged for an action, not yet on trial: REFUSED events wait with this reason, and
 * none of it is begun again in this deployment. 0 or SM_ERR_IO. */
int sm_device_set_drop(struct sm_device *d, const char *action, const char *why);

/* The connection broke: remember how far it came, for the next begin. */
void sm_device_install_suspend(struct sm_device *d);

/* Give up: the slot is discarded, and an event with this reason waits: DOWNLOAD_FAILED when error
 * is 0, else REFUSED, for what is known to be wrong without the bytes (an unsigned module); that
 * one is not begun again in its deployment. 0, SM_ERR_STATE (none is open) or SM_ERR_IO. */
int sm_device_install_abort(struct sm_device *d, int error, const char *why);

#endif
