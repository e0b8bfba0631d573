"""NeMo's configuration of the one kind of network that random weights and the embedded model share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Shape:
    """Of a Conformer-CTC."""

    width: int
    """d_model."""
    layers: int
    heads: int
    kernel: int = 31
    """Width of the depthwise convolution, in encoder steps of 40 ms."""
    positions: int = 5_000
    """Steps in the positional table."""
    subsampling_channels: int = -1
    """As many as the model is wide, where -1."""
    expansion: int = 4
    """How many times as wide as the model a feed-forward is."""
    attention: str = "rel_pos"
    """By relative positions; or "abs_pos", whose sinusoids are added to what the first layer hears."""
    scaled: bool = True
    """Whether what the first layer hears is multiplied by the root of the width."""
    normalisation: str = "per_feature"
    """Of features: each mel bin over the clip; or "NA", none, so that nothing depends on what else is in the clip."""


def conformer_ctc(shape: Shape, tokenizer_directory: Path) -> dict[str, Any]:
    """As in NeMo's `conformer_ctc_bpe.yaml`, without the parts for training."""
    return {
        "sample_rate": 16_000,
        "tokenizer": {"dir": str(tokenizer_directory), "type": "bpe"},
        "preprocessor": {
            "_target_": "nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor",
            "sample_rate": 16_000,
            "normalize": shape.normalisation,
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
            "subsampling_conv_channels": shape.subsampling_channels,
            "ff_expansion_factor": shape.expansion,
            "self_attention_model": shape.attention,
            "n_heads": shape.heads,
            "att_context_size": [-1, -1],
            "xscaling": shape.scaled,
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
    }
