"""A Conformer made of Whisper's layers gives what they give."""

import struct

import numpy as np
import pytest

from tests.samples import CLIPS
from tests.training.needs import WARNS, needs

pytestmark = [
    pytest.mark.training,
    pytest.mark.timeout(600),
    needs("torch", "nemo"),
    WARNS,
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
    from training.whisper.encoder import Whisper

    path = tmp_path_factory.mktemp("whisper") / "model.bin"
    path.write_bytes(ctranslate2(whisper_weights()))
    return Whisper(path)


def test_the_file_is_read_whole(whisper):
    assert (whisper.width, whisper.blocks) == (WIDTH, BLOCKS)
    for name, numbers in whisper_weights():
        np.testing.assert_allclose(whisper.part(name).numpy(), numbers, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<I", 6) + text("TransformerSpec") + struct.pack("<II", 3, 0),
        ctranslate2([("conv1/weight", np.zeros((8, 8)))])[:-7],
        b"RIFF....WAVE",
        b"",
    ],
    ids=["another model", "cut off", "another file", "empty"],
)
def test_another_file_is_refused(tmp_path, data):
    from training.files import RecipeError
    from training.whisper.encoder import Whisper

    path = tmp_path / "model.bin"
    path.write_bytes(data)
    with pytest.raises(RecipeError, match="no Whisper"):
        Whisper(path)


def test_places_are_whisper_s_but_for_two_percent_of_speed():
    from training.whisper.places import Places

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

    from training.whisper.least_squares import fit

    chance = torch.Generator().manual_seed(0)
    x, weights = torch.randn(500, 8, generator=chance), torch.randn(3, 8, generator=chance)
    y = x @ weights.T + torch.tensor([1.0, -2.0, 0.5])
    y[:50] = 100  # wrong
    found, bias = fit(x, y, torch.cat([torch.zeros(50), torch.ones(450)]))
    torch.testing.assert_close(found, weights, rtol=0, atol=5e-3)
    torch.testing.assert_close(bias, torch.tensor([1.0, -2.0, 0.5]), rtol=0, atol=5e-3)


@pytest.fixture(scope="module")
def clips():
    import soundfile
    import torch

    return [torch.from_numpy(soundfile.read(path, dtype="float32")[0]) for path in CLIPS]


@pytest.fixture(scope="module")
def models(whisper, clips, tmp_path_factory):
    """As chance made it, and as the transplant does."""
    import torch

    from export.configuration import Shape
    from training.network.model import build, make_tokenizer, shape_of
    from training.transplant import Transplant

    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer = make_tokenizer(["नमस्ते दुनिया मेरा नाम राम है", "आज मौसम अच्छा है"], folder, 22)
    shape = Shape(WIDTH, BLOCKS, 8, 9, 5_000, 64, 1, "abs_pos", scaled=False, normalisation="NA")
    torch.manual_seed(0)
    before, after = build(shape, tokenizer), build(shape, tokenizer)
    assert shape_of(before.state_dict()) == shape
    after.eval()
    with torch.no_grad():
        Transplant(after, whisper, clips).run()
    return before, after


def listened(model, whisper, clips):
    """What the model misses of what Whisper hears, of clips of several lengths at once."""
    import torch

    from training.whisper.listening import Listener

    listener = Listener(model, whisper)
    lengths = torch.tensor([len(clip) for clip in clips])
    audio = torch.nn.utils.rnn.pad_sequence(clips, batch_first=True)
    features, lengths = model.preprocessor(input_signal=audio, length=lengths)
    model.eval()
    model.encoder(audio_signal=features, length=lengths)  # what validation hears does not count
    model.train()
    for layer in model.encoder.layers:
        layer.conv.batch_norm.eval()  # as it serves
    model.encoder(audio_signal=features, length=lengths)
    return listener.missed(clips)


def test_a_conformer_of_its_layers_gives_what_they_give(models, whisper, clips):
    before, after = (listened(model, whisper, clips[:2]) for model in models)
    assert after < 0.5 < before


def test_a_whisper_of_another_size_is_refused(whisper, tmp_path):
    from export.configuration import Shape
    from training.files import RecipeError
    from training.network.model import build, make_tokenizer
    from training.whisper.listening import Listener

    tokenizer = make_tokenizer(["नमस्ते दुनिया मेरा नाम राम है", "आज मौसम अच्छा है"], tmp_path, 22)
    model = build(Shape(WIDTH, BLOCKS + 1, 8, 9, expansion=1, attention="abs_pos", scaled=False), tokenizer)
    with pytest.raises(RecipeError, match=r"\(3, 512\).*\(2, 512\)"):
        Listener(model, whisper)


def test_training_is_drawn_towards_what_whisper_hears(models, whisper, clips):
    model = models[1]
    model.zero_grad()
    listened(model, whisper, clips[:1]).backward()
    assert all(layer.self_attn.linear_q.weight.grad.abs().max() > 0 for layer in model.encoder.layers)


def test_small_changes_of_the_weights_change_little(models, whisper, clips):
    import torch

    model, chance = models[1], torch.Generator().manual_seed(0)
    before = float(listened(model, whisper, clips[:2]))
    with torch.no_grad():
        for parameter in filter(lambda each: each.requires_grad, model.encoder.parameters()):
            parameter.add_(1e-3 * torch.randn(parameter.shape, generator=chance))
    assert listened(model, whisper, clips[:2]) < before + 0.1
