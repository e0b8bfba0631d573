"""What is to be heard: files, folders, globs, standard input."""

import dataclasses
import glob
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import BinaryIO, Self

from inference.audio.containers import identify, opened
from inference.errors import UndecodableAudio, UnsupportedCodec

HELP = "audio of any usual kind; a folder, for all audio in it; a glob, quoted or not; - for standard input"


ENDINGS = {
    "WAV": ".wav .wave .bwf .rf64",
    "FLAC": ".flac .fla",
    "OGG": ".ogg .oga .ogv .ogx .opus .spx",
    "MP3": ".mp3 .mp2 .mp1 .mpga",
    "AAC": ".aac .adts",
    "MP4": ".mp4 .m4a .m4b .m4r .m4v .mov .qt .3gp .3gpp .3g2 .3ga .f4a .f4v",
    "WebM or Matroska": ".webm .weba .mkv .mka",
    "AMR": ".amr .awb",
    "AIFF": ".aif .aiff .aifc",
    "AU": ".au .snd",
    "CAF": ".caf",
    "W64": ".w64",
    "WMA": ".wma .wmv .asf",
    "WavPack": ".wv",
    "TTA": ".tta",
    "AC3": ".ac3",
    "MPEG-TS": ".m2ts .m2t",  # .ts and .mts are programs in TypeScript, too
    "FLV": ".flv",
}
"""Container → how its files are called: who calls a file so expects a text of it, or to be told why there is none."""
_AUDIO_NAMES = frozenset(" ".join(ENDINGS.values()).split())


@dataclass(frozen=True, slots=True)
class Source:
    """One file."""

    name: str
    """As a user would name it."""
    path: Path
    """Where its bytes are."""
    beneath: PurePath
    """Its name below the folder or the glob that it was found by: what its results are named after."""
    fault: str = ""
    """Why there is nothing to hear."""


@dataclass(slots=True)
class Search:
    """All sources of a command line. A context: what cannot be read twice is kept in a file meanwhile."""

    arguments: Sequence[str]
    passed_over: int = 0
    """Files in folders that are no audio, by their bytes and by their names."""
    _spooled: ExitStack = dataclasses.field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spooled.close()

    def sources(self) -> list[Source]:
        """Find them, each once, in the order of the arguments and of names in folders."""
        found = {source.name: source for argument in self.arguments for source in self._of(argument)}
        return list(found.values())

    def _of(self, argument: str) -> Iterator[Source]:
        path = Path(argument)
        if argument == "-":
            yield self._standard_input()
        elif path.is_dir():
            yield from self._in_folder(path, path)
        elif not path.exists() and glob.has_magic(argument):
            yield from self._by_glob(argument)
        elif path.exists() and not path.is_file():  # a pipe, as `<(command)` makes one
            with path.open("rb") as stream:
                yield Source(argument, self._spool(stream), PurePath(path.name))
        else:
            yield Source(argument, path, PurePath(path.name))

    def _standard_input(self) -> Source:
        if sys.stdin.isatty():
            return Source("-", Path(), PurePath("stdin"), "nothing is piped into standard input")
        return Source("-", self._spool(sys.stdin.buffer), PurePath("stdin"))

    def _by_glob(self, pattern: str) -> Iterator[Source]:
        base = Path(*_before_magic(PurePath(pattern).parts))
        matches = sorted(map(Path, glob.glob(pattern, recursive=True)))  # noqa: PTH207 - Path.glob knows no absolute ones
        if "**" in pattern:  # which finds what is in the folders, too
            matches = [match for match in matches if not match.is_dir()]
        if not matches:
            yield Source(pattern, Path(pattern), PurePath(pattern), "no file has such a name")
        for match in matches:
            if match.is_dir():
                yield from self._in_folder(match, base)
            else:
                yield Source(str(match), match, match.relative_to(base))

    def _in_folder(self, folder: Path, base: Path) -> Iterator[Source]:
        empty, faults = True, list[OSError]()
        for where, folders, names in os.walk(folder, onerror=faults.append):
            folders.sort()
            for path in (Path(where, name) for name in sorted(names)):
                if path.is_file() and _is_audio(path):
                    empty = False
                    yield Source(str(path), path, path.relative_to(base))
                else:
                    self.passed_over += 1
        for fault in faults:
            yield Source(str(fault.filename), folder, folder, str(fault))
        if empty and not faults:
            yield Source(str(folder), folder, folder, "there is no audio in this folder")

    def _spool(self, stream: BinaryIO) -> Path:
        spool = self._spooled.enter_context(tempfile.NamedTemporaryFile(prefix="recording-"))  # noqa: SIM115 - the stack does
        shutil.copyfileobj(stream, spool)
        spool.flush()
        return Path(spool.name)


def _is_audio(path: Path) -> bool:
    """By its bytes or its name; what cannot be read, or is audio of a kind that is not taken, has to be told."""
    if path.suffix.lower() in _AUDIO_NAMES:
        return True
    try:
        with opened(path) as data:
            identify(data)
    except UndecodableAudio:
        return False
    except (OSError, UnsupportedCodec):
        return True
    return True


def _before_magic(parts: Sequence[str]) -> Iterator[str]:
    for part in parts[:-1]:
        if glob.has_magic(part):
            return
        yield part
