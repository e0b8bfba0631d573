"""A machine that lacks what lanes need: a clear sentence, or service all the same. In mount namespaces of their own."""

import shutil
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from loadtest.harness.processes import PATIENCE, wait_until
from loadtest.harness.server import GENEROUS, GunicornServer
from tests.samples import CLIPS

NAMASTE = next(path for path in CLIPS if path.stem == "namaste")


def _can_mount():
    tried = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return bool(shutil.which("unshare")) and subprocess.run(tried, capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.programs("unshare", "mount", "findmnt", "mknod", "head", "grep"),
    pytest.mark.skipif(not _can_mount(), reason="mounting needs root"),
]

NO_SEMAPHORES = {
    "missing": "mount -t tmpfs tmpfs /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/urandom c 1 9",
    "read-only": "mount -t tmpfs -o ro tmpfs /dev/shm",
    "full": "mount -t tmpfs -o size=4k tmpfs /dev/shm && head -c 4096 /dev/zero > /dev/shm/full",
}
READ_ONLY = """
for place in / $(findmnt -rno TARGET | grep -vE '^/(proc|sys|dev)?(/|$)'); do mount -o remount,bind,ro $place; done
if touch {directory}/something; then exit 1; fi
"""


@contextmanager
def on_machine(script, model, directory, **settings):
    """A server behind a shell script that changes what is mounted, for it alone."""
    wrapper = ["unshare", "--mount", "sh", "-ec", f'{script}\nexec "$@"', "sh"]
    server = GunicornServer(model, directory, {**GENEROUS, **settings}, wrapper=wrapper)
    try:
        yield server
    finally:
        server.kill_all()


@pytest.mark.parametrize("script", NO_SEMAPHORES.values(), ids=NO_SEMAPHORES)
def test_no_room_for_semaphores(model_directory, tmp_path, script):
    with on_machine(script, model_directory, tmp_path) as server:
        assert server.process.wait(PATIENCE) != 0
        *_, said = server.log_lines()
        assert "/dev/shm must exist and be writable" in said["message"]
        assert not any("Traceback" in str(line) for line in server.log_lines())


def test_dev_shm_fills_up_later(model_directory, tmp_path, library_texts):
    with on_machine("mount -t tmpfs -o size=1m tmpfs /dev/shm", model_directory, tmp_path, ASR_LANES="1") as server:
        server.wait_ready()
        full = Path(f"/proc/{server.process.pid}/root/dev/shm/full")

        def starved():
            with suppress(OSError), full.open("ab", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            for lane in server.lanes():
                lane.kill()  # which frees the room that the next one needs, now and then in time
            errors = [line["error"] for line in server.logged("lane does not start")]
            return [error for error in errors if "No space left on device, for semaphores in /dev/shm" in error]

        wait_until(starved, "a sentence that names what is full")
        full.unlink()
        server.wait_ready()
        assert server.post(NAMASTE.read_bytes()).json()["text"] == library_texts[NAMASTE]


def test_nothing_but_dev_shm_is_writable(model_directory, tmp_path, library_texts):
    settings = {"TMPDIR": "/nowhere", "ASR_WORKERS": "2", "ASR_LANES": "1"}
    with on_machine(READ_ONLY.format(directory=tmp_path), model_directory, tmp_path, **settings) as server:
        server.wait_ready()
        assert server.post(NAMASTE.read_bytes()).json()["text"] == library_texts[NAMASTE]
        wait_until(lambda: server.metric("asr_lanes", state="ready") == 2, "both lanes counted")
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0


def test_a_full_disk_for_metrics(model_directory, tmp_path, library_texts):
    full = tmp_path / "full"
    full.mkdir()
    script = f"mount -t tmpfs -o size=64k tmpfs {full}"
    settings = {"PROMETHEUS_MULTIPROC_DIR": str(full), "ASR_WORKERS": "2", "ASR_LANES": "1"}
    with on_machine(script, model_directory, tmp_path, **settings) as server:
        server.wait_ready()
        workers = server.workers()
        assert server.post(NAMASTE.read_bytes()).json()["text"] == library_texts[NAMASTE]
        server.wait_metric(1, "asr_lanes", state="ready")  # of the worker that is asked
        warnings = httpx.get(f"{server.url}/readyz").json()["warnings"]
        (warning,) = [each for each in warnings if " without " not in each]  # of a kernel that confines less
        assert warning == f"/metrics shows one worker alone, since {full} cannot be used: No space left on device"
        assert server.workers() == workers
