"""Which clips are drawn, and how they are heard."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.samples import DATA
from tests.training.needs import needs
from training.files import RecipeError

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
    from training.network.arena import Arena, cut

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
    lengths = {len(cut(arena[0], arena.spoken[0], chance)) for _ in range(50)}
    longest = int(np.diff(arena.spoken[0])[0])
    assert longest - 2 * 3_200 <= min(lengths) < max(lengths) <= longest
    assert len(cut(arena[1], arena.spoken[1], chance)) == 32_000


def test_what_began_before_the_recording_is_not_cut_further():
    from training.network.arena import cut

    wave, chance = np.zeros(20_000, np.float32), np.random.default_rng(0)
    assert len(cut(wave, np.array([0, 20_000]), chance)) == 20_000


def test_a_manifest_without_short_clips_waits_until_long_ones_are_heard():
    from training.network.dataset import with_clips

    short, long = (SimpleNamespace(seconds=np.array(lengths)) for lengths in ([2.0, 9.0], [5.0, 9.0]))
    assert with_clips([(short, 1.0), (long, 2.0)], 3.0) == [(short, 1.0)]
    with pytest.raises(RecipeError, match="no manifest has a clip of 3 s or less"):
        with_clips([(long, 2.0)], 3.0)


def test_features_are_computed_where_the_clips_are_wherever_the_model_is():
    import torch

    from training.network.dataset import Draw, Stream

    class Preprocessor(torch.nn.Module):
        device = "elsewhere"

        def cpu(self):
            self.device = "here"
            return self

    tokenizer = SimpleNamespace(text_to_ids=lambda _text: [1])
    model = SimpleNamespace(tokenizer=tokenizer, preprocessor=Preprocessor())
    arena = SimpleNamespace(rows=[{"text": "एक"}], seconds=np.array([1.0]))
    assert Stream([(arena, 1.0)], model, Draw(12.0)).preprocessor.device == "here"
    assert model.preprocessor.device == "elsewhere", "the model's own stays with the model"


class Frames:
    """In place of NeMo's preprocessor: one frame of 80 numbers for each 160 samples."""

    def __call__(self, input_signal, length):
        frames = length // 160
        return input_signal[:, : int(frames.max()) * 160].unflatten(1, (-1, 160)).mean(2)[:, None].expand(
            -1, 80, -1
        ), frames

    def cpu(self):
        return self


def joined_batches(folder, languages):
    """Batches of clips of 1 s whose text is their number, from a manifest in these languages."""
    import soundfile

    from training.files import write_manifest
    from training.network.arena import Arena
    from training.network.dataset import Draw, Stream

    rows = []
    for number, language in enumerate(languages, 1):
        soundfile.write(folder / f"{number}.wav", np.full(16_000, number / 100), 16_000)
        rows.append({"audio_filepath": f"{number}.wav", "duration": 1, "text": str(number), "language": language})
    write_manifest(folder / "manifest.jsonl", rows)
    model = SimpleNamespace(tokenizer=SimpleNamespace(text_to_ids=lambda text: [int(text)]), preprocessor=Frames())
    batches = Stream([(Arena(folder / "manifest.jsonl", folder / "decoded"), 1.0)], model, Draw(30.0, longest=8.0))
    batches.strength = 0.0
    return iter(batches)


def test_some_clips_are_heard_one_after_another_and_their_texts_too(tmp_path):
    batches, counts = joined_batches(tmp_path, ["hi"] * 6), []
    for batch in (next(batches) for _ in range(40)):
        for seconds, tokens in zip((batch.feature_lengths / 100).tolist(), batch.token_lengths.tolist(), strict=True):
            counts.append(tokens)
            assert tokens <= seconds <= tokens + 2 * (tokens - 1) + 0.01, "a pause is of 2 s at most"
    assert 0.1 < np.mean(np.array(counts) > 1) < 0.4
    assert max(counts) > 3


def test_what_is_heard_at_once_is_of_one_language(tmp_path):
    batches = joined_batches(tmp_path, ["hi"] * 3 + ["bn"] * 3)
    for batch in (next(batches) for _ in range(40)):
        for tokens, length, foreign in zip(batch.tokens, batch.token_lengths, batch.foreign, strict=True):
            assert {bool(number > 3) for number in tokens[: int(length)]} == {bool(foreign)}
