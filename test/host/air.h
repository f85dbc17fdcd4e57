/* Modules in the air: instances of one module that makes any network call (network.wat), links that
 * lose and hold back datagrams, two gateways, and a clock set by hand.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_TEST_AIR_H
#define SM_TEST_AIR_H

#include <sandmote/network.h>

enum { AIR_GUESTS = 2, AIR_TOPICS = 6, AIR_QUEUE = 6, AIR_PAYLOAD = 64, AIR_GATEWAYS = 3 };
enum { AIR_HEARD = 64, AIR_LINES = 32, AIR_DATAGRAM = 256, AIR_WAITING = 64 };

/* Where a guest has its texts, its buffer and its record. */
enum { AT_ONE = 0, AT_TWO = 128, AT_BUF = 256, MEMORY = 4096 };

/* A gateway takes everything, knows every topic by one id, and keeps nothing but what a sleeper
 * will ask for. Its address as a text is "gw1" or "gw2"; "all" reaches the first one. */
struct air_gateway {
    bool silent;       /* hears nothing */
    uint8_t code;      /* its next acknowledgement says this */
    uint16_t asked[4]; /* how often: CONNECT, REGISTER, PUBLISH, DISCONNECT */
};
enum { ASKED_CONNECT, ASKED_REGISTER, ASKED_PUBLISH, ASKED_DISCONNECT };

struct air_datagram {
    int link;    /* whose it is, or whom it is for */
    int gateway; /* from, or to: 0, 1, or -1 for "all" */
    uint64_t at_ms;
    unsigned hops;
    size_t len;
    uint8_t bytes[AIR_DATAGRAM];
};

struct air_guest {
    struct air *air;
    struct sm_host host;
    struct sm_manifest grants;
    struct sm_network_session session;
    struct sm_wasm_store store;
    struct sm_wasm_inst *inst;
    struct sm_wasm_exec exec;
    uint32_t stack[256];
    _Alignas(8) uint8_t pool[MEMORY + 8192];
    _Alignas(8) uint8_t memory[SM_NETWORK_MEMORY(AIR_TOPICS, AIR_GATEWAYS, AIR_QUEUE, AIR_PAYLOAD)];
};

struct air {
    uint64_t now_ms;
    uint32_t delay_ms; /* each way */
    unsigned lose;     /* of what is sent by anybody, so many more are lost */
    unsigned links;    /* open */
    uint16_t port[8];  /* of each link, 0: closed */
    bool no_links;
    struct sm_network network;
    struct sm_network_cfg cfg;
    struct sm_network_port port_ops;
    struct sm_network_place gateway_place[2];
    struct sm_host_port port_host;
    struct air_gateway gateway[2];
    bool asleep[8]; /* of each link, as the gateway knows */
    char client_id[8][32];
    struct air_datagram way[AIR_WAITING]; /* under way to modules, in the order of sending */
    unsigned waiting;
    struct air_datagram kept[AIR_WAITING]; /* for sleepers */
    unsigned nkept;
    struct air_datagram heard[AIR_HEARD]; /* all that modules sent */
    unsigned sent;
    char published[32][AIR_PAYLOAD + 32]; /* "topic=payload" */
    unsigned publications;
    char topic[16][SM_NETWORK_NAME_MAX + 1]; /* id is 100 and the place */
    unsigned topics;
    uint8_t datagram[SM_NETWORK_DATAGRAM(AIR_PAYLOAD)];
    struct sm_wasm_module module;
    _Alignas(8) uint8_t image[4096];
    uint32_t epoch;
    struct air_guest guest[AIR_GUESTS];
    char line[AIR_LINES][SM_HOST_LOG_MAX + 1];
    unsigned lines;
};

void air_init(struct air *a);

/* A guest that was granted these, up to a NULL, named "guest0", "guest1". */
struct air_guest *air_guest(struct air *a, unsigned i, const char *const *grants);
/* It ends, as by a trap. */
void air_end(struct air_guest *g);

#define PENDING INT32_MIN     /* the call waits */
#define TRAPPED INT32_MIN + 1 /* it trapped */

/* A call that returns at once, or PENDING; and one that is waited for. */
int32_t air_begin(struct air_guest *g, const char *name, const uint32_t *args);
int32_t air_wait(struct air_guest *g);
int32_t air_call(struct air_guest *g, const char *name, const uint32_t *args);
/* Time goes by. */
void air_run(struct air *a, uint32_t ms);
/* Any bytes, as if from a gateway (2: from somebody else). */
void air_inject(struct air *a, int link, int gateway, const uint8_t *bytes, size_t len);
/* What somebody publishes to whom is subscribed, or not. */
void air_publish(struct air *a, struct air_guest *g, const char *topic, const char *payload);

/* With texts put into the guest's memory, and the buffer at AT_BUF. */
int32_t air_start(struct air_guest *g, uint32_t port);
int32_t air_connect(struct air_guest *g, const char *client, const char *address, uint32_t port);
int32_t air_search(struct air_guest *g, const char *address, uint32_t port, uint32_t hops);
int32_t air_register(struct air_guest *g, const char *topic);
int32_t air_send(struct air_guest *g, int32_t topic, int32_t qos, const char *payload);
int32_t air_subscribe_to(struct air_guest *g, const char *filter, int32_t qos);
int32_t air_get(struct air_guest *g, int32_t topic, uint32_t len);
/* A call of one argument, or of none. */
int32_t air_do(struct air_guest *g, const char *name, int32_t arg);
int32_t air_error(struct air_guest *g);
uint8_t *air_memory(struct air_guest *g);

#endif
