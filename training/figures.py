"""Tables of error rates: overall and by group, intervals over clips or over speakers, clips without speech apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.scoring import ErrorRate, character_errors, normalise, score, word_errors

_RESAMPLES = 2_000
_FEWEST = 3
"""Speakers, for an interval over them to mean anything."""

Pair = tuple[str, str]
"""What was said, what was heard."""


def _shown(rate: ErrorRate) -> str:
    low, high = rate.interval
    return f"{rate.percent:.1f} [{low:.1f}, {high:.1f}]"


def over_speakers(pairs: Sequence[Pair], speakers: Sequence[str]) -> tuple[ErrorRate, ErrorRate]:
    """Character and word error rate with 95 % intervals that draw whole speakers, as another room of people would be.

    Clips of one person are alike, so an interval over clips is too narrow (Bisani & Ney, ICASSP 2004, section 3).
    """
    sums: dict[str, NDArray[np.int64]] = defaultdict(lambda: np.zeros((2, 2), np.int64))
    for (said, heard), speaker in zip(pairs, speakers, strict=True):
        texts = normalise(said), normalise(heard)
        sums[speaker] += np.array([character_errors(*texts), word_errors(*texts)])
    each = np.stack(list(sums.values()))  # speakers, characters or words, errors and length
    chosen = np.random.default_rng(1).integers(0, len(each), (_RESAMPLES, len(each)))
    drawn = each[chosen].sum(axis=1)
    rates = 100 * drawn[..., 0] / np.maximum(drawn[..., 1], 1)
    low, high = np.percentile(rates, (2.5, 97.5), axis=0)
    errors, length = each.sum(axis=0).T
    both = [ErrorRate(int(errors[kind]), int(length[kind]), (float(low[kind]), float(high[kind]))) for kind in range(2)]
    return both[0], both[1]


def _line(name: str, pairs: list[Pair], speakers: list[str]) -> str:
    if len(set(speakers)) >= _FEWEST:
        characters, words = over_speakers(pairs, speakers)
        return f"| {name} | {len(pairs)} | {_shown(characters)} | {_shown(words)} | {len(set(speakers))} speakers |"
    found = score([said for said, _ in pairs], [heard for _, heard in pairs])
    return f"| {name} | {len(pairs)} | {_shown(found.characters)} | {_shown(found.words)} | clips |"


def report(rows: list[dict[str, Any]], texts: list[str], by: str) -> str:
    """A Markdown table: overall, then by the manifest's column `by`; and how many clips without speech gave a text."""
    groups: dict[str, list[tuple[Pair, str]]] = defaultdict(list)
    spoken = [(row, text) for row, text in zip(rows, texts, strict=True) if row["text"]]
    for row, text in spoken:
        entry = ((row["text"], text), str(row.get("speaker", "")))
        groups["all"].append(entry)
        groups[str(row.get(by, "?"))].append(entry)
    lines = []
    if spoken:
        lines = [f"| {by} | clips | CER %, 95 % | WER %, 95 % | intervals over |", "|---|---|---|---|---|"]
        for name in ["all", *sorted(set(groups) - {"all"})]:
            pairs, speakers = zip(*groups[name], strict=True)
            lines.append(_line(name, list(pairs), list(speakers)))
    return "\n".join(lines + _wordless(rows, texts, by))


def _wordless(rows: list[dict[str, Any]], texts: list[str], by: str) -> list[str]:
    heard: dict[str, list[bool]] = defaultdict(list)
    for row, text in zip(rows, texts, strict=True):
        if not row["text"]:
            heard[str(row.get(by, "?"))].append(bool(text.strip()))
    if not heard:
        return []
    total = [gave for group in heard.values() for gave in group]
    each = ", ".join(f"{name} {sum(gave)} of {len(gave)}" for name, gave in sorted(heard.items()) if any(gave))
    return [f"without speech: {sum(total)} of {len(total)} clips give a text" + (f" ({each})" if each else "")]
