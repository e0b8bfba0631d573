"""Audio in, Transcript out: speech recognition with NeMo Conformer-CTC models in ONNX.

A pure library: no web, no metrics, no logs, no settings. Recognition in two lines:

    from inference import load
    print(load("models/hi-demo").transcribe("tests/data/namaste.wav").text)
"""

import os
from typing import TYPE_CHECKING, Any

# Before any import of ONNX Runtime: its wheels report to their maker unless this is set.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from inference.loading import load as load

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    # Late: whoever wants the errors or the types alone, as the server's workers do, need not load ONNX Runtime.
    if name == "load":
        from inference.loading import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
