/* The HTTPS front: TLS 1.3 and nothing older, one thread, requests in and answers out.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_FLEET_HTTP_H
#define SM_FLEET_HTTP_H

#include "server.h"

struct sm_fleet_http;

/* Listen and serve in a thread of its own until stop; f must outlive it, and the database belongs
 * to that thread meanwhile. NULL when it cannot, which is logged. */
struct sm_fleet_http *sm_fleet_http_start(struct sm_fleet *f);

/* The port it listens on. */
unsigned sm_fleet_http_port(const struct sm_fleet_http *h);

/* Close every connection and wait for the request that is being handled. */
void sm_fleet_http_stop(struct sm_fleet_http *h);

#endif
