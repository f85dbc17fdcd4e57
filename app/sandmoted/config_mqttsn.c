/* The "mqtt-sn" object of the daemon's configuration. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <posix/file.h>
#include <posix/log.h>
#include <sandmote/blocks.h>

#include "config.h"

struct raw {
    const char *client_id, *prefix;
    uint64_t message_bytes, window, keepalive, sleep, retry, deadline, poll_least;
    json_t *gateways, *serial, *dtls;
};

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
        return sm_json_fail(err, "mqtt-sn: either gateways or a serial line to one");
    if (in.serial && in.dtls)
        return sm_json_fail(err, "mqtt-sn.dtls: not over a serial line");
    if (strlen(in.client_id) > SM_MQTTSN_OWN_ID_MAX)
        return sm_json_fail(
            err, "mqtt-sn.client_id: is missing; a device's id longer than %u bytes is none",
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
    return in.dtls ? config_read_dtls(&c->dtls, "mqtt-sn.dtls", path, in.dtls, err) : 0;
}
