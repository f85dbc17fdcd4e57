/* The paper's names for the network calls (WASI-SN, section 4.2, Table 3), so that its Listing 3
 * compiles nearly as printed: sandmote_network.h says what each does.
 *
 * With a C library sleep() is the library's, and here wasi_sn_sleep() remains.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_GUEST_WASI_SN_NETWORK_H
#define SANDMOTE_GUEST_WASI_SN_NETWORK_H

#include "sandmote_network.h"

static inline int start(int port)
{
    return wasi_sn_start(port);
}

static inline bool stop(void)
{
    return wasi_sn_stop();
}

/* NULL when none has answered. The text is overwritten by the next search. */
static inline const char *searchGW(const char *address, int port, int max_hops)
{
    static char gateway[48];

    return wasi_sn_searchGW(address, port, max_hops, gateway, sizeof gateway) > 0 ? gateway : NULL;
}

static inline bool connect(const char *client_id, int keep_alive, const char *address, int port)
{
    return wasi_sn_connect(client_id, keep_alive, address, port);
}

static inline bool disconnect(void)
{
    return wasi_sn_disconnect();
}

/* `register` is a word of C; in front of a parenthesis C has no use for it but in old declarations.
 */
static inline int registerTopic(const char *topic)
{
    return wasi_sn_register(topic);
}
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wkeyword-macro"
#define register(topic) registerTopic(topic)
#pragma clang diagnostic pop

/* publish(topic, qos, data): all bytes of an array; publish(topic, qos, data, len): so many. */
#define publish(...)                       SM_PUBLISH_AS(__VA_ARGS__, SM_PUBLISH, SM_PUBLISH_ALL, )(__VA_ARGS__)
#define SM_PUBLISH_AS(a, b, c, d, as, ...) as
#define SM_PUBLISH(topic, qos, data, len)  wasi_sn_publish(topic, qos, data, len)
#define SM_PUBLISH_ALL(topic, qos, data)                                                           \
    wasi_sn_publish(topic, qos, data, (int)sizeof data + SM_IS_ARRAY(data))
/* 0, or no program at all for what is a pointer. */
#define SM_IS_ARRAY(data)                                                                          \
    (0 *                                                                                           \
     (int)sizeof(                                                                                  \
         char[__builtin_types_compatible_p(__typeof__(data), __typeof__(&(data)[0])) ? -1 : 1]))

static inline bool subscribe(int topic, int qos)
{
    return wasi_sn_subscribe(topic, qos);
}

static inline bool hasMessage(int topic)
{
    return wasi_sn_hasMessage(topic);
}

static inline int getMessage(int topic, void *buf, int len)
{
    return wasi_sn_getMessage(topic, buf, len);
}

#ifndef __wasi__
static inline bool sleep(int seconds)
{
    return wasi_sn_sleep(seconds);
}
#endif

static inline bool awake(void)
{
    return wasi_sn_awake();
}

#endif
