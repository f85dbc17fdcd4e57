/* An interpreter in the interpreter: a stack machine runs a byte-code program that counts how many
 * steps the Collatz sequence of each number below a bound takes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

enum op { PUSH, LOAD, STORE, ADD, MUL3, HALF, ODD, LESS, JUMP, JUMP_ZERO, HALT };
enum variable { NUMBER, CURRENT, STEPS, LIMIT, VARIABLES };

/* for (NUMBER = 1; NUMBER < LIMIT; NUMBER++) for (CURRENT = NUMBER; 1 < CURRENT; STEPS++) ...
 * Jumps name bytes. */
static const uint8_t program[] = {
    /*  0 */ PUSH,  1,       STORE, NUMBER,
    /*  4 */ LOAD,  NUMBER,  LOAD,  LIMIT,     LESS, JUMP_ZERO, 55,
    /* 11 */ LOAD,  NUMBER,  STORE, CURRENT,
    /* 15 */ PUSH,  1,       LOAD,  CURRENT,   LESS, JUMP_ZERO, 46,
    /* 22 */ LOAD,  STEPS,   PUSH,  1,         ADD,  STORE,     STEPS,
    /* 29 */ LOAD,  CURRENT, ODD,   JUMP_ZERO, 39,
    /* 34 */ LOAD,  CURRENT, MUL3,  JUMP,      42,
    /* 39 */ LOAD,  CURRENT, HALF,
    /* 42 */ STORE, CURRENT, JUMP,  15,
    /* 46 */ LOAD,  NUMBER,  PUSH,  1,         ADD,  STORE,     NUMBER, JUMP, 4,
    /* 55 */ HALT};

static uint32_t execute(const uint8_t *code, uint32_t limit)
{
    uint32_t stack[16], variables[VARIABLES] = {0, 0, 0, limit};
    uint32_t sp = 0, pc = 0;

    for (;;) {
        switch ((enum op)code[pc++]) {
        case PUSH: stack[sp++] = code[pc++]; break;
        case LOAD: stack[sp++] = variables[code[pc++]]; break;
        case STORE: variables[code[pc++]] = stack[--sp]; break;
        case ADD:
            sp--;
            stack[sp - 1] += stack[sp];
            break;
        case MUL3: stack[sp - 1] = stack[sp - 1] * 3 + 1; break;
        case HALF: stack[sp - 1] /= 2; break;
        case ODD: stack[sp - 1] &= 1; break;
        case LESS:
            sp--;
            stack[sp - 1] = stack[sp - 1] < stack[sp];
            break;
        case JUMP: pc = code[pc]; break;
        case JUMP_ZERO: pc = stack[--sp] ? pc + 1 : code[pc]; break;
        case HALT: return variables[STEPS];
        }
    }
}

int run(int n)
{
    uint32_t sum = 0;

    for (int i = 0; i < n; i++)
        sum = mix(sum, execute(program, 100 + (uint32_t)i % 8));
    return (int)sum;
}
