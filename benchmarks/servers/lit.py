"""onnx-asr behind LitServe. `python lit.py MODEL PORT WORKERS THREADS BATCH`: BATCH clips at most in one call.

MODEL is a folder; its int8 graph is taken where it has one.
"""

import io
import sys
from pathlib import Path
from typing import Annotated, Any

import litserve
import onnx_asr
import onnxruntime
import soundfile
from fastapi import Body


class Recognition(litserve.LitAPI):  # type: ignore[misc]
    """One worker's model."""

    def __init__(self, directory: str, threads: int, batch: int) -> None:
        super().__init__(max_batch_size=batch, batch_timeout=0.005, api_path="/transcribe")
        self._directory, self._threads = directory, threads

    def setup(self, device: Any) -> None:  # noqa: ARG002 - LitServe's signature
        """Load the model."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        self._recogniser = onnx_asr.load_model(
            "nemo-conformer-ctc",
            self._directory,
            quantization="int8" if (Path(self._directory) / "model.int8.onnx").exists() else None,
            sess_options=options,
            providers=["CPUExecutionProvider"],
        )

    def decode_request(self, request: Annotated[bytes, Body(media_type="audio/wav")]) -> Any:
        """Read a WAV file."""
        samples, _ = soundfile.read(io.BytesIO(request), dtype="float32")
        return samples

    def batch(self, inputs: list[Any]) -> list[Any]:
        """Leave them a list: onnx-asr fills clips up to one length itself."""
        return inputs

    def predict(self, x: Any) -> Any:
        """One clip, or several, all at 16 kHz."""
        return self._recogniser.recognize(x)

    def encode_response(self, output: Any) -> dict[str, str]:
        """Answer as the others do."""
        return {"text": str(output)}


if __name__ == "__main__":
    _, directory, port, workers, threads, batch = sys.argv
    server = litserve.LitServer(
        Recognition(directory, int(threads), int(batch)),
        accelerator="cpu",
        workers_per_device=int(workers),
        healthcheck_path="/healthz",
    )
    server.run(host="127.0.0.1", port=int(port), log_level="warning", generate_client_file=False)
