/* What a broker sends: MQTT packets. What is accepted must lie inside the bytes, and what can be
 * encoded must come back.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <gateway/mqtt.h>
#include <stdlib.h>
#include <string.h>

static void must(int good)
{
    if (!good)
        abort();
}

static void inside(const uint8_t *at, size_t len, const uint8_t *bytes, size_t size)
{
    must(!at ||
         (at >= bytes && (size_t)(at - bytes) <= size && len <= size - (size_t)(at - bytes)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mqtt_packet p, again;
    for (size_t at = 0; at < size;) {
        int n = mqtt_decode(&p, data + at, size - at, 4096);
        if (n <= 0)
            break;
        must((size_t)n <= size - at);
        inside(p.topic, p.topic_len, data + at, (size_t)n);
        inside(p.data, p.len, data + at, (size_t)n);
        int len = p.type == MQTT_PUBLISH ? mqtt_size(&p) : 0;
        if (len > 0) {
            uint8_t *out = malloc((size_t)len);
            must(out && mqtt_encode(&p, out) == len);
            must(mqtt_decode(&again, out, (size_t)len, 4096) == len);
            must(again.qos == p.qos && again.id == p.id && again.len == p.len &&
                 (!p.len || !memcmp(again.data, p.data, p.len)));
            free(out);
        }
        at += (size_t)n;
    }
    return 0;
}
