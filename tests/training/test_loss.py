"""Clips without speech in a batch."""

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from tests.training.needs import WARNS, needs
from training.sentences import natural

pytestmark = [
    pytest.mark.training,
    needs("nemo"),
    WARNS,
]


@pytest.fixture(scope="module")
def trainer(tmp_path_factory):
    import torch

    from training.network.model import SHAPE, build, make_tokenizer
    from training.network.schedule import Plan
    from training.network.team import Team
    from training.network.trainer import Trainer

    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("run")
    model = build(replace(SHAPE, width=32, layers=1), make_tokenizer(natural("test"), folder / "tokenizer"))
    return Trainer(model, Plan(warmup=1, short_first=(0.0, 3.0)), folder, Team(0, 1))


def stream(trainer, folder, texts, language="hi"):
    """Endless batches of noise, one clip for each text, none changed."""
    from training.network.arena import Arena
    from training.network.dataset import Draw, Stream

    chance = np.random.default_rng(1)
    rows = []
    for number, text in enumerate(texts):
        soundfile.write(folder / f"{number}.wav", 0.1 * chance.standard_normal(24_000), 16_000)
        row = {"audio_filepath": f"{number}.wav", "duration": 1.5, "text": text, "language": language}
        rows.append(json.dumps(row) + "\n")
    (folder / "manifest.jsonl").write_text("".join(rows), encoding="utf-8")
    batches = Stream([(Arena(folder / "manifest.jsonl", folder / "decoded"), 1.0)], trainer.model, Draw(12.0))
    batches.strength = 0.0
    return iter(batches)


def test_empty_texts_alone_teach_silence(trainer, tmp_path):
    batches = stream(trainer, tmp_path, [""])
    batch = next(batches)
    assert batch.tokens.shape[1] == 0
    assert batch.tokens.dtype == batch.token_lengths.dtype
    losses = [trainer.step(next(batches)) for _ in range(12)]
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.7 * losses[0]


def test_an_empty_text_beside_others_weighs_about_as_much_as_they_do(trainer, tmp_path):
    import torch

    batches = stream(trainer, tmp_path, ["", "नमस्ते दुनिया"])
    batch = next(batches)
    while not 0 < int((batch.token_lengths == 0).sum()) < len(batch.token_lengths):
        batch = next(batches)
    loss = trainer.loss(batch)
    assert 0 < float(loss) < 60
    loss.backward()
    gradients = [parameter.grad for parameter in trainer.model.parameters() if parameter.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_a_share_of_the_loss_is_the_middle_layers(tmp_path):
    import torch

    from training.network.model import SHAPE, build, make_tokenizer
    from training.network.schedule import Plan
    from training.network.team import Team
    from training.network.trainer import Trainer

    torch.manual_seed(1)
    model = build(replace(SHAPE, width=32, layers=4), make_tokenizer(natural("test"), tmp_path / "tokenizer")).eval()
    last, both, middle = (
        Trainer(model, Plan(intermediate=share, augmented=(0.0, 0.0, 1.0)), tmp_path, Team(0, 1))
        for share in (0.0, 0.25, 1.0)
    )
    batch = next(stream(last, tmp_path, ["नमस्ते दुनिया"]))
    losses = [trainer.loss(batch) for trainer in (last, middle, both)]
    assert float(losses[2]) == pytest.approx(0.75 * float(losses[0]) + 0.25 * float(losses[1]), rel=1e-4)
    assert float(losses[0]) != pytest.approx(float(losses[1]), rel=1e-3)
    model.zero_grad()
    losses[1].backward()
    taught = [
        any(p.grad is not None and bool(p.grad.any()) for p in layer.parameters()) for layer in model.encoder.layers
    ]
    assert taught == [True, True, False, False]


@pytest.mark.parametrize("language", ["hi", "ta"])
def test_other_languages_teach_an_output_layer_of_their_own(trainer, tmp_path, language):
    from copy import deepcopy

    model = trainer.model
    model.foreign = deepcopy(model.decoder)
    try:
        model.zero_grad()
        batch = next(stream(trainer, tmp_path, ["नमस्ते दुनिया"], language))
        assert batch.foreign.tolist() == [language != "hi"] * len(batch.foreign)
        trainer.loss(batch).backward()
        taught = [float(layer.decoder_layers[0].weight.grad.abs().max()) for layer in (model.decoder, model.foreign)]
    finally:
        model.foreign = None
    assert taught[language != "hi"] > 0 == taught[language == "hi"]
