/* The server's side of updates in blocks (doc/SPEC-blocks.md): a device's message becomes the
 * request that it would make over HTTPS, and the answer becomes messages again. So what is offered
 * to whom, what is kept of feedback, events and attributes, and who may have which file is decided
 * in one place.
 *
 * Nothing must be remembered between two messages. What is kept, for as long as there is room, is
 * of which object a device fetches blocks, and how much it may be sent.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_FLEET_BLOCKS_H
#define SM_FLEET_BLOCKS_H

#include "server.h"

struct sm_fleet_blocks;

struct sm_fleet_blocks_cfg {
    struct sm_fleet *fleet; /* used by no other thread */
    uint32_t per_second;    /* messages that a device is answered with; at once as many as 64 */
    void *send_ctx;
    void (*send)(void *ctx, const char *device, const void *bytes, size_t len);
};

/* cfg is borrowed. NULL without memory. */
struct sm_fleet_blocks *sm_fleet_blocks_new(const struct sm_fleet_blocks_cfg *cfg);
void sm_fleet_blocks_free(struct sm_fleet_blocks *b);

/* A message of a device, whose identity the transport vouches for. 0, with what there is to say
 * sent; or, nothing sent, the errors of sm_blocks_decode(), SM_ERR_NOT_FOUND (no such device),
 * SM_ERR_LIMIT (more than it may), SM_ERR_BUSY, _FULL, _IO, _MEMORY (trouble of our own): the
 * device asks again. */
int sm_fleet_blocks_input(struct sm_fleet_blocks *b, const char *device, const void *bytes,
                          size_t len, int64_t now_ms);

/* Send NEWS to the devices that have got something to do since the last call; and twice a minute
 * again to those that speak to this server and have not asked for it yet, since the first may be
 * lost. 0, or the database's errors. */
int sm_fleet_blocks_news(struct sm_fleet_blocks *b, int64_t now_ms);

#endif
