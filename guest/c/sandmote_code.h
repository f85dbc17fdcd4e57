/* Why a call of "wasi_sn" was not done: for sensors (sandmote_sensor.h) and the network
 * (sandmote_network.h).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_GUEST_CODE_H
#define SANDMOTE_GUEST_CODE_H

#include "sandmote.h"

enum wasi_sn_code {
    WASI_SN_OK = 0,
    WASI_SN_DENIED = -1,    /* not granted */
    WASI_SN_NOT_FOUND = -2, /* no such sensor, capability, attribute; no message; no gateway */
    WASI_SN_RANGE = -3, /* an argument out of its range, or a value that does not fit the buffer */
    WASI_SN_BUSY = -4,  /* held by another module */
    WASI_SN_IO = -5,    /* the bus or the sensor failed; nobody answered */
    WASI_SN_SPACE = -6, /* the buffer is too small, or there is no room for one more */
    WASI_SN_INVALID = -7,  /* not a handle or a topic's id, or not one for this call */
    WASI_SN_STATE = -8,    /* not now: not started, not connected, asleep */
    WASI_SN_RATE = -9,     /* too many messages in a short time; later is well */
    WASI_SN_REJECTED = -10 /* the gateway refused it */
};

/* Of the last call that returned a truth or a code. */
SM_IMPORT("wasi_sn", "lastError") int wasi_sn_lastError(void);

#endif
