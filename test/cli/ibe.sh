#!/bin/sh
# sandmote ibe: from parameters to a revocation, on files. ibe.sh SANDMOTE
# SPDX-License-Identifier: Apache-2.0
sandmote=$1
. "$(cd "$(dirname "$0")" && pwd)/lib.sh"
temperature=/resources/device01/BME280/temperature

ibe() {
    want=$1 what=$2
    shift 2
    case $what in
    setup | revoke) expect "$want" "$sandmote" ibe $what "$@" ;;
    keygen) expect "$want" "$sandmote" ibe keygen --params p.params --master p.master "$@" ;;
    *) expect "$want" "$sandmote" ibe $what --params p.params "$@" ;;
    esac
}

ibe 0 setup --leaves 8 -o p
shows 'keep it secret'
is test "$(stat -c %a p.master)" = 600
is test "$(stat -c %s p.params)" = 130
ibe 1 setup -o p
says 'p.params: is there already'

# Who is at Loc1 reads, who is elsewhere does not; one signing key; one that may be passed on.
for who in Loc1/Alice Loc1/Bob Loc2/Sarah; do
    ibe 0 keygen --identity /entity/$who --resource $temperature --tree p.tree -o "${who#*/}"
    prints "4 keys ${who#*/} (secret)"
    is test "$(stat -c %a "${who#*/}")" = 600
done
ibe 1 keygen --identity /entity/Loc1/Alice --resource $temperature -o Alice
says 'Alice: exists, and a key is never overwritten'
echo 21.5 >v
ibe 0 encrypt --identity '/entity/Loc1/*' --resource $temperature --tree p.tree v -o v.1
for who in Alice Bob; do
    ibe 0 decrypt --key $who v.1 -o v.$who
    is cmp v v.$who
done
ibe 1 decrypt --key Sarah v.1 -o v.Sarah
says 'v.1: no key of Sarah opens it: it is for another identity, resource or hour, or the principal'
is test ! -e v.Sarah

# A revoked principal reads what was for it, and nothing from then on.
ibe 0 revoke --tree p.tree /entity/Loc1/Bob
shows '1 revoked'
ibe 1 revoke --tree p.tree /entity/Loc1/Bob
says 'has no principal /entity/Loc1/Bob, or it is revoked already'
ibe 0 encrypt --identity '/entity/Loc1/*' --resource $temperature --tree p.tree v -o v.2
ibe 0 decrypt --key Alice v.2 -o v.Alice
ibe 1 decrypt --key Bob v.2 -o v.Bob2
ibe 0 decrypt --key Bob v.1 -o v.Bob

# Delegation: only what * stands for, and revoked with whoever delegated.
ibe 0 keygen --identity '/entity/Loc2/Tom/*' --resource '/resources/device01/*' --tree p.tree -o tom
ibe 0 delegate --key tom --identity /entity/Loc2/Tom/Max --resource $temperature -o max
ibe 1 delegate --key max --identity /entity/Loc2/Tom/Eve -o eve
says 'max: does not hold that'
ibe 1 delegate --key tom --identity /entity/Loc1/Tom -o eve
ibe 0 encrypt --identity '/entity/Loc2/*' --resource $temperature --tree p.tree v -o v.3
ibe 0 decrypt --key max v.3 -o v.max
is cmp v v.max
ibe 0 revoke --tree p.tree /entity/Loc2/Tom
ibe 0 encrypt --identity '/entity/Loc2/*' --resource $temperature --tree p.tree v -o v.4
ibe 1 decrypt --key max v.4 -o v.max
ibe 1 keygen --identity '/entity/*/x' --resource $temperature --tree p.tree -o x
says '* may stand at the end only'

# Keys that end: by the hour in what is encrypted, and by the tree.
ibe 0 keygen --identity /entity/Loc1/Ann --resource $temperature --from 2026-01-01 \
    --until 2026-03-01 -o ann
prints '2 keys ann (secret)'
ibe 0 encrypt --identity /entity/Loc1/Ann --resource $temperature --at 1772323199 v -o v.5
ibe 0 decrypt --key ann v.5 -o v.ann
ibe 0 encrypt --identity /entity/Loc1/Ann --resource $temperature --at 2026-03-01 v -o v.6
ibe 1 decrypt --key ann v.6 -o v.ann
ibe 1 keygen --identity /entity/Loc1/Ann --resource $temperature --until 2001-01-01 -o ann2
says 'is not after the begin'
ibe 0 keygen --identity /entity/Loc1/Kim --resource $temperature --from 2000-01-01 \
    --until 2001-01-01 --tree p.tree -o kim
ibe 0 revoke --tree p.tree --expired
shows '1 revoked'
ibe 0 keygen --identity /entity/Loc1/Kim --resource $temperature --from 2000-01-01 \
    --until 2001-01-01 --tree p.tree -o kim2
ibe 0 keygen --identity /entity/Loc1/Kim --resource $temperature --until $(($(date +%s) + 7200)) \
    --tree p.tree -o kim3
ibe 0 encrypt --identity '/entity/Loc1/*' --resource $temperature --tree p.tree v -o v.9
ibe 0 decrypt --key kim3 v.9 -o v.kim
ibe 1 keygen --identity /entity/Loc1/Kim --resource $temperature --tree p.tree -o kim4
says '/entity/Loc1/Kim was admitted for a shorter time; revoke it first'

# Changes of the tree at the same time: none is lost.
expect 0 "$sandmote" ibe setup --leaves 16 -o m
for i in 1 2 3 4 5 6 7 8; do
    "$sandmote" ibe keygen --params m.params --master m.master --identity /entity/x/$i \
        --resource $temperature --tree m.tree -o many.$i >many.out.$i 2>&1 &
done
wait
for i in 1 2 3 4 5 6 7 8; do
    "$sandmote" ibe encrypt --params m.params --identity '/entity/x/*' --resource $temperature \
        --tree m.tree v -o many.v.$i >many.out.$i 2>&1 &
    "$sandmote" ibe revoke --tree m.tree /entity/x/$i >many.out.r$i 2>&1 &
done
wait
for i in 1 2 3 4 5 6 7 8; do
    expect 1 "$sandmote" ibe revoke --tree m.tree /entity/x/$i
done
is test "$(od -An -tu1 -w41 -v -j14 m.tree | grep -c '^ *2 ')" = 8

# Signatures, whose keys open nothing.
ibe 1 encrypt --purpose sign --identity /entity/Loc1/gateway --resource $temperature v -o out.v
says 'keys that sign are not to open anything'
ibe 0 keygen --identity /entity/Loc1/gateway --resource '/resources/*' --purpose sign -o gateway
ibe 0 sign --key gateway --identity /entity/Loc1/gateway --resource $temperature --at 2026-03-01 v
ibe 0 verify --identity /entity/Loc1/gateway --resource $temperature v
shows "signed as /entity/Loc1/gateway for $temperature, by a key for the hour of 2026-03-01"
ibe 1 verify --identity /entity/Loc1/Alice --resource $temperature v
says 'v: not signed as /entity/Loc1/Alice'
ibe 1 sign --key gateway --identity '/entity/*' --resource $temperature v
says 'no * here'
ibe 1 sign --key Alice --identity /entity/Loc1/Alice --resource $temperature v
says 'Alice: no key for that: it must be made with --purpose sign'
cp v.ibe-sig w.ibe-sig
echo 22.5 >w
ibe 1 verify --identity /entity/Loc1/gateway --resource $temperature w
ibe 1 keygen --identity /entity/a --resource $temperature --purpose sign --tree p.tree -o x
says 'are not revoked by the tree'

# What is damaged or of others.
tail -c +2 v.1 >bad
ibe 1 decrypt --key Alice bad -o out.v
says 'bad: is damaged, or cut short, or another kind of file'
head -c 700 v.1 >bad
ibe 1 decrypt --key Alice bad -o out.v
says 'bad: is damaged'
{ head -c -1 v.1 && printf '\377'; } >bad
ibe 1 decrypt --key Alice bad -o out.v
says 'bad: was changed after it was sealed'
ibe 1 decrypt --key v v.1 -o out.v
says 'v: is damaged, or cut short, or another kind of file'
is test ! -e out.v
ibe 0 setup --leaves 1 --slots 11 -o q
expect 1 "$sandmote" ibe decrypt --params q.params --key Alice v.1 -o out.v
says 'Alice: is of other parameters'
expect 1 "$sandmote" ibe keygen --params q.params --master p.master --identity /entity \
    --resource /resources -o x
says 'p.master: is of other parameters'
expect 1 "$sandmote" ibe keygen --params q.params --master q.master --identity /entity \
    --resource /resources --until 2099-01-01 -o x
says 'no slots for time'
expect 0 "$sandmote" ibe keygen --params q.params --master q.master --identity /entity \
    --resource /resources --tree q.tree -o x
expect 0 "$sandmote" ibe encrypt --params q.params --identity '/entity/*' --resource '/resources/*' v -o v.7
expect 1 "$sandmote" ibe keygen --params q.params --master q.master --identity /entity/b \
    --resource /resources --tree q.tree -o y
says 'no leaf is left'
expect 0 "$sandmote" ibe revoke --tree q.tree /entity
expect 1 "$sandmote" ibe encrypt --params q.params --identity '/entity' --resource /resources \
    --tree q.tree v -o v.8
says 'everybody is revoked'

# What is said wrongly.
ibe 1 encrypt --identity /entity//x --resource $temperature v -o out.v
says 'ibe: --identity /entity//x: at byte 8: a component is empty'
ibe 1 encrypt --identity /entity --resource '/resources/#' v -o out.v
says 'ibe: --resource /resources/#: at byte 11: +, # and $ belong to topics'
ibe 1 encrypt --identity /entity v -o out.v
says '--resource NAME'
ibe 1 setup --leaves 7 -o r
says 'a power of two up to 65536, not 7'
ibe 1 setup --slots 12 -o r
ibe 1 setup --seed 12 -o r
says '64 hex digits'
ibe 1 keygen --identity /entity --resource /resources --purpose read -o x
says 'encrypt, sign or configure, not read'
expect 64 "$sandmote" ibe
expect 64 "$sandmote" ibe open
expect 64 "$sandmote" ibe revoke --tree p.tree
finish
