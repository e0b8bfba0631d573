"""Nothing is sent home: ONNX Runtime's telemetry is off wherever the project imports it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.samples import CLIPS

ROOT = Path(__file__).parent.parent
PACKAGES = sorted(
    path.name
    for path in ROOT.iterdir()
    if (path / "__init__.py").exists()
    and path.name != "tests"
    and any("import onnxruntime" in file.read_text(encoding="utf-8") for file in path.rglob("*.py"))
)


@pytest.fixture
def home(tmp_path):
    """Environment of a user who has nothing yet."""
    (tmp_path / "home").mkdir()
    # Nothing else is handed on: ONNX Runtime sends nothing either where CI=true or the like stands.
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home")}


def files_of(home):
    return [path for path in Path(home["HOME"]).rglob("*") if path.is_file()]


def test_onnx_runtime_would_write_into_the_home_directory(home, model_directory):
    """What the tests below would find: they can fail."""
    code = "import sys, onnxruntime; onnxruntime.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider'])"
    subprocess.run([sys.executable, "-c", code, model_directory / "model.onnx"], check=True, env=home)
    assert files_of(home)


def test_the_command_line_makes_no_file_outside_the_cache_and_no_socket(home, model_directory, tmp_path):
    command = [sys.executable, "-m", "inference", "--model", model_directory, "--cache", tmp_path / "cache", *CLIPS]
    sockets = set()
    with subprocess.Popen(command, cwd=ROOT, env=home, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            sockets |= {name for name in opened_by(process.pid) if name.startswith("socket:")}
    assert process.returncode == 0
    assert files_of(home) == []
    assert sockets == set()


def opened_by(pid):
    """What the file descriptors of a process are, as far as they can be looked at."""
    found = set()
    for path in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            found.add(str(path.readlink()))
        except OSError:  # closed meanwhile
            continue
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_that_imports_it_turns_it_off_first(package, home):
    code = f"import {package}, os, sys; print(os.environ.get('ORT_DISABLE_TELEMETRY'), 'onnxruntime' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=home, capture_output=True, text=True, check=True)
    assert found.stdout == "1 False\n"
