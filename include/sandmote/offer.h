/* What a device makes of a deployment, for the clients that bring one: the update client over HTTPS
 * and the one in blocks (blocks.h). Neither keeps what it can find on the device itself.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_OFFER_H
#define SANDMOTE_OFFER_H

#include <sandmote/device.h>

enum sm_offer_state {
    SM_OFFER_WANTED,    /* nothing is known: sm_device_install_begin() says more */
    SM_OFFER_COMMITTED, /* it is in force */
    SM_OFFER_REMOVED,   /* it removes a plugin, and did */
    SM_OFFER_TRIAL,     /* it is on trial */
    SM_OFFER_STAGED     /* it waits for the others of its set */
};

/* What a device knows of a module that is offered; of the request signature and length do not
 * matter. */
enum sm_offer_state sm_offer_state(const struct sm_device *d, const struct sm_install_request *req);

/* The slot that says why a module failed, or NULL: it holds that one, or held it. */
const struct sm_slot *sm_offer_failed(const struct sm_device *d,
                                      const struct sm_install_request *req);

/* The slot of an application with a module in this state (COMMITTED: in force), or NULL. */
const struct sm_slot *sm_offer_slot(const struct sm_device *d, const char *name, const uint8_t *sha,
                                    enum sm_slot_state state);

/* The slot with the release that removed this plugin, or NULL: it is empty, nothing was wrong with
 * it, and it raised the floor to its own sequence. */
const struct sm_slot *sm_offer_removal(const struct sm_record *r);

/* Stop trying to have a module: error is 0 when it did not come, else what is wrong with it. The
 * device keeps that as an event with the module's hash. */
void sm_offer_give_up(struct sm_device *d, const struct sm_install_request *req, int error,
                      const char *why);

/* Drop what is staged for another deployment than this ("": for any), which will never be started:
 * the server has given that one up. A set on trial is not concerned. 0, or the last error, with a
 * sentence in sm_device_reason(). */
int sm_offer_drop_strays(struct sm_device *d, const char *action);

/* The version of the key set that the device needs next: the one after its own, or its own when
 * that is damaged; 0 when it was not commissioned with one. */
uint32_t sm_offer_next_keys(const struct sm_device *d);

#endif
