"""What a figure is measured with: a server and the bare library, of the same package and settings, and clips."""

import argparse
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import uvloop
from tqdm import tqdm

from loadtest.harness.client import Client
from loadtest.harness.clips import Clip
from loadtest.harness.library import BareLibrary
from loadtest.harness.load import saturated_rate
from loadtest.harness.server import GunicornServer
from loadtest.harness.subject import Subject

Cells = Mapping[str, str]
"""Row of docs/performance.md → what was measured."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A subject, and the stack on which its servers and processes end."""

    options: argparse.Namespace
    subject: Subject
    clips: Sequence[Clip]
    stack: ExitStack

    def rounds(self) -> "tqdm[int]":
        """Count rounds under a progress bar."""
        return tqdm(range(self.options.rounds), unit="round", disable=None)

    def server(self, lanes: int) -> GunicornServer:
        """Start a server with one worker and so many lanes."""
        settings = {"ASR_WORKERS": 1, "ASR_LANES": lanes, "ASR_THREADS": self.options.threads}
        return self.stack.enter_context(self.subject.server(**settings))

    def library(self, processes: int) -> BareLibrary:
        """Start so many processes of the bare library."""
        library = self.stack.enter_context(self.subject.library(processes, self.options.threads))
        library.prepare(self.clips)
        return library

    def saturate(self, server: GunicornServer, lanes: int) -> float:
        """Clips a second of a server that never waits for work."""

        async def work() -> float:
            with Client(server.address) as client:
                return await saturated_rate(client, self.clips, 2 * lanes, self.options.seconds)

        return uvloop.run(work())
