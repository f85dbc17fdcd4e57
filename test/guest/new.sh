#!/bin/sh
# `sandmote new`: projects that build at once, in a folder whose name has spaces.
# new.sh SANDMOTE ROOT NPM
# SPDX-License-Identifier: Apache-2.0
sandmote=$1 root=$2 npm=$3
. "$root/test/cli/lib.sh"

languages='c rust'
if [ -x "$npm/node_modules/.bin/asc" ]; then
    languages='c rust as'
else
    echo "skipped: AssemblyScript, which is not in $npm (./dev install)"
fi
export ASC="$npm/node_modules/.bin/asc" SANDMOTE="$sandmote"

# What a README shows as commands, with the program for its name.
commands() {
    printf 'set -e\nsandmote() { "%s" "$@"; }\n' "$sandmote"
    sed -n '/^```sh$/,/^```$/p' "$1" | grep -v '^```'
}

mkdir -p "my modules" && cd "my modules" || exit 1
for lang in $languages; do
    expect 0 "$sandmote" new --lang $lang hello-$lang
    shows "hello-$lang/build.sh"
    is grep -q "\"name\": \"hello-$lang\"" hello-$lang/manifest.json
    expect 1 grep -rl @NAME@ hello-$lang
    commands hello-$lang/README.md >commands.sh
    expect 0 sh -c "cd hello-$lang && . ../commands.sh"
    shows 'build/module.wasm: good'
    says 'log: 21.5 C'
    # From another folder, and once more.
    expect 0 ./hello-$lang/build.sh
    # A folder that is there is left as it is.
    cp -R hello-$lang before
    expect 1 "$sandmote" new --lang $lang hello-$lang
    says "hello-$lang: is there already; nothing was written"
    is diff -r before hello-$lang
    rm -rf before
done

# The same of plugins: there is no log to see, but what they export.
for lang in $languages; do
    expect 0 "$sandmote" new --plugin --lang $lang drives-$lang
    is grep -q '"name": "drives-'$lang'"' drives-$lang/manifest.json
    expect 1 grep -rl @NAME@ drives-$lang
    commands drives-$lang/README.md >commands.sh
    expect 0 sh -c "cd drives-$lang && . ../commands.sh"
    shows 'build/module.wasm: good'
    shows 'T1: a TMP105 on i2c-1 at 0x48, measures temperature'
    shows 'alert_high: -55000 to 125000, at first 80000, times 10^-3 degC; written by rule lowest'
    shows 'set_alert_high (f32) -> ()'
    shows 'get_alert_high () -> (f32)'
done

expect 0 "$sandmote" new --lang c "$PWD/deep"
is test -x deep/build.sh
echo x >file
expect 1 "$sandmote" new --lang c file
says 'file: is there already; nothing was written'
expect 1 "$sandmote" new --lang c none/hello
says 'none/hello: cannot be made: No such file or directory'
expect 64 "$sandmote" new --lang pascal hello
says '"pascal" is none of c, rust, as'
expect 64 "$sandmote" new hello
says '--lang is missing'
expect 64 "$sandmote" new --lang c
says 'name one module'
for name in Hello 1st -- '' a_b 'a b' a/ "$(printf '%033d' 0 | tr 0 a)"; do
    expect 64 "$sandmote" new --lang c -- "$name"
done
says "a module's name has 1 to 32 of"
is test ! -e hello

finish
