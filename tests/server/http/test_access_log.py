"""Of what is served a share has its line; of what is not, all."""

import httpx
import pytest
from loguru import logger

from tests.server.live_app import serving


@pytest.fixture
def statuses():
    """Status and `sample` of the lines that were written."""
    found = []
    number = logger.add(lambda message: found.append(message.record), level="INFO")
    yield lambda: [(r["extra"]["status"], r["extra"].get("sample")) for r in found if r["message"] == "request"]
    logger.remove(number)


def ask(sample, times, statuses):
    with serving(sample=sample) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for _ in range(times):
            for method, path in (("POST", "/length"), ("POST", "/refused"), ("GET", "/nowhere"), ("GET", "/bug")):
                client.request(method, path)
    written = statuses()
    assert {status: [each for each, _ in written].count(status) for status in (429, 404, 500)} == dict.fromkeys(
        (429, 404, 500), times
    )
    assert {sampled for status, sampled in written if status != 200} == {None}
    return [sampled for status, sampled in written if status == 200]


def test_all_where_nothing_is_said(statuses):
    assert ask(1.0, 2, statuses) == [None, None]


def test_none(statuses):
    assert ask(0.0, 2, statuses) == []


def test_a_share_says_which(statuses):
    served = ask(0.5, 40, statuses)  # none or all of them: once in 10¹¹ runs
    assert 0 < len(served) < 40
    assert set(served) == {0.5}
