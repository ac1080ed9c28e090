"""Mistakes are told where they are made, with what was expected, what came and how to fix it."""

import re

import aiohttp
import pytest
from support import fetch

from aiointercept import CallbackResult, aiointercept

URL = "http://api.example.com/"
UNSERIALISABLE = {"when": object()}


@pytest.fixture
def m():
    mock = aiointercept()
    mock.start()
    yield mock
    mock.stop()


async def one_chunk():
    yield b"chunk"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("/path",), ValueError, r"'/path'; write it in full"),
        (("http:///path",), ValueError, r"expected an absolute http or https URL"),
        (("ftp://api.example.com/",), ValueError, r"'ftp://api.example.com/'"),
        ((b"http://api.example.com/",), TypeError, r"expected a str, yarl.URL or compiled re.Pattern, got b'http"),
        ((None,), TypeError, r"expected a str, yarl.URL or compiled re.Pattern, got None"),
        ((re.compile(b"http"),), TypeError, r"expected a pattern of str"),
        (("http://api.example.com:99999/",), ValueError, r"expected an absolute http or https URL"),
        ((URL, "GET IT"), ValueError, r"method: expected .*'GET IT'"),
        ((URL, ""), ValueError, r"method: expected"),
        ((URL, None), ValueError, r"method: expected .* got None"),
    ],
)
def test_what_to_answer(m, arguments, error, message):
    with pytest.raises(error, match=message):
        m.add(*arguments)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"stauts": 404}, TypeError, r"'stauts'.*did you mean 'status'\?"),
        ({"surprise": 1}, TypeError, r"'surprise'.*remove it"),
        ({"status": True}, ValueError, r"status: expected an int from 200 to 999.*True"),
        ({"status": 199}, ValueError, r"status: .*199"),
        ({"status": 1000}, ValueError, r"status: .*1000"),
        ({"status": "200"}, ValueError, r"status: .*'200'"),
        ({"status": 200.0}, ValueError, r"status: .*200\.0"),
        ({"body": {"a": 1}}, TypeError, r"body: expected str, bytes.*\{'a': 1\}; use payload="),
        ({"body": 3}, TypeError, r"body: expected str, bytes.*3"),
        ({"body": ["a"]}, TypeError, r"body: expected"),
        ({"payload": UNSERIALISABLE}, TypeError, r"payload: expected .* json.dumps"),
        ({"json": UNSERIALISABLE}, TypeError, r"payload: expected .* json.dumps"),
        ({"json": 1, "payload": 1}, ValueError, r"json and payload"),
        ({"headers": "X-A: 1"}, TypeError, r"headers: expected a mapping"),
        ({"headers": {"X-A": 1}}, TypeError, r"'X-A': 1; convert"),
        ({"headers": {"X-A\r\nX-B": "1"}}, ValueError, r"headers: 'X-A\\r\\nX-B'"),
        ({"headers": {"X\0": "1"}}, ValueError, r"headers: 'X\\x00'"),
        ({"headers": {"X-A": "1\r\n"}}, ValueError, r"'X-A'.*CR, LF or NUL.*remove"),
        ({"headers": {"X-A": "1\n2"}}, ValueError, r"'X-A'.*CR, LF or NUL"),
        ({"headers": {"X-A": "1\0"}}, ValueError, r"'X-A'.*CR, LF or NUL"),
        ({"reason": "Fine\r\nX: 1"}, ValueError, r"reason .*CR, LF or NUL"),
        ({"content_type": "text/plain\r\n"}, ValueError, r"content_type .*CR, LF or NUL"),
        ({"repeat": -1}, ValueError, r"repeat: .*-1"),
        ({"repeat": 2.5}, TypeError, r"repeat: .*2\.5"),
        ({"repeat": "2"}, TypeError, r"repeat: .*'2'"),
        ({"repeat": None}, TypeError, r"repeat: .*None"),
        ({"callback": CallbackResult()}, TypeError, r"callback: expected a function"),
        ({"callback": "name"}, TypeError, r"callback: expected a function.*'name'"),
        ({"exception": "broken"}, TypeError, r"exception: expected .*'broken'"),
        ({"exception": int}, TypeError, r"exception: expected .*int"),
        ({"body": one_chunk(), "repeat": 2}, ValueError, r"repeat=2.*pass the function"),
        ({"body": one_chunk(), "repeat": True}, ValueError, r"repeat=True.*pass the function"),
        ({"body": b"four", "headers": {"Content-Length": "5"}}, ValueError, r"Content-Length 4.*'5'"),
        ({"body": b"plain", "headers": {"Content-Encoding": "gzip"}}, ValueError, r"Content-Encoding 'gzip'"),
        ({"headers": {"Transfer-Encoding": "gzip"}}, ValueError, r"Transfer-Encoding.*'gzip'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_what_to_answer_with(options, error, message):
    async with aiointercept() as m:
        with pytest.raises(error, match=message):
            m.add(f"{m.server_url}/", **options)
        # What was refused leaves nothing behind.
        with pytest.raises(aiohttp.ClientConnectionError):
            await fetch(m.server_url)


@pytest.mark.parametrize("name", ["json", "payload"])
def test_what_cannot_be_serialised_has_its_cause_chained(m, name):
    with pytest.raises(TypeError) as caught:
        m.get(URL, **{name: UNSERIALISABLE})
    assert "not JSON serializable" in str(caught.value.__cause__)


def test_a_finite_reply_behind_an_endless_one_could_never_be_reached(m):
    m.get(URL, repeat=True)
    with pytest.raises(ValueError, match=r"behind repeat=True.*register it before"):
        m.get(URL)


@pytest.mark.parametrize("hosts", [["not a host"], ["https://api.example.com/path"], [""], [None], ["http://"]])
def test_an_entry_of_passthrough_that_is_no_host(hosts):
    with pytest.raises(ValueError, match=r"passthrough: expected a host"):
        aiointercept(True, passthrough=hosts)


def test_a_single_str_as_passthrough():
    with pytest.raises(TypeError, match=r"passthrough: expected a list.*\['api.example.com'\]"):
        aiointercept(True, passthrough="api.example.com")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "[::1]:80", "api.example.com.", "API.example.com:8080"])
def test_bare_addresses_and_a_trailing_dot_are_fine_in_passthrough(host):
    aiointercept(True, passthrough=[host])


@pytest.mark.parametrize("result", [None, {"status": 200}, "text", 200, CallbackResult, fetch])
async def test_a_callback_that_returns_no_callback_result(result):
    def returns_nonsense(url, **kwargs):
        return result

    m = await aiointercept().start()
    m.get(f"{m.server_url}/", callback=returns_nonsense)
    assert (await fetch(m.server_url)).status == 500
    with pytest.raises(TypeError, match=r"callback <function .*returns_nonsense.*CallbackResult, got ") as caught:
        await m.stop()
    assert str(caught.value).endswith(f"got {result!r}")


async def test_a_bare_address_that_is_not_the_mocks_own_is_warned_of(caplog):
    async with aiointercept(True) as m:
        m.get("http://192.0.2.1/", payload=1)
        m.get("http://[2001:db8::1]/", payload=1)
        assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
        assert "http://192.0.2.1/ will not be intercepted" in caplog.text

        caplog.clear()
        m.get(f"{m.server_url}/", payload=1)
        m.get("https://api.example.com/", payload=1)
        m.get(re.compile("http://192.0.2.1/"), payload=1)
        assert caplog.records == []
