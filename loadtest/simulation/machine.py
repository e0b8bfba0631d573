"""What a replica is made of: the few numbers by which a simulation knows a real server."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Seconds = NDArray[np.float64]


class UnknownMachine(Exception):
    """A file that says nothing of a machine."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One replica: a server with one worker. Times are in seconds."""

    name: str
    """Package, precision and processor."""
    lanes: int
    fixed: float
    """Lane seconds of a clip of no length, while all lanes work."""
    per_audio_second: float
    """Lane seconds for each second of audio beside that."""
    deviation: float = 0.0
    """Standard deviation of the logarithm of what clips of one length take."""
    crowding: float = 1.0
    """Lane seconds while all lanes work ÷ those of a lane that works alone."""
    between: float = 0.0
    """What passes in a lane between two clips while others wait."""
    around: float = 0.0
    """What a lone client waits beside the lane's stages."""
    max_queue_seconds: float = 10.0
    request_timeout: float = 30.0
    window_seconds: float = 15.0
    """What is longer is heard in windows; see the settings of these three names."""

    def mean_lane_seconds(self, audio: Seconds) -> Seconds:
        """Lane seconds for clips of `audio` seconds, `[clips]`; for a recording, those of all its windows."""
        return self.fixed * np.ceil(audio / self.window_seconds) + self.per_audio_second * audio

    def lane_seconds(self, audio: Seconds, chance: np.random.Generator) -> Seconds:
        """The same, as they scatter: lognormal, with that mean."""
        scatter = chance.normal(-(self.deviation**2) / 2, self.deviation, audio.size)
        return self.mean_lane_seconds(audio) * np.exp(scatter)

    def rate(self, audio: Seconds) -> float:
        """Clips a second of these lengths that lanes can do that never wait."""
        return float(self.lanes / (np.mean(self.mean_lane_seconds(audio)) + self.between))

    def with_lanes(self, lanes: int) -> "Machine":
        """The same lanes, of another number."""
        return replace(self, lanes=lanes)

    def write(self, path: Path) -> None:
        """Write JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


REFERENCE = Machine(
    name="medium, int8, Xeon with VNNI",
    lanes=8,
    fixed=0.003,
    per_audio_second=0.0143,
    deviation=0.05,
    between=0.0015,
    around=0.0042,
)
"""NVIDIA's medium shape on the Xeon of docs/performance.md, with as many lanes as one worker has at most."""


def read_machine(path: Path) -> Machine:
    """Read what `write` has written; raise UnknownMachine where it is not that."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Machine(**found)
    except (OSError, ValueError, TypeError) as error:
        raise UnknownMachine(f"{path}: {error}; python -m loadtest capacity writes it") from None
