"""What is found out before there is a worker: whether the package can be served, and how the processors are divided.

The division comes from settings where given, else from the tuned profile, else from computation.
"""

from dataclasses import dataclass

from config.profile import InvalidProfile, Profile, read_profile
from config.settings import Settings
from inference.audio.decode import require_resampler
from inference.errors import PackageError
from inference.loading import choose_decoding, choose_plan
from inference.machine import Plan, plan, usable_cpus
from inference.package import Package, load_package, read_package


def checked_package(settings: Settings) -> Package:
    """Load the package as it is to be decoded, its checksums compared.

    Raises PackageError or MissingDependency where it cannot be served.
    """
    package = choose_decoding(load_package(settings.model), settings.decoding)
    choose_plan(package, settings.precision)
    require_resampler(settings.resampler)
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
