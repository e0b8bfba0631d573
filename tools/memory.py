"""`python -m tools.memory`: what ONNX Runtime's ways to keep memory cost, in speed and in MiB.

Every way runs in a process of its own, all of them alive at once and working in turn, so that the machine's
moods fall on all alike. Each goes through clips of every length in the same shuffled order, round after round.
"""

import argparse
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import onnxruntime as ort
from tqdm import tqdm

from inference.errors import InferenceError
from inference.package import load_package
from tools.clips import spread_lengths
from tools.command_line import add_model, at_least
from tools.process_memory import ProcessMemory, process_memory
from tools.statistics import median

_SPEED_SECONDS = 5.0  # the clip whose time is told
_FRAMES_A_SECOND = 100
_SAME_AS_REQUESTED = 1  # arena_extend_strategy; 0 is the next power of two
# glibc: take nothing from mmap and give nothing back below these sizes.
_HEAP_KEPT = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 28)}

# glibc: ever map blocks of a MiB, and never learn to keep them.
_LARGE_MAPPED = {"MALLOC_MMAP_THRESHOLD_": str(1 << 20), "MALLOC_TRIM_THRESHOLD_": str(1 << 21)}
_HUGE = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


@dataclass(frozen=True, slots=True)
class Way:
    """One way to keep memory."""

    arena: bool = True
    pattern: bool = True
    """Plan the memory of each input shape once and keep the plan."""
    exact: bool = False
    """Extend the arena by what is asked for, not by the next power of two."""
    shrink: bool = False
    """Give free regions back after every run."""
    mapped: bool = False
    """Optimised graph and packed weights in a file, mapped: pages shared between processes."""
    environment: Mapping[str, str] = field(default_factory=dict)


WAYS = {
    "default (arena, pattern)": Way(),
    "arena, no pattern": Way(pattern=False),
    "exact arena, pattern": Way(exact=True),
    "exact arena, no pattern": Way(exact=True, pattern=False),
    "exact arena, no pattern, shrinking": Way(exact=True, pattern=False, shrink=True),
    "no arena": Way(arena=False, pattern=False),
    "no arena, one malloc arena": Way(arena=False, pattern=False, environment={"MALLOC_ARENA_MAX": "1"}),
    "no arena, heap kept": Way(arena=False, pattern=False, environment=_HEAP_KEPT),
    "mapped, default": Way(mapped=True),
    "mapped, exact arena, no pattern": Way(exact=True, pattern=False, mapped=True),
    "mapped, exact arena, no pattern, shrinking": Way(exact=True, pattern=False, shrink=True, mapped=True),
    "mapped, arena, no pattern, shrinking": Way(pattern=False, shrink=True, mapped=True),
    "mapped, no arena": Way(arena=False, pattern=False, mapped=True),
    "mapped, no arena, large blocks mapped": Way(arena=False, pattern=False, mapped=True, environment=_LARGE_MAPPED),
    "mapped, no arena, huge pages": Way(arena=False, pattern=False, mapped=True, environment=_HUGE),
    "mapped, no arena, heap kept, huge pages": Way(
        arena=False, pattern=False, mapped=True, environment={**_HUGE, **_HEAP_KEPT}
    ),
    "mapped, no arena, heap kept": Way(arena=False, pattern=False, mapped=True, environment=_HEAP_KEPT),
}


@dataclass(slots=True)
class Measured:
    """What one way did."""

    load: float
    """Seconds until the session stood."""
    clip: list[float] = field(default_factory=list)
    """Processor seconds of each 5-second clip."""
    after: list[ProcessMemory] = field(default_factory=list)
    """After each round of all lengths."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return 0, or 2 where the model cannot be used."""
    options = _parser().parse_args(arguments)
    ways = {name: way for name, way in WAYS.items() if options.only in name or way == Way()}
    try:
        graph = load_package(options.model).model_path()
    except InferenceError as error:
        print(error, file=sys.stderr)
        return 2
    lengths = spread_lengths(0.2, options.longest, options.lengths)
    with tempfile.TemporaryDirectory(prefix="asr-memory-") as directory:
        mapped = Path(directory) / "graph.onnx"
        _map(graph, mapped)
        results = _measure(ways, graph, mapped, lengths, options.rounds)
    print(table(results))
    return 0


def table(results: Mapping[str, Measured]) -> str:
    """Speed relative to the first, PSS, the part no other process shares, and its growth in the last round."""
    first = median(next(iter(results.values())).clip)
    lines = ["| way | load s | 5 s clip | PSS MiB | own MiB | growth in last round MiB |", "|---|---|---|---|---|---|"]
    for name, m in results.items():
        growth = m.after[-1].anonymous - m.after[-2].anonymous if len(m.after) > 1 else 0.0
        lines.append(
            f"| {name} | {m.load:.2f} | {median(m.clip) / first:.3f} | {m.after[-1].pss:.0f} "
            f"| {m.after[-1].anonymous:.0f} | {growth:+.1f} |"
        )
    return "\n".join(lines)


def _measure(
    ways: Mapping[str, Way], graph: Path, mapped: Path, lengths: Sequence[float], rounds: int
) -> dict[str, Measured]:
    shuffled = list(lengths)
    random.Random(2).shuffle(shuffled)  # noqa: S311 - an order, no secret
    with _processes(ways, graph, mapped) as processes:
        results = {name: Measured(load=pipe.recv()) for name, (pipe, _) in processes.items()}
        for _ in range(rounds):
            for seconds in tqdm(shuffled, unit="length", disable=None):
                for name, (pipe, _pid) in processes.items():
                    for length in (_SPEED_SECONDS, seconds):
                        pipe.send(length)
                        elapsed = pipe.recv()
                        if length == _SPEED_SECONDS:
                            results[name].clip.append(elapsed)
            for name, (_pipe, pid) in processes.items():
                results[name].after.append(process_memory(pid))
    return results


@contextmanager
def _processes(ways: Mapping[str, Way], graph: Path, mapped: Path) -> Iterator[dict[str, tuple[Connection, int]]]:
    context = multiprocessing.get_context("spawn")
    started = []
    found = {}
    for name, way in ways.items():
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, way, mapped if way.mapped else graph), daemon=True)
        before = dict(os.environ)
        os.environ.update(way.environment)  # malloc reads it when the process starts
        process.start()
        os.environ.clear()
        os.environ.update(before)
        started.append(process)
        found[name] = (ours, process.pid or 0)
    try:
        yield found
    finally:
        for process in started:
            process.kill()
            process.join()


def _work(pipe: Connection, way: Way, graph: Path) -> None:
    options = _options(way)
    started = time.perf_counter()
    session = ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    pipe.send(time.perf_counter() - started)
    run_options = ort.RunOptions()
    if way.shrink:
        run_options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    chance = np.random.default_rng(0)
    while True:
        frames = round(pipe.recv() * _FRAMES_A_SECOND)
        features = chance.normal(size=(1, 80, frames)).astype(np.float32)
        feed = {"audio_signal": features, "length": np.array([frames], np.int64)}
        started = time.process_time()  # of the processor, page faults included: others' work does not count
        session.run(None, feed, run_options)
        pipe.send(time.process_time() - started)


def _options(way: Way) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = way.arena
    options.enable_mem_pattern = way.pattern
    if way.exact:
        where = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
        ort.create_and_register_allocator(where, ort.OrtArenaCfg({"arena_extend_strategy": _SAME_AS_REQUESTED}))
        options.add_session_config_entry("session.use_env_allocators", "1")
    if way.mapped:  # it is optimised already
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return options


def _map(graph: Path, mapped: Path) -> None:
    """Write the optimised graph, with its packed weights in a file beside it, in a process that then ends."""
    process = multiprocessing.get_context("spawn").Process(target=_write_mapped, args=(graph, mapped))
    process.start()
    process.join()


def _write_mapped(graph: Path, mapped: Path) -> None:
    options = _options(Way())
    options.optimized_model_filepath = str(mapped)
    options.add_session_config_entry("session.optimized_model_external_initializers_file_name", "weights.bin")
    options.add_session_config_entry("session.save_external_prepacked_constant_initializers", "1")
    ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.memory", description=__doc__)
    add_model(parser)
    parser.add_argument("--only", default="", metavar="WORD", help="ways whose name holds this; and the default")
    parser.add_argument("--longest", type=at_least(1), default=30.0, help="clip in seconds (default: 30)")
    parser.add_argument("--lengths", type=at_least(2, int), default=30, help="different ones (default: 30)")
    parser.add_argument("--rounds", type=at_least(2, int), default=4, help="over all lengths (default: 4)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
