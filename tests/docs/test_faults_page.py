"""Each row of the table of faults is true: what a caller gets, in the modes that it names."""

import asyncio
import errno
import re
from pathlib import Path

import aiohttp
import pytest

from aiointercept import Fault, aiointercept

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "faults.md").read_text("utf-8")
ROWS = re.findall(r"^\| `([A-Z_]+)` \| (.+?) \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)
MODES = {"both": (True, False), "external": (True,), "external, https": (True,)}
CASES = [
    pytest.param(name, gets, external, scheme, id=f"{name}-{scheme if external else 'server_url'}")
    for name, _, gets, modes in ROWS
    for external in MODES[modes]
    for scheme in ("http", "https")
    if external or scheme == "http"
    if scheme == "https" or not modes.endswith("https")
]


def error_named_in(text: str) -> type[BaseException]:
    """Return the class of the first exception that `text` names."""
    module, name = re.search(r"`(aiohttp\.)?(\w+(?:Error))`", text).groups()
    return getattr(aiohttp, name) if module else {"TimeoutError": TimeoutError}[name]


def test_all_faults_are_in_the_table_with_their_modes():
    assert [name for name, *_ in ROWS] == [fault.name for fault in Fault]
    for name, _, _, modes in ROWS:
        fault = Fault[name]
        assert (modes == "both") == fault.is_sent_by_server
        assert modes.endswith("https") == fault.needs_https


@pytest.mark.parametrize(("name", "gets", "external", "scheme"), CASES)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_row(name: str, gets: str, external: bool, scheme: str, method: str):
    fault = Fault[name]
    async with aiointercept(mock_external_urls=external) as m, aiohttp.ClientSession() as session:
        url = f"{scheme}://api.example/" if external else m.server_url
        m.add(url, method, fault=fault, body="the body" if fault.has_body else "")
        # Only a request that hangs lasts as long.
        timeout = aiohttp.ClientTimeout(total=None, sock_read=0.2 if fault is Fault.HANG else 10)
        call = session.request(method, url, timeout=timeout)
        if "a response" in gets:
            call = (await call).read()
        with pytest.raises(error_named_in(gets)) as caught:
            await call
        assert type(caught.value) is error_named_in(gets)
        assert m.call_count == 1
    if number := re.search(r"errno `(E\w+)`|errno` `(E\w+)`", gets):
        expected = getattr(errno, number[1] or number[2])
        assert getattr(caught.value, "os_error", caught.value).errno == expected
    if status := re.search(r"the status (\d+)", gets):
        assert caught.value.status == int(status[1])


@pytest.mark.parametrize("fault", [ValueError("mine"), ValueError, asyncio.CancelledError])
async def test_the_rows_of_exceptions(fault: BaseException | type[BaseException]):
    assert "| an exception | `fault=error` | that object itself | external |" in PAGE
    assert "| an exception class | `fault=Error` | a new instance for each request | external |" in PAGE
    found = []
    async with aiointercept(mock_external_urls=True) as m, aiohttp.ClientSession() as session:
        m.get("https://api.example/", fault=fault, repeat=True)
        for _ in range(2):
            with pytest.raises(fault if isinstance(fault, type) else ValueError) as caught:
                await session.get("https://api.example/")
            found.append(caught.value)
    assert (found[0] is found[1] is fault) or (isinstance(fault, type) and found[0] is not found[1])
