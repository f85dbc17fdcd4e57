/* List, matrix and state work in the manner of CoreMark: what a small controller does all day.
 *
 * A round sorts a linked list by two orders and reverses it, multiplies small matrices of 16-bit
 * values, runs a text through a state machine that classifies numbers, and feeds every result into
 * a CRC-16. Written for this project; its figures are not CoreMark's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

#define ITEMS 120
#define ORDER 14
#define TEXT  512

static uint16_t crc16(uint16_t crc, uint32_t value)
{
    for (int bit = 0; bit < 16; bit++, value >>= 1)
        crc = (uint16_t)((crc >> 1) ^ (((crc ^ value) & 1) ? 0xa001 : 0));
    return crc;
}

/* ---- List ------------------------------------------------------------------------------------ */

struct item {
    struct item *next;
    int16_t key, index;
};

static struct item items[ITEMS];

static int by_key(const struct item *a, const struct item *b)
{
    return (a->key & 0xff) - (b->key & 0xff);
}

static int by_index(const struct item *a, const struct item *b)
{
    return a->index - b->index;
}

static struct item *merge(struct item *a, struct item *b,
                          int (*order)(const struct item *, const struct item *))
{
    struct item *head = 0, **tail = &head;

    while (a && b) {
        struct item **least = order(a, b) <= 0 ? &a : &b;

        *tail = *least;
        tail = &(*least)->next;
        *least = *tail;
    }
    *tail = a ? a : b;
    return head;
}

/* Bottom up: bins[i] holds a sorted run of 2^i items or nothing. */
static struct item *sort(struct item *list, int (*order)(const struct item *, const struct item *))
{
    struct item *bins[16] = {0}, *sorted = 0;

    while (list) {
        struct item *run = list;
        int i = 0;

        list = list->next;
        run->next = 0;
        for (; bins[i]; i++) {
            run = merge(bins[i], run, order);
            bins[i] = 0;
        }
        bins[i] = run;
    }
    for (int i = 0; i < 16; i++)
        sorted = merge(bins[i], sorted, order);
    return sorted;
}

static struct item *reverse(struct item *list)
{
    struct item *done = 0;

    while (list) {
        struct item *next = list->next;

        list->next = done;
        done = list;
        list = next;
    }
    return done;
}

static uint16_t work_list(uint16_t crc, int round)
{
    struct item *list = &items[0];

    for (int i = 0; i < ITEMS; i++) {
        items[i].next = i + 1 < ITEMS ? &items[i + 1] : 0;
        items[i].index = (int16_t)i;
        items[i].key = (int16_t)(items[i].key * 31 + round + i);
    }
    list = reverse(sort(list, by_key));
    for (struct item *item = list; item; item = item->next)
        crc = crc16(crc, (uint16_t)item->key);
    list = sort(list, by_index);
    return crc16(crc, (uint16_t)list->key);
}

/* ---- Matrix ---------------------------------------------------------------------------------- */

static int16_t left[ORDER][ORDER], right[ORDER][ORDER];
static int32_t product[ORDER][ORDER];

static void multiply(void)
{
    for (int i = 0; i < ORDER; i++) {
        for (int j = 0; j < ORDER; j++) {
            int32_t sum = 0;

            for (int k = 0; k < ORDER; k++)
                sum += left[i][k] * right[k][j];
            product[i][j] = sum;
        }
    }
}

static void multiply_bits(void)
{
    for (int i = 0; i < ORDER; i++) {
        for (int j = 0; j < ORDER; j++) {
            int32_t sum = 0;

            for (int k = 0; k < ORDER; k++) {
                int32_t part = left[i][k] * right[k][j];

                sum += (part >> 2 & 0xf) * (part >> 5 & 0x7f);
            }
            product[i][j] = sum;
        }
    }
}

static uint16_t product_crc(uint16_t crc, int32_t clip)
{
    int32_t sum = 0, last = 0;

    for (int i = 0; i < ORDER; i++) {
        for (int j = 0; j < ORDER; j++) {
            int32_t value = product[i][j];

            sum += value > last ? 10 : 1;
            sum = sum > clip ? 0 : sum;
            last = value;
        }
    }
    return crc16(crc, (uint32_t)(sum ^ last));
}

static uint16_t work_matrix(uint16_t crc, int round)
{
    for (int i = 0; i < ORDER; i++)
        left[i][round % ORDER] = (int16_t)(left[i][round % ORDER] + 1);
    multiply();
    crc = product_crc(crc, 200);
    multiply_bits();
    return product_crc(crc, 300);
}

/* ---- State machine --------------------------------------------------------------------------- */

enum state { START, SIGN, INTEGER, FRACTION, EXPONENT, POWER, INVALID, STATES };

static char text[TEXT];

static enum state step(enum state state, char c)
{
    int digit = c >= '0' && c <= '9';

    switch (state) {
    case START:
        return digit ? INTEGER : c == '+' || c == '-' ? SIGN : c == '.' ? FRACTION : INVALID;
    case SIGN: return digit ? INTEGER : c == '.' ? FRACTION : INVALID;
    case INTEGER: return digit ? INTEGER : c == '.' ? FRACTION : c == 'e' ? EXPONENT : INVALID;
    case FRACTION: return digit ? FRACTION : c == 'e' ? EXPONENT : INVALID;
    case EXPONENT: return digit || c == '-' ? POWER : INVALID;
    case POWER: return digit ? POWER : INVALID;
    default: return INVALID;
    }
}

static uint16_t work_state(uint16_t crc, int round)
{
    uint32_t ended[STATES] = {0}, seen[STATES] = {0};
    enum state state = START;

    text[round % TEXT] ^= 1;
    for (int i = 0; i < TEXT; i++) {
        if (text[i] == ',') {
            ended[state]++;
            state = START;
        } else {
            state = step(state, text[i]);
            seen[state]++;
        }
    }
    text[round % TEXT] ^= 1;
    for (int i = 0; i < STATES; i++)
        crc = crc16(crc16(crc, ended[i]), seen[i]);
    return crc;
}

/* ---- Rounds ---------------------------------------------------------------------------------- */

static void set_up(void)
{
    static const char numbers[] = "5012,-18.25,+7,.5,1.5e3,2e-7,x9,12..4,-+1,874.5,0,3.e,";
    uint32_t seed = 1;

    for (int i = 0; i < ITEMS; i++)
        items[i].key = (int16_t)next_random(&seed);
    for (int i = 0; i < ORDER; i++) {
        for (int j = 0; j < ORDER; j++) {
            left[i][j] = (int16_t)(next_random(&seed) & 0xff);
            right[i][j] = (int16_t)(next_random(&seed) & 0xff);
        }
    }
    for (uint32_t i = 0; i < TEXT; i++)
        text[i] = numbers[i % (sizeof numbers - 1)];
}

int run(int n)
{
    uint16_t crc = 0;

    set_up();
    for (int i = 0; i < n; i++) {
        crc = work_list(crc, i);
        crc = work_matrix(crc, i);
        crc = work_state(crc, i);
    }
    return crc;
}
