"""Counts of all machines, in Redis: windows by the scripts of `limits`, places by one of our own.

A place is a member of a sorted set, by the time at which it is free again unless it is renewed.
"""

from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar, cast

from limits.aio.storage import RedisStorage
from limits.errors import StorageError
from redis.asyncio import ConnectionPool, Redis
from redis.exceptions import RedisError

from server.quotas.counters import LEASE_SECONDS, Counters

_PREFIX = "asr"
_HOLD = """
local now = tonumber(redis.call('time')[1])
redis.call('zremrangebyscore', KEYS[1], '-inf', '(' .. now)
local taken = redis.call('zcard', KEYS[1])
if taken < tonumber(ARGV[2]) then
    redis.call('zadd', KEYS[1], now + ARGV[3], ARGV[1])
    redis.call('expire', KEYS[1], ARGV[3] * 2)
end
return taken + 1
"""
# Only of what is there: what was given back meanwhile, on another connection, stays free.
_RENEW = """
local free_at = redis.call('time')[1] + ARGV[1]
for number, key in ipairs(KEYS) do
    redis.call('zadd', key, 'XX', free_at, ARGV[number + 1])
    redis.call('expire', key, ARGV[1] * 2)
end
"""

Answer = TypeVar("Answer")


def redis_counters(url: str, patience: float) -> Counters:
    """Count in the Redis at `url`, which must answer each question within so many seconds; raise ValueError."""
    pool = ConnectionPool.from_url(url, socket_timeout=patience, socket_connect_timeout=patience)
    options: dict[str, Any] = {"connection_pool": pool}
    windows = _RedisWindows(
        f"async+{url}", wrap_exceptions=True, implementation="redispy", key_prefix=_PREFIX, **options
    )
    return Counters(windows, windows, _RedisPlaces(Redis(connection_pool=pool)))


class _RedisWindows(RedisStorage):
    """Gives back no more than this window has: the former one fades, and else would have it twice."""

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        if amount < 0:
            _, _, current, _ = await self.get_sliding_window(key, expiry)
            amount = max(amount, -current)
        return not amount or await super().acquire_sliding_window_entry(key, limit, expiry, amount)


class _RedisPlaces:
    """See Places."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._hold = redis.register_script(_HOLD)
        self._renew = redis.register_script(_RENEW)

    async def hold(self, subject: str, most: int, holder: str) -> int:
        taken = self._hold(keys=[_key(subject)], args=[holder, most, int(LEASE_SECONDS)])
        return int(await _wrapped(taken))

    async def renew(self, held: Mapping[str, str]) -> None:
        keys = [_key(subject) for subject in held.values()]
        await _wrapped(self._renew(keys=keys, args=[int(LEASE_SECONDS), *held]))

    async def give_back(self, subject: str, holder: str) -> None:
        await _wrapped(cast("Awaitable[int]", self._redis.zrem(_key(subject), holder)))

    async def close(self) -> None:
        await self._redis.connection_pool.aclose()


def _key(subject: str) -> str:
    return f"{_PREFIX}:{subject}"


async def _wrapped(question: Awaitable[Answer]) -> Answer:
    try:
        return await question
    except (RedisError, OSError) as error:
        raise StorageError(error) from error
