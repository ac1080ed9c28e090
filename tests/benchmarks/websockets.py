"""WebSockets: what messages cost with a mock, compared with a bare aiohttp server in a thread.

Run in the folder `tests`: `python -m benchmarks.websockets [ROUNDS] [MESSAGES]`. The client is the same, and the two
take turns within each round. Printed are the medians: of the times in seconds, and of the ratios of the time and of the
processor time within a round.
"""

import asyncio
import contextlib
import statistics
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, web

from aiointercept import aiointercept

TEXT = "x" * 40
# The most that we may take, as a multiple of what a bare server takes.
TARGETS = {"to the server": 2.0, "to the client": 2.0, "back and forth": 2.6}


async def serve(ws: Any) -> None:
    """Do what the first message says."""
    kind, count = await ws.receive_json()
    if kind == "to the client":
        for _ in range(count):
            await ws.send_str(TEXT)
        return
    for _ in range(count):
        text = await ws.receive_str()
        if kind == "back and forth":
            await ws.send_str(text)
    await ws.send_str("done")


async def talk(ws: ClientWebSocketResponse, kind: str, count: int) -> None:
    await ws.send_json([kind, count])
    for _ in range(count):
        if kind != "to the client":
            await ws.send_str(TEXT)
        if kind != "to the server":
            assert await ws.receive_str() == TEXT
    if kind != "to the client":
        assert await ws.receive_str() == "done"


@contextlib.contextmanager
def bare_server() -> Iterator[str]:
    """Run aiohttp's server in a thread and yield the URL of its WebSocket."""

    async def handle(request: web.BaseRequest) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await serve(ws)
        await ws.close()
        return ws

    async def run() -> None:
        runner = web.ServerRunner(web.Server(handle, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        started.append((asyncio.get_running_loop(), stopping, runner.addresses[0][1]))
        ready.set()
        await stopping.wait()
        await runner.cleanup()

    started: list[Any] = []
    ready, stopping = threading.Event(), asyncio.Event()
    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    ready.wait()
    loop, _, port = started[0]
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join()


async def timed(url: str, kind: str, count: int) -> tuple[float, float]:
    """Return the time and the processor time that it takes to talk."""
    async with ClientSession() as session, session.ws_connect(url) as ws:
        start = time.perf_counter(), time.process_time()
        await talk(ws, kind, count)
        return time.perf_counter() - start[0], time.process_time() - start[1]


async def with_mock(kind: str, count: int) -> tuple[float, float]:
    async with aiointercept() as m:
        url = f"{m.server_url}/"
        m.ws(url, serve)
        return await timed(url, kind, count)


async def with_bare_server(kind: str, count: int) -> tuple[float, float]:
    with bare_server() as url:
        return await timed(url, kind, count)


async def main(rounds: int, count: int) -> None:
    sides: list[Callable[[str, int], Awaitable[tuple[float, float]]]] = [with_bare_server, with_mock]
    for side in sides:
        await side("back and forth", 100)
    for kind, target in TARGETS.items():
        pairs = []
        for _ in range(rounds):
            sides.reverse()
            times = {side: await side(kind, count) for side in sides}
            pairs.append((times[with_bare_server], times[with_mock]))
        bare, mock = (statistics.median(time for time, _ in times) for times in zip(*pairs, strict=True))
        ratio, cpu_ratio = (statistics.median(ours[i] / theirs[i] for theirs, ours in pairs) for i in (0, 1))
        ratios = f"ratio {ratio:.2f} (at most {target}), of processor time {cpu_ratio:.2f}"
        print(f"{kind:15} bare {bare:.3f}  mock {mock:.3f}  {ratios}")


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    asyncio.run(main(*(arguments + [9, 10_000][len(arguments) :])))
