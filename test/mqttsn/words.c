/* Words of conversations. SPDX-License-Identifier: Apache-2.0 */
#include "words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int words_fail(struct words *s, const char *what, const char *detail)
{
    snprintf(s->why, sizeof s->why, "%s%s%s", what, *detail ? ": " : "", detail);
    return 1;
}

unsigned words_split(char *line, char **word)
{
    unsigned n = 0;
    for (char *at = line; n < WORDS;) {
        at += strspn(at, " \t\r\n");
        if (*at == 0 || *at == '#')
            break;
        word[n++] = at;
        if (*at == '"') {
            char *end = strchr(at + 1, '"');
            if (!end)
                break;
            at = end + 1;
            continue;
        }
        at += strcspn(at, " \t\r\n");
        if (*at)
            *at++ = 0;
    }
    return n;
}

const char *words_value(const struct words *s, const char *key)
{
    size_t len = strlen(key);
    for (unsigned i = 1; i < s->count; i++)
        if (!strncmp(s->word[i], key, len) && s->word[i][len] == '=')
            return s->word[i] + len + 1;
    return NULL;
}

unsigned long words_number(const struct words *s, const char *key, unsigned long otherwise)
{
    const char *value = words_value(s, key);
    return value ? strtoul(value, NULL, 0) : otherwise;
}

bool words_have(const struct words *s, const char *word)
{
    for (unsigned i = 1; i < s->count; i++)
        if (!strcmp(s->word[i], word))
            return true;
    return false;
}

/* Text of a word: quoted, hex:, x*N or as it is. Its length; bytes go to out. */
size_t words_text(const char *word, uint8_t *out, size_t size)
{
    size_t n = 0;
    const char *star = strchr(word, '*');
    if (*word == '"') {
        n = strcspn(word + 1, "\"");
        memcpy(out, word + 1, n);
    } else if (!strncmp(word, "hex:", 4)) {
        unsigned octet;
        for (const char *at = word + 4; n < size && sscanf(at, "%2x", &octet) == 1; at += 2)
            out[n++] = (uint8_t)octet;
    } else if (star && star == word + 1) {
        n = strtoul(star + 1, NULL, 10);
        memset(out, *word, n);
    } else {
        n = strlen(word);
        memcpy(out, word, n);
    }
    return n;
}

uint16_t words_short(const char *text)
{
    return (uint16_t)((uint8_t)text[0] << 8 | (uint8_t)text[1]);
}

/* A number, or $x: bound to what was seen when it is free yet. */
static uint16_t id_of(struct words *s, const char *key, uint16_t seen, bool bind)
{
    const char *text = words_value(s, key);
    if (!text || *text != '$')
        return (uint16_t)words_number(s, key, 0);
    int *bound = &s->ids[text[1] & 0x7f];
    if (!*bound && bind)
        *bound = seen + 1;
    return (uint16_t)(*bound - 1);
}

size_t words_message(struct words *s, unsigned first, uint8_t *out, size_t size,
                     const struct sm_mqttsn_packet *sent)
{
    static uint8_t data[70000];
    struct sm_mqttsn_packet p = {.protocol = SM_MQTTSN_PROTOCOL_ID};
    unsigned type = 0;
    if (first < s->count && !strcmp(s->word[first], "octets"))
        return words_text(
            strcat(strcpy((char *)data, "hex:"), s->count > first + 1 ? s->word[first + 1] : ""),
            out, size);
    while (type < 256 && (first >= s->count || strcmp(sm_mqttsn_type_name(type), s->word[first])))
        type++;
    if (type == 256)
        return (size_t)words_fail(s, "no such message", first < s->count ? s->word[first] : "") - 1;
    p.type = (uint8_t)type;
    p.qos = (int8_t)strtol(words_value(s, "qos") ? words_value(s, "qos") : "0", NULL, 0);
    p.dup = words_have(s, "dup");
    p.retain = words_have(s, "retain");
    p.will = words_have(s, "will");
    p.clean = words_have(s, "clean");
    p.code = (uint8_t)words_number(s, "code", 0);
    p.gateway_id = (uint8_t)words_number(s, "gw", 0);
    p.radius = (uint8_t)words_number(s, "radius", 0);
    p.duration_s = (uint16_t)words_number(s, "duration", 0);
    p.protocol = (uint8_t)words_number(s, "protocol", SM_MQTTSN_PROTOCOL_ID);
    p.topic_id = id_of(s, "topic", sent ? sent->topic_id : 0, sent != NULL);
    if (words_value(s, "pre")) {
        p.topic_type = SM_MQTTSN_TOPIC_PREDEFINED;
        p.topic_id = (uint16_t)words_number(s, "pre", 0);
    }
    if (words_value(s, "short")) {
        p.topic_type = SM_MQTTSN_TOPIC_SHORT;
        p.topic_id = words_short(words_value(s, "short"));
    }
    p.msg_id = id_of(s, "msg", sent ? sent->msg_id : 0, sent != NULL);
    const char *last = s->word[s->count - 1];
    static const char *const flags[] = {"dup", "retain", "will", "clean"};
    bool is_flag = s->count - 1 == first || (strchr(last, '=') && *last != '"');
    for (size_t i = 0; i < 4; i++)
        is_flag = is_flag || !strcmp(last, flags[i]);
    if (!is_flag) {
        p.len = (uint16_t)words_text(last, data, sizeof data);
        p.data = data;
    }
    int n = sm_mqttsn_encode(&p, out, size);
    if (n <= 0) {
        words_fail(s, "the script's message is none", sm_strerror(n));
        return 0;
    }
    return (size_t)n;
}

void words_hex(const uint8_t *bytes, size_t len, char *out, size_t size)
{
    struct sm_mqttsn_packet p;
    size_t n = (size_t)snprintf(
        out, size, "%s ", sm_mqttsn_decode(&p, bytes, len) ? "?" : sm_mqttsn_type_name(p.type));
    for (size_t i = 0; i < len && n + 3 < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%02x", bytes[i]);
}

uint64_t words_time(const struct words *s)
{
    uint64_t value = s->count > 1 ? strtoull(s->word[1], NULL, 10) : 0;
    return s->count > 2 && !strcmp(s->word[2], "s") ? value * 1000 : value;
}
