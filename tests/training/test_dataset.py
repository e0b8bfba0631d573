"""Which clips are drawn."""

import numpy as np
import pytest

from tests.samples import DATA
from tests.training.needs import needs

pytestmark = needs("torch")


def test_a_speaker_of_many_clips_is_drawn_more_often_but_not_as_often_as_by_clips():
    from training.network.dataset import by_speaker

    odds = by_speaker(["a"] * 16 + ["b"])
    assert odds.sum() == pytest.approx(1)
    assert odds[:16].sum() / odds[16] == pytest.approx(4)


def test_clips_without_a_speaker_are_equally_likely():
    from training.network.dataset import by_speaker

    assert np.allclose(by_speaker([""] * 5), 0.2)


def test_a_clip_is_cut_where_the_server_cuts_it_or_a_little_nearer_to_speech(tmp_path):
    import soundfile

    from inference.audio.speech import spans
    from inference.audio.speech_network import probabilities
    from inference.types import Waveform
    from training.files import write_manifest
    from training.network.dataset import Arena, _cut

    spoken = soundfile.read(DATA / "water.wav", dtype="float32")[0]
    silence = np.zeros(32_000, np.float32)
    clips = {"inside.wav": np.concatenate([silence, spoken, silence]), "silence.wav": silence}
    for name, samples in clips.items():
        soundfile.write(tmp_path / name, samples, 16_000)
    write_manifest(tmp_path / "manifest.jsonl", [{"audio_filepath": name, "duration": 4, "text": ""} for name in clips])
    arena = Arena(tmp_path / "manifest.jsonl", tmp_path / "decoded")
    (span,) = spans(probabilities(Waveform(arena[0], 16_000)))
    assert arena.spoken[0].tolist() == [round(span.start * 16_000), round(span.end * 16_000)]
    assert arena.spoken[1].tolist() == [0, 32_000], "where nobody is heard to speak, all of it stays"
    chance = np.random.default_rng(0)
    lengths = {len(_cut(arena[0], arena.spoken[0], chance)) for _ in range(50)}
    longest = int(np.diff(arena.spoken[0])[0])
    assert longest - 2 * 3_200 <= min(lengths) < max(lengths) <= longest
    assert len(_cut(arena[1], arena.spoken[1], chance)) == 32_000


def test_what_began_before_the_recording_is_not_cut_further():
    from training.network.dataset import _cut

    wave, chance = np.zeros(20_000, np.float32), np.random.default_rng(0)
    assert len(_cut(wave, np.array([0, 20_000]), chance)) == 20_000
