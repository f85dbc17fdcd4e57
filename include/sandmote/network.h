/* The network for modules: the MQTT-SN calls of "wasi_sn" (SPEC.md), a session for each instance.
 *
 * A network is what the sessions of a device share: the platform's links, the gateways that
 * modules get without a grant, and a place for one datagram. A session belongs to one application,
 * in whose list of parts (host.h) it stands, and holds a client of MQTT-SN (mqttsn_client.h). Calls
 * that wait for a gateway suspend their module; whoever owns the loop calls sm_network_step() when
 * a datagram has come and when it says, before the step of the device.
 *
 * Topics, gateways, rate and room in the queue come from the capabilities of the instance. An
 * instance that ends, in whatever way, takes its session with it: one DISCONNECT is sent, and if
 * that is lost the gateway notices by the keep-alive.
 *
 * One thread. Nothing is allocated. Whoever makes no session links nothing of this.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_NETWORK_H
#define SANDMOTE_NETWORK_H

#include <sandmote/host.h>
#include <sandmote/mqttsn_client.h>

#define SM_NETWORK_RATE        4u    /* calls a second that send something, without "rate/<n>" */
#define SM_NETWORK_RATE_MAX    1000u /* the most that can be granted */
#define SM_NETWORK_QUEUE       4u    /* messages that can wait, without "queue/<n>" */
#define SM_NETWORK_ADDRESS_MAX 47u   /* bytes of an address as a text */
#define SM_NETWORK_NAME_MAX    63u   /* bytes of a topic's name or a filter, in calls */
#define SM_NETWORK_KEEPALIVE_S 30u

/* ---- The platform ---------------------------------------------------------------------------- */

/* Links carry datagrams; one is one local port. No function waits. */
struct sm_network_port {
    void *ctx;
    /* Open a link. `wish` is the port that is wished, 0 for any; *port is the one that it got,
     * which may be another (on lines without ports the wish itself, or 1). The link's number, 0
     * upwards, or SM_ERR_LIMIT or SM_ERR_IO. */
    int (*open)(void *ctx, uint16_t wish, uint16_t *port);
    void (*close)(void *ctx, int link);
    /* An address as a text to the octets by which it is compared and sent to, and back; no names
     * are looked up. 0 or SM_ERR_INVALID. */
    int (*address)(void *ctx, const char *text, uint16_t port, struct sm_mqttsn_address *out);
    int (*text)(void *ctx, const struct sm_mqttsn_address *address,
                char out[SM_NETWORK_ADDRESS_MAX + 1], uint16_t *port);
    /* Send; hops, when it is not 0, limits how far a multicast goes. What cannot be sent is lost.
     */
    void (*send)(void *ctx, int link, const struct sm_mqttsn_address *to, const uint8_t *bytes,
                 size_t len, unsigned hops);
    /* A datagram that has come: its length, and from whom; 0 when there is none. One that is longer
     * than size is thrown away. */
    size_t (*receive)(void *ctx, int link, struct sm_mqttsn_address *from, uint8_t *buf,
                      size_t size);
};

struct sm_network_place {
    const char *address;
    uint16_t port;
};

/* Borrowed, with all it points to, for the network's life. */
struct sm_network_cfg {
    const struct sm_network_port *port;
    struct sm_clock clock;
    struct sm_entropy entropy;
    const char *prefix;                      /* in front of client ids; may be "" */
    const struct sm_network_place *gateways; /* that modules get for "", in this order of trying */
    uint8_t ngateways;
    struct sm_network_place search; /* asked for gateways by a search of ""; address NULL: nobody */
    uint8_t hops;                   /* of a search that says 0 */
    uint32_t retry_ms, search_ms;   /* as in struct sm_mqttsn_config */
    uint8_t retries;
    uint8_t *datagram; /* room for one, of all sessions: SM_NETWORK_DATAGRAM(longest message) */
    size_t datagram_size;
};
#define SM_NETWORK_DATAGRAM(payload)                                                               \
    SM_MQTTSN_DATAGRAM((payload) > SM_NETWORK_NAME_MAX ? (payload) : SM_NETWORK_NAME_MAX)

/* ---- A device's network ---------------------------------------------------------------------- */

struct sm_network {
    const struct sm_network_cfg *cfg;
    struct sm_network_session *first;
};

void sm_network_init(struct sm_network *n, const struct sm_network_cfg *cfg);

/* Take what has come and send what is due, of all sessions. Milliseconds until something is due
 * again, as sm_network_due(). */
uint32_t sm_network_step(struct sm_network *n);
/* UINT32_MAX: nothing until a datagram comes or a module calls. */
uint32_t sm_network_due(const struct sm_network *n);

/* All sessions leave their gateways: the device goes down. */
void sm_network_stop(struct sm_network *n);

/* ---- Sessions -------------------------------------------------------------------------------- */

/* What a session has room for. */
struct sm_network_room {
    uint8_t topics;   /* ids, and names of topics that a filter brings; at least 1 */
    uint8_t gateways; /* at least those of the network, and one */
    uint8_t queue;    /* messages of the longest kind; the most that "queue/<n>" can be */
    uint16_t payload; /* bytes of the longest message */
};

/* Bytes of memory for that. */
#define SM_NETWORK_MEMORY(topics, gateways, queue, payload)                                        \
    ((gateways) * sizeof(struct sm_mqttsn_gateway) + sizeof(struct sm_mqttsn_request) +            \
     (topics) * (sizeof(struct sm_mqttsn_topic) + SM_NETWORK_NAME_MAX) + (payload) +               \
     (queue) * (SM_MQTTSN_INBOX_HEAD + (payload)))

/* A call under way. */
struct sm_network_call {
    uint8_t kind;
    int token;
    uint32_t buf, len;
};

/* A capability "topic/<filter>:<rights>", taken apart. */
struct sm_topic_grant {
    const uint8_t *filter;
    size_t len;
    bool publish, subscribe;
};

/* False when a capability is no such; then it grants nothing. */
bool sm_topic_grant(const char *capability, struct sm_topic_grant *g);

/* What is wrong with a capability of the network ("is not ..."); NULL: nothing, or it is none. */
const char *sm_network_capability(const char *capability);

/* Fields are private but more; the large ones come last (see struct sm_mqttsn). Goes into the
 * application's list of parts. */
struct sm_network_session {
    struct sm_host_more more; /* first */
    struct sm_network *network;
    struct sm_network_session *next;
    struct sm_host *host; /* NULL: no instance */
    int link;             /* below 0: not started */
    struct sm_network_call call;
    struct sm_mqttsn_result result; /* of the call, once more.wake_ms is 0 */
    uint32_t grants;
    uint32_t sent, received; /* messages */
    uint32_t strange;        /* messages that came without a subscription that was granted */
    struct sm_network_room room;
    uint16_t port;
    uint16_t rate, queue, keepalive_s;
    uint8_t hops;
    bool named; /* it has connected by client_id */
    char client_id[SM_MQTTSN_OWN_ID_MAX + 1];
    struct sm_mqttsn_address everybody; /* whom a search asks */
    struct sm_mqttsn_address found;     /* by the last search; len 0: none */
    struct sm_host_bucket bucket;
    struct sm_mqttsn_config memory; /* where the client's things are */
    struct sm_mqttsn client;
    struct sm_topic_grant grant[SM_CAPABILITIES_MAX];
};

/* Add a session to a network, for good; memory, aligned to 8 bytes, of SM_NETWORK_MEMORY(). Both
 * are borrowed for its life. */
void sm_network_session_init(struct sm_network_session *s, struct sm_network *n,
                             const struct sm_network_room *room, void *memory);

/* Its messages that came and were dropped since its client started. */
uint32_t sm_network_dropped(const struct sm_network_session *s);

#endif
