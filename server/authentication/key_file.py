"""Keys as JSON, and their file: read again when it has changed, written whole or not at all."""

import fcntl
import hashlib
import mmap
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

from loguru import logger
from pydantic import ConfigDict, StringConstraints, TypeAdapter, ValidationError

from server.authentication.keys import Former, Key, Keys
from server.principal import Limits

_LOOK_SECONDS = 0.5
_PUBLIC_ID = re.compile("[0-9a-f]{12}")
_KEYS = TypeAdapter(
    dict[Annotated[str, StringConstraints(pattern=f"^{_PUBLIC_ID.pattern}$")], Key],
    config=ConfigDict(hide_input_in_errors=True),
)
_closed_by = mmap.mmap(-1, hashlib.sha256().digest_size)
"""Digest of the path of a file that was there. The master imports this before it forks, so that a worker that starts
when the file has gone knows of it, though another worker alone has seen it."""
_FIELDS = {*Key.model_fields, *Former.model_fields, *Limits.__dataclass_fields__}


class InvalidKeys(Exception):
    """Keys that cannot be read; the message says why, and repeats nothing that could be a secret."""


def read_keys(text: str | bytes) -> Keys:
    """Read keys from JSON; raise InvalidKeys."""
    try:
        return _KEYS.validate_json(text)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(each) for each in fault["loc"] if each in _FIELDS or _PUBLIC_ID.fullmatch(str(each)))
        raise InvalidKeys(f"{where}: {fault['msg']}" if where else fault["msg"]) from None


def write_keys(keys: Keys) -> bytes:
    """Return keys as JSON that people can read too."""
    return _KEYS.dump_json(dict(keys), indent=2, exclude_defaults=True) + b"\n"


class KeyFile:
    """The keys in a file as they were half a second ago at most; a request costs one `stat` in that time, if any.

    A file that cannot be read leaves what was read before; one that is gone leaves no keys.
    """

    def __init__(self, path: Path) -> None:
        """Raise InvalidKeys where the file is there and cannot be read."""
        self._path = path
        self._keys: Keys = {}
        self._seen: tuple[int, ...] = ()
        self._was_there = False
        self._name = hashlib.sha256(os.fsencode(path.absolute())).digest()
        self._failure = ""
        self._look()
        if self._failure:
            raise InvalidKeys(self._failure)

    @property
    def keys(self) -> Keys:
        """What is there now, by public id."""
        self._look_again()
        return self._keys

    @property
    def was_there(self) -> bool:
        """Whether any worker has seen a file at any time: even one without keys has closed the door."""
        self._look_again()
        return self._was_there or _closed_by[:] == self._name

    def _look_again(self) -> None:
        if time.monotonic() < self._next_look:
            return
        before = self._failure
        self._look()
        if self._failure and self._failure != before:
            logger.error(f"{self._failure}; the keys stay as they were")

    def _look(self) -> None:
        self._next_look = time.monotonic() + _LOOK_SECONDS
        try:
            seen = _identity(self._path.stat())
            self._note_it_was_there()
            if seen != self._seen:
                with self._path.open("rb") as file:
                    self._seen = _identity(os.fstat(file.fileno()))
                    self._failure = ""
                    self._keys = read_keys(file.read())
        except FileNotFoundError:
            if self._keys:
                logger.warning(f"{self._path} is gone, and its keys with it")
            self._keys, self._seen, self._failure = {}, (), ""
        except (InvalidKeys, OSError) as error:
            self._note_it_was_there()
            self._failure = f"{self._path}: {error.strerror if isinstance(error, OSError) else error}"

    def _note_it_was_there(self) -> None:
        if not self._was_there:
            self._was_there = True
            _closed_by[:] = self._name


@contextmanager
def changed(path: Path) -> Iterator[dict[str, Key]]:
    """Let the keys of a file be changed, by one process at a time; then write it, or on an exception leave it.

    Raises InvalidKeys or OSError.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        try:
            keys = dict(read_keys(path.read_bytes()))
        except FileNotFoundError:
            keys = {}
        except InvalidKeys as error:
            raise InvalidKeys(f"{path}: {error}") from None
        yield keys
        _replace(path, write_keys(keys))
        os.fsync(directory)
    finally:
        os.close(directory)


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    owner = (path if path.exists() else path.parent).stat()
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            with suppress(PermissionError):  # root alone may, and its server may be another's
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns
