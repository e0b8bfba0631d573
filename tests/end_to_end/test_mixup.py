"""Nobody ever gets another's text, whatever clients and processes do."""

import pytest

from loadtest.__main__ import main


@pytest.mark.measuring
@pytest.mark.timeout(900)  # a minute or so; however slow a machine is
def test_nobody_gets_anothers_text(model_directory, capsys):
    assert main(["mixup", "--model", str(model_directory), "--requests", "2000"]) == 0, capsys.readouterr().out
    right, *_ = capsys.readouterr().out.split()
    assert int(right) > 1000
