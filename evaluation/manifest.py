"""NeMo's manifests: JSON lines with `audio_filepath` and `text`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class InvalidManifest(Exception):
    """A manifest cannot be read; the message names the line that is wrong."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One line of a manifest."""

    audio: Path
    text: str
    test_set: str


def read_manifests(paths: Sequence[Path]) -> list[Clip]:
    """Read every line of every manifest.

    A relative `audio_filepath` starts at the manifest's folder. A clip belongs to the set that its line names
    in `set`; without it, to one named after the manifest (its folder, where it is called manifest.jsonl).
    Raises InvalidManifest with the line that is wrong.
    """
    clips = [clip for path in paths for clip in _read(path)]
    if not clips:
        raise InvalidManifest(f"{', '.join(map(str, paths))}: no clips")
    return clips


def _read(path: Path) -> list[Clip]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidManifest(f"{path} cannot be read: {error}") from error
    test_set = path.resolve().parent.name if path.stem == "manifest" else path.stem
    return [_parse(line, f"{path}:{number}", path.parent, test_set) for number, line in enumerate(lines, 1) if line]


def _parse(line: str, where: str, folder: Path, test_set: str) -> Clip:
    try:
        row = json.loads(line)
        clip = Clip(folder / row["audio_filepath"], row["text"], str(row.get("set", test_set)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidManifest(f"{where}: not a line of a NeMo manifest ({type(error).__name__}: {error})") from error
    if not isinstance(clip.text, str):
        raise InvalidManifest(f"{where}: 'text' is {clip.text!r}, no text")
    if row.get("offset"):
        raise InvalidManifest(f"{where}: 'offset' is not taken; cut the clip out first")
    if not clip.audio.is_file():
        raise InvalidManifest(f"{where}: {clip.audio} is not a file")
    return clip
