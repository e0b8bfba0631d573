"""Clips with their texts → a curve for each decoder that makes confidences of a package's words true, and the proof."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from scipy.optimize import isotonic_regression
from tqdm import tqdm

from evaluation.manifest import Clip, read_manifests
from evaluation.reliability import Judged, joined, words_right
from export.errors import ExportError
from export.package_writer import write_manifest
from inference.loading import load
from inference.package import Package, load_package, sha256
from inference.types import AudioLimits, ConfidenceCurve, Options

_POINTS = 12  # of a curve, each the mean of as many words
_LEAST_WORDS = 300

Decoder: TypeAlias = Literal["greedy", "beam"]
Heard: TypeAlias = Mapping[Decoder, Mapping[str, Judged]]
"""Words by decoder and test set."""


def calibrate(directory: Path, manifests: Sequence[Path]) -> Package:
    """Learn the curves on clips that judge nothing else, and write them into `model.yaml`.

    Raises ExportError where there are too few words, InvalidManifest, InputError or PackageError where a file is
    unusable; the package is then as it was.
    """
    package = load_package(directory)
    scored = hear(dataclasses.replace(package, confidence={}), read_manifests(manifests))
    curves = {decoder: fitted(joined(list(sets.values()))) for decoder, sets in scored.items()}
    learnt = {
        "manifests": {"/".join(path.resolve().parts[-2:]): sha256(path) for path in manifests},
        "words": {decoder: sum(each.right.size for each in sets.values()) for decoder, sets in scored.items()},
    }
    provenance = {**package.provenance, "confidence": learnt}
    write_manifest(dataclasses.replace(package, confidence=curves, provenance=provenance))
    return load_package(directory)


def reliability(directory: Path, manifests: Sequence[Path], picture: Path | None = None) -> Heard:
    """Print how true the confidences of a package are on clips, and draw the picture. Raises as `calibrate` does."""
    heard = hear(load_package(directory), read_manifests(manifests))
    print(_report(heard))
    if picture:
        _draw(heard, picture)
    return heard


def hear(package: Package, clips: Sequence[Clip]) -> Heard:
    """Transcribe all clips with each decoder, in fp32 and else as the server does, and judge their words."""
    pipeline = load(package, precision="fp32")
    limits = AudioLimits("clip", limit_seconds=package.longest_seconds)
    decoders: tuple[Decoder, ...] = ("greedy", "beam") if package.language_model else ("greedy",)
    found: dict[Decoder, dict[str, list[tuple[float, bool]]]] = {decoder: {} for decoder in decoders}
    for clip in tqdm(clips, desc="words", unit="clip", disable=None):
        for decoder in decoders:
            heard = pipeline.transcribe(clip.audio, limits, Options(decoding=decoder, words=True))
            words = [word for segment in heard.segments for word in segment.words]
            right = words_right(clip.text, [word.text for word in words])
            rows = zip((word.confidence for word in words), right, strict=True)
            found[decoder].setdefault(clip.test_set, []).extend(rows)
    return {
        decoder: {
            name: Judged(np.array([each for each, _ in rows]), np.array([right for _, right in rows], dtype=bool))
            for name, rows in sets.items()
        }
        for decoder, sets in found.items()
    }


def fitted(judged: Judged) -> ConfidenceCurve:
    """The monotone curve through the means of words of like scores: isotonic regression.

    Source: B. Zadrozny, C. Elkan, "Transforming classifier scores into accurate multiclass probability estimates",
    KDD 2002. Raises ExportError where words are too few.
    """
    if judged.right.size < _LEAST_WORDS:
        raise ExportError(f"{judged.right.size} words were heard; {_LEAST_WORDS} are the least to learn from")
    parts = np.array_split(np.argsort(judged.confidence, kind="stable"), _POINTS)
    means = np.array([judged.confidence[part].mean() for part in parts]).round(4)
    scores, which = np.unique(means, return_inverse=True)  # several parts may have one score alone
    words = np.bincount(which, [part.size for part in parts])
    right = np.bincount(which, [judged.right[part].sum() for part in parts])
    shares = (right + 1) / (words + 2)  # Laplace's rule of succession: words that were all right make nothing certain
    monotone = isotonic_regression(shares, weights=words).x.round(4)
    return ConfidenceCurve(tuple(scores.tolist()), tuple(monotone.tolist()))


def _report(heard: Heard) -> str:
    header = ["| set | decoder | words | right | error | equal mass | cross entropy | area |", f"|{'---|' * 8}"]
    rows = [
        f"| {name} | {decoder} | {each.right.size} | {each.right.mean():.3f} | {each.error():.3f} "
        f"| {each.error(equal_mass=True):.3f} | {each.cross_entropy:.2f} | {each.area:.3f} |"
        for decoder, sets in heard.items()
        for name, each in (*sets.items(), ("all", joined(list(sets.values()))))
        if each.right.size
    ]
    return "\n".join((*header, *rows))


def _draw(heard: Heard, picture: Path) -> None:
    """Reliability diagrams, a panel for each decoder."""
    # Here and not above: whoever draws nothing need not have it.
    import matplotlib as mpl
    from PIL import Image

    mpl.use("Agg")  # no display is asked for
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(heard), figsize=(4 * len(heard), 4), dpi=80, squeeze=False)
    for axis, (decoder, sets) in zip(axes[0], heard.items(), strict=True):
        axis.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        for name, each in ((name, each) for name, each in sets.items() if each.right.size):
            points: Any = [(confidence, right) for confidence, right, _ in each.bins(equal_mass=True)]
            axis.plot(*zip(*points, strict=True), marker="o", markersize=3, linewidth=1, label=name)
        axis.set(title=decoder, xlabel="confidence", ylabel="share of words that are right", aspect="equal")
        axis.legend(fontsize="x-small")
    figure.tight_layout()
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture)
    pyplot.close(figure)
    with Image.open(picture) as drawn:
        few = drawn.convert("RGB").quantize(method=Image.Quantize.FASTOCTREE)  # 256 colours: a small file
    few.save(picture, optimize=True)
