"""Gunicorn: Uvicorn workers, each with a pool of its own. Run as `python -m gunicorn server.asgi:app`.

With `python -m`, spawned pool processes need not import Gunicorn's start script again.
SIGHUP replaces the workers, unless what `python -m gunicorn --check-config server.asgi:app` looks at is wrong.
"""

import contextlib
import os
import resource
import sys
from collections.abc import Iterator
from typing import Any

from loguru import logger

from config.logging import configure_logging
from config.settings import InvalidSettings, read_settings
from inference.errors import InferenceError
from server import exposure, gunicorn_master, metric_files
from server.authentication.authenticator import Authenticator
from server.authentication.key_file import InvalidKeys
from server.gunicorn_worker import AsrWorker
from server.startup import MEMORY, remove_shared_directory, resolve_plan, served_packages, shared_directory

try:
    settings = read_settings()
except InvalidSettings as error:
    configure_logging("INFO", "auto")  # nobody knows what was wanted
    for sentence in str(error).splitlines():
        logger.error(sentence)
    sys.exit(1)
configure_logging(settings.log_level, settings.log_format)
try:
    served = served_packages(settings)
    authenticator = Authenticator(settings)
except (InferenceError, InvalidKeys) as error:
    logger.error(str(error))
    sys.exit(1)
if settings.authenticates:
    os.environ["ASR_AUTH"] = "required"  # a worker that starts when the file of keys is gone is no open door
# Nor does a first key move the server at a reload: Gunicorn would close where it listens, and find the port taken, by
# its own workers.
os.environ["ASR_BIND"] = settings.address
plan = resolve_plan(settings)
recycling = settings.max_requests > 0
shared_metrics = recycling or plan.workers > 1

# NumPy's BLAS would start a thread for each processor in every lane.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# glibc's malloc asks for huge pages: lanes take their buffers from malloc, and touch them sooner (docs/notes).
os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")

# What a core file holds would be audio, texts and keys.
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

bind = [settings.address, *filter(None, (settings.management_bind,))]
workers = plan.workers
worker_class = AsrWorker
# Memory: a heartbeat must not wait for a disk, nor end with a tidy-up of /tmp or a root that is read-only.
worker_tmp_dir = str(MEMORY) if MEMORY.is_dir() else None
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


@contextlib.contextmanager
def as_workers(configuration: Any) -> Iterator[None]:
    """Be the user that workers are, where Gunicorn's --user names another one than root, who runs the master.

    What workers share is theirs then, and links that they put there lead root nowhere.
    """
    user, group, groups = os.geteuid(), os.getegid(), os.getgroups()
    if (configuration.uid, configuration.gid) == (user, group):
        yield
        return
    try:
        os.setgroups([configuration.gid])
        os.setegid(configuration.gid)
        os.seteuid(configuration.uid)
        yield
    finally:
        os.seteuid(user)
        os.setegid(group)
        os.setgroups(groups)


def make_directories(configuration: Any, *, keep_files: bool) -> None:
    """Make what workers share, before there are workers, who inherit the names."""
    try:
        with as_workers(configuration):
            shared_directory()
            metric_files.open_directory(shared=shared_metrics, keep_files=keep_files)
    except PermissionError:
        named = metric_files.shared_directory()
        if named is None or named.exists():
            raise
        # By root, then: where that user can make none it can put no link in its place either.
        named.mkdir(parents=True)
        os.chown(named, configuration.uid, configuration.gid)


def on_starting(server: Any) -> None:
    """Check the machine, and say what a user wants to know; end with one clear line where that fails."""
    try:
        exposure.refuse_exposure(settings, server.cfg.address)
        gunicorn_master.check_machine(plan, server.cfg)
        make_directories(server.cfg, keep_files=server.master_pid != 0)
    except (exposure.Exposed, gunicorn_master.UnfitMachine, OSError) as error:
        logger.error(str(error))
        sys.exit(1)
    gunicorn_master.announce(settings, plan, served)
    exposure.tell(settings, authenticator)


def when_ready(server: Any) -> None:
    """From now on workers stay where a reload would fail, and balancers hear of the end before it comes."""
    gunicorn_master.guard_reload(server, served)
    gunicorn_master.drain_first(server, settings.drain_seconds)


def on_reload(server: Any) -> None:
    """Say what is served now."""
    make_directories(server.cfg, keep_files=True)
    gunicorn_master.guard_reload(server, served)
    gunicorn_master.announce(settings, plan, served)
    exposure.tell(settings, authenticator)


def child_exit(server: Any, worker: Any) -> None:
    """Keep the counts of a worker that has gone, and whether it ever served."""
    if isinstance(worker, AsrWorker):  # unless the command line names another class
        worker.exited()
    with as_workers(server.cfg):
        metric_files.worker_exited(worker.pid, recycling=recycling)


def on_exit(server: Any) -> None:
    """Leave nothing behind."""
    with as_workers(server.cfg):
        metric_files.remove_directory()
        remove_shared_directory()
