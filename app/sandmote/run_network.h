/* What `sandmote run` gives to modules of the network: one session, to gateways that --network
 * names.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_RUN_NETWORK_H
#define SANDMOTE_RUN_NETWORK_H

#include <posix/sn_network.h>

#include "cli.h"

#define RUN_GATEWAYS 7u

/* Stays at one address; all zero: there is no network. */
struct run_network {
    struct sm_sn_network net;
    struct sm_sn_network_cfg how;
    struct sm_network_place gateway[RUN_GATEWAYS];
    struct sm_sn_dtls dtls;
    char *text; /* what the places point into */
    bool on;
};

/* From --network; NULL is no network. NULL, or what is wrong with it. */
const char *run_network_init(struct run_network *r, const char *text);
void run_network_free(struct run_network *r);

/* What a module without a manifest may do: everything. */
void run_network_grant(const struct run_network *r, struct sm_manifest *m);

/* Its part in the module's list, before `more`. */
struct sm_host_more *run_network_join(struct run_network *r, struct sm_host_more *more);

/* Wait for ms milliseconds, or until something has come, and do what is due. */
void run_network_wait(struct run_network *r, uint64_t ms);

/* Whether an import is one of the network's. */
bool run_network_import(const struct sm_wasm_import *import);

#endif
