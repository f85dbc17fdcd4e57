/* The update client: asks the server what should run, fetches it and hands it to the device, and
 * tells the server what became of it.
 *
 * It never waits: sm_update_step() does what can be done now. Nothing that must survive is kept
 * here; after a restart the server still offers an open deployment, the device knows which of its
 * modules it has, and events wait on flash until the server has them.
 *
 * The order of talking: poll, events, post-mortems, attributes, the key sets after the device's own
 * one by one (so that a revocation comes before what it concerns), the statement of what is
 * current, then the deployment, unless that statement is lacking: its signatures, its modules one
 * after another, each with its native image if this device runs such and one is offered, and
 * feedback once the fate of each is known. A native image that does not come costs no module. The
 * modules of a set wait for each other: when all are there and verified they are put on trial, and
 * when one of them cannot be had the others are dropped. A
 * server that fails is left alone for longer and longer, with a random part, so that a fleet does
 * not come back all at once.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_POSIX_UPDATE_CLIENT_H
#define SM_POSIX_UPDATE_CLIENT_H

#include "ddi.h"
#include "server_trust.h"
#include "transfer.h"

struct sm_update_cfg {
    struct sm_device *device;
    const char *server; /* "https://host[:port]" */
    const char *tenant, *device_id;
    const char *fleet;
    const char *cls;                 /* device class, as an attribute */
    uint32_t native_target;          /* of native images to fetch; 0: none */
    struct sm_transfer_cfg transfer; /* its ca and pin until a key set names others */
    /* More than a note that waits (a core dump with this note in it): 0 and *bytes, the caller's to
     * free; or anything else, and the note is sent. May be NULL. */
    void *core_ctx;
    int (*core)(void *ctx, const struct sm_journal_note *note, uint8_t **bytes, size_t *len);
    const struct sm_entropy *entropy;
    uint32_t first_s; /* the first poll comes within this time, at random */
    uint32_t retry_s; /* first pause after a failure, doubled with each */
    uint32_t retry_max_s;
    uint32_t request_s;  /* deadline of a small request */
    uint32_t download_s; /* deadline of one go at a module */
    uint32_t attempts;   /* goes without progress before a download is given up; at least 1 */
};

enum sm_update_work {
    SM_UPDATE_NOTHING,
    SM_UPDATE_POLL,
    SM_UPDATE_EVENTS,
    SM_UPDATE_POSTMORTEM,
    SM_UPDATE_ATTRIBUTES,
    SM_UPDATE_KEYS,
    SM_UPDATE_CURRENT,
    SM_UPDATE_DEPLOYMENT,
    SM_UPDATE_SIGNATURE,
    SM_UPDATE_MODULE,
    SM_UPDATE_CLAIM,
    SM_UPDATE_NATIVE,
    SM_UPDATE_FEEDBACK
};

enum sm_update_fate { SM_FATE_OPEN, SM_FATE_GOOD, SM_FATE_BAD };

/* What the client knows of a module of the deployment. */
struct sm_update_chunk {
    enum sm_update_fate fate;
    bool signed_; /* signature is there */
    bool waits;   /* the device does not want it yet, which was logged */
    uint8_t signature[SM_SIGNATURE_BYTES];
    uint32_t attempts;
    int64_t offset; /* where the last go began */
    char etag[SM_TRANSFER_ETAG];
    char why[SM_DEVICE_REASON]; /* of a bad fate */
    bool complete;              /* all of the module is in its slot, the installation is open */
    bool claimed;               /* the device wants the native image that the claim is about */
    bool native_settled;        /* the native image came, or will not */
    uint32_t native_attempts;
    uint32_t native_first; /* the byte of it from which the device wants it */
};

#define SM_UPDATE_BATCH 32u /* events told at once */

/* Fields are private. */
struct sm_update {
    const struct sm_update_cfg *cfg;
    struct sm_transfer_cfg transfer_cfg; /* with what the key set says of the server */
    struct sm_server_trust server_trust;
    struct sm_transfer transfer;
    enum sm_update_work work; /* what the transfer under way is for */
    char *body;               /* its request body */
    struct sm_ddi_base base;
    struct sm_ddi_deployment deployment;
    struct sm_update_chunk chunk[SM_DDI_CHUNKS_MAX];
    char from[SM_DDI_URL]; /* the deployment's link; "" when there is none */
    char broken[320];      /* why the deployment cannot be used */
    bool closed;           /* feedback on it was given */
    size_t at;             /* the chunk that is being fetched */
    uint64_t told[SM_UPDATE_BATCH];
    size_t told_count;
    uint8_t *postmortem; /* that is being sent */
    uint32_t telling_number;
    uint32_t postmortem_number; /* the server has those up to it */
    char *attributes;           /* the last ones the server took */
    uint64_t start_ms, now_ms, poll_ms, retry_ms;
    uint32_t failures;
    bool polled;                       /* base is there */
    bool asked_current;                /* for a statement, since the last poll */
    uint8_t nonce[SM_STATEMENT_NONCE]; /* that it was asked with */
    uint32_t keys_refused; /* the version of a key set that was not taken since the last poll */
};

/* cfg and multi are borrowed. 0 or SM_ERR_MEMORY. */
int sm_update_init(struct sm_update *u, const struct sm_update_cfg *cfg, CURLM *multi,
                   uint64_t now_ms);

/* What is under way is dropped; a download goes on from there after the next start. */
void sm_update_free(struct sm_update *u);

/* Go on. The milliseconds after which it wants to be called again at the latest; besides, whenever
 * the multi handle's sockets are ready, and after the device has stepped. */
uint32_t sm_update_step(struct sm_update *u, uint64_t now_ms);

#endif
