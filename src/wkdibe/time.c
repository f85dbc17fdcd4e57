/* Time in slots: hours, and the calendar's nodes above them. Owns nothing.
 *
 * Inside, a time is a number of hours since 1970, UTC; days of 24 hours, as POSIX counts them. A
 * node of a level is a run of hours that begins where the level's field begins anew.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/wkdibe_names.h>
#include "names.h"

#define HOURS_END 70389528ull /* 10000-01-01 */

static bool leap(unsigned year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned days_in(unsigned year, unsigned month)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && leap(year));
}

/* Days since 1970 to a date: the civil calendar by eras of 400 years, which begin in March so that
 * the leap day is a year's last. */
static void date_of(uint32_t days, struct sm_ibe_time *t)
{
    uint32_t z = days + 719468; /* since 0000-03-01 */
    uint32_t era = z / 146097, in_era = z % 146097;
    uint32_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    uint32_t in_year = in_era - (365 * year + year / 4 - year / 100);
    uint32_t month = (5 * in_year + 2) / 153; /* from March, 0 */
    t->day = (uint8_t)(in_year - (153 * month + 2) / 5 + 1);
    t->month = (uint8_t)(month < 10 ? month + 3 : month - 9);
    t->year = (uint16_t)(year + era * 400 + (t->month <= 2));
}

static void hour_of(uint64_t hours, struct sm_ibe_time *t)
{
    date_of((uint32_t)(hours / 24), t);
    t->quarter = (uint8_t)(hours % 24 / 6);
    t->hour = (uint8_t)(hours % 24);
    t->levels = SM_IBE_TIME_LEVELS;
}

int sm_ibe_time_of(uint64_t seconds, struct sm_ibe_time *t)
{
    if (seconds / 3600 >= HOURS_END)
        return SM_ERR_LIMIT;
    hour_of(seconds / 3600, t);
    return 0;
}

static bool exists(const struct sm_ibe_time *t)
{
    if (t->levels > SM_IBE_TIME_LEVELS)
        return false;
    if (t->levels >= 1 && (t->year < 1970 || t->year > 9999))
        return false;
    if (t->levels >= 2 && (t->month < 1 || t->month > 12))
        return false;
    if (t->levels >= 3 && (t->day < 1 || t->day > days_in(t->year, t->month)))
        return false;
    if (t->levels >= 4 && t->quarter > 3)
        return false;
    return t->levels < 5 || (t->hour < 24 && t->hour / 6 == t->quarter);
}

int sm_ibe_name_time(struct sm_ibe_pattern *p, const struct sm_ibe_time *t)
{
    if (p->slots < SM_IBE_SLOT_TIME + SM_IBE_TIME_LEVELS)
        return SM_ERR_ARG;
    if (!exists(t))
        return SM_ERR_INVALID;
    const uint16_t field[SM_IBE_TIME_LEVELS] = {t->year, t->month, t->day, t->quarter, t->hour};
    for (unsigned i = 0; i < SM_IBE_TIME_LEVELS; i++) {
        uint8_t bytes[2] = {(uint8_t)(field[i] >> 8), (uint8_t)field[i]};
        int err = i < t->levels ? sm_ibe_pattern_set(p, SM_IBE_SLOT_TIME + i,
                                                     (uint8_t)(IBE_TYPE_YEAR + i), bytes, 2)
                                : sm_ibe_pattern_set_wild(p, SM_IBE_SLOT_TIME + i);
        if (err)
            return err;
    }
    return 0;
}

/* The hours of the node of a level that begins at t's hour, or 0 when none of this level does. */
static uint32_t node_hours(const struct sm_ibe_time *t, unsigned level)
{
    switch (level) {
    case 5: return 1;
    case 4: return t->hour % 6 == 0 ? 6 : 0;
    case 3: return t->hour == 0 ? 24 : 0;
    case 2: return t->hour == 0 && t->day == 1 ? 24 * days_in(t->year, t->month) : 0;
    default: return t->hour == 0 && t->day == 1 && t->month == 1 ? 24u * (365 + leap(t->year)) : 0;
    }
}

/* Greedy: the largest node that begins here and ends in time. Nodes are nested, so none is wasted.
 */
int sm_ibe_time_cover(uint64_t from_s, uint64_t until_s, struct sm_ibe_time *nodes, unsigned max)
{
    uint64_t at = from_s / 3600, end = until_s / 3600;
    unsigned n = 0;
    if (end > HOURS_END)
        return SM_ERR_LIMIT;
    for (; at < end; n++) {
        struct sm_ibe_time t;
        unsigned level = 1;
        uint32_t hours;
        hour_of(at, &t);
        while ((hours = node_hours(&t, level)) == 0 || at + hours > end)
            level++;
        if (n == max)
            return SM_ERR_MEMORY;
        t.levels = (uint8_t)level;
        nodes[n] = t;
        at += hours;
    }
    return (int)n;
}
