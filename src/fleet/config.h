/* The server's configuration: one JSON file, read once at start.
 *
 * {
 *   "address": "0.0.0.0",           numeric; default "127.0.0.1"
 *   "port": 8443,                   0 takes any free one
 *   "public_url": "https://fleet.example:8443",  what devices reach; default: their Host header
 *   "certificate": "server.pem",    with the key: what TLS shows
 *   "key": "server.key",
 *   "data": "fleet-data",           folder for the database and the modules; made when missing
 *   "tenant": "default",
 *   "poll_seconds": 300,
 *   "max_module_bytes": 16777216,
 *   "max_connections": 1000,
 *   "signers": [{"fleet": "plant-7", "key": "signer.pub.pem"}],
 *   "builders": [{"fleet": "plant-7", "key": "builder.pub.pem"}],  of native images; default: none
 *   "statement_key": "server.sign.pem",  private key that states what is current; default: none
 *   "statement_seconds": 86400,     how long that is true
 *   "operators": [{"name": "operator1", "token_sha256": "<hex>"}],
 *   "mqtt": {                       devices behind an MQTT broker; default: none
 *     "host": "127.0.0.1",
 *     "port": 1883,                 default 1883, with ca 8883
 *     "prefix": "sandmote",         topics are <prefix>/<device>/up and /down
 *     "client_id": "sandmote-fleet",
 *     "user": "fleet", "password_file": "mqtt.password",     default: none
 *     "ca": "ca.pem", "certificate": "mqtt.pem", "key": "mqtt.key",   TLS 1.3; default: none
 *     "messages_per_second": 50     that a device is answered with
 *   }
 * }
 * Paths are relative to the file's folder. An unknown key is an error.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_FLEET_CONFIG_H
#define SM_FLEET_CONFIG_H

#include <limits.h>
#include <posix/json_read.h>
#include <posix/keys.h>
#include <sandmote/trust.h>

#define SM_FLEET_SIGNERS_MAX   64u
#define SM_FLEET_BUILDERS_MAX  64u
#define SM_FLEET_OPERATORS_MAX 64u

struct sm_fleet_operator {
    const char *name;
    uint8_t token_sha256[32];
};

/* Texts that are absent are NULL, paths "". */
struct sm_fleet_mqtt_config {
    const char *host; /* NULL: no MQTT */
    const char *prefix, *client_id, *user;
    uint64_t port, messages_per_second;
    char password_file[PATH_MAX], ca[PATH_MAX], certificate[PATH_MAX], key[PATH_MAX];
};

struct sm_fleet_config {
    json_t *root; /* owns the texts */
    const char *address, *public_url, *tenant;
    uint64_t port, poll_seconds, max_module_bytes, max_connections, statement_seconds;
    bool states; /* statement_key is there */
    struct sm_keys_private statement_key;
    char certificate[PATH_MAX], key[PATH_MAX], data[PATH_MAX];
    struct sm_trust trust;
    struct sm_trust_key keys[SM_FLEET_SIGNERS_MAX + SM_FLEET_BUILDERS_MAX];
    struct sm_fleet_operator operators[SM_FLEET_OPERATORS_MAX];
    size_t operator_count;
    struct sm_fleet_mqtt_config mqtt;
};

/* Read the file and the keys that it names. *cfg must stay where it is (trust points into it).
 * 0, or SM_ERR_INVALID with one sentence in *err that begins with the path. */
int sm_fleet_config_load(const char *path, struct sm_fleet_config *cfg, struct sm_json_error *err);

void sm_fleet_config_free(struct sm_fleet_config *cfg);

#endif
