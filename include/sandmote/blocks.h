/* Updates in blocks: signed modules, key sets and statements for devices that have no TCP.
 *
 * A device and its server exchange short messages over whatever carries them: MQTT, MQTT-SN, a
 * serial line. Messages may be lost, doubled, late or out of order. The device asks and the server
 * answers, so a device that sleeps decides when something comes; the server need not remember
 * anything between two questions.
 *
 * Nothing here is trusted: what comes goes into the slot by sm_device_install_*() and is believed
 * for the signatures in it, as everything that comes over HTTPS. What is here decides what to ask
 * for next.
 *
 * No I/O, no allocation, no clock: messages in, messages out, the time as an argument. SPEC.md
 * names the page with the bytes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_BLOCKS_H
#define SANDMOTE_BLOCKS_H

#include <sandmote/device.h>

/* ---- Messages: for both sides ---------------------------------------------------------------- */

#define SM_BLOCKS_FORMAT     1u
#define SM_BLOCKS_LEAST      240u       /* bytes of a message that every transport must carry */
#define SM_BLOCKS_MOST       1400u      /* of the longest message */
#define SM_BLOCKS_HEAD       9u         /* bytes of a BLOCK before its content */
#define SM_BLOCKS_TEXT       100u       /* bytes of a text of a message */
#define SM_BLOCKS_MODULES    16u        /* of a deployment; one with more is refused */
#define SM_BLOCKS_WINDOW     32u        /* blocks that one WANT may ask for */
#define SM_BLOCKS_NOTES_MOST (1u << 20) /* bytes of a post-mortem */

enum sm_blocks_kind {
    /* from the device; each but WANT has an answer with its token */
    SM_BLOCKS_POLL = 0x01,   /* what is there for me? -> STATUS */
    SM_BLOCKS_ASK = 0x02,    /* describe one thing -> OFFER or NONE */
    SM_BLOCKS_WANT = 0x03,   /* blocks -> BLOCKs, or NONE with the tag */
    SM_BLOCKS_REPORT = 0x04, /* an event -> ACK */
    SM_BLOCKS_RESULT = 0x05, /* what became of a deployment -> ACK */
    SM_BLOCKS_STATE = 0x06,  /* what the device is and runs -> ACK */
    SM_BLOCKS_NOTE = 0x07,   /* a part of a post-mortem -> ACK; NONE: from its begin again; FROM */
    /* from the server */
    SM_BLOCKS_STATUS = 0x81,
    SM_BLOCKS_OFFER = 0x82,
    SM_BLOCKS_BLOCK = 0x83,
    SM_BLOCKS_NONE = 0x84,
    SM_BLOCKS_ACK = 0x85,
    SM_BLOCKS_NEWS = 0x86, /* unasked: it is worth polling now */
    SM_BLOCKS_FROM = 0x87  /* of a post-mortem all is there up to here */
};

/* What an ASK asks for, and an OFFER describes. */
enum sm_blocks_what {
    SM_BLOCKS_MODULE = 1,  /* number: of the deployment's modules, from 0 */
    SM_BLOCKS_KEYS = 2,    /* number: the version of a key set */
    SM_BLOCKS_CURRENT = 3, /* a statement with this nonce */
    SM_BLOCKS_CLAIM = 4 /* number: a target; of the native image for it of the deployment's module
                           whose hash begins with this nonce */
};

/* sm_blocks_msg.flags */
#define SM_BLOCKS_SET      0x01u /* STATUS: its modules are installed together or not at all */
#define SM_BLOCKS_STATES   0x02u /* STATUS: the server says what is current */
#define SM_BLOCKS_NOTES    0x04u /* STATUS: the server takes post-mortems */
#define SM_BLOCKS_PLUGIN   0x01u /* OFFER of a module: it is offered as a plugin */
#define SM_BLOCKS_UNSIGNED 0x02u /* OFFER of a module: the server has no signature of it */
#define SM_BLOCKS_FIRST    0x01u /* STATE: what was said before holds no longer */
#define SM_BLOCKS_RUNS     0x02u /* STATE: name, version, sequence, sha are of a module that runs */
#define SM_BLOCKS_REMOVED  0x04u /* STATE: or of the release that removed a plugin */
#define SM_BLOCKS_GOLDEN   0x08u /* STATE: the golden module runs */

struct sm_blocks_text {
    const char *at; /* printable ASCII without an end; in the message's bytes */
    uint8_t len;
};

/* A message of any kind; a kind uses some of the fields, as the page with the bytes says. Pointers
 * are borrowed: a decoded message points into its bytes. */
struct sm_blocks_msg {
    uint8_t kind; /* enum sm_blocks_kind */
    uint8_t what, flags, count, format, event, outcome;
    uint16_t size;         /* POLL: most bytes of an answer; WANT: bytes of a block */
    uint32_t token;        /* of a question and its answer */
    uint32_t tag;          /* first four bytes of the SHA-256 of what blocks are of; NOTE: CRC-32C
                              of all of it */
    uint32_t first, mask;  /* WANT: block first + i is wanted if bit i is set; FROM: first byte that
                              is not there */
    uint32_t number;       /* BLOCK: of the block; NOTE: of the post-mortem; ASK, OFFER: see
                              enum sm_blocks_what */
    uint32_t keys;         /* POLL: the version wanted; STATUS: the latest; STATE: that in force */
    uint32_t length;       /* OFFER, NOTE: bytes in all */
    uint32_t seconds;      /* STATUS: until the next POLL; STATE: post-mortems lost */
    uint32_t error;        /* REPORT: enum sm_err with its sign turned */
    uint64_t id, sequence; /* REPORT: of the event; of the module */
    uint64_t uptime_ms;
    const uint8_t *sha, *signature, *nonce; /* 32, 64 and SM_STATEMENT_NONCE bytes */
    struct sm_blocks_text action, fleet, cls, name, version, detail;
    const uint8_t *bytes; /* BLOCK; NOTE: from byte `first` on */
    uint16_t bytes_len;
};

/* Read a message. 0, or, *out undefined, SM_ERR_UNSUPPORTED (a kind of message that is not known),
 * SM_ERR_MALFORMED (too short, too long, a text with other bytes, a number out of its range). */
int sm_blocks_decode(struct sm_blocks_msg *out, const uint8_t *bytes, size_t len);

/* Write one. Its length, or SM_ERR_MEMORY (size), SM_ERR_ARG (a kind that is not known, a field out
 * of its range). */
int sm_blocks_encode(const struct sm_blocks_msg *m, uint8_t *out, size_t size);

/* A text of a message from one that ends with zero, cut to SM_BLOCKS_TEXT; and back, cut to size.
 */
struct sm_blocks_text sm_blocks_text(const char *s);
void sm_blocks_copy(struct sm_blocks_text t, char *out, size_t size);
/* The tag of something with this hash. */
uint32_t sm_blocks_tag(const uint8_t sha[SM_SHA256_SIZE]);

/* ---- The device's side ----------------------------------------------------------------------- */

/* Borrowed for the client's life. Optional fields are 0 for the default. */
struct sm_blocks_cfg {
    struct sm_device *device;
    const char *fleet;
    const char *cls; /* device class, for the server's list */
    const struct sm_entropy *entropy;
    /* Blocks that came before one that is missing wait here, so the window is as many blocks as
     * fit. A key set, a statement or a claim must fit in whole: SM_STATEMENT_MAX and SM_CLAIM_MAX
     * are enough for the latter two; what is longer is not taken. */
    uint8_t *buf;
    uint32_t buf_len;
    uint16_t message_most;   /* bytes that the transport carries: SM_BLOCKS_LEAST to _MOST */
    uint16_t window;         /* blocks asked for at once, 1 to 32; 0 = 8 */
    uint32_t retry_ms;       /* first wait for an answer, doubled with each; 0 = 4 s */
    uint32_t retry_most_ms;  /* 0 = 5 minutes */
    uint32_t poll_least_s;   /* between two polls, whatever the server says; 0 = 10 s */
    uint32_t deadline_s;     /* for all of one module; 0 = a day */
    uint32_t bytes_per_byte; /* most bytes received of a module for each of its length, and sent of
                                a post-mortem; 0 = 4 */
    /* More than a note that waits (a core dump with this note in it): 0 and *bytes, borrowed until
     * the next call; or anything else, and the note is told. With note NULL, what was borrowed is
     * of no use any more. NULL: notes are all there is. */
    void *core_ctx;
    int (*core)(void *ctx, const struct sm_journal_note *note, const uint8_t **bytes,
                uint32_t *len);
};

/* What came and was of no use, since start. */
struct sm_blocks_counts {
    uint32_t malformed;  /* messages that are none */
    uint32_t unasked;    /* answers to nothing that is asked now, another deployment's blocks */
    uint32_t duplicates; /* blocks that are there already */
    uint32_t retries;    /* questions that were asked again */
    uint32_t blocks;     /* that were of use */
};

enum sm_blocks_fate { SM_BLOCKS_OPEN, SM_BLOCKS_GOOD, SM_BLOCKS_BAD };

/* What is known of a module of the deployment; private. */
struct sm_blocks_chunk {
    uint8_t fate; /* enum sm_blocks_fate */
    bool known;   /* index and sha are there: it is, or was, in a slot */
    uint16_t index;
    uint8_t sha[SM_SHA256_SIZE];
};

/* Until when something may come, and how many bytes of messages with it; private. */
struct sm_blocks_bound {
    uint64_t deadline_ms, bytes_left;
    uint8_t sha[SM_SHA256_SIZE];
};

/* Fields are private. About 1.5 KB. */
struct sm_blocks {
    const struct sm_blocks_cfg *cfg;
    uint64_t now_ms, start_ms;
    uint64_t poll_ms, polled_ms; /* when to poll next; when the last one was answered */
    uint8_t asking;              /* enum sm_blocks_kind of what is under way; 0: nothing */
    bool sent;                   /* and waits for its answer, until due_ms */
    uint64_t due_ms;
    uint32_t tries, token;
    uint8_t what; /* of an ASK, and of what is fetched */
    uint32_t number;
    uint8_t nonce[SM_STATEMENT_NONCE];
    uint64_t event_id;        /* of a REPORT */
    bool notes;               /* the server takes post-mortems */
    uint32_t note_told;       /* up to this one */
    uint32_t note;            /* being told, */
    const uint8_t *note_core; /* as this, or NULL: as it stands in the journal */
    uint32_t note_len, note_crc, note_at, note_part; /* all of it, from where, how much */
    uint64_t note_left;                              /* bytes that may still be sent of it */
    bool note_unheard;                               /* it was asked in vain */

    bool polled, states, asked_current;
    uint32_t keys_latest, keys_refused;

    char action[SM_STORE_ACTION]; /* the deployment; "" none */
    bool set, closed, broken;
    uint8_t count; /* of its modules */
    struct sm_blocks_chunk chunk[SM_BLOCKS_MODULES];
    char why[SM_BLOCKS_TEXT + 1]; /* it comes to nothing */
    uint64_t hold_ms;             /* nothing more is done for it before */

    /* A module of the deployment that is looked at. */
    bool offered, is_signed;
    struct sm_install_request offer; /* its name is the next field, its action the one above */
    char name[SM_NAME_MAX + 1];
    uint8_t at; /* of the modules */

    /* What is being fetched: the module offered, or something small, which goes to buf. */
    bool fetching, small;
    uint8_t sha[SM_SHA256_SIZE];
    uint32_t length, have;           /* bytes, and those in order */
    uint32_t waiting;                /* bit i: block have / size + i is in buf */
    uint32_t base, last, wanted;     /* of the WANT under way: blocks, and bits not answered */
    struct sm_blocks_bound bound[3]; /* of a module, something small, a native image */
    uint8_t native;                  /* enum sm_blk_native: of the module that is looked at */

    uint16_t state_next;    /* the application that the next STATE message is about */
    uint32_t state_telling; /* CRC of the state that is being told, or was last */
    bool stated;            /* all of it */
    struct sm_blocks_counts counts;
};

/* 0, or SM_ERR_ARG: a setting is missing or out of range. */
int sm_blocks_init(struct sm_blocks *b, const struct sm_blocks_cfg *cfg, uint64_t now_ms);

/* A message came. 0, or, it is dropped and counted, SM_ERR_MALFORMED (or _UNSUPPORTED) or
 * SM_ERR_STATE (not the answer to what is asked now). */
int sm_blocks_input(struct sm_blocks *b, const uint8_t *bytes, size_t len, uint64_t now_ms);

/* Go on: to be called after each step of the device, each message, and the time that the last call
 * gave. The length of a message to be sent, which is in out (size at least the transport's most);
 * call again until it is 0. Then *wait_ms is the time after which it wants to be called again; when
 * nothing is asked meanwhile (sm_blocks_idle()), a device may sleep that long. */
size_t sm_blocks_step(struct sm_blocks *b, uint64_t now_ms, uint8_t *out, size_t size,
                      uint32_t *wait_ms);
bool sm_blocks_idle(const struct sm_blocks *b);

/* The transport is there (again): what waits for an answer or for its time is asked now. */
void sm_blocks_wake(struct sm_blocks *b, uint64_t now_ms);

/* How far the module that comes in is: false when none does. */
bool sm_blocks_progress(const struct sm_blocks *b, const char **name, uint32_t *have,
                        uint32_t *length);

#endif
