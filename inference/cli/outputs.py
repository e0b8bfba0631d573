"""Where transcripts go: lines on standard output, or a file for each recording."""

import json
import os
import secrets
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any, Protocol

from tqdm import tqdm

from inference.cli.sources import Source
from inference.types import Segment, Transcript

Outcome = Transcript | str
"""What was said, or why that cannot be told."""


class Output(Protocol):
    """Takes what comes, in whatever order it comes; the places count the sources from 0."""

    def has(self, source: Source) -> bool:
        """Whether that is there already, and nothing needs to be done."""
        ...

    def take(self, place: int, source: Source, outcome: Outcome) -> None:
        """One more; raises OSError where it cannot be written."""
        ...


def _tell_warnings(source: Source, outcome: Outcome) -> None:
    """On standard error, beside the bar: a text alone has no place for them."""
    if isinstance(outcome, str):
        return
    for warning in ("Only the beginning was heard, up to --limit-seconds.",) * outcome.clipped + outcome.warnings:
        tqdm.write(f"{source.name}: {warning}", file=sys.stderr)


class Lines:
    """On standard output, in the order of the sources."""

    def __init__(self, *, named: bool, as_json: bool) -> None:
        """`named`: with the name of the file before each text."""
        self._named = named
        self._as_json = as_json
        self._waiting: dict[int, str | None] = {}
        self._next = 0

    def has(self, source: Source) -> bool:  # noqa: ARG002 - nothing is known of other runs
        """Never."""
        return False

    def take(self, place: int, source: Source, outcome: Outcome) -> None:
        """Print all lines whose turn it is, and at once what is to be known of this one."""
        if not self._as_json:
            _tell_warnings(source, outcome)
        self._waiting[place] = self._line(source, outcome)
        while self._next in self._waiting:
            line = self._waiting.pop(self._next)
            if line is not None:
                tqdm.write(line)
            self._next += 1
        sys.stdout.flush()

    def _line(self, source: Source, outcome: Outcome) -> str | None:
        if self._as_json:
            row = {"error": outcome} if isinstance(outcome, str) else _row(outcome)
            return json.dumps({"file": source.name, **row}, ensure_ascii=False)
        if isinstance(outcome, str):
            return None
        return f"{source.name}\t{outcome.text}" if self._named else outcome.text


class Files:
    """A file for each source in a folder, written whole or not at all."""

    def __init__(self, folder: Path, sources: Sequence[Source], *, as_json: bool, overwrite: bool) -> None:
        """Raise FileExistsError where two sources would write the same file."""
        self._folder = folder
        self._as_json = as_json
        self._overwrite = overwrite
        self._names = _names(sources, ".json" if as_json else ".txt")

    def has(self, source: Source) -> bool:
        """Whether an earlier run wrote it, and it is not to be overwritten."""
        return not (self._overwrite or source.fault) and (self._folder / self._names[source.name]).exists()

    def take(self, place: int, source: Source, outcome: Outcome) -> None:  # noqa: ARG002 - their order is no matter
        """Write one; of a failure nothing is written."""
        if isinstance(outcome, str):
            return
        text = outcome.text
        if self._as_json:
            text = json.dumps({"file": source.name, **_row(outcome)}, ensure_ascii=False, indent=1)
        else:
            _tell_warnings(source, outcome)
        _write_whole(self._folder / self._names[source.name], text + "\n")


def _names(sources: Sequence[Source], ending: str) -> dict[str, PurePath]:
    """Without the ending of the source, unless two differ in nothing else."""
    sources = [source for source in sources if not source.fault]  # of which nothing is written
    short = {source.name: source.beneath.with_suffix(ending) for source in sources}
    taken = Counter(short.values())
    names: dict[str, PurePath] = {}
    whose: dict[PurePath, str] = {}
    for source in sources:
        name = short[source.name]
        if taken[name] > 1:
            name = source.beneath.with_name(source.beneath.name + ending)
        if other := whose.get(name):
            raise FileExistsError(f"{other} and {source.name} would both become {name}: give their folder instead")
        names[source.name], whose[name] = name, source.name
    return names


def _write_whole(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.parent / f".part-{secrets.token_hex(8)}"  # named here: an interrupt may come as soon as there is a file
    try:
        with part.open("w", encoding="utf-8", errors="backslashreplace") as new:
            new.write(text)
            new.flush()
            os.fsync(new.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _row(transcript: Transcript) -> dict[str, Any]:
    return {
        "text": transcript.text,
        "language": transcript.language,
        "model": transcript.model,
        "duration": transcript.duration,
        "clipped": transcript.clipped,
        "segments": [_segment(each) for each in transcript.segments if each.text],
        "warnings": list(transcript.warnings),
        "timings": {each.stage: each.seconds for each in transcript.stages},
    }


def _segment(segment: Segment) -> dict[str, Any]:
    row: dict[str, Any] = {"start": segment.start, "end": segment.end, "text": segment.text}
    if segment.channel is not None:
        row["channel"] = segment.channel
    if segment.words:
        row["words"] = [
            {"word": word.text, "start": word.start, "end": word.end, "confidence": word.confidence}
            for word in segment.words
        ]
    return row
