"""The whole story: bytes of audio → Transcript, stage by stage."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from inference.audio import decode as audio
from inference.decoding.decoder import decoder
from inference.features import Featurizer
from inference.package import Package
from inference.prepared.cache import reading
from inference.recogniser import Model, SessionOptions
from inference.types import Options, StageTimings, Transcript


class Pipeline:
    """One model, loaded and ready. Not for several threads at once."""

    def __init__(
        self,
        package: Package,
        session_options: SessionOptions | None = None,
        precision: str = "fp32",
        graph: Path | None = None,
        cache: Path | None = None,
    ) -> None:
        """Load the files of the package; raise PackageError where one is unusable.

        `graph` takes the place of the package's own: the same one, prepared for this machine. In `cache` lies what all
        processes map; OSError where it cannot be written.
        """
        self._package = package
        self._featurizer = Featurizer(package.features)
        with reading(graph.parent) if graph else nullcontext():
            self._model = Model(graph or package.model_path(precision), session_options or SessionOptions())
        self._decode = decoder(package, cache)

    def transcribe(
        self, data: bytes, options: Options | None = None, checkpoint: Callable[[], None] = lambda: None
    ) -> Transcript:
        """Transcribe one file of audio.

        `checkpoint` is called before every stage and may raise WorkInterrupted to stop there.
        Raises InputError where the audio is at fault.
        """
        options = options or Options()
        stages = _StageClock(checkpoint)
        with stages("decode"):
            decoded = audio.decode(data, options, self._package.features.sample_rate)
        with stages("features"):
            features = self._featurizer(decoded.waveform)
        with stages("inference"):
            log_probabilities = self._model(features)
        with stages("decoding"):
            text = self._decode(log_probabilities)
        return Transcript(
            text=text,
            language=self._package.language,
            model=self._package.name,
            duration=decoded.duration,
            clipped=decoded.clipped,
            timings=StageTimings(**stages.seconds),
        )


class _StageClock:
    """Asks before each stage whether to go on, and measures it."""

    def __init__(self, checkpoint: Callable[[], None]) -> None:
        self._checkpoint = checkpoint
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        self._checkpoint()
        started = time.perf_counter()
        yield
        self.seconds[stage] = time.perf_counter() - started
