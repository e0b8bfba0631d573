"""Bytes of audio in, Transcript out: speech recognition with NeMo Conformer-CTC models in ONNX.

A pure library: no web, no metrics, no logs, no environment. Recognition in two lines:

    pipeline = Pipeline(load_package(Path("models/hi-demo")))
    print(pipeline.transcribe(Path("tests/data/namaste.wav").read_bytes()).text)
"""

import os

# Before any import of ONNX Runtime: its wheels report to their maker unless told not to.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
