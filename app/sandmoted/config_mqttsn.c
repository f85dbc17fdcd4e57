/* The "mqtt-sn" object of the daemon's configuration. SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <posix/file.h>
#include <posix/log.h>
#include <sandmote/blocks.h>

#include "config.h"

#define SECRET_MAX 256u

struct raw {
    const char *client_id, *prefix;
    uint64_t message_bytes, window, keepalive, sleep, retry, deadline, poll_least;
    json_t *gateways, *serial, *dtls;
};

__attribute__((format(printf, 2, 3))) static int fail(struct sm_json_error *err, const char *format,
                                                      ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return SM_ERR_INVALID;
}

static int read_gateways(struct config_mqttsn *c, const json_t *array, struct sm_json_error *err)
{
    char where[48];
    for (size_t i = 0; i < json_array_size(array); i++) {
        struct {
            const char *host;
            uint64_t port;
        } in = {NULL, 0};
        const struct sm_json_field fields[] = {
            {"host", SM_JSON_TEXT, true, 1, 255, 0},
            {"port", SM_JSON_UINT, true, 1, 65535, sizeof(const char *)},
            {0}};
        snprintf(where, sizeof where, "mqtt-sn.gateways[%zu]", i);
        if (sm_json_read(json_array_get(array, i), where, fields, false, &in, err) < 0)
            return SM_ERR_INVALID;
        c->gateway[c->ngateways].host = in.host;
        c->gateway[c->ngateways++].port = (uint16_t)in.port;
    }
    return 0;
}

static int read_serial(struct config_mqttsn *c, const json_t *v, struct sm_json_error *err)
{
    struct {
        const char *device;
        uint64_t baud;
    } in = {NULL, 115200};
    const struct sm_json_field fields[] = {
        {"device", SM_JSON_TEXT, true, 1, PATH_MAX - 1, 0},
        {"baud", SM_JSON_UINT, false, 50, 4000000, sizeof(const char *)},
        {0}};
    if (sm_json_read(v, "mqtt-sn.serial", fields, false, &in, err) < 0)
        return SM_ERR_INVALID;
    c->serial = in.device;
    c->baud = (uint32_t)in.baud;
    return 0;
}

/* The pre-shared key is a line of hex in its file. */
static int read_psk(struct config_mqttsn *c, const char *path, const char *name,
                    struct sm_json_error *err)
{
    char file[PATH_MAX];
    struct sm_file_why why;
    uint8_t *text;
    size_t len;
    if (sm_file_beside(path, name, file, sizeof file) < 0)
        return fail(err, "mqtt-sn.dtls.psk_file: the path is too long");
    if (sm_file_read(file, SECRET_MAX, &text, &len, &why) < 0)
        return fail(err, "mqtt-sn.dtls.psk_file: %.300s", why.text);
    size_t n = strcspn((char *)text, "\r\n");
    text[n] = 0;
    bool good = n % 2 == 0 && n / 2 >= 16 && n / 2 <= sizeof c->psk &&
                sm_hex_decode((char *)text, c->psk, n / 2) == 0;
    sm_wipe(text, len);
    free(text);
    c->dtls_how.key = c->psk;
    c->dtls_how.key_len = n / 2;
    return good ? 0
                : fail(err, "mqtt-sn.dtls.psk_file: must have 16 to 64 bytes in lower case hex");
}

static int read_dtls(struct config_mqttsn *c, const char *path, const json_t *v,
                     struct sm_json_error *err)
{
    struct dtls {
        const char *identity, *psk_file, *ca, *name, *certificate, *key;
    } in = {0};
#define AT(member) SM_JSON_AT(struct dtls, member)
    const struct sm_json_field fields[] = {
        {"identity", SM_JSON_TEXT, false, 1, 128, AT(identity)},
        {"psk_file", SM_JSON_TEXT, false, 1, PATH_MAX - 1, AT(psk_file)},
        {"ca", SM_JSON_TEXT, false, 1, PATH_MAX - 1, AT(ca)},
        {"name", SM_JSON_TEXT, false, 1, 255, AT(name)},
        {"certificate", SM_JSON_TEXT, false, 1, PATH_MAX - 1, AT(certificate)},
        {"key", SM_JSON_TEXT, false, 1, PATH_MAX - 1, AT(key)},
        {0}};
#undef AT
    if (sm_json_read(v, "mqtt-sn.dtls", fields, false, &in, err) < 0)
        return SM_ERR_INVALID;
    bool psk = in.identity && in.psk_file && !in.ca && !in.name && !in.certificate && !in.key;
    bool certificates =
        in.ca && in.name && !in.identity && !in.psk_file && !in.certificate == !in.key;
    if (psk == certificates)
        return fail(err, "mqtt-sn.dtls: identity and psk_file; or ca and name, with certificate "
                         "and key if the gateway wants them");
    c->dtls = true;
    c->dtls_how.identity = in.identity;
    c->dtls_how.name = in.name;
    if (psk)
        return read_psk(c, path, in.psk_file, err);
    if (sm_file_beside(path, in.ca, c->ca, sizeof c->ca) < 0 ||
        (in.certificate &&
         (sm_file_beside(path, in.certificate, c->certificate, sizeof c->certificate) < 0 ||
          sm_file_beside(path, in.key, c->key, sizeof c->key) < 0)))
        return fail(err, "mqtt-sn.dtls: a path is too long");
    c->dtls_how.ca = c->ca;
    c->dtls_how.certificate = in.certificate ? c->certificate : NULL;
    c->dtls_how.private_key = in.key ? c->key : NULL;
    return 0;
}

int config_read_mqttsn(struct config_mqttsn *c, const char *path, const char *device,
                       const json_t *v, struct sm_json_error *err)
{
#define AT(member) SM_JSON_AT(struct raw, member)
    static const struct sm_json_field fields[] = {
        {"gateways", SM_JSON_ARRAY, false, 1, CONFIG_GATEWAYS_MAX, AT(gateways)},
        {"serial", SM_JSON_OBJECT, false, 1, 4, AT(serial)},
        {"dtls", SM_JSON_OBJECT, false, 1, 8, AT(dtls)},
        {"client_id", SM_JSON_TEXT, false, 1, SM_MQTTSN_OWN_ID_MAX, AT(client_id)},
        {"prefix", SM_JSON_TEXT, false, 1, 128, AT(prefix)},
        {"message_bytes", SM_JSON_UINT, false, SM_BLOCKS_LEAST, SM_BLOCKS_MOST, AT(message_bytes)},
        {"window", SM_JSON_UINT, false, 1, SM_BLOCKS_WINDOW, AT(window)},
        {"keepalive_seconds", SM_JSON_UINT, false, 1, UINT16_MAX, AT(keepalive)},
        {"sleep_seconds", SM_JSON_UINT, false, 0, UINT16_MAX, AT(sleep)},
        {"retry_seconds", SM_JSON_UINT, false, 1, 3600, AT(retry)},
        {"poll_least_seconds", SM_JSON_UINT, false, 1, 86400, AT(poll_least)},
        {"deadline_seconds", SM_JSON_UINT, false, 60, 31622400, AT(deadline)},
        {0}};
#undef AT
    struct raw in = {.client_id = device,
                     .prefix = "sandmote",
                     .message_bytes = SM_BLOCKS_LEAST,
                     .window = 8,
                     .keepalive = 30,
                     .retry = 4,
                     .deadline = 86400,
                     .poll_least = 10};
    if (sm_json_read(v, "mqtt-sn", fields, false, &in, err) < 0)
        return SM_ERR_INVALID;
    if (!in.gateways == !in.serial)
        return fail(err, "mqtt-sn: either gateways or a serial line to one");
    if (in.serial && in.dtls)
        return fail(err, "mqtt-sn.dtls: not over a serial line");
    if (strlen(in.client_id) > SM_MQTTSN_OWN_ID_MAX)
        return fail(err,
                    "mqtt-sn.client_id: is missing; a device's id longer than %u bytes is none",
                    SM_MQTTSN_OWN_ID_MAX);
    *c = (struct config_mqttsn){.client_id = in.client_id,
                                .prefix = in.prefix,
                                .message_bytes = (uint16_t)in.message_bytes,
                                .window = (uint16_t)in.window,
                                .keepalive_s = (uint16_t)in.keepalive,
                                .sleep_s = (uint16_t)in.sleep,
                                .retry_ms = (uint32_t)in.retry * 1000,
                                .deadline_s = (uint32_t)in.deadline,
                                .poll_least_s = (uint32_t)in.poll_least,
                                .there = true};
    if (in.serial)
        return read_serial(c, in.serial, err);
    if (read_gateways(c, in.gateways, err) < 0)
        return SM_ERR_INVALID;
    return in.dtls ? read_dtls(c, path, in.dtls, err) : 0;
}
