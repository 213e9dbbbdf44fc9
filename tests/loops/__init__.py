"""Training scripts that know nothing of the hook, and the patches that put it in."""
