"""Real load on a real server for a few seconds: texts are right, nothing is lost, and the reports are there."""

import pytest

from tools import capacity, loadtest, soak
from tools.local_server import LocalServer, ServerFailed

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(300)]
REPORTS = ("report.html", "locust_stats.csv", "outcomes.csv", "plot.png")


@pytest.mark.parametrize(("scenario", "seconds"), [("steady", 5), ("chaos", 10)])
def test_scenario(scenario, seconds, model_directory, tmp_path, capsys):
    arguments = [scenario, "--seconds", str(seconds), "--model", str(model_directory), "--out", str(tmp_path)]
    assert loadtest.main(arguments) == 0
    assert all((tmp_path / scenario / name).stat().st_size for name in REPORTS)
    told = capsys.readouterr().out
    assert "lost 0  wrong texts 0" in told
    assert ("lanes killed" in told) == (scenario == "chaos")


def test_capacity_of_a_server_of_its_own(model_directory, tmp_path, capsys):
    arguments = ["--model", str(model_directory), "--p95", "3", "--seconds", "1", "--plot", str(tmp_path / "plot.png")]
    assert capacity.main(arguments) in {0, 1}
    assert "p95" in capsys.readouterr().out


def test_capacity_loads_no_stranger(model_directory, capsys):
    assert capacity.main(["--model", str(model_directory), "--url", "http://192.0.2.1:8000"]) == 2
    assert "another machine" in capsys.readouterr().err


def test_soak_for_a_few_seconds(model_directory, tmp_path, capsys):
    # Too short to judge memory by: it is the telling that is tested.
    assert soak.main(["--minutes", "0.2", "--model", str(model_directory), "--out", str(tmp_path)]) in {0, 1}
    assert "0 lost, 0 wrong texts" in capsys.readouterr().out
    assert (tmp_path / "memory.csv").read_text(encoding="utf-8").count("lane") >= 2
    assert (tmp_path / "plot.png").exists()


def test_a_server_that_does_not_start_tells_why(tmp_path):
    with pytest.raises(ServerFailed, match=r"model\.yaml"), LocalServer({"ASR_MODEL": tmp_path}):
        pass
