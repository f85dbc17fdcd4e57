# awk -v functions=N [-v word=WORD] -f padded.awk: a module that logs a word of four letters once a tick
# (tick), and is as large as asked.
#
# SPDX-License-Identifier: Apache-2.0
BEGIN {
    if (word == "")
        word = "tick"
    print "(module (import \"sandmote\" \"log\" (func $log (param i32 i32)))"
    print "(memory (export \"memory\") 1) (data (i32.const 16) \"" word "\")"
    print "(func (export \"sensor_tick\") (call $log (i32.const 16) (i32.const 4)))"
    for (i = 0; i < functions; i++) {
        print "(func (export \"f" i "\") (param i32 i32) (result i32) (local i32)"
        for (k = 0; k < 6; k++)
            print "(local.set 2 (i32.xor (i32.mul (local.get 0) (i32.const " i + k \
                ")) (i32.add (local.get 1) (local.get 2))))"
        print "(local.get 2))"
    }
    print ")"
}
