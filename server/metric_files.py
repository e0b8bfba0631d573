"""Keeps the directory of Prometheus's multiprocess files from growing.

Each worker writes files of its own, named by its process id. Counters of a dead worker must go on
counting, so its files may not simply go; but a worker recycled every hour would leave files for ever.
So the Gunicorn master, alone, adds the counts of each worker that exits to one set of files.
"""

import shutil
import tempfile
from pathlib import Path

# prometheus_client is imported late throughout: on import it looks whether there is a directory, and
# the master makes the directory with this module.

_HEIR = 0  # no process has this id
_KINDS = ("counter", "histogram")


def create_directory() -> Path:
    """Make an empty directory for the files of one run of Gunicorn."""
    return Path(tempfile.mkdtemp(prefix="asr-metrics-"))


def remove_directory(directory: Path) -> None:
    """Delete it with all files."""
    shutil.rmtree(directory, ignore_errors=True)


def inherit(directory: Path, pid: int) -> None:
    """Add the counts of an exited worker to the heir's, and remove its files."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid, str(directory))  # type: ignore[no-untyped-call]
    for kind in _KINDS:
        estate = directory / f"{kind}_{pid}.db"
        if estate.exists():
            _merge(estate, directory / f"{kind}_{_HEIR}.db")
            estate.unlink()


def _merge(estate: Path, heir: Path) -> None:
    """Add up in a copy that takes the heir's place at once: a scrape never sees half of it."""
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
