/* Whether a device of fleet plant-7 that trusts one server believes a statement of what is current:
 * statement KEY FILE, the server's public key in hexadecimal digits. Status 0, or 1 and why not.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <sandmote/statement.h>

int main(int argc, char **argv)
{
    static uint8_t bytes[SM_STATEMENT_MAX + 1], work[sizeof bytes + SM_STATEMENT_OVERHEAD];
    uint8_t key[SM_PUBLIC_KEY_BYTES];
    struct sm_trust_key room[1];
    struct sm_trust trust;
    struct sm_statement st;
    struct sm_manifest_detail why = {.rule = ""};

    if (argc != 3 || strlen(argv[1]) != 2 * sizeof key)
        return 64;
    for (size_t i = 0; i < sizeof key; i++)
        if (sscanf(argv[1] + 2 * i, "%2hhx", &key[i]) != 1)
            return 64;
    FILE *f = fopen(argv[2], "rb");
    if (!f)
        return 66;
    size_t len = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    sm_trust_init(&trust, room, 1);
    int err = sm_trust_add(&trust, SM_ROLE_SERVER, "plant-7", key);
    if (err == 0)
        err =
            sm_trust_verify_statement(&trust, bytes, len, "plant-7", &st, work, sizeof work, &why);
    if (err)
        printf("%s %s\n", sm_strerror(err), why.rule ? why.rule : "");
    return err != 0;
}
