"""A package → a pipeline, by the fastest way that the package and this machine allow."""

from pathlib import Path

from inference.errors import DamagedCache, PackageError
from inference.machine import int8_weight_bits, usable_cpus
from inference.package import Package, load_package
from inference.pipeline import Pipeline, Prepared
from inference.prepared.prepare import prepare, prepare_for_any, warnings_of
from inference.process import give_memory_back
from inference.recogniser import SessionOptions
from inference.types import Int8Plan

CACHE = Path(__file__).parent.parent / "build" / "cache"
"""Where graphs prepared for this machine lie unless somebody says otherwise."""


def choose_plan(package: Package, wanted: str) -> Int8Plan | None:
    """The int8 plan to follow, or None for fp32; `wanted` is `auto`, `fp32` or `int8`.

    `auto` follows a plan where one has passed the gate with the weights that this processor wants. Raises PackageError
    where int8 is wanted and cannot be had.
    """
    bits = int8_weight_bits()
    plan = package.plan(bits) if wanted != "fp32" else None
    if wanted == "int8" and bits is None:
        raise PackageError("this processor has no instructions for 8-bit products (VNNI, AVX2): int8 cannot be used")
    if wanted == "int8" and plan is None:
        raise PackageError(
            f"{package.directory} has no int8 plan for weights of {bits} bits, which this processor wants: "
            "'python -m export quantise' makes one"
        )
    return plan


def choose_decoding(package: Package, wanted: str) -> Package:
    """The package as it is to be decoded; `wanted` is `auto`, `greedy` or `beam`.

    `auto` takes the language model where the package has one. Raises PackageError where beam search is wanted and it
    has none.
    """
    if wanted == "beam" and not package.language_model:
        raise PackageError(
            f"{package.directory} has no language model for beam search: 'python -m export language-model' makes one"
        )
    return package.greedy() if wanted == "greedy" else package


def load(
    model: str | Path | Package,
    session_options: SessionOptions | None = None,
    precision: str = "auto",
    cache: Path = CACHE,
) -> Pipeline:
    """Load a package, or the one in a directory, with the graph prepared for this machine, made now if there is none.

    `precision` is `auto`, `fp32` or `int8`; without `session_options` all processors are used.
    What is damaged in the cache is made anew. Where the graph cannot be prepared in int8 it is in fp32; where that
    fails, or the cache cannot be written or read, the package's own graph is loaded, in fp32: `warnings` of the
    pipeline say why. Raises PackageError where that is unusable too, or where `choose_plan` does.
    """
    package = model if isinstance(model, Package) else load_package(Path(model))
    session_options = session_options or SessionOptions(threads=usable_cpus())
    warnings: list[str] = []
    for plan in dict.fromkeys((choose_plan(package, precision), None)):
        try:
            pipeline = _prepared(package, session_options, plan, cache)
        except OSError as error:
            warnings.append(f"{package.name} takes more memory and is slower, since {cache} cannot be used: {error}")
            break
        except PackageError as error:
            name = plan.precision if plan else "fp32"
            warnings.append(f"{package.name} is slower than it could be, since its {name} graph was not made: {error}")
        else:
            pipeline.warnings = (*warnings, *pipeline.warnings)
            return pipeline
    return Pipeline(package, session_options, warnings=tuple(warnings))


def prepare_for_any_processor(package: Package, cache: Path) -> None:
    """Make what `load` finds in a cache that it cannot write, on any processor: all, with a graph of each int8 plan.

    Without plans it is one in fp32. Raises OSError where the cache cannot be written, PackageError where the package
    cannot be used.
    """
    for plan in package.int8 or (None,):
        graph = prepare_for_any(package, plan, cache)
        Pipeline(package, SessionOptions(), prepared=Prepared(graph, cache, plan.precision if plan else "fp32"))


def _prepared(package: Package, session_options: SessionOptions, plan: Int8Plan | None, cache: Path) -> Pipeline:
    for damaged in range(3):  # the graph may be, and the language model
        graph = prepare(package, plan, cache)
        prepared = Prepared(graph, cache, plan.precision if plan else "fp32")
        try:
            pipeline = Pipeline(package, session_options, prepared=prepared, warnings=warnings_of(graph))
            break
        except DamagedCache:
            if damaged == 2:
                raise
    give_memory_back()  # what was made for all took several times the weights
    return pipeline
