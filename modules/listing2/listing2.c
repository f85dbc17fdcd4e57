/* Listing 2 of the paper on WASI-SN (section 4.1.1), as it is printed.
 *
 * The listing is the paper's; SPDX-License-Identifier of all around it: Apache-2.0 */
#include <wasi_sn.h>

/* clang-format off */
int main(){
    turnOn("BME280");
    int rate = 1000000000; //ns
    config("BME280", "SampRate", rate);
    char buf[] = {0,0,0,0};
    read("BME280", "humidity", buf, 4);
}
