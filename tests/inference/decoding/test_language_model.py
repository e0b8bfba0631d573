"""The language models of a package: read into memory, or unpacked once and mapped."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from inference.decoding import decoder as decoding
from inference.decoding.decoder import Decoders
from inference.decoding.language_model import load_language_model, map_unpacked, unpack
from inference.errors import DamagedCache
from inference.loading import load
from inference.package import load_package
from tests.samples import expected_texts


@pytest.fixture
def package(model_directory):
    found = load_package(model_directory)
    if not found.language_model:
        pytest.skip("this package has no language model")
    return dataclasses.replace(found, word_model=None)


def test_mapped_is_the_same_as_read(package, tmp_path):
    read = load_language_model(package.language_model_path())
    unpack(read, tmp_path)
    mapped = map_unpacked(tmp_path)
    for field in dataclasses.fields(read):
        np.testing.assert_array_equal(getattr(mapped, field.name), getattr(read, field.name))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says")
def test_processes_map_one_file(package, tmp_path):
    pipeline = load(package, cache=tmp_path)
    assert "scores.npy" in Path("/proc/self/maps").read_text(encoding="utf-8")
    for clip, said in expected_texts().items():
        assert pipeline.transcribe(clip.read_bytes()).text == said


def test_one_over_words_is_mapped_too_and_says_what_was_heard(model_directory, tmp_path):
    package = load_package(model_directory)
    if not package.word_model:
        pytest.skip("this package has no model over words")
    pipeline = load(package, cache=tmp_path)
    assert len(list(tmp_path.glob("*/scores.npy"))) == 2
    for clip, said in expected_texts().items():
        assert pipeline.transcribe(clip.read_bytes()).text == said


def test_another_layout_gets_its_own(package, tmp_path, monkeypatch):
    Decoders(package, tmp_path)
    monkeypatch.setattr(decoding, "LAYOUT", decoding.LAYOUT + 1)
    Decoders(package, tmp_path)
    assert len(list(tmp_path.glob("*/"))) == 2


@pytest.mark.parametrize("name", ["scores.npy", "model.onnx", "model.weights"])
def test_what_is_damaged_in_the_cache_is_made_anew(package, tmp_path, name):
    load(package, cache=tmp_path)
    (file,) = tmp_path.glob(f"*/{name}")
    whole = file.read_bytes()
    file.write_bytes(whole[:1000])
    loaded = load(package, cache=tmp_path)
    assert loaded.prepared
    assert len(file.read_bytes()) == len(whole)
    clip, said = next(iter(expected_texts().items()))
    assert loaded.transcribe(clip.read_bytes()).text == said


def test_a_damaged_cache_is_named_and_removed(package, tmp_path):
    Decoders(package, tmp_path)
    (scores,) = tmp_path.glob("*/scores.npy")
    scores.write_bytes(scores.read_bytes()[:1000])
    with pytest.raises(DamagedCache, match=str(scores.parent)):
        Decoders(package, tmp_path)
    assert list(tmp_path.glob("*/")) == []
