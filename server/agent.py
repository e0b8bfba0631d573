"""The agent that HAProxy asks for a server's weight (`agent-check`): a line of text, and the end of the connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from loguru import logger

from server.pool.pool import Pool


@asynccontextmanager
async def agent_listening(bind: str | None, pool: Pool) -> AsyncIterator[None]:
    """Answer at `bind`, written as in `ASR_AGENT_BIND`, meanwhile; where that cannot be, say so and go on.

    Every worker of a machine listens there, and the kernel chooses who answers.
    """
    if not bind:
        yield
        return

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{weight_of(pool)}%\n".encode())
        writer.close()

    host, _, port = bind.rpartition(":")
    try:
        server = await asyncio.start_server(answer, host.strip("[]"), int(port), reuse_port=True)
    except (OSError, UnicodeError) as error:
        logger.error(f"nobody answers at ASR_AGENT_BIND={bind}, so that balancers learn no weight: {error}")
        yield
        return
    async with server:
        yield


def weight_of(pool: Pool) -> int:
    """Per cent of its usual share of requests that a server should get: never 0, whether it takes any says `/readyz`.

    HAProxy keeps the last weight of a server that has ended, and would give it nothing when it is back and ready.
    """
    return max(1, round(100 * pool.room))
