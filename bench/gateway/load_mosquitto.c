/* Latency between ordinary clients: load_mosquitto SN_PORT MQTT_PORT. One message at a time, 32
 * octets, from before it is handed over until libmosquitto's callback has it; published by
 * libmosquitto straight to the broker and, in turns, by an MQTT-SN client through the gateway.
 * Prints one "name value" a line, as load does.
 *
 * The clients of load are one thread that does nothing else, on a processor that stays awake; what
 * a program sees that uses the library is this.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <mosquitto.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <sandmote/mqttsn.h>

enum { TURNS = 10, EACH = 100, PAYLOAD = 32, QOS = 3, TRIES = 500, TRY_MS = 10, PATIENCE_S = 5 };

static const char topic[] = "ordinary/sensor";
static const uint8_t payload[PAYLOAD];

static struct mosquitto *publisher, *subscriber;
static sem_t arrived, published, subscribed;
static double arrived_us;
static int sn_fd;
static uint16_t topic_id, msg_id;
static unsigned failed; /* never acknowledged */

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "load_mosquitto: %s\n", what);
    exit(1);
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static void wait_for(sem_t *what, const char *name)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += PATIENCE_S;
    while (sem_timedwait(what, &end) < 0)
        if (errno != EINTR)
            die(name);
}

/* ---- libmosquitto's clients ------------------------------------------------------------------ */

static void on_message(struct mosquitto *m, void *ctx, const struct mosquitto_message *message)
{
    (void)m, (void)ctx, (void)message;
    arrived_us = now_us();
    sem_post(&arrived);
}

static void on_published(struct mosquitto *m, void *ctx, int id)
{
    (void)m, (void)ctx, (void)id;
    sem_post(&published);
}

static void on_subscribed(struct mosquitto *m, void *ctx, int id, int n, const int *granted)
{
    (void)m, (void)ctx, (void)id, (void)n, (void)granted;
    sem_post(&subscribed);
}

static struct mosquitto *join(const char *id, int port)
{
    struct mosquitto *m = mosquitto_new(id, true, NULL);
    if (!m)
        die("no memory");
    mosquitto_message_callback_set(m, on_message);
    mosquitto_publish_callback_set(m, on_published);
    mosquitto_subscribe_callback_set(m, on_subscribed);
    mosquitto_int_option(m, MOSQ_OPT_TCP_NODELAY, 1);
    if (mosquitto_connect(m, "127.0.0.1", port, 60) || mosquitto_loop_start(m))
        die("the broker cannot be reached");
    return m;
}

static void publish_straight(int qos)
{
    if (mosquitto_publish(publisher, NULL, topic, PAYLOAD, payload, qos, false))
        die("the broker is gone");
    wait_for(&published, "a message was not sent");
}

/* ---- The MQTT-SN client ---------------------------------------------------------------------- */

static void sn_send(const struct sm_mqttsn_packet *p)
{
    uint8_t bytes[128];
    int n = sm_mqttsn_encode(p, bytes, sizeof bytes);
    if (n < 0 || send(sn_fd, bytes, (size_t)n, 0) != n)
        die("the gateway cannot be reached");
}

/* Sends, and a second later once more when no answer of this type came. Whether one did. */
static bool sn_ask(struct sm_mqttsn_packet *question, uint8_t type, struct sm_mqttsn_packet *p)
{
    static uint8_t bytes[512];
    for (int i = 0; i < 2; i++) {
        ssize_t n;
        sn_send(question);
        question->dup = question->type == SM_MQTTSN_PUBLISH;
        while ((n = recv(sn_fd, bytes, sizeof bytes, 0)) >= 0)
            if (sm_mqttsn_decode(p, bytes, (size_t)n) == 0 && p->type == type)
                return true;
    }
    return false;
}

static void sn_join(int port)
{
    static const char id[] = "ordinary";
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval second = {.tv_sec = 1};
    struct sm_mqttsn_packet p;
    sn_fd = socket(AF_INET, SOCK_DGRAM, 0);
    setsockopt(sn_fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
    if (sn_fd < 0 || connect(sn_fd, (struct sockaddr *)&to, sizeof to) < 0)
        die("no socket");
    if (!sn_ask(&(struct sm_mqttsn_packet){.type = SM_MQTTSN_CONNECT,
                                           .protocol = SM_MQTTSN_PROTOCOL_ID,
                                           .clean = true,
                                           .duration_s = 600,
                                           .data = (const uint8_t *)id,
                                           .len = sizeof id - 1},
                SM_MQTTSN_CONNACK, &p) ||
        !sn_ask(&(struct sm_mqttsn_packet){.type = SM_MQTTSN_REGISTER,
                                           .msg_id = 1,
                                           .data = (const uint8_t *)topic,
                                           .len = sizeof topic - 1},
                SM_MQTTSN_REGACK, &p))
        die("no answer from the gateway");
    topic_id = p.topic_id;
}

static void publish_through(int qos)
{
    struct sm_mqttsn_packet p;
    msg_id = (uint16_t)(msg_id % EACH + 1); /* Paho stops answering when it has seen too many */
    struct sm_mqttsn_packet message = {.type = SM_MQTTSN_PUBLISH,
                                       .qos = (int8_t)qos,
                                       .topic_id = topic_id,
                                       .msg_id = qos ? msg_id : 0,
                                       .data = payload,
                                       .len = PAYLOAD};
    if (qos == 0)
        sn_send(&message);
    else if (!sn_ask(&message, qos == 1 ? SM_MQTTSN_PUBACK : SM_MQTTSN_PUBREC, &p))
        failed++;
    else if (qos == 2 &&
             !sn_ask(&(struct sm_mqttsn_packet){.type = SM_MQTTSN_PUBREL, .msg_id = msg_id},
                     SM_MQTTSN_PUBCOMP, &p))
        failed++;
}

/* ---- Samples --------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void sample(double *took, void (*publish)(int), int qos)
{
    for (int i = 0; i < EACH; i++) {
        while (sem_trywait(&arrived) == 0)
            ; /* what came twice */
        double start = now_us();
        publish(qos);
        wait_for(&arrived, "a message did not arrive");
        took[i] = arrived_us - start;
    }
}

static double median(double *took)
{
    qsort(took, TURNS * EACH, sizeof *took, by_value);
    return took[TURNS * EACH / 2];
}

int main(int argc, char **argv)
{
    static double straight[QOS][TURNS * EACH], through[QOS][TURNS * EACH];
    if (argc != 3)
        return 64;
    mosquitto_lib_init();
    sem_init(&arrived, 0, 0);
    sem_init(&published, 0, 0);
    sem_init(&subscribed, 0, 0);
    subscriber = join("ordinary-sub", atoi(argv[2]));
    publisher = join("ordinary-pub", atoi(argv[2]));
    for (int i = 0; mosquitto_subscribe(subscriber, NULL, topic, 2) && i < TRIES; i++)
        usleep(TRY_MS * 1000);
    wait_for(&subscribed, "the broker does not take the subscription");
    sn_join(atoi(argv[1]));
    for (int turn = 0; turn < TURNS; turn++) {
        for (int qos = 0; qos < QOS; qos++) {
            sample(straight[qos] + turn * EACH, publish_straight, qos);
            sample(through[qos] + turn * EACH, publish_through, qos);
        }
    }
    for (int qos = 0; qos < QOS; qos++) {
        double one = median(straight[qos]), other = median(through[qos]);
        printf("straight_qos%d_us %.1f\nthrough_qos%d_us %.1f\ntimes_qos%d %.3f\n", qos, one, qos,
               other, qos, other / one);
    }
    printf("failed %u\n", failed);
    return 0;
}
