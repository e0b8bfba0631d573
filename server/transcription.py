"""Audio → Transcript, whoever asks: which model, what it costs, until when."""

import asyncio
import math
import time
from collections.abc import Mapping
from pathlib import Path

from inference.audio.pieces import estimate_seconds
from inference.errors import UnavailableOption
from inference.package import Package
from inference.task import Task
from inference.types import AudioLimits, Options, Transcript
from server import telemetry
from server.errors import UnknownModel
from server.pool.pool import Pool
from server.principal import Principal


class Transcription:
    """Makes a task of a request, and sees it through the pool."""

    def __init__(
        self, pool: Pool, packages: Mapping[str, Package], default: str, limits: AudioLimits, request_timeout: float
    ) -> None:
        """`default` names the package of those who wish for none; `request_timeout` in seconds."""
        self.packages = packages
        self.default = default
        self._pool = pool
        self._limits = limits
        self._request_timeout = request_timeout

    def refuse_overload(self, principal: Principal, patience: float = math.inf) -> None:
        """Raise Overloaded before the body of a request is read, where its size would make no difference."""
        self._pool.refuse_overload(principal, min(patience, self._request_timeout))

    async def transcribe(
        self, audio: bytes | Path, principal: Principal, options: Options, patience: float = math.inf
    ) -> Transcript:
        """Transcribe a file of audio within the seconds that its client waits, or those of the setting.

        Raises what `Pool.run` raises, UnknownModel, and UnavailableOption. Cancelling it stops the work.
        """
        deadline = time.monotonic() + min(patience, self._request_timeout)
        package = self._package(options)
        seconds = min(estimate_seconds(audio), self._limits.limit_seconds)
        task = Task("transcribe", package.name, audio, options, deadline)
        transcript = await self._pool.run(task, principal, self._pool.cost(package.name, task.kind, seconds))
        asyncio.get_running_loop().call_soon(telemetry.count, transcript)  # the answer goes first
        return transcript

    def _package(self, options: Options) -> Package:
        """Find the package of a request, and see that it can do what is wished for."""
        name = options.model or self.default
        package = self.packages.get(name)
        if package is None:
            raise UnknownModel(f"there is no model {name!r} here; there are {', '.join(sorted(self.packages))}")
        if options.decoding == "beam" and not package.language_model:
            raise UnavailableOption(f"decoding=beam: {package.name} has no language model")
        return package
