/* A TMP105 on I2C as a plugin: its temperature, the limit above which its alert line is active, and
 * the bits of a measurement.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <plugin.h>

enum { CHIP = 0x48, TEMPERATURE = 0, CONFIG = 1, ALERT_HIGH = 3 };

/* Left-justified: 12 bits in the upper part of 16. The device notices a transfer that fails. */
static float degrees(uint8_t reg)
{
    uint8_t raw[2] = {0, 0};

    i2c_read(CHIP, reg, raw, sizeof raw);
    return (float)(int16_t)(raw[0] << 8 | raw[1]) / 256.0f;
}

SM_EXPORT("read_temperature") float read_temperature(void)
{
    return degrees(TEMPERATURE);
}

SM_EXPORT("set_alert_high") void set_alert_high(float limit)
{
    uint32_t bits = (uint32_t)(int32_t)(limit * 16.0f) << 4;
    const uint8_t raw[2] = {(uint8_t)(bits >> 8), (uint8_t)bits};

    i2c_write(CHIP, ALERT_HIGH, raw, sizeof raw);
}

SM_EXPORT("get_alert_high") float get_alert_high(void)
{
    return degrees(ALERT_HIGH);
}

SM_EXPORT("set_resolution") void set_resolution(int32_t bits)
{
    const uint8_t config = (uint8_t)((bits - 9) << 5);

    i2c_write(CHIP, CONFIG, &config, 1);
}

SM_EXPORT("get_resolution") int32_t get_resolution(void)
{
    uint8_t config = 0;

    i2c_read(CHIP, CONFIG, &config, 1);
    return 9 + (config >> 5 & 3);
}
