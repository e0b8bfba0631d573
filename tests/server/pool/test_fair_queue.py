"""Order within a client, shares of audio seconds between clients, and nothing lost."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.pool import fair_queue as module
from server.pool.fair_queue import FairQueue


def drain(queue):
    """Everything that waits, in the order of service."""

    async def collect():
        served = []
        while queue.seconds:
            served.append(await queue.get())
        return served

    return asyncio.run(collect())


def test_a_client_is_served_in_its_own_order():
    queue = FairQueue()
    for item in range(5):
        queue.put(item, "client", cost=5 - item)
    assert drain(queue) == [0, 1, 2, 3, 4]


def test_a_second_client_does_not_wait_for_the_firsts_backlog():
    queue = FairQueue()
    for item in range(10):
        queue.put(("flood", item), "flooder", 10)
    queue.put("single", "other", 2)
    assert drain(queue).index("single") == 1


def test_shares_are_seconds_of_audio_not_requests():
    queue = FairQueue()
    for _ in range(10):
        queue.put(10, "long clips", 10)
    for _ in range(100):
        queue.put(1, "short clips", 1)
    served = {10: 0, 1: 0}
    for seconds in drain(queue):
        served[seconds] += seconds
        if all(total < 100 for total in served.values()):
            assert abs(served[10] - served[1]) <= 10


def test_a_client_of_four_times_the_weight_gets_four_times_the_seconds():
    queue = FairQueue()
    for number in range(40):
        queue.put(("light", number), "light", 2)
        queue.put(("heavy", number), "heavy", 2, weight=4.0)
    first = [client for client, _ in drain(queue)[:40]]
    assert abs(first.count("heavy") - 32) <= 1


def test_an_idle_client_saves_up_no_credit():
    queue = FairQueue()
    queue.put("opening", "busy", 10)
    assert asyncio.run(queue.get()) == "opening"
    for item in range(3):
        queue.put(("busy", item), "busy", 10)
    for item in range(3):
        queue.put(("late", item), "late", 10)
    clients = [client for client, _ in drain(queue)]
    assert clients in (["busy", "late"] * 3, ["late", "busy"] * 3)


def test_no_memory_of_clients_that_went():
    queue = FairQueue()
    for client in range(100):
        queue.put("item", f"client {client}", 1)
    drain(queue)
    assert not queue._served


def test_withdrawing_frees_the_place():
    queue = FairQueue()
    first, second = queue.put("first", "client", 3), queue.put("second", "client", 4)
    assert queue.withdraw(first)
    assert queue.seconds == 4
    assert not queue.withdraw(first)
    assert drain(queue) == ["second"]
    assert not queue.withdraw(second)


def test_whoever_withdraws_owes_nothing_for_it():
    queue = FairQueue()
    gone = [queue.put("gone", "impatient", 10) for _ in range(50)]
    for _ in range(3):
        queue.put("other", "other", 10)
    for ticket in gone:
        queue.withdraw(ticket)
    queue.put("back", "impatient", 1)
    assert queue.seconds_ahead("impatient") <= 11
    assert drain(queue).index("back") <= 1


def test_what_has_waited_once_goes_first():
    queue = FairQueue()
    queue.put("new", "client", 1)
    queue.put_first("again", 1)
    queue.put_first("again too", 1)
    assert drain(queue) == ["again", "again too", "new"]


def test_seconds_ahead_count_only_what_is_served_before():
    queue = FairQueue()
    for _ in range(4):
        queue.put("flood", "flooder", 10)
    assert queue.seconds == 40
    assert queue.seconds_ahead("flooder") == 40
    assert queue.seconds_ahead("other") <= 10


def test_a_waiting_getter_is_woken():
    async def scene():
        queue = FairQueue()
        getting = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        queue.put("item", "client", 1)
        return await getting

    assert asyncio.run(scene()) == "item"


def test_whoever_came_last_is_served_first():
    async def scene():
        queue = FairQueue()
        getters = []
        for _ in range(3):
            getters.append(asyncio.create_task(queue.get()))
            await asyncio.sleep(0)
        served = []
        for item in ("first", "second", "third"):
            queue.put(item, "client", 1)
            done, _ = await asyncio.wait(set(getters) - set(served), return_when=asyncio.FIRST_COMPLETED)
            served += done
        return [(getters.index(getting), getting.result()) for getting in served]

    assert asyncio.run(scene()) == [(2, "first"), (1, "second"), (0, "third")]


@pytest.mark.parametrize("turns", range(4))
def test_an_item_meant_for_a_cancelled_getter_goes_to_another(turns):
    async def scene():
        queue = FairQueue()
        staying, leaving = (asyncio.create_task(queue.get()) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        for _ in range(turns):
            await asyncio.sleep(0)
        queue.put("item", "client", 1)
        return await asyncio.wait_for(staying, 1)

    assert asyncio.run(scene()) == "item"


def test_a_getter_cancelled_once_woken_passes_it_on():
    async def scene():
        queue = FairQueue()
        staying, leaving = (asyncio.create_task(queue.get()) for _ in range(2))
        await asyncio.sleep(0)
        queue.put("item", "client", 1)
        leaving.cancel()
        return await asyncio.wait_for(staying, 1)

    assert asyncio.run(scene()) == "item"


@pytest.mark.parametrize("turns", range(4))
def test_cancelling_a_getter_loses_nothing(turns):
    async def scene():
        queue = FairQueue()
        getting = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        queue.put("item", "client", 1)
        for _ in range(turns):
            await asyncio.sleep(0)
        getting.cancel()
        await asyncio.wait({getting})
        return await queue.get() if getting.cancelled() else getting.result()

    assert asyncio.run(scene()) == "item"


ACTIONS = st.one_of(
    st.tuples(st.just("put"), st.sampled_from("abc"), st.floats(0.1, 30)),
    st.tuples(st.just("put_first"), st.none(), st.floats(0.1, 30)),
    st.tuples(st.just("withdraw"), st.integers(0, 30), st.none()),
    st.tuples(st.just("get"), st.none(), st.none()),
)


def check_seconds_ahead(queue, waiting):
    for client in "abc":
        ahead = queue.seconds_ahead(client)
        newcomer = queue.put("newcomer", client, 1.0)
        assert ahead == pytest.approx(sum(ticket.cost for ticket in waiting if ticket < newcomer))
        queue.withdraw(newcomer)


@given(st.lists(ACTIONS, max_size=40))
def test_nothing_is_lost_or_doubled(actions):
    queue = FairQueue()
    tickets, waiting, left = {}, {}, []

    async def play():
        for number, (action, choice, cost) in enumerate(actions):
            if action == "put":
                tickets[number] = queue.put(number, choice, cost)
                waiting[number] = cost
            elif action == "put_first":
                tickets[number] = queue.put_first(number, cost)
                waiting[number] = cost
            elif action == "withdraw":
                assert queue.withdraw(tickets[choice]) == (choice in waiting) if choice in tickets else True
                waiting.pop(choice, None)
            elif waiting:
                item = await queue.get()
                del waiting[item]
            assert queue.seconds == pytest.approx(sum(waiting.values()))
            check_seconds_ahead(queue, [tickets[item] for item in waiting])
        while waiting:
            item = await queue.get()
            del waiting[item]
            left.append(item)

    asyncio.run(play())
    assert queue.seconds == 0
    assert len(left) == len(set(left))


def test_what_comes_next_can_be_looked_at():
    queue = FairQueue()
    assert queue.peek() is None
    withdrawn = queue.put("withdrawn", "client", 1)
    queue.put("next", "client", 1)
    queue.withdraw(withdrawn)
    assert queue.peek() == "next"
    assert queue.get_nowait() == "next"
    assert queue.peek() is None


def test_ever_new_clients_fill_no_memory(monkeypatch):
    monkeypatch.setattr(module, "_MOST_REMEMBERED", 100)
    queue = FairQueue()
    queue.put("stays", "patient", 1000)
    for number in range(1000):
        queue.put(number, f"client {number}", 1)
        queue.get_nowait()
    assert len(queue._served) <= 100
