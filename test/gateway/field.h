/* A small field for tests: a real broker, real gateways, clients that speak by hand.
 *
 * Each folder, broker and gateway is of one test and goes with it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_GATEWAY_FIELD_H
#define TEST_GATEWAY_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <gateway/mqtt.h>
#include <sandmote/mqttsn.h>

#define FIELD_WAIT_MS 5000 /* for what must come */
#define FIELD_NOT_MS  150  /* for what must not */

struct field {
    char dir[64];
    unsigned broker_port, tls_port; /* tls_port 0: gateways speak plain TCP */
    const char
        *broker_more; /* lines of the broker's configuration, %u for tls_port and %s for dir */
    const char *broker_host;  /* NULL: 127.0.0.1 */
    const char *gateway_says; /* in its log, when it is started; NULL: that the broker is there */
    const char *gateway_more; /* members of a gateway's "broker", each with a comma before it */
    pid_t broker;
};

struct gateway {
    struct field *field;
    char name[16];
    unsigned port, dtls_port, metrics_port;
    pid_t pid;
};

/* Makes the folder and starts Mosquitto. False: there is none on this machine. */
bool field_setup(struct field *f);
void field_teardown(struct field *f);
void field_start_broker(struct field *f);
void field_stop_broker(struct field *f, int sig);
/* For SOCK_STREAM or SOCK_DGRAM. */
unsigned field_free_port(int type);
void field_write(const struct field *f, const char *name, const char *text);
/* "WORD" in a file's text; waits for it. */
bool field_log_says(const struct field *f, const char *name, const char *word);

/* A program with an option and a file of the folder; its output goes to another. It goes with the
 * test; ended by a signal: its exit status, or 128 and the signal that it died of. */
pid_t field_run(const struct field *f, const char *log, const char *program, const char *option,
                const char *config);
int field_end(pid_t *pid, int sig);

/* more: members of the configuration, each with a comma before it; NULL: rules that allow all. */
void gateway_start(struct gateway *g, struct field *f, const char *name, const char *more);
int gateway_stop(struct gateway *g, int sig);
/* The same once more: same files, same port. */
void gateway_again(struct gateway *g);
/* The value of a figure, or -1. */
long gateway_figure(const struct gateway *g, const char *name);

/* An MQTT-SN client that does nothing by itself. */
struct sensor {
    int fd;
    uint16_t next_id;
    uint8_t bytes[2048]; /* of the last message; p points into it */
    struct sm_mqttsn_packet p;
};

void sensor_open(struct sensor *s, const struct gateway *g);
void sensor_close(struct sensor *s);
void sensor_send(struct sensor *s, const struct sm_mqttsn_packet *p);
void sensor_send_bytes(struct sensor *s, const void *bytes, size_t len);
/* The next message must be of this type. */
const struct sm_mqttsn_packet *sensor_expect(struct sensor *s, uint8_t type);
void sensor_expect_nothing(struct sensor *s);
bool sensor_receive(struct sensor *s, int wait_ms);
void sensor_send_simple(struct sensor *s, uint8_t type, uint16_t msg_id);
/* PINGREQ with the client's id, as one that was asleep. */
void sensor_wake(struct sensor *s, const char *id);
void sensor_sleep(struct sensor *s, uint16_t seconds);

void sensor_connect(struct sensor *s, const char *id, bool clean, uint16_t keepalive_s);
uint16_t sensor_register(struct sensor *s, const char *topic);
uint16_t sensor_subscribe(struct sensor *s, const char *filter, int8_t qos);
/* Publishes and goes through the whole exchange. */
void sensor_publish(struct sensor *s, uint16_t topic, int8_t qos, const char *text);
uint16_t sensor_publish_only(struct sensor *s, uint16_t topic, int8_t qos, const char *text);
/* Takes REGISTER (answers it) and PUBLISH with its acknowledgements; the payload must be text. */
void sensor_expect_message(struct sensor *s, const char *text);

/* A client of the broker itself. */
struct listener {
    int fd;
    uint8_t bytes[65536];
    size_t len;
    struct mqtt_packet p;
};

void listener_open(struct listener *l, const struct field *f, const char *id);
void listener_close(struct listener *l);
void listener_subscribe(struct listener *l, const char *filter, uint8_t qos);
void listener_publish(struct listener *l, const char *topic, const char *text, uint8_t qos,
                      bool retain);
/* The next PUBLISH, acknowledged; its payload must be text. */
void listener_expect(struct listener *l, const char *topic, const char *text);
bool listener_next(struct listener *l, int wait_ms);

/* ---- What most tests need: a broker, a gateway, a listener ----------------------------------- */

struct world {
    struct field field;
    struct gateway gateway;
    struct listener listener;
};

/* more: as for gateway_start(). Both return 0, for cmocka. */
int world_setup(struct world *w, const char *more);
int world_teardown(struct world *w); /* the gateway must end well */

#endif
