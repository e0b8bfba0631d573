"""What lies in a corpus: a reader for each shape that recordings are packed in."""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.files import RecipeError

_SOUND = (".wav", ".flac", ".opus", ".mp3")


@dataclass(frozen=True)
class Recording:
    """One clip of a corpus, as the corpus has it."""

    path: Path
    text: str
    language: str
    speaker: str
    licence: str = ""
    source: str = ""
    """Who is to be named for it."""
    start: float = 0.0
    """Where in the file it begins, in seconds."""
    seconds: float | None = None
    """How long it is; none: up to the file's end."""


@dataclass(frozen=True)
class Corpus:
    """Where recordings lie, and in what shape."""

    kind: str
    place: Path
    language: str = "hi"

    @property
    def name(self) -> str:
        """As the command line names it, language apart: the source of clips that name none."""
        return f"{self.kind}:{self.place}"


def parse_corpus(text: str) -> Corpus:
    """``NAME:PLACE`` or ``NAME@LANGUAGE:PLACE``.

    >>> parse_corpus("openslr@bn:slr53").language
    'bn'
    """
    name, colon, place = text.partition(":")
    kind, _, language = name.partition("@")
    if not colon or kind not in READERS:
        raise argparse.ArgumentTypeError(f"{text!r}: NAME:PLACE wanted, NAME one of {', '.join(READERS)}")
    return Corpus(kind, Path(place), language or "hi")


def _table(path: Path, columns: tuple[str, ...] = ()) -> list[dict[str, str]]:
    """Rows of a tab separated file; `columns` names them where its first line does not."""
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, columns or None, delimiter="\t", quoting=csv.QUOTE_NONE))


def _licence(row: dict[str, Any], otherwise: str = "") -> str:
    return str(row.get("licence") or row.get("license") or otherwise)


def _of_mozilla(corpus: Corpus, row: dict[str, str]) -> Recording:
    path, language = corpus.place / "clips" / row["path"], row.get("locale") or corpus.language
    return Recording(path, row["sentence"], language, row["client_id"][:16], "CC0-1.0", corpus.name)


def common_voice(corpus: Corpus) -> Iterator[Recording]:
    """Mozilla's folder: ``validated.tsv`` without the speakers of ``dev.tsv`` and ``test.tsv``, else ``train.tsv``."""
    tables = {name: corpus.place / f"{name}.tsv" for name in ("validated", "train", "dev", "test")}
    found = next((tables[name] for name in ("validated", "train") if tables[name].exists()), None)
    if found is None:
        raise RecipeError(f"{corpus.place} holds neither validated.tsv nor train.tsv: is it a Common Voice folder?")
    apart = {row["client_id"] for name in ("dev", "test") if tables[name].exists() for row in _table(tables[name])}
    for row in _table(found):
        if row["client_id"] not in apart:
            yield _of_mozilla(corpus, row)


def common_voice_test(corpus: Corpus) -> Iterator[Recording]:
    """``test.tsv`` of Mozilla's folder alone: its speakers never train."""
    table = corpus.place / "test.tsv"
    if not table.exists():
        raise RecipeError(f"{table} is missing: is {corpus.place} a Common Voice folder?")
    for row in _table(table):
        yield _of_mozilla(corpus, row)


def openslr(corpus: Corpus) -> Iterator[Recording]:
    """Google's folders: ``line_index*.tsv`` (id, text) or ``utt_spk_text.tsv`` (id, speaker, text), audio below.

    Some sets have an index for women and one for men beside those in the archives: no id is taken twice.
    """
    indices = sorted([*corpus.place.rglob("line_index*.tsv"), *corpus.place.rglob("utt_spk_text.tsv")])
    if not indices:
        wanted = "line_index*.tsv nor utt_spk_text.tsv"
        raise RecipeError(f"{corpus.place} holds neither {wanted}: is it an OpenSLR folder?")
    clips = {path.stem: path for path in corpus.place.rglob("*") if path.suffix in _SOUND}
    taken = set[str]()
    for index in indices:
        columns = ("id", "speaker", "text") if index.name == "utt_spk_text.tsv" else ("id", "text")
        for row in _table(index, columns):
            name, speaker = row["id"].strip(), row.get("speaker") or "_".join(row["id"].split("_")[:2])
            if name not in taken:
                taken.add(name)
                path = clips.get(name, index.with_name(f"{name}.wav"))  # one that is missing is counted later
                yield Recording(path, row["text"], corpus.language, speaker, "CC-BY-SA-4.0", corpus.name)


def _objects(manifest: Path) -> Iterator[dict[str, Any]]:
    """Objects of a NeMo manifest, each with a clip and a text."""
    if not manifest.is_file():
        raise RecipeError(f"{manifest} is not a file: a manifest is wanted")
    with manifest.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise RecipeError(f"{manifest}:{number} is not JSON: {error}") from error
            for name in ("audio_filepath", "text"):
                if not isinstance(row, dict) or not isinstance(row.get(name), str):
                    raise RecipeError(f"{manifest}:{number} has no {name}")
            yield row


def nemo(corpus: Corpus, licence: str = "") -> Iterator[Recording]:
    """A NeMo manifest; ``lang`` or ``language``, ``speaker``, ``licence`` and ``source`` are read where it has them.

    ``offset`` and ``duration`` say, as NeMo understands them, which part of the file is meant. `licence` is that of
    clips that name none.
    """
    for row in _objects(corpus.place):
        yield Recording(
            corpus.place.parent / row["audio_filepath"],
            row["text"],
            row.get("language") or row.get("lang") or corpus.language,
            str(row.get("speaker") or row.get("speaker_id") or ""),
            _licence(row, licence),
            str(row.get("source") or corpus.name),
            float(row.get("offset") or 0),
            float(row["duration"]) if row.get("duration") else None,
        )


def indic_voices(corpus: Corpus) -> Iterator[Recording]:
    """A manifest that AI4Bharat's ``create_indicvoices.py`` and ``create_manifest.sh`` write."""
    return nemo(corpus, "CC-BY-4.0")


def people(corpus: Corpus) -> Iterator[Recording]:
    """A folder with ``manifest.tsv``, clips beside it or in the tar that their names begin with."""
    table = corpus.place / "manifest.tsv"
    if not table.exists():
        raise RecipeError(f"{table} is missing")
    for row in _table(table):
        path, language = corpus.place / row["file"], row.get("language") or corpus.language
        source = row.get("source") or corpus.name
        yield Recording(path, row["transcript"], language, row["speaker"], _licence(row), source)


READERS: dict[str, Callable[[Corpus], Iterator[Recording]]] = {
    "common-voice": common_voice,
    "common-voice-test": common_voice_test,
    "openslr": openslr,
    "nemo": nemo,
    "indic-voices": indic_voices,
    "people": people,
}
