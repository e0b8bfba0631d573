"""What recordings are measured with: a server, a tape, and what came of it."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import uvloop

from loadtest.harness.client import Client, Connecting
from loadtest.harness.server import GunicornServer
from loadtest.harness.tape import Tape

_HOURS = 4 * 3600.0  # seconds that an answer may take

Answer = Mapping[str, Any]
"""JSON of a reply."""


class NoText(Exception):
    """The server answered otherwise than with a text."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was measured."""

    what: str
    found: str
    passed: bool

    def __str__(self) -> str:
        return f"{'' if self.passed else 'FAILED: '}{self.what}: {self.found}"


@dataclass(frozen=True)
class Trial:
    """A server and a tape for it."""

    server: GunicornServer
    tape: Tape
    lanes: int
    directory: Path

    def file(self, suffix: str) -> Path:
        """The tape in that format, made when it is first asked for."""
        path = self.directory / f"tape.{suffix}"
        return path if path.exists() else self.tape.write(path)

    def send(self, file: Path) -> tuple[Answer, float]:
        """Transcribe a file; return the answer and the seconds that it took. Raises NoText."""
        return uvloop.run(self.sending(file))

    async def sending(self, file: Path) -> tuple[Answer, float]:
        """The same, beside other things."""
        data = await asyncio.to_thread(file.read_bytes)
        with Client(self.server.address, _HOURS) as client:
            began = time.perf_counter()
            answer = await ask(client, data)
            return answer, time.perf_counter() - began

    @cached_property
    def alone(self) -> list[Answer]:
        """Answers to the clips of the tape. Raises NoText."""
        return self.send_clips()

    def send_clips(self) -> list[Answer]:
        """Transcribe the clips of the tape one by one, as many at a time as there are lanes. Raises NoText."""
        return uvloop.run(self._sending_clips())

    async def _sending_clips(self) -> list[Answer]:
        with Client(self.server.address, _HOURS, Connecting(most=self.lanes)) as client:
            asked = [asyncio.ensure_future(ask(client, self.tape.cut(stretch))) for stretch in self.tape.spoken]
            return list(await asyncio.gather(*asked))


async def ask(client: Client, audio: bytes) -> Answer:
    """Transcribe; raise NoText."""
    reply = await client.ask("POST", "/transcribe", audio)
    content: Answer = json.loads(reply.body or b"{}")
    if reply.status != 200:
        raise NoText(f"{reply.status} {content}")
    return content


def lane_seconds(answer: Answer, *without: str) -> float:
    """Seconds in the stages of lanes, but for those `without`."""
    left_out = {"queue", "total", *without}
    return float(sum(seconds for stage, seconds in answer["processing"].items() if stage not in left_out))
