"""How far it is, in seconds of audio, and what came of it all."""

import sys
import time
from collections.abc import Mapping
from datetime import timedelta

from tqdm import tqdm

from inference.cli.outputs import Outcome
from inference.types import Transcript


class Progress:
    """A bar on a terminal, nothing in a pipe; and the summary at the end."""

    def __init__(self, estimates: Mapping[str, float], *, shown: bool) -> None:
        """`estimates`: seconds of each source by its name, where a bar is to be shown."""
        self._estimates = dict(estimates)
        self._files = len(estimates)
        self._total = sum(estimates.values())
        self._under_way: dict[str, float] = {}
        self.done = self.failed = 0
        self.audio = 0.0
        """Seconds that were transcribed."""
        self._began = time.monotonic()
        self._bar = tqdm(
            total=self._total,
            disable=None if shown else True,
            bar_format="{percentage:3.0f} % |{bar}| {desc}",
            file=sys.stderr,
            dynamic_ncols=True,
        )
        self._show()

    def take(self, name: str, outcome: Outcome) -> None:
        """One more is done."""
        self.done += 1
        seconds = 0.0
        if isinstance(outcome, Transcript):
            seconds = outcome.duration if not outcome.clipped else outcome.heard
            self.audio += seconds
        else:
            self.failed += 1
            tqdm.write(f"{name}: {outcome}", file=sys.stderr)
        # A file need not last as long as it claimed.
        self._total += seconds - self._estimates.pop(name, 0.0)
        self._under_way.pop(name, None)
        self._show()

    def heard(self, name: str, seconds: float) -> None:
        """So much of a long one is done."""
        self._under_way[name] = seconds
        self._show()

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()

    def summary(self, *, skipped: int, passed_over: int) -> str:
        """One line on all."""
        files = "file" if self._files == 1 else "files"
        of_all = f" of {self._files}" if self.done < self._files else ""
        counts = [f"{self.done}{of_all} {files}", f"{self.failed} failed"]
        counts += [f"{skipped} skipped, whose results are there"] * bool(skipped)
        counts += [f"{passed_over} that are no audio passed over"] * bool(passed_over)
        taken = time.monotonic() - self._began
        return f"{', '.join(counts)}; {_clock(self.audio)} of audio in {_clock(taken)}, {self._speed(self.audio)}"

    def _show(self) -> None:
        audio = self.audio + sum(self._under_way.values())
        self._bar.total, self._bar.n = max(self._total, audio), audio
        shown = f"{self.done}/{self._files} files, {_clock(audio)} of {_clock(self._bar.total)}, {self._speed(audio)}"
        self._bar.set_description_str(shown)

    def _speed(self, audio: float) -> str:
        return f"{audio / max(time.monotonic() - self._began, 1e-3):.1f} × real time"


def _clock(seconds: float) -> str:
    """`1:02:03`."""
    return str(timedelta(seconds=round(seconds)))
