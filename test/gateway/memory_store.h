/* A store in memory: what stays when a gateway without sockets is restarted.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_GATEWAY_MEMORY_STORE_H
#define TEST_GATEWAY_MEMORY_STORE_H

#include <gateway/gateway.h>

#define MEMORY_ROWS  64u
#define MEMORY_SLOTS 8u
#define MEMORY_TEXT  32u

struct memory_text {
    uint8_t bytes[MEMORY_TEXT];
    size_t len;
};

/* Rows of row 0 are free. */
struct memory_store {
    struct {
        struct gw_stored_client c;
        char id[MEMORY_TEXT];
    } client[2];
    struct {
        int64_t row;
        uint8_t qos;
        struct memory_text text;
    } filter[4];
    struct {
        uint64_t number;
        struct gw_stored_flow f;
    } flow[MEMORY_ROWS]; /* the first of them a client's slots */
    struct {
        int64_t row;
        struct memory_text topic, payload;
        bool retain;
    } message[MEMORY_ROWS];
    struct gw_stored_delivery delivery[MEMORY_ROWS];
    uint16_t received[MEMORY_ROWS];
    int64_t last;
};

struct gw_store memory_store_functions(struct memory_store *m);
void memory_store_restore(const struct memory_store *m, struct gw *g, uint64_t now_ms);

#endif
