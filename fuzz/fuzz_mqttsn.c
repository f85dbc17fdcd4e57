/* Fuzz target: messages of MQTT-SN, topics and forwarders' datagrams.
 *
 * What can be read is written again, and that is read as the same; it is no longer than what came.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sandmote/mqttsn.h>

static void require(bool fact)
{
    if (!fact)
        abort();
}

static void topics(const struct sm_mqttsn_packet *p)
{
    size_t half = p->len / 2u;
    if (sm_mqttsn_filter_valid(p->data, half) &&
        sm_mqttsn_name_valid(p->data + half, p->len - half))
        (void)sm_mqttsn_filter_matches(p->data, half, p->data + half, p->len - half);
    if (p->len && sm_mqttsn_name_valid(p->data, p->len))
        require(sm_mqttsn_filter_matches(p->data, p->len, p->data, p->len));
}

static void message(const uint8_t *bytes, size_t len)
{
    static uint8_t again[SM_MQTTSN_MAX];
    struct sm_mqttsn_packet p, q;
    int err = sm_mqttsn_decode(&p, bytes, len);
    require(err == 0 || err == SM_ERR_MALFORMED || err == SM_ERR_UNSUPPORTED);
    if (err != 0)
        return;
    topics(&p);
    int n = sm_mqttsn_encode(&p, again, sizeof again);
    require(n > 0 && (size_t)n <= len);
    require(sm_mqttsn_decode(&q, again, (size_t)n) == 0);
    require(p.len == q.len && (p.len == 0 || memcmp(p.data, q.data, p.len) == 0));
    q.data = p.data;
    require(memcmp(&p, &q, sizeof p) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint8_t again[1u << 17];
    struct sm_mqttsn_wrapped w;
    message(data, len);
    if (sm_mqttsn_unwrap(&w, data, len) == 0) {
        message(w.message, w.len);
        int n = sm_mqttsn_wrap(&w, again, sizeof again);
        require(w.len > SM_MQTTSN_MAX || (size_t)n == len);
    }
    return 0;
}
