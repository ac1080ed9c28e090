"""The report of a failed test shows what clients have sent over WebSockets, bounded."""

import re

import pytest
from pytest_runs import report_sections, run_in_process

pytest_plugins = ["pytester"]

SOURCE = """
import asyncio

import aiohttp
import pytest

from aiointercept import aiointercept

URL = "wss://api.example.test/socket"


async def handler(ws):
    async for message in ws:
        pass


async def talk(*messages):
    async with aiohttp.ClientSession() as session, session.ws_connect(URL) as client:
        for message in messages:
            await (client.send_str(message) if isinstance(message, str) else client.send_bytes(message))


def test_failed():
    with aiointercept(mock_external_urls=True) as m:
        m.ws(URL, handler)
        asyncio.run(talk(MESSAGES))
        assert m.call_count == 0
"""


@pytest.fixture
def conversation(pytester):
    """Return the lines of the report after a client has sent `messages`."""

    def conversation(messages):
        pytester.makepyfile(SOURCE.replace("MESSAGES", messages))
        result = run_in_process(pytester, "--tb=short")
        result.assert_outcomes(failed=1)
        (section,) = report_sections(result)
        return section

    return conversation


def test_the_conversation(conversation):
    lines = conversation(r"'hello', b'\x00\xff', 'two\nlines', ''")
    assert re.fullmatch(r"  GET  https://api\.example\.test/socket  101  \d+\.\d\d ms +matched", lines[1])
    assert lines[2:] == [
        "    message: 'hello'",
        r"    message: b'\x00\xff'",
        r"    message: 'two\nlines'",
        "    message: ''",
    ]


def test_many_messages(conversation):
    lines = conversation("*map(str, range(1000))")
    assert lines[2:] == [*(f"    message: '{number}'" for number in range(10)), "    (and 990 more messages)"]


def test_one_message_more(conversation):
    assert conversation("*map(str, range(11))")[-1] == "    (and 1 more message)"


@pytest.mark.parametrize("message", ["'x' * 10_000_000", "bytes(10_000_000)"])
def test_a_long_message(conversation, message):
    (line,) = conversation(message)[2:]
    assert line.startswith("    message: ")
    assert len(line) < 100


def test_no_messages(conversation):
    assert len(conversation("")) == 2
