/* Plugins and vendors for the tests. SPDX-License-Identifier: Apache-2.0 */
#include "plugin_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <posix/file.h>
#include <posix/json_read.h>

const struct sm_plugin_sensor sensor_t1 = {.id = "T1",
                                           .model = "TMP105",
                                           .bus = "i2c-1",
                                           .address = 0x48,
                                           .values = 1,
                                           .value = {{"temperature", SM_UNIT_CELSIUS, 3, 0, 0}}};

static void make_vendor(const struct fleet_fixture *fx, const char *name,
                        struct sm_keys_private *key)
{
    char private[128], public[128];
    struct sm_keys_why why;
    snprintf(private, sizeof private, "%s/%s.pem", fx->dir, name);
    snprintf(public, sizeof public, "%s/%s.pub.pem", fx->dir, name);
    if (sm_keys_generate(key, &why) < 0 || sm_keys_save(key, private, public, &why) < 0)
        fail_msg("%s", why.text);
}

void operator_shell(const struct fleet_fixture *fx, const char *command)
{
    char line[1024];
    snprintf(line, sizeof line,
             "cd $DIR && export SANDMOTE_FLEET_SERVER=$URL SANDMOTE_FLEET_CA=ca.pem"
             " SANDMOTE_FLEET_TOKEN_FILE=token && %s",
             command);
    if (fleet_shell(fx, line) != 0)
        fail_msg("%s: %s", command, fleet_file(fx, "out"));
}

void vendors_setup(const struct fleet_fixture *fx, struct vendors *v)
{
    static const char plan[] =
        "{\"fleet\":\"plant-7\",\"threshold\":1,\"roots\":[\"root1.pub.pem\"],\"keys\":["
        "{\"role\":\"signer\",\"key\":\"signer.pub.pem\"},"
        "{\"role\":\"builder\",\"key\":\"builder.pub.pem\"},"
        "{\"role\":\"vendor\",\"key\":\"vendor1.pub.pem\",\"model\":\"TMP105\",\"bus\":\"i2c-1\","
        "\"addresses\":[72,74],\"capabilities\":[\"log\"]},"
        "{\"role\":\"vendor\",\"key\":\"vendor2.pub.pem\",\"model\":\"TMP105\",\"bus\":\"i2c-1\","
        "\"addresses\":[73],\"capabilities\":[\"log\"]}]}";
    make_vendor(fx, "vendor1", &v->one);
    make_vendor(fx, "vendor2", &v->two);
    fleet_write(fx, "plan.json", plan, sizeof plan - 1);
    if (fleet_shell(fx, "cd $DIR && $SANDMOTE key new root1.pem &&"
                        " $SANDMOTE trust commission plan.json -o 1.keys &&"
                        " $SANDMOTE trust sign --key root1.pem 1.keys") != 0)
        fail_msg("no key set: %s", fleet_file(fx, "out"));
}

void vendors_free(struct vendors *v)
{
    sm_keys_free(&v->one);
    sm_keys_free(&v->two);
}

static void describe(struct sm_manifest *m, const struct plan *p)
{
    sm_manifest_defaults(m);
    m->kind = p->removes || p->sensor.values ? SM_KIND_PLUGIN : SM_KIND_APPLICATION;
    strcpy(m->fleet, "plant-7");
    strcpy(m->name, p->name);
    snprintf(m->version, sizeof m->version, "%u.0", (unsigned)p->sequence);
    m->sequence = p->sequence;
    if (p->good_ticks)
        m->good_ticks = p->good_ticks;
    m->classes = 1u << SM_CLASS_EDGE;
    m->memory_bytes = 65536;
    m->stack_bytes = 4096;
    m->period_ms = 50;
    m->interface = 2;
    for (; m->capabilities < 3 && p->capability[m->capabilities]; m->capabilities++)
        strcpy(m->capability[m->capabilities], p->capability[m->capabilities]);
    m->sensor = p->sensor;
    for (; m->requirements < 2 && p->requires[m->requirements].name[0]; m->requirements++)
    m->requires[m->requirements] = p->requires[m->requirements];
}

void plan_make(struct module *out, const struct plan *p)
{
    static const uint8_t empty[] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    struct sm_file_why why;
    uint8_t *code = NULL;
    size_t len;
    memset(out, 0, sizeof *out);
    describe(&out->m, p);
    if (p->code && sm_file_read(p->code, MODULE_ROOM, &code, &len, &why) < 0)
        fail_msg("%s", why.text);
    module_pack(out, code ? code : empty, code ? len : sizeof empty);
    free(code);
    module_sign(p->key, out);
}
