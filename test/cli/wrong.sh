#!/bin/sh
# sandmote on command lines and files that are wrong: each is a message that names what is, an exit
# status, and nothing written. wrong.sh SANDMOTE WAT2WASM
# SPDX-License-Identifier: Apache-2.0
sandmote=$1 wat2wasm=$2
. "$(cd "$(dirname "$0")" && pwd)/lib.sh"

printf '(module (memory 1) (func (export "main") (result i32) i32.const 42) (func (export "")))' >m.wat
"$wat2wasm" m.wat -o m.wasm
printf '(module (func (export "main")))' >bare.wat
"$wat2wasm" bare.wat -o bare.wasm
printf '{"fleet": "f", "name": "n", "version": "1", "sequence": 1, "classes": ["mcu"],
    "entry": "main", "memory_bytes": 4096}' >m.json
expect 0 "$sandmote" key new k.pem
expect 0 "$sandmote" aot m.wasm -o m.native
expect 0 "$sandmote" sign --key k.pem m.wasm
expect 0 "$sandmote" sign --native --key k.pem m.native
expect 0 "$sandmote" pack --manifest m.json m.wasm -o packed.wasm
mkdir folder
: >empty
printf 'hello\n' >text
head -c 200 m.native >cut.native
truncate -s 5G huge
ls -1 >before

# Every command, every kind of wrong file: said in one line that names the file, and no file appears.
# refuses FILE COMMAND...: @ in the command stands for the file.
refuses() {
    file=$1
    shift
    for word in "$@"; do
        shift
        [ "$word" = @ ] && word=$file
        set -- "$@" "$word"
    done
    "$sandmote" "$@" >out 2>err
    got=$?
    checks=$((checks + 1))
    last="$*"
    [ $got -eq 1 ] || [ $got -eq 2 ] || fail "$last: exit status $got"
    checks=$((checks + 1))
    grep -q "^sandmote: .*$file" err || fail "$last: does not name the file"
}
for file in absent folder empty text /dev/null huge k.pem m.native.sig m.wasm.sig cut.native m.json; do
    refuses "$file" validate @
    refuses "$file" run @
    refuses "$file" aot @ -o none
    refuses "$file" pack --manifest m.json @ -o none
    refuses "$file" sign --key k.pem @
    refuses "$file" sign --native --key k.pem @
    refuses "$file" verify --key k.pub.pem @
    refuses "$file" verify --native --key k.pub.pem @
    refuses "$file" verify --key k.pub.pem --signature "$file" @
    refuses "$file" run --native @ m.wasm
    refuses "$file" run --native m.native --builder @ m.wasm
    refuses "$file" verify --key @ m.wasm
    [ "$file" = m.json ] || refuses "$file" pack --manifest @ m.wasm -o none
    case $file in
    k.pem) ;;
    *)
        refuses "$file" sign --key @ m.wasm
        refuses "$file" key show @
        ;;
    esac
    [ "$file" = m.native.sig ] || refuses "$file" inspect @
done
ls -1 >after
grep -vxE 'after|before|out|err' before >left
grep -vxE 'after|before|out|err' after | cmp -s - left || fail 'a file appeared'
checks=$((checks + 1))

# No argument, and options that no command has.
for command in key pack sign verify inspect validate run aot; do
    expect 64 "$sandmote" $command
    says "sandmote: $command: "
    says "usage: sandmote $command "
    expect 64 "$sandmote" $command --no-such m.wasm
    says "sandmote: $command: unknown option --no-such; known are "
done

# Nothing is said twice, and no value is empty but a function's name.
expect 64 "$sandmote" aot m.wasm -o one.native -o two.native
says 'aot: -o is said twice'
is test ! -e one.native
expect 64 "$sandmote" run --memory 65536 --memory 65536 m.wasm
says 'run: --memory is said twice'
expect 64 "$sandmote" sign --native --native --key k.pem m.native
says 'sign: --native is said twice'
expect 64 "$sandmote" aot --cc '' m.wasm -o none
says 'aot: --cc needs a value that is not empty'
expect 64 "$sandmote" sign --key= m.wasm
says 'sign: --key needs a value that is not empty'
expect 64 "$sandmote" sign --native=yes --key k.pem m.native
says 'sign: --native takes no value'
expect 0 "$sandmote" run --invoke '' m.wasm
expect 64 "$sandmote" run --invoke '' --invoke main m.wasm
says 'run: --invoke is said twice'

# A file that is something else is called what it is.
expect 2 "$sandmote" run m.native
says 'm.native: a native image, not a module'
expect 2 "$sandmote" validate empty
says 'empty: is empty'
expect 2 "$sandmote" aot m.native.sig -o none
says 'm.native.sig: a claim about a native image, not a module'
expect 2 "$sandmote" inspect m.wasm.sig
says 'm.wasm.sig: not a module; it has as many bytes as a signature'
is test ! -s out
expect 2 "$sandmote" validate k.pub.pem
says 'k.pub.pem: a PEM file, not a module'
expect 2 "$sandmote" validate m.wat
says 'm.wat: WebAssembly as text'
expect 1 "$sandmote" sign --key k.pem m.native
says 'm.native: a native image: a builder'
expect 1 "$sandmote" verify --key k.pub.pem m.native
says 'm.native: a native image: its claim is checked with --native'
expect 1 "$sandmote" verify --native --key k.pub.pem m.wasm
says 'm.wasm: not a native image'
expect 0 "$sandmote" inspect m.native.sig
shows 'm.native.sig, a claim about a native image'
shows "module     $(sha256sum m.wasm | cut -d' ' -f1)"
shows "image      $(sha256sum m.native | cut -d' ' -f1), $(wc -c <m.native) bytes"
shows 'target     '

# Native images that cannot run: why, and what would help.
expect 1 "$sandmote" run --native absent m.wasm
says 'absent: cannot open: No such file or directory'
expect 1 "$sandmote" run --native m.native --memory 4100 m.wasm
says 'counts on guard pages, so its memory ends at a multiple of 4096 bytes, and the 4100 that it may'
expect 0 "$sandmote" aot --checks m.wasm -o checks.native
expect 1 "$sandmote" run --native checks.native --memory 4100 m.wasm
says 'counts on 65536 bytes of memory, and may have 4100'

expect 64 "$sandmote" run --epoch-ms 2147483648 m.wasm
says 'not a number of milliseconds, 0 to 2147483647'

# What the compiler is told.
expect 64 "$sandmote" aot --memory 4096 packed.wasm -o none
says 'packed.wasm: --memory: its manifest says memory_bytes'
expect 64 "$sandmote" aot --memory 4096 bare.wasm -o none
says 'bare.wasm: --memory: the module has no memory'
expect 64 "$sandmote" aot --memory 0 m.wasm -o none
says 'not a number of bytes, 1 to 4294967296'
expect 64 "$sandmote" aot --unroll many m.wasm -o none
says 'not a number of operators, 0 to 10000'
expect 64 "$sandmote" aot m.wasm
says 'aot: -o is missing'
for option in target checks memory cc optimize unroll keep-c no-epoch; do
    says "--$option"
done
expect 1 "$sandmote" aot --cc "$(printf '%01100d' 0)" m.wasm -o none
says 'has more than 1023 characters'
expect 1 env TMPDIR=absent "$sandmote" aot m.wasm -o none
says 'cannot make a folder in absent/sandmote-'

# What is no regular file is not replaced by one.
mkfifo pipe
expect 1 "$sandmote" aot m.wasm -o pipe
says 'pipe: is there and is not a regular file'
is test -p pipe
expect 1 "$sandmote" pack --manifest m.json m.wasm -o folder
says 'folder: is there and is not a regular file'
expect 1 "$sandmote" aot m.wasm -o absent/none
says 'absent/none.part: cannot create: No such file or directory'
is test ! -e none

finish
