"""Two servers behind HAProxy, nginx or Envoy, killed, rolled and reloaded under load.

Of a request that failed, its times tell whether the killed server had it: a request that was under way when the server
was killed is cut; any other one that is not answered is lost. Ends with 1 where one is lost or a text is wrong.
"""

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import uvloop

from loadtest.harness.client import Address, Client
from loadtest.harness.clips import Clip, padded
from loadtest.harness.outcomes import Outcome
from loadtest.harness.processes import PATIENCE
from loadtest.harness.replicas import PROXIES, Proxy, Replicas, installed
from loadtest.harness.server import GENEROUS
from loadtest.harness.subject import at_least, chosen_subject

LARGER_THAN_BUFFERS = 2 * 2**20
"""Bytes: HAProxy keeps a MiB of a request, Envoy 16."""
SETTINGS = {**GENEROUS, "ASR_LANES": "1", "ASR_DRAIN_SECONDS": "5"}
"""Of each server."""
_CLIENTS = 4
_PAUSE_SECONDS = 0.1  # between an answer and the next request: starting servers need a processor too
Span = tuple[float, float]
"""Seconds from and to, of `time.perf_counter()`."""
Disturb = Callable[[Replicas], Sequence[Span]]
"""Does something, and tells when a server was killed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the requests that were sent while something happened."""

    outcomes: Sequence[Outcome]
    kills: Sequence[Span]

    @property
    def cut(self) -> Sequence[Outcome]:
        """Not answered, and under way when a server was killed: nobody but their client can send them again."""
        return [outcome for outcome in self._failed if self._under_way(outcome)]

    @property
    def lost(self) -> Sequence[Outcome]:
        """Not answered without such a reason."""
        return [outcome for outcome in self._failed if not self._under_way(outcome)]

    @property
    def _failed(self) -> Sequence[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.kind != "good"]

    def _under_way(self, outcome: Outcome) -> bool:
        return any(outcome.due < end and start < outcome.done for start, end in self.kills)

    def __str__(self) -> str:
        what = Counter(f"{outcome.kind} {outcome.detail}".strip() for outcome in self._failed)
        named = "".join(f"; {number} × {kind}" for kind, number in what.items())
        longest = max((outcome.seconds for outcome in self.outcomes), default=0.0)
        return (
            f"{len(self.outcomes)} requests, {len(self.lost)} lost, {len(self.cut)} cut by the kill; "
            f"the longest took {longest:.1f} s{named}"
        )


def clips_of(short: Sequence[Clip]) -> list[Clip]:
    """Every second one is longer than proxies keep."""
    return [clip if number % 2 else padded(clip, LARGER_THAN_BUFFERS) for number, clip in enumerate(short)]


def killed(replicas: Replicas) -> list[Span]:
    """SIGKILL for one; then it is started again."""
    start = time.perf_counter()
    replicas.kill(0)
    span = (start, time.perf_counter())
    replicas.start_again(0)
    return [span]


def rolled(replicas: Replicas) -> list[Span]:
    """One after the other ends in peace and is started again, as for a new version."""
    for number in range(2):
        replicas.terminate(number)
        replicas.start_again(number)
    return []


def reloaded(replicas: Replicas) -> list[Span]:
    """SIGHUP for both at once."""
    replicas.reload_all()
    return []


DISTURBANCES: dict[str, Disturb] = {"SIGKILL of one": killed, "both rolled": rolled, "SIGHUP to both": reloaded}


async def under_load(address: Address, clips: Sequence[Clip], replicas: Replicas, disturb: Disturb) -> Verdict:
    """Disturb servers while clients ask, each for its next clip when it has its answer."""
    outcomes: list[Outcome] = []
    turn, enough = count(), asyncio.Event()

    async def ask() -> None:
        outcomes.append(await client.transcribe(clips[next(turn) % len(clips)]))

    async def ask_on() -> None:
        while not enough.is_set():
            await ask()
            await asyncio.sleep(_PAUSE_SECONDS)
        await ask()  # when all is over

    with Client(address, PATIENCE) as client:
        await asyncio.gather(*(ask() for _ in range(_CLIENTS)))
        asking = [asyncio.create_task(ask_on()) for _ in range(_CLIENTS)]
        try:
            kills = await asyncio.to_thread(disturb, replicas)
        finally:
            enough.set()
            await asyncio.gather(*asking)
    return Verdict(outcomes, kills)


def main(options: argparse.Namespace) -> int:
    """Say what was lost in each disturbance, and return 1 where something was."""
    subject = chosen_subject(options)
    clips = clips_of(subject.clips([options.clip_seconds] * 8))
    settings = {**SETTINGS, "ASR_PRECISION": subject.precision}
    passed = True
    with tempfile.TemporaryDirectory(prefix="replicas-") as scratch:
        for name in options.proxy or [name for name in PROXIES if installed(name)]:
            directory = Path(scratch) / name
            with (
                Replicas(subject.model.resolve(), directory, settings) as replicas,
                Proxy(name, replicas, directory) as proxy,
            ):
                for what, disturb in DISTURBANCES.items():
                    verdict = uvloop.run(under_load(proxy.address, clips, replicas, disturb))
                    print(f"{name}, {what}: {verdict}", flush=True)
                    passed &= not verdict.lost
    return 0 if passed else 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add those of this command."""
    parser.add_argument(
        "--proxy", action="append", choices=PROXIES, help="may be repeated (default: all that are installed)"
    )
    parser.add_argument("--clip-seconds", type=at_least(0.2), default=2.0, help="(default: 2)")
