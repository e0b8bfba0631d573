"""Fields of a form and parameters of a query, as clients write them → `Parameters`, for every API."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, TypeAlias, cast

from inference.text.writing import written
from inference.types import Channels, Decoding, Numerals, Options, Punctuate, Segment, Transcript
from server.errors import InvalidParameter

Format: TypeAlias = Literal["json", "text", "srt", "vtt", "verbose_json", "tsv"]

_SHOWN = 60  # characters of a wrong value
_LONGEST = 1000  # characters of a value with a pattern, since expressions may take the square of it


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter as an API has it: what it means, and what may be written."""

    meaning: str
    values: tuple[str, ...] = ()
    """All that are taken; the first is the default where there is one."""
    pattern: str = ""
    """Of what is taken, where that cannot be listed."""
    taken: str = ""
    """The same for people."""
    default: str = ""
    several: bool = False
    """Whether it may be given more than once, with other values."""

    @property
    def schema(self) -> dict[str, Any]:
        """For OpenAPI."""
        # What is empty was not given.
        kinds = (
            {"enum": [*self.values, ""]} if self.values else {"pattern": f"^({self.pattern})?$"} if self.pattern else {}
        )
        return {"type": "string", **kinds, **({"default": self.default} if self.default else {})}

    def takes(self, value: str) -> bool:
        """Whether it may be written so."""
        if self.values:
            return value in self.values
        return not self.pattern or (len(value) <= _LONGEST and re.fullmatch(self.pattern, value, re.ASCII) is not None)


PARAMETERS: Mapping[str, Field] = {
    "model": Field("One that `GET /v1/models` lists; `ASR_MODEL` where none is named."),
    "language": Field(
        "What is spoken, such as `hi` or `hi-IN`; 400 where the model hears another language.",
        pattern=r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*",
        taken="a BCP 47 tag such as hi",
    ),
    "decoding": Field(
        "`auto` takes the language model where the package has one.", ("auto", "greedy", "beam"), default="auto"
    ),
    "channels": Field(
        "`mix`: all as one; `separate`: each apart, its segments with its number; or the numbers, from 0, of those to "
        "hear apart, such as `0,1`.",
        pattern=r"(mix|separate|\d{1,2}(,\d{1,2}){0,31})",
        taken="mix, separate, or numbers of channels such as 0,1",
        default="mix",
    ),
    "format": Field(
        "JSON, plain text, subtitles (SubRip or WebVTT), JSON with the words of each segment, or a line for each "
        "segment with its times in milliseconds.",
        ("json", "text", "srt", "vtt", "verbose_json", "tsv"),
        default="json",
    ),
    "words": Field(
        "Whether the JSON says when each word was said, and how sure it is; `true` for `verbose_json` where not said "
        "otherwise.",
        ("false", "true"),
        default="false",
    ),
    "numerals": Field(
        "Numbers as they were said, or in digits: `725`, `७२५` ([text.md](text.md)).",
        ("words", "ascii", "devanagari"),
        default="words",
    ),
    "punctuate": Field(
        "`pauses`: a danda where a pause says that a sentence has ended.", ("none", "pauses"), default="none"
    ),
}
"""Those of the server's own API."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Those of one request, whichever API it came by."""

    options: Options
    """What lanes are told."""
    format: Format = "json"
    words: bool = False
    """Whether the answer says when each word was said."""
    numerals: Numerals = "words"
    punctuate: Punctuate = "none"
    languages: tuple[str, ...] = ()
    """BCP 47 tags of what may be spoken; none for what the model hears."""
    languages_field: str = "language"
    """Name of the field that has them."""
    logprobs: bool = False
    """Whether it says how likely each token is."""

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Self:
        """Understand values that `PARAMETERS` takes; raise InvalidParameter for those that exclude each other."""
        form = cast("Format", given.get("format", "json"))
        as_json = form in ("json", "verbose_json")
        words = given.get("words", "true" if form == "verbose_json" else "false") == "true"
        if words and not as_json:
            raise InvalidParameter(f"words: format={form} has no place for them; json and verbose_json have", "words")
        punctuate = cast("Punctuate", given.get("punctuate", "none"))
        return cls(
            Options(
                given.get("model", ""),
                cast("Decoding", given.get("decoding", "auto")),
                words=words or form in ("srt", "vtt") or punctuate == "pauses",
                channels=_channels(given.get("channels", "mix")),
            ),
            form,
            words,
            cast("Numerals", given.get("numerals", "words")),
            punctuate,
            tuple(given[name] for name in ("language",) if name in given),
        )

    def written(self, transcript: Transcript) -> Transcript:
        """Return a transcript with numbers and dandas as they are asked for."""
        if self.numerals == "words" and self.punctuate == "none":
            return transcript
        return replace(transcript, segments=tuple(map(self.written_segment, transcript.segments)))

    def written_segment(self, segment: Segment) -> Segment:
        """Return a segment of it likewise."""
        return written(segment, self.numerals, self.punctuate)


def read(fields: Mapping[str, Field], sent: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Return the values of each field that was given; what is empty was not.

    A field called `name[]` may be written without brackets. Raises InvalidParameter for a name that is no field, a
    value that is not taken, and two values of a field that has one.
    """
    found: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
    for written_name, value in sent:
        name = written_name if written_name in fields else f"{written_name}[]"
        field = fields.get(name)
        if field is None:
            there_are = ", ".join(("file", *fields))
            raise InvalidParameter(
                f"{written_name[:_SHOWN]}: there is no such field; there are {there_are}", written_name
            )
        if not value or value in found[name]:
            continue
        if not field.takes(value):
            taken = field.taken or ", ".join(field.values)
            raise InvalidParameter(f"{name}: {value[:_SHOWN]!r} is not taken; what is: {taken}", name)
        if found[name] and not field.several:
            raise InvalidParameter(f"{name}: given twice, as {found[name][0][:_SHOWN]!r} and {value[:_SHOWN]!r}", name)
        found[name] += (value,)
    return {name: values for name, values in found.items() if values}


def _channels(given: str) -> Channels:
    match given:
        case "mix" | "separate":
            return given
        case numbers:
            return tuple(dict.fromkeys(map(int, numbers.split(","))))
