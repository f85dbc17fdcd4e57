/* Fifty devices on a bad network (lossy.h), each with the module of modules/field in its sandbox:
 * it wakes, measures, publishes, fetches what it is told and sleeps, by calls of its own. Every
 * second device has the one that publishes with QoS 2.
 *
 * The module knows nothing of being counted. What its sensor measures is the number of the message.
 * A message is acknowledged when its call has said so, and has moved when datagrams with it went to
 * both gateways.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "lossy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sandmote/network.h>

enum { TOPICS = 4, QUEUE = 4, PAYLOAD = 64, WAITING = 32, DATAGRAM = 256 };
enum { MEMORY = 65536, POOL = MEMORY + 8192, IMAGE = 32768, STACK = 512, DEPTH = 32 };
enum { PERIOD_MS = 150, FASTER = 10 };

/* A datagram that has come. */
struct letter {
    uint8_t gateway;
    size_t len;
    uint8_t bytes[DATAGRAM];
};

struct device {
    struct sm_clock clock;
    struct sm_sensors sensors;
    struct sm_sensor sensor;
    struct sm_sensor_view views[2];
    struct sm_network_port links;
    struct sm_network_cfg how;
    struct sm_network network;
    struct sm_network_session session;
    struct sm_host_port port;
    struct sm_host host;
    struct sm_manifest grants;
    struct sm_wasm_store store;
    struct sm_wasm_inst *inst;
    struct sm_wasm_exec exec;
    struct letter come[WAITING];
    unsigned ncome, count, told;
    uint32_t sent;
    uint64_t tick_ms;
    bool running;
    char prefix[16];
    uint32_t stack[STACK];
    uint8_t datagram[SM_NETWORK_DATAGRAM(PAYLOAD)];
    _Alignas(8) uint8_t pool[POOL];
    _Alignas(8) uint8_t memory[SM_NETWORK_MEMORY(TOPICS, GATEWAYS, QUEUE, PAYLOAD)];
};

/* A module as it is loaded: once for all devices that have it. */
struct program {
    struct sm_wasm_module module;
    _Alignas(8) uint8_t image[IMAGE];
    uint8_t bytes[IMAGE];
    uint32_t tick; /* its function */
};

static struct device devices[NODES];
static struct program programs[2]; /* for QoS 1 and 2 */
static uint32_t epoch;

static unsigned number_of(const struct device *d)
{
    return (unsigned)(d - devices);
}

/* ---- The sensor ------------------------------------------------------------------------------ */

static int start_sensor(struct sm_sensor *s)
{
    (void)s;
    return 0;
}

/* The next message's number, of all devices' messages. */
static int measure(struct sm_sensor *s, int32_t *values)
{
    struct device *d = s->ctx;
    values[0] = (int32_t)(number_of(d) * MESSAGES + d->count);
    lossy_message(number_of(d), d->count++)->qos = number_of(d) % 2 ? 2 : 1;
    return 0;
}

/* Whose message, and which, that value is; as the module writes it. */
static bool find_value(const char *text, unsigned *node, unsigned *number)
{
    unsigned whole, thousandths;
    if (sscanf(text, "%u.%3u", &whole, &thousandths) != 2)
        return false;
    *node = (whole * 1000 + thousandths) / MESSAGES;
    *number = (whole * 1000 + thousandths) % MESSAGES;
    return *node < NODES;
}

static const struct sm_capability humidity = {"humidity", SM_UNIT_HUMIDITY, -3, 0, 100000};
_Static_assert(NODES *MESSAGES <= 100000, "a number for each message");
static const struct sm_sensor_driver driver = {.model = "BME280",
                                               .bus = SM_BUS_NONE,
                                               .exact = true,
                                               .capabilities = 1,
                                               .capability = &humidity,
                                               .start = start_sensor,
                                               .sample = measure};

/* ---- The link -------------------------------------------------------------------------------- */

static int open_link(void *ctx, uint16_t wish, uint16_t *port)
{
    struct device *d = ctx;
    *port = wish > 0 ? wish : 1;
    d->ncome = 0;
    return 0;
}

static void close_link(void *ctx, int link)
{
    (void)ctx, (void)link;
}

/* "1" and "2". */
static int address(void *ctx, const char *text, uint16_t port, struct sm_mqttsn_address *out)
{
    (void)ctx, (void)port;
    *out = (struct sm_mqttsn_address){.len = 1, .bytes = {(uint8_t)(text[0] - '0')}};
    return text[0] == '1' || text[0] == '2' ? 0 : SM_ERR_INVALID;
}

static int address_text(void *ctx, const struct sm_mqttsn_address *a,
                        char out[SM_NETWORK_ADDRESS_MAX + 1], uint16_t *port)
{
    (void)ctx;
    snprintf(out, SM_NETWORK_ADDRESS_MAX + 1, "%d", a->bytes[0]);
    *port = 1;
    return 0;
}

/* To which gateways a message goes. */
static void watch(unsigned node, uint8_t gateway, const uint8_t *bytes, size_t len)
{
    struct sm_mqttsn_packet p;
    char text[16];
    unsigned number = 0;
    assert_int_equal(sm_mqttsn_decode(&p, bytes, len), 0);
    if (p.type != SM_MQTTSN_PUBLISH)
        return;
    snprintf(text, sizeof text, "%.*s", (int)p.len, (const char *)p.data);
    assert_true(find_value(text, &node, &number));
    struct message *m = lossy_message(node, number);
    assert_int_equal(p.qos, m->qos);
    if (m->started_at == 0)
        m->started_at = gateway;
    m->moved |= m->started_at != gateway;
}

static void send_datagram(void *ctx, int link, const struct sm_mqttsn_address *to,
                          const uint8_t *bytes, size_t len, unsigned hops)
{
    unsigned node = number_of(ctx);
    (void)link, (void)hops;
    watch(node, to->bytes[0], bytes, len);
    lossy_send(node, (uint8_t)(to->bytes[0] - 1), bytes, len);
}

static size_t receive(void *ctx, int link, struct sm_mqttsn_address *from, uint8_t *buf,
                      size_t size)
{
    struct device *d = ctx;
    struct letter l = d->come[0];
    (void)link;
    if (d->ncome == 0)
        return 0;
    memmove(d->come, d->come + 1, --d->ncome * sizeof *d->come);
    if (l.len > size)
        return 0;
    *from = (struct sm_mqttsn_address){.len = 1, .bytes = {(uint8_t)(l.gateway + 1)}};
    memcpy(buf, l.bytes, l.len);
    return l.len;
}

static void feed(unsigned i, uint8_t gateway, const uint8_t *bytes, size_t len, uint64_t now)
{
    struct device *d = &devices[i];
    (void)now;
    if (d->ncome == WAITING) /* as a socket's buffer */
        return;
    struct letter *l = &d->come[d->ncome++];
    l->gateway = gateway;
    l->len = len;
    memcpy(l->bytes, bytes, len);
}

/* ---- The device ------------------------------------------------------------------------------ */

static uint64_t network_ms(void *ctx)
{
    (void)ctx;
    return lossy_now_ms();
}

/* Beside the network all goes faster: a sensor measures once a second at most. */
static uint64_t fast_ms(void *ctx)
{
    (void)ctx;
    return FASTER * lossy_now_ms();
}

static int fill(void *ctx, void *buf, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)buf)[i] = (uint8_t)lossy_chance(256);
    return 0;
}

static void log_line(void *ctx, const char *module, const char *line)
{
    struct device *d = ctx;
    (void)module;
    d->told += strncmp(line, "field: told ", 12) == 0;
}

static int write_image(void *ctx, uint32_t off, const void *bytes, uint32_t len)
{
    struct program *p = ctx;
    assert_true(off + len <= sizeof p->image);
    memcpy(p->image + off, bytes, len);
    return 0;
}

static void load(struct program *p, const char *path)
{
    static uint8_t scratch[65536];
    const struct sm_wasm_sink sink = {p, write_image};
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t len = fread(p->bytes, 1, sizeof p->bytes, f);
    fclose(f);
    int64_t size = sm_wasm_translate(p->bytes, len, &sink, scratch, sizeof scratch, NULL);
    assert_true(size > 0);
    assert_int_equal(sm_wasm_open(&p->module, p->image, (size_t)size, p->bytes, len), 0);
    assert_int_equal(sm_wasm_export_find(&p->module, "sensor_tick", SM_WASM_FUNC, &p->tick), 0);
}

static void grant(struct sm_manifest *m)
{
    static const char *const grants[] = {"log", "rate/100", "sensor/BME280/humidity:r",
                                         "topic/field/humidity:p", "topic/field/say:s"};
    sm_manifest_defaults(m);
    strcpy(m->name, "field");
    m->interface = SM_HOST_INTERFACE;
    for (unsigned i = 0; i < sizeof grants / sizeof *grants; i++)
        strcpy(m->capability[m->capabilities++], grants[i]);
}

/* Half of the devices of each QoS begin with either gateway. */
static void open_network(struct device *d)
{
    static const struct sm_network_place places[3] = {{"1", 1}, {"2", 1}, {"1", 1}};
    static const struct sm_network_room room = {TOPICS, GATEWAYS, QUEUE, PAYLOAD};
    d->links = (struct sm_network_port){
        d, open_link, close_link, address, address_text, send_datagram, receive};
    snprintf(d->prefix, sizeof d->prefix, "node-%02u-", number_of(d));
    d->how = (struct sm_network_cfg){.port = &d->links,
                                     .clock = {d, network_ms},
                                     .entropy = {d, fill},
                                     .prefix = d->prefix,
                                     .gateways = places + number_of(d) / 2 % 2,
                                     .ngateways = GATEWAYS,
                                     .retry_ms = RETRY_MS,
                                     .retries = RETRIES,
                                     .datagram = d->datagram,
                                     .datagram_size = sizeof d->datagram};
    sm_network_init(&d->network, &d->how);
    sm_network_session_init(&d->session, &d->network, &room, d->memory);
}

static void open_device(unsigned i)
{
    static const char *const files[2] = {MODULES "/field.wasm", MODULES "/field-2.wasm"};
    struct device *d = &devices[i];
    struct sm_wasm_limits limits = {.memory_bytes = MEMORY, .table_entries = 16};
    struct sm_wasm_linker linker = {&d->host, sm_host_resolve};
    struct sm_wasm_pool pool = {.base = d->pool, .size = sizeof d->pool};
    uint32_t which;
    if (i < 2)
        load(&programs[i], files[i]);
    d->clock = (struct sm_clock){d, fast_ms};
    d->port = (struct sm_host_port){d, log_line, &d->sensors, d->clock};
    sm_sensors_init(&d->sensors, &d->clock);
    d->sensor = (struct sm_sensor){.id = "BME280", .driver = &driver, .ctx = d};
    assert_int_equal(sm_sensors_add(&d->sensors, &d->sensor), 0);
    open_network(d);
    grant(&d->grants);
    assert_true(sm_host_sensor_bytes(&d->grants) <= sizeof d->views);
    d->host.more = &d->session.more;
    sm_host_init(&d->host, &d->port, &d->grants, fast_ms(d));
    sm_host_open_sensors(&d->host, d->views);
    assert_int_equal(sm_host_begin(&d->host), 0);
    assert_int_equal(sm_wasm_instantiate(&d->inst, &d->store, &programs[i % 2].module, &limits,
                                         &linker, &pool, &which),
                     0);
    sm_wasm_exec_init(&d->exec, d->stack, STACK, DEPTH, &epoch);
    d->tick_ms = lossy_now_ms() + lossy_chance(PERIOD_MS);
}

/* The module goes on, to its end or to a call that waits. */
static void run(struct device *d, uint64_t now)
{
    int err = sm_wasm_run(&d->exec);
    assert_true(err == 0 || err == SM_WASM_PENDING);
    d->running = err == SM_WASM_PENDING;
    d->tick_ms = now + PERIOD_MS;
    if (d->session.sent > d->sent)
        lossy_message(number_of(d), d->count - 1)->acknowledged = true;
    d->sent = d->session.sent;
}

static bool step(unsigned i, uint64_t now, bool over)
{
    struct device *d = &devices[i];
    sm_sensors_step(&d->sensors);
    sm_network_step(&d->network);
    if (d->running && sm_host_wake_ms(&d->host) <= fast_ms(d)) {
        assert_int_equal(sm_host_wake(&d->host, &d->exec, d->inst), 0);
        run(d, now);
    } else if (!d->running && !over && now >= d->tick_ms && d->count < MESSAGES) {
        assert_int_equal(sm_wasm_call(&d->exec, d->inst, programs[i % 2].tick, NULL, 0), 0);
        run(d, now);
    }
    return !d->running;
}

static bool find(const char *topic, const char *text, unsigned *node, unsigned *number)
{
    return strcmp(topic, "field/humidity") == 0 && find_value(text, node, number);
}

static void command(char topic[TEXT])
{
    strcpy(topic, "field/say");
}

static unsigned told(unsigned i)
{
    return devices[i].told;
}

int main(int argc, char **argv)
{
    static const struct kind modules = {"modules", "field/humidity", 1000, open_device, step, feed,
                                        find,      command,          told};
    return lossy_main(&modules, argc, argv);
}
