"""placeholder"""
from __future__ import annotations
from dataclasses import dataclass
from pathlib import Path
@dataclass(frozen=True)
class Sentence:
    name: str
    kind: str
    text: str
def read_sentences(path: Path) -> list[Sentence]:
    return [Sentence(*l.split("\t")) for l in path.read_text(encoding="utf-8").splitlines()]
