"""A tiny application behind the server's middleware, on a real socket of this process."""

import threading
import time
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import StreamingResponse

from server.errors import Overloaded
from server.http.admission import Admission
from server.http.auth import Authentication
from server.http.context import RequestContext
from server.http.limits import BodyBounds, BodyLimits, BytesInFlight, Room
from server.http.problems import install_error_handlers

LIMIT = 100_000


class Full:
    """Lets nobody in."""

    def refuse_overload(self, principal, patience):
        raise Overloaded(f"no room for {principal.name} within {patience}", 3)


async def pieces():
    async def told():
        for piece in ("one", "", "two"):
            yield piece

    return StreamingResponse(told())


def application(sample, **state):
    @asynccontextmanager
    async def lifespan(_app):
        yield {"transcription": Full(), **state}

    app = FastAPI(lifespan=lifespan, redirect_slashes=False)
    install_error_handlers(app)
    guarded = APIRouter()

    @guarded.post("/refused")
    async def refused():
        raise AssertionError("nobody comes here")

    @app.post("/length")
    async def length(request: Request):
        return {"length": len(await request.body())}

    @app.post("/unread")
    async def unread():
        return {"read": False}

    @app.get("/bug")
    async def bug():
        raise RuntimeError("the cause")

    app.get("/pieces")(pieces)
    app.include_router(guarded)
    room = Room(BytesInFlight(10 * LIMIT, "memory"), BytesInFlight(10 * LIMIT, "disk"))
    app.add_middleware(BodyLimits, bounds=BodyBounds(LIMIT, 60, 1), room=room)
    app.add_middleware(Admission, routes=guarded.routes)
    app.add_middleware(Authentication, trusted=(), weights={})
    app.add_middleware(RequestContext, sample=sample)
    return app


@contextmanager
def serving(loop="uvloop", http="server.http.protocol:HttpProtocol", sample=1.0, keep_alive=1, **state):
    """The port of the application, for as long as the context lasts; `state` is what its lifespan has beside."""
    config = uvicorn.Config(
        application(sample, **state),
        port=0,
        loop=loop,
        http=http,
        ws="none",
        log_config=None,
        timeout_keep_alive=keep_alive,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
