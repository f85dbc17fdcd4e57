# Cortex-M4F with arm-none-eabi-gcc:
#   cmake -S . -B build-cross -DCMAKE_TOOLCHAIN_FILE=port/cortex-m/toolchain.cmake \
#         -DCMAKE_BUILD_TYPE=MinSizeRel
# SPDX-License-Identifier: Apache-2.0
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR cortex-m4)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY) # nothing links without a linker script

# Freestanding, yet with the compiler's knowledge of memcpy and its like: the four functions that
# a freestanding gcc may call anyway come from the C library, and a copy of four bytes is one load.
set(CMAKE_ASM_FLAGS_INIT "-mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16")
set(CMAKE_C_FLAGS_INIT "${CMAKE_ASM_FLAGS_INIT} \
-ffreestanding -fbuiltin -ffunction-sections -fdata-sections -fstack-usage")
set(CMAKE_EXE_LINKER_FLAGS_INIT "--specs=nano.specs -nostartfiles -Wl,--gc-sections -Wl,--fatal-warnings")
