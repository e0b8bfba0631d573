"""Bodies in memory and on the disk."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from server.errors import StorageFailed
from server.http import spool as spool_module
from server.http.spool import Spool, SpoolDirectory

MIB = 1 << 20
PIECE = bytes(range(256)) * 400


async def fill(spool, size):
    while spool.size < size:
        spool.append(PIECE[: size - spool.size])
        await spool.drain()
    return await spool.finish()


def read_in_another_process(path):
    """As a lane reads it."""
    program = f"import sys; sys.stdout.buffer.write(open({str(path)!r}, 'rb').read())"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout


@pytest.mark.parametrize("size", [0, 1, 100_000, MIB])
def test_up_to_a_mib_in_memory(tmp_path, size):
    spool = Spool(SpoolDirectory(tmp_path / "missing", 1))
    data = asyncio.run(fill(spool, size))
    assert isinstance(data, bytes)
    assert len(data) == size


@pytest.mark.parametrize("nameless", [True, False])
@pytest.mark.parametrize("size", [MIB + 1, 3 * MIB, 3 * MIB + 17])
def test_more_in_a_private_file(tmp_path, monkeypatch, nameless, size):
    if nameless and not Path("/proc").exists():
        pytest.skip("no /proc here")
    if not nameless:
        monkeypatch.setattr(spool_module, "_can_be_nameless", lambda: False)
    spool = Spool(SpoolDirectory(tmp_path, 1))
    path = asyncio.run(fill(spool, size))
    assert bool(list(tmp_path.iterdir())) != nameless
    assert path.stat().st_mode & 0o077 == 0
    assert read_in_another_process(path) == (PIECE * 40)[:size]
    spool.close()
    assert not list(tmp_path.iterdir())


def test_what_cannot_fit_is_refused_before_it_comes(tmp_path):
    directory = SpoolDirectory(tmp_path, 1)
    directory.refuse_what_does_not_fit(2 * MIB)
    with pytest.raises(StorageFailed, match="are free in"):
        directory.refuse_what_does_not_fit(1 << 60)
    SpoolDirectory(tmp_path / "missing", 1).refuse_what_does_not_fit(1 << 60)  # writing tells


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk(tmp_path, monkeypatch):
    full = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115 - the spool closes it
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: full)
    spool = Spool(SpoolDirectory(tmp_path, 1))
    with pytest.raises(StorageFailed, match="No space left on device"):
        asyncio.run(fill(spool, 3 * MIB))
    spool.close()


def test_a_client_that_leaves_while_its_body_is_written(tmp_path, monkeypatch):
    """The file is closed behind the thread that writes it, not under it."""
    writing = asyncio.Event()
    write = Spool._write_piece

    def slowly(self, piece):
        loop.call_soon_threadsafe(writing.set)
        time.sleep(0.05)
        write(self, piece)

    monkeypatch.setattr(Spool, "_write_piece", slowly)

    async def leave():
        nonlocal loop
        loop = asyncio.get_running_loop()
        spool = Spool(SpoolDirectory(tmp_path, 1))
        filling = asyncio.create_task(fill(spool, 10 * MIB))
        await writing.wait()
        filling.cancel()
        await asyncio.gather(filling, return_exceptions=True)
        assert filling.cancelled()
        assert spool._file is not None
        spool.close()

    loop = None
    asyncio.run(leave())
    assert not list(tmp_path.iterdir())


def test_warnings(tmp_path):
    assert SpoolDirectory(tmp_path, 1).warnings == ()
    assert "MiB are free" in SpoolDirectory(tmp_path, 1 << 60).warnings[0]
    assert "No such file" in SpoolDirectory(tmp_path / "missing", 1).warnings[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_is_not_ours(tmp_path):
    tmp_path.chmod(0o500)
    assert "not writable" in SpoolDirectory(tmp_path, 1).warnings[0]
