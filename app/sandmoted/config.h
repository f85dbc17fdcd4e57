/* The daemon's configuration: one JSON file, read once at start.
 *
 * {
 *   "device": "dev-1", "fleet": "plant-7", "class": "gateway",
 *   "key_set": "set-1.keys",             whom the device believes: the key set that it is
 *                                        commissioned with when it has none, and one to go on to
 *                                        when it is the next; or, instead, for ever:
 *   "signers": ["signer.pub.pem"],       public keys of the fleet's signers
 *   "native": "refuse",                  or "builder": run native images that a builder claims
 *   "builders": ["builder.pub.pem"],     public keys of the fleet's builders, beside signers
 *   "capabilities": ["log", "sensor/door*"],   what modules may be granted; default: nothing
 *   "memory_bytes": 1048576,             most memory of a module; default and limit: the class's
 *   "free_installs": 4,                  installations without a commit before others must wait
 *   "flash": {
 *     "file": "dev-1.flash",             made when missing, with all its room
 *     "applications": 2,                 how many there can be; default 1
 *     "slot_bytes": 262144,              of each of their two slots: module and image
 *     "plugins": 2, "plugin_slot_bytes": 65536,   the same of plugins; default: none
 *     "sector_bytes": 4096,
 *     "journal_bytes": 16384             of what traps leave behind; 0: nothing is kept
 *   },
 *   "server": {                          without it the device runs what it has
 *     "url": "https://fleet.example:8443", "tenant": "default",
 *     "ca": "ca.pem",                    the trust anchor, and the only one; here and of the pin
 *                                        what a key set says comes first
 *     "pin": "sha256//...",              optional: the server's public key, or several by ';'
 *     "token_file": "dev-1.token",
 *     "first_poll_seconds": 30,          the first poll comes at random within
 *     "retry_seconds": 5,                first pause after a failure, doubled with each,
 *     "retry_max_seconds": 3600,         up to this
 *     "request_seconds": 30,             deadline of a small request
 *     "download_seconds": 3600,          deadline of one go at a module
 *     "min_bytes_per_second": 256, "stall_seconds": 20,
 *     "attempts": 10                     goes without progress before a download is given up
 *   },
 *   "mqtt-sn": {                         instead of "server": updates in blocks (doc/blocks.md)
 *     "gateways": [{"host": "192.0.2.1", "port": 1884}],
 *     "serial": {"device": "/dev/ttyS1", "baud": 115200},   instead of gateways: a line to one
 *     "dtls": {"identity": "dev-1", "psk_file": "dev-1.psk"},   or "ca" and "name", and
 *                                        "certificate" and "key"; default: none
 *     "client_id": "dev-1",              default: the device's id
 *     "prefix": "sandmote",              of the topics
 *     "message_bytes": 240, "window": 8, of a message; blocks asked for at once
 *     "keepalive_seconds": 30,
 *     "sleep_seconds": 0,                sleep when nothing is to do for so long; 0: never
 *     "retry_seconds": 4,                first wait for an answer
 *     "poll_least_seconds": 10,          between two polls, whatever the server says
 *     "deadline_seconds": 86400          for all of one module
 *   },
 *   "core_dumps": {                      kept of traps, and sent to the server; default: none
 *     "folder": "cores",                 made when missing
 *     "bytes": 1048576,                  limit of each; there are at most four
 *     "memory": false                    true: with what was in memory, which may be secret
 *   },
 *   "wasi": {                            for modules of WASI (doc/wasi.md); not for class mcu
 *     "directories": [                   "file/data:rw" among the capabilities grants the first
 *       {"name": "data", "path": "data"},
 *       {"name": "maps", "path": "/usr/share/maps", "read_only": true}
 *     ],
 *     "programs": [                      behind the module's name, which is the first argument
 *       {"module": "logger", "args": ["-v"], "environ": ["TZ=UTC"]}
 *     ],
 *     "file_bytes": 16777216             most bytes of a file that a module writes
 *   },
 *   "network": {                         for modules, over MQTT-SN; default: none
 *     "gateways": [{"address": "fd00::1", "port": 10000}],   that modules get without a grant
 *     "search": {"address": "ff02::1", "port": 10000, "interface": "eth0", "hops": 1},
 *     "client_prefix": "hall7-",         in front of client ids; default: the device's name and
 *                                        "-", or 12 letters made of a name that is longer than 11
 *     "dtls": {"identity": "hall7", "psk_file": "psk"},    or {"ca", "name", "certificate", "key"};
 *                                        default: plain UDP. The key is one line in hex
 *     "topics": 32, "queue": 16, "message_bytes": 512,     room of each module: ids, messages of
 *                                        that length that wait; class mcu: 8, 4, 128
 *     "retry_seconds": 10, "retries": 3
 *   },
 *   "golden": {                          runs while no application may; replaced by no server
 *     "module": "safe.wasm",             at most as long as a slot
 *     "signature": "safe.wasm.sig",
 *     "key": "golden.pub.pem"            of its own: it may be of no fleet's signer
 *   },
 *   "buses": [                           as posix/bus_config.h says; what plugins may be bound to
 *     {"name": "i2c-1", "type": "i2c", "device": "/dev/i2c-1"}
 *   ],
 *   "sensors": [                         as posix/sensor_config.h says
 *     {"id": "air", "driver": "CCS811", "bus": "i2c-1", "address": 90},
 *     {"id": "BME280", "values": {"temperature": 21500, "humidity": "humidity.txt"}}
 *   ]
 * }
 * Paths are relative to the file's folder. An unknown key is an error.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTED_CONFIG_H
#define SANDMOTED_CONFIG_H

#include <limits.h>
#include <posix/sealed.h>
#include <posix/json_read.h>
#include <posix/sensor_config.h>
#include <posix/sn_network.h>
#include <posix/update_client.h>
#include <sandmote/device.h>

#define CONFIG_SIGNERS_MAX  16u
#define CONFIG_BUILDERS_MAX 16u
_Static_assert(CONFIG_SIGNERS_MAX + CONFIG_BUILDERS_MAX <= SM_KEYSET_KEYS_MAX,
               "keys of the configuration and of a key set share their room");
#define CONFIG_CAPABILITIES_MAX 64u
#define CONFIG_DIRECTORIES_MAX  16u
#define CONFIG_PROGRAMS_MAX     16u
#define CONFIG_GATEWAYS_MAX     8u
#define CONFIG_TEXTS_MAX        16u /* arguments, or variables */

struct config_directory {
    const char *name;
    char path[PATH_MAX];
    bool read_only;
};

struct config_program {
    const char *module;
    const char *args[1 + CONFIG_TEXTS_MAX], *env[CONFIG_TEXTS_MAX];
    uint32_t nargs, nenv;
};

struct config_core {
    char folder[PATH_MAX]; /* "": no core dumps */
    size_t bytes;
    bool memory;
    bool sealed; /* to seal_to */
    uint8_t seal_to[SM_SEALED_KEY_SIZE];
};

struct config_dtls {
    bool there;
    struct sm_sn_dtls how;
    uint8_t psk[64];
    char ca[PATH_MAX], certificate[PATH_MAX], key[PATH_MAX];
};

struct config_network {
    bool on;
    struct sm_sn_network_cfg how;
    struct sm_network_place gateway[CONFIG_GATEWAYS_MAX];
    struct config_dtls dtls;
    char prefix[SM_MQTTSN_OWN_ID_MAX + 1];
};

struct config_golden {
    uint8_t *module; /* NULL: there is none */
    size_t len;
    uint8_t signature[SM_SIGNATURE_BYTES];
    uint8_t key[SM_PUBLIC_KEY_BYTES];
};

struct config_mqttsn {
    bool there;
    const char *client_id, *prefix, *serial; /* serial: its device, or NULL */
    uint32_t baud, retry_ms, deadline_s, poll_least_s;
    uint16_t message_bytes, window, keepalive_s, sleep_s;
    struct {
        const char *host;
        uint16_t port;
    } gateway[CONFIG_GATEWAYS_MAX];
    size_t ngateways;
    struct config_dtls dtls;
};

struct config {
    json_t *root; /* owns the texts */
    const char *device, *fleet;
    enum sm_class cls;
    uint64_t memory_bytes;  /* never 0 */
    uint16_t free_installs; /* 0: the device's default */
    struct sm_trust trust;
    struct sm_trust_key keys[SM_KEYSET_KEYS_MAX];
    char key_set[PATH_MAX]; /* "": trust is fixed */
    bool native;            /* native images are run */
    const char *capabilities[CONFIG_CAPABILITIES_MAX];
    size_t ncapabilities;
    char flash_file[PATH_MAX];
    struct sm_store_cfg store;
    uint32_t sector_bytes;
    struct config_core core;
    struct config_golden golden;
    struct config_network network;
    bool has_server;
    struct sm_update_cfg update; /* without device and entropy */
    char ca[PATH_MAX];
    char authorization[160];
    struct config_mqttsn mqttsn;
    struct sm_sensor_config sensors;
    struct config_directory directories[CONFIG_DIRECTORIES_MAX];
    struct config_program programs[CONFIG_PROGRAMS_MAX];
    size_t ndirectories, nprograms;
    uint64_t file_bytes;
};

/* Read the file, the keys and the token that it names. *c must stay where it is.
 * 0, or SM_ERR_INVALID with one sentence in *err that begins with the path. */
int config_load(const char *path, struct config *c, struct sm_json_error *err);
void config_free(struct config *c);

/* Its object "mqtt-sn" (config_mqttsn.c). *c must stay where it is. 0 or SM_ERR_INVALID. */
int config_read_mqttsn(struct config_mqttsn *c, const char *path, const char *device,
                       const json_t *v, struct sm_json_error *err);

/* Its objects "dtls" (config_dtls.c), which stand at `where`; and "network" (config_network.c),
 * when device and cls are read. The same. */
int config_read_dtls(struct config_dtls *d, const char *where, const char *path, const json_t *v,
                     struct sm_json_error *err);
int config_read_network(struct config *c, const char *path, const json_t *v,
                        struct sm_json_error *err);

#endif
