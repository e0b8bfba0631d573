"""A Conformer made of Whisper's layers gives what they give."""

import importlib.util
import struct

import numpy as np
import pytest

from tests.samples import CLIPS

NEEDED = ("torch", "nemo")
pytestmark = [
    pytest.mark.training,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not all(importlib.util.find_spec(name) for name in NEEDED), reason="needs NeMo: requirements/training.txt"
    ),
    pytest.mark.filterwarnings("default"),  # NeMo's imports warn
]
WIDTH, BLOCKS = 512, 2


def whisper_weights():
    """Of an encoder of Whisper's shape, made up: large enough to bend, small enough to be heard through."""
    chance = np.random.default_rng(0)

    def linear(outputs, inputs, *more):
        return chance.normal(0, inputs**-0.5, (outputs, inputs, *more))

    yield "conv1/weight", linear(WIDTH, 80, 3)
    yield "conv2/weight", linear(WIDTH, WIDTH, 3)
    for name in ("conv1", "conv2"):
        yield f"{name}/bias", chance.normal(0, 0.1, WIDTH)
    for block in range(BLOCKS):
        parts = {"self_attention/linear_0": 3 * WIDTH, "self_attention/linear_1": WIDTH, "ffn/linear_0": 4 * WIDTH}
        for name, outputs in parts.items():
            yield f"layer_{block}/{name}/weight", linear(outputs, WIDTH)
            yield f"layer_{block}/{name}/bias", chance.normal(0, 0.1, outputs)
        # As in what was learnt, few neurons say most.
        yield f"layer_{block}/ffn/linear_1/weight", linear(WIDTH, 4 * WIDTH) * np.geomspace(4, 0.01, 4 * WIDTH)
        yield f"layer_{block}/ffn/linear_1/bias", chance.normal(0, 0.1, WIDTH)
    for name in [f"layer_{block}/{part}/layer_norm" for block in range(BLOCKS) for part in ("self_attention", "ffn")]:
        yield f"{name}/gamma", chance.uniform(0.5, 1.5, WIDTH)
        yield f"{name}/beta", chance.normal(0, 0.1, WIDTH)
    yield "layer_norm/gamma", chance.uniform(0.5, 1.5, WIDTH)
    yield "layer_norm/beta", chance.normal(0, 0.1, WIDTH)


def text(name):
    return struct.pack("<H", len(name) + 1) + name.encode() + b"\0"


def ctranslate2(weights):
    """The file that CTranslate2 would write, with a weight of a decoder between."""
    entries = [("decoder/embeddings", np.zeros((2, 2))), *((f"encoder/{name}", each) for name, each in weights)]
    parts = [struct.pack("<I", 6), text("WhisperSpec"), struct.pack("<II", 3, len(entries))]
    for name, numbers in entries:
        data = numbers.astype(np.float16).tobytes()
        head = struct.pack(f"<B{numbers.ndim}I", numbers.ndim, *numbers.shape)
        parts += [text(name), head, struct.pack("<BI", 4, len(data)), data]
    return b"".join(parts)


@pytest.fixture(scope="module")
def whisper(tmp_path_factory):
    from training.whisper import Whisper

    path = tmp_path_factory.mktemp("whisper") / "model.bin"
    path.write_bytes(ctranslate2(whisper_weights()))
    return Whisper(path)


def test_the_file_is_read_whole(whisper):
    assert (whisper.width, whisper.blocks) == (WIDTH, BLOCKS)
    for name, numbers in whisper_weights():
        np.testing.assert_allclose(whisper.part(name).numpy(), numbers, rtol=1e-3, atol=1e-6)


def test_another_file_is_refused(tmp_path):
    from training.files import RecipeError
    from training.whisper import Whisper

    path = tmp_path / "model.bin"
    path.write_bytes(struct.pack("<I", 6) + text("TransformerSpec") + struct.pack("<II", 3, 0))
    with pytest.raises(RecipeError, match="no Whisper"):
        Whisper(path)


def test_places_are_whisper_s_but_for_two_percent_of_speed():
    from training.places import Places

    steps, half = 6, WIDTH // 2
    places = Places.of(WIDTH)
    angles = 2 * np.arange(steps)[:, None] * np.exp(-np.log(10_000) * np.arange(half) / (half - 1))
    wanted = np.concatenate([np.sin(angles), np.cos(angles)], 1)[:, places.order]
    assert sorted(places.order.tolist()) == list(range(WIDTH))
    assert len(places.halves) == 19
    np.testing.assert_allclose(places.whisper(steps).numpy(), wanted, rtol=0, atol=0.02 * angles.max())
    assert np.abs(places.nemo(steps).numpy() - wanted).max() > 1  # without the fastest pairs


def test_least_squares_find_the_map_and_heed_weights():
    import torch

    from training.least_squares import fit

    chance = torch.Generator().manual_seed(0)
    x, weights = torch.randn(500, 8, generator=chance), torch.randn(3, 8, generator=chance)
    y = x @ weights.T + torch.tensor([1.0, -2.0, 0.5])
    y[:50] = 100  # wrong
    found, bias = fit(x, y, torch.cat([torch.zeros(50), torch.ones(450)]))
    torch.testing.assert_close(found, weights, rtol=0, atol=2e-3)
    torch.testing.assert_close(bias, torch.tensor([1.0, -2.0, 0.5]), rtol=0, atol=2e-3)


def test_a_conformer_of_its_layers_gives_what_they_give(whisper, tmp_path):
    import soundfile
    import torch

    from export.configuration import Shape
    from training.least_squares import missed, standardised
    from training.model import build, make_tokenizer, shape_of
    from training.places import Places
    from training.transplant import Transplant

    tokenizer = make_tokenizer(["नमस्ते दुनिया मेरा नाम राम है", "आज मौसम अच्छा है"], tmp_path, 22)
    shape = Shape(WIDTH, BLOCKS, 8, 9, subsampling_channels=64, expansion=1, attention="abs_pos", scaled=False)
    torch.manual_seed(0)
    model = build(shape, tokenizer)
    assert shape_of(model.state_dict()) == shape
    clips = [torch.from_numpy(soundfile.read(path, dtype="float32")[0]) for path in CLIPS]
    model.eval()
    clip, places = clips[0], Places.of(WIDTH)
    wanted = whisper.hear(clip)[:, places.order]
    wanted = wanted + places.whisper(len(wanted))
    for number in range(BLOCKS):
        wanted = whisper.block(number, wanted[:, places.order.argsort()]).after[:, places.order]

    def missing():
        with torch.no_grad():
            features, length = model.preprocessor(input_signal=clip[None], length=torch.tensor([len(clip)]))
            given = model.encoder(audio_signal=features, length=length)[0][0].T[: len(wanted)]
        last = model.encoder.layers[-1].norm_out
        return missed(standardised((given - last.bias) / last.weight), standardised(wanted[: len(given)]))

    before = missing()
    with torch.no_grad():
        Transplant(model, whisper, clips).run()
    assert missing() < 0.5 < before
