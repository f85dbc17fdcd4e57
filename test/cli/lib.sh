# Checks of command lines: sourced by the test scripts. Each check prints what it found when it is
# not what was said, and counts.
#
# SPDX-License-Identifier: Apache-2.0

checks=0
failures=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1

fail() {
    failures=$((failures + 1))
    printf 'FAILED: %s\n' "$*"
    sed 's/^/    out: /' out
    sed 's/^/    err: /' err
}

# expect STATUS COMMAND...: runs it, keeps what it printed in the files out and err.
expect() {
    want=$1
    shift
    checks=$((checks + 1))
    last="$*"
    "$@" >out 2>err
    got=$?
    [ "$got" -eq "$want" ] || fail "$last: exit status $got, not $want"
}

# Of the last command: the whole output; a line of the error output that contains a text.
prints() {
    checks=$((checks + 1))
    printf '%s\n' "$@" | cmp -s - out || fail "$last: does not print: $*"
}
says() {
    checks=$((checks + 1))
    grep -qF -- "$1" err || fail "$last: does not say: $1"
}
says_nothing() {
    checks=$((checks + 1))
    [ ! -s err ] || fail "$last: says something"
}
shows() {
    checks=$((checks + 1))
    grep -qF -- "$1" out || fail "$last: does not show: $1"
}
is() {
    checks=$((checks + 1))
    "$@" || fail "not so: $*"
}

finish() {
    echo "$checks checks, $failures failed"
    [ "$failures" -eq 0 ]
    exit
}
