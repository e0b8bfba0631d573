"""A process that decodes strangers' files for weeks keeps nothing of them (PyAV-Org/PyAV#2282)."""

import json
import subprocess
import sys

import pytest


@pytest.mark.measuring
@pytest.mark.timeout(900)  # a quarter of a minute; however slow a machine is
def test_memory_does_not_grow_with_the_number_of_files():
    """A fifth of a minute in which 4,000 are decoded; 20,000 were, by hand (docs/reliability.md)."""
    command = [sys.executable, "-m", "tests.inference.audio.growth", "--decodes", "4000"]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert found["mib_a_minute"] < 1
    assert found["mib_more"] < 4
