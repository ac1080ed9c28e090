"""Replies, as tests for aioresponses register and read them: status, body, headers, redirects, errors of status."""

import gzip
import importlib
import json
import os

import aiohttp
import pytest
from aiohttp import hdrs
from multidict import CIMultiDict
from yarl import URL as Url

library = importlib.import_module(os.environ.get("AIORESPONSES_STYLE_LIBRARY", "aiointercept.compat"))
CallbackResult, aioresponses = library.CallbackResult, library.aioresponses

URL = "https://api.example.com/things"


@pytest.fixture
def m():
    with aioresponses() as m:
        yield m


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_method_shortcuts(m, method):
    getattr(m, method.lower())(URL, status=201, body=f"to {method}")
    async with aiohttp.ClientSession() as session, getattr(session, method.lower())(URL) as response:
        assert response.status == 201
        assert await response.text() == f"to {method}"
    m.assert_called_once()


async def test_head(m):
    m.head(URL, status=200, headers={"X-Total": "3"})
    async with aiohttp.ClientSession() as session, session.head(URL) as response:
        assert (response.status, response.headers["X-Total"], await response.read()) == (200, "3", b"")


@pytest.mark.parametrize("method", [hdrs.METH_GET, "get", "PROPFIND", "Purge"])
async def test_add_takes_any_method(m, method):
    m.add(URL, method, status=207)
    async with aiohttp.ClientSession() as session, session.request(method.upper(), URL) as response:
        assert response.status == 207


async def test_add_takes_its_arguments_by_position(m):
    m.add(URL, "POST", 409, "in use", None, "text/plain", None, {"X-Why": "name"}, None, True, False, "In Use")
    async with aiohttp.ClientSession() as session:
        for _ in range(2):
            response = await session.post(URL)
            assert (response.status, response.reason, await response.text()) == (409, "In Use", "in use")
            assert (response.content_type, response.headers["x-why"]) == ("text/plain", "name")


async def test_default_reply(m):
    m.get(URL)
    async with aiohttp.ClientSession() as session:
        response = await session.get(URL)
        assert (response.status, response.reason, response.ok) == (200, "OK", True)
        assert (response.content_type, await response.read()) == ("application/json", b"")


@pytest.mark.parametrize(
    ("body", "read"),
    [("text", b"text"), ("zażółć", "zażółć".encode()), (b"\x00\xff", b"\x00\xff"), ("", b""), ("x" * 300_000, None)],
    ids=["str", "unicode", "bytes", "empty", "long"],
)
async def test_body(m, body, read):
    m.get(URL, body=body)
    async with aiohttp.ClientSession() as session:
        response = await session.get(URL)
        assert await response.read() == (body.encode() if read is None else read)


@pytest.mark.parametrize("payload", [{"foo": "bar"}, [], {}, 0, False, "text", [{"deep": {"er": [1, 2.5, None]}}]])
async def test_payload(m, payload):
    m.get(URL, payload=payload, body="overridden")
    async with aiohttp.ClientSession() as session:
        response = await session.get(URL)
        assert await response.json() == payload
        assert await response.text() == json.dumps(payload)


async def test_payload_is_serialised_for_each_reply(m):
    state = {"status": "pending"}
    m.get(URL, payload=state, repeat=True)
    async with aiohttp.ClientSession() as session:
        assert await (await session.get(URL)).json() == {"status": "pending"}
        state["status"] = "done"
        assert await (await session.get(URL)).json() == {"status": "done"}


async def test_body_is_read_as_a_stream(m):
    m.get(URL, body="first line\nsecond line\n" + "x" * 50_000)
    async with aiohttp.ClientSession() as session, session.get(URL) as response:
        assert await response.content.readline() == b"first line\n"
        assert await response.content.readexactly(6) == b"second"
        assert len(b"".join([chunk async for chunk in response.content.iter_chunked(1024)])) == 50_006
        assert response.content.at_eof()


async def test_content_type(m):
    m.get(URL, body="<p>", content_type="text/html")
    async with aiohttp.ClientSession() as session:
        response = await session.get(URL)
        assert response.headers["Content-Type"] == response.content_type == "text/html"


async def test_content_type_with_charset(m):
    m.get(URL, body="zażółć".encode("iso-8859-2"), content_type="text/plain; charset=iso-8859-2")
    async with aiohttp.ClientSession() as session:
        response = await session.get(URL)
        assert (response.charset, await response.text()) == ("iso-8859-2", "zażółć")


@pytest.mark.parametrize("name", ["Content-Type", "content-type"])
async def test_content_type_among_headers_wins(m, name):
    m.get(URL, body="a,b", headers={name: "text/csv"}, content_type="text/html")
    async with aiohttp.ClientSession() as session:
        response = await session.get(URL)
        assert list(response.headers.getall("Content-Type")) == ["text/csv"]


async def test_json_of_another_content_type(m):
    m.get(URL, body='{"a": 1}', content_type="text/plain")
    async with aiohttp.ClientSession() as session:
        response = await session.get(URL)
        with pytest.raises(aiohttp.ContentTypeError):
            await response.json()
        assert await response.json(content_type=None) == {"a": 1}


async def test_headers(m):
    m.post(URL, payload={}, headers={"connection": "keep-alive", "X-Request-Id": "42", "etag": '"abc"'})
    async with aiohttp.ClientSession() as session:
        response = await session.post(URL)
        assert response.headers["Connection"] == "keep-alive"
        assert response.headers["x-request-id"] == "42"
        assert response.headers["ETag"] == '"abc"'
        assert (b"X-Request-Id", b"42") in response.raw_headers


async def test_repeated_headers(m):
    m.get(URL, headers=CIMultiDict([("Link", "<a>"), ("Link", "<b>")]))
    async with aiohttp.ClientSession() as session:
        response = await session.get(URL)
        assert list(response.headers.getall("Link")) == ["<a>", "<b>"]


async def test_cookies(m):
    m.get(URL, headers=CIMultiDict([("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2; HttpOnly")]))
    async with aiohttp.ClientSession() as session:
        response = await session.get(URL)
        assert {name: one.value for name, one in response.cookies.items()} == {"a": "1", "b": "2"}
        assert response.cookies["a"]["path"] == "/"


# Headers copied from a real response, which do not fit the body of the test.
@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "1234"},
        {"content-length": "2"},
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "br"},
        {"Content-Encoding": "zstd"},
        {"Transfer-Encoding": "chunked"},
        {"Transfer-Encoding": "chunked", "Content-Length": "77", "Content-Encoding": "deflate", "Vary": "Accept"},
        {"Connection": "close", "Keep-Alive": "timeout=5", "Date": "Thu, 01 Jan 1970 00:00:00 GMT", "Server": "nginx"},
    ],
    ids=lambda headers: ",".join(f"{name}={value}" for name, value in headers.items())[:40],
)
async def test_copied_headers_that_contradict_the_body(m, headers):
    m.get(URL, payload={"a": 1}, headers=headers, repeat=2)
    m.get(URL, body=b'{"a": 1}', headers=headers, repeat=2)
    m.get(URL, callback=lambda url, **kwargs: CallbackResult(payload={"a": 1}, headers=headers), repeat=2)
    async with aiohttp.ClientSession() as session:
        for _ in range(6):
            response = await session.get(URL)
            assert await response.json() == {"a": 1}
            assert response.headers.get("Vary") == headers.get("Vary")


async def test_compressed_body_that_the_session_leaves_alone(m):
    packed = gzip.compress(b"unpacked")
    m.get(URL, body=packed, headers={"Content-Encoding": "gzip"})
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        response = await session.get(URL)
        assert response.headers["Content-Encoding"] == "gzip"
        assert await response.read() == packed


@pytest.mark.parametrize(
    ("status", "reason"), [(200, "OK"), (201, "Created"), (404, "Not Found"), (503, "Service Unavailable"), (799, "")]
)
async def test_reason_of_the_status(m, status, reason):
    m.get(URL, status=status)
    async with aiohttp.ClientSession() as session:
        response = await session.get(URL)
        assert (response.status, response.reason) == (status, reason)


async def test_reason_of_ones_own(m):
    m.get(URL, status=400, reason="Because I Say So")
    async with aiohttp.ClientSession() as session:
        response = await session.get(URL)
        assert (response.status, response.reason, response.ok) == (400, "Because I Say So", False)


async def test_url_and_request_info_of_a_response(m):
    m.get(URL)
    async with aiohttp.ClientSession() as session:
        response = await session.get(URL, headers={"X-One": "1"})
        assert response.url == response.real_url == response.request_info.url == Url(URL)
        assert response.request_info.headers["X-One"] == "1"
        assert response.history == ()


async def test_raise_for_status_of_a_response(m):
    m.get(URL, status=404, headers={"X-Why": "gone"})
    async with aiohttp.ClientSession() as session:
        response = await session.get(URL)
        with pytest.raises(aiohttp.ClientResponseError, match="Not Found") as caught:
            response.raise_for_status()
        assert (caught.value.status, caught.value.headers["X-Why"]) == (404, "gone")
        assert caught.value.request_info.real_url == Url(URL)


@pytest.mark.parametrize(
    ("of_session", "of_request", "raises"),
    [(True, None, True), (True, False, False), (False, None, False), (False, True, True), (True, True, True)],
)
async def test_raise_for_status_of_session_and_request(m, of_session, of_request, raises):
    m.get(URL, status=400)
    async with aiohttp.ClientSession(raise_for_status=of_session) as session:
        if raises:
            with pytest.raises(aiohttp.ClientResponseError) as caught:
                await session.get(URL, raise_for_status=of_request)
            assert caught.value.status == 400
        else:
            assert (await session.get(URL, raise_for_status=of_request)).status == 400


async def test_raise_for_status_is_a_function(m):
    seen = []

    async def look(response):
        seen.append(response.status)
        if response.status >= 500:
            raise ValueError(await response.text())

    m.get(URL, status=400)
    m.get(URL, status=500, body="of the body")
    async with aiohttp.ClientSession(raise_for_status=look) as session:
        await session.get(URL)
        with pytest.raises(ValueError, match="of the body"):
            await session.get(URL)
    assert seen == [400, 500]


async def test_response_class(m):
    class Shouting(aiohttp.ClientResponse):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.volume = 11

        async def text(self, *args, **kwargs):
            return (await super().text(*args, **kwargs)).upper()

    m.get(URL, body="quiet", response_class=Shouting)
    m.get(URL, body="quiet")
    async with aiohttp.ClientSession() as session:
        response = await session.get(URL)
        assert isinstance(response, Shouting)
        assert (response.volume, await response.text()) == (11, "QUIET")
        assert type(await session.get(URL)) is aiohttp.ClientResponse


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_absolute_redirect(m, status):
    m.get(URL, status=status, headers={"Location": "http://another.com/"})
    m.get("http://another.com/", body="there")
    async with aiohttp.ClientSession() as session:
        response = await session.get(URL, allow_redirects=True)
        assert (response.status, await response.text()) == (200, "there")
        assert response.url == Url("http://another.com/")
        assert [(one.status, one.url) for one in response.history] == [(status, Url(URL))]


@pytest.mark.parametrize(
    ("location", "target"),
    [("/test", "https://api.example.com/test"), ("other?a=1", "https://api.example.com/other?a=1")],
)
async def test_relative_redirect(m, location, target):
    m.get(URL, status=307, headers={"Location": location})
    m.get(target, body="there")
    async with aiohttp.ClientSession() as session:
        response = await session.get(URL)
        assert (str(response.url), await response.text()) == (target, "there")


async def test_chain_of_redirects(m):
    m.get(URL, status=302, headers={"location": "/second"})
    m.get("https://api.example.com/second", status=301, headers={"location": "http://another.com/third"})
    m.get("http://another.com/third", payload="end")
    async with aiohttp.ClientSession() as session:
        response = await session.get(URL)
        assert await response.json() == "end"
        assert [one.status for one in response.history] == [302, 301]
    # One call by the caller, whatever follows from it.
    assert [(method, str(url)) for method, url in m.requests] == [("GET", URL)]
    m.assert_called_once_with(URL)


async def test_redirect_after_post_becomes_get(m):
    m.post(URL, status=303, headers={"Location": "/done"})
    m.get("https://api.example.com/done", body="done")
    async with aiohttp.ClientSession() as session:
        response = await session.post(URL, data={"a": "b"})
        assert await response.text() == "done"


async def test_redirect_not_followed(m):
    m.get(URL, status=302, headers={"Location": "http://another.com/"})
    async with aiohttp.ClientSession() as session:
        response = await session.get(URL, allow_redirects=False)
        assert (response.status, response.headers["Location"]) == (302, "http://another.com/")


async def test_redirect_without_location(m):
    m.get(URL, status=302, body="nowhere")
    async with aiohttp.ClientSession() as session:
        response = await session.get(URL)
        assert (response.status, await response.text()) == (302, "nowhere")


async def test_redirect_to_what_nobody_registered(m):
    m.get(URL, status=302, headers={"Location": "http://another.com/"})
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(URL)


async def test_redirect_to_an_exception(m):
    m.get(URL, status=302, headers={"Location": "/next"})
    m.get("https://api.example.com/next", exception=ValueError("at the end"))
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ValueError, match="at the end"):
            await session.get(URL)
