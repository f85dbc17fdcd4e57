# An image of another engine is run.
# file: src/device/slot.c
s/ || s->image_build != SM_WASM_BUILD || / || /
