/* The simulated BME280's calibration, and the data sheet's compensation in floating point: what the
 * chip turns round to know which numbers to give, and what a driver's integers are checked with.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_SIM_BME280_H
#define SM_SIM_BME280_H

#include <stdint.h>

/* dig_T1.., dig_P1.., dig_H1.. */
struct sm_sim_bme280_numbers {
    double t[3], p[9], h[6];
};

/* Those of the simulated chip: T and P are the worked example of the BMP280's data sheet. */
extern const struct sm_sim_bme280_numbers sm_sim_bme280_numbers;

/* The registers 0x88 to 0xa1 and 0xe1 to 0xe7 of a chip with these numbers. */
void sm_sim_bme280_encode(const struct sm_sim_bme280_numbers *n, uint8_t first[26],
                          uint8_t second[7]);

/* t_fine; divided by 5120 it is degrees. */
double sm_sim_bme280_fine(const struct sm_sim_bme280_numbers *n, double adc_t);

/* Pa, and %RH (not cut to 0..100). */
double sm_sim_bme280_pressure(const struct sm_sim_bme280_numbers *n, double fine, double adc_p);
double sm_sim_bme280_humidity(const struct sm_sim_bme280_numbers *n, double fine, double adc_h);

#endif
