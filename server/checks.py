"""What would fail in every worker, found before there is one."""

from config.settings import Settings
from inference.audio import require_resampler
from inference.errors import PackageError
from inference.loading import choose_decoding, choose_plan
from inference.package import Package, load_package


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
