# A script of the test-suite's kind with a function too long for 16-bit branches: awk -f far.awk
#
# Each round goes through `steps` steps x = 3x + n (way 1), past them (2), or out (all others), by
# br_table. Expected values are computed here.
#
# SPDX-License-Identifier: Apache-2.0
function rounds(n, way,    x, i) {
    x = 0
    do {
        if (way != 1 && way != 2) return x
        if (way == 1)
            for (i = 0; i < steps; i++) x = (3 * x + n) % 4294967296
        x = (x + 1000) % 4294967296
    } while (--n != 0)
    return x
}

function expect(n, way) {
    printf "(assert_return (invoke \"far\" (i32.const %d) (i32.const %d)) (i32.const %u))\n", n, way,
        rounds(n, way)
}

BEGIN {
    steps = 9000
    print "(module (func (export \"far\") (param $n i32) (param $way i32) (result i32) (local $x i32)"
    print "(block $out (loop $again"
    print "(block $a (block $b (br_table $b $a $out (i32.sub (local.get $way) (i32.const 1))))"
    for (i = 0; i < steps; i++)
        print "(local.set $x (i32.add (i32.mul (local.get $x) (i32.const 3)) (local.get $n)))"
    print ") (local.set $x (i32.add (local.get $x) (i32.const 1000)))"
    print "(br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))"
    print "(local.get $x)))"
    expect(1, 1)
    expect(7, 1)
    expect(7, 2)
    expect(7, 3)
    expect(7, 0)
}
