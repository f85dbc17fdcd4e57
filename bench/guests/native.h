/* What the native program needs of its board.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_H
#define NATIVE_H

#include <sandmote/sensor.h>

extern const struct sm_bus *board_bus; /* with a BME280 at 0x76 */
uint64_t board_now_ms(void);           /* monotonic */
void board_wait_ms(uint32_t ms);

#endif
