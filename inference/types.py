"""The values that travel between the stages: frozen, typed, and free of behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Float32Array: TypeAlias = NDArray[np.float32]
Overlength: TypeAlias = Literal["window", "clip", "reject"]
Channels: TypeAlias = Literal["mix", "separate"] | tuple[int, ...]
"""All as one, each apart, or those of these numbers apart, counted from 0."""
Resampler: TypeAlias = Literal["soxr", "resampy"]
Decoding: TypeAlias = Literal["auto", "greedy", "beam"]
Numerals: TypeAlias = Literal["words", "ascii", "devanagari"]
"""How numbers are written: as they were said, `725`, `७२५`."""
Punctuate: TypeAlias = Literal["none", "pauses"]
"""Whether a danda is set where a pause says that a sentence has ended."""
WeightBits: TypeAlias = Literal[8, 7]
"""Of weights in int8 products, by what the processor can sum (`inference/machine.py`)."""


@dataclass(frozen=True, slots=True)
class AudioLimits:
    """What an operator allows; part of a lane's set-up."""

    overlength: Overlength = "window"
    """`window`: what is longer than `window_seconds` is heard in windows; `clip`, `reject`: than `limit_seconds`."""
    limit_seconds: float = 10.0
    """Where audio is clipped, or what is the most that is not rejected, in seconds."""
    resampler: Resampler = "soxr"
    """The library that changes the sample rate."""
    sample_rates: tuple[int, int] = (8_000, 96_000)
    """Lowest and highest, in Hz."""
    channels: int = 32
    """Most of them."""
    decode_seconds: float = 4.0
    """Processor time that decoding may take, beside a tenth of the audio's own length as far as it was decoded."""
    window_seconds: float = 15.0
    """The longest stretch of a recording that reaches the model at once, in seconds."""
    longest_seconds: float = 14_400.0
    """The longest recording, in seconds."""
    detect_speech: bool = True
    """Whether what nobody speaks in is left out; otherwise the model hears everything."""


@dataclass(frozen=True, slots=True)
class Options:
    """What one request asks for."""

    model: str = ""
    """Name of a package; empty for the default one."""
    decoding: Decoding = "auto"
    """`auto` takes the language model where the package has one."""
    words: bool = False
    """Whether it is wanted when each word was said."""
    channels: Channels = "mix"
    """Which are heard as one, or each apart with a transcript of its own."""


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
class ConfidenceCurve:
    """Score of a word → how many of a hundred such words are right: points, and straight lines between them."""

    scores: tuple[float, ...]
    """Increasing, from 0 to 1 (`inference/decoding/confidence.py`)."""
    right: tuple[float, ...]
    """Shares from 0 to 1, which never decrease."""

    def __post_init__(self) -> None:
        """Raise ValueError where it is no such curve."""
        inside = all(0 <= value <= 1 for value in self.scores + self.right)
        increasing = all(first < second for first, second in pairwise(self.scores))
        monotone = all(first <= second for first, second in pairwise(self.right))
        if not (inside and increasing and monotone and 0 < len(self.scores) == len(self.right)):
            raise ValueError("scores must increase, right must not decrease, both within 0 and 1 and of one length")


@dataclass(frozen=True, slots=True)
class NgramModel:
    """An n-gram model over characters, or words, as an automaton of `states`, the first of which is the empty context.

    Every n-gram is an arc and a state of the same number; those behind one context stand together, in the order of
    their contexts.
    """

    alphabet: str
    """Characters, of which `▁` begins a word, or words with spaces between; of either, the first begins a sentence and
    the second ends one."""
    symbols: NDArray[np.unsignedinteger[Any]]
    """`[states]`: the last one of each n-gram, as an index into the alphabet; those behind one context increase."""
    scores: Float32Array
    """`[states]`: its natural log-probability behind the others."""
    backoffs: Float32Array
    """`[states]`: natural logarithm of what is left for what was never seen behind this n-gram."""
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

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.samples.size / self.sample_rate


FRAMES_A_SECOND = 100
"""Of features: all models have them 10 ms apart."""


@dataclass(frozen=True, slots=True)
class Features:
    """Sound as a model's front end makes it."""

    log_mel: Float32Array
    """`[mel_bins, frames]` float32."""
    power: Float32Array
    """`[frames]` float32, or one fewer: mean squares of the samples between one frame and the next."""

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.power.size / FRAMES_A_SECOND


@dataclass(frozen=True, slots=True)
class DecodedAudio:
    """What came out of a container."""

    waveform: Waveform
    """The part that will be transcribed."""
    duration: float
    """Seconds of audio in the container: counted, or as its header says where only the beginning was decoded."""
    clipped: bool
    """Whether there is more than `waveform`."""
    warnings: tuple[str, ...] = ()
    """What a user should know about the file, as sentences."""


STAGES: Mapping[str, str] = {
    "queue": "Wait for a lane.",
    "decode": "Container to 16 kHz mono, resampling included; for a recording also what the two next stages are.",
    "features": "Waveform to log-mel.",
    "speech": "Where somebody speaks: only that is heard by the model, and where nobody does it is not run.",
    "inference": "Log-mel of the speech to log-probabilities: ONNX Runtime.",
    "decoding": "Log-probabilities to text, and to times and confidences of words where they are wanted.",
}
"""Every stage of a request in its order, and what it is. The first is the server's, the others a lane's."""


@dataclass(frozen=True, slots=True)
class StageTime:
    """One stage of one request, measured where the work was done."""

    stage: str
    """One of `STAGES`."""
    began: float
    """`time.monotonic()` of the machine."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Token:
    """What the model said, a step or a few of it."""

    id: int
    """In the package's vocabulary."""
    text: str
    """Its letters; a word is those of its tokens."""
    log_probability: float
    """Natural logarithm, at its likeliest step."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word and when it was said."""

    text: str
    start: float
    """Seconds from the beginning of the audio."""
    end: float
    confidence: float = 0.0
    """How likely it is right, from 0 to 1; what that was learnt from stands in the package (`Package.confidence`)."""
    tokens: tuple[Token, ...] = ()
    """By which the model said it, in their order; none where the text could not be aligned."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the audio in which somebody speaks."""

    start: float
    """Seconds from the beginning of the audio."""
    end: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech."""

    text: str
    start: float
    """Seconds from the beginning of the audio."""
    end: float
    words: tuple[Word, ...] = ()
    """Those of `text`, where they were asked for (`Options.words`)."""
    channel: int | None = None
    """Of which channel, counted from 0, where they were transcribed apart."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said, what was left out and why, and what it took to find out."""

    segments: tuple[Segment, ...]
    language: str
    """BCP 47 tag of the package, such as `hi`."""
    model: str
    """Name of the package."""
    duration: float
    """Seconds of audio received."""
    heard: float
    """Seconds of it that the segments cover; less than `duration` where only the beginning was transcribed."""
    clipped: bool
    """Whether only the beginning was transcribed."""
    stages: tuple[StageTime, ...]
    """In their order."""
    warnings: tuple[str, ...] = ()
    """What a user should know about the audio, as sentences."""

    @property
    def text(self) -> str:
        """All that was said."""
        return " ".join(segment.text for segment in self.segments if segment.text)

    def seconds(self, stage: str) -> float:
        """Seconds in one stage."""
        return sum(time.seconds for time in self.stages if time.stage == stage)

    @property
    def lane_seconds(self) -> float:
        """Seconds in the stages of a lane."""
        return sum(time.seconds for time in self.stages if time.stage != "queue")
