"""A real EncDecCTCModelBPE with random weights: the shapes, and so the speed, of NVIDIA's models."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.checkpoint import Checkpoint, import_model_class

SOURCE = "random weights, for benchmarks of speed only"
SEED = 20_261_122
_PIECES = 128

_STEMS = "कर जा दे ले आ बोल सुन देख लिख पढ़ चल रख मिल बैठ उठ सो खा पी बन रह कह गिन तोड़ छू झूल थक धो फेंक भर"
_ENDINGS = "ना ता ती ते ने कर ऊँगा ऊँगी ओगे एगा एगी एँगे इए कर"


@dataclass(frozen=True, slots=True)
class Shape:
    """Of a Conformer-CTC."""

    width: int
    layers: int
    heads: int
    kernel: int = 31
    positions: int = 5_000
    """Steps in the positional table."""


# NeMo's examples/asr/conf/conformer/conformer_ctc_bpe.yaml; medium is stt_hi_conformer_ctc_medium.
SHAPES: Mapping[str, Shape] = {
    "small": Shape(width=176, layers=16, heads=4),
    "medium": Shape(width=256, layers=18, heads=4),
    "large": Shape(width=512, layers=18, heads=8),
}


def random_checkpoint(shape: Shape, seed: int = SEED, save_to: Path | None = None) -> Checkpoint:
    """Build a model whose weights depend on `seed` alone, and also write it to `save_to`, a `.nemo` file."""
    model_class = import_model_class()
    import torch
    from omegaconf import OmegaConf

    torch.manual_seed(seed)
    with tempfile.TemporaryDirectory() as directory:
        _train_tokenizer(Path(directory))
        model = model_class(cfg=OmegaConf.create(_config(shape, directory)))
        model.eval()
        if save_to:  # here, while the tokenizer's files exist
            save_to.parent.mkdir(parents=True, exist_ok=True)
            partial = save_to.with_name(f".partial-{save_to.name}")
            model.save_to(str(partial))
            partial.replace(save_to)
    return Checkpoint(model=model, source=SOURCE, nemo_version=str(model.cfg.nemo_version), sha256=None)


def _train_tokenizer(directory: Path) -> None:
    """Find 128 pieces in the forms of some verbs."""
    import sentencepiece

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(stem + ending for ending in _ENDINGS.split()) for stem in _STEMS.split()]),
        model_prefix=str(directory / "tokenizer"),
        vocab_size=_PIECES,
        model_type="bpe",  # unigram wants more text than this to find so many
        character_coverage=1.0,
        bos_id=-1,
        eos_id=-1,
        minloglevel=2,
    )
    # NeMo asks for this list beside the model, and reads nothing but its existence.
    vocabulary = (directory / "tokenizer.vocab").read_text(encoding="utf-8")
    (directory / "vocab.txt").write_text(vocabulary, encoding="utf-8")


def _config(shape: Shape, tokenizer_directory: str) -> dict[str, Any]:
    """As in NeMo's `conformer_ctc_bpe.yaml`, without the parts for training."""
    return {
        "sample_rate": 16_000,
        "tokenizer": {"dir": tokenizer_directory, "type": "bpe"},
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
        "encoder": {
            "_target_": "nemo.collections.asr.modules.ConformerEncoder",
            "feat_in": 80,
            "feat_out": -1,
            "n_layers": shape.layers,
            "d_model": shape.width,
            "subsampling": "striding",
            "subsampling_factor": 4,
            "subsampling_conv_channels": -1,
            "ff_expansion_factor": 4,
            "self_attention_model": "rel_pos",
            "n_heads": shape.heads,
            "att_context_size": [-1, -1],
            "xscaling": True,
            "untie_biases": True,
            "pos_emb_max_len": shape.positions,
            "conv_kernel_size": shape.kernel,
            "conv_norm_type": "batch_norm",
        },
        "decoder": {
            "_target_": "nemo.collections.asr.modules.ConvASRDecoder",
            "feat_in": shape.width,
            "num_classes": -1,
            "vocabulary": [],
        },
        "optim": {"name": "adamw", "lr": 1e-3},
    }
