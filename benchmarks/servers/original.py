"""The original design: `async def` calls the ONNX session itself. `python -m benchmarks.servers.original PACKAGE PORT`.

One process, ONNX Runtime's default threads, the exported graph; features and decoding are this library's own.
"""

import sys
from pathlib import Path

import onnxruntime
import uvicorn
from fastapi import FastAPI, Request

from inference.audio import decode as audio
from inference.decoding import ctc
from inference.decoding.vocabulary import load_vocabulary
from inference.features import Featurizer
from inference.package import load_package
from inference.types import AudioLimits


def application(directory: Path) -> FastAPI:
    """Load the model, and serve it."""
    package = load_package(directory)
    session = onnxruntime.InferenceSession(package.model_path(), providers=["CPUExecutionProvider"])
    featurizer, vocabulary = Featurizer(package.features), load_vocabulary(package.vocabulary_path())
    options = AudioLimits("clip", limit_seconds=package.longest_seconds)
    app = FastAPI()

    @app.post("/transcribe")
    async def transcribe(request: Request) -> dict[str, str]:
        decoded = audio.decode(await request.body(), options, package.features.sample_rate)
        features = featurizer(decoded.waveform)
        (scores,) = session.run(None, {"audio_signal": features[None], "length": [features.shape[1]]})
        return {"text": vocabulary.text(ctc.greedy(scores[0], package.blank))}

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    return app


if __name__ == "__main__":
    uvicorn.run(application(Path(sys.argv[1])), host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
