"""Servers to be compared with: the original design, and what an engineer would write in an afternoon."""
