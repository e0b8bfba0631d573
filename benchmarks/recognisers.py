"""The programs that this library is compared with. Each runs in a process of its own, so that every import is late."""

from pathlib import Path
from typing import Any

from loadtest.harness.children import Recogniser


def matrix_products(threads: int) -> Recogniser:
    """The limit: `benchmarks.limit.UNIT` multiply-adds, by whoever is fastest at them."""
    from benchmarks.limit import fastest_product

    product = fastest_product(threads)
    return Recogniser(lambda _: None, lambda _: product() or "")


def onnx_runtime(directory: str, threads: int) -> Recogniser:
    """The exported graph alone, with ONNX Runtime's default options, on features that are ready."""
    import numpy as np
    import onnxruntime

    from inference.features import Featurizer
    from inference.package import load_package
    from inference.types import Waveform

    package = load_package(Path(directory))
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


def sherpa_onnx(directory: str, threads: int, *, int8: bool = False) -> Recogniser:
    """`OfflineRecognizer.from_nemo_ctc`."""
    import sherpa_onnx as peer

    graph, tokens = Path(directory, f"model{'.int8' if int8 else ''}.onnx"), Path(directory, "vocab.txt")
    recognizer = peer.OfflineRecognizer.from_nemo_ctc(model=str(graph), tokens=str(tokens), num_threads=threads)

    def hear(sound: Any) -> str:
        samples, rate = sound
        stream = recognizer.create_stream()
        stream.accept_waveform(rate, samples)
        recognizer.decode_stream(stream)
        return str(stream.result.text)

    return Recogniser(_samples, hear, computes="int8" if int8 else "fp32")


def onnx_asr(directory: str, threads: int, *, int8: bool = False) -> Recogniser:
    """`load_model("nemo-conformer-ctc", …)`."""
    import onnx_asr as peer

    recognizer = peer.load_model(
        "nemo-conformer-ctc",
        directory,
        quantization="int8" if int8 else None,
        sess_options=_session_options(threads),
        providers=["CPUExecutionProvider"],
    )
    return Recogniser(
        _samples,
        lambda sound: str(recognizer.recognize(sound[0], sample_rate=sound[1])),
        computes="int8" if int8 else "fp32",
    )


def nemo(checkpoint: str, threads: int) -> Recogniser:
    """NeMo on PyTorch: its preprocessor, encoder, decoder and greedy search."""
    import torch
    from nemo.collections.asr.models import EncDecCTCModelBPE

    torch.set_num_threads(threads)
    model = EncDecCTCModelBPE.restore_from(checkpoint, map_location="cpu").eval()
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
