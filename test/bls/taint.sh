#!/bin/sh
# Whether time or addresses depend on secrets: runs taint under memcheck, which must report nothing,
# and then with a branch on a secret in it, which must be reported.
#
#   test/bls/taint.sh PROGRAM [FILE]     FILE lists what is public for memcheck
#
# SPDX-License-Identifier: Apache-2.0
set -eu
command -v valgrind >/dev/null 2>&1 || { echo "skipped: no valgrind"; exit 77; }
program=$1
[ $# = 1 ] || set -- "$1" --suppressions="$2"
shift
valgrind -q --error-exitcode=1 "$@" "$program"
if valgrind -q --error-exitcode=1 "$@" "$program" branch >/dev/null 2>&1; then
    echo "a branch on a secret was not noticed"
    exit 1
fi
