"""The command line: `python -m inference FILE...` and `python -m inference probe FILE...`."""
