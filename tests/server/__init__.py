"""Tests of the server's parts, each by itself."""
