"""Gunicorn: Uvicorn workers, each with a pool of its own. Run as `python -m gunicorn server.asgi:app`.

With `python -m`, spawned pool processes need not import Gunicorn's start script again.
"""

import os
import sys
from pathlib import Path
from typing import Any

from loguru import logger
from uvicorn_worker import UvicornWorker

from config.logging import configure_logging
from config.settings import InvalidSettings, read_settings, unknown_variables
from inference.errors import InferenceError
from inference.process import die_with
from server import metric_files
from server.startup import (
    machine_note,
    profile_note,
    remove_shared_directory,
    resolve_plan,
    served_packages,
    shared_directory,
)

try:
    settings = read_settings()
except InvalidSettings as error:
    sys.exit(str(error))
configure_logging(settings.log_level, settings.log_format)
plan = resolve_plan(settings)
if plan.workers > 1:
    shared_directory()  # before there are workers, who inherit it

# Before anything imports prometheus_client, which looks for it on import; workers inherit it.
metrics_directory = metric_files.choose_directory()
# NumPy's BLAS would start a thread for each processor in every lane.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# glibc's malloc asks for huge pages: lanes take their buffers from malloc, and touch them sooner (docs/load.md).
os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")


class AsrWorker(UvicornWorker):  # type: ignore[misc]
    """A Uvicorn worker that finishes its requests before it goes."""

    CONFIG_KWARGS = {  # noqa: RUF012 - the base class's own way
        "loop": "uvloop",
        "http": "server.http.protocol:HttpProtocol",
        "ws": "none",
        "proxy_headers": False,  # ASR_TRUSTED_PROXIES, read by server/http/auth.py
        "access_log": False,  # the middleware logs each request, with its id
        "timeout_graceful_shutdown": settings.grace_seconds,
    }


bind = settings.bind
workers = plan.workers
worker_class = AsrWorker
max_requests = settings.max_requests
max_requests_jitter = settings.max_requests // 10
graceful_timeout = settings.grace_seconds
# A worker's heartbeat stops while it drains, so this must be the longer of the two.
timeout = settings.grace_seconds + 30
keepalive = settings.keepalive_seconds
control_socket_disable = True  # nobody needs a second way in
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"loguru": {"class": "config.logging.StandardLibraryHandler"}},
    "root": {"handlers": ["loguru"], "level": settings.log_level},
    "loggers": {"gunicorn.error": {"handlers": ["loguru"], "level": settings.log_level, "propagate": False}},
}


def on_starting(_server: Any) -> None:
    """Check what can be checked once, and say what a user wants to know; end with one clear line where it fails."""
    metric_files.clear(metrics_directory)
    for sentence in unknown_variables():
        logger.warning(sentence)
    try:
        served = served_packages(settings)
    except InferenceError as error:
        logger.error(str(error))
        metric_files.remove(metrics_directory)
        remove_shared_directory()
        sys.exit(1)
    logger.info(machine_note(settings))
    if note := profile_note(settings):
        logger.info(note)
    for sentence in served.warnings:
        logger.warning(sentence)
    package = served.packages[served.default]
    address = settings.bind.replace("0.0.0.0", "localhost")  # noqa: S104 - for reading, not for binding
    logger.info(
        f"{package.name} ({package.language}, {settings.precision}, {package.decoding} decoding) on "
        f"{plan.workers} workers × {plan.lanes} processes × {plan.threads} threads at http://{address}"
    )
    sample = Path("tests/data/namaste.wav")
    logger.info(f"try: curl -F file=@{sample} {address}/transcribe")


def post_fork(_server: Any, worker: Any) -> None:
    """End with the master: Uvicorn's workers do not look whether they still have one."""
    die_with(worker.ppid)


def child_exit(_server: Any, worker: Any) -> None:
    """Keep the counts of a worker that has gone, not its files."""
    metric_files.inherit(metrics_directory, worker.pid)


def on_exit(_server: Any) -> None:
    """Leave nothing behind."""
    metric_files.remove(metrics_directory)
    remove_shared_directory()
