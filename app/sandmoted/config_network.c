/* "network" of the configuration file. SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <posix/file.h>
#include <posix/log.h>
#include <sandmote/crypto.h>

#define PREFIX_MAX 12u

struct reading {
    const char *path;
    struct config_network *n;
    struct sm_json_error *err;
};

struct in {
    const char *prefix;
    json_t *gateways, *search, *dtls;
    uint64_t topics, queue, message_bytes, retry, retries;
};

struct place {
    const char *address, *interface;
    uint64_t port, hops;
};

static int add_gateway(struct reading *r, size_t i, const json_t *v)
{
#define AT(member) SM_JSON_AT(struct place, member)
    static const struct sm_json_field fields[] = {
        {"address", SM_JSON_TEXT, true, 1, SM_NETWORK_ADDRESS_MAX, AT(address)},
        {"port", SM_JSON_UINT, true, 1, UINT16_MAX, AT(port)},
        {0}};
    struct place in = {0};
    char where[40];
    snprintf(where, sizeof where, "network.gateways[%zu]", i);
    if (sm_json_read(v, where, fields, false, &in, r->err) < 0)
        return SM_ERR_INVALID;
    r->n->gateway[r->n->how.ngateways++] = (struct sm_network_place){in.address, (uint16_t)in.port};
    return 0;
}

static int read_search(struct reading *r, const json_t *search)
{
    static const struct sm_json_field fields[] = {
        {"address", SM_JSON_TEXT, true, 1, SM_NETWORK_ADDRESS_MAX, AT(address)},
        {"port", SM_JSON_UINT, true, 1, UINT16_MAX, AT(port)},
        {"interface", SM_JSON_TEXT, false, 1, 15, AT(interface)},
        {"hops", SM_JSON_UINT, false, 1, UINT8_MAX, AT(hops)},
        {0}};
#undef AT
    struct place in = {.hops = 1};
    if (sm_json_read(search, "network.search", fields, false, &in, r->err) < 0)
        return SM_ERR_INVALID;
    r->n->how.search = (struct sm_network_place){in.address, (uint16_t)in.port};
    r->n->how.interface = in.interface;
    r->n->how.hops = (uint8_t)in.hops;
    return 0;
}

/* ---- All of it ------------------------------------------------------------------------------- */

/* Whatever the device is called, the prefix leaves a module half of a client id. */
static int make_prefix(struct reading *r, const char *prefix, const char *device)
{
    char *out = r->n->prefix, hex[2 * SM_SHA256_SIZE + 1];
    uint8_t sha[SM_SHA256_SIZE];
    if (prefix &&
        strspn(prefix, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") !=
            strlen(prefix))
        return sm_json_fail(r->err,
                            "network.client_prefix: letters, digits, '.', '_' and '-' only");
    r->n->how.prefix = out;
    if (prefix) {
        strcpy(out, prefix);
    } else if (strlen(device) < PREFIX_MAX) {
        snprintf(out, PREFIX_MAX + 1, "%s-", device);
    } else {
        sm_sha256(device, strlen(device), sha);
        sm_hex_encode(sha, sizeof sha, hex);
        snprintf(out, PREFIX_MAX + 1, "%.11s-", hex);
    }
    return 0;
}

int config_read_network(struct config *c, const char *path, const json_t *network,
                        struct sm_json_error *err)
{
#define AT(member) SM_JSON_AT(struct in, member)
    static const struct sm_json_field fields[] = {
        {"gateways", SM_JSON_ARRAY, false, 0, CONFIG_GATEWAYS_MAX, AT(gateways)},
        {"search", SM_JSON_OBJECT, false, 0, 4, AT(search)},
        {"client_prefix", SM_JSON_TEXT, false, 0, PREFIX_MAX, AT(prefix)},
        {"dtls", SM_JSON_OBJECT, false, 0, 6, AT(dtls)},
        {"topics", SM_JSON_UINT, false, 1, UINT8_MAX, AT(topics)},
        {"queue", SM_JSON_UINT, false, 1, UINT8_MAX, AT(queue)},
        {"message_bytes", SM_JSON_UINT, false, 1, SM_SN_DATAGRAM - 64, AT(message_bytes)},
        {"retry_seconds", SM_JSON_UINT, false, 1, 3600, AT(retry)},
        {"retries", SM_JSON_UINT, false, 1, UINT8_MAX, AT(retries)},
        {0}};
#undef AT
    bool mcu = c->cls == SM_CLASS_MCU;
    struct in in = {.topics = mcu ? 8 : 32,
                    .queue = mcu ? 4 : 16,
                    .message_bytes = mcu ? 128 : 512,
                    .retry = 10,
                    .retries = 3};
    struct config_network *n = &c->network;
    struct reading r = {path, n, err};
    if (sm_json_read(network, "network", fields, false, &in, err) < 0)
        return SM_ERR_INVALID;
    n->on = true;
    n->how.gateways = n->gateway;
    for (size_t i = 0; i < json_array_size(in.gateways); i++)
        if (add_gateway(&r, i, json_array_get(in.gateways, i)) < 0)
            return SM_ERR_INVALID;
    n->how.retry_ms = (uint32_t)in.retry * 1000;
    n->how.retries = (uint8_t)in.retries;
    n->how.room = (struct sm_network_room){(uint8_t)in.topics, (uint8_t)(n->how.ngateways + 1),
                                           (uint8_t)in.queue, (uint16_t)in.message_bytes};
    if ((in.search && read_search(&r, in.search) < 0) ||
        (in.dtls && config_read_dtls(&n->dtls, "network.dtls", path, in.dtls, err) < 0))
        return SM_ERR_INVALID;
    if (n->dtls.there)
        n->how.dtls = &n->dtls.how;
    return make_prefix(&r, in.prefix, c->device);
}
