"""Recordings of all corpora → one manifest, and what became of them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import soundfile

from training.corpora.clips import at_16_khz, seconds_of, unpacked
from training.corpora.readers import READERS, Corpus, Recording
from training.files import MissingProgram, RecipeError, write_manifest
from training.parallel import spread
from training.writing.transcripts import written

_SECONDS = (0.3, 16.0)
"""Shorter and longer clips are left out."""
_LETTERS_A_SECOND = 25.0
"""More cannot have been said: the transcript is another clip's."""


def _read(corpus: Corpus) -> list[Recording]:
    """Its recordings; Hindi of any country (``hi-IN``) is Hindi."""
    found = READERS[corpus.kind](corpus)
    is_hindi = re.compile(r"hi(?![a-z])", re.IGNORECASE).match
    return [replace(each, language="hi") if is_hindi(each.language) else each for each in found]


def _row(task: tuple[Recording, Path]) -> dict[str, Any] | str:
    """Manifest row of one recording, or why it has none."""
    recording, folder = task
    try:
        text = written(recording.text, recording.language)
    except MissingProgram:
        raise  # which would leave out whatever is not Hindi
    except RecipeError as error:
        return str(error).splitlines()[0]
    if text is None:
        return f"{recording.language}: not to be written by sound"
    try:
        info = soundfile.info(recording.path)
    except (OSError, soundfile.LibsndfileError):
        return "the clip is missing or cannot be read"
    seconds = seconds_of(recording, info.duration)
    if not _SECONDS[0] <= seconds <= _SECONDS[1]:
        return f"shorter than {_SECONDS[0]} or longer than {_SECONDS[1]} s"
    if len(text) > _LETTERS_A_SECOND * seconds:
        return f"more than {_LETTERS_A_SECOND:.0f} letters a second"
    return {
        "audio_filepath": str(at_16_khz(recording, info, folder)),
        "duration": round(seconds, 3),
        "text": text,
        "speaker": recording.speaker,
        "language": recording.language,
        "licence": recording.licence,
        "source": recording.source,
    }


def gather(corpora: list[Corpus], folder: Path, without: list[str], jobs: int) -> Path:
    """Write ``FOLDER/manifest.jsonl`` of all corpora, without clips whose licence holds one of the words `without`."""
    folder.mkdir(parents=True, exist_ok=True)
    found = [recording for corpus in corpora for recording in _read(corpus)]
    words = [word.lower() for word in without]
    kept = [recording for recording in found if not any(word in recording.licence.lower() for word in words)]
    nameless = sum(not recording.licence for recording in kept)
    print(f"licences: {len(found) - len(kept)} clips left out for theirs, {nameless} clips of those kept name none")
    rows = spread(_row, [(recording, folder) for recording in unpacked(kept, folder)], jobs, folder.name)
    usable = [row for row in rows if isinstance(row, dict)]
    for reason, count in Counter(row for row in rows if isinstance(row, str)).most_common():
        print(f"left out: {count} clips, {reason}")
    if not usable:
        raise RecipeError(f"{folder}: no clip of these corpora can be used")
    write_manifest(folder / "manifest.jsonl", usable)
    _attribute(usable)
    speakers = {row["speaker"] for row in usable}
    hours = sum(row["duration"] for row in usable) / 3600
    print(f"{folder / 'manifest.jsonl'}: {len(usable)} clips, {hours:.2f} h, {len(speakers)} speakers")
    return folder / "manifest.jsonl"


def _attribute(rows: list[dict[str, Any]]) -> None:
    """Print whose recordings they are and under which licence, as a list of those to be named needs it."""
    lengths = defaultdict[tuple[str, str], list[float]](list)
    for row in rows:
        lengths[row["source"], row["licence"]].append(row["duration"])
    for (source, licence), seconds in sorted(lengths.items()):
        print(f"source: {source}, {licence or 'no licence named'}: {len(seconds)} clips, {sum(seconds) / 3600:.2f} h")
