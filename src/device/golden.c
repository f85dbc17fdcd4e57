/* The firmware's own module, for when no application may run: from its bytes to a module that runs.
 *
 * It needs nothing of the flash, which may be what is broken: its bytes and its key are the
 * firmware's, its image is made in memory, both anew at each start. The signature is verified each
 * time although the firmware is trusted, because its bytes may have rotted.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "internal.h"

static int write_image(void *ctx, uint32_t off, const void *bytes, uint32_t len)
{
    const struct sm_device_golden *g = ctx;

    if (off > g->image_size || len > g->image_size - off)
        return SM_ERR_FULL;
    memcpy((uint8_t *)g->image + off, bytes, len);
    return 0;
}

int sm_dev_open_golden(struct sm_device *d, struct sm_wasm_module *m)
{
    const struct sm_device_golden *g = d->cfg->golden;
    struct sm_wasm_sink sink = {(void *)(uintptr_t)g, write_image};
    int err = sm_ed25519_verify(g->key, g->wasm, g->len, g->signature);

    if (err)
        return sm_dev_say(d, err, "the golden module's signature is not good");
    int64_t len =
        sm_wasm_translate(g->wasm, g->len, &sink, d->cfg->scratch, d->cfg->scratch_len, NULL);
    err = len < 0 ? (int)len : sm_wasm_open(m, g->image, (size_t)len, g->wasm, g->len);
    return err ? sm_dev_say(d, err, "the golden module has no image: %s", sm_strerror(err)) : 0;
}

void sm_dev_emit_golden(const struct sm_device *d, enum sm_event_kind kind, const char *detail)
{
    const struct sm_manifest *m = &d->apps[0].manifest;
    uint8_t sha[SM_SHA256_SIZE];

    if (d->cfg->event == NULL)
        return;
    sm_sha256(d->cfg->golden->wasm, d->cfg->golden->len, sha);
    const struct sm_event e = {.kind = kind,
                               .name = SM_DEVICE_GOLDEN_NAME,
                               .version = kind == SM_EVENT_REFUSED ? "" : m->version,
                               .action = "",
                               .detail = detail,
                               .sequence = kind == SM_EVENT_REFUSED ? 0 : m->sequence,
                               .sha = sha};
    d->cfg->event(d->cfg->event_ctx, &e);
}
