/* What a device makes of a deployment (include/sandmote/offer.h): answers read from its records.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sandmote/offer.h>
#include "text.h"

static const struct sm_record *record_named(const struct sm_device *d, const char *name)
{
    struct sm_app_info info;
    uint16_t index;

    return sm_device_find(d, name, &index) == 0 && sm_device_app(d, index, &info) == 0 ? info.record
                                                                                       : NULL;
}

const struct sm_slot *sm_offer_slot(const struct sm_device *d, const char *name, const uint8_t *sha,
                                    enum sm_slot_state state)
{
    const struct sm_record *r = record_named(d, name);

    for (unsigned i = 0; r != NULL && i < 2; i++) {
        const struct sm_slot *s = &r->slot[i];
        bool active = state != SM_SLOT_COMMITTED || r->active == i;
        if (active && s->state == state && memcmp(s->module_sha, sha, SM_SHA256_SIZE) == 0)
            return s;
    }
    return NULL;
}

const struct sm_slot *sm_offer_removal(const struct sm_record *r)
{
    for (unsigned i = 0; r->active == SM_STORE_NO_SLOT && i < 2; i++) {
        const struct sm_slot *s = &r->slot[i];
        if (s->state == SM_SLOT_EMPTY && s->error == 0 && s->sequence > 0 &&
            s->sequence == r->floor)
            return s;
    }
    return NULL;
}

static bool removed_by(const struct sm_device *d, const struct sm_install_request *req)
{
    const struct sm_record *r = record_named(d, req->name);
    const struct sm_slot *s = r != NULL ? sm_offer_removal(r) : NULL;

    return s != NULL && memcmp(s->module_sha, req->sha, SM_SHA256_SIZE) == 0;
}

enum sm_offer_state sm_offer_state(const struct sm_device *d, const struct sm_install_request *req)
{
    if (sm_offer_slot(d, req->name, req->sha, SM_SLOT_COMMITTED) != NULL)
        return SM_OFFER_COMMITTED;
    if (removed_by(d, req))
        return SM_OFFER_REMOVED;
    if (sm_offer_slot(d, req->name, req->sha, SM_SLOT_TRIAL) != NULL)
        return SM_OFFER_TRIAL;
    const struct sm_slot *s =
        req->set ? sm_offer_slot(d, req->name, req->sha, SM_SLOT_STAGED) : NULL;
    return s != NULL && strcmp(s->action, req->action) == 0 ? SM_OFFER_STAGED : SM_OFFER_WANTED;
}

const struct sm_slot *sm_offer_failed(const struct sm_device *d,
                                      const struct sm_install_request *req)
{
    const struct sm_slot *s = sm_offer_slot(d, req->name, req->sha, SM_SLOT_FAILED);

    return s != NULL ? s : sm_offer_slot(d, req->name, req->sha, SM_SLOT_EMPTY);
}

void sm_offer_give_up(struct sm_device *d, const struct sm_install_request *req, int error,
                      const char *why)
{
    int err = sm_device_install_abort(d, error, why);

    if (err == SM_ERR_STATE && sm_device_install_begin(d, req) >= 0)
        (void)sm_device_install_abort(d, error, why);
}

int sm_offer_drop_strays(struct sm_device *d, const char *keep)
{
    struct sm_app_info info;
    char action[SM_STORE_ACTION];
    int err = 0;

    for (uint16_t i = 0; i < d->store.layout.modules; i++) {
        if (sm_device_app(d, i, &info) < 0)
            continue;
        for (unsigned slot = 0; slot < 2; slot++) {
            const struct sm_slot *s = &info.record->slot[slot];
            if (s->state != SM_SLOT_STAGED || strcmp(s->action, keep) == 0)
                continue;
            sm_text(action, sizeof action, "%s", s->action);
            int e = sm_device_set_drop(d, action, "the server gave its set up");
            err = e < 0 ? e : err;
        }
    }
    return err;
}

uint32_t sm_offer_next_keys(const struct sm_device *d)
{
    const struct sm_keyset *set = sm_device_keys(d);

    return set != NULL ? set->version + 1 : sm_device_keys_missing(d);
}
