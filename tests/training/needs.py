"""What a test of the recipe cannot do without."""

import importlib.util
import shutil

import pytest

WARNS = pytest.mark.filterwarnings("default")
"""For what imports NeMo, whose imports warn."""


def needs(*modules: str, programs: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    """Skip, with what to install, where one is missing."""
    missing = [name for name in modules if not importlib.util.find_spec(name)]
    missing += [f"the program {name}" for name in programs if not shutil.which(name)]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}: training/README.md")
