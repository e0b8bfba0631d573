"""The real NeMo, or a reason why these tests are skipped."""

import importlib.util
from pathlib import Path

import pytest

NEMO_MISSING = importlib.util.find_spec("nemo") is None


def pytest_collection_modifyitems(items):
    """Mark everything beside this file; NeMo and what it imports warn of much that is not ours to change."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.parity)
            item.add_marker(pytest.mark.filterwarnings("ignore"))
            if NEMO_MISSING:
                item.add_marker(
                    pytest.mark.skip(reason="NeMo is not installed: pip install -r requirements/export.txt")
                )


@pytest.fixture(scope="session")
def nemo_checkpoint_file(tmp_path_factory) -> Path:
    """A real .nemo file: a Conformer-CTC of the medium model's kind, small enough to export in seconds."""
    from export.configuration import Shape
    from export.random_model import random_checkpoint

    path = tmp_path_factory.mktemp("nemo") / "tiny.nemo"
    random_checkpoint(Shape(width=32, layers=2, heads=4, positions=300), seed=7, save_to=path)
    return path


@pytest.fixture(scope="session")
def nemo_checkpoint(nemo_checkpoint_file):
    """The same, restored by NeMo."""
    from export.checkpoint import open_checkpoint

    return open_checkpoint(str(nemo_checkpoint_file))
