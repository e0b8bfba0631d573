"""What is found out before there is a worker: whether the package can be served, and how the machine is divided.

The division comes from settings where given, else from the tuned profile, else from computation. Unless a setting says
how many lanes there are, there are no more than memory has room for.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from loguru import logger

from config.profile import InvalidProfile, Profile, read_profile
from config.settings import Settings
from inference.audio.resampling import require_resampler
from inference.errors import PackageError
from inference.loading import choose_decoding, choose_plan
from inference.machine import Plan, plan, usable_cpus, usable_memory, usable_processors
from inference.package import MANIFEST, Package, load_package, read_package

MEMORY = Path("/dev/shm")  # noqa: S108 - where the C library keeps semaphores, so that it must be there anyway


@dataclass(frozen=True, slots=True)
class Served:
    """The packages that are served."""

    packages: Mapping[str, Package]
    """By name; the default one is among them."""
    written: Mapping[str, int]
    """By name, when the manifest was, in seconds since 1970; it need not stay on the disk."""
    default: str
    warnings: tuple[str, ...]
    """Which packages were left out and why, as sentences."""
    aliases: tuple[str, ...] = ()
    """Other names of the default one."""


def served_packages(settings: Settings) -> Served:
    """Load the default package and those beside it in `ASR_MODELS`, as they are to be decoded, checksums compared.

    One that cannot be served is left out, unless it is the default one. Raises PackageError or MissingDependency.
    """
    require_resampler(settings.resampler)
    default = checked_package(settings, settings.model)
    packages, warnings = {default.name: default}, []
    for manifest in sorted(settings.models.glob(f"*/{MANIFEST}")):
        if manifest.parent.resolve() == settings.model.resolve():
            continue
        try:
            package = checked_package(settings, manifest.parent)
        except PackageError as error:
            warnings.append(f"{manifest.parent} is not served: {error}")
            continue
        if package.name in packages:
            warnings.append(f"{manifest.parent} is not served: another package is called {package.name} too")
        else:
            packages[package.name] = package
    written = {name: int((package.directory / MANIFEST).stat().st_mtime) for name, package in packages.items()}
    return Served(packages, written, default.name, tuple(warnings), settings.model_aliases)


def checked_package(settings: Settings, directory: Path) -> Package:
    """Load a package as it is to be decoded, its checksums compared; raise PackageError where it cannot be served."""
    package = choose_decoding(load_package(directory), settings.decoding)
    choose_plan(package, settings.precision)
    longest = package.longest_seconds
    for setting, seconds in (("CLIP", settings.clip_seconds), ("WINDOW", settings.window_seconds)):
        if seconds > longest:
            raise PackageError(f"ASR_{setting}_SECONDS is {seconds:g}; {package.name} takes {longest:g} s at most")
    return package


@dataclass(frozen=True, slots=True)
class _Found:
    profile: Profile | None
    note: str
    """For the log; empty where there is nothing to say."""


@cache
def shared_directory() -> Path:
    """Make the directory where workers share their work; the master asks first, and its workers inherit the answer."""
    return temporary_directory("asr-workers-")


def temporary_directory(prefix: str) -> Path:
    """Make one, in memory where nothing else is writable; raise OSError."""
    try:
        return Path(tempfile.mkdtemp(prefix=prefix))
    except OSError:
        return Path(tempfile.mkdtemp(prefix=prefix, dir=MEMORY))


def private(directory: Path) -> Path:
    """Return it, made again where a tidy-up has removed it; raise PermissionError where another user has made it."""
    directory.mkdir(mode=0o700, exist_ok=True)
    if directory.lstat().st_uid != os.geteuid():
        raise PermissionError(f"{directory} belongs to another user")
    return directory


def limits_file(settings: Settings) -> Path:
    """Where workers count what callers use, readable for this user alone; raise OSError.

    It is where the setting says, or where this user cannot write there, among what ends with the server.
    """
    path = settings.limits_file
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
    if not _is_writable(path):
        logger.warning(f"{path} cannot be written: what callers have used is forgotten when the server ends")
        return private(shared_directory()) / "limits.sqlite"
    return path


def _is_writable(path: Path) -> bool:
    """Make the file; its directory is where SQLite puts others beside it. Raise OSError where it is a link."""
    if not os.access(path.parent, os.W_OK):
        return False
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    except PermissionError:  # another user's
        return False
    return True


def remove_shared_directory() -> None:
    """Delete it, where there is one."""
    if shared_directory.cache_info().currsize:
        shutil.rmtree(shared_directory(), ignore_errors=True)


def resolve_plan(settings: Settings) -> Plan:
    """Fill in what was not set, so that workers × lanes × threads fit the processors.

    Whoever sets one of the three has a division of their own in mind: the profile then decides on spinning alone.
    """
    cpus = usable_cpus()
    profile = _find_profile(settings, cpus).profile
    spinning = settings.spinning
    if spinning is None:
        spinning = profile is not None and profile.spinning
    room = _memory(settings).room
    if profile is not None and settings.workers is settings.lanes is settings.threads is None:
        lanes = min(profile.lanes, room)
        workers = plan(lanes).workers
        return Plan(workers, lanes // workers, profile.threads, spinning)
    workers = settings.workers or plan(min(cpus, room)).workers
    threads = settings.threads or 1
    lanes = settings.lanes or max(1, min(cpus // threads, room) // workers)
    return Plan(workers, lanes, threads, spinning)


def machine_note(settings: Settings) -> str:
    """Say in a sentence which processors and how much memory were found, and how many lanes they have room for."""
    processors, memory = usable_processors(), _memory(settings)
    by_group = f" by control group {processors.group}" if processors.group else ""
    by_limit = f" by control group {memory.group}" if memory.group else ""
    return (
        f"{processors.amount:g} processors{by_group}; {memory.megabytes:.0f} MiB of memory{by_limit}, room for "
        f"{memory.room} lanes of {memory.lane_megabytes:.0f} MiB beside {memory.shared_megabytes:.0f} MiB for all"
    )


def profile_note(settings: Settings) -> str:
    """Say in a sentence whether a tuned profile is used, or why the one that lies there is not; empty without one."""
    return _find_profile(settings, usable_cpus()).note


def _find_profile(settings: Settings, cpus: int) -> _Found:
    path = settings.profile
    try:
        profile = read_profile(path)
        if profile is None:
            return _Found(None, "")
        package = read_package(settings.model)
        graph = package.fingerprint(choose_plan(package, settings.precision))
    except (InvalidProfile, PackageError) as error:
        return _Found(None, f"the tuned profile is ignored: {error}")
    if profile.graph != graph:
        return _Found(None, f"{path} is ignored: it was measured with another model; run 'python -m loadtest tune'")
    if profile.cpus != cpus:
        reason = f"it was measured with {profile.cpus} processors, here are {cpus}"
        return _Found(None, f"{path} is ignored: {reason}; run 'python -m loadtest tune'")
    return _Found(profile, f"{path} is used where settings leave it room")


@dataclass(frozen=True, slots=True)
class _Memory:
    """In MiB."""

    megabytes: float
    group: str
    """Control group that sets the limit; empty where it is the machine's own memory."""
    shared_megabytes: float
    lane_megabytes: float

    @property
    def room(self) -> int:
        """Lanes that fit, at least one; more than anybody has processors for where the system does not say."""
        return int(max(1, min(10_000, (self.megabytes - self.shared_megabytes) / self.lane_megabytes)))


# Measured on lanes of hi-demo (graph of 26 MiB) and of a random medium package (127 MiB), fp32, by the most that a
# process had resident without what it maps: 60 and 70 MiB with clips of 10 s, 134 and 178 with 30 s. Of what lanes map
# once for all, 26 and 113 MiB were resident, and all of the language model, which is unpacked to less than three times
# its file. Master and one worker took 90 MiB.
_SERVER, _LANE, _LANE_SECOND, _FURTHER_MODEL = 128, 48, 5, 16
_MAPPED_GRAPH, _MAPPED_LANGUAGE_MODEL = 1.25, 3.0
_WIDENED = {"float32": 1, "float16": 2, "int8": 4}  # times the file, at most


def _memory(settings: Settings) -> _Memory:
    """Divide memory; a lane is counted with as many packages as it may come to hold."""
    limit = usable_memory()
    directories = {settings.model.resolve(), *(path.parent.resolve() for path in settings.models.glob(f"*/{MANIFEST}"))}
    mapped = sorted((_mapped_bytes(directory) for directory in directories), reverse=True)[: settings.models_loaded]
    return _Memory(
        megabytes=limit.amount / 2**20,
        group=limit.group,
        shared_megabytes=_SERVER + sum(mapped) / 2**20,
        lane_megabytes=_LANE
        + _LANE_SECOND * max(settings.clip_seconds, settings.window_seconds)
        + _FURTHER_MODEL * (len(mapped) - 1),
    )


def _mapped_bytes(directory: Path) -> float:
    """What all lanes together hold of a package; nothing where it will not be served."""
    try:
        package = read_package(directory)
        language_models = [path for path in (package.language_model_path(), package.word_model_path()) if path]
        stored = package.model_path().stat().st_size * _WIDENED[package.graph().weights]
        mapped = _MAPPED_GRAPH * stored
        return mapped + sum(_MAPPED_LANGUAGE_MODEL * path.stat().st_size for path in language_models)
    except (OSError, PackageError):
        return 0.0
