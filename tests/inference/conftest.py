"""What tests of the command line share."""

import pytest

from inference.cli import transcribing


@pytest.fixture
def transcribe(model_directory, capsys):
    """In this process; gives the exit code, and what was written."""

    def transcribe(*arguments):
        code = transcribing.run(["--model", str(model_directory), "--threads", "1", *map(str, arguments)])
        return code, *capsys.readouterr()

    return transcribe
