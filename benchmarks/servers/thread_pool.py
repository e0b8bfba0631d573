"""onnx-asr behind FastAPI's thread pool. `python thread_pool.py MODEL PORT THREADS`.

MODEL is a folder; its int8 graph is taken where it has one.
"""

import io
import sys
from pathlib import Path
from typing import Annotated

import onnx_asr
import onnxruntime
import soundfile
import uvicorn
from fastapi import Body, FastAPI


def application(directory: str, threads: int) -> FastAPI:
    """Load the model, and serve it; `threads` are those inside one operator."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    recogniser = onnx_asr.load_model(
        "nemo-conformer-ctc",
        directory,
        quantization="int8" if (Path(directory) / "model.int8.onnx").exists() else None,
        sess_options=options,
        providers=["CPUExecutionProvider"],
    )
    app = FastAPI()

    @app.post("/transcribe")
    def transcribe(sound: Annotated[bytes, Body(media_type="audio/wav")]) -> dict[str, str]:
        samples, rate = soundfile.read(io.BytesIO(sound), dtype="float32")
        return {"text": str(recogniser.recognize(samples, sample_rate=rate))}

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "alive"}

    return app


if __name__ == "__main__":
    app = application(sys.argv[1], int(sys.argv[3]))
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
