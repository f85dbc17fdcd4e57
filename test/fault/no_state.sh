#!/bin/sh
# no_state.sh LIBRARY...: fails when one of them has a variable at file scope, as nm tells: what a
# reset would clear, and what a test that starts a device twice in one process could mistake for
# memory. Constants that hold addresses (.data.rel.ro) do not change.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
found=$(for library; do
    nm -A "$library" 2>/dev/null | grep -E ' [bBcCsSgG] ' || true
    objdump -t "$library" | grep -E ' O \.data(\.rel\.local)?(\.[^r][^ ]*)?[[:space:]]' || true
done)
if [ -n "$found" ]; then
    echo "$found"
    echo "a library of the device side keeps state at file scope"
    exit 1
fi
echo "$# libraries without a variable at file scope"
