/* `sandmote-fleet serve`: the server process, from its configuration to SIGTERM.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <fleet/http.h>
#include <fleet/mqtt.h>
#include <posix/log.h>

#include "fleet_cli.h"

/* Sockets, plus what the database and the library keep open. */
static void allow_descriptors(uint64_t connections)
{
    struct rlimit limit;
    rlim_t want = (rlim_t)connections + 128;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= want)
        return;
    limit.rlim_cur = want < limit.rlim_max ? want : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < want)
        sm_log(SM_LOG_WARN, "only %llu descriptors for %llu connections",
               (unsigned long long)limit.rlim_cur, (unsigned long long)connections);
}

static int open_store(struct sm_fleet *f, char path[PATH_MAX])
{
    int err = sm_fleet_artifacts_init(f);
    if (err)
        return err;
    snprintf(path, PATH_MAX, "%.*s/fleet.db", PATH_MAX - 128, f->cfg.data);
    return sm_fleet_db_open(&f->db, path);
}

static int serve(struct sm_fleet *f, const char *db_path, const sigset_t *ends)
{
    int sig;
    struct sm_fleet_mqtt *mqtt = NULL;
    struct sm_fleet_http *h = sm_fleet_http_start(f);
    if (!h)
        return FLEET_REFUSED;
    if (f->cfg.mqtt.host && !(mqtt = sm_fleet_mqtt_start(&f->cfg, db_path))) {
        sm_fleet_http_stop(h);
        return FLEET_REFUSED;
    }
    bool v6 = strchr(f->cfg.address, ':') != NULL;
    sm_log(SM_LOG_INFO, "listening on https://%s%s%s:%u, %zu operator%s, %u signer%s",
           v6 ? "[" : "", f->cfg.address, v6 ? "]" : "", sm_fleet_http_port(h),
           f->cfg.operator_count, f->cfg.operator_count == 1 ? "" : "s", f->cfg.trust.count,
           f->cfg.trust.count == 1 ? "" : "s");
    sigwait(ends, &sig);
    sm_log(SM_LOG_INFO, "%s: stopping", sig == SIGTERM ? "SIGTERM" : "SIGINT");
    sm_fleet_mqtt_stop(mqtt);
    sm_fleet_http_stop(h);
    return FLEET_GOOD;
}

int fleet_serve(const struct fleet_options *o, int argc, char **argv)
{
    static struct sm_fleet fleet; /* its trust store points into itself */
    struct sm_json_error why;
    sigset_t ends;
    (void)argc, (void)argv;
    if (!o->config)
        return fleet_say(FLEET_USAGE, "serve needs --config FILE");
    if (sm_fleet_config_load(o->config, &fleet.cfg, &why) < 0)
        return fleet_say(FLEET_REFUSED, "%s", why.text);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL); /* before the server's thread, which inherits it */
    allow_descriptors(fleet.cfg.max_connections);
    char db_path[PATH_MAX];
    int code = FLEET_REFUSED;
    if (!open_store(&fleet, db_path)) {
        code = serve(&fleet, db_path, &ends);
        sm_fleet_db_close(&fleet.db);
    }
    sm_fleet_config_free(&fleet.cfg);
    return code;
}
