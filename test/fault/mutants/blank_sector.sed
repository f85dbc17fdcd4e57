# A sector that reads as blank is not erased.
# file: src/store/slot.c
# run: --only 0,2 --states 300 --pairs 20000 0
s/int err = sm_store_erase(w->store, w->erased);/const struct sm_flash *f = w->store->flash; int err = sm_blank(f, f->map(f->ctx, w->erased, f->sector_size), f->sector_size) ? 0 : sm_store_erase(w->store, w->erased);/
