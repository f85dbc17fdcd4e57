/* sandmote sn: publish and subscribe over MQTT-SN, by hand; and what stands at the far end of a
 * device's serial line.
 *
 * The same client as on devices, driven by a loop that waits for its link; each step of a command
 * is a request and a wait for its result. Forwarding has no client: datagrams pass as they are.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <posix/sn_link.h>
#include <posix/system.h>

#include "cli.h"

#define GATEWAYS     8
#define TOPICS       64
#define NAME_SIZE    1024
#define PAYLOAD      4000
#define DEFAULT_PORT 1884

struct options {
    const char *gateway[CLI_VALUES_MAX], *topic[CLI_VALUES_MAX];
    const char *group, *interface, *radius;
    const char *identity, *psk, *ca, *name, *cert, *key;
    const char *serial, *baud;
    const char *id, *keepalive, *retry, *qos;
    const char *will_topic, *will_message, *will_qos;
    const char *message, *count, *wait, *sleep;
    bool raw, keep, will_retain, retain, lines, nothing, verbose;
};

struct tool {
    struct options o;
    struct sm_mqttsn sn;
    struct sm_sn_link *link;
    struct sm_mqttsn_will will;
    unsigned refused; /* messages of QoS 0, */
    uint8_t refusal;  /* and why */
    char id[SM_MQTTSN_OWN_ID_MAX + 1];
    struct sm_mqttsn_gateway gateways[GATEWAYS];
    struct sm_mqttsn_topic topics[TOPICS];
    char names[TOPICS * NAME_SIZE];
    struct sm_mqttsn_request requests[2];
    uint8_t payloads[2 * PAYLOAD], inbox[1u << 16];
};

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
    (void)number;
    ended = 1;
}

static uint64_t now_ms(void)
{
    return sm_posix_clock.now_ms(sm_posix_clock.ctx);
}

/* ---- What was asked for ---- */

static bool number(const char *what, const char *text, uint64_t otherwise, uint64_t max,
                   uint64_t *out)
{
    *out = otherwise;
    if (!text || cli_number(text, max, out))
        return true;
    cli_say("sn: %s is a number up to %llu, not \"%s\"", what, (unsigned long long)max, text);
    return false;
}

/* "HOST", "HOST:PORT", "ADDRESS" of IPv6 or "[ADDRESS]:PORT". */
static bool host_port(const char *text, char host[256], uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    bool bracket = *text == '[';
    if (colon && !bracket && memchr(text, ':', (size_t)(colon - text)))
        colon = NULL; /* several: an address alone */
    const char *end = bracket ? strchr(text, ']') : colon ? colon : text + strlen(text);
    uint64_t value = DEFAULT_PORT;
    if (bracket && (!end || (end[1] && end[1] != ':')))
        return false;
    if (bracket)
        colon = end[1] ? end + 1 : NULL;
    if (colon && !cli_number(colon + 1, 65535, &value))
        return false;
    text += bracket;
    size_t len = (size_t)(end - text);
    if (len == 0 || len > 255 || value == 0)
        return false;
    memcpy(host, text, len);
    host[len] = 0;
    *port = (uint16_t)value;
    return true;
}

static bool hex(const char *text, uint8_t *out, size_t size, size_t *len)
{
    size_t digits = strlen(text);
    unsigned value;
    if (digits % 2 || digits / 2 > size || strspn(text, "0123456789abcdefABCDEF") != digits)
        return false;
    for (size_t i = 0; i < digits / 2; i++) {
        sscanf(text + 2 * i, "%2x", &value);
        out[i] = (uint8_t)value;
    }
    *len = digits / 2;
    return true;
}

static bool is_topic(const char *text, bool filter)
{
    const uint8_t *bytes = (const uint8_t *)text;
    size_t len = strlen(text);
    return len <= NAME_SIZE &&
           (filter ? sm_mqttsn_filter_valid(bytes, len) : sm_mqttsn_name_valid(bytes, len));
}

/* A topic as it is written: a name (or a filter), pre:N or short:ab. */
static bool topic_of(const char *text, bool filter, enum sm_mqttsn_topic_type *type, uint16_t *id)
{
    uint64_t value;
    *type = SM_MQTTSN_TOPIC_NORMAL;
    *id = 0;
    if (!strncmp(text, "pre:", 4)) {
        *type = SM_MQTTSN_TOPIC_PREDEFINED;
        if (!cli_number(text + 4, 65534, &value) || value == 0) {
            cli_say("sn: a predefined topic id is 1 to 65534, not \"%s\"", text + 4);
            return false;
        }
        *id = (uint16_t)value;
    } else if (!strncmp(text, "short:", 6)) {
        *type = SM_MQTTSN_TOPIC_SHORT;
        if (strlen(text) != 8) {
            cli_say("sn: a short topic name has two characters, not \"%s\"", text + 6);
            return false;
        }
        *id = (uint16_t)((uint8_t)text[6] << 8 | (uint8_t)text[7]);
    } else if (!is_topic(text, filter)) {
        cli_say("sn: %s: is no topic%s of at most %d bytes", text,
                filter ? " or filter" : " (without wildcards)", NAME_SIZE);
        return false;
    }
    return true;
}

/* ---- The link ---- */

static bool open_dtls(struct tool *t, struct sm_file_why *why)
{
    const struct options *o = &t->o;
    uint8_t key[64];
    struct sm_sn_dtls how = {.identity = o->identity,
                             .key = key,
                             .ca = o->ca,
                             .name = o->name,
                             .certificate = o->cert,
                             .private_key = o->key};
    if (o->identity && (!o->psk || !hex(o->psk, key, sizeof key, &how.key_len))) {
        snprintf(why->text, sizeof why->text, "--psk takes the key's bytes in hex, up to 64");
        return false;
    }
    return sm_sn_link_dtls(&how, &t->link, why) == 0;
}

static bool open_udp(struct tool *t, struct sm_file_why *why)
{
    char host[256];
    struct sm_sn_udp how = {.interface = t->o.interface};
    if (t->o.group) {
        if (!host_port(t->o.group, host, &how.group_port)) {
            snprintf(why->text, sizeof why->text, "--group takes ADDRESS:PORT");
            return false;
        }
        how.group = host;
    }
    return sm_sn_link_udp(&how, &t->link, why) == 0;
}

static bool open_line(const struct options *o, struct sm_sn_link **line)
{
    struct sm_file_why why = {""};
    uint64_t baud;
    if (!number("--baud", o->baud, 115200, 115200, &baud))
        return false;
    if (sm_sn_link_serial(o->serial, (uint32_t)baud, o->raw, line, &why) == 0)
        return true;
    cli_say("sn: %s", why.text);
    return false;
}

static bool open_network(struct tool *t)
{
    struct sm_file_why why = {""};
    bool good = t->o.identity || t->o.ca ? open_dtls(t, &why) : open_udp(t, &why);
    if (!good)
        cli_say("sn: %s", why.text);
    return good;
}

static bool gateway_of(const char *text, struct sm_mqttsn_address *at)
{
    struct sm_file_why why;
    char host[256];
    uint16_t port;
    if (!host_port(text, host, &port)) {
        cli_say("sn: a gateway is HOST:PORT, not \"%s\"", text);
        return false;
    }
    if (sm_sn_address(host, port, at, &why) == 0)
        return true;
    cli_say("sn: %s", why.text);
    return false;
}

static bool add_gateways(struct tool *t)
{
    struct sm_mqttsn_address at = {.len = 1};
    if (t->o.serial)
        return sm_mqttsn_add_gateway(&t->sn, &at) == 0;
    for (unsigned i = 0; i < CLI_VALUES_MAX && t->o.gateway[i]; i++) {
        if (!gateway_of(t->o.gateway[i], &at))
            return false;
        if (sm_mqttsn_add_gateway(&t->sn, &at) != 0) {
            cli_say("sn: at most %d gateways", GATEWAYS);
            return false;
        }
    }
    return true;
}

/* ---- Steps ---- */

/* For a message of QoS 0 nobody waits, but gateways may say that they do not take it. */
static void look(void *ctx, const struct sm_mqttsn_packet *p)
{
    struct tool *t = ctx;
    if (p->type != SM_MQTTSN_PUBACK || p->msg_id || p->code == SM_MQTTSN_ACCEPTED)
        return;
    t->refused++;
    t->refusal = p->code;
}

static int step(struct tool *t)
{
    return sm_sn_step_seen(&t->sn, t->link, now_ms(), look, t);
}

/* Wait for the end of a request; says why it failed. */
static bool finish(struct tool *t, const char *what, int token, struct sm_mqttsn_result *r)
{
    if (token < 0) {
        cli_say("sn: %s: %s", what, sm_strerror(token));
        return false;
    }
    for (;;) {
        int wait_ms = step(t);
        if (sm_mqttsn_take(&t->sn, token, r) != SM_ERR_BUSY)
            break;
        if (ended) {
            sm_mqttsn_forget(&t->sn, token);
            return false;
        }
        sm_sn_wait(t->link, wait_ms);
    }
    if (r->err == 0)
        return true;
    cli_say("sn: %s: %s%s%s", what,
            r->err == SM_ERR_NOT_FOUND ? "nobody answered" : sm_strerror(r->err),
            r->code ? "; the gateway said: " : "", r->code ? sm_mqttsn_code_name(r->code) : "");
    return false;
}

static bool set_will(struct tool *t)
{
    const struct options *o = &t->o;
    uint64_t qos;
    if (!o->will_topic)
        return true;
    if (!number("--will-qos", o->will_qos, 0, 2, &qos))
        return false;
    const char *message = o->will_message ? o->will_message : "";
    if (!is_topic(o->will_topic, false) || strlen(message) > PAYLOAD) {
        cli_say(
            "sn: --will-topic is a topic without wildcards, of at most %d bytes, and the message "
            "has at most %d",
            NAME_SIZE, PAYLOAD);
        return false;
    }
    t->will = (struct sm_mqttsn_will){.topic = (const uint8_t *)o->will_topic,
                                      .topic_len = (uint16_t)strlen(o->will_topic),
                                      .message = (const uint8_t *)message,
                                      .message_len = (uint16_t)strlen(message),
                                      .qos = (uint8_t)qos,
                                      .retain = o->will_retain};
    return true;
}

static bool start(struct tool *t)
{
    uint32_t seed;
    uint64_t retry;
    if (!number("--retry", t->o.retry, 10, 3600, &retry) || !set_will(t))
        return false;
    if (sm_posix_entropy.fill(sm_posix_entropy.ctx, &seed, sizeof seed)) {
        cli_say("sn: no random numbers");
        return false;
    }
    if (t->o.id && (!*t->o.id || strlen(t->o.id) > SM_MQTTSN_OWN_ID_MAX)) {
        cli_say("sn: a client id has 1 to %u characters", SM_MQTTSN_OWN_ID_MAX);
        return false;
    }
    if (t->o.id)
        strcpy(t->id, t->o.id);
    else
        snprintf(t->id, sizeof t->id, "sandmote-%08x", (unsigned)seed);
    const struct sm_mqttsn_config cfg = {.client_id = t->id,
                                         .seed = seed,
                                         .retry_ms = (uint32_t)retry * 1000,
                                         .search_ms = 1,
                                         .gateways = t->gateways,
                                         .ngateways = GATEWAYS,
                                         .topics = t->topics,
                                         .ntopics = TOPICS,
                                         .names = t->names,
                                         .name_size = NAME_SIZE,
                                         .requests = t->requests,
                                         .nrequests = 2,
                                         .payloads = t->payloads,
                                         .payload_size = PAYLOAD,
                                         .inbox = t->inbox,
                                         .inbox_size = sizeof t->inbox};
    return sm_mqttsn_init(&t->sn, &cfg) == 0 && add_gateways(t) &&
           (t->o.serial ? open_line(&t->o, &t->link) : open_network(t));
}

static bool search(struct tool *t)
{
    uint64_t radius;
    struct sm_mqttsn_result r;
    char text[SM_SN_ADDRESS_TEXT];
    if (!number("--radius", t->o.radius, 1, 255, &radius) ||
        !finish(t, "search", sm_mqttsn_search(&t->sn, (uint8_t)radius, now_ms()), &r))
        return false;
    for (unsigned i = 0; i < GATEWAYS; i++)
        if (t->gateways[i].address.len)
            fprintf(stderr, "gateway %u at %s\n", t->gateways[i].id,
                    sm_sn_address_text(&t->gateways[i].address, text));
    return true;
}

static bool connect_it(struct tool *t)
{
    uint64_t keepalive;
    struct sm_mqttsn_result r;
    if (!number("-k", t->o.keepalive, 0, 65535, &keepalive))
        return false;
    if (!t->o.serial && !t->o.gateway[0] && !search(t))
        return false;
    const struct sm_mqttsn_connect how = {.clean = !t->o.keep,
                                          .keepalive_s = (uint16_t)keepalive,
                                          .will = t->o.will_topic ? &t->will : NULL};
    return finish(t, "connect", sm_mqttsn_connect(&t->sn, &how, now_ms()), &r);
}

static void disconnect(struct tool *t)
{
    struct sm_mqttsn_result r;
    ended = 0; /* a second signal ends the wait for the answer */
    finish(t, "disconnect", sm_mqttsn_disconnect(&t->sn, now_ms()), &r);
}

/* ---- pub ---- */

static bool publish(struct tool *t, enum sm_mqttsn_topic_type type, uint16_t id, int qos,
                    const char *data, size_t len)
{
    struct sm_mqttsn_result r;
    if (len > PAYLOAD) {
        cli_say("sn: a message has at most %d bytes", PAYLOAD);
        return false;
    }
    return finish(t, "publish", sm_mqttsn_publish(&t->sn, type, id, qos, t->o.retain, data, len),
                  &r);
}

static bool publish_lines(struct tool *t, enum sm_mqttsn_topic_type type, uint16_t id, int qos)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    bool good = true;
    while (good && !ended && (n = getline(&line, &size, stdin)) >= 0) {
        if (n > 0 && line[n - 1] == '\n')
            n--;
        good = publish(t, type, id, qos, line, (size_t)n);
    }
    free(line);
    return good;
}

static bool pub(struct tool *t, int qos)
{
    enum sm_mqttsn_topic_type type;
    uint16_t id;
    struct sm_mqttsn_result r;
    const char *topic = t->o.topic[0];
    if (!topic_of(topic, false, &type, &id))
        return false;
    if (qos == -1 && !t->o.gateway[0] && !t->o.serial && !search(t))
        return false;
    if (qos != -1 && !connect_it(t))
        return false;
    bool good = true;
    if (type == SM_MQTTSN_TOPIC_NORMAL) {
        good = finish(t, "register", sm_mqttsn_register(&t->sn, topic, strlen(topic)), &r);
        id = r.topic;
    }
    if (good && t->o.lines)
        good = publish_lines(t, type, id, qos);
    else if (good)
        good = publish(t, type, id, qos, t->o.nothing ? "" : t->o.message,
                       t->o.nothing ? 0 : strlen(t->o.message));
    if (qos != -1)
        disconnect(t); /* its answer comes behind refusals */
    if (t->refused)
        cli_say("sn: publish: %u of QoS 0 refused; the gateway said: %s", t->refused,
                sm_mqttsn_code_name(t->refusal));
    return good && !t->refused;
}

/* ---- sub ---- */

static void print(const struct tool *t, const struct sm_mqttsn_message *m)
{
    if (t->o.verbose && m->name)
        printf("%.*s ", (int)m->name_len, m->name);
    else if (t->o.verbose && m->topic_type == SM_MQTTSN_TOPIC_SHORT)
        printf("short:%c%c ", m->topic >> 8, m->topic & 0xff);
    else if (t->o.verbose)
        printf("pre:%u ", m->topic);
    fwrite(m->data, 1, m->len, stdout);
    putchar('\n');
    fflush(stdout);
}

static bool subscribe(struct tool *t, const char *topic, uint8_t qos)
{
    enum sm_mqttsn_topic_type type;
    uint16_t id;
    struct sm_mqttsn_result r;
    if (!topic_of(topic, true, &type, &id))
        return false;
    int token = type == SM_MQTTSN_TOPIC_NORMAL
                    ? sm_mqttsn_subscribe(&t->sn, topic, strlen(topic), qos)
                    : sm_mqttsn_subscribe_topic(&t->sn, type, id, qos);
    return finish(t, topic, token, &r);
}

/* Messages until there were enough, or time is over. */
static bool listen_to(struct tool *t, uint64_t count, uint64_t until)
{
    struct sm_mqttsn_message m;
    uint64_t seen = 0;
    while (!ended) {
        int wait_ms = step(t);
        while (sm_mqttsn_peek(&t->sn, SM_MQTTSN_TOPIC_NORMAL, 0, &m) == 0) {
            print(t, &m);
            sm_mqttsn_consume(&t->sn, &m);
            if (++seen == count)
                return true;
        }
        uint64_t now = now_ms();
        if (now >= until)
            return count == 0;
        bool sooner = wait_ms < 0 || until - now < (uint64_t)wait_ms;
        if (until != UINT64_MAX && sooner)
            wait_ms = until - now > INT_MAX ? INT_MAX : (int)(until - now);
        sm_sn_wait(t->link, wait_ms);
    }
    return true;
}

static bool sub(struct tool *t, int qos)
{
    uint64_t count, wait, sleep;
    struct sm_mqttsn_result r;
    if (!number("-C", t->o.count, 0, UINT32_MAX, &count) ||
        !number("-W", t->o.wait, 0, UINT32_MAX, &wait) ||
        !number("--sleep", t->o.sleep, 0, 65535, &sleep) || !connect_it(t))
        return false;
    bool good = true;
    for (unsigned i = 0; good && i < CLI_VALUES_MAX && t->o.topic[i]; i++)
        good = subscribe(t, t->o.topic[i], (uint8_t)qos);
    if (good && sleep)
        good = finish(t, "sleep", sm_mqttsn_sleep(&t->sn, (uint16_t)sleep, now_ms()), &r);
    if (good)
        good = listen_to(t, count, wait ? now_ms() + wait * 1000 : UINT64_MAX);
    const struct sm_mqttsn_counts *c = sm_mqttsn_counts(&t->sn);
    if (c->dropped)
        cli_say("sn: %u messages found no room", c->dropped);
    disconnect(t);
    return good;
}

/* ---- forward ---- */

static void wait_for(const struct sm_sn_link *a, const struct sm_sn_link *b)
{
    struct pollfd fds[2 * SM_SN_LINK_FDS];
    int timeout_ms = -1;
    unsigned n = sm_sn_fds(a, fds, &timeout_ms);
    n += sm_sn_fds(b, fds + n, &timeout_ms);
    poll(fds, n, timeout_ms);
}

/* What comes on the line goes to the gateway, and what the gateway says goes to the line. */
static void carry(struct sm_sn_link *line, struct sm_sn_link *network,
                  const struct sm_mqttsn_address *gateway)
{
    const struct sm_mqttsn_address peer = {.len = 1};
    struct sm_mqttsn_address from;
    uint8_t bytes[SM_SN_DATAGRAM];
    size_t n;
    while (!ended) {
        while ((n = sm_sn_receive(line, bytes, sizeof bytes, &from, now_ms())) > 0)
            sm_sn_send(network, bytes, n, gateway);
        while ((n = sm_sn_receive(network, bytes, sizeof bytes, &from, now_ms())) > 0)
            if (sm_mqttsn_address_same(&from, gateway))
                sm_sn_send(line, bytes, n, &peer);
        wait_for(line, network);
    }
}

static bool forward(struct tool *t)
{
    struct sm_mqttsn_address gateway;
    struct sm_sn_link *line = NULL;
    char text[SM_SN_ADDRESS_TEXT];
    if (!gateway_of(t->o.gateway[0], &gateway) || !open_line(&t->o, &line))
        return false;
    bool good = open_network(t);
    if (good) {
        fprintf(stderr, "forwarding %s to %s\n", t->o.serial, sm_sn_address_text(&gateway, text));
        carry(line, t->link, &gateway);
    }
    sm_sn_close(line);
    return good;
}

/* ---- The command ---- */

static bool quality(const char *text, bool publishes, int *qos)
{
    static const char *const known[] = {"-1", "0", "1", "2"};
    *qos = 0;
    for (int i = publishes ? 0 : 1; text && i < 4; i++)
        if (!strcmp(text, known[i])) {
            *qos = i - 1;
            return true;
        }
    return !text;
}

static void end_on_signals(void)
{
    struct sigaction act = {.sa_handler = on_signal};
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
}

static int run_forward(struct tool *t)
{
    if (!t->o.serial || !t->o.gateway[0] || t->o.gateway[1])
        return cli_usage(&cli_sn, "forward takes --serial DEVICE and one --gateway");
    end_on_signals();
    bool good = forward(t);
    sm_sn_close(t->link);
    return good ? CLI_GOOD : CLI_BAD;
}

static bool topics_good(const struct tool *t, bool publishes)
{
    enum sm_mqttsn_topic_type type;
    uint16_t id;
    bool good = true;
    for (unsigned i = 0; good && i < CLI_VALUES_MAX && t->o.topic[i]; i++)
        good = topic_of(t->o.topic[i], !publishes, &type, &id);
    return good;
}

static int run(struct tool *t, bool publishes)
{
    int qos;
    bool named =
        t->o.topic[0] && strncmp(t->o.topic[0], "pre:", 4) && strncmp(t->o.topic[0], "short:", 6);
    if (!t->o.topic[0])
        return cli_usage(&cli_sn, "-t names the topic");
    if (!quality(t->o.qos, publishes, &qos) || (qos == -1 && named))
        return cli_usage(&cli_sn, "-q is 0, 1 or 2; or -1, for pub to a predefined or short topic");
    if (publishes && (t->o.message != NULL) + t->o.lines + t->o.nothing != 1)
        return cli_usage(&cli_sn, "say one of -m MESSAGE, -l and -n");
    if (!t->o.gateway[0] && !t->o.group && !t->o.serial)
        return cli_usage(&cli_sn, "say one of --gateway, --group and --serial");
    end_on_signals();
    bool good = topics_good(t, publishes) && start(t) && (publishes ? pub(t, qos) : sub(t, qos));
    sm_sn_close(t->link);
    return good ? CLI_GOOD : CLI_BAD;
}

static int sn(int argc, char **argv)
{
    struct tool *t = calloc(1, sizeof *t);
    struct options *o = t ? &t->o : NULL;
    if (!t) {
        cli_say("sn: no memory");
        return CLI_BAD;
    }
    const struct cli_option options[] = {{"gateway...", o->gateway, NULL},
                                         {"group", &o->group, NULL},
                                         {"interface", &o->interface, NULL},
                                         {"radius", &o->radius, NULL},
                                         {"psk-identity", &o->identity, NULL},
                                         {"psk", &o->psk, NULL},
                                         {"ca", &o->ca, NULL},
                                         {"name", &o->name, NULL},
                                         {"cert", &o->cert, NULL},
                                         {"key", &o->key, NULL},
                                         {"serial", &o->serial, NULL},
                                         {"baud", &o->baud, NULL},
                                         {"raw", NULL, &o->raw},
                                         {"i", &o->id, NULL},
                                         {"k", &o->keepalive, NULL},
                                         {"keep", NULL, &o->keep},
                                         {"retry", &o->retry, NULL},
                                         {"will-topic", &o->will_topic, NULL},
                                         {"will-message", &o->will_message, NULL},
                                         {"will-qos", &o->will_qos, NULL},
                                         {"will-retain", NULL, &o->will_retain},
                                         {"t...", o->topic, NULL},
                                         {"q", &o->qos, NULL},
                                         {"m", &o->message, NULL},
                                         {"l", NULL, &o->lines},
                                         {"n", NULL, &o->nothing},
                                         {"r", NULL, &o->retain},
                                         {"v", NULL, &o->verbose},
                                         {"C", &o->count, NULL},
                                         {"W", &o->wait, NULL},
                                         {"sleep", &o->sleep, NULL},
                                         {0}};
    int n = cli_options(options, false, argc, argv), status = CLI_USAGE;
    bool publishes = n == 1 && !strcmp(argv[1], "pub"), listens = n == 1 && !strcmp(argv[1], "sub");
    if (n == 1 && !strcmp(argv[1], "forward"))
        status = run_forward(t);
    else if (n != CLI_USAGE_ERROR)
        status = publishes || listens ? run(t, publishes)
                                      : cli_usage(&cli_sn, "say pub, sub or forward");
    free(t);
    return status;
}

const struct cli_command cli_sn = {
    .name = "sn",
    .arguments =
        "pub|sub (--gateway HOST:PORT... | --group ADDRESS:PORT | --serial DEVICE) -t TOPIC "
        "[OPTION]...\n"
        "       sandmote sn forward --serial DEVICE --gateway HOST:PORT [OPTION]...",
    .purpose = "Publish or subscribe over MQTT-SN; forward a serial line",
    .run = sn,
    .details =
        "`sn pub` publishes and ends; `sn sub` prints messages, a line each, until it is ended.\n"
        "TOPIC is a name (sub: or a filter), pre:N a predefined id, or short:ab a short name.\n"
        "`sn forward` connects a device at the end of a serial line with a gateway, over UDP or\n"
        "DTLS; to the gateway the line is a client with an address of its own.\n\n"
        "Which gateway, port 1884 if none is said; of several, one that answers:\n"
        "  --gateway HOST[:PORT]    several may be said\n"
        "  --group ADDRESS[:PORT]   without one, search in this multicast group\n"
        "  --interface NAME --radius N    for that\n"
        "  --serial DEVICE [--baud N] [--raw]    at the end of a line; raw: without frames\n"
        "DTLS 1.2, with a shared key or with certificates:\n"
        "  --psk-identity ID --psk HEX\n"
        "  --ca FILE --name HOST [--cert FILE --key FILE]\n"
        "The connection:\n"
        "  -i ID           client id (chosen at random)\n"
        "  -k SECONDS      keep-alive (30)\n"
        "  --keep          go on with the session there was, and leave it for the next time\n"
        "  --retry SECONDS wait for an answer (10), four times\n"
        "  --will-topic T --will-message M --will-qos Q --will-retain\n"
        "Messages:\n"
        "  -q QOS          0, 1, 2; pub: -1 without a connection. What is refused is said (status "
        "1),\n"
        "                  with -1 gateways say nothing\n"
        "  pub: -m MESSAGE, -l (a message each line of the input) or -n (an empty one); -r to "
        "retain\n"
        "  sub: -t for several topics, -v with the topic before each message, -C COUNT messages\n"
        "       or -W SECONDS and then end (status 1 when there were fewer than COUNT),\n"
        "       --sleep SECONDS to sleep, and fetch what came that often\n",
};
