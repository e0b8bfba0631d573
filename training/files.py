"""Write files whole or not at all, and stop with one clear line when the machine cannot."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

FREE_BYTES_WANTED = 200 * 2**20
"""A step that writes audio stops when less than this is left on its disk."""


class RecipeError(Exception):
    """Something the person at the keyboard has to put right; the message says what."""


class MissingProgram(RecipeError):
    """A program of the system that is not installed."""


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it over `path` only when the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_manifest(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write a NeMo manifest: one JSON object a line, Devanagari left readable."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read_manifest(path: Path) -> list[dict[str, Any]]:
    """Read a NeMo manifest and make its `audio_filepath` absolute (relative to the manifest's folder)."""
    if not path.exists():
        raise RecipeError(f"{path} is missing: run the step that writes it first (see training/README.md)")
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise RecipeError(f"{path}:{number} is not JSON ({error}): delete the file and make it again") from error
        row["audio_filepath"] = str(path.parent / row["audio_filepath"])
        rows.append(row)
    return rows


def require_space(folder: Path, wanted: int = FREE_BYTES_WANTED) -> None:
    """Stop while the disk still has room for the files that are open."""
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise RecipeError(
            f"{folder}: {free // 2**20} MiB free, {wanted // 2**20} MiB wanted: "
            "make room, then run the same command again"
        )


def command(main: Callable[[], None]) -> None:
    """Run a step; a foreseeable failure is one line on stderr and exit status 1."""
    try:
        main()
    except RecipeError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        sys.exit(f"error: the disk is full ({error.filename}): make room, then run the same command again")
    except KeyboardInterrupt:
        sys.exit("stopped: run the same command again to go on from here")
