"""Servers on paper: which balancer, how many replicas, how late an autoscaler is, and whether the simulation is true.

`check` runs a real server and simulates the same requests; the others run in simulated time alone, for the machine that
`python -m loadtest capacity` has measured, or for that of docs/performance.md. Prints Markdown; `--page` writes it
between the marks of that page. Ends with 1 where the simulation and the server differ by more than 15 %.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from loadtest.harness.page import describe, write_block
from loadtest.harness.plots import drawing
from loadtest.harness.subject import at_least, chosen_subject
from loadtest.simulation.balancers import POLICIES
from loadtest.simulation.balancing import highest_load, situations
from loadtest.simulation.check import Plan, compare
from loadtest.simulation.machine import REFERENCE, Machine, read_machine
from loadtest.simulation.measure import MEASURED
from loadtest.simulation.rush import rush
from loadtest.simulation.scaling import Scaling, Signal
from loadtest.simulation.situation import Situation, at_load
from loadtest.simulation.sizing import sizes

_LOADS = (0.7, 1.0, 1.5)
_HOURS = (100.0, 1e3, 1e4, 1e5, 1e6)
_DRAWN = ("round robin", "random", "better of two at random", "least connections", "least seconds queued")
_SIGNALS: Sequence[Mapping[Signal, float]] = ({"wait": 1.0}, {"busy": 0.7}, {"wait": 1.0, "busy": 0.7}, {"demand": 0.7})
_STARTS = (15.0, 60.0, 180.0)
_TIMES = 2.5

Table = tuple[list[str], list[list[str]]]
"""Heads and rows."""


def main(options: argparse.Namespace) -> int:
    """Answer what was asked for; return 1 where the check fails."""
    status = 0
    for name in options.studies or _STUDIES:
        table, words, passed = _STUDIES[name](options)
        text = f"{_markdown(*table)}\n\n{words}" if words else _markdown(*table)
        print(text)
        status |= not passed
        if options.page:
            write_block(options.page, name, text)
    return status


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add those of this command."""
    parser.add_argument("studies", nargs="*", metavar="STUDY", help=f"of {', '.join(_STUDIES)} (default: all)")
    machine = f"to simulate, {MEASURED.name} say (default: {REFERENCE.name})"
    parser.add_argument("--machine", type=Path, metavar="FILE", help=machine)
    parser.add_argument("--requests", type=at_least(100, int), default=20_000, help="of each run (default: 20000)")
    parser.add_argument("--hours", type=at_least(1), nargs="+", default=_HOURS, help="of audio a day, for scale")
    parser.add_argument("--vcpu-hour", type=at_least(0), default=0.04, help="price (default: 0.04)")
    parser.add_argument("--seconds", type=at_least(1), default=30.0, help="of each turn of check (default: 30)")
    parser.add_argument("--rounds", type=at_least(1, int), default=5, help="of check (default: 5)")
    parser.add_argument("--queue-seconds", type=at_least(0.1), default=3.0, help="the server's in check (default: 3)")
    parser.add_argument("--page", type=Path, metavar="FILE", help="to write to, docs/scale.md say")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="of balancers")


_Answer = tuple[Table, str, bool]
"""A table, words below it, and whether all is well."""


def _check(options: argparse.Namespace) -> _Answer:
    subject = chosen_subject(options)
    found = compare(subject, Plan(_LOADS, options.rounds, options.seconds, options.queue_seconds))
    rows = [
        [
            *(f"{each.load:g}", name, f"{each.measured[name]:.2f}{'/s' if name == 'goodput' else ' s'}"),
            *(str(each.told[name]), str(each.drawn[name])),
        ]
        for each in found
        for name in each.measured
    ]
    heads = ["load", "what", "measured", "simulated with the times told ÷ measured", "with times drawn ÷ measured"]
    return (heads, rows), f"*{subject.model.name}, {describe()}*", all(each.agrees for each in found)


def _balancers(options: argparse.Namespace) -> _Answer:
    asked = situations(_machine(options))
    rows = [[policy] for policy in POLICIES]
    with tqdm(total=len(asked) * len(rows), unit="cell", disable=None) as bar:
        for situation in asked.values():
            for row in rows:
                row.append(f"{highest_load(situation, row[0], options.requests):.0%}")
                bar.update()
    if options.picture:
        names = list(asked)
        _draw(options, {name: asked[name] for name in (names[0], names[2])})
    return (["policy", *asked], rows), "", True


def _draw(options: argparse.Namespace, asked: Mapping[str, Situation]) -> None:
    loads = [0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95]
    with drawing(options.picture, "99 of 100 clips are answered within, s", columns=len(asked)) as panels:
        for axes, (name, situation) in zip(panels, asked.items(), strict=True):
            for policy in _DRAWN:
                times = [at_load(situation, policy, load, options.requests).p99 for load in loads]
                axes.plot(loads, times, ".-", label=policy)
            axes.set(title=name, xlabel="load, of what the lanes can do", yscale="log")
        panels[0].legend(fontsize="small", loc="upper left")


def _scale(options: argparse.Namespace) -> _Answer:
    machine = _machine(options)
    heads = ["hours a day", "requests a second", f"replicas of {machine.lanes} lanes needed", "and to spare"]
    heads += ["Mbit/s of WAV", "an hour costs, replicas fixed", "following the day"]
    rows = [
        [
            *(f"{size.hours:,.0f}", f"{size.requests_per_second:,.0f}", f"{size.needed:,}", f"{size.replicas:,}"),
            *(f"{size.megabits:,.0f}", f"{size.fixed_price:.4f}", f"{size.scaled_price:.4f}"),
        ]
        for size in tqdm(
            sizes(machine, options.hours, options.vcpu_hour, options.requests),
            total=len(options.hours),
            unit="size",
            disable=None,
        )
    ]
    return (heads, rows), f"*{machine.name}; {options.vcpu_hour:g} for a processor and hour*", True


def _autoscaling(options: argparse.Namespace) -> _Answer:
    machine = _machine(options).with_lanes(2)
    rows = []
    for targets in tqdm(_SIGNALS, unit="signal", disable=None):
        named = " or ".join(f"{signal} {target:g}" for signal, target in targets.items())
        for start in _STARTS:
            found = rush(machine, Scaling(targets, start), 2, _TIMES)
            rows.append([named, f"{start:g} s", f"{found.refused:.1%}", f"{found.seconds:.0f} s"])
            rows[-1] += [str(found.replicas), f"{found.paid:.2f}"]
    heads = [
        "signal and its target",
        "a replica starts in",
        "refused",
        "refuses for",
        "replicas at most",
        "paid ÷ worked",
    ]
    return (heads, rows), f"*{machine.name}, {machine.lanes} lanes a replica*", True


_STUDIES: Mapping[str, Callable[[argparse.Namespace], _Answer]] = {
    "balancers": _balancers,
    "scale": _scale,
    "autoscaling": _autoscaling,
    "check": _check,
}


def _machine(options: argparse.Namespace) -> Machine:
    return read_machine(options.machine) if options.machine else REFERENCE


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
