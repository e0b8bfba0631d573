"""`python -m server.keys create|list|revoke|rotate`: who may call. Servers that run take notice within a second."""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from config.settings import InvalidSettings, read_settings
from server.authentication.key_file import InvalidKeys, changed, read_keys, write_keys
from server.authentication.key_text import KeyText
from server.authentication.keys import Key, Keys
from server.principal import Limits, Scope

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; 1 where that fails, with a line that says why."""
    given = _parser().parse_args(arguments)
    try:
        given.run(given.file or read_settings().keys_file, given)
    except (InvalidKeys, InvalidSettings, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _create(path: Path, given: argparse.Namespace) -> None:
    text, now = KeyText.new(), _now()
    key = Key(
        name=given.name,
        sha256=text.digest,
        created=now,
        expires=now + given.expires if given.expires else None,
        scopes=given.scopes,
        weight=given.weight,
        limits=Limits(
            requests_per_minute=given.rate,
            audio_seconds_per_minute=given.audio_seconds_per_minute,
            audio_seconds_per_day=given.audio_minutes_per_day and 60 * given.audio_minutes_per_day,
            concurrent_requests=given.concurrent,
            concurrent_streams=given.streams,
        ),
        origins=given.origins,
    )
    if given.print:
        print(text, write_keys({text.public_id: key}).decode(), sep="\n", end="")
        return
    with changed(path) as keys:
        keys[text.public_id] = key
    print(text)
    print(f"It is shown this once; {path} has its digest, under the id {text.public_id}.", file=sys.stderr)


def _list(path: Path, _given: argparse.Namespace) -> None:
    keys = read_keys(path.read_bytes()) if path.exists() else {}
    rows: list[tuple[str, ...]] = [("ID", "NAME", "SCOPES", "WEIGHT", "LIMITS", "ORIGINS", "EXPIRES")]
    rows += [(public_id, *_row(key)) for public_id, key in sorted(keys.items(), key=lambda item: item[1].created)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _row(key: Key) -> tuple[str, ...]:
    limits = {name: getattr(key.limits, name) for name in key.limits.__slots__}
    shown = ", ".join(f"{name}={value:g}" for name, value in limits.items() if value is not None)
    expires = f"{key.expires:%Y-%m-%d %H:%M}Z" if key.expires else "never"
    if key.expires and key.expires <= _now():
        expires += " (expired)"
    if key.former and key.former.until > _now():
        expires += f", the former secret {key.former.until:%Y-%m-%d %H:%M}Z"
    scopes = ",".join(sorted(key.scopes)) or "none"
    return key.name, scopes, f"{key.weight:g}", shown or "none", ",".join(sorted(key.origins)) or "any", expires


def _revoke(path: Path, given: argparse.Namespace) -> None:
    with changed(path) as keys:
        del keys[_known(given.id, keys)]


def _rotate(path: Path, given: argparse.Namespace) -> None:
    text, until = KeyText.new(given.id), _now() + given.overlap
    with changed(path) as keys:
        keys[given.id] = keys[_known(given.id, keys)].rotated(text.digest, until)
    print(text)
    print(f"Its former secret is valid until {until:%Y-%m-%d %H:%M}Z.", file=sys.stderr)


def _known(public_id: str, keys: Keys) -> str:
    if public_id not in keys:
        raise InvalidKeys(f"there is no key {public_id!r}; `list` shows which there are")
    return public_id


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _duration(text: str) -> timedelta:
    if match := re.fullmatch(r"(\d{1,4})([mhd])", text):
        return int(match[1]) * _UNITS[match[2]]
    raise argparse.ArgumentTypeError("a number of minutes, hours or days: 30m, 12h, 90d")


def _rate(text: str) -> int:
    if match := re.fullmatch(r"([1-9]\d{0,6})/minute", text):
        return int(match[1])
    raise argparse.ArgumentTypeError("a number of requests: 120/minute")


def _positive(text: str) -> float:
    if not 0 < float(text) < 1e9:
        raise ValueError
    return float(text)


def _count(text: str) -> int:
    if int(text) < 1:
        raise ValueError
    return int(text)


def _scopes(text: str) -> frozenset[Scope]:
    try:
        return frozenset(map(Scope, text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"some of {','.join(Scope)}") from None


def _origins(text: str) -> frozenset[str]:
    origins = frozenset(text.split(","))
    if not all(re.fullmatch(r"https?://[a-z0-9.:\[\]-]+", origin) for origin in origins):
        raise argparse.ArgumentTypeError("as browsers name them, in small letters: https://example.org")
    return origins


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m server.keys", description=__doc__)
    parser.add_argument("--file", type=Path, help="where the keys are; ASR_KEYS_FILE where it is not given")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[Path, argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    create = command("create", _create, "make a key, and print it this once")
    option = create.add_argument
    option("--name", required=True, help="what logs call whoever has it")
    option("--scopes", type=_scopes, default="transcribe", help=f"some of {','.join(Scope)}; transcribe by default")
    option("--weight", type=_positive, default=1.0, help="its share of the machine, relative to others'")
    option("--rate", type=_rate, help="requests, as 120/minute")
    option("--audio-seconds-per-minute", type=_positive)
    option("--audio-minutes-per-day", type=_positive)
    option("--concurrent", type=_count, help="requests at a time")
    option(
        "--streams",
        type=_count,
        help="live streams at a time, once there are any; an answer that is streamed is a request",
    )
    option("--expires", type=_duration, help="after 30m, 12h, 90d; never by default")
    option("--origins", type=_origins, default=frozenset(), help="pages that alone may use it: https://example.org")
    option("--print", action="store_true", help="print what ASR_KEYS takes, and write no file")
    command("list", _list, "show what is kept of each key")
    command("revoke", _revoke, "take a key back").add_argument("id")
    rotate = command("rotate", _rotate, "give a key a new secret, and print it this once")
    rotate.add_argument("id")
    rotate.add_argument("--overlap", type=_duration, default="1d", help="how long the former one stays valid; 1d")
    return parser


if __name__ == "__main__":
    sys.exit(main())
