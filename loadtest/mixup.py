"""No client ever gets another's text: unique clips under deadlines, hang-ups, pipelining, hung and killed processes.

Two workers, which fetch work from each other, get clips of which each has a length and an id of its own: duration, text
and id of an answer must be those of its own clip, by what the library says to the same bytes. Ends with 1, and the
evidence, where one was not.
"""

import argparse
import asyncio
import io
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psutil
import soundfile
import uvloop
from tqdm import tqdm

from loadtest.harness.client import Client, Connecting, Reply
from loadtest.harness.clips import read_tape
from loadtest.harness.library import library
from loadtest.harness.server import GunicornServer
from loadtest.harness.subject import at_least, chosen_subject

_RATE = 48_000
"""Hz: so that 100,000 lengths, a sample apart, are half a second to two and a half."""
_SHORTEST = _RATE // 2
_ALIKE = 20  # neighbours in length are cut from one place: in 0.4 ms more or less the library hears the same
_UNDER_WAY = 24
_HANG_SECONDS = 1.0
_SHOWN = 10
_SETTINGS: dict[str, Any] = {
    "ASR_WORKERS": 2,
    "ASR_LANES": 1,
    "ASR_HANG_SECONDS": _HANG_SECONDS,
    "ASR_REQUEST_TIMEOUT": 20,
}


@dataclass(slots=True)
class Tally:
    """What became of all requests."""

    right: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    """Requests without a text, by status; `hung up` where we did, `lost` where the connection ended."""
    faults: Counter[str] = field(default_factory=Counter)
    """What was done to the server, by kind."""
    evidence: list[str] = field(default_factory=list)
    """An entry for each answer that was not the client's own."""

    @property
    def passed(self) -> bool:
        """There were answers, and each was its client's own."""
        return self.right > 0 and not self.evidence

    def __str__(self) -> str:
        rest = ", ".join(f"{count} × {status}" for status, count in sorted(self.statuses.items()))
        faults = ", ".join(f"{count} × {fault}" for fault, count in sorted(self.faults.items()))
        return (
            f"{self.right} answers right, {len(self.evidence)} NOT THE CLIENT'S OWN; without a text: {rest}; {faults}"
        )


class Clips:
    """Clip number n has `_SHORTEST` + n samples; any number can be cut again."""

    def __init__(self, hear: Callable[[bytes], str]) -> None:
        tape = read_tape()
        times = np.arange(3 * tape.size) / 3
        self._tape = np.interp(times, np.arange(tape.size), tape).astype(np.int16)  # 16 → 48 kHz
        self._hear = hear
        self._texts: dict[int, str] = {}

    def cut(self, number: int) -> bytes:
        """Make the WAV file."""
        start = (number // _ALIKE) * 104_729 % self._tape.size  # a prime: places lie far apart
        samples = np.take(self._tape, np.arange(start, start + _SHORTEST + number), mode="wrap")
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, _RATE, format="WAV", subtype="PCM_16")
        return buffer.getvalue()

    def differs(self, number: int, reply: Reply, request_id: str) -> str:
        """Say what in an answer with a text is not its client's own; empty where all is."""
        found: dict[str, Any] = json.loads(reply.body)
        duration = (_SHORTEST + number) / _RATE
        if found["duration"] != duration:
            owner = round(found["duration"] * _RATE) - _SHORTEST
            return f"clip {number} of {duration:.6f} s got the answer of clip {owner}: {found}"
        if found["request_id"] != request_id:
            return f"request {request_id} got the answer of request {found['request_id']}: {found}"
        first = number - number % _ALIKE
        if first not in self._texts:
            self._texts[first] = self._hear(self.cut(first))
        if found["text"] == self._texts[first]:
            return ""
        # Samples on the verge of another letter: only these very bytes can say.
        expected = self._hear(self.cut(number))
        return "" if found["text"] == expected else f"clip {number}, {expected!r}, got {found['text']!r}"


def main(options: argparse.Namespace) -> int:
    """Send, break, judge; return 1 where an answer was not the client's own."""
    subject = chosen_subject(options)
    clips = Clips(library(str(subject.model), 1, precision=subject.precision).hear)
    with subject.server(**_SETTINGS) as server:
        tally = uvloop.run(_run(server, clips, options.requests, random.Random(options.seed)))
    print(tally, *tally.evidence[:_SHOWN], sep="\n")
    return 0 if tally.passed else 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add those of this command."""
    parser.add_argument("--requests", type=at_least(1, int), default=100_000, help="(default: 100000)")
    parser.add_argument("--seed", type=int, default=1, help="of all that is left to chance (default: 1)")


async def _run(server: GunicornServer, clips: Clips, requests: int, chance: random.Random) -> Tally:
    tally = Tally()
    numbers = list(range(requests))
    chance.shuffle(numbers)
    ways = (Connecting(), Connecting(most=4, depth=2), Connecting(keep=False))
    with ExitStack() as stack, tqdm(total=requests, unit="request", disable=None) as bar:
        clients = [stack.enter_context(Client(server.address, how=way)) for way in ways]
        breaking = asyncio.create_task(_break(server, tally, chance))
        queue = iter(numbers)
        answers: list[tuple[int, str, Reply]] = []
        await asyncio.gather(
            *(_client(queue, clients, clips, (tally, answers, bar, chance)) for _ in range(_UNDER_WAY))
        )
        breaking.cancel()
        with suppress(asyncio.CancelledError):
            await breaking
    for number, request_id, reply in tqdm(answers, desc="judged", unit="answer", disable=None):
        if problem := clips.differs(number, reply, request_id):
            tally.evidence.append(problem)
        else:
            tally.right += 1
    return tally


async def _client(
    numbers: Iterator[int],
    clients: list[Client],
    clips: Clips,
    shared: "tuple[Tally, list[tuple[int, str, Reply]], tqdm[Any], random.Random]",
) -> None:
    """Send one clip after the other, and give up on some."""
    tally, answers, bar, chance = shared
    for number in numbers:
        request_id = f"clip-{number}"
        headers = {"X-Request-ID": request_id, "Content-Type": "audio/wav"}
        if chance.random() < 0.3:
            headers["X-Request-Timeout"] = f"{chance.uniform(0.05, 3.0):.3f}"
        asking = chance.choice(clients).ask("POST", "/transcribe", clips.cut(number), headers)
        patience = chance.expovariate(5.0) if chance.random() < 0.1 else None
        try:
            reply = await asyncio.wait_for(asking, patience)
        except TimeoutError:
            tally.statuses["hung up"] += 1
        else:
            if reply.status == 200:
                answers.append((number, request_id, reply))
            else:
                tally.statuses[str(reply.status) if reply.status else "lost"] += 1
                await asyncio.sleep(0.02 if reply.status else 0.2)  # a worker that was killed comes back in a while
        bar.update()


async def _break(server: GunicornServer, tally: Tally, chance: random.Random) -> None:
    """Stop and kill lanes, and now and then a worker, until cancelled."""
    while True:
        await asyncio.sleep(chance.uniform(0.5, 2.0))
        kind = chance.choices(("lane killed", "lane hung", "lane paused", "worker killed"), (4, 3, 4, 1))[0]
        processes = server.workers() if kind == "worker killed" else server.lanes()
        if not processes:
            continue
        victim = chance.choice(processes)
        with suppress(psutil.Error):
            if "killed" in kind:
                victim.kill()
            else:
                victim.suspend()
                try:
                    await asyncio.sleep(0.3 if kind == "lane paused" else 3 * _HANG_SECONDS)
                finally:
                    with suppress(psutil.Error):
                        victim.resume()
            tally.faults[kind] += 1
