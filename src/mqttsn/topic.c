/* Topic names and filters: what is one, and which filter matches which name.
 *
 * Whoever hands text on to a broker checks it here first: a broker ends the whole connection, and a
 * gateway's may be shared by all of its clients, over one name that is not UTF-8.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/mqttsn.h>

/* The octets of the character at text, by its first octet, or 0. */
static unsigned utf8_length(unsigned first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first < 0xe0)
        return 2;
    if (first >= 0xe0 && first < 0xf0)
        return 3;
    return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

/* Unicode 3.9, table 3-7: the second octet says whether the form is the shortest, no surrogate, and
 * not above U+10FFFF. */
static bool utf8_second(unsigned first, unsigned second)
{
    unsigned low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    return second >= low && second <= high;
}

static bool is_text(const uint8_t *text, size_t len)
{
    if (len == 0 || len > 65535)
        return false;
    for (size_t i = 0; i < len;) {
        unsigned n = utf8_length(text[i]);
        if (n == 0 || n > len - i || text[i] == 0)
            return false;
        if (n > 1 && !utf8_second(text[i], text[i + 1]))
            return false;
        for (unsigned k = 2; k < n; k++)
            if ((text[i + k] & 0xc0) != 0x80)
                return false;
        i += n;
    }
    return true;
}

bool sm_mqttsn_filter_wild(const uint8_t *filter, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (filter[i] == '+' || filter[i] == '#')
            return true;
    return false;
}

bool sm_mqttsn_name_valid(const uint8_t *text, size_t len)
{
    return is_text(text, len) && !sm_mqttsn_filter_wild(text, len);
}

bool sm_mqttsn_filter_valid(const uint8_t *text, size_t len)
{
    if (!is_text(text, len))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '+' && text[i] != '#')
            continue;
        bool begins = i == 0 || text[i - 1] == '/';
        bool ends = i + 1 == len || (text[i] == '+' && text[i + 1] == '/');
        if (!begins || !ends)
            return false;
    }
    return true;
}

static size_t level(const uint8_t *text, size_t len)
{
    size_t n = 0;
    while (n < len && text[n] != '/')
        n++;
    return n;
}

/* A name is a filter that stands for itself, so this is matching too. */
bool sm_mqttsn_filter_covers(const uint8_t *filter, size_t filter_len, const uint8_t *name,
                             size_t name_len)
{
    if (name_len > 0 && name[0] == '$' && filter_len > 0 && (filter[0] == '+' || filter[0] == '#'))
        return false;
    size_t f = 0, n = 0;
    for (;;) {
        size_t fl = level(filter + f, filter_len - f), nl = level(name + n, name_len - n);
        if (fl == 1 && filter[f] == '#')
            return true;
        if (nl == 1 && name[n] == '#')
            return false;
        bool any = fl == 1 && filter[f] == '+', same = fl == nl;
        for (size_t i = 0; same && !any && i < fl; i++)
            same = filter[f + i] == name[n + i];
        if (!any && !same)
            return false;
        f += fl;
        n += nl;
        if (f == filter_len || n == name_len)
            break;
        f++;
        n++;
    }
    if (f == filter_len)
        return n == name_len;
    return filter_len - f == 2 && filter[f + 1] == '#'; /* "a/#" matches "a" too */
}
