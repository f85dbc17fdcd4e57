# A plugin may be signed by the key that signs applications.
# file: src/trust/trust.c
# run: --plugin --states 60 --pairs 0 13
s/if (!vendor \&\& m->kind != SM_KIND_APPLICATION \&\& m->sensor.values > 0)/if (false)/
