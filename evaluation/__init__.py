"""Scoring and manifests: what export, training and benchmarks measure by."""
