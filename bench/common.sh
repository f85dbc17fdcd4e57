# What the scripts of this folder share: modules, engines, firmware. Sourced, with $here (this
# folder) and $root set.
#
# $CLANG names another compiler for wasm32.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154 # $here, $root

cc_wasm=${CLANG:-clang}
wasm_flags="-std=c11 -O2 --target=wasm32 -mcpu=mvp"

# all_kernels [M4]: the names in kernels/list; with M4 those that the microcontroller runs.
all_kernels() {
    awk -v m4="${1:-}" '!/^#/ && (m4 == "" || $3 != "-") { print $1 }' "$here/kernels/list"
}

# rounds_of KERNEL COLUMN: how many rounds it runs; 2 on the host, 3 on the microcontroller.
rounds_of() {
    n=$(awk -v k="$1" -v c="$2" '$1 == k && $c != "-" { print $c }' "$here/kernels/list")
    [ -n "$n" ] || { echo "bench: no kernel $1 to run in bench/kernels/list" >&2; return 64; }
    echo "$n"
}

# compile_wasm SOURCE OUT.wasm FLAG...
compile_wasm() {
    source=$1 to=$2
    shift 2
    # No C library: the compiler may not turn loops into calls of memset (-fno-builtin).
    # shellcheck disable=SC2086 # flags are words
    $cc_wasm $wasm_flags -fno-builtin -nostdlib -Wl,--no-entry -Wl,--strip-all \
        -Wl,--stack-first -Wl,-z,stack-size=8192 "$@" "$source" -o "$to"
}

# large_module OUT.wasm FLAG...: a module of about 40 KB from this tree's own C: all kernels, the
# compact cryptography, and the codec of manifests.
large_module() {
    to=$1 objects=$1.objects
    shift
    rm -rf "$objects"
    mkdir -p "$objects"
    for file in "$here"/kernels/*.c; do
        name=$(basename "$file" .c)
        # shellcheck disable=SC2086
        $cc_wasm $wasm_flags -fno-builtin "-DKERNEL=__attribute__((export_name(\"$name\")))" \
            -Drun="run_$name" -c "$file" -o "$objects/kernel_$name.o"
    done
    for file in "$here"/wasm/libc/string.c "$root"/src/crypto/compact*.c "$root"/src/crypto/sha256.c \
        "$root"/src/crypto/md.c "$root"/src/crypto/secret.c "$root"/src/trust/cbor.c \
        "$root"/src/trust/section.c "$root"/src/error.c; do
        # shellcheck disable=SC2086
        $cc_wasm $wasm_flags -fno-builtin -I"$here/wasm/libc" -I"$root/include" -c "$file" \
            -o "$objects/$(basename "$file" .c).o"
    done
    # shellcheck disable=SC2086
    $cc_wasm $wasm_flags -nostdlib -Wl,--no-entry -Wl,--strip-all -Wl,--no-gc-sections \
        -Wl,--stack-first -Wl,-z,stack-size=8192 "$@" "$objects"/*.o -o "$to"
}

# code_bytes MODULE.wasm: of its code section.
code_bytes() {
    wasm-objdump -h "$1" | sed -n 's/.*Code .*size=\(0x[0-9a-f]*\).*/\1/p' | head -n 1 |
        while read -r hex; do echo $((hex)); done
}

# build DIR TARGETS CMAKE-ARGUMENT...: part of the tree, configured once.
build() {
    dir=$1 targets=$2
    shift 2
    mkdir -p "$dir"
    # shellcheck disable=SC2086 # targets are words
    if ! { { [ -f "$dir/build.ninja" ] || cmake -S "$root" -B "$dir" -GNinja "$@"; } &&
        ninja -C "$dir" $targets; } >"$dir/build.log" 2>&1; then
        cat "$dir/build.log" >&2
        echo "bench: the build failed" >&2
        exit 2
    fi
}

# ---- The emulated microcontroller ----------------------------------------------------------------

m4_cc=arm-none-eabi-gcc
m4_cpu="-mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16"

unchecked='SM_EPOCH_CHECKS=0;SM_MEASURING' # an engine that nothing stops, to measure against

# build_engines OUT LEVEL...: the engine for this machine in OUT/host, for the microcontroller in
# OUT/LEVEL, and in OUT/for-m4 the latter's as a program here, each with a program `translate`; a
# level O2-unchecked is O2 without looks at the epoch, O2-thumb with handlers in assembly, O2-thumb-acc
# with these and the accumulator, whose images OUT/for-m4-acc makes. $SWITCHES (sandmote/config.h,
# with ; between them) are those of all; each needs an OUT of its own.
build_engines() {
    engines=$1
    shift
    build "$engines/host" "sm_wasm sandmote" -DSM_SWITCHES="${SWITCHES:-}"
    # Images are the microcontroller's when the switches are, which there have other defaults.
    build "$engines/for-m4" sm_wasm -DSM_SWITCHES="SM_DOUBLE_PAIRS=0;SM_ACCUMULATOR=0;${SWITCHES:-}"
    build "$engines/for-m4-acc" sm_wasm \
        -DSM_SWITCHES="SM_DOUBLE_PAIRS=0;SM_ACCUMULATOR=1;${SWITCHES:-}"
    for engine in host for-m4 for-m4-acc; do
        gcc -std=c11 -O2 -I"$root/include" "$here/translate.c" \
            "$engines/$engine/src/wasm/libsm_wasm.a" "$engines/$engine/libsm_base.a" -lm \
            -o "$engines/$engine/translate"
    done
    for level; do
        case $level in
        O2*) type=RelWithDebInfo ;;
        Os*) type=MinSizeRel ;;
        *) echo "bench: no level $level; there are O2 and Os" >&2 && exit 64 ;;
        esac
        switches=${SWITCHES:-}
        case $level in
        *-unchecked) switches="$unchecked;$switches" ;;
        *-thumb) switches="SM_THUMB=1;$switches" ;;
        *-thumb-acc) switches="SM_THUMB=1;SM_ACCUMULATOR=1;$switches" ;;
        esac
        build "$engines/$level" "sm_wasm sm_board" -DCMAKE_BUILD_TYPE="$type" \
            -DSM_SWITCHES="$switches" \
            -DCMAKE_TOOLCHAIN_FILE="$root/port/cortex-m/toolchain.cmake"
    done
}

# host_program OUT TO SOURCE-OR-FLAG...: links a program with the engine in OUT/host.
host_program() {
    engine=$1/host to=$2
    shift 2
    gcc -std=gnu11 -O2 -g -Wall -Wextra -I"$root/include" -I"$here" "$@" "$here/engine.c" \
        "$engine/src/wasm/libsm_wasm.a" "$engine/libsm_base.a" -lm -o "$to"
}

# firmware OUT LEVEL TO.elf SOURCE-OR-FLAG...: links a program with the engine of that level, with
# as much flash and RAM as the board has.
firmware() {
    engine=$1/$2 to=$3
    shift 3
    # shellcheck disable=SC2086
    $m4_cc $m4_cpu -std=gnu11 -Os -Wall -Wextra -I"$root/include" -I"$here" \
        -I"$root/port/cortex-m" --specs=nano.specs -nostartfiles -Wl,--gc-sections \
        -Wl,--defsym=SM_FLASH_SIZE=4M,--defsym=SM_RAM_SIZE=4M -T"$root/port/cortex-m/mps2-an386.ld" \
        "$@" "$here/engine.c" "$engine/port/cortex-m/CMakeFiles/sm_board.dir/board.c.obj" \
        "$engine/src/wasm/libsm_wasm.a" "$engine/libsm_base.a" -lm -o "$to"
}
