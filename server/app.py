"""`create_app`: everything that a worker is made of, put together."""

import gc
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

from fastapi import FastAPI

from config.settings import Settings
from inference.machine import Plan
from inference.package import Package
from inference.recogniser import SessionOptions
from inference.types import Options
from inference.worker import Setup
from server.errors import install_error_handlers
from server.http.context import BodyLimit, RequestContext
from server.http.refusal import Door
from server.pool.driver import Patience
from server.pool.pool import Limits, Pool
from server.routes import health, transcribe
from server.startup import checked_package, resolve_plan
from server.transcription import Transcriber


class State(TypedDict):
    """What routes find in `request.state`, and connections in their `app_state`."""

    pool: Pool
    transcriber: Transcriber
    door: Door


def create_app(settings: Settings) -> FastAPI:
    """Build the application; the pool starts and ends with its lifespan."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[State]:
        pool = _create_pool(settings, checked_package(settings), resolve_plan(settings))
        pool.start()
        # What was made until now stays. Left to the collector, it would be walked through again and again, and the
        # event loop would stand still for tens of milliseconds each time.
        gc.collect()
        gc.freeze()
        transcriber = Transcriber(pool, settings.request_timeout)
        door = Door(transcriber, transcribe.router.routes)
        try:
            yield State(pool=pool, transcriber=transcriber, door=door)
        finally:
            door.tell()
            await pool.close()

    app = FastAPI(
        title="Hindi speech recognition",
        description="NVIDIA NeMo Conformer-CTC on ordinary CPUs.",
        lifespan=lifespan,
    )
    install_error_handlers(app)
    app.include_router(transcribe.router)
    app.include_router(health.router)
    app.add_middleware(BodyLimit, limit=settings.max_upload_bytes)
    app.add_middleware(RequestContext)  # the outermost, so that what is refused is logged and counted too
    return app


def _create_pool(settings: Settings, package: Package, plan: Plan) -> Pool:
    setup = Setup(
        package=package,
        precision=settings.precision,
        session_options=SessionOptions(threads=plan.threads, spinning=plan.spinning),
        options=Options(settings.overlength, settings.clip_seconds, settings.resampler),
        cache=settings.cache,
        parent=os.getpid(),
    )
    limits = Limits(settings.max_queue_seconds, settings.request_timeout, settings.client_weights)
    return Pool(setup, plan.lanes, limits, Patience(settings.hang_seconds, settings.lane_memory_mb))
