"""The network: NeMo's own `EncDecCTCModelBPE`, a small sibling of `stt_hi_conformer_ctc_medium`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sentencepiece
from omegaconf import OmegaConf

from training.files import RecipeError


@dataclass(frozen=True)
class Shape:
    """Size of the Conformer; the defaults make 6.3 M parameters."""

    width: int = 176
    """d_model."""
    layers: int = 8
    heads: int = 4
    kernel: int = 15
    """Width of the depthwise convolution, in encoder steps of 40 ms."""
    subsampling_channels: int = 64


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
    return {
        "sample_rate": 16_000,
        "log_prediction": False,
        "ctc_reduction": "mean_volume",
        "skip_nan_grad": False,
        "labels": [],
        "tokenizer": {"dir": str(tokenizer), "type": "bpe"},
        "preprocessor": {
            "_target_": "nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor",
            "sample_rate": 16_000,
            "normalize": "per_feature",
            "window_size": 0.025,
            "window_stride": 0.01,
            "window": "hann",
            "features": 80,
            "n_fft": 512,
            "log": True,
            "frame_splicing": 1,
            "dither": 1e-5,
            "pad_to": 0,
            "pad_value": 0.0,
        },
        "spec_augment": {
            "_target_": "nemo.collections.asr.modules.SpectrogramAugmentation",
            "freq_masks": 2,
            "time_masks": 4,
            "freq_width": 20,
            "time_width": 0.05,
        },
        "encoder": {
            "_target_": "nemo.collections.asr.modules.ConformerEncoder",
            "feat_in": 80,
            "feat_out": -1,
            "n_layers": shape.layers,
            "d_model": shape.width,
            "subsampling": "striding",
            "subsampling_factor": 4,
            "subsampling_conv_channels": shape.subsampling_channels,
            "ff_expansion_factor": 4,
            "self_attention_model": "rel_pos",
            "n_heads": shape.heads,
            "sync_max_audio_length": False,  # or the encoder talks to the other processes, also in validation
            "att_context_size": [-1, -1],
            "xscaling": True,
            "untie_biases": True,
            "pos_emb_max_len": 5000,
            "conv_kernel_size": shape.kernel,
            "conv_norm_type": "batch_norm",
            "dropout": 0.0,
            "dropout_pre_encoder": 0.0,
            "dropout_emb": 0.0,
            "dropout_att": 0.0,
        },
        "decoder": {
            "_target_": "nemo.collections.asr.modules.ConvASRDecoder",
            "feat_in": None,
            "num_classes": -1,
            "vocabulary": [],
        },
    }


def build(shape: Shape, tokenizer: Path) -> Any:
    """A fresh `EncDecCTCModelBPE` with random weights."""
    from nemo.collections.asr.models import EncDecCTCModelBPE
    from nemo.utils import logging

    logging.setLevel(logging.ERROR)
    settings = configuration(shape, tokenizer)
    settings["decoder"]["feat_in"] = shape.width
    return EncDecCTCModelBPE(cfg=OmegaConf.create(settings))
