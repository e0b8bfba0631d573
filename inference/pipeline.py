"""The whole story: audio → Transcript, stage by stage."""

import dataclasses
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
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
from inference.types import AudioLimits, Float32Array, Options, Segment, Span, StageTime, Transcript, Waveform

_AROUND = 1.0
"""Seconds before and behind what is speech for certain that a model hears too: of silence next to speech it makes
nothing, and its first and last words come out better (`docs/models.md`, "Silence")."""

Checkpoint = Callable[[], None]
"""Called where work can stop; raises WorkInterrupted to stop it."""


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
        clock, limits = _StageClock(checkpoint), self._at_once(limits or AudioLimits())
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

        Whoever knows that somebody speaks there need not have it detected.
        """
        return self._recognise(waveform, options or Options(), _StageClock(checkpoint), detect_speech=detect_speech)

    def _at_once(self, limits: AudioLimits) -> AudioLimits:
        """What the model takes; a longer limit is one for recordings, whose way ends, or refuses, there."""
        longest = self.package.longest_seconds
        if limits.overlength != "window" and limits.limit_seconds > longest:
            return dataclasses.replace(limits, overlength="window", window_seconds=longest)
        return dataclasses.replace(limits, window_seconds=min(limits.window_seconds, longest))

    def _transcribe_recording(
        self, audio: bytes | str | Path, limits: AudioLimits, options: Options, checkpoint: Checkpoint
    ) -> Transcript:
        clock = _StageClock(checkpoint)
        source = audio if isinstance(audio, bytes) else Path(audio)
        limits = dataclasses.replace(limits, window_seconds=min(limits.window_seconds, self.package.longest_seconds))
        with_words = dataclasses.replace(options, words=True)  # by which windows are joined
        joiners: defaultdict[int | None, Joiner] = defaultdict(lambda: Joiner(words=options.words))
        segments: list[Segment] = []
        heard = 0.0
        with closing(read_windows(source, limits, options, checkpoint)) as items:
            while True:
                with clock("decode"):
                    item = next(items)
                if isinstance(item, End):
                    break
                there = self._recognise(item.waveform, with_words, clock, detect_speech=False)
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

    def _recognise(
        self, waveform: Waveform, options: Options, clock: "_StageClock", *, detect_speech: bool
    ) -> Transcript:
        seconds = waveform.samples.size / waveform.sample_rate
        with clock("features"):
            waveform = at_rate(waveform, self.package.features.sample_rate)  # windows are for models of 16 kHz
            log_mel = self._featurizer.log_mel(waveform.samples)
        spoken: Span | None = Span(0.0, seconds)
        if detect_speech:
            with clock("speech"):
                spoken = self._spoken(waveform, log_mel)
        return Transcript(
            segments=(self._segment(waveform, log_mel, spoken, options, clock),) if spoken else (),
            language=self.package.language,
            model=self.package.name,
            duration=seconds,
            heard=seconds,
            clipped=False,
            stages=clock.times,
        )

    def _spoken(self, waveform: Waveform, log_mel: Float32Array) -> Span | None:
        """From where somebody first speaks to where somebody last does."""
        known = hears_features(self.package.features)
        found = spans(probabilities_of_features(log_mel) if known else probabilities(waveform))
        seconds = waveform.samples.size / waveform.sample_rate
        if not found:
            return None
        end = found[-1].end
        return Span(found[0].start, end if end < seconds - FRAME_SECONDS else seconds)

    def _segment(
        self, waveform: Waveform, log_mel: Float32Array, spoken: Span, options: Options, clock: "_StageClock"
    ) -> Segment:
        """What is said there. Silence that lies farther off would only cost time."""
        hop, rate = self.package.features.hop_size, waveform.sample_rate
        span = Span(max(0.0, spoken.start - _AROUND), min(waveform.samples.size / rate, spoken.end + _AROUND))
        first, end = round(span.start * rate / hop), round(span.end * rate / hop)
        if span.end * rate > waveform.samples.size - hop:
            end = log_mel.shape[1]
        with clock("inference"):
            log_probabilities = self._recogniser(self._featurizer.finished(log_mel[:, first:end]))
        with clock("decoding"):
            text = self._decoders.text(log_probabilities, options.decoding)
            heard = Waveform(waveform.samples[first * hop : end * hop], rate)
            wanted = options.words
            words = self._decoders.words(log_probabilities, text, heard, options.decoding) if wanted else ()
        begin = first * hop / rate
        timed = tuple(
            dataclasses.replace(
                word,
                start=min(round(word.start + begin, 3), span.end),
                end=min(round(word.end + begin, 3), span.end),
            )
            for word in words
        )
        start = min([spoken.start, *(word.start for word in timed)])
        return Segment(text, start, max([spoken.end, *(word.end for word in timed)]), timed)


class _StageClock:
    """Asks before each stage whether to go on, and measures it."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._times: dict[str, StageTime] = {}

    @property
    def times(self) -> tuple[StageTime, ...]:
        """One for each stage, however often it was gone through."""
        return tuple(self._times.values())

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        self._checkpoint()
        began = time.monotonic()
        yield
        before = self._times.get(stage, StageTime(stage, began, 0.0))
        self._times[stage] = dataclasses.replace(before, seconds=before.seconds + time.monotonic() - began)
