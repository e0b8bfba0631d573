"""Liveness, readiness and metrics: what machines ask."""

import os
from pathlib import Path

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from server import metric_files
from server.pool.pool import Pool
from server.schemas import Health

router = APIRouter(tags=["operation"])


@router.get("/healthz")
async def healthz() -> Health:
    """Tell that the process is alive and its event loop turns."""
    return Health(status="alive")


@router.get("/readyz", responses={503: {"model": Health}})
async def readyz(request: Request, response: Response) -> Health:
    """Tell whether lanes have decoded their canary clip and at least one is in service."""
    pool: Pool = request.state.pool
    response.status_code = 200 if pool.ready else 503
    return Health(status="ready" if pool.ready else "not ready")


@router.get("/metrics")
def metrics() -> Response:
    """Prometheus metrics of all workers together."""
    # Not async: reading the files of many workers is left to a thread.
    directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if directory is None:
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    with metric_files.standing_still(Path(directory)):
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
