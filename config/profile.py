"""The profile that `python -m loadtest tune` writes for one machine and one model, and `make run` picks up."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

_HEADER = "# Written by 'python -m loadtest tune' for this machine alone; delete it to go back to the computed plan.\n"


@dataclass(frozen=True, slots=True)
class Profile:
    """How to divide the processors, as measured."""

    graph: str
    """SHA-256 of the model's graph that was measured."""
    cpus: int
    """Processors that could be used then, by affinity and cgroup quota."""
    lanes: int
    """Pool processes of the whole server."""
    threads: int
    """ONNX Runtime threads of one lane."""
    spinning: bool
    """Whether idle ONNX Runtime threads spin."""


class InvalidProfile(Exception):
    """The file is no profile; the message says why."""


def read_profile(path: Path) -> Profile | None:
    """Read a profile; None where there is no file or an empty one. Raises InvalidProfile."""
    if not path.exists():
        return None
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        if content is None:
            return None
        profile = Profile(**content)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError) as error:
        raise InvalidProfile(f"{path}: {error}") from error
    numbers = (profile.cpus, profile.lanes, profile.threads)
    if any(type(number) is not int or number < 1 for number in numbers) or type(profile.spinning) is not bool:
        raise InvalidProfile(f"{path}: cpus, lanes and threads must be whole numbers from 1, spinning true or false")
    return profile


def write_profile(profile: Profile, path: Path) -> None:
    """Write it whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    partial.write_text(_HEADER + yaml.safe_dump(asdict(profile), sort_keys=False), encoding="utf-8")
    partial.replace(path)
