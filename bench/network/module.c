/* The module that is measured: registers topics and publishes to them, so many in a row.
 *
 * Each export returns how many calls ended well.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote_network.h>

#define TOPICS 20

static int topic[TOPICS];
static char name[] = "bench/t00";
static char payload[32];

SM_EXPORT("setup") int setup(int unused)
{
    (void)unused;
    return wasi_sn_start(0) > 0 && wasi_sn_connect("bench", 30, "", 0);
}

/* A main function that only returns. */
SM_EXPORT("nothing") int nothing(int unused)
{
    return unused;
}

SM_EXPORT("register") int register_topics(int n)
{
    int done = 0;

    for (int i = 0; i < n; i++) {
        name[7] = (char)('0' + i / 10);
        name[8] = (char)('0' + i % 10);
        topic[i] = wasi_sn_register(name);
        done += topic[i] > 0;
    }
    return done;
}

static int publish(int n, int qos)
{
    int done = 0;

    for (int i = 0; i < n; i++)
        done += wasi_sn_publish(topic[i], qos, payload, sizeof payload);
    return done;
}

SM_EXPORT("publish 0") int publish_0(int n)
{
    return publish(n, 0);
}

SM_EXPORT("publish 1") int publish_1(int n)
{
    return publish(n, 1);
}

SM_EXPORT("publish 2") int publish_2(int n)
{
    return publish(n, 2);
}

SM_EXPORT("restart") int restart(int unused)
{
    return wasi_sn_stop() && setup(unused);
}
