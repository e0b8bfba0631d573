"""A recording beside others, one whose lane is killed, and one whose client leaves."""

import asyncio
import time
from collections.abc import Callable, Iterator

import psutil
import uvloop

from loadtest.harness.client import Client, Connecting
from loadtest.harness.processes import in_background, paused, wait_until
from loadtest.harness.statistics import percentile
from loadtest.harness.tape import Tape
from loadtest.trial import Finding, Trial, ask, lane_seconds

_OTHER = "127.0.0.2"
"""Address of those who send clips meanwhile: clients are told apart by it."""
_IDLE_SECONDS = 20.0
_PAUSE_SECONDS = 0.05  # between two clips of the others
_CLIP, _WINDOW = 2.0, 15.0  # seconds


def neighbours(trial: Trial) -> Iterator[Finding]:
    """95 % of others' clips of 2 s, on an idle server and while a recording runs."""
    idle, busy, window = uvloop.run(_beside(trial))
    fifth, most = percentile(busy, 95), 2 * percentile(idle, 95) + window
    found = (
        f"{1000 * fifth:.0f} ms of {len(busy)}; idle {1000 * percentile(idle, 95):.0f}, a window {1000 * window:.0f}"
    )
    yield Finding("p95 of others' clips of 2 s meanwhile", found, fifth <= most)


def killed(trial: Trial) -> Iterator[Finding]:
    """A lane killed while it hears a window: the same text, and one window tried again."""
    expected, _ = trial.send(trial.file("wav"))
    before = trial.server.metric("asr_retried_requests_total")
    lanes = trial.server.lanes()
    with in_background(1) as submit:
        with paused(*lanes):  # or a short recording would be over before it is disturbed
            sending = submit(trial.send, trial.file("wav"))
            wait_until(lambda: trial.server.metric("asr_running_requests") == len(lanes), "windows in all lanes")
            lanes[0].kill()
        answer, _ = sending.result()
    retried = trial.server.metric("asr_retried_requests_total") - before
    same = answer["text"] == expected["text"]
    found = f"{retried:.0f}, {'the same text' if same else 'ANOTHER TEXT'}"
    yield Finding("windows tried again where a lane dies", found, same and retried == 1)


def gone(trial: Trial) -> Iterator[Finding]:
    """Seconds from the client's leaving to the end of its decoder and its windows."""
    seconds = uvloop.run(_leave(trial))
    yield Finding("seconds until nothing is left of a client that left", f"{seconds:.2f}", seconds < 1.0)


async def _beside(trial: Trial) -> tuple[list[float], list[float], float]:
    """Seconds of others' clips on an idle server and beside a recording; lane seconds of a window."""
    clip, window = (Tape.of(trial.tape.samples, seconds) for seconds in (_CLIP, _WINDOW))
    with Client(trial.server.address, how=Connecting(source=_OTHER)) as other:

        async def ask_on(until: Callable[[], bool]) -> list[float]:
            latencies = []
            while not until():
                began = time.perf_counter()
                await ask(other, clip)
                latencies.append(time.perf_counter() - began)
                await asyncio.sleep(_PAUSE_SECONDS)
            return latencies

        windows = [await ask(other, window) for _ in range(5)]
        stop = time.monotonic() + _IDLE_SECONDS
        idle = await ask_on(lambda: time.monotonic() > stop)
        recording = asyncio.ensure_future(trial.sending(trial.file("wav")))
        busy = await ask_on(recording.done)
        await recording
    return idle, busy, max(map(lane_seconds, windows))


async def _leave(trial: Trial) -> float:
    with Client(trial.server.address) as client, paused(*trial.server.lanes()):
        asking = client.ask("POST", "/transcribe", trial.file("wav").read_bytes())
        await asyncio.to_thread(wait_until, lambda: trial.server.metric("asr_windows") > 1, "windows under way")
        decoders = trial.server.decoders()
        asking.cancel()
        began = time.perf_counter()
        await asyncio.to_thread(wait_until, lambda: not any(map(_lives, decoders)), "the decoder gone")
        await asyncio.to_thread(wait_until, lambda: not trial.server.metric("asr_windows"), "no windows left")
        return time.perf_counter() - began


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
