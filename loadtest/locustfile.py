"""Users of a load test: `locust -f loadtest/locustfile.py --scenario steady --clips DIR --capacity 50`.

`make loadtest` does it all; a folder of clips is what `build/loadtest/steady/clips` holds afterwards.

Arrivals are an open loop: clips are sent on time whether or not earlier ones have been answered, since
strangers do not wait for each other. Run with `--users 2` (one that sends, one that asks for health), and
as many more as the scenario has slow clients.
"""

import http.client
import random
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gevent
from locust import FastHttpUser, User, constant_pacing, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment

from loadtest.harness.clips import Clip, read_clips
from loadtest.harness.outcomes import judge
from loadtest.recorder import Recorder
from loadtest.scenarios import SCENARIOS, Scenario

_TIMEOUT = 60.0  # longer than the server may take: whoever is not answered by then is lost
_DRIP_SECONDS = 8.0
_DRIPS = 16
_PROBE_SECONDS = 0.1


class _Run:
    """What all users share; filled in when Locust has read its arguments."""

    scenario: Scenario
    clips: list[Clip]
    capacity: float
    """Audio seconds a second."""
    outcomes: Recorder


@events.init_command_line_parser.add_listener
def _add_arguments(parser: LocustArgumentParser) -> None:
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), default="steady")
    parser.add_argument("--clips", type=Path, required=True, help="folder with WAV files and expected.json")
    parser.add_argument("--capacity", type=float, required=True, help="audio seconds a second that the server can do")
    parser.add_argument("--outcomes", type=Path, help="write a row for each request to this CSV file")


@events.test_start.add_listener
def _prepare(environment: Environment, **_arguments: Any) -> None:
    options = environment.parsed_options
    assert options is not None
    _Run.scenario = SCENARIOS[options.scenario]
    _Run.clips = read_clips(options.clips)
    _Run.capacity = options.capacity
    _Run.outcomes = Recorder()


@events.quitting.add_listener
def _finish(environment: Environment, **_arguments: Any) -> None:
    options = environment.parsed_options
    if options is not None and options.outcomes is not None:
        _Run.outcomes.write(options.outcomes)


class Arrivals(FastHttpUser):
    """Everybody who sends a clip and waits for its text."""

    fixed_count = 1
    concurrency = 1000  # connections; an open loop needs as many as there are requests under way
    network_timeout = _TIMEOUT
    connection_timeout = _TIMEOUT

    def on_start(self) -> None:
        """Begin the schedule."""
        self._chance = random.Random(4)
        self._due = _Run.outcomes.now
        self._under_way: list[gevent.Greenlet[Any]] = []

    @task
    def next_arrival(self) -> None:
        """Wait until the next clip is due, and send it without waiting for its answer."""
        clip = self._chance.choice(_Run.clips)
        rate = _Run.scenario.rate(self._due) * _Run.capacity / clip.seconds  # each clip pays with a pause of its length
        self._due += self._chance.expovariate(rate)
        gevent.sleep(max(0.0, self._due - _Run.outcomes.now))
        self._under_way = [greenlet for greenlet in self._under_way if not greenlet.dead]
        self._under_way.append(gevent.spawn(self._send, clip, self._due))

    def on_stop(self) -> None:
        """Wait for the answers that are still to come."""
        gevent.joinall(self._under_way, timeout=_TIMEOUT)

    def _send(self, clip: Clip, due: float) -> None:
        number = _Run.outcomes.begin(due)
        request: dict[str, Any] = {"url": "/transcribe", "data": clip.data, "catch_response": True}
        with self.client.post(**request) as response:
            kind, detail, _ = judge(response.status_code, response.content, clip.text)
            _Run.outcomes.end(number, kind, detail or str(getattr(response, "error", None) or ""))
            response.request_meta["name"] = f"/transcribe {kind}"
            if kind in {"good", "refused", "late"}:
                response.success()
            else:
                response.failure(f"{kind} {detail}")


class Probe(FastHttpUser):
    """The orchestrator, who asks ten times a second whether the server lives."""

    fixed_count = 1
    wait_time = constant_pacing(_PROBE_SECONDS)
    network_timeout = _TIMEOUT

    @task
    def ask(self) -> None:
        """Fetch `/healthz`."""
        due = _Run.outcomes.now
        with self.client.get("/healthz", catch_response=True) as response:
            # Noted afterwards: Locust may end this user in the middle of its last question.
            _Run.outcomes.end(_Run.outcomes.begin(due), "healthz" if response.status_code == 200 else "healthz-failed")


class SlowClient(User):
    """Someone on a bad line, whose upload takes eight seconds."""

    @task
    def drip(self) -> None:
        """Upload by drops, then read the answer; latency counts from the first drop, less the eight seconds."""
        number = _Run.outcomes.begin(_Run.outcomes.now + _DRIP_SECONDS)
        clip = random.choice(_Run.clips)
        address = urlsplit(self.host or "")
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_TIMEOUT)
        try:
            connection.putrequest("POST", "/transcribe")
            connection.putheader("Content-Length", str(len(clip.data)))
            connection.endheaders()
            for piece in _pieces(clip.data, _DRIPS):
                gevent.sleep(_DRIP_SECONDS / _DRIPS)
                connection.send(piece)
            answer = connection.getresponse()
            kind, detail, _ = judge(answer.status, answer.read(), clip.text)
        except (OSError, http.client.HTTPException) as error:
            kind, detail = "lost", repr(error)
        finally:
            connection.close()
        self._report(kind, detail, 1000 * _Run.outcomes.end(number, kind, detail))

    def _report(self, kind: str, detail: str, milliseconds: float) -> None:
        """Tell Locust's own statistics."""
        failure = None if kind in {"good", "refused", "late"} else RuntimeError(f"{kind} {detail}")
        self.environment.events.request.fire(
            request_type="POST",
            name=f"/transcribe by drops {kind}",
            response_time=milliseconds,
            response_length=0,
            exception=failure,
            context={},
        )


def _pieces(data: bytes, count: int) -> list[bytes]:
    size = -(-len(data) // count)
    return [data[start : start + size] for start in range(0, len(data), size)]
