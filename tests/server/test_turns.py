"""Who may have a recording decoded, and who waits."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from server.principal import Principal
from server.turns import Turns

A, B, C = (Principal(name, name) for name in "abc")
HEAVY = Principal("heavy", "heavy", weight=4.0)


class Line:
    """Recordings that are begun and ended by hand."""

    def __init__(self, places):
        self.turns = Turns(places)
        self.running = []
        self.tasks = {}

    async def come(self, *principals):
        for principal in principals:
            name = f"{principal.id}{len([each for each in self.tasks if each.startswith(principal.id)])}"
            end = asyncio.Event()
            self.tasks[name] = (asyncio.create_task(self._work(name, principal, end)), end)
            await asyncio.sleep(0)

    async def end(self, name):
        task, end = self.tasks.pop(name)
        end.set()
        await task
        await asyncio.sleep(0)

    async def leave(self, name):
        self.tasks.pop(name)[0].cancel()
        await asyncio.sleep(0.001)

    async def _work(self, name, principal, end):
        async with self.turns.turn(principal):
            self.running.append(name)
            try:
                await end.wait()
            finally:
                self.running.remove(name)


def in_line(story):
    """Run a story with four places."""

    async def run():
        line = Line(4)
        await story(line)
        for task, _ in line.tasks.values():
            task.cancel()

    asyncio.run(run())


def test_one_alone_leaves_a_place_to_others():
    async def story(line):
        await line.come(A, A, A, A)
        assert line.running == ["a0", "a1"]
        await line.come(B)
        assert line.running == ["a0", "a1", "b0"]
        await line.come(B, C)
        assert line.running == ["a0", "a1", "b0", "c0"]

    in_line(story)


def test_whoever_has_least_comes_next():
    async def story(line):
        await line.come(A, B, C, HEAVY)
        await line.come(A, B, HEAVY)
        assert len(line.running) == 4
        await line.end("a0")
        assert "a1" in line.running  # who has none
        await line.end("c0")
        assert "heavy1" not in line.running  # who has one and leaves none
        await line.end("b0")
        assert line.running == ["heavy0", "a1", "b1"]
        await line.end("a1")
        assert line.running == ["heavy0", "b1", "heavy1"]

    in_line(story)


@pytest.mark.parametrize("leaving", ["a0", "a2"])
def test_whoever_leaves_gives_up_a_place_or_a_turn(leaving):
    async def story(line):
        await line.come(A, A, A, A)
        await line.leave(leaving)
        await line.end("a1")
        assert line.running == (["a2", "a3"] if leaving == "a0" else ["a0", "a3"])

    in_line(story)


def test_nobody_is_remembered():
    async def run():
        turns = Turns(2)
        for number in range(100):
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(turns.turn(Principal(str(number), "")))
        assert not turns._of
        assert not turns._waiting

    asyncio.run(run())
