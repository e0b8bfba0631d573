"""A Conformer made of Whisper's layers gives what they give."""

import struct
from pathlib import Path

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


def ctranslate2(weights, kind=np.float16, number=4):
    """The file that CTranslate2 would write, with a weight of a decoder between."""
    entries = [("decoder/embeddings", np.zeros((2, 2))), *((f"encoder/{name}", each) for name, each in weights)]
    parts = [struct.pack("<I", 6), text("WhisperSpec"), struct.pack("<II", 3, len(entries))]
    for name, numbers in entries:
        data = numbers.astype(kind).tobytes()
        head = struct.pack(f"<B{numbers.ndim}I", numbers.ndim, *numbers.shape)
        parts += [text(name), head, struct.pack("<BI", number, len(data)), data]
    return b"".join(parts)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    from training.whisper.weights import encoder_weights

    path = tmp_path_factory.mktemp("whisper") / "model.bin"
    path.write_bytes(ctranslate2(whisper_weights()))
    return encoder_weights(path)


def test_the_file_is_read_whole(weights):
    assert weights.keys() == {name for name, _ in whisper_weights()}
    for name, numbers in whisper_weights():
        np.testing.assert_allclose(weights[name].numpy(), numbers, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (struct.pack("<I", 6) + text("TransformerSpec") + struct.pack("<II", 3, 0), "another kind of model"),
        (ctranslate2([("conv1/weight", np.zeros((8, 80)))])[:-7], "buffer"),
        (ctranslate2(whisper_weights(), np.float32, 0), "conv1/weight is not in half precision"),
        (ctranslate2([("conv1/weight", np.zeros((8, 128, 3)))]), "it hears 128 mel bins"),
        (b"RIFF....WAVE", ""),
        (b"", ""),
    ],
    ids=["another model", "cut off", "another precision", "another hearing", "another file", "empty"],
)
def test_another_file_is_refused(tmp_path, data, reason):
    from training.files import RecipeError
    from training.whisper.weights import encoder_weights

    path = tmp_path / "model.bin"
    path.write_bytes(data)
    with pytest.raises(RecipeError, match=f"no Whisper as it is wanted.*: .*{reason}"):
        encoder_weights(path)


def test_most_places_are_whisper_s_but_for_two_percent_of_speed():
    from training.whisper.places import channel_order, sinusoids

    steps, half, fast = 6, WIDTH // 2, 19
    angles = 2 * np.arange(steps)[:, None] * np.exp(-np.log(10_000) * np.arange(half) / (half - 1))
    wanted = np.concatenate([np.sin(angles), np.cos(angles)], 1)[:, channel_order(WIDTH)]
    given = sinusoids(steps, WIDTH).numpy()
    assert sorted(channel_order(WIDTH).tolist()) == list(range(WIDTH))
    shared = slice(0, WIDTH - 2 * fast)
    np.testing.assert_allclose(given[:, shared], wanted[:, shared], rtol=0, atol=0.02 * angles.max())
    assert np.abs(given - wanted).max() > 1  # without the fastest pairs


def test_the_sinusoids_are_those_that_nemo_adds():
    import torch
    from nemo.collections.asr.parts.submodules.multi_head_attention import PositionalEncoding

    from training.whisper.places import sinusoids

    nemo = PositionalEncoding(WIDTH, 0.0, 100)
    nemo.extend_pe(20, torch.device("cpu"), torch.float32)
    heard, _ = nemo(torch.zeros(1, 20, WIDTH))
    torch.testing.assert_close(sinusoids(20, WIDTH), heard[0])


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


def whisper_s_own(weights, levels, places):
    """What Whisper's encoder gives, written down plainly, of `[80, frames]` as it scales them: `[steps, width]`."""
    import torch
    from torch.nn import functional

    def normalised(name, x):
        return functional.layer_norm(x, x.shape[-1:], weights[f"{name}/gamma"], weights[f"{name}/beta"])

    def linear(name, x):
        return functional.linear(x, weights[f"{name}/weight"], weights[f"{name}/bias"])

    x = functional.gelu(functional.conv1d(levels, weights["conv1/weight"], weights["conv1/bias"], padding=1))
    x = functional.gelu(functional.conv1d(x, weights["conv2/weight"], weights["conv2/bias"], stride=2, padding=1))
    x = functional.avg_pool1d(x[None], 2)[0].T
    x = x + places[: len(x)]
    for block in range(BLOCKS):
        name = f"layer_{block}"
        both = linear(f"{name}/self_attention/linear_0", normalised(f"{name}/self_attention/layer_norm", x))
        query, key, value = (part.unflatten(1, (8, 64)).transpose(0, 1) for part in both.chunk(3, 1))
        scores = torch.softmax(query @ key.transpose(1, 2) / 8, 2)
        x = x + linear(f"{name}/self_attention/linear_1", (scores @ value).transpose(0, 1).flatten(1))
        hidden = functional.gelu(linear(f"{name}/ffn/linear_0", normalised(f"{name}/ffn/layer_norm", x)))
        x = x + linear(f"{name}/ffn/linear_1", hidden)
    return normalised("layer_norm", x)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    from training.network.model import make_tokenizer

    folder = tmp_path_factory.mktemp("tokenizer")
    return make_tokenizer(["नमस्ते दुनिया मेरा नाम राम है", "आज मौसम अच्छा है"], folder, 22)


@pytest.fixture(scope="module")
def teacher(weights, tokenizer):
    from training.whisper.encoder import in_nemo_s_order, whisper_of

    state = {f"encoder.{name}": value for name, value in in_nemo_s_order(weights).items()}
    return whisper_of(state, tokenizer).eval()


@pytest.fixture(scope="module")
def clips():
    import soundfile
    import torch

    return [torch.from_numpy(soundfile.read(path, dtype="float32")[0]) for path in CLIPS]


def heard(model, clips):
    """Features of clips of several lengths at once, and their lengths."""
    import torch

    audio = torch.nn.utils.rnn.pad_sequence(clips, batch_first=True)
    return model.preprocessor(input_signal=audio, length=torch.tensor([len(clip) for clip in clips]))


def test_the_teacher_is_whisper_in_another_order_and_padding_is_not_heard(teacher, weights, clips):
    import torch

    from training.whisper.places import channel_order, sinusoids

    order = channel_order(WIDTH)
    places = sinusoids(1000, WIDTH)[:, order.argsort()]
    features, lengths = heard(teacher, clips[:3])
    with torch.no_grad():
        given, steps = teacher.encoder(audio_signal=features, length=lengths)
    for own, count, clip, length in zip(given, steps, features, lengths, strict=True):
        levels = (clip[:, :length] / np.log(10) + teacher.encoder.emphasis + 4) / 4
        wanted = whisper_s_own(weights, levels, places)[:, order]
        torch.testing.assert_close(own.T[: count - 1], wanted[: count - 1], rtol=0, atol=0.05)  # the end hears silence


def test_bands_are_as_loud_as_whisper_hears_them(teacher):
    """White noise by Whisper's own features and by NeMo's."""
    import torch

    from inference.features import mel_filterbank

    wave = 0.1 * torch.randn(160_000, generator=torch.Generator().manual_seed(0))
    spectrum = torch.stft(wave, 400, 160, window=torch.hann_window(400), return_complex=True)
    bank = torch.from_numpy(mel_filterbank(16_000, 400, 80))
    wanted = (bank @ spectrum[:, :-1].abs().square()).log10().mean(1)
    features, _ = heard(teacher, [wave])
    given = (features[0] / np.log(10) + teacher.encoder.emphasis).mean(1)
    torch.testing.assert_close(given[4:], wanted[4:], rtol=0, atol=0.1)


@pytest.fixture(scope="module")
def lent():
    from training.network.warm_start import package_weights

    return package_weights(Path(__file__).parents[2] / "models/hi-demo")


@pytest.fixture(scope="module")
def models(teacher, tokenizer, lent, clips):
    """As chance made it, and as the transplant does."""
    import torch

    from training.network.model import shape_of
    from training.transplant import conformer_for, transplant
    from training.whisper.stem import Round

    torch.manual_seed(0)
    before, after = (conformer_for(teacher, tokenizer, lent) for _ in range(2))
    shape = shape_of(before.state_dict())
    assert (shape.width, shape.layers, shape.expansion, shape.normalisation) == (WIDTH, BLOCKS, 1, "NA")
    transplant(after, teacher, clips, (Round(30, 2e-3), Round(10, 6e-4)))
    return before, after


def misses(model, teacher, clips):
    """What the model misses of what its teacher gives."""
    import torch

    from training.whisper.least_squares import missed

    features, lengths = heard(teacher, clips)
    with torch.no_grad():
        (own, steps), (wanted, others) = (
            each.encoder(audio_signal=features, length=lengths) for each in (model, teacher)
        )
    counts = torch.minimum(steps, others).tolist()
    rows = [torch.cat([clip[:, :count].T for clip, count in zip(part, counts, strict=True)]) for part in (own, wanted)]
    return float(missed(*rows))


def test_a_conformer_of_its_layers_gives_what_they_give(models, teacher, clips):
    before, after = (misses(model, teacher, clips[:2]) for model in models)
    assert after < 0.5 < before


def test_training_begins_where_it_was_put(models, teacher, clips):
    """Batch norms keep still, so that a batch is heard in training as it is served."""
    model = models[1]
    served = misses(model, teacher, clips[:2])
    model.train()
    try:
        assert misses(model, teacher, clips[:2]) == pytest.approx(served, abs=1e-3)
    finally:
        model.eval()


def test_small_changes_of_the_weights_change_little(models, teacher, clips):
    import torch

    model, chance = models[1], torch.Generator().manual_seed(0)
    before = misses(model, teacher, clips[:2])
    with torch.no_grad():
        for parameter in filter(lambda each: each.requires_grad, model.encoder.parameters()):
            parameter.add_(1e-3 * torch.randn(parameter.shape, generator=chance))
    assert misses(model, teacher, clips[:2]) < before + 0.1
