/* A store in memory: what stays when a gateway without sockets is restarted.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_GATEWAY_MEMORY_STORE_H
#define TEST_GATEWAY_MEMORY_STORE_H

#include <gateway/gateway.h>

#define MEMORY_ROWS    64u
#define MEMORY_CLIENTS 8u
#define MEMORY_NAMES   32u /* filters, topics */
#define MEMORY_TEXT    32u

struct memory_text {
    uint8_t bytes[MEMORY_TEXT];
    size_t len;
};

/* Rows of row 0 are free. */
struct memory_store {
    bool cuts; /* what is too long is cut, and flows too many are forgotten; else that is a failure
                */
    struct {
        struct gw_stored_client c;
        char id[MEMORY_TEXT];
    } client[MEMORY_CLIENTS];
    struct {
        int64_t row;
        uint8_t qos;
        struct memory_text text;
    } filter[MEMORY_NAMES];
    struct {
        int64_t row;
        uint16_t id;
        struct memory_text text;
    } topic[MEMORY_NAMES];
    struct {
        uint64_t number;
        struct gw_stored_flow f;
    } flow[MEMORY_ROWS]; /* number 0: free */
    struct {
        int64_t row;
        struct memory_text topic, payload;
        bool retain;
    } message[MEMORY_ROWS];
    struct gw_stored_delivery delivery[MEMORY_ROWS];
    struct {
        int64_t link;
        uint16_t packet_id;
    } received[MEMORY_ROWS];
    int64_t last;
};

struct gw_store memory_store_functions(struct memory_store *m);
void memory_store_restore(const struct memory_store *m, struct gw *g, uint64_t now_ms);

#endif
