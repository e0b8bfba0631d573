"""Tests of everything; `make test` runs those that need neither NeMo nor the training tools."""
