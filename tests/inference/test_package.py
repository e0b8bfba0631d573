"""A package that is missing, damaged or of another format: one sentence that helps."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import yaml

from inference.errors import PackageError
from inference.features import Featurizer
from inference.package import FORMAT, load_package, sha256
from inference.pipeline import Pipeline


@pytest.fixture
def package(tmp_path, model_directory):
    """A copy to damage."""
    return shutil.copytree(model_directory, tmp_path / "model")


def change(package, **changes):
    manifest = package / "model.yaml"
    content = yaml.safe_load(manifest.read_text(encoding="utf-8"))
    content = {key: value for key, value in (content | changes).items() if value is not None}
    manifest.write_text(yaml.safe_dump(content), encoding="utf-8")


def test_what_it_says(model_directory):
    package = load_package(model_directory)
    assert package.format == FORMAT
    assert package.language == "hi"
    assert package.features.mel_bins == 80
    assert package.model_path().is_file()
    assert package.longest_seconds >= 30


@pytest.mark.parametrize("semantics", ["nemo-1", "nemo-2.5"])
def test_the_longest_audio_fits_the_positional_table(model_directory, semantics):
    package = load_package(model_directory)
    package = replace(package, features=replace(package.features, semantics=semantics))
    frames = (
        Featurizer(package.features).log_mel(np.zeros(round(package.longest_seconds * 16_000), np.float32)).shape[1]
    )
    assert -(-frames // package.subsampling) == package.maximum_steps


def test_no_directory(tmp_path):
    with pytest.raises(PackageError, match=r"does not exist: make a package with 'python -m export nemo', or set"):
        load_package(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["model.onnx", "vocab.txt"])
def test_missing_file(package, name):
    (package / name).unlink()
    with pytest.raises(PackageError, match=f"{name} is missing"):
        load_package(package)


@pytest.mark.parametrize("name", ["model.onnx", "vocab.txt"])
def test_damaged_file(package, name):
    with (package / name).open("r+b") as stream:
        stream.seek(100)
        stream.write(b"damage")
    with pytest.raises(PackageError, match=f"{name} is damaged: its SHA-256 is"):
        load_package(package)


@pytest.mark.parametrize("right", [[0.2, 0.1], [0.1], [0.1, 1.2], "high"])
def test_curve_that_is_none(package, right):
    change(package, confidence={"beam": {"scores": [0.0, 1.0], "right": right}})
    with pytest.raises(PackageError, match=r"model\.yaml.*\n.*confidence\.beam"):
        load_package(package)


@pytest.mark.parametrize("content", ["", "{", "- a\n- list\n", "format: 1\n", "format: one\nname: [\n", "\0"])
def test_bad_yaml(package, content):
    (package / "model.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(PackageError, match=r"model\.yaml"):
        load_package(package)


def test_yaml_that_is_no_text(package):
    (package / "model.yaml").write_bytes(b"\xff\xfe\x80")
    with pytest.raises(PackageError, match=r"model\.yaml"):
        load_package(package)


def test_another_format(package):
    change(package, format=99)
    with pytest.raises(PackageError, match=f"format 99; this version reads format {FORMAT}"):
        load_package(package)


@pytest.mark.parametrize("key", ["name", "language", "features", "models", "vocabulary", "blank", "maximum_steps"])
def test_missing_key(package, key):
    change(package, **{key: None})
    with pytest.raises(PackageError, match=key):
        load_package(package)


def test_wrong_type_of_key(package):
    change(package, blank="many")
    with pytest.raises(PackageError, match="blank"):
        load_package(package)


def test_no_fp32(package):
    content = yaml.safe_load((package / "model.yaml").read_text(encoding="utf-8"))
    change(package, models={"int8": content["models"]["fp32"]})
    with pytest.raises(PackageError, match="must name an fp32 file"):
        load_package(package)


def test_a_precision_that_it_has_not(model_directory):
    with pytest.raises(PackageError, match=r"has no bf16 model; it has .*fp32"):
        load_package(model_directory).model_path("bf16")


def test_a_graph_that_is_none(package):
    (package / "model.onnx").write_bytes(b"no graph")
    content = yaml.safe_load((package / "model.yaml").read_text(encoding="utf-8"))
    content["models"]["fp32"] |= {"sha256": sha256(package / "model.onnx")}
    change(package, models=content["models"])
    with pytest.raises(PackageError, match="ONNX Runtime cannot load it"):
        Pipeline(load_package(package))
