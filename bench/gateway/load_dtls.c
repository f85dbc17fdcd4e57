/* What clients behind DTLS cost a gateway: load_dtls PORT CLIENTS PID. Client N has the identity
 * and id "dtls-N" and the key of sixteen octets 01. Prints one "name value" a line, as load does.
 *
 * The clients' side is the product's own.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <posix/sn_link.h>

#include "process.h"

#define TRIES    200
#define TRY_US   2000
#define AGAIN_AT 50 /* tries after which CONNECT is sent once more */

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Whether it is connected. */
static bool join(unsigned i, const struct sm_mqttsn_address *to)
{
    static const uint8_t key[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    struct sm_file_why why;
    struct sm_sn_link *link; /* stays open: the session is what is measured */
    struct sm_mqttsn_address from;
    struct sm_mqttsn_packet p;
    uint8_t bytes[64], in[SM_SN_DATAGRAM];
    char id[24];
    int len = snprintf(id, sizeof id, "dtls-%u", i);
    struct sm_sn_dtls how = {.identity = id, .key = key, .key_len = sizeof key};
    struct sm_mqttsn_packet hello = {.type = SM_MQTTSN_CONNECT,
                                     .protocol = SM_MQTTSN_PROTOCOL_ID,
                                     .clean = true,
                                     .duration_s = 65000,
                                     .data = (uint8_t *)id,
                                     .len = (uint16_t)len};
    int n = sm_mqttsn_encode(&hello, bytes, sizeof bytes);
    if (n < 0 || sm_sn_link_dtls(&how, &link, &why) < 0)
        return false;
    for (int try = 0; try < TRIES; try++) {
        if (try % AGAIN_AT == 0)
            sm_sn_send(link, bytes, (size_t)n, to);
        size_t got = sm_sn_receive(link, in, sizeof in, &from, now_ms());
        if (got && sm_mqttsn_decode(&p, in, got) == 0 && p.type == SM_MQTTSN_CONNACK)
            return p.code == SM_MQTTSN_ACCEPTED;
        usleep(TRY_US);
    }
    return false;
}

int main(int argc, char **argv)
{
    struct sm_mqttsn_address to;
    struct sm_file_why why;
    unsigned connected = 0;
    if (argc != 4 || sm_sn_address("127.0.0.1", (uint16_t)atoi(argv[1]), &to, &why) < 0)
        return 64;
    int pid = atoi(argv[3]);
    double cpu = process_cpu_us(pid), rss = process_rss_bytes(pid);
    for (unsigned i = 0; i < (unsigned)atoi(argv[2]); i++)
        connected += join(i, &to);
    printf("connected %u\nbytes_per_client %.0f\ncpu_us_per_connection %.0f\n", connected,
           (process_rss_bytes(pid) - rss) / (connected ? connected : 1),
           (process_cpu_us(pid) - cpu) / (connected ? connected : 1));
    return connected ? 0 : 1;
}
