"""Keeps the directory of Prometheus's multiprocess files from growing.

Each worker writes files of its own, named by its process id. Counters of a dead worker must go on
counting, so its files may not simply go; but a worker recycled every hour would leave files for ever.
So the Gunicorn master, alone, adds the counts of each worker that exits to one set of files.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

# prometheus_client is imported late throughout: on import it looks whether there is a directory, and
# the master makes the directory with this module.

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_HEIR = 0  # no process has this id
_KINDS = ("counter", "histogram")
_LOCK = "lock"


def choose_directory() -> Path:
    """Return the directory that the environment names, or name a new one there; a reload finds the first one again."""
    if _VARIABLE not in os.environ:
        os.environ[_VARIABLE] = tempfile.mkdtemp(prefix="asr-metrics-")
    directory = Path(os.environ[_VARIABLE])
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def clear(directory: Path) -> None:
    """Delete the files of an earlier run, which may have been killed."""
    for file in directory.glob("*.db"):
        file.unlink()


def remove(directory: Path) -> None:
    """Delete the directory and its files; one that holds more than them stays."""
    clear(directory)
    (directory / _LOCK).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        directory.rmdir()


@contextlib.contextmanager
def standing_still(directory: Path) -> Iterator[None]:
    """Read the files while none is inherited: between two steps of it a scrape would count twice, or miss a file."""
    with _locked(directory, fcntl.LOCK_SH):
        yield


def inherit(directory: Path, pid: int) -> None:
    """Add the counts of an exited worker to the heir's, and remove its files."""
    from prometheus_client.multiprocess import mark_process_dead

    with _locked(directory, fcntl.LOCK_EX):
        mark_process_dead(pid, str(directory))  # type: ignore[no-untyped-call]
        for kind in _KINDS:
            estate = directory / f"{kind}_{pid}.db"
            if estate.exists():
                _merge(estate, directory / f"{kind}_{_HEIR}.db")
                estate.unlink()


@contextlib.contextmanager
def _locked(directory: Path, operation: int) -> Iterator[None]:
    with (directory / _LOCK).open("a") as lock:
        fcntl.flock(lock, operation)
        yield


def _merge(estate: Path, heir: Path) -> None:
    """Add up in a copy that takes the heir's place at once: a master killed meanwhile leaves no half of it."""
    from prometheus_client.mmap_dict import MmapedDict

    merged = heir.with_suffix(".merging")
    if heir.exists():
        shutil.copyfile(heir, merged)
    sums = MmapedDict(str(merged))  # type: ignore[no-untyped-call]
    for key, value, timestamp, _ in MmapedDict.read_all_values_from_file(str(estate)):  # type: ignore[no-untyped-call]
        before, _ = sums.read_value(key)  # type: ignore[no-untyped-call]
        sums.write_value(key, before + value, timestamp)  # type: ignore[no-untyped-call]
    sums.close()  # type: ignore[no-untyped-call]
    merged.replace(heir)
