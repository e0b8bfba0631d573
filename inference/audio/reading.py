"""A file from its first block to its last, or as far as is wanted: the way of clips and of recordings."""

import time
from collections.abc import Callable, Iterator
from mmap import mmap

from inference.audio.blocks import Block, Blocks
from inference.audio.pieces import Piece, pieces_of
from inference.audio.source import forget
from inference.errors import AudioOutOfLimits, AudioTooCostly, AudioTooShort, UndecodableAudio
from inference.types import AudioLimits

_SHORTEST_SECONDS = 0.1
PROCESSOR_SHARE = 0.1
"""Processor seconds that a second of audio may take beside `decode_seconds`; usual codecs take a hundredth."""
_ROUNDING = 1e-6  # of seconds that are added up, by far


class Reading:
    """Blocks of a file, none behind `most` seconds; iterate once.

    Raises any InputError: what is read is what a stranger sent.
    """

    def __init__(
        self, data: bytes | mmap, limits: AudioLimits, most: float, checkpoint: Callable[[], None] = lambda: None
    ) -> None:
        """Look what there is. `checkpoint` is called at every block and more often, and may raise to stop."""
        self._data = data
        self._limits = limits
        self._most = most
        self._checkpoint = checkpoint
        self._allowed = limits.decode_seconds
        self._began = time.thread_time()
        self.seconds = 0.0
        """Of audio that came up to now."""
        self.full = False
        """Whether more came than is wanted."""
        self.warnings: tuple[str, ...] = ()
        """What a user should know, once all is read."""
        self.pieces = pieces_of(data, self._go_on)
        self.duration = sum(piece.stated for piece in self.pieces)
        """Seconds of the whole: at first by the file's own words, 0 where it has none; once all is read, counted."""

    def __iter__(self) -> Iterator[Block]:
        """All blocks; raises AudioTooShort at the end of what is too short."""
        for place, piece in enumerate(self.pieces):
            before = self.seconds
            with piece.blocks(self._data, self._go_on) as blocks:
                yield from self._counted(blocks)
                self.warnings += piece.warnings
                if self.full:
                    behind = sum(each.stated for each in self.pieces[place + 1 :])
                    self.duration = max(self.seconds, before + (piece.stated or blocks.announced)) + behind
                    return
                self._check_end(piece, blocks, self.seconds - before)
        self.duration = self.seconds
        if self.seconds < _SHORTEST_SECONDS:
            raise AudioTooShort(f"{self.seconds:.3f} s of audio; {_SHORTEST_SECONDS} s is the least")
        self._go_on()

    def _counted(self, blocks: Blocks) -> Iterator[Block]:
        began, rate, frames = self.seconds, 0, 0
        self._go_on()
        for block in blocks:
            self._check_format(block)
            if block.sample_rate != rate:
                began, rate, frames = self.seconds, block.sample_rate, 0
            wanted = round((self._most - began) * rate) - frames
            frames += len(block.samples)
            self.seconds = began + frames / rate
            self.full = len(block.samples) > wanted
            self._allowed = self._limits.decode_seconds + PROCESSOR_SHARE * self.seconds
            if wanted > 0 and len(block.samples):
                elsewhere = time.thread_time()
                yield Block(block.samples[:wanted], rate)
                self._began += time.thread_time() - elsewhere
            if self.full:
                return
            self._go_on()

    def _check_format(self, block: Block) -> None:
        lowest, highest = self._limits.sample_rates
        if not lowest <= block.sample_rate <= highest:
            raise AudioOutOfLimits(f"sample rate {block.sample_rate} Hz; {lowest} to {highest} Hz are taken")
        if block.samples.shape[1] > self._limits.channels:
            raise AudioOutOfLimits(f"{block.samples.shape[1]} channels; up to {self._limits.channels} are taken")

    def _check_end(self, piece: Piece, blocks: Blocks, counted: float) -> None:
        if counted < blocks.shortest - _ROUNDING:
            raise UndecodableAudio(
                f"{piece.container.name}: {blocks.announced:.3f} s are announced, {counted:.3f} could be decoded"
            )
        self.warnings += tuple(blocks.warnings) + piece.check_end(self._data, counted, self._go_on)

    def _go_on(self) -> None:
        """End what takes too much of a processor; by its time, so that a busy machine ends nothing."""
        forget(self._data)
        self._checkpoint()
        if time.thread_time() - self._began > self._allowed:
            raise AudioTooCostly(f"decoding takes more than {self._allowed:.3g} s of processor time")
