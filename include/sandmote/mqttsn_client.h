/* A client of MQTT-SN 1.2, without I/O: datagrams in, datagrams out, time as an argument.
 *
 * The caller hands every datagram that comes to sm_mqttsn_feed(), sends what sm_mqttsn_poll() gives
 * until that gives nothing, and calls it again at sm_mqttsn_deadline(). Requests (connect,
 * register, publish ...) only note what is wanted and return a token at once; sm_mqttsn_take() says
 * how it ended. Nothing here blocks, allocates or knows an operating system; a client takes the
 * memory that its configuration gives it, and may be moved to another thread between two calls.
 *
 * Time is milliseconds of a monotonic clock that never goes back.
 *
 * Source of the rules: MQTT-SN Protocol Specification 1.2, section 6; what it leaves open is
 * decided in doc/mqtt-sn.md.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_MQTTSN_CLIENT_H
#define SANDMOTE_MQTTSN_CLIENT_H

#include <sandmote/mqttsn.h>

#define SM_MQTTSN_OWN_ID_MAX 23u /* octets of our client id, as the specification says */

/* Where a gateway is. Only the transport knows what the octets mean; here they are compared, and go
 * into GwAdd as they are. len 0 is everybody in reach (multicast); a transport with a single peer
 * uses any other address. */
#define SM_MQTTSN_ADDRESS_MAX 24u
struct sm_mqttsn_address {
    uint8_t len;
    uint8_t bytes[SM_MQTTSN_ADDRESS_MAX];
};

bool sm_mqttsn_address_same(const struct sm_mqttsn_address *a, const struct sm_mqttsn_address *b);

/* ---- Memory that the caller gives; what is in it is private unless said otherwise ---- */

struct sm_mqttsn_gateway {
    struct sm_mqttsn_address address; /* len 0: free */
    uint8_t id;                       /* GwId; 0 when the caller named the gateway */
    bool fixed;                       /* named by the caller: never forgotten */
    bool advertised;                  /* until_ms counts */
    uint32_t failed;                  /* 0: not; else the later, the higher */
    uint64_t until_ms;                /* forgotten without a new ADVERTISE */
};

struct sm_mqttsn_topic {
    uint16_t id;       /* at the gateway; 0: not known there yet */
    uint8_t type;      /* enum sm_mqttsn_topic_type */
    uint8_t flags;     /* see client.h */
    uint8_t qos;       /* of the subscription wished, or granted */
    uint16_t name_len; /* 0: predefined or short */
};

struct sm_mqttsn_request {
    uint8_t kind, state; /* see client.h */
    bool forgotten;      /* nobody waits for the result */
    bool retain, again;
    int8_t qos;
    uint8_t topic_type;
    uint16_t topic, msg_id, len;
    uint16_t generation;
    int16_t how; /* it ended: 0, an enum sm_err, or the gateway's return code */
};

struct sm_mqttsn_config {
    const char *client_id; /* 1 to SM_MQTTSN_OWN_ID_MAX octets; borrowed for the client's life */
    uint32_t seed;         /* random: first message id and delays */
    uint32_t retry_ms;     /* Tretry; 0: 10000 */
    uint32_t wait_ms;      /* Twait, after "congestion"; 0: 360000 */
    uint32_t search_ms;    /* Tsearchgw, most of the random delay before a search; 0: 5000 */
    uint8_t retries;       /* Nretry: sends of one message are 1 + retries; 0: 3 */
    bool answer_searches;  /* tell other clients of the gateways we know */

    struct sm_mqttsn_gateway *gateways;
    uint8_t ngateways; /* at least 1 */
    struct sm_mqttsn_topic *topics;
    uint8_t ntopics;    /* at least 1: registered, subscribed, and those the gateway names */
    char *names;        /* ntopics * name_size octets */
    uint16_t name_size; /* longest topic name or filter */
    struct sm_mqttsn_request *requests;
    uint8_t nrequests;     /* at least 1: under way or with a result that nobody took */
    uint8_t *payloads;     /* nrequests * payload_size octets */
    uint16_t payload_size; /* longest payload to publish */
    uint8_t *inbox;        /* messages that came; each takes SM_MQTTSN_INBOX_HEAD and its payload */
    uint32_t inbox_size;
};
#define SM_MQTTSN_INBOX_HEAD 6u

/* ---- The client ---- */

enum sm_mqttsn_state {
    SM_MQTTSN_DISCONNECTED, /* also with a search under way */
    SM_MQTTSN_CONNECTING,   /* at the caller's wish */
    SM_MQTTSN_ACTIVE,
    SM_MQTTSN_ASLEEP,
    SM_MQTTSN_AWAKE, /* asleep, and asking for what came meanwhile */
    SM_MQTTSN_LOST   /* was connected, is so no more, and tries to be again */
};

/* What happened; each counts from 0 at sm_mqttsn_init() and may wrap. */
struct sm_mqttsn_counts {
    uint32_t sent, received; /* datagrams */
    uint32_t retransmitted;
    uint32_t malformed;  /* dropped: not a message */
    uint32_t unexpected; /* dropped: a message that means nothing now, or from a stranger */
    uint32_t dropped;    /* messages (PUBLISH) for which the inbox had no room */
    uint32_t duplicates; /* QoS 2 messages that came again */
    uint32_t reconnects; /* connections lost or ended by the gateway, and begun again */
};

/* A wait for an answer; private. */
struct sm_mqttsn_exchange {
    uint8_t step;    /* 0: none; its meaning is the exchange's own */
    uint8_t tries;   /* sends so far */
    uint8_t rounds;  /* begun anew after refusals */
    uint16_t target; /* number of a topic, or a request */
    uint16_t msg_id;
    uint64_t due_ms; /* send, or send again */
};

struct sm_mqttsn_reply {
    uint8_t type, code;
    uint16_t topic_id, msg_id;
};
#define SM_MQTTSN_REPLIES  8u /* that may wait for sm_mqttsn_poll() */
#define SM_MQTTSN_RECEIVED 4u /* QoS 2 messages received and not released, or not long ago */

struct sm_mqttsn_received {
    uint16_t msg_id, crc;
    uint64_t until_ms; /* 0: not released yet */
};

struct sm_mqttsn_will {
    const uint8_t *topic; /* a valid name */
    const uint8_t *message;
    uint16_t topic_len, message_len; /* topic_len at least 1 */
    uint8_t qos;                     /* 0, 1, 2 */
    bool retain;
};

/* Private; here so that its size is known. What is looked at most comes first: a load of an octet
 * below 32, or of a word below 128, takes half the flash on a Cortex-M. */
struct sm_mqttsn {
    struct sm_mqttsn_exchange ctl;
    uint8_t state; /* enum sm_mqttsn_state */
    uint8_t nreplies, nreceived;
    bool clean;           /* as the caller wished to connect */
    bool wakes;           /* CONNECT only ends our sleep */
    bool searched;        /* gateways were searched for, so search again when they are lost */
    uint8_t radius;       /* of the search */
    uint8_t tried;        /* gateways tried since a connection was wanted */
    uint8_t code;         /* with which the last of them refused */
    uint8_t missed;       /* times in a row that nobody answered a sleeper */
    uint16_t keepalive_s; /* as the caller wished */
    uint16_t sleep_s;     /* as the caller wished; 0: not to sleep */
    uint16_t next_msg_id, generation;
    const struct sm_mqttsn_will *will;
    struct sm_mqttsn_config cfg;
    uint32_t random, inbox_used, backoff_ms;
    uint32_t failures; /* of gateways, for their order */
    struct sm_mqttsn_exchange pub;
    uint64_t sent_ms;   /* the gateway's last sign of us */
    uint64_t active_ms; /* since when there is the connection */
    uint64_t asleep_ms; /* when to give the gateway a sign again */
    struct sm_mqttsn_counts counts;
    struct sm_mqttsn_exchange sub, reg, wll;
    struct sm_mqttsn_address session; /* the gateway that has our session */
    struct sm_mqttsn_exchange ping, info;
    struct sm_mqttsn_request control; /* the caller's search, connect, disconnect, sleep or awake */
    struct sm_mqttsn_address gateway; /* of the connection, or being tried */
    struct sm_mqttsn_reply replies[SM_MQTTSN_REPLIES];
    struct sm_mqttsn_received received[SM_MQTTSN_RECEIVED];
};

/* Begin. SM_ERR_ARG when the configuration lacks something or breaks a limit; cfg is copied, its
 * memory borrowed for the client's life. To end a client it is enough to stop calling it. */
int sm_mqttsn_init(struct sm_mqttsn *sn, const struct sm_mqttsn_config *cfg);

/* A datagram that came, borrowed until return; from whom is the transport's word. What is wrong
 * with it is counted and changes nothing. */
void sm_mqttsn_feed(struct sm_mqttsn *sn, const uint8_t *bytes, size_t len,
                    const struct sm_mqttsn_address *from, uint64_t now_ms);

/* The next datagram to send, into out, and where to. Its length; 0 when there is none now;
 * SM_ERR_MEMORY when size does not do (SM_MQTTSN_DATAGRAM(name_size, payload_size, will) octets
 * always do): then whoever waits for it has SM_ERR_MEMORY as the result, but a connect whose will
 * does not fit SM_ERR_NOT_FOUND. A datagram that the transport could not send counts as lost on the
 * way. */
int sm_mqttsn_poll(struct sm_mqttsn *sn, uint64_t now_ms, uint8_t *out, size_t size,
                   struct sm_mqttsn_address *to);
#define SM_MQTTSN_DATAGRAM(longest)                                                                \
    ((longest) + 9u) /* longest name, payload, will; at least 64                                   \
                      */

/* When to call sm_mqttsn_poll() again if nothing happens before; UINT64_MAX: never. Valid once that
 * gave 0, and until the next feed or request. */
uint64_t sm_mqttsn_deadline(const struct sm_mqttsn *sn);

enum sm_mqttsn_state sm_mqttsn_state(const struct sm_mqttsn *sn);
const char *sm_mqttsn_state_name(enum sm_mqttsn_state state); /* "active" */
const struct sm_mqttsn_counts *sm_mqttsn_counts(const struct sm_mqttsn *sn);

/* The gateway of the connection or the last one; NULL: none yet. */
const struct sm_mqttsn_address *sm_mqttsn_gateway(const struct sm_mqttsn *sn);

/* ---- Requests ----
 *
 * Each returns a token (positive), or
 *   SM_ERR_ARG    an argument is out of its range
 *   SM_ERR_STATE  not in this state
 *   SM_ERR_BUSY   another one of search, connect, disconnect, sleep, awake is under way, or its
 *                 result was not taken; the same of updates of the will
 *   SM_ERR_LIMIT  no room: for requests, topics, gateways, the name or the payload
 * and then nothing has changed. */

struct sm_mqttsn_result {
    int err;        /* 0, or
                     *   SM_ERR_NOT_FOUND    nobody answered, after all tries at all gateways
                     *   SM_ERR_BUSY         congestion, after all tries
                     *   SM_ERR_INVALID      invalid topic id
                     *   SM_ERR_UNSUPPORTED  not supported, or a reserved return code
                     *   SM_ERR_STATE        the connection was ended first
                     *   SM_ERR_MEMORY       sm_mqttsn_poll() had not the room for it */
    uint8_t code;   /* the gateway's return code, when it refused */
    uint8_t qos;    /* subscribe: granted */
    uint16_t topic; /* register, subscribe: the topic's number */
    bool again;     /* publish: sent again in a new session, so it may arrive twice */
};

/* How a request ended; the token is void after 0. SM_ERR_BUSY while under way, SM_ERR_ARG for a
 * token that is none. */
int sm_mqttsn_take(struct sm_mqttsn *sn, int token, struct sm_mqttsn_result *result);

/* Nobody will ask how it ends. The request goes on. */
void sm_mqttsn_forget(struct sm_mqttsn *sn, int token);

/* A gateway that the caller knows. 0, SM_ERR_ARG or SM_ERR_LIMIT. */
int sm_mqttsn_add_gateway(struct sm_mqttsn *sn, const struct sm_mqttsn_address *address);

/* Search for gateways, radius hops wide (0: everywhere). Done with the first that answers, which
 * the list of gateways then has. In DISCONNECTED only. */
int sm_mqttsn_search(struct sm_mqttsn *sn, uint8_t radius, uint64_t now_ms);

struct sm_mqttsn_connect {
    bool clean;                        /* CleanSession: forget subscriptions and will of before */
    uint16_t keepalive_s;              /* 0: 30 */
    const struct sm_mqttsn_will *will; /* NULL: none; borrowed until the next connect or will */
};

/* Connect to the gateway that never failed or did longest ago; without one known, search first. In
 * DISCONNECTED, LOST (at once, then) and ASLEEP, where it ends the sleep and only keepalive_s
 * counts. Later, when the gateway does not answer any more or ends the connection, the client
 * connects again by itself: to other gateways first, then with growing pauses; it subscribes again
 * to what it had. A clean connection begun by the caller starts without subscriptions; begun
 * again by the client at the same gateway it goes on with the session that it has there. */
int sm_mqttsn_connect(struct sm_mqttsn *sn, const struct sm_mqttsn_connect *how, uint64_t now_ms);

/* End the connection, from any state. Requests under way end with SM_ERR_STATE. The state is
 * DISCONNECTED when the result is there, whatever it is. */
int sm_mqttsn_disconnect(struct sm_mqttsn *sn, uint64_t now_ms);

/* Sleep for so many seconds (1 to 65535) at a time; the gateway keeps messages. In ACTIVE; from
 * ASLEEP it gives the gateway a new duration. Requests that wait for an answer are answered first.
 * An eighth before the time is over the client asks by itself, as in sm_mqttsn_awake(), and sleeps
 * on. */
int sm_mqttsn_sleep(struct sm_mqttsn *sn, uint16_t duration_s, uint64_t now_ms);

/* In ASLEEP: fetch what the gateway has kept. Done when it has given all, and the state is ASLEEP
 * again (also when nobody answered). */
int sm_mqttsn_awake(struct sm_mqttsn *sn, uint64_t now_ms);

/* Topics go by numbers that stay the same for the client's life, whatever ids gateways give them:
 * the number of a name or filter is above 0 and comes with the result. Predefined ids and short
 * names are their own numbers. */

/* Register a topic name. In ACTIVE; done at once when the gateway's id is known already. */
int sm_mqttsn_register(struct sm_mqttsn *sn, const char *name, size_t len);

/* Publish. type and topic as above; qos 0, 1, 2, or -1 with a predefined or short topic. data is
 * copied. In ACTIVE; with QoS -1 in any state, once a gateway is known. QoS 0 and -1 are done when
 * sent. */
int sm_mqttsn_publish(struct sm_mqttsn *sn, enum sm_mqttsn_topic_type type, uint16_t topic, int qos,
                      bool retain, const void *data, size_t len);

/* Subscribe to a name or filter; or to a predefined id or short name, or a number that there is. */
int sm_mqttsn_subscribe(struct sm_mqttsn *sn, const char *filter, size_t len, uint8_t qos);
int sm_mqttsn_subscribe_topic(struct sm_mqttsn *sn, enum sm_mqttsn_topic_type type, uint16_t topic,
                              uint8_t qos);
int sm_mqttsn_unsubscribe(struct sm_mqttsn *sn, enum sm_mqttsn_topic_type type, uint16_t topic);

/* Give the gateway another will, or none (NULL). In ACTIVE. Borrowed as in sm_mqttsn_connect(). */
int sm_mqttsn_update_will(struct sm_mqttsn *sn, const struct sm_mqttsn_will *will);

/* The name of a number of type SM_MQTTSN_TOPIC_NORMAL and its length, or NULL. */
const char *sm_mqttsn_topic_name(const struct sm_mqttsn *sn, uint16_t topic, size_t *len);

/* ---- Messages that came ---- */

struct sm_mqttsn_message {
    uint8_t topic_type, qos;
    bool retain, dup;
    uint16_t topic;   /* its number, as above */
    const char *name; /* NULL: predefined or short */
    size_t name_len;
    const uint8_t *data;
    size_t len;
    uint32_t at; /* private */
};

/* The oldest message of a topic; of a filter's number, the oldest that it matches; with topic 0, of
 * any. 0, or SM_ERR_NOT_FOUND. Pointers are valid until the next call that is not a peek. */
int sm_mqttsn_peek(const struct sm_mqttsn *sn, enum sm_mqttsn_topic_type type, uint16_t topic,
                   struct sm_mqttsn_message *message);

/* Throw away what sm_mqttsn_peek() gave last. */
void sm_mqttsn_consume(struct sm_mqttsn *sn, const struct sm_mqttsn_message *message);

#endif
