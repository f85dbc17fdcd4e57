/* A real broker and real gateways for tests. SPDX-License-Identifier: Apache-2.0 */
#include "field.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define TRIES  200
#define TRY_MS 25

/* ---- Files and processes --------------------------------------------------------------------- */

static void path_of(const struct field *f, const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", f->dir, name);
}

void field_write(const struct field *f, const char *name, const char *text)
{
    char path[128];
    path_of(f, name, path);
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        fail_msg("%s cannot be written", path);
}

static char *text_of(const struct field *f, const char *name)
{
    char path[128], *text = calloc(1, 1 << 16);
    path_of(f, name, path);
    FILE *file = fopen(path, "r");
    if (file) {
        text[fread(text, 1, (1 << 16) - 1, file)] = 0;
        fclose(file);
    }
    return text;
}

bool field_log_says(const struct field *f, const char *name, const char *word)
{
    for (int i = 0; i < TRIES; i++) {
        char *text = text_of(f, name);
        bool says = strstr(text, word) != NULL;
        free(text);
        if (says)
            return true;
        usleep(TRY_MS * 1000);
    }
    return false;
}

pid_t field_run(const struct field *f, const char *log, const char *program, const char *option,
                const char *config)
{
    char path[128], file[128];
    path_of(f, log, path);
    path_of(f, config, file);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* whatever ends the test, nothing is left running */
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        execlp(program, program, option, file, (char *)NULL);
        _exit(127);
    }
    close(fd);
    return pid;
}

int field_end(pid_t *pid, int sig)
{
    int status = 0;
    kill(*pid, sig);
    waitpid(*pid, &status, 0);
    *pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int connect_to(unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

/* For streams or datagrams. */
unsigned field_free_port(int type)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0)
        fail_msg("no free port");
    close(fd);
    return ntohs(at.sin_port);
}

void field_start_broker(struct field *f)
{
    char text[1024], more[512] = "";
    if (f->broker_more)
        snprintf(more, sizeof more, f->broker_more, f->tls_port, f->dir, f->dir, f->dir);
    snprintf(
        text, sizeof text,
        "listener %u 127.0.0.1\nlistener 0 %s/mqtt.sock\nallow_anonymous true\npersistence true\n"
        "persistence_location %s/\nautosave_interval 1\nautosave_on_changes true\n%s%s",
        f->broker_port, f->dir, f->dir, geteuid() == 0 ? "user root\n" : "", more);
    field_write(f, "broker.conf", text);
    f->broker = field_run(f, "broker.log", MOSQUITTO, "-c", "broker.conf");
    for (int i = 0; i < TRIES; i++) {
        int fd = connect_to(f->broker_port);
        if (fd >= 0) {
            close(fd);
            return;
        }
        usleep(TRY_MS * 1000);
    }
    fail_msg("the broker did not start");
}

void field_stop_broker(struct field *f, int sig)
{
    field_end(&f->broker, sig);
}

bool field_setup(struct field *f)
{
    memset(f, 0, sizeof *f);
    if (access(MOSQUITTO, X_OK) != 0)
        return false;
    snprintf(f->dir, sizeof f->dir, "/tmp/sandmote-field-XXXXXX");
    if (!mkdtemp(f->dir))
        fail_msg("no temporary folder");
    f->broker_port = field_free_port(SOCK_STREAM);
    field_start_broker(f);
    return true;
}

void field_teardown(struct field *f)
{
    char line[128];
    if (f->broker)
        field_stop_broker(f, SIGTERM);
    snprintf(line, sizeof line, "rm -rf %s", f->dir);
    if (f->dir[0] && system(line) != 0)
        fail_msg("%s is left behind", f->dir);
}

/* ---- Gateways -------------------------------------------------------------------------------- */

static unsigned port_in(const char *log, const char *before, const char *after)
{
    for (const char *at = log; (at = strstr(at, before)); at++) {
        char *rest;
        unsigned long port = strtoul(at + strlen(before), &rest, 10);
        if (!strncmp(rest, after, strlen(after)))
            return (unsigned)port;
    }
    return 0;
}

void gateway_start(struct gateway *g, struct field *f, const char *name, const char *more)
{
    char text[4096], file[32], listen[96];
    memset(g, 0, sizeof *g);
    g->field = f;
    snprintf(g->name, sizeof g->name, "%s", name);
    snprintf(file, sizeof file, "%s.json", name);
    snprintf(listen, sizeof listen, ", \"listen\": [{\"address\": \"127.0.0.1\", \"port\": %u}]",
             field_free_port(SOCK_DGRAM));
    snprintf(
        text, sizeof text,
        "{\"name\": \"%s\", \"broker\": {\"host\": \"%s\", \"port\": %u%s},"
        "\"metrics\": {\"port\": 0}, \"state\": \"%s.db\", \"retry_seconds\": 1%s%s}",
        name, f->broker_host ? f->broker_host : "127.0.0.1",
        f->tls_port ? f->tls_port : f->broker_port, f->gateway_more ? f->gateway_more : "", name,
        more && strstr(more, "\"listen\"") ? "" : listen,
        more ? more
             : ", \"clients\": [{\"id\": \"*\", \"publish\": [\"#\"], \"subscribe\": [\"#\"]}]");
    field_write(f, file, text);
    gateway_again(g);
}

void gateway_again(struct gateway *g)
{
    char file[32], log[32];
    struct field *f = g->field;
    const char *up = f->gateway_says ? f->gateway_says : "to the broker is up";
    snprintf(file, sizeof file, "%s.json", g->name);
    snprintf(log, sizeof log, "%s.log", g->name);
    g->pid = field_run(f, log, SANDMOTE_GATEWAY, "--config", file);
    bool good = field_log_says(f, log, up);
    char *said = text_of(f, log);
    if (!good)
        fail_msg("the gateway did not start: %s", said);
    g->port = port_in(said, "port ", ", plain UDP");
    g->dtls_port = port_in(said, "port ", ", DTLS");
    g->metrics_port = port_in(said, "metrics on http://127.0.0.1:", "/metrics");
    free(said);
}

int gateway_stop(struct gateway *g, int sig)
{
    return field_end(&g->pid, sig);
}

long gateway_figure(const struct gateway *g, const char *name)
{
    static const char request[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    char text[32768], line[96];
    size_t len = 0;
    ssize_t n;
    int fd = connect_to(g->metrics_port);
    if (fd < 0 || send(fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0)
        fail_msg("no metrics");
    while ((n = recv(fd, text + len, sizeof text - 1 - len, 0)) > 0)
        len += (size_t)n;
    text[len] = 0;
    close(fd);
    snprintf(line, sizeof line, "\nsandmote_gateway_%s ", name);
    char *at = strstr(text, line);
    return at ? strtol(at + strlen(line), NULL, 10) : -1;
}

/* ---- Sensors --------------------------------------------------------------------------------- */

void sensor_open(struct sensor *s, const struct gateway *g)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)g->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    memset(s, 0, sizeof *s);
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(s->fd, (struct sockaddr *)&to, sizeof to), 0);
}

void sensor_close(struct sensor *s)
{
    close(s->fd);
}

void sensor_send_bytes(struct sensor *s, const void *bytes, size_t len)
{
    assert_int_equal(send(s->fd, bytes, len, 0), (ssize_t)len);
}

void sensor_send(struct sensor *s, const struct sm_mqttsn_packet *p)
{
    uint8_t bytes[2048];
    int n = sm_mqttsn_encode(p, bytes, sizeof bytes);
    assert_true(n > 0);
    sensor_send_bytes(s, bytes, (size_t)n);
}

bool sensor_receive(struct sensor *s, int wait_ms)
{
    struct pollfd p = {s->fd, POLLIN, 0};
    if (poll(&p, 1, wait_ms) <= 0)
        return false;
    ssize_t n = recv(s->fd, s->bytes, sizeof s->bytes, 0);
    assert_true(n > 0);
    assert_int_equal(sm_mqttsn_decode(&s->p, s->bytes, (size_t)n), 0);
    return true;
}

const struct sm_mqttsn_packet *sensor_expect(struct sensor *s, uint8_t type)
{
    if (!sensor_receive(s, FIELD_WAIT_MS))
        fail_msg("no %s came", sm_mqttsn_type_name(type));
    if (s->p.type != type)
        fail_msg("%s came, not %s", sm_mqttsn_type_name(s->p.type), sm_mqttsn_type_name(type));
    return &s->p;
}

void sensor_expect_nothing(struct sensor *s)
{
    if (sensor_receive(s, FIELD_NOT_MS))
        fail_msg("%s came", sm_mqttsn_type_name(s->p.type));
}

void sensor_connect(struct sensor *s, const char *id, bool clean, uint16_t keepalive_s)
{
    sensor_send(s, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_CONNECT,
                                              .protocol = SM_MQTTSN_PROTOCOL_ID,
                                              .clean = clean,
                                              .duration_s = keepalive_s,
                                              .data = (const uint8_t *)id,
                                              .len = (uint16_t)strlen(id)});
    assert_int_equal(sensor_expect(s, SM_MQTTSN_CONNACK)->code, SM_MQTTSN_ACCEPTED);
}

uint16_t sensor_register(struct sensor *s, const char *topic)
{
    sensor_send(s, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_REGISTER,
                                              .msg_id = ++s->next_id,
                                              .data = (const uint8_t *)topic,
                                              .len = (uint16_t)strlen(topic)});
    sensor_expect(s, SM_MQTTSN_REGACK);
    assert_int_equal(s->p.code, SM_MQTTSN_ACCEPTED);
    assert_int_equal(s->p.msg_id, s->next_id);
    return s->p.topic_id;
}

uint16_t sensor_subscribe(struct sensor *s, const char *filter, int8_t qos)
{
    sensor_send(s, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_SUBSCRIBE,
                                              .qos = qos,
                                              .msg_id = ++s->next_id,
                                              .data = (const uint8_t *)filter,
                                              .len = (uint16_t)strlen(filter)});
    sensor_expect(s, SM_MQTTSN_SUBACK);
    assert_int_equal(s->p.code, SM_MQTTSN_ACCEPTED);
    assert_int_equal(s->p.msg_id, s->next_id);
    return s->p.topic_id;
}

uint16_t sensor_publish_only(struct sensor *s, uint16_t topic, int8_t qos, const char *text)
{
    sensor_send(s, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_PUBLISH,
                                              .qos = qos,
                                              .topic_id = topic,
                                              .msg_id = qos ? ++s->next_id : 0,
                                              .data = (const uint8_t *)text,
                                              .len = (uint16_t)strlen(text)});
    return s->next_id;
}

void sensor_publish(struct sensor *s, uint16_t topic, int8_t qos, const char *text)
{
    uint16_t id = sensor_publish_only(s, topic, qos, text);
    if (qos == 1) {
        sensor_expect(s, SM_MQTTSN_PUBACK);
        assert_int_equal(s->p.code, SM_MQTTSN_ACCEPTED);
        assert_int_equal(s->p.topic_id, topic);
        assert_int_equal(s->p.msg_id, id);
    } else if (qos == 2) {
        assert_int_equal(sensor_expect(s, SM_MQTTSN_PUBREC)->msg_id, id);
        sensor_send(s, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_PUBREL, .msg_id = id});
        assert_int_equal(sensor_expect(s, SM_MQTTSN_PUBCOMP)->msg_id, id);
    }
}

static void answer(struct sensor *s, uint8_t type)
{
    sensor_send(s, &(struct sm_mqttsn_packet){
                       .type = type, .topic_id = s->p.topic_id, .msg_id = s->p.msg_id});
}

void sensor_expect_message(struct sensor *s, const char *text)
{
    if (!sensor_receive(s, FIELD_WAIT_MS))
        fail_msg("no message \"%s\" came", text);
    if (s->p.type == SM_MQTTSN_REGISTER) {
        answer(s, SM_MQTTSN_REGACK);
        sensor_expect(s, SM_MQTTSN_PUBLISH);
    }
    assert_int_equal(s->p.type, SM_MQTTSN_PUBLISH);
    if (s->p.len != strlen(text) || memcmp(s->p.data, text, s->p.len) != 0)
        fail_msg("\"%.*s\" came, not \"%s\"", (int)s->p.len, (const char *)s->p.data, text);
    struct sm_mqttsn_packet came = s->p;
    if (came.qos == 1) {
        answer(s, SM_MQTTSN_PUBACK);
    } else if (came.qos == 2) {
        answer(s, SM_MQTTSN_PUBREC);
        assert_int_equal(sensor_expect(s, SM_MQTTSN_PUBREL)->msg_id, came.msg_id);
        answer(s, SM_MQTTSN_PUBCOMP);
    }
}

void sensor_send_simple(struct sensor *s, uint8_t type, uint16_t msg_id)
{
    sensor_send(s, &(struct sm_mqttsn_packet){.type = type, .msg_id = msg_id});
}

void sensor_wake(struct sensor *s, const char *id)
{
    sensor_send(s, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_PINGREQ,
                                              .data = (const uint8_t *)id,
                                              .len = (uint16_t)strlen(id)});
}

void sensor_sleep(struct sensor *s, uint16_t seconds)
{
    sensor_send(s, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_DISCONNECT, .duration_s = seconds});
    sensor_expect(s, SM_MQTTSN_DISCONNECT);
}

/* ---- Listeners ------------------------------------------------------------------------------- */

static void put(struct listener *l, const struct mqtt_packet *p)
{
    uint8_t bytes[4096];
    assert_true(mqtt_size(p) <= (int)sizeof bytes);
    int n = mqtt_encode(p, bytes);
    assert_int_equal(send(l->fd, bytes, (size_t)n, MSG_NOSIGNAL), n);
}

/* The next packet; false when none comes. The one before it is given up. */
static bool next(struct listener *l, int wait_ms)
{
    static size_t used;
    if (l->p.type) {
        memmove(l->bytes, l->bytes + used, l->len - used);
        l->len -= used;
    }
    for (;;) {
        int n = mqtt_decode(&l->p, l->bytes, l->len, sizeof l->bytes);
        assert_true(n >= 0);
        used = (size_t)n;
        if (n)
            return true;
        struct pollfd p = {l->fd, POLLIN, 0};
        if (poll(&p, 1, wait_ms) <= 0)
            return false;
        ssize_t got = recv(l->fd, l->bytes + l->len, sizeof l->bytes - l->len, 0);
        if (got <= 0)
            return false;
        l->len += (size_t)got;
    }
}

void listener_open(struct listener *l, const struct field *f, const char *id)
{
    uint8_t bytes[128];
    struct mqtt_connect c = {.client_id = id, .keepalive_s = 0, .clean = true};
    memset(l, 0, sizeof *l);
    l->fd = connect_to(f->broker_port);
    int n = mqtt_connect_encode(&c, bytes);
    assert_int_equal(send(l->fd, bytes, (size_t)n, MSG_NOSIGNAL), n);
    assert_true(next(l, FIELD_WAIT_MS));
    assert_int_equal(l->p.type, MQTT_CONNACK);
    assert_int_equal(l->p.code, 0);
}

void listener_close(struct listener *l)
{
    close(l->fd);
}

static void acknowledge(struct listener *l)
{
    struct mqtt_packet p = l->p;
    if (p.type == MQTT_PUBLISH && p.qos == 1)
        put(l, &(struct mqtt_packet){.type = MQTT_PUBACK, .id = p.id});
    else if (p.type == MQTT_PUBLISH && p.qos == 2)
        put(l, &(struct mqtt_packet){.type = MQTT_PUBREC, .id = p.id});
    else if (p.type == MQTT_PUBREL)
        put(l, &(struct mqtt_packet){.type = MQTT_PUBCOMP, .id = p.id});
}

/* What waits for longer than others (the end of a QoS 2 exchange) may come before it. */
static void await(struct listener *l, uint8_t type)
{
    do {
        if (!next(l, FIELD_WAIT_MS))
            fail_msg("the broker does not answer");
        acknowledge(l);
    } while (l->p.type != type);
}

void listener_subscribe(struct listener *l, const char *filter, uint8_t qos)
{
    put(l, &(struct mqtt_packet){.type = MQTT_SUBSCRIBE,
                                 .id = 1,
                                 .qos = qos,
                                 .topic = (const uint8_t *)filter,
                                 .topic_len = (uint16_t)strlen(filter)});
    await(l, MQTT_SUBACK);
}

bool listener_next(struct listener *l, int wait_ms)
{
    while (next(l, wait_ms)) {
        acknowledge(l);
        if (l->p.type == MQTT_PUBLISH)
            return true;
    }
    return false;
}

void listener_expect(struct listener *l, const char *topic, const char *text)
{
    if (!listener_next(l, FIELD_WAIT_MS))
        fail_msg("no message \"%s\" came to the broker", text);
    assert_int_equal(l->p.topic_len, strlen(topic));
    assert_memory_equal(l->p.topic, topic, l->p.topic_len);
    assert_int_equal(l->p.len, strlen(text));
    assert_memory_equal(l->p.data, text, l->p.len);
}

void listener_publish(struct listener *l, const char *topic, const char *text, uint8_t qos,
                      bool retain)
{
    put(l, &(struct mqtt_packet){.type = MQTT_PUBLISH,
                                 .qos = qos,
                                 .retain = retain,
                                 .id = qos ? 7 : 0,
                                 .topic = (const uint8_t *)topic,
                                 .topic_len = (uint16_t)strlen(topic),
                                 .data = (const uint8_t *)text,
                                 .len = (uint32_t)strlen(text)});
    if (!qos)
        return;
    await(l, qos == 1 ? MQTT_PUBACK : MQTT_PUBREC);
    if (qos == 2) {
        put(l, &(struct mqtt_packet){.type = MQTT_PUBREL, .id = 7});
        await(l, MQTT_PUBCOMP);
    }
}

/* ---- Worlds ---------------------------------------------------------------------------------- */

int world_setup(struct world *w, const char *more)
{
    if (!field_setup(&w->field))
        fail_msg("%s is not there", MOSQUITTO);
    gateway_start(&w->gateway, &w->field, "gateway1", more);
    listener_open(&w->listener, &w->field, "listener");
    return 0;
}

int world_teardown(struct world *w)
{
    listener_close(&w->listener);
    int status = gateway_stop(&w->gateway, SIGTERM);
    field_teardown(&w->field);
    assert_int_equal(status, 0);
    return 0;
}
