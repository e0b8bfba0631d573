"""Recordings of people that one has → a NeMo manifest that `training.train` takes, in the model's spelling.

    python -m training.corpora --corpus common-voice:cv-corpus/hi --corpus openslr@bn:slr53 --out training/build/people

NAME is ``common-voice`` (a folder as Mozilla packs it), ``openslr`` (a folder with ``line_index.tsv`` or
``utt_spk_text.tsv``), ``nemo`` (a manifest: a JSON object a line) or ``people`` (a folder with ``manifest.tsv``: file,
seconds, language, speaker, transcript, source, licence; its clips beside it or in tars). ``@LANGUAGE`` after the name
says what is spoken where the corpus does not. Clips at 16 kHz mono stay where they are, others are converted.
"""

from __future__ import annotations

import argparse
import csv
import json
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import soundfile

from training.files import RecipeError, atomic_path, command, require_space, write_manifest
from training.parallel import add_jobs, spread
from training.utterance import SAMPLE_RATE, resample
from training.writing.transcripts import written

_SECONDS = (0.3, 16.0)
"""Shorter and longer clips are left out."""
_LETTERS_A_SECOND = 25.0
"""More cannot have been said: the transcript is another clip's."""


@dataclass(frozen=True)
class Recording:
    """One clip of a corpus, as the corpus has it."""

    path: Path
    text: str
    language: str
    speaker: str
    licence: str = ""


@dataclass(frozen=True)
class Corpus:
    """Where recordings lie, and in what shape."""

    kind: str
    place: Path
    language: str = "hi"


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


def common_voice(corpus: Corpus) -> Iterator[Recording]:
    """Mozilla's folder: ``validated.tsv`` without the speakers of ``dev.tsv`` and ``test.tsv``, else ``train.tsv``."""
    tables = {name: corpus.place / f"{name}.tsv" for name in ("validated", "train", "dev", "test")}
    found = next((tables[name] for name in ("validated", "train") if tables[name].exists()), None)
    if found is None:
        raise RecipeError(f"{corpus.place} holds neither validated.tsv nor train.tsv: is it a Common Voice folder?")
    apart = {row["client_id"] for name in ("dev", "test") if tables[name].exists() for row in _table(tables[name])}
    for row in _table(found):
        if row["client_id"] not in apart:
            path = corpus.place / "clips" / row["path"]
            language = row.get("locale") or corpus.language
            yield Recording(path, row["sentence"], language, row["client_id"][:16], "CC0-1.0")


def openslr(corpus: Corpus) -> Iterator[Recording]:
    """Google's folders: ``line_index.tsv`` (id, text) or ``utt_spk_text.tsv`` (id, speaker, text), audio below."""
    indices = sorted([*corpus.place.rglob("line_index.tsv"), *corpus.place.rglob("utt_spk_text.tsv")])
    if not indices:
        raise RecipeError(f"{corpus.place} holds neither line_index.tsv nor utt_spk_text.tsv: is it an OpenSLR folder?")
    clips = {path.stem: path for path in corpus.place.rglob("*") if path.suffix in (".wav", ".flac", ".opus", ".mp3")}
    for index in indices:
        columns = ("id", "text") if index.name == "line_index.tsv" else ("id", "speaker", "text")
        for row in _table(index, columns):
            name, speaker = row["id"].strip(), row.get("speaker") or "_".join(row["id"].split("_")[:2])
            if name in clips:
                yield Recording(clips[name], row["text"], corpus.language, speaker, "CC-BY-SA-4.0")


def nemo(corpus: Corpus) -> Iterator[Recording]:
    """A NeMo manifest; ``lang`` or ``language``, ``speaker`` and ``licence`` are read where it has them."""
    if not corpus.place.is_file():
        raise RecipeError(f"{corpus.place} is not a file: nemo wants a manifest")
    for line in corpus.place.read_text(encoding="utf-8").splitlines():
        row: dict[str, Any] = json.loads(line)
        language = row.get("language") or row.get("lang") or corpus.language
        speaker = str(row.get("speaker") or row.get("speaker_id") or "")
        path = corpus.place.parent / row["audio_filepath"]
        yield Recording(path, row["text"], language, speaker, row.get("licence", ""))


def people(corpus: Corpus) -> Iterator[Recording]:
    """A folder with ``manifest.tsv``, clips beside it or in the tar that their names begin with."""
    table = corpus.place / "manifest.tsv"
    if not table.exists():
        raise RecipeError(f"{table} is missing")
    for row in _table(table):
        language = row.get("language") or corpus.language
        yield Recording(corpus.place / row["file"], row["transcript"], language, row["speaker"], row["licence"])


READERS: dict[str, Callable[[Corpus], Iterator[Recording]]] = {
    "common-voice": common_voice,
    "openslr": openslr,
    "nemo": nemo,
    "people": people,
}


def _unpacked(recordings: list[Recording], folder: Path) -> list[Recording]:
    """The recordings, those that do not lie open taken out of the tars beside them, each tar once."""
    place = folder / "unpacked"
    closed = [recording.path for recording in recordings if not recording.path.exists()]
    missing = [path for path in closed if not (place / path.name).exists()]
    for tar in sorted({path.with_name(f"{path.stem.rpartition('_')[0]}.tar") for path in missing}):
        if tar.exists():
            require_space(folder)
            with tarfile.open(tar) as packed:
                packed.extractall(place, filter="data")
    elsewhere = set(closed)
    return [
        replace(recording, path=place / recording.path.name) if recording.path in elsewhere else recording
        for recording in recordings
    ]


def _row(task: tuple[Recording, Path]) -> dict[str, Any] | str:
    """Manifest row of one recording, or why it has none."""
    recording, folder = task
    try:
        text = written(recording.text, recording.language)
    except RecipeError as error:
        return str(error).splitlines()[0]
    if text is None:
        return f"{recording.language}: not to be written by sound"
    try:
        info = soundfile.info(recording.path)
    except (OSError, soundfile.LibsndfileError):
        return "the clip is missing or cannot be read"
    if not _SECONDS[0] <= info.duration <= _SECONDS[1]:
        return f"shorter than {_SECONDS[0]} or longer than {_SECONDS[1]} s"
    if len(text) > _LETTERS_A_SECOND * info.duration:
        return f"more than {_LETTERS_A_SECOND:.0f} letters a second"
    return {
        "audio_filepath": str(_at_16_khz(recording.path, info, folder)),
        "duration": round(info.duration, 3),
        "text": text,
        "speaker": recording.speaker,
        "language": recording.language,
        "licence": recording.licence,
    }


def _at_16_khz(path: Path, info: Any, folder: Path) -> Path:
    if info.samplerate == SAMPLE_RATE and info.channels == 1:
        return path.absolute()
    target = folder / "clips" / f"{path.stem}.flac"
    if not target.exists():
        require_space(folder)
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        with atomic_path(target) as temporary:
            soundfile.write(temporary, resample(samples.mean(axis=1), rate), SAMPLE_RATE)
    return target.absolute()


def gather(corpora: list[Corpus], folder: Path, without: list[str], jobs: int) -> Path:
    """Write ``FOLDER/manifest.jsonl`` of all corpora, without clips whose licence holds one of the words `without`."""
    folder.mkdir(parents=True, exist_ok=True)
    found = [recording for corpus in corpora for recording in READERS[corpus.kind](corpus)]
    kept = [recording for recording in found if not any(word in recording.licence for word in without)]
    rows = spread(_row, [(recording, folder) for recording in _unpacked(kept, folder)], jobs, folder.name)
    usable = [row for row in rows if isinstance(row, dict)]
    if not usable:
        raise RecipeError(f"{folder}: no clip of these corpora can be used")
    write_manifest(folder / "manifest.jsonl", usable)
    for reason, count in Counter(row for row in rows if isinstance(row, str)).most_common():
        print(f"left out: {count} clips, {reason}")
    speakers = {row["speaker"] for row in usable}
    hours = sum(row["duration"] for row in usable) / 3600
    print(f"{folder / 'manifest.jsonl'}: {len(usable)} clips, {hours:.2f} h, {len(speakers)} speakers")
    return folder / "manifest.jsonl"


def main() -> None:
    """Run the step from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=parse_corpus, action="append", required=True, metavar="NAME[@LANGUAGE]:PLACE")
    parser.add_argument("--without-licence", action="append", default=[], metavar="WORD", help="such as BY-SA")
    parser.add_argument("--out", type=Path, required=True)
    add_jobs(parser)
    options = parser.parse_args()
    gather(options.corpus, options.out, options.without_licence, options.jobs)


if __name__ == "__main__":
    command(main)
