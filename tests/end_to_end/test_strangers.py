"""Whoever has no key: what that costs, and who is told that everybody may come."""

import socket
import time
from pathlib import Path

import pytest

from loadtest.harness.processes import wait_until
from server.authentication.key_file import changed
from tests.samples import CLIPS

GIB = 2**30


REQUESTS = {
    "refused": (b"POST /transcribe HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % GIB, 401),
    "to what is open": (b"GET /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % GIB, 200),
}


@pytest.mark.measuring
@pytest.mark.parametrize(("head", "status"), REQUESTS.values(), ids=REQUESTS)
def test_a_stranger_with_a_gibibyte_costs_next_to_nothing(start, head, status):
    """Its processor time, memory and disk, from its first byte until it has sent all or is cut off."""
    with start(ASR_AUTH="required", ASR_LANES=1) as server:
        processes = [server.master, *server.master.children(recursive=True)]
        alone = _processor_alone(processes)
        before, began = _used(processes), time.monotonic()
        with socket.create_connection(("127.0.0.1", server.port), 120) as stranger:
            stranger.sendall(head)
            sent = _send(stranger, GIB)
            stranger.setblocking(False)
            answer = stranger.recv(2**16)
        wall, after = time.monotonic() - began, _used(processes)
        disk = sum(path.stat().st_size for path in server.directory.rglob("*") if path.is_file())
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    processor = after[0] - before[0] - alone * wall
    print(f"{sent / 2**20:.0f} MiB in {wall:.1f} s: {processor:.2f} s of processor, {(after[1] - before[1]) >> 10} KiB")
    assert processor < 0.01 * wall
    assert after[1] - before[1] < 4 * 2**20
    assert disk < 2**20


def _send(stranger, size):
    piece, sent = bytes(2**20), 0
    try:
        while sent < size:
            sent += stranger.send(piece)
    except OSError:  # cut off
        pass
    return sent


def _processor_alone(processes, seconds=10):
    """Seconds of processor a second of a server that nobody asks, once it needs no more memory than a moment ago."""
    before = _used(processes)
    while True:
        time.sleep(seconds)
        after = _used(processes)
        if after[1] - before[1] < 2**18:
            return (after[0] - before[0]) / seconds
        before = after


def _used(processes):
    """Seconds of processor, and bytes of memory of their own: what they map of files is others' too until they end."""
    times = [process.cpu_times() for process in processes]
    return sum(each.user + each.system for each in times), sum(map(_anonymous, processes))


def _anonymous(process):
    status = dict(line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
    return sum(int(status[name].split()[0]) * 1024 for name in ("RssAnon", "RssShmem", "VmSwap"))


@pytest.mark.measuring
def test_it_says_who_can_reach_it(start):
    with start(ASR_AUTH="none", ASR_BIND="0.0.0.0:{port}") as server:
        (warning,) = [line for line in server.log_lines() if line["message"].startswith("ASR_AUTH=none")]
        assert warning["level"] == "WARNING"
        assert server.post(CLIPS[0].read_bytes()).status_code == 200


def test_a_door_that_a_first_key_has_closed_stays_so_when_its_file_and_the_worker_have_gone(start):
    with start(ASR_LANES=1) as server:

        def status():
            return server.post(b"no sound").status_code

        assert status() == 422
        with changed(server.directory / "keys.json"):
            pass
        wait_until(lambda: status() == 401, "the file is read")
        (server.directory / "keys.json").unlink()
        (worker,) = server.workers()
        worker.kill()
        wait_until(lambda: server.workers() not in ([], [worker]) and server.is_ready(), "another worker")
        assert status() == 401
