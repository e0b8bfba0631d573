"""Audio → Transcript, whoever asks: which model, what it costs, until when."""

import asyncio
import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from inference.audio.pieces import estimate_seconds, stated_channels
from inference.errors import LongerThanWindow, UnavailableOption
from inference.package import Package
from inference.task import Task
from inference.types import AudioLimits, Options, Transcript
from server import correlation, telemetry
from server.deadline import Deadline
from server.errors import InvalidParameter, UnknownModel
from server.parameters import Parameters
from server.pool.pool import Pool
from server.principal import Principal
from server.quotas.meter import Meter
from server.recordings import Recording, Recordings
from server.startup import Served
from server.streaming import OnSegments

_SHOWN = 60  # characters of an unknown name
_GUESSED_TOO_LONG = 8.0  # times: by the least bit rate there is


@dataclass(frozen=True, slots=True)
class Caller:
    """Who waits for a transcript."""

    principal: Principal
    meter: Meter
    """What the audio counts on."""
    patience: float = math.inf
    """Seconds that the client waits."""


class Transcription:
    """Makes a task of a request, or of a recording many, and sees it through the pool."""

    def __init__(self, pool: Pool, served: Served, limits: AudioLimits, request_timeout: float, lanes: int) -> None:
        """`request_timeout` in seconds; `lanes` are those of all workers."""
        self.packages = served.packages
        self.written = served.written
        """By package, when its manifest was, in seconds since 1970."""
        self._aliases = {"", *served.aliases}
        self.default = served.default
        """Name of the package of those who ask for none."""
        self._pool = pool
        self._limits = limits
        self._request_timeout = request_timeout
        self._recordings = Recordings(pool, limits, lanes)

    def close(self) -> None:
        """End what waits for recordings."""
        self._recordings.close()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What works worse than it could, as sentences."""
        missing = self._recordings.unguarded
        return (f"recordings are decoded without {' and '.join(missing)}",) if missing else ()

    def refuse_overload(self, principal: Principal, patience: float = math.inf) -> None:
        """Raise Overloaded before the body of a request is read, where its size would make no difference."""
        self._pool.refuse_overload(principal, self._deadline(patience).seconds(0.0))

    async def transcribe(
        self,
        audio: bytes | Path,
        caller: Caller,
        parameters: Parameters,
        on_segments: OnSegments = lambda _: None,
    ) -> Transcript:
        """Transcribe a file of audio within the seconds that its client waits, or those of the setting.

        `on_segments` is called with segments as they become final. Raises what `Pool.run` and the meter raise,
        UnknownModel, InvalidParameter where the model hears none of the languages, and
        UnavailableOption. Cancelling it stops the work.
        """
        options = parameters.options
        deadline = self._deadline(caller.patience)
        package = self._package(options)
        if parameters.languages and _primary(package.language) not in map(_primary, parameters.languages):
            field, tags = parameters.languages_field, ", ".join(parameters.languages)
            raise InvalidParameter(f"{field}: {tags!r} is not taken; {package.name} hears {package.language}", field)
        # A long file has to be read from the disk for it.
        asked = partial(_claims, audio, options, self._limits)
        stated, likely, channels = asked() if isinstance(audio, bytes) else await asyncio.to_thread(asked)
        async with caller.meter as meter:
            recording = Recording(audio, stated, channels, package, options, caller.principal, deadline, meter)
            return await self._hear(recording, likely, on_segments)

    async def _hear(self, recording: Recording, likely: float, on_segments: OnSegments) -> Transcript:
        """Transcribe what is `likely` to have so many seconds."""
        limits, meter = self._limits, recording.meter
        whole = limits.overlength == "window"
        most = limits.longest_seconds if whole else limits.limit_seconds
        await meter.reserve(recording.channels * min(likely, most))
        if recording.options.channels != "mix" or (whole and likely > limits.window_seconds):
            self._recordings.admit(recording)
            return await self._recordings.transcribe(recording, on_segments)
        try:
            transcript = await self._transcribe_clip(recording, likely)
        except LongerThanWindow:  # which only a decoder could know
            return await self._recordings.transcribe(recording, on_segments)
        await meter.decoded(transcript.heard)
        on_segments(transcript.segments)
        return transcript

    def _deadline(self, patience: float) -> Deadline:
        return Deadline(patience, self._request_timeout, self._limits.window_seconds)

    async def _transcribe_clip(self, clip: Recording, seconds: float) -> Transcript:
        limits = self._limits
        seconds = min(seconds, limits.window_seconds if limits.overlength == "window" else limits.limit_seconds)
        task = Task("transcribe", clip.package.name, clip.audio, clip.options, clip.deadline.at(0.0), correlation.ids())
        transcript = await self._pool.run(task, clip.principal, self._pool.cost(task.model, task.kind, seconds))
        asyncio.get_running_loop().call_soon(telemetry.count, transcript)  # the answer goes first
        return transcript

    def package(self, name: str) -> Package:
        """Find a package by its name or an alias; raise UnknownModel."""
        package = self.packages.get(name) or (self.packages[self.default] if name in self._aliases else None)
        if package is None:
            there_are = ", ".join(sorted((*self.packages, *self._aliases - {""})))
            raise UnknownModel(f"there is no model {name[:_SHOWN]!r} here; there are {there_are}")
        return package

    def _package(self, options: Options) -> Package:
        """Find the package of a request, and see that it can do what is asked for."""
        package = self.package(options.model)
        if options.decoding == "beam" and not package.language_model:
            raise UnavailableOption(f"decoding=beam: {package.name} has no language model")
        return package


def _primary(tag: str) -> str:
    """The language of a BCP 47 tag, without script and region."""
    return tag.replace("_", "-").partition("-")[0].lower()


def _claims(audio: bytes | Path, options: Options, limits: AudioLimits) -> tuple[float, float, int]:
    """Seconds of audio by its own word, 0 where it has none; those that are likely; channels to be heard apart."""
    match options.channels:
        case "mix":
            channels = 1
        case "separate":
            channels = min(stated_channels(audio), limits.channels)
        case numbers:
            channels = len(set(numbers))
    stated = estimate_seconds(audio, guess=False)
    return stated, stated or estimate_seconds(audio) / _GUESSED_TOO_LONG, channels
