#!/bin/sh
# mutants.sh LINK-FILE [NAME...]: builds the closure proof with one fault seeded into a copy of the
# product's sources, for each file of mutants/ (or those named), and sees that it is noticed. Fails
# when one is not, or does not change its source any more. LINK-FILE is written by CMake: compiler,
# source tree, then objects and libraries.
#
# A mutant is a sed script; its comments say what it breaks, in which file, and, where it takes
# something else to see it, the options of the program ("# run:").
#
# SPDX-License-Identifier: Apache-2.0
set -eu
link=$1
shift
{
    read -r compiler
    read -r root
    read -r parts
} <"$link"
work=$(dirname "$link")/mutants
wraps=-Wl,--wrap=sm_ed25519_verify,--wrap=sm_store_put,--wrap=sm_store_mount,--wrap=sm_record_decode,--wrap=sm_crc32c
mkdir -p "$work"
[ $# -gt 0 ] || set -- $(cd "$root/test/fault/mutants" && ls ./*.sed | sed 's/^..//; s/\.sed$//')

# say_of NAME WHAT: what a mutant's comment says.
say_of() {
    sed -n "s/^# $2: //p" "$root/test/fault/mutants/$1.sed"
}

# seed NAME: the mutant's program in $work/NAME; 1 when it cannot be made.
seed() {
    file=$(say_of "$1" file)
    mkdir -p "$work/$1.d"
    sed -f "$root/test/fault/mutants/$1.sed" "$root/$file" >"$work/$1.d/$(basename "$file")"
    if cmp -s "$root/$file" "$work/$1.d/$(basename "$file")"; then
        echo "  $1: changes nothing in $file any more"
        return 1
    fi
    # shellcheck disable=SC2086 # a list of files
    "$compiler" -std=gnu11 -O2 -w -I "$root/include" -I "$root/$(dirname "$file")" \
        "$work/$1.d/$(basename "$file")" -Wl,--start-group $parts -Wl,--end-group $wraps -lcrypto -lm -o "$work/$1"
}

caught=0 all=0 bad=0
for name; do
    all=$((all + 1))
    seed "$name" || { bad=1 && continue; }
    run=$(say_of "$name" run)
    status=0
    # shellcheck disable=SC2086 # a list of options
    timeout 300 "$work/$name" ${run:---states 120 --pairs 0 0} >"$work/$name.log" 2>&1 || status=$?
    case $status in
    1)
        caught=$((caught + 1))
        why=$(sed -n 's/^ *BROKEN: //p; s/^flash_sim: /the flash: /p' "$work/$name.log" | head -n 1)
        echo "  $name: ${why:-ended by a signal}"
        ;;
    0)
        echo "  $name: NOT NOTICED. $(sed -n '1s/^# //p' "$root/test/fault/mutants/$name.sed")"
        bad=1
        ;;
    *) # too long (124), or options that the program has not (2): it has noticed nothing
        echo "  $name: NOT NOTICED, ended with $status. $(head -n 1 "$work/$name.log")"
        bad=1
        ;;
    esac
    rm -rf "$work/$name" "$work/$name.d"
done
echo "$caught of $all seeded faults are noticed"
exit $bad
