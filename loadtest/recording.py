"""Recordings of an hour and more: as right as their clips alone, as fast as the lanes allow, and no burden on others.

A tape is made of clips whose text is known, with pauses, silence, noise and music between them. Ends with 1 where
something is not as wanted.
"""

import argparse
import statistics
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from evaluation.scoring import normalise, word_errors
from inference.machine import usable_cpus
from loadtest.disturbed import gone, killed, neighbours
from loadtest.harness.server import GunicornServer
from loadtest.harness.subject import TUNED, at_least, chosen_subject
from loadtest.harness.tape import Tape, make_tape, read_spoken
from loadtest.harness.watch import mebibytes
from loadtest.trial import Finding, NoText, Trial, lane_seconds

_FORMATS = ("wav", "mp3", "opus")
_MARGIN = 0.4  # seconds: a segment begins so much before speech and ends so much behind it at most
_MOST_WORSE = 0.5  # percent of words
_MOST_SLOWER = 1.1
_TURNS = 3
_MOST_MEGABYTES = 200.0
_EVERY_SECONDS = 0.1
_LONGEST = 5 * 3600  # seconds; a tape is never as long as was asked for to the second


def main(options: argparse.Namespace) -> int:
    """Measure what was asked for and print it; return 1 where something is not as wanted."""
    tape = make_tape(read_spoken(options.manifests), 60 * options.minutes, seed=options.seed)
    passed = True
    with tempfile.TemporaryDirectory(prefix="recording-") as scratch:
        settings = {
            "ASR_LANES": options.lanes,
            "ASR_WORKERS": 1,
            "ASR_PROFILE": TUNED,
            "ASR_MAX_AUDIO_SECONDS": _LONGEST,
        }
        with chosen_subject(options).server(Path(scratch), **settings) as server:
            trial = Trial(server, tape, options.lanes, Path(scratch))
            try:
                for name in options.measures or _MEASURES:
                    for finding in _MEASURES[name](trial, options):
                        print(finding, flush=True)
                        passed &= finding.passed
            except NoText as error:
                print(f"FAILED: {error}")
                return 1
    return 0 if passed else 1


def accuracy(trial: Trial) -> Iterator[Finding]:
    """Words wrong in the whole and in its clips one by one, by format; text where nobody speaks."""
    references = [stretch.text for stretch in trial.tape.spoken]
    alone = words_wrong(zip(references, (answer["text"] for answer in trial.alone), strict=True))
    for suffix in _FORMATS:
        answer, _ = trial.send(trial.file(suffix))
        whole = words_wrong([(" ".join(references), answer["text"])])
        found = f"{whole:.2f} %, clips one by one {alone:.2f} %"
        yield Finding(f"words wrong, {suffix}", found, whole - alone <= _MOST_WORSE)
        invented = [segment["text"] for segment in answer["segments"] if not is_spoken(trial.tape, segment)]
        yield Finding(f"texts where nobody speaks, {suffix}", f"{len(invented)} {invented[:5]}", not invented)


def speed(trial: Trial) -> Iterator[Finding]:
    """Seconds from the request to the text, beside what the lanes take for the clips, in turns."""
    ratios: list[float] = []
    for _ in range(_TURNS):
        clips = sum(map(lane_seconds, trial.send_clips())) / trial.lanes
        answer, seconds = trial.send(trial.file("wav"))
        windows = lane_seconds(answer, "decode") / trial.lanes
        ratios.append(seconds / clips)
    ratio = statistics.median(ratios)
    found = f"{ratio:.2f} of {' '.join(f'{each:.2f}' for each in sorted(ratios))}; the last one {seconds:.1f} s"
    found += f", of lanes, clips {clips:.1f} s, windows {windows:.1f} s"
    yield Finding("time for the whole ÷ (lane seconds of its clips ÷ lanes)", found, ratio <= _MOST_SLOWER)


def memory(trial: Trial, hours: float) -> Iterator[Finding]:
    """MiB of all processes at most, with a recording of hours and with one of ten seconds."""
    short, long = trial.directory / "short.wav", trial.directory / "long.wav"
    short.write_bytes(Tape.of(trial.tape.samples, 10.0))
    with _watching(trial.server) as least:
        for _ in range(10):
            trial.send(short)
    trial.tape.write(long, round(hours * 3600 / trial.tape.seconds) or 1)
    with _watching(trial.server) as most:
        answer, seconds = trial.send(long)
    long.unlink()
    more, length = max(most) - max(least), answer["duration"] / 3600
    found = f"{more:.0f}: {max(most):.0f} with {length:.2f} h in {seconds:.0f} s, {max(least):.0f} with 10 s"
    yield Finding("MiB that a long one takes more, all processes", found, more <= _MOST_MEGABYTES)


_MEASURES: dict[str, Callable[[Trial, argparse.Namespace], Iterator[Finding]]] = {
    "accuracy": lambda trial, _: accuracy(trial),
    "speed": lambda trial, _: speed(trial),
    "neighbours": lambda trial, _: neighbours(trial),
    "killed": lambda trial, _: killed(trial),
    "gone": lambda trial, _: gone(trial),
    "memory": lambda trial, options: memory(trial, options.hours),
}


def words_wrong(pairs: Iterable[tuple[str, str]]) -> float:
    """Percent, of what was said and what was heard."""
    counts = [word_errors(normalise(said), normalise(heard)) for said, heard in pairs]
    return 100 * sum(errors for errors, _ in counts) / sum(words for _, words in counts)


def is_spoken(tape: Tape, segment: dict[str, Any]) -> bool:
    """Whether anybody speaks at the time of a segment."""
    start, end = segment["start"] + _MARGIN, segment["end"] - _MARGIN
    middle = (segment["start"] + segment["end"]) / 2
    return any(each.start < max(middle, end) and min(middle, start) < each.end for each in tape.spoken)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add those of this command."""
    parser.add_argument("measures", nargs="*", metavar="MEASURE", help=f"of {', '.join(_MEASURES)} (default: all)")
    parser.add_argument("--minutes", type=at_least(0.5), default=60.0, help="of the tape (default: 60)")
    parser.add_argument("--hours", type=at_least(0.01), default=4.0, help="whose memory is measured (default: 4)")
    parser.add_argument("--lanes", type=at_least(1, int), default=usable_cpus(), help="(default: all processors)")
    parser.add_argument("--manifests", type=Path, nargs="+", default=(), help="clips to use (default: tests/data)")
    parser.add_argument("--seed", type=int, default=1, help="of all that is left to chance (default: 1)")


@contextmanager
def _watching(server: GunicornServer) -> Iterator[list[float]]:
    """Fill a list with the MiB of all processes of the server, ten times a second."""
    sums: list[float] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_EVERY_SECONDS):
            sums.append(0.0)
            for process in [server.master, *server.master.children(recursive=True)]:
                with suppress(psutil.Error):
                    sums[-1] += mebibytes(process)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield sums
    finally:
        done.set()
        thread.join()
