"""Valid files of every kind, mutated; decoded in child processes, of which none may die, hang, grow or be surprised.

Each input goes the way of a clip and of a recording, some to a decoder process too.

`python -m tests.inference.audio.fuzz --inputs 20000 --seed 1`: the same numbers are the same inputs.
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import resource
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from inference.audio.decode import decode
from inference.audio.decoder_process import DecoderProcess
from inference.audio.decoder_start import Work
from inference.audio.pieces import estimate_seconds
from inference.audio.recording import read_windows
from inference.errors import InputError
from inference.types import AudioLimits, Options
from tests.inference.audio.kinds import files_of_every_kind

_BATCH = 100
_BATCHES = 20  # by the same processes
_EVERY = 20  # as many inputs go to one decoder process
_LONGEST_SECONDS = 6.0  # of a processor; decoding may take 4, and looks between two blocks whether it did
_MOST_GROWTH = 400  # MiB of a process above what it takes for valid files

CLIP, RECORDING = AudioLimits("clip"), AudioLimits("window", window_seconds=3.0)


def mutated(data, dice):  # noqa: C901
    """Bits flipped, bytes set, pieces cut, doubled, moved or made random; most of it near the head."""
    data = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        if len(data) < 2:
            break
        place = int(dice.random() ** dice.choice((1, 2, 4)) * len(data))
        stretch = dice.choice((1, 2, 4, 8, 64, 1000))
        match dice.randrange(8):
            case 0:
                data[place] ^= 1 << dice.randrange(8)
            case 1:
                data[place : place + stretch] = dice.randbytes(stretch)
            case 2:
                data[place : place + stretch] = dice.choice((b"\xff", b"\0", b"\x7f", b"\x80")) * stretch
            case 3:
                del data[place:]
            case 4:
                del data[place : place + stretch]
            case 5:
                data[place:place] = data[place : place + stretch]
            case 6:
                other = dice.randrange(len(data))
                data[place : place + stretch] = data[other : other + stretch]
            case 7:
                data[place:] = dice.randbytes(len(data) - place)
    return bytes(data)


def outcome(data, *, apart):
    """The class of what came of it, where a recording differs of both; any exception that is no InputError passes."""
    estimate_seconds(data)
    clip = verdict(lambda: decode(data, CLIP, 16_000).warnings)
    recording = verdict(lambda: list(read_windows(data, RECORDING, Options()))[-1].warnings)
    if apart and (elsewhere := verdict(lambda: asyncio.run(in_a_process(data)).warnings)) != recording:
        raise AssertionError(f"{recording} here, {elsewhere} in a process of its own")
    return clip if clip == recording else f"{clip}, as a recording {recording}"


def verdict(warnings):
    try:
        return "decoded, with a warning" if warnings() else "decoded"
    except InputError as error:
        return type(error).__name__


async def in_a_process(data):
    async with DecoderProcess(Work(data, RECORDING, Options())) as windows:
        async for _ in windows:
            pass
    return windows.end


def batch(seed, first, inputs):
    """Outcomes of some inputs by their kind; faults with the number of the input that brings each back."""
    files = files_of_every_kind()
    names = sorted(files)
    outcomes, faults, slowest = Counter(), [], 0.0
    before = _peak()
    for number in range(first, first + inputs):
        dice = random.Random(f"{seed}/{number}")
        name = names[number % len(names)]
        valid = files[name] * (1 + number // len(names) % 2)  # alone, or two joined, which are more than a window
        began = time.process_time()
        try:
            apart = not number % _EVERY
            outcomes[f"{name}: {outcome(mutated(valid, dice), apart=apart)}"] += 1
        except Exception as error:  # noqa: BLE001
            faults.append(f"{number} ({name}): {type(error).__name__}: {error}")
        seconds = time.process_time() - began
        slowest = max(slowest, seconds)
        if seconds > _LONGEST_SECONDS:
            faults.append(f"{number} ({name}): {seconds:.1f} s of a processor")
    if _peak() - before > _MOST_GROWTH:
        faults.append(f"{first} to {first + inputs}: {_peak() - before} MiB more")
    return outcomes, faults, slowest, _peak()


def one_round(first, last, seed, processes):
    """Outcomes, faults, the slowest in seconds of a processor, the largest process in MiB."""
    outcomes, faults, slowest, largest = Counter(), [], 0.0, 0
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        starts = range(first, last, _BATCH)
        batches = {pool.submit(batch, seed, start, min(_BATCH, last - start)): start for start in starts}
        for done in as_completed(batches):
            try:
                counted, found, seconds, peak = done.result()
            except BrokenProcessPool:
                faults.append(f"a process died; one of {batches[done]} to {batches[done] + _BATCH}")
                continue
            outcomes += counted
            faults += found
            slowest, largest = max(slowest, seconds), max(largest, peak)
    return outcomes, faults, slowest, largest


def run(inputs, seed, processes, checkpoint=None):
    """Counts by class of outcome and by kind of file, and faults; goes on where `checkpoint`, a file, ends."""
    so_far = {"seed": seed, "inputs": 0, "outcomes": {}, "slowest_seconds": 0.0, "largest_process_mib": 0, "faults": []}
    if checkpoint and checkpoint.exists():
        so_far = json.loads(checkpoint.read_text())
        if so_far["seed"] != seed:
            raise ValueError(f"{checkpoint} is of seed {so_far['seed']}")
    for first in range(so_far["inputs"], inputs, _BATCHES * _BATCH):
        last = min(first + _BATCHES * _BATCH, inputs)
        outcomes, faults, slowest, largest = one_round(first, last, seed, processes)
        so_far["inputs"] = last
        so_far["outcomes"] = dict(sorted((outcomes + Counter(so_far["outcomes"])).items()))
        so_far["slowest_seconds"] = round(max(slowest, so_far["slowest_seconds"]), 2)
        so_far["largest_process_mib"] = max(largest, so_far["largest_process_mib"])
        so_far["faults"] += faults
        if checkpoint:
            checkpoint.write_text(json.dumps(so_far, indent=1, ensure_ascii=False))
    return so_far


def _peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--checkpoint", type=Path, help="written every 2,000 inputs, to go on from there")
    options = parser.parse_args()
    found = run(options.inputs, options.seed, options.processes, options.checkpoint)
    total = Counter()
    for key, count in found["outcomes"].items():
        total[key.rpartition(": ")[2]] += count
    print(json.dumps(found | {"outcomes": total}, indent=1))
    return 1 if found["faults"] else 0


if __name__ == "__main__":
    sys.exit(_main())
