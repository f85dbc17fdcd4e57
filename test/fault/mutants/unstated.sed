# A module is taken though the server says nothing.
# file: src/device/current.c
# run: --stated --states 100 --pairs 0 13
s/if (!holds(d))/if (false)/
