#!/bin/sh
# The WIT by a real parser, where npm has installed one: wit.sh NODE NPM ROOT
# SPDX-License-Identifier: Apache-2.0
if [ ! -e "$2/installed" ]; then
    echo "skipped: no WIT parser in $2 (./dev install)"
    exit 77
fi
exec "$1" "$(dirname "$0")/wit.mjs" "$2" "$3"
