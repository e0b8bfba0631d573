"""Decodes files of every kind that FFmpeg reads, again and again in one process, and prints what its memory does.

`python -m tests.inference.audio.growth --decodes 20000`: one JSON object; the slope is Theil and Sen's, of MiB by
minutes of processor time.
"""

import argparse
import contextlib
import json
import statistics
import time

import psutil

from inference.audio.decode import decode
from inference.audio.pieces import pieces_of
from inference.errors import InputError
from inference.types import AudioLimits
from tests.inference.audio.kinds import files_of_every_kind

_SAMPLES = 40


def _files():
    """All that PyAV decodes, whole and cut off, since an error must give back what it had, too."""
    whole = [data for data in files_of_every_kind().values() if pieces_of(data, int)[0].decoder == "PyAV"]
    return whole + [data[: len(data) // 2] for data in whole]


def _main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decodes", type=int, default=20_000)
    decodes = parser.parse_args().decodes
    files, process, seen = _files(), psutil.Process(), []
    for number in range(decodes + decodes // 4):
        if number >= decodes // 4 and not number % (decodes // _SAMPLES):  # once malloc has what it needs
            seen.append((time.process_time() / 60, process.memory_info().rss / 2**20))
        with contextlib.suppress(InputError):
            decode(files[number % len(files)], AudioLimits("clip"), 16_000)
    slopes = [(b - a) / (then - now) for i, (now, a) in enumerate(seen) for then, b in seen[i + 1 :]]
    print(json.dumps({"decodes": decodes, "minutes": round(seen[-1][0] - seen[0][0], 2), "mib": round(seen[-1][1], 1),
                      "mib_more": round(seen[-1][1] - seen[0][1], 2),
                      "mib_a_minute": round(statistics.median(slopes), 3)}))  # fmt: skip


if __name__ == "__main__":
    _main()
