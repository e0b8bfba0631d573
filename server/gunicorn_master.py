"""What the Gunicorn master does besides keeping workers: look before it starts or reloads, and say what is served."""

import functools
import json
import multiprocessing
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping
from typing import Any

from gunicorn.arbiter import Arbiter
from loguru import logger

from config.settings import Settings, read_settings, unknown_variables
from inference.confinement.confine import unguarded
from inference.machine import Plan
from server import handover, metric_files
from server.gunicorn_worker import AsrWorker
from server.startup import MEMORY, Served, machine_note, profile_note, served_packages

_SEMAPHORES_OF_A_LANE = 8
_CHECK_SECONDS = 120.0
_ENDING = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}


class UnfitMachine(Exception):
    """Something that the server cannot do without cannot be used; the message says what."""


class _NotReplaced(Exception):
    """The old workers go on."""


def check_machine(plan: Plan, configuration: Any) -> None:
    """Make what lanes and Gunicorn with its `configuration` will need, and throw it away; raise UnfitMachine."""
    # Those of lanes keep their names, and a process of the master that would tidy up after all of them: these do not.
    context = multiprocessing.get_context("fork")
    try:
        _ = [context.Lock() for _ in range(_SEMAPHORES_OF_A_LANE * plan.workers * plan.lanes)]
    except OSError as error:
        raise UnfitMachine(f"{MEMORY} must exist and be writable, for semaphores: {error.strerror}") from error
    temporary = configuration.worker_tmp_dir
    try:
        with tempfile.TemporaryFile(dir=temporary):
            pass
    except OSError as error:
        where = temporary or "a directory for temporary files (TMPDIR)"
        raise UnfitMachine(f"{where} must be writable, for Gunicorn's worker_tmp_dir: {error.strerror}") from error
    if unusable := _certificate_failure(configuration):
        raise UnfitMachine(unusable)


def _certificate_failure(configuration: Any) -> str:
    """Tell why workers could not load the certificate, which they do after they have begun; or nothing."""
    if not configuration.is_ssl:
        return ""
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(configuration.certfile, configuration.keyfile, password="")  # so that nobody is asked
    except OSError as error:  # SSLError is one
        return f"the certificate {configuration.certfile} or its key cannot be used: {error}"
    return ""


def announce(settings: Settings, plan: Plan, served: Served) -> None:
    """Log what a user wants to know: what is served where, and which settings are none."""
    logger.info(machine_note(settings))
    for sentence in (*unknown_variables(), *served.warnings):
        logger.warning(sentence)
    if missing := unguarded():
        logger.warning(
            f"lanes and decoders of recordings are kept in by less: {', '.join(missing)} is not to be had here"
        )
    if note := profile_note(settings):
        logger.info(note)
    package = served.packages[served.default]
    sample = "-F file=@tests/data/namaste.wav"
    address = "http://" + settings.address.replace("0.0.0.0", "localhost")  # noqa: S104 - for reading, not for binding
    known = '-H "Authorization: Bearer $KEY" ' if settings.authenticates else ""
    attempt = f"curl {known}{sample} {address}/transcribe"
    if settings.address.startswith("unix:"):
        address = settings.address
        attempt = f"curl {known}--unix-socket {address.removeprefix('unix:')} {sample} http://localhost/transcribe"
    logger.info(
        f"{package.name} ({package.language}, {settings.precision}, {package.decoding} decoding) on "
        f"{plan.workers} workers × {plan.lanes} processes × {plan.threads} threads at {address}"
    )
    logger.info(f"try: {attempt}")


def guard_reload(server: Any, served: Served) -> None:
    """Let SIGHUP replace the workers, which serve `served`, only where a server would start with what it would find.

    Gunicorn alone drops its configuration, executes the file again and ends where that fails; or it replaces workers
    that serve by ones that cannot load what they are to serve.
    """
    server.handle_hup = functools.partial(_reload, server, served)


def _reload(server: Any, served: Served) -> None:
    configuration, workers = server.app.cfg, server.num_workers
    try:
        reason = _failure(server) or _certificate_failure(configuration) or _loss(served)
        if not reason:
            _replace_workers(server)
            return
    except (Exception, SystemExit) as error:  # by what passed the check a moment ago
        if os.getpid() != server.pid:
            raise  # a worker's own end: it was forked in here
        server.app.cfg = configuration
        server.setup(server.app)
        server.num_workers = workers  # SIGTTIN and SIGTTOU change it
        guard_reload(server, served)
        reason = str(error) or repr(error)
    logger.bind(reason=reason).error("not reloaded: workers and configuration stay as they are")


def _replace_workers(server: Any) -> None:
    """Reload; Gunicorn would end the old workers at once, and readiness with them."""
    AsrWorker.succeeds, AsrWorker.failed_starts = True, 0
    server.manage_workers = functools.partial(_hand_over, server, set(server.WORKERS))
    try:
        Arbiter.handle_hup(server)
    finally:
        AsrWorker.succeeds, AsrWorker.failed_starts = False, 0
        del server.manage_workers


def _hand_over(server: Any, old: Collection[int]) -> None:
    """End the old workers once all new ones serve; where those do not, end them and raise _NotReplaced.

    Workers of another class than AsrWorker do not tell: as with Gunicorn alone, the old ones end at once.
    """
    new = {pid: worker for pid, worker in server.WORKERS.items() if pid not in old}
    if not _all_serve(server, new):
        _end(server, new)
        raise _NotReplaced("the new workers do not serve")
    Arbiter.manage_workers(server)


def _all_serve(server: Any, new: Mapping[int, Any]) -> bool:
    """Wait until all do; not where one ends, where it takes too long, or where the server is to end."""
    seen: list[int] = []
    give_up = time.monotonic() + server.cfg.timeout
    try:
        while new.keys() <= server.WORKERS.keys():
            if all(getattr(worker, "serves", True) for worker in new.values()):
                return True
            if time.monotonic() > give_up or not _ENDING.isdisjoint(seen):
                break
            seen += server.wait_for_signals(timeout=0.1)
            server.reap_workers()
        return False
    finally:
        for number in seen:
            server.SIG_QUEUE.put_nowait(number)


def _end(server: Any, new: Mapping[int, Any]) -> None:
    """End workers and see them gone, since Gunicorn would end an old one for each that it still counts."""
    give_up = time.monotonic() + server.cfg.graceful_timeout
    while left := new.keys() & server.WORKERS.keys():
        for pid in left:
            finishes = new[pid].serves and time.monotonic() < give_up  # what it was asked meanwhile
            server.kill_worker(pid, signal.SIGTERM if finishes else signal.SIGKILL)
        time.sleep(0.1)
        server.reap_workers()


def drain_first(server: Any, seconds: float) -> None:
    """Let SIGTERM turn readiness off so many seconds before the server ends; a second one ends it at once."""

    def drain() -> None:
        logger.info(f"draining: not ready from now on, and at an end in {seconds:g} s")
        handover.begin_draining()
        server.handle_term = functools.partial(Arbiter.handle_term, server)
        signal.signal(signal.SIGALRM, lambda *_: server.SIG_QUEUE.put_nowait(signal.SIGTERM))
        signal.setitimer(signal.ITIMER_REAL, seconds)

    if seconds:
        server.handle_term = drain


def _loss(served: Served) -> str:
    """Name the packages that are served now and would not be any more, though they lie there."""
    found = served_packages(read_settings())
    kept = {package.directory for package in found.packages.values()}
    lost = [package.directory for package in served.packages.values() if package.directory not in kept]
    return "; ".join(
        sentence for sentence in found.warnings if any(sentence.startswith(f"{directory} ") for directory in lost)
    )


def _failure(server: Any) -> str:
    """Have Gunicorn check everything in a process of its own, new code included; return why it fails, or nothing."""
    arguments = server.START_CTX["args"][2:]
    # Text is for people, JSON can be read here; and a process that only looks leaves no metric files.
    environment = {name: value for name, value in os.environ.items() if name != metric_files.VARIABLE}
    try:
        checked = subprocess.run(  # noqa: S603 - what this very server was started with
            [sys.executable, "-m", "gunicorn", "--check-config", *arguments],
            cwd=server.START_CTX["cwd"],
            env=environment | {"ASR_LOG_FORMAT": "json"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_CHECK_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"the check did not come to an end: {error}"
    if checked.returncode == 0:
        return ""
    said = checked.stderr.strip().splitlines() or [f"the check ended with {checked.returncode}"]
    try:
        return str(json.loads(said[-1])["message"])
    except (ValueError, KeyError, TypeError):
        return said[-1]
