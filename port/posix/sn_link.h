/* How a client of MQTT-SN reaches its gateways on a POSIX host: UDP, DTLS 1.2 or a serial line.
 *
 * A link carries datagrams and never blocks. Addresses (struct sm_mqttsn_address) are, for UDP and
 * DTLS, the IP address (4 or 16 octets), the port (2, big-endian) and for link-local ones the
 * interface's index (4); a serial line has one peer, whose address is a zero octet. All but the
 * interface goes into GWINFO as it is.
 *
 * Functions that fail leave one sentence in why->text.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_POSIX_SN_LINK_H
#define SM_POSIX_SN_LINK_H

#include <poll.h>
#include <sandmote/mqttsn_client.h>
#include <posix/file.h>

#define SM_SN_LINK_FDS 8u /* that one link polls, at most */
#define SM_SN_DATAGRAM 4096u

struct sm_sn_link;

/* What a kind of link does; private. */
struct sm_sn_link_kind {
    void (*send)(struct sm_sn_link *l, const uint8_t *bytes, size_t len,
                 const struct sm_mqttsn_address *to);
    size_t (*receive)(struct sm_sn_link *l, uint8_t *bytes, size_t size,
                      struct sm_mqttsn_address *from, uint64_t now_ms);
    unsigned (*fds)(const struct sm_sn_link *l, struct pollfd *fds);
    int (*timeout_ms)(const struct sm_sn_link *l); /* -1: none; NULL: never any */
    void (*close)(struct sm_sn_link *l);
};
struct sm_sn_link {
    const struct sm_sn_link_kind *kind;
};

/* Send a datagram, to all when to->len is 0 and the link can do that. What cannot be sent is lost,
 * as on the way. */
void sm_sn_send(struct sm_sn_link *l, const uint8_t *bytes, size_t len,
                const struct sm_mqttsn_address *to);

/* A datagram that came, of at most size octets. Its length; 0: none now. */
size_t sm_sn_receive(struct sm_sn_link *l, uint8_t *bytes, size_t size,
                     struct sm_mqttsn_address *from, uint64_t now_ms);

/* What to poll for input: how many of fds (SM_SN_LINK_FDS) were filled. *timeout_ms is lowered to
 * when the link itself has to be stepped; negative: never. */
unsigned sm_sn_fds(const struct sm_sn_link *l, struct pollfd *fds, int *timeout_ms);

void sm_sn_close(struct sm_sn_link *l); /* NULL is none */

/* Feed the client what came, and send what it has. The milliseconds until it wants to be stepped
 * again if nothing comes; at most INT_MAX, -1: never. */
int sm_sn_step(struct sm_mqttsn *sn, struct sm_sn_link *l, uint64_t now_ms);

/* The same; each message that comes is shown to seen before the client has it. */
typedef void sm_sn_seen(void *ctx, const struct sm_mqttsn_packet *p);
int sm_sn_step_seen(struct sm_mqttsn *sn, struct sm_sn_link *l, uint64_t now_ms, sm_sn_seen *seen,
                    void *ctx);

/* Wait for input, at most timeout_ms (-1: for ever). */
void sm_sn_wait(const struct sm_sn_link *l, int timeout_ms);

/* ---- Addresses ---- */

/* "192.0.2.1", "2001:db8::1", "fe80::1%eth0" or a name, and a port. 0, SM_ERR_NOT_FOUND. */
int sm_sn_address(const char *host, uint16_t port, struct sm_mqttsn_address *out,
                  struct sm_file_why *why);

/* "192.0.2.1:1883", "[2001:db8::1]:1883"; "serial line" for the peer of one. */
#define SM_SN_ADDRESS_TEXT 80u
const char *sm_sn_address_text(const struct sm_mqttsn_address *a, char text[SM_SN_ADDRESS_TEXT]);

/* ---- Kinds ---- */

/* A UDP socket for IPv6 and IPv4, and with a group one more that hears what is said there. */
struct sm_sn_udp {
    uint16_t port;         /* ours; 0: any */
    const char *group;     /* address of a multicast group, for searching; NULL: none */
    uint16_t group_port;   /* where gateways listen, and what they say can be heard */
    const char *interface; /* for the group; NULL: the system's choice */
    uint8_t hops;          /* for searches with radius 0; 0: 1 */
};
/* 0, SM_ERR_NOT_FOUND (no such group or interface), SM_ERR_BUSY (a port is taken) or SM_ERR_IO. */
int sm_sn_link_udp(const struct sm_sn_udp *how, struct sm_sn_link **out, struct sm_file_why *why);

/* The port of our own socket. */
uint16_t sm_sn_udp_port(const struct sm_sn_link *l);

/* DTLS 1.2, with a key shared beforehand or with certificates; one session a gateway. The gateway
 * is always authenticated: by the key, or by `ca` and its name. */
struct sm_sn_dtls {
    const char *identity; /* with a key: who we are; NULL: certificates */
    const uint8_t *key;
    size_t key_len;          /* 16 to 64 octets */
    const char *ca;          /* file of the certificates that may sign the gateway's */
    const char *name;        /* that its certificate must have: a host name or an IP address */
    const char *certificate; /* ours; NULL: none */
    const char *private_key;
};
/* 0, SM_ERR_ARG (neither key nor ca and name), SM_ERR_NOT_FOUND or SM_ERR_INVALID (files),
 * SM_ERR_IO. */
int sm_sn_link_dtls(const struct sm_sn_dtls *how, struct sm_sn_link **out, struct sm_file_why *why);

/* A serial line, framed (mqttsn_frame.h) or raw. Errors as sm_bus_open_serial(). */
int sm_sn_link_serial(const char *device, uint32_t baud, bool raw, struct sm_sn_link **out,
                      struct sm_file_why *why);

#endif
