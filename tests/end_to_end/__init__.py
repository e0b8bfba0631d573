"""Tests of a real Gunicorn with real pool processes and the real model."""
