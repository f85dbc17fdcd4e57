# A mount believes a record that stands once and leaves it.
# file: src/store/log.c
# run: --only 0 --pairs 0 0
s/bool leave = area >= 0 ? !load_area(s, (unsigned)area)/bool leave = area >= 0 ? (load_area(s, (unsigned)area), false)/
