/* One device in its world: modules, a server, an operator, a clock; and the rules it must keep.
 *
 * The device is the product's own code, linked as products link it, over a simulated flash. A
 * session is one life of it between power on and power off, with an input that says what the world
 * does meanwhile. Nothing but the flash outlives a session. While it goes on the rules of
 * doc/fault.md are checked: at each record that is put, at each call into a module, at its end.
 * A rule that is broken ends the session.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_FAULT_WORLD_H
#define SM_FAULT_WORLD_H

#include <sandmote/device.h>
#include "flash_sim.h"

/* ---- Modules --------------------------------------------------------------------------------- */

/* Applications, all of the same code under different manifests, and drivers: plugins, the same.
 * Sequences have one length in CBOR, so all modules of a kind have the same length. */
enum subject_kind {
    SUBJECT_PLAIN, /* its security floor is below everything */
    SUBJECT_FLOOR, /* its security floor is its own sequence */
    SUBJECT_EVIL,  /* the plain one of this sequence and its signature, and bytes behind */
    SUBJECT_NEEDS, /* a plain one that needs the driver of its own sequence, or a later one */
    DRIVER_PLAIN,  /* signed by its vendor */
    DRIVER_EVIL,   /* the same, signed by the key that signs applications */
    DRIVER_GONE,   /* a release that removes the driver */
    SUBJECT_KINDS
};

enum { SEQUENCE_FIRST = 1000, SEQUENCES = 3000, FLOOR_LOW = 300 };

struct subject {
    uint32_t sequence;
    enum subject_kind kind;
    bool good; /* signed by who may sign it */
    uint8_t *bytes, *image;
    uint32_t len, image_len;
    uint8_t sig[64], sha[32], image_sha[32];
};

const struct subject *subject(uint32_t sequence, enum subject_kind kind);
/* The one whose hash begins so, among those made until now; NULL for none. */
const struct subject *subject_of(const uint8_t sha[8]);
/* Of a CRC of a deployment's text: its letter and sequence; false when unknown. */
bool deployment_of(uint32_t crc, char *letter, uint32_t *sequence);

/* A key set as it may be on a device: its version and the module that it stops, if any. */
struct key_set {
    uint32_t version;
    const struct subject *stops;
    bool bad; /* its signature is a stranger's */
    uint8_t *bytes, sha[32];
    uint32_t len;
};

enum { KEY_SET_FIRST = 300, KEY_SETS = 600 };

const struct key_set *key_set(uint32_t version, const struct subject *stops, bool bad);
/* The one with this hash, among those made until now; NULL for none. */
const struct key_set *key_set_of(const uint8_t sha[32]);

/* ---- Inputs ---------------------------------------------------------------------------------- */

enum health {
    ALL_GOOD,
    TRIAL_TRAPS,  /* a module on trial traps, a committed one is good */
    TRIAL_SPINS,  /* the same with an endless loop, which the epoch ends */
    TRIAL_SICK,   /* and with a health that says no until the trial's time is over */
    TRIAL_HANGS,  /* and with a hang of the device, which the watchdog resets */
    LATE_TRAPS,   /* good on trial; committed, the newest module traps at each tick */
    ALL_TRAP,     /* every module traps at each tick */
    WAS_HUNG,     /* all are good now, but the watchdog found the one to run hanging last time */
    DRIVER_TRAPS, /* the driver on trial traps, an application is good */
    HEALTHS
};

enum offer {
    UNREACHABLE,     /* no contact */
    NOTHING,         /* contact, nothing to install */
    NEWER,           /* a module newer than all, under a deployment of its own */
    NEWER_FLOOR,     /* the same, and nothing older may run once it is committed */
    AGAIN,           /* what the slot not in force holds or held, in the same deployment */
    AGAIN_FRESH,     /* the same in another one */
    OLDER,           /* a module just older than the active one, if that is not such a one itself */
    EVIL,            /* a module that nobody signed as it is */
    TORN,            /* newer, and the connection breaks in the middle */
    GARBLED,         /* newer, and a byte changes on the way */
    DEAF,            /* newer, from a server that reports do not reach */
    KEYS_NEXT,       /* the next key set */
    KEYS_STOP,       /* the next one, which revokes the active module, at once */
    KEYS_OLD,        /* the one before the one in force */
    KEYS_BAD,        /* the next one, signed by nobody who may */
    DRIVER_NEWER,    /* a driver newer than all */
    DRIVER_REMOVAL,  /* a release that removes it */
    DRIVER_UNSIGNED, /* one that its vendor did not sign */
    SET_NEWER,       /* an application and the driver that it needs, together */
    SET_AGAIN,       /* what is there of such a set, of an earlier session */
    NOTE_COMES,      /* of the journal alone: a note comes in */
    NOTE_TAKEN,      /* one, the server takes all that wait, and another comes in */
    NOTES_TAKEN,     /* the server takes all that wait */
    STATED_SAME,     /* a newer module, and again what the server said was current then */
    STATED_LATER,    /* the server says that one newer than the one it offers is current */
    STATED_BEFORE,   /* a newer module, with a statement from before the last one */
    UNSTATED,        /* a newer module, and nothing said */
    OFFERS
};

struct input {
    uint8_t health, offer;
    bool rollback;    /* the operator returns to the previous module */
    bool new_engine;  /* before power on the firmware was replaced: images are of another build */
    bool long_uptime; /* the session outlasts the trap window */
};

extern const struct input inputs[];
extern const unsigned ninputs;
extern const uint64_t core_inputs;     /* bits: good updates, none, bad ones */
extern const uint64_t main_inputs;     /* those, with floors, unsigned, given up, hanging */
extern const uint64_t firmware_inputs; /* good and bad updates, none, the operator, new firmware */
extern const uint64_t offer_inputs; /* good updates, none, the last again, older, broken, garbled */
extern const uint64_t hang_inputs;  /* good updates, hangs, and starts after them that know of it */
extern const uint64_t sick_inputs;  /* good updates, modules that spin or are sick, deaf servers */
extern const uint64_t late_inputs; /* good updates, modules that trap late or always, long uptime */
extern const uint64_t again_inputs;  /* good updates, and the last again in another deployment */
extern const uint64_t keys_inputs;   /* good updates, none, key sets */
extern const uint64_t driver_inputs; /* newer drivers, good and bad, and removals */
extern const uint64_t set_inputs;    /* sets, good and bad */
extern const uint64_t plugin_inputs; /* those, and good applications */
extern const uint64_t stated_inputs; /* good updates with and without statements, key sets */
extern const uint64_t note_inputs;   /* of the journal */
extern const uint64_t common_inputs; /* those that mean something without a driver */
void input_text(const struct input *in, char *out, size_t size);

/* ---- The world ------------------------------------------------------------------------------- */

/* Devices differ in whom they trust, and in what they have room for. */
enum setting {
    ONE_APPLICATION, /* and a fixed trust store */
    WITH_KEY_SETS,   /* one application; commissioned with a key set */
    WITH_STATEMENTS, /* the same, and the server says what is current */
    WITH_DRIVER,     /* an application and a plugin; a fixed trust store */
    JOURNAL_ALONE    /* no device: a store, and notes in its journal (notes.h) */
};

enum { MODULES_MAX = 2, NOTE_BLOCKS = 3, NOTES_KEPT = 4 };

/* What was promised of the journal: numbers, and the notes that must wait. */
struct promised {
    uint32_t number, told, lost; /* of the last entry that is on flash */
    uint32_t block, newer;       /* which was written last, and the first number in it */
    struct note {
        uint32_t number, input; /* what it was in the session that made it */
    } kept[NOTES_KEPT];
};

/* Numbers of the last record of each module, and behind them of the key set, that was put, or that
 * a mount found; 0 none. What the device has acted on, and must find again. */
struct known {
    uint64_t seq[MODULES_MAX + 1];
    struct promised notes;
};

enum { WORLD_POOL = 4096, WORLD_SCRATCH = 12288, WORLD_GOLDEN = 1024, WORLD_EVENTS = 16 };

struct world {
    struct flash_sim sim;
    struct sm_device dev;
    struct sm_device_cfg cfg;
    struct sm_device_app apps[MODULES_MAX];
    struct sm_record records[MODULES_MAX];
    struct sm_host_port host;
    struct sm_sensors sensors;
    struct sm_bus bus;
    struct sm_device_plugin plugin;
    struct sm_device_plugins plugins;
    struct sm_device_golden golden;
    struct sm_trust_key keys[4];
    uint64_t now_ms;
    volatile uint32_t epoch;
    volatile uint32_t called; /* the word that a watchdog's reset leaves as it is */

    const struct input *in;
    struct known known;
    uint64_t acked[WORLD_EVENTS]; /* ids that the server got in this session */
    unsigned nacked;
    unsigned starts_paid[MODULES_MAX]; /* of the trial, in this session */
    uint32_t ticks[MODULES_MAX]; /* calls that a module began in this session, since its trial began
                                  * if it did so in it */
    bool operator_asked;         /* the operator's return is under way */

    uint64_t stated_s; /* when the server's statement of this session was made; 0 none */
    uint32_t offered;  /* sequence of the module that the device took; 0 none */

    bool unreliable;  /* the flash may fail or rot: bytes need not be there */
    uint32_t differs; /* healths (bits) of which some module would have shown by now that they are
                       * not the one of this session, or a rule would have said something else */
    uint32_t emitted; /* event kinds (bits) that the device told of in this session */

    bool trace;
    void (*mounted)(
        void);   /* or NULL: called when the store is mounted and the rules have seen it */
    jmp_buf end; /* of a session: 1 watchdog, 2 a rule is broken, 3 by mounted() */
    char broken[200];

    _Alignas(16) uint8_t pool[MODULES_MAX][WORLD_POOL];
    _Alignas(16) uint8_t scratch[WORLD_SCRATCH];
    _Alignas(16) uint8_t golden_image[WORLD_GOLDEN];
    uint8_t statement[SM_STATEMENT_MAX];
};

/* One world a process. Makes the keys; world_init() a device on blank flash of this geometry. */
extern struct world *world;
void world_init(enum setting setting, uint32_t sector, uint32_t unit, uint8_t erased);

/* The layout of this geometry's flash. */
const struct sm_layout *world_layout(void);

/* What the input does to the flash before power on. */
void world_before(const struct input *in);

/* Lives one session on the flash as it is. `known` must be set. 0; 1 when the watchdog ended it; 2
 * when a rule is broken, which `broken` says; 3 when mounted() ended it. Power cuts go to
 * sim.power. */
int world_session(const struct input *in);

/* Whether the session that just ended left the device where it should be with the module that it
 * was offered, or with the set of both modules of this sequence: a good one is committed and runs;
 * a bad one was tried and what was active before runs; and all is reported. */
bool world_settled(uint32_t sequence, bool set);

/* What runs at a place: the sequence of a verified module, 1 for the golden one, or 0. */
uint32_t world_runs(unsigned index);

#endif
