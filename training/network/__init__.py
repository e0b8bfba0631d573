"""The model and what trains it: batches, checkpoints, curves."""
