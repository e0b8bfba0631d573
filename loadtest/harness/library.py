"""The library alone, in processes of its own: what a server is compared with, by whoever compares."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from loadtest.harness.children import Children, Heard, Recogniser
from loadtest.harness.clips import Clip, write_clips

if TYPE_CHECKING:
    from inference.types import Decoding


class BareLibrary:
    """Processes that hear clips in a loop when asked, for the length of a `with` block."""

    def __init__(self, processes: int, given: dict[str, Any]) -> None:
        """`given` are the arguments of `library`. Raises Failed where it does not start."""
        self._directory = tempfile.TemporaryDirectory(prefix="library-")
        log = Path(self._directory.name) / "library.log"
        self._children = Children("loadtest.harness.library:library", given, log, processes)
        self._paths: list[Path] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._children.__exit__()
        self._directory.cleanup()

    @property
    def pids(self) -> list[int]:
        """Ids of the processes."""
        return self._children.pids

    def prepare(self, clips: Sequence[Clip]) -> None:
        """Say which clips will be heard; each process hears one of them, since its first call allocates."""
        self._paths = write_clips(clips, Path(self._directory.name) / "clips")
        self.work(0.0)

    def work(self, seconds: float, processes: int | None = None) -> list[Heard]:
        """Let the first `processes` (all, by default) go through the clips side by side for so long."""
        return self._children.hear(self._paths, seconds, processes)

    def rate(self, seconds: float, processes: int | None = None) -> float:
        """Clips a second, all processes together."""
        return sum(heard.rate for heard in self.work(seconds, processes))

    def call(self, index: int) -> float:
        """Seconds of one call with that clip in the first process."""
        return self._children.hear([self._paths[index]], 0.0, 1)[0].durations[0]


def library(
    model: str,
    threads: int,
    *,
    spinning: bool = False,
    precision: str = "auto",
    decoding: str = "auto",
) -> Recogniser:
    """Load the package in a directory as a lane does; from the bytes of a file to its text, however long it is."""
    # Here and not above: processes that only start others need none of it.
    from inference import load
    from inference.recogniser import SessionOptions
    from inference.types import AudioLimits, Options, Transcript
    from inference.worker import canary

    pipeline = load(model, SessionOptions(threads, spinning), precision)
    limits = AudioLimits("clip", limit_seconds=pipeline.package.longest_seconds)
    wanted = Options(decoding=cast("Decoding", decoding))
    # What a process heard first shapes its heap, and how fast it is from then on: a lane hears this.
    pipeline.transcribe(canary(pipeline.package.features.sample_rate), AudioLimits(detect_speech=False))
    last: list[Transcript] = []

    def hear(data: bytes) -> str:
        last[:] = [pipeline.transcribe(data, limits, wanted)]
        return last[0].text

    computes = pipeline.precision if pipeline.prepared else f"{pipeline.precision}, the graph as exported"
    return Recogniser(Path.read_bytes, hear, lambda: 1 - last[0].seconds("inference") / last[0].lane_seconds, computes)
