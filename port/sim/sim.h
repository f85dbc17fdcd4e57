/* Simulated chips on simulated buses: sensors without hardware, for tests, the demo, a desk, and
 * sandmoted's buses of type "simulated".
 *
 * Chips answer byte by byte as their data sheets say: pointers, auto-increment, bits that read
 * zero, times to measure on a clock of the owner's. What they measure is played by the owner while
 * they run, or walks by itself. Faults are ordered in advance, for certain transfers. Nothing here
 * allocates or knows an operating system.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_SIM_H
#define SM_SIM_H

#include <sandmote/bus.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SM_SIM_QUANTITIES 8u
#define SM_SIM_FRAME      256u /* most bytes of a frame on a serial line */
#define SM_SIM_STATE      320u /* bytes of a chip's registers and what is behind them */

/* Time. Zero it for a clock that the owner moves by adding to ns, and that transfers on buses with
 * a speed move; or give now_ns, and transfers only count what they would have taken. */
struct sm_sim_clock {
    uint64_t (*now_ns)(void *ctx);
    void *ctx;
    uint64_t ns;
    uint64_t bus_ns; /* that all transfers took, or would have taken */
};

uint64_t sm_sim_now_ns(const struct sm_sim_clock *clock);

/* A quantity that a chip measures, in 1/1000 of its unit. */
struct sm_sim_quantity {
    const char *name; /* "temperature" */
    int32_t min, max, initial;
};

/* Where a quantity is: at `from`; with a period, walking evenly to `to` and back in that time. */
struct sm_sim_value {
    int32_t from, to;
    uint32_t period_ms;
};

enum sm_sim_fault {
    SM_SIM_NO_FAULT,
    SM_SIM_NACK,      /* does not answer: no acknowledge, silence */
    SM_SIM_STUCK,     /* holds the whole bus */
    SM_SIM_WRONG_ID,  /* says to be another chip */
    SM_SIM_TRUNCATED, /* the transfer, or the answer, ends half-way */
    SM_SIM_BAD_CRC,   /* serial lines: a wrong checksum */
    SM_SIM_LATE,      /* serial lines: answers after two seconds */
    SM_SIM_NOISE,     /* serial lines: bytes of nobody before the answer */
    SM_SIM_ZEROS,     /* SPI and data lines that stay low: all bytes read zero */
    SM_SIM_ONES,      /* that stay high */
    SM_SIM_RESET      /* its supply dips: it starts anew just before the transfer */
};

struct sm_sim_chip;

/* A kind of chip. Bytes go through these functions in the order of the wire. */
struct sm_sim_model {
    const char *name;    /* "BME280" */
    uint8_t bus;         /* enum sm_bus_kind */
    uint8_t first, last; /* addresses, select lines or units it can have */
    uint8_t spi_mode;    /* others do not reach it */
    uint8_t quantities;  /* at most SM_SIM_QUANTITIES */
    const struct sm_sim_quantity *quantity;
    void (*power_on)(struct sm_sim_chip *c); /* state is zero before it */
    /* I2C and SPI: addressed, to read or write, or selected; false does not acknowledge. */
    bool (*begin)(struct sm_sim_chip *c, bool reading);
    bool (*write)(struct sm_sim_chip *c, uint8_t byte); /* I2C: false does not acknowledge it */
    uint8_t (*read)(struct sm_sim_chip *c);             /* I2C */
    uint8_t (*exchange)(struct sm_sim_chip *c, uint8_t byte); /* SPI */
    void (*end)(struct sm_sim_chip *c);                       /* stop, or deselected; may be NULL */
    /* Serial lines: a whole frame has arrived. The length of the answer, or 0 for none. */
    uint32_t (*answer)(struct sm_sim_chip *c, const uint8_t *frame, uint32_t len,
                       uint8_t answer[SM_SIM_FRAME]);
};

/* A chip. sm_sim_plug() fills it; afterwards value may be written at any time. */
struct sm_sim_chip {
    const struct sm_sim_model *model;
    uint8_t address;
    struct sm_sim_value value[SM_SIM_QUANTITIES];

    struct sm_sim_bus *bus;
    struct sm_sim_chip *next;
    enum sm_sim_fault fault;
    uint32_t fault_after, fault_times;
    bool faulty; /* in this transfer */
    uint32_t transfers;
    union {
        uint64_t align;
        uint8_t bytes[SM_SIM_STATE];
    } state;
};

/* A bus with its chips. sm_sim_bus_init() fills it; speed may be set afterwards. */
struct sm_sim_bus {
    struct sm_bus bus; /* what drivers are given */
    uint32_t speed;    /* bits in a second; 0: transfers take no time */
    struct sm_sim_clock *clock;
    struct sm_sim_chip *chips;
    /* serial lines: what is being sent, and what is on its way back */
    uint8_t request[SM_SIM_FRAME], reply[SM_SIM_FRAME + 4];
    uint32_t request_len, reply_len, reply_at;
    uint64_t request_ns; /* when its last byte was there */
    uint64_t reply_ns;   /* when its first byte is there */
};

/* An empty bus. name is borrowed; the clock, shared by all chips, must outlive it. */
void sm_sim_bus_init(struct sm_sim_bus *b, const char *name, enum sm_bus_kind kind,
                     struct sm_sim_clock *clock);

/* Put a chip of a model on a bus and switch it on, its quantities at their initial values. Both
 * stay in place from then on.
 *
 * 0, or SM_ERR_INVALID (the model is for another bus or cannot have that address), SM_ERR_BUSY
 * (there is a chip at that address), with the bus unchanged. */
int sm_sim_plug(struct sm_sim_bus *b, struct sm_sim_chip *c, const struct sm_sim_model *model,
                uint8_t address);

/* Order a fault: `after` more transfers of this chip go well, then it lasts for `times` transfers,
 * 0 for ever. Replaces what was ordered before. */
void sm_sim_order_fault(struct sm_sim_chip *c, enum sm_sim_fault fault, uint32_t after,
                        uint32_t times);

/* Switch a chip off and on again. */
void sm_sim_power_cycle(struct sm_sim_chip *c);

/* The quantity of that name, or -1. */
int sm_sim_quantity_find(const struct sm_sim_model *model, const char *name);

/* A quantity of a chip now. */
int32_t sm_sim_value_now(const struct sm_sim_chip *c, unsigned quantity);

/* Models: I2C, but where another bus is named. */
extern const struct sm_sim_model sm_sim_bme280;
extern const struct sm_sim_model sm_sim_tmp105;
/* A temperature chip at 0x48 to 0x4f whose one register is right-justified: 16 bits of 0.0625
 * degrees, high byte first. */
extern const struct sm_sim_model sm_sim_right16;
extern const struct sm_sim_model sm_sim_ccs811;
extern const struct sm_sim_model sm_sim_pcf8574;
extern const struct sm_sim_model sm_sim_adxl345; /* SPI */
extern const struct sm_sim_model sm_sim_modbus;  /* serial: a transmitter with Modbus RTU */

/* What a PCF8574 puts on its eight pins. */
uint8_t sm_sim_pcf8574_pins(const struct sm_sim_chip *c);

/* The model of that name, or NULL. */
const struct sm_sim_model *sm_sim_model_find(const char *name);

/* ---- Chips from one line of text ------------------------------------------------------------- */

/* What a line says. Its bus is of kind model->bus. */
struct sm_sim_chip_description {
    const struct sm_sim_model *model;
    uint8_t address;
    struct sm_sim_value value[SM_SIM_QUANTITIES];
};

/* Where a line is wrong: an offset in bytes, and a sentence. */
struct sm_sim_wrong {
    const char *rule;
    uint32_t offset;
};

/* Read a line: MODEL@ADDRESS, then NAME=NUMBER or NAME=FROM..TO/SECONDS for quantities that shall
 * not be the initial ones, as in "BME280@0x76 temperature=21.5 humidity=40..60/600". 0, or
 * SM_ERR_INVALID with `wrong` filled. */
int sm_sim_describe(struct sm_sim_chip_description *d, const char *text,
                    struct sm_sim_wrong *wrong);

/* sm_sim_plug() of what was described, its errors. */
int sm_sim_plug_described(struct sm_sim_bus *b, struct sm_sim_chip *c,
                          const struct sm_sim_chip_description *d);

#endif
