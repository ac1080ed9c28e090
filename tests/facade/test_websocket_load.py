"""Many conversations, many messages, and sides that do not read or vanish: nothing leaks and nothing hangs."""

import asyncio
import gc
import os
import sys
import threading
import time
import weakref
from contextlib import AsyncExitStack

import pytest
from aiohttp import ClientSession, TCPConnector, WSMsgType
from support import fetch

from aiointercept import _websocket, aiointercept

FULL = _websocket._LIMIT


def register(m, handler):
    """Register a conversation for any number of clients and return its URL."""
    url = f"{m.server_url}/socket"
    m.ws(url, handler, repeat=True)
    return url


async def until(condition):
    """Wait until `condition()` holds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def echo(ws):
    async for message in ws:
        await ws.send_str(message.data)


@pytest.mark.long
async def test_200_conversations_at_once():
    async def talk(session, url, number):
        async with session.ws_connect(url) as client:
            await together.wait()
            for turn in range(5):
                await client.send_str(f"{number} {turn}")
                assert await client.receive_str() == f"{number} {turn}"

    async with (
        asyncio.timeout(30),
        aiointercept() as m,
        ClientSession(connector=TCPConnector(limit=0)) as session,
    ):
        together = asyncio.Barrier(200)
        url = register(m, echo)
        await asyncio.gather(*(talk(session, url, number) for number in range(200)))
        received = [message.data for record in m._registry.journal.records for message in record.request.messages]
        assert sorted(received) == sorted(f"{number} {turn}" for number in range(200) for turn in range(5))


@pytest.mark.long
async def test_10_000_messages_each_way_arrive_in_order():
    texts = [str(number) for number in range(10_000)]

    async def handler(ws):
        for text in texts:
            await ws.send_str(text)
        assert [message.data async for message in ws] == texts

    async with asyncio.timeout(30), aiointercept() as m, ClientSession() as session:
        async with session.ws_connect(register(m, handler)) as client:
            for text in texts:
                await client.send_str(text)
            assert [await client.receive_str() for _ in texts] == texts
        assert [message.data for message in m.last_request.messages] == texts


async def test_a_handler_that_never_reads_holds_the_client_back():
    async def handler(ws):
        await asyncio.Event().wait()

    async def send(client):
        nonlocal sent
        while True:
            await client.send_bytes(bytes(2**14))
            sent += 2**14

    sent = 0
    async with asyncio.timeout(20), ClientSession() as session, AsyncExitStack() as stack:
        async with aiointercept() as m:
            client = await session.ws_connect(register(m, handler))
            stack.callback(client._response.close)
            sending = asyncio.ensure_future(send(client))
            held_back = -1
            while held_back != sent:
                held_back = sent
                await asyncio.sleep(0.2)
            assert not sending.done()
            (request,) = [record.request for record in m._registry.journal.records]
            assert sum(len(message.data) for message in request.messages) < 2 * FULL
        with pytest.raises(ConnectionError):
            await sending


async def test_a_client_that_never_reads_holds_the_handler_back():
    sent = 0
    cancelled = asyncio.Event()

    async def handler(ws):
        nonlocal sent
        try:
            while True:
                await ws.send_bytes(bytes(2**14))
                sent += 2**14
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with asyncio.timeout(20), ClientSession() as session, AsyncExitStack() as stack:
        async with aiointercept() as m:
            client = await session.ws_connect(register(m, handler))
            stack.callback(client._response.close)
            client._response.connection.transport.pause_reading()
            held_back = -1
            while held_back != sent:
                held_back = sent
                await asyncio.sleep(0.2)
            assert sent > FULL
            # Other requests are answered meanwhile.
            m.get(f"{m.server_url}/", body="other")
            assert (await fetch(m.server_url)).text == "other"
            start = time.monotonic()
        assert time.monotonic() - start < 1
        await cancelled.wait()


async def test_several_tasks_of_a_handler_send_while_the_client_does_not_read():
    async def send(ws, number):
        for _ in range(20):
            await ws.send_bytes(bytes([number]) * 2**16)

    async def handler(ws):
        await asyncio.gather(*(send(ws, number) for number in range(10)))

    async with (
        asyncio.timeout(20),
        aiointercept() as m,
        ClientSession() as session,
        session.ws_connect(register(m, handler)) as client,
    ):
        transport = client._response.connection.transport
        transport.pause_reading()
        await asyncio.sleep(0.05)
        transport.resume_reading()
        received = [(await client.receive_bytes())[0] for _ in range(200)]
        assert (await client.receive()).data == 1000
    assert sorted(received) == sorted(list(range(10)) * 20)


@pytest.mark.long
async def test_a_handler_that_sends_all_the_time_leaves_time_for_others():
    turns = 0

    async def handler(ws):
        while True:
            await ws.send_bytes(b"a")

    async def take_turns():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with asyncio.timeout(20), aiointercept() as m, ClientSession() as session:
        async with session.ws_connect(register(m, handler)) as client:
            taking_turns = asyncio.ensure_future(take_turns())
            m.get(f"{m.server_url}/", body="other", repeat=True)
            for _ in range(10):
                for _ in range(1000):
                    await client.receive_bytes()
                assert (await fetch(m.server_url)).text == "other"
            taking_turns.cancel()
        assert turns > 10
        m.check()


@pytest.mark.parametrize("what", ["waits", "receives", "sends", "closes"])
async def test_leaving_the_block_ends_every_conversation(what):
    started, ended = [], []

    async def handler(ws):
        started.append(what)
        try:
            if what == "receives":
                await ws.receive()
            while what == "sends":
                await ws.send_bytes(bytes(2**20))
            if what == "closes":
                await ws.close()
            await asyncio.Event().wait()
        finally:
            ended.append(what)

    async with asyncio.timeout(20), ClientSession() as session, AsyncExitStack() as stack:
        async with aiointercept() as m:
            url = register(m, handler)
            clients = [await session.ws_connect(url, autoclose=False, max_msg_size=0) for _ in range(20)]
            for client in clients:
                stack.callback(client._response.close)
            await until(lambda: len(started) == 20)
            tasks = asyncio.all_tasks()
            start = time.monotonic()
        assert time.monotonic() - start < 1
        await until(lambda: len(ended) == 20)
        if what in ("waits", "receives"):
            for client in clients:
                assert (await client.receive()).type in (WSMsgType.CLOSED, WSMsgType.ERROR)
        await until(lambda: not (asyncio.all_tasks() - {asyncio.current_task()}) & tasks)


async def test_a_client_that_is_killed_in_the_middle_of_a_message():
    ended = []

    async def handler(ws):
        async for _ in ws:
            pass
        ended.append(ws.close_code)

    async with asyncio.timeout(20), aiointercept() as m, ClientSession() as session:
        url = register(m, handler)
        for _ in range(20):
            client = await session.ws_connect(url)
            transport = client._response.connection.transport
            # The head of a frame of 100 bytes, and some of them.
            transport.write(b"\x82\xe4" + bytes(4 + 50))
            await asyncio.sleep(0)
            transport.abort()
            client._response.close()
        await until(lambda: len(ended) == 20)
        assert set(ended) == {1006}
        m.check()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc to count descriptors")
@pytest.mark.parametrize("cut_off", [False, True])
async def test_what_was_received_is_freed_with_its_mock(cut_off, monkeypatch):
    # The plugin keeps the mocks of a test for its report.
    monkeypatch.delitem(sys.modules, "aiointercept_pytest", raising=False)

    async def handler(ws):
        await ws.send_str(await ws.receive_str())
        await ws.receive()

    async def converse():
        async with ClientSession() as session, AsyncExitStack() as stack, aiointercept() as m:
            url = register(m, handler)
            for _ in range(3):
                client = await session.ws_connect(url)
                stack.callback(client._response.close)
                await client.send_str("a")
                await client.receive_str()
                if not cut_off:
                    await client.close()
        return weakref.ref(m.last_request)

    await converse()
    threads, descriptors = set(threading.enumerate()), len(os.listdir("/proc/self/fd"))
    gc.collect()
    gc.disable()
    try:
        received = await converse()
        await until(lambda: received() is None)
    finally:
        gc.enable()
    await until(lambda: len(os.listdir("/proc/self/fd")) <= descriptors)
    assert set(threading.enumerate()) == threads
    assert asyncio.all_tasks() == {asyncio.current_task()}
