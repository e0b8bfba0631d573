"""A package → a pipeline, by the fastest way that the package and this machine allow."""

from dataclasses import dataclass
from pathlib import Path

from inference.cpu import has_int8_products
from inference.errors import PackageError
from inference.model import SessionOptions
from inference.package import Package
from inference.pipeline import Pipeline
from inference.prepared import prepare

CACHE = Path(__file__).parent.parent / "build" / "cache"
"""Where graphs prepared for this machine lie unless somebody says otherwise."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A pipeline, and how it came about."""

    pipeline: Pipeline
    precision: str
    """`fp32` or `int8`, as it is computed."""
    prepared: bool
    """Whether the graph prepared for this machine is in use, whose weights all processes share."""


def choose_precision(package: Package, wanted: str) -> str:
    """`fp32` or `int8`, where `auto` is wanted: int8 if the package's plan has passed the gate and it is faster here.

    Raises PackageError where int8 is wanted and cannot be had. Without instructions for 8-bit products (VNNI on x86)
    int8 is no faster, and AVX2's own would saturate.
    """
    able = has_int8_products()
    if wanted == "int8" and package.int8 is None:
        raise PackageError(f"{package.directory} has no int8 plan: 'python -m export quantise' makes one")
    if wanted == "int8" and not able:
        raise PackageError("this processor has no instructions for 8-bit products (VNNI): int8 cannot be used")
    return "int8" if wanted != "fp32" and package.int8 is not None and able else "fp32"


def load(
    package: Package, session_options: SessionOptions | None = None, precision: str = "auto", cache: Path = CACHE
) -> Loaded:
    """Load the graph prepared for this machine, made now if there is none; `precision` is `auto`, `fp32` or `int8`.

    Where the cache cannot be written or read, the package's own graph is loaded, in fp32. Raises PackageError where
    that is unusable too, or where `choose_precision` does.
    """
    chosen = choose_precision(package, precision)
    try:
        graph = prepare(package, chosen, cache)
        return Loaded(Pipeline(package, session_options, graph=graph), chosen, prepared=True)
    except (OSError, PackageError):
        return Loaded(Pipeline(package, session_options), "fp32", prepared=False)
