"""The programs compared. Each runs in a process of its own, so that every import is late.

`ready` reads a WAV file, which nobody is timed for; `hear` is what is timed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Recogniser:
    """A program with a model loaded."""

    ready: Callable[[Path], Any]
    """WAV file → what the program takes."""
    hear: Callable[[Any], str]
    """That → text; empty where the program makes none."""
    outside: Callable[[], float] | None = None
    """Share of the last `hear` that was spent outside ONNX Runtime, where the program knows it."""
    computes: str = "fp32"
    """In words."""


def matrix_products(_: Path, threads: int) -> Recogniser:
    """The limit: `benchmarks.limit.UNIT` multiply-adds, by whoever is fastest at them."""
    from benchmarks.limit import fastest_product

    product = fastest_product(threads)
    return Recogniser(lambda _: None, lambda _: product() or "")


def library(directory: Path, threads: int, precision: str = "auto") -> Recogniser:
    """Ours, with the graph that lanes load, from the bytes of a file to its text; greedy, as the peers are."""
    from inference.loading import load
    from inference.package import load_package
    from inference.recogniser import SessionOptions
    from inference.types import AudioLimits, Transcript

    package = load_package(directory).greedy()
    options = AudioLimits(limit_seconds=package.longest_seconds)  # the server's own limit is shorter
    loaded = load(package, SessionOptions(threads, spinning=threads > 1), precision)
    last: list[Transcript] = []

    def hear(data: bytes) -> str:
        transcript = loaded.transcribe(data, options)
        last[:] = [transcript]
        return transcript.text

    computes = loaded.precision if loaded.prepared else f"{loaded.precision}, the graph as exported"
    return Recogniser(Path.read_bytes, hear, lambda: 1 - last[0].seconds("inference") / last[0].lane_seconds, computes)


def library_fp32(directory: Path, threads: int) -> Recogniser:
    """Ours, in fp32 whatever the processor is able to."""
    return library(directory, threads, "fp32")


def onnx_runtime(directory: Path, threads: int) -> Recogniser:
    """The exported graph alone, with ONNX Runtime's default options, on features that are ready."""
    import numpy as np
    import onnxruntime

    from inference.features import Featurizer
    from inference.package import load_package
    from inference.types import Waveform

    package = load_package(directory)
    featurizer = Featurizer(package.features)
    options = _session_options(threads)
    session = onnxruntime.InferenceSession(str(package.model_path()), options, providers=["CPUExecutionProvider"])

    def ready(clip: Path) -> Any:
        features = featurizer(Waveform(*_samples(clip)))
        return {"audio_signal": features[None], "length": np.array([features.shape[1]], dtype=np.int64)}

    def hear(features: Any) -> str:
        session.run(None, features)
        return ""

    return Recogniser(ready, hear)


def sherpa_onnx(directory: Path, threads: int, graph: str = "model.onnx") -> Recogniser:
    """`OfflineRecognizer.from_nemo_ctc`."""
    import sherpa_onnx as peer

    recognizer = peer.OfflineRecognizer.from_nemo_ctc(
        model=str(directory / graph), tokens=str(directory / "vocab.txt"), num_threads=threads
    )

    def hear(sound: Any) -> str:
        samples, rate = sound
        stream = recognizer.create_stream()
        stream.accept_waveform(rate, samples)
        recognizer.decode_stream(stream)
        return str(stream.result.text)

    return Recogniser(_samples, hear)


def sherpa_onnx_int8(directory: Path, threads: int) -> Recogniser:
    """The same with an int8 graph of `benchmarks.quantised`."""
    return replace(sherpa_onnx(directory, threads, "model.int8.onnx"), computes="int8")


def onnx_asr(directory: Path, threads: int, quantization: str | None = None) -> Recogniser:
    """`load_model("nemo-conformer-ctc", …)`."""
    import onnx_asr as peer

    recognizer = peer.load_model(
        "nemo-conformer-ctc",
        directory,
        quantization=quantization,
        sess_options=_session_options(threads),
        providers=["CPUExecutionProvider"],
    )
    return Recogniser(_samples, lambda sound: str(recognizer.recognize(sound[0], sample_rate=sound[1])))


def onnx_asr_int8(directory: Path, threads: int) -> Recogniser:
    """The same with an int8 graph of `benchmarks.quantised`."""
    return replace(onnx_asr(directory, threads, "int8"), computes="int8")


def nemo(checkpoint: Path, threads: int) -> Recogniser:
    """NeMo on PyTorch: its preprocessor, encoder, decoder and greedy search."""
    import torch
    from nemo.collections.asr.models import EncDecCTCModelBPE

    torch.set_num_threads(threads)
    model = EncDecCTCModelBPE.restore_from(str(checkpoint), map_location="cpu").eval()
    model.preprocessor.featurizer.dither = 0.0

    @torch.inference_mode()  # type: ignore[untyped-decorator, unused-ignore] # torch is not in every environment
    def hear(sound: Any) -> str:
        samples = torch.from_numpy(sound[0])[None]
        features, lengths = model.preprocessor(input_signal=samples, length=torch.tensor([samples.shape[1]]))
        encoded, steps = model.encoder(audio_signal=features, length=lengths)
        found = model.decoding.ctc_decoder_predictions_tensor(model.decoder(encoder_output=encoded), steps)
        return str(found[0].text)

    return Recogniser(_samples, hear)


def _session_options(threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return options


def _samples(clip: Path) -> tuple[Any, int]:
    import soundfile

    samples, rate = soundfile.read(clip, dtype="float32")
    return samples, int(rate)


KINDS: Mapping[str, Callable[[Path, int], Recogniser]] = {
    function.__name__: function
    for function in (
        matrix_products,
        library,
        library_fp32,
        onnx_runtime,
        sherpa_onnx,
        sherpa_onnx_int8,
        onnx_asr,
        onnx_asr_int8,
        nemo,
    )
}
"""What `benchmarks.child` can be told to run."""
