/* Key sets from the roots to the device: `sandmote trust`, the real server, the real daemon.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <curl/curl.h>
#include <sqlite3.h>

#include <sandmote/statement.h>

#include "device_fixture.h"

static struct fleet_fixture fx;
static struct device_fixture dev;
static struct module v1, v2;

static void shell(const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (fleet_shell(&fx, line) != 0) {
        char *out = fleet_file(&fx, "out");
        fail_msg("%s: %s", line, out);
    }
}

/* `sandmote trust` in the folder of the fixture. */
#define TRUST "cd $DIR && $SANDMOTE trust "
/* `sandmote-fleet` as the operator. */
#define ASK " --server $URL --ca $DIR/ca.pem --token-file $DIR/token "

/* Roots root1, root2 and root3, of whom two must sign; set 1 names the fixture's signer. */
static void make_first_set(void)
{
    static const char plan[] = "{\"fleet\":\"plant-7\",\"threshold\":2,"
                               "\"roots\":[\"root1.pub.pem\",\"root2.pub.pem\",\"root3.pub.pem\"],"
                               "\"keys\":[{\"role\":\"signer\",\"key\":\"signer.pub.pem\"}]}";
    fleet_write(&fx, "plan.json", plan, sizeof plan - 1);
    shell("cd $DIR && for k in root1 root2 root3 next; do $SANDMOTE key new $k.pem; done");
    shell(TRUST "commission plan.json -o 1.keys");
    shell(TRUST "sign --key root1.pem 1.keys && $SANDMOTE trust sign --key root2.pem 1.keys");
}

/* Set n with a sub-command of `sandmote trust`, signed by root1 and root2. */
static void make_set(int n, const char *how)
{
    char sub[16];
    int len = (int)strcspn(how, " ");
    snprintf(sub, sizeof sub, "%.*s", len, how);
    shell(TRUST "%s --after %d.keys -o %d.keys %s", sub, n - 1, n, how + len);
    shell(TRUST "sign --key root1.pem --after %d.keys %d.keys &&"
                " $SANDMOTE trust sign --key root2.pem --after %d.keys %d.keys",
          n - 1, n, n - 1, n);
}

static void upload(const char *sets)
{
    shell("cd $DIR && $FLEET upload-keys" ASK "%s", sets);
}

/* A device that is commissioned with set 1, and polls every second. */
static void configure_device(void)
{
    device_configure(&dev, &fx, "dev-1", fx.url, "");
    shell("sed -i 's/\"signers\":\\[[^]]*\\]/\"key_set\":\"1.keys\"/' $DIR/dev-1.json");
}

static void release(struct module *m)
{
    struct reply r = module_upload(&fx, m, 201);
    reply_free(&r);
    fleet_assign(&fx, "stable", m, NULL);
}

static int start(void **state)
{
    (void)state;
    memset(&dev, 0, sizeof dev);
    fleet_prepare(&fx);
    shell("sed -i 's/\"poll_seconds\": 3725/\"poll_seconds\": 1/' $DIR/fleet.json");
    fleet_start(&fx);
    make_first_set();
    app_make(&fx, &v1, 1, 0);
    app_make(&fx, &v2, 2, 0);
    fleet_write(&fx, "v1.wasm", v1.wasm, v1.len);
    fleet_write(&fx, "v2.wasm", v2.wasm, v2.len);
    fleet_enrol(&fx, "dev-1", "stable");
    configure_device();
    return 0;
}

static int finish(void **state)
{
    (void)state;
    if (dev.pid)
        device_stop(&dev, SIGKILL);
    fleet_teardown(&fx);
    return 0;
}

/* ---- The server ------------------------------------------------------------------------------ */

static struct reply upload_bytes(const void *bytes, size_t len)
{
    return fleet_call(&fx, &(struct call){.method = "POST",
                                          .path = "/api/v1/keys",
                                          .as = AS_OPERATOR,
                                          .module = bytes,
                                          .module_len = len,
                                          .part = "keys"});
}

static void the_server_keeps_a_chain_and_nothing_else(void **state)
{
    char *out;
    (void)state;
    make_set(2, "rotate --old signer.pub.pem --new next.pub.pem");
    make_set(3, "revoke --stop signer.pub.pem");
    shell("cd $DIR && ! $FLEET upload-keys" ASK "plan.json");
    out = fleet_file(&fx, "out");
    assert_non_null(strstr(out, "keys: not a key set"));
    free(out);
    shell(TRUST "commission plan.json -o unsigned.keys; ! $FLEET upload-keys" ASK "unsigned.keys");
    upload("1.keys");
    shell("cd $DIR && ! $FLEET upload-keys" ASK "3.keys");
    out = fleet_file(&fx, "out");
    assert_non_null(strstr(out, "no device that has set 1 would take it: not the next set"));
    free(out);
    upload("1.keys 2.keys 3.keys");
    shell("$FLEET keys" ASK);
    out = fleet_file(&fx, "out");
    assert_non_null(strstr(out, "key set 3    fleet plant-7"));
    free(out);
    shell("cd $DIR && ! $FLEET upload-keys" ASK "unsigned.keys");
    struct reply r = get_as(&fx, AS_OPERATOR, "/api/v1/keys", 200);
    assert_int_equal(json_array_size(json_at(r.json, "keys")), 3);
    assert_json_text(r.json, "keys.2.uploaded_by", "operator1");
    reply_free(&r);
    r = upload_bytes("x", 1);
    assert_int_equal(r.status, 422);
    reply_free(&r);
    r = get_as(&fx, AS_DEVICE, "/default/controller/v1/dev-1", 200);
    assert_int_equal(json_integer_value(json_at(r.json, "_links.keys.versions.plant-7")), 3);
    reply_free(&r);
    r = get_as(&fx, AS_DEVICE, "/default/controller/v1/dev-1/keys/plant-7/2", 200);
    char *file = fleet_file(&fx, "2.keys");
    assert_memory_equal(r.body, file, r.len);
    free(file);
    reply_free(&r);
    r = get_as(&fx, AS_DEVICE, "/default/controller/v1/dev-1/keys/plant-7/4", 404);
    reply_free(&r);
    r = get_as(&fx, AS_DEVICE, "/default/controller/v1/dev-1/keys/plant-7/0", 404);
    reply_free(&r);
    r = get_as(&fx, NOBODY, "/default/controller/v1/dev-1/keys/plant-7/1", 401);
    reply_free(&r);
}

static void the_server_believes_whom_the_latest_set_names(void **state)
{
    struct reply r;
    (void)state;
    upload("1.keys");
    r = module_upload(&fx, &v1, 201);
    reply_free(&r);
    make_set(2, "rotate --old signer.pub.pem --new next.pub.pem");
    make_set(3, "revoke v2.wasm");
    upload("2.keys");
    r = module_upload(&fx, &v2, 422);
    assert_error(&r, "no signer that this server knows");
    reply_free(&r);
    shell("cd $DIR && $SANDMOTE sign --key next.pem v2.wasm && $FLEET upload" ASK "v2.wasm");
    upload("3.keys");
    shell("cd $DIR && ! $FLEET upload" ASK "v2.wasm");
    char *out = fleet_file(&fx, "out");
    assert_non_null(strstr(out, "is revoked by the key set of fleet plant-7"));
    free(out);
}

/* ---- The device ------------------------------------------------------------------------------ */

static void a_device_goes_through_the_chain_and_obeys_the_last(void **state)
{
    struct reply r;
    (void)state;
    upload("1.keys");
    release(&v1);
    device_start(&dev);
    device_says(&dev, "COMMITTED app 1.0", 10);
    make_set(2, "rotate --old root3.pub.pem --new next.pub.pem");
    make_set(3, "revoke --stop v1.wasm");
    upload("2.keys 3.keys");
    device_says(&dev, "key set 2 is in force", 10);
    device_says(&dev, "key set 3 is in force", 10);
    device_says(&dev, "ROLLED_BACK app 1.0", 10);
    device_says(&dev, "revoked by key set 3", 1);
    fleet_expect_event(&fx, "INSTALLED", "key set", "");
    fleet_expect_event(&fx, "ROLLED_BACK", "app", "revoked by key set 3");
    release(&v2);
    device_says(&dev, "COMMITTED app 2.0", 10);
    assert_int_equal(device_stop(&dev, SIGTERM), 0);
    device_start(&dev);
    device_says(&dev, "STARTED app 2.0", 10);
    assert_int_equal(device_said(&dev, "1 application, key set 3, server"), 1);
    assert_int_equal(device_said(&dev, "key set"), 1);
    r = get_as(&fx, AS_OPERATOR, "/api/v1/devices/dev-1", 200);
    assert_json_text(r.json, "attributes.keyset", "3");
    reply_free(&r);
    shell("$FLEET devices" ASK "| grep 'app 2.0.*key set 3'");
}

/* The server's own store is in somebody else's hands. */
static void forge(int version, const char *file)
{
    char path[256];
    sqlite3 *db;
    sqlite3_stmt *st;
    char *bytes = fleet_file(&fx, file);
    FILE *f;
    snprintf(path, sizeof path, "%s/%s", fx.dir, file);
    f = fopen(path, "rb");
    fseek(f, 0, SEEK_END);
    int len = (int)ftell(f);
    fclose(f);
    snprintf(path, sizeof path, "%s/data/fleet.db", fx.dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000); /* the server writes too */
    sqlite3_prepare_v2(db,
                       "INSERT OR REPLACE INTO keyset VALUES ('plant-7', ?, 'x', ?, 0, 'forger')",
                       -1, &st, NULL);
    sqlite3_bind_int(st, 1, version);
    sqlite3_bind_blob(st, 2, bytes, len, SQLITE_TRANSIENT);
    assert_int_equal(sqlite3_step(st), SQLITE_DONE);
    sqlite3_finalize(st);
    sqlite3_close(db);
    free(bytes);
}

static void a_forged_set_is_refused_by_name_and_the_next_right_one_is_taken(void **state)
{
    (void)state;
    upload("1.keys");
    make_set(2, "rotate --old signer.pub.pem --new next.pub.pem");
    /* Another fleet's roots, of the same name; then a set with one signature; then an old one. */
    shell(
        "mkdir $DIR/forger && cd $DIR/forger && for k in root1 root2 root3 signer; do"
        " $SANDMOTE key new $k.pem; done && cp ../plan.json . &&"
        " $SANDMOTE trust commission plan.json -o 1.keys &&"
        " $SANDMOTE trust rotate --after 1.keys --old root3.pub.pem --new signer.pub.pem -o 2.keys;"
        " $SANDMOTE trust rotate --after 1.keys --old signer.pub.pem --new ../next.pub.pem -o "
        "2.keys &&"
        " $SANDMOTE trust sign --key root1.pem 2.keys && $SANDMOTE trust sign --key root2.pem "
        "2.keys");
    shell(TRUST "rotate --after 1.keys --old signer.pub.pem --new next.pub.pem -o half.keys &&"
                " $SANDMOTE trust sign --key root1.pem half.keys");
    forge(2, "forger/2.keys");
    device_start(&dev);
    device_says(&dev, "REFUSED key set", 10);
    device_says(&dev, "too few roots signed it", 1);
    fleet_expect_event(&fx, "REFUSED", "key set", "too few roots signed it");
    assert_int_equal(device_said(&dev, "is in force"), 0);
    forge(2, "half.keys");
    device_says(&dev, "key set 2 from", 10);
    forge(2, "1.keys");
    device_says(&dev, "key set 1 is in force already", 10);
    forge(2, "2.keys");
    device_says(&dev, "key set 2 is in force", 10);
    forge(3, "1.keys");
    device_says(&dev, "not newer than the set in force", 10);
    assert_int_equal(device_stop(&dev, SIGTERM), 0);
}

static void a_device_without_a_server_takes_the_next_set_from_its_file(void **state)
{
    (void)state;
    make_set(2, "rotate --old signer.pub.pem --new next.pub.pem");
    make_set(3, "revoke signer.pub.pem");
    upload("1.keys");
    device_start(&dev);
    device_says(&dev, "device dev-1 of fleet plant-7", 5);
    assert_int_equal(device_stop(&dev, SIGTERM), 0);
    shell("cp $DIR/3.keys $DIR/spare.keys; cp $DIR/1.keys $DIR/kept; cp $DIR/3.keys $DIR/1.keys");
    device_start(&dev);
    device_says(&dev, "those between come first", 5);
    device_says(&dev, "/1.keys): not the next set: those between come first", 1);
    assert_int_equal(device_stop(&dev, SIGTERM), 0);
    shell("cp $DIR/plan.json $DIR/1.keys");
    device_start(&dev);
    device_says(&dev, "1.keys: is no key set, and nothing comes of it", 5);
    assert_int_equal(device_stop(&dev, SIGTERM), 0);
    shell("cp $DIR/2.keys $DIR/1.keys");
    device_start(&dev);
    device_says(&dev, "INSTALLED key set 2", 5);
    assert_int_equal(device_stop(&dev, SIGTERM), 0);
    shell("rm $DIR/1.keys");
    device_start(&dev);
    device_says(&dev, "device dev-1 of fleet plant-7", 5);
    assert_int_equal(device_stop(&dev, SIGTERM), 0);
    /* Keys of the configuration do not go around the set. */
    shell("sed -i 's/\"key_set\":\"1.keys\"/\"signers\":[\"signer.pub.pem\"]/' $DIR/dev-1.json");
    device_start(&dev);
    device_says(&dev, "a fixed trust store would go around it", 5);
}

/* The server's certificate and the authority behind it are replaced: a set that names old and new,
 * then the server's change, then a set that names the new alone. */
static void the_servers_anchor_and_pin_change_with_the_set(void **state)
{
    static const char plan[] = "{\"fleet\":\"plant-7\",\"threshold\":2,"
                               "\"roots\":[\"root1.pub.pem\",\"root2.pub.pem\",\"root3.pub.pem\"],"
                               "\"keys\":[{\"role\":\"signer\",\"key\":\"signer.pub.pem\"}],"
                               "\"anchors\":[%s\"ca2.pem\"],\"pins\":[%s\"server2.pem\"]}";
    char text[512];
    (void)state;
    shell("cd $DIR && openssl req -x509 -newkey ed25519 -nodes -keyout ca2.key -subj /CN=ca2"
          " -days 2 -out ca2.pem && openssl req -newkey ed25519 -nodes -keyout server2.key"
          " -subj /CN=server -out server2.csr && printf 'subjectAltName=IP:127.0.0.1' >ext &&"
          " openssl x509 -req -in server2.csr -CA ca2.pem -CAkey ca2.key -days 2 -extfile ext"
          " -out server2.pem");
    snprintf(text, sizeof text, plan, "\"ca.pem\",", "\"server.pem\",");
    fleet_write(&fx, "both.json", text, strlen(text));
    snprintf(text, sizeof text, plan, "", "");
    fleet_write(&fx, "new.json", text, strlen(text));
    make_set(2, "propose both.json");
    make_set(3, "propose new.json");
    upload("1.keys 2.keys");
    device_start(&dev);
    device_says(&dev, "key set 2 is in force", 10);
    release(&v1);
    device_says(&dev, "COMMITTED app 1.0", 10);
    unsigned port = (unsigned)strtoul(fx.url + strlen("https://127.0.0.1:"), NULL, 10);
    fleet_stop(&fx, SIGTERM);
    shell(
        "sed -i 's/\"port\": 0/\"port\": %u/; s/server.pem/server2.pem/; s/server.key/server2.key/'"
        " $DIR/fleet.json; cp $DIR/ca.pem $DIR/old-ca.pem; cat $DIR/ca2.pem >>$DIR/ca.pem",
        port);
    fleet_start(&fx);
    upload("3.keys");
    device_says(&dev, "key set 3 is in force", 15);
    /* After a restart too, whatever the configuration says; and the old server is no server. */
    assert_int_equal(device_stop(&dev, SIGTERM), 0);
    shell("cp $DIR/old-ca.pem $DIR/ca.pem");
    device_start(&dev);
    shell("cat $DIR/ca2.pem >>$DIR/ca.pem");
    release(&v2);
    device_says(&dev, "COMMITTED app 2.0", 10);
    fleet_stop(&fx, SIGTERM);
    shell("sed -i 's/server2.pem/server.pem/; s/server2.key/server.key/' $DIR/fleet.json");
    fleet_start(&fx);
    device_says(&dev, "server https", 10);
    device_says(&dev, "certificate", 10);
}

/* A server's key in the set, and a server that has it: updates go on, and what was true yesterday
 * is noticed. */
static void a_server_states_what_is_current_or_nothing_is_installed(void **state)
{
    static const char plan[] = "{\"fleet\":\"plant-7\",\"threshold\":2,"
                               "\"roots\":[\"root1.pub.pem\",\"root2.pub.pem\",\"root3.pub.pem\"],"
                               "\"keys\":[{\"role\":\"signer\",\"key\":\"signer.pub.pem\"},"
                               "{\"role\":\"server\",\"key\":\"next.pub.pem\"}]}";
    (void)state;
    fleet_write(&fx, "server.json", plan, sizeof plan - 1);
    make_set(2, "propose server.json");
    upload("1.keys 2.keys");
    device_start(&dev);
    device_says(&dev, "key set 2 is in force", 10);
    release(&v1);
    sleep(3);
    assert_int_equal(device_said(&dev, "app 1.0"), 0);
    device_stop(&dev, SIGTERM);
    unsigned port = (unsigned)strtoul(fx.url + strlen("https://127.0.0.1:"), NULL, 10);
    fleet_stop(&fx, SIGTERM);
    shell("sed -i 's/\"port\": 0/\"port\": %u, \"statement_key\": \"next.pem\","
          " \"statement_seconds\": 60/' $DIR/fleet.json",
          port);
    fleet_start(&fx);
    device_start(&dev);
    device_says(&dev, "COMMITTED app 1.0", 10);
    release(&v2);
    device_says(&dev, "COMMITTED app 2.0", 10);
    assert_int_equal(device_said(&dev, "STALE"), 0);
    struct reply r = get_as(&fx, AS_DEVICE,
                            "/default/controller/v1/dev-1/current/plant-7/"
                            "00112233445566778899aabbccddeeff",
                            200);
    struct sm_statement st;
    struct sm_manifest_detail why;
    uint64_t sequence;
    assert_int_equal(sm_statement_read(&st, (const uint8_t *)r.body, r.len, &why), 0);
    assert_int_equal(st.keys_version, 2);
    assert_non_null(st.nonce);
    assert_int_equal(st.nonce[15], 0xff);
    assert_string_equal(st.channel, "stable");
    assert_int_equal(sm_statement_sequence(&st, "app", &sequence), 0);
    assert_int_equal(sequence, 2);
    reply_free(&r);
    r = get_as(&fx, AS_DEVICE, "/default/controller/v1/dev-1/current/plant-7/0011", 400);
    reply_free(&r);
    /* Another key states: refused, and the operator hears of it when the right one is back. */
    device_stop(&dev, SIGTERM);
    fleet_stop(&fx, SIGTERM);
    shell("sed -i 's/next.pem/root3.pem/' $DIR/fleet.json");
    fleet_start(&fx);
    device_start(&dev);
    device_says(&dev, "STALE key set 2", 10);
    fleet_expect_event(&fx, "STALE", "key set",
                       "no trusted key made this signature over this statement");
}

#define T(name) cmocka_unit_test_setup_teardown(name, start, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_server_keeps_a_chain_and_nothing_else),
        T(the_server_believes_whom_the_latest_set_names),
        T(a_device_goes_through_the_chain_and_obeys_the_last),
        T(a_forged_set_is_refused_by_name_and_the_next_right_one_is_taken),
        T(a_device_without_a_server_takes_the_next_set_from_its_file),
        T(the_servers_anchor_and_pin_change_with_the_set),
        T(a_server_states_what_is_current_or_nothing_is_installed),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
