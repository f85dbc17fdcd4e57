/* Conversations with the gateway in text files. One statement a line; `#` begins a comment.
 *
 *   gateway KEY=N ...      before all else: retries, topics, filters, buffer (messages), datagram
 *                          (octets), window (QoS 2 messages that the broker gets at once),
 *                          own (1: each client has its own connection), store (1: what must
 *                          survive a restart does, of one client and without its topic ids),
 *                          moves (1: clients asleep may move among A, B and C, and among D and E)
 *   > MESSAGE              client A sends; `>B` client B, up to H. Each has an address of its own
 *   < MESSAGE              what the gateway sends to client A next; `<B` to client B
 *   quiet                  the gateway has sent nothing more to anybody
 *   after TIME             TIME passes (`10 s`, `250 ms`)
 *   broker TOPIC N [qos=N] [retain]   the broker sends a message of N zero octets
 *   published TOPIC        the last message that the broker got has this topic
 *   published N            it got N messages so far
 *   broker-silent, broker-speaks, broker-breaks   it answers no more; again; all connections break
 *   restart                the gateway is killed and comes back
 *   broker-holds, broker-releases   no PUBREL reaches it; they do, late ones too
 *   figure NAME N          one of the gateway's figures
 *
 * A MESSAGE is spelled as in test/mqttsn/script.c; topic=$x is bound like msg=$x. Predefined
 * topics are 1, `pre/one`, and 2, `pre/two`. Rules allow everything.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../mqttsn/words.h"
#include "desk.h"

static const struct gw_predefined predefined[] = {{1, "pre/one"}, {2, "pre/two"}};

/* 10.0.0.0/30 and 10.0.0.4/31. */
static const struct gw_prefix networks[] = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 0}, 126},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 4}, 127}};

struct script {
    struct words line;
    struct desk desk;
    bool begun;
};

static int fail(struct script *s, const char *what, const char *detail)
{
    return words_fail(&s->line, what, detail);
}

/* The client of `>B`; A when none is named. */
static unsigned peer_of(const struct script *s)
{
    char letter = s->line.word[0][1] ? s->line.word[0][1] : 'A';
    return letter >= 'A' && letter < (char)('A' + DESK_PEERS) ? (unsigned)(letter - 'A') : 0;
}

static int begin(struct script *s, bool told)
{
    struct gw_config *c = &s->desk.cfg;
    desk_config(&s->desk);
    c->predefined = predefined;
    c->predefined_count = 2;
    if (told) {
        c->retries = (unsigned)words_number(&s->line, "retries", c->retries);
        c->max_topics = (unsigned)words_number(&s->line, "topics", c->max_topics);
        c->max_filters = (unsigned)words_number(&s->line, "filters", c->max_filters);
        c->buffer_messages = (unsigned)words_number(&s->line, "buffer", c->buffer_messages);
        c->max_datagram = words_number(&s->line, "datagram", c->max_datagram);
        c->qos2_window = (unsigned)words_number(&s->line, "window", c->qos2_window);
        s->desk.rule.own_connection = words_number(&s->line, "own", 0);
        c->moves = (struct gw_prefixes){networks, words_number(&s->line, "moves", 0) ? 2 : 0};
        s->desk.stores = words_number(&s->line, "store", 0);
    }
    desk_begin(&s->desk);
    s->begun = true;
    return 0;
}

static int says(struct script *s)
{
    static uint8_t bytes[70000];
    size_t len = words_message(&s->line, 1, bytes, sizeof bytes, NULL);
    if (!len)
        return 1;
    uint8_t *exact = malloc(len); /* so that reading past it is seen */
    memcpy(exact, bytes, len);
    desk_bytes(&s->desk, peer_of(s), exact, len);
    free(exact);
    return 0;
}

static int hears(struct script *s)
{
    static uint8_t want[70000];
    char got_text[512], want_text[512], both[1100];
    struct desk_peer *p = &s->desk.peer[peer_of(s)];
    struct sm_mqttsn_packet got;
    if (p->taken == p->count)
        return fail(s, "the gateway sends nothing", "");
    const uint8_t *bytes = p->kept[p->taken % DESK_KEPT].bytes;
    size_t n = p->kept[p->taken++ % DESK_KEPT].len;
    if (sm_mqttsn_decode(&got, bytes, n) < 0)
        return fail(s, "what the gateway sends is no message", "");
    size_t len = words_message(&s->line, 1, want, sizeof want, &got);
    if (!len)
        return 1;
    if (len == n && !memcmp(bytes, want, len))
        return 0;
    words_hex(bytes, n, got_text, sizeof got_text);
    words_hex(want, len, want_text, sizeof want_text);
    snprintf(both, sizeof both, "%s instead of %s", got_text, want_text);
    return fail(s, "the gateway sends", both);
}

static int quiet(struct script *s)
{
    char text[512];
    for (unsigned i = 0; i < DESK_PEERS; i++) {
        struct desk_peer *p = &s->desk.peer[i];
        if (p->taken == p->count)
            continue;
        words_hex(p->kept[p->taken % DESK_KEPT].bytes, p->kept[p->taken % DESK_KEPT].len, text,
                  sizeof text);
        return fail(s, "the gateway sends", text);
    }
    return 0;
}

static int published(struct script *s)
{
    char *end, text[96];
    unsigned long n = strtoul(s->line.word[1], &end, 10);
    snprintf(text, sizeof text, "%u messages, the last one with %s", s->desk.published,
             s->desk.topic);
    bool good = *end ? !strcmp(s->desk.topic, s->line.word[1]) : n == s->desk.published;
    return good ? 0 : fail(s, "the broker got", text);
}

static int figure(struct script *s)
{
    const struct gw_figures *f = gw_figures(s->desk.g);
    const struct {
        const char *name;
        uint64_t value;
    } all[] = {
#define X(name, help) {#name, f->name},
        GW_COUNTERS(X) GW_GAUGES(X)
#undef X
    };
    char text[32];
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (strcmp(all[i].name, s->line.word[1]) != 0)
            continue;
        snprintf(text, sizeof text, "%llu", (unsigned long long)all[i].value);
        return strtoull(s->line.word[2], NULL, 10) == all[i].value ? 0 : fail(s, "it is", text);
    }
    return fail(s, "no such figure", s->line.word[1]);
}

static int statement(struct script *s)
{
    const char *what = s->line.word[0];
    unsigned n = s->line.count;
    if (!strcmp(what, "gateway"))
        return s->begun ? fail(s, "too late", what) : begin(s, true);
    if (!s->begun)
        begin(s, false);
    if (*what == '>')
        return says(s);
    if (*what == '<')
        return hears(s);
    if (!strcmp(what, "quiet"))
        return quiet(s);
    if (!strcmp(what, "after"))
        return desk_pass(&s->desk, words_time(&s->line)), 0;
    if (!strcmp(what, "broker") && n >= 3)
        return desk_publish(&s->desk, s->line.word[1], strtoul(s->line.word[2], NULL, 10),
                            (uint8_t)words_number(&s->line, "qos", 0),
                            words_have(&s->line, "retain")),
               0;
    if (!strcmp(what, "published") && n == 2)
        return published(s);
    if (!strcmp(what, "broker-silent") || !strcmp(what, "broker-speaks"))
        return s->desk.silent = !strcmp(what, "broker-silent"), 0;
    if (!strcmp(what, "broker-holds"))
        return s->desk.holds = true, 0;
    if (!strcmp(what, "broker-releases"))
        return desk_release(&s->desk), 0;
    if (!strcmp(what, "restart"))
        return desk_restart(&s->desk), 0;
    if (!strcmp(what, "broker-breaks"))
        return desk_break(&s->desk), 0;
    if (!strcmp(what, "figure") && n == 3)
        return figure(s);
    return fail(s, "no such statement", what);
}

static int run(const char *path)
{
    static struct script s;
    char line[2048], shown[2048];
    unsigned number = 0;
    int failed = 0;
    FILE *f = fopen(path, "r");
    memset(&s, 0, sizeof s);
    if (!f) {
        fprintf(stderr, "%s cannot be read\n", path);
        return 1;
    }
    while (!failed && fgets(line, sizeof line, f)) {
        number++;
        strcpy(shown, line);
        s.line.count = words_split(line, s.line.word);
        failed = s.line.count && statement(&s);
        if (failed)
            fprintf(stderr, "%s:%u: %s\n    %s\n", path, number, s.line.why, shown);
    }
    fclose(f);
    if (s.begun)
        desk_end(&s.desk);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++)
        failed += run(argv[i]);
    printf("%d conversations, %d failed\n", argc - 1, failed);
    return failed || argc == 1;
}
