"""The measured part of docs/benchmarks.md."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.child import RATE
from benchmarks.rounds import Results
from inference.package import Package

OURS = "this library"
_BEGIN, _END = "<!-- measured: begin -->", "<!-- measured: end -->"
_SHARE_OF = ("this library", "this library, exported graph", "ONNX Runtime alone")


@dataclass(frozen=True, slots=True)
class Compared:
    """Times of all programs with so many threads."""

    threads: int
    clock: str
    results: Mapping[float, Mapping[str, Results]]
    """Seconds of audio → program → its results, the best matrix product among them."""
    work: Mapping[float, int]
    """Seconds of audio → multiply-adds of the exported graph."""

    def limit(self, seconds: float) -> float:
        """Seconds that the multiply-adds would take at the best rate of this run."""
        return self.work[seconds] * min(min(entry[RATE].seconds) for entry in self.results.values())

    def programs(self, seconds: float) -> dict[str, Results]:
        """Without the matrix product."""
        return {name: entry for name, entry in self.results[seconds].items() if name != RATE}


@dataclass(frozen=True, slots=True)
class Spoken:
    """Texts of the sample clips."""

    model: str
    said: Mapping[Path, str]
    heard: Mapping[str, Mapping[Path, str]]


def render(runs: Sequence[Compared], spoken: Spoken, command: str, package: Package) -> str:
    """Write the tables in Markdown."""
    source = f" ({package.source})" if package.source else ""
    parts = [
        f"Model for speed: `{package.name}`{source}. {_machine()}.",
        f"    {command}",
        *(_table(run, seconds) for run in runs for seconds in run.results),
        _texts(spoken),
    ]
    return "\n\n".join(parts) + "\n"


def write(path: Path, text: str) -> None:
    """Put the text between the marks of the page, which is made where there is none."""
    page = path.read_text(encoding="utf-8") if path.exists() else f"# Benchmarks\n\n{_BEGIN}\n{_END}\n"
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    path.write_text(f"{before}{_BEGIN}\n\n{text}\n{_END}{after}", encoding="utf-8")


def _table(run: Compared, seconds: float) -> str:
    programs = run.programs(seconds)
    ours, limit, work = programs[OURS], run.limit(seconds), run.work[seconds] / 1e9
    threads = "one thread" if run.threads == 1 else f"{run.threads} threads"
    lines = [
        f"### {seconds:g} s of audio, {threads}, {run.clock} time",
        "",
        "| program | median, ms | audio seconds a second | this library ÷ it [deciles 1 and 9] | share of the limit |",
        "|---|---|---|---|---|",
        f"| the limit: {work:.2f} G multiply-adds | {limit * 1000:.1f} | {seconds / limit:.0f} | | 1 |",
    ]
    for name, result in sorted(programs.items(), key=lambda item: item[1].median):
        ratio, low, high = ours.ratio(result)
        share = f"{limit / result.median:.2f}" if name in _SHARE_OF else ""
        compared = "" if name == OURS else f"{ratio:.2f} [{low:.2f}, {high:.2f}]"
        lines.append(f"| {name} | {result.median * 1000:.1f} | {seconds / result.median:.0f} | {compared} | {share} |")
    return "\n".join(lines)


def _texts(spoken: Spoken) -> str:
    lines = [
        f"### Texts of the {len(spoken.said)} sample clips, `{spoken.model}`",
        "",
        "| program | equal to this library's | equal to what was said |",
        "|---|---|---|",
    ]
    for name, texts in spoken.heard.items():
        if any(texts.values()):
            same = sum(text == spoken.heard[OURS][clip] for clip, text in texts.items())
            right = sum(text == spoken.said[clip] for clip, text in texts.items())
            lines.append(f"| {name} | {same} | {right} |")
    return "\n".join(lines)


def _machine() -> str:
    packages = {name: _version(name) for name in ("onnxruntime", "sherpa-onnx", "onnx-asr", "numpy")}
    programs = ", ".join(f"{name} {found}" for name, found in packages.items())
    return f"Processor: {_processor()}; Linux {platform.release()}; Python {platform.python_version()}; {programs}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    known = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "amx_int8") if flag in flags]
    return f"{len(names)} × {names[0] if names else platform.machine()} ({', '.join(known)})"
