/* Names in slots. Owns the types of values: a value of one type is never one of another.
 *
 * The whole name is checked before its first component is taken, so that what is wrong is reported
 * with one rule and one place, whichever slots there are.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/wkdibe_names.h>
#include <string.h>
#include "names.h"

/* ---- UTF-8 (RFC 3629) ------------------------------------------------------------------------ */

/* Bytes of the character that text begins with, or 0: cut short, overlong, a surrogate, or beyond
 * U+10FFFF. */
static size_t utf8_len(const uint8_t *text, size_t len)
{
    uint8_t first = text[0];
    if (first < 0x80)
        return 1;
    size_t n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || len < n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    if ((first == 0xe0 && text[1] < 0xa0) || (first == 0xed && text[1] > 0x9f) ||
        (first == 0xf0 && text[1] < 0x90) || (first == 0xf4 && text[1] > 0x8f))
        return 0;
    return n;
}

/* ---- Components ------------------------------------------------------------------------------ */

static int bad(struct sm_ibe_detail *detail, size_t offset, const char *rule)
{
    detail->rule = rule;
    detail->offset = (uint32_t)offset;
    return SM_ERR_MALFORMED;
}

static bool is_star(const char *component, size_t len)
{
    return len == 1 && component[0] == '*';
}

static int check_component(const char *name, size_t at, size_t len, struct sm_ibe_detail *detail)
{
    const char *c = name + at;
    if (len == 0)
        return bad(detail, at, "a component is empty");
    if (len > SM_IBE_NAME_MAX)
        return bad(detail, at, "a component is longer than 64 bytes");
    if (is_star(c, len))
        return 0;
    if (c[0] == '.' && (len == 1 || (len == 2 && c[1] == '.')))
        return bad(detail, at, "a component is . or ..");
    if (len == 4 && memcmp(c, "NULL", 4) == 0)
        return bad(detail, at, "NULL is not a name: leave the component out");
    for (size_t i = 0; i < len;) {
        size_t n = utf8_len((const uint8_t *)c + i, len - i);
        if (n == 0)
            return bad(detail, at + i, "not UTF-8");
        if ((uint8_t)c[i] < 0x20 || c[i] == 0x7f)
            return bad(detail, at + i, "a control character");
        if (c[i] == '+' || c[i] == '#' || c[i] == '$')
            return bad(detail, at + i, "+, # and $ belong to topics, not to names");
        if (c[i] == '*')
            return bad(detail, at + i, "* stands for a whole component");
        i += n;
    }
    return 0;
}

/* The components of a name, one after the other. */
struct walk {
    const char *name;
    size_t len, at, n; /* the component: n bytes at `at` */
};

/* Whether there is another one. Names begin with a slash, so every component follows one. */
static bool next(struct walk *w)
{
    w->at += w->n;
    if (w->at >= w->len)
        return false;
    w->at++;
    for (w->n = 0; w->at + w->n < w->len && w->name[w->at + w->n] != '/';)
        w->n++;
    return true;
}

/* What a name must look like. */
struct form {
    const char *first;
    unsigned slot, slots;
    const char *wrong_first, *too_many;
};

static int check_name(const struct form *f, const char *name, size_t len,
                      struct sm_ibe_detail *detail)
{
    struct walk w = {.name = name, .len = len};
    if (len == 0 || name[0] != '/')
        return bad(detail, 0, "a name begins with /");
    for (unsigned i = 0; next(&w); i++) {
        if (i == f->slots)
            return bad(detail, w.at, f->too_many);
        int err = check_component(name, w.at, w.n, detail);
        if (err)
            return err;
        if (i == 0 && (w.n != strlen(f->first) || memcmp(name + w.at, f->first, w.n) != 0))
            return bad(detail, w.at, f->wrong_first);
    }
    return 0;
}

static int set_name(struct sm_ibe_pattern *p, const struct form *f, uint8_t type, const char *name,
                    size_t len, struct sm_ibe_detail *detail)
{
    struct walk w = {.name = name, .len = len};
    bool star = false;
    *detail = (struct sm_ibe_detail){0};
    if (p->slots < f->slot + f->slots)
        return SM_ERR_ARG;
    int err = check_name(f, name, len, detail);
    for (unsigned i = f->slot; !err && i < f->slot + f->slots; i++) {
        bool more = next(&w);
        star = more ? is_star(name + w.at, w.n) : star;
        if (star)
            err = sm_ibe_pattern_set_wild(p, i);
        else if (more)
            err = sm_ibe_pattern_set(p, i, type, name + w.at, w.n);
        else
            err = sm_ibe_pattern_set_null(p, i);
    }
    return err;
}

int sm_ibe_name_identity(struct sm_ibe_pattern *p, const char *name, size_t len,
                         struct sm_ibe_detail *detail)
{
    static const struct form form = {
        "entity", SM_IBE_SLOT_IDENTITY, 4, "an identity begins with /entity",
        "an identity has at most four components: /entity/location/requester/delegate"};
    return set_name(p, &form, IBE_TYPE_IDENTITY, name, len, detail);
}

int sm_ibe_name_resource(struct sm_ibe_pattern *p, const char *name, size_t len,
                         struct sm_ibe_detail *detail)
{
    static const struct form form = {
        "resources", SM_IBE_SLOT_RESOURCE, 5, "a resource begins with /resources",
        "a resource has at most five components: /resources/device/sensor/capability/one more"};
    return set_name(p, &form, IBE_TYPE_RESOURCE, name, len, detail);
}

int sm_ibe_name_purpose(struct sm_ibe_pattern *p, enum sm_ibe_purpose purpose)
{
    uint8_t byte = (uint8_t)purpose;
    return sm_ibe_pattern_set(p, SM_IBE_SLOT_PURPOSE, IBE_TYPE_PURPOSE, &byte, 1);
}

int sm_ibe_name_node(struct sm_ibe_pattern *p, uint32_t node)
{
    uint8_t bytes[4] = {(uint8_t)(node >> 24), (uint8_t)(node >> 16), (uint8_t)(node >> 8),
                        (uint8_t)node};
    if (node == 0)
        return SM_ERR_ARG;
    return sm_ibe_pattern_set(p, SM_IBE_SLOT_NODE, IBE_TYPE_NODE, bytes, sizeof bytes);
}
