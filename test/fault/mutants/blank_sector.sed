# A sector that reads as blank is not erased.
# file: src/store/slot.c
# run: --only 1,6,7 --states 400 --pairs 3000 0
s/int err = sm_store_erase(w->store, w->erased);/const struct sm_flash *f = w->store->flash; int err = sm_blank(f, f->map(f->ctx, w->erased, f->sector_size), f->sector_size) ? 0 : sm_store_erase(w->store, w->erased);/
