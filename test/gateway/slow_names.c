/* A resolver for tests, loaded before the C library: it knows "broker.test", at ::1 and at
 * 127.0.0.1 in this order, once the file that SLOW_NAMES names is there; until then it keeps
 * whoever asks.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct answer {
    struct addrinfo info;
    struct sockaddr_in6 at;
};

static struct addrinfo *answer(int family, int port, struct addrinfo *next)
{
    struct answer *a = calloc(1, sizeof *a);
    struct sockaddr_in *v4 = (struct sockaddr_in *)&a->at;
    a->info = (struct addrinfo){.ai_family = family,
                                .ai_socktype = SOCK_STREAM,
                                .ai_addrlen = family == AF_INET ? sizeof *v4 : sizeof a->at,
                                .ai_addr = (struct sockaddr *)&a->at,
                                .ai_next = next};
    if (family == AF_INET)
        *v4 = (struct sockaddr_in){
            .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(0x7f000001)};
    else
        a->at = (struct sockaddr_in6){
            .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};
    return &a->info;
}

int getaddrinfo(const char *host, const char *port, const struct addrinfo *want,
                struct addrinfo **out)
{
    if (want->ai_flags & AI_NUMERICHOST || strcmp(host, "broker.test") != 0)
        return EAI_NONAME;
    while (access(getenv("SLOW_NAMES"), F_OK) < 0)
        usleep(10000);
    *out = answer(AF_INET6, atoi(port), answer(AF_INET, atoi(port), NULL));
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list) {
        struct addrinfo *next = list->ai_next;
        free(list);
        list = next;
    }
}
