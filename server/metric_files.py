"""The directory through which several workers answer for each other when they are asked for metrics: the master's side.

It is prometheus_client's multiprocess mode: each worker writes files named by its process id, and a scrape adds up all
of them. One worker alone keeps its counts in memory, unless the operator names a directory.

The files of a worker that has gone stay, since its counts still count. Only where workers are recycled would they pile
up, and only there does the master add them to one set of files. Nothing here may raise into the master: it calls these
functions when a worker has gone, and an exception then would end the whole server.
"""

import contextlib
import fcntl
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from loguru import logger

from server.startup import temporary_directory

# prometheus_client is imported late throughout: on import it looks whether there is a directory.

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_MERGED = "0"  # stands for a process id, which no process has
_KINDS = ("counter", "histogram")
_LOCK = "lock"
_LOCK_SECONDS = 2.0  # a merge takes milliseconds


def shared_directory() -> Path | None:
    """Return the directory of all workers' files; None where each counts for itself."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else None


def open_directory(*, shared: bool, keep_files: bool) -> None:
    """Make the directory where one is named, or needed since metrics are `shared`; raise OSError.

    Files of an earlier run go, but for those that a reload or another master may `keep_files` for.
    """
    if not os.environ.get(VARIABLE):
        os.environ.pop(VARIABLE, None)
        if not shared:
            return
        os.environ[VARIABLE] = str(temporary_directory("asr-metrics-"))
    directory = Path(os.environ[VARIABLE])
    directory.mkdir(parents=True, exist_ok=True)
    if not keep_files:
        for file in directory.glob("*.db"):
            file.unlink()


def remove_directory() -> None:
    """Delete the files of processes that have ended, and the directory where nothing else is in it."""
    directory = shared_directory()
    if directory is None:
        return
    with contextlib.suppress(OSError):
        for file in directory.glob("*.db"):
            if not _is_alive(file):
                file.unlink()
        if not list(directory.glob("*.db")):
            (directory / _LOCK).unlink(missing_ok=True)
        directory.rmdir()


def worker_exited(pid: int, *, recycling: bool) -> None:
    """Take the gauges of a worker out; where workers are `recycling`, add up the counts of all that have gone."""
    directory = shared_directory()
    if directory is None:
        return
    from prometheus_client.multiprocess import mark_process_dead

    try:
        mark_process_dead(pid, str(directory))  # type: ignore[no-untyped-call]
        for file in directory.glob(f"*_{pid}.db"):
            if file.is_symlink():  # to what the process had open (`metrics_page.restore`)
                file.unlink()
        if recycling and directory.is_dir():
            _merge_all(directory)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the server
        logger.bind(worker=pid, error=repr(error)).warning("the metric files of a worker stay as they are")


@contextlib.contextmanager
def reading(directory: Path) -> Iterator[None]:
    """Read the files while none is merged: between two steps of that, a worker would count double.

    Raises TimeoutError, or OSError where the directory cannot be used.
    """
    with (directory / _LOCK).open("a") as lock:
        give_up = time.monotonic() + _LOCK_SECONDS
        while not _locked(lock.fileno(), fcntl.LOCK_SH):
            if time.monotonic() > give_up:
                raise TimeoutError(f"{directory / _LOCK} is held by another process")
            time.sleep(0.01)
        yield


def _merge_all(directory: Path) -> None:
    with (directory / _LOCK).open("a") as lock:
        # Somebody reads, or was stopped while reading: as long as the files lie there they are counted all the same,
        # and the next worker that ends gives another chance.
        if not _locked(lock.fileno(), fcntl.LOCK_EX):
            return
        for file in directory.glob("*.db"):
            kind, _, pid = file.stem.rpartition("_")
            if kind in _KINDS and pid != _MERGED and not _is_alive(file):
                merged = file.with_name(f"{kind}_{_MERGED}.db")
                if is_readable(file):
                    _merge(file, merged)
                file.unlink()


def is_readable(file: Path) -> bool:
    """Whether a scrape can use this file; one that it cannot use is named in the log."""
    from prometheus_client.multiprocess import MultiProcessCollector

    try:
        _check_size(file)
        MultiProcessCollector.merge([str(file)])  # type: ignore[no-untyped-call]
    except Exception as error:  # noqa: BLE001 - anything can stand in a damaged file
        logger.bind(file=str(file), error=repr(error)).warning("a metric file is damaged and is left out")
        return False
    return True


def _check_size(file: Path) -> None:
    with file.open("rb") as stream:
        used = int.from_bytes(stream.read(4), sys.byteorder, signed=True)
        if not 0 <= used <= os.fstat(stream.fileno()).st_size:
            raise ValueError(f"it says that {used} bytes are used")


def _merge(file: Path, merged: Path) -> None:
    """Add up in a copy that takes the merged file's place at once: a master killed meanwhile leaves no half of it."""
    from prometheus_client.mmap_dict import MmapedDict

    copy = merged.with_suffix(".merging")
    copy.unlink(missing_ok=True)
    if merged.exists() and is_readable(merged):
        shutil.copyfile(merged, copy)
    sums = MmapedDict(str(copy))  # type: ignore[no-untyped-call]
    for key, value, timestamp, _ in MmapedDict.read_all_values_from_file(str(file)):  # type: ignore[no-untyped-call]
        before, _ = sums.read_value(key)  # type: ignore[no-untyped-call]
        sums.write_value(key, before + value, timestamp)  # type: ignore[no-untyped-call]
    sums.close()  # type: ignore[no-untyped-call]
    copy.replace(merged)


def _is_alive(file: Path) -> bool:
    """Whether the process lives that a file is named by."""
    pid = file.stem.rpartition("_")[2]
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        return True
    except (ValueError, ProcessLookupError, OverflowError):
        return False
    return pid != _MERGED  # 0 is this very process group


def _locked(descriptor: int, operation: int) -> bool:
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
