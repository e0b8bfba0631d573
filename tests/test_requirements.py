"""Requirements: what is chosen by hand stands in the compiled files, and those can be installed by hash alone."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "requirements"
COMPILED = {"run": ROOT / "requirements.txt"} | {path.stem: path for path in sorted(FOLDER.glob("*.txt"))}
CHOSEN = sorted(FOLDER.glob("*.in"))
PIN = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[a-z,]+\])?==([^ \\;\n]+)", re.MULTILINE)


def pins(path):
    """Package → version, as a file names them; names as the index spells them."""
    found = PIN.findall(path.read_text(encoding="utf-8"))
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


@pytest.mark.parametrize("path", CHOSEN, ids=lambda path: path.stem)
def test_compiled_from_what_is_chosen(path):
    assert pins(path).items() <= pins(COMPILED[path.stem]).items(), "run 'make requirements'"


def test_every_environment_runs_the_server_with_the_same_packages():
    run = pins(COMPILED["run"])
    for name in ("dev", "bench"):
        assert run.items() <= pins(COMPILED[name]).items()


def test_a_version_is_chosen_in_one_place():
    chosen = [name for path in CHOSEN for name in pins(path)]
    assert len(chosen) == len(set(chosen))


@pytest.mark.parametrize("name", ["run", "dev", "bench", "peers", "audit"])
def test_every_package_has_a_hash(name):
    text = COMPILED[name].read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[a-z])", text, flags=re.IGNORECASE)
    assert len(pins(COMPILED[name])) > 30
    assert all("--hash=sha256:" in entry for entry in entries if PIN.match(entry))


@pytest.mark.parametrize("path", [*CHOSEN, *COMPILED.values()], ids=lambda path: path.name)
def test_every_line_is_one_that_pip_reads(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert all(re.match(r"$|#|\s|-[rc] |[A-Za-z0-9_.-]+(\[[a-z,]+\])?(==|\s*[@;]|$)", line) for line in lines)


@pytest.mark.parametrize("path", [*CHOSEN, *COMPILED.values()], ids=lambda path: path.name)
def test_no_index_is_named(path):
    assert not re.search(r"https?://|file:|--(extra-)?index-url|--find-links", path.read_text(encoding="utf-8"))
