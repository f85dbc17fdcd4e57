/* BME280: the arithmetic of its data sheet, apart from the bus so that it can be checked alone.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_SENSOR_BME280_H
#define SM_SENSOR_BME280_H

#include <sandmote/sensor.h>

/* dig_T1, dig_T2.. of the data sheet. */
struct sm_bme280_calibration {
    uint16_t t1, p1;
    int16_t t[2], p[8];
    int16_t h2, h4, h5;
    uint8_t h1, h3;
    int8_t h6;
};

/* From the registers 0x88 to 0xa1, and 0xe1 to 0xe7. */
void sm_bme280_calibration(struct sm_bme280_calibration *c, const uint8_t first[26],
                           const uint8_t second[7]);

/* Temperature (1/1000 degrees), humidity (1/1000 %RH) and pressure (1/1000 Pa) from what the chip
 * measured; adc_t and adc_p have 20 bits, adc_h 16. Any calibration may be given.
 *
 * 0, or SM_ERR_INVALID when temperature or pressure is not one that the chip can measure, with
 * values untouched. Humidity is cut to 0..100 %. */
int sm_bme280_compensate(const struct sm_bme280_calibration *c, uint32_t adc_t, uint32_t adc_p,
                         uint32_t adc_h, int32_t values[3]);

#endif
