"""Open files of a worker: past its limit a server cannot even turn connections away."""

import resource

from loguru import logger

_OTHERS = 256  # lanes, logs, models, libraries


def allow_connections(count: int) -> None:
    """Raise the soft limit of open files for so many connections, each with a body in a file; warn where it cannot be.

    Many systems start services with a soft limit of 1024, for programs that use select(2), and a hard one far above.
    """
    wanted = 2 * count + _OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        logger.warning(f"{allowed} open files are allowed; ASR_MAX_CONNECTIONS may need {wanted} (ulimit -n)")
