/* MQTT-SN over a serial line.
 *
 * What the line cannot take at once is lost, as on the way: a frame that was cut fails its
 * checksum, and the next begins with the zero that ends it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sandmote/mqttsn_frame.h>
#include <posix/bus.h>
#include "sn_link.h"

#define FRAME SM_MQTTSN_FRAME_SIZE(SM_SN_DATAGRAM)

struct serial {
    struct sm_sn_link link;
    struct sm_posix_bus line;
    struct sm_mqttsn_deframer in;
    uint8_t buffer[FRAME], came[256];
    size_t came_at, came_len;
    bool raw;
};

static void send_serial(struct sm_sn_link *l, const uint8_t *bytes, size_t len,
                        const struct sm_mqttsn_address *to)
{
    (void)to; /* all is the one at the other end */
    struct serial *s = (struct serial *)l;
    uint8_t frame[FRAME];
    int n = (int)len;
    if (!s->raw) {
        n = sm_mqttsn_frame(bytes, len, frame, sizeof frame);
        bytes = frame;
    }
    if (n > 0)
        (void)!write(s->line.fd[0], bytes, (size_t)n);
}

static size_t receive_serial(struct sm_sn_link *l, uint8_t *bytes, size_t size,
                             struct sm_mqttsn_address *from, uint64_t now_ms)
{
    struct serial *s = (struct serial *)l;
    *from = (struct sm_mqttsn_address){.len = 1};
    for (;;) {
        while (s->came_at < s->came_len) {
            size_t used, n = sm_mqttsn_deframe(&s->in, s->came + s->came_at,
                                               s->came_len - s->came_at, &used, now_ms);
            s->came_at += used;
            if (n && n <= size) {
                memcpy(bytes, s->buffer, n);
                return n;
            }
        }
        ssize_t n = read(s->line.fd[0], s->came, sizeof s->came);
        if (n <= 0)
            return 0;
        s->came_at = 0;
        s->came_len = (size_t)n;
    }
}

static unsigned fds_serial(const struct sm_sn_link *l, struct pollfd *fds)
{
    fds[0] = (struct pollfd){.fd = ((const struct serial *)l)->line.fd[0], .events = POLLIN};
    return 1;
}

static void close_serial(struct sm_sn_link *l)
{
    struct serial *s = (struct serial *)l;
    sm_bus_close(&s->line);
    free(s);
}

static const struct sm_sn_link_kind kind = {
    .send = send_serial, .receive = receive_serial, .fds = fds_serial, .close = close_serial};

int sm_sn_link_serial(const char *device, uint32_t baud, bool raw, struct sm_sn_link **out,
                      struct sm_file_why *why)
{
    struct serial *s = calloc(1, sizeof *s);
    if (!s) {
        snprintf(why->text, sizeof why->text, "no memory");
        return SM_ERR_IO;
    }
    s->link.kind = &kind;
    s->raw = raw;
    sm_mqttsn_deframer_init(&s->in, raw, s->buffer, sizeof s->buffer);
    int err = sm_bus_open_serial(&s->line, "mqtt-sn", device, baud, SM_PARITY_NONE, 1, why);
    if (err) {
        free(s);
        return err;
    }
    *out = &s->link;
    return 0;
}
