/* The network for modules (sandmote/network.h) on a POSIX host: sessions over links of sn_link.h,
 * one link for each session that has started.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_POSIX_SN_NETWORK_H
#define SM_POSIX_SN_NETWORK_H

#include <sandmote/network.h>
#include <posix/sn_link.h>

#define SM_SN_NETWORK_SESSIONS 64u

/* What a host says of its network. Borrowed, with all it points to, for the network's life.
 * Addresses are numbers: names are not looked up. */
struct sm_sn_network_cfg {
    const char *prefix; /* in front of client ids */
    const struct sm_network_place *gateways;
    uint8_t ngateways;
    struct sm_network_place search;
    const char *interface;         /* of the search; NULL: the system's choice */
    uint8_t hops;                  /* of a search that says none */
    uint32_t retry_ms;             /* 0: 10000 */
    uint8_t retries;               /* 0: 3 */
    const struct sm_sn_dtls *dtls; /* NULL: plain UDP */
    struct sm_network_room room;   /* of each session */
};

/* Stays at one address. Fields are private but `network` and `session`. */
struct sm_sn_network {
    struct sm_network network;
    struct sm_network_session session[SM_SN_NETWORK_SESSIONS];
    unsigned sessions;
    const struct sm_sn_network_cfg *how;
    struct sm_network_cfg cfg;
    struct sm_network_port port;
    struct sm_mqttsn_address search; /* len 0: none */
    struct sm_sn_link *link[SM_SN_NETWORK_SESSIONS];
    uint8_t *memory;
    uint8_t datagram[SM_SN_DATAGRAM];
};

/* 0, SM_ERR_INVALID (an address that is none) or SM_ERR_MEMORY, with a sentence in why->text. */
int sm_sn_network_init(struct sm_sn_network *n, const struct sm_sn_network_cfg *how,
                       unsigned sessions, struct sm_file_why *why);
/* All sessions leave their gateways. For one that was never made, all zero, too. */
void sm_sn_network_free(struct sm_sn_network *n);

/* What to poll for input: how many of fds were filled, SM_SN_LINK_FDS for each session at most.
 * *timeout_ms is lowered to when sm_network_step() is due again; negative: never. */
unsigned sm_sn_network_fds(const struct sm_sn_network *n, struct pollfd *fds, int *timeout_ms);

/* "ADDRESS:PORT" or "[ADDRESS]:PORT" taken apart, in place. */
bool sm_sn_network_place(char *text, struct sm_network_place *out);

#endif
