"""Recorded requests take little memory, because only what can be read is kept."""

import gc
import json
import subprocess
import sys

import aiohttp
import pytest
from mock_server import Mock, eventually

# In another process: the figures would include what other tests have left in this one.
MEASURE = """
import asyncio, gc, json, sys, tracemalloc
import aiohttp
from mock_server import Mock

async def main(method, body):
    mock = Mock()
    url = f"{mock.url}/users?page=1"
    mock.registry.add(url, method, payload={"id": 1}, repeat=True)
    async with aiohttp.ClientSession() as session:

        async def ask(count):
            for _ in range(count):
                async with session.request(method, url, json=body) as response:
                    await response.read()
            mock.heads.clear()
            # The server's thread has finished the last request.
            await asyncio.sleep(0.01)
            gc.collect()
            return tracemalloc.get_traced_memory()[0], len(gc.get_objects())

        await ask(20)
        tracemalloc.start()
        before = await ask(20)
        after = await ask(500)
    mock.close()
    print(json.dumps([(now - then) / 500 for then, now in zip(before, after)]))

asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
"""


@pytest.mark.long
@pytest.mark.parametrize(("method", "body", "limit"), [("GET", None, 2500), ("POST", {"a": 1}, 2900)])
def test_a_recorded_small_request(method: str, body: object, limit: int):
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE, method, json.dumps(body)],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.stderr == ""
    size, objects = json.loads(ran.stdout)
    assert size < limit
    assert objects < 9


async def test_what_is_cleared_is_freed(mock: Mock):
    url = f"{mock.url}/"
    mock.registry.post(url, repeat=True)
    async with aiohttp.ClientSession() as session:
        for _ in range(50):
            async with session.post(url, data=b"x" * 1000) as response:
                await response.read()
    kept = type(mock.last)
    mock.heads.clear()
    mock.registry.clear()

    def freed() -> bool:
        gc.collect()
        return not [one for one in gc.get_objects() if type(one) is kept and one.url.port == mock.port]

    await eventually(freed)
