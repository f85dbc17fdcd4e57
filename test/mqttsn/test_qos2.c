/* QoS 2 between the client and gateways: test_mqttsn_qos2 [FAULTS | --replay ID].
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "qos2.h"

int main(int argc, char **argv)
{
    if (argc > 2 && !strcmp(argv[1], "--replay"))
        return qos2_replay(&qos2_model, argv[2]);
    unsigned faults = argc > 1                       ? (unsigned)strtoul(argv[1], NULL, 10)
                      : getenv("SANDMOTE_TEST_FULL") ? 4
                                                     : 3;
    return qos2_explore(&qos2_model, faults);
}
