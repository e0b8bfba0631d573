"""Clips of music: made-up pieces by the instruments of General MIDI, through fluidsynth and a sound font.

    python -m training.general_midi --clips 800 --out training/build/music

Its strings, choirs and brass are samples of real ones, which hold and bend their notes as voices do: a detector that
knows only what formulas sound like (`training.wordless`) hears speech in them. Needs Debian's `fluidsynth` and
`fluid-soundfont-gm` (MIT).
"""

from __future__ import annotations

import argparse
import struct
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from training.files import RecipeError, atomic_path, command, write_manifest
from training.utterance import SAMPLE_RATE, require

FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
_SECONDS = 9
_TICKS = 480  # in a beat, two of which are a second where no tempo is set
_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9), (0, 1, 4, 5, 7, 8, 11))
_DRUMS = (35, 38, 39, 41, 42, 45, 46, 49, 51, 54, 56, 60, 70, 76)

Event = tuple[float, bytes]
"""Seconds, and the bytes of a MIDI message."""


def piece(chance: np.random.Generator) -> list[Event]:
    """One to four instruments, often one, on a scale, some with chords; perhaps drums."""
    events: list[Event] = []
    scale = _SCALES[int(chance.integers(len(_SCALES)))]
    beat = float(chance.uniform(0.25, 0.7))
    for channel in range(int(chance.choice([1, 1, 2, 3, 4]))):
        events.append((0.0, bytes([0xC0 | channel, int(chance.integers(128))])))
        events.append((0.0, bytes([0xB0 | channel, 1, int(chance.choice([0, 0, 40, 100]))])))  # vibrato
        root, chords, at = int(chance.integers(36, 72)), chance.random() < 0.3, 0.0
        while at < _SECONDS - 1:
            length = beat * float(chance.choice([0.25, 0.5, 0.5, 1, 1, 2, 4]))
            degree = int(chance.integers(10))
            for step in (0, 2, 4) if chords else (0,):
                note = root + 12 * ((degree + step) // len(scale)) + scale[(degree + step) % len(scale)]
                loud = int(chance.integers(50, 120))
                events.append((at, bytes([0x90 | channel, note, loud])))
                events.append((min(at + length * 0.95, _SECONDS - 0.5), bytes([0x80 | channel, note, 0])))
            at += length * float(chance.choice([1, 1, 1, 2]))
    if chance.random() < 0.35:
        kit = chance.choice(_DRUMS, 4)
        beats = [float(at) for at in np.arange(0, _SECONDS - 1, beat / 2) if chance.random() < 0.7]
        events += [(at, bytes([0x99, int(chance.choice(kit)), int(chance.integers(50, 110))])) for at in beats]
    return events


def midi(events: list[Event]) -> bytes:
    """A standard MIDI file of one track."""
    track, last = bytearray(), 0
    for seconds, message in sorted(events, key=lambda event: event[0]):
        ticks = round(seconds * 2 * _TICKS)
        wait, last = ticks - last, ticks
        track += bytes(((wait >> 7 * place) & 127) | (128 if place else 0) for place in (3, 2, 1, 0)) + message
    track += b"\0\xff\x2f\0"
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, _TICKS) + b"MTrk" + struct.pack(">I", len(track)) + track


def play(events: list[Event], font: Path, wave: Path) -> None:
    """Write what fluidsynth makes of it."""
    program = require("fluidsynth", "fluidsynth")
    if not font.exists():
        raise RecipeError(f"{font} is missing: apt-get install fluid-soundfont-gm")
    with tempfile.NamedTemporaryFile(suffix=".mid") as score:
        score.write(midi(events))
        score.flush()
        asked = [program, "-ni", "-q", "-r", str(SAMPLE_RATE), "-g", "0.5", "-F", str(wave), str(font), score.name]
        subprocess.run(asked, check=True, capture_output=True)  # noqa: S603 # no shell, no argument from outside


def make(count: int, font: Path, folder: Path, seed: int) -> Path:
    """Write `count` clips and their manifest."""
    chance = np.random.default_rng(seed)
    # All in one go: reading the font takes longer than playing a piece.
    pieces = [piece(chance) for _ in range(count)]
    events = [(number * _SECONDS + at, message) for number, each in enumerate(pieces) for at, message in each]
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        play(events, font, Path(temporary) / "all.wav")
        for number in range(count):
            path = folder / "clips" / f"{number:05d}.flac"
            start = number * _SECONDS * SAMPLE_RATE
            stereo, _ = soundfile.read(
                Path(temporary) / "all.wav", _SECONDS * SAMPLE_RATE, start, dtype="float32", always_2d=True
            )
            with atomic_path(path) as partial:
                soundfile.write(partial, stereo.mean(axis=1), SAMPLE_RATE, subtype="PCM_16")
            rows.append({"audio_filepath": f"clips/{path.name}", "duration": _SECONDS, "text": "", "voice": "midi"})
    write_manifest(folder / "manifest.jsonl", rows)
    return folder / "manifest.jsonl"


def main() -> None:
    """Run the step from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=800, help=f"of {_SECONDS} s (default: %(default)s)")
    parser.add_argument("--font", type=Path, default=FONT, help="a sound font (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=13, help="another one for other pieces")
    options = parser.parse_args()
    print(make(options.clips, options.font, options.out, options.seed))


if __name__ == "__main__":
    command(main)
