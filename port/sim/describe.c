/* Chips from one line of text.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"
#include <string.h>

#define WORD_MAX   24u
#define PERIOD_MAX 1000000 /* seconds */

/* The text from left to right; `why` is set once something is wrong. */
struct reading {
    const char *text, *at;
    struct sm_sim_wrong *wrong;
};

static int fail(struct reading *r, const char *rule)
{
    r->wrong->rule = rule;
    r->wrong->offset = (uint32_t)(r->at - r->text);
    return SM_ERR_INVALID;
}

static void skip_blanks(struct reading *r)
{
    while (*r->at == ' ')
        r->at++;
}

static bool skip(struct reading *r, const char *mark)
{
    size_t len = strlen(mark);
    if (strncmp(r->at, mark, len) != 0)
        return false;
    r->at += len;
    return true;
}

/* Up to a character that ends it. */
static int read_word(struct reading *r, char end, char word[WORD_MAX])
{
    const char *stop = strchr(r->at, end);
    size_t len = stop ? (size_t)(stop - r->at) : strlen(r->at);
    if (!stop || len == 0 || len >= WORD_MAX || memchr(r->at, ' ', len))
        return fail(r, end == '@' ? "a chip is MODEL@ADDRESS" : "a value is NAME=NUMBER");
    memcpy(word, r->at, len);
    word[len] = 0;
    return 0;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

/* 0 to 255, decimal or with 0x. */
static int read_address(struct reading *r, uint8_t *address)
{
    int base = skip(r, "0x") ? 16 : 10, value = 0;
    const char *first = r->at;
    while (digit_of(*r->at) < base && value <= 255)
        value = value * base + digit_of(*r->at++);
    if (r->at == first || value > 255)
        return fail(r, "an address is a number up to 255");
    *address = (uint8_t)value;
    return 0;
}

/* A number with at most three decimals, in 1/1000. */
static int read_number(struct reading *r, int32_t *thousandths)
{
    bool negative = skip(r, "-");
    const char *first = r->at;
    int64_t value = 0, unit = 1000;
    while (digit_of(*r->at) < 10 && value <= INT32_MAX)
        value = value * 10 + digit_of(*r->at++);
    bool point = r->at != first && r->at[0] == '.' && r->at[1] != '.';
    if (point)
        r->at++;
    for (; point && unit > 1 && digit_of(*r->at) < 10; unit /= 10)
        value = value * 10 + digit_of(*r->at++);
    value *= unit;
    if (r->at == first || value > INT32_MAX || digit_of(*r->at) < 10)
        return fail(r, "a number has at most three decimals, and is below 2147483");
    *thousandths = (int32_t)(negative ? -value : value);
    return 0;
}

/* NUMBER, or NUMBER..NUMBER/SECONDS. */
static int read_value(struct reading *r, struct sm_sim_value *v)
{
    int32_t seconds = 0;
    v->period_ms = 0;
    if (read_number(r, &v->from) != 0)
        return SM_ERR_INVALID;
    v->to = v->from;
    if (!skip(r, ".."))
        return 0;
    if (read_number(r, &v->to) != 0)
        return SM_ERR_INVALID;
    if (!skip(r, "/"))
        return fail(r, "a walk is FROM..TO/SECONDS");
    if (read_number(r, &seconds) != 0)
        return SM_ERR_INVALID;
    if (seconds <= 0 || seconds > PERIOD_MAX * 1000ll)
        return fail(r, "a walk takes 0.001 to 1000000 seconds");
    v->period_ms = (uint32_t)seconds;
    return 0;
}

static int read_quantity(struct reading *r, const struct sm_sim_model *model,
                         struct sm_sim_value values[SM_SIM_QUANTITIES])
{
    char name[WORD_MAX];
    if (read_word(r, '=', name) != 0)
        return SM_ERR_INVALID;
    int i = sm_sim_quantity_find(model, name);
    if (i < 0)
        return fail(r, "this chip does not measure that");
    const struct sm_sim_quantity *q = &model->quantity[i];
    r->at += strlen(name) + 1;
    if (read_value(r, &values[i]) != 0)
        return SM_ERR_INVALID;
    if (values[i].from < q->min || values[i].from > q->max || values[i].to < q->min ||
        values[i].to > q->max)
        return fail(r, "outside of what this chip measures");
    return *r->at && *r->at != ' ' ? fail(r, "a blank must follow a value") : 0;
}

int sm_sim_describe(struct sm_sim_chip_description *d, const char *text, struct sm_sim_wrong *wrong)
{
    struct reading r = {text, text, wrong};
    char name[WORD_MAX];
    skip_blanks(&r);
    if (read_word(&r, '@', name) != 0)
        return SM_ERR_INVALID;
    d->model = sm_sim_model_find(name);
    if (!d->model)
        return fail(&r, "there is no such chip");
    r.at += strlen(name) + 1;
    if (read_address(&r, &d->address) != 0)
        return SM_ERR_INVALID;
    if (d->address < d->model->first || d->address > d->model->last)
        return fail(&r, "this chip cannot have that address");
    for (unsigned i = 0; i < d->model->quantities; i++)
        d->value[i] = (struct sm_sim_value){.from = d->model->quantity[i].initial,
                                            .to = d->model->quantity[i].initial};
    while (*r.at) {
        if (*r.at != ' ')
            return fail(&r, "a blank must follow the address");
        skip_blanks(&r);
        if (*r.at && read_quantity(&r, d->model, d->value) != 0)
            return SM_ERR_INVALID;
    }
    return 0;
}

int sm_sim_plug_described(struct sm_sim_bus *b, struct sm_sim_chip *c,
                          const struct sm_sim_chip_description *d)
{
    int err = sm_sim_plug(b, c, d->model, d->address);
    if (!err)
        memcpy(c->value, d->value, sizeof c->value);
    return err;
}
