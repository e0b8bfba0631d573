"""The values that travel between the stages: frozen, typed, and free of behaviour."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Float32Array: TypeAlias = NDArray[np.float32]
Overlength: TypeAlias = Literal["clip", "reject"]
Resampler: TypeAlias = Literal["soxr", "resampy"]
WeightBits: TypeAlias = Literal[8, 7]
"""Of weights in int8 products, by what the processor can sum (`inference/machine.py`)."""


@dataclass(frozen=True, slots=True)
class Options:
    """How one piece of audio is to be treated."""

    overlength: Overlength = "clip"
    """What happens to audio longer than `limit_seconds`."""
    limit_seconds: float = 10.0
    """The longest stretch of audio that reaches the model, in seconds."""
    resampler: Resampler = "soxr"
    """The library that changes the sample rate."""


@dataclass(frozen=True, slots=True)
class Int8Plan:
    """Which products are computed in eight bits; by the kind of their modules (`prepared/rewriting/products.py`)."""

    once: tuple[str, ...] = ()
    """Activations rounded to eight bits."""
    twice: tuple[str, ...] = ()
    """Activations rounded, and what that left over rounded in turn: nearer to fp32, and slower."""
    ranges: tuple[float, float] = (0.0, 0.0)
    """The usual largest outputs of the two subsampling convolutions."""
    weight_bits: WeightBits = 8
    """For processors that want so many; the gate judged the plan with as many."""
    groups: int = 1
    """Into so many groups the inputs of `linear2` are divided, each rounded with a scale of its own."""

    @property
    def precision(self) -> str:
        """A name for what is computed: `int8`, or `int8-w7` with weights of seven bits."""
        return "int8" if self.weight_bits == 8 else f"int8-w{self.weight_bits}"


@dataclass(frozen=True, slots=True)
class CharacterModel:
    """An n-gram model over characters as an automaton of `states`, the first of which is the empty context.

    Every n-gram is an arc and a state of the same number; those behind one context stand together, in the order of
    their contexts.
    """

    characters: str
    """The alphabet; the first begins a sentence, the second ends one, and `▁` begins a word."""
    symbols: NDArray[np.uint8]
    """`[states]`: the last character of each n-gram, as an index into `characters`."""
    scores: Float32Array
    """`[states]`: its natural log-probability behind the others."""
    backoffs: Float32Array
    """`[states]`: natural logarithm of what is left for characters never seen behind this n-gram."""
    shorter: NDArray[np.int32]
    """`[states]`: the state of the longest shorter context, to go on from there."""
    targets: NDArray[np.int32]
    """`[states]`: the state behind this arc, a shorter one where nothing was seen behind the whole."""
    first_arcs: NDArray[np.int32]
    """`[states + 1]`: where the arcs of a state begin, and with the next state's those end."""


@dataclass(frozen=True, slots=True)
class Waveform:
    """Sound as the model wants it."""

    samples: Float32Array
    """`[samples]` float32, mono, nominally within [-1, 1]."""
    sample_rate: int
    """Hz."""


@dataclass(frozen=True, slots=True)
class DecodedAudio:
    """What came out of a container."""

    waveform: Waveform
    """The part that will be transcribed."""
    duration: float
    """Seconds of audio that the container held, counted while decoding, never read off a header."""
    clipped: bool
    """Whether `waveform` is shorter than `duration`."""


@dataclass(frozen=True, slots=True)
class StageTimings:
    """Seconds spent in each stage, measured where the work was done."""

    decode: float
    """Container to 16 kHz mono, resampling included."""
    features: float
    """Waveform to log-mel."""
    inference: float
    """Log-mel to log-probabilities: ONNX Runtime."""
    decoding: float
    """Log-probabilities to text: CTC and vocabulary."""

    @property
    def total(self) -> float:
        """Seconds in all four stages."""
        return self.decode + self.features + self.inference + self.decoding


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said, and what it took to find out."""

    text: str
    language: str
    """BCP 47 tag of the package, such as `hi`."""
    model: str
    """Name of the package."""
    duration: float
    """Seconds of audio received."""
    clipped: bool
    """Whether only the beginning was transcribed."""
    timings: StageTimings
