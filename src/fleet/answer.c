/* Answers, and which handler makes them. SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server.h"

void sm_fleet_answer_init(struct sm_fleet_answer *a)
{
    memset(a, 0, sizeof *a);
    a->file = -1;
}

void sm_fleet_answer_free(struct sm_fleet_answer *a)
{
    json_decref(a->json);
    free(a->bytes);
    if (a->file >= 0)
        close(a->file);
    sm_fleet_answer_init(a);
}

void sm_fleet_reply(struct sm_fleet_answer *a, unsigned status, json_t *json)
{
    if (!json) {
        sm_fleet_fail(a, SM_ERR_MEMORY);
        return;
    }
    sm_fleet_answer_free(a);
    a->status = status;
    a->json = json;
}

void sm_fleet_refuse(struct sm_fleet_answer *a, unsigned status, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sm_fleet_answer_free(a);
    a->status = status;
    a->json = json_pack("{s:s}", "error", text); /* NULL is sent as an answer without a body */
    if (!a->json)
        a->json = json_pack("{s:s}", "error", "what was sent is not UTF-8");
}

void sm_fleet_fail(struct sm_fleet_answer *a, int err)
{
    switch (err) {
    case SM_ERR_BUSY: sm_fleet_refuse(a, 503, "the database is busy; try again"); break;
    case SM_ERR_FULL: sm_fleet_refuse(a, 507, "the server's disk is full"); break;
    default: sm_fleet_refuse(a, 500, "the server failed (%s); its log says more", sm_strerror(err));
    }
}

void sm_fleet_handle(struct sm_fleet *f, const struct sm_fleet_request *q,
                     struct sm_fleet_answer *a)
{
    static sm_fleet_handler *const handlers[] = {
        [SM_FLEET_MODULES] = sm_fleet_modules,
        [SM_FLEET_MODULE_UPLOAD] = sm_fleet_module_upload,
        [SM_FLEET_NATIVES] = sm_fleet_natives,
        [SM_FLEET_NATIVE_UPLOAD] = sm_fleet_native_upload,
        [SM_FLEET_KEYS] = sm_fleet_keys_list,
        [SM_FLEET_KEYS_UPLOAD] = sm_fleet_keys_upload,
        [SM_FLEET_CHANNELS] = sm_fleet_channels,
        [SM_FLEET_CHANNEL] = sm_fleet_channel,
        [SM_FLEET_CHANNEL_ASSIGN] = sm_fleet_channel_assign,
        [SM_FLEET_DEVICES] = sm_fleet_devices,
        [SM_FLEET_DEVICE] = sm_fleet_device,
        [SM_FLEET_DEVICE_PUT] = sm_fleet_device_put,
        [SM_FLEET_EVENTS] = sm_fleet_events,
        [SM_FLEET_DDI_BASE] = sm_fleet_ddi_base,
        [SM_FLEET_DDI_CONFIG] = sm_fleet_ddi_config,
        [SM_FLEET_DDI_DEPLOYMENT] = sm_fleet_ddi_deployment,
        [SM_FLEET_DDI_FEEDBACK] = sm_fleet_ddi_feedback,
        [SM_FLEET_DDI_ARTIFACT] = sm_fleet_ddi_artifact,
        [SM_FLEET_DDI_EVENTS] = sm_fleet_ddi_events,
        [SM_FLEET_POSTMORTEMS] = sm_fleet_postmortems,
        [SM_FLEET_POSTMORTEM] = sm_fleet_postmortem,
        [SM_FLEET_DDI_POSTMORTEM] = sm_fleet_ddi_postmortem,
        [SM_FLEET_DDI_KEYS] = sm_fleet_ddi_keys,
        [SM_FLEET_DDI_CURRENT] = sm_fleet_ddi_current,
    };
    handlers[q->route.op](f, q, a);
}
