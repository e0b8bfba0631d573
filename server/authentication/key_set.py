"""The issuer's keys behind a URL, fetched beside the requests."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

import httpx2
from loguru import logger

from server.authentication.verification_keys import InvalidKeySet, VerificationKey, read_key_set
from server.errors import KeysUnavailable, Unauthorized

_FETCH_SECONDS: Final = 10.0
_LARGEST_SET: Final = 256 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Freshness:
    """How often a key set is fetched, in seconds."""

    every: float = 600.0
    pause: float = 30.0
    """Least time between two fetches, whatever key ids come, and whatever fails."""
    oldest: float = 86_400.0
    """Age of a set from which it is not believed any more; until then the last good one is kept."""


class KeySet:
    """The keys behind a URL. Nobody waits for them in a request: what is not there yet is not there."""

    def __init__(self, url: str, freshness: Freshness) -> None:
        self._url = url
        self._freshness = freshness
        self._keys: Mapping[str | None, VerificationKey] = {}
        self._fetched: float | None = None
        self._asked_for_more = asyncio.Event()
        self.warnings: tuple[str, ...] = ()
        """What does not work, as sentences."""

    def find(self, key_id: str | None) -> VerificationKey:
        """Return the key of this id, or the only one for a token that names none.

        Raises Unauthorized where there is none, and has the set fetched again soon; KeysUnavailable where no set is
        known, or it is too old.
        """
        if self._fetched is None or time.monotonic() - self._fetched > self._freshness.oldest:
            raise KeysUnavailable("the issuer's keys cannot be had at present; try again")
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        if found := self._keys.get(key_id):
            return found
        self._asked_for_more.set()
        raise Unauthorized("the token is signed by no key of the issuer's that is known here", "unknown_signing_key")

    @asynccontextmanager
    async def kept_fresh(self) -> AsyncIterator[None]:
        """Fetch it, and again as long as the context lasts; a server without it starts, for those who have keys."""
        await self._fetch()
        task = asyncio.create_task(self._keep_fresh())
        try:
            yield
        finally:
            task.cancel()

    async def _keep_fresh(self) -> None:
        while True:
            await asyncio.sleep(self._freshness.pause)
            if not self.warnings:  # else it is tried again at once
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, self._freshness.every - self._freshness.pause)):
                        await self._asked_for_more.wait()
            self._asked_for_more.clear()
            await self._fetch()

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(_FETCH_SECONDS):
                keys = read_key_set(await _get(self._url))
        except Exception as error:  # noqa: BLE001 - nothing that another's server does may end the fetching
            reason = str(error) or type(error).__name__
            logger.bind(reason=reason).warning("the issuer's keys were not fetched; those known before are kept")
            self.warnings = (f"the issuer's keys cannot be fetched: {reason}",)
            return
        if keys.keys() != self._keys.keys():
            logger.bind(key_ids=list(keys)).info("the issuer's keys")
        self._keys, self._fetched, self.warnings = keys, time.monotonic(), ()


async def _get(url: str) -> bytes:
    """Return what lies there; raise InvalidKeySet, or what httpx2 raises."""
    body = bytearray()
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}  # what is packed may be a bomb
    async with (
        httpx2.AsyncClient(follow_redirects=False, timeout=_FETCH_SECONDS) as client,
        client.stream("GET", url, headers=headers) as answer,
    ):
        if answer.status_code != 200:
            raise InvalidKeySet(f"the answer's status is {answer.status_code}")
        async for piece in answer.aiter_raw():
            body += piece
            if len(body) > _LARGEST_SET:
                raise InvalidKeySet(f"the answer has more than {_LARGEST_SET} bytes")
    return bytes(body)
