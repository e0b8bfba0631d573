"""A tiny application behind the server's middleware, on a real socket of this process."""

import threading
import time
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from fastapi import FastAPI, Request
from starlette.responses import JSONResponse

from server.errors import install_error_handlers
from server.http.context import BodyLimit, RequestContext

LIMIT = 100_000


class Door:
    """Lets everybody in but those who ask for `/refused`."""

    def refusal(self, scope):
        return JSONResponse({"read": False}) if scope["path"] == "/refused" else None


@asynccontextmanager
async def lifespan(_app):
    yield {"door": Door()}


def application():
    app = FastAPI(lifespan=lifespan)
    install_error_handlers(app)

    @app.post("/length")
    async def length(request: Request):
        return {"length": len(await request.body())}

    @app.post("/unread")
    async def unread():
        return {"read": False}

    @app.get("/bug")
    async def bug():
        raise RuntimeError("the cause")

    app.add_middleware(BodyLimit, limit=LIMIT)
    app.add_middleware(RequestContext)
    return app


@contextmanager
def serving(loop="uvloop"):
    """The port of the application, for as long as the context lasts."""
    http = "server.http.protocol:Connection"
    config = uvicorn.Config(application(), port=0, loop=loop, http=http, ws="none", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()
