"""A recording under way, apart from its decoder and its lanes (`tests/end_to_end/test_recording.py` has them)."""

import asyncio
from math import inf

import pytest

from inference.types import Options
from server.deadline import Deadline
from server.recordings import Recording, _Run


def test_what_turns_out_to_be_longer_may_take_longer():
    """By half of what is beyond a clip; and what is known once is not forgotten."""

    async def grow():
        recording = Recording(b"", 0.0, 1, None, Options(), None, Deadline(inf, timeout=5, window=15), None)
        run = _Run(recording, None, None, None)
        async with asyncio.timeout(None) as run.patience:  # noqa: ASYNC100 - put off, and not waited for
            ends = []
            for seconds in (0.0, 75.0, 20.0):
                run.grow(seconds)
                ends.append(run.patience.when())
            return ends

    first, *later = asyncio.run(grow())
    assert [end - first for end in later] == pytest.approx([30, 30], abs=5)
