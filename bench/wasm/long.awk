# awk -f long.awk: a module whose size is its point: 20,000 operations in a line without a branch, a
# function with 2,000 locals, data and elements longer than the engine writes at a time.
#
# SPDX-License-Identifier: Apache-2.0
BEGIN {
    print "(module (memory 2) (table $t 8192 funcref)"
    print "(type $unary (func (param i32) (result i32)))"
    printf "(data $bytes \""
    for (i = 0; i < 16384; i++) printf "\\%02x", i % 256
    print "\")"
    printf "(elem $funcs func"
    for (i = 0; i < 8192; i++) printf " $locals"
    print ")"
    printf "(func $locals (param i32) (result i32) (local"
    for (i = 0; i < 2000; i++) printf " i32"
    print ") (local.get 0))"

    print "(func (export \"20,000 operations in a line\") (type $unary) (loop $forever"
    for (i = 0; i < 10000; i++)
        print "(local.set 0 (i32.mul (i32.add (local.get 0) (i32.const " i ")) (local.get 0)))"
    print "(br $forever)) (unreachable))"
    print "(func (export \"2,000 locals to clear\") (type $unary)"
    print "  (loop $forever (drop (call $locals (i32.const 1))) (br $forever)) (unreachable))"
    print "(func (export \"memory.init\") (type $unary) (loop $forever"
    print "  (memory.init $bytes (i32.const 1) (i32.const 0) (i32.const 16384))"
    print "  (br $forever)) (unreachable))"
    print "(func (export \"table.init\") (type $unary) (loop $forever"
    print "  (table.init $t $funcs (i32.const 0) (i32.const 0) (i32.const 8192))"
    print "  (br $forever)) (unreachable))"
    print ")"
}
