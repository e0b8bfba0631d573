"""A tiny application behind the server's middleware, on a real socket of this process."""

import threading
import time
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI, Request

from server.errors import install_error_handlers
from server.middleware import BodyLimit, RequestContext

LIMIT = 100_000


def application():
    app = FastAPI()
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
    http = "server.protocol:Connection"
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
