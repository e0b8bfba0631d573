"""What a run leaves for the next call, and what it refuses to go on from."""

import json
import sys

import pytest

from tests.training.needs import WARNS, needs
from training.files import RecipeError

pytestmark = [needs("torch"), WARNS]


def test_weights_cut_off_while_they_were_written_are_none(tmp_path):
    from training.network.checkpoint import weights

    (tmp_path / "weights").mkdir()
    for name in (".part-ab12.pt", "00000100.pt", "00000020.pt"):
        (tmp_path / "weights" / name).touch()
    assert [path.name for path in weights(tmp_path)] == ["00000020.pt", "00000100.pt"]


def test_a_checkpoint_of_another_model_is_refused_in_one_line(tmp_path):
    import torch

    from training.network.checkpoint import Progress, load_latest, save

    def model(*names):
        made = torch.nn.ModuleDict({name: torch.nn.Linear(2, 2) for name in names})
        return made, torch.optim.AdamW(made.parameters())

    save(tmp_path, *model("decoder", "foreign"), Progress(5))
    assert load_latest(tmp_path, *model("decoder", "foreign")) == Progress(5)
    with pytest.raises(
        RecipeError, match=r"last\.pt is of a model with other parameters: .*--foreign-apart"
    ) as refusal:
        load_latest(tmp_path, *model("decoder"))
    assert "\n" not in str(refusal.value)


@pytest.fixture
def call(tmp_path, monkeypatch):
    """A step in this process; what it would train on names a clip that is missing."""
    row = {"audio_filepath": "gone.wav", "duration": 1.0, "text": "नमस्ते"}
    (tmp_path / "m.jsonl").write_text(json.dumps(row), encoding="utf-8")

    def run(main, *arguments):
        monkeypatch.setattr(sys, "argv", ["step", "--work", str(tmp_path / "run"), *map(str, arguments)])
        main()

    return run


@pytest.mark.training
@needs("nemo")
@pytest.mark.parametrize("start", ["--start", "--whisper"])
def test_clips_are_looked_at_before_a_start_is_made_with_them(call, tmp_path, start):
    from training.train import main

    with pytest.raises(RecipeError, match=r"gone\.wav cannot be read"):
        call(main, "--train", tmp_path / "m.jsonl", start, tmp_path / "nowhere")


@pytest.mark.training
@needs("nemo")
@pytest.mark.parametrize("start", ["--start", "--whisper"])
def test_a_run_that_began_by_chance_is_given_no_start(call, tmp_path, start):
    from training.train import main

    (tmp_path / "run").mkdir()
    (tmp_path / "run/last.pt").touch()
    with pytest.raises(RecipeError, match="run holds a run that began by chance"):
        call(main, "--train", tmp_path / "m.jsonl", start, tmp_path / "nowhere")


@pytest.mark.training
@needs("nemo")
def test_a_transplant_is_not_put_into_a_run_that_has_begun(call, tmp_path):
    from training.transplant import main

    (tmp_path / "run").mkdir()
    (tmp_path / "run/last.pt").touch()
    with pytest.raises(RecipeError, match="run holds a run that has begun"):
        call(main, "--teacher", tmp_path, "--start", tmp_path, "--clips", tmp_path / "m.jsonl")
