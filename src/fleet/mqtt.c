/* Devices behind an MQTT broker (mqtt.h). SPDX-License-Identifier: Apache-2.0 */
#include "mqtt.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <mosquitto.h>
#include <posix/file.h>
#include <posix/log.h>

#include "blocks.h"

enum {
    KEEPALIVE_S = 30,
    LOOP_MS = 500,
    PAUSE_MOST_S = 30, /* before connecting again */
    SECRET_MAX = 1024,
    TOPIC_MAX = 256
};

struct sm_fleet_mqtt {
    struct sm_fleet fleet; /* the same configuration, a database connection of our own */
    struct sm_fleet_blocks_cfg blocks_cfg;
    struct sm_fleet_blocks *blocks;
    struct mosquitto *client;
    pthread_t thread;
    atomic_bool ends;
    bool connected;
    int64_t looked_ms; /* for news */
    unsigned pause_s;
};

/* ---- Messages -------------------------------------------------------------------------------- */

static void send_message(void *ctx, const char *device, const void *bytes, size_t len)
{
    struct sm_fleet_mqtt *m = ctx;
    char topic[TOPIC_MAX];
    snprintf(topic, sizeof topic, "%s/%s/down", m->fleet.cfg.mqtt.prefix, device);
    /* One that is lost the device asks for again. */
    (void)mosquitto_publish(m->client, NULL, topic, (int)len, bytes, 0, false);
}

/* The device in "<prefix>/<device>/up"; false when the topic is another one. */
static bool device_of(const struct sm_fleet_mqtt *m, const char *topic,
                      char out[SM_FLEET_NAME_MAX + 1])
{
    size_t n = strlen(m->fleet.cfg.mqtt.prefix);
    if (strncmp(topic, m->fleet.cfg.mqtt.prefix, n) != 0 || topic[n] != '/')
        return false;
    const char *device = topic + n + 1, *end = strchr(device, '/');
    if (!end || strcmp(end, "/up") != 0 || end - device > (long)SM_FLEET_NAME_MAX)
        return false;
    snprintf(out, SM_FLEET_NAME_MAX + 1, "%.*s", (int)(end - device), device);
    return true;
}

static void on_message(struct mosquitto *client, void *ctx, const struct mosquitto_message *message)
{
    struct sm_fleet_mqtt *m = ctx;
    char device[SM_FLEET_NAME_MAX + 1];
    (void)client;
    if (!device_of(m, message->topic, device))
        return;
    int err = sm_fleet_blocks_input(m->blocks, device, message->payload,
                                    (size_t)message->payloadlen, sm_time_now_ms());
    if (err && err != SM_ERR_LIMIT)
        sm_log(SM_LOG_WARN, "mqtt: device %s: a message of %d bytes: %s", device,
               message->payloadlen, sm_strerror(err));
}

/* ---- The connection -------------------------------------------------------------------------- */

static void on_connect(struct mosquitto *client, void *ctx, int code)
{
    struct sm_fleet_mqtt *m = ctx;
    const struct sm_fleet_mqtt_config *c = &m->fleet.cfg.mqtt;
    char filter[TOPIC_MAX];
    if (code != 0) {
        sm_log(SM_LOG_ERROR, "mqtt: %s:%u: %s", c->host, (unsigned)c->port,
               mosquitto_connack_string(code));
        return;
    }
    snprintf(filter, sizeof filter, "%s/+/up", c->prefix);
    mosquitto_subscribe(client, NULL, filter, 0);
    m->connected = true;
    m->pause_s = 0;
    sm_log(SM_LOG_INFO, "mqtt: connected to %s:%u, devices below %s/", c->host, (unsigned)c->port,
           c->prefix);
}

static void on_disconnect(struct mosquitto *client, void *ctx, int code)
{
    struct sm_fleet_mqtt *m = ctx;
    (void)client;
    if (m->connected && code != 0)
        sm_log(SM_LOG_WARN, "mqtt: connection lost: %s", mosquitto_strerror(code));
    m->connected = false;
}

/* After a failure: a pause, longer with each, that an end cuts short; then once more. */
static void connect_again(struct sm_fleet_mqtt *m, int code)
{
    if (m->pause_s == 0)
        sm_log(SM_LOG_WARN, "mqtt: %s:%u: %s; trying again", m->fleet.cfg.mqtt.host,
               (unsigned)m->fleet.cfg.mqtt.port,
               code == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(code));
    m->pause_s = m->pause_s ? m->pause_s * 2 : 1;
    if (m->pause_s > PAUSE_MOST_S)
        m->pause_s = PAUSE_MOST_S;
    for (unsigned ms = 0; ms < m->pause_s * 1000 && !m->ends; ms += LOOP_MS)
        usleep(LOOP_MS * 1000);
    if (!m->ends)
        (void)mosquitto_reconnect(m->client);
}

/* Not with each message: a look is a query. */
static void look_for_news(struct sm_fleet_mqtt *m)
{
    int64_t now = sm_time_now_ms();
    if (!m->connected || (now >= m->looked_ms && now - m->looked_ms < LOOP_MS))
        return;
    m->looked_ms = now;
    (void)sm_fleet_blocks_news(m->blocks, now);
}

static void *run(void *ctx)
{
    struct sm_fleet_mqtt *m = ctx;
    const struct sm_fleet_mqtt_config *c = &m->fleet.cfg.mqtt;
    int code = mosquitto_connect(m->client, c->host, (int)c->port, KEEPALIVE_S);
    while (!m->ends) {
        if (code == MOSQ_ERR_SUCCESS)
            code = mosquitto_loop(m->client, LOOP_MS, 1);
        if (code == MOSQ_ERR_SUCCESS) {
            look_for_news(m);
            continue;
        }
        connect_again(m, code);
        code = MOSQ_ERR_SUCCESS;
    }
    mosquitto_disconnect(m->client);
    return NULL;
}

/* ---- Life ------------------------------------------------------------------------------------ */

/* The password is the first line of its file. */
static bool set_password(struct sm_fleet_mqtt *m)
{
    const struct sm_fleet_mqtt_config *c = &m->fleet.cfg.mqtt;
    struct sm_file_why why;
    uint8_t *text = NULL;
    size_t len;
    if (!c->user)
        return true;
    if (c->password_file[0] && sm_file_read(c->password_file, SECRET_MAX, &text, &len, &why) < 0) {
        sm_log(SM_LOG_ERROR, "mqtt: %s", why.text);
        return false;
    }
    if (text)
        text[strcspn((char *)text, "\r\n")] = 0;
    int code = mosquitto_username_pw_set(m->client, c->user, (char *)text);
    if (text)
        memset(text, 0, len);
    free(text);
    return code == MOSQ_ERR_SUCCESS;
}

static bool set_tls(struct sm_fleet_mqtt *m)
{
    const struct sm_fleet_mqtt_config *c = &m->fleet.cfg.mqtt;
    if (!c->ca[0])
        return true;
    const char *certificate = c->certificate[0] ? c->certificate : NULL;
    const char *key = c->key[0] ? c->key : NULL;
    int code = mosquitto_tls_set(m->client, c->ca, NULL, certificate, key, NULL);
    if (code == MOSQ_ERR_SUCCESS)
        code = mosquitto_tls_opts_set(m->client, 1, "tlsv1.3", NULL);
    if (code != MOSQ_ERR_SUCCESS)
        sm_log(SM_LOG_ERROR, "mqtt: ca, certificate or key: %s", mosquitto_strerror(code));
    return code == MOSQ_ERR_SUCCESS;
}

static void drop(struct sm_fleet_mqtt *m)
{
    if (m->client)
        mosquitto_destroy(m->client);
    mosquitto_lib_cleanup();
    sm_fleet_blocks_free(m->blocks);
    if (m->fleet.db.sql)
        sm_fleet_db_close(&m->fleet.db);
    free(m);
}

static bool begin(struct sm_fleet_mqtt *m, const char *db_path)
{
    m->blocks_cfg =
        (struct sm_fleet_blocks_cfg){.fleet = &m->fleet,
                                     .per_second = (uint32_t)m->fleet.cfg.mqtt.messages_per_second,
                                     .send_ctx = m,
                                     .send = send_message};
    m->blocks = sm_fleet_blocks_new(&m->blocks_cfg);
    if (!m->blocks || sm_fleet_db_open(&m->fleet.db, db_path) < 0)
        return false;
    m->client = mosquitto_new(m->fleet.cfg.mqtt.client_id, true, m);
    if (!m->client)
        return false;
    mosquitto_threaded_set(m->client, true);
    mosquitto_connect_callback_set(m->client, on_connect);
    mosquitto_disconnect_callback_set(m->client, on_disconnect);
    mosquitto_message_callback_set(m->client, on_message);
    (void)mosquitto_int_option(m->client, MOSQ_OPT_TCP_NODELAY, 1);
    return set_password(m) && set_tls(m) && pthread_create(&m->thread, NULL, run, m) == 0;
}

struct sm_fleet_mqtt *sm_fleet_mqtt_start(const struct sm_fleet_config *cfg, const char *db_path)
{
    struct sm_fleet_mqtt *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->fleet.cfg = *cfg;
    mosquitto_lib_init();
    if (begin(m, db_path))
        return m;
    sm_log(SM_LOG_ERROR, "mqtt: cannot begin");
    drop(m);
    return NULL;
}

void sm_fleet_mqtt_stop(struct sm_fleet_mqtt *m)
{
    if (!m)
        return;
    m->ends = true;
    pthread_join(m->thread, NULL);
    drop(m);
}
