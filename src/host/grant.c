/* Capabilities that mean more than their text: topics, and numbers.
 *
 *   topic/<filter>:<rights>   rights "p" (register and publish), "s" (subscribe) or "ps"
 *   rate/<n>, queue/<n>       a number from 1 on, without leading zeros
 *
 * What has another form grants nothing.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sandmote/mqttsn.h>
#include "internal.h"

enum { TOPIC_LEN = 6 }; /* "topic/" */

bool sm_topic_grant(const char *capability, struct sm_topic_grant *g)
{
    size_t len = strlen(capability), rights = 0;

    *g = (struct sm_topic_grant){0};
    if (strncmp(capability, "topic/", TOPIC_LEN) != 0)
        return false;
    for (; capability[len - 1] != ':' && rights < 3; len--, rights++)
        ;
    const char *right = capability + len;
    g->publish = right[0] == 'p';
    g->subscribe = right[g->publish] == 's';
    if (capability[len - 1] != ':' || rights == 0 ||
        rights != (size_t)g->publish + (size_t)g->subscribe || len - 1 <= TOPIC_LEN)
        return false;
    g->filter = (const uint8_t *)capability + TOPIC_LEN;
    g->len = len - 1 - TOPIC_LEN;
    return sm_mqttsn_filter_valid(g->filter, g->len);
}

bool sm_number_grant(const char *capability, const char *prefix, uint32_t *n)
{
    size_t len = strlen(prefix);
    const char *digit = capability + len;

    *n = 0;
    if (strncmp(capability, prefix, len) != 0 || *digit < '1' || *digit > '9')
        return false;
    for (; *digit >= '0' && *digit <= '9' && *n < 100000; digit++)
        *n = *n * 10 + (uint32_t)(*digit - '0');
    return *digit == 0;
}

/* "<address>/<port>", where the address has no '/'. */
static bool is_place(const char *text)
{
    const char *slash = strchr(text, '/');
    uint32_t port;

    return slash != NULL && slash > text && slash - text <= (int)SM_NETWORK_ADDRESS_MAX &&
           sm_number_grant(slash + 1, "", &port) && port <= UINT16_MAX;
}

const char *sm_network_capability(const char *capability)
{
    struct sm_topic_grant g;
    uint32_t n;

    if (strncmp(capability, "topic/", 6) == 0)
        return sm_topic_grant(capability, &g) && g.len <= SM_NETWORK_NAME_MAX
                   ? NULL
                   : "is not topic/FILTER:p, :s or :ps, with a filter of MQTT of 63 bytes at most";
    if (strncmp(capability, "gateway/", 8) == 0)
        return is_place(capability + 8) ? NULL : "is not gateway/ADDRESS/PORT";
    if (strncmp(capability, "rate/", 5) == 0)
        return sm_number_grant(capability, "rate/", &n) && n <= SM_NETWORK_RATE_MAX
                   ? NULL
                   : "is not rate/N with N from 1 to 1000";
    if (strncmp(capability, "queue/", 6) == 0)
        return sm_number_grant(capability, "queue/", &n) && n <= UINT8_MAX
                   ? NULL
                   : "is not queue/N with N from 1 to 255";
    return NULL;
}
