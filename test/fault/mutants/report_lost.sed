# A slot is used again while its outcome waits for the server.
# file: src/device/install.c
s/if ((r->slot\[slot\].unreported \& ~d->apps\[index\].acked\[slot\]) != 0)/if (false)/
