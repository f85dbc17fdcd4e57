/* The language of conversations. One statement a line; `#` begins a comment.
 *
 *   client KEY=VALUE ...       before all else: id, retries, answer (1), topics, requests, inbox,
 *                              gateways, buffer (octets for a datagram)
 *   gateway A                  the client knows gateway A; gateways are single letters
 *   do NAME REQUEST ...        a request, its token kept as NAME:
 *                              connect [clean] [keepalive=N] [will=TOPIC,MESSAGE,QOS[,retain]],
 *                              search RADIUS, disconnect, sleep N, awake, register TOPIC,
 *                              publish TOPIC [qos=N] [retain] DATA, subscribe TOPIC [qos=N],
 *                              unsubscribe TOPIC, will TOPIC,MESSAGE,QOS[,retain] (or: will none)
 *   refuse REQUEST ... : ERROR the request is refused at once
 *   > MESSAGE                  the client sends this now; `>B` to gateway B, `>*` to all
 *   < MESSAGE                  gateway A sends this; `<B` is from B
 *   quiet                      the client sends nothing now
 *   cannot                     the buffer is too small for what it would send
 *   after TIME                 TIME (`10 s`, `250 ms`) passes, and the client sends nothing before
 * it is over within TIME                the client's next time to send is at most TIME away; go
 * there done NAME ok|ERROR [topic=N] [qos=N] [code=N] [again] pending NAME               no result
 * yet forget NAME state STATE message TOPIC DATA [qos=N] [retain] [dup]   the oldest message in the
 * inbox, taken out of TOPIC DATA              the oldest one of a topic or filter no message count
 * WHAT N               a counter of the client
 *
 * TOPIC is a name for its number in the client, number:N a number, pre:N a predefined id, short:ab
 * a short name; in requests register and subscribe text is the name itself. ERROR is not-found,
 * busy, invalid, unsupported, state, memory, arg or limit. A MESSAGE is a type and its fields: dup,
 * retain, will, clean, qos=N, topic=N, pre=N, short=ab, msg=N or msg=$x (any on first use, the same
 * from then on), code=N, duration=N, gw=N, radius=N, protocol=N, and `text` (quoted "") or hex:...
 * as the data; or the octets themselves, `octets 0217`. x*N is x, N times.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sandmote/mqttsn_client.h>
#include "script.h"
#include "words.h"

#define NAMES     26
#define TOPICS    8
#define NAME_SIZE 300
#define REQUESTS  6
#define PAYLOAD   400
#define GATEWAYS  3

struct script {
    struct sm_mqttsn sn;
    struct sm_mqttsn_config cfg;
    bool begun;
    uint64_t now_ms;
    size_t buffer;
    struct {
        char name[16];
        int token;
    } tokens[NAMES];
    struct sm_mqttsn_will will[2];
    char will_text[2][2][64];
    unsigned wills;
    char own_id[32];
    struct sm_mqttsn_gateway gateways[GATEWAYS];
    struct sm_mqttsn_topic topics[TOPICS];
    char names[TOPICS * NAME_SIZE];
    struct sm_mqttsn_request requests[REQUESTS];
    uint8_t payloads[REQUESTS * PAYLOAD], inbox[1024];
    struct words line;
};

/* A word that names a topic. */
static void topic_of(struct script *s, const char *word, enum sm_mqttsn_topic_type *type,
                     uint16_t *topic)
{
    *type = SM_MQTTSN_TOPIC_NORMAL;
    *topic = 0;
    if (!strncmp(word, "pre:", 4)) {
        *type = SM_MQTTSN_TOPIC_PREDEFINED;
        *topic = (uint16_t)strtoul(word + 4, NULL, 0);
    } else if (!strncmp(word, "short:", 6)) {
        *type = SM_MQTTSN_TOPIC_SHORT;
        *topic = words_short(word + 6);
    } else if (!strncmp(word, "number:", 7)) {
        *topic = (uint16_t)strtoul(word + 7, NULL, 0);
    } else {
        for (uint16_t n = 1; n <= s->cfg.ntopics; n++) {
            size_t len;
            const char *name = sm_mqttsn_topic_name(&s->sn, n, &len);
            if (name && len == strlen(word) && !memcmp(name, word, len))
                *topic = n;
        }
    }
}

static const struct {
    const char *name;
    int err;
} errors[] = {{"ok", 0},
              {"not-found", SM_ERR_NOT_FOUND},
              {"busy", SM_ERR_BUSY},
              {"invalid", SM_ERR_INVALID},
              {"unsupported", SM_ERR_UNSUPPORTED},
              {"state", SM_ERR_STATE},
              {"memory", SM_ERR_MEMORY},
              {"arg", SM_ERR_ARG},
              {"limit", SM_ERR_LIMIT}};

static const char *error_name(int err)
{
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (errors[i].err == err)
            return errors[i].name;
    return err > 0 ? "accepted" : "another error";
}

/* ---- Messages ---- */

static int poll_client(struct script *s, uint8_t *out, size_t size, struct sm_mqttsn_address *to)
{
    /* A gateway may be found lost and another turned to in one step: that is due at once. */
    int n = sm_mqttsn_poll(&s->sn, s->now_ms, out, size < s->buffer ? size : s->buffer, to);
    if (n == 0 && sm_mqttsn_deadline(&s->sn) <= s->now_ms)
        n = sm_mqttsn_poll(&s->sn, s->now_ms, out, size < s->buffer ? size : s->buffer, to);
    return n;
}

static int expect_quiet(struct script *s)
{
    static uint8_t out[70000];
    char text[256];
    struct sm_mqttsn_address to;
    int n = poll_client(s, out, sizeof out, &to);
    if (n == 0)
        return 0;
    if (n < 0)
        return words_fail(&s->line, "the client could not send", sm_strerror(n));
    words_hex(out, (size_t)n, text, sizeof text);
    return words_fail(&s->line, "the client sends", text);
}

static int does_send(struct script *s)
{
    static uint8_t out[70000], want[70000];
    char got_text[512], want_text[512], both[1100];
    struct sm_mqttsn_address to;
    struct sm_mqttsn_packet sent;
    int n = poll_client(s, out, sizeof out, &to);
    if (n <= 0)
        return words_fail(&s->line, n ? "the client could not send" : "the client sends nothing",
                          n ? sm_strerror(n) : "");
    if (sm_mqttsn_decode(&sent, out, (size_t)n))
        return words_fail(&s->line, "what the client sends is no message", "");
    size_t len = words_message(&s->line, 1, want, sizeof want, &sent);
    if (!len)
        return 1;
    if (len != (size_t)n || memcmp(out, want, len)) {
        words_hex(out, (size_t)n, got_text, sizeof got_text);
        words_hex(want, len, want_text, sizeof want_text);
        snprintf(both, sizeof both, "%s instead of %s", got_text, want_text);
        return words_fail(&s->line, "the client sends", both);
    }
    char where = s->line.word[0][1] ? s->line.word[0][1] : 'A';
    if (where == '*' ? to.len != 0 : to.len != 1 || to.bytes[0] != where)
        return words_fail(&s->line, "sent to another", "");
    return 0;
}

static int cannot(struct script *s)
{
    uint8_t out[512];
    struct sm_mqttsn_address to;
    int n = poll_client(s, out, sizeof out, &to);
    return n != SM_ERR_MEMORY ? words_fail(&s->line, "it could", "") : 0;
}

static int comes(struct script *s)
{
    static uint8_t in[70000];
    size_t len = words_message(&s->line, 1, in, sizeof in, NULL);
    if (!len)
        return 1;
    struct sm_mqttsn_address from = {1, {(uint8_t)(s->line.word[0][1] ? s->line.word[0][1] : 'A')}};
    uint8_t *exact = malloc(len); /* so that reading past it is seen */
    memcpy(exact, in, len);
    sm_mqttsn_feed(&s->sn, exact, len, &from, s->now_ms);
    free(exact);
    return 0;
}

/* ---- Time ---- */

static int after(struct script *s)
{
    uint64_t until = s->now_ms + words_time(&s->line);
    if (expect_quiet(s))
        return 1;
    for (unsigned i = 0; sm_mqttsn_deadline(&s->sn) < until; i++) {
        if (i > 1000)
            return words_fail(&s->line, "the client's deadline does not move", "");
        uint64_t at = sm_mqttsn_deadline(&s->sn);
        s->now_ms = at > s->now_ms ? at : s->now_ms;
        if (expect_quiet(s))
            return 1;
    }
    s->now_ms = until;
    return 0;
}

static int within(struct script *s)
{
    if (expect_quiet(s))
        return 1;
    uint64_t at = sm_mqttsn_deadline(&s->sn);
    if (at > s->now_ms + words_time(&s->line))
        return words_fail(&s->line, "the client does nothing within that time", "");
    s->now_ms = at > s->now_ms ? at : s->now_ms;
    return 0;
}

/* ---- Requests ---- */

static const struct sm_mqttsn_will *will_of(struct script *s, const char *text)
{
    if (!text || !strcmp(text, "none"))
        return NULL;
    unsigned i = s->wills++ % 2, qos = 0;
    char retain[8] = "";
    struct sm_mqttsn_will *w = &s->will[i];
    sscanf(text, "%63[^,],%63[^,],%u,%7s", s->will_text[i][0], s->will_text[i][1], &qos, retain);
    *w = (struct sm_mqttsn_will){.topic = (const uint8_t *)s->will_text[i][0],
                                 .message = (const uint8_t *)s->will_text[i][1],
                                 .topic_len = (uint16_t)strlen(s->will_text[i][0]),
                                 .message_len = (uint16_t)strlen(s->will_text[i][1]),
                                 .qos = (uint8_t)qos,
                                 .retain = *retain != 0};
    return w;
}

static int publish(struct script *s, unsigned first)
{
    static uint8_t data[70000];
    enum sm_mqttsn_topic_type type;
    uint16_t topic;
    topic_of(s, s->line.word[first + 1], &type, &topic);
    size_t len = words_text(s->line.word[s->line.count - 1], data, sizeof data);
    int qos =
        (int)strtol(words_value(&s->line, "qos") ? words_value(&s->line, "qos") : "0", NULL, 0);
    return sm_mqttsn_publish(&s->sn, type, topic, qos, words_have(&s->line, "retain"), data, len);
}

static int subscription(struct script *s, unsigned first, bool ends)
{
    enum sm_mqttsn_topic_type type;
    uint16_t topic;
    const char *word = s->line.word[first + 1];
    uint8_t qos = (uint8_t)words_number(&s->line, "qos", 0);
    topic_of(s, word, &type, &topic);
    if (ends)
        return sm_mqttsn_unsubscribe(&s->sn, type, topic);
    if (strncmp(word, "pre:", 4) && strncmp(word, "short:", 6) && strncmp(word, "number:", 7)) {
        uint8_t name[1024];
        size_t len = words_text(word, name, sizeof name);
        return sm_mqttsn_subscribe(&s->sn, (const char *)name, len, qos);
    }
    return sm_mqttsn_subscribe_topic(&s->sn, type, topic, qos);
}

static int request(struct script *s, unsigned first)
{
    const char *what = s->line.word[first],
               *arg = first + 1 < s->line.count ? s->line.word[first + 1] : "";
    if (!strcmp(what, "connect"))
        return sm_mqttsn_connect(
            &s->sn,
            &(struct sm_mqttsn_connect){.clean = words_have(&s->line, "clean"),
                                        .keepalive_s =
                                            (uint16_t)words_number(&s->line, "keepalive", 0),
                                        .will = will_of(s, words_value(&s->line, "will"))},
            s->now_ms);
    if (!strcmp(what, "search"))
        return sm_mqttsn_search(&s->sn, (uint8_t)strtoul(arg, NULL, 0), s->now_ms);
    if (!strcmp(what, "disconnect"))
        return sm_mqttsn_disconnect(&s->sn, s->now_ms);
    if (!strcmp(what, "sleep"))
        return sm_mqttsn_sleep(&s->sn, (uint16_t)strtoul(arg, NULL, 0), s->now_ms);
    if (!strcmp(what, "awake"))
        return sm_mqttsn_awake(&s->sn, s->now_ms);
    if (!strcmp(what, "register")) {
        static uint8_t name[70000];
        size_t len = words_text(arg, name, sizeof name);
        return sm_mqttsn_register(&s->sn, (const char *)name, len);
    }
    if (!strcmp(what, "publish"))
        return publish(s, first);
    if (!strcmp(what, "subscribe") || !strcmp(what, "unsubscribe"))
        return subscription(s, first, *what == 'u');
    if (!strcmp(what, "will"))
        return sm_mqttsn_update_will(&s->sn, will_of(s, arg));
    return words_fail(&s->line, "no such request", what);
}

static int *token(struct script *s, const char *name, bool make)
{
    for (unsigned i = 0; i < NAMES; i++) {
        if (!strcmp(s->tokens[i].name, name))
            return &s->tokens[i].token;
        if (make && !s->tokens[i].name[0]) {
            snprintf(s->tokens[i].name, sizeof s->tokens[i].name, "%s", name);
            return &s->tokens[i].token;
        }
    }
    return NULL;
}

static int does(struct script *s)
{
    int t = request(s, 2);
    if (t < 0)
        return words_fail(&s->line, "refused", error_name(t));
    *token(s, s->line.word[1], true) = t;
    return 0;
}

static int refuses(struct script *s)
{
    const char *wanted = s->line.word[s->line.count - 1];
    s->line.count -= 2;
    int t = request(s, 1);
    return strcmp(error_name(t), wanted) ? words_fail(&s->line, "instead it is", error_name(t)) : 0;
}

static int done(struct script *s)
{
    struct sm_mqttsn_result r;
    char text[128];
    int *t = token(s, s->line.word[1], false);
    int err = t ? sm_mqttsn_take(&s->sn, *t, &r) : SM_ERR_ARG;
    if (err)
        return words_fail(&s->line, "there is no result", error_name(err));
    snprintf(text, sizeof text, "%s topic=%u qos=%u code=%u%s", error_name(r.err), r.topic, r.qos,
             r.code, r.again ? " again" : "");
    if (strcmp(error_name(r.err), s->line.word[2]) ||
        words_number(&s->line, "topic", r.topic) != r.topic ||
        words_number(&s->line, "qos", r.qos) != r.qos ||
        words_number(&s->line, "code", r.code) != r.code ||
        words_have(&s->line, "again") != r.again)
        return words_fail(&s->line, "it ended with", text);
    return 0;
}

static int pending(struct script *s)
{
    struct sm_mqttsn_result r;
    int *t = token(s, s->line.word[1], false);
    return !t || sm_mqttsn_take(&s->sn, *t, &r) != SM_ERR_BUSY
               ? words_fail(&s->line, "not pending", "")
               : 0;
}

/* ---- What is looked at ---- */

static int message(struct script *s, bool any)
{
    static uint8_t want[70000];
    struct sm_mqttsn_message m;
    enum sm_mqttsn_topic_type type;
    uint16_t topic;
    char text[256];
    topic_of(s, s->line.word[1], &type, &topic);
    if (sm_mqttsn_peek(&s->sn, type, any ? 0 : topic, &m))
        return words_fail(&s->line, "no message there", "");
    size_t len = words_text(s->line.word[2], want, sizeof want);
    snprintf(text, sizeof text, "topic %u \"%.*s\" data \"%.*s\" qos %u retain %u dup %u", m.topic,
             (int)m.name_len, m.name ? m.name : "", (int)m.len, m.data, m.qos, m.retain, m.dup);
    if (len != m.len || memcmp(want, m.data, len) ||
        (any && (m.topic != topic || m.topic_type != type)) ||
        words_number(&s->line, "qos", m.qos) != m.qos ||
        words_have(&s->line, "retain") != m.retain || words_have(&s->line, "dup") != m.dup)
        return words_fail(&s->line, "the message is", text);
    sm_mqttsn_consume(&s->sn, &m);
    return 0;
}

static int count(struct script *s)
{
    const struct sm_mqttsn_counts *c = sm_mqttsn_counts(&s->sn);
    const struct {
        const char *name;
        uint32_t value;
    } all[] = {{"sent", c->sent},
               {"received", c->received},
               {"retransmitted", c->retransmitted},
               {"malformed", c->malformed},
               {"unexpected", c->unexpected},
               {"dropped", c->dropped},
               {"duplicates", c->duplicates},
               {"reconnects", c->reconnects}};
    char text[32];
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (strcmp(all[i].name, s->line.word[1]))
            continue;
        snprintf(text, sizeof text, "%u", all[i].value);
        return strtoul(s->line.word[2], NULL, 0) == all[i].value
                   ? 0
                   : words_fail(&s->line, "it is", text);
    }
    return words_fail(&s->line, "no such counter", s->line.word[1]);
}

static int begin(struct script *s, bool told)
{
    if (s->begun)
        return 0;
    snprintf(s->own_id, sizeof s->own_id, "%s",
             told && words_value(&s->line, "id") ? words_value(&s->line, "id") : "pot");
    s->cfg = (struct sm_mqttsn_config){
        .client_id = s->own_id,
        .seed = 7,
        .retries = (uint8_t)(told ? words_number(&s->line, "retries", 0) : 0),
        .answer_searches = told && words_number(&s->line, "answer", 0),
        .gateways = s->gateways,
        .ngateways = (uint8_t)(told ? words_number(&s->line, "gateways", GATEWAYS) : GATEWAYS),
        .topics = s->topics,
        .ntopics = (uint8_t)(told ? words_number(&s->line, "topics", TOPICS) : TOPICS),
        .names = s->names,
        .name_size = NAME_SIZE,
        .requests = s->requests,
        .nrequests = (uint8_t)(told ? words_number(&s->line, "requests", REQUESTS) : REQUESTS),
        .payloads = s->payloads,
        .payload_size = PAYLOAD,
        .inbox = s->inbox,
        .inbox_size =
            (uint32_t)(told ? words_number(&s->line, "inbox", sizeof s->inbox) : sizeof s->inbox)};
    s->buffer = told ? words_number(&s->line, "buffer", 512) : 512;
    s->begun = true;
    s->now_ms = 1000000;
    return sm_mqttsn_init(&s->sn, &s->cfg) ? words_fail(&s->line, "the client does not begin", "")
                                           : 0;
}

static int statement(struct script *s)
{
    const char *what = s->line.word[0];
    if (begin(s, !strcmp(what, "client")))
        return 1;
    if (*what == '>')
        return does_send(s);
    if (*what == '<')
        return comes(s);
    if (!strcmp(what, "client"))
        return 0;
    if (!strcmp(what, "quiet"))
        return expect_quiet(s);
    if (!strcmp(what, "cannot"))
        return cannot(s);
    if (!strcmp(what, "no"))
        return s->sn.inbox_used ? words_fail(&s->line, "there is one", "") : 0;
    if (s->line.count < 2)
        return words_fail(&s->line, "no such statement", what);
    if (!strcmp(what, "gateway"))
        return sm_mqttsn_add_gateway(&s->sn,
                                     &(struct sm_mqttsn_address){1, {(uint8_t)*s->line.word[1]}});
    if (!strcmp(what, "after"))
        return after(s);
    if (!strcmp(what, "within"))
        return within(s);
    if (!strcmp(what, "pending"))
        return pending(s);
    if (!strcmp(what, "forget"))
        return sm_mqttsn_forget(&s->sn, *token(s, s->line.word[1], true)), 0;
    if (!strcmp(what, "state")) {
        const char *is = sm_mqttsn_state_name(sm_mqttsn_state(&s->sn));
        return strcmp(is, s->line.word[1]) ? words_fail(&s->line, "the state is", is) : 0;
    }
    if (s->line.count < 3)
        return words_fail(&s->line, "no such statement", what);
    if (!strcmp(what, "do"))
        return does(s);
    if (!strcmp(what, "refuse"))
        return refuses(s);
    if (!strcmp(what, "done"))
        return done(s);
    if (!strcmp(what, "message") || !strcmp(what, "of"))
        return message(s, *what == 'm');
    if (!strcmp(what, "count"))
        return count(s);
    return words_fail(&s->line, "no such statement", what);
}

int script_run(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 1;
    }
    struct script *s = calloc(1, sizeof *s);
    char line[2048], shown[2048];
    int failed = 0;
    for (unsigned n = 1; !failed && fgets(line, sizeof line, file); n++) {
        snprintf(shown, sizeof shown, "%s", line);
        shown[strcspn(shown, "\n")] = 0;
        s->line.count = words_split(line, s->line.word);
        failed = s->line.count && statement(s);
        if (failed)
            fprintf(stderr, "%s:%u: %s\n    %s\n", path, n, s->line.why, shown);
    }
    if (!failed && expect_quiet(s)) {
        fprintf(stderr, "%s: at the end %s\n", path, s->line.why);
        failed = 1;
    }
    free(s);
    fclose(file);
    return failed;
}
