from pathlib import Path

import pytest

from export.configuration import Shape, conformer_ctc
from export.errors import ExportError
from export.preprocessor import feature_parameters, semantics_of
from inference.features import FeatureParameters

# As in stt_hi_conformer_ctc_medium and NeMo's own Conformer-CTC recipes.
SECTION = conformer_ctc(Shape(width=8, layers=1, heads=1), Path())["preprocessor"] | {"pad_to": 16}


def test_the_usual_section():
    assert feature_parameters(SECTION, "nemo-1") == FeatureParameters(semantics="nemo-1")


def test_other_sizes_are_taken():
    section = {**SECTION, "features": 64, "window_size": 0.02, "n_fft": None, "preemph": None}
    found = feature_parameters(section, "nemo-2.5")
    assert (found.mel_bins, found.window_size, found.fft_size, found.preemphasis) == (64, 320, 512, 0.0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("_target_", "nemo.collections.asr.modules.AudioToMFCCPreprocessor"),
        ("window", "hamming"),
        ("normalize", "all_features"),
        ("log", False),
        ("log_zero_guard_type", "clamp"),
        ("log_zero_guard_value", 1e-5),
        ("frame_splicing", 2),
        ("exact_pad", True),
        ("mag_power", 1.0),
        ("mel_norm", None),
        ("lowfreq", 20),
        ("highfreq", 7_600),
        ("pad_value", -1.0),
        ("something_new", 1),
        ("window_stride", 0.0125),
        ("window_stride", 0.02),
    ],
)
def test_a_field_that_would_be_ignored_is_named(field, value):
    with pytest.raises(ExportError, match=field):
        feature_parameters({**SECTION, field: value}, "nemo-2.5")


@pytest.mark.parametrize(
    ("version", "expected"),
    [("1.6.0", "nemo-1"), ("1.23.0rc0", "nemo-1"), ("2.4.1", "nemo-1"), ("2.5.0", "nemo-2.5"), ("2.10.0", "nemo-2.5"),
     ("3.0.0", "nemo-2.5")],
)  # fmt: skip
def test_semantics(version, expected):
    assert semantics_of(version) == expected


def test_unreadable_version():
    with pytest.raises(ExportError, match="--semantics"):
        semantics_of("unknown")
