"""Tests of the whole house; `make test` runs those that need neither NeMo nor the training tools."""
