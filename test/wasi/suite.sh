#!/bin/sh
# suite.sh SANDMOTE [NAME...]: the public wasi-testsuite, where it is (see suite.js).
# SPDX-License-Identifier: Apache-2.0
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../data.sh"
sandmote=$1
shift
data=$(test_data wasi-testsuite) || exit 77
exec "$(command -v node || command -v nodejs)" "$here/suite.js" "$sandmote" "$data" "$@"
