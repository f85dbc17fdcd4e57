/* What network calls are measured on: a gateway in memory behind a delay, a module with a session,
 * and native code with a client of its own over the same link.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_BENCH_FIELD_H
#define SANDMOTE_BENCH_FIELD_H

#include <sandmote/network.h>
#include "engine.h"

enum { FIELD_TOPICS = 20, FIELD_PAYLOAD = 32, FIELD_GATEWAYS = 2, FIELD_QUEUE = 2, FIELD_WAY = 4 };

/* What goes back, each with the time when it arrives. */
struct field_datagram {
    uint64_t at_ns;
    struct sm_mqttsn_packet packet; /* without data */
};

struct field {
    /* Given: the clock, and a wait until a time of it; NULL: time stands still. */
    uint64_t (*now_ns)(void);
    void (*wait_ns)(uint64_t until);
    uint32_t delay_ns; /* from a message to its answer */

    struct field_datagram way[FIELD_WAY];
    unsigned waiting;
    uint32_t taken; /* PUBLISH */
    uint16_t next_id;

    struct sm_network_port port;
    struct sm_network_place place;
    struct sm_network_cfg cfg;
    struct sm_network network;
    struct sm_network_session session;
    struct sm_host_port host_port;
    struct sm_host host;
    struct sm_manifest grants;
    uint8_t datagram[SM_NETWORK_DATAGRAM(FIELD_PAYLOAD)];
    uint64_t
        memory[(SM_NETWORK_MEMORY(FIELD_TOPICS, FIELD_GATEWAYS, FIELD_QUEUE, FIELD_PAYLOAD) + 7) /
               8];

    struct sm_mqttsn client;
    struct sm_mqttsn_gateway gateways[1];
    struct sm_mqttsn_topic topics[FIELD_TOPICS];
    char names[FIELD_TOPICS * SM_NETWORK_NAME_MAX];
    struct sm_mqttsn_request requests[1];
    uint8_t payloads[FIELD_PAYLOAD], inbox[128];
    int topic[FIELD_TOPICS];
    char name[16];

    struct bench_engine engine; /* given: its module */
    struct sm_wasm_linker linker;
    uint32_t stack[256];
    uint8_t pool[8192] __attribute__((aligned(8)));
};

/* Both are connected. 0 or not. */
int field_start(struct field *f);

/* So many calls of the module, or of native code, beginning as the export of that name does: how
 * many ended well. "restart" begins a new session, without topics. */
int field_module(struct field *f, const char *name, uint32_t n);
int field_native(struct field *f, const char *name, uint32_t n);

/* The first part of field_module(), which looks for the export, and the rest. */
int field_prepare(struct field *f, const char *name, uint32_t n);
int field_run(struct field *f);

#endif
