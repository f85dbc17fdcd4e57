/* Firmware: the client of MQTT-SN on the microcontroller, with frames as on a serial line, against
 * a gateway that answers everything. All of its interface is used, so the size of this program is
 * what the client adds to one. Exit status 0 when all went as it should.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/mqttsn_client.h>
#include <sandmote/mqttsn_frame.h>
#include <string.h>
#include "board.h"

#define TOPICS    6u
#define NAME_SIZE 24u
#define REQUESTS  2u
#define PAYLOAD   64u

static struct {
    struct sm_mqttsn sn;
    struct sm_mqttsn_gateway gateways[2];
    struct sm_mqttsn_topic topics[TOPICS];
    char names[TOPICS * NAME_SIZE];
    struct sm_mqttsn_request requests[REQUESTS];
    uint8_t payloads[REQUESTS * PAYLOAD], inbox[256];
    struct sm_mqttsn_deframer line;
    uint8_t frame[SM_MQTTSN_FRAME_SIZE(128)];
    uint64_t now_ms;
    uint16_t next_id;
} ram;

static const struct sm_mqttsn_address gateway = {1, {'A'}};

/* A message from the gateway, through a frame. */
static void answer(struct sm_mqttsn_packet p)
{
    uint8_t message[128], frame[SM_MQTTSN_FRAME_SIZE(128)];
    size_t used, len;
    int n = sm_mqttsn_encode(&p, message, sizeof message);
    n = sm_mqttsn_frame(message, (size_t)n, frame, sizeof frame);
    for (int at = 0; at < n; at += (int)used) {
        len = sm_mqttsn_deframe(&ram.line, frame + at, (size_t)(n - at), &used, ram.now_ms);
        if (len)
            sm_mqttsn_feed(&ram.sn, ram.frame, len, &gateway, ram.now_ms);
    }
}

static void hear(const struct sm_mqttsn_packet *p)
{
    struct sm_mqttsn_packet a = {.msg_id = p->msg_id, .topic_id = p->topic_id, .gateway_id = 1};
    switch (p->type) {
    case SM_MQTTSN_SEARCHGW: a.type = SM_MQTTSN_GWINFO; break;
    case SM_MQTTSN_CONNECT: a.type = p->will ? SM_MQTTSN_WILLTOPICREQ : SM_MQTTSN_CONNACK; break;
    case SM_MQTTSN_WILLTOPIC: a.type = SM_MQTTSN_WILLMSGREQ; break;
    case SM_MQTTSN_WILLMSG: a.type = SM_MQTTSN_CONNACK; break;
    case SM_MQTTSN_WILLTOPICUPD: a.type = SM_MQTTSN_WILLTOPICRESP; break;
    case SM_MQTTSN_REGISTER:
        a.type = SM_MQTTSN_REGACK;
        a.topic_id = ++ram.next_id;
        break;
    case SM_MQTTSN_SUBSCRIBE: a.type = SM_MQTTSN_SUBACK; break;
    case SM_MQTTSN_UNSUBSCRIBE: a.type = SM_MQTTSN_UNSUBACK; break;
    case SM_MQTTSN_PUBLISH:
        if (p->qos <= 0)
            return;
        a.type = p->qos == 1 ? SM_MQTTSN_PUBACK : SM_MQTTSN_PUBREC;
        break;
    case SM_MQTTSN_PUBREL: a.type = SM_MQTTSN_PUBCOMP; break;
    case SM_MQTTSN_PUBREC: a.type = SM_MQTTSN_PUBREL; break;
    case SM_MQTTSN_PINGREQ: a.type = SM_MQTTSN_PINGRESP; break;
    case SM_MQTTSN_DISCONNECT: a.type = SM_MQTTSN_DISCONNECT; break;
    default: return; /* needs no answer */
    }
    answer(a);
}

static void converse(void)
{
    uint8_t message[128];
    struct sm_mqttsn_address to;
    struct sm_mqttsn_packet p;
    int n;
    while ((n = sm_mqttsn_poll(&ram.sn, ram.now_ms, message, sizeof message, &to)) > 0)
        if (sm_mqttsn_decode(&p, message, (size_t)n) == 0)
            hear(&p);
}

static int check(const char *what, int token)
{
    struct sm_mqttsn_result r;
    uint64_t end = ram.now_ms + 60000;
    converse();
    while (sm_mqttsn_take(&ram.sn, token, &r) == SM_ERR_BUSY && ram.now_ms < end) {
        ram.now_ms = sm_mqttsn_deadline(&ram.sn);
        converse();
    }
    bool holds = token > 0 && ram.now_ms < end && r.err == 0;
    sm_board_print(holds ? "ok    " : "FAIL  ");
    sm_board_print(what);
    sm_board_print("\n");
    return holds ? 0 : 1;
}

static int message_came(void)
{
    struct sm_mqttsn_message m;
    answer((struct sm_mqttsn_packet){.type = SM_MQTTSN_REGISTER,
                                     .topic_id = 77,
                                     .msg_id = 1,
                                     .data = (const uint8_t *)"a/b",
                                     .len = 3});
    answer((struct sm_mqttsn_packet){.type = SM_MQTTSN_PUBLISH,
                                     .qos = 2,
                                     .topic_id = 77,
                                     .msg_id = 2,
                                     .data = (const uint8_t *)"warm",
                                     .len = 4});
    converse();
    bool holds = sm_mqttsn_peek(&ram.sn, SM_MQTTSN_TOPIC_NORMAL, 0, &m) == 0 && m.len == 4 &&
                 !memcmp(m.data, "warm", 4) && m.name_len == 3;
    sm_mqttsn_consume(&ram.sn, &m);
    sm_board_print(holds ? "ok    a message came\n" : "FAIL  a message came\n");
    return holds ? 0 : 1;
}

static int begin(void)
{
    const struct sm_mqttsn_config cfg = {.client_id = "pot",
                                         .seed = 1,
                                         .gateways = ram.gateways,
                                         .ngateways = 2,
                                         .topics = ram.topics,
                                         .ntopics = TOPICS,
                                         .names = ram.names,
                                         .name_size = NAME_SIZE,
                                         .requests = ram.requests,
                                         .nrequests = REQUESTS,
                                         .payloads = ram.payloads,
                                         .payload_size = PAYLOAD,
                                         .inbox = ram.inbox,
                                         .inbox_size = sizeof ram.inbox};
    sm_mqttsn_deframer_init(&ram.line, false, ram.frame, sizeof ram.frame);
    return sm_mqttsn_init(&ram.sn, &cfg);
}

int sm_board_main(void)
{
    static const struct sm_mqttsn_will will = {
        (const uint8_t *)"w", (const uint8_t *)"gone", 1, 4, 1, true};
    const struct sm_mqttsn_connect how = {.clean = true, .will = &will};
    struct sm_mqttsn *sn = &ram.sn;
    int failures = begin() != 0;
    failures += check("search", sm_mqttsn_search(sn, 1, ram.now_ms));
    failures += check("connect with a will", sm_mqttsn_connect(sn, &how, ram.now_ms));
    failures += check("register", sm_mqttsn_register(sn, "field/1/hum", 11));
    for (int qos = 0; qos <= 2; qos++)
        failures +=
            check("publish", sm_mqttsn_publish(sn, SM_MQTTSN_TOPIC_NORMAL, 1, qos, false, "42", 2));
    failures += check("subscribe", sm_mqttsn_subscribe(sn, "a/#", 3, 2));
    failures += message_came();
    failures += check("sleep", sm_mqttsn_sleep(sn, 600, ram.now_ms));
    failures += check("awake", sm_mqttsn_awake(sn, ram.now_ms));
    failures += check("wake up", sm_mqttsn_connect(sn, &how, ram.now_ms));
    failures += check("subscribe to a predefined topic",
                      sm_mqttsn_subscribe_topic(sn, SM_MQTTSN_TOPIC_PREDEFINED, 9, 1));
    failures += check("unsubscribe", sm_mqttsn_unsubscribe(sn, SM_MQTTSN_TOPIC_PREDEFINED, 9));
    failures += check("no will any more", sm_mqttsn_update_will(sn, NULL));
    failures += sm_mqttsn_counts(sn)->malformed != 0 || sm_mqttsn_gateway(sn) == NULL;
    failures += check("disconnect", sm_mqttsn_disconnect(sn, ram.now_ms));
    failures += sm_mqttsn_state(sn) != SM_MQTTSN_DISCONNECTED;
    return failures != 0;
}
