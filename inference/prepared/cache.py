"""What is made once on a machine and then mapped by all its processes: whole or not at all, and by one of them.

An entry is a directory `KIND-KEY.prepared`, and its key names all that it was made from; so entries of several
packages lie side by side, and packages with the same weights share one. What nobody asks for any more differs by
time alone: an entry is touched whenever it is used, and whoever makes a new one removes those that nobody has used for
30 days. Any other rule would need to know which packages, settings and machines still share the directory. An
entry removed too early costs no more than making it again, and processes keep what they have mapped.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from inference.errors import DamagedCache, PackageError

_DONE, _UNFINISHED = ".prepared", ".unfinished"
_UNUSED_SECONDS = 30 * 24 * 3600.0


def made_once(cache: Path, kind: str, key: str, make: Callable[[Path], None]) -> Path:
    """Return the entry of that kind and key, filled now by `make` (of an empty directory) where there is none.

    Raises OSError where the cache cannot be written, and what `make` raises.
    """
    entry = entry_of(cache, kind, key)
    with suppress(OSError):  # there is none, or the cache is read-only
        os.utime(entry)
    if not entry.exists():
        cache.mkdir(parents=True, exist_ok=True)
        # All lanes come here at once on the first start: one works, the others wait for it.
        with _locked(cache):
            if not entry.exists():
                _remove_what_nobody_uses(cache)
                _make_whole(entry, make)
    return entry


def entry_of(cache: Path, kind: str, key: str) -> Path:
    """Return where that entry is, if it is there."""
    return cache / f"{kind}-{key}{_DONE}"


@contextmanager
def reading(entry: Path) -> Iterator[None]:
    """Remove an entry whose files prove damaged or missing: a PackageError raised inside becomes DamagedCache.

    What another process has made anew meanwhile stays. An entry that another process has removed is damaged too.
    """
    try:
        opened = os.open(entry, os.O_RDONLY)  # as long as it is open, no other directory gets its inode number
    except FileNotFoundError as error:
        raise DamagedCache(f"{entry} has just been removed") from error
    try:
        yield
    except (PackageError, FileNotFoundError) as error:
        with suppress(OSError), _locked(entry.parent):
            if os.path.samestat(os.fstat(opened), entry.stat()):
                _remove(entry)
        raise DamagedCache(f"{entry} is damaged: {error}") from error
    finally:
        os.close(opened)


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the kernel takes it back from a process that is killed
        yield


def _make_whole(entry: Path, make: Callable[[Path], None]) -> None:
    unfinished = _unfinished(entry.parent)
    try:
        make(unfinished)
        unfinished.replace(entry)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _remove_what_nobody_uses(cache: Path) -> None:
    """Under the lock: nobody else is at work, so what is unfinished was left by a process that was killed."""
    for left in cache.glob(f"*{_UNFINISHED}/"):
        shutil.rmtree(left, ignore_errors=True)
    for entry in cache.glob(f"*{_DONE}/"):
        if time.time() - entry.stat().st_mtime > _UNUSED_SECONDS:
            _remove(entry)


def _remove(entry: Path) -> None:
    """Under another name first: whoever is killed on the way leaves no half entry."""
    removed = entry.replace(_unfinished(entry.parent))
    shutil.rmtree(removed, ignore_errors=True)


def _unfinished(cache: Path) -> Path:
    return Path(tempfile.mkdtemp(suffix=_UNFINISHED, dir=cache))
