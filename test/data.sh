# Where the public test data is: sourced by test scripts.
# $SANDMOTE_TEST_DATA, else shared/data beside the checkout, else what `./dev test-data` cloned.
# SPDX-License-Identifier: Apache-2.0

root=$(cd "$(dirname "$0")" && while [ ! -f dev ] && [ "$PWD" != / ]; do cd ..; done && pwd)

# test_data NAME: prints the folder, or says on stderr what is skipped and fails.
test_data() {
    for base in "${SANDMOTE_TEST_DATA:-}" "$root/../shared/data" "$root/build/test-data"; do
        if [ -n "$base" ] && [ -d "$base/$1" ]; then
            echo "$base/$1"
            return 0
        fi
    done
    echo "skipped: no $1 (set SANDMOTE_TEST_DATA, or run ./dev test-data)" >&2
    return 1
}
