"""What is too much work, and for whom."""

import asyncio
import time
from math import inf

import pytest

from inference.task import Task
from inference.types import Options
from server.errors import Overloaded
from server.pool.driver import Patience
from server.pool.limits import Limits
from server.pool.pool import Pool
from server.principal import Principal


@pytest.mark.parametrize(
    ("work", "excess", "reason"),
    [
        ({"wait": 11}, 1, "11.0 s of work stand before this request"),
        ({"wait": 4, "cost": 8, "patience": 10}, 2, "it would take 12.0 s, and its deadline is 10 s away"),
        ({"wait_of_all": 31}, 1, "31.0 s of work wait, more than can be done"),
    ],
)
def test_each_limit_refuses_by_itself_and_says_by_how_much(work, excess, reason):
    limits = Limits(max_queue_seconds=10, request_timeout=30)
    longest = {"wait": 10, "wait_of_all": 30, "cost": 8, "patience": inf}
    assert limits.refusal(**longest) is None
    assert limits.refusal(**longest | work) == (excess, reason)


def test_many_clients_that_ask_for_little_fill_the_queue_together():
    async def scene():
        pool = Pool([], "model", Limits(max_queue_seconds=inf, request_timeout=30), Patience(60, 1e6))
        task = Task("transcribe", "model", b"", Options(), time.monotonic() + 1e6)
        asked = [asyncio.ensure_future(pool.run(task, Principal(str(number), ""), 1.0)) for number in range(100)]
        await asyncio.sleep(0)
        for each in asked:
            each.cancel()
        return await asyncio.gather(*asked, return_exceptions=True)

    refused = [each for each in asyncio.run(scene()) if isinstance(each, Overloaded)]
    assert 0 < len(refused) < 100
    assert all("more than can be done" in str(each) for each in refused)
