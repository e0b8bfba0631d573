"""Token ids → text, equal to NeMo's `tokenizer.ids_to_text`, without SentencePiece at run time."""

from collections.abc import Iterable
from pathlib import Path

from inference.errors import PackageError

WORD_START = "▁"
"""U+2581, SentencePiece's mark for a space."""
UNKNOWN_SURFACE = " ⁇ "
"""What SentencePiece prints for a piece that it has no text for."""
_UNKNOWN = "<unk>"
_BLANK = "<blk>"


class Vocabulary:
    """The pieces of a SentencePiece model in the order of their ids, then the blank."""

    def __init__(self, pieces: tuple[str, ...]) -> None:
        self.pieces = pieces
        self.surfaces = tuple(UNKNOWN_SURFACE if piece == _UNKNOWN else piece for piece in pieces)

    @property
    def blank(self) -> int:
        """The id that CTC reserves for "nothing new": NeMo puts it last."""
        return len(self.pieces)

    def text(self, ids: Iterable[int]) -> str:
        """Join the pieces; the marks that begin words become spaces, those that begin the text vanish.

        A SentencePiece model trained with `remove_extra_whitespaces=false` would keep all but one of the latter.
        """
        return self.plain("".join(self.surfaces[token] for token in ids))

    def plain(self, joined: str) -> str:
        """Turn joined surfaces into text."""
        return joined.lstrip(WORD_START).replace(WORD_START, " ")


def load_vocabulary(path: Path) -> Vocabulary:
    """Read `vocab.txt`: one `piece id` a line, `<blk>` last, as sherpa-onnx and onnx-asr read it.

    Raises PackageError where ids are not 0, 1, 2, … or the blank is not the last.
    """
    rows = [line.rsplit(" ", 1) for line in path.read_text(encoding="utf-8").splitlines()]
    if [row[-1] for row in rows] != [str(index) for index in range(len(rows))]:
        raise PackageError(f"{path}: every line must be 'piece id', with ids counting up from 0")
    pieces = tuple(row[0] for row in rows)
    if not pieces or pieces[-1] != _BLANK:
        raise PackageError(f"{path}: the last line must be '{_BLANK} {len(rows) - 1}'")
    return Vocabulary(pieces[:-1])
