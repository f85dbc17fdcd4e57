/* Modbus RTU, and the driver of transmitters that speak it, against the simulated one at 9600 baud.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "drive.h"
#include <sandmote/drivers.h>

enum { TEMPERATURE, HUMIDITY };

static int setup(void **state)
{
    int err = bench_new(state, &sm_sim_modbus, &sm_driver_modbus, 1);
    if (!err)
        ((struct bench *)*state)->bus.speed = 9600;
    return err;
}

/* ---- Frames ---------------------------------------------------------------------------------- */

static void checksums_are_those_of_known_frames(void **state)
{
    (void)state;
    static const uint8_t request[] = {0x01, 0x04, 0x00, 0x01, 0x00, 0x01, 0x60, 0x0a};
    static const uint8_t specification[] = {0x02, 0x07, 0x41, 0x12}; /* V1.02, appendix B */
    assert_int_equal(sm_modbus_crc(request, 6), 0x0a60);
    assert_int_equal(sm_modbus_crc(request, 8), 0);
    assert_int_equal(sm_modbus_crc(specification, 2), 0x1241);
    assert_int_equal(sm_modbus_crc((const uint8_t *)"123456789", 9), 0x4b37);
}

static void questions_that_cannot_be_are_refused(void **state)
{
    (void)state;
    struct sm_modbus m;
    const uint16_t v[33] = {0};
    assert_int_equal(sm_modbus_read(&m, 0, 3, 0, 1), SM_ERR_ARG);
    assert_int_equal(sm_modbus_read(&m, 248, 3, 0, 1), SM_ERR_ARG);
    assert_int_equal(sm_modbus_read(&m, 1, 6, 0, 1), SM_ERR_ARG);
    assert_int_equal(sm_modbus_read(&m, 1, 3, 0, 0), SM_ERR_ARG);
    assert_int_equal(sm_modbus_read(&m, 1, 3, 0, 33), SM_ERR_ARG);
    assert_int_equal(sm_modbus_read(&m, 1, 3, 65535, 2), SM_ERR_ARG);
    assert_int_equal(sm_modbus_read(&m, 247, 4, 65504, 32), 0);
    assert_int_equal(sm_modbus_write(&m, 1, 6, 0, v, 2), SM_ERR_ARG);
    assert_int_equal(sm_modbus_write(&m, 1, 3, 0, v, 1), SM_ERR_ARG);
    assert_int_equal(sm_modbus_write(&m, 1, 16, 0, v, 33), SM_ERR_ARG);
    assert_int_equal(sm_modbus_write(&m, 1, 16, 0, v, 32), 0);
}

static int finish(struct bench *b, struct sm_modbus *m)
{
    int got;
    for (b->waited_ms = 0; b->waited_ms < 5000; b->waited_ms += (uint32_t)got) {
        got = sm_modbus_step(m, &b->bus.bus, NULL, b->clock.ns / 1000000);
        if (got <= 0)
            return got;
        bench_wait(b, (uint32_t)got);
    }
    return SM_ERR_LIMIT;
}

static void several_registers_are_written_and_read(void **state)
{
    struct bench *b = *state;
    struct sm_modbus m;
    const uint16_t v[] = {2, 0xffff, 7};
    assert_int_equal(sm_modbus_write(&m, 1, SM_MODBUS_WRITE_MULTIPLE, 0x102, v, 3), 0);
    assert_int_equal(finish(b, &m), 0);
    assert_int_equal(sm_modbus_read(&m, 1, SM_MODBUS_READ_HOLDING, 0x101, 4), 0);
    assert_int_equal(finish(b, &m), 0);
    assert_int_equal(sm_modbus_register(&m, 0), 1);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(sm_modbus_register(&m, 1 + i), v[i]);
    assert_int_equal(sm_modbus_write(&m, 1, SM_MODBUS_WRITE_SINGLE, 0x102, v + 2, 1), 0);
    assert_int_equal(finish(b, &m), 0);
    assert_int_equal(sm_modbus_read(&m, 1, SM_MODBUS_READ_HOLDING, 0x102, 1), 0);
    assert_int_equal(finish(b, &m), 0);
    assert_int_equal(sm_modbus_register(&m, 0), 7);
}

static void exceptions_have_their_errors(void **state)
{
    struct bench *b = *state;
    struct sm_modbus m;
    assert_int_equal(sm_modbus_read(&m, 1, SM_MODBUS_READ_INPUT, 3, 1), 0);
    assert_int_equal(finish(b, &m), SM_ERR_INVALID); /* no such register */
    assert_int_equal(sm_modbus_read(&m, 1, SM_MODBUS_READ_INPUT, 1, 3), 0);
    assert_int_equal(finish(b, &m), SM_ERR_INVALID);
    assert_int_equal(sm_modbus_read(&m, 1, SM_MODBUS_READ_INPUT, 1, 2), 0);
    assert_int_equal(finish(b, &m), 0);
}

/* ---- A line that says what a test wants -------------------------------------------------------
 */

struct script {
    struct sm_bus bus;
    const struct piece {
        uint32_t at_look; /* of the looks after the question */
        uint8_t bytes[16], len;
    } * piece;
    unsigned pieces, next, looks;
    bool asked;
    bool noisy; /* without end, before the question too */
};

static int script_transfer(void *ctx, const uint8_t *out, uint32_t out_len, uint8_t *in,
                           uint32_t in_len)
{
    struct script *s = ctx;
    (void)out;
    if (out_len > 0) {
        s->asked = true;
        return 0;
    }
    if (s->noisy) {
        memset(in, 0x55, in_len);
        return (int)in_len;
    }
    if (!s->asked)
        return 0;
    s->looks++;
    if (s->next >= s->pieces || s->piece[s->next].at_look > s->looks)
        return 0;
    uint32_t n = s->piece[s->next].len < in_len ? s->piece[s->next].len : in_len;
    memcpy(in, s->piece[s->next++].bytes, n);
    return (int)n;
}

static int run_script(struct script *s, struct sm_modbus *m)
{
    uint64_t now = 0;
    int got;
    s->bus = (struct sm_bus){"script", SM_BUS_SERIAL, s, {.serial = script_transfer}};
    while ((got = sm_modbus_step(m, &s->bus, NULL, now)) > 0)
        now += (uint64_t)got;
    return got;
}

/* Reads input register 1 of unit 1 from such a line. */
static int ask_script(const struct piece *piece, unsigned pieces, uint16_t *value)
{
    struct script s = {.piece = piece, .pieces = pieces};
    struct sm_modbus m;
    assert_int_equal(sm_modbus_read(&m, 1, 4, 1, 1), 0);
    int got = run_script(&s, &m);
    *value = got == 0 ? sm_modbus_register(&m, 0) : 0;
    return got;
}

/* Whatever is in the bytes, with its checksum, in one piece. */
static struct piece framed(const uint8_t *bytes, uint8_t len)
{
    struct piece p = {.at_look = 1, .len = (uint8_t)(len + 2)};
    uint16_t crc = sm_modbus_crc(bytes, len);
    memcpy(p.bytes, bytes, len);
    p.bytes[len] = (uint8_t)crc;
    p.bytes[len + 1] = (uint8_t)(crc >> 8);
    return p;
}
#define ASK(pieces, value) ask_script(pieces, sizeof(pieces) / sizeof((pieces)[0]), value)

/* 0x0131 in register 1 of unit 1; and the same of unit 2. */
#define RIGHT                                                                                      \
    {                                                                                              \
        0x01, 0x04, 0x02, 0x01, 0x31, 0x79, 0x74                                                   \
    }
#define OTHER                                                                                      \
    {                                                                                              \
        0x02, 0x04, 0x02, 0x01, 0x31, 0x3d, 0x74                                                   \
    }

static void an_answer_in_pieces_is_put_together(void **state)
{
    (void)state;
    static const struct piece pieces[] = {
        {1, {0x01, 0x04}, 2}, {9, {0x02, 0x01, 0x31}, 3}, {30, {0x79, 0x74}, 2}};
    uint16_t v;
    assert_int_equal(ASK(pieces, &v), 0);
    assert_int_equal(v, 0x131);
}

static void answers_of_other_units_are_thrown_away(void **state)
{
    (void)state;
    static const struct piece both[] = {{1, OTHER, 7}, {3, RIGHT, 7}}, one[] = {{1, OTHER, 7}};
    uint16_t v;
    assert_int_equal(ASK(both, &v), 0);
    assert_int_equal(v, 0x131);
    assert_int_equal(ASK(one, &v), SM_ERR_INVALID);
}

static void every_single_wrong_bit_is_noticed(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 7 * 8; bit++) {
        struct piece piece[] = {{1, RIGHT, 7}};
        uint16_t v;
        piece[0].bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(ASK(piece, &v), SM_ERR_CORRUPT);
    }
}

static void every_exception_is_an_error(void **state)
{
    (void)state;
    static const int errors[] = {SM_ERR_IO,      SM_ERR_UNSUPPORTED, SM_ERR_INVALID,
                                 SM_ERR_INVALID, SM_ERR_IO,          SM_ERR_BUSY,
                                 SM_ERR_BUSY,    SM_ERR_IO,          SM_ERR_IO};
    for (uint8_t code = 0; code < sizeof errors / sizeof errors[0]; code++) {
        const uint8_t bytes[] = {0x01, 0x84, code};
        struct piece piece[] = {framed(bytes, 3)};
        uint16_t v;
        assert_int_equal(ASK(piece, &v), errors[code]);
    }
}

static void answers_to_other_questions_are_thrown_away(void **state)
{
    (void)state;
    static const uint8_t function[] = {0x01, 0x03, 0x02, 0x01, 0x31},
                         count[] = {0x01, 0x04, 0x04, 0x01, 0x31, 0x01, 0x31},
                         shorter[] = {0x01, 0x04, 0x04, 0x01, 0x31},
                         exception[] = {0x01, 0x83, 0x02};
    struct piece pieces[] = {framed(function, 5), framed(count, 7), framed(shorter, 5),
                             framed(exception, 3)};
    for (unsigned i = 0; i < 4; i++) {
        uint16_t v;
        assert_int_equal(ask_script(&pieces[i], 1, &v), SM_ERR_INVALID);
    }
}

static void a_write_is_done_when_its_own_echo_came(void **state)
{
    (void)state;
    static const uint8_t right[] = {0x01, 0x06, 0x01, 0x02, 0x00, 0x07},
                         value[] = {0x01, 0x06, 0x01, 0x02, 0x00, 0x08},
                         first[] = {0x01, 0x06, 0x01, 0x03, 0x00, 0x07};
    struct piece pieces[] = {framed(right, 6), framed(value, 6), framed(first, 6)};
    for (unsigned i = 0; i < 3; i++) {
        struct script s = {.piece = &pieces[i], .pieces = 1};
        struct sm_modbus m;
        const uint16_t seven = 7;
        assert_int_equal(sm_modbus_write(&m, 1, SM_MODBUS_WRITE_SINGLE, 0x102, &seven, 1), 0);
        assert_int_equal(run_script(&s, &m), i == 0 ? 0 : SM_ERR_INVALID);
    }
}

static void a_line_that_is_never_silent_is_busy(void **state)
{
    (void)state;
    struct script s = {.noisy = true};
    struct sm_modbus m;
    assert_int_equal(sm_modbus_read(&m, 1, 4, 1, 1), 0);
    assert_int_equal(run_script(&s, &m), SM_ERR_BUSY);
    assert_false(s.asked);
}

static void more_bytes_than_any_frame_has_are_no_answer(void **state)
{
    (void)state;
    struct piece pieces[5] = {{1, {1, 2, 3}, 16},
                              {2, {1, 2, 3}, 16},
                              {3, {1, 2, 3}, 16},
                              {4, {1, 2, 3}, 16},
                              {5, {1, 2, 3}, SM_MODBUS_FRAME - 64}};
    uint16_t v;
    assert_int_equal(ASK(pieces, &v), SM_ERR_CORRUPT);
}

/* ---- The driver ------------------------------------------------------------------------------ */

static void it_reads_both_values_in_one_exchange(void **state)
{
    struct bench *b = *state;
    int32_t v[2];
    assert_int_equal(bench_start(b), 0);
    bench_play(b, "temperature", -20500);
    bench_play(b, "humidity", 54600);
    uint32_t before = b->chip.transfers;
    assert_int_equal(bench_sample(b, v), 0);
    assert_int_equal(b->chip.transfers, before + 1);
    assert_int_equal(v[TEMPERATURE], -20500);
    assert_int_equal(v[HUMIDITY], 54600);
    /* silence, 8 characters, silence, 3 ms, 9 characters: about 31 ms, seen at the next look */
    assert_in_range(b->waited_ms, 31, 40);
}

static void corrections_are_the_transmitters(void **state)
{
    struct bench *b = *state;
    int32_t v[2];
    int64_t got;
    assert_int_equal(bench_start(b), 0);
    bench_play(b, "temperature", 20000);
    assert_int_equal(bench_set(b, "temperature_correction", -15), 0);
    assert_int_equal(bench_get(b, "temperature_correction", &got), 0);
    assert_int_equal(got, -15);
    assert_int_equal(bench_sample(b, v), 0);
    assert_int_equal(v[TEMPERATURE], 18500);
    assert_int_equal(bench_get(b, "humidity_correction", &got), 0);
    assert_int_equal(got, 0);
}

static void a_map_says_where_the_registers_are(void **state)
{
    struct bench *b = *state;
    struct sm_modbus_map map = {
        SM_MODBUS_READ_INPUT, -2, 2, 1, 0, {0, 0}}; /* the other way round */
    int32_t v[2];
    int64_t got;
    b->sensor.ctx = &map;
    bench_play(b, "temperature", 45000);
    bench_play(b, "humidity", 61500);
    assert_int_equal(bench_start(b), 0);
    assert_int_equal(bench_sample(b, v), 0);
    assert_int_equal(v[TEMPERATURE], 6150);
    assert_int_equal(v[HUMIDITY], 4500);
    assert_int_equal(bench_get(b, "humidity_correction", &got), SM_ERR_UNSUPPORTED);
    assert_int_equal(bench_set(b, "humidity_correction", 1), SM_ERR_UNSUPPORTED);
    map.function = 6;
    assert_int_equal(bench_sample(b, v), SM_ERR_INVALID);
    map.function = 4;
    map.humidity = 34;
    assert_int_equal(bench_sample(b, v), SM_ERR_INVALID);
    map.humidity = 33; /* as far apart as one frame can ask, but the transmitter has two */
    assert_int_equal(bench_sample(b, v), SM_ERR_INVALID);
}

static void values_that_cannot_be_are_refused(void **state)
{
    struct bench *b = *state;
    int32_t v[2];
    assert_int_equal(bench_start(b), 0);
    bench_play(b, "humidity", 100100);
    assert_int_equal(bench_sample(b, v), SM_ERR_INVALID);
    bench_play(b, "humidity", 100000);
    bench_play(b, "temperature", -40100);
    assert_int_equal(bench_sample(b, v), SM_ERR_INVALID);
    bench_play(b, "temperature", -40000);
    assert_int_equal(bench_sample(b, v), 0);
}

static void every_fault_is_an_error_and_over_when_it_is(void **state)
{
    static const struct {
        enum sm_sim_fault fault;
        int err;
    } faults[] = {{SM_SIM_NACK, SM_ERR_NOT_FOUND},   {SM_SIM_STUCK, SM_ERR_BUSY},
                  {SM_SIM_WRONG_ID, SM_ERR_INVALID}, {SM_SIM_TRUNCATED, SM_ERR_CORRUPT},
                  {SM_SIM_BAD_CRC, SM_ERR_CORRUPT},  {SM_SIM_LATE, SM_ERR_NOT_FOUND},
                  {SM_SIM_NOISE, SM_ERR_CORRUPT},    {SM_SIM_ZEROS, SM_ERR_CORRUPT},
                  {SM_SIM_ONES, SM_ERR_CORRUPT},     {SM_SIM_RESET, 0}};
    struct bench *b = *state;
    int32_t v[2];
    assert_int_equal(bench_start(b), 0);
    for (unsigned i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        bench_break(b, faults[i].fault);
        bench_play(b, "temperature", 30000);
        assert_int_equal(bench_sample(b, v), faults[i].err);
        bench_mend(b);
        bench_play(b, "temperature", 10000);
        bench_wait(b, 3000); /* what is late has come, and is thrown away */
        assert_int_equal(bench_sample(b, v), 0);
        assert_int_equal(v[TEMPERATURE], 10000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define ON_BENCH(f) cmocka_unit_test_setup_teardown(f, setup, bench_free)
        cmocka_unit_test(checksums_are_those_of_known_frames),
        cmocka_unit_test(questions_that_cannot_be_are_refused),
        ON_BENCH(several_registers_are_written_and_read),
        ON_BENCH(exceptions_have_their_errors),
        cmocka_unit_test(an_answer_in_pieces_is_put_together),
        cmocka_unit_test(answers_of_other_units_are_thrown_away),
        cmocka_unit_test(every_single_wrong_bit_is_noticed),
        cmocka_unit_test(every_exception_is_an_error),
        cmocka_unit_test(answers_to_other_questions_are_thrown_away),
        cmocka_unit_test(a_write_is_done_when_its_own_echo_came),
        cmocka_unit_test(a_line_that_is_never_silent_is_busy),
        cmocka_unit_test(more_bytes_than_any_frame_has_are_no_answer),
        ON_BENCH(it_reads_both_values_in_one_exchange),
        ON_BENCH(corrections_are_the_transmitters),
        ON_BENCH(a_map_says_where_the_registers_are),
        ON_BENCH(values_that_cannot_be_are_refused),
        ON_BENCH(every_fault_is_an_error_and_over_when_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
