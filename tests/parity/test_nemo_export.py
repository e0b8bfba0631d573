"""A real .nemo file → export → the same log-probabilities and text as NeMo."""

import numpy as np
import onnx
import pytest
import soundfile

from export.checkpoint import open_checkpoint
from export.cli import main
from export.configuration import Shape
from export.convert import Choices, Labels, write_package
from export.random_model import random_checkpoint
from export.reference import NemoReference
from export.verify import PackageStages, compare
from inference.errors import PackageError
from inference.package import load_package
from inference.prepared.rewriting.rewrite import rewrite
from inference.types import Waveform
from tests.parity.signals import SAMPLE_RATE, voice

TOLERANCE = 1e-4
LABELS = Labels("tiny", "hi", "none")


@pytest.fixture(scope="module", params=["nemo-1", "nemo-2.5"])
def package(request, nemo_checkpoint, tmp_path_factory):
    # What went through the model before must not show in the graph.
    NemoReference(nemo_checkpoint.model, "nemo-2.5")(Waveform(voice(5 * SAMPLE_RATE), SAMPLE_RATE))
    out = tmp_path_factory.mktemp("package") / request.param
    return write_package(nemo_checkpoint, out, LABELS, Choices(semantics=request.param))


@pytest.fixture(scope="module")
def both(package, nemo_checkpoint):
    return NemoReference(nemo_checkpoint.model, package.features.semantics), PackageStages(package)


@pytest.fixture(scope="module")
def placed(tmp_path_factory):
    """The same of absolute positions, unscaled, with narrow feed-forwards and plain features; the graph rewritten."""
    folder = tmp_path_factory.mktemp("placed")
    shape = Shape(
        width=32, layers=2, heads=4, positions=300, expansion=1, attention="abs_pos", scaled=False, normalisation="NA"
    )
    checkpoint = random_checkpoint(shape, seed=7)
    package = write_package(checkpoint, folder / "package", LABELS, Choices("nemo-2.5"))
    rewrite(package.model_path(), folder / "rewritten.onnx")
    (folder / "rewritten.onnx").replace(package.model_path())
    return NemoReference(checkpoint.model, "nemo-2.5"), PackageStages(package)


# Every remainder of frames by the subsampling: NeMo carries a masked frame that we leave out.
@pytest.mark.parametrize("frames", [10, 11, 12, 13, 14, 15, 16, 17, 100, 101, 102, 103, 333, 998, 1_003])
@pytest.mark.parametrize("more_samples", [0, 1, 159])
def test_equal_log_probabilities_and_text(both, frames, more_samples):
    comparison = compare(*both, Waveform(voice(160 * frames + more_samples, seed=frames), SAMPLE_RATE))
    assert comparison.features_difference <= 5e-4
    assert comparison.log_probabilities_difference <= TOLERANCE
    assert comparison.same_text
    assert comparison.nemo.text or frames < 100  # or equal texts would say nothing


@pytest.mark.parametrize("frames", [10, 11, 12, 13, 333, 998])
def test_absolute_positions_too(placed, frames):
    comparison = compare(*placed, Waveform(voice(160 * frames, seed=frames), SAMPLE_RATE))
    assert comparison.features_difference <= 2e-3
    assert comparison.log_probabilities_difference <= TOLERANCE
    assert comparison.same_text
    assert comparison.nemo.text or frames < 100


def test_positional_table_is_as_long_as_the_package_says(package):
    stages = PackageStages(package)
    longest = round(package.longest_seconds * SAMPLE_RATE)
    assert package.maximum_steps == 300
    assert stages(Waveform(voice(longest - 160), SAMPLE_RATE)).log_probabilities.shape[0] == 300
    with pytest.raises(Exception, match=r"(?i)broadcast|dimension|shape"):
        stages(Waveform(voice(longest + 1_600), SAMPLE_RATE))


def test_shorter_positional_table(nemo_checkpoint, package, tmp_path):
    short = write_package(nemo_checkpoint, tmp_path / "x", LABELS, Choices(package.features.semantics, positions=100))
    waveform = Waveform(voice(round(short.longest_seconds * SAMPLE_RATE)), SAMPLE_RATE)
    whole, cut = PackageStages(package)(waveform), PackageStages(short)(waveform)
    assert short.maximum_steps == 100 == len(cut.log_probabilities)
    np.testing.assert_allclose(cut.log_probabilities, whole.log_probabilities, atol=1e-5)
    assert short.model_path().stat().st_size < package.model_path().stat().st_size - 300 * 32 * 4


def halved(weights):
    return weights.half().float()


def rounded_to_levels(weights):
    """Rounded to 255 levels for each output, which comes first in PyTorch's weights."""
    level = weights.flatten(1).abs().amax(1).reshape(-1, *(1,) * (weights.ndim - 1)) / 127
    return (weights / level).round() * level


ROUNDING = {"float16": halved, "int8": rounded_to_levels}


@pytest.mark.parametrize("stored", ROUNDING)
def test_fewer_bits_are_nemo_with_large_weights_rounded(
    nemo_checkpoint_file, nemo_checkpoint, package, tmp_path, stored
):
    semantics = package.features.semantics
    narrow = write_package(nemo_checkpoint, tmp_path / "x", LABELS, Choices(semantics, weights=stored))
    assert narrow.model_path().stat().st_size < 0.8 * package.model_path().stat().st_size  # of so small a one
    rounded = open_checkpoint(str(nemo_checkpoint_file)).model
    table = rounded.encoder.pos_enc.pe
    table.data = halved(table.data)
    for weights in rounded.parameters():
        if weights.numel() >= 1024:
            weights.data = ROUNDING[stored](weights.data)
    both = NemoReference(rounded, semantics), PackageStages(narrow)
    waveform = Waveform(voice(3 * SAMPLE_RATE), SAMPLE_RATE)
    assert compare(*both, waveform).log_probabilities_difference <= TOLERANCE
    assert compare(*both, waveform).same_text
    exact = compare(both[0], PackageStages(package), waveform)
    assert exact.log_probabilities_difference > TOLERANCE  # rounding shows: the comparison above means something


def test_metadata_for_other_programs(package):
    metadata = {entry.key: entry.value for entry in onnx.load(package.model_path()).metadata_props}
    assert metadata.items() >= {"vocab_size": "128", "subsampling_factor": "4", "normalize_type": "per_feature"}.items()


def test_command_exports_and_verifies(nemo_checkpoint_file, tmp_path, capsys):
    clips = [tmp_path / "a.wav", tmp_path / "b.flac"]
    for seed, clip in enumerate(clips):
        soundfile.write(clip, voice(2 * SAMPLE_RATE, seed), SAMPLE_RATE)
    out = tmp_path / "models" / "tiny"
    assert (
        main(["nemo", str(nemo_checkpoint_file), "--out", str(out), "--licence", "none", "--semantics", "nemo-1"]) == 0
    )
    assert main(["verify", str(out), "--nemo", str(nemo_checkpoint_file), *map(str, clips)]) == 0
    printed = capsys.readouterr().out
    assert "before NeMo 2.5" in printed
    assert "2 of 2 texts are equal" in printed
    assert load_package(out).features.semantics == "nemo-1"


def test_verify_notices_another_model(nemo_checkpoint_file, tmp_path, capsys):
    from export.configuration import Shape
    from export.random_model import random_checkpoint

    other = random_checkpoint(Shape(width=32, layers=2, heads=4, positions=300), seed=8)
    write_package(other, tmp_path / "other", LABELS)
    clip = tmp_path / "a.wav"
    soundfile.write(clip, voice(2 * SAMPLE_RATE), SAMPLE_RATE)
    assert main(["verify", str(tmp_path / "other"), "--nemo", str(nemo_checkpoint_file), str(clip)]) == 1
    assert "DIFFERENT" in capsys.readouterr().out


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.95])
def test_truncated_checkpoint(nemo_checkpoint_file, tmp_path, capsys, kept):
    data = nemo_checkpoint_file.read_bytes()
    cut = tmp_path / "cut.nemo"
    cut.write_bytes(data[: int(kept * len(data))])
    assert main(["nemo", str(cut), "--out", str(tmp_path / "models" / "cut")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "damaged" in error
    assert error.count("\n") == 1
    assert not list(tmp_path.glob("models/*"))


def test_unknown_source(tmp_path, capsys):
    assert main(["nemo", "no_such_model", "--out", str(tmp_path / "x")]) == 2
    assert "neither a .nemo file nor a name" in capsys.readouterr().err
    assert main(["nemo", str(tmp_path / "missing.nemo"), "--out", str(tmp_path / "x")]) == 2
    assert "is not a file" in capsys.readouterr().err


def test_failure_while_writing_leaves_nothing(nemo_checkpoint, tmp_path, monkeypatch):
    from export import graph

    # The last file to be written before model.yaml fails: a full disk, say.
    monkeypatch.setattr(graph, "write_graph", _disk_full)
    with pytest.raises(Exception, match="No space left"):
        write_package(nemo_checkpoint, tmp_path / "x", LABELS)
    assert not list(tmp_path.iterdir())


def test_replace_keeps_the_model_card(nemo_checkpoint, tmp_path):
    out = tmp_path / "x"
    write_package(nemo_checkpoint, out, LABELS)
    (out / "MODEL_CARD.md").write_text("card")
    (out / "model.int8.onnx").write_bytes(b"of the model before")
    write_package(nemo_checkpoint, out, LABELS, Choices(replace=True))
    assert (out / "MODEL_CARD.md").read_text() == "card"
    assert not (out / "model.int8.onnx").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_same_checkpoint_gives_the_same_package(nemo_checkpoint, tmp_path):
    one, other = (write_package(nemo_checkpoint, tmp_path / name, LABELS) for name in "ab")
    assert one.models == other.models
    assert one.vocabulary == other.vocabulary


def test_damaged_package_is_refused(nemo_checkpoint, tmp_path):
    package = write_package(nemo_checkpoint, tmp_path / "x", LABELS)
    data = bytearray(package.model_path().read_bytes())
    data[len(data) // 2] ^= 1
    package.model_path().write_bytes(data)
    with pytest.raises(PackageError, match="damaged"):
        load_package(tmp_path / "x")


def _disk_full(_model, path, _weights):
    np.save(path, np.zeros(10))
    raise OSError(28, "No space left on device")
