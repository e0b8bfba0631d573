import json

import pytest

from evaluation.manifest import InvalidManifest, read_manifests


@pytest.fixture
def write(tmp_path):
    (tmp_path / "clip.wav").touch()

    def write(*lines, name="dev.jsonl"):
        path = tmp_path / name
        path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
        return path

    return write


def test_sets(write, tmp_path):
    row = {"audio_filepath": "clip.wav", "text": "एक", "duration": 1.0}
    clips = read_manifests([write(row, {**row, "set": "noisy"}), write(row, name="manifest.jsonl")])
    assert [clip.test_set for clip in clips] == ["dev", "noisy", tmp_path.name]
    assert clips[0].audio == tmp_path / "clip.wav"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "dev.jsonl:2: not a line"),
        ("[]", "dev.jsonl:2: not a line"),
        ({"text": "एक"}, "audio_filepath"),
        ({"audio_filepath": "missing.wav", "text": "एक"}, "missing.wav is not a file"),
        ({"audio_filepath": "clip.wav", "text": "एक", "offset": 1.5}, "offset"),
        ({"audio_filepath": "clip.wav", "text": None}, "None, no text"),
    ],
)
def test_a_wrong_line_is_named(write, line, complaint):
    with pytest.raises(InvalidManifest, match=complaint):
        read_manifests([write({"audio_filepath": "clip.wav", "text": "एक"}, line)])


def test_no_clips(write, tmp_path):
    with pytest.raises(InvalidManifest, match="no clips"):
        read_manifests([write()])
    with pytest.raises(InvalidManifest, match="cannot be read"):
        read_manifests([tmp_path / "missing.jsonl"])
