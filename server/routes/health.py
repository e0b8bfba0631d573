"""Liveness, readiness and metrics: what machines ask."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from loguru import logger

from server import handover, metrics_page
from server.pool.pool import Pool
from server.routes.failures import failures
from server.schemas import Health, Readiness

router = APIRouter(tags=["operation"])
metrics_router = APIRouter(tags=["operation"])
"""Apart, since they can be closed."""

_READINESS = failures("/readyz", _503="Not ready")
_READINESS[503]["model"] = Readiness
_METRICS = failures("/metrics", _503="The workers' metric files cannot be read")
_METRICS[200] = {"content": {"application/openmetrics-text": {"schema": {"type": "string"}}}}
_METRICS[503]["content"] |= {"text/plain": {"schema": {"type": "string"}}}


@router.get("/healthz", responses=failures("/healthz"))
@router.head("/healthz", include_in_schema=False)
async def healthz() -> Health:
    """Answer while the process lives and its event loop turns."""
    return Health(status="alive")


@router.get("/readyz", responses=_READINESS)
@router.head("/readyz", include_in_schema=False)
async def readyz(request: Request, response: Response) -> Readiness:
    """Say whether every lane has transcribed its canary clip since the start, one works, and the server will stay."""
    pool: Pool = request.state.pool
    ready = pool.ready and not handover.draining()
    response.status_code = 200 if ready else 503
    return Readiness(status="ready" if ready else "not ready", warnings=list(request.state.warnings()))


@metrics_router.get("/metrics", response_class=PlainTextResponse, responses=_METRICS)
@metrics_router.head("/metrics", include_in_schema=False)
def metrics(request: Request) -> Response:
    """Prometheus metrics of all workers together."""
    # Not async: reading the files of many workers is left to a thread.
    try:
        page, media_type = metrics_page.render(request.headers.get("accept", ""))
        return Response(page, headers={"Content-Type": media_type})
    except OSError as error:
        logger.bind(error=repr(error)).warning("no metrics")
        return PlainTextResponse(f"the workers' metric files cannot be read: {error}\n", 503)


@router.options("/healthz", include_in_schema=False)
@router.options("/readyz", include_in_schema=False)
@metrics_router.options("/metrics", include_in_schema=False)
async def options() -> Response:
    """What balancers and browsers ask before they ask."""
    return Response(status_code=204, headers={"Allow": "GET, HEAD, OPTIONS"})
