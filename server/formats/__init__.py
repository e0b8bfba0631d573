"""Transcript → the forms in which people want it; pure functions."""
