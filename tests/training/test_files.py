import pytest

from training.evaluate import report
from training.files import RecipeError, atomic_path, command, read_manifest, require_space, write_manifest
from training.speech import read_plan


def test_nothing_half_written_stays(tmp_path):
    target = tmp_path / "clip.wav"
    with pytest.raises(KeyError), atomic_path(target) as temporary:
        raise KeyError(temporary.write_text("half"))
    assert list(tmp_path.iterdir()) == []


def test_manifest_paths_are_relative_to_the_manifest(tmp_path):
    write_manifest(tmp_path / "manifest.jsonl", [{"audio_filepath": "clips/a.wav", "text": "नमस्ते"}])
    assert read_manifest(tmp_path / "manifest.jsonl")[0]["audio_filepath"] == str(tmp_path / "clips/a.wav")


def test_a_broken_manifest_names_its_line(tmp_path):
    (tmp_path / "manifest.jsonl").write_text('{"audio_filepath": "a.wav"}\n{oops\n')
    with pytest.raises(RecipeError, match="2 is not JSON"):
        read_manifest(tmp_path / "manifest.jsonl")


def test_a_full_disk_is_one_clear_line(tmp_path):
    with pytest.raises(RecipeError, match="make room"):
        require_space(tmp_path, wanted=2**62)


def test_a_missing_plan_says_which_step_makes_it(tmp_path):
    with pytest.raises(RecipeError, match="make the plan first"):
        read_plan(tmp_path / "plan.tsv")


def test_a_foreseeable_failure_is_one_line_and_status_1(tmp_path):
    def fail():
        read_plan(tmp_path / "plan.tsv")

    with pytest.raises(SystemExit, match="error: "):
        command(fail)


def test_report_counts_overall_and_by_voice():
    rows = [{"text": "एक दो", "voice": "a"}, {"text": "तीन चार", "voice": "b"}]
    table = report(rows, ["एक दो", "तीन"], by="voice")
    assert "| all | 2 |" in table
    assert "| a | 1 | 0.0 [0.0, 0.0] | 0.0 [0.0, 0.0] |" in table
    assert "| 50.0 [50.0, 50.0] |" in table
