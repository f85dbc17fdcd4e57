/* A server for updates in blocks as simple as it can be, and a way to it that loses, doubles,
 * reorders and cuts messages as a seed says. The device is the rig's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_TEST_BLOCKS_RIG_H
#define SM_TEST_BLOCKS_RIG_H

#include <sandmote/blocks.h>
#include "rig.h"

enum { FIELD_MESSAGES = 4096, FIELD_MODULES = 4, FIELD_EVENTS = 64 };

struct field_message {
    uint64_t at_ms;
    uint16_t len; /* 0: free */
    bool to_device;
    uint8_t bytes[SM_BLOCKS_MOST];
};

/* Set what is wanted, zero the rest. */
struct field {
    /* The way: percent of messages, and milliseconds. */
    unsigned lost, doubled, late, cut;
    uint32_t delay_ms, late_ms;
    bool down; /* nothing gets through */

    /* The server. */
    const char *action; /* "": nothing is to be done */
    bool set, unsigned_, states;
    const struct module *module[FIELD_MODULES];
    uint8_t count;
    const struct key_set *keys; /* the latest, or NULL */
    uint32_t keys_version;
    const struct sm_statement_plan *statement;
    const struct native *native; /* of one of the modules, or NULL */
    bool native_gone;            /* but only its claim is to be had */
    bool silent_on_claim;
    unsigned claims_asked;
    uint32_t poll_s;
    unsigned echo;         /* each block is sent so many times more */
    uint32_t wrong_length; /* added to the length of what is offered */
    bool beyond;           /* blocks behind the last one come too */
    bool silent_on_want, has_none;
    uint32_t loses; /* this block, once; 0: none */
    /* What it was told. */
    struct {
        uint64_t id;
        uint8_t kind;
        unsigned times; /* it was new only once */
    } event[FIELD_EVENTS];
    unsigned nevents;
    uint8_t outcome; /* of the last result */
    char result_of[SM_STORE_ACTION], why[SM_BLOCKS_TEXT + 1];
    unsigned results, states_told;
    bool takes_notes, forgets_notes;    /* post-mortems; and each beginning of one, once */
    bool silent_on_note, stuck_on_note; /* no answer; always from the first byte on */
    uint8_t note[20000];
    uint32_t note_number, note_crc, note_have, note_len; /* the last one */
    unsigned notes, note_parts;
    uint64_t note_bytes; /* that came of notes */
    uint64_t runs;       /* sequence of the last module that STATE told of */
    unsigned asked_blocks, sent_blocks, lost_blocks, asks;

    uint64_t rng;
    struct field_message queue[FIELD_MESSAGES];
    struct sm_blocks_cfg cfg;
    struct sm_blocks blocks;
    struct sm_entropy entropy;
    uint8_t buf[4096];
    uint8_t statement_bytes[SM_STATEMENT_MAX];
    size_t statement_len;
};

extern struct field field;

/* A field with its device's client, which talks in messages of 240 bytes. After rig_init(). */
void field_init(uint64_t seed);
/* The client after a start of the device: it knows nothing. */
void field_boot(void);
/* Let time pass for device, way and server. */
void field_run(uint32_t ms);
/* The same until the server has the result of its action, at most so long. */
void field_run_to_result(uint32_t ms);
/* Send the device a message as if from the server, over the way. */
void field_send(const struct sm_blocks_msg *m);

#endif
