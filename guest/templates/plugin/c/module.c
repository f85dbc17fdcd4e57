#include <plugin.h>

enum { CHIP = 0x48, TEMPERATURE = 0, ALERT_HIGH = 3 };

/* The chip's registers have 1/256 degrees. A transfer that fails is noticed by the device. */
static float degrees(uint8_t reg)
{
    uint8_t raw[2] = {0, 0};

    i2c_read(CHIP, reg, raw, sizeof raw);
    return (float)(int16_t)(raw[0] << 8 | raw[1]) / 256.0f;
}

/* Called when a module reads the temperature. */
SM_EXPORT("read_temperature") float read_temperature(void)
{
    return degrees(TEMPERATURE);
}

/* Called with a value in the manifest's range, when modules wish another one. */
SM_EXPORT("set_alert_high") void set_alert_high(float limit)
{
    uint32_t bits = (uint32_t)(int32_t)(limit * 256.0f);
    const uint8_t raw[2] = {(uint8_t)(bits >> 8), (uint8_t)bits};

    i2c_write(CHIP, ALERT_HIGH, raw, sizeof raw);
}

/* Without this one modules read what was set. */
SM_EXPORT("get_alert_high") float get_alert_high(void)
{
    return degrees(ALERT_HIGH);
}
