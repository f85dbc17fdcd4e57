# What failed is tried again in the same deployment.
# file: src/device/install.c
s/if (sm_dev_failed_before(r, req->sha, req->action))/if (false)/
