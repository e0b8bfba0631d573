"""Lean clients, which share the machine with the server that they load: one connection each, kept open.

Both raise OSError, EOFError or Refused where no text comes back.
"""

import asyncio
import contextlib
import io
import json
from typing import Protocol

import numpy as np
import soundfile
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

_SEND_BUFFER = 1 << 20


class Refused(Exception):
    """An answer that is no text."""


class Line(Protocol):
    """A connection to a server."""

    async def ask(self, message: bytes) -> str:
        """Send a clip as `http_message` or `websocket_message` made it; return the text."""

    async def close(self) -> None:
        """Hang up."""


class HttpLine:
    """`POST /transcribe` and `GET`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        writer.transport.set_write_buffer_limits(_SEND_BUFFER)

    @classmethod
    async def open(cls, port: int) -> "HttpLine":
        """Connect to this machine."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, message: bytes) -> str:
        """Send a clip and wait for its text."""
        return str(json.loads(await self._exchange(message))["text"])

    async def get(self, path: str) -> str:
        """Wait for 200; return the body."""
        body = await self._exchange(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return body.decode()

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        with contextlib.suppress(OSError):  # the other side may have gone first
            await self._writer.wait_closed()

    async def _exchange(self, message: bytes) -> bytes:
        self._writer.write(message)
        status, *lines = (await self._reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        headers = dict(line.split(b": ", 1) for line in lines if b": " in line)
        body = await self._reader.readexactly(int(headers[b"content-length"]))
        if status.split()[1] != b"200":
            raise Refused(f"{status.decode()}: {body.decode(errors='replace')}")
        return body


class WebSocketLine:
    """The protocol of sherpa-onnx's server."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, port: int) -> "WebSocketLine":
        """Connect to this machine."""
        return cls(await connect(f"ws://127.0.0.1:{port}", compression=None, ping_interval=None))

    async def ask(self, message: bytes) -> str:
        """Send a clip and wait for its text."""
        try:
            await self._connection.send(message)
            return str(json.loads(await self._connection.recv())["text"])
        except ConnectionClosed as error:
            raise Refused(str(error)) from error

    async def close(self) -> None:
        """Hang up."""
        await self._connection.close()


def http_message(clip: bytes, client: str = "") -> bytes:
    """Frame a WAV file; `client` is an API key, by which this server tells clients apart."""
    key = f"Authorization: Bearer {client}\r\n" if client else ""
    head = "POST /transcribe HTTP/1.1\r\nHost: localhost\r\nContent-Type: audio/wav\r\n"
    return f"{head}{key}Content-Length: {len(clip)}\r\n\r\n".encode() + clip


def websocket_message(clip: bytes) -> bytes:
    """Turn a WAV file into sample rate, number of bytes (int32 both), samples (float32)."""
    samples, rate = soundfile.read(io.BytesIO(clip), dtype="float32")
    head: bytes = np.array([rate, samples.nbytes], dtype="<i4").tobytes()
    return head + bytes(samples.astype("<f4").tobytes())
