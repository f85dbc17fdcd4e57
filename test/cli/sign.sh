#!/bin/sh
# sandmote key, sign and verify, beside openssl, in both directions. sign.sh SANDMOTE OPENSSL
# SPDX-License-Identifier: Apache-2.0
sandmote=$1 openssl=$2
. "$(cd "$(dirname "$0")" && pwd)/lib.sh"

printf '\0asm\1\0\0\0' >m.wasm

# Keys: private to their owner, never overwritten.
expect 0 "$sandmote" key new fleet.pem
shows 'public  fleet.pub.pem'
is test "$(stat -c %a fleet.pem)" = 600
is test "$(stat -c %a fleet.pub.pem)" = 644
shown=$(grep ed25519 out)
expect 0 "$sandmote" key show fleet.pem
shows "$shown"
expect 0 "$sandmote" key show fleet.pub.pem
shows "$shown"
cp fleet.pem before.pem
expect 1 "$sandmote" key new fleet.pem
says 'fleet.pem: exists, and a key is never overwritten'
is cmp -s fleet.pem before.pem
rm fleet.pem
expect 1 "$sandmote" key new fleet.pem
says 'fleet.pub.pem: exists'
is test ! -e fleet.pem
mv before.pem fleet.pem
expect 1 "$sandmote" key new nowhere/fleet.pem
says 'nowhere/fleet.pem: cannot create'
expect 0 "$sandmote" key new plain
is test -e plain.pub
expect 64 "$sandmote" key
expect 64 "$sandmote" key old fleet.pem

# Ours: signed here, accepted here and by openssl.
expect 0 "$sandmote" sign --key fleet.pem m.wasm
prints m.wasm.sig
says 'no section "sandmote", so no manifest'
is test "$(wc -c <m.wasm.sig)" -eq 64
expect 0 "$sandmote" verify --key fleet.pub.pem m.wasm
prints 'm.wasm: good signature'
expect 0 "$openssl" pkeyutl -verify -rawin -pubin -inkey fleet.pub.pem -in m.wasm -sigfile m.wasm.sig
expect 0 "$openssl" pkey -in fleet.pem -noout
expect 0 "$openssl" pkey -in fleet.pem -pubout
is cmp -s out fleet.pub.pem

# Theirs: key and signature by openssl, accepted here.
expect 0 "$openssl" genpkey -algorithm ed25519 -out theirs.pem
expect 0 "$openssl" pkey -in theirs.pem -pubout -out theirs.pub.pem
expect 0 "$openssl" pkeyutl -sign -rawin -inkey theirs.pem -in m.wasm -out theirs.sig
expect 0 "$sandmote" verify --key theirs.pub.pem --signature theirs.sig m.wasm
expect 0 "$sandmote" sign --key theirs.pem m.wasm
is cmp -s theirs.sig m.wasm.sig

# Everything else is bad.
expect 1 "$sandmote" verify --key fleet.pub.pem m.wasm
says 'm.wasm: BAD signature'
printf x >>m.wasm
expect 1 "$sandmote" verify --key theirs.pub.pem m.wasm
says 'BAD signature'
printf '\0asm\1\0\0\0' >m.wasm
expect 0 "$sandmote" verify --key theirs.pub.pem m.wasm
printf x >>m.wasm.sig
expect 1 "$sandmote" verify --key theirs.pub.pem m.wasm
says 'm.wasm.sig: BAD signature: it must have 64 bytes and has 65'
rm m.wasm.sig
expect 1 "$sandmote" verify --key theirs.pub.pem m.wasm
says 'm.wasm.sig'
expect 64 "$sandmote" verify m.wasm
says '--key is missing'
expect 64 "$sandmote" verify --key theirs.pub.pem

# Keys that are none, or of another kind, or in the wrong place.
expect 1 "$sandmote" verify --key fleet.pem m.wasm
says 'fleet.pem: a private key, where the public one belongs'
expect 1 "$sandmote" sign --key fleet.pub.pem m.wasm
says 'fleet.pub.pem: a public key, where the private one is needed'
expect 1 "$sandmote" sign --key m.wasm m.wasm
says 'm.wasm: no private key in PEM form'
expect 1 "$sandmote" verify --key m.wasm m.wasm
says 'm.wasm: no public key in PEM form'
expect 1 "$sandmote" key show m.wasm
says 'm.wasm: no public key in PEM form'
expect 1 "$sandmote" sign --key absent.pem m.wasm
says 'absent.pem: cannot read the key: No such file or directory'
expect 0 "$openssl" genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out p256.pem
expect 1 "$sandmote" sign --key p256.pem m.wasm
says 'p256.pem: a key of type EC, but Ed25519 is needed'
expect 0 "$openssl" genpkey -algorithm X25519 -out x25519.pem
expect 1 "$sandmote" key show x25519.pem
says 'x25519.pem: a key of type X25519, but Ed25519 is needed'
expect 0 "$openssl" pkey -in fleet.pem -aes256 -passout pass:secret -out locked.pem
expect 1 "$sandmote" sign --key locked.pem m.wasm
says 'locked.pem: the key is under a passphrase'
expect 1 "$sandmote" key show locked.pem
says 'locked.pem: the key is under a passphrase'
head -c 70 fleet.pem >cut.pem
expect 1 "$sandmote" sign --key cut.pem m.wasm
says 'cut.pem: no private key in PEM form'

# A module key signs modules only.
echo text >letter.txt
expect 1 "$sandmote" sign --key fleet.pem letter.txt
says 'letter.txt: not a module: '
is test ! -e letter.txt.sig

finish
