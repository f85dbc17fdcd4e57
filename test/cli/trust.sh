#!/bin/sh
# sandmote trust: key sets from the plan to the last signature, several roots one after the other,
# one of them in a token. trust.sh SANDMOTE OPENSSL SOFTHSM2_UTIL
# SPDX-License-Identifier: Apache-2.0
sandmote=$1 openssl=$2 softhsm=$3
. "$(cd "$(dirname "$0")" && pwd)/lib.sh"

module=
for path in /usr/lib/softhsm/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so; do
    [ -e "$path" ] && module=$path
done

for who in root1 root2 root3 signer stranger; do
    expect 0 "$sandmote" key new $who.pem
done
expect 0 "$openssl" req -x509 -key root2.pem -subj /CN=root2 -days 1 -out root2.crt
expect 0 "$openssl" req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key \
    -subj /CN=ca -days 1 -out ca.pem
"$openssl" pkey -pubin -in root3.pub.pem -outform DER | tail -c 32 >root3.raw
cat >plan.json <<'EOF'
{"fleet": "plant-7", "threshold": 2, "expires": "2035-01-01",
 "roots": ["root1.pub.pem", "root2.crt", "root3.raw"],
 "keys": [{"role": "signer", "key": "signer.pub.pem", "expires": "2030-06-30"},
          {"role": "vendor", "model": "BME280", "bus": "i2c-1", "addresses": ["0x77", 118],
           "capabilities": ["i2c/*"],
           "key": "ed25519:fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"}],
 "anchors": ["ca.pem"], "pins": ["ca.pem", "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="]}
EOF

# The first set: nobody takes it before enough roots have signed.
expect 0 "$sandmote" trust commission --issued 2026-01-31 plan.json -o 1.keys
shows 'key set     1 of fleet plant-7'
shows 'issued      2026-01-31'
shows 'expires     2035-01-01'
shows ', until 2030-06-30'
shows 'plugins for BME280 on i2c-1 at 0x76, 0x77, with i2c/*'
shows 'pin         sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
shows 'anchor      certificate with sha256'
shows 'signed      by 0 of the 3 roots of set 1, 2 must: not enough'
expect 1 "$sandmote" trust commission plan.json -o 1.keys
says '1.keys: exists, and a key set is never overwritten'
expect 1 "$sandmote" trust sign --key signer.pem 1.keys
says 'signer.pem: is no root of set 1'
expect 0 "$sandmote" trust sign --key root2.pem 1.keys
shows 'by 1 of the 3 roots of set 1, 2 must: not enough'
expect 0 "$sandmote" trust sign --key root2.pem 1.keys
shows 'by 1 of the 3 roots of set 1, 2 must: not enough'
expect 1 "$sandmote" trust check 1.keys
says 'no device takes it as its first: too few roots signed it'
expect 0 "$sandmote" trust sign --key root3.pem 1.keys
expect 0 "$sandmote" trust check 1.keys
prints '1.keys: good: key set 1 of fleet plant-7'
cp 1.keys changed.keys
printf 'x' | dd of=changed.keys bs=1 seek=100 conv=notrunc 2>/dev/null
expect 1 "$sandmote" trust check changed.keys
head -c 200 1.keys >cut.keys
expect 1 "$sandmote" trust show cut.keys
says 'cut.keys: not a key set'

# A root in a token takes the place of one in a file: both thresholds must sign.
mkdir tokens
echo "directories.tokendir = $tmp/tokens" >softhsm2.conf
export SOFTHSM2_CONF="$tmp/softhsm2.conf"
expect 0 "$softhsm" --init-token --free --label 'the fleet' --pin 1234 --so-pin 5678
echo 1234 >pin
echo 4321 >wrong
# SoftHSM leaves 37 bytes behind, which a build with sanitizers would hold against us.
hsm="env ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0"
root4="pkcs11:token=the%20fleet;object=root4?module-path=$module&pin-source=file:$tmp/pin"
expect 1 $hsm "$sandmote" key show "$root4"
says 'token "the fleet" has no Ed25519 key labelled "root4"'
expect 0 $hsm "$sandmote" key new "$root4"
hex=$(sed -n 's/ed25519 //p' out)
expect 1 $hsm "$sandmote" key new "$root4"
says 'a key is never overwritten'
expect 0 $hsm "$sandmote" key show "$root4"
shows "ed25519 $hex"
expect 1 $hsm "$sandmote" key show "pkcs11:token=the%20fleet;object=root4?module-path=$module&pin-source=file:wrong"
says "the token's PIN is wrong"
expect 1 $hsm "$sandmote" key show "pkcs11:token=the%20fleet;object=root4?module-path=$module"
says 'the token wants a PIN'
expect 1 $hsm "$sandmote" key show "pkcs11:token=none;object=root4?module-path=$module&pin-value=1234"
says 'no token is labelled "none"'
expect 1 $hsm "$sandmote" key show "pkcs11:token=none;object=root4?module-path=./plan.json"
says 'module-path: '
expect 1 $hsm "$sandmote" key show "pkcs11:token=a;colour=blue"
says 'pkcs11 URI: "colour" is not understood'
expect 1 $hsm "$sandmote" key show "pkcs11:token=a%2;object=b"
says 'pkcs11 URI: "token" is not understood'
expect 1 $hsm "$sandmote" key show "pkcs11:object=b"
says 'pkcs11 URI: token= is missing'

expect 64 $hsm "$sandmote" trust rotate --old root3.raw --new "$root4" -o 2.keys
says 'rotate takes --after'
expect 1 $hsm "$sandmote" trust rotate --after 1.keys --old stranger.pub.pem --new "$root4" -o 2.keys
says 'stranger.pub.pem: is no key of set 1'
expect 0 $hsm "$sandmote" trust rotate --after 1.keys --old root3.raw --new "$root4" -o 2.keys
shows "root        ed25519:$hex"
expect 0 $hsm "$sandmote" trust sign --after 1.keys --key "$root4" 2.keys
shows 'by 0 of the 3 roots of set 1, 2 must: not enough'
shows 'by 1 of the 3 roots of set 2, 2 must: not enough'
expect 1 "$sandmote" trust sign --key root3.pem 2.keys
says 'if it is one of the set before, name that with --after'
expect 0 "$sandmote" trust sign --after 1.keys --key root3.pem 2.keys
expect 1 "$sandmote" trust check --after 1.keys 2.keys
says 'too few roots signed it'
expect 0 "$sandmote" trust sign --after 1.keys --key root1.pem 2.keys
expect 0 "$sandmote" trust check --after 1.keys 2.keys
expect 1 "$sandmote" trust check --after 2.keys 2.keys
says 'not newer than the set in force'

# A token signs modules too, and openssl agrees.
printf '\0asm\1\0\0\0' >m.wasm
expect 0 $hsm "$sandmote" sign --key "$root4" m.wasm
expect 0 "$sandmote" verify --key "ed25519:$hex" m.wasm
prints 'm.wasm: good signature'

# Revocation: the key leaves the set, and stays revoked in what follows.
expect 0 "$sandmote" trust revoke --after 2.keys --stop signer.pub.pem m.wasm -o 3.keys
shows 'and what is installed of it stops'
shows "revoked     module $(sha256sum m.wasm | cut -d ' ' -f 1)"
is test "$(grep -c '^signer' out)" -eq 0
expect 0 $hsm "$sandmote" trust sign --key "$root4" 3.keys
expect 0 "$sandmote" trust sign --key root2.pem 3.keys
expect 0 "$sandmote" trust check --after 2.keys 3.keys
expect 1 "$sandmote" trust check --after 1.keys 3.keys
says 'too few roots signed it'
expect 1 "$sandmote" trust revoke --after 2.keys root2.crt -o x.keys
says 'root2.crt: is a root'
expect 1 "$sandmote" trust revoke --after 2.keys module:12 -o x.keys
says "module: and the module's SHA-256"
expect 1 "$sandmote" trust propose --after 3.keys plan.json -o x.keys
says 'no device would take this set: a key is both in use and revoked'
sed -i 's/signer.pub.pem/stranger.pub.pem/; s/"threshold": 2/"threshold": 3/' plan.json
expect 0 "$sandmote" trust propose --after 3.keys --expires never plan.json -o 4.keys
shows 'key set     4 of fleet plant-7'
shows 'expires     never'
shows 'revoked     module'
sed -i 's/plant-7/plant-8/' plan.json
expect 1 "$sandmote" trust propose --after 3.keys plan.json -o x.keys
says '3.keys: is of fleet plant-7, the plan of fleet plant-8'

# What is wrong with a plan is named.
wrong() {
    sed "$1" plan.json >wrong.json
    expect 1 "$sandmote" trust commission wrong.json -o x.keys
    says "$2"
    is test ! -e x.keys
}
wrong 's/"signer"/"root"/' 'keys[0]: role must be signer, vendor, builder, requester or server'
wrong 's/"model": "BME280", //' 'keys[1]: a vendor needs a model and a bus'
wrong 's/root1.pub.pem/root1.pem/' 'root1.pem: a private key, where the public one belongs'
wrong 's/root1.pub.pem/ca.pem/' 'but Ed25519 is needed'
wrong 's/root1.pub.pem/gone.pem/' 'gone.pem: cannot read the key'
wrong 's/2030-06-30/2030-02-30/' 'keys[0]: a time is'
wrong 's/"threshold": 3/"threshold": 4/' 'a list has too few or too many items'
wrong 's/47DEQ/47DE/' 'pins[1]: must have 44 characters'
wrong 's/"anchors": \["ca.pem"\]/"anchors": ["root2.pub.pem"]/' 'no certificate in PEM form'
wrong 's/fc51/zz51/' 'must have 64 hex digits'
wrong 's/"fleet"/"flotte"/' 'flotte'
wrong 's/root3.raw/root1.pub.pem/' 'roots[2]: is the same as roots[0]'
wrong 's/stranger.pub.pem/root1.pub.pem/' 'keys[0]: is the same as roots[0]'
wrong 's/"sha256[^"]*"/"ca.pem"/' 'pins[1]: is the same as pins[0]'

# What is stopped stays so; and what would burn the time of devices is said before it is signed.
expect 0 "$sandmote" trust revoke --after 3.keys m.wasm -o again.keys
shows "revoked     module $(sha256sum m.wasm | cut -d ' ' -f 1), and what is installed of it stops"
expect 0 "$sandmote" trust rotate --after 1.keys --issued 2099-01-01 --old signer.pub.pem --new stranger.pub.pem -o late.keys
says 'warning: late.keys: is issued in the future'
says "warning: a signer's key expires before the set is issued"
expect 0 "$sandmote" trust sign --after 1.keys --key root1.pem late.keys
says 'warning: late.keys: is issued in the future'
expect 1 "$sandmote" trust rotate --after 1.keys --old root1.pub.pem --new root2.crt -o x.keys
says 'root2.crt: is in set 1 already'
expect 1 "$sandmote" trust sign --after 2.keys --key root1.pem 1.keys
says '1.keys: is set 1 of fleet plant-7, and does not come after set 2 of fleet plant-7'

expect 64 "$sandmote" trust commission -o x.keys
says 'commission takes one plan'
expect 64 "$sandmote" trust propose --after 1.keys plan.json plan.json -o x.keys
says 'propose takes one plan'
expect 64 "$sandmote" trust commission plan.json
says '-o FILE is missing'
expect 64 "$sandmote" trust sign --after 1.keys --key root1.pem --expires never 2.keys
says 'sign takes no --expires'
expect 64 "$sandmote" trust
expect 64 "$sandmote" trust juggle 1.keys
says 'there is no `trust juggle`'
expect 64 "$sandmote" trust show
expect 1 "$sandmote" trust show plan.json
says 'plan.json: not a key set'

finish
