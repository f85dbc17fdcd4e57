/* Updates over MQTT-SN (mqttsn.h). SPDX-License-Identifier: Apache-2.0 */
#include "mqttsn.h"

#include <stdio.h>
#include <string.h>
#include <posix/log.h>
#include <posix/system.h>

/* ---- Start ----------------------------------------------------------------------------------- */

static int open_link(struct mqttsn *m, struct sm_file_why *why)
{
    const struct config_mqttsn *c = m->cfg;
    struct sm_sn_udp udp = {0};
    if (c->serial)
        return sm_sn_link_serial(c->serial, c->baud, false, &m->link, why);
    if (c->dtls.there)
        return sm_sn_link_dtls(&c->dtls.how, &m->link, why);
    return sm_sn_link_udp(&udp, &m->link, why);
}

static int add_gateways(struct mqttsn *m, struct sm_file_why *why)
{
    struct sm_mqttsn_address at = {.len = 1};
    if (m->cfg->serial)
        return sm_mqttsn_add_gateway(&m->sn, &at);
    for (size_t i = 0; i < m->cfg->ngateways; i++) {
        int err = sm_sn_address(m->cfg->gateway[i].host, m->cfg->gateway[i].port, &at, why);
        if (!err)
            err = sm_mqttsn_add_gateway(&m->sn, &at);
        if (err)
            return err;
    }
    return 0;
}

static int start_client(struct mqttsn *m, struct sm_file_why *why)
{
    struct sm_mqttsn_config cfg = {.client_id = m->cfg->client_id,
                                   .retry_ms = m->cfg->retry_ms,
                                   .gateways = m->gateways,
                                   .ngateways = CONFIG_GATEWAYS_MAX,
                                   .topics = m->topics,
                                   .ntopics = 2,
                                   .names = m->names,
                                   .name_size = MQTTSN_TOPIC,
                                   .requests = m->requests,
                                   .nrequests = 4,
                                   .payloads = m->payloads,
                                   .payload_size = SM_BLOCKS_MOST,
                                   .inbox = m->inbox,
                                   .inbox_size = sizeof m->inbox};
    snprintf(why->text, sizeof why->text,
             "mqtt-sn: no luck from the system, or a gateway too many");
    if (sm_posix_entropy.fill(sm_posix_entropy.ctx, &cfg.seed, sizeof cfg.seed) < 0 ||
        sm_mqttsn_init(&m->sn, &cfg) < 0)
        return SM_ERR_STATE;
    return add_gateways(m, why);
}

int mqttsn_start(struct mqttsn *m, const struct config *c, struct sm_device *device,
                 struct sm_file_why *why)
{
    uint64_t now = sm_posix_clock.now_ms(sm_posix_clock.ctx);
    m->cfg = &c->mqttsn;
    m->state = SM_MQTTSN_DISCONNECTED;
    snprintf(m->up, sizeof m->up, "%s/%s/up", m->cfg->prefix, c->device);
    snprintf(m->down, sizeof m->down, "%s/%s/down", m->cfg->prefix, c->device);
    int err = open_link(m, why);
    if (!err)
        err = start_client(m, why);
    if (err)
        return err;
    m->blocks_cfg = (struct sm_blocks_cfg){.device = device,
                                           .fleet = c->fleet,
                                           .cls = sm_class_name(c->cls),
                                           .entropy = &sm_posix_entropy,
                                           .buf = m->buf,
                                           .buf_len = sizeof m->buf,
                                           .message_most = m->cfg->message_bytes,
                                           .window = m->cfg->window,
                                           .retry_ms = m->cfg->retry_ms,
                                           .deadline_s = m->cfg->deadline_s,
                                           .poll_least_s = m->cfg->poll_least_s,
                                           .core_ctx = &m->dump,
                                           .core = c->core.folder[0] ? core_lend : NULL};
    m->dump = (struct core_loan){.cfg = &c->core};
    m->carrier_cfg = (struct sm_blocks_mqttsn_cfg){.blocks = &m->blocks,
                                                   .sn = &m->sn,
                                                   .up = m->up,
                                                   .down = m->down,
                                                   .message = m->message,
                                                   .message_most = sizeof m->message,
                                                   .keepalive_s = m->cfg->keepalive_s,
                                                   .sleep_s = m->cfg->sleep_s};
    sm_blocks_mqttsn_init(&m->carrier, &m->carrier_cfg);
    return sm_blocks_init(&m->blocks, &m->blocks_cfg, now);
}

void mqttsn_stop(struct mqttsn *m)
{
    if (m->blocks.cfg)
        sm_device_install_suspend(m->blocks.cfg->device);
    (void)core_lend(&m->dump, NULL, NULL, NULL);
    sm_sn_close(m->link);
    m->link = NULL;
}

/* ---- The step -------------------------------------------------------------------------------- */

/* Each change of the connection, and each tenth of a module. */
static void tell(struct mqttsn *m)
{
    enum sm_mqttsn_state state = sm_mqttsn_state(&m->sn);
    const struct sm_mqttsn_address *gateway = sm_mqttsn_gateway(&m->sn);
    char text[SM_SN_ADDRESS_TEXT] = "";
    const char *name;
    uint32_t have, length;
    bool quiet = m->cfg->sleep_s && state != SM_MQTTSN_LOST; /* it comes and goes all day */
    if (state != m->state && !quiet)
        sm_log(state == SM_MQTTSN_LOST ? SM_LOG_WARN : SM_LOG_INFO, "mqtt-sn: %s%s%s",
               sm_mqttsn_state_name(state), gateway ? ", gateway " : "",
               gateway ? sm_sn_address_text(gateway, text) : "");
    m->state = state;
    bool comes = sm_blocks_progress(&m->blocks, &name, &have, &length);
    uint32_t tenths = comes ? (uint32_t)((uint64_t)have * 10 / length) : 0;
    if (comes && tenths != m->tenths)
        sm_log(SM_LOG_INFO, "mqtt-sn: %s: %u of %u bytes, %u questions asked again", name,
               (unsigned)have, (unsigned)length, (unsigned)m->blocks.counts.retries);
    m->tenths = tenths;
}

uint32_t mqttsn_step(struct mqttsn *m, uint64_t now_ms)
{
    (void)sm_sn_step(&m->sn, m->link, now_ms);
    uint32_t received = sm_mqttsn_counts(&m->sn)->received;
    uint32_t wait = sm_blocks_mqttsn_step(&m->carrier, now_ms);
    int link = sm_sn_step(&m->sn, m->link, now_ms);
    tell(m);
    if (sm_mqttsn_counts(&m->sn)->received != received)
        return 0; /* more came meanwhile */
    return link >= 0 && (uint32_t)link < wait ? (uint32_t)link : wait;
}
