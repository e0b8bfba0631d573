"""What is found out before there is a worker: whether the package can be served, and how the processors are divided.

The division comes from settings where given, else from the tuned profile, else from computation.
"""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from config.profile import InvalidProfile, Profile, read_profile
from config.settings import Settings
from inference.audio.decode import require_resampler
from inference.errors import PackageError
from inference.loading import choose_decoding, choose_plan
from inference.machine import Plan, plan, usable_cpus
from inference.package import MANIFEST, Package, load_package, read_package


@dataclass(frozen=True, slots=True)
class Served:
    """The packages that are served."""

    packages: Mapping[str, Package]
    """By name; the default one is among them."""
    default: str
    warnings: tuple[str, ...]
    """Which packages were left out and why, as sentences."""


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
    return Served(packages, default.name, tuple(warnings))


def checked_package(settings: Settings, directory: Path) -> Package:
    """Load a package as it is to be decoded, its checksums compared; raise PackageError where it cannot be served."""
    package = choose_decoding(load_package(directory), settings.decoding)
    choose_plan(package, settings.precision)
    if settings.clip_seconds > package.longest_seconds:
        raise PackageError(
            f"ASR_CLIP_SECONDS is {settings.clip_seconds:g}; {package.name} takes {package.longest_seconds:g} s at most"
        )
    return package


@dataclass(frozen=True, slots=True)
class _Found:
    profile: Profile | None
    note: str
    """For the log; empty where there is nothing to say."""


@cache
def shared_directory() -> Path:
    """Make the directory where workers share their work; the master asks first, and its workers inherit the answer."""
    return Path(tempfile.mkdtemp(prefix="asr-workers-"))


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
    if profile is not None and settings.workers is settings.lanes is settings.threads is None:
        workers = plan(profile.lanes).workers
        return Plan(workers, profile.lanes // workers, profile.threads, spinning)
    workers = settings.workers or plan(cpus).workers
    threads = settings.threads or 1
    lanes = settings.lanes or max(1, cpus // (workers * threads))
    return Plan(workers, lanes, threads, spinning)


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
        return _Found(None, f"{path} is ignored: it was measured with another model; run 'python -m tools.tune'")
    if profile.cpus != cpus:
        reason = f"it was measured with {profile.cpus} processors, here are {cpus}"
        return _Found(None, f"{path} is ignored: {reason}; run 'python -m tools.tune'")
    return _Found(profile, f"{path} is used where settings leave it room")
