"""The one signature of all decoders: a file in, blocks of samples out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from inference.types import Float32Array

BLOCK_SECONDS = 1.0
"""About so much is decoded between two looks whether to go on."""


_MOST_FRAMES, _MOST_SAMPLES = 1 << 18, 1 << 22


def block_frames(sample_rate: int, channels: int) -> int:
    """Frames of a block: a second's; fewer where a file claims a rate or channels of which a second would fill memory.

    What is taken, 96 kHz and 32 channels, is within that. What is not is refused at the first block.
    """
    return max(1, min(round(BLOCK_SECONDS * sample_rate), _MOST_FRAMES, _MOST_SAMPLES // max(1, channels)))


@dataclass(frozen=True, slots=True)
class Block:
    """Samples in a row; the next block may have another format."""

    samples: Float32Array
    """`[frames, channels]`, nominally within [-1, 1]."""
    sample_rate: int
    """Hz."""


class Blocks(Protocol):
    """A file while it is being decoded; a context, for each decoder opens something.

    Raises UndecodableAudio or UnsupportedCodec on entering and while iterating.
    """

    codec: str
    """How the samples are written, in words."""
    announced: float
    """Seconds that are to come, as the file says; 0 where it does not."""
    shortest: float
    """Seconds without which something is missing; 0 where that cannot be told."""
    warnings: list[str]
    """What a user should know, once all blocks are read."""

    def __iter__(self) -> Iterator[Block]:
        """All blocks in their order."""
        ...
