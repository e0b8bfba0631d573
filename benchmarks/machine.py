"""Where it was measured, and which versions."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_ASK = (
    "import importlib.metadata as m, json, sys\n"
    "print(json.dumps({n: m.version(n) for n in sys.argv[1:] if any(m.distributions(name=n))}))"
)
_CPUINFO = Path("/proc/cpuinfo")
_INT8_PRODUCTS = {"avx512_vnni", "avx_vnni", "asimddp"}
_OURS = ("onnxruntime", "sherpa-onnx", "onnx-asr", "numpy", "gunicorn", "uvicorn")
_PEERS = ("sherpa-onnx-bin", "litserve", "onnx-asr", "onnxruntime", "fastapi", "uvicorn")
_NEMO = ("nemo_toolkit", "torch")


def describe(peers: Path | None, nemo: Path | None) -> str:
    """Name processor, system, and the versions in our environment, the peer servers' and NeMo's."""
    parts = [f"Processor: {_processor()}", f"Linux {platform.release()}", f"Python {platform.python_version()}"]
    parts.append(_told(versions(Path(sys.executable), _OURS)))
    if peers:
        parts.append(f"the peers' servers: {_told(versions(peers, _PEERS))}")
    if nemo:
        parts.append(_told(versions(nemo, _NEMO)))
    return "; ".join(parts)


def has_int8_products() -> bool:
    """Whether there are instructions that sum products of 8-bit numbers in 32 bits; others may saturate."""
    return not _INT8_PRODUCTS.isdisjoint(instruction_sets())


def instruction_sets() -> list[str]:
    """Those that matter for products, as far as the system tells."""
    try:
        words = set(_CPUINFO.read_text(encoding="utf-8").split())
    except OSError:
        return []
    return [name for name in ("avx2", "avx512f", *sorted(_INT8_PRODUCTS), "amx_int8") if name in words]


def load() -> str:
    """How busy the machine was in the last minute."""
    return f"{os.getloadavg()[0]:.1f}"


def versions(python: Path, names: Sequence[str]) -> Mapping[str, str]:
    """Of the packages that an environment has."""
    done = subprocess.run(  # noqa: S603 # an interpreter that the user named
        [str(python), "-c", _ASK, *names], stdout=subprocess.PIPE, check=True
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def _told(found: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in found.items())


def _processor() -> str:
    try:
        lines = _CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    known = instruction_sets()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    sets = f"{', '.join(known)}; {'with' if has_int8_products() else 'without'} 8-bit dot products"
    return f"{len(names)} × {names[0] if names else platform.machine()} ({sets})"
