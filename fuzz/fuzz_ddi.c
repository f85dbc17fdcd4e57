/* What a server answers to the update client: base resource and deployment.
 *
 * The first byte chooses the parser, and whether the rest is the answer or edits of a good one. An
 * accepted answer must keep what ddi.h promises: links that
 * lead to the configured server, names and sizes in range.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <posix/ddi.h>

#include "json_edit.h"

#define ORIGIN "https://fleet.example:8443"
#define SHA    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char good_base[] =
    "{\"config\":{\"polling\":{\"sleep\":\"00:05:00\"}},\"_links\":{\"configData\":{\"href\":"
    "\"" ORIGIN "/configData\"},\"events\":{\"href\":\"" ORIGIN "/events\"},"
    "\"deploymentBase\":{\"href\":\"" ORIGIN "/deploymentBase/5?c=-1\"}}}";
static const char good_deployment[] =
    "{\"id\":\"5\",\"deployment\":{\"download\":\"forced\",\"update\":\"forced\",\"set\":true,"
    "\"chunks\":[{"
    "\"part\":\"bApp\",\"version\":\"1.2.0\",\"name\":\"a\",\"artifacts\":[{\"filename\":"
    "\"a.wasm\",\"hashes\":{\"sha1\":\"x\",\"sha256\":\"" SHA "\"},\"size\":64,\"_links\":{"
    "\"download\":{\"href\":\"" ORIGIN "/m\"}}},{\"filename\":\"a.wasm.sig\",\"hashes\":{},"
    "\"size\":64,\"_links\":{\"download\":{\"href\":\"" ORIGIN "/s\"}}},{\"filename\":"
    "\"a.1.native\",\"hashes\":{},\"size\":9,\"_links\":{\"download\":{\"href\":\"" ORIGIN
    "/i\"}}},{\"filename\":\"a.1.native.sig\",\"hashes\":{},\"size\":192,\"_links\":{"
    "\"download\":{\"href\":\"" ORIGIN "/c\"}}}]},{\"part\":\"plugin\","
    "\"version\":\"2\",\"name\":\"b\",\"artifacts\":[{\"filename\":\"b.wasm\",\"hashes\":{"
    "\"sha256\":\"" SHA "\"},\"size\":9,\"_links\":{\"download\":{\"href\":\"" ORIGIN
    "/n\"}}}]}]}}";

static void must(int good)
{
    if (!good)
        abort();
}

static void check_link(const char *url)
{
    must(url[0] == 0 || !strncmp(url, ORIGIN "/", sizeof ORIGIN));
    must(strlen(url) < SM_DDI_URL);
}

static void try_base(const uint8_t *data, size_t size)
{
    struct sm_ddi_base base;
    struct sm_json_error why;
    if (sm_ddi_read_base(ORIGIN, "plant-7", data, size, &base, &why) < 0) {
        must(why.text[0] != 0);
        return;
    }
    must(base.sleep_s >= 1 && base.sleep_s <= SM_DDI_SLEEP_MAX);
    check_link(base.deployment);
    check_link(base.config);
    check_link(base.events);
}

static void try_deployment(const uint8_t *data, size_t size)
{
    struct sm_ddi_deployment d;
    struct sm_json_error why;
    if (sm_ddi_read_deployment(ORIGIN, 1, data, size, &d, &why) < 0) {
        must(why.text[0] != 0);
        must(memchr(d.id, 0, sizeof d.id) != NULL);
        return;
    }
    must(d.id[0] && d.count >= 1 && d.count <= SM_DDI_CHUNKS_MAX);
    for (size_t i = 0; i < d.count; i++) {
        must(sm_name_valid(d.chunk[i].name));
        for (size_t k = 0; k < i; k++)
            must(strcmp(d.chunk[k].name, d.chunk[i].name) != 0);
        must(d.chunk[i].size > 0 && d.chunk[i].module[0]);
        check_link(d.chunk[i].module);
        check_link(d.chunk[i].signature);
        check_link(d.chunk[i].native);
        check_link(d.chunk[i].claim);
        must(!d.chunk[i].native[0] == !d.chunk[i].claim[0]);
        must(!d.chunk[i].native[0] || (d.chunk[i].native_size && d.chunk[i].claim_size));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    bool base = data[0] & 1;
    char *edited = NULL;
    const uint8_t *answer = data + 1;
    size_t len = size - 1;
    if (data[0] & 2) {
        edited = json_edit(base ? good_base : good_deployment, answer, len);
        answer = (const uint8_t *)edited;
        len = strlen(edited);
    }
    if (base)
        try_base(answer, len);
    else
        try_deployment(answer, len);
    free(edited);
    return 0;
}
