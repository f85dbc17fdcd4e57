/* The gateway's configuration: one JSON file, read once at start.
 *
 * {
 *   "name": "gateway1",             client id at the broker; each gateway its own
 *   "gateway_id": 1,                in ADVERTISE and GWINFO, 0 to 255
 *   "broker": {"host": "127.0.0.1",      an address, a name, or the path of a local socket
 *              "port": 1883, "user": "..", "password": "..",
 *              "keepalive_seconds": 60, "qos2_window": 19,   below its max_inflight_messages
 *              "ca": "ca.pem",          TLS 1.2 or 1.3, by this authority
 *              "name": "broker.example",    and for this name; default: host
 *              "certificate": "gw.pem", "key": "gw.key"},
 *   "listen": [{"address": "::",    IPv6 addresses take IPv4 too
 *               "port": 1884,
 *               "multicast": "ff02::1:1884",       group for searches and advertisements
 *               "interface": "eth0",               of the group
 *               "dtls": false}],
 *   "dtls": {"psk_file": "psk", "certificate": "gw.pem", "key": "gw.key", "ca": "clients.pem",
 *            "idle_seconds": 15},   silent in a session without a client for so long, it goes
 *   "state": "gateway.db",          sessions and messages; without it nothing survives a restart
 *   "durable": "process",           or "power": also survives a power cut, at the disk's speed
 *   "metrics": {"address": "127.0.0.1", "port": 9884},
 *   "advertise_seconds": 0,         0: never
 *   "search": ["fe80::/10"],        who is answered SEARCHGW; default: nobody
 *   "forwarders": [],               who may speak for nodes behind it
 *   "without_connection": [],       who may publish with QoS -1, to predefined topics
 *   "moves": [],                    networks in which a client asleep may change its address
 *   "predefined": [{"id": 1, "topic": "site/alarm"}],
 *   "clients": [{"id": "sensor-*", "identity": "..", "publish": ["site/%c/#"],
 *                "subscribe": ["cmd/%c/+"], "own_connection": false, "user": "..",
 *                "password": "..", "messages_per_second": 0}],
 *   "limits": {"clients": 100000, "topics": 256, "filters": 64, "buffered_messages": 100,
 *              "buffered_bytes": 65536, "datagram_bytes": 1400, "connects_per_second": 100,
 *              "connects_burst": 1000, "session_seconds": 604800, "silent_seconds": 86400},
 *   "retry_seconds": 10, "retries": 3
 * }
 * The first element of "clients" that fits a client is its rule, and without one it is refused.
 * With an "identity" it is for clients that DTLS proved to have that one; "id" may then be "%u":
 * exactly the identity. Paths are relative to the file's folder. An unknown key is an error.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_CONFIG_H
#define GATEWAY_CONFIG_H

#include <limits.h>
#include <gateway/gateway.h>
#include <posix/json_read.h>

#define LISTEN_MAX     8u
#define PREFIXES_MAX   64u
#define RULES_MAX      1024u
#define FILTERS_MAX    64u
#define PREDEFINED_MAX 1024u

struct listen {
    const char *address, *multicast, *interface;
    uint64_t port;
    bool dtls;
};

struct config {
    json_t *root; /* owns the texts */
    struct gw_config gw;
    const char *broker_host, *broker_name;
    char broker_ca[PATH_MAX], broker_certificate[PATH_MAX], broker_key[PATH_MAX]; /* "": none */
    uint64_t broker_port;
    struct listen listen[LISTEN_MAX];
    size_t listen_count;
    char psk_file[PATH_MAX], certificate[PATH_MAX], key[PATH_MAX], ca[PATH_MAX], state[PATH_MAX];
    bool power; /* commits wait for the disk */
    const char *metrics_address;
    uint64_t metrics_port, advertise_s, dtls_idle_s;
    bool metrics;
    struct gw_prefix prefixes[4][PREFIXES_MAX];
    struct gw_predefined *predefined;
    struct gw_rule *rules;
};

/* The broker is at a local socket; its path has at most the length that one can have. */
static inline bool config_local(const struct config *c)
{
    return *c->broker_host == '/';
}

/* Read the file. *c must stay where it is. 0, or SM_ERR_INVALID with one sentence in *err that
 * begins with the path. */
int config_load(const char *path, struct config *c, struct sm_json_error *err);
void config_free(struct config *c);

#endif
