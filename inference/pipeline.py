"""The whole story: audio → Transcript, stage by stage."""

import dataclasses
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path

from inference.audio.decode import decode
from inference.audio.recording import End, read_windows
from inference.audio.resampling import at_rate
from inference.audio.speech import FRAME_SECONDS, spans
from inference.audio.speech_network import hears_features, probabilities, probabilities_of_features
from inference.decoding.decoder import Decoders
from inference.errors import LongerThanWindow
from inference.features import Featurizer
from inference.joining import Joiner
from inference.package import Package
from inference.prepared.cache import reading
from inference.recogniser import OnnxRecogniser, Recogniser, SessionOptions
from inference.stage_clock import Checkpoint, StageClock
from inference.types import (
    FRAMES_A_SECOND,
    AudioLimits,
    Features,
    Options,
    Segment,
    Span,
    Transcript,
    Waveform,
)

_AROUND = 1.0
"""Seconds before and behind what is speech for certain that a model hears too: of silence next to speech it makes
nothing, and its first and last words come out better (`docs/models.md`, "Silence")."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What lies ready on this machine, for all processes to map."""

    graph: Path
    """The package's own, made ready: it takes that one's place."""
    cache: Path
    """Directory for what else is made once."""
    precision: str
    """`fp32`, `int8` or `int8-w7` (weights of seven bits), as it is computed."""


class Pipeline:
    """One model, loaded and ready. Not for several threads at once."""

    def __init__(
        self,
        package: Package,
        session_options: SessionOptions | None = None,
        precision: str = "fp32",
        prepared: Prepared | None = None,
        warnings: tuple[str, ...] = (),
    ) -> None:
        """Load the files of the package; raise PackageError where one is unusable, OSError where the cache is."""
        self.package = package
        self.precision = prepared.precision if prepared else precision
        """As it is computed."""
        self.prepared = prepared is not None
        """Whether the graph prepared for this machine is in use, whose weights all processes share."""
        self.warnings = warnings
        """Why it is not what was asked for, as sentences."""
        self.on_window: Callable[[float], None] = lambda _: None
        """Told after each window of a recording up to which second it was heard."""
        self._featurizer = Featurizer(package.features)
        graph = prepared.graph if prepared else package.model_path(precision)
        with reading(graph.parent) if prepared else nullcontext():
            self._recogniser: Recogniser = OnnxRecogniser(graph, session_options or SessionOptions())
        self._decoders = Decoders(package, prepared.cache if prepared else None)

    def transcribe(
        self,
        audio: bytes | str | Path,
        limits: AudioLimits | None = None,
        options: Options | None = None,
        checkpoint: Checkpoint = lambda: None,
    ) -> Transcript:
        """Transcribe one file of audio, given by its bytes or its name; one longer than a window in its windows.

        `checkpoint` is called before every stage and while audio is decoded, and may raise WorkInterrupted.
        Raises InputError where the audio or an option is at fault, OSError where the file cannot be read.
        """
        try:
            return self.transcribe_clip(audio, limits, options, checkpoint)
        except LongerThanWindow:
            return self._transcribe_recording(audio, limits or AudioLimits(), options or Options(), checkpoint)

    def transcribe_clip(
        self,
        audio: bytes | mmap | str | Path,
        limits: AudioLimits | None = None,
        options: Options | None = None,
        checkpoint: Checkpoint = lambda: None,
    ) -> Transcript:
        """Transcribe as above what is heard at once; raise LongerThanWindow for a recording, and channels apart."""
        if options and options.channels != "mix":
            raise LongerThanWindow("channels apart are heard as those of recordings are")
        clock, limits = StageClock(checkpoint), self._at_once(limits or AudioLimits())
        source = Path(audio) if isinstance(audio, str) else audio
        with clock("decode"):
            decoded = decode(source, limits, self.package.features.sample_rate, checkpoint)
        options = options or Options()
        transcript = self._recognise(decoded.waveform, options, clock, detect_speech=limits.detect_speech)
        return dataclasses.replace(
            transcript, duration=decoded.duration, clipped=decoded.clipped, warnings=decoded.warnings
        )

    def recognise(
        self,
        waveform: Waveform,
        options: Options | None = None,
        checkpoint: Checkpoint = lambda: None,
        *,
        detect_speech: bool = True,
    ) -> Transcript:
        """Transcribe samples, at most the package's `longest_seconds` of them; `checkpoint` as above.

        Whoever knows that somebody speaks there need not have it detected: the segment then begins with its first
        word and ends with its last.
        """
        return self._recognise(waveform, options or Options(), StageClock(checkpoint), detect_speech=detect_speech)

    def recognise_features(
        self, features: Features, options: Options | None = None, checkpoint: Checkpoint = lambda: None
    ) -> Transcript:
        """Transcribe features as the model wants them, those of a window; `checkpoint` as above."""
        return self._recognise_features(features, options or Options(), StageClock(checkpoint))

    def _at_once(self, limits: AudioLimits) -> AudioLimits:
        """What the model takes; a longer limit is one for recordings, whose way ends, or refuses, there."""
        longest = self.package.longest_seconds
        if limits.overlength != "window" and limits.limit_seconds > longest:
            return dataclasses.replace(limits, overlength="window", window_seconds=longest)
        return dataclasses.replace(limits, window_seconds=min(limits.window_seconds, longest))

    def _transcribe_recording(
        self, audio: bytes | str | Path, limits: AudioLimits, options: Options, checkpoint: Checkpoint
    ) -> Transcript:
        clock = StageClock(checkpoint)
        source = audio if isinstance(audio, bytes) else Path(audio)
        limits = dataclasses.replace(limits, window_seconds=min(limits.window_seconds, self.package.longest_seconds))
        joiners: defaultdict[int | None, Joiner] = defaultdict(lambda: Joiner(words=options.words))
        segments: list[Segment] = []
        heard = 0.0
        with closing(read_windows(source, limits, options, checkpoint, self.package.features)) as items:
            while True:
                with clock("decode"):
                    item = next(items)
                if isinstance(item, End):
                    break
                asked = dataclasses.replace(options, words=options.words or item.shared)
                there = self._recognise_features(item.features, asked, clock)
                segments += joiners[item.channel].add(item, there)
                heard += item.owned.end - item.owned.start
                self.on_window(item.owned.end)
        segments += (segment for joiner in joiners.values() for segment in joiner.finish())
        return Transcript(
            segments=tuple(sorted(segments, key=lambda segment: segment.start)),
            language=self.package.language,
            model=self.package.name,
            duration=item.duration,
            heard=heard,
            clipped=item.clipped,
            stages=clock.times,
            warnings=item.warnings,
        )

    def _recognise(self, waveform: Waveform, options: Options, clock: StageClock, *, detect_speech: bool) -> Transcript:
        seconds = waveform.seconds
        with clock("features"):
            waveform = at_rate(waveform, self.package.features.sample_rate)
            features = self._featurizer.features(waveform.samples)
        segment: Segment | None = None
        if not detect_speech:
            segment = self._heard(self._finished(features), options, clock, ends=True)
        elif spoken := self._spoken(waveform, features, clock):
            segment = self._heard_around(spoken, seconds, features, options, clock)
        return self._transcript(segment, seconds, clock)

    def _recognise_features(self, features: Features, options: Options, clock: StageClock) -> Transcript:
        return self._transcript(self._heard(features, options, clock, ends=True), features.seconds, clock)

    def _transcript(self, segment: Segment | None, seconds: float, clock: StageClock) -> Transcript:
        return Transcript(
            segments=(segment,) if segment else (),
            language=self.package.language,
            model=self.package.name,
            duration=seconds,
            heard=seconds,
            clipped=False,
            stages=clock.times,
        )

    def _spoken(self, waveform: Waveform, features: Features, clock: StageClock) -> Span | None:
        """From where somebody first speaks to where somebody last does."""
        with clock("speech"):
            known = hears_features(self.package.features)
            found = spans(probabilities_of_features(features.log_mel) if known else probabilities(waveform))
        if not found:
            return None
        seconds, end = waveform.seconds, found[-1].end
        return Span(found[0].start, end if end < seconds - FRAME_SECONDS else seconds)

    def _heard_around(
        self, spoken: Span, seconds: float, features: Features, options: Options, clock: StageClock
    ) -> Segment:
        """What is said there. Silence that lies farther off would only cost time."""
        span = Span(max(0.0, spoken.start - _AROUND), min(seconds, spoken.end + _AROUND))
        first, end = round(span.start * FRAMES_A_SECOND), round(span.end * FRAMES_A_SECOND)
        if span.end > seconds - 1 / FRAMES_A_SECOND:
            end = features.log_mel.shape[1]
        there = Features(features.log_mel[:, first:end], features.power[first:end])
        segment = self._heard(self._finished(there), options, clock)

        def moved(seconds: float) -> float:
            return min(round(seconds + first / FRAMES_A_SECOND, 3), span.end)

        words = tuple(dataclasses.replace(word, start=moved(word.start), end=moved(word.end)) for word in segment.words)
        start = min([spoken.start, *(word.start for word in words)])
        return Segment(segment.text, start, max([spoken.end, *(word.end for word in words)]), words)

    def _finished(self, features: Features) -> Features:
        """As the model wants them."""
        return dataclasses.replace(features, log_mel=self._featurizer.finished(features.log_mel))

    def _heard(self, features: Features, options: Options, clock: StageClock, *, ends: bool = False) -> Segment:
        """What is said in all of it; with words, or `ends`, it begins with the first word and ends with the last."""
        with clock("inference"):
            log_probabilities = self._recogniser(features.log_mel)
        with clock("decoding"):
            text = self._decoders.text(log_probabilities, options.decoding)
            if options.words and (words := self._decoders.words(log_probabilities, text, features, options.decoding)):
                return Segment(text, words[0].start, words[-1].end, words)
            span = self._decoders.span(log_probabilities, features) if ends else Span(0.0, features.seconds)
        return Segment(text, span.start, span.end)
