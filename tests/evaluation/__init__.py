"""Tests of the library: real audio, the real model, no server."""
