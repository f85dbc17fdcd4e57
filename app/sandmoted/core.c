/* Core dumps in files. A dump carries its note, so a file is known by its content: what is left of
 * another flash, or of a note that is long forgotten, is not taken for a newer one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <posix/coredump.h>
#include <posix/file.h>
#include <posix/log.h>

static void path_of(const struct config_core *c, uint32_t number, char out[PATH_MAX])
{
    /* config.c keeps 16 bytes free behind the folder's path */
    snprintf(out, PATH_MAX, "%.*s/core.%u", PATH_MAX - 16, c->folder,
             (unsigned)(number % CORE_FILES));
}

bool core_init(const struct config_core *c)
{
    struct stat st;
    return (mkdir(c->folder, 0700) == 0 || errno == EEXIST) && stat(c->folder, &st) == 0 &&
           S_ISDIR(st.st_mode);
}

/* In place of the dump, which then no file ever held. */
static int seal(const struct config_core *c, uint8_t **bytes, size_t *len)
{
    uint8_t *plain = *bytes;
    int err = sm_sealed_make(plain, *len, c->seal_to, bytes, len);
    free(plain);
    return err;
}

void core_dump(void *ctx, const struct sm_device_core *what)
{
    const struct core *core = ctx;
    const struct sm_record *r = sm_store_record(&core->device->store, what->index);
    struct sm_coredump dump = {.exec = what->exec,
                               .inst = what->inst,
                               .name = sm_device_golden_runs(core->device) && what->index == 0
                                           ? SM_DEVICE_GOLDEN_NAME
                                           : r->name,
                               .note = what->note,
                               .note_len = what->note_len,
                               .memory = core->cfg->memory,
                               .limit = core->cfg->bytes - (core->cfg->sealed ? SM_SEALED_MORE : 0),
                               .scratch_len = core->scratch_len};
    char path[PATH_MAX];
    struct sm_file_why why;
    uint8_t *bytes;
    size_t len;
    if (what->number == 0 || what->inst == NULL)
        return;
    dump.scratch = malloc(dump.scratch_len);
    int err = dump.scratch ? sm_coredump_make(&dump, &bytes, &len) : SM_ERR_MEMORY;
    free(dump.scratch);
    if (!err && core->cfg->sealed)
        err = seal(core->cfg, &bytes, &len);
    if (err) {
        sm_log(SM_LOG_WARN, "no core dump: %s", sm_strerror(err));
        return;
    }
    path_of(core->cfg, what->number, path);
    if (sm_file_write(path, bytes, len, 0600, &why) < 0)
        sm_log(SM_LOG_WARN, "core dump: %s", why.text);
    free(bytes);
}

int core_find(void *ctx, const struct sm_journal_note *note, uint8_t **bytes, size_t *len)
{
    const struct config_core *c = ctx;
    char path[PATH_MAX];
    struct sm_file_why why;
    struct sm_core core;
    path_of(c, note->number, path);
    int err = sm_file_read(path, c->bytes, bytes, len, &why);
    if (err)
        return err;
    if (sm_core_open(&core, *bytes, *len) == 0 && core.note && core.note_len == note->len &&
        memcmp(core.note, note->bytes, note->len) == 0)
        return 0;
    free(*bytes);
    *bytes = NULL;
    return SM_ERR_NOT_FOUND;
}

int core_lend(void *ctx, const struct sm_journal_note *note, const uint8_t **bytes, uint32_t *len)
{
    struct core_loan *loan = ctx;
    size_t size = 0;
    free(loan->bytes);
    loan->bytes = NULL;
    if (note == NULL)
        return 0;
    int err = core_find((void *)loan->cfg, note, &loan->bytes, &size);
    if (err || size > SM_BLOCKS_NOTES_MOST)
        return err ? err : SM_ERR_LIMIT;
    *bytes = loan->bytes;
    *len = (uint32_t)size;
    return 0;
}
