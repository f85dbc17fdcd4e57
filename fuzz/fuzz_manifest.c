/* Fuzz target: manifests, as CBOR and inside a module's sections.
 *
 * The input is decoded as CBOR and walked as a module. What is accepted must be coherent: it
 * encodes, decodes to the same again and, when no key was absent, encodes to the input's own bytes:
 * there is one encoding. What is refused must say why, at a place inside the input.
 *
 * The first byte chooses: bit 0 a file instead of CBOR; bit 1 that the rest is not the bytes but a
 * list of edits to good ones, three bytes each, so that rules deep in a manifest are reached; bit 2
 * that the good ones are a plugin's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sandmote/manifest.h>

static void require(bool fact)
{
    if (!fact)
        abort();
}

static void check_refusal(const struct sm_manifest_detail *d, size_t len)
{
    require(d->rule && *d->rule && d->offset <= len);
}

static void check_cbor(const uint8_t *data, size_t len)
{
    struct sm_manifest m, again;
    struct sm_manifest_detail d = {0};
    uint8_t out[SM_MANIFEST_MAX];
    if (sm_manifest_decode(&m, data, len, &d) != 0) {
        check_refusal(&d, len);
        return;
    }
    int n = sm_manifest_encode(&m, out, sizeof out, &d);
    require(n > 0 && (size_t)n >= len); /* every key is written, also those that were absent */
    require((size_t)n > len || memcmp(out, data, len) == 0);
    require(sm_manifest_decode(&again, out, (size_t)n, &d) == 0);
    require(memcmp(&m, &again, sizeof m) == 0);
}

/* Any file whose sections add up can be packed, and then has exactly the manifest packed. */
static void check_file(const uint8_t *data, size_t len)
{
    struct sm_manifest m, again;
    struct sm_manifest_detail d = {0};
    const uint8_t *found;
    size_t found_len;
    int found_err = sm_manifest_find(data, len, &found, &found_len, &d);
    if (found_err)
        check_refusal(&d, len);
    else
        require(found >= data && found_len <= (size_t)(data + len - found));
    if (sm_manifest_read(&m, data, len, &d) != 0) {
        check_refusal(&d, len);
        sm_manifest_defaults(&m);
        m.fleet[0] = m.name[0] = m.version[0] = 'x';
        m.sequence = m.classes = 1;
    }
    size_t room = len + SM_MANIFEST_MAX + 32;
    uint8_t *out = malloc(room);
    int64_t n = sm_manifest_pack(&m, data, len, out, room, &d);
    require(n > 0 || n == SM_ERR_MALFORMED); /* the walk went wrong, as it did or would before */
    require(n > 0 || (found_err != 0 && found_err != SM_ERR_NOT_FOUND));
    if (n > 0) {
        require(sm_manifest_read(&again, out, (size_t)n, &d) == 0);
        require(memcmp(&m, &again, sizeof m) == 0);
    }
    free(out);
}

static void drive(struct sm_manifest *m)
{
    static const struct sm_plugin_sensor sensor = {
        .id = "T1",
        .model = "TMP105",
        .bus = "i2c-1",
        .address = 72,
        .values = 2,
        .value = {{"temperature", SM_UNIT_CELSIUS, 3, -55000, 127938},
                  {"any", SM_UNIT_NONE, 0, 0, 0}},
        .attributes = 2,
        .attribute = {{"alert", SM_UNIT_CELSIUS, 3, SM_WRITES_LOWEST, -55000, 125000, 80000},
                      {"serial", SM_UNIT_NONE, 0, SM_WRITES_NONE, INT64_MIN, INT64_MAX, -1}}};
    m->kind = SM_KIND_PLUGIN;
    m->sensor = sensor;
}

static size_t good_bytes(bool file, bool plugin, uint8_t *out, size_t size)
{
    static const uint8_t module[] = {0, 'a', 's', 'm', 1, 0, 0, 0, 1, 1, 0, 0, 2, 1, 'x'};
    struct sm_manifest m;
    struct sm_manifest_detail d;
    sm_manifest_defaults(&m);
    memcpy(m.fleet, "plant-7", sizeof "plant-7");
    memcpy(m.name, "thermostat", sizeof "thermostat");
    memcpy(m.version, "1.2.0", sizeof "1.2.0");
    m.sequence = 300;
    m.security_floor = 3;
    m.classes = 5;
    m.memory_bytes = 65536;
    m.capabilities = 2;
    memcpy(m.capability[0], "log", sizeof "log");
    memcpy(m.capability[1], "sensor/x:r", sizeof "sensor/x:r");
    if (plugin)
        drive(&m);
    int64_t len = file ? sm_manifest_pack(&m, module, sizeof module, out, size, &d)
                       : sm_manifest_encode(&m, out, size, &d);
    require(len > 0);
    return (size_t)len;
}

/* Edits: what to do, where, and the byte: replace, insert, remove, or cut all from there on. */
static size_t edit(uint8_t *bytes, size_t len, size_t size, const uint8_t *edits, size_t edits_len)
{
    for (; edits_len >= 3 && len > 0 && len < size; edits += 3, edits_len -= 3) {
        size_t at = edits[1] % len;
        switch (edits[0] & 7) {
        case 0: len = at; break;
        case 1:
        case 2:
            memmove(bytes + at + 1, bytes + at, len++ - at);
            bytes[at] = edits[2];
            break;
        case 3:
        case 4: memmove(bytes + at, bytes + at + 1, --len - at); break;
        default: bytes[at] = edits[2];
        }
    }
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t room[SM_MANIFEST_MAX + 64];
    if (len == 0)
        return 0;
    bool file = data[0] & 1, edits = data[0] & 2;
    size_t n = len - 1;
    if (edits)
        n = edit(room, good_bytes(file, data[0] & 4, room, sizeof room), sizeof room, data + 1,
                 len - 1);
    /* An exact copy: one byte beyond it is not ours. */
    uint8_t *copy = malloc(n ? n : 1);
    memcpy(copy, edits ? room : data + 1, n);
    if (file)
        check_file(copy, n);
    else
        check_cbor(copy, n);
    free(copy);
    return 0;
}
