"""What was found, in a line for each program and server; and in docs/performance.md, and as a picture."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.programs import Times
from benchmarks.servers.comparison import Turns
from benchmarks.servers.roster import OURS as OUR_SERVER
from benchmarks.subject import LIMIT, OURS
from loadtest.harness.page import describe, write_column
from loadtest.harness.plots import drawing
from loadtest.harness.statistics import percentile, ratios


@dataclass(slots=True)
class Report:
    """Of one run."""

    length: float
    """Seconds of audio in a clip."""
    page: Path | None
    """To write to; None for nowhere."""
    model: str
    _rates: dict[str, dict[str, float]] = field(default_factory=dict)
    """Libraries or servers → name → audio seconds a second at full load."""

    def libraries(self, times: Times, computes: Mapping[str, str], word_errors: Mapping[str, float]) -> None:
        """Audio seconds a second at full load; ms of one clip; this library ÷ it; WER; the rest where it is known."""
        cells = {}
        limit = median(times.full(LIMIT))
        for name in times.seconds:
            full = median(times.full(name))
            parts = [f"{self.length / full:.0f}", f"{1000 * median(times.alone(name)):.0f} ms"]
            if name not in (OURS, LIMIT):
                parts.append(f"× {times.gain(OURS, name)}")
            if name in word_errors:
                parts.append(f"WER {word_errors[name]:.1f} %")
            if name in times.outside:
                parts += [computes[name], f"{limit / full:.2f} of the limit", f"{times.outside[name]:.1%} outside"]
            cells[name] = " · ".join(parts)
        self._tell("libraries", cells, {name: self.length / median(times.full(name)) for name in times.seconds})

    def servers(self, turns: Mapping[str, Turns]) -> None:
        """Audio seconds a second at full load; p95 there and alone; p99 of `/healthz`; this server ÷ it; settings."""
        cells = {}
        for name, found in turns.items():
            waits = [f"{1000 * percentile(seconds, 95):.0f}" for seconds in (found.loaded, found.alone)]
            parts = [f"{median(found.rates):.0f}", f"{', '.join(waits)} ms"]
            if found.health:
                parts.append(f"{1000 * percentile(found.health, 99):.1f} ms")
            if name != OUR_SERVER:
                parts.append(f"× {ratios(turns[OUR_SERVER].rates, found.rates)}")
            cells[name] = " · ".join([*parts, *filter(None, [found.contestant.settings])])
        self._tell("servers", cells, {name: median(found.rates) for name, found in turns.items()})

    def draw(self, path: Path) -> None:
        """Bars: libraries above, servers beneath, the fastest on top."""
        with drawing(path, f"audio seconds a second at full load, {self.model}", len(self._rates)) as axes:
            for each, (what, rates) in zip(axes if len(self._rates) > 1 else [axes], self._rates.items(), strict=True):
                ordered = sorted(rates.items(), key=lambda item: item[1])
                colours = ["tab:blue" if name.startswith("this ") else "silver" for name, _ in ordered]
                bars = each.barh([name for name, _ in ordered], [rate for _, rate in ordered], color=colours)
                each.bar_label(bars, fmt="%.0f", padding=3, fontsize="small")
                each.set_title(what, fontsize="medium")

    def _tell(self, table: str, cells: Mapping[str, str], rates: dict[str, float]) -> None:
        self._rates[table] = rates
        print(table, *(f"  {name}: {cell}" for name, cell in cells.items()), sep="\n")
        if self.page:
            write_column(self.page, table, cells, f"{self.model}, clips of {self.length:g} s, {describe()}")
