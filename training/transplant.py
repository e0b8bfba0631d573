"""Make a Conformer of Whisper's encoder, by least squares, on clips that both hear; training goes on from there.

    python -m training.transplant --whisper build/whisper/model.bin --start models/hi-demo --work build/run \
        --clips build/people/manifest.jsonl --clips build/kokoro-clips/manifest.jsonl \
        --hindi build/kokoro-clips/manifest.jsonl

A block of Whisper attends, then asks four neurons a channel. A Conformer's layer has half a feed-forward, attention, a
convolution and half a feed-forward, and normalises what it gives. So the strongest quarter of a block's neurons goes
into the convolution, all of whose taps but the middle one are nought, the next into the second feed-forward, the third
into the first one of the next layer; the weakest are left out. Each product is fitted in its turn, on what the modules
before it really give, to what Whisper's own gives, so that errors do not add up. Steps count as they do behind the
normalisation.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from export.configuration import Shape
from training.files import command, read_manifest
from training.network.checkpoint import save_start
from training.network.model import FEATURES, build
from training.network.warm_start import package_start
from training.whisper.encoder import Streams, Whisper
from training.whisper.least_squares import fit, missed, standardised
from training.whisper.output_layer import fit_output_layer
from training.whisper.places import Places

_GELU = 1.702
"""x · sigmoid(1.702 x) is nearly Whisper's activation (Hendrycks and Gimpel, 2016); a Conformer's is x · sigmoid(x)."""
_OPEN = 4.0
"""Bias of the convolution's gates: nearly open."""
_QUIET = 0.25
"""Root of the mean square of the convolutions' maps: of loud ones, small weights would have to make what they say."""
_FAINT = 0.01
"""Variance of a channel, of 1 in the mean, below which it is noise."""
_LONGEST = 12.0


class Transplant:
    """A Conformer whose modules are fitted one after another; `given` is what they give so far, `[steps, width]`."""

    def __init__(self, model: Any, whisper: Whisper, clips: list[Tensor]) -> None:
        """Both hear `clips` of 16 kHz samples, each by its own features."""
        self.encoder, self.whisper, self.places = model.encoder, whisper, Places.of(whisper.width)
        heard, wanted, self.steps = [], [], list[int]()
        for clip in tqdm(clips, desc="hear", unit="clip"):
            features, length = model.preprocessor(input_signal=clip[None], length=torch.tensor([len(clip)]))
            maps, _ = self.encoder.pre_encode.conv(features.transpose(1, 2), length)
            own, other = maps.transpose(1, 2).flatten(2)[0], whisper.hear(clip)
            self.steps.append(min(len(own), len(other)))
            heard.append(own[: self.steps[-1]])
            wanted.append(other[: self.steps[-1], self.places.order])
        nemo = torch.cat([self.places.nemo(steps) for steps in self.steps])
        self.wanted = torch.cat(wanted) + torch.cat([self.places.whisper(steps) for steps in self.steps])
        self.weight: Tensor | None = None
        out, maps = self.encoder.pre_encode.out, torch.cat(heard)
        maps = maps / self._loudness(maps)
        out.weight[:], out.bias[:] = fit(maps, self.wanted - nemo)
        self.given = out(maps) + nemo

    def _loudness(self, maps: Tensor) -> float:
        """Turn the last convolution, whose maps these are, down; return by how much."""
        loudness = float(maps.square().mean().sqrt()) / _QUIET
        last = self.encoder.pre_encode.conv[2]
        last.weight /= loudness
        last.bias /= loudness
        return loudness

    def run(self) -> None:
        """Fit every layer; print what each misses."""
        stream, width, spare = self.wanted, self.whisper.width, None
        for number, layer in enumerate(tqdm(self.encoder.layers, desc="fit", unit="layer")):
            block = self._block(number, stream)
            by = stream if number else None  # what the layer before gives is normalised
            groups = self._neurons(number, block.hidden).split(width)
            if spare is None:
                spare = block.hidden[:, groups[2]]
            self._feed_forward(layer, 1, spare)
            self._attention(layer, block, by)
            self._aim(block.after, by)
            self._convolution(layer, block.hidden[:, groups[0]])
            self._feed_forward(layer, 2, block.hidden[:, groups[1]])
            spare, stream = block.hidden[:, groups[2]], block.after
            self.given, self.wanted, self.weight = standardised(self.given), standardised(stream), None
            tqdm.write(f"layer {number} misses {float(missed(self.given, self.wanted)):.3f}")

    def _aim(self, stream: Tensor, by: Tensor | None) -> None:
        """Want `stream` as it is scaled behind `by`; each step counts as its normalised values will."""
        self.wanted = stream if by is None else standardised(stream, by)
        self.weight = 1 / self.wanted.std(1, unbiased=False)

    def _block(self, number: int, stream: Tensor) -> Streams:
        """What Whisper's block makes of its own stream, clip by clip, channels in NeMo's order."""
        order, inverse = self.places.order, self.places.order.argsort()
        parts = [self.whisper.block(number, clip[:, inverse]) for clip in stream.split(self.steps)]
        attended, hidden, after = (
            torch.cat([getattr(part, name) for part in parts]) for name in ("attended", "hidden", "after")
        )
        both = torch.cat([part.query_key_value for part in parts])
        return Streams(both, attended[:, order], hidden, after[:, order])

    def _neurons(self, number: int, hidden: Tensor) -> Tensor:
        """The neurons of a block, strongest first."""
        weights = self.whisper.part(f"layer_{number}/ffn/linear_1/weight")
        return (functional.gelu(hidden).square().mean(0) * weights.square().sum(0)).argsort(descending=True)

    def _normalised(self, norm: Any) -> Tensor:
        """Let `norm` give channels of like strength: Whisper's own differ a hundredfold, and small ones say much.

        Products then have weights of like size, which small steps of training do not upset.
        """
        x = standardised(self.given)
        norm.weight[:] = (x.var(0) + _FAINT).rsqrt()
        norm.bias[:] = -x.mean(0) * norm.weight
        normalised: Tensor = norm(self.given)
        return normalised

    def _feed_forward(self, layer: Any, which: int, hidden: Tensor) -> None:
        norm, module = getattr(layer, f"norm_feed_forward{which}"), getattr(layer, f"feed_forward{which}")
        x = self._normalised(norm)
        first, second = module.linear1, module.linear2
        first.weight[:], first.bias[:] = fit(x, _GELU * hidden)
        if layer is self.encoder.layers[0] and which == 1:
            self._double(norm, first)
        x = functional.silu(first(x))
        second.weight[:], second.bias[:] = fit(x, 2 * (self.wanted - self.given), self.weight)
        self.given = self.given + 0.5 * second(x)

    def _double(self, norm: Any, linear: Any) -> None:
        """Let the first units tell squares and products of sines and cosines, of which doubled angles are made.

        silu(x) + silu(-x) is x · tanh(x / 2), nearly a square.
        """
        units = [
            (sign * scale, channels)
            for pair in self.places.halves
            for scale in (0.4, 1.0)
            for sign in (1, -1)
            for channels in ([2 * pair], [2 * pair, 2 * pair + 1])
        ]
        for row, (scale, channels) in enumerate(units):
            linear.weight[row] = 0
            linear.weight[row, channels] = scale / norm.weight[channels]
            linear.bias[row] = -(linear.weight[row] @ norm.bias)

    def _attention(self, layer: Any, block: Streams, by: Tensor | None) -> None:
        module = layer.self_attn
        x = self._normalised(layer.norm_self_att)
        parts = []
        for linear, wanted in zip(
            (module.linear_q, module.linear_k, module.linear_v), block.query_key_value.chunk(3, 1), strict=True
        ):
            linear.weight[:], linear.bias[:] = fit(x, wanted)
            parts.append(linear(x).unflatten(1, (self.whisper.heads, -1)).transpose(0, 1).split(self.steps, 1))
        heard = [functional.scaled_dot_product_attention(*clip) for clip in zip(*parts, strict=True)]
        joined, out = torch.cat(heard, 1).transpose(0, 1).flatten(1), module.linear_out
        self._aim(block.attended, by)
        out.weight[:], out.bias[:] = fit(joined, self.wanted - self.given, self.weight)
        self.given = self.given + out(joined)

    def _convolution(self, layer: Any, hidden: Tensor) -> None:
        x, module, width = self._normalised(layer.norm_conv), layer.conv, hidden.shape[1]
        weight, bias = fit(x, _GELU * hidden)
        x = functional.linear(x, weight, bias)
        first, middle, norm, last = (
            getattr(module, name) for name in ("pointwise_conv1", "depthwise_conv", "batch_norm", "pointwise_conv2")
        )
        gate = float(torch.tensor(_OPEN).sigmoid())
        first.weight[:width, :, 0], first.bias[:width] = weight / gate, bias / gate
        first.weight[width:], first.bias[width:] = 0, _OPEN
        middle.weight[:], middle.bias[:] = 0, 0
        middle.weight[:, 0, middle.kernel_size[0] // 2] = 1
        norm.running_mean[:], norm.running_var[:] = x.mean(0), x.var(0)
        norm.bias[:], norm.weight[:] = x.mean(0), (x.var(0) + norm.eps).sqrt()
        x = functional.silu(x)
        last.weight[:, :, 0], last.bias[:] = fit(x, self.wanted - self.given, self.weight)
        self.given = self.given + functional.linear(x, last.weight[:, :, 0], last.bias)


def _for_plain_features(convolutions: dict[str, Tensor]) -> dict[str, Tensor]:
    """Let convolutions that learnt on normalised features hear plain ones alike."""
    first, (mean, deviation) = "encoder.pre_encode.conv.0", FEATURES
    weight = convolutions[f"{first}.weight"] / deviation
    bias = convolutions[f"{first}.bias"] - mean * weight.sum((1, 2, 3))
    return convolutions | {f"{first}.weight": weight, f"{first}.bias": bias}


def draw(manifests: list[Path], count: int) -> list[Tensor]:
    """Samples of `count` clips, as many of each manifest."""
    chance, clips = np.random.default_rng(0), list[Tensor]()
    for manifest in manifests:
        rows = [row for row in read_manifest(manifest) if row["duration"] <= _LONGEST]
        for place in chance.permutation(len(rows))[: count // len(manifests)]:
            clips.append(torch.from_numpy(soundfile.read(rows[place]["audio_filepath"], dtype="float32")[0]))
    return clips


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whisper", type=Path, required=True, metavar="MODEL.BIN", help="in CTranslate2's format")
    parser.add_argument("--start", type=Path, required=True, metavar="PACKAGE", help="lends vocabulary and subsampling")
    parser.add_argument("--work", type=Path, required=True, help="folder of the training that goes on from here")
    parser.add_argument("--clips", type=Path, action="append", required=True, metavar="MANIFEST", help="that both hear")
    parser.add_argument("--hindi", type=Path, required=True, metavar="MANIFEST", help="for the output layer")
    parser.add_argument("--count", type=int, default=1000, help="clips to fit by")
    return parser.parse_args()


def main() -> None:
    """Run the step from the command line."""
    options = arguments()
    whisper, hindi = Whisper(options.whisper), read_manifest(options.hindi)
    tokenizer, state = package_start(options.start, options.work, [row["text"] for row in hindi])
    channels = state["encoder.pre_encode.conv.0.weight"].shape[0]
    shape = Shape(
        whisper.width,
        whisper.blocks,
        whisper.heads,
        9,
        subsampling_channels=channels,
        expansion=1,
        attention="abs_pos",
        scaled=False,
        normalisation="NA",
    )
    model = build(shape, tokenizer)
    own = model.state_dict()
    lent = {name: state[name] for name in own if name.startswith("encoder.pre_encode.conv.")}
    model.load_state_dict(own | _for_plain_features(lent))
    model.eval()
    with torch.no_grad():
        Transplant(model, whisper, draw(options.clips, options.count)).run()
    fit_output_layer(model, hindi[: options.count])
    save_start(options.work, model.state_dict())
    print(f"{options.work}: a start, its output layer fitted to {min(options.count, len(hindi))} clips")


if __name__ == "__main__":
    command(main)
