/* QoS 2 between the client and gateways: test_mqttsn_qos2 [FAULTS | --replay kept|clean ID]. In a
 * clean session there is a fault less, for the time that it takes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "qos2.h"

int main(int argc, char **argv)
{
    if (argc > 3 && !strcmp(argv[1], "--replay"))
        return qos2_replay(!strcmp(argv[2], "clean") ? &qos2_model_clean : &qos2_model, argv[3]);
    unsigned faults = argc > 1                       ? (unsigned)strtoul(argv[1], NULL, 10)
                      : getenv("SANDMOTE_TEST_FULL") ? 4
                                                     : 3;
    int failed = qos2_explore(&qos2_model, faults);
    return qos2_explore(&qos2_model_clean, faults ? faults - 1 : 0) || failed;
}
