"""An interrupt at any point of starting and stopping leaves no thread and no port."""

import asyncio
import gc
import socket
import threading
import time

import pytest
from line_counter import at_each_line, interrupt

import aiointercept_server
from aiointercept_core import Response
from aiointercept_server import Listener
from aiointercept_server._thread import SERVER_THREAD, ServerThread

# What has no port and no thread yet is left to its own destructor.
UNUSED = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


def idle_loops() -> set[asyncio.SelectorEventLoop]:
    """Return the loops that neither run nor are closed, such as those that never got their thread."""
    loops = {each for each in gc.get_objects() if isinstance(each, asyncio.SelectorEventLoop)}
    return {loop for loop in loops if not loop.is_running() and not loop.is_closed()}


@UNUSED
def test_an_interrupt_at_any_point_of_starting_the_thread_leaves_none():
    before, loops = set(threading.enumerate()), idle_loops()
    server_threads = [ServerThread()]

    def start() -> None:
        server_threads[-1].loop()

    for _ in at_each_line(aiointercept_server, start, interrupt):
        loop = server_threads[-1].loop()
        assert asyncio.run_coroutine_threadsafe(asyncio.sleep(0, "served"), loop).result(5) == "served"
        server_threads[-1].stop()
        for thread in set(threading.enumerate()) - before:
            thread.join(5)
            assert not thread.is_alive()
        server_threads.append(ServerThread())
    server_threads[-1].stop()
    for loop in idle_loops() - loops:
        loop.close()


@UNUSED
def test_an_interrupt_at_any_point_leaves_no_port_that_a_later_close_does_not_close():
    async def answer(_: object) -> Response:
        return Response()

    def use() -> None:
        listeners.append(Listener(answer))
        listeners[-1].address("https")
        listeners[-1].address("http", socket.AF_INET6)
        listeners[-1].close_soon(lambda: None)

    SERVER_THREAD.loop()  # The thread runs from now on.
    listeners: list[Listener] = []
    before = set(SERVER_THREAD.listeners)
    for _ in at_each_line(aiointercept_server, use, interrupt):
        addresses = [address for listener in listeners for address in listener.addresses()]
        for listener in listeners:
            listener.close().result(2)
        listeners.clear()
        # A listener whose constructor was interrupted closes itself.
        deadline = time.monotonic() + 2
        while set(SERVER_THREAD.listeners) - before:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        for address in addresses:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address, 1)
