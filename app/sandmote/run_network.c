/* What `sandmote run` gives to modules of the network. SPDX-License-Identifier: Apache-2.0 */
#include "run_network.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { TOPICS = 32, QUEUE = 64, PAYLOAD = 1024 };

static const char *add(struct run_network *r, char *text)
{
    bool search = strncmp(text, "search=", 7) == 0;
    struct sm_network_place *place = search ? &r->how.search : &r->gateway[r->how.ngateways];

    if (!search && r->how.ngateways == RUN_GATEWAYS)
        return "--network takes 7 gateways at most";
    if (!sm_sn_network_place(text + (search ? 7 : 0), place))
        return "--network takes ADDRESS:PORT,... and search=ADDRESS:PORT; IPv6 stands in [ ]";
    r->how.ngateways += !search;
    return NULL;
}

void run_network_free(struct run_network *r)
{
    if (r->on)
        sm_sn_network_free(&r->net);
    free(r->text);
    r->text = NULL;
}

const char *run_network_init(struct run_network *r, const char *text)
{
    static struct sm_file_why why;
    const char *wrong = NULL;
    char *rest;

    if (!text)
        return NULL;
    r->text = strdup(text);
    r->how = (struct sm_sn_network_cfg){
        .prefix = "", .gateways = r->gateway, .room = {TOPICS, RUN_GATEWAYS + 1, QUEUE, PAYLOAD}};
    for (char *t = r->text ? strtok_r(r->text, ",", &rest) : NULL; t && !wrong;
         t = strtok_r(NULL, ",", &rest))
        wrong = add(r, t);
    if (!wrong && sm_sn_network_init(&r->net, &r->how, 1, &why) < 0)
        wrong = why.text;
    r->on = !wrong;
    if (wrong)
        run_network_free(r);
    return wrong;
}

void run_network_grant(const struct run_network *r, struct sm_manifest *m)
{
    static const char *const all[] = {"queue/64", "rate/1000", "topic/#:ps"};

    for (unsigned i = 0; i < 3 && r->on && m->capabilities < SM_CAPABILITIES_MAX; i++)
        strcpy(m->capability[m->capabilities++], all[i]);
}

struct sm_host_more *run_network_join(struct run_network *r, struct sm_host_more *more)
{
    if (!r->on)
        return more;
    if (!more)
        return &r->net.session[0].more;
    more->next = &r->net.session[0].more;
    return more;
}

void run_network_wait(struct run_network *r, uint64_t ms)
{
    struct pollfd fds[SM_SN_LINK_FDS];
    int timeout_ms = ms < INT_MAX ? (int)ms : INT_MAX;
    unsigned n = r->on ? sm_sn_network_fds(&r->net, fds, &timeout_ms) : 0;

    poll(fds, n, timeout_ms); /* a signal only makes it look again */
    if (r->on)
        sm_network_step(&r->net.network);
}

bool run_network_import(const struct sm_wasm_import *import)
{
    static const char *const calls[] = {"start", "connect", "register", "publish", "subscribeTo"};

    for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++)
        if (sm_wasm_name_is(&import->module, "wasi_sn") &&
            sm_wasm_name_is(&import->field, calls[i]))
            return true;
    return false;
}
