/* What the parts of the client share.
 *
 * client.c has requests and their results, control.c the connection (which gateway, states, sleep),
 * input.c what comes, output.c what goes, topics.c names and ids, inbox.c messages not fetched yet.
 *
 * What is wanted is kept apart from what is: a topic carries that it should have an id or a
 * subscription, a client that it should be connected or asleep. Exchanges (one struct each, at most
 * one message of a kind under way, as the specification says) bring the one to the other; a new
 * connection only forgets what is.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_MQTTSN_CLIENT_H
#define SM_MQTTSN_CLIENT_H

#include <string.h>
#include <sandmote/mqttsn_client.h>

/* Flags of a topic. One without KEPT, WANTED or LEAVING may make room for another. */
#define SM_TOPIC_USED       0x01u
#define SM_TOPIC_WILD       0x02u /* a filter with wildcards: no id */
#define SM_TOPIC_KEPT       0x04u /* the caller registered it */
#define SM_TOPIC_WANTED     0x08u /* a subscription is wished */
#define SM_TOPIC_SUBSCRIBED 0x10u /* the gateway knows */
#define SM_TOPIC_LEAVING    0x20u /* its end is wished */

enum sm_request_kind {
    SM_REQUEST_REGISTER,
    SM_REQUEST_SUBSCRIBE,
    SM_REQUEST_UNSUBSCRIBE,
    SM_REQUEST_PUBLISH,
    SM_REQUEST_WILL,
    SM_REQUEST_CONTROL
};

enum sm_request_state {
    SM_REQUEST_FREE,
    SM_REQUEST_WAITING,
    SM_REQUEST_SENT, /* a publish of QoS 1 or 2, at least once, with its message id */
    SM_REQUEST_DONE
};

/* Steps of sm_mqttsn.ctl: what the connection is doing. */
enum sm_control_step {
    SM_CONTROL_NONE,
    SM_CONTROL_DELAY,  /* before the first SEARCHGW */
    SM_CONTROL_SEARCH, /* SEARCHGW, for a GWINFO */
    SM_CONTROL_PAUSE,  /* before gateways are tried again */
    SM_CONTROL_CONNECT,
    SM_CONTROL_DISCONNECT,
    SM_CONTROL_SLEEP, /* DISCONNECT with a duration */
    SM_CONTROL_AWAKE  /* PINGREQ with our id, for the PINGRESP after the messages */
};

/* Steps of the others. */
#define SM_STEP_REGISTER    1u
#define SM_STEP_SUBSCRIBE   1u
#define SM_STEP_UNSUBSCRIBE 2u
#define SM_STEP_PUBLISH     1u
#define SM_STEP_PUBREL      2u
#define SM_STEP_WILL_TOPIC  1u
#define SM_STEP_WILL_MSG    2u

/* client.c */
struct sm_mqttsn_request *sm_request_at(struct sm_mqttsn *sn, unsigned i);
bool sm_request_open(const struct sm_mqttsn_request *r); /* neither free nor done */
/* How a request ends, and an exchange for one, is one number: 0, an enum sm_err (negative), or the
 * return code (positive) with which the gateway refused. */
void sm_request_end(struct sm_mqttsn_request *r, int how);
/* End those about a topic (its number), of one kind; or all, whatever they are. */
void sm_requests_end_topic(struct sm_mqttsn *sn, unsigned kind, uint16_t number, int how);
void sm_requests_end_all(struct sm_mqttsn *sn, int how);
/* Nothing is sent for an exchange in Tretry from now. */
void sm_exchange_wait(const struct sm_mqttsn *sn, struct sm_mqttsn_exchange *x, uint64_t now_ms);
/* End an exchange whose target is a request, and that request with it. */
void sm_exchange_end(struct sm_mqttsn *sn, struct sm_mqttsn_exchange *x, int how);
/* The oldest open publish: of QoS 1 and 2, or of the others. NULL: none. */
struct sm_mqttsn_request *sm_request_next_publish(struct sm_mqttsn *sn, bool acknowledged);
uint16_t sm_new_msg_id(struct sm_mqttsn *sn);
uint32_t sm_random_below(struct sm_mqttsn *sn, uint32_t bound);

/* control.c: the moves between states */
void sm_control_end(struct sm_mqttsn *sn, int how);
void sm_control_begin(struct sm_mqttsn *sn, enum sm_control_step step, uint64_t now_ms);
void sm_control_connect(struct sm_mqttsn *sn, uint64_t now_ms);
void sm_control_connected(struct sm_mqttsn *sn, uint64_t now_ms);
void sm_control_refused(struct sm_mqttsn *sn, uint8_t code, uint64_t now_ms);
void sm_control_lost(struct sm_mqttsn *sn, bool failed, uint64_t now_ms);
void sm_control_asleep(struct sm_mqttsn *sn, uint64_t now_ms);
void sm_control_unanswered(struct sm_mqttsn *sn, uint64_t now_ms);
void sm_gateway_learn(struct sm_mqttsn *sn, const struct sm_mqttsn_address *at, uint8_t id,
                      uint32_t advertised_ms, uint64_t now_ms);
/* Find or make; NULL: no room. */
struct sm_mqttsn_gateway *sm_gateway_place(struct sm_mqttsn *sn,
                                           const struct sm_mqttsn_address *at);
/* The gateway to turn to first; NULL: none is known. */
struct sm_mqttsn_gateway *sm_gateway_first(struct sm_mqttsn *sn, uint64_t now_ms);
bool sm_gateway_known(const struct sm_mqttsn *sn);
/* A connection with a session at a gateway, awake or not. */
bool sm_has_session(const struct sm_mqttsn *sn);

/* input.c */
bool sm_reply(struct sm_mqttsn *sn, const struct sm_mqttsn_reply *reply); /* false: no room */

/* topics.c: numbers from 1; 0 is none */
struct sm_mqttsn_topic *sm_topic_at(struct sm_mqttsn *sn, uint16_t number);
char *sm_topic_name(const struct sm_mqttsn *sn, uint16_t number);
uint16_t sm_topic_find(const struct sm_mqttsn *sn, const uint8_t *name, size_t len);
uint16_t sm_topic_find_id(const struct sm_mqttsn *sn, unsigned type, uint16_t id);
/* Find or make; 0: no room. */
uint16_t sm_topic_name_add(struct sm_mqttsn *sn, const uint8_t *name, size_t len);
uint16_t sm_topic_id_add(struct sm_mqttsn *sn, unsigned type, uint16_t id);
/* The gateway's id of a name; no other has it any more. */
void sm_topic_set_id(struct sm_mqttsn *sn, uint16_t number, uint16_t id);
bool sm_topic_id_reserved(uint16_t id);
/* A new session: no ids, no subscriptions there. */
void sm_topics_unknown(struct sm_mqttsn *sn);
/* The caller wants no subscriptions of before. */
void sm_topics_unsubscribed(struct sm_mqttsn *sn);
/* The number that the application uses for it. */
uint16_t sm_topic_public(struct sm_mqttsn *sn, uint16_t number);

/* inbox.c */
bool sm_inbox_put(struct sm_mqttsn *sn, const struct sm_mqttsn_packet *p, uint16_t topic);
bool sm_inbox_has(const struct sm_mqttsn *sn, uint16_t number); /* messages of type normal */

#endif
