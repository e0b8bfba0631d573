"""Settings where given, the computed plan where not."""

from config.settings import Settings
from inference.cpu import Plan, plan, usable_cpus


def resolve_plan(settings: Settings) -> Plan:
    """Fill in workers, lanes and threads that were not set, so that their product fits the processors."""
    cpus = usable_cpus()
    workers = settings.workers or plan(cpus).workers
    threads = settings.threads or 1
    lanes = settings.lanes or max(1, cpus // (workers * threads))
    return Plan(workers, lanes, threads)
