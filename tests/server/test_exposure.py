"""A server that knows nobody listens on this machine alone, whoever says where: settings, options, systemd."""

import subprocess
import sys
from pathlib import Path

import pytest

from config.settings import Settings
from server.exposure import Exposed, refuse_exposure


@pytest.fixture(autouse=True)
def no_keys(monkeypatch, tmp_path):
    monkeypatch.setenv("ASR_KEYS_FILE", str(tmp_path / "keys.json"))


@pytest.mark.parametrize("address", [("127.0.0.1", 8000), ("127.8.8.8", 1), ("::1", 1), ("localhost", 1), "/run/asr"])
def test_this_machine_may_reach_it(address):
    refuse_exposure(Settings(), [address])


@pytest.mark.parametrize(
    "address",
    [
        ("0.0.0.0", 8000),
        ("::", 8000),
        ("", 8000),
        ("192.0.2.1", 8000),
        ("::ffff:192.0.2.1", 8000),
        ("localhost.example", 8000),
        3,  # a descriptor that somebody has opened somewhere
    ],
)
@pytest.mark.parametrize("others", [[], [("127.0.0.1", 8000)]])
def test_others_may_when_callers_are_known_or_somebody_says_that_they_need_not_be(monkeypatch, address, others):
    with pytest.raises(Exposed, match=r"server\.keys create"):
        refuse_exposure(Settings(), [*others, address])
    for variable, value in {"ASR_AUTH": "none", "ASR_KEYS": "{}"}.items():
        with monkeypatch.context() as given:
            given.setenv(variable, value)
            refuse_exposure(Settings(), [*others, address])


TWICE = """
import pathlib, runpy, sys
first = runpy.run_path("gunicorn.conf.py")["bind"]
pathlib.Path(sys.argv[1]).write_text("{}")
again = runpy.run_path("gunicorn.conf.py")
print(first, again["bind"], again["settings"].authenticates)
"""


def test_a_first_key_closes_the_door_at_a_reload_and_does_not_move_it(tmp_path):
    """Else Gunicorn closes where it listens, finds the port taken by its own workers, and cannot replace them."""
    command = [sys.executable, "-c", TWICE, str(tmp_path / "keys.json")]
    root = Path(__file__).parents[2]
    said = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "['127.0.0.1:8000'] ['127.0.0.1:8000'] True"
