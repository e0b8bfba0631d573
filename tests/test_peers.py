"""The package as other programs load it, unchanged: sherpa-onnx and onnx-asr.

onnx-asr computes the features of NeMo 2.5 with NumPy, as we do. sherpa-onnx computes them with kaldi-native-fbank,
whose frames lie half a hop further on: its texts are equal where the speech is clear and the model sure. It also
leaves out the last step where the frames do not divide by the subsampling, so that all hear a whole number of steps.
"""

import os

import onnx_asr
import pytest
import sherpa_onnx
import soundfile

from inference.package import load_package
from inference.pipeline import Pipeline
from tests.samples import CLIPS, encode

SURE = pytest.mark.skipif("ASR_TEST_MODEL" in os.environ, reason="another model, whose texts need not be right")


@pytest.fixture(scope="module")
def package(model_directory):
    return load_package(model_directory)


@pytest.fixture(scope="module")
def precisions(package):
    return list(package.models)


def whole_steps(package, clip):
    """Samples and sample rate of a clip, less than one step cut off its end."""
    samples, rate = soundfile.read(clip, dtype="float32")
    assert rate == package.features.sample_rate
    return samples[: samples.size - samples.size % (package.features.hop_size * package.subsampling)], rate


def our_text(package, precision, clip):
    sound = encode(*whole_steps(package, clip), subtype="FLOAT")
    return Pipeline(package, precision=precision).transcribe(sound).text


def sherpa_text(package, precision, clip):
    recognizer = sherpa_onnx.OfflineRecognizer.from_nemo_ctc(
        model=str(package.model_path(precision)), tokens=str(package.vocabulary_path()), num_threads=1
    )
    samples, rate = whole_steps(package, clip)
    stream = recognizer.create_stream()
    stream.accept_waveform(rate, samples)
    recognizer.decode_stream(stream)
    return stream.result.text


def onnx_asr_text(package, precision, clip):
    recognizer = onnx_asr.load_model(
        "nemo-conformer-ctc", package.directory, quantization=None if precision == "fp32" else precision
    )
    samples, rate = whole_steps(package, clip)
    return recognizer.recognize(samples, sample_rate=rate)


def test_the_package_names_its_type_for_onnx_asr(package):
    # Without a name, onnx-asr reads config.json for the type, the mel bins and the subsampling.
    recognizer = onnx_asr.load_model("unknown/model", package.directory)
    assert type(recognizer.asr).__name__ == "NemoConformerCtc"
    assert recognizer.asr._subsampling_factor == package.subsampling
    assert recognizer.asr._blank_idx == package.blank


@SURE
@pytest.mark.parametrize("peer", [onnx_asr_text, sherpa_text])
@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.stem)
def test_same_text_on_clean_clips(package, precisions, clip, peer):
    for precision in precisions:
        expected = our_text(package, precision, clip)
        assert expected
        assert peer(package, precision, clip) == expected


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.stem)
def test_onnx_asr_hears_the_same_tokens(package, clip):
    # Before spaces are tidied up, which each program does in its own way; this holds for any weights.
    recognizer = onnx_asr.load_model("nemo-conformer-ctc", package.directory).with_timestamps()
    samples, rate = whole_steps(package, clip)
    tokens = recognizer.recognize(samples, sample_rate=rate).tokens
    assert "".join(tokens).lstrip(" ") == our_text(package, "fp32", clip)


def test_sherpa_onnx_reads_the_metadata(package, precisions):
    # It ends the whole process where the metadata are wrong, so that getting here is half of the test.
    for precision in precisions:
        assert sherpa_text(package, precision, CLIPS[0])
