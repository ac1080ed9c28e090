"""The queue between two event loops: order, one wake-up for many items, back-pressure and errors."""

import asyncio
import threading

import pytest

from aiointercept import _cross_loop_queue
from aiointercept._cross_loop_queue import CrossLoopQueue


@pytest.fixture
def wakes(monkeypatch):
    """How often a loop was woken."""
    wakes = []
    call_threadsafe = _cross_loop_queue.call_threadsafe
    monkeypatch.setattr(
        _cross_loop_queue, "call_threadsafe", lambda *args: (wakes.append(args), call_threadsafe(*args))
    )
    return wakes


async def take(queue, count):
    items = []
    while len(items) < count:
        if (item := queue.get()) is None:
            await queue.wait()
        else:
            items.append(item)
    return items


async def test_many_items_wake_the_other_loop_once(wakes):
    queue = CrossLoopQueue(limit=2000)
    taking = asyncio.ensure_future(take(queue, 1000))
    await asyncio.sleep(0)
    for number in range(1000):
        queue.put(number, 1)
    assert len(wakes) == 1
    assert await taking == list(range(1000))
    assert queue.taken == 1000
    assert len(wakes) == 1


async def test_a_full_queue_holds_back_until_half_is_taken(wakes):
    queue = CrossLoopQueue(limit=10)
    for number in range(11):
        queue.put(number, 1)
    assert queue.is_full
    draining = [asyncio.ensure_future(queue.drain()) for _ in range(3)]
    await asyncio.sleep(0)
    draining[0].cancel()
    assert await take(queue, 5) == [0, 1, 2, 3, 4]
    assert not wakes
    assert await take(queue, 1) == [5]
    assert len(wakes) == 1
    await asyncio.gather(*draining[1:])
    assert draining[0].cancelled()


async def test_one_item_may_be_larger_than_the_limit():
    queue = CrossLoopQueue(limit=10)
    queue.put("large", 1000)
    draining = asyncio.ensure_future(queue.drain())
    await asyncio.sleep(0)
    assert await take(queue, 1) == ["large"]
    await draining


async def test_a_side_that_fails_holds_back_nobody():
    queue = CrossLoopQueue(limit=10)
    queue.put("a", 11)
    draining = asyncio.ensure_future(queue.drain())
    await asyncio.sleep(0)
    error = ConnectionError()
    queue.fail(error)
    await draining
    assert queue.error is error
    assert not queue.is_full
    await queue.drain()


async def test_waiting_that_is_cancelled_loses_no_item():
    queue = CrossLoopQueue(limit=10)
    for number in range(3):
        waiting = asyncio.ensure_future(queue.wait())
        await asyncio.sleep(0)
        queue.put(number, 1)
        waiting.cancel()
        await asyncio.sleep(0)
        assert await take(queue, 1) == [number]


async def test_the_loop_runs_others_while_items_are_taken():
    queue = CrossLoopQueue(limit=10_000)
    for number in range(1000):
        queue.put(number, 1)
    turns = []
    asyncio.get_running_loop().call_soon(turns.append, True)
    assert await take(queue, 1000) == list(range(1000))
    assert turns == [True]


@pytest.mark.parametrize("limit", [0, 1, 64, 100_000])
async def test_two_threads_hand_over_everything_in_order(limit):
    there, back = CrossLoopQueue(limit), CrossLoopQueue(limit)

    async def pass_on():
        for _ in range(10_000):
            (item,) = await take(there, 1)
            back.put(item, 1)
            if back.is_full:
                await back.drain()

    async def put_all():
        for number in range(10_000):
            there.put(number, 1)
            if there.is_full:
                await there.drain()

    thread = threading.Thread(target=asyncio.run, args=(pass_on(),))
    thread.start()
    try:
        async with asyncio.timeout(30):
            _, items = await asyncio.gather(put_all(), take(back, 10_000))
        assert items == list(range(10_000))
    finally:
        thread.join(30)
