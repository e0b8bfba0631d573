"""What `/metrics` answers: a worker's own counts, or those of all workers from the files that they share.

The directory of the files may go at any time, to a tidy-up of `/tmp` or to a disk that fills up. A worker that cannot
write its files counts for itself; one whose files were removed names them again; a damaged file is left out.
"""

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger

from server import metric_files

if TYPE_CHECKING:
    from prometheus_client.core import Metric

# prometheus_client is imported late throughout: on import it looks whether there is a directory.

# One file for each type of collector and each way of putting gauges together (`server/metrics.py`).
_FILES = ("counter", "histogram", "gauge_livesum", "gauge_livemax")
_RESERVED = 512 * 1024  # bytes; the histograms of all routes and outcomes fill 210 KiB

_warnings: list[str] = []


def warnings() -> tuple[str, ...]:
    """Return why this worker's metrics are not whole, in sentences; empty where all is well."""
    return tuple(_warnings)


def prepare() -> None:
    """See, before any collector exists, that this worker can write its files; else let it count for itself.

    The files are written to in memory, so that a full disk would end the process later: their space is taken now.
    """
    directory = metric_files.shared_directory()
    if directory is None:
        return
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for file in _own_files(directory):
            with file.open("ab") as stream:
                stream.write(bytes(max(0, _RESERVED - stream.tell())))
    except OSError as error:
        _warnings.append(f"/metrics shows one worker alone, since {directory} cannot be used: {error.strerror}")
        logger.warning(_warnings[-1])
        _count_alone(directory)
    else:
        _keep_exemplars()


def restore() -> None:
    """Name this worker's files again where something has removed them; raise OSError where the directory is lost.

    They are still open, and Linux lets others open them through `/proc`, counts and all.
    """
    directory = metric_files.shared_directory()
    missing = {file.name: file for file in _own_files(directory) if not file.exists()} if directory else {}
    if not missing:
        return
    logger.warning(f"{directory} has lost files; they are made again")
    for link in Path(f"/proc/{os.getpid()}/fd").glob("*"):
        target = link.readlink() if link.is_symlink() else Path()
        name = target.name.removesuffix(" (deleted)")  # which Linux adds
        if name in missing:
            missing[name].parent.mkdir(parents=True, exist_ok=True)
            missing[name].unlink(missing_ok=True)
            missing[name].symlink_to(link)


def render(accepted: str = "") -> tuple[bytes, str]:
    """Return all metrics and their media type: OpenMetrics, which has exemplars, where the header Accept asks for it.

    Raises OSError where the files cannot be read.
    """
    from prometheus_client import REGISTRY
    from prometheus_client.exposition import choose_encoder

    generate, media_type = choose_encoder(accepted)
    directory = metric_files.shared_directory()
    if directory is None:
        return generate(REGISTRY), media_type
    restore()
    with metric_files.reading(directory):
        return generate(AllWorkers(directory)), media_type


class AllWorkers:
    """Adds up the files of a directory, those left out that are damaged."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> "Iterable[Metric]":
        """Read them; what prometheus_client asks of a collector."""
        from prometheus_client.multiprocess import MultiProcessCollector

        add_up: Callable[[list[str]], Iterable[Metric]] = MultiProcessCollector.merge
        files = list(self._directory.glob("*.db"))
        try:
            return _with_exemplars(add_up([str(file) for file in files]))
        except Exception:  # noqa: BLE001 - anything can stand in a damaged file; is_readable logs it
            return _with_exemplars(add_up([str(file) for file in files if metric_files.is_readable(file)]))


def _keep_exemplars() -> None:
    """Have each worker remember its own, which prometheus_client's values in files do not."""
    from prometheus_client import values

    class Value(values.ValueClass):  # type: ignore[misc]
        exemplar = None

        def set_exemplar(self, exemplar: object) -> None:
            self.exemplar = exemplar

        def get_exemplar(self) -> object:
            return self.exemplar

    values.ValueClass = Value


def _with_exemplars(of_all: "Iterable[Metric]") -> "Iterable[Metric]":
    """Add this worker's to the sums: each belongs to its bucket, and is no more than an example."""
    from server.metrics import REQUEST_SECONDS

    samples = (sample for metric in REQUEST_SECONDS.collect() for sample in metric.samples)
    own = {(each.name, *sorted(each.labels.items())): each.exemplar for each in samples if each.exemplar}
    for metric in of_all:
        if own and metric.type == "histogram":
            metric.samples = [
                each._replace(exemplar=own.get((each.name, *sorted(each.labels.items())))) for each in metric.samples
            ]
        yield metric


def _own_files(directory: Path) -> list[Path]:
    return [directory / f"{kind}_{os.getpid()}.db" for kind in _FILES]


def _count_alone(directory: Path) -> None:
    from prometheus_client import values

    with contextlib.suppress(OSError):
        for file in _own_files(directory):
            file.unlink(missing_ok=True)
    del os.environ[metric_files.VARIABLE]
    # Decided on import, which the master may have done before it forked.
    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]
