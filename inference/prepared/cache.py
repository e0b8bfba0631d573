"""What is made once on a machine and then mapped by all its processes: whole or not at all, and by one of them."""

import fcntl
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def made_once(cache: Path, family: str, key: str, make: Callable[[Path], None]) -> Path:
    """Return the directory `family`-`key` in the cache, filled now by `make` where there is none.

    It replaces what the family had under other keys. Raises OSError where the cache cannot be written, and what `make`
    raises.
    """
    directory = cache / f"{family}-{key}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{family}-lock").open("w") as lock:
        # All lanes come here at once on the first start: one works, the others wait for it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            for outdated in cache.glob(f"{family}-*/"):
                shutil.rmtree(outdated)
            _make_whole(directory, make)
    return directory


def forget(cache: Path, name: str, made_before: float) -> None:
    """Delete what lies in the cache for `name` (and for names that begin so), if it was made before that `time.time()`.

    What another process has made anew meanwhile stays. Processes keep what they have mapped.
    """
    for directory in cache.glob(f"{name}-*/"):
        with suppress(FileNotFoundError):  # another process was faster
            if directory.stat().st_mtime < made_before:
                shutil.rmtree(directory, ignore_errors=True)


def _make_whole(directory: Path, make: Callable[[Path], None]) -> None:
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=directory.parent))
    try:
        make(partial)
        partial.replace(directory)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
