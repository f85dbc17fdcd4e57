/* What one more process between client and broker takes: relay SN_PORT MQTT_PORT.
 *
 * Passes one client's messages on to the broker and the broker's answers back, one for one: no
 * session, no rule, no timer, no store, one topic. What plain MQTT takes less than this is the
 * machine's price for one more process on the way. It acknowledges at once as the gateway does
 * (app/sandmote-gateway/broker.c); without that there are pauses of 40 ms.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <gateway/mqtt.h>
#include <sandmote/mqttsn.h>

#define TOPIC_ID 1u

static int udp, tcp;
static struct sockaddr_in client;
static uint8_t topic[64];
static uint16_t topic_len;

static void tell(const struct sm_mqttsn_packet *p)
{
    uint8_t bytes[64];
    int n = sm_mqttsn_encode(p, bytes, sizeof bytes);
    if (n < 0 || sendto(udp, bytes, (size_t)n, 0, (struct sockaddr *)&client, sizeof client) != n)
        exit(1);
}

static void pass_on(const struct mqtt_packet *p)
{
    uint8_t bytes[256];
    if (mqtt_size(p) > (int)sizeof bytes)
        exit(1);
    int n = mqtt_encode(p, bytes);
    if (n < 0 || send(tcp, bytes, (size_t)n, MSG_NOSIGNAL) != n)
        exit(1);
}

static void from_client(void)
{
    uint8_t bytes[256];
    struct sm_mqttsn_packet p;
    socklen_t len = sizeof client;
    ssize_t n = recvfrom(udp, bytes, sizeof bytes, 0, (struct sockaddr *)&client, &len);
    if (n <= 0 || sm_mqttsn_decode(&p, bytes, (size_t)n) < 0)
        return;
    if (p.type == SM_MQTTSN_CONNECT) {
        tell(&(struct sm_mqttsn_packet){.type = SM_MQTTSN_CONNACK});
    } else if (p.type == SM_MQTTSN_REGISTER && p.len <= sizeof topic) {
        memcpy(topic, p.data, p.len);
        topic_len = p.len;
        tell(&(struct sm_mqttsn_packet){
            .type = SM_MQTTSN_REGACK, .topic_id = TOPIC_ID, .msg_id = p.msg_id});
    } else if (p.type == SM_MQTTSN_PUBLISH && p.qos >= 0) {
        pass_on(&(struct mqtt_packet){.type = MQTT_PUBLISH,
                                      .qos = (uint8_t)p.qos,
                                      .id = p.msg_id,
                                      .topic = topic,
                                      .topic_len = topic_len,
                                      .data = p.data,
                                      .len = p.len});
    } else if (p.type == SM_MQTTSN_PUBREL) {
        pass_on(&(struct mqtt_packet){.type = MQTT_PUBREL, .id = p.msg_id});
    }
}

static void from_broker(void)
{
    static uint8_t bytes[4096];
    static size_t have;
    struct mqtt_packet p;
    size_t at = 0;
    int n, yes = 1;
    ssize_t got = recv(tcp, bytes + have, sizeof bytes - have, 0);
    if (got <= 0)
        exit(1);
    have += (size_t)got;
    while ((n = mqtt_decode(&p, bytes + at, have - at, sizeof bytes)) > 0) {
        at += (size_t)n;
        struct sm_mqttsn_packet answer = {.topic_id = TOPIC_ID, .msg_id = p.id};
        answer.type = p.type == MQTT_PUBACK   ? SM_MQTTSN_PUBACK
                      : p.type == MQTT_PUBREC ? SM_MQTTSN_PUBREC
                                              : SM_MQTTSN_PUBCOMP;
        if (p.type == MQTT_PUBACK || p.type == MQTT_PUBREC || p.type == MQTT_PUBCOMP)
            tell(&answer);
    }
    memmove(bytes, bytes + at, have - at);
    have -= at;
    setsockopt(tcp, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof yes);
}

static bool open_both(const char *sn_port, const char *mqtt_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(sn_port)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct mqtt_connect hello = {.client_id = "relay", .clean = true};
    uint8_t bytes[64];
    int yes = 1;
    udp = socket(AF_INET, SOCK_DGRAM, 0);
    tcp = socket(AF_INET, SOCK_STREAM, 0);
    if (udp < 0 || tcp < 0 || bind(udp, (struct sockaddr *)&at, sizeof at) < 0)
        return false;
    at.sin_port = htons((uint16_t)atoi(mqtt_port));
    setsockopt(tcp, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    int n = mqtt_connect_encode(&hello, bytes);
    return connect(tcp, (struct sockaddr *)&at, sizeof at) == 0 &&
           send(tcp, bytes, (size_t)n, 0) == n && recv(tcp, bytes, 4, MSG_WAITALL) == 4 &&
           !bytes[3];
}

int main(int argc, char **argv)
{
    struct epoll_event e[2] = {{EPOLLIN, {.u32 = 0}}, {EPOLLIN, {.u32 = 1}}};
    int epoll = epoll_create1(0);
    if (argc != 3 || !open_both(argv[1], argv[2]) || epoll < 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, udp, &e[0]) < 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, tcp, &e[1]) < 0)
        return 1;
    for (;;) {
        int n = epoll_wait(epoll, e, 2, -1);
        for (int i = 0; i < n; i++)
            e[i].data.u32 ? from_broker() : from_client();
    }
}
