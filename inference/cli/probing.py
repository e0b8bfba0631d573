"""`python -m inference probe FILE...`: say what files are, and what would happen to them."""

import argparse
import dataclasses
import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from inference.audio.probe import Probe, probe
from inference.cli.limits import BOUNDS, add_limits, limits_of
from inference.cli.sources import HELP, Search, Source
from inference.types import AudioLimits


def run(arguments: Sequence[str]) -> int:
    """Print what was found; return 0, or 1 where a file would be refused or cannot be read."""
    options = _parser().parse_intermixed_args(arguments)
    limits = limits_of(options)
    failed = False
    with Search(options.files) as search:
        for source in search.sources():
            found = _probed(source, limits)
            failed = failed or isinstance(found, str) or found.fate == "refused"
            print(_json(source.name, found) if options.json else _text(source.name, found), flush=True)
    return 1 if failed else 0


def _probed(source: Source, limits: AudioLimits) -> Probe | str:
    try:
        return source.fault or probe(source.path, limits)
    except OSError as error:
        return str(error)


def _json(name: str, found: Probe | str) -> str:
    row: dict[str, Any] = {"error": found} if isinstance(found, str) else dataclasses.asdict(found)
    return json.dumps({"file": name, **row}, ensure_ascii=False)


def _text(name: str, found: Probe | str) -> str:
    lines = [("unreadable", found)] if isinstance(found, str) else list(_lines(found))
    return "\n".join([name, *(f"  {label:12}{text}".rstrip() for label, text in lines)])


def _lines(found: Probe) -> Iterator[tuple[str, str]]:
    if found.container:
        joined = f", {found.pieces} recordings in a row" if found.pieces > 1 else ""
        yield "container", found.container + joined
    for each in found.formats:
        channels = {1: "mono", 2: "stereo"}.get(each.channels, f"{each.channels} channels")
        yield "codec", f"{each.codec}, {each.sample_rate} Hz, {channels}"
    if found.container:
        announced = "not announced" if found.announced is None else f"{_clock(found.announced)} announced"
        yield "duration", f"{_clock(found.counted)} counted, {announced}"
    if found.tags_before or found.tags_behind:
        yield "tags", f"{found.tags_before} bytes before the sound and {found.tags_behind} behind it are stepped over"
    for warning in found.warnings:
        yield "warning", warning
    yield found.fate, found.reason + f" ({found.error})" * bool(found.error)


def _clock(seconds: float) -> str:
    """`1:02:03.456`."""
    whole = timedelta(seconds=int(seconds))
    return f"{whole}.{int(seconds * 1000) % 1000:03}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m inference probe",
        description="Say what files are and what would happen to them, without listening to them.",
        epilog=BOUNDS,
    )
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help=HELP)
    add("--json", action="store_true", help="one JSON object a line")
    add_limits(parser)
    return parser
