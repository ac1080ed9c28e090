"""Entering, using and leaving a mock never blocks a running event loop."""

import asyncio
import subprocess
import sys

import aiohttp
import pytest
from blockbuster import blockbuster_ctx
from support import fetch

from aiointercept import CallbackResult, aiointercept

MODES = pytest.mark.parametrize("external", [False, True], ids=["default", "external"])


async def use(m, external):
    async def async_callback(url, **kwargs):
        return CallbackResult(body="async")

    async def body():
        yield b"stream"

    base = "https://api.example.com" if external else m.server_url
    m.get(f"{base}/static", body="static")
    m.get(f"{base}/sync", callback=lambda url, **kwargs: CallbackResult(body="sync"))
    m.get(f"{base}/async", callback=async_callback)
    m.get(f"{base}/stream", body=body)
    for path in ("static", "sync", "async", "stream"):
        assert (await fetch(f"{base}/{path}")).text == path
    with pytest.raises(aiohttp.ClientConnectionError):
        await fetch(f"{base}/unmatched")
    m.assert_called()


@MODES
@pytest.mark.parametrize("sync_block", [False, True], ids=["async with", "with"])
async def test_a_block_in_a_running_loop(external, sync_block):
    with blockbuster_ctx():
        for _ in range(2):
            if sync_block:
                with aiointercept(external) as m:
                    await use(m, external)
            else:
                async with aiointercept(external) as m:
                    await use(m, external)


@MODES
async def test_start_and_stop_in_a_running_loop(external):
    with blockbuster_ctx():
        m = await aiointercept(external).start()
        await use(m, external)
        await m.stop()
        m.start()
        stopped = m.stop()
    await stopped


FIRST_USE = """
import asyncio
from blockbuster import blockbuster_ctx
from aiointercept import aiointercept

async def main():
    with blockbuster_ctx():
        async with aiointercept(True):
            pass

asyncio.run(main())
"""


def test_the_first_mock_of_a_process():
    """It starts the thread on which all are served."""
    done = subprocess.run([sys.executable, "-c", FIRST_USE], check=False, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


async def test_a_block_does_not_wait_for_other_mocks():
    """What one mock's client or callback does is no concern of another block."""
    hanging = asyncio.Event()

    async def callback(url, **kwargs):
        await hanging.wait()
        return CallbackResult()

    async with aiointercept() as busy:
        busy.get(f"{busy.server_url}/", callback=callback)
        task = asyncio.ensure_future(fetch(busy.server_url))
        async with asyncio.timeout(1), aiointercept() as m:
            m.get(f"{m.server_url}/")
            await fetch(m.server_url)
        assert not task.done()
        hanging.set()
        await task
