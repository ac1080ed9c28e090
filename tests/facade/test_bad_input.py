"""Mistakes are reported where they are made: core's messages as they are, and what only the facade can know."""

import re

import pytest
from support import fetch

from aiointercept import AiointerceptWarning, CallbackResult, aiointercept
from aiointercept_core import Registry

URL = "http://api.example.com/"


@pytest.fixture
def m():
    mock = aiointercept(mock_external_urls=True)
    mock.start()
    yield mock
    mock.stop()


async def one_chunk():
    yield b"chunk"


@pytest.mark.parametrize(
    "options",
    [
        {"url": "/path"},
        {"url": None},
        {"url": re.compile(b"http")},
        {"method": "GET IT"},
        {"stauts": 404},
        {"status": True},
        {"body": {"a": 1}},
        {"body": b"four", "headers": {"Content-Length": "5"}},
        {"json": {"when": object}},
        {"json": 1, "payload": 1},
        {"headers": "X-A: 1"},
        {"headers": {"X-A": "1\r\n"}},
        {"content_type": "text/plain\r\n"},
        {"reason": "Fine\r\nX: 1"},
        {"repeat": -1},
        {"callback": CallbackResult()},
        {"callback": "name"},
        {"exception": "broken"},
    ],
    ids=", ".join,
)
def test_an_error_of_core_comes_through_unchanged(m, options):
    def error_of(add):
        with pytest.raises((TypeError, ValueError)) as caught:
            add(**{"url": URL, **options})
        return type(caught.value), str(caught.value), type(caught.value.__cause__)

    assert error_of(m.add) == error_of(Registry().add)
    assert m.routes == []


@pytest.mark.parametrize(("name", "arguments"), [("get", ()), ("add", ()), ("ws", (URL,)), ("assert_called_with", ())])
def test_a_wrong_call_names_the_method_without_an_internal_class(m, name, arguments):
    with pytest.raises(TypeError, match=rf"^{name}\(\) missing 1 required positional argument"):
        getattr(m, name)(*arguments)


@pytest.mark.parametrize("repeat", [2, True])
def test_a_generator_cannot_be_sent_twice(m, repeat):
    with pytest.raises(ValueError, match=rf"repeat={repeat}.*pass the function"):
        m.get(URL, body=one_chunk(), repeat=repeat)


@pytest.mark.parametrize(
    ("passthrough", "error", "message"),
    [
        (["not a host"], ValueError, r"passthrough: .*'not a host'"),
        ("api.example.com", TypeError, r"passthrough must be a list of hosts, .*\['api.example.com'\]"),
    ],
)
def test_an_entry_of_passthrough_that_is_no_host(passthrough, error, message):
    with pytest.raises(error, match=message):
        aiointercept(mock_external_urls=True, passthrough=passthrough)


async def test_a_callback_that_returns_no_callback_result():
    def returns_nonsense(url, **kwargs):
        return {"status": 200}

    m = await aiointercept().start()
    m.get(f"{m.server_url}/", callback=returns_nonsense)
    assert (await fetch(m.server_url)).status == 500
    with pytest.raises(TypeError, match=r"callback .*returns_nonsense\(\) must return .*, got \{'status': 200\}"):
        await m.stop()


def test_a_registered_ip_address_other_than_the_mocks_warns(m):
    for url in ("http://192.0.2.1/", "http://[2001:db8::1]/"):
        with pytest.warns(AiointerceptWarning, match=f"requests for {re.escape(url)} will not reach the mock"):
            m.get(url, payload=1)

    # These do not warn.
    m.get(f"{m.server_url}/", payload=1)
    m.get("https://api.example.com/", payload=1)
    m.get(re.compile("http://192.0.2.1/"), payload=1)
