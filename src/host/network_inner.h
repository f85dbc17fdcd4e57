/* What the files of the network calls share (network.c). SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_HOST_NETWORK_INNER_H
#define SANDMOTE_HOST_NETWORK_INNER_H

#include <sandmote/network.h>
#include "internal.h"

/* What a call gives back. */
enum kind {
    KIND_DONE,      /* 1 or 0 */
    KIND_JOINED,    /* only now it can connect again, as KIND_DONE */
    KIND_CONNECTED, /* the same; by which id is settled then */
    KIND_PUBLISHED, /* the same; counted */
    KIND_TOPIC,     /* the id of a topic */
    KIND_GATEWAY    /* bytes of the address of the gateway that was found, in buf */
};

static inline uint64_t now_ms(const struct sm_network_session *s)
{
    const struct sm_clock *clock = &s->network->cfg->clock;

    return clock->now_ms(clock->ctx);
}

/* ---- For calls (network.c) ------------------------------------------------------------------- */

/* A call that takes no buffer begins: whether it may go on. */
int sm_net_begin_call(struct sm_network_session *s);
/* What was asked for, as a capability would name it, is refused: the code to give back. */
int sm_net_deny(struct sm_host *h, const char *kind, const struct sm_host_text *what,
                const char *rights);
/* Each call that sends costs a token. */
int sm_net_pay(struct sm_network_session *s);
/* A number or a code, which lastError() gives too. */
int sm_net_give(struct sm_network_session *s, uint32_t *args, int number);
/* What the client has said to a request, a token or an error: the call's result, at once or when
 * the request has ended. */
int sm_net_asked(struct sm_network_session *s, struct sm_wasm_inst *inst, uint8_t kind, int token,
                 uint32_t *args);
/* End the sleep; a token or an error. */
int sm_net_wake_up(struct sm_network_session *s);

/* ---- Gateways and connections (network_link.c) ----------------------------------------------- */

/* The address of the gateway that a search has found, to where its call wants it. Its bytes, or a
 * code. */
int sm_net_put_found(struct sm_network_session *s, uint8_t *buf);
/* Stop, as a module does that calls stop(). */
void sm_net_leave(struct sm_network_session *s);

int sm_net_start(void *ctx, struct sm_wasm_inst *caller, uint32_t *args);
int sm_net_stop(void *ctx, struct sm_wasm_inst *caller, uint32_t *args);
int sm_net_search(void *ctx, struct sm_wasm_inst *caller, uint32_t *args);
int sm_net_connect(void *ctx, struct sm_wasm_inst *caller, uint32_t *args);
int sm_net_disconnect(void *ctx, struct sm_wasm_inst *caller, uint32_t *args);
int sm_net_sleep(void *ctx, struct sm_wasm_inst *caller, uint32_t *args);
int sm_net_collect(void *ctx, struct sm_wasm_inst *caller, uint32_t *args);
int sm_net_awake(void *ctx, struct sm_wasm_inst *caller, uint32_t *args);

/* ---- Topics and messages (network_topic.c) --------------------------------------------------- */

int sm_net_register(void *ctx, struct sm_wasm_inst *caller, uint32_t *args);
int sm_net_publish(void *ctx, struct sm_wasm_inst *caller, uint32_t *args);
int sm_net_subscribe(void *ctx, struct sm_wasm_inst *caller, uint32_t *args);
int sm_net_subscribe_to(void *ctx, struct sm_wasm_inst *caller, uint32_t *args);
int sm_net_unsubscribe(void *ctx, struct sm_wasm_inst *caller, uint32_t *args);
int sm_net_has_message(void *ctx, struct sm_wasm_inst *caller, uint32_t *args);
int sm_net_get_message(void *ctx, struct sm_wasm_inst *caller, uint32_t *args);
int sm_net_peek_message(void *ctx, struct sm_wasm_inst *caller, uint32_t *args);

#endif
