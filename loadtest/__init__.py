"""Measures the server on the machine at hand: `python -m loadtest COMMAND`, over one harness."""
