"""`create_app`: everything that a worker is made of, put together."""

import gc
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypedDict

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.middleware.cors import CORSMiddleware

from config.settings import Settings
from inference.machine import Plan, usable_memory
from inference.recogniser import SessionOptions
from inference.types import AudioLimits
from inference.worker import Setup
from server import handover, metrics, metrics_page
from server.agent import agent_listening
from server.audit import AuditLog
from server.authentication.authenticator import Authenticator
from server.http.access import Access, access_to
from server.http.admission import Admission
from server.http.auth import Authentication
from server.http.connections import Connections
from server.http.context import QUIET_ROUTES, RequestContext
from server.http.descriptors import allow_connections
from server.http.documented import with_authentication
from server.http.headers import SecurityHeaders
from server.http.limits import BodyBounds, BodyLimits, BytesInFlight, ConnectionLimits, Room
from server.http.listeners import Listener, Listeners
from server.http.problems import install_error_handlers
from server.http.quotas import QuotaLimits
from server.http.spool import IN_MEMORY, SpoolDirectory
from server.http.under_way import UnderWay
from server.pool.driver import Patience
from server.pool.limits import Limits
from server.pool.pool import Pool
from server.pool.process_lane import ProcessLane
from server.principal import Limits as CallerLimits
from server.quotas.counters import Counters
from server.quotas.machine import MachineCounters
from server.quotas.quotas import PATIENCE, Quotas
from server.quotas.redis import redis_counters
from server.routes import docs, health, models, openai, transcribe
from server.startup import Served, limits_file, resolve_plan, served_packages, shared_directory
from server.transcription import Transcription

if TYPE_CHECKING:
    from server.trace_export import TraceExport

_LAST_SPANS = 1 / 20  # of the grace, which ends two of these later (`gunicorn_worker`)
_LAST_ANSWERS, _LAST_ANSWERS_SHARE = 1.0, 0.25  # seconds at most, and a share of a short grace, of which half is left
_TELEMETRY: TelemetryConfig = {
    "exclude": lambda scope: scope["path"] in QUIET_ROUTES,
    "operation_spans": False,  # `server/tracing.py` makes those that tell more
    "metrics": False,
    "logs": False,  # they hold what clients sent
    "auto_configure": False,
}
"""FastAPI makes the span of each request, where `trace_export` has begun."""


class State(TypedDict):
    """What routes find in `request.state`, and connections in their `app_state`."""

    pool: Pool
    quotas: Quotas
    transcription: Transcription
    spool: SpoolDirectory
    connections: Connections
    warnings: Callable[[], tuple[str, ...]]
    """What works worse in this worker than it could, as sentences."""


def create_app(settings: Settings) -> FastAPI:
    """Build the application; the pool starts and ends with its lifespan. Raises what Authenticator does."""
    plan = resolve_plan(settings)
    authenticator = Authenticator(settings)
    audit = AuditLog(settings.audit_log) if settings.audit_log else None
    under_way = UnderWay()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[State]:
        traces = _begin_tracing(settings)
        served = served_packages(settings)
        pool = _create_pool(settings, served, plan)
        await pool.start()
        await handover.until_ready(lambda: pool.ready)
        metrics.MEMORY_LIMIT.set(usable_memory().amount)
        # What was made until now stays. Left to the collector, it would be walked through again and again, and the
        # event loop would stand still for tens of milliseconds each time.
        gc.collect()
        gc.freeze()
        lanes = plan.workers * plan.lanes
        transcription = Transcription(pool, served, _limits(settings), settings.request_timeout, lanes)
        connections = _create_connections(settings, plan)
        spool = SpoolDirectory(settings.spool, settings.max_upload_bytes)
        try:
            async with (
                authenticator.kept_fresh(),
                _create_quotas(settings).running() as quotas,
                agent_listening(settings.agent_bind, pool),
                under_way.seen_out(min(_LAST_ANSWERS, settings.grace_seconds * _LAST_ANSWERS_SHARE)),
            ):
                yield State(
                    pool=pool,
                    quotas=quotas,
                    transcription=transcription,
                    spool=spool,
                    connections=connections,
                    warnings=lambda: (
                        *served.warnings,
                        *metrics_page.warnings(),
                        *spool.warnings,
                        *pool.warnings,
                        *transcription.warnings,
                        *authenticator.warnings,
                        *(audit.warnings if audit else ()),
                        *(traces.warnings if traces else ()),
                    ),
                )
        finally:
            await pool.close()
            transcription.close()
            if traces:
                await traces.close(settings.grace_seconds * _LAST_SPANS)

    app = FastAPI(
        title="Hindi speech recognition",
        description="NVIDIA NeMo Conformer-CTC on ordinary CPUs.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None if settings.docs_access == "closed" else "/openapi.json",
        redirect_slashes=False,  # a redirect loses an upload, and behind TLS it would lead to http://
        telemetry=_TELEMETRY,
    )
    install_error_handlers(app)
    app.include_router(transcribe.router)
    app.include_router(openai.router)
    app.include_router(models.router)
    app.include_router(health.router)
    if settings.metrics_access != "closed":
        app.include_router(health.metrics_router)
    if settings.docs_access != "closed":
        app.include_router(docs.router)
    access = access_to(settings.metrics_access, settings.docs_access)
    document = app.openapi
    app.openapi = lambda: with_authentication(document(), access, required=settings.authenticates)  # type: ignore[method-assign]
    _add_middleware(app, settings, plan, authenticator, access)
    _add_outer_middleware(app, settings, audit, under_way)
    return app


def _add_middleware(app: FastAPI, settings: Settings, plan: Plan, authenticator: Authenticator, access: Access) -> None:
    """From the innermost to the outermost: what is refused further in is logged and counted further out."""
    bounds = BodyBounds(settings.max_upload_bytes, settings.body_seconds, settings.body_bytes_per_second)
    room = Room(
        BytesInFlight(max(settings.max_inflight_bytes // plan.workers, IN_MEMORY), "ASR_MAX_INFLIGHT_MB"),
        BytesInFlight(max(settings.max_spool_bytes // plan.workers, settings.max_upload_bytes), "ASR_MAX_SPOOL_MB"),
    )
    app.add_middleware(BodyLimits, bounds=bounds, room=room)
    app.add_middleware(Admission, routes=(*transcribe.router.routes, *openai.router.routes))
    app.add_middleware(QuotaLimits)
    app.add_middleware(
        Authentication,
        trusted=settings.trusted_proxies,
        weights=settings.client_weights,
        authenticator=authenticator,
        access=access,
    )


def _add_outer_middleware(app: FastAPI, settings: Settings, audit: AuditLog | None, under_way: UnderWay) -> None:
    """What sees all that comes, and says something of all that goes."""
    if settings.management_bind:
        app.add_middleware(Listeners, management=Listener(settings.management_bind))
    app.add_middleware(RequestContext, audit=audit, sample=settings.access_log_sample, under_way=under_way)
    app.add_middleware(SecurityHeaders)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,  # the outermost, so that pages can read refusals; it answers what browsers ask before
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST"),
            allow_headers=("*",),  # OpenAI's client has a dozen of its own
            expose_headers=("RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID", "traceresponse"),
        )


def _begin_tracing(settings: Settings) -> "TraceExport | None":
    if not settings.traced:
        return None
    from server.trace_export import TraceExport  # OpenTelemetry's SDK, some megabytes

    return TraceExport(settings)


def _create_connections(settings: Settings, plan: Plan) -> Connections:
    limits = ConnectionLimits(
        -(-settings.max_connections // plan.workers), settings.head_seconds, settings.body_seconds
    )
    allow_connections(limits.connections)
    return Connections(limits, Listener(settings.management_bind) if settings.management_bind else None)


def _create_quotas(settings: Settings) -> Quotas:
    if settings.redis_url:
        counters = redis_counters(settings.redis_url.get_secret_value(), PATIENCE)
    else:
        machine = MachineCounters(lambda: limits_file(settings))
        counters = Counters(machine, machine, machine)
    defaults = CallerLimits(
        settings.requests_per_minute,
        settings.audio_seconds_per_minute,
        settings.audio_seconds_per_day,
        settings.concurrent_requests,
    )
    return Quotas(counters, defaults, refuse_unreachable=settings.limits_unreachable == "refuse")


def _create_pool(settings: Settings, served: Served, plan: Plan) -> Pool:
    setup = Setup(
        packages=served.packages,
        models_loaded=settings.models_loaded,
        precision=settings.precision,
        session_options=SessionOptions(threads=plan.threads, spinning=plan.spinning),
        limits=_limits(settings),
        cache=settings.cache,
        parent=os.getpid(),
    )
    lanes = [ProcessLane(setup) for _ in range(plan.lanes)]
    limits = Limits(settings.max_queue_seconds, settings.request_timeout)
    patience = Patience(settings.hang_seconds, settings.lane_memory_mb)
    return Pool(lanes, served.default, limits, patience, shared_directory() if plan.workers > 1 else None)


def _limits(settings: Settings) -> AudioLimits:
    return AudioLimits(
        settings.overlength,
        settings.clip_seconds,
        settings.resampler,
        window_seconds=settings.window_seconds,
        longest_seconds=settings.max_audio_seconds,
        detect_speech=settings.detect_speech,
    )
