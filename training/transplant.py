"""Make a Conformer of a Whisper that has learnt to spell, on clips that both hear; training goes on from there.

    python -m training.transplant --teacher build/teacher --start models/hi-demo --work build/run \
        --clips build/people/manifest.jsonl --clips build/kokoro-clips/manifest.jsonl

A block of Whisper attends, then asks four neurons a channel. A Conformer's layer has half a feed-forward, attention, a
convolution and half a feed-forward, and normalises what it gives. So the strongest quarter of a block's neurons goes
into the convolution, all of whose taps but the middle one are nought, the next into the second feed-forward, the third
into the first one of the next layer; the weakest are left out. Each product is fitted in its turn, on what the modules
before it really give, to what Whisper's own gives, so that errors do not add up. Steps count as they do behind the
normalisation. What comes before the first attention is taught by gradient (`training.whisper.stem`); the output layer
is the teacher's.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from export.configuration import Shape
from training.acoustics.augment import augment
from training.average import average
from training.files import RecipeError, command, read_manifest
from training.network.checkpoint import is_under_way, save_start, weights
from training.network.dataset import LEVELS
from training.network.model import FEATURES, HEAD, build, shape_of
from training.network.warm_start import package_weights
from training.whisper.encoder import Streams, whisper_of
from training.whisper.least_squares import fit, missed, standardised
from training.whisper.places import sinusoids
from training.whisper.stem import ROUNDS, Round, teach_stem

_GELU = 1.702
"""x · sigmoid(1.702 x) is nearly Whisper's activation (Hendrycks and Gimpel, 2016); a Conformer's is x · sigmoid(x)."""
_OPEN = 4.0
"""Bias of the convolution's gates: nearly open."""
_FAINT = 0.01
"""Variance of a channel, of 1 in the mean, below which it is noise."""
_LONGEST = 12.0
_SHORTEST = 0.4


class Transplant:
    """A Conformer whose modules are fitted one after another; `given` is what they give so far, `[steps, width]`."""

    def __init__(self, model: Any, teacher: Any, features: list[Tensor]) -> None:
        """Both hear `features`, `[80, frames]` a clip; what comes before the first attention is taught already."""
        self.encoder, self.teacher = model.encoder, teacher.encoder
        given, wanted, self.steps = [], [], list[int]()
        for clip in tqdm(features, desc="hear", unit="clip"):
            own, _ = self.encoder.pre_encode(x=clip.T[None], lengths=torch.tensor([clip.shape[1]]))
            other = self.teacher.stem(clip[None])
            self.steps.append(min(own.shape[1], other.shape[1]))
            given.append(own[0, : self.steps[-1]])
            wanted.append(other[0, : self.steps[-1]])
        places = torch.cat([sinusoids(steps, self.teacher.d_model) for steps in self.steps])
        self.given, self.wanted = torch.cat(given) + places, torch.cat(wanted) + places
        self.weight: Tensor | None = None
        first = self.encoder.layers[0]
        self.given = self.given + 0.5 * first.feed_forward1(first.norm_feed_forward1(self.given))

    def run(self) -> None:
        """Fit every layer; print what each misses."""
        stream, width, spare = self.wanted, self.teacher.d_model, None
        for number, layer in enumerate(tqdm(self.encoder.layers, desc="fit", unit="layer")):
            block = self._block(number, stream)
            by = stream if number else None  # what the layer before gives is normalised
            groups = self._neurons(number, block.hidden).split(width)
            if spare is not None:
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
        """What the teacher's block makes of its own stream, clip by clip; steps of all clips in one row."""
        parts = [self.teacher.layers[number](clip[None]) for clip in stream.split(self.steps)]
        names = ("query_key_value", "attended", "hidden", "after")
        return Streams(*(torch.cat([getattr(part, name)[0] for part in parts]) for name in names))

    def _neurons(self, number: int, hidden: Tensor) -> Tensor:
        """The neurons of a block, strongest first."""
        given = self.teacher.layers[number].second.weight
        return (functional.gelu(hidden).square().mean(0) * given.square().sum(0)).argsort(descending=True)

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
        x = functional.silu(first(x))
        second.weight[:], second.bias[:] = fit(x, 2 * (self.wanted - self.given), self.weight)
        self.given = self.given + 0.5 * second(x)

    def _attention(self, layer: Any, block: Streams, by: Tensor | None) -> None:
        module = layer.self_attn
        x = self._normalised(layer.norm_self_att)
        parts = []
        for linear, wanted in zip(
            (module.linear_q, module.linear_k, module.linear_v), block.query_key_value.chunk(3, 1), strict=True
        ):
            linear.weight[:], linear.bias[:] = fit(x, wanted)
            parts.append(linear(x).unflatten(1, (-1, HEAD)).transpose(0, 1).split(self.steps, 1))
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


def conformer_for(teacher: Any, tokenizer: Path, lent: dict[str, Tensor]) -> Any:
    """A Conformer as wide and deep as the teacher, with its output layer; the weights `lent` have convolutions."""
    encoder, channels = teacher.encoder, lent["encoder.pre_encode.conv.0.weight"].shape[0]
    shape = Shape(
        encoder.d_model,
        len(encoder.layers),
        encoder.d_model // HEAD,
        9,
        subsampling_channels=channels,
        expansion=1,
        attention="abs_pos",
        scaled=False,
        normalisation="NA",
    )
    model = build(shape, tokenizer)
    own = model.state_dict()
    convolutions = {name: lent[name] for name in own if name.startswith("encoder.pre_encode.conv.")}
    if shape_of(lent).normalisation != shape.normalisation:
        convolutions = _for_plain_features(convolutions)
    model.load_state_dict(own | convolutions)
    model.decoder.load_state_dict(teacher.decoder.state_dict())
    return model.eval()


def transplant(model: Any, teacher: Any, clips: list[Tensor], rounds: tuple[Round, ...] = ROUNDS) -> None:
    """Make `model` of `teacher`, both as they hear `clips`, samples at 16 kHz; `rounds` teach the stem."""
    with torch.no_grad():
        heard = [model.preprocessor(input_signal=clip[None], length=torch.tensor([len(clip)])) for clip in clips]
        features = [clip[0, :, : int(length)] for clip, length in heard]
    teach_stem(model.encoder, teacher.encoder, features, rounds)
    with torch.no_grad():
        Transplant(model, teacher, features).run()
        last = model.encoder.layers[-1].norm_out
        last.weight[:], last.bias[:] = teacher.encoder.norm_out.weight, teacher.encoder.norm_out.bias


def draw(manifests: list[Path], count: int) -> list[Tensor]:
    """Samples of `count` clips, as many of each manifest, louder or softer than they are, every other one augmented."""
    chance, paths, clips = np.random.default_rng(0), list[str](), list[Tensor]()
    for manifest in manifests:
        usable = [row["audio_filepath"] for row in read_manifest(manifest) if _SHORTEST <= row["duration"] <= _LONGEST]
        paths += [usable[place] for place in chance.permutation(len(usable))[: count // len(manifests)]]
    waves = [soundfile.read(path, dtype="float32")[0] for path in paths]
    for number, wave in enumerate(waves):
        heard = augment(wave, waves[number - 1], chance) if number % 2 else wave
        clips.append(torch.from_numpy(heard * np.float32(10 ** (chance.uniform(*LEVELS) / 20))))
    return clips


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, required=True, metavar="RUN", help="of `training.train --whisper`")
    parser.add_argument("--last", type=int, default=2, help="how many sets of its weights, counted from the end")
    parser.add_argument("--start", type=Path, required=True, metavar="PACKAGE", help="lends convolutions")
    parser.add_argument("--work", type=Path, required=True, help="folder of the training that goes on from here")
    parser.add_argument("--clips", type=Path, action="append", required=True, metavar="MANIFEST", help="that both hear")
    parser.add_argument("--count", type=int, default=1000, help="clips to fit by")
    parser.add_argument("--stem-steps", type=int, default=ROUNDS[0].steps, help="of each round that teaches the stem")
    return parser.parse_args()


def main() -> None:
    """Run the step from the command line."""
    options = arguments()
    if is_under_way(options.work):
        raise RecipeError(f"{options.work} holds a run that has begun, without this start: give another --work")
    torch.manual_seed(0)
    state = average(weights(options.teacher)[-options.last :])
    tokenizer = options.work / "tokenizer"
    shutil.copytree(options.teacher / "tokenizer", tokenizer, dirs_exist_ok=True)
    teacher = whisper_of(state, tokenizer).eval()
    model = conformer_for(teacher, tokenizer, package_weights(options.start))
    rounds = tuple(replace(each, steps=options.stem_steps) for each in ROUNDS)
    transplant(model, teacher, draw(options.clips, options.count), rounds)
    save_start(options.work, model.state_dict())
    print(f"{options.work}: a start")


if __name__ == "__main__":
    command(main)
