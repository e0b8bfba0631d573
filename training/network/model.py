"""The network: NeMo's own `EncDecCTCModelBPE`, a small sibling of `stt_hi_conformer_ctc_medium`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from omegaconf import OmegaConf
from torch import Tensor

from export.configuration import Shape, conformer_ctc
from training.files import RecipeError

SHAPE = Shape(width=176, layers=8, heads=4, kernel=15, subsampling_channels=64)
"""6.3 M parameters."""
FEATURES = -8.0, 4.4
"""Mean and deviation of NeMo's log-mel features of speech, where they are not normalised."""
HEAD = 64
"""Width of a head where the weights do not tell: that of models made of Whisper's layers (`training.transplant`)."""


def shape_of(state: dict[str, Tensor]) -> Shape:
    """Read the size of the Conformer off its weights."""
    layers = 1 + max(int(name.split(".")[2]) for name in state if name.startswith("encoder.layers."))
    first = "encoder.layers.0"
    width = state[f"{first}.norm_out.weight"].shape[0]
    relative = state.get(f"{first}.self_attn.pos_bias_u")
    return replace(
        SHAPE,
        width=width,
        layers=layers,
        heads=width // HEAD if relative is None else relative.shape[0],
        expansion=state[f"{first}.feed_forward1.linear1.weight"].shape[0] // width,
        attention="abs_pos" if relative is None else "rel_pos",
        scaled=relative is not None,
        normalisation="NA" if relative is None else "per_feature",
        kernel=state[f"{first}.conv.depthwise_conv.weight"].shape[-1],
        subsampling_channels=state["encoder.pre_encode.conv.0.weight"].shape[0],
    )


def make_tokenizer(texts: list[str], folder: Path, size: int = 128) -> Path:
    """Train SentencePiece unigram on `texts` into `folder`; an existing one stays, checkpoints hold its ids."""
    target = folder / "tokenizer.model"
    if target.exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_prefix=str(folder / "part"),
            model_type="unigram",
            vocab_size=size,
            character_coverage=1.0,
            bos_id=-1,
            eos_id=-1,
            minloglevel=2,
        )
    except RuntimeError as error:
        reason = str(error).rsplit("] ", 1)[-1]
        raise RecipeError(f"SentencePiece cannot make {size} pieces: {reason} (or give it more text)") from error
    pieces = [line.split("\t")[0] for line in (folder / "part.vocab").read_text(encoding="utf-8").splitlines()]
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in pieces), encoding="utf-8")
    (folder / "part.vocab").replace(folder / "tokenizer.vocab")
    (folder / "part.model").replace(target)
    return folder


def configuration(shape: Shape, tokenizer: Path) -> dict[str, Any]:
    """NeMo's configuration of the model; features are those of the medium model."""
    settings = conformer_ctc(shape, tokenizer)
    settings["spec_augment"] = {
        "_target_": "nemo.collections.asr.modules.SpectrogramAugmentation",
        "freq_masks": 2,
        "time_masks": 4,
        "freq_width": 20,
        "time_width": 0.05,
        "mask_value": 0.0 if shape.normalisation == "per_feature" else FEATURES[0],
    }
    # Dropout costs a fifth of the speed; the last line keeps the encoder from talking to the other processes.
    settings["encoder"] |= dict.fromkeys(("dropout", "dropout_pre_encoder", "dropout_emb", "dropout_att"), 0.0)
    settings["encoder"]["sync_max_audio_length"] = False
    return settings


def build(shape: Shape, tokenizer: Path) -> Any:
    """A fresh `EncDecCTCModelBPE` with random weights."""
    from nemo.collections.asr.models import EncDecCTCModelBPE
    from nemo.utils import logging

    logging.setLevel(logging.ERROR)
    model = EncDecCTCModelBPE(cfg=OmegaConf.create(configuration(shape, tokenizer)))
    model.foreign = None  # or a decoder for other languages, while training
    if shape.normalisation == "NA":
        # Plain features are far from 0: a small change of what hears them first is a large one.
        model.encoder.pre_encode.conv.requires_grad_(requires_grad=False)
        for layer in model.encoder.layers:
            _keep_still(layer.conv.batch_norm)
    return model


def _keep_still(norm: Any) -> None:
    """Let a batch norm normalise in training too by what it has measured: what it was fitted to do stays as it is."""
    norm.eval()
    norm.train = lambda _mode=True: norm


def autocast(device: torch.device) -> torch.autocast:
    """Compute in bfloat16 where the device does that fast: on GPUs, and on CPUs with AVX512-BF16 or AMX.

    PyTorch takes bfloat16 on any CPU with AVX512; without those it emulates it, which took 2.4 times as long as fp32.
    """
    able = torch.cpu.get_capabilities()
    fast = device.type != "cpu" or able.get("avx512_bf16") or able.get("amx_bf16")
    return torch.autocast(device.type, torch.bfloat16, enabled=bool(fast))


@contextmanager
def middle_of(model: Any, *, wanted: bool) -> Iterator[list[Tensor]]:
    """What a Conformer's middle layer gives as it encodes, `[clips, width, steps]`, in a list; nothing if not `wanted`.

    Source: J. Lee, S. Watanabe, "Intermediate Loss Regularization for CTC-based Speech Recognition", 2021.
    """
    given: list[Tensor] = []
    if not wanted:
        yield given
        return
    layer = model.encoder.layers[(len(model.encoder.layers) - 1) // 2]
    hook = layer.register_forward_hook(lambda _layer, _inputs, output: given.append(output.transpose(1, 2)))
    try:
        yield given
    finally:
        hook.remove()


def ctc_loss(log_probs: Tensor, steps: Tensor, tokens: Tensor, token_lengths: Tensor) -> Tensor:
    """CTC loss a token, averaged over the clips.

    `log_probs`: `[clips, steps, tokens and a blank]`, their true `steps`: `[clips]`; `tokens`: `[clips, tokens]`, and
    their true lengths. A clip without speech has no tokens: it counts as if it had one every third step.
    """
    loss = torch.nn.functional.ctc_loss(
        log_probs.float().transpose(0, 1),
        tokens,
        steps,
        token_lengths,
        blank=log_probs.shape[-1] - 1,
        reduction="none",
        zero_infinity=True,
    )
    return (loss / torch.where(token_lengths > 0, token_lengths, steps / 3)).mean()
