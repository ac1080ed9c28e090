"""What thousands of recorded requests cost: little, since nothing is kept that nobody can ask for."""

import asyncio
import gc
import os
import subprocess
import sys
import tracemalloc

import aiohttp
import pytest
from mock_server import Mock, eventually


@pytest.mark.long
@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="the other test runs as it is")
def test_in_a_process_where_nothing_else_ran():
    """What other tests leave in a worker's process shows in the figures."""
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "long", __file__]
    done = subprocess.run(command, env=alone, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.long
@pytest.mark.skipif("PYTEST_XDIST_WORKER" in os.environ, reason="runs in a process of its own")
@pytest.mark.skipif(sys.flags.dev_mode, reason="asyncio's debug mode keeps more")
@pytest.mark.parametrize(("method", "body", "limit"), [("GET", None, 2500), ("POST", {"a": 1}, 2900)])
async def test_a_recorded_small_request(mock: Mock, method: str, body: object, limit: int):
    url = f"{mock.url}/users?page=1"
    mock.registry.add(url, method, payload={"id": 1}, repeat=True)
    async with aiohttp.ClientSession() as session:

        async def ask(count: int) -> None:
            for _ in range(count):
                async with session.request(method, url, json=body) as response:
                    await response.read()
            mock.screened.clear()
            # The server's thread has come to the end of the last one.
            await asyncio.sleep(0.01)

        async def growth(count: int) -> tuple[float, float]:
            gc.collect()
            objects, (size, _) = len(gc.get_objects()), tracemalloc.get_traced_memory()
            await ask(count)
            gc.collect()
            grown = tracemalloc.get_traced_memory()[0] - size
            return grown / count, (len(gc.get_objects()) - objects) / count

        await ask(20)
        tracemalloc.start()
        try:
            await growth(20)
            # What else happens in the process only adds to it.
            size, objects = min([await growth(400) for _ in range(3)])
        finally:
            tracemalloc.stop()
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
    mock.screened.clear()
    mock.registry.clear()

    def freed() -> bool:
        gc.collect()
        return not [one for one in gc.get_objects() if type(one) is kept and one.url.port == mock.port]

    await eventually(freed)
