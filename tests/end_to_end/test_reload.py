"""SIGHUP, and workers started anew, while something on the disk is wrong: whoever serves goes on serving."""

import re
import shutil
import signal
from contextlib import suppress

import httpx
import pytest

from loadtest.harness.processes import wait_until
from loadtest.harness.server import GENEROUS, GunicornServer, Reached
from tests.samples import CLIPS, DATA

NAMASTE = next(path for path in CLIPS if path.stem == "namaste")
ROOT = CLIPS[0].parents[2]
REFUSED = "not reloaded: workers and configuration stay as they are"


def cut(package):
    """As if it were being copied."""
    graph = package / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:100_000])


def remove_graph(package):
    (package / "model.onnx").unlink()


def garble_description(package):
    (package / "model.yaml").write_text("{", encoding="utf-8")


def remove(package):
    shutil.rmtree(package)


@pytest.fixture
def package(model_directory, tmp_path):
    """A copy that may be broken, and how to mend it."""
    copy = tmp_path / "packages" / "copy"
    shutil.copytree(model_directory, copy)
    return copy


@pytest.fixture
def faulty(tmp_path):
    """A configuration with which starts go wrong as long as there is a certain file, and that file."""

    def faulty(fault, always="", wrongly=""):
        configuration, wrong = tmp_path / "gunicorn.conf.py", tmp_path / "wrong"
        text = (ROOT / "gunicorn.conf.py").read_text(encoding="utf-8")
        hook = f"def post_worker_init(_worker):\n    import time\n    if os.path.exists('{wrong}'): {fault}\n"
        other = f"if os.path.exists('{wrong}'):\n    {wrongly or 'pass'}\n"
        configuration.write_text(f"{text}\n\n{always}\n{hook}\n{other}", encoding="utf-8")
        return configuration, wrong

    return faulty


def serves(server, worker, text):
    """That worker, and no other, gives the right text."""
    assert server.post(NAMASTE.read_bytes()).json()["text"] == text
    assert server.workers() == [worker]


def refusal(server, count):
    """The reason of the last one, after so many."""
    server.process.send_signal(signal.SIGHUP)
    return wait_until(
        lambda: len(server.logged(REFUSED)) == count and server.logged(REFUSED)[-1]["reason"], "a refusal"
    )


@pytest.mark.measuring
def test_a_damaged_package_is_not_taken(start, package, model_directory, library_texts):
    with start(package) as server:
        (worker,) = server.workers()
        for count, damage in enumerate((cut, remove_graph, garble_description, remove), 1):
            damage(package)
            assert str(package) in refusal(server, count)
            serves(server, worker, library_texts[NAMASTE])
            shutil.copytree(model_directory, package, dirs_exist_ok=True)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: worker not in server.workers() and server.workers(), "a new worker")
        wait_until(server.is_ready, "ready again")
        assert server.post(NAMASTE.read_bytes()).json()["text"] == library_texts[NAMASTE]


@pytest.mark.measuring
def test_no_package_is_lost_by_a_reload(start, package, library_texts):
    second = package.parent / "second"
    shutil.copytree(package, second)
    description = (second / "model.yaml").read_text(encoding="utf-8")
    renamed = re.sub(r"^name: .*", "name: second", description, flags=re.MULTILINE)
    (second / "model.yaml").write_text(renamed, encoding="utf-8")
    with start(package, ASR_MODELS=package.parent) as server:
        (worker,) = server.workers()
        cut(second)
        assert f"{second / 'model.onnx'} is damaged" in refusal(server, 1)
        serves(server, worker, library_texts[NAMASTE])
        remove(second)  # on purpose, as it seems
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: worker not in server.workers() and server.workers(), "a new worker")


def is_unready(server):
    """It says so. A client that a busy machine lets wait between connecting and asking is closed without an answer."""
    with suppress(httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError), server.client() as client:
        return client.get("/readyz").status_code != 200
    return False


@pytest.mark.measuring
def test_readiness_stays(start):
    """New workers are not ready at once: the old ones serve until they are."""
    with start() as server:
        (worker,) = server.workers()
        server.process.send_signal(signal.SIGHUP)
        while worker in server.workers():
            assert not is_unready(server)
        assert not is_unready(server)


@pytest.mark.measuring
@pytest.mark.parametrize(
    ("workers", "fault"), [((2, 1), "os.abort()"), ((1, 2), "sys.exit(3)")], ids=["fewer, killed", "more, ended"]
)
def test_workers_that_do_not_start_replace_nobody(start, faulty, library_texts, workers, fault):
    before, after = workers
    configuration, wrong = faulty(fault, wrongly=f"workers = {after}")
    with start(GUNICORN_CMD_ARGS=f"--config {configuration}", ASR_WORKERS=before, ASR_LANES=1) as server:
        old = server.workers()
        wrong.touch()
        for count in (1, 2):
            assert refusal(server, count) == "the new workers do not serve"
            assert server.post(NAMASTE.read_bytes()).json()["text"] == library_texts[NAMASTE]
            wait_until(lambda: server.workers() == old, "the old workers, and no others")
        assert not failed_starts(server)  # the first reload's, for which the second one would wait


@pytest.mark.measuring
def test_sigterm_while_new_workers_start(start, faulty, library_texts):
    """It is the old ones that drain: the new ones do not listen yet."""
    configuration, wrong = faulty("time.sleep(10_000)")
    with start(GUNICORN_CMD_ARGS=f"--config {configuration}", ASR_DRAIN_SECONDS=100_000) as server:
        (worker,) = server.workers()
        wrong.touch()
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(server.workers()) == 2, "a new worker, or the check before it")
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: server.logged(REFUSED), "a refusal")
        wait_until(lambda: is_unready(server), "readiness off")
        serves(server, worker, library_texts[NAMASTE])


def test_a_wrong_configuration_is_not_taken(start, tmp_path, library_texts):
    configuration = tmp_path / "gunicorn.conf.py"
    right = (ROOT / "gunicorn.conf.py").read_text(encoding="utf-8")
    configuration.write_text(right, encoding="utf-8")
    wrong = {"workers = 'many'": "many", "raise OSError('no')": "no", "for": "invalid syntax", "sys.exit(7)": "7"}
    with start(GUNICORN_CMD_ARGS=f"--config {configuration}") as server:
        (worker,) = server.workers()
        for count, (line, reason) in enumerate(wrong.items(), 1):
            configuration.write_text(f"{right}\n{line}\n", encoding="utf-8")
            assert reason in refusal(server, count)
        serves(server, worker, library_texts[NAMASTE])


def test_a_lost_certificate_is_not_taken(model_directory, tmp_path, library_texts):
    certificate = tmp_path / "certificate.pem"
    shutil.copyfile(DATA / "localhost.pem", certificate)
    settings = {**GENEROUS, "GUNICORN_CMD_ARGS": f"--certfile {certificate} --keyfile {certificate}"}
    reached = Reached(url="https://localhost:{port}", transport={"verify": False})
    with GunicornServer(model_directory, tmp_path, settings, reached) as server:
        (worker,) = server.workers()
        certificate.write_text("", encoding="utf-8")
        assert str(certificate) in refusal(server, 1)
        with server.client() as client:
            reply = client.post("/transcribe", content=NAMASTE.read_bytes())
        assert reply.json()["text"] == library_texts[NAMASTE]
        assert server.workers() == [worker]


def failed_starts(server):
    lines = [line["message"] for line in server.log_lines() if isinstance(line, dict)]
    return [line for line in lines if "workers in a row could not start" in line]


@pytest.mark.measuring
def test_a_worker_that_cannot_load_ends_nobody(start, package, model_directory, library_texts):
    with start(package) as server:
        cut(package)
        server.workers()[0].kill()
        wait_until(lambda: len(failed_starts(server)) > 2, "three tries")
        assert failed_starts(server)[2] == "3 workers in a row could not start; the next one waits 4 s"
        shutil.copytree(model_directory, package, dirs_exist_ok=True)
        wait_until(server.is_ready, "ready again")
        assert server.post(NAMASTE.read_bytes()).json()["text"] == library_texts[NAMASTE]
        cut(package)
        server.workers()[0].kill()
        wait_until(lambda: len(failed_starts(server)) > 3, "another one that waits")
        server.stop()


FAULTS = {"it hangs": "time.sleep(10_000)", "it is killed": "os.abort()"}


@pytest.mark.measuring
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_worker_whose_start_goes_wrong_is_replaced(start, faulty, library_texts, fault):
    # Shorter than a start takes on a busy machine, it would end every worker.
    configuration, wrong = faulty(fault, always="timeout = 30")
    with start(GUNICORN_CMD_ARGS=f"--config {configuration}") as server:
        (worker,) = server.workers()
        wrong.touch()
        worker.kill()
        wait_until(lambda: server.workers() not in ([], [worker]), "a new worker")
        wait_until(lambda: failed_starts(server), "a failed start")
        wrong.unlink()
        wait_until(server.is_ready, "ready again")
        assert server.post(NAMASTE.read_bytes()).json()["text"] == library_texts[NAMASTE]
