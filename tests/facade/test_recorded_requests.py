"""What is recorded of a request, and that it stays readable: after the reply, after `stop()`, on any loop."""

import asyncio
import json
import re

import aiohttp
import pytest
from support import fetch
from yarl import URL

from aiointercept import AiointerceptRequest, aiointercept

ANY_URL = re.compile(".*")


async def recorded(method="POST", path="/", **options):
    """Ask a mock that is stopped by the time this returns; return the one request it recorded."""
    async with aiointercept() as m:
        m.add(ANY_URL, method)
        await fetch(f"{m.server_url}{path}", method, **options)
    return m.last_request


async def test_the_body_is_readable_after_stop_again_and_again():
    # aiohttp 4.0 decodes only JSON that is announced as such.
    request = await recorded(data=json.dumps({"n": 1}), headers={"Content-Type": "application/json"})
    assert isinstance(request, AiointerceptRequest)
    for _ in range(2):
        assert await request.read() == b'{"n": 1}'
        assert await request.text() == '{"n": 1}'
        assert await request.json() == {"n": 1}
        assert await request.content.read() == b'{"n": 1}'
    assert request.captured_body == b'{"n": 1}'


def test_the_body_is_readable_on_another_loop():
    request = asyncio.run(recorded(data={"name": "ann"}))
    assert asyncio.run(_form_of(request)) == {"name": "ann"}


async def _form_of(request):
    return dict(await request.post())


async def test_a_form_is_readable_after_stop():
    request = await recorded(data={"name": "ann", "tags": "ü"})
    assert await _form_of(request) == {"name": "ann", "tags": "ü"}
    assert await _form_of(request) == {"name": "ann", "tags": "ü"}


async def test_multipart_fields_are_readable_after_stop():
    form = aiohttp.FormData()
    form.add_field("name", "ann")
    form.add_field("file", b"\x00\xff" * 1000, filename="a.bin", content_type="application/octet-stream")
    request = await recorded(data=form)
    for _ in range(2):
        fields = await request.post()
        assert fields["name"] == "ann"
        assert (fields["file"].filename, fields["file"].content_type) == ("a.bin", "application/octet-stream")
        # Nobody has to close it.
        assert fields["file"].file.read() == b"\x00\xff" * 1000
    parts = [part.name async for part in await request.multipart()]
    assert parts == ["name", "file"]


@pytest.mark.parametrize(
    ("asked", "canonical"),
    [
        ("https://API.example.com:443/x?b=2&a=1#top", "https://api.example.com/x?a=1&b=2"),
        ("http://api.example.com", "http://api.example.com/"),
        ("https://user:secret@api.example.com./a%2Fb", "https://api.example.com/a%2Fb"),
        ("http://bücher.example/ü?q=ä+b", "http://xn--bcher-kva.example/%C3%BC?q=%C3%A4+b"),
    ],
)
async def test_canonical_url_is_normalised_with_its_original_scheme(asked, canonical):
    async with aiointercept(mock_external_urls=True) as m:
        m.get(asked)
        await fetch(asked)
        request = m.last_request
        assert request.canonical_url == URL(canonical)
        assert list(m.requests) == [("GET", URL(canonical))]
        assert request.url.scheme == URL(asked).scheme


async def test_requests_is_a_dict_in_order_of_insertion_that_normalises_the_key_looked_up():
    async with aiointercept() as m:
        assert m.requests == {}
        m.add(ANY_URL, "GET", repeat=True)
        m.add(ANY_URL, "POST", repeat=True)
        for path, method in (("/b?y=1&x=2", "GET"), ("/a", "POST"), ("/b?x=2&y=1", "GET")):
            await fetch(f"{m.server_url}{path}", method)
        base = m.server_url
        assert isinstance(m.requests, dict)
        assert list(m.requests) == [("GET", URL(f"{base}/b?x=2&y=1")), ("POST", URL(f"{base}/a"))]
        assert len(m.requests["GET", URL(f"{base}/b?y=1&x=2#top")]) == 2
        assert len(m.requests["GET", f"{base}/b?y=1&x=2"]) == 2
        assert ("GET", URL(f"{base}/b?y=1&x=2")) in m.requests
        assert ("GET", URL(f"{base}/nowhere")) not in m.requests
        assert m.requests.get(("GET", URL(f"{base}/nowhere"))) is None
        with pytest.raises(KeyError):
            m.requests["GET", URL(f"{base}/nowhere")]


async def test_ordered_requests_last_request_and_call_count_go_over_all_urls():
    async with aiointercept() as m:
        m.add(ANY_URL, "GET", repeat=True)
        for path in ("/b", "/a", "/b"):
            await fetch(f"{m.server_url}{path}")
        assert [key for key, _ in m.ordered_requests] == [
            ("GET", URL(f"{m.server_url}{path}")) for path in ("/b", "/a", "/b")
        ]
        assert [request for _, request in m.ordered_requests][-1] is m.last_request
        assert m.call_count == 3


async def test_unmatched_requests_and_those_with_an_exception_are_recorded():
    async with aiointercept() as m:
        m.post(f"{m.server_url}/closed", exception=True)
        for path in ("/closed", "/unmatched"):
            with pytest.raises(aiohttp.ClientConnectionError):
                await fetch(f"{m.server_url}{path}", "POST", data=b"sent")
        assert list(m.requests) == [("POST", URL(f"{m.server_url}/{name}")) for name in ("closed", "unmatched")]
        assert m.last_request.captured_body == b"sent"


async def test_any_method_is_answered_and_recorded():
    async with aiointercept(mock_external_urls=True) as m:
        m.add("https://api.example.com/x", "m-search", body="done")
        assert (await fetch("https://api.example.com/x", "M-SEARCH")).text == "done"
        m.assert_called_once_with("https://api.example.com/x", "M-SEARCH")


async def test_an_upload_that_is_broken_off_is_recorded_with_what_came_and_uses_no_reply():
    async with aiointercept() as m:
        registered = m.post(ANY_URL)
        _, writer = await asyncio.open_connection(m.server_host, m.server_port)
        writer.write(b"POST /x HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 10\r\n\r\nhalf")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        async with asyncio.timeout(5):
            while not m.call_count:
                await asyncio.sleep(0.001)
        assert m.last_request.captured_body == b"half"
        assert m.last_request.complete is False
        assert registered.call_count == 0
        await fetch(f"{m.server_url}/x", "POST", data=b"whole")
        assert m.last_request.complete is True
