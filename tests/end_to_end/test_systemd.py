"""What systemd is told, as deploy/systemd asks for it (Type=notify), by a listener in its place."""

import signal
import socket
import struct

import pytest

from loadtest.harness.processes import PATIENCE, wait_until
from tests.samples import CLIPS

CREDENTIALS = struct.Struct("3i")  # process, user, group


@pytest.fixture
def listener(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        listener.settimeout(PATIENCE)
        yield listener


def message(listener):
    """The next one: its lines, and the process that sent it."""
    data, [(_, _, credentials)], _, _ = listener.recvmsg(4096, socket.CMSG_SPACE(CREDENTIALS.size))
    return data.decode().splitlines(), CREDENTIALS.unpack(credentials)[0]


@pytest.mark.skipif(not hasattr(socket, "SO_PASSCRED"), reason="no Linux")
def test_systemd_is_told_by_the_main_process_alone(start, listener, library_texts):
    with start(NOTIFY_SOCKET=listener.getsockname()) as server:
        told, process = message(listener)
        assert "READY=1" in told
        assert process == server.process.pid
        old = set(server.workers())
        server.process.send_signal(signal.SIGHUP)  # ExecReload
        wait_until(lambda: (workers := server.workers()) and old.isdisjoint(workers), "other workers")
        assert server.process.poll() is None
        assert server.post(CLIPS[0].read_bytes()).json()["text"] == library_texts[CLIPS[0]]
        server.stop()
        assert server.process.returncode == 0
    # Nothing that systemd would take for the end, and nothing by workers, lanes or the check before a reload.
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        message(listener)
