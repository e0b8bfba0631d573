"""A checkpoint's `preprocessor` section → FeatureParameters, or a clear refusal."""

import re
from collections.abc import Mapping
from typing import Any, Literal

from export.errors import ExportError
from inference.features import FeatureParameters
from inference.types import FRAMES_A_SECOND

Semantics = Literal["nemo-1", "nemo-2.5"]

# What `inference.features` does, field by field; a field that is absent has this value in NeMo as well.
# Of `log_zero_guard_value` and `dither` NeMo's own defaults are meant; dither acts in training alone.
_REQUIRED: Mapping[str, tuple[Any, ...]] = {
    "window": ("hann",),
    "normalize": ("per_feature", "NA"),
    "log": (True,),
    "log_zero_guard_type": ("add",),
    "log_zero_guard_value": (2**-24,),
    "frame_splicing": (1,),
    "exact_pad": (False,),
    "mag_power": (2.0,),
    "mel_norm": ("slaney",),
    "lowfreq": (0, 0.0),
    "pad_value": (0, 0.0),
    "stft_exact_pad": (False,),
    "stft_conv": (False,),
    "use_torchaudio": (False,),
}
_READ = ("_target_", "sample_rate", "features", "n_fft", "window_size", "window_stride", "preemph", "highfreq")
_READ_IN_SAMPLES = ("n_window_size", "n_window_stride")
_WITHOUT_EFFECT = ("dither", "pad_to", "nb_augmentation_prob", "nb_max_freq", "rng", "use_grads", "max_duration")
_TARGET = "AudioToMelSpectrogramPreprocessor"


def feature_parameters(section: Mapping[str, Any], semantics: Semantics) -> FeatureParameters:
    """Translate NeMo's `preprocessor` section; raise ExportError naming each field that cannot be honoured."""
    problems = list(_problems(section))
    if problems:
        raise ExportError("the preprocessor differs from what inference/features.py does: " + "; ".join(problems))
    rate, hop = _rate(section), _hop(section)
    window = int(section.get("n_window_size") or float(section.get("window_size", 0.02)) * rate)
    preemphasis = section.get("preemph", 0.97)
    return FeatureParameters(
        sample_rate=rate,
        mel_bins=int(section.get("features", 64)),
        fft_size=int(section.get("n_fft") or 2 ** (window - 1).bit_length()),
        window_size=window,
        hop_size=hop,
        preemphasis=0.0 if preemphasis is None else float(preemphasis),
        semantics=semantics,
        normalisation="none" if section.get("normalize") == "NA" else "per_feature",
    )


def semantics_of(nemo_version: str) -> Semantics:
    """Decide by a checkpoint's own `nemo_version` which features it was trained on; raise ExportError if unreadable."""
    match = re.match(r"(\d+)\.(\d+)", nemo_version)
    if match is None:
        raise ExportError(f"the checkpoint's nemo_version is {nemo_version!r}: say --semantics nemo-1 or nemo-2.5")
    release = (int(match[1]), int(match[2]))
    return "nemo-2.5" if release >= (2, 5) else "nemo-1"


def _problems(section: Mapping[str, Any]) -> list[str]:
    target = str(section.get("_target_", ""))
    if not target.endswith(f".{_TARGET}"):
        return [f"_target_ is {target or 'absent'}, not {_TARGET}"]
    problems = [
        f"{field} is {section[field]!r}, not {accepted[0]!r}"
        for field, accepted in _REQUIRED.items()
        if field in section and section[field] not in accepted
    ]
    known = {*_REQUIRED, *_READ, *_READ_IN_SAMPLES, *_WITHOUT_EFFECT}
    problems += [f"{field} is not known" for field in section if field not in known]
    highest = section.get("highfreq")
    if highest is not None and highest != _rate(section) / 2:
        problems.append(f"highfreq is {highest!r}, not half of the sample rate")
    if _hop(section) * FRAMES_A_SECOND != _rate(section):
        problems.append(f"window_stride is {_hop(section)} samples of {_rate(section)} a second, not 10 ms")
    return problems


def _rate(section: Mapping[str, Any]) -> int:
    return int(section.get("sample_rate", 16_000))


def _hop(section: Mapping[str, Any]) -> int:
    return int(section.get("n_window_stride") or float(section.get("window_stride", 0.01)) * _rate(section))
