"""Work for a client is dropped when the client leaves."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from server.errors import CLIENT_LEFT

Result = TypeVar("Result")


async def unless_disconnected(receive: Receive, work: Coroutine[Any, Any, Result]) -> Result:
    """Return what `work` gives, for a request whose body has been read.

    Raises ClientDisconnect where the client leaves before, after having cancelled the work and seen it end. The word
    that the work is cancelled with is `CLIENT_LEFT`.
    """
    reason: str | None = None
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            reason = CLIENT_LEFT
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel(reason)
        watching.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
