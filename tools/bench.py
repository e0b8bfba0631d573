"""What a figure is measured with: a server and the bare library, of the same package and settings, and clips."""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import uvloop
from tqdm import tqdm

from inference.recogniser import SessionOptions
from tools.bare import BareLibrary
from tools.client import Answer, Client
from tools.clips import Clip
from tools.load import closed_loop, completed_rate
from tools.local_server import LocalServer


@dataclass(frozen=True, slots=True)
class Bench:
    """What every figure is measured with."""

    options: argparse.Namespace
    clips: Sequence[Clip]
    stack: ExitStack

    @property
    def sounds(self) -> list[bytes]:
        """The clips' bytes."""
        return [clip.data for clip in self.clips]

    def rounds(self) -> "tqdm[int]":
        """Count rounds under a progress bar."""
        return tqdm(range(self.options.rounds), unit="round", disable=None)

    def server(self, lanes: int) -> LocalServer:
        """Start a server with so many lanes."""
        options = self.options
        settings = {"ASR_MODEL": options.model.resolve(), "ASR_PRECISION": options.precision, "ASR_LANES": lanes}
        return self.stack.enter_context(LocalServer({**settings, "ASR_WORKERS": 1, "ASR_THREADS": options.threads}))

    def library(self, processes: int) -> BareLibrary:
        """Start so many processes of the bare library."""
        options = self.options
        session = SessionOptions(threads=options.threads)
        library = self.stack.enter_context(BareLibrary(options.model, processes, session, precision=options.precision))
        library.work(self.sounds, 0.0)  # the first call of a process allocates
        return library

    def saturate(self, server: LocalServer, lanes: int) -> float:
        """Clips a second of a server that never waits for work."""
        answers = uvloop.run(_closed(server, self.clips, 2 * lanes, self.options.seconds))
        check(answers)
        return completed_rate(answers)


class WrongText(Exception):
    """A text differs from the library's."""


def check(answers: Sequence[Answer]) -> None:
    """Raise WrongText where an answer's text is not the library's."""
    wrong = sum(answer.status == 200 and not answer.correct for answer in answers)
    if wrong:
        raise WrongText(f"{wrong} of {len(answers)} texts differ from the library's")


async def _closed(server: LocalServer, clips: Sequence[Clip], connections: int, seconds: float) -> list[Answer]:
    client = Client(server.host, server.port)
    try:
        return await closed_loop(client, clips, connections, seconds)
    finally:
        client.close()
