"""A server of the roster: started, asked for texts by HTTP or by sherpa-onnx's protocol, ended."""

import asyncio
import io
import json
import socket
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Self

import httpx
import numpy as np
import soundfile
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from benchmarks.servers.roster import Contestant
from loadtest.harness.children import ENVIRONMENT
from loadtest.harness.client import Address, Client
from loadtest.harness.clips import Clip
from loadtest.harness.outcomes import Outcome, judge
from loadtest.harness.processes import Program, wait_until
from loadtest.harness.server import ServerFailed


class Served(Program):
    """Starts when it is made; `with` waits until it answers, and ends it."""

    def __init__(self, contestant: Contestant, log: Path) -> None:
        super().__init__(contestant.command, {**ENVIRONMENT, **contestant.environment}, log)
        self.contestant = contestant

    def wait_ready(self) -> None:
        """Return when it answers; raise ServerFailed where it ends instead."""
        wait_until(self._answers, f"{self.contestant.name} is ready", pause=0.1)

    def client(self) -> "Client | WebSocketClient":
        """Make a client that speaks its protocol."""
        return WebSocketClient(self.address) if self.contestant.websocket else Client(self.address)

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise ServerFailed(f"{self.contestant.name} ended before it was ready:\n{self.last_words()}")
        with suppress(OSError, httpx.TransportError):
            if self.contestant.websocket:
                socket.create_connection(self.address, 5).close()
                return True
            return httpx.get(f"{self.url}{self.contestant.ready}", timeout=5).status_code == 200
        return False


class WebSocketClient:
    """sherpa-onnx's protocol, in place of `loadtest.harness.client.Client`: sample rate, bytes (int32), samples."""

    def __init__(self, address: Address) -> None:
        self._url = "ws://{}:{}".format(*address)
        self._idle: deque[ClientConnection] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._idle:
            connection.transport.close()

    async def transcribe(self, clip: Clip) -> Outcome:
        """Send one clip; a lost request is an outcome too."""
        due = time.perf_counter()
        status, answer = 0, ""
        with suppress(OSError, WebSocketException):
            status, answer = 200, await self.exchange(clip.data)
        kind, detail, _ = judge(status, answer, clip.text)
        return Outcome(due, time.perf_counter() - due, kind, detail)

    async def exchange(self, data: bytes) -> str:
        """Send a WAV file, and wait for the JSON; raise OSError or WebSocketException where none comes."""
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")
        head: bytes = np.array([rate, samples.nbytes], dtype="<i4").tobytes()
        async with asyncio.timeout(60):
            if self._idle:
                connection = self._idle.pop()
            else:
                connection = await connect(self._url, compression=None, ping_interval=None)
            await connection.send(head + bytes(samples.astype("<f4").tobytes()))
            answer = str(await connection.recv())
        self._idle.append(connection)
        return answer


async def hear(client: Client | WebSocketClient, data: bytes) -> str:
    """The text that a server gives to a WAV file; raise ServerFailed where it gives none."""
    answer: bytes | str = b""
    if isinstance(client, Client):
        answer = (await client.ask("POST", "/transcribe", data, {"Content-Type": "audio/wav"})).body
    else:
        with suppress(OSError, WebSocketException):
            answer = await client.exchange(data)
    try:
        return str(json.loads(answer)["text"])
    except (ValueError, KeyError) as error:
        raise ServerFailed(f"no text but {answer!r}") from error
