"""Where tests for aioresponses see something else, because the HTTP is real: the rows of the migration guide."""

import asyncio
import gzip
import json
import os
import tempfile

import aiohttp
import pytest
from aiohttp import web
from yarl import URL as Url

from aiointercept.compat import CallbackResult, aioresponses

URL = "http://api.example.com/v1/things"


@pytest.fixture
def m():
    with aioresponses() as m:
        yield m


async def test_a_reply_has_the_headers_that_http_needs(m):
    m.get(URL, payload=[])
    async with aiohttp.ClientSession() as session:
        response = await session.get(URL)
    assert dict(response.headers) == {
        "Content-Type": "application/json",
        "Content-Length": "2",
        "Date": response.headers["Date"],
    }


async def test_a_request_has_the_headers_that_aiohttp_sends(m):
    m.post(URL)
    async with aiohttp.ClientSession(cookies={"a": "1"}) as session:
        response = await session.post(URL, json={}, headers={"X-One": "1"})
    sent = response.request_info.headers
    assert {"Host", "Accept", "User-Agent", "Content-Type", "Content-Length", "Cookie", "X-One"} <= set(sent)
    # The call has what the caller passed.
    assert m.requests["POST", Url(URL)][0].kwargs["headers"] == {"X-One": "1"}


async def test_the_method_of_a_response_is_the_one_that_was_sent(m):
    m.add(URL, "get", callback=lambda url, **kwargs: CallbackResult(method="PUT"))
    async with aiohttp.ClientSession() as session:
        response = await session.get(URL)
    assert response.method == response.request_info.method == "GET"


async def test_the_url_of_a_response_is_the_requested_one(m):
    m.get(f"{URL}?a=1&b=2")
    async with aiohttp.ClientSession() as session:
        response = await session.get(f"{URL}?b=2#there", params={"a": "1"})
    assert str(response.url) == f"{URL}?b=2&a=1"
    assert str(response.real_url) == f"{URL}?b=2&a=1#there"


@pytest.mark.parametrize(("method", "status"), [("GET", 204), ("GET", 304), ("HEAD", 200)])
async def test_a_reply_that_has_no_body_has_none(m, method, status):
    m.add(URL, method, status=status, payload={"never": "sent"})
    async with aiohttp.ClientSession() as session:
        response = await session.request(method, URL)
        assert (response.status, await response.read()) == (status, b"")


async def test_a_compressed_body_is_decompressed(m):
    m.get(URL, body=gzip.compress(b"unpacked"), headers={"Content-Encoding": "gzip"})
    async with aiohttp.ClientSession() as session:
        assert await (await session.get(URL)).read() == b"unpacked"


async def test_headers_that_contradict_the_body_are_dropped(m):
    m.get(URL, body="plain", headers={"Content-Length": "99", "Content-Encoding": "br", "Transfer-Encoding": "chunked"})
    async with aiohttp.ClientSession() as session:
        response = await session.get(URL)
    assert response.headers["Content-Length"] == "5"
    assert "Content-Encoding" not in response.headers
    assert "Transfer-Encoding" not in response.headers


async def test_the_session_keeps_cookies_and_sends_them(m):
    m.get(URL, headers={"Set-Cookie": "a=1; Path=/"}, repeat=True)
    async with aiohttp.ClientSession() as session:
        await session.get(URL)
        response = await session.get(URL)
    assert response.request_info.headers["Cookie"] == "a=1"


@pytest.mark.parametrize("status", [307, 308])
async def test_a_redirect_that_keeps_the_method_keeps_it(m, status):
    m.post(URL, status=status, headers={"Location": "/elsewhere"})
    m.get("http://api.example.com/elsewhere", body="not asked for")
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectionError, match=r"POST http://api\.example\.com/elsewhere"):
            await session.post(URL, json={"a": 1})

        m.post(URL, status=status, headers={"Location": "/elsewhere"})
        m.post("http://api.example.com/elsewhere", callback=lambda url, json, **_: CallbackResult(payload=json))
        assert await (await session.post(URL, json={"a": 1})).json() == {"a": 1}


async def test_a_redirect_in_a_circle_ends(m):
    m.get(URL, status=302, headers={"Location": URL}, repeat=True)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.TooManyRedirects):
            await session.get(URL)
    m.assert_called_once_with(URL)


@pytest.mark.parametrize("is_async", [False, True], ids=["reply", "callback"])
async def test_the_timeouts_of_the_caller_count(m, is_async):
    async def callback(url, **kwargs):
        await asyncio.sleep(30)

    m.get(URL, callback=callback)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.05)) as session:
        with pytest.raises(asyncio.TimeoutError):
            await session.get(URL)
    m.assert_called_once_with(URL)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"json": object()}, TypeError),
        ({"json": {}, "data": b""}, ValueError),
        ({"params": {"a": object()}}, TypeError),
        ({"headers": {"X-One": "line\nbreak"}}, ValueError),
        ({"unheard_of": 1}, TypeError),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
async def test_arguments_are_checked_by_aiohttp(m, options, error):
    m.post(URL, repeat=True)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(error):
            await session.post(URL, **options)


@pytest.mark.parametrize("url", ["/relative", "http://"])
async def test_urls_are_checked_by_aiohttp(m, url):
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.InvalidURL):
            await session.get(url)
    m.assert_not_called()


@pytest.mark.parametrize(
    "options",
    [
        {"status": 101},
        {"status": 1000},
        {"headers": {"X One": "1"}},
        {"headers": {"X-One": "a\r\nb"}},
        {"headers": {"X-One": "a\x01b"}},
        {"headers": {"Set-Cookie": ["a=1", "b=2"]}},
        {"reason": "a\x7fb"},
        {"content_type": "text/plain\x1f"},
        {"repeat": -1},
        {"payload": object()},
        {"exception": True},
    ],
    ids=lambda options: next(iter(options)),
)
def test_what_cannot_be_sent_is_refused_where_it_is_registered(m, options):
    with pytest.raises((TypeError, ValueError)):
        m.get(URL, **options)


@pytest.mark.parametrize("url", ["/relative", "no url"])
def test_a_url_without_a_host_is_refused_where_it_is_registered(m, url):
    with pytest.raises(ValueError, match=r"host|full|absolute"):
        m.get(url)


async def test_a_wrong_result_of_a_callback_is_raised_in_the_caller(m):
    m.get(URL, callback=lambda url, **kwargs: {"status": 200})
    async with aiohttp.ClientSession() as session:
        with pytest.raises(TypeError, match="must return a CallbackResult"):
            await session.get(URL)


async def test_requests_are_found_with_any_spelling_of_the_method(m):
    m.post(URL)
    m.get(URL)
    async with aiohttp.ClientSession() as session:
        await session.request("post", URL, json={"n": 1})
        await session.get(URL)
    assert list(m.requests) == [("post", Url(URL)), ("GET", Url(URL))]
    for method in ("post", "Post", "POST"):
        assert (method, Url(URL)) in m.requests
        assert m.requests[method, Url(URL)] == m.requests.get((method, URL)) == m.requests["post", Url(URL)]
        m.assert_any_call(URL, method)
        m.assert_called_with(URL, method, json={"n": 1})
    with pytest.raises(AssertionError, match="!="):
        m.assert_called_with(URL, "POST", json={"n": 1}, data=b"")
    assert ("put", Url(URL)) not in m.requests
    assert ("get", Url(URL)) in m.requests
    with pytest.raises(KeyError):
        m.requests["put", Url(URL)]


async def test_a_redirect_to_another_method_is_part_of_the_call(m):
    m.post(URL, status=303, headers={"Location": "/elsewhere"})
    m.get("http://api.example.com/elsewhere", body="there")
    async with aiohttp.ClientSession() as session:
        assert await (await session.request("post", URL)).text() == "there"
    assert list(m.requests) == [("post", Url(URL))]


@pytest.mark.parametrize(
    "options", [{"headers": {"X-One": "a\x01b"}}, {"reason": "a\x7fb"}, {"content_type": "text/plain\x1f"}]
)
async def test_control_characters_in_the_result_of_a_callback_are_raised_in_the_caller(m, options):
    m.get(URL, callback=lambda url, **kwargs: CallbackResult(**options))
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ValueError, match="must not contain control characters other than TAB"):
            await session.get(URL)


async def test_the_reason_of_a_callback_result_is_the_one_of_its_status(m):
    m.get(URL, callback=lambda url, **kwargs: CallbackResult(status=404))
    async with aiohttp.ClientSession() as session:
        assert (await session.get(URL)).reason == "Not Found"


async def test_traces_and_middlewares_take_part(m):
    seen = []

    async def on_request_end(session, context, params):
        seen.append(params.response.status)

    async def middleware(request, handler):
        request.headers["X-Signed"] = "yes"
        return await handler(request)

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(on_request_end)
    m.get(URL, status=299)
    async with aiohttp.ClientSession(trace_configs=[trace], middlewares=[middleware]) as session:
        response = await session.get(URL)
    assert (seen, response.request_info.headers["X-Signed"]) == ([299], "yes")


async def test_unix_sockets_are_not_intercepted():
    async def serve(request):
        return web.Response(text="over a socket file")

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "socket")
        runner = web.ServerRunner(web.Server(serve), shutdown_timeout=0.1)
        await runner.setup()
        await web.UnixSite(runner, path).start()
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(path)) as session:
            with aioresponses() as m:
                response = await session.get("http://docker/version")
                assert await response.text() == "over a socket file"
                m.assert_not_called()
        await runner.cleanup()


async def test_a_call_is_recorded_at_once_and_takes_several_turns_of_the_loop(m):
    m.get(URL, body="later")
    async with aiohttp.ClientSession() as session:
        task = asyncio.create_task(session.get(URL))
        await asyncio.sleep(0)
        m.assert_called_once_with(URL)
        assert not task.done()
        assert await (await task).text() == "later"


async def test_ports_that_mean_the_same_are_the_same(m):
    m.get("http://example.com:80/x", repeat=2)
    async with aiohttp.ClientSession() as session:
        for url in ("http://example.com/x", "http://example.com:80/x#fragment"):
            assert (await session.get(url)).status == 200
    assert len(m.requests["get", "HTTP://example.com/x"]) == 2


async def test_requests_are_looked_up_by_any_spelling(m):
    m.post(f"{URL}?a=1&b=2")
    async with aiohttp.ClientSession() as session:
        await session.request("post", f"{URL}?b=2&a=1")
    for key in [("POST", Url(f"{URL}?a=1&b=2")), ("post", f"{URL}?b=2&a=1"), ("Post", Url(f"{URL}?b=2&a=1#x"))]:
        assert key in m.requests
        assert len(m.requests[key]) == len(m.requests.get(key)) == 1
    m.assert_any_call(f"{URL}?b=2&a=1", method="Post")


async def test_a_miss_says_what_was_registered(m):
    m.get(f"{URL}/1")
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectionError) as caught:
            await session.get(f"{URL}/2")
    assert str(caught.value).startswith(f"Connection refused: GET {URL}/2: ")
    assert f"{URL}/1" in str(caught.value)


async def test_a_decorated_function_begins_with_nothing_recorded():
    @aioresponses()
    async def check(m):
        m.get(URL)
        async with aiohttp.ClientSession() as session:
            await session.get(URL)
        m.assert_called_once_with(URL)

    for _ in range(3):
        await check()


async def test_a_stream_can_be_read_again_as_bytes_and_as_a_stream(m):
    async def chunks():
        yield b"one "
        yield b"two"

    seen = []

    async def callback(url, *, data, **kwargs):
        seen.extend([b"".join([chunk async for chunk in data]) for _ in range(2)])

    m.post(URL, callback=callback)
    async with aiohttp.ClientSession() as session:
        await session.post(URL, data=chunks())
    data = m.requests["POST", Url(URL)][0].kwargs["data"]
    assert [seen, [chunk async for chunk in data], data] == [[b"one two"] * 2, [b"one two"], b"one two"]


@pytest.mark.parametrize("mode", ["r", "rb"])
async def test_a_file_can_be_read_again(m, mode, tmp_path):
    (tmp_path / "file").write_text("of the disk")
    seen = []
    m.put(URL, callback=lambda url, *, data, **kwargs: seen.append(data.read()))
    with open(tmp_path / "file", mode) as file:
        async with aiohttp.ClientSession() as session:
            await session.put(URL, data=file)
    data = m.requests["PUT", Url(URL)][0].kwargs["data"].read()
    assert [*seen, data] == ["of the disk" if mode == "r" else b"of the disk"] * 2


async def test_a_stream_of_what_failed_or_was_given_up_holds_what_was_sent(m):
    async def chunks():
        yield b"one "
        raise LookupError("in the stream")

    m.post(URL)
    async with aiohttp.ClientSession() as session:
        with pytest.raises((LookupError, aiohttp.ClientError)):
            await session.post(URL, data=chunks())
    assert b"one ".startswith(m.requests["POST", Url(URL)][0].kwargs["data"])


async def test_changed_data_of_one_argument_that_cannot_be_copied_spares_the_others(m):
    payload = {"a": 1}
    m.post(URL)
    async with aiohttp.ClientSession() as session:
        await session.post(URL, json=payload, trace_request_ctx=(part for part in "generator"))
    payload["a"] = 2
    assert m.requests["POST", Url(URL)][0].kwargs["json"] == {"a": 1}


async def test_json_is_what_the_session_made_of_it(m):
    m.post(URL, callback=lambda url, **kwargs: CallbackResult(payload=kwargs["json"]["number"] * 2))
    async with aiohttp.ClientSession(json_serialize=lambda value: json.dumps(value, sort_keys=True)) as session:
        assert await (await session.post(URL, json={"number": 21})).json() == 42
