"""How a transcript is written: pure functions, NeMo's published cases."""
